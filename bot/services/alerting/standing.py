"""What Alertmanager is to hold of a rollback at this moment, by what the store has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.domain import announced, drill, legs, link, quorum, recovery
from bot.domain.announced import Announced, Step
from bot.ports.store import Transaction
from bot.services.condemning import undone
from bot.services.record import name_of_record
from bot.services.replaced import replaced_at
from store.records import AppEnv, Leg, Rollback, Version

Address = Callable[[str, datetime], str]


@dataclass(frozen=True)
class Standing:
    """The alert of one app as it is to be told now; `again_at` is when it is to be told anew."""

    alert: Announced
    again_at: datetime | None = None


class Standings:
    """Says how the alert of a rolled back app stands."""

    def __init__(self, *, app: str, env: str, bake: timedelta, address: Address | None) -> None:
        """Take what it is made of.

        Args:
            app, env: The labels that name the app and its environment.
            bake: How long it stands after a rollback was verified live.
            address: Makes the address of a record; None where people cannot reach one.
        """
        self._app = app
        self._env = env
        self._bake = bake
        self._address = address

    async def of(
        self, tx: Transaction, rollback: Rollback, where: AppEnv, *, again: bool
    ) -> Standing | None:
        """How the alert of *rollback* stands in *where*; None where there is nothing to tell.

        An undo has none of its own: it ends the one of what it undid. One that could not be told
        in its time is told late; *again* says that it was told before.
        """
        leg = rollback.leg_of(where)
        if leg is None or rollback.drill or not await _is_newest(tx, rollback, where):
            return None
        now, until = await tx.now(), self._until(rollback)
        live = await tx.versions.get(leg.from_version_id)
        to = await tx.versions.get(leg.to_version_id)
        before = await undone(tx, leg, to, live)
        if before is not None:
            return await self._ended(tx, before, where, now)
        if await replaced_at(tx, rollback, leg) is not None:
            return await self._ended(tx, rollback, where, now)
        alert = await self._alert(tx, rollback, leg, live, to)
        if now >= until:
            late = replace(alert, ends_at=now + announced.LATE)
            return None if again else Standing(late)
        next_at = now + announced.again_after(self._bake)
        return Standing(alert, next_at if next_at < until else None)

    async def _ended(
        self, tx: Transaction, rollback: Rollback, where: AppEnv, now: datetime
    ) -> Standing | None:
        """Its alert, ended now; None where it has ended by itself."""
        leg = rollback.leg_of(where)
        if leg is None or now >= self._until(rollback):
            return None
        live = await tx.versions.get(leg.from_version_id)
        to = await tx.versions.get(leg.to_version_id)
        alert = await self._alert(tx, rollback, leg, live, to)
        return Standing(replace(alert, ends_at=now))

    def _until(self, rollback: Rollback) -> datetime:
        return recovery.verified_at(rollback) + self._bake

    async def _alert(
        self, tx: Transaction, rollback: Rollback, leg: Leg, live: Version, to: Version
    ) -> Announced:
        made_id, _ = legs.brought(rollback).get(rollback.legs.index(leg), (None, ""))
        made = await tx.versions.get(made_id) if made_id is not None else None
        firings = drill.about(rollback, await tx.alerts.of_case(rollback.case_id))
        step = Step(
            app=leg.where.app,
            env=leg.where.env,
            old=live.number,
            back_to=to.number,
            live=made.number if made else None,
            approvals=len(quorum.approvals(rollback)),
            alone=rollback.broken_by is not None,
            alerts=tuple(dict.fromkeys(firing.alertname for firing in firings)),
        )
        verified = recovery.verified_at(rollback)
        record = ""
        if self._address is not None:  # of the same moment each time: it is the same alert
            record = self._address(name_of_record(rollback.id), verified + link.LASTS)
        return Announced(
            labels=announced.labels(step, app=self._app, env=self._env),
            annotations=announced.words(step, record=record),
            starts_at=verified,
            ends_at=self._until(rollback),
        )


async def _is_newest(tx: Transaction, rollback: Rollback, where: AppEnv) -> bool:
    """Whether no other was carried out in *where* since: the alert has the same labels then."""
    since = rollback.finished_at or rollback.opened_at
    done = [one for one in await tx.rollbacks.completed(where, since=since) if not one.drill]
    return not done or done[-1].id == rollback.id
