"""Dify ill in every way, before and during a rollback: old or new is live, and the card says which.

The tests speak of the real service, a real SQLite file and a Dify over HTTP that is made ill.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from datetime import timedelta

import pytest

from bot.playground.dify.faults import Fault
from bot.playground.dify.server import start as start_dify
from bot.playground.slack import people
from bot.playground.story import seed
from bot.playground.story.workflow import APP
from store.records import Rollback, State
from tests import ports
from tests.acceptance.impatient import (
    approved_by_both,
    impatient,
    look_again,
    read_card,
    said,
    thread,
)
from tests.acceptance.world import LOOPBACK, VOTERS, WHERE, Was, World, with_button

MANY = 40  # more than any step is tried
LEASE_S = 6  # renewed in time by a process that gets a core only now and then
GOOD_END, NO_END = "read back and is what was approved", "Nothing of ours went live"


async def check(world: World, ended: Rollback, was: Was, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever happened: one of two versions is live, published once at most, and it is told."""
    done = ended.state is State.COMPLETED
    assert world.live.hash == (was.good if done else was.bad)
    assert len(world.published_by(ended)) == done
    assert len(world.dify.state.versions(APP)) == was.versions + done
    assert (GOOD_END if done else NO_END) in world.card_text()
    assert ended.outcome in [getattr(record, "outcome", "") for record in caplog.records]
    assert world.secrets["DIFY_PASSWORD"] not in caplog.text
    assert (await world.audit()).ok
    assert not world.slack.state.problems


@pytest.fixture(autouse=True)
def _log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


# -- before there is a rollback -----------------------------------------------------------------


async def test_while_dify_is_down_there_are_facts_alone_and_the_card_comes_once_it_is_back(
    world: World,
) -> None:
    async with impatient(world):
        await world.read_history()
        world.break_it()
        port = int(world.dify.url.rpartition(":")[2])
        await world.dify.stop()
        with ports.kept(port):
            alert = await world.fire()
            facts = await read_card(world, "does not answer")
            assert alert.fingerprint in said(facts)
            assert not with_button(world.slack.state)
            await look_again(world)
            await world.until(lambda: _told(world))
            assert not with_button(world.slack.state)

        back = await start_dify(LOOPBACK, port, state=world.dify.state)
        try:
            await look_again(world)
            card = await world.card()
        finally:
            await back.stop()

    assert card.ts == facts.ts, "it is the same card"
    assert len(world.slack.state.messages(people.INCIDENTS)) == 1
    assert not world.slack.state.problems


async def _told(world: World) -> bool:
    """Nothing is due and nothing waits to be sent."""
    async with world.store.read() as tx:
        return not await tx.cases.due([WHERE]) and not await tx.outbox.waiting()


async def test_a_wrong_password_is_named_on_the_card_and_tried_once(world: World) -> None:
    account = world.dify.state.account(seed.BOT_EMAIL)
    account.password = secrets.token_urlsafe(12)
    async with impatient(world):
        await world.fire()
        card = await read_card(world, "refuses our login")
        for _ in range(3):
            await look_again(world)
            await world.until(lambda: _told(world))

    assert world.dify.state.faults.count("login") == 1
    assert "Check the bot's account and password" in said(card)
    assert not with_button(world.slack.state)
    assert world.secrets["DIFY_PASSWORD"] not in str(world.slack.state.everything())


async def test_a_password_changed_before_the_second_key_is_named_and_tried_once(
    world: World,
) -> None:
    async with impatient(world):
        was = await world.go()
        logins = world.dify.state.faults.count("login")
        _change_password(world)
        await world.turn_second_key()
        await world.slack.state.until(lambda _: "refuses our login" in thread(world), within=30)
        await world.until(lambda: _told(world))

    assert world.dify.state.faults.count("login") == logins + 1
    assert world.live.hash == was.bad
    assert world.draft.hash == was.unpublished


def _change_password(world: World) -> None:
    """Change the bot's password and end its sessions, as an owner does in the console."""
    state = world.dify.state
    state.account(seed.BOT_EMAIL).password = secrets.token_urlsafe(12)
    state.auth.expire_access_tokens()
    state.auth.forget_refresh_tokens()


async def test_a_version_without_nodes_is_not_suggested_and_not_to_be_had(world: World) -> None:
    state = world.dify.state
    hours_ago = state.clock() - timedelta(hours=3)
    state.publish_directly(APP, graph={"nodes": [], "edges": []}, at=hours_ago)
    empty = len(state.versions(APP))
    async with impatient(world):
        await world.read_history()
        world.break_it()
        await world.fire()
        card = await world.card()
        asked = f"to {WHERE} {empty}"
        await world.slack.driver.command(people.DAVE, people.INCIDENTS, "/rollback", asked)
        await world.slack.state.until(
            lambda s: any("no nodes" in m.text for m in s.ephemerals_to(people.DAVE)), within=30
        )

    assert f"v{empty + 1} → v{empty - 1}" in said(card)


async def test_clicks_do_not_wait_behind_a_command_that_a_hanging_dify_holds_up(
    world: World,
) -> None:
    slack, faults = world.slack, world.dify.state.faults
    async with impatient(world, call_s=60.0):
        await world.go()
        faults.add("versions", Fault.HANG)
        asked = f"to {WHERE} 1"
        await slack.driver.command(people.DAVE, people.INCIDENTS, "/rollback", asked)
        await asyncio.wait_for(faults.hanging("versions"), 30)
        await world.turn_second_key()
        await slack.state.until(
            lambda s: any("2 of 2" in m.text for m in s.ephemerals_to(VOTERS[1])), within=10
        )
        faults.clear()


# -- during the rollback ------------------------------------------------------------------------

ONCE = [
    ("published_get", Fault.UNAVAILABLE),
    ("draft_get", Fault.ERROR),
    ("draft_get", Fault.TRUNCATED),
    ("draft_sync", Fault.ERROR),
    ("draft_sync", Fault.ERROR_AFTER),
    ("draft_sync", Fault.DROP),
    ("draft_sync", Fault.DROP_AFTER),
    ("draft_sync", Fault.EXPIRED),
    ("draft_sync", Fault.HTML_AFTER),
    ("publish", Fault.ERROR),
    ("publish", Fault.ERROR_AFTER),
    ("publish", Fault.UNAVAILABLE),
    ("publish", Fault.DROP_AFTER),
    ("publish", Fault.EXPIRED),
    ("publish", Fault.TRUNCATED),
]


@pytest.mark.parametrize(("route", "fault"), ONCE, ids=[f"{r}-{f}" for r, f in ONCE])
async def test_one_fault_on_the_way_costs_a_moment_and_nothing_else(
    world: World, caplog: pytest.LogCaptureFixture, route: str, fault: Fault
) -> None:
    async with impatient(world):
        was = await world.go()
        world.dify.state.faults.add(route, fault)
        ended = await approved_by_both(world)

    assert ended.state is State.COMPLETED, ended.outcome
    assert world.draft.hash == was.unpublished
    await check(world, ended, was, caplog)


async def test_an_expired_token_is_renewed_without_another_login(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    faults = world.dify.state.faults
    async with impatient(world):
        was = await world.go()
        logins, renewed = faults.count("login"), faults.count("refresh")
        for route in ("draft_sync", "publish"):
            faults.before(route, world.dify.state.auth.expire_access_tokens)
        ended = await approved_by_both(world)

    assert ended.state is State.COMPLETED, ended.outcome
    assert (faults.count("login"), faults.count("refresh")) == (logins, renewed + 2)
    await check(world, ended, was, caplog)


@pytest.mark.parametrize("route", ["draft_get", "draft_sync", "publish"])
@pytest.mark.parametrize("fault", [Fault.HANG, Fault.HANG_AFTER])
async def test_a_call_that_hangs_is_given_up_and_looked_into(
    world: World, caplog: pytest.LogCaptureFixture, route: str, fault: Fault
) -> None:
    async with impatient(world, call_s=0.5):
        was = await world.go()
        world.dify.state.faults.add(route, fault)
        ended = await approved_by_both(world)
        world.dify.state.faults.clear()

    assert ended.state is State.COMPLETED, ended.outcome
    assert "keep trying" in thread(world)
    await check(world, ended, was, caplog)


async def test_a_slow_answer_is_waited_for_longer_than_a_lease(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    faults = world.dify.state.faults
    async with impatient(world, call_s=60.0, KEYTURN_EXECUTION_LEASE=f"{LEASE_S}s"):
        was = await world.go()
        faults.add("publish", Fault.HANG_AFTER)
        await world.turn_second_key()
        await faults.hanging("publish")
        first = await _lease_until(world)
        await world.until(lambda: _renewed_since(world, first))
        faults.release()
        ended = await world.ended()

    assert ended.state is State.COMPLETED, ended.outcome
    assert ended.execution.attempt == 0, "nobody took it over"
    await check(world, ended, was, caplog)


async def _lease_until(world: World) -> float:
    async with world.store.read() as tx:
        until = (await tx.rollbacks.newest(limit=1))[0].execution.lease_until
    assert until is not None
    return until.timestamp()


async def _renewed_since(world: World, first: float) -> bool:
    return await _lease_until(world) > first + LEASE_S


async def test_an_editors_save_in_between_is_theirs_to_keep(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    state = world.dify.state
    saved: list[str] = []

    def save() -> None:
        graph = {**world.draft.graph, "viewport": {"x": 9, "y": 9, "zoom": 1}}
        saved.append(state.save_draft_as_editor(APP, graph=graph, by="carol"))

    async with impatient(world):
        was = await world.go()
        state.faults.before("draft_sync", save)
        ended = await approved_by_both(world)

    assert ended.state is State.COMPLETED, ended.outcome
    assert world.draft.hash == saved[-1]
    await check(world, ended, was, caplog)


REFUSALS = [
    (Fault.ERROR, "target_down"),
    (Fault.DROP, "target_down"),
    (Fault.REDIRECT, "target_refused"),
]


@pytest.mark.parametrize(("fault", "outcome"), REFUSALS, ids=[str(f) for f, _ in REFUSALS])
async def test_a_publish_that_never_works_leaves_the_old_version_and_the_editors_draft(
    world: World, caplog: pytest.LogCaptureFixture, fault: Fault, outcome: str
) -> None:
    async with impatient(world):
        was = await world.go()
        world.dify.state.faults.add("publish", *[fault] * MANY)
        ended = await approved_by_both(world)

    assert (ended.state, ended.outcome) == (State.FAILED, outcome)
    assert world.draft.hash == was.unpublished
    await check(world, ended, was, caplog)


async def test_dify_gone_for_good_after_the_publish_calls_people_and_claims_nothing(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    faults = world.dify.state.faults
    async with impatient(world):
        was = await world.go()
        faults.before("publish", lambda: faults.add("published_get", *[Fault.DROP] * MANY))
        ended = await approved_by_both(world)

    assert (ended.state, ended.outcome) == (State.NEEDS_ATTENTION, "outcome_unknown")
    assert "do not know which version is live" in world.card_text()
    assert ended.outcome in [getattr(record, "outcome", "") for record in caplog.records]
    assert len(world.published_by(ended)) == 1
    assert world.live.hash == was.good


async def test_a_password_changed_during_the_execution_ends_it_before_the_first_write(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    faults = world.dify.state.faults
    async with impatient(world):
        was = await world.go()
        logins = faults.count("login")
        faults.before("draft_get", lambda: _change_password(world))
        ended = await approved_by_both(world)

    assert (ended.state, ended.outcome) == (State.FAILED, "login_refused")
    assert faults.count("login") == logins + 1
    assert world.draft.hash == was.unpublished
    await check(world, ended, was, caplog)
