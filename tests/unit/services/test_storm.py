"""Many cards at once, a Slack that asks to wait, and one that is away: all arrive, in order."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bot.domain.approval import MOVES
from bot.domain.words import NoteCode
from bot.errors import Throttled, UpstreamDown
from bot.ports.store import Store
from bot.services.deliver import Deliver
from bot.services.outgoing import card_row, note_row
from store.records import AppEnv, Rollback
from store.session import migrate, open_store
from tests.builders import ALICE, BOB, CHANNEL
from tests.contract.store.raw import Hand
from tests.fakes.slack import FakeMessenger
from tests.unit.services.scene import Scene, a_pending

CARDS = 100
BURST, A_SECOND = 5, 1  # messages into one channel: https://docs.slack.dev/apis/web-api/rate-limits
RETRY_AFTER_S = 7


@dataclass
class StrictMessenger(FakeMessenger):
    """Takes one message a second into each channel, some more at once, and notes who came early.

    `early` are calls that were made while they had been asked to wait; `away` answers nothing.
    """

    hand: Hand
    early: list[str] = field(default_factory=list)
    turned_away: int = 0
    away: bool = False

    def __post_init__(self) -> None:
        super().__init__()
        self._left: defaultdict[str, float] = defaultdict(lambda: BURST)
        self._seen: dict[str, float] = {}
        self._until: dict[str, float] = {}

    def _in(self, channel: str) -> None:
        if self.away:
            raise UpstreamDown("slack", "no answer")
        super()._in(channel)
        now = self.hand.at.timestamp()
        if now < self._until.get(channel, 0):
            self.early.append(channel)
        since = now - self._seen.get(channel, now)
        self._left[channel] = min(BURST, self._left[channel] + since * A_SECOND)
        self._seen[channel] = now
        if self._left[channel] < 1:
            self.turned_away += 1
            self._until[channel] = now + RETRY_AFTER_S
            raise Throttled("slack", RETRY_AFTER_S)
        self._left[channel] -= 1


@pytest.fixture
def hand() -> Hand:
    return Hand()


@pytest.fixture
async def scene(tmp_path: Path, hand: Hand) -> AsyncIterator[Scene]:
    url = f"sqlite:///{tmp_path / 'storm.db'}"
    await asyncio.to_thread(migrate, url)
    store = await open_store(url, moves=MOVES, clock=hand, durable=False)
    scene = Scene.of(store)
    scene.messenger = StrictMessenger(hand)
    yield scene
    await store.close()


def slack_of(scene: Scene) -> StrictMessenger:
    assert isinstance(scene.messenger, StrictMessenger)
    return scene.messenger


async def storm(store: Store, count: int) -> list[Rollback]:
    """So many apps have their alert in one moment; each has a card and a file to send."""
    return [await a_pending(store, where=AppEnv(f"app-{n}", "prod")) for n in range(count)]


async def waiting(scene: Scene) -> int:
    async with scene.store.read() as tx:
        return await tx.outbox.waiting()


async def until_told(scene: Scene, hand: Hand, workers: Sequence[Deliver]) -> None:
    """Let *workers* work, each in turn, and a second go by whenever none finds anything."""
    while await waiting(scene):
        found = [await worker.step() for worker in workers]
        if not any(found):
            hand.passes(seconds=1)


async def test_a_hundred_cards_arrive_and_no_call_is_made_while_slack_asks_to_wait(
    scene: Scene, hand: Hand
) -> None:
    slack = slack_of(scene)
    await storm(scene.store, CARDS)

    await until_told(scene, hand, [scene.deliver("one"), scene.deliver("another replica")])

    assert slack.early == []
    assert slack.turned_away > 0  # it was a storm
    assert len(slack.cards) == CARDS
    assert len(slack.files) == CARDS
    assert all((file.channel, file.ts) in slack.cards for file in slack.files)


async def test_a_channel_that_asks_to_wait_holds_up_no_other(scene: Scene, hand: Hand) -> None:
    slack, elsewhere = slack_of(scene), "C0ELSEWHERE"
    slack.channels.add(elsewhere)
    await storm(scene.store, BURST)
    await a_pending(scene.store, where=AppEnv("elsewhere", "prod"), channel=elsewhere)
    began, worker = hand.at, scene.deliver()

    while await worker.step():
        pass

    assert hand.at == began  # nobody waited
    assert slack.turned_away == 1
    assert [channel for channel, _ in slack.cards if channel != CHANNEL] == [elsewhere]


async def test_ten_minutes_without_slack_lose_nothing_and_end_in_order(
    scene: Scene, hand: Hand
) -> None:
    slack = slack_of(scene)
    pending = await storm(scene.store, 10)
    slack.away = True
    workers = [scene.deliver("one"), scene.deliver("another replica")]
    for minute in range(10):
        for who in (ALICE, BOB):
            await say(scene, pending[minute], who)
        for _ in range(60):
            for worker in workers:
                await worker.step()
            hand.passes(seconds=1)
    assert not slack.cards

    slack.away = False
    await until_told(scene, hand, workers)

    assert len(slack.cards) == len(pending)
    assert slack.early == []
    said: defaultdict[str, list[object]] = defaultdict(list)
    for reply in slack.replies:
        said[reply.ts].append(reply.note.facts["slack_id"])
    assert list(said.values()) == [[ALICE, BOB]] * len(pending)


async def say(scene: Scene, rollback: Rollback, who: str) -> None:
    """Somebody votes: the card is drawn anew, and the thread says it."""
    facts = {"slack_id": who, "count": 1, "needed": 2}
    async with scene.store.write() as tx:
        case = await tx.cases.get(rollback.case_id)
        await tx.outbox.put(note_row(case, NoteCode.VOTE_APPROVED, facts, f"{rollback.id}:{who}"))
        await tx.outbox.put(card_row(case))
