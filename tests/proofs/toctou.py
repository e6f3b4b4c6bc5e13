"""People edit while a rollback runs: `python -m tests.proofs.toctou [--quick]`.

At a call to Dify chosen by chance, an editor saves another graph, other features or another
variable, publishes something else, or publishes and saves on. What was approved goes live and is
read back, or the rollback ends and says so: never a success that was none. What an editor saved
last is their draft, or was published, or is kept in the store.

One gap is Dify's own: its hash of a draft covers the graph alone, so features and variables that
are saved between Keyturn's last read and its write are written over, and nothing tells. Those are
counted by their name.
"""

from __future__ import annotations

import argparse
import json
import logging
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from bot.playground.dify.workflows import Workflow
from bot.playground.story.workflow import graph
from store.audit import verify
from store.records import Rollback, State
from tests.proofs.arena import GOOD, Arena, Trial, an_arena
from tests.proofs.running import Journal, Tally, run

ROUNDS, QUICK = 500, 40
ROUTES = ("published_get", "draft_get", "draft_sync", "publish")
CALLS = 4  # of which call of a route it happens before
Deed = Callable[[Arena, Trial, random.Random], None]


def save_graph(arena: Arena, trial: Trial, dice: random.Random) -> None:
    """Save another graph."""
    other = replace(GOOD, model="gpt-4o-mini", top_k=dice.randrange(5, 5000))
    arena.state.save_draft_as_editor(trial.app_id, graph=graph(other), by="carol")


def save_features(arena: Arena, trial: Trial, dice: random.Random) -> None:
    """Save other features, which Dify's own hash of the draft does not tell of."""
    draft = arena.state.draft(trial.app_id)
    assert draft is not None
    features: Mapping[str, Any] = {**draft.features, "opening_statement": f"Hello {dice.random()}"}
    arena.state.save_draft_as_editor(trial.app_id, features=features, by="carol")


def save_variable(arena: Arena, trial: Trial, dice: random.Random) -> None:
    """Save another variable, which Dify's own hash of the draft does not tell of either."""
    said = {"id": "cv-1", "name": "mood", "value_type": "string", "value": str(dice.random())}
    arena.state.save_draft_as_editor(trial.app_id, conversation_variables=[said], by="carol")


def publish(arena: Arena, trial: Trial, dice: random.Random) -> None:
    """Save another graph and publish it."""
    save_graph(arena, trial, dice)
    arena.state.publish(arena.state.app(trial.app_id), by=arena.state.account("carol"))


def publish_and_go_on(arena: Arena, trial: Trial, dice: random.Random) -> None:
    """Publish, and save something else again."""
    publish(arena, trial, dice)
    save_graph(arena, trial, dice)


UNTOLD = (save_features, save_variable)  # of these Dify's hash does not tell
DEEDS: Sequence[Deed] = (save_graph, save_features, save_variable, publish, publish_and_go_on)


async def prove(database_url: str, rounds: int, seed: int, journal: Journal) -> Tally:
    """Play *rounds* on the migrated database at *database_url*."""
    tally = Tally()
    async with an_arena(database_url, executors=0) as arena:
        for number in range(rounds):
            dice = random.Random(f"{seed}.{number}")
            deed, place = dice.choice(DEEDS), (dice.choice(ROUTES), dice.randrange(CALLS))
            name = f"{number}: {deed.__name__} before {place[0]} {place[1] + 1}"
            play = partial(_play, arena, name, deed, place, dice)
            tally.add(*await journal.once(name, play))
        if not (await verify(arena.store)).ok:
            tally.broken.append("the audit chain is broken")
    return tally


async def _play(
    arena: Arena, name: str, deed: Deed, place: tuple[str, int], dice: random.Random
) -> tuple[str, list[str]]:
    trial = await arena.approved()
    good = _content(arena.state.versions(trial.app_id)[1])
    saved: list[str] = []

    def act() -> None:
        deed(arena, trial, dice)
        draft = arena.state.draft(trial.app_id)
        assert draft is not None
        saved.append(_content(draft))

    route, nth = place
    for _ in range(nth):
        arena.state.faults.before(route, lambda: None)
    arena.state.faults.before(route, act)
    executor = arena.execute(trial)
    while await executor.step():
        pass
    arena.state.faults.clear()
    after = await arena.rollback(trial)
    broken = _broken(arena, trial, after, good)
    what = deed.__name__ if saved else "nobody came"
    if saved and not await _kept(arena, trial, saved[-1]):
        if route == "draft_sync" and deed in UNTOLD:
            what = "saved in Dify's own gap"
        else:
            broken.append("what the editor saved is lost")
    return f"{what}: {after.state.value}", [f"{name}: {each}" for each in broken]


def _broken(arena: Arena, trial: Trial, after: Rollback, good: str) -> list[str]:
    ours = trial.published(after, arena.state)
    versions = arena.state.versions(trial.app_id)
    read_back = [v for v in versions if v.id == after.execution.published_id]
    done = after.state is State.COMPLETED
    promises = {
        f"it is still {after.state}": not after.open,
        f"{len(ours)} publishes of ours": len(ours) <= 1,
        "a success that was none": not done or [_content(v) for v in read_back] == [good],
        "what nobody approved is live under our name, and nobody was called": all(
            _content(v) == good for v in ours
        )
        or after.state is State.NEEDS_ATTENTION,
    }
    return [what for what, held in promises.items() if not held]


async def _kept(arena: Arena, trial: Trial, saved: str) -> bool:
    draft = arena.state.draft(trial.app_id)
    there = [*arena.state.versions(trial.app_id), *([draft] if draft else [])]
    if saved in map(_content, there):
        return True
    async with arena.store.read() as tx:
        kept = [await tx.versions.document(v.id) for v in await tx.versions.drafts(trial.where)]
    return saved in (_text(document.content) for document in kept)


def _content(workflow: Workflow) -> str:
    said = [variable.shown() for variable in workflow.conversation_variables]
    return _text(
        {"graph": workflow.graph, "features": workflow.features, "conversation_variables": said}
    )


def _text(content: Mapping[str, Any]) -> str:
    names = ("graph", "features", "conversation_variables")
    return json.dumps([content.get(name) for name in names], sort_keys=True)


async def _prove(url: str, asked: argparse.Namespace, journal: Journal) -> Tally:
    logging.disable(logging.CRITICAL)
    return await prove(url, QUICK if asked.quick else ROUNDS, asked.seed, journal)


if __name__ == "__main__":
    raise SystemExit(run("toctou", __doc__ or "", _prove))
