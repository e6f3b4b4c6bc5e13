"""App Home through the door and Bolt to a row, and from the client into the local Slack."""

from __future__ import annotations

import pytest

from bot.adapters.slack.client import SlackMessenger
from bot.adapters.slack.directory import SlackDirectory
from bot.domain.home import HomeView, JobRow
from bot.domain.words import NoteCode
from bot.errors import UpstreamRefused
from bot.playground.slack.people import ALICE, BOB, TEAM
from bot.playground.slack.server import RunningSlack
from bot.playground.slack.signing import Signed, sign
from bot.ports.people import Note
from bot.samples.dialogs import JOB
from bot.samples.facts import FACTS
from store.records import InboxKind, Unavailable
from tests.adapters.slack.conftest import FakeInbox
from tests.adapters.slack.sent import SECRET
from tests.builders import NOON
from tests.unit.test_render_home import a_home

pytestmark = pytest.mark.usefixtures("door")


async def test_an_opened_home_is_one_row(slack: RunningSlack, inbox: FakeInbox) -> None:
    answer = await slack.driver.open_home(ALICE)

    assert (answer.status, answer.body) == (200, "")
    row = inbox.only
    assert (row.kind, row.action, row.payload) == (InboxKind.HOME, "opened", {})
    assert (row.slack_id, row.team_id) == (ALICE, TEAM)


async def test_an_event_that_slack_sends_again_is_the_same_row(
    slack: RunningSlack, inbox: FakeInbox
) -> None:
    """A retry is signed anew, with another time: only its `event_id` is the same."""
    inner = {"type": "app_home_opened", "user": ALICE, "tab": "home"}
    first = slack.driver.prepare_event(inner)
    again = sign(first.body, "application/json", secret=SECRET, at=NOON.timestamp() + 60)
    retried = Signed(again.body, {**again.headers, "X-Slack-Retry-Num": "1"})
    assert first.headers != again.headers

    assert (await slack.driver.send(first)).ok
    assert (await slack.driver.send(retried)).ok
    assert len(inbox.rows) == 1

    await slack.driver.send(slack.driver.prepare_event(inner))
    assert len(inbox.rows) == 2


async def test_an_event_that_could_not_be_stored_is_sent_again(
    slack: RunningSlack, inbox: FakeInbox
) -> None:
    event = slack.driver.prepare_event({"type": "app_home_opened", "user": ALICE, "tab": "home"})
    inbox.fault = Unavailable("locked")
    assert (await slack.driver.send(event)).status == 503
    inbox.fault = None

    assert (await slack.driver.send(event)).ok
    assert inbox.only.slack_id == ALICE


async def test_the_messages_tab_is_no_home(slack: RunningSlack, inbox: FakeInbox) -> None:
    inner = {"type": "app_home_opened", "user": ALICE, "tab": "messages"}

    assert (await slack.driver.send(slack.driver.prepare_event(inner))).ok
    assert inbox.rows == {}


async def test_a_home_stands_and_is_drawn_over_what_is_known_to_stand_there(
    slack: RunningSlack, messenger: SlackMessenger
) -> None:
    first = await messenger.publish(a_home(), slack_id=ALICE, stands="")
    second = await messenger.publish(HomeView(NOON), slack_id=ALICE, stands=first)

    assert first != second
    assert slack.state.homes[ALICE].hash == second
    with pytest.raises(UpstreamRefused) as refused:
        await messenger.publish(a_home(), slack_id=ALICE, stands=first)
    assert refused.value.upstream_code == "hash_conflict"
    assert slack.state.problems == []


async def test_what_cannot_be_drawn_is_said(slack: RunningSlack, messenger: SlackMessenger) -> None:
    await messenger.publish(a_home(jobs=(JobRow("x", {}),)), slack_id=ALICE, stands="")

    assert "could not be drawn" in str(slack.state.homes[ALICE].content)


@pytest.mark.parametrize("press", ["job.run", "job.pause"])
async def test_a_press_on_a_job_is_one_row(
    slack: RunningSlack, inbox: FakeInbox, messenger: SlackMessenger, press: str
) -> None:
    await messenger.publish(a_home(), slack_id=BOB, stands="")

    answer = await slack.driver.click_in_view(BOB, slack.state.homes[BOB].id, f"home.{press}")

    assert answer.ok
    row = inbox.only
    assert (row.kind, row.action, row.slack_id) == (InboxKind.HOME, press, BOB)
    assert row.payload == {"value": "prune"}


async def test_a_page_is_turned(
    slack: RunningSlack, inbox: FakeInbox, messenger: SlackMessenger
) -> None:
    paused = {**JOB, "paused_by": ALICE, "paused_at": NOON.isoformat()}
    jobs = (JobRow("prune", paused, ("resume",)),)
    await messenger.publish(a_home(page=2, pages=3, jobs=jobs), slack_id=BOB, stands="")
    view = slack.state.homes[BOB].id

    await slack.driver.click_in_view(BOB, view, "home.page.before")
    assert (inbox.only.action, inbox.only.payload) == ("page.before", {"value": "1"})
    inbox.rows.clear()
    await slack.driver.click_in_view(BOB, view, "home.job.resume")
    assert inbox.only.action == "job.resume"


async def test_a_direct_message_goes_to_one_person_and_is_mended_in_its_place(
    slack: RunningSlack, messenger: SlackMessenger
) -> None:
    facts = FACTS[NoteCode.DIRECT]
    channel, ts = await messenger.tell(Note(NoteCode.DIRECT, facts), slack_id=BOB)
    over = {**facts, "waiting": 0}
    await messenger.retell(Note(NoteCode.DIRECT, over), channel=channel, ts=ts)

    (message,) = slack.state.messages(f"D{BOB[1:]}")
    assert (message.channel, message.ts, message.updates) == (channel, ts, 1)
    assert message.text == "Nothing here waits for your vote any more."
    assert slack.state.problems == []


async def test_without_a_messages_tab_slack_takes_none(
    slack: RunningSlack, messenger: SlackMessenger
) -> None:
    slack.state.messages_tab = False

    with pytest.raises(UpstreamRefused) as refused:
        await messenger.tell(Note(NoteCode.DIRECT, FACTS[NoteCode.DIRECT]), slack_id=BOB)

    assert refused.value.upstream_code == "messages_tab_disabled"


async def test_direct_messages_are_turned_off_by_a_press(
    slack: RunningSlack, inbox: FakeInbox, messenger: SlackMessenger
) -> None:
    await messenger.publish(a_home(direct="on"), slack_id=BOB, stands="")

    await slack.driver.click_in_view(BOB, slack.state.homes[BOB].id, "home.direct.off")

    assert (inbox.only.kind, inbox.only.action) == (InboxKind.HOME, "direct.off")


async def test_the_clock_of_a_person_is_known(directory: SlackDirectory) -> None:
    assert (await directory.member(BOB)).tz == "Europe/Berlin"
