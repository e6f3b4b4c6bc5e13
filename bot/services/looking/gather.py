"""What is known around an alert, put together for a decision."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from bot.domain import drill, legs
from bot.domain.verdict.incident import Alert, App, Change, Incident
from bot.errors import UpstreamDown
from bot.ports.evidence import LookBack, Measured
from bot.ports.store import Store
from bot.services.looking.heard import heard
from bot.services.looking.kinds import kinds
from bot.services.looking.ran import Ran, Results, by_number
from bot.services.looking.uses import Uses
from bot.services.opening.ground import Ground
from bot.services.opening.rules import Rules
from store.records import AppEnv, Firing, FiringStatus, Version, VersionSource

log = logging.getLogger(__name__)
HISTORY = 200  # versions of an app behind the alerting one
HABIT = timedelta(days=14)  # in which an alert shows whether it comes by itself
OLDEST = timedelta(days=30)  # an alert that says to be older is looked at from here on
OTHERS = 15  # apps of the environment that are looked at beside the alerting one
NOTICED = timedelta(minutes=20)  # after which a change that nobody published is noticed at most


class Gather:
    """Reads the store, how runs ended, and measurements where there are some; decides nothing."""

    def __init__(
        self, store: Store, rules: Rules, look_back: LookBack | None, ran: Ran | None = None
    ) -> None:
        """Read *store* and, where they are given, what *look_back* measured and what *ran*."""
        self._store = store
        self._rules = rules
        self._look_back = look_back
        self._uses = Uses(store)
        self._ran = ran

    @property
    def measures(self) -> bool:
        """Whether there is anything that measures."""
        return self._look_back is not None

    async def __call__(
        self,
        ground: Ground,
        firing: Firing,
        *,
        unsound: frozenset[str],
        at: datetime | None = None,
    ) -> tuple[Incident, Measured | None]:
        """Return what is known around *firing* of the app of *ground*, now or as of *at*.

        *unsound* are contents that must not be suggested there. The measurements are None where
        nothing measures, or where it could not be read.
        """
        where = ground.live.where
        async with self._store.read() as tx:
            now = max(at or await tx.now(), firing.starts_at)  # whose clock may differ from ours
        since = max(firing.starts_at, now - OLDEST) - self._rules.lookback - timedelta(hours=1)
        behind = [AppEnv(app, where.env) for app in legs.behind(where.app, self._rules.depends_on)]
        others = self._others(where, behind)
        outside = await self._uses([where, *behind, *others])
        measured, ran = await asyncio.gather(
            self._measured(firing, [where, *behind, *others], since, now),
            self._runs([where, *behind], since),
        )
        alerts = await self._alerts(where.env, now - HABIT, now)
        histories, condemned, good = await self._histories(behind, since)
        changes = [*await self._changes(ground.history, since), *histories]
        async with self._store.read() as tx:
            said = await heard(tx, where, firing.alertname, now=now)
        condemned[where] = unsound
        good[where] = await self._good(where, ground.history)
        incident = Incident(
            alert=_alert(where, firing, now),
            decided_at=now,
            apps={
                place.app: App(
                    place.app, tuple(self._rules.depends_on.get(place.app, ())), outside[place]
                )
                for place in (where, *behind, *others)
            },
            changes=changes,
            alerts=[*alerts, *(measured.alerts if measured else ())],
            series=measured.series if measured else {},
            runs=by_number(ran, changes),
            waited=measured.waited if measured else None,
            usual_wait=self._rules.waited,
            smeared=measured.smeared if measured else timedelta(),
            condemned=condemned,
            good=good,
            heard=said,
        )
        return incident, measured

    def _others(self, where: AppEnv, behind: Sequence[AppEnv]) -> list[AppEnv]:
        """Apps of the same environment that serve somebody, those that call this one first."""
        there = [p for p in self._rules.channels if p.env == where.env and p != where]
        there = [place for place in there if not self._rules.practises(place)]
        calls = {app for app, used in self._rules.depends_on.items() if where.app in used}
        left = [place for place in there if place not in behind]
        return sorted(left, key=lambda place: (place.app not in calls, place.app))[:OTHERS]

    async def _measured(
        self, firing: Firing, places: Sequence[AppEnv], since: datetime, until: datetime
    ) -> Measured | None:
        if self._look_back is None:
            return None
        try:
            measured = await self._look_back(firing, places, since=since, until=until)
        except UpstreamDown as error:
            log.warning("nothing measured", extra={"app": str(places[0]), "error": str(error)})
            return None
        for place, why in measured.missing.items():
            log.info("not measured", extra={"app": str(place), "why": why})
        return measured

    async def _runs(self, places: Sequence[AppEnv], since: datetime) -> Results:
        return {} if self._ran is None else await self._ran(places, since=since)

    async def _alerts(self, env: str, since: datetime, until: datetime) -> list[Alert]:
        async with self._store.read() as tx:
            found = await tx.alerts.around(env, since=since, until=until)
        return [_alert(f.where, f, until) for f in drill.real(found) if f.where is not None]

    async def _changes(self, history: Sequence[Version], since: datetime) -> list[Change]:
        touched = await kinds(self._store, history, since=since)
        return [
            replace(change, kinds=touched.get(change.number, frozenset()))
            for change in map(change_of, _numbered(history))
        ]

    async def _histories(
        self, places: Iterable[AppEnv], since: datetime
    ) -> tuple[list[Change], dict[AppEnv, frozenset[str]], dict[AppEnv, frozenset[str]]]:
        changes: list[Change] = []
        condemned: dict[AppEnv, frozenset[str]] = {}
        good: dict[AppEnv, frozenset[str]] = {}
        for place in places:
            async with self._store.read() as tx:
                history = await tx.versions.history(place, limit=HISTORY)
                condemned[place] = await tx.versions.condemned(place)
            changes += await self._changes(history, since)
            good[place] = await self._good(place, history)
        return changes, condemned, good

    async def _good(self, where: AppEnv, history: Sequence[Version]) -> frozenset[str]:
        """The contents that somebody named: people name what they would go back to."""
        async with self._store.read() as tx:
            tagged = {tag.version_id for tag in await tx.tags.of(where)}
        return frozenset(version.meaning for version in history if version.id in tagged)


def _numbered(history: Iterable[Version]) -> list[Version]:
    return [version for version in history if version.number is not None]


def change_of(version: Version) -> Change:
    """What a decision looks at of a numbered *version*."""
    return Change(
        where=version.where,
        number=version.number or 0,
        at=version.published_at,
        content=version.meaning,
        late=NOTICED if version.source is VersionSource.DRIFT else timedelta(),
    )


def _alert(where: AppEnv, firing: Firing, now: datetime) -> Alert:
    """*firing* as it was *now*: that it ended later is not known yet."""
    ended = firing.ends_at if firing.status is FiringStatus.RESOLVED else None
    over = ended is not None and ended <= now
    return Alert(where, firing.alertname, firing.starts_at, ended if over else None)
