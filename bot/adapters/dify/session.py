"""One account's way into one Dify: log in once, stay in, never in a loop.

The seventh bad login in a row locks an account for a day, so a refused one is remembered and
not tried again until the settings change. Nothing here logs a token, a password or a body.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bot.adapters.dify import era, shapes
from bot.adapters.dify.transport import Answer, Request, Transport
from bot.errors import AccountLocked, AnswerUnreadable, LoginRefused

log = logging.getLogger(__name__)

LOCKED_PAUSE_S = 3600.0  # a lock ends after a day; asking now and then tells when
_REFUSED = frozenset({400, 401, 403})
_COOKIE_VALUE = re.compile(r"[!#-+\--:<-\[\]-~]{1,8192}")  # RFC 6265, section 4.1.1


@dataclass(frozen=True)
class Account:
    """How to log in."""

    email: str
    password: str = field(repr=False)


@dataclass(frozen=True, eq=False)
class _Tokens:
    """What a login or a refresh gave; `prefix` is that of the cookies' names."""

    prefix: str
    access: str = field(repr=False)
    refresh: str = field(repr=False)
    csrf: str = field(repr=False)

    def headers(self) -> Mapping[str, str]:
        """Both cookies and the CSRF header, which must be equal to its cookie on every call."""
        access, csrf = f"{self.prefix}access_token", f"{self.prefix}csrf_token"
        return {
            "Cookie": f"{access}={self.access}; {csrf}={self.csrf}",
            "X-CSRF-Token": self.csrf,
        }

    def refresh_headers(self) -> Mapping[str, str]:
        return {"Cookie": f"{self.prefix}refresh_token={self.refresh}"}


class Session:
    """Sends requests as one account; logs in and refreshes behind the scenes, one at a time."""

    def __init__(
        self,
        transport: Transport,
        account: Account,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._transport = transport
        self._account = account
        self._clock = clock
        self._tokens: _Tokens | None = None
        self._lock = asyncio.Lock()
        self._refused = ""
        self._locked_until = 0.0
        self.version = ""

    def change_account(self, account: Account) -> None:
        """Use other credentials from now on; a refused or locked login is forgotten."""
        self._account = account
        self._tokens, self._refused, self._locked_until = None, "", 0.0

    async def send(self, request: Request) -> Answer:
        """Send *request* with a valid token; an expired one is renewed and the call made again.

        A call that was answered 401 was not carried out, so writes may be sent again then.

        Raises:
            LoginRefused: Wrong account or password, now or remembered.
            AccountLocked: Too many bad logins.
            UpstreamDown, Ambiguous, AnswerUnreadable: As `Transport.exchange`.
        """
        tokens = await self._valid()
        answer = await self._exchange(request, tokens.headers())
        if answer.status != 401:
            return answer
        tokens = await self._renew(tokens)
        return await self._exchange(request, tokens.headers())

    async def _exchange(self, request: Request, headers: Mapping[str, str]) -> Answer:
        answer = await self._transport.exchange(request, headers)
        self.version = answer.version or self.version
        return answer

    async def _valid(self) -> _Tokens:
        async with self._lock:
            if self._tokens is None:
                self._tokens = await self._login()
            return self._tokens

    async def _renew(self, old: _Tokens) -> _Tokens:
        """Replace *old*, unless somebody did so while we waited; refresh tokens work once."""
        async with self._lock:
            if self._tokens is not None and self._tokens is not old:
                return self._tokens
            self._tokens = None
            self._tokens = await self._refresh(old) or await self._login()
            return self._tokens

    async def _refresh(self, old: _Tokens) -> _Tokens | None:
        request = Request("POST", "/refresh-token", body={})
        answer = await self._exchange(request, old.refresh_headers())
        if answer.status in _REFUSED:
            return None
        answer.check()
        return _tokens(answer)

    async def _login(self) -> _Tokens:
        if self._refused:
            raise LoginRefused(shapes.SYSTEM, "the login was refused before", self._refused)
        if self._clock() < self._locked_until:
            raise AccountLocked(shapes.SYSTEM, "the account is locked", era.LOCKED)
        account = self._account
        body = {
            "email": account.email,
            "password": era.wire_password(account.password),
            "remember_me": True,
        }
        answer = await self._exchange(Request("POST", "/login", body=body), {})
        if account is not self._account:  # changed meanwhile: this answer says nothing
            return await self._login()
        self._remember(answer)
        answer.check()
        log.info("logged in to Dify %s", self.version)
        return _tokens(answer)

    def _remember(self, answer: Answer) -> None:
        """Keep in mind that logging in again would be useless or do harm."""
        code = answer.code
        if code == era.LOCKED:
            self._locked_until = self._clock() + LOCKED_PAUSE_S
            raise AccountLocked(shapes.SYSTEM, "too many bad logins: the account is locked", code)
        if answer.status in _REFUSED and code:
            self._refused = code
            raise LoginRefused(shapes.SYSTEM, f"the login was refused: {code}", code)


def _tokens(answer: Answer) -> _Tokens:
    for prefix in era.COOKIE_PREFIXES:
        values = {
            name: answer.cookies.get(f"{prefix}{name}_token", "")
            for name in ("access", "refresh", "csrf")
        }
        if all(_COOKIE_VALUE.fullmatch(value) for value in values.values()):
            return _Tokens(prefix, **values)
    raise AnswerUnreadable(shapes.SYSTEM, f"{answer.request} gave no cookies to go on with")
