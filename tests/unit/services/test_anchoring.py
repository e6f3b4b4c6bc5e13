"""Anchors are published in order, at least once, and wait for whoever keeps them."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from bot.domain.anchoring import is_event
from bot.domain.approval import MOVES
from bot.errors import UpstreamDown
from bot.log import ANCHORS
from bot.ports.world import AnchorKeeper
from bot.services.anchoring import LEASE, Anchoring
from store.records import AuditAnchor, AuditDraft, PauseOrigin
from store.session import SqlStore, open_store
from tests.contract.store.raw import Hand

VOTE = AuditDraft("alice", "vote.approve", "rollback/1", "ok", {}, ip_note="a test")


@dataclass
class FakeKeeper:
    """Keeps what it is given, unless it is down."""

    kept: list[AuditAnchor] = field(default_factory=list)
    down: bool = False

    async def publish(self, anchor: AuditAnchor) -> None:
        if self.down:
            raise UpstreamDown("anchor_url", "answered 503")
        self.kept.append(anchor)


@pytest.fixture
def hand() -> Hand:
    return Hand()


@pytest.fixture
async def store(sqlite_url: str, hand: Hand) -> AsyncIterator[SqlStore]:
    opened = await open_store(sqlite_url, moves=MOVES, clock=hand, durable=False, anchored=is_event)
    yield opened
    await opened.close()


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, logger=ANCHORS)
    return caplog


def sequences(said: pytest.LogCaptureFixture) -> list[int]:
    return [vars(one)["sequence"] for one in said.records if one.name == ANCHORS]


async def vote(store: SqlStore, times: int = 1) -> None:
    for _ in range(times):
        async with store.write() as tx:
            await tx.audit.append(VOTE)


async def work(anchoring: Anchoring) -> None:
    while await anchoring.step():
        pass


def anchoring(store: SqlStore, keeper: AnchorKeeper | None = None, owner: str = "one") -> Anchoring:
    return Anchoring(store, keeper, owner=owner, jitter=lambda: 1.0)


async def waiting(store: SqlStore) -> int:
    async with store.read() as tx:
        return await tx.outbox.waiting()


async def test_without_an_address_a_line_of_the_log_is_all(
    store: SqlStore, said: pytest.LogCaptureFixture
) -> None:
    await vote(store, 3)

    await work(anchoring(store))

    async with store.read() as tx:
        entries = await tx.audit.entries()
        published = await tx.outbox.published()
    assert published == [AuditAnchor(e.seq, e.hash, e.timestamp) for e in entries]
    assert sequences(said) == [1, 2, 3]
    assert [one.getMessage() for one in said.records] == ["audit anchor"] * 3
    assert await waiting(store) == 0


async def test_the_address_gets_each_after_its_line(
    store: SqlStore, said: pytest.LogCaptureFixture
) -> None:
    keeper = FakeKeeper()
    await vote(store, 2)

    await work(anchoring(store, keeper))

    assert [anchor.sequence for anchor in keeper.kept] == [1, 2] == sequences(said)
    async with store.read() as tx:
        assert keeper.kept == await tx.outbox.published()


async def test_an_address_that_is_down_gets_them_later_and_each_line_is_said_once(
    store: SqlStore, hand: Hand, said: pytest.LogCaptureFixture
) -> None:
    keeper = FakeKeeper(down=True)
    worker = anchoring(store, keeper)
    await vote(store, 2)
    for _ in range(4):
        await work(worker)
        hand.pass_by(timedelta(minutes=5))
    assert "503" in worker.trouble
    assert keeper.kept == []

    keeper.down = False
    await work(worker)

    assert [anchor.sequence for anchor in keeper.kept] == [1, 2] == sequences(said)
    assert worker.trouble == ""
    assert await waiting(store) == 0


async def test_one_that_dies_before_it_is_marked_is_published_again_by_another(
    store: SqlStore, hand: Hand, said: pytest.LogCaptureFixture
) -> None:
    @dataclass
    class Dying:
        async def publish(self, anchor: AuditAnchor) -> None:
            raise KeyboardInterrupt

    keeper = FakeKeeper()
    await vote(store)
    with pytest.raises(KeyboardInterrupt):
        await work(anchoring(store, Dying(), owner="dead"))
    await work(anchoring(store, keeper))
    assert keeper.kept == [], "its lease still runs"

    hand.pass_by(LEASE * 2)
    await work(anchoring(store, keeper))

    assert [anchor.sequence for anchor in keeper.kept] == [1]


async def test_what_was_to_be_posted_is_let_go_when_the_address_is_taken_away(
    store: SqlStore, hand: Hand
) -> None:
    await vote(store)
    await work(anchoring(store, FakeKeeper(down=True)))
    hand.pass_by(timedelta(minutes=5))

    await work(anchoring(store))

    assert await waiting(store) == 0


async def test_a_copy_publishes_nothing_before_somebody_resumed_it(
    store: SqlStore, said: pytest.LogCaptureFixture
) -> None:
    async with store.write() as tx:
        await tx.pause.mark(PauseOrigin.RESTORED, "a test", entry=VOTE)
    await vote(store)

    await work(anchoring(store))

    assert sequences(said) == []
    assert await waiting(store) > 0


async def test_a_pause_of_the_original_is_published_itself(
    store: SqlStore, said: pytest.LogCaptureFixture
) -> None:
    async with store.write() as tx:
        await tx.pause.mark(PauseOrigin.PERSON, "a test", entry=VOTE)

    await work(anchoring(store))

    assert sequences(said) == [1]
