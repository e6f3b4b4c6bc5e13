"""In a storm the door comes first; what means a watched app is filed before the rest."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from bot.ports.store import Store
from bot.services.filing import COMING, LATE, LONGEST_S, STORM, TIMES, Filing
from store.records import (
    Corrupt,
    Delivery,
    Firing,
    Missing,
    NotMigrated,
    Stale,
    StoreError,
    Unavailable,
    Unfiled,
)
from tests.builders import NOON, PROD, a_firing
from tests.contract.store import raw

STEP_S = 0.02
NOBODYS = a_firing(where=None)


@dataclass
class Bench:
    """A worker on a store, the rests that it took and whom it woke."""

    store: Store
    rests: list[float] = field(default_factory=list)
    woken: int = 0
    now: float = 0.0

    async def step(self) -> bool:
        def monotonic() -> float:
            self.now += STEP_S  # it is asked at the beginning and at the end
            return self.now

        async def rest(seconds: float) -> None:
            self.rests.append(round(seconds, 6))

        return await Filing(self.store, nudge=self._nudge, rest=rest, monotonic=monotonic).step()

    def _nudge(self) -> None:
        self.woken += 1

    async def keep(self, *firings: Firing, digest: str = "d") -> None:
        one = Delivery("alertmanager", "keyturn", "group", digest, 0, firings or (a_firing(),))
        await self.store.keep([one])


@pytest.fixture
def bench(sqlite_store: Store) -> Bench:
    return Bench(sqlite_store)


def coming(
    monkeypatch: pytest.MonkeyPatch, *, newest: timedelta, oldest: timedelta = timedelta(0)
) -> None:
    """Let the newest and the oldest have come as long ago."""

    def found(ids: tuple[int, ...], watched: bool, left: int, *_: object) -> Unfiled:
        return Unfiled(ids, watched, left, NOON - oldest, NOON - newest)

    monkeypatch.setattr("store.arrivals.Unfiled", found)

    async def now(_: object) -> object:
        return NOON

    monkeypatch.setattr("store.clock.DatabaseClock.__call__", now)


async def test_where_nothing_waits_nothing_is_done(bench: Bench) -> None:
    assert not await bench.step()
    assert (bench.rests, bench.woken) == ([], 0)


async def test_what_waits_is_filed_and_who_takes_it_in_is_woken(bench: Bench) -> None:
    await bench.keep()

    assert await bench.step()
    assert not await bench.step()

    async with bench.store.read() as tx:
        assert len(await tx.alerts.unassigned([PROD])) == 1
    assert bench.woken == 1


async def test_alerts_that_mean_nobody_wake_nobody(bench: Bench) -> None:
    await bench.keep(NOBODYS)

    assert await bench.step()

    assert bench.woken == 0


@pytest.mark.parametrize(
    ("newest", "oldest", "number", "rest"),
    [
        (timedelta(0), timedelta(0), STORM, TIMES * STEP_S),
        (timedelta(0), timedelta(0), 2 * STORM, TIMES * STEP_S),
        (timedelta(0), timedelta(0), STORM // 4, TIMES * STEP_S / 4),
        (timedelta(0), timedelta(0), 1, TIMES * STEP_S / STORM),
        (COMING - timedelta(milliseconds=1), timedelta(0), STORM, TIMES * STEP_S),
        (COMING, timedelta(0), STORM, None),
        (timedelta(0), LATE, STORM, TIMES * STEP_S),
        (timedelta(0), LATE + timedelta(milliseconds=1), STORM, STEP_S),
        (COMING, 2 * LATE, STORM, None),
    ],
)
async def test_the_door_has_most_of_the_time_while_more_comes(
    bench: Bench,
    monkeypatch: pytest.MonkeyPatch,
    newest: timedelta,
    oldest: timedelta,
    number: int,
    rest: float | None,
) -> None:
    for n in range(number):
        await bench.keep(digest=f"d{n}")
    coming(monkeypatch, newest=newest, oldest=oldest)

    assert await bench.step()

    assert bench.rests == ([] if rest is None else [pytest.approx(rest)])


async def test_who_takes_in_is_woken_for_what_was_filed_though_another_could_not_be(
    bench: Bench, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(2):
        await bench.keep(a_firing(fingerprint=f"f{n}"), digest=f"d{n}")
    await raw.run(sqlite_url, "UPDATE arrival SET content = '[]' WHERE id = 2")

    async def lost(_: object, arrival_id: int, why: str) -> bool:
        raise Unavailable(f"{arrival_id}, {why}")

    monkeypatch.setattr("store.arrivals.Arrivals.set_aside", lost)

    with pytest.raises(Unavailable):
        await bench.step()

    assert bench.woken == 1
    async with bench.store.read() as tx:
        assert len(await tx.alerts.unassigned([PROD])) == 1


async def test_a_slow_step_is_not_followed_by_a_long_silence(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(STORM):
        await bench.keep(digest=f"d{n}")
    coming(monkeypatch, newest=timedelta(0))
    monkeypatch.setattr("tests.unit.services.test_filing.STEP_S", 5.0)

    assert await bench.step()

    assert bench.rests == [LONGEST_S]


async def test_one_that_cannot_be_filed_waits_apart_and_is_told_to_operators(
    bench: Bench, sqlite_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    for n in range(3):
        await bench.keep(a_firing(fingerprint=f"f{n}"), digest=f"d{n}")
    await raw.run(sqlite_url, "UPDATE arrival SET content = '[]' WHERE id = 2")
    caplog.set_level(logging.ERROR)

    assert await bench.step()
    assert not await bench.step()

    async with bench.store.read() as tx:
        assert len(await tx.alerts.unassigned([PROD])) == 2
    (line,) = [one for one in caplog.records if one.message == "delivery set aside"]
    assert line.arrival == 2  # type: ignore[attr-defined]
    assert await raw.run(sqlite_url, "SELECT id, set_aside FROM arrival") == [
        (2, "Unreadable: arrival 2 cannot be read")
    ]


@pytest.mark.parametrize("fault", [Unavailable, Corrupt, NotMigrated, Missing, Stale, StoreError])
async def test_what_is_the_databases_fault_sets_nothing_aside(
    bench: Bench, sqlite_url: str, monkeypatch: pytest.MonkeyPatch, fault: type[StoreError]
) -> None:
    await bench.keep()

    async def lost(_: object) -> bool:
        raise fault("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(bench.store, "file", lost)
        with pytest.raises(fault):
            await bench.step()

    assert await raw.run(sqlite_url, "SELECT set_aside FROM arrival") == [("",)]
    assert await bench.step()


async def test_what_somebody_else_files_is_left_to_them(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bench.keep()

    async def other(_: object) -> bool:
        return False

    monkeypatch.setattr(bench.store, "file", other)

    assert not await bench.step()
    assert bench.rests == []
