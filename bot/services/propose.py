"""From a case to a card. Two ways lead here: an alert made a case due, or a person asked."""

from __future__ import annotations

from collections.abc import Callable

from bot.ports.evidence import LookBack
from bot.ports.people import Directory
from bot.ports.store import Store
from bot.ports.target import Targets
from bot.services.looking.assess import Assess
from bot.services.opening.opening import Opening
from bot.services.opening.rules import Rules
from bot.services.rehearse import Rehearse
from bot.services.request import Request
from bot.services.snapshot import Snapshot


class Propose:
    """Finds candidates and opens rollbacks; never decides whether one is executed.

    `step` looks at what alerts made due, `requested` opens what a person asked for, `rehearsed`
    plays it through without opening anything.
    """

    def __init__(
        self,
        store: Store,
        targets: Targets,
        directory: Directory,
        snapshot: Snapshot,
        rules: Rules,
        *,
        nonce: Callable[[], str],
        look_back: LookBack | None = None,
    ) -> None:
        opening = Opening(store, targets, rules, nonce=nonce)
        request = Request(store, targets, directory, snapshot, rules, opening)
        self.requested = request
        self.rehearsed = Rehearse(store, targets, snapshot.refresh, rules, opening)
        self.step = Assess(
            store, targets, directory, snapshot, rules, opening, request, look_back
        ).step
