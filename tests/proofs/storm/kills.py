"""The service is killed again and again while a real Alertmanager pair tells it of a storm."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from bot.domain.approval import MOVES
from bot.playground.story import seed as story
from bot.playground.story.workflow import APP
from store.address import translate_url
from store.records import AppEnv, Rollback, State
from store.session import open_store
from tests.acceptance.process import Served
from tests.acceptance.world import VOTERS, World, a_world
from tests.proofs.running import Tally
from tests.proofs.storm.alerts import ENV, Storm
from tests.proofs.storm.pair import Pair, a_pair
from tests.proofs.storm.seen import Seen, Stored, clicks_waiting, has_button, leases_are_over
from tests.proofs.storm.witness import Witness, a_witness, is_ready

POST = "chat.postMessage"
LIVES_S = (0.5, 3.0)  # from /readyz to the kill
READY_S = 300.0  # others use the machine
LOOK_S, SETTLE_LOOK_S = 0.2, 2.0
SETTLED_S = 420.0  # what waits for the lease of a dead process waits a minute and a half
ROLLED_BACK_S = 120.0


@dataclass(frozen=True)
class Size:
    """How much of a storm."""

    apps: int
    alerts: int
    kills: int
    interval_s: int = 10  # of a group of Alertmanager's
    leases_wait: bool = True  # else what the dead had in hand is free at once


FULL = Size(apps=20, alerts=10_000, kills=100)
QUICK = Size(apps=6, alerts=600, kills=5, interval_s=5, leases_wait=False)


@dataclass
class Kills:
    """One storm, the service that is killed in it, and what comes of both."""

    size: Size
    world: World
    witness: Witness
    pair: Pair
    engine: AsyncEngine
    storm: Storm
    dice: random.Random
    session: aiohttp.ClientSession
    tally: Tally
    killed: int = 0
    _served: Served | None = None
    slowest_s: float = 0.0  # from a start until it was ready

    async def play(self, kills: int, *, ends_at: float) -> None:
        """Kill it *kills* times, or until it is time to end; then look at what came of it."""
        await self._serve()
        await self._leave_a_card_unnoted()
        await self._serve()
        await self.pair.tell(self.storm.steady(self.storm.apps[1:]))
        for _ in range(kills):
            if time.monotonic() > ends_at:
                break
            await self._live_and_die()
            await self._serve()
        for _ in range(self.storm.waves):  # what the last kills would have brought
            if wave := self.storm.wave(self.witness.has_heard_of):
                await self.pair.tell(wave)
        await self._die_at_an_ends_word()
        await self._serve()
        self.world.store = await open_store(self.world.database_url, moves=MOVES)
        try:
            await self._look()
        finally:
            await self.world.store.close()

    async def _leave_a_card_unnoted(self) -> None:
        """Kill it when Slack has its first card, with buttons, and it has not heard so."""
        slack = self.world.slack.state
        await self.world.read_history()
        slack.faults.order("drop", POST, times=None)
        await self.pair.tell(self.storm.steady([APP]))
        await self.world.until(self._approvable)
        tried = slack.count(POST)  # the try that is under way may show the case without a rollback
        await slack.until(lambda state: state.count(POST) > tried, within=READY_S)
        slack.faults.clear()
        slack.faults.order("hang", POST, after=True)
        await slack.until(lambda state: state.faults.hanging, within=READY_S)
        await self._kill()
        slack.faults.clear()
        await self.world.store.close()  # while it is killed, nobody else has the database open

    async def _live_and_die(self) -> None:
        """Work for a moment while alerts arrive, and be killed; more come before a restart.

        Every other time it dies when it has acknowledged something, that very moment; and every
        other time of these it is that an alert has ended. That is not said again, while of what
        fires Alertmanager goes on to tell.
        """
        began, lives_s = time.monotonic(), self.dice.uniform(*LIVES_S)
        at_its_word = self.killed % 2 == 0
        word = self.witness.just_acknowledged
        word = self.witness.end_acknowledged if self.killed % 4 == 0 else word
        wave = self.storm.wave(self.witness.has_heard_of)
        half = len(wave) // 2
        await asyncio.sleep(self.dice.uniform(0.0, LIVES_S[0]))
        await self.pair.tell(wave[:half])
        await asyncio.sleep(max(0.0, began + LIVES_S[0] - time.monotonic()))
        word.clear()
        how = "killed between deliveries"
        try:
            async with asyncio.timeout(max(0.0, began + lives_s - time.monotonic())):
                await (word if at_its_word else asyncio.Event()).wait()
                how = "killed when it had just acknowledged"
        except TimeoutError:
            if self.witness.unanswered:
                how = "killed with deliveries in hand"
        await self._kill()
        self.tally.add(how)
        await self.pair.tell(wave[half:])

    async def _die_at_an_ends_word(self) -> None:
        """Be killed the moment it has acknowledged an end that nobody says again.

        However long that takes: this is the one kill that sees for certain who says 202 too early.
        """
        word = self.witness.end_acknowledged
        word.clear()
        async with asyncio.timeout(SETTLED_S):
            while not (ends := self.storm.ends(self.witness.has_heard_of)):  # noqa: ASYNC110
                await asyncio.sleep(LOOK_S)  # none that could end was acknowledged yet
            await self.pair.tell(ends)
            await word.wait()
        await self._kill()

    async def _kill(self) -> None:
        assert self._served is not None
        await self._served.kill()
        self.witness.port = 0
        self.killed += 1

    async def _serve(self) -> None:
        began = time.monotonic()
        self._served = await self.world.serve()
        self.witness.port = self.world.port
        give_up = time.monotonic() + READY_S
        while not await is_ready(self.session, self.world.port):
            if time.monotonic() > give_up:
                raise AssertionError(f"not ready: {self._served.lines[-10:]}")
            await asyncio.sleep(LOOK_S)
        took_s = time.monotonic() - began
        self.slowest_s = max(self.slowest_s, took_s)

    # -- what came of it ------------------------------------------------------------------------

    async def _look(self) -> None:
        waited_for = await self._settled()
        stored = await Stored.read(self.engine)
        held = await self.pair.held()
        seen = await Seen.read(self.engine, self.world.slack.state)
        broken = [f"it was not over: {what}" for what in waited_for]
        broken += stored.broken(self.witness.acknowledged, held, self.storm.alerts)
        broken += seen.broken(self.storm.apps, killed=self.killed)
        broken += await self._press_what_is_there_twice(seen)
        broken += await self._goes_on()
        broken += [
            f"answered with {a}" for a in self.witness.answers if a in {"400", "401", "413", "500"}
        ]
        broken += [str(one.problem) for one in self.world.slack.state.problems]
        if not (await self.world.audit()).ok:
            broken.append("the audit chain is broken")
        self.tally.broken += broken
        self.tally.figures.update(self._figures(stored, seen))

    def _figures(self, stored: Stored, seen: Seen) -> dict[str, int]:
        answers = self.witness.answers
        return {
            "apps": len(self.storm.apps),
            "alerts": sum(alert.starts_at is not None for alert in self.storm.alerts),
            "alerts that fired again": self.storm.begun_again,
            "firings stored": len(stored.status),
            "firings acknowledged": len(self.witness.acknowledged),
            "kills": self.killed,
            "deliveries acknowledged": answers["202"],
            "deliveries that both Alertmanagers made": self.witness.twice,
            "deliveries cut by a kill": answers["killed before it answered"],
            "deliveries that found no door": answers["no door"],
            "deliveries answered with 503": answers["503"],
            "cards posted again after a crash": len(seen.again),
            "sentences said again after a crash": seen.said_twice,
        }

    async def _settled(self) -> list[str]:
        """Wait until all is stored and told; what it was not worth waiting for."""
        give_up = time.monotonic() + SETTLED_S
        while True:
            if not self.size.leases_wait:
                await leases_are_over(self.engine)
            left = await self._left()
            if not left or time.monotonic() > give_up:
                return left
            await asyncio.sleep(SETTLE_LOOK_S)

    async def _left(self) -> list[str]:
        unheard = sum(not self.witness.has_heard_of(alert) for alert in self.storm.alerts)
        async with self.world.store.read() as tx:
            unfiled = len((await tx.arrivals.waiting()).ids)
            waiting = await tx.outbox.waiting()
            untaken = len(await tx.alerts.unassigned([AppEnv(a, ENV) for a in self.storm.apps]))
            changed = len(await tx.alerts.changed())
            outlived, _ = await tx.alerts.outlived()
        found = {
            "alerts not heard of": unheard,
            "deliveries not filed": unfiled,
            "things to tell": waiting,
            "alerts of no case": untaken,
            "alerts whose end is not told": changed,
            "alerts that fire though they began again": len(outlived),
        }
        return [f"{number} {what}" for what, number in found.items() if number]

    async def _press_what_is_there_twice(self, seen: Seen) -> list[str]:
        """Approve on cards that a crash has left; nothing may come of it."""
        before = await self._rollbacks()
        driver = self.world.slack.driver
        for message in seen.again:
            if has_button(message):
                await driver.click(VOTERS[0], message.ts, "approve")
                self.tally.figures["clicks on such a card, without effect"] += 1
        await self.world.until(self._judged)
        after = await self._rollbacks()
        votes = [sum(len(one.votes) for one in some) for some in (before, after)]
        return ["a card that is there twice took a vote"] if votes[0] != votes[1] else []

    async def _judged(self) -> bool:
        return not await clicks_waiting(self.engine)

    async def _rollbacks(self) -> list[Rollback]:
        async with self.world.store.read() as tx:
            return list(await tx.rollbacks.newest())

    async def _goes_on(self) -> list[str]:
        """Two people roll the guilty change back, as on any day."""
        open_ones = [one for one in await self._rollbacks() if one.open]
        if len(open_ones) != 1:
            return [f"{len(open_ones)} rollbacks are open"]
        ended = await self._rolled_back(open_ones[0].id)
        done = ended.state is State.COMPLETED
        self.tally.figures["rolled back afterwards"] += done
        return [] if done else [f"a rollback ended as {ended.state} ({ended.outcome})"]

    async def _approvable(self) -> bool:
        return any(one.state is State.PENDING_APPROVAL for one in await self._rollbacks())

    async def _rolled_back(self, rollback_id: int) -> Rollback:
        async with self.world.store.read() as tx:
            rollback = await tx.rollbacks.get(rollback_id)
            case = await tx.cases.get(rollback.case_id)
        for voter in VOTERS:
            while not (await self.world.slack.driver.click(voter, case.card_ts, "approve")).ok:
                pass  # it waits for its three seconds

        async def ended() -> Rollback | None:
            async with self.world.store.read() as tx:
                found = await tx.rollbacks.get(rollback_id)
            return None if found.open else found

        return await self.world.until(ended, within=ROLLED_BACK_S)


@asynccontextmanager
async def _scene(
    database_url: str, alertmanager: str, size: Size, seed: str, tally: Tally, folder: Path
) -> AsyncIterator[Kills]:
    dice = random.Random(seed)
    async with AsyncExitStack() as closing:
        world = await closing.enter_async_context(a_world(folder, database_url))
        apps = _furnish(world, size.apps)
        witness = await closing.enter_async_context(a_witness())
        token = world.secrets["KEYTURN_WEBHOOK_TOKEN"]
        pair = await closing.enter_async_context(
            a_pair(
                alertmanager,
                folder,
                webhook=witness.url,
                token=token,
                interval_s=size.interval_s,
            )
        )
        engine = create_async_engine(translate_url(database_url))
        closing.push_async_callback(engine.dispose)
        session = await closing.enter_async_context(aiohttp.ClientSession())
        storm = Storm(apps, size.alerts, size.kills, dice)
        yield Kills(size, world, witness, pair, engine, storm, dice, session, tally)


async def play(
    database_url: str,
    alertmanager: str,
    size: Size,
    *,
    kills: int,
    seed: str,
    tally: Tally,
    ends_at: float,
) -> None:
    """Play a storm of *size* on the migrated database at *database_url*, with *kills* of them."""
    with TemporaryDirectory(prefix="keyturn-storm-") as name:
        folder = Path(name)
        async with _scene(database_url, alertmanager, size, seed, tally, folder) as scene:
            await scene.play(kills, ends_at=ends_at)


def _furnish(world: World, count: int) -> list[str]:
    """Give *world* so many apps; the first has a change that looks guilty. Their names."""
    state = world.dify.state
    story.publish_bad(state, at=state.clock() - timedelta(minutes=10))
    text = world.config.read_text(encoding="utf-8")
    names = [f"app-{number:02d}" for number in range(1, count)]
    for name in names:
        place = f'{{ target = "dify.local", id = "{story.add_neighbour(state, name)}" }}'
        text += f"[app.{name}]\nenvironments.prod = {place}\n"
    world.config.write_text(text, encoding="utf-8")
    return [APP, *names]
