"""What speaks for and against a suspect: measurements, and what alerts did before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from bot.domain.verdict.incident import Alert, Series
from store.records import AppEnv, Firing


@dataclass(frozen=True)
class Measured:
    """What a look-back brought; empty where nothing was measured.

    `alerts` are the earlier and present firings of every app. Of the rule behind the alert that
    was asked about `waited` is the `for`, None where nobody tells, and `smeared` over how long it
    averages. `missing` are the places of which some series could not be read, each with an
    operator's sentence.
    """

    series: Mapping[AppEnv, Sequence[Series]] = field(default_factory=dict)
    alerts: Sequence[Alert] = ()
    waited: timedelta | None = None
    smeared: timedelta = timedelta()
    missing: Mapping[AppEnv, str] = field(default_factory=dict)


class LookBack(Protocol):
    """Reads what was measured around an alert."""

    async def __call__(
        self, firing: Firing, places: Sequence[AppEnv], *, since: datetime, until: datetime
    ) -> Measured:
        """Return the series of *places* from *since* to *until*.

        The first of *places* is the alerting one: for it the expression of the rule behind *firing*
        is measured too, where it can be read. What one query does not bring is left out.

        Raises:
            UpstreamDown: Nothing could be read at all.
        """
        ...
