"""What a Dify's console answers, read and understood; long answers off the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeVar

from bot.adapters.dify import era, shapes, wire
from bot.adapters.dify.recollection import Form, Recollection, Told
from bot.adapters.dify.session import Session
from bot.adapters.dify.transport import MAX_ANSWER, Answer, Request, app_path
from bot.errors import NoSuchApp, UpstreamRefused
from store.document import Document
from store.records import Json

T = TypeVar("T")
Query = Mapping[str, str | list[str]]

OFF_LOOP_BYTES = 128 * 1024  # parsing more would hold up acknowledgements and leases
MAX_PAGE_BYTES = 64 * 2**20
MAX_PAGES = 100_000  # Dify's own limit; a server that always has more must not hold us for ever
WITH_VERSIONS = frozenset({"workflow", "advanced-chat"})


class Reading:
    """Reads through *session*; remembers the mode of each app and what answers said."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._modes: dict[str, str] = {}  # an app never changes its mode
        self._recollection = Recollection()

    async def mode(self, app_id: str) -> str:
        """The app's mode; asked for once. Raises as `understood`."""
        if app_id not in self._modes:
            self._modes[app_id] = wire.app_mode(await self.json(app_path(app_id)))
        return self._modes[app_id]

    def remember(self, app_id: str, mode: str) -> None:
        """Take the *mode* of an app from an answer that tells of many."""
        self._modes[app_id] = mode

    async def json(
        self, path: str, query: Query | None = None, *, limit: int | None = None
    ) -> Json:
        """The answer of *path* as it is. Raises as `understood`."""
        return await self.understood(path, _as_it_is, query, limit=limit)

    async def understood(
        self,
        path: str,
        form: Callable[[Json], T],
        query: Query | None = None,
        *,
        limit: int | None = None,
    ) -> T:
        """What *form* makes of the answer of *path*, of at most *limit* bytes.

        Raises:
            NoSuchApp, UpstreamDown, UpstreamRefused: Also what logging in raises, and
                `AnswerUnreadable` for what *form* does not know.
        """
        answer = await self._answer(path, query, limit=limit)
        return await _off_loop(answer, partial(answer.read, form))

    async def workflow(self, path: str, form: Form[Told], *, asked: str) -> Told | None:
        """A workflow from *path*, whose content is most often the one that it had before.

        *asked* names the question and all that *form* depends on. Raises as `understood`.
        """
        answer = await self._answer(path)
        known = partial(self._recollection.understood, answer, form, asked=asked)
        return await _off_loop(answer, known)

    async def _answer(
        self, path: str, query: Query | None = None, *, limit: int | None = None
    ) -> Answer:
        request = Request("GET", path, query=query or {}, limit=limit or MAX_ANSWER)
        answer: Answer = await self._session.send(request)
        if answer.status in {400, 404} and answer.code == era.NO_APP:
            raise self._not_there(path, answer)
        return answer

    def _not_there(self, path: str, answer: Answer) -> UpstreamRefused:
        """Say why a route of an app is not found: another mode, or another workspace."""
        app_id = path.split("/")[2] if path.startswith("/apps/") else ""
        mode = self._modes.get(app_id, "")
        if mode and mode not in WITH_VERSIONS:
            said = f"the app {app_id} is of mode {mode[:40]}, which has no versions"
            return UpstreamRefused(shapes.SYSTEM, said, answer.code)
        said = f"no app {app_id[:64]} in the workspace of this account: wrong id, other workspace"
        return NoSuchApp(shapes.SYSTEM, f"{said}, or deleted", answer.code)


async def secret_names(document: Document) -> dict[str, str]:
    """The names of its secrets by id; a content that is not read yet is read off the loop."""
    found = await asyncio.to_thread(lambda: document.secrets)
    return {secret.id: secret.name for secret in found}


async def _off_loop(answer: Answer, read: Callable[[], T]) -> T:
    """Do *read*; what takes long with a large *answer* off the event loop."""
    return read() if len(answer.body) < OFF_LOOP_BYTES else await asyncio.to_thread(read)


def _as_it_is(value: Json) -> Json:
    return value
