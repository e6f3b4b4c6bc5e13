"""Dify as a target: the port's methods, spoken in the console API.

What a release cannot do is known by `era`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial

import aiohttp

from bot.adapters.dify import runs, wire
from bot.adapters.dify.comparing import Comparing
from bot.adapters.dify.credentials import Credentials
from bot.adapters.dify.examined import Examined
from bot.adapters.dify.inventory import Inventory
from bot.adapters.dify.reading import MAX_PAGE_BYTES, Reading
from bot.adapters.dify.session import Session
from bot.adapters.dify.transport import TIMEOUT, Transport, app_path
from bot.adapters.dify.vault import Vault
from bot.adapters.dify.versions import Versions
from bot.adapters.dify.writing import Writing
from bot.domain.dry_run import Looked
from bot.domain.references import Needed
from bot.ports.target import (
    NONE,
    LiveRef,
    Replacing,
    RunResult,
    SecretsComparison,
    SecretValues,
    TargetDraft,
    TargetVersion,
)
from store.document import Document

RUNS_A_PAGE = 100  # the most that Dify gives


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
        self.reading = Reading(self._session)
        self._inventory = Inventory(partial(self.reading.json, limit=MAX_PAGE_BYTES))
        self._versions = Versions(self._session, self.reading)
        self._comparing = Comparing(self._session, self.reading, self._versions, self._vault)
        self._writing = Writing(self._session, self.reading, self._versions, self._vault)

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
        await self.reading.json("/account/profile")
        return self._session.era.version

    async def examine(self) -> Examined:
        """Log in if need be and tell who we are, where, and what this release cannot do.

        Raises:
            As `greet`.
        """
        account_id, email = wire.profile(await self.reading.json("/account/profile"))
        workspace = wire.current_workspace(await self.reading.json("/workspaces"))
        members = await self.reading.json("/workspaces/current/members", limit=MAX_PAGE_BYTES)
        return Examined(
            version=self._session.era.version,
            email=email,
            role=wire.role_of(members, account_id),
            workspace_id=workspace.id,
            workspace=workspace.name,
            limitations=self._session.era.limitations(),
        )

    # -- reads --------------------------------------------------------------------------------

    def list_live(self) -> AsyncIterator[LiveRef]:
        """Every app of the workspace with its live version's id, 100 a call."""
        return self._versions.list_live()

    def history(self, app_id: str, *, start: int = 0) -> AsyncIterator[TargetVersion]:
        """Published versions, newest first, from index *start*; the draft is never among them."""
        return self._versions.history(app_id, start=start)

    async def count_versions(self, app_id: str) -> int:
        """How many published versions there are, found with few calls for one version each."""
        return await self._versions.count(app_id)

    async def live(self, app_id: str) -> TargetVersion | None:
        """The version that answers users now; None before the first publish."""
        return await self._versions.live(app_id)

    async def draft(self, app_id: str) -> TargetDraft | None:
        """The editors' draft; None when nobody has saved one yet."""
        return await self._versions.draft(app_id)

    async def draft_secrets_only(self) -> bool:
        """True before 1.8.1, where an old version's export is silently the draft."""
        return await self._comparing.draft_secrets_only()

    async def compare_secrets(
        self,
        app_id: str,
        *,
        live_id: str,
        own: Mapping[str, str] = NONE,
        published_id: str = "",
    ) -> SecretsComparison:
        """Compare secret values by id, in memory only; see the port."""
        return await self._comparing.compare(
            app_id, live_id=live_id, own=own, published_id=published_id
        )

    async def read_secrets(
        self, app_id: str, *, live_id: str = "", own: Mapping[str, str] = NONE
    ) -> SecretValues:
        """The draft's plain secret values, or those of *live_id* and *own*; see the port."""
        if not live_id:
            return SecretValues(await self._vault.values(app_id))
        return SecretValues(await self._vault.expected(app_id, live_id, own))

    async def run_results(self, app_id: str, *, since: datetime, most: int) -> Sequence[RunResult]:
        """How the newest runs ended, by version; see the port. A page of 100 a call.

        The log is newest first, so *since* ends the reading; Dify's own filter by time is newer
        than the log, and not needed.
        """
        if await self.reading.mode(app_id) not in runs.MODES:
            return ()
        found: dict[str, runs.Run] = {}
        for number in range(1, -(-most // RUNS_A_PAGE) + 1):
            query = {"page": str(number), "limit": str(min(RUNS_A_PAGE, most))}
            path = app_path(app_id, "/workflow-app-logs")
            page = await self.reading.understood(path, runs.page, query)
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
        """Write *document* into the draft over *token* ("": there is none yet); see the port."""
        return await self._writing.stage(
            app_id,
            document,
            token=token,
            secrets_from=secrets_from,
            root=root,
            replacing=replacing,
        )

    async def publish(self, app_id: str, *, name: str, comment: str) -> None:
        """Publish the draft as it is. *name* has at most 20 characters, *comment* 100."""
        await self._writing.publish(app_id, name=name, comment=comment)

    async def configure(self, app_id: str, document: Document, *, root: str) -> None:
        """Write *document* into an app without versions, over *root*; see the port."""
        await self._writing.configure(app_id, document, root=root)
