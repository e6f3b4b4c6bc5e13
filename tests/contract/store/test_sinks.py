"""Where events are sent: each app in its order, by one worker at a time."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from store.records import AppEnv, Consignment, Keeping, PauseOrigin, Stale
from store.session import SqlStore
from store.sinks import Sinks
from tests.builders import PROD
from tests.contract.store.raw import Hand, run
from tests.contract.store.things import OTHER, a_document, an_entry, new_version, recorded

LEASE = timedelta(seconds=60)
MINUTE = timedelta(minutes=1)
LAKE, HOOK = "lake", "hook"


async def publish(store: SqlStore, count: int, where: AppEnv = PROD, prefix: str = "v") -> None:
    for number in range(count):
        name = f"{prefix}{number}"
        await recorded(store, new_version(name, where=where), a_document(name))


async def follow(store: SqlStore, *names: str, from_start: bool = False) -> None:
    async with store.write() as tx:
        await tx.sinks.follow(dict.fromkeys(names, from_start))


async def claim(
    store: SqlStore, *names: str, owner: str = "one", limit: int = 100
) -> Consignment | None:
    async with store.write() as tx:
        return await tx.sinks.claim(names, owner, lease=LEASE, limit=limit)


async def held(store: SqlStore, *names: str, owner: str = "one") -> Consignment:
    found = await claim(store, *names, owner=owner)
    assert found is not None
    return found


async def settle(store: SqlStore, consigned: Consignment, owner: str = "one") -> None:
    async with store.write() as tx:
        await tx.sinks.delivered(
            consigned,
            owner=owner,
            through=consigned.through,
            sent=len(consigned.announcements),
        )


def numbers(consigned: Consignment) -> list[int]:
    return [one.sequence for one in consigned.announcements]


async def test_a_new_sink_begins_now(store: SqlStore) -> None:
    await publish(store, 3)
    await follow(store, LAKE)
    assert await claim(store, LAKE) is None

    await publish(store, 2, prefix="w")

    assert numbers(await held(store, LAKE)) == [4, 5]


async def test_or_with_all_that_is_kept(store: SqlStore) -> None:
    await publish(store, 3)

    await follow(store, LAKE, from_start=True)

    assert numbers(await held(store, LAKE)) == [1, 2, 3]


async def test_an_app_that_is_new_is_told_from_its_first_event_on(store: SqlStore) -> None:
    await follow(store, LAKE)

    await publish(store, 2, OTHER)

    found = await held(store, LAKE)
    assert (found.where, numbers(found)) == (OTHER, [1, 2])


async def test_knowing_a_sink_again_changes_nothing_where_it_stands(store: SqlStore) -> None:
    await follow(store, LAKE)
    await publish(store, 2)
    await settle(store, await held(store, LAKE))
    await publish(store, 1, prefix="w")

    await follow(store, LAKE, from_start=True)

    assert numbers(await held(store, LAKE)) == [3]


async def test_an_app_is_held_by_one_worker_at_a_time(store: SqlStore) -> None:
    await follow(store, LAKE)
    await publish(store, 4)

    found = await asyncio.gather(*(claim(store, LAKE, owner=f"w{n}") for n in range(5)))

    assert len([one for one in found if one is not None]) == 1


async def test_other_apps_and_other_sinks_do_not_wait(store: SqlStore) -> None:
    await follow(store, LAKE, HOOK)
    await publish(store, 1)
    await publish(store, 1, OTHER)

    found = {(one.sink, one.where) for one in [await held(store, LAKE, HOOK) for _ in range(4)]}

    assert found == {(LAKE, PROD), (LAKE, OTHER), (HOOK, PROD), (HOOK, OTHER)}
    assert await claim(store, LAKE, HOOK) is None


async def test_who_lost_the_lease_settles_nothing(timed_store: SqlStore, hand: Hand) -> None:
    await follow(timed_store, LAKE)
    await publish(timed_store, 2)
    late = await held(timed_store, LAKE, owner="late")
    hand.pass_by(LEASE + MINUTE)
    quick = await held(timed_store, LAKE, owner="quick")

    with pytest.raises(Stale):
        await settle(timed_store, late, "late")
    await settle(timed_store, quick, "quick")

    assert await claim(timed_store, LAKE) is None


async def test_a_sink_that_is_down_rests_as_a_whole_and_alone(
    timed_store: SqlStore, hand: Hand
) -> None:
    await follow(timed_store, LAKE, HOOK)
    await publish(timed_store, 1)
    await publish(timed_store, 1, OTHER)
    lost = await held(timed_store, HOOK)
    async with timed_store.write() as tx:
        await tx.sinks.down(lost, owner="one", delay=MINUTE, error="HTTP 503")

    assert await claim(timed_store, HOOK) is None
    assert await claim(timed_store, LAKE) is not None
    hand.pass_by(MINUTE)
    again = await held(timed_store, HOOK)
    assert again.failures == 1
    assert numbers(again) == [1]


async def test_an_event_that_is_refused_holds_back_its_app_alone(
    timed_store: SqlStore, hand: Hand
) -> None:
    await follow(timed_store, HOOK)
    await publish(timed_store, 2)
    await publish(timed_store, 1, OTHER)
    lost = await held(timed_store, HOOK)
    async with timed_store.write() as tx:
        await tx.sinks.refused(lost, owner="one", delay=MINUTE, error="HTTP 400")

    other = await held(timed_store, HOOK)
    assert other.where != lost.where
    assert await claim(timed_store, HOOK) is None
    hand.pass_by(MINUTE)
    again = await held(timed_store, HOOK)
    assert (again.where, again.attempts, again.announcements) == (
        lost.where,
        1,
        lost.announcements,
    )


async def test_what_is_given_up_is_recorded_and_what_follows_is_held(store: SqlStore) -> None:
    await follow(store, HOOK)
    await publish(store, 3)
    lost = await held(store, HOOK)
    async with store.write() as tx:
        entry = an_entry("events.give_up")
        await tx.sinks.give_up(lost, owner="one", through=2, count=2, entry=entry)
        await tx.sinks.down(lost, owner="one", delay=timedelta(), error="HTTP 503")

    assert numbers(await held(store, HOOK)) == [3]
    async with store.read() as tx:
        (state,) = await tx.sinks.states(seen_within=MINUTE)
        assert (await tx.audit.entries())[-1].action == "events.give_up"
    assert (state.given_up, state.failed, state.waiting) == (2, 1, 1)


async def test_since_when_a_sink_fails_is_kept_until_it_takes_something(
    timed_store: SqlStore, hand: Hand
) -> None:
    await follow(timed_store, HOOK)
    await publish(timed_store, 3)
    began = hand.at
    for _ in range(2):
        async with timed_store.write() as tx:
            lost = await tx.sinks.claim([HOOK], "one", lease=LEASE, limit=2)
            assert lost is not None
            await tx.sinks.refused(lost, owner="one", delay=MINUTE, error="HTTP 400")
        hand.pass_by(MINUTE)
    lost = await held(timed_store, HOOK)
    assert (lost.failing_since, lost.attempts) == (began, 2)
    async with timed_store.write() as tx:
        entry = an_entry("events.give_up")
        await tx.sinks.give_up(lost, owner="one", through=1, count=1, entry=entry)
        await tx.sinks.down(lost, owner="one", delay=MINUTE, error="HTTP 503")
    hand.pass_by(MINUTE)

    still = await held(timed_store, HOOK)
    assert (still.failing_since, still.attempts, numbers(still)) == (began, 3, [2, 3])
    async with timed_store.write() as tx:
        await tx.sinks.delivered(still, owner="one", through=2, sent=1)

    well = await held(timed_store, HOOK)
    assert (well.failing_since, well.attempts) == (None, 0)


@pytest.mark.parametrize("how", ["rewound", "nobody there"])
async def test_a_sink_that_is_rewound_or_was_not_tried_for_long_begins_anew(
    timed_store: SqlStore, hand: Hand, how: str
) -> None:
    await follow(timed_store, HOOK)
    await publish(timed_store, 2)
    lost = await held(timed_store, HOOK)
    async with timed_store.write() as tx:
        await tx.sinks.down(lost, owner="one", delay=MINUTE, error="HTTP 503")
    hand.pass_by(timedelta(hours=1))
    await follow(timed_store, HOOK)  # as a process does now and then
    if how == "rewound":
        async with timed_store.write() as tx:
            assert await tx.sinks.rewind(HOOK, PROD, 0, entry=an_entry("events.send_again")) == 0
    else:
        async with timed_store.write() as tx:
            before = await tx.sinks.claim([HOOK], "one", lease=LEASE, limit=1)
        assert before is not None
        assert before.failing_since is not None
        hand.pass_by(timedelta(days=4))
        await follow(timed_store, HOOK)

    assert (await held(timed_store, HOOK)).failing_since is None


async def test_how_a_sink_stands_is_counted_over_all_processes(store: SqlStore) -> None:
    await follow(store, HOOK, LAKE)
    await publish(store, 3)
    await settle(store, await held(store, HOOK))

    async with store.read() as tx:
        hook, lake = await tx.sinks.states(seen_within=MINUTE)

    assert (hook.sent, hook.waiting, hook.oldest) == (3, 0, None)
    assert (lake.sent, lake.waiting) == (0, 3)
    assert lake.oldest is not None


async def test_a_copy_sends_nothing_before_it_is_resumed(store: SqlStore) -> None:
    await follow(store, HOOK)
    await publish(store, 1)
    async with store.write() as tx:
        await tx.pause.mark(PauseOrigin.COPY, "copied", entry=None)

    assert await claim(store, HOOK) is None
    async with store.write() as tx:
        await tx.pause.lift(entry=an_entry("resume"))
    assert numbers(await held(store, HOOK)) == [1]


async def test_a_pause_of_a_persons_holds_up_no_events(store: SqlStore) -> None:
    await follow(store, HOOK)
    await publish(store, 1)
    async with store.write() as tx:
        await tx.pause.mark(PauseOrigin.PERSON, "looking", entry=an_entry("pause"))

    assert numbers(await held(store, HOOK)) == [1]


async def test_a_sink_that_is_rewound_gets_the_same_events_again(store: SqlStore) -> None:
    await follow(store, HOOK)
    await publish(store, 3)
    first = await held(store, HOOK)
    await settle(store, first)
    async with store.write() as tx:
        assert await tx.sinks.rewind(HOOK, PROD, 1, entry=an_entry("events.send_again")) == 3
        assert await tx.sinks.rewind("another", PROD, 1, entry=an_entry("none")) is None

    again = await held(store, HOOK)
    assert again.announcements == first.announcements[1:]


async def test_a_sink_is_never_moved_over_what_it_has_not_got(store: SqlStore) -> None:
    await follow(store, HOOK)
    await publish(store, 1)
    await settle(store, await held(store, HOOK))
    await publish(store, 3)
    async with store.write() as tx:
        assert await tx.sinks.rewind(HOOK, PROD, 2, entry=an_entry("none")) == 1

    assert numbers(await held(store, HOOK)) == [2, 3]
    async with store.read() as tx:
        assert "none" not in {entry.action for entry in await tx.audit.entries()}


async def test_what_was_sent_long_ago_is_cleared_away_and_what_waits_stays(
    timed_store: SqlStore, hand: Hand
) -> None:
    keeping = Keeping(events=timedelta(days=2))
    await follow(timed_store, HOOK)
    await publish(timed_store, 3)
    hand.pass_by(timedelta(days=3))
    await follow(timed_store, HOOK)
    await publish(timed_store, 1, prefix="w")
    async with timed_store.write() as tx:
        waits = (await tx.retention.clear(keeping, at_most=100))["events"]
    await settle(timed_store, await held(timed_store, HOOK))
    async with timed_store.write() as tx:
        gone = (await tx.retention.clear(keeping, at_most=100))["events"]

    async with timed_store.read() as tx:
        left = await tx.announcements.after(0)
    assert (waits, gone, [one.sequence for one in left]) == (0, 3, [4])


async def test_a_sink_that_nobody_names_any_more_keeps_nothing(
    timed_store: SqlStore, hand: Hand
) -> None:
    await follow(timed_store, HOOK)
    await publish(timed_store, 3)
    hand.pass_by(timedelta(days=3))

    async with timed_store.write() as tx:
        gone = (await tx.retention.clear(Keeping(events=timedelta(days=2)), at_most=100))["events"]

    assert gone == 2  # the newest of all stays


async def test_what_is_committed_while_a_worker_looks_is_not_passed_over(
    store: SqlStore, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that waited was cleared away; on SQLite a writer waits until the worker has looked."""
    await publish(store, 3)
    await run(database_url, "DELETE FROM announcement")
    await follow(store, HOOK, from_start=True)
    beside: list[asyncio.Task[None]] = []

    async def somebody_publishes() -> None:
        number = len(beside)
        beside.append(asyncio.create_task(publish(store, 1, prefix=f"w{number}")))
        if not database_url.startswith("sqlite"):
            await beside[-1]

    head = Sinks._head

    async def between(sinks: Sinks, where: AppEnv) -> int:
        await somebody_publishes()
        found = await head(sinks, where)
        await somebody_publishes()
        return found

    monkeypatch.setattr(Sinks, "_head", between)
    looked = await held(store, HOOK)
    await asyncio.gather(*beside)
    monkeypatch.setattr(Sinks, "_head", head)
    await settle(store, looked)
    seen = numbers(looked)
    while (more := await claim(store, HOOK)) is not None:
        seen += numbers(more)
        await settle(store, more)

    assert seen == [4, 5]


async def test_after_what_was_cleared_away_a_sink_goes_on_with_what_is_kept(
    timed_store: SqlStore, hand: Hand
) -> None:
    await publish(timed_store, 3)
    hand.pass_by(timedelta(days=3))
    await publish(timed_store, 1, prefix="w")
    async with timed_store.write() as tx:
        await tx.retention.clear(Keeping(events=timedelta(days=2)), at_most=100)
    await follow(timed_store, HOOK, from_start=True)

    found = await held(timed_store, HOOK)
    assert (numbers(found), found.through) == ([4], 4)
