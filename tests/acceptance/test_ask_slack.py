"""`keyturn templates --ask-slack`: what Slack's own check says, before people see it."""

from __future__ import annotations

import pytest

from bot.playground.slack import server
from bot.playground.slack.arguments import Arguments
from bot.playground.slack.state import SlackState
from bot.playground.slack.things import Json, SlackError
from bot.samples.drawn import samples
from tests.acceptance.commands import keyturn
from tests.acceptance.world import World


async def test_all_of_it_passes(world: World) -> None:
    told = await keyturn(
        "templates", "--ask-slack", variables=world.environment(), cwd=world.folder
    )

    assert told.returncode == 0, told.stderr
    assert told.stdout == ""
    assert f"Slack would refuse none of {len(samples())}" in told.stderr


async def test_what_slack_would_refuse_is_named_and_is_a_no(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stricter(_: SlackState, args: Arguments) -> Json:
        if '"modal"' in args.text("view"):
            error = {"pointer": "/blocks/0", "code": "unknown", "message": "not any more"}
            raise SlackError("invalid_view", errors=[error])
        return {}

    monkeypatch.setitem(server.METHODS, "blocks.validate", (stricter, ""))
    told = await keyturn(
        "templates", "--ask-slack", variables=world.environment(), cwd=world.folder
    )

    assert told.returncode == 1
    assert "/blocks/0: not any more" in told.stdout
    assert "Slack would refuse" in told.stderr


async def test_without_a_token_nobody_can_be_asked(world: World) -> None:
    variables = world.environment()
    del variables["SLACK_BOT_TOKEN"]
    told = await keyturn("templates", "--ask-slack", variables=variables, cwd=world.folder)

    assert told.returncode == 2
    assert "SLACK_BOT_TOKEN" in told.stderr
