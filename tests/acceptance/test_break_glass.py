"""Break-glass through the real service: one person starts it, two others sign the review."""

from __future__ import annotations

import asyncio

from bot.playground.slack import people
from bot.playground.slack.state import SlackState
from bot.playground.slack.things import View
from store.records import Rollback, State
from tests.acceptance.test_policies import told, types
from tests.acceptance.world import LIMIT_S, WHERE, World, with_button

ALICE, BOB, CAROL, DAVE = people.ALICE, people.BOB, people.CAROL, people.DAVE
REASON = "nobody else is awake and the bot answers every customer wrongly"


async def form(world: World, who: str, button: str) -> View:
    """Press *button* as *who*; return the form that opens."""
    driver = world.slack.driver
    messages = await world.slack.state.until(
        lambda s: with_button(s, f"rollback.{button}"), within=LIMIT_S
    )
    while not (await driver.click(who, messages[-1].ts, button)).ok:
        pass
    await world.slack.state.until(lambda s: s.views_of(who), within=LIMIT_S)
    return world.slack.state.views_of(who)[-1]


async def sends(world: World, who: str, button: str, text: str) -> None:
    """Fill in the form of *button* and send it, until it is stored."""
    view = await form(world, who, button)
    while not (await world.slack.driver.submit(who, view.id, {"text": text})).ok:
        pass


async def signed(world: World, count: int) -> Rollback:
    async def look() -> Rollback | None:
        async with world.store.read() as tx:
            (rollback,) = await tx.rollbacks.newest()
            waiting = await tx.outbox.waiting()
        return rollback if len(rollback.signatures) == count and not waiting else None

    return await world.until(look)


def said(slack: SlackState) -> str:
    return str(slack.everything())


async def test_one_person_starts_it_alone_and_two_others_close_the_review(world: World) -> None:
    aliases = f'{{ {BOB} = "bob", {DAVE} = "bob" }}'  # two accounts of one person
    world.edit(
        reviewers=f'reviewers = ["{people.REVIEWERS}", "{DAVE}"]\nbreak_glass = ["{ALICE}"]',
        **{"for": f'for = "1m"\n[people]\naliases = {aliases}'},
    )
    async with asyncio.timeout(2 * LIMIT_S), world.here():
        was = await world.alarm()
        view = await form(world, ALICE, "break_glass")
        await world.slack.driver.submit(ALICE, view.id, {"text": "urgent"})
        assert world.slack.state.views_of(ALICE)  # it says that this is no reason, and stays
        while not (await world.slack.driver.submit(ALICE, view.id, {"text": REASON})).ok:
            pass
        ended = await world.ended()
        assert (ended.state, ended.votes, ended.review_open) == (State.COMPLETED, (), True)
        assert world.live.hash == was.good
        assert "not approved" in world.live.marked_comment
        assert "Glass broken" in said(world.slack.state)

        await types(world, ALICE, f"review {WHERE} all good")
        await told(world, ALICE, "You broke the glass")
        await sends(world, BOB, "sign_review", "it was right to do")
        assert (await signed(world, 1)).review_open
        await types(world, DAVE, f"review {WHERE} me too")
        await told(world, DAVE, "You have signed this review already")
        await types(world, CAROL, "status")
        await told(world, CAROL, "What is live now")
        assert "signed by 1 of 2" in str(world.slack.state.ephemerals_to(CAROL)[-1].blocks)
        await types(world, CAROL, f"review {WHERE}")
        closed = await signed(world, 2)

    assert (closed.review_open, closed.state) == (False, State.COMPLETED)
    assert [signature.slack_id for signature in closed.signatures] == [BOB, CAROL]
    text = said(world.slack.state)
    assert f"<!subteam^{people.REVIEWERS}>" in text
    assert REASON in text
    assert "It is closed, signed by" in text
    assert (await world.audit()).ok
