"""An Alertmanager in memory, which forgets alerts when it is started anew, and silences never."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count

from bot.domain.announced import Announced
from bot.domain.matchers import Matcher
from bot.domain.silencing import Held
from bot.errors import BotError, UpstreamDown
from store.records import Firing

_ids = count(1)


@dataclass
class FakeAlertmanager:
    """Holds what it is told; `failing` is raised instead.

    `meanwhile` happens once, after it said what fires; of silences it takes `room` more.
    """

    told: list[Announced] = field(default_factory=list)
    held: dict[str, Held] = field(default_factory=dict)
    matched: dict[str, Sequence[Matcher]] = field(default_factory=dict)
    fires: list[Firing] = field(default_factory=list)
    started: datetime = datetime(2020, 1, 1, tzinfo=UTC)
    failing: BotError | None = None
    meanwhile: Callable[[], Awaitable[object]] | None = None
    room: int = 1000

    def restart(self) -> None:
        """Forget every alert, and begin to hear of them again."""
        self.told.clear()
        self.fires.clear()
        self.started = datetime(2100, 1, 1, tzinfo=UTC)

    def stands(self, at: datetime) -> list[Announced]:
        """The alerts that it would show at *at*: of each label set what was told last."""
        newest: dict[tuple[tuple[str, str], ...], Announced] = {}
        for alert in self.told:
            newest[tuple(sorted(alert.labels.items()))] = alert
        return [alert for alert in newest.values() if alert.ends_at > at]

    async def announce(self, alert: Announced) -> None:
        self._may_fail()
        assert alert.starts_at <= alert.ends_at, "it answers 400"
        self.told.append(alert)

    async def silences(self) -> list[Held]:
        self._may_fail()
        return list(self.held.values())

    async def silence(
        self, matchers: Sequence[Matcher], *, since: datetime, until: datetime, comment: str
    ) -> str:
        self._may_fail()
        assert matchers, "it answers 422"
        assert since < until, "it answers 400"
        if not self.room:
            raise UpstreamDown("Alertmanager", "HTTP 503")
        self.room -= 1
        made = f"silence-{next(_ids)}"
        self.held[made] = Held(made, comment, until, frozenset(matchers))
        self.matched[made] = matchers
        return made

    async def unsilence(self, silence_id: str) -> None:
        self._may_fail()
        self.held.pop(silence_id, None)

    async def firing(self, matchers: Sequence[Matcher]) -> list[Firing]:
        self._may_fail()
        found = [one for one in self.fires if all(fits(m, one.labels) for m in matchers)]
        if self.meanwhile is not None:
            meanwhile, self.meanwhile = self.meanwhile, None
            await meanwhile()
        return found

    async def up_since(self) -> datetime:
        self._may_fail()
        return self.started

    def hushes(self, labels: Mapping[str, str]) -> bool:
        """Whether a silence that it holds fits an alert with *labels*."""
        held = [self.matched[one] for one in self.held]
        return any(all(fits(matcher, labels) for matcher in matchers) for matchers in held)

    def _may_fail(self) -> None:
        if self.failing is not None:
            raise self.failing


def fits(matcher: Matcher, labels: Mapping[str, str]) -> bool:
    """Whether *labels* fulfil *matcher*, as Alertmanager sees it: a missing label is empty."""
    value = labels.get(matcher.name, "")
    same = (
        re.fullmatch(matcher.value, value) is not None if matcher.regex else value == matcher.value
    )
    return same is matcher.equal
