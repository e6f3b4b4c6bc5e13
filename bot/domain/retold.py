"""A rollback told again: by its events alone, and by its row, to be compared.

An event adds to what those before it told: who reads them all from the first on knows what Keyturn
knows, as far as it is told at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from bot.domain.approval import MOVES
from store.records import Announcement, Json, Rollback, State

Retold = dict[str, Json]

_STATES = frozenset(state.value for state in State)
_FIRST = "rollback.draft"
_ALWAYS = ("rollback", "state", "round", "risk", "drill")
_OPENING = ("case", "requested_by", "legs", "content_digest", "votes_needed", "parent")
_TIMES = ("opened_at", "expires_at")
_LATER = ("outcome", "finished_at", "execution", "recovery", "reviewed_at")
_LISTS = {"vote": "votes", "glass": "glasses", "signature": "signatures"}
_EMPTY_EXECUTION: Mapping[str, Json] = {
    "step": "",
    "leg": 0,
    "backwards": False,
    "attempt": 0,
    "published_id": None,
    "clicked_at": None,
    "verified_at": None,
    "done": [],
}


def whole(events: Sequence[Announcement]) -> bool:
    """Whether *events* begin with the first one of their rollback."""
    return bool(events) and events[0].kind == _FIRST


def by_events(events: Iterable[Announcement]) -> Retold:
    """What *events* of one rollback, in their order and from the first on, tell of it."""
    told: Retold = {
        "execution": dict(_EMPTY_EXECUTION),
        "outcome": "",
        **dict.fromkeys(("finished_at", "recovery", "reviewed_at")),
        **{name: [] for name in _LISTS.values()},
    }
    for event in events:
        data = event.data
        names = (*_ALWAYS, *_OPENING, *_TIMES, *_LATER)
        told |= {name: data[name] for name in names if name in data}
        for one, all_of in _LISTS.items():
            if one in data:
                told[all_of] = _with(told[all_of], data[one])
    return told


def by_row(rollback: Rollback) -> Retold:
    """What the row of *rollback* says of the same things."""
    return {
        "rollback": rollback.id,
        "case": rollback.case_id,
        "state": rollback.state.value,
        "round": rollback.round,
        "risk": rollback.risk,
        "drill": rollback.drill,
        "requested_by": {
            "person": rollback.requested_by,
            "slack_id": rollback.requested_slack_id,
        },
        "legs": [_leg(leg) for leg in rollback.legs],
        "content_digest": rollback.content_digest,
        "votes_needed": rollback.policy.votes,
        "parent": rollback.parent_id,
        "opened_at": _when(rollback.opened_at),
        "expires_at": _when(rollback.expires_at),
        "votes": [
            _given(n, v, choice=v.choice.value, digest=v.digest)
            for n, v in enumerate(rollback.votes)
        ],
        "glasses": [
            _given(n, g, way=g.way, in_freeze=g.in_freeze, digest=g.digest)
            for n, g in enumerate(rollback.glass)
        ],
        "signatures": [_signed(n, s) for n, s in enumerate(rollback.signatures)],
        "execution": _execution(rollback),
        "outcome": rollback.outcome,
        "finished_at": _when(rollback.finished_at),
        "recovery": _recovery(rollback),
        "reviewed_at": _when(rollback.reviewed_at),
    }


def differences(events: Sequence[Announcement], rollback: Rollback) -> list[str]:
    """Where *events*, which are `whole`, and the row of *rollback* differ, as `what: a, not b`."""
    told, row = by_events(events), by_row(rollback)
    told["legs"] = [_without_numbers(leg) for leg in told.get("legs", ())]
    found = [
        f"{name}: {_short(told.get(name))} by its events, {_short(row[name])} by its row"
        for name in row
        if told.get(name) != row[name]
    ]
    return [*found, *_out_of_order(events, rollback)]


def _out_of_order(events: Sequence[Announcement], rollback: Rollback) -> list[str]:
    """Moves that are not legal, and revisions that go back or that the row has not reached."""
    found: list[str] = []
    state, revision = State.DRAFT, 0
    for event in events:
        said, now = event.data.get("state"), event.data.get("revision")
        if said not in _STATES or not isinstance(now, int):
            found.append(f"event {event.sequence}: it names no state or revision")
            continue
        after = State(said)
        if after is not state and after not in MOVES[state]:
            found.append(f"event {event.sequence}: no move leads from {state} to {after}")
        if not revision <= now <= rollback.revision:
            found.append(f"event {event.sequence}: revision {now} is out of order")
        state, revision = after, now
    return found


def _with(known: list[Json], new: Mapping[str, Json]) -> list[Json]:
    """*known* with *new*: another one, or what has become of one that is there."""
    at = int(new["number"])
    if at < len(known):
        return [*known[:at], {**known[at], **new}, *known[at + 1 :]]
    return [*known, dict(new)]


def _leg(leg: Any) -> dict[str, Json]:
    return {
        "app": leg.where.app,
        "env": leg.where.env,
        "from_id": leg.from_version_id,
        "to_id": leg.to_version_id,
        "live_root": leg.live_root,
        "expected_root": leg.expected_root,
        "change_digest": leg.change_digest,
    }


def _without_numbers(leg: Mapping[str, Json]) -> dict[str, Json]:
    """Of a leg, what its row says too: the row has no numbers of versions."""
    return {n: v for n, v in leg.items() if n not in ("from_version", "to_version")}


def _given(number: int, given: Any, **more: Json) -> dict[str, Json]:
    void = {"voided_at": _when(given.voided_at), "why": given.voided_why}
    return {**_signed(number, given), **more, **(void if given.voided_at is not None else {})}


def _signed(number: int, signed: Any) -> dict[str, Json]:
    return {
        "number": number,
        "person": signed.person,
        "slack_id": signed.slack_id,
        "at": _when(signed.at),
    }


def _execution(rollback: Rollback) -> dict[str, Json]:
    execution = rollback.execution
    return {
        "step": execution.step.value,
        "leg": execution.position,
        "backwards": execution.backwards,
        "attempt": execution.attempt,
        "published_id": execution.published_version_id,
        "clicked_at": _when(execution.clicked_at),
        "verified_at": _when(execution.verified_at),
        "done": [
            {"leg": done.position, "published_id": done.published_version_id, "back": done.back}
            for done in execution.done
        ],
    }


def _recovery(rollback: Rollback) -> dict[str, Json] | None:
    recovery = rollback.recovery
    if recovery is None:
        return None
    return {
        "state": recovery.state.value,
        "since": _when(recovery.since),
        "by": recovery.by,
        "why": recovery.why,
    }


def _when(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat() if at is not None else None


def _short(value: Json) -> str:
    return str(value)[:200]
