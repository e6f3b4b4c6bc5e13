"""End a pause: compare the database with reality first, and bring what is open in a copy to an end.

Comparing only reads and imports; what is decided then is done, or nothing is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bot.domain import resumption
from bot.domain.marker import is_of, rollback_id_in
from bot.domain.resumption import Age, Anchor, Fate
from bot.domain.words import OutcomeCode
from bot.errors import BotError
from bot.ports.store import Store, Transaction
from bot.ports.target import Targets
from bot.services.outdate import supersede
from bot.services.outgoing import card_row
from bot.services.settle import Ending, Settle, completed
from bot.services.snapshot import Snapshot
from store.records import (
    OPEN_STATES,
    AppEnv,
    AuditDraft,
    Json,
    LeftBehind,
    Leg,
    Paused,
    Rollback,
    State,
    Version,
)

MOST_OPEN = 10_000
HISTORY = 200  # versions of an app among which our own are looked for
_SAID = {
    Age.SAME: "the chain ends where it was written down",
    Age.AHEAD: "the chain holds what was written down, and goes on after it",
    Age.BEHIND: "this copy is older than what was written down: its original went on",
    Age.OTHER: "the chain is not the one that was written down",
    Age.UNKNOWN: "the chain does not hold what was written down: older than it, or another one",
}


@dataclass(frozen=True)
class Compared:
    """One line of the comparison; `person` says that somebody has to decide."""

    what: str
    said: str
    person: bool = False


@dataclass
class Comparison:
    """What was compared, and what will become of every open rollback."""

    paused: Paused
    lines: list[Compared] = field(default_factory=list)
    fates: list[tuple[Rollback, Fate]] = field(default_factory=list)

    @property
    def needs_a_person(self) -> bool:
        """Whether anything is not as it should be."""
        return any(line.person for line in self.lines)


class Resume:
    """Compares and resumes; for one process at a time, which need not be the service."""

    def __init__(
        self, store: Store, targets: Targets, snapshot: Callable[[AppEnv], Snapshot]
    ) -> None:
        self._store = store
        self._targets = targets
        self._snapshot = snapshot
        self._settle = Settle(store)

    async def compare(self, paused: Paused, anchor: Anchor | None) -> Comparison:
        """Compare the chain with *anchor*, every app with its target, every open rollback.

        Versions that are new in a target are imported; else nothing is changed.
        """
        found = Comparison(paused)
        found.lines.append(await self._chain(paused, anchor))
        live: dict[AppEnv, Version] = {}
        for where in sorted(self._targets.all()):
            await self._app(where, found, live)
        if paused.origin.is_copy:
            await self._rollbacks(found, live)
        return found

    async def carry_out(self, found: Comparison, *, accepted: bool) -> LeftBehind:
        """End what is open and what waits in a copy, and take the mark away.

        Raises:
            Stale: A rollback moved on meanwhile; the database is still paused: compare again.
        """
        for rollback, fate in found.fates:
            if rollback.state in {State.EXECUTING, State.VERIFYING}:
                await self._end(rollback, fate)
        async with self._store.write() as tx:
            for rollback, fate in found.fates:
                if rollback.state not in {State.EXECUTING, State.VERIFYING}:
                    await supersede(tx, rollback, fate.code)
            left = await tx.pause.leave_behind(found.paused)
            for case in await tx.cases.open_cases():
                if case.card_ts:  # one that waits to be posted may have been, by the original
                    await tx.outbox.put(card_row(case))
            await tx.pause.lift(entry=_entry("resume", "ok", found, accepted, left))
        return left

    async def refuse(self, found: Comparison) -> None:
        """Record that a person has to decide; the database stays paused."""
        async with self._store.write() as tx:
            await tx.audit.append(_entry("resume", "refused", found, accepted=False, left=None))

    # -- comparing ------------------------------------------------------------------------------

    async def _chain(self, paused: Paused, anchor: Anchor | None) -> Compared:
        if anchor is None:
            return Compared("audit chain", "was compared with nothing: no anchor was given")
        async with self._store.read() as tx:
            number = await tx.audit.find(anchor.hash)
        age = resumption.age(paused, anchor, found=number)
        said = f"{_SAID[age]} (this one ended at {paused.seq}, {paused.head[:12]})"
        return Compared("audit chain", said, person=age not in {Age.SAME, Age.AHEAD})

    async def _app(self, where: AppEnv, found: Comparison, live: dict[AppEnv, Version]) -> None:
        target, app_id = self._targets.of(where)
        try:
            fresh = await self._snapshot(where).refresh(where)
            now = await target.live(app_id)
        except BotError as error:
            found.lines.append(Compared(str(where), f"cannot be read: {error}", person=True))
            return
        async with self._store.read() as tx:
            newest = await tx.versions.newest(where)
            strangers = [version for version in fresh if await _not_ours(tx, version)]
        if newest is not None:
            live[where] = newest
        stored_root = newest.root if newest else ""
        live_root = now.document.root if now else ""
        if stored_root != live_root:
            said = "what is live is not the newest version, although all were read"
            found.lines.append(Compared(str(where), said, person=True))
            return
        said = f"version {newest.number} is live and stored" if newest else "nothing is published"
        if fresh:
            said += f"; {len(fresh)} newer than the database were imported"
        found.lines.append(Compared(str(where), said))
        found.lines += [
            Compared(
                str(where),
                f"version {version.number} was published as {version.external_name}, "
                "a rollback that this database knows nothing of",
            )
            for version in strangers
        ]

    async def _rollbacks(self, found: Comparison, live: dict[AppEnv, Version]) -> None:
        async with self._store.read() as tx:
            for rollback in await tx.rollbacks.in_states(sorted(OPEN_STATES), limit=MOST_OPEN):
                published = [await _published(tx, rollback, leg) for leg in rollback.legs]
                newest = [live.get(leg.where) for leg in rollback.legs]
                pairs = list(zip(newest, published, strict=True))
                fate = resumption.fate(rollback, pairs)
                found.fates.append((rollback, fate))
                found.lines.append(_line(rollback, fate, published[0]))

    # -- ending ---------------------------------------------------------------------------------

    async def _end(self, rollback: Rollback, fate: Fate) -> None:
        ending = Ending(fate.state, fate.code)
        if fate.code is OutcomeCode.COMPLETED:
            async with self._store.read() as tx:
                ending = completed(rollback, await tx.versions.get(rollback.leg.to_version_id))
        await self._settle(rollback, ending)


async def _published(tx: Transaction, rollback: Rollback, leg: Leg) -> Version | None:
    """The version of *leg* that was published under the name of *rollback*."""
    newest_first = await tx.versions.history(leg.where, limit=HISTORY)
    ours = [version for version in newest_first if is_of(version.external_name, rollback)]
    return ours[0] if ours else None


async def _not_ours(tx: Transaction, version: Version) -> bool:
    """Whether *version* has the name of a rollback that is not in this database."""
    number = rollback_id_in(version.external_name)
    if number is None:
        return False
    known = await tx.rollbacks.newest(limit=MOST_OPEN)
    return not any(is_of(version.external_name, rollback) for rollback in known)


def _line(rollback: Rollback, fate: Fate, published: Version | None) -> Compared:
    shown = f" as version {published.number}" if published else ""
    said = {
        OutcomeCode.COMPLETED: f"was carried out{shown} and is live: COMPLETED",
        OutcomeCode.CARRIED_OUT: f"was carried out{shown} after the copy was made: SUPERSEDED",
        OutcomeCode.ALREADY_LIVE: "its content is live already: SUPERSEDED",
        OutcomeCode.LIVE_CHANGED: "what is live has changed since: SUPERSEDED",
        OutcomeCode.COPIED: "its votes are of before the copy: SUPERSEDED",
        OutcomeCode.COPY_UNCLEAR: "was running, and what came of it is not clear: NEEDS_ATTENTION",
    }[fate.code]
    name = f"rollback {rollback.id} ({rollback.leg.where}, {rollback.state})"
    return Compared(name, said, person=fate.needs_a_person)


def _entry(
    action: str, status: str, found: Comparison, accepted: bool, left: LeftBehind | None
) -> AuditDraft:
    what: dict[str, Json] = {
        "origin": found.paused.origin,
        "paused_at": found.paused.seq,
        "accepted": accepted,
        "compared": [[line.what, line.said, line.person] for line in found.lines],
        "left_behind": None if left is None else {"inbox": left.inbox, "outbox": left.outbox},
    }
    return AuditDraft(
        user_id="operator",
        action=action,
        resource="database",
        status=status,
        what=what,
        ip_note="the command line",
    )


def pause_entry(reason: str, *, restored: bool) -> AuditDraft:
    """Return the audit entry of a person who pauses."""
    return AuditDraft(
        user_id="operator",
        action="pause",
        resource="database",
        status="ok",
        what={"reason": reason, "restored": restored},
        ip_note="the command line",
    )


def told(lines: Sequence[Compared]) -> list[Json]:
    """Return *lines* as JSON."""
    return [{"what": line.what, "said": line.said, "person": line.person} for line in lines]
