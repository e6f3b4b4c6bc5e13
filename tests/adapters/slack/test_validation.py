"""Slack itself says what it would refuse of what we draw, and nothing is posted for that."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession

from bot.adapters.slack.validation import SlackValidation
from bot.blockkit import Problem
from bot.checkup import blocks
from bot.errors import TokenRefused
from bot.playground.slack.server import RunningSlack
from bot.samples.drawn import sent
from tests.adapters.slack.conftest import TOKEN
from tests.adapters.slack.odd import OddServer, odd_server

TOO_WIDE = {"text": "x", "blocks": [{"type": "divider"}] * 51}
A_VIEW = {"type": "modal", "title": {"type": "plain_text", "text": "t" * 25}, "blocks": []}


@pytest.fixture
async def odd() -> AsyncIterator[OddServer]:
    async with odd_server() as running:
        yield running


def asking(url: str, session: ClientSession) -> SlackValidation:
    return SlackValidation(token=TOKEN, base_url=url, session=session)


async def test_all_that_keyturn_says_passes_and_none_of_it_is_posted(slack: RunningSlack) -> None:
    drawn = list(sent())

    found = [one async for one in blocks.problems(drawn, token=TOKEN, base_url=slack.url)]

    assert [name for name, _ in found] == [name for name, _ in drawn]
    assert [name for name, problems in found if problems] == []
    assert slack.state.count("blocks.validate") == len(drawn)
    assert {call.method for call in slack.state.calls} == {"blocks.validate"}


@pytest.mark.parametrize("wrong", [TOO_WIDE, A_VIEW], ids=["message", "view"])
async def test_what_is_wrong_is_named_with_its_place(
    slack: RunningSlack, session: ClientSession, wrong: dict[str, object]
) -> None:
    problems = await asking(slack.url, session).problems(wrong)

    assert problems
    assert all(problem.pointer and problem.text for problem in problems)


async def test_slacks_own_form_of_an_error_is_read(odd: OddServer, session: ClientSession) -> None:
    error = {"pointer": "/blocks/0/text", "code": "failed_constraint", "message": "too long"}
    odd.say({"ok": False, "error": "invalid_message", "errors": [error, "?"]})

    problems = await asking(odd.url, session).problems({"text": "x", "blocks": []})

    assert problems == [Problem("/blocks/0/text", "too long"), Problem("", "no reason given")]


async def test_a_no_without_reasons_is_no_yes(odd: OddServer, session: ClientSession) -> None:
    odd.say({"ok": False, "error": "invalid_view"})

    problems = await asking(odd.url, session).problems(A_VIEW)

    assert problems == [Problem("", "Slack says invalid_view, and no more")]


async def test_a_token_that_slack_does_not_take_is_no_problem_of_the_message(
    odd: OddServer, session: ClientSession
) -> None:
    odd.say({"ok": False, "error": "invalid_auth"})

    with pytest.raises(TokenRefused):
        await asking(odd.url, session).problems(TOO_WIDE)


async def test_it_waits_where_slack_asks_to(slack: RunningSlack) -> None:
    slack.state.faults.order("throttle", "blocks.validate", retry_after_s=0)

    drawn = [("one", {"text": "x"})]
    found = [one async for one in blocks.problems(drawn, token=TOKEN, base_url=slack.url)]

    assert found == [("one", [])]
    assert slack.state.count("blocks.validate") == 2
