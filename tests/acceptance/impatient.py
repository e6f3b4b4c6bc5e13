"""The real service in this process, with next to no patience: what fails is tried again at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from aiohttp import ClientTimeout

from bot.adapters.slack.link import Limits
from bot.app import Service, build
from bot.assembly.process import Patience
from bot.playground.slack import people
from bot.playground.slack.things import Message
from store.records import Rollback
from tests.acceptance.world import LIMIT_S, LOOPBACK, WHERE, World

CALL_S = 2.0
AT_ONCE = Limits(settled=0.0)  # a link that ends is followed by the next one without a wait


async def at_once(_: int) -> None:
    """Try again in the loop's next round."""
    await asyncio.sleep(0)


@asynccontextmanager
async def impatient(world: World, *, call_s: float = CALL_S, **more: str) -> AsyncIterator[Service]:
    """Run the service; a call to Dify has *call_s* seconds."""
    patience = Patience(pause=at_once, call=ClientTimeout(total=call_s), link=AT_ONCE)
    async with build(world.settings(**more), patience=patience) as service:
        door = await service.start(LOOPBACK, 0)
        world.open_door(door.port)
        await world.linked()
        try:
            yield service
        finally:
            await service.stop(door)


async def look_again(world: World) -> None:
    """Let the time be over after which the case is looked at again."""
    async with world.store.write() as tx:
        case = next(case for case in await tx.cases.open_cases() if case.where == WHERE)
        await tx.cases.save(replace(case, assess_at=await tx.now()), was=case.revision)


def cards(world: World) -> list[Message]:
    """The messages in the channel; a case has one."""
    return world.slack.state.messages(people.INCIDENTS)


def said(message: Message) -> str:
    """Everything that *message* says."""
    return f"{message.text} {message.blocks}"


def thread(world: World) -> str:
    """Everything that is said below the newest card."""
    replies = world.slack.state.thread(people.INCIDENTS, cards(world)[-1].ts)
    return "\n".join(said(reply) for reply in replies)


async def read_card(world: World, words: str) -> Message:
    """Wait until the one card says *words*."""

    async def look() -> Message | None:
        return next((card for card in cards(world) if words in said(card)), None)

    return await world.until(look, within=LIMIT_S)


async def approved_by_both(world: World) -> Rollback:
    """Turn the second key and wait for the end."""
    await world.turn_second_key()
    return await world.ended()
