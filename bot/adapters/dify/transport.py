"""One HTTP exchange with Dify and what its failure means for a read or for a write.

Bodies, cookies and headers never get into a log or an error.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import quote

import aiohttp
from yarl import URL

from bot import pulse
from bot.adapters.dify import era, shapes
from bot.errors import Ambiguous, AnswerUnreadable, UpstreamDown, UpstreamRefused
from bot.unreachable import why
from store.records import Json

MAX_ANSWER = 8 * 2**20
TIMEOUT = aiohttp.ClientTimeout(total=15, sock_connect=5)
_REDIRECTS = range(300, 400)
_TRY_LATER = frozenset({425, 429})

T = TypeVar("T")


@dataclass(frozen=True)
class Request:
    """What to ask. `path` is below the console API; a *write* may change something there."""

    method: str
    path: str
    query: Mapping[str, str | list[str]] = field(default_factory=dict)
    body: Json = field(default=None, repr=False)
    write: bool = False
    limit: int = MAX_ANSWER

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True)
class Answer:
    """What came back. Its body may hold secrets, so nothing of it is shown by `repr`."""

    request: Request
    status: int
    version: str
    body: bytes = field(repr=False)
    cookies: Mapping[str, str] = field(repr=False)

    @property
    def code(self) -> str:
        """Dify's name of the error; "" when the body has none."""
        return self._word("code")

    @property
    def failed(self) -> bool:
        """True if the body says that it failed, which it may do with a status of success."""
        return self._word("result") == "fail"

    def _word(self, key: str) -> str:
        try:
            body = json.loads(self.body)
        except (ValueError, RecursionError):
            return ""
        word = body.get(key) if isinstance(body, dict) else None
        return word[:80] if isinstance(word, str) else ""

    def json(self) -> Json:
        """The body of a success. Raises as `check` and `read`."""
        return self.read(_as_it_is)

    def read(self, form: Callable[[Json], T]) -> T:
        """The body of a success, understood by *form*.

        Raises:
            AnswerUnreadable: The answer of a read has another form.
            Ambiguous: That of a write has: who knows what was applied.
            UpstreamDown, UpstreamRefused: As `check`.
        """
        self.check()
        try:
            return form(shapes.parse_json(self.body, str(self.request)))
        except AnswerUnreadable as error:
            if self.request.write:
                raise Ambiguous(shapes.SYSTEM, str(error)) from error
            raise

    def check(self) -> None:
        """Return if the call succeeded.

        Raises:
            Ambiguous: A server error on a write: it may have been applied.
            UpstreamDown: A server error on a read, or "not now".
            UpstreamRefused: Anything else, with Dify's code.
        """
        if 200 <= self.status < 300:
            return
        said = f"{self.request} answered {self.status} {self.code}".rstrip()
        if self.status >= 500 or self.status == 408:
            raise (Ambiguous if self.request.write else UpstreamDown)(shapes.SYSTEM, said)
        if self.status in _TRY_LATER:
            raise UpstreamDown(shapes.SYSTEM, said)
        if self.status in _REDIRECTS:
            said = f"{self.request} was redirected; redirects are not followed"
        raise UpstreamRefused(shapes.SYSTEM, said, self.code)


def _as_it_is(value: Json) -> Json:
    return value


class Transport:
    """Sends requests to one server. Follows no redirect, keeps no cookie.

    A write opens a connection of its own, so that one which cannot be opened was never written
    to; on an idle connection that the server has just dropped nobody could tell. A session that
    is passed in lends its connections to reads and writes alike.
    """

    def __init__(
        self,
        url: str,
        *,
        http: aiohttp.ClientSession | None = None,
        timeout: aiohttp.ClientTimeout = TIMEOUT,
        traces: Sequence[aiohttp.TraceConfig] = (),
    ) -> None:
        self._base = url.rstrip("/").removesuffix(era.API) + era.API
        self._shared = http
        self._own: dict[bool, aiohttp.ClientSession] = {}  # for reads, for writes
        self._timeout = timeout
        self._traces = traces

    async def exchange(self, request: Request, headers: Mapping[str, str]) -> Answer:
        """Send *request* once.

        Raises:
            UpstreamDown: No connection, or a read that broke off.
            Ambiguous: A write that broke off after the connection stood.
            AnswerUnreadable: The answer to a read is larger than the request's limit.
        """
        url = URL(self._base + request.path, encoded=True).with_query(request.query)
        try:
            async with self._http(write=request.write).request(
                request.method, url, json=request.body, headers=headers, allow_redirects=False
            ) as response:
                return Answer(
                    request=request,
                    status=response.status,
                    version=response.headers.get("X-Version", "")[:40],
                    body=await _body(response, request),
                    cookies={name: morsel.value for name, morsel in response.cookies.items()},
                )
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise UpstreamDown(shapes.SYSTEM, f"{request}: {why(error)}") from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            kind = Ambiguous if request.write else UpstreamDown
            raise kind(shapes.SYSTEM, f"{request} broke off: {why(error)}") from error
        finally:
            pulse.alive()

    async def close(self) -> None:
        """Close what was opened here."""
        while self._own:
            await self._own.popitem()[1].close()

    def _http(self, *, write: bool) -> aiohttp.ClientSession:
        """A session without cookies, on the shared connections if there are any."""
        if write not in self._own:
            shared = self._shared
            self._own[write] = aiohttp.ClientSession(
                connector=shared.connector if shared else _connector(write=write),
                connector_owner=shared is None,
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=self._timeout,
                headers={"Accept": "application/json", "User-Agent": "keyturn"},
                trace_configs=list(self._traces),
            )
        return self._own[write]


def _connector(*, write: bool) -> aiohttp.TCPConnector:
    if write:
        return aiohttp.TCPConnector(force_close=True)
    # Dify's own server drops an idle connection after 2 s; do not be the one who finds out.
    return aiohttp.TCPConnector(limit=8, keepalive_timeout=1.0)


async def _body(response: aiohttp.ClientResponse, request: Request) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.content.iter_chunked(2**16):
        size += len(chunk)
        if size > request.limit:
            raise _spoilt(request, f"larger than {request.limit} bytes")
        chunks.append(chunk)
    return b"".join(chunks)


def _spoilt(request: Request, what: str) -> UpstreamRefused | Ambiguous:
    """A success that cannot be read: a write has happened all the same, or perhaps not."""
    if request.write:
        return Ambiguous(shapes.SYSTEM, f"{request}: {what}")
    return AnswerUnreadable(shapes.SYSTEM, f"{request}: {what}")


def app_path(app_id: str, below: str = "") -> str:
    """The path of an app, or of what is *below* it; nothing in the id can leave its place."""
    return f"/apps/{quote(app_id, safe='')}{below}"
