"""Our history follows the target's: numbered, in order, and cheap while nothing happens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from datetime import timedelta

import pytest

from bot.domain import marker
from bot.domain.words import OutcomeCode
from bot.errors import UpstreamDown, UpstreamRefused
from bot.ports.store import Store
from bot.ports.target import TargetVersion
from bot.services.outdate import outdate
from bot.services.snapshot import AT_ONCE, BATCH, FIRST_CONTACT
from store.records import AppEnv, Corrupt, State, Unavailable, Version, VersionSource
from tests.builders import CHANNEL, NOON, PROD
from tests.fakes.target import FakeTarget
from tests.unit.services.execution_scene import APP, BAD, EDIT, GOOD, WIP, ExecutionScene
from tests.unit.services.scene import a_document

STAGING = AppEnv("support-triage", "staging")
BILLING = AppEnv("billing", "prod")
DOWN = UpstreamDown("dify.test", "no answer")


@pytest.fixture
def scene(sqlite_store: Store) -> ExecutionScene:
    return ExecutionScene.of(sqlite_store)


def published(scene: ExecutionScene, how_many: int) -> list[str]:
    """Publish so many versions, a minute apart; return their ids, oldest first."""
    return [
        scene.target.publish_document(
            APP, a_document(f"Version {n}."), at=NOON - timedelta(minutes=how_many - n)
        )
        for n in range(1, how_many + 1)
    ]


def numbers(versions: Iterable[Version]) -> list[int | None]:
    return [version.number for version in versions]


def another_app(scene: ExecutionScene, where: AppEnv, name: str) -> FakeTarget:
    target = FakeTarget(name)
    target.add_app(APP)
    target.publish_document(APP, GOOD)
    scene.places[where] = (target, APP)
    return target


# -- first contact ------------------------------------------------------------------------------


async def test_first_contact_imports_the_newest_twenty_numbered_by_how_many_there_are(
    scene: ExecutionScene,
) -> None:
    ids = published(scene, 45)

    found = await scene.snapshot.refresh(PROD)

    assert numbers(found) == list(range(26, 46))
    assert [version.external_id for version in found] == ids[-FIRST_CONTACT:]
    assert scene.target.calls == ["history", "count_versions", "history", "count_versions"]


async def test_a_short_history_is_there_at_once(scene: ExecutionScene) -> None:
    published(scene, 3)

    assert numbers(await scene.snapshot.refresh(PROD)) == [1, 2, 3]
    assert scene.target.calls == ["history"], "where that is all there is nothing is counted"


async def test_an_app_without_a_version_has_no_history(scene: ExecutionScene) -> None:
    assert await scene.snapshot.refresh(PROD) == []
    assert await scene.snapshot.sweep() == []


async def test_a_publish_while_we_count_does_not_give_two_versions_one_number(
    scene: ExecutionScene,
) -> None:
    published(scene, 2)
    scene.target.before("history", scene.publish_by_hand)

    assert numbers(await scene.snapshot.refresh(PROD)) == [1, 2, 3]


@pytest.mark.parametrize("before", [0, 1])
@pytest.mark.parametrize("between", ["history", "count_versions"])
async def test_a_publish_while_many_are_counted_leaves_every_version_its_own_number(
    scene: ExecutionScene, between: str, before: int
) -> None:
    published(scene, 30)
    for _ in range(before):
        scene.target.before(between, lambda: None)
    scene.target.before(between, scene.publish_by_hand)

    assert numbers(await scene.snapshot.refresh(PROD)) == list(range(12, 32))


async def test_versions_that_never_stand_still_are_counted_another_time(
    scene: ExecutionScene,
) -> None:
    published(scene, 30)
    for _ in range(10):
        scene.target.before("history", scene.publish_by_hand)

    with pytest.raises(UpstreamDown):
        await scene.snapshot.refresh(PROD)
    assert await scene.history() == []


async def test_older_history_comes_in_batches_down_to_the_first_and_then_costs_nothing(
    scene: ExecutionScene,
) -> None:
    ids = published(scene, 45)
    snapshot = scene.snapshot
    await snapshot.refresh(PROD)

    assert await snapshot.backfill()
    assert min(version.number or 0 for version in await scene.history()) == 26 - BATCH
    assert await snapshot.backfill()

    history = await scene.history()
    assert [version.external_id for version in history] == ids
    assert numbers(history) == list(range(1, 46))
    scene.target.calls.clear()
    assert not await snapshot.backfill()
    assert not await snapshot.backfill()
    assert scene.target.calls == []


async def test_backfill_goes_on_in_another_process_where_it_was_left(scene: ExecutionScene) -> None:
    published(scene, 45)
    await scene.snapshot.refresh(PROD)
    await scene.snapshot.backfill()
    published(scene, 1)
    await scene.snapshot.refresh(PROD)

    while await scene.snapshot.backfill():
        pass

    assert numbers(await scene.history()) == list(range(1, 47))


async def test_backfill_waits_for_first_contact(scene: ExecutionScene) -> None:
    published(scene, 45)
    snapshot = scene.snapshot

    assert not await snapshot.backfill()
    assert scene.target.calls == []
    await snapshot.refresh(PROD)
    assert await snapshot.backfill()


async def test_versions_deleted_in_the_target_do_not_keep_backfill_busy(
    scene: ExecutionScene,
) -> None:
    ids = published(scene, 45)
    snapshot = scene.snapshot
    await snapshot.refresh(PROD)
    for gone in (*ids[:10], ids[25]):  # the oldest ones, and the oldest that we know
        scene.target.delete_version(APP, gone)

    while await snapshot.backfill():
        pass
    scene.target.calls.clear()

    assert not await snapshot.backfill()
    assert scene.target.calls == []
    history = await scene.history()
    assert [version.external_id for version in history] == ids[10:]
    assert numbers(history) == list(range(11, 46))


async def test_a_batch_is_read_from_where_the_last_one_ended(scene: ExecutionScene) -> None:
    published(scene, 25 + 2 * BATCH)
    snapshot, starts = scene.snapshot, []
    await snapshot.refresh(PROD)
    history = scene.target.history

    def noted(app_id: str, *, start: int = 0) -> AsyncIterator[TargetVersion]:
        starts.append(start)
        return history(app_id, start=start)

    scene.target.history = noted  # type: ignore[method-assign]
    while await snapshot.backfill():
        pass

    assert starts == [FIRST_CONTACT - 1, FIRST_CONTACT + BATCH - 1, FIRST_CONTACT + 2 * BATCH - 1]


async def test_an_app_whose_history_cannot_be_read_does_not_hold_up_the_backfill_of_others(
    scene: ExecutionScene,
) -> None:
    published(scene, 25)
    other = another_app(scene, BILLING, "dify.other")
    for n in range(30):
        other.publish_document(APP, a_document(f"Bill {n}."))
    snapshot = scene.snapshot
    await snapshot.sweep()
    scene.always("history", DOWN)

    assert await snapshot.backfill()

    assert numbers(await scene.history(BILLING)) == list(range(1, 32))
    with pytest.raises(UpstreamDown):
        await snapshot.backfill()


# -- later --------------------------------------------------------------------------------------


async def test_a_publish_is_noticed_and_what_did_not_change_costs_one_line_of_a_list(
    scene: ExecutionScene,
) -> None:
    scene.places[STAGING] = (scene.target, "app-2")
    scene.target.add_app("app-2")
    scene.publish(GOOD, app_id="app-2")
    scene.publish(GOOD)
    await scene.snapshot.sweep()
    scene.target.calls.clear()

    assert await scene.snapshot.sweep() == []
    assert scene.target.calls == ["list_live"]

    scene.publish_by_hand(BAD)
    scene.target.calls.clear()
    (found,) = await scene.snapshot.sweep()

    assert (found.where, found.number, found.author) == (PROD, 2, "carol")
    assert scene.target.calls == ["list_live", "history"]


async def test_several_publishes_between_two_looks_are_all_recorded_in_order(
    scene: ExecutionScene,
) -> None:
    scene.publish(GOOD)
    await scene.snapshot.sweep()
    ids = [scene.publish_by_hand(a_document(f"{n}")) for n in range(25)]

    found = await scene.snapshot.sweep()

    assert [version.external_id for version in found] == ids
    assert numbers(found) == list(range(2, 27))


async def test_the_newest_one_that_we_knew_may_have_been_deleted_in_the_target(
    scene: ExecutionScene,
) -> None:
    published(scene, 3)
    await scene.snapshot.sweep()
    known = scene.target.apps[APP].live_id
    new = scene.publish_by_hand()
    scene.target.delete_version(APP, known)

    (found,) = await scene.snapshot.sweep()

    assert (found.external_id, found.number) == (new, 4)


async def test_the_same_content_published_again_is_a_version_of_its_own(
    scene: ExecutionScene,
) -> None:
    scene.publish(GOOD)
    await scene.snapshot.sweep()
    scene.publish_by_hand(GOOD)

    (found,) = await scene.snapshot.sweep()

    assert (found.number, found.root) == (2, GOOD.root)


async def test_one_id_under_two_names_is_two_apps_read_by_one_list(scene: ExecutionScene) -> None:
    scene.places[STAGING] = (scene.target, APP)
    scene.publish(GOOD)

    found = await scene.snapshot.sweep()

    assert {version.where for version in found} == {PROD, STAGING}
    assert scene.target.calls.count("list_live") == 1


@pytest.mark.parametrize("error", [DOWN, UpstreamRefused("dify.test", "no"), OverflowError()])
async def test_a_workspace_that_cannot_be_read_does_not_hold_up_others(
    scene: ExecutionScene, error: Exception
) -> None:
    scene.publish(GOOD)
    another_app(scene, BILLING, "dify.other")
    scene.always("list_live", error)

    with pytest.raises(type(error)):
        await scene.snapshot.sweep()

    assert numbers(await scene.history(BILLING)) == [1]
    assert await scene.history(PROD) == []


@pytest.mark.parametrize("error", [DOWN, Corrupt("not what was stored")])
async def test_an_app_that_cannot_be_read_does_not_hold_up_others_of_its_workspace(
    scene: ExecutionScene, error: Exception
) -> None:
    scene.publish(GOOD)
    scene.target.add_app("app-2")
    scene.publish(BAD, app_id="app-2")
    scene.places[BILLING] = (scene.target, "app-2")
    scene.target.fail("history", error)

    with pytest.raises(type(error)):
        await scene.snapshot.sweep()

    read = [where for where in (PROD, BILLING) if await scene.history(where)]
    assert len(read) == 1  # they are read together: either may have met the error
    (found,) = await scene.snapshot.sweep()
    assert {*read, found.where} == {PROD, BILLING}


async def test_of_many_apps_a_few_are_read_at_once_and_found_in_their_order(
    scene: ExecutionScene,
) -> None:
    now = most = 0
    as_many_as_may = asyncio.Event()

    async def reading() -> None:
        nonlocal now, most
        now += 1
        most = max(most, now)
        if now == AT_ONCE:
            for number in range(3 * AT_ONCE):  # whoever came as well would be here after these
                await scene.history(AppEnv(f"many-{number}", "prod"))
            as_many_as_may.set()
        await as_many_as_may.wait()
        now -= 1

    for number in range(3 * AT_ONCE):
        scene.target.add_app(f"many-{number}")
        scene.publish(GOOD, app_id=f"many-{number}")
        scene.places[AppEnv(f"many-{number}", "prod")] = (scene.target, f"many-{number}")
        scene.target.before("history", reading)

    async with asyncio.timeout(10):
        found = await scene.snapshot.sweep()

    assert [version.where.app for version in found] == [f"many-{n}" for n in range(3 * AT_ONCE)]
    assert most == AT_ONCE


async def test_a_lost_database_ends_the_look_at_all_apps_as_what_it_is(
    scene: ExecutionScene,
) -> None:
    scene.target.add_app("app-2")
    scene.publish(GOOD, app_id="app-2")
    scene.places[BILLING] = (scene.target, "app-2")
    scene.publish(GOOD)
    scene.target.fail("history", Unavailable("lost"))

    with pytest.raises(Unavailable):
        await scene.snapshot.sweep()


# -- whose publish it was -----------------------------------------------------------------------


async def test_only_the_name_with_our_nonce_makes_a_publish_ours(scene: ExecutionScene) -> None:
    rollback = await scene.approved()
    ours = marker.name_of(rollback)
    names = [ours, f"rollback-{rollback.id}-bad", "rollback-99999-00ff", "v1.2"]
    for n, name in enumerate(names):
        scene.target.publish_document(APP, a_document(f"{n}"), name=name)

    found = await scene.snapshot.sweep()

    assert [version.source for version in found] == [
        VersionSource.ROLLBACK,
        VersionSource.PUBLISHED,
        VersionSource.PUBLISHED,
        VersionSource.PUBLISHED,
    ]
    assert [version.external_name for version in found] == names


# -- an open rollback loses its ground ----------------------------------------------------------


async def test_an_open_rollback_is_outdated_by_a_publish_and_its_case_is_looked_at_again(
    scene: ExecutionScene,
) -> None:
    scene.publish(GOOD, BAD)
    pending = await scene.asked(1)
    scene.publish_by_hand(EDIT)

    await scene.snapshot.sweep()

    after = await scene.rollback(pending)
    assert (after.state, after.outcome) == (State.SUPERSEDED, OutcomeCode.LIVE_CHANGED)
    assert after.finished_at is not None
    assert (await scene.case(pending)).assess_at is not None
    assert scene.nudged
    (entry,) = await scene.entries("rollback.superseded")
    assert entry.what == {"app": str(PROD), "outcome": "live_changed"}
    assert await scene.told_codes() == ["ended"]
    assert scene.messenger.drawn[-1].state is State.SUPERSEDED


async def test_a_return_by_hand_leaves_nothing_to_look_for(scene: ExecutionScene) -> None:
    scene.publish(GOOD, BAD)
    pending = await scene.asked(1)
    scene.publish_by_hand(GOOD)

    await scene.snapshot.sweep()

    after = await scene.rollback(pending)
    assert (after.state, after.outcome) == (State.SUPERSEDED, OutcomeCode.ALREADY_LIVE)
    assert (await scene.case(pending)).assess_at is None
    async with scene.store.read() as tx:
        assert await tx.versions.condemned(PROD) == frozenset()


async def test_an_approved_rollback_that_has_not_begun_is_outdated_too(
    scene: ExecutionScene,
) -> None:
    rollback = await scene.approved()
    scene.publish_by_hand(EDIT)

    await scene.snapshot.sweep()

    assert (await scene.rollback(rollback)).state is State.SUPERSEDED


async def test_one_that_is_being_executed_is_left_to_its_executor(scene: ExecutionScene) -> None:
    rollback = await scene.approved()

    async def look() -> None:
        await scene.snapshot.sweep()

    scene.at(9, look)  # published, and not read back yet
    ended = await scene.run(rollback)

    assert ended.state is State.COMPLETED
    assert numbers(await scene.history()) == [1, 2, 3]
    assert ended.outcome_facts["number"] == 3
    assert scene.nudged == []


async def test_a_publish_elsewhere_outdates_nothing_here(scene: ExecutionScene) -> None:
    scene.publish(GOOD, BAD)
    pending = await scene.asked(1)
    another_app(scene, BILLING, "dify.other").publish_document(APP, WIP)

    await scene.snapshot.sweep()

    assert (await scene.rollback(pending)).state is State.PENDING_APPROVAL
    assert (await scene.case(pending)).channel == CHANNEL


async def test_a_version_that_the_rollback_stands_on_does_not_outdate_it(
    scene: ExecutionScene,
) -> None:
    """Whoever recorded it says so after the rollback was opened on it."""
    scene.publish(GOOD, BAD)
    pending = await scene.asked(1)
    live = (await scene.history())[-1]

    async with scene.store.write() as tx:
        assert not await outdate(tx, PROD, live=live)

    assert (await scene.rollback(pending)).open


async def test_a_history_of_which_we_know_nothing_any_more_is_recorded_as_new(
    scene: ExecutionScene,
) -> None:
    scene.publish(GOOD)
    await scene.snapshot.sweep()
    app = scene.target.apps[APP]
    scene.publish_by_hand()
    app.history = app.history[-1:]

    assert numbers(await scene.snapshot.sweep()) == [2]
