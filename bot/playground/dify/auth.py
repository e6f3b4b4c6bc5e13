"""Logins: three cookies and a CSRF header, or a bearer token; single-use refresh, a lock.

Tokens are opaque here; a real server's are JWTs, which no client may look into.
"""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bot.playground.dify.refusals import DifyError, unauthorized
from bot.playground.dify.releases import NEWEST, Release
from bot.playground.dify.workflows import Account

ACCESS_LIFE = timedelta(minutes=60)
REFRESH_LIFE = timedelta(days=30)
LOCK_LIFE = timedelta(seconds=86400)
BAD_LOGINS_BEFORE_LOCK = 6
_NO_CSRF_NEEDED = re.compile(r"/console/api/apps/[a-f0-9-]{36}/workflows/draft")
_CSRF_REFUSED = "CSRF token is missing or invalid."


@dataclass(frozen=True)
class Tokens:
    """What one login or refresh hands out."""

    access: str
    refresh: str
    csrf: str


@dataclass(frozen=True)
class _Grant:
    account: Account
    until: datetime


@dataclass
class _BadLogins:
    count: int = 0
    locked_at: datetime | None = None


@dataclass
class Auth:
    """Who may come in."""

    accounts: list[Account]
    clock: Callable[[], datetime]
    release: Release = NEWEST
    access: dict[str, _Grant] = field(default_factory=dict)
    csrf: dict[str, _Grant] = field(default_factory=dict)
    refresh_tokens: dict[str, _Grant] = field(default_factory=dict)
    bad_logins: dict[str, _BadLogins] = field(default_factory=dict)

    def login(self, email: str, password: str) -> Tokens:
        """Check the password as it was sent; the seventh bad login in a row finds a lock."""
        if self.release.encoded_password:
            password = _decoded(password)
        bad = self.bad_logins.setdefault(email.lower(), _BadLogins())
        if bad.locked_at and self.clock() - bad.locked_at >= LOCK_LIFE:
            bad.count, bad.locked_at = 0, None
        if bad.locked_at:
            raise DifyError(
                429,
                "email_code_login_limit",
                "Too many incorrect password attempts. Please try again later.",
            )
        account = next((a for a in self.accounts if a.email.lower() == email.lower()), None)
        if account is None or not secrets.compare_digest(
            account.password.encode(), password.encode()
        ):
            bad.count += 1
            if bad.count >= BAD_LOGINS_BEFORE_LOCK:
                bad.locked_at = self.clock()
            raise DifyError(*self.release.wrong_password)
        del self.bad_logins[email.lower()]
        account.last_login_at = self.clock()
        return self._hand_out(account)

    def refresh(self, token: str) -> Tokens | None:
        """New tokens for a refresh token that was never used; None otherwise."""
        grant = self.refresh_tokens.pop(token, None)
        if grant is None or grant.until <= self.clock():
            return None
        return self._hand_out(grant.account)

    def logout(self, refresh_token: str) -> None:
        self.refresh_tokens.pop(refresh_token, None)

    def who(self, access_token: str) -> Account:
        """The account of an access token."""
        if not access_token:
            raise unauthorized("Invalid Authorization token.")
        grant = self.access.get(access_token)
        if grant is None:
            raise unauthorized("Invalid token.")
        if grant.until <= self.clock():
            raise unauthorized("Token has expired.")
        return grant.account

    def check_csrf(self, account: Account, path: str, *, header: str, cookie: str) -> None:
        """Refuse unless header and cookie are the account's own token; draft routes are exempt."""
        if _NO_CSRF_NEEDED.match(path):
            return
        grant = self.csrf.get(header)
        if not header or header != cookie or grant is None:
            raise unauthorized(_CSRF_REFUSED)
        if grant.account is not account or grant.until <= self.clock():
            raise unauthorized(_CSRF_REFUSED)

    def lock(self, email: str) -> None:
        """Lock the account of this address, as after too many bad logins."""
        self.bad_logins[email.lower()] = _BadLogins(BAD_LOGINS_BEFORE_LOCK, self.clock())

    def expire_access_tokens(self) -> None:
        """Let every access and CSRF token handed out so far be too old."""
        for grants in (self.access, self.csrf):
            for token, grant in grants.items():
                grants[token] = _Grant(grant.account, self.clock())

    def forget_refresh_tokens(self) -> None:
        """Let every refresh token handed out so far be unknown, as after a restart of Redis."""
        self.refresh_tokens.clear()

    def _hand_out(self, account: Account) -> Tokens:
        now = self.clock()
        tokens = Tokens(*(secrets.token_hex(32) for _ in range(3)))
        self.access[tokens.access] = _Grant(account, now + ACCESS_LIFE)
        self.csrf[tokens.csrf] = _Grant(account, now + ACCESS_LIFE)
        self.refresh_tokens[tokens.refresh] = _Grant(account, now + REFRESH_LIFE)
        return tokens


def _decoded(password: str) -> str:
    try:
        return base64.b64decode(password).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError) as error:
        raise DifyError(401, "authentication_failed", "Invalid encrypted data") from error
