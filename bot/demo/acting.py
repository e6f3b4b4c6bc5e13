"""The steps of a story played without a page: people press what the story says that they press."""

from __future__ import annotations

from collections.abc import Callable

from bot.demo.stage import Stage
from bot.playground.slack.driver import Answer
from bot.playground.slack.state import SlackState
from bot.playground.slack.things import Message, View
from bot.playground.tales.tale import Move, Step

PATIENCE_S = 40.0  # for one thing that Keyturn does; the machine may be busy
Say = Callable[[str], None]


async def act(stage: Stage, step: Step, say: Say) -> None:
    """Let *step* happen, or its people press their buttons, and wait until it is over."""
    if step.happens is not None:
        await step.happens(stage.scene)
        say(step.hint)
        return
    for move in step.moves:
        await _press(stage, move, say)
    await stage.slack.state.until(lambda _: step.seen(stage.scene), within=PATIENCE_S)
    if not step.moves:
        say(step.title)


async def _press(stage: Stage, move: Move, say: Say) -> None:
    slack, name = stage.slack, stage.slack.state.users[move.who].name
    card = (await slack.state.until(lambda _: _with_button(stage, move.action), within=PATIENCE_S))[
        -1
    ]
    known = {view.id for view in slack.state.views_of(move.who)}
    answer = await slack.driver.click(move.who, card.ts, move.action)
    say(f"{name} presses {move.action}{_unless_well(answer)}")
    if not move.values:
        return

    def opened(state: SlackState) -> list[View]:
        views = state.views_of(move.who)
        return [view for view in views if view.id not in known and _asks(view, move)]

    (view,) = await slack.state.until(opened, within=PATIENCE_S)
    answer = await slack.driver.submit(move.who, view.id, dict(move.values))
    say(f"{name} sends the form{_unless_well(answer)}")


def _with_button(stage: Stage, action: str) -> list[Message]:
    """The cards with a button of this action; the newest is last."""
    return [card for card in stage.scene.cards if stage.scene.has_button(action, on=card)]


def _asks(view: View, move: Move) -> bool:
    """Whether *view* has every field that is filled in; a dialog may still be looking things up."""
    asked = {
        block["element"]["action_id"]
        for block in view.content["blocks"]
        if block.get("type") == "input"
    }
    return set(move.values) <= asked


def _unless_well(answer: Answer) -> str:
    return "" if answer.ok else f": HTTP {answer.status}"
