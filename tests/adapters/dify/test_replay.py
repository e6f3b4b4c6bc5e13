"""The local Dify answers what servers of 1.14.2, 1.10.1 and 1.7.2 answered."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import aiohttp
import pytest

from bot.playground.dify.server import start
from bot.playground.dify.state import DifyState
from tests.adapters.dify import recordings
from tests.adapters.dify.recordings import Exchange, Names, differences
from tests.adapters.dify.replay import RECORDED_ADMIN_KEY, OurAnswer, Replay, compare

# Recorded, but neither called by the client nor served by the local Dify.
_NEVER_CALLED = (
    "system_features",
    "create_app_api_key",
    "run_published_v2",
    "run_specific_version_v1",
    "workflow_runs_log",
    "workflow_app_logs",  # what ran here before was run by none of these; see test_runs
    "run_after_rollback",
)
NOT_COVERED = {
    "1.14.2": _NEVER_CALLED,
    "1.10.1": (*_NEVER_CALLED, "rename"),  # 500, and nobody knows why
    "1.7.2": _NEVER_CALLED,
}

Replayed = tuple[list[tuple[Exchange, OurAnswer]], Names]


@pytest.fixture(params=recordings.VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def replayed(version: str) -> Replayed:
    """Every kept exchange with our answer to it."""
    dify = await start(state=DifyState.of(version, admin_key=RECORDED_ADMIN_KEY))
    try:
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
            replay = Replay(http, dify.url)
            done = await replay.run(
                [recordings.load(name, version) for name in recordings.kept(version)]
            )
            return done, replay.bound
    finally:
        await dify.stop()


def test_what_is_not_covered_is_named_and_nothing_else(version: str) -> None:
    kept = recordings.kept(version)
    left = [name for name in recordings.names(version) if name not in kept]

    assert tuple(name.partition("/")[2][4:] for name in left) == NOT_COVERED[version]


async def test_every_recorded_exchange_is_answered_as_recorded(
    replayed: Replayed, version: str
) -> None:
    done, bound = replayed

    assert [d for exchange, answer in done for d in compare(exchange, answer, bound)] == []
    assert len(done) == len(recordings.names(version)) - len(NOT_COVERED[version])


async def test_a_field_removed_from_any_recorded_answer_is_noticed(replayed: Replayed) -> None:
    done, bound = replayed
    unnoticed = [
        f"{exchange.name}: {removed}"
        for exchange, answer in done
        for removed, mutated in _without_one_field(exchange)
        if not any(differences(mutated.answer, answer.body, bound))
    ]

    assert unnoticed == []


async def test_a_recorded_status_that_was_different_is_noticed(replayed: Replayed) -> None:
    done, bound = replayed

    assert all(compare(replace(e, status=418), answer, bound) for e, answer in done)


async def test_a_recorded_value_that_was_different_is_noticed(replayed: Replayed) -> None:
    done, bound = replayed
    [(exchange, answer)] = [pair for pair in done if pair[0].name == "main/031_published_current"]
    another = next(
        v
        for e, _ in done
        if e.name == "main/032_versions_list"
        for v in e.answer["items"]
        if v["id"] != exchange.answer["id"]
    )
    for change in (
        {"hash": "0" * 64},
        {"id": another["id"]},
        {"version": another["version"] if another["version"] != "draft" else "2026-11-23 01:02"},
        {"marked_name": "another"},
        {"tool_published": True},
        {"created_at": "1795475205"},  # a time, but no number
    ):
        mutated = replace(exchange, answer=exchange.answer | change)
        assert compare(mutated, answer, bound), change


def _without_one_field(exchange: Exchange) -> Iterator[tuple[str, Exchange]]:
    """*exchange* as often as its answer has fields, at the top and one level below."""
    body = exchange.answer
    if not isinstance(body, dict):
        return
    for path in _paths(body):
        mutated = copy.deepcopy(body)
        holder: Any = mutated
        for step in path[:-1]:
            holder = holder[step]
        del holder[path[-1]]
        yield str(path), replace(exchange, answer=mutated)


def _paths(body: dict[str, Any]) -> Iterator[tuple[str | int, ...]]:
    for key, value in body.items():
        yield (key,)
        if isinstance(value, dict):
            yield from ((key, inner) for inner in value)
        if isinstance(value, list) and value and isinstance(value[0], dict):
            yield from ((key, 0, inner) for inner in value[0])
