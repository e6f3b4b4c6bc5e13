"""What dialogs and App Home show."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from bot.domain.choices import Choices, Offered
from bot.domain.diff.browse import Entry, Line, Sheet
from bot.domain.diff.words import Run, RunOp
from bot.domain.home import HomeView, JobRow, Listed, Part, Said
from bot.ports.people import Window
from bot.samples.cards import ALICE, NOON, REWORDED
from bot.samples.facts import AT, LINK

CHANNEL: Final = "C0INCIDENT1"
TS: Final = "1764000000.000100"
VALUE: Final = "17.1.n0nce." + "0" * 64
OF_CARD: Final = Window("choose.d2", VALUE, CHANNEL, TS)
BY_COMMAND: Final = Window(
    "choose.d1", "", CHANNEL, "", response_url="https://hooks.slack.com/commands/1"
)
_LIVE = Offered(7, NOON, "carol", counts={"prompt": 1})
CHOICES: Final = Choices(
    "support-triage@prod",
    _LIVE,
    page=1,
    pages=3,
    offered=(
        Offered(6, NOON - timedelta(days=1), "dave", "more articles", {"model": 2}, tags=("good",)),
        Offered(5, NOON - timedelta(days=2), counts={}, condemned=True, takes_reason=True),
        Offered(1, NOON - timedelta(days=9)),
    ),
    as_live=(4,),
    not_imported=2,
)
_ENTRY = Entry(1, "prompt", "changed", "Triage", "prompt 1")
CONTENTS: Final = Sheet((0, 0), (REWORDED,), 1, entries=(_ENTRY,), after=(1, 0))
CHANGE: Final = Sheet(
    (1, 0),
    (REWORDED,),
    1,
    entry=_ENTRY,
    lines=(
        Line("−", (Run(RunOp.EQUAL, "be "), Run(RunOp.DELETED, "brief"))),
        Line("+", (Run(RunOp.EQUAL, "be "), Run(RunOp.INSERTED, "kind"))),
    ),
    before=(0, 0),
)

_ROW: dict[str, Any] = {
    **{"where": "support-triage@prod", "more": 0, "rollback": 17, "permalink": LINK},
    **{"old": 7, "new": 6, "count": 1, "needed": 2, "until": AT},
}
ROWS: Final[dict[Part, dict[str, Any]]] = {
    Part.WAITING: _ROW,
    Part.REVIEWS: {**_ROW, "slack_id": ALICE},
    Part.ASKED: {**_ROW, "state": "PENDING_APPROVAL"},
    Part.APPS: {
        **{"where": "support-triage@prod", "number": 7, "published_at": AT, "author": "carol"},
        **{"drift": True, "rollback": 17, "state": "EXECUTING", "permalink": LINK},
    },
    Part.RECENT: {**_ROW, "state": "COMPLETED", "outcome": "completed", "at": AT},
}
SAID: Final[dict[Said, dict[str, Any]]] = {
    Said.STRANGER: {"why": "guest"},
    Said.REFUSED: {"text": "You may not."},
    **{
        said: {"job": "prune", "anew": True}
        for said in (Said.JOB_PAUSED, Said.JOB_RESUMED, Said.JOB_ASKED)
    },
}
JOB: Final[dict[str, Any]] = {
    **{"job": "prune", "every": 21600.0, "doing": "ended", "at": AT, "seconds": 0.42},
    **{"failure": "", "next_at": AT, "paused_by": "", "paused_at": "", "asked_by": ""},
    "pausable": True,
}
HOME: Final = HomeView(
    NOON,
    lists=tuple(Listed(part, (row,)) for part, row in ROWS.items()),
    jobs=(JobRow("prune", JOB, ("run", "pause")),),
)
