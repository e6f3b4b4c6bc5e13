"""Events reach every sink: each app's in order, whoever sends them, whatever fails on the way."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from bot.errors import Throttled, UpstreamDown, UpstreamRefused
from bot.services.announce import Announce, Followed
from store import failpoint
from store.failpoint import Failed
from store.records import Announcement, AppEnv, AuditDraft
from store.session import SqlStore
from tests.builders import PROD
from tests.contract.store.raw import Hand
from tests.contract.store.things import OTHER, STAGING, a_document, new_version, recorded

APPS = (PROD, OTHER, STAGING)


@dataclass
class Sink:
    """Keeps what it takes; raises the next of `faults`, None for none, before it does."""

    at_once: int = 1
    faults: list[Exception | None] = field(default_factory=list)
    refuses: frozenset[str] = frozenset()
    hangs: bool = False
    took: list[Announcement] = field(default_factory=list)
    calls: int = 0
    three: asyncio.Event = field(default_factory=asyncio.Event)  # it took so many

    async def send(self, events: Sequence[Announcement]) -> None:
        assert len(events) <= self.at_once
        assert len({one.where for one in events}) == 1
        self.calls += 1
        await asyncio.sleep(0)
        if self.hangs:
            await asyncio.Event().wait()
        fault = self.faults.pop(0) if self.faults else None
        if fault is not None:
            raise fault
        if events[0].subject in self.refuses:
            raise UpstreamRefused("sink", "HTTP 400")
        self.took += events
        if len(self.took) >= 3:
            self.three.set()

    async def greet(self) -> None:
        """Nothing is asked."""

    async def close(self) -> None:
        """Nothing is open."""

    def numbers(self, where: AppEnv = PROD) -> list[int]:
        return [one.sequence for one in self.took if one.where == where]


def announce(store: SqlStore, sinks: Mapping[str, Sink | Followed], owner: str = "one") -> Announce:
    followed = {
        name: one if isinstance(one, Followed) else Followed(one) for name, one in sinks.items()
    }
    return Announce(store, followed, owner=owner, jitter=lambda: 1.0, monotonic=lambda: 0.0)


async def publish(store: SqlStore, count: int, *apps: AppEnv, prefix: str = "v") -> None:
    for number in range(count):
        for where in apps or (PROD,):
            name = f"{prefix}{number}"
            await recorded(store, new_version(name, where=where), a_document(name))


async def follow(*sending: Announce) -> None:
    for one in sending:
        assert not await one.step()


async def empty(sending: Announce) -> None:
    while await sending.step():
        pass


def once(numbers: Iterable[int]) -> list[int]:
    return list(dict.fromkeys(numbers))


async def test_every_sink_gets_every_event_in_its_order(store: SqlStore) -> None:
    lake, hook = Sink(at_once=100), Sink()
    sending = announce(store, {"lake": lake, "hook": hook})
    await follow(sending)
    await publish(store, 3, PROD, OTHER)

    await empty(sending)

    for sink in (lake, hook):
        assert sink.numbers(PROD) == sink.numbers(OTHER) == [1, 2, 3]
    assert (lake.calls, hook.calls) == (2, 6)
    assert sending.trouble == {}


async def test_a_sink_gets_what_it_wants(store: SqlStore) -> None:
    here, kinds = Sink(), Sink()
    sending = announce(
        store,
        {
            "here": Followed(here, envs=frozenset({"staging"})),
            "kinds": Followed(kinds, types=frozenset({"rollback.*"})),
        },
    )
    await follow(sending)
    await publish(store, 2, PROD, STAGING)

    await empty(sending)

    assert (here.numbers(PROD), here.numbers(STAGING), kinds.took) == ([], [1, 2], [])
    async with store.read() as tx:
        states = await tx.sinks.states(seen_within=timedelta(hours=1))
    assert [(one.sent, one.waiting) for one in states] == [(2, 0), (0, 0)]


async def test_a_sink_that_is_down_holds_up_only_itself_and_misses_nothing(
    timed_store: SqlStore, hand: Hand
) -> None:
    good, bad = Sink(), Sink(faults=[UpstreamDown("events.bad", "HTTP 503")])
    sending = announce(timed_store, {"good": good, "bad": bad})
    await follow(sending)
    await publish(timed_store, 3, PROD, OTHER)
    await empty(sending)
    assert good.numbers(PROD) == good.numbers(OTHER) == [1, 2, 3]
    assert (bad.calls, bad.took) == (1, [])
    assert set(sending.trouble) == {"bad"}

    hand.pass_by(timedelta(minutes=1))
    await empty(sending)

    assert bad.numbers(PROD) == bad.numbers(OTHER) == [1, 2, 3]
    assert sending.trouble == {}


async def test_who_asks_to_wait_is_left_alone_for_as_long(
    timed_store: SqlStore, hand: Hand
) -> None:
    sink = Sink(faults=[Throttled("events.sink", 90.0)])
    sending = announce(timed_store, {"sink": sink})
    await follow(sending)
    await publish(timed_store, 1)
    await empty(sending)

    hand.pass_by(timedelta(seconds=89))
    await empty(sending)
    assert sink.calls == 1
    hand.pass_by(timedelta(seconds=1))
    await empty(sending)
    assert sink.numbers() == [1]


async def test_an_event_that_is_refused_keeps_its_apps_order_and_no_other_app_waiting(
    timed_store: SqlStore, hand: Hand
) -> None:
    sink = Sink(refuses=frozenset({"version/2"}))
    sending = announce(timed_store, {"sink": sink})
    await follow(sending)
    await publish(timed_store, 3, PROD)
    await recorded(timed_store, new_version("only", where=OTHER), a_document("only"))

    await empty(sending)
    assert (sink.numbers(PROD), sink.numbers(OTHER)) == ([1], [1])

    sink.refuses = frozenset()
    hand.pass_by(timedelta(minutes=10))
    await empty(sending)
    assert sink.numbers(PROD) == [1, 2, 3]


async def test_what_is_refused_for_too_long_is_given_up_alone_and_loudly(
    timed_store: SqlStore, hand: Hand, caplog: pytest.LogCaptureFixture
) -> None:
    sink = Sink(refuses=frozenset({"version/2"}))
    sending = announce(timed_store, {"sink": sink})
    await follow(sending)
    await publish(timed_store, 3)
    await empty(sending)

    hand.pass_by(timedelta(days=4))
    await empty(sending)
    hand.pass_by(timedelta(minutes=10))
    await empty(sending)

    assert sink.numbers() == [1, 3]
    async with timed_store.read() as tx:
        (state,) = await tx.sinks.states(seen_within=timedelta(days=9))
        entry = (await tx.audit.entries())[-1]
    assert state.given_up == 1
    assert (entry.action, entry.resource, entry.status) == (
        "events.give_up",
        "sink/sink",
        "failed",
    )
    assert (entry.what["first"], entry.what["last"]) == (2, 2)
    assert [one.message for one in caplog.records if one.levelname == "ERROR"] == [
        "events given up"
    ]


@pytest.mark.parametrize(
    "fault", [UpstreamDown("events.sink", "HTTP 503"), UpstreamRefused("events.sink", "HTTP 401")]
)
async def test_what_is_old_when_it_is_tried_for_the_first_time_is_not_given_up(
    timed_store: SqlStore, hand: Hand, fault: Exception
) -> None:
    """A backfill, or what waited while no process ran."""
    sink = Sink(faults=[fault])
    await publish(timed_store, 3)
    hand.pass_by(timedelta(days=30))
    sending = announce(timed_store, {"sink": Followed(sink, from_start=True)})
    await empty(sending)
    assert (sink.calls, set(sending.trouble)) == (1, {"sink"})

    hand.pass_by(timedelta(minutes=1))
    await empty(sending)

    assert sink.numbers() == [1, 2, 3]
    assert sending.trouble == {}
    async with timed_store.read() as tx:
        (state,) = await tx.sinks.states(seen_within=timedelta(days=9))
    assert state.given_up == 0


async def test_one_that_refuses_everything_loses_one_event_a_pause(
    timed_store: SqlStore, hand: Hand
) -> None:
    """As with a wrong secret."""
    wrong = UpstreamRefused("events.sink", "HTTP 401")
    sink = Sink(faults=[wrong] * 99)
    sending = announce(timed_store, {"sink": sink})
    await follow(sending)
    await publish(timed_store, 5)
    for _ in range(12):
        await empty(sending)
        hand.pass_by(timedelta(minutes=5))
    hand.pass_by(timedelta(days=3))
    calls = sink.calls

    await empty(sending)
    await empty(sending)
    assert sink.calls == calls + 1
    hand.pass_by(timedelta(minutes=5))
    await empty(sending)
    assert sink.calls == calls + 2

    sink.faults.clear()
    hand.pass_by(timedelta(minutes=5))
    await empty(sending)
    assert sink.numbers() == [3, 4, 5]


async def test_a_sink_that_is_down_for_too_long_goes_on_with_what_is_young(
    timed_store: SqlStore, hand: Hand
) -> None:
    down = UpstreamDown("events.sink", "HTTP 503")
    sink = Sink(faults=[down])
    sending = announce(timed_store, {"sink": sink})
    await follow(sending)
    await publish(timed_store, 3)
    await empty(sending)
    hand.pass_by(timedelta(days=4))
    await publish(timed_store, 2, prefix="w")
    sink.faults.append(down)
    await empty(sending)
    assert sink.calls == 2  # and rests

    hand.pass_by(timedelta(minutes=10))
    await empty(sending)

    assert sink.numbers() == [4, 5]


async def test_a_process_that_died_before_it_settled_repeats_one_part(store: SqlStore) -> None:
    sink = Sink()
    dying = announce(store, {"sink": sink}, "dying")
    await follow(dying)
    await publish(store, 3)
    failpoint.arm("events:sent=raise")
    try:
        with pytest.raises(Failed):
            await dying.step()
    finally:
        failpoint.arm("")
    next_one = announce(store, {"sink": sink}, "next")
    next_one.lease = dying.lease
    async with store.write() as tx:  # as when its lease is over
        async with asyncio.timeout(5):
            await tx.sinks.rewind("sink", PROD, 0, entry=_entry())

    await empty(next_one)

    assert sink.numbers() == [1, 1, 2, 3]
    assert sink.took[0] == sink.took[1]


async def test_a_step_that_hangs_holds_up_no_other_sink(store: SqlStore) -> None:
    hanging, good = Sink(hangs=True), Sink()
    sending = announce(store, {"a_hanging": hanging, "good": good})
    await follow(sending)
    await publish(store, 1, PROD, OTHER, STAGING)

    async def work() -> None:
        while True:
            await sending.step()
            await asyncio.sleep(0.01)

    workers = [asyncio.create_task(work()) for _ in range(3)]
    try:
        async with asyncio.timeout(20):
            await good.three.wait()
    finally:
        for task in workers:
            task.cancel()
        await asyncio.gather(*workers, return_exceptions=True)

    assert (hanging.calls, hanging.took) == (2, [])


@pytest.mark.parametrize("seed", range(4))
async def test_of_several_workers_and_failing_sinks_each_app_keeps_its_order(
    timed_store: SqlStore, replica: SqlStore, hand: Hand, seed: int
) -> None:
    """Repeats there may be; what is new never comes before what is older."""
    dice = random.Random(seed)
    kinds = (UpstreamDown("s", "HTTP 503"), UpstreamRefused("s", "HTTP 400"), None, None)
    sinks = {
        name: Sink(size, faults=[dice.choice(kinds) for _ in range(12)])
        for name, size in (("lake", 3), ("hook", 1))
    }
    workers = [
        announce(store, sinks, f"worker-{n}")
        for n, store in enumerate((timed_store, timed_store, replica))
    ]
    await follow(*workers)

    async def work(worker: Announce) -> None:
        for _ in range(25):
            await worker.step()
            hand.pass_by(timedelta(seconds=dice.choice((0, 5, 40))))

    await asyncio.gather(publish(timed_store, 6, *APPS), *(work(one) for one in workers))
    for _ in range(30):
        hand.pass_by(timedelta(minutes=6))
        await asyncio.gather(*(empty(one) for one in workers))

    for sink in sinks.values():
        for where in APPS:
            assert once(sink.numbers(where)) == list(range(1, 7)), where
        named: defaultdict[str, set[tuple[AppEnv, int]]] = defaultdict(set)
        for one in sink.took:
            named[one.id].add((one.where, one.sequence))
        assert all(len(places) == 1 for places in named.values())


def _entry() -> AuditDraft:
    return AuditDraft("keyturn", "test", "sink/sink", "ok", {}, ip_note="a test")
