"""What is told as values: what a difference amounts to, what is lost, what a dry run says."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from bot.domain.diff.kinds import ChangeKind
from bot.domain.diff.walk import ChangeOp
from bot.domain.impact import Impact, Risk, facts_of
from bot.domain.lost import Later, Lost
from bot.samples.cards import NOON, REWORDED
from bot.samples.facts import FOUND
from store.records import AppEnv, Version, VersionKind, VersionSource

_SWAPPED: Final[dict[str, Any]] = {"code": "swapped", "before": "gpt-4o", "after": "gpt-4o-mini"}
_OF_EACH: Final[list[dict[str, Any]]] = [
    {"code": "things", "kind": kind.value, "op": op.value, "count": 2}
    for kind in ChangeKind
    for op in ChangeOp
]
EVERY_PHRASE: Final[list[dict[str, Any]]] = [
    *(_SWAPPED, {"code": "swapped_more", "count": 2}, REWORDED, *_OF_EACH),
    *({"code": "format_only", "count": 1}, {"code": "more"}),
]
_PUBLISHED: Final = Version(
    id=7,
    where=AppEnv("support-triage", "prod"),
    number=7,
    kind=VersionKind.PUBLISHED,
    source=VersionSource.PUBLISHED,
    external_id="live-7",
    external_hash="h7",
    published_at=NOON - timedelta(minutes=10),
    author="carol",
    root="aa" * 32,
    meaning="ab" * 32,
    recorded_at=NOON,
)
GIVEN_UP: Final = (Lost((Later(_PUBLISHED, (_SWAPPED, REWORDED)),), more=2, unread=1),)
FIRST_PAGE: Final[dict[str, Any]] = {
    "phrases": [_SWAPPED, REWORDED],
    "counts": {"model": 1, "prompt": 1},
    "lines": [
        "model gpt-4o → gpt-4o-mini, 1 prompt reworded",
        "changes: model 1, prompt 1",
        *("", "[prompt] changed: Triage", "- be brief", "+ be kind"),
    ],
}
_IMPACT: Final = Impact(
    risk=Risk.CRITICAL,
    criticality="high",
    heavier="checkout-bot",
    callers=("checkout-bot", "shop"),
    callers_count=3,
    pinned=("billing",),
    pinned_count=1,
    acts=("code", "tool", "http"),
    lost=4,
)
REHEARSED: Final[list[dict[str, Any]]] = [
    {"code": "refused", "why": "You may not."},
    {
        **FOUND,
        "hitches": [
            *FOUND["hitches"],
            *(
                {
                    **FOUND["hitches"][0],
                    **{"severity": "unknown", "what": what, "why": why, "nodes": ["the app"]},
                }
                for what, why in (("knowledge base", "late"), ("workflow tool", "no_list"))
            ),
        ],
    },
    {"code": "difference", "count": 2, "phrases": [_SWAPPED, REWORDED]},
    {"code": "impact", "impact": facts_of(_IMPACT)},
    {"code": "keep", "names": ["HELPDESK_API_KEY"], "of_draft": True},
    {"code": "keep", "names": ["HELPDESK_API_KEY"], "of_draft": False},
    {"code": "own", "names": ["SMTP_PASSWORD"]},
    *({"code": code} for code in ("restored", "reason_needed")),
    {"code": "replaces", "number": 5},
    {
        "code": "steps",
        "steps": [
            {"code": "wait", "votes": 2},
            {"code": "wait", "votes": 0},
            {"code": "keep_draft", "work": True, "author": "carol"},
            {"code": "keep_draft", "work": True, "author": ""},
            {"code": "keep_draft", "work": False, "author": ""},
            {"code": "seal", "names": ["SMTP_PASSWORD"]},
            {"code": "write_draft", "number": 6},
            {"code": "write_over", "number": 6},
            {"code": "publish"},
            {"code": "read_back", "root": "0a1b2c3d4e5f"},
            {"code": "put_back"},
        ],
    },
]
