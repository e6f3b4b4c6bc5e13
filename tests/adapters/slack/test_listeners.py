"""Clicks, forms and commands of people in the local Slack, through the door and Bolt to a row."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import pytest

from bot.adapters.slack.client import SlackMessenger
from bot.domain.card import CardButton
from bot.domain.diff.browse import Sheet
from bot.domain.words import AnswerCode, NoteCode
from bot.errors import UpstreamRefused
from bot.playground.slack.people import ALICE, BOB, INCIDENTS, STRANGER, TEAM
from bot.playground.slack.server import RunningSlack
from bot.playground.slack.shapes import Forge
from bot.playground.slack.things import View
from bot.ports.people import Note, Window
from bot.samples.cards import REWORDED
from bot.samples.facts import REVIEW
from store.records import InboxKind, State, Unavailable
from tests.adapters.slack.conftest import FakeInbox
from tests.cards import a_view

pytestmark = pytest.mark.usefixtures("door")


@pytest.fixture
async def card(messenger: SlackMessenger) -> str:
    """The ts of a card that waits for approval."""
    return await messenger.show(a_view(), channel=INCIDENTS, ts="")


def value_of(slack: RunningSlack, card: str, action: str) -> str:
    message = slack.state.message(INCIDENTS, card)
    assert message is not None
    buttons = [b for block in message.blocks for b in block.get("elements", [])]
    (value,) = (b["value"] for b in buttons if b.get("action_id") == action)
    return str(value)


async def the_form(slack: RunningSlack, user: str = BOB) -> View:
    (view,) = await slack.state.until(lambda state: state.views_of(user))
    return view


@pytest.mark.parametrize("action", ["approve", "difference"])
async def test_a_press_is_one_row_with_who_what_and_where(
    slack: RunningSlack, inbox: FakeInbox, card: str, action: str
) -> None:
    answer = await slack.driver.click(BOB, card, action)

    assert (answer.status, answer.body) == (200, "")
    row = inbox.only
    assert (row.kind, row.action) == (InboxKind.CLICK, action)
    assert (row.slack_id, row.team_id) == (BOB, TEAM)
    window = {"window": f"difference.{row.digest}"} if action == "difference" else {}
    assert row.payload == {
        "value": value_of(slack, card, f"rollback.{action}"),
        "channel": INCIDENTS,
        "ts": card,
        "response_url": f"{slack.state.url}actions/{TEAM}/{next(iter(slack.state.hooks))}",
        **window,
    }


async def test_a_difference_opens_a_dialog_at_once_that_says_it_is_being_made(
    slack: RunningSlack, inbox: FakeInbox, card: str
) -> None:
    await slack.driver.click(BOB, card, "difference")

    view = await the_form(slack)
    assert view.content["external_id"] == f"difference.{inbox.only.digest}"
    assert "One moment" in str(view.content["blocks"])


async def test_a_turned_page_is_a_row_that_asks_for_it_in_the_same_dialog(
    slack: RunningSlack, inbox: FakeInbox, card: str, messenger: SlackMessenger
) -> None:
    await slack.driver.click(BOB, card, "difference")
    view = await the_form(slack)
    pressed = inbox.only.payload
    window = Window(pressed["window"], pressed["value"], INCIDENTS, card)
    await messenger.fill(window, Sheet((0, 0), (REWORDED,), total=2, after=(1, 0)))
    inbox.rows.clear()

    answer = await slack.driver.click_in_view(BOB, view.id, "rollback.page.after")

    assert answer.ok
    row = inbox.only
    assert (row.kind, row.action, row.slack_id) == (InboxKind.CLICK, "difference", BOB)
    assert row.payload == {**pressed, "response_url": "", "place": "1.0"}


async def test_what_cannot_be_drawn_in_a_dialog_is_said_in_it(
    slack: RunningSlack, card: str, messenger: SlackMessenger
) -> None:
    await slack.driver.click(BOB, card, "difference")
    view = await the_form(slack)
    window = Window(view.content["external_id"], "v", INCIDENTS, card)

    await messenger.fill(window, Note("no code of ours", {}))

    assert "Something went wrong on our side" in str(view.content["blocks"])


async def test_a_dialog_that_is_closed_takes_nothing_more(
    slack: RunningSlack, card: str, messenger: SlackMessenger
) -> None:
    await slack.driver.click(BOB, card, "difference")
    view = await the_form(slack)
    window = Window(view.content["external_id"], "v", INCIDENTS, card)
    await slack.driver.close(BOB, view.id)

    with pytest.raises(UpstreamRefused) as refused:
        await messenger.fill(window, Note(AnswerCode.FAILED, {}))

    assert refused.value.upstream_code == "not_found"


async def test_nothing_is_asked_of_slack_before_the_acknowledgement(
    slack: RunningSlack, inbox: FakeInbox, card: str
) -> None:
    slack.state.faults.down = True

    answer = await slack.driver.click(BOB, card, "approve")

    assert answer.ok
    assert len(inbox.rows) == 1


async def test_reject_is_a_row_and_asks_for_the_reason(
    slack: RunningSlack, inbox: FakeInbox, card: str
) -> None:
    value = value_of(slack, card, "rollback.reject")

    answer = await slack.driver.click(BOB, card, "reject")

    assert answer.ok
    assert (inbox.only.kind, inbox.only.action) == (InboxKind.CLICK, "reject")
    view = await the_form(slack)
    assert json.loads(view.content["private_metadata"]) == {
        "value": value,
        "channel": INCIDENTS,
        "ts": card,
    }


@pytest.mark.parametrize(
    ("action", "title"),
    [
        ("reject", "Drill: reject it"),
        ("difference", "Drill: what would change"),
        ("another", "Drill: another version"),
    ],
)
async def test_what_opens_from_the_card_of_a_drill_says_so(
    slack: RunningSlack, inbox: FakeInbox, messenger: SlackMessenger, action: str, title: str
) -> None:
    another = CardButton("another", "17.1.n0nce." + "0" * 64)
    view = a_view(drill=True)
    view = a_view(drill=True, buttons=(*view.buttons, another))
    card = await messenger.show(view, channel=INCIDENTS, ts="")

    assert (await slack.driver.click(BOB, card, action)).ok

    opened = await the_form(slack)
    assert opened.content["title"]["text"] == title
    assert inbox.only.action == action


async def test_the_dialog_of_a_drill_stays_one_when_it_is_filled(
    slack: RunningSlack, inbox: FakeInbox, messenger: SlackMessenger
) -> None:
    card = await messenger.show(a_view(drill=True), channel=INCIDENTS, ts="")
    await slack.driver.click(BOB, card, "difference")
    view = await the_form(slack)
    pressed = inbox.only.payload

    window = Window(pressed["window"], pressed["value"], INCIDENTS, card)
    await messenger.fill(window, Sheet((0, 0), (REWORDED,), total=2, after=(1, 0)))

    (view,) = slack.state.views_of(BOB)
    assert view.content["title"]["text"] == "Drill: what would change"
    assert "1 prompt reworded" in str(view.content["blocks"])


async def test_the_same_press_again_asks_only_once(
    slack: RunningSlack, inbox: FakeInbox, card: str
) -> None:
    signed = slack.driver.prepare_click(BOB, card, "reject")

    answers = [await slack.driver.send(signed) for _ in range(3)]

    assert {(answer.status, answer.body) for answer in answers} == {(200, "")}
    assert len(inbox.rows) == 1
    await the_form(slack)
    assert slack.state.count("views.open") == 1


async def test_a_reason_is_a_row_with_the_button_it_belongs_to(
    slack: RunningSlack, inbox: FakeInbox, card: str
) -> None:
    value = value_of(slack, card, "rollback.reject")
    await slack.driver.click(BOB, card, "reject")
    inbox.rows.clear()

    view = await the_form(slack)
    answer = await slack.driver.submit(BOB, view.id, {"text": " The fix is on its way.\n"})

    assert answer.ok
    row = inbox.only
    assert (row.kind, row.action) == (InboxKind.SUBMISSION, "reject")
    assert (row.slack_id, row.team_id) == (BOB, TEAM)
    assert row.payload == {
        "value": value,
        "channel": INCIDENTS,
        "ts": card,
        "response_url": "",
        "reason": "The fix is on its way.",
    }
    assert slack.state.views_of(BOB) == []


async def a_done_card(messenger: SlackMessenger) -> str:
    """The ts of a card of what was carried out."""
    done = a_view(State.COMPLETED, buttons=(CardButton("undo", f"17.1.n0nce.{'0' * 64}"),))
    return await messenger.show(done, channel=INCIDENTS, ts="")


async def test_undo_asks_for_the_reason_and_its_form_is_a_request(
    slack: RunningSlack, inbox: FakeInbox, messenger: SlackMessenger
) -> None:
    done = await a_done_card(messenger)
    value = value_of(slack, done, "rollback.undo")

    await slack.driver.click(BOB, done, "undo")
    view = await the_form(slack)
    pressed = inbox.only
    inbox.rows.clear()
    answer = await slack.driver.submit(BOB, view.id, {"text": " it was not us\n"})

    assert answer.ok
    assert (pressed.kind, pressed.action) == (InboxKind.CLICK, "undo")
    assert view.content["callback_id"] == "rollback.undo"
    row = inbox.only
    assert (row.kind, row.action, row.slack_id) == (InboxKind.COMMAND, "undo", BOB)
    assert row.payload == {
        "value": value,
        "channel": INCIDENTS,
        "ts": done,
        "response_url": "",
        "reason": "it was not us",
    }


async def test_an_undo_without_a_reason_stays_open_and_says_so(
    slack: RunningSlack, inbox: FakeInbox, messenger: SlackMessenger
) -> None:
    await slack.driver.click(BOB, await a_done_card(messenger), "undo")
    inbox.rows.clear()
    view = await the_form(slack)

    await slack.driver.submit(BOB, view.id, {"text": "  "})

    assert inbox.rows == {}
    assert view.errors == {"reason": "Please say in a few words why it should be undone."}


async def test_an_undo_form_that_does_not_open_is_said(
    slack: RunningSlack, messenger: SlackMessenger
) -> None:
    done = await a_done_card(messenger)
    slack.state.faults.order("refuse", "views.open", code="expired_trigger_id")

    assert (await slack.driver.click(BOB, done, "undo")).ok

    (told,) = await slack.state.until(lambda state: state.ephemerals_to(BOB))
    assert "press *Undo* again" in told.text


@pytest.mark.parametrize("reason", ["", "  ", "\n\t"])
async def test_without_a_reason_the_form_stays_and_says_so(
    slack: RunningSlack, inbox: FakeInbox, card: str, reason: str
) -> None:
    await slack.driver.click(BOB, card, "reject")
    inbox.rows.clear()
    view = await the_form(slack)

    await slack.driver.submit(BOB, view.id, {"text": reason})

    assert inbox.rows == {}
    assert view.errors == {"reason": "Please say in a few words why you reject it."}
    assert slack.state.views_of(BOB) == [view]


async def test_breaking_the_glass_asks_for_a_sentence_and_takes_no_word(
    slack: RunningSlack, inbox: FakeInbox, messenger: SlackMessenger
) -> None:
    view = a_view(buttons=(CardButton("break_glass", "17.1.n0nce.00"),))
    card = await messenger.show(view, channel=INCIDENTS, ts="")
    await slack.driver.click(BOB, card, "break_glass")
    assert (inbox.only.kind, inbox.only.action) == (InboxKind.CLICK, "break_glass")
    inbox.rows.clear()
    form = await the_form(slack)

    for word in ("", "urgent", "urgent" + " " * 30 + "now"):
        await slack.driver.submit(BOB, form.id, {"text": word})
    assert inbox.rows == {}
    assert "20 characters" in form.errors["reason"]

    await slack.driver.submit(BOB, form.id, {"text": "Nobody else is awake at this hour."})
    assert (inbox.only.kind, inbox.only.action) == (InboxKind.SUBMISSION, "break_glass")
    assert inbox.only.payload["reason"] == "Nobody else is awake at this hour."
    assert (inbox.only.payload["value"], inbox.only.payload["ts"]) == ("17.1.n0nce.00", card)


@pytest.mark.parametrize("remark", ["", "right to do"])
async def test_a_review_is_signed_from_its_own_message_with_a_remark_or_without(
    slack: RunningSlack, inbox: FakeInbox, messenger: SlackMessenger, remark: str
) -> None:
    await messenger.reply(Note(NoteCode.REVIEW_OPEN, REVIEW), channel=INCIDENTS, ts="")
    message = slack.state.messages(INCIDENTS)[-1]
    await slack.driver.click(BOB, message.ts, "sign_review")
    inbox.rows.clear()
    form = await the_form(slack)

    await slack.driver.submit(BOB, form.id, {"text": remark})

    assert (inbox.only.kind, inbox.only.action) == (InboxKind.SUBMISSION, "sign_review")
    assert (inbox.only.payload["value"], inbox.only.payload["reason"]) == (REVIEW["value"], remark)


async def test_who_sends_a_form_is_who_signed_it_not_who_opened_it(
    slack: RunningSlack, inbox: FakeInbox, card: str
) -> None:
    await slack.driver.click(BOB, card, "reject")
    inbox.rows.clear()
    view = await the_form(slack)
    view.user = ALICE

    await slack.driver.submit(ALICE, view.id, {"text": "no"})

    assert inbox.only.slack_id == ALICE


async def test_a_form_that_was_tampered_with_is_no_row(
    slack: RunningSlack, inbox: FakeInbox, card: str
) -> None:
    await slack.driver.click(BOB, card, "reject")
    inbox.rows.clear()
    view = await the_form(slack)
    view.content["private_metadata"] = '["17.1.x"]'

    answer = await slack.driver.submit(BOB, view.id, {"text": "no"})

    assert answer.status == 400
    assert inbox.rows == {}


@pytest.mark.parametrize(
    ("kind", "code"), [("refuse", "expired_trigger_id"), ("error", ""), ("drop", "")]
)
async def test_a_form_that_does_not_open_costs_no_acknowledgement_and_the_person_is_told(
    slack: RunningSlack, inbox: FakeInbox, card: str, kind: str, code: str
) -> None:
    slack.state.faults.order(kind, "views.open", code=code)

    answer = await slack.driver.click(BOB, card, "reject")

    assert answer.ok
    assert len(inbox.rows) == 1
    (told,) = await slack.state.until(lambda state: state.ephemerals_to(BOB))
    assert "press *Reject* again" in told.text


async def test_a_form_that_cannot_be_drawn_costs_no_acknowledgement(
    slack: RunningSlack, inbox: FakeInbox, card: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)

    answer = await slack.driver.click(BOB, card, "reject", forge=Forge(value="x" * 3000))

    assert answer.ok
    assert len(inbox.rows) == 1
    assert [record.message for record in caplog.records] == ["the form did not open"]


async def test_a_press_that_was_not_stored_opens_no_form_and_the_person_is_told(
    slack: RunningSlack, inbox: FakeInbox, card: str
) -> None:
    inbox.fault = Unavailable("locked")

    answer = await slack.driver.click(BOB, card, "reject")

    assert answer.status == 503
    assert slack.state.count("views.open") == 0
    assert [trouble.user for trouble in slack.state.troubles] == [BOB]


@pytest.mark.parametrize("text", ["", "status", "to support-triage@prod 6", "<!channel> `x`\n"])
async def test_a_command_is_one_row_with_its_words(
    slack: RunningSlack, inbox: FakeInbox, text: str
) -> None:
    answer = await slack.driver.command(BOB, INCIDENTS, "/rollback", text)

    assert (answer.status, answer.body) == (200, "")
    row = inbox.only
    assert (row.kind, row.action) == (InboxKind.COMMAND, "rollback")
    assert (row.slack_id, row.team_id) == (BOB, TEAM)
    response_url: Any = row.payload["response_url"]
    assert row.payload == {"text": text, "channel": INCIDENTS, "response_url": response_url}
    assert response_url.startswith(slack.state.url)


async def test_a_stranger_in_a_shared_channel_is_turned_away_at_the_door(
    slack: RunningSlack, inbox: FakeInbox, card: str
) -> None:
    answer = await slack.driver.click(STRANGER, card, "approve")

    assert answer.status == 401
    assert inbox.rows == {}


async def test_people_who_click_at_once_are_all_heard(
    slack: RunningSlack, inbox: FakeInbox, card: str
) -> None:
    clicks = [slack.driver.prepare_click(user, card, "approve") for user in (ALICE, BOB) * 20]

    answers = await asyncio.gather(*map(slack.driver.send, clicks))

    assert {(answer.status, answer.body) for answer in answers} == {(200, "")}
    assert len(inbox.rows) == len({click.body for click in clicks})
