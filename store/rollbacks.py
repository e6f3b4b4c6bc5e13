"""Rollbacks: saved by revision, moved by the table, never without their audit entry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from store import happened, rollback_form
from store.announcements import Announcements
from store.audit import Audit
from store.clock import DatabaseClock
from store.events import Events
from store.happened import Happened
from store.records import (
    AppEnv,
    AuditDraft,
    Event,
    IllegalMove,
    Missing,
    NewRollback,
    OpenRollbackExists,
    Rollback,
    Stale,
    State,
)
from store.seals import Seals
from store.tables import LegRow, RollbackRow, VersionRow, VoteRow

AGGREGATE = "rollback"


class Rollbacks:
    """The check of the revision and the write are one statement: no vote is lost."""

    def __init__(
        self,
        session: AsyncSession,
        now: DatabaseClock,
        audit: Audit,
        events: Events,
        announcements: Announcements,
        seals: Seals,
        moves: Mapping[State, frozenset[State]],
    ) -> None:
        self._session = session
        self._now = now
        self._audit = audit
        self._events = events
        self._announcements = announcements
        self._seals = seals
        self._moves = moves

    async def open(self, new: NewRollback, *, open_for: timedelta, entry: AuditDraft) -> Rollback:
        """Store a rollback as DRAFT, expiring *open_for* from now.

        Raises:
            OpenRollbackExists: One of its legs' app@env has an open rollback.
        """
        for leg in new.legs:
            await self._refuse_second(leg.where)
        now = await self._now()
        drafted = Rollback(
            id=0,
            case_id=new.case_id,
            state=State.DRAFT,
            revision=1,
            round=1,
            nonce=new.nonce,
            legs=new.legs,
            content_digest=new.content_digest,
            policy=new.policy,
            requested_by=new.requested_by,
            requested_slack_id=new.requested_slack_id,
            opened_at=now,
            expires_at=now + open_for,
            reason=new.reason,
            risk=new.risk,
            drill=new.drill,
            parent_id=new.parent_id,
        )
        rollback = await self._insert(drafted)
        named = replace(entry, resource=f"{AGGREGATE}/{rollback.id}")
        await self._audit.append(_marked(named, rollback))
        await self._tell(rollback, State.DRAFT)
        await self._announce(rollback, [happened.opened(rollback, await self._numbers(rollback))])
        return rollback

    async def get(self, rollback_id: int, *, lock: bool = False) -> Rollback:
        """The rollback; with *lock* nobody else changes it until the transaction ends.

        Raises:
            Missing: There is none.
        """
        query = select(RollbackRow).where(col(RollbackRow.id) == rollback_id)
        found = await self._many(query.with_for_update() if lock else query)
        if not found:
            raise Missing(f"rollback {rollback_id}")
        return found[0]

    async def save(self, after: Rollback, *, was: int, entry: AuditDraft | None) -> Rollback:
        """Store *after* over revision *was*, with its lifecycle event and audit entry.

        Its end erases what was sealed for it, with an entry of its own.

        Raises:
            Stale: The row is no longer at revision *was*.
            IllegalMove: No such step; or a change of state without an audit entry.
        """
        before = await self.get(after.id, lock=True)
        if before.revision != was:
            raise Stale(f"rollback {after.id} is no longer at revision {was}")
        _demand_same_content(before, after)
        moved = after.state is not before.state
        if moved and after.state not in self._moves.get(before.state, frozenset()):
            raise IllegalMove(f"rollback {after.id}: {before.state} → {after.state}")
        if moved and entry is None:
            raise IllegalMove(f"rollback {after.id}: {after.state} without an audit entry")
        saved = _with_longest_lease(replace(after, revision=was + 1), before)
        same = (col(RollbackRow.id) == after.id, col(RollbackRow.revision) == was)
        await self._session.execute(update(RollbackRow).where(*same).values(_columns(saved)))
        await self._save_votes(saved)
        if moved and not saved.open:
            legs = col(LegRow.rollback_id) == saved.id
            await self._session.execute(update(LegRow).where(legs).values(open=False))
        if entry is not None:
            entry = _marked(entry, saved)
            await self._audit.append(entry)
            if moved and not saved.open:
                await self._erase_seal(saved, entry)
        await self._tell(saved, saved.state if moved else "changed")
        await self._announce(saved, happened.steps(before, saved))
        return saved

    async def in_states(self, states: Sequence[State], *, limit: int = 100) -> list[Rollback]:
        """Rollbacks in these states, oldest first."""
        query = select(RollbackRow).where(col(RollbackRow.state).in_(list(states)))
        return await self._many(query.order_by(col(RollbackRow.id)).limit(limit))

    async def newest(self, *, limit: int = 20, where: AppEnv | None = None) -> list[Rollback]:
        """The newest rollbacks, newest first; of *where*, or of all apps."""
        query = select(RollbackRow)
        if where is not None:
            query = query.where(col(RollbackRow.id).in_(_of_app(where)))
        return await self._many(query.order_by(col(RollbackRow.id).desc()).limit(limit))

    async def lived(self, rollback_id: int) -> list[tuple[datetime, Rollback]]:
        """The rollback as it was after each of its lifecycle events, and when; oldest first."""
        events = await self._events.of(AGGREGATE, rollback_id)
        return [(event.at, rollback_form.from_json(event.data)) for event in events]

    async def open_of(self, where: AppEnv) -> Rollback | None:
        """The open rollback of *where*."""
        leg = (
            await self._session.scalars(
                select(LegRow).where(
                    col(LegRow.app) == where.app, col(LegRow.env) == where.env, col(LegRow.open)
                )
            )
        ).first()
        return await self.get(leg.rollback_id) if leg is not None else None

    async def completed(self, where: AppEnv, *, since: datetime) -> list[Rollback]:
        """What of *where* was COMPLETED from *since* on, oldest first."""
        return await self._many(
            select(RollbackRow)
            .where(
                col(RollbackRow.state) == State.COMPLETED,
                col(RollbackRow.id).in_(_of_app(where)),
                col(RollbackRow.finished_at) >= since,
            )
            .order_by(col(RollbackRow.id))
        )

    async def opened(
        self, *, since: datetime, where: AppEnv | None = None, after: int = 0, limit: int = 500
    ) -> list[Rollback]:
        """What was opened from *since* on, by id above *after*; of *where*, or of all apps."""
        query = select(RollbackRow).where(
            col(RollbackRow.id) > after, col(RollbackRow.opened_at) >= since
        )
        if where is not None:
            query = query.where(col(RollbackRow.id).in_(_of_app(where)))
        return await self._many(query.order_by(col(RollbackRow.id)).limit(limit))

    async def to_review(self, *, limit: int = 100) -> list[Rollback]:
        """What ran by break-glass and is not reviewed yet, oldest first."""
        query = select(RollbackRow).where(col(RollbackRow.review_open))
        return await self._many(query.order_by(col(RollbackRow.id)).limit(limit))

    async def watched(self, *, limit: int = 100) -> list[Rollback]:
        """What was COMPLETED, and of which it is still to be seen if it helped, oldest first."""
        query = select(RollbackRow).where(col(RollbackRow.watched))
        return await self._many(query.order_by(col(RollbackRow.id)).limit(limit))

    async def renew(self, rollback_id: int, *, owner: str, epoch: int, lease: timedelta) -> bool:
        """Extend the lease if *owner* still holds *epoch*; no revision, no audit entry."""
        now = await self._now()
        renewed = await self._session.execute(
            update(RollbackRow)
            .where(*_held(rollback_id, owner, epoch), col(RollbackRow.lease_until) >= now)
            .values(lease_until=now + lease)
            .returning(col(RollbackRow.id))
        )
        return renewed.first() is not None

    # -- how ------------------------------------------------------------------------------------

    async def _refuse_second(self, where: AppEnv) -> None:
        open_one = await self.open_of(where)
        if open_one is not None:
            raise OpenRollbackExists(open_one.id)

    async def _erase_seal(self, ended: Rollback, entry: AuditDraft) -> None:
        if await self._seals.erase(ended.id):
            legs = [str(leg.where) for leg in ended.legs]
            lost = list(ended.execution.sealed)
            what = {"app": ", ".join(legs), "not_returned": lost}
            erased = replace(entry, action="draft.unseal", status="ok", what=what)
            await self._audit.append(_marked(erased, ended))

    async def _insert(self, drafted: Rollback) -> Rollback:
        """Store the rollback with its legs, or nothing of it when another one was faster."""
        try:
            async with self._session.begin_nested():
                row = RollbackRow(**_columns(drafted))
                self._session.add(row)
                await self._session.flush()
                assert row.id is not None  # noqa: S101  # it was flushed
                rollback = replace(drafted, id=row.id)
                row.record = rollback_form.to_json(rollback)
                await self._add_legs(rollback)
        except IntegrityError:
            for leg in drafted.legs:  # another replica opened one in this very moment
                await self._refuse_second(leg.where)
            raise
        return rollback

    async def _add_legs(self, rollback: Rollback) -> None:
        self._session.add_all(
            LegRow(
                rollback_id=rollback.id,
                position=position,
                app=leg.where.app,
                env=leg.where.env,
                from_version_id=leg.from_version_id,
                to_version_id=leg.to_version_id,
                live_root=leg.live_root,
                expected_root=leg.expected_root,
                change_digest=leg.change_digest,
            )
            # in one order, so that two who open the same apps do not wait for each other
            for position, leg in sorted(enumerate(rollback.legs), key=lambda one: one[1].where)
        )
        await self._session.flush()

    async def _save_votes(self, rollback: Rollback) -> None:
        mine = col(VoteRow.rollback_id) == rollback.id
        await self._session.execute(delete(VoteRow).where(mine))
        self._session.add_all(
            VoteRow(
                rollback_id=rollback.id,
                position=position,
                person=vote.person,
                slack_id=vote.slack_id,
                team_id=vote.team_id,
                choice=vote.choice,
                digest=vote.digest,
                groups=list(vote.groups),
                reason=vote.reason,
                at=vote.at,
                voided_at=vote.voided_at,
                voided_why=vote.voided_why,
            )
            for position, vote in enumerate(rollback.votes)
        )
        await self._session.flush()

    async def _tell(self, rollback: Rollback, kind: str) -> None:
        at = await self._now()
        data = rollback_form.to_json(rollback)
        await self._events.add(AGGREGATE, rollback.id, kind, data, at)

    async def _announce(self, rollback: Rollback, found: Sequence[Happened]) -> None:
        """Tell other systems, among the events of each of its apps."""
        for where in happened.apps_of(rollback):
            await self._announcements.add(where, f"{AGGREGATE}/{rollback.id}", found)

    async def _numbers(self, rollback: Rollback) -> dict[int, int | None]:
        """The numbers of the versions that *rollback* names, by their ids."""
        ids = {i for leg in rollback.legs for i in (leg.from_version_id, leg.to_version_id)}
        query = select(col(VersionRow.id), col(VersionRow.number))
        rows = await self._session.execute(query.where(col(VersionRow.id).in_(sorted(ids))))
        return {version_id: number for version_id, number in rows if version_id is not None}

    async def _many(self, query: Any) -> list[Rollback]:
        rows = await self._session.scalars(query.execution_options(populate_existing=True))
        return [_rollback(row) for row in rows]


def replay(events: Sequence[Event]) -> Rollback:
    """Return the rollback that its lifecycle *events* lead to; its lease is the last committed one.

    Raises:
        Missing: There is no event.
    """
    if not events:
        raise Missing("no events to replay")
    return rollback_form.from_json(events[-1].data)


def _marked(entry: AuditDraft, rollback: Rollback) -> AuditDraft:
    """*entry*; of a drill it says so, whoever wrote it."""
    return replace(entry, what={**entry.what, "drill": True}) if rollback.drill else entry


def _demand_same_content(before: Rollback, after: Rollback) -> None:
    """What votes bind to never changes, and a vote, once cast, can only be voided."""
    if (before.case_id, before.legs, before.content_digest, before.policy) != (
        after.case_id,
        after.legs,
        after.content_digest,
        after.policy,
    ):
        raise IllegalMove(f"rollback {after.id}: its content cannot change")
    cast = zip(before.votes, after.votes, strict=False)
    if len(after.votes) < len(before.votes) or any(
        replace(new, voided_at=old.voided_at, voided_why=old.voided_why) != old
        or (old.voided_at is not None and new != old)
        for old, new in cast
    ):
        raise IllegalMove(f"rollback {after.id}: a vote that was cast cannot change")
    _demand_same_words(before, after)


def _demand_same_words(before: Rollback, after: Rollback) -> None:
    """A glass that was broken can only be voided, and what was signed stays signed."""
    broken = zip(before.glass, after.glass, strict=False)
    if len(after.glass) < len(before.glass) or any(
        replace(new, voided_at=old.voided_at, voided_why=old.voided_why) != old
        or (old.voided_at is not None and new != old)
        for old, new in broken
    ):
        raise IllegalMove(f"rollback {after.id}: a glass that was broken stays broken")
    if after.signatures[: len(before.signatures)] != before.signatures:
        raise IllegalMove(f"rollback {after.id}: a signature cannot change")
    if before.reviewed_at not in (None, after.reviewed_at):
        raise IllegalMove(f"rollback {after.id}: its review is closed")
    if before.recovery not in (None, after.recovery) and not before.watched:
        raise IllegalMove(f"rollback {after.id}: whether it helped was said already")


def _with_longest_lease(after: Rollback, before: Rollback) -> Rollback:
    """A lease that was renewed since *after* was read must not be cut short by saving it."""
    new, old = after.execution, before.execution
    same = (new.owner, new.lease_epoch) == (old.owner, old.lease_epoch)
    if not same or old.lease_until is None:
        return after
    longest = max(new.lease_until or old.lease_until, old.lease_until)
    return replace(after, execution=replace(new, lease_until=longest))


def _of_app(where: AppEnv) -> Any:
    """The ids of the rollbacks that *where* is a leg of."""
    return select(col(LegRow.rollback_id)).where(
        col(LegRow.app) == where.app, col(LegRow.env) == where.env
    )


def _held(rollback_id: int, owner: str, epoch: int) -> tuple[Any, ...]:
    return (
        col(RollbackRow.id) == rollback_id,
        col(RollbackRow.owner) == owner,
        col(RollbackRow.lease_epoch) == epoch,
    )


def _columns(rollback: Rollback) -> dict[str, Any]:
    return {
        "case_id": rollback.case_id,
        "state": rollback.state,
        "revision": rollback.revision,
        "opened_at": rollback.opened_at,
        "expires_at": rollback.expires_at,
        "finished_at": rollback.finished_at,
        "content_digest": rollback.content_digest,
        "requested_by": rollback.requested_by,
        "reason": rollback.reason,
        "risk": rollback.risk,
        "drill": rollback.drill,
        "parent_id": rollback.parent_id,
        "policy": rollback_form.to_json(rollback)["policy"],
        "owner": rollback.execution.owner,
        "lease_epoch": rollback.execution.lease_epoch,
        "lease_until": rollback.execution.lease_until,
        "review_open": rollback.review_open,
        "watched": rollback.watched,
        "record": rollback_form.to_json(rollback),
    }


def _rollback(row: RollbackRow) -> Rollback:
    """The lease's end is the column's: it is renewed without a revision."""
    rollback = rollback_form.from_json(row.record)
    return replace(rollback, execution=replace(rollback.execution, lease_until=row.lease_until))
