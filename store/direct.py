"""Direct messages: who is called to which rollback, what was told, and who has to be looked at."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import timedelta

from sqlalchemy import or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from store.audit import Audit
from store.clock import DatabaseClock
from store.records import Addressee, AuditDraft, DirectCall, Stale
from store.tables import CallRow, DirectRow
from store.upsert import insert, skip_locked

_NEW = {"off": False, "attempts": 0, "owner": ""}


class Direct:
    """A person is held by one worker at a time, who tells them of all their calls together."""

    def __init__(self, session: AsyncSession, now: DatabaseClock, audit: Audit) -> None:
        self._session = session
        self._now = now
        self._audit = audit

    async def call(self, slack_ids: Collection[str], rollback_id: int, code: str) -> None:
        """Call these people to a rollback, each once for the same *code*."""
        now = await self._now()
        for slack_id in sorted(set(slack_ids)):
            row = {"slack_id": slack_id, "rollback_id": rollback_id, "code": code, "made_at": now}
            await self._session.execute(
                insert(self._session, CallRow)
                .values({**row, "channel": "", "ts": "", "said": "", "over": False})
                .on_conflict_do_nothing(index_elements=["slack_id", "rollback_id", "code"])
            )
            await self._session.execute(
                insert(self._session, DirectRow)
                .values({**_NEW, "slack_id": slack_id, "due_at": now})
                .on_conflict_do_update(index_elements=["slack_id"], set_={"due_at": now})
            )

    async def look_again(self, rollback_id: int) -> None:
        """Something about the rollback has changed: what was told of it may hold no more."""
        called = select(col(CallRow.slack_id)).where(
            col(CallRow.rollback_id) == rollback_id, ~col(CallRow.over)
        )
        held = await self._session.scalars(  # in the order in which `call` takes them
            select(col(DirectRow.slack_id))
            .where(col(DirectRow.slack_id).in_(called))
            .order_by(col(DirectRow.slack_id))
            .with_for_update()
        )
        await self._session.execute(
            update(DirectRow)
            .where(col(DirectRow.slack_id).in_(held.all()))
            .values(due_at=await self._now())
            .execution_options(synchronize_session=False)
        )

    async def rest(self, delay: timedelta) -> None:
        """Nobody is told anything for *delay*: Slack asked to wait, and means all of us."""
        now = await self._now()
        due = (col(DirectRow.due_at) < now + delay, col(DirectRow.owner) == "")
        ids = select(col(DirectRow.slack_id)).where(*due).order_by(col(DirectRow.slack_id))
        waiting = await self._session.scalars(skip_locked(self._session, ids))
        await self._session.execute(
            update(DirectRow)
            .where(col(DirectRow.slack_id).in_(waiting.all()))
            .values(due_at=now + delay)
            .execution_options(synchronize_session=False)
        )

    async def claim(self, owner: str, *, lease: timedelta) -> Addressee | None:
        """The person who is due for longest and whom nobody holds."""
        now = await self._now()
        free = or_(col(DirectRow.lease_until).is_(None), col(DirectRow.lease_until) < now)
        due = (
            select(DirectRow)
            .where(col(DirectRow.due_at) <= now, free)
            .order_by(col(DirectRow.due_at), col(DirectRow.slack_id))
            .limit(1)
        )
        row = (await self._session.scalars(skip_locked(self._session, due))).first()
        if row is None:
            return None
        # whatever changes from now on makes them due anew; if we die, the lease's end does
        row.owner, row.lease_until, row.due_at = owner, now + lease, now + lease
        row.attempts += 1
        await self._session.flush()
        return Addressee(row.slack_id, row.off, row.told_at, row.attempts)

    async def calls(self, slack_id: str) -> list[DirectCall]:
        """The calls of a person that are not over, oldest first."""
        query = select(CallRow).where(col(CallRow.slack_id) == slack_id, ~col(CallRow.over))
        return [_call(row) for row in await self._session.scalars(query.order_by(col(CallRow.id)))]

    async def of_message(self, slack_id: str, channel: str, ts: str) -> list[DirectCall]:
        """The calls that one message to a person tells, oldest first."""
        query = select(CallRow).where(
            col(CallRow.slack_id) == slack_id,
            col(CallRow.channel) == channel,
            col(CallRow.ts) == ts,
        )
        return [_call(row) for row in await self._session.scalars(query.order_by(col(CallRow.id)))]

    async def save(self, calls: Iterable[DirectCall]) -> None:
        """Store what was told of *calls*, and whether they are over."""
        for call in calls:
            await self._session.execute(
                update(CallRow)
                .where(col(CallRow.id) == call.id)
                .values(channel=call.channel, ts=call.ts, said=call.said, over=call.over)
            )

    async def release(
        self, slack_id: str, *, owner: str, due_in: timedelta | None, told: bool = False
    ) -> None:
        """Give a person back, to be looked at again after *due_in*; *told* counts as a message.

        Who became due while they were held stays so. Raises `Stale` when taken over.
        """
        now = await self._now()
        row = await self._session.get(DirectRow, slack_id, with_for_update=True)
        if row is None or row.owner != owner or row.lease_until is None:
            raise Stale(f"{slack_id} is not held by {owner}")
        due_anew = row.due_at is not None and row.due_at < row.lease_until
        if not due_anew:
            row.due_at = now + due_in if due_in is not None else None
        if told:
            row.told_at, row.attempts = now, 0
        if due_in is None:
            row.attempts = 0
        row.owner, row.lease_until = "", None
        await self._session.flush()

    async def is_off(self, slack_id: str) -> bool:
        """Whether a person wants no direct messages."""
        query = select(col(DirectRow.off)).where(col(DirectRow.slack_id) == slack_id)
        return bool(await self._session.scalar(query))

    async def switch(self, slack_id: str, *, off: bool, entry: AuditDraft) -> bool:
        """Turn a person's messages off or on, with *entry*; False when they are so already."""
        await self._session.execute(
            insert(self._session, DirectRow)
            .values({**_NEW, "slack_id": slack_id})
            .on_conflict_do_nothing(index_elements=["slack_id"])
        )
        changed = await self._session.execute(
            update(DirectRow)
            .where(col(DirectRow.slack_id) == slack_id, col(DirectRow.off) != off)
            .values(off=off)
            .returning(col(DirectRow.slack_id))
        )
        if changed.first() is None:
            return False
        await self._audit.append(entry)
        return True


def _call(row: CallRow) -> DirectCall:
    return DirectCall(
        id=row.id or 0,
        slack_id=row.slack_id,
        rollback_id=row.rollback_id,
        code=row.code,
        made_at=row.made_at,
        channel=row.channel,
        ts=row.ts,
        said=row.said,
        over=row.over,
    )
