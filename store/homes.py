"""App Homes: which are to be drawn, known by what was asked for and by how far the store is."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import and_, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from store.audit import Audit
from store.clock import DatabaseClock
from store.records import CaseState, Home, Json, Stale
from store.tables import CaseRow, HomeRow, VersionRow
from store.upsert import insert, skip_locked


class Homes:
    """One row a person. Several wishes, and several changes elsewhere, are one drawing."""

    def __init__(self, session: AsyncSession, now: DatabaseClock, audit: Audit) -> None:
        self._session = session
        self._now = now
        self._audit = audit

    async def opened(self, slack_id: str, team_id: str) -> None:
        """The person looks at it: it is to be drawn, from its first page."""
        await self._want(slack_id, team_id, page=1, said=None)

    async def change(
        self,
        slack_id: str,
        team_id: str,
        *,
        page: int | None = None,
        said: Mapping[str, Json] | None = None,
    ) -> None:
        """The person did something there: it is to be drawn, on *page* if given, with *said*."""
        turned = {} if page is None else {"page": page}
        await self._want(slack_id, team_id, **turned, said=dict(said) if said else None)

    async def redraw(self, slack_id: str) -> None:
        """What the person asked for has come about; nothing, if they have no home."""
        row = {"wanted": HomeRow.wanted + 1, "not_before": await self._now()}
        mine = col(HomeRow.slack_id) == slack_id
        await self._session.execute(update(HomeRow).where(mine).values(row))

    async def _want(self, slack_id: str, team_id: str, **values: Any) -> None:
        now = await self._now()
        new = {
            **{"slack_id": slack_id, "team_id": team_id, "page": 1, "said": None, "seen_at": now},
            **{"wanted": 1, "drawn": 0, "mark": "", "substance": "", "hash": ""},
            **{"not_before": now, "attempts": 0, "owner": ""},
            **values,
        }
        again = {"seen_at": now, "not_before": now, "wanted": HomeRow.wanted + 1}
        await self._session.execute(
            insert(self._session, HomeRow)
            .values(new)
            .on_conflict_do_update(
                index_elements=["slack_id"], set_={**values, **again, "team_id": team_id}
            )
        )

    async def claim(self, owner: str, *, lease: timedelta, seen_within: timedelta) -> Home | None:
        """One that was asked for, or that was seen lately and before something changed.

        What was asked for comes first, then whoever looked last.
        """
        now = await self._now()
        asked = col(HomeRow.wanted) > col(HomeRow.drawn)
        free = or_(col(HomeRow.lease_until).is_(None), col(HomeRow.lease_until) < now)
        open_now = and_(col(HomeRow.seen_at) > now - seen_within, col(HomeRow.not_before) <= now)
        candidates = select(HomeRow).where(free, open_now)
        if (await self._session.scalars(candidates.limit(1))).first() is None:
            return None
        mark = await self._mark()
        due = candidates.where(or_(asked, col(HomeRow.mark) != mark))
        first = due.order_by(asked.desc(), col(HomeRow.seen_at).desc()).limit(1)
        row = (await self._session.scalars(skip_locked(self._session, first))).first()
        if row is None:
            return None
        row.owner, row.lease_until, row.attempts = owner, now + lease, row.attempts + 1
        await self._session.flush()
        return Home(
            slack_id=row.slack_id,
            team_id=row.team_id,
            page=row.page,
            said=row.said,
            wanted=row.wanted,
            asked=row.wanted > row.drawn,
            mark=mark,
            hash=row.hash,
            substance=row.substance,
            attempts=row.attempts,
        )

    async def drawn(
        self, home: Home, *, owner: str, stands: str, substance: str, rest: timedelta
    ) -> None:
        """It stands in Slack under the hash *stands*; what changes elsewhere waits for *rest*.

        Raises:
            Stale: Somebody else holds it by now.
        """
        now = await self._now()
        known = {"mark": home.mark, "hash": stands, "substance": substance, "drawn": home.wanted}
        asked_anew = col(HomeRow.wanted) > home.wanted
        await self._release(home, owner, **known, attempts=0)
        await self._session.execute(
            update(HomeRow)
            .where(col(HomeRow.slack_id) == home.slack_id, ~asked_anew)
            .values(not_before=now + rest)
        )

    async def defer(self, home: Home, *, owner: str, delay: timedelta) -> None:
        """Give it back to be tried again after *delay*. Raises `Stale` when taken over."""
        await self._release(home, owner, not_before=await self._now() + delay)

    async def rest(self, delay: timedelta) -> None:
        """Draw nothing for *delay*: Slack asked to wait, and means all of us."""
        until = await self._now() + delay
        soon = (col(HomeRow.not_before) < until, col(HomeRow.owner) == "")
        ids = select(col(HomeRow.slack_id)).where(*soon).order_by(col(HomeRow.slack_id))
        waiting = await self._session.scalars(skip_locked(self._session, ids))
        await self._session.execute(
            update(HomeRow)
            .where(col(HomeRow.slack_id).in_(waiting.all()))
            .values(not_before=until)
            .execution_options(synchronize_session=False)
        )

    async def _release(self, home: Home, owner: str, **values: Any) -> None:
        held = (col(HomeRow.slack_id) == home.slack_id, col(HomeRow.owner) == owner)
        changed = await self._session.execute(
            update(HomeRow)
            .where(*held, col(HomeRow.lease_until).is_not(None))
            .values(**values, owner="", lease_until=None)
            .returning(col(HomeRow.slack_id))
        )
        if changed.first() is None:
            raise Stale(f"the home of {home.slack_id} is not held by {owner}")

    async def _mark(self) -> str:
        """How far the store is, as far as a home shows it.

        Every decision has its audit entry, every publish is a version, and a card that was posted
        is a new revision of its open case.
        """
        seq, _ = await self._audit.head()
        version = await self._session.scalar(select(func.max(VersionRow.id)))
        cases = await self._session.scalar(
            select(func.sum(CaseRow.revision)).where(col(CaseRow.state) == CaseState.OPEN)
        )
        return f"{seq}.{version or 0}.{cases or 0}"
