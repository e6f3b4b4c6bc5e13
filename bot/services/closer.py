"""Look at what no listing tells: editors' drafts, and what is live though nobody published it.

The listing of a workspace names the live version of each app; here its content and the draft
are read themselves, two calls an app, so that it is done seldom.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from bot.ports.store import Store, Transaction
from bot.ports.target import TargetDraft, Targets, TargetVersion
from bot.services import relapse
from bot.services.apart import Apart
from bot.services.outdate import outdate
from bot.services.outgoing import drift_row, published_row
from bot.services.recording import new_draft
from store.document import Document
from store.records import (
    DRAFT_SEEN,
    AppEnv,
    AuditDraft,
    NewVersion,
    State,
    Version,
    VersionKind,
    VersionSource,
)

log = logging.getLogger(__name__)
_BEING_WRITTEN = (State.EXECUTING, State.VERIFYING)
Refresh = Callable[[AppEnv], Awaitable[Sequence[Version]]]


@dataclass(frozen=True)
class Seen:
    """What a closer look at one app brought: the draft as it is stored, and drift that was new."""

    draft: Version | None = None
    drift: Version | None = None


class Closer:
    """Keeps editors' drafts, and notices drift."""

    def __init__(
        self,
        store: Store,
        targets: Targets,
        refresh: Refresh,
        *,
        channels: Mapping[AppEnv, str],
        nudge: Callable[[], None],
    ) -> None:
        """Take what a closer look needs.

        Args:
            store: Where versions are kept.
            targets: The apps that are watched.
            refresh: Reads what was published in an app since it was last read.
            channels: Where drift is said; an app without one is recorded in silence.
            nudge: Called when there is something to say.
        """
        self._store = store
        self._targets = targets
        self._refresh = refresh
        self._channels = channels
        self._nudge = nudge

    async def sweep(self) -> None:
        """Look at every app in turn; one that cannot be read does not hold up the others."""
        apart = Apart(log)
        for where in self._targets.all():
            with apart.piece("app not looked at closely", app=str(where)):
                await self.at(where)
        apart.tell()

    async def read(self, where: AppEnv) -> list[Version]:
        """Read what was published in *where*, then look at it closely; return what was new.

        Raises:
            UnknownApp, UpstreamDown, UpstreamRefused.
        """
        found = list(await self._refresh(where))
        drift = (await self.at(where)).drift
        return [*found, drift] if drift else found

    async def at(self, where: AppEnv) -> Seen:
        """Look at one app; before its first version, or without versions, there is nothing to see.

        Raises:
            UnknownApp, UpstreamDown, UpstreamRefused.
        """
        target, app_id = self._targets.of(where)
        newest = await self._newest(where)
        if newest is None or newest.kind is VersionKind.MODEL_CONFIG:
            return Seen()
        drift = None
        live = await target.live(app_id)
        if live is not None and not await _is(newest, live):
            drift = await self._look_again(where)
        draft = await target.draft(app_id)
        return Seen(draft=await self._keep(where, draft) if draft else None, drift=drift)

    # -- drift ----------------------------------------------------------------------------------

    async def _look_again(self, where: AppEnv) -> Version | None:
        """Somebody may have published, or been rolled back, since what is stored was read."""
        await self._refresh(where)
        newest = await self._newest(where)
        target, app_id = self._targets.of(where)
        live = await target.live(app_id)
        if newest is None or live is None or await _is(newest, live):
            return None
        async with self._store.write() as tx:
            drift = await self._record(tx, newest, live)
        if drift is not None:
            facts = {"app": str(where), "version": drift.number, "from": newest.number}
            log.warning("live changed without a publish", extra=facts)
            self._nudge()
        return drift

    async def _record(
        self, tx: Transaction, before: Version, live: TargetVersion
    ) -> Version | None:
        """Record *live* as the version after *before*; None unless that is what happened."""
        where = before.where
        open_one = await tx.rollbacks.open_of(where)
        newest = await tx.versions.newest(where)
        known = await tx.versions.by_external(where, live.external_id)
        ours = open_one is not None and open_one.state in _BEING_WRITTEN
        if newest != before or known is None or ours or await tx.pause.current() is not None:
            return None
        new = NewVersion(
            where=where,
            kind=VersionKind.PUBLISHED,
            source=VersionSource.DRIFT,
            external_id=f"{live.external_id}~{before.number}",
            external_hash=live.external_hash,
            external_name=live.name,
            external_comment=live.comment,
            published_at=await tx.now(),  # nobody can say when; it was seen now
        )
        drift = await tx.versions.record(new, live.document)
        await tx.audit.append(_entry(drift, before))
        channel = self._channels.get(where, "")
        if channel and drift.meaning != before.meaning:  # else there is no difference to show
            await tx.outbox.put(drift_row(drift, before, channel))
            await tx.outbox.put(published_row(drift, before))
        await outdate(tx, where, live=drift)
        await relapse.alert(tx, [drift])
        return drift

    # -- drafts ---------------------------------------------------------------------------------

    async def _keep(self, where: AppEnv, draft: TargetDraft) -> Version | None:
        """Store *draft* if it is not what is live; one that is stored already is marked as seen."""
        await _hashed(draft.document)
        newest = await self._newest(where)
        if newest is None or draft.document.root == newest.root:
            return None
        async with self._store.write() as tx:
            seen = new_draft(where, draft, name=DRAFT_SEEN)
            return await tx.versions.record(seen, draft.document)

    async def _newest(self, where: AppEnv) -> Version | None:
        async with self._store.read() as tx:
            return await tx.versions.newest(where)


async def _hashed(document: Document) -> None:
    """Find its roots off the event loop, and before the database is locked for them."""
    await asyncio.to_thread(lambda: (document.root, document.meaning))


async def _is(stored: Version, live: TargetVersion) -> bool:
    await _hashed(live.document)
    return stored.target_id == live.external_id and stored.root == live.document.root


def _entry(drift: Version, before: Version) -> AuditDraft:
    return AuditDraft(
        user_id="keyturn",
        action="version.drift",
        resource=f"version/{drift.id}",
        status="ok",
        what={"app": str(drift.where), "number": drift.number, "from": before.id},
        ip_note="Keyturn itself",
    )
