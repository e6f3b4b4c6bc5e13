"""Dify as a target: the port's methods, spoken in the console API.

What a release cannot do is known by `era`. A rollback's content is written by a draft sync,
never by `/restore`: the sync compares the hash of the draft that was read, so an editor's save
in between is refused instead of lost.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

import aiohttp

from bot.adapters.dify import era, model_config, runs, secrets, shapes, wire
from bot.adapters.dify.credentials import Credentials
from bot.adapters.dify.examined import Examined
from bot.adapters.dify.inventory import Inventory
from bot.adapters.dify.recollection import Form, Recollection, Told
from bot.adapters.dify.session import Session
from bot.adapters.dify.transport import (
    MAX_ANSWER,
    TIMEOUT,
    Answer,
    Request,
    Transport,
    app_path,
)
from bot.adapters.dify.vault import Vault
from bot.domain.dry_run import Looked
from bot.domain.masked import masked
from bot.domain.references import Needed
from bot.errors import DraftMoved, LiveMoved, NoSuchApp, UpstreamRefused, WouldWriteMask
from bot.ports.target import (
    NONE,
    LiveRef,
    Replacing,
    RunResult,
    SecretsComparison,
    SecretsVerdict,
    SecretValues,
    TargetDraft,
    TargetVersion,
)
from store.document import Document
from store.failpoint import fp
from store.records import Json

log = logging.getLogger(__name__)
T = TypeVar("T")
Query = Mapping[str, str | list[str]]

APPS_A_PAGE = 100
VERSIONS_A_PAGE = 20
RUNS_A_PAGE = 100  # the most that Dify gives
NEWEST = 3  # the draft and two versions
_UNKNOWN = SecretsComparison(SecretsVerdict.UNKNOWN)
OFF_LOOP_BYTES = 128 * 1024  # parsing more would hold up acknowledgements and leases
MAX_PAGE_BYTES = 64 * 2**20
MAX_PAGES = 100_000  # Dify's own limit; a server that always has more must not hold us for ever
NAME_MAX, COMMENT_MAX = 20, 100
WITH_VERSIONS = frozenset({"workflow", "advanced-chat"})


class DifyTarget:
    """One Dify workspace, seen with some credentials; implements `bot.ports.target.Target`.

    *url* is the console's address; *credentials* are an `Account` or an `AdminKey`. A session
    that is passed in lends its connections only: its cookies are neither read nor written.
    """

    def __init__(
        self,
        name: str,
        *,
        url: str,
        credentials: Credentials,
        http: aiohttp.ClientSession | None = None,
        timeout: aiohttp.ClientTimeout = TIMEOUT,
        traces: Sequence[aiohttp.TraceConfig] = (),
    ) -> None:
        self.name = name
        self._transport = Transport(url, http=http, timeout=timeout, traces=traces)
        self._session = Session(self._transport, credentials)
        self._vault = Vault(self._session)
        self._inventory = Inventory(partial(self._read, limit=MAX_PAGE_BYTES))
        self._modes: dict[str, str] = {}  # an app never changes its mode
        self._recollection = Recollection()

    def change_credentials(self, credentials: Credentials) -> None:
        """Use other credentials from now on; a refused login is forgotten."""
        self._session.change_credentials(credentials)

    async def close(self) -> None:
        """Close the connections that were opened here."""
        await self._transport.close()

    async def greet(self) -> str:
        """Log in if need be and return the server's version, "" when it names none.

        Raises:
            LoginRefused, AccountLocked, TargetTooOld, UpstreamDown, UpstreamRefused: It cannot be
                used now.
        """
        await self._read("/account/profile")
        return self._session.era.version

    async def examine(self) -> Examined:
        """Log in if need be and tell who we are, where, and what this release cannot do.

        Raises:
            As `greet`.
        """
        account_id, email = wire.profile(await self._read("/account/profile"))
        workspace = wire.current_workspace(await self._read("/workspaces"))
        members = await self._read("/workspaces/current/members", limit=MAX_PAGE_BYTES)
        return Examined(
            version=self._session.era.version,
            email=email,
            role=wire.role_of(members, account_id),
            workspace_id=workspace.id,
            workspace=workspace.name,
            limitations=self._session.era.limitations(),
        )

    # -- reads --------------------------------------------------------------------------------

    async def list_live(self) -> AsyncIterator[LiveRef]:
        """Every app of the workspace with its live version's id, 100 a call."""
        seen: set[str] = set()
        for page in range(1, MAX_PAGES):
            query = {"page": str(page), "limit": str(APPS_A_PAGE)}
            found = await self._understood("/apps", wire.app_page, query, limit=MAX_PAGE_BYTES)
            for ref in found.refs:
                self._modes[ref.app_id] = ref.mode
                if ref.app_id not in seen:  # an app made meanwhile moves the others on
                    seen.add(ref.app_id)
                    yield ref
            if not found.has_more:
                return

    async def history(self, app_id: str, *, start: int = 0) -> AsyncIterator[TargetVersion]:
        """Published versions, newest first, from index *start*; the draft is never among them."""
        mode = await self._mode(app_id)
        if mode in model_config.MODES:
            live = await self.live(app_id)
            if live is not None and start == 0:
                yield live
            return
        seen: set[str] = set()
        if start == 0:  # whoever only wants to know what is new needs no twenty documents
            newest = await self._versions(app_id, mode, page=1, limit=NEWEST)
            for version in newest.versions:
                seen.add(version.external_id)
                yield version
            if not newest.has_more:
                return
        page, skip = _page_of(start)
        while page < MAX_PAGES:
            found = await self._versions(app_id, mode, page=page, limit=VERSIONS_A_PAGE)
            for version in found.versions[skip:]:
                if version.external_id not in seen:  # a publish meanwhile moves the others on
                    seen.add(version.external_id)
                    yield version
            if not found.has_more:
                return
            page, skip = page + 1, 0

    async def count_versions(self, app_id: str) -> int:
        """How many published versions there are, found with few calls for one version each."""
        mode = await self._mode(app_id)
        if mode in model_config.MODES:
            return int(await self.live(app_id) is not None)
        first = await self._versions(app_id, mode, page=1, limit=1)
        if first.length == 0:
            return 0
        there, absent = 1, 2
        while absent < MAX_PAGES and await self._exists(app_id, mode, absent):
            there, absent = absent, min(absent * 2, MAX_PAGES)
        while absent - there > 1:
            middle = (there + absent) // 2
            if await self._exists(app_id, mode, middle):
                there = middle
            else:
                absent = middle
        return there - first.has_draft

    async def live(self, app_id: str) -> TargetVersion | None:
        """The version that answers users now; None before the first publish."""
        mode = await self._mode(app_id)
        if mode in model_config.MODES:
            return model_config.version(await self._read(app_path(app_id)), mode=mode)
        named = self._session.era.names_versions
        form = partial(wire.live, mode=mode, named=named)
        path = app_path(app_id, "/workflows/publish")
        return await self._workflow(path, form, asked=f"{path} {mode} {named}")

    async def draft(self, app_id: str) -> TargetDraft | None:
        """The editors' draft; None when nobody has saved one yet."""
        mode = await self._mode(app_id)
        if mode in model_config.MODES:
            return None
        try:
            form = partial(wire.draft, mode=mode)
            path = app_path(app_id, "/workflows/draft")
            return await self._workflow(path, form, asked=f"{path} {mode}")
        except UpstreamRefused as error:
            if error.upstream_code == era.NO_DRAFT:
                return None
            raise

    async def draft_secrets_only(self) -> bool:
        """True before 1.8.1, where an old version's export is silently the draft."""
        return not (await self._session.known_era()).exports_versions

    async def compare_secrets(
        self,
        app_id: str,
        *,
        live_id: str,
        own: Mapping[str, str] = NONE,
        published_id: str = "",
    ) -> SecretsComparison:
        """Compare secret values by id, in memory only; see the port."""
        if await self.draft_secrets_only():
            if own:  # no version's own values can be read here
                return _UNKNOWN
            return await self._compare_masks(app_id, live_id, published_id)
        if published_id:
            return await self._compare_published(app_id, live_id, own, published_id)
        held = await self.draft(app_id)
        names = await _secrets_of(held.document) if held else {}
        if not names:
            return SecretsComparison(SecretsVerdict.EQUAL)
        values = await self._values_of_both(app_id, live_id, own)
        return secrets.compared(*values, names) if values else _UNKNOWN

    async def _compare_published(
        self, app_id: str, live_id: str, own: Mapping[str, str], published_id: str
    ) -> SecretsComparison:
        """Of a version that is live all is read at once: who asks knows that it has secrets."""
        held, values = await asyncio.gather(
            self.live(app_id), self._values_of_both(app_id, live_id, own, published_id)
        )
        names = await _secrets_of(held.document) if held else {}
        if not names:
            return SecretsComparison(SecretsVerdict.EQUAL)
        return secrets.compared(*values, names) if values else _UNKNOWN

    async def _values_of_both(
        self, app_id: str, live_id: str, own: Mapping[str, str], version_id: str = ""
    ) -> tuple[secrets.Values, secrets.Values] | None:
        """The values that are there and those that should be; None when Dify says no."""
        try:
            wanted, found = await asyncio.gather(
                self._vault.expected(app_id, live_id, own), self._vault.values(app_id, version_id)
            )
        except UpstreamRefused as error:
            log.warning("secrets cannot be compared: %s", error)
            return None
        return found, wanted

    async def read_secrets(
        self, app_id: str, *, live_id: str = "", own: Mapping[str, str] = NONE
    ) -> SecretValues:
        """The draft's plain secret values, or those of *live_id* and *own*; see the port."""
        if not live_id:
            return SecretValues(await self._vault.values(app_id))
        return SecretValues(await self._vault.expected(app_id, live_id, own))

    async def _compare_masks(
        self, app_id: str, live_id: str, published_id: str
    ) -> SecretsComparison:
        """Compare what these releases show of each value: its first six and last two characters."""
        live = await self._read(app_path(app_id, "/workflows/publish"))
        if wire.workflow_id(live) != (published_id or live_id):
            return _UNKNOWN
        if not published_id:
            draft = await self._read(app_path(app_id, "/workflows/draft"))
            return secrets.alike(wire.shown_secrets(draft), wire.shown_secrets(live))
        query = {"page": "1", "limit": str(VERSIONS_A_PAGE)}
        newest = await self._read(app_path(app_id, "/workflows"), query, limit=MAX_PAGE_BYTES)
        before = wire.workflow_among(newest, live_id)
        if before is None:
            return _UNKNOWN
        return secrets.alike(wire.shown_secrets(live), wire.shown_secrets(before))

    async def run_results(self, app_id: str, *, since: datetime, most: int) -> Sequence[RunResult]:
        """How the newest runs ended, by version; see the port. A page of 100 a call.

        The log is newest first, so *since* ends the reading; Dify's own filter by time is newer
        than the log, and not needed.
        """
        if await self._mode(app_id) not in runs.MODES:
            return ()
        found: dict[str, runs.Run] = {}
        for number in range(1, -(-most // RUNS_A_PAGE) + 1):
            query = {"page": str(number), "limit": str(min(RUNS_A_PAGE, most))}
            path = app_path(app_id, "/workflow-app-logs")
            page = await self._understood(path, runs.page, query)
            found |= {run.id: run for run in page.runs}  # a run meanwhile moves the others on
            if not page.has_more or any(run.at < since for run in page.runs):
                break
        return runs.results(list(found.values())[:most], since=since)

    async def look_up(
        self, needed: Collection[Needed], *, within: timedelta
    ) -> Mapping[Needed, Looked]:
        """Say of each of *needed* whether this workspace has it; see the port."""
        return await self._inventory.look_up(needed, within)

    async def tool_id(self, app_id: str, *, within: timedelta) -> str | None:
        """By which id other apps call this one as a tool; see the port."""
        return await self._inventory.tool_id(app_id, within)

    # -- writes -------------------------------------------------------------------------------

    async def stage(
        self,
        app_id: str,
        document: Document,
        *,
        token: str,
        secrets_from: Mapping[str, str],
        root: str = "",
        replacing: Replacing | None = None,
    ) -> str:
        """Write *document* into the draft over *token* ("": there is none yet); see the port.

        Dify's token covers the graph, not the variables, so the draft is read again after
        everything that the write needs, and compared by its *root*. Secret values are in no root:
        what *replacing* is over is read and compared as well.

        Raises:
            DraftMoved: The draft is no longer at *token* or *root*, or its secret values are not
                those to replace; nothing was written.
            UpstreamRefused: Also when a secret has no source, and, with the code "secret_lost",
                when an editor removed a secret between our last read and the write.
            Ambiguous: It may have been written: read the draft.
        """
        await self._must_have_versions(app_id)
        at_once = [secret.id for secret in document.secrets] if replacing is None else []
        there, before = await asyncio.gather(
            self._unmoved(app_id, token, root),
            self._vault.if_readable(app_id, at_once),
        )
        if there is not None:
            await _secrets_of(there)
        given = replacing.values.by_id if replacing else NONE
        wanted = secrets.sources(document, there, secrets_from, given)
        values = {**await self._vault.wanted(app_id, there, wanted), **given}
        if replacing is not None:
            before = await self._vault.values(app_id)
            if not secrets.equal(before, replacing.over.by_id):
                raise DraftMoved(shapes.SYSTEM, "a secret of the draft was saved since it was read")
        if before or values:  # it took a while to read them
            await self._unmoved(app_id, token, root)
        token = await self._sync(app_id, document, token, values)
        after = await self._vault.if_readable(app_id, wanted.hidden)
        lost = secrets.overwritten(wanted.hidden, before, after)
        if lost:
            what = f"secrets were removed while the draft was written: {', '.join(lost)}"
            raise UpstreamRefused(shapes.SYSTEM, what, "secret_lost")
        return token

    async def publish(self, app_id: str, *, name: str, comment: str) -> None:
        """Publish the draft as it is. *name* has at most 20 characters, *comment* 100."""
        if len(name) > NAME_MAX or len(comment) > COMMENT_MAX:
            raise ValueError("Dify takes 20 characters of name and 100 of comment")
        await self._must_have_versions(app_id)
        body = {"marked_name": name, "marked_comment": comment}
        path = app_path(app_id, "/workflows/publish")
        fp("dify:before_publish")
        answer = await self._session.send(Request("POST", path, body=body, write=True))
        answer.read(wire.published)

    async def configure(self, app_id: str, document: Document, *, root: str) -> None:
        """Write *document* into an app without versions, over the configuration *root*.

        Dify replaces the whole row without a condition; see the port.

        Raises:
            LiveMoved, WouldWriteMask: Nothing was written.
            Ambiguous: It may have been written: read live.
        """
        mode = await self._mode(app_id)
        if mode not in model_config.MODES:
            said = f"the app {app_id} is of mode {mode[:40]}: it has a draft"
            raise UpstreamRefused(shapes.SYSTEM, said, "has_versions")
        body = model_config.to_write(document)
        live = await self.live(app_id)
        if live is None or live.document.root != root:
            raise LiveMoved(shapes.SYSTEM, "the configuration was saved since it was read")
        names = masked(live.document, document)
        if names:
            said = f"values that are masked cannot be written: {', '.join(names)}"
            raise WouldWriteMask(shapes.SYSTEM, said, "masked_values")
        path = app_path(app_id, "/model-config")
        answer = await self._session.send(Request("POST", path, body=body, write=True))
        answer.read(model_config.written)

    async def _must_have_versions(self, app_id: str) -> None:
        mode = await self._mode(app_id)
        if mode in model_config.MODES:
            said = f"the app {app_id} is of mode {mode}: what is written there is live at once"
            raise UpstreamRefused(shapes.SYSTEM, said, "no_versions")

    # -- how ----------------------------------------------------------------------------------

    async def _sync(
        self, app_id: str, document: Document, token: str, values: secrets.Values
    ) -> str:
        """Send all five fields: what is left out would be cleared."""
        content = document.content
        body = {
            "graph": content.get("graph", {}),
            "features": content.get("features", {}),
            "hash": token or None,
            "environment_variables": secrets.environment(document, values),
            "conversation_variables": content.get("conversation_variables", []),
        }
        path = app_path(app_id, "/workflows/draft")
        fp("dify:before_sync")
        answer = await self._session.send(Request("POST", path, body=body, write=True))
        if answer.status in {400, 409} and answer.code == era.DRAFT_MOVED:
            raise DraftMoved(shapes.SYSTEM, "somebody saved the draft meanwhile", answer.code)
        return answer.read(wire.new_token)

    async def _unmoved(self, app_id: str, token: str, root: str) -> Document | None:
        """The draft, if it is still the one that was read."""
        draft = await self.draft(app_id)
        moved = (draft.token if draft else "") != token
        if moved or (root and (draft is None or draft.document.root != root)):
            raise DraftMoved(shapes.SYSTEM, "the draft was saved since it was read")
        return draft.document if draft else None

    async def _mode(self, app_id: str) -> str:
        if app_id not in self._modes:
            self._modes[app_id] = wire.app_mode(await self._read(app_path(app_id)))
        return self._modes[app_id]

    async def _exists(self, app_id: str, mode: str, index: int) -> bool:
        return (await self._versions(app_id, mode, page=index, limit=1)).length > 0

    async def _versions(self, app_id: str, mode: str, *, page: int, limit: int) -> wire.VersionPage:
        query = {"page": str(page), "limit": str(limit)}
        form = partial(wire.version_page, mode=mode, named=self._session.era.names_versions)
        path = app_path(app_id, "/workflows")
        return await self._understood(path, form, query, limit=MAX_PAGE_BYTES)

    async def _read(
        self, path: str, query: Query | None = None, *, limit: int | None = None
    ) -> Json:
        return await self._understood(path, _as_it_is, query, limit=limit)

    async def _understood(
        self,
        path: str,
        form: Callable[[Json], T],
        query: Query | None = None,
        *,
        limit: int | None = None,
    ) -> T:
        """Read *path* and understand it by *form*."""
        answer = await self._answer(path, query, limit=limit)
        return await _off_loop(answer, partial(answer.read, form))

    async def _workflow(self, path: str, form: Form[Told], *, asked: str) -> Told | None:
        """Read a workflow from *path*, whose content is most often the one that it had before."""
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


async def _secrets_of(document: Document) -> dict[str, str]:
    """The names of its secrets by id; a content that is not read yet is read off the loop."""
    found = await asyncio.to_thread(lambda: document.secrets)
    return {secret.id: secret.name for secret in found}


async def _off_loop(answer: Answer, read: Callable[[], T]) -> T:
    """Do *read*; what takes long with a large *answer* off the event loop."""
    return read() if len(answer.body) < OFF_LOOP_BYTES else await asyncio.to_thread(read)


def _as_it_is(value: Json) -> Json:
    return value


def _page_of(start: int) -> tuple[int, int]:
    """The page on which published version *start* stands, and how many there come before it.

    The draft is the first item of the first page, so index 0 is its second item.
    """
    page, offset = divmod(start + 1, VERSIONS_A_PAGE)
    return page + 1, offset - (page == 0)
