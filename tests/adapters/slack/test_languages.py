"""What all read is in the workspace's language, what one person reads in theirs."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from aiohttp import ClientSession

from bot.adapters.slack.client import SlackMessenger
from bot.adapters.slack.directory import SlackDirectory
from bot.adapters.slack.languages import Languages
from bot.domain.words import AnswerCode, NoteCode
from bot.language import CHINESE, ENGLISH
from bot.playground.slack.people import BOB, INCIDENTS, MEI, TEAM
from bot.playground.slack.server import RunningSlack
from bot.ports.people import Note, Window
from bot.samples.cards import a_view
from bot.samples.dialogs import HOME
from bot.samples.facts import FACTS
from bot.voice import Voice
from tests.adapters.slack.conftest import TOKEN, FakeApps
from tests.adapters.slack.test_choosing import TRIAGE, choices, the_dialog

pytestmark = pytest.mark.usefixtures("door")


async def told(messenger: SlackMessenger, slack: RunningSlack, who: str) -> str:
    note = Note(AnswerCode.FAILED, {})
    await messenger.answer(note, channel=INCIDENTS, slack_id=who, ts="", response_url="")
    return slack.state.ephemerals_to(who)[-1].text


async def test_an_answer_is_in_the_language_of_its_reader(
    slack: RunningSlack, messenger: SlackMessenger
) -> None:
    assert (await told(messenger, slack, BOB)).startswith("Something went wrong")
    assert (await told(messenger, slack, MEI)).startswith("我们这边出了问题")
    assert slack.state.problems == []


async def test_in_a_chinese_workspace_others_read_their_own_language(
    slack: RunningSlack, session: ClientSession
) -> None:
    chinese = Voice(language=CHINESE)
    messenger = SlackMessenger(token=TOKEN, base_url=slack.url, session=session, voice=chinese)

    await messenger.show(a_view(), channel=INCIDENTS, ts="")

    assert "回滚提议" in slack.state.messages(INCIDENTS)[-1].text
    assert (await told(messenger, slack, BOB)).startswith("Something went wrong")


async def test_a_card_is_in_the_workspace_s_whoever_looks(
    slack: RunningSlack, messenger: SlackMessenger
) -> None:
    await told(messenger, slack, MEI)

    await messenger.show(a_view(), channel=INCIDENTS, ts="")

    assert slack.state.messages(INCIDENTS)[-1].text.startswith("Rollback proposed")


async def test_a_dialog_does_not_wait_to_learn_the_language_and_knows_it_the_next_time(
    slack: RunningSlack, apps: FakeApps
) -> None:
    apps.of[MEI] = [TRIAGE]
    assert (await slack.driver.command(MEI, INCIDENTS, "/rollback", " ")).ok
    first = await the_dialog(slack, MEI)
    assert "Go back to a version" in str(first.content["title"])
    await slack.state.until(lambda state: len(state.calls) == 2)
    assert [call.method for call in slack.state.calls] == ["views.open", "users.info"]


async def test_what_a_dialog_is_filled_with_and_what_it_lacks_are_said_in_theirs(
    slack: RunningSlack, apps: FakeApps, messenger: SlackMessenger
) -> None:
    await told(messenger, slack, MEI)
    apps.of[MEI] = [TRIAGE]
    assert (await slack.driver.command(MEI, INCIDENTS, "/rollback", "")).ok
    view = await the_dialog(slack, MEI, "回到某个版本")

    answer = await slack.driver.submit(MEI, view.id, {})
    assert json.loads(answer.body)["errors"] == {"app": "请选择应用。"}

    window = Window(view.content["external_id"], "", INCIDENTS, "", slack_id=MEI)
    await messenger.fill(window, choices(TRIAGE))
    assert "回到哪个版本？" in str(view.content["blocks"])


async def test_app_home_and_direct_messages_are_in_the_language_of_their_reader(
    slack: RunningSlack, messenger: SlackMessenger
) -> None:
    await messenger.publish(HOME, slack_id=MEI, stands="")
    assert "等您处理" in str(slack.state.homes[MEI].content)

    facts = FACTS[NoteCode.DIRECT]
    channel, ts = await messenger.tell(Note(NoteCode.DIRECT, facts), slack_id=MEI)
    (message,) = slack.state.messages(f"D{MEI[1:]}")
    assert message.text == "有一个回滚等您投票。"
    over = Note(NoteCode.DIRECT, {**facts, "waiting": 0})
    await messenger.retell(over, channel=channel, ts=ts, slack_id=MEI)
    assert message.text == "这里已没有等您投票的内容。"


async def test_the_directory_tells_what_slack_says_of_a_person(
    slack: RunningSlack, session: ClientSession
) -> None:
    directory = SlackDirectory(
        token=TOKEN, base_url=slack.url, session=session, team_id=TEAM, aliases={}
    )
    assert directory.language_of(MEI) == ENGLISH

    await directory.member(MEI)

    assert directory.language_of(MEI) == CHINESE


async def test_where_slack_does_not_say_the_answer_is_in_the_workspace_s(
    slack: RunningSlack, messenger: SlackMessenger
) -> None:
    slack.state.faults.order("refuse", "users.info", code="account_inactive")

    assert (await told(messenger, slack, MEI)).startswith("Something went wrong")
    assert (await told(messenger, slack, MEI)).startswith("我们这边出了问题")


async def test_what_is_known_is_asked_again_after_an_hour(
    slack: RunningSlack, messenger: SlackMessenger
) -> None:
    now = 0.0
    languages = Languages(clock=lambda: now)
    languages.heard(MEI, "zh-CN")
    slack.state.users[MEI].locale = "de-DE"
    web = messenger._web

    assert await languages.asked(MEI, web) == CHINESE
    now = timedelta(hours=1, seconds=1).total_seconds()
    assert await languages.asked(MEI, web) == ENGLISH
