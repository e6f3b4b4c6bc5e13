"""What was cut off of a group is fetched: later if need be, and never twice at once."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.errors import AnswerUnreadable, UpstreamDown
from bot.ports.store import Store
from bot.services.complete import LEASE, Complete
from store.records import Delivery, Truncated
from store.session import SqlStore
from tests.arriving import delivered
from tests.builders import PROD, a_firing
from tests.contract.store.raw import Hand
from tests.contract.store.things import a_delivery

CUT = a_delivery(truncated=2, group_labels={"app": "support-triage"})
REST = tuple(a_firing(fingerprint=f"cut-{n}") for n in range(2))


class Alerting:
    """Answers with all alerts of a group; `faults` come first, `meanwhile` is done before."""

    def __init__(self) -> None:
        self.asked: list[Truncated] = []
        self.faults: list[Exception] = []
        self.meanwhile: Callable[[], object] | None = None

    async def whole(self, group: Truncated) -> Delivery:
        self.asked.append(group)
        if self.meanwhile is not None:
            await self.meanwhile()  # type: ignore[misc]
        if self.faults:
            raise self.faults.pop(0)
        return a_delivery(a_firing(), *REST, digest="whole")


@pytest.fixture
def alerting() -> Alerting:
    return Alerting()


def a_worker(store: Store, *alerting: Alerting) -> Complete:
    return Complete(store, alerting, jitter=lambda: 1.0)


async def known(store: Store) -> list[str]:
    async with store.read() as tx:
        return sorted(firing.fingerprint for firing in await tx.alerts.unassigned([PROD]))


async def test_a_group_that_came_cut_short_is_completed_once(
    timed_store: SqlStore, alerting: Alerting
) -> None:
    await delivered(timed_store, CUT)
    worker = a_worker(timed_store, alerting)

    assert await worker.step()
    assert not await worker.step()

    (asked,) = alerting.asked
    assert (asked.receiver, asked.group_labels) == ("keyturn", {"app": "support-triage"})
    assert await known(timed_store) == sorted([a_firing().fingerprint, "cut-0", "cut-1"])


async def test_a_group_that_came_whole_is_not_asked_about(
    timed_store: SqlStore, alerting: Alerting
) -> None:
    await delivered(timed_store, a_delivery())

    assert not await a_worker(timed_store, alerting).step()
    assert alerting.asked == []


@pytest.mark.parametrize(
    "fault", [UpstreamDown("Alertmanager", "no answer"), AnswerUnreadable("Alertmanager", "odd")]
)
async def test_an_alertmanager_that_does_not_answer_is_asked_again_later_each_time(
    timed_store: SqlStore, hand: Hand, alerting: Alerting, fault: Exception
) -> None:
    await delivered(timed_store, CUT)
    alerting.faults = [fault, fault]
    worker = a_worker(timed_store, alerting)

    for wait in (1, 2):
        assert await worker.step()
        assert not await worker.step()
        hand.pass_by(timedelta(seconds=wait))
    assert await worker.step()

    assert len(alerting.asked) == 3
    assert "cut-0" in await known(timed_store)


async def test_a_storm_of_cut_groups_does_not_ask_a_lost_alertmanager_more(
    timed_store: SqlStore, alerting: Alerting
) -> None:
    await delivered(timed_store, CUT)
    alerting.faults = [UpstreamDown("Alertmanager", "no answer")]
    worker = a_worker(timed_store, alerting)
    await worker.step()

    await delivered(timed_store, *(replace(CUT, digest=f"again-{n}") for n in range(3)))

    assert not await worker.step()


async def test_after_a_crash_another_worker_goes_on_once_the_time_is_over(
    timed_store: SqlStore, replica: SqlStore, hand: Hand, alerting: Alerting
) -> None:
    await delivered(timed_store, CUT)
    async with timed_store.write() as tx:
        assert await tx.truncated.claim(lease=LEASE) is not None  # and then it died
    other = a_worker(replica, alerting)
    assert not await other.step()

    hand.pass_by(LEASE)

    assert await other.step()
    assert "cut-0" in await known(timed_store)


async def test_what_comes_cut_short_while_it_is_fetched_is_fetched_again(
    timed_store: SqlStore, alerting: Alerting
) -> None:
    await delivered(timed_store, CUT)
    worker = a_worker(timed_store, alerting)
    alerting.meanwhile = lambda: delivered(timed_store, replace(CUT, digest="newer"))

    assert await worker.step()
    alerting.meanwhile = None
    assert await worker.step()

    assert not await worker.step()
    assert len(alerting.asked) == 2


async def test_without_an_alertmanager_it_is_said_once_and_waits_until_one_is_named(
    timed_store: SqlStore, alerting: Alerting, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    await delivered(timed_store, CUT)
    nobody = a_worker(timed_store)

    assert not await nobody.step()
    assert not await nobody.step()
    assert [record.message for record in caplog.records] == ["groups came cut short"]

    assert await a_worker(timed_store, alerting).step()
    assert "cut-0" in await known(timed_store)


async def test_a_group_whose_key_is_longer_than_an_index_takes_is_completed_too(
    timed_store: SqlStore, alerting: Alerting
) -> None:
    name = "".join(random.Random(7).choices("abcdefghijklmnopqrstuvwxyz0123456789", k=20_000))
    await delivered(timed_store, replace(CUT, group_key=name))
    worker = a_worker(timed_store, alerting)

    assert await worker.step()
    assert not await worker.step()

    assert alerting.asked[0].group_labels == CUT.group_labels
    assert {firing.fingerprint for firing in REST} <= set(await known(timed_store))


async def test_the_next_alertmanager_is_asked_where_one_does_not_answer(
    timed_store: SqlStore, alerting: Alerting
) -> None:
    away = Alerting()
    away.faults = [UpstreamDown("Alertmanager", "gone")]
    await delivered(timed_store, CUT)

    assert await a_worker(timed_store, away, alerting).step()

    assert (len(away.asked), len(alerting.asked)) == (1, 1)
    assert {firing.fingerprint for firing in REST} <= set(await known(timed_store))


async def test_what_a_sender_that_cannot_be_asked_cut_off_waits_for_nobody(
    timed_store: SqlStore, alerting: Alerting
) -> None:
    await delivered(timed_store, replace(CUT, source="grafana", group_labels=None))

    assert not await a_worker(timed_store, alerting).step()
