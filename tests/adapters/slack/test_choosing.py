"""The dialog of choices through the door and Bolt: signed requests in, rows and views out."""

from __future__ import annotations

import json
import logging
from datetime import timedelta
from typing import Any

import pytest

from bot.adapters.slack.client import SlackMessenger
from bot.domain.card import CardButton
from bot.domain.choices import Choices, Offered
from bot.domain.words import AnswerCode
from bot.errors import UpstreamDown, UpstreamRefused
from bot.playground.slack.people import BOB, CAROL, INCIDENTS
from bot.playground.slack.server import RunningSlack
from bot.playground.slack.things import View
from bot.ports.people import Note, Window
from store.records import AppEnv, InboxKind, State, Unavailable
from tests.adapters.slack.conftest import FakeApps, FakeInbox
from tests.builders import NOON
from tests.cards import a_view

pytestmark = pytest.mark.usefixtures("door")

TRIAGE, BILLING = AppEnv("support-triage", "prod"), AppEnv("billing", "prod")
MENU, VERSIONS = "rollback.choose.app", "number"


def choices(where: AppEnv = TRIAGE, page: int = 1) -> Choices:
    good = Offered(6, NOON - timedelta(days=1), counts={"model": 1})
    gone = Offered(5, NOON - timedelta(days=2), counts={}, condemned=True, takes_reason=True)
    return Choices(str(where), Offered(7, NOON, counts={"prompt": 1}), page, 2, (good, gone))


async def the_dialog(slack: RunningSlack, user: str = BOB, says: str = "") -> View:
    (view,) = await slack.state.until(
        lambda state: [v for v in state.views_of(user) if says in str(v.content)]
    )
    return view


async def opened(slack: RunningSlack, inbox: FakeInbox, apps: FakeApps) -> View:
    """The dialog of `/rollback` before bob, who may see two apps."""
    apps.of[BOB] = [BILLING, TRIAGE]
    assert (await slack.driver.command(BOB, INCIDENTS, "/rollback", "  ")).ok
    view = await the_dialog(slack)
    inbox.rows.clear()
    return view


async def picked(
    slack: RunningSlack, inbox: FakeInbox, view: View, where: AppEnv = TRIAGE
) -> Window:
    """Choose *where* in *view*; return the window that the worker will fill."""
    await slack.driver.look_up(BOB, view.id, MENU, "")
    assert (await slack.driver.choose(BOB, view.id, MENU, str(where))).ok
    said = list(inbox.rows.values())[-1].payload
    await slack.state.until(lambda _: view.content["external_id"] == said["window"])
    return Window(
        said["window"],
        said["value"],
        said["channel"],
        said["ts"],
        said["response_url"],
        said["where"],
    )


# -- opening --------------------------------------------------------------------------------------


async def test_no_words_open_the_dialog_at_once_and_are_a_row(
    slack: RunningSlack, inbox: FakeInbox
) -> None:
    answer = await slack.driver.command(BOB, INCIDENTS, "/rollback", " ")

    assert (answer.status, answer.body) == (200, "")
    view = await the_dialog(slack)
    assert (inbox.only.kind, inbox.only.payload["text"]) == (InboxKind.COMMAND, " ")
    assert view.content["external_id"] == f"choose.{inbox.only.digest}"
    assert slack.state.count("views.open") == 1


async def test_the_same_words_again_open_nothing_more(
    slack: RunningSlack, inbox: FakeInbox
) -> None:
    signed = slack.driver.prepare_command(BOB, INCIDENTS, "/rollback", "")

    answers = [await slack.driver.send(signed) for _ in range(3)]

    assert {(answer.status, answer.body) for answer in answers} == {(200, "")}
    await the_dialog(slack)
    assert (slack.state.count("views.open"), len(inbox.rows)) == (1, 1)


async def test_words_open_nothing(slack: RunningSlack, inbox: FakeInbox) -> None:
    await slack.driver.command(BOB, INCIDENTS, "/rollback", "help")

    assert inbox.only.payload["text"] == "help"
    assert slack.state.views_of(BOB) == []


async def test_where_slack_opens_no_dialog_the_words_are_asked_for(
    slack: RunningSlack, inbox: FakeInbox, caplog: pytest.LogCaptureFixture
) -> None:
    slack.state.faults.down = True

    assert (await slack.driver.command(BOB, INCIDENTS, "/rollback", "")).ok

    await inbox.holds(2)
    first, second = inbox.rows.values()
    assert (second.kind, second.action, second.slack_id) == (first.kind, first.action, BOB)
    assert second.payload == {**first.payload, "text": "help"}
    assert "the dialog of choices did not open" in caplog.messages


async def test_an_expired_trigger_is_answered_with_the_words_too(
    slack: RunningSlack, inbox: FakeInbox
) -> None:
    signed = slack.driver.prepare_command(BOB, INCIDENTS, "/rollback", "")
    for trigger in slack.state.triggers.values():
        trigger.at -= 4

    await slack.driver.send(signed)

    await inbox.holds(2)
    assert slack.state.views_of(BOB) == []


# -- looking an app up ----------------------------------------------------------------------------


async def test_the_apps_that_one_may_see_are_offered_by_what_is_typed(
    slack: RunningSlack, inbox: FakeInbox, apps: FakeApps
) -> None:
    view = await opened(slack, inbox, apps)

    everything = await slack.driver.look_up(BOB, view.id, MENU, "")
    some = await slack.driver.look_up(BOB, view.id, MENU, "bill")

    assert [one["value"] for one in everything] == [str(BILLING), str(TRIAGE)]
    assert [one["value"] for one in some] == [str(BILLING)]
    assert (apps.typed, inbox.rows) == (["", "bill"], {})


@pytest.mark.parametrize("fault", [UpstreamDown("slack", "gone"), Unavailable("gone")])
async def test_apps_that_cannot_be_named_now_are_none(
    slack: RunningSlack, inbox: FakeInbox, apps: FakeApps, fault: Exception
) -> None:
    view = await opened(slack, inbox, apps)
    apps.fault = fault

    assert await slack.driver.look_up(BOB, view.id, MENU, "") == []
    assert slack.state.problems == []


async def test_a_thousand_apps_are_a_hundred_options(
    slack: RunningSlack, inbox: FakeInbox, apps: FakeApps
) -> None:
    view = await opened(slack, inbox, apps)
    apps.of[BOB] = [AppEnv(f"app-{number}", "prod") for number in range(1_000)]

    assert len(await slack.driver.look_up(BOB, view.id, MENU, "")) == 100


# -- choosing an app ------------------------------------------------------------------------------


async def test_an_app_that_is_chosen_is_a_row_and_the_dialog_waits_for_its_versions(
    slack: RunningSlack, inbox: FakeInbox, apps: FakeApps
) -> None:
    view = await opened(slack, inbox, apps)

    window = await picked(slack, inbox, view)

    row = inbox.only
    assert (row.kind, row.action, row.slack_id) == (InboxKind.CLICK, "choose", BOB)
    assert row.payload["where"] == str(TRIAGE)
    assert row.payload["place"] == "1"
    assert window.response_url.startswith(slack.state.url)
    assert "One moment" in str(view.content["blocks"])
    assert slack.state.calls[-1].arguments.get("hash")  # for the very view that was touched


async def test_what_was_written_stays_while_versions_come(
    slack: RunningSlack, inbox: FakeInbox, apps: FakeApps, messenger: SlackMessenger
) -> None:
    view = await opened(slack, inbox, apps)
    await slack.driver.look_up(BOB, view.id, MENU, "")
    await slack.driver.choose(BOB, view.id, MENU, str(TRIAGE), values={"text": "because"})
    await slack.state.until(lambda _: "One moment" in str(view.content))
    said = inbox.only.payload

    await messenger.fill(Window(said["window"], "", INCIDENTS, ""), choices())

    assert view.values["reason"]["text"]["value"] == "because"
    assert view.values["app"][MENU]["selected_option"]["value"] == str(TRIAGE)


async def test_versions_of_an_app_that_is_no_longer_chosen_find_no_dialog(
    slack: RunningSlack, inbox: FakeInbox, apps: FakeApps, messenger: SlackMessenger
) -> None:
    view = await opened(slack, inbox, apps)
    first = await picked(slack, inbox, view, TRIAGE)
    second = await picked(slack, inbox, view, BILLING)

    with pytest.raises(UpstreamRefused) as refused:
        await messenger.fill(first, choices(TRIAGE))
    await messenger.fill(second, choices(BILLING))

    assert refused.value.upstream_code == "not_found"
    assert json.loads(view.content["private_metadata"])["where"] == str(BILLING)


async def test_a_choice_goes_before_versions_that_came_in_between(
    slack: RunningSlack, inbox: FakeInbox, apps: FakeApps, messenger: SlackMessenger
) -> None:
    view = await opened(slack, inbox, apps)
    touched = view.hash
    first = await picked(slack, inbox, view, TRIAGE)
    await messenger.fill(first, choices(TRIAGE))
    late = Window("choose.late", "", INCIDENTS, "", "", str(BILLING))

    await messenger.await_choices(late, view_id=view.id, view_hash=touched)

    assert view.content["external_id"] == "choose.late"
    assert [call.outcome for call in slack.state.calls[-2:]] == ["hash_conflict", "ok"]


async def test_a_page_is_turned_in_the_same_dialog(
    slack: RunningSlack, inbox: FakeInbox, apps: FakeApps, messenger: SlackMessenger
) -> None:
    view = await opened(slack, inbox, apps)
    window = await picked(slack, inbox, view)
    await messenger.fill(window, choices())
    inbox.rows.clear()

    assert (await slack.driver.click_in_view(BOB, view.id, "rollback.choose.page.older")).ok

    payload = inbox.only.payload
    assert (payload["place"], payload["where"], payload["window"]) == (
        "2",
        str(TRIAGE),
        window.id,
    )


# -- sending --------------------------------------------------------------------------------------


async def filled(
    slack: RunningSlack, inbox: FakeInbox, apps: FakeApps, messenger: SlackMessenger
) -> View:
    view = await opened(slack, inbox, apps)
    await messenger.fill(await picked(slack, inbox, view), choices())
    inbox.rows.clear()
    return view


async def test_what_is_sent_is_a_row_that_waits_among_the_commands(
    slack: RunningSlack, inbox: FakeInbox, apps: FakeApps, messenger: SlackMessenger
) -> None:
    view = await filled(slack, inbox, apps, messenger)
    await slack.driver.choose(BOB, view.id, VERSIONS, "6")

    answer = await slack.driver.submit(BOB, view.id, {"text": " it was better "})

    assert (answer.status, answer.body) == (200, "")
    row = inbox.only
    assert (row.kind, row.action, row.slack_id) == (InboxKind.COMMAND, "choose", BOB)
    assert (row.payload["where"], row.payload["number"]) == (str(TRIAGE), "6")
    assert row.payload["reason"] == "it was better"
    assert row.payload["response_url"].startswith(slack.state.url)
    assert slack.state.views_of(BOB) == []


@pytest.mark.parametrize(
    ("number", "reason", "block", "said"),
    [
        (None, "", "version.", "Choose the version"),
        ("5.why", "", "reason", "Say why"),
        ("5.why", "   ", "reason", "Say why"),
    ],
)
async def test_what_is_missing_is_said_below_its_field(
    slack: RunningSlack,
    inbox: FakeInbox,
    apps: FakeApps,
    messenger: SlackMessenger,
    number: str | None,
    reason: str,
    block: str,
    said: str,
) -> None:
    view = await filled(slack, inbox, apps, messenger)
    if number:
        await slack.driver.choose(BOB, view.id, VERSIONS, number)

    assert (await slack.driver.submit(BOB, view.id, {"text": reason})).ok

    ((where, text),) = view.errors.items()
    assert (where.startswith(block), said in text, inbox.rows) == (True, True, {})


async def test_a_version_that_was_gone_back_from_takes_its_reason(
    slack: RunningSlack, inbox: FakeInbox, apps: FakeApps, messenger: SlackMessenger
) -> None:
    view = await filled(slack, inbox, apps, messenger)
    await slack.driver.choose(BOB, view.id, VERSIONS, "5.why")

    await slack.driver.submit(BOB, view.id, {"text": "the provider was ill"})

    assert inbox.only.payload["number"] == "5"


async def test_versions_of_one_app_are_not_sent_for_another(
    slack: RunningSlack, inbox: FakeInbox, apps: FakeApps, messenger: SlackMessenger
) -> None:
    view = await filled(slack, inbox, apps, messenger)
    await slack.driver.choose(BOB, view.id, VERSIONS, "6")
    chosen = {"type": "external_select", "selected_option": {"value": str(BILLING)}}
    view.values["app"][MENU] = chosen

    await slack.driver.submit(BOB, view.id, {})

    assert "not those of this app yet" in view.errors["app"]
    assert inbox.rows == {}


async def test_without_an_app_nothing_is_sent(
    slack: RunningSlack, inbox: FakeInbox, apps: FakeApps
) -> None:
    view = await opened(slack, inbox, apps)

    await slack.driver.submit(BOB, view.id, {})

    assert (view.errors, inbox.rows) == ({"app": "Choose an app."}, {})


# -- by the button of a card ----------------------------------------------------------------------


async def a_card(messenger: SlackMessenger) -> str:
    button = CardButton("another", f"17.1.n0nce.{'0' * 64}")
    waiting = a_view(State.PENDING_APPROVAL, buttons=(button,))
    return await messenger.show(waiting, channel=INCIDENTS, ts="")


async def test_another_version_opens_a_dialog_that_the_worker_fills(
    slack: RunningSlack, inbox: FakeInbox, messenger: SlackMessenger
) -> None:
    ts = await a_card(messenger)

    assert (await slack.driver.click(BOB, ts, "another")).ok

    view = await the_dialog(slack, says="One moment")
    said = inbox.only.payload
    assert (inbox.only.kind, inbox.only.action, said["ts"]) == (InboxKind.CLICK, "another", ts)
    window = Window(said["window"], said["value"], INCIDENTS, ts)
    await messenger.fill(window, choices())
    assert not [b for b in view.content["blocks"] if b["block_id"] == "app"]
    inbox.rows.clear()
    await slack.driver.choose(BOB, view.id, VERSIONS, "6")
    await slack.driver.submit(BOB, view.id, {})
    assert (inbox.only.payload["where"], inbox.only.payload["ts"]) == (str(TRIAGE), ts)


async def test_who_is_refused_reads_why_in_the_dialog(
    slack: RunningSlack, inbox: FakeInbox, messenger: SlackMessenger
) -> None:
    ts = await a_card(messenger)
    await slack.driver.click(CAROL, ts, "another")
    view = await the_dialog(slack, CAROL, "One moment")
    said = inbox.only.payload
    note = Note(AnswerCode.REFUSED, {"text": "You may not do this here."})

    await messenger.fill(Window(said["window"], said["value"], INCIDENTS, ts), note)

    assert "You may not do this here." in str(view.content["blocks"])
    assert not view.content.get("submit")


async def test_a_dialog_of_a_card_that_does_not_open_is_said_with_the_words(
    slack: RunningSlack, messenger: SlackMessenger
) -> None:
    ts = await a_card(messenger)
    signed = slack.driver.prepare_click(BOB, ts, "another")
    for trigger in slack.state.triggers.values():
        trigger.at -= 4

    await slack.driver.send(signed)

    (told,) = await slack.state.until(lambda state: state.ephemerals_to(BOB))
    assert "*Another version*" in told.text
    assert "`/rollback to APP@ENV VERSION`" in told.text


# -- forged ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"reason": {"text": {"value": "x"}}, "version.1": {"number": {"selected_option": {}}}},
        {
            "reason": {"text": {"value": "x"}},
            "version.1": {"number": {"selected_option": {"value": "'; drop"}}},
        },
    ],
)
async def test_a_form_that_is_none_of_ours_is_no_row(
    slack: RunningSlack,
    inbox: FakeInbox,
    apps: FakeApps,
    state: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    view = await opened(slack, inbox, apps)

    answer = await slack.driver.send(slack.driver.prepare_submit(BOB, view.id, state))

    assert answer.ok
    assert inbox.rows == {}
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
