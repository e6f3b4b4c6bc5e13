"""Several apps as one rollback: leg after leg, and back again if one of them does not come.

Legs stand with callers before what they call, and are carried out from the last to the first, so
that no caller meets a newer one than it knew. An execution is at one leg at a time. What it has
verified is its undo log (`Execution.done`): when a leg ends without being live, those that were
done are put back, the newest first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import pairwise

from store.records import Done, Execution, Json, Rollback, State, Step, Version

BACK = "back"  # of a leg that was put back
MOST = 5  # legs of one rollback; a card shows them all
# An end after which nothing of the leg is live, and the legs before it can be put back.
_PUTS_BACK = frozenset({State.FAILED, State.SUPERSEDED})
# People are called for the draft; what is live is the old version.
_OLD_IS_LIVE = frozenset({"draft_not_put_back", "draft_secrets_lost"})


def first(rollback: Rollback) -> int:
    """Return the position of the leg with which *rollback* begins."""
    return len(rollback.legs) - 1


def more_ahead(execution: Execution) -> bool:
    """Whether legs come after the one that is being executed as approved."""
    return not execution.backwards and execution.position > 0


def gone_on(execution: Execution, done: Done) -> Execution:
    """Return *execution* at the next leg, with *done* in the undo log."""
    return _at(execution, done.position - 1, done=(*execution.done, done))


def turns_back(execution: Execution, state: State, code: str) -> bool:
    """Whether ending the current leg in *state* with *code* puts the legs before it back."""
    if execution.backwards or not execution.done:
        return False
    return state in _PUTS_BACK or code in _OLD_IS_LIVE


def turned_back(
    execution: Execution, state: State, code: str, facts: Mapping[str, Json]
) -> Execution:
    """Return *execution* at the newest leg that is done, on its way back; see `turns_back`."""
    turned = replace(execution, back_state=state.value, back_because=code, back_facts=dict(facts))
    return _at(turned, execution.done[-1].position)


def came_back(execution: Execution, said: str) -> Execution:
    """Return *execution* after the current leg was put back, or was not: *said* is why.

    It is at the next leg to put back; when none is left (`all_tried`) it stays where it is.
    """
    version_id = execution.published_version_id
    done = tuple(
        replace(one, back=said, back_version_id=version_id)
        if one.position == execution.position
        else one
        for one in execution.done
    )
    left = [one.position for one in done if not one.back]
    if not left:
        return replace(execution, done=done)
    return _at(execution, left[-1], done=done)


def all_tried(execution: Execution) -> bool:
    """Whether putting back was tried for every leg that was done."""
    return all(one.back for one in execution.done)


def all_back(execution: Execution) -> bool:
    """Whether every leg that was done was put back."""
    return all(one.back == BACK for one in execution.done)


def published_versions(execution: Execution) -> frozenset[int]:
    """The stored rows of all that the execution published and read back."""
    rows: list[int | None] = [execution.published_version_id]
    for one in execution.done:
        rows += [one.published_version_id, one.back_version_id]
    return frozenset(row for row in rows if row is not None)


def brought(rollback: Rollback) -> dict[int, tuple[int, str]]:
    """Return what each leg that was verified live brought, by its position.

    That is the stored version that was published, and what became of the draft. A rollback that
    ended as COMPLETED has all of them, unless it ended in a copy of the database.
    """
    execution = rollback.execution
    found = {one.position: (one.published_version_id, one.draft_note) for one in execution.done}
    if execution.published_version_id is not None:
        found[execution.position] = execution.published_version_id, execution.draft_note
    return found


def callers_first(apps: Sequence[str], depends_on: Mapping[str, Sequence[str]]) -> list[str]:
    """Return *apps* with what each depends on after it, else in the order given.

    Where they depend on each other in a circle the order given decides.
    """
    ordered: list[str] = []

    def visit(app: str, on_the_way: frozenset[str]) -> None:
        if app in ordered or app in on_the_way:
            return
        for needed in depends_on.get(app, ()):
            if needed in apps:
                visit(needed, on_the_way | {app})
        ordered.append(app)

    for app in reversed(apps):
        visit(app, frozenset())
    return ordered[::-1]


def behind(app: str, depends_on: Mapping[str, Sequence[str]]) -> list[str]:
    """Return every app that *app* depends on, directly or through others, each once."""
    found: list[str] = []

    def visit(caller: str) -> None:
        for needed in depends_on.get(caller, ()):
            if needed != app and needed not in found:
                found.append(needed)
                visit(needed)

    visit(app)
    return found


def lived_until(newest_first: Sequence[Version], number: int) -> datetime | None:
    """Return when version *number* was followed by the next; None if it was not, or is unknown."""
    for newer, older in pairwise(newest_first):
        if older.number == number:
            return newer.published_at
    return None


def live_before(newest_first: Sequence[Version], at: datetime) -> Version | None:
    """Return the version that was live just before *at*; None if none is known."""
    return next((version for version in newest_first if version.published_at < at), None)


def _at(execution: Execution, position: int, *, done: tuple[Done, ...] | None = None) -> Execution:
    """*execution* at the beginning of a leg; who holds it, and what was done, stays."""
    return replace(
        execution,
        step=Step.CLAIMED,
        attempt=0,
        kept_draft_id=None,
        kept_token="",
        sealed=(),
        staged_token="",
        published_id="",
        published_version_id=None,
        draft_note="",
        failure="",
        failure_facts={},
        position=position,
        done=execution.done if done is None else done,
    )
