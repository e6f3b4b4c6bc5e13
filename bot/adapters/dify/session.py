"""One account's way into one Dify: log in once, stay in, never in a loop.

The seventh bad login in a row locks an account for a day, so a refused one is remembered and
not tried again until the settings change. How to log in depends on the server's release, so an
unknown one is asked for before the first password is sent. Nothing here logs a token, a
password or a body.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from bot.adapters.dify import era as eras
from bot.adapters.dify import shapes
from bot.adapters.dify.credentials import Account, AdminKey, Credentials, Tokens, tokens_of
from bot.adapters.dify.era import UNPROVEN, Era
from bot.adapters.dify.transport import Answer, Request, Transport
from bot.errors import (
    AccountLocked,
    AdminKeyUnusable,
    LoginRefused,
    TargetTooOld,
    UpstreamRefused,
)

log = logging.getLogger(__name__)

LOCKED_PAUSE_S = 3600.0  # a lock ends after a day; asking now and then tells when
_REFUSED = frozenset({400, 401, 403})
# Needs no login and calls nobody; `/version` may name the newest release instead of the server's.
_ASK_RELEASE = Request("GET", "/setup")


class Session:
    """Sends requests as one account; logs in and refreshes behind the scenes, one at a time."""

    def __init__(
        self,
        transport: Transport,
        credentials: Credentials,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._transport = transport
        self._credentials = credentials
        self._clock = clock
        self._tokens: Tokens | None = None
        self._lock = asyncio.Lock()
        self._refused = ""
        self._locked_until = 0.0
        self._era: Era | None = None

    @property
    def era(self) -> Era:
        """What the server can do, by its last answer; before the first one: next to nothing."""
        if self._era is None:
            return UNPROVEN
        return replace(self._era, proven=isinstance(self._credentials, Account))

    async def known_era(self) -> Era:
        """As `era`, but ask the server if there was no answer yet. Raises as `send`."""
        if self._era is None:
            async with self._lock:
                await self._know_release()
        return self.era

    def change_credentials(self, credentials: Credentials) -> None:
        """Use other credentials from now on; a refused or locked login is forgotten."""
        self._credentials = credentials
        self._tokens, self._refused, self._locked_until = None, "", 0.0

    async def send(self, request: Request) -> Answer:
        """Send *request* with a valid token; an expired one is renewed and the call made again.

        A call that was answered 401 was not carried out, so writes may be sent again then.

        Raises:
            LoginRefused: Wrong account, password or admin key, now or remembered.
            AdminKeyUnusable: This release takes no admin key.
            AccountLocked: Too many bad logins.
            TargetTooOld: The release lists no versions.
            UpstreamDown, Ambiguous, AnswerUnreadable: As `Transport.exchange`.
        """
        if isinstance(self._credentials, AdminKey):
            return await self._send_with_key(request, self._credentials)
        tokens = await self._valid()
        answer = await self._exchange(request, tokens.headers())
        if answer.status != 401:
            return answer
        tokens = await self._renew(tokens)
        return await self._exchange(request, tokens.headers())

    async def _send_with_key(self, request: Request, key: AdminKey) -> Answer:
        async with self._lock:
            await self._know_release()
        answer = await self._exchange(request, key.headers())
        if answer.status == 401:  # nothing locks a key, so it may be tried again
            said = "the admin key is wrong or switched off, or the workspace is not this server's"
            raise LoginRefused(shapes.SYSTEM, said, answer.code)
        return answer

    async def _exchange(self, request: Request, headers: Mapping[str, str]) -> Answer:
        answer = await self._transport.exchange(request, headers)
        if answer.version and (self._era is None or answer.version != self._era.version):
            self._era = Era.named(answer.version)
        return answer

    async def _know_release(self) -> None:
        """Ask for the release while it is unknown, or was of no use and may be another by now."""
        if self._era is None or self._unusable(self._era) is not None:
            answer = await self._exchange(_ASK_RELEASE, {})
            answer.json()  # what a proxy says instead must not be shown a password
        if self._era is None:
            self._era = Era.named("")
        unusable = self._unusable(self._era)
        if unusable is not None:
            raise unusable

    def _unusable(self, era: Era) -> UpstreamRefused | None:
        if not era.supported:
            said = f"release {era.version} lists no versions; 0.15.0 or newer is needed"
            return TargetTooOld(shapes.SYSTEM, said)
        if isinstance(self._credentials, AdminKey) and not era.admin_key:
            said = f"release {era.version} takes no admin key (1.9.2 to 1.10.1 do not); "
            return AdminKeyUnusable(shapes.SYSTEM, said + "name an account, or update Dify")
        return None

    async def _valid(self) -> Tokens:
        async with self._lock:
            if self._tokens is None:
                self._tokens = await self._login()
            return self._tokens

    async def _renew(self, old: Tokens) -> Tokens:
        """Replace *old*, unless somebody did so while we waited; refresh tokens work once."""
        async with self._lock:
            if self._tokens is not None and self._tokens is not old:
                return self._tokens
            self._tokens = None
            self._tokens = await self._refresh(old) or await self._login()
            return self._tokens

    async def _refresh(self, old: Tokens) -> Tokens | None:
        request, headers = old.renewal()
        answer = await self._exchange(request, headers)
        if answer.status in _REFUSED or answer.failed:
            return None
        return tokens_of(answer, self.era)

    async def _login(self) -> Tokens:
        self._raise_if_refused()
        if self._clock() < self._locked_until:
            raise AccountLocked(shapes.SYSTEM, "the account is locked", eras.LOCKED)
        await self._know_release()
        account = self._credentials
        if not isinstance(account, Account):  # changed meanwhile to a key, which logs in nowhere
            raise LoginRefused(shapes.SYSTEM, "the credentials were changed during a login")
        body = {
            "email": account.email,
            "password": self.era.wire_password(account.password),
            "remember_me": True,
        }
        answer = await self._exchange(Request("POST", "/login", body=body), {})
        if account is not self._credentials:  # changed meanwhile: this answer says nothing
            return await self._login()
        self._remember(answer)
        tokens = tokens_of(answer, self.era)
        log.info("logged in to Dify %s", self.era.version or "of unknown release")
        return tokens

    def _remember(self, answer: Answer) -> None:
        """Keep in mind that logging in again would be useless or do harm."""
        code = answer.code
        if code == eras.LOCKED:
            self._locked_until = self._clock() + LOCKED_PAUSE_S
            raise AccountLocked(shapes.SYSTEM, "too many bad logins: the account is locked", code)
        # An unknown account is said with 200, `"result": "fail"` and a code.
        if (answer.status in _REFUSED and code) or answer.failed:
            self._refused = code or "failed"
            self._raise_if_refused()

    def _raise_if_refused(self) -> None:
        if not self._refused:
            return
        said = "the login was refused"
        if not self.era.known:
            said += " (the server names no release in X-Version, so how to log in was guessed)"
        raise LoginRefused(shapes.SYSTEM, f"{said}: {self._refused}", self._refused)
