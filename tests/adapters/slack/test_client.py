"""Cards, replies, files and private answers as they come to stand in Slack."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from aiohttp import ClientSession

from bot.adapters.slack.client import SlackMessenger
from bot.adapters.slack.languages import Languages
from bot.config.templates import ours
from bot.domain.diff.picture import HEIGHT, WIDTH, Box, Fate, Picture
from bot.domain.words import AnswerCode, NoteCode
from bot.errors import Ambiguous, UpstreamDown, UpstreamRefused
from bot.playground.slack.people import ALICE, ARCHIVED, BOB, ELSEWHERE, INCIDENTS, STRANGER
from bot.playground.slack.server import RunningSlack
from bot.playground.slack.things import Message
from bot.ports.people import Note
from bot.voice import Voice
from store.records import State
from tests.adapters.slack.conftest import TOKEN
from tests.adapters.slack.odd import OddServer, odd_server
from tests.cards import a_view, facts_only

VOTE = Note(NoteCode.VOTE_APPROVED, {"slack_id": ALICE, "count": 1, "needed": 2})
HELP = Note(AnswerCode.HELP, {})
BROKEN = Note("a_code_without_words", {})
QUIET = {"parse": "none", "link_names": False}
NO_PREVIEWS = {"unfurl_links": False, "unfurl_media": False}


@pytest.fixture
async def odd() -> AsyncIterator[OddServer]:
    async with odd_server() as running:
        yield running


@pytest.fixture(autouse=True)
def lawful(slack: RunningSlack) -> Iterator[None]:
    """No test here sends blocks that Slack would complain of."""
    yield
    assert slack.state.problems == []


@pytest.fixture
async def card(messenger: SlackMessenger) -> str:
    """The ts of a card that stands."""
    return await messenger.show(a_view(), channel=INCIDENTS, ts="")


def only(slack: RunningSlack) -> Message:
    (message,) = slack.state.messages(INCIDENTS)
    return message


async def answer(messenger: SlackMessenger, note: Note = HELP, **to: Any) -> None:
    where = {"channel": INCIDENTS, "slack_id": ALICE, "ts": "", "response_url": ""}
    await messenger.answer(note, **{**where, **to})


# -- Cards ------------------------------------------------------------------------------------


async def test_a_card_stands_with_its_case_and_nothing_in_it_comes_alive(
    slack: RunningSlack, card: str
) -> None:
    shown = only(slack)

    assert shown.ts == card
    assert shown.metadata == {"event_type": "keyturn_card", "event_payload": {"case_id": 5}}
    options = QUIET | NO_PREVIEWS
    assert {name: shown.options[name] for name in options} == options
    assert any(block["type"] == "actions" for block in shown.blocks)


async def test_a_card_is_drawn_in_the_words_of_the_team(
    slack: RunningSlack, session: ClientSession
) -> None:
    name = "slack/card.json.j2"
    source = ours()[name].read_text(encoding="utf-8")
    voice = Voice({name: source.replace("Rollback proposed:", "Shall we go back:")})
    messenger = SlackMessenger(token=TOKEN, base_url=slack.url, session=session, voice=voice)

    await messenger.show(a_view(), channel=INCIDENTS, ts="")

    (card,) = slack.state.messages(INCIDENTS)
    assert card.blocks[0]["text"]["text"].startswith("Shall we go back: support-triage@prod")


async def test_a_card_is_redrawn_in_its_place(
    slack: RunningSlack, messenger: SlackMessenger, card: str
) -> None:
    assert await messenger.show(a_view(State.COMPLETED), channel=INCIDENTS, ts=card) == card

    shown = only(slack)
    assert (shown.updates, shown.edited_ts) == (1, "")
    assert "v7 → v6" in shown.text
    assert shown.metadata == {"event_type": "keyturn_card", "event_payload": {"case_id": 5}}


@pytest.mark.parametrize(
    ("channel", "ts", "code"),
    [
        (INCIDENTS, "17.000001", "message_not_found"),
        (ELSEWHERE, "", "not_in_channel"),
        (ARCHIVED, "", "is_archived"),
        ("C0NOWHERE00", "", "channel_not_found"),
    ],
)
async def test_a_card_that_cannot_stand_there_is_refused_by_its_code(
    messenger: SlackMessenger, channel: str, ts: str, code: str
) -> None:
    with pytest.raises(UpstreamRefused) as raised:
        await messenger.show(a_view(), channel=channel, ts=ts)

    assert raised.value.upstream_code == code


@pytest.mark.parametrize("method", ["chat.postMessage", "chat.update"])
async def test_a_card_whose_blocks_slack_refuses_stands_as_a_sentence(
    slack: RunningSlack, messenger: SlackMessenger, card: str, method: str
) -> None:
    slack.state.faults.order("refuse", method, code="invalid_blocks")

    ts = card if method == "chat.update" else ""
    told = await messenger.show(a_view(), channel=INCIDENTS, ts=ts)

    stands = next(m for m in slack.state.messages(INCIDENTS) if m.ts == told)
    assert stands.text == "Keyturn could not draw the card of rollback 17; see its log."
    assert stands.blocks == []


async def test_a_reply_whose_blocks_slack_refuses_stands_as_a_sentence(
    slack: RunningSlack, messenger: SlackMessenger, card: str
) -> None:
    slack.state.faults.order("refuse", "chat.postMessage", code="invalid_blocks")

    await messenger.reply(VOTE, channel=INCIDENTS, ts=card)

    (said,) = slack.state.thread(INCIDENTS, card)
    assert said.text == "Keyturn could not draw the reply vote_approved; see its log."


async def test_a_card_that_slack_refuses_even_as_a_sentence_is_refused_by_its_code(
    slack: RunningSlack, messenger: SlackMessenger
) -> None:
    slack.state.faults.order("refuse", "chat.postMessage", code="invalid_blocks", times=2)

    with pytest.raises(UpstreamRefused) as raised:
        await messenger.show(a_view(), channel=INCIDENTS, ts="")

    assert raised.value.upstream_code == "invalid_blocks"


async def test_a_card_that_was_deleted_is_refused_as_not_found(
    slack: RunningSlack, messenger: SlackMessenger, card: str
) -> None:
    slack.state.remove(only(slack))

    with pytest.raises(UpstreamRefused) as raised:
        await messenger.show(a_view(), channel=INCIDENTS, ts=card)

    assert raised.value.upstream_code == "message_not_found"


@pytest.mark.parametrize(
    ("view", "named"),
    [
        (a_view(finding_code="a_code_without_words"), "rollback 17"),
        (facts_only(finding_code="a_code_without_words"), "case 5"),
    ],
)
async def test_a_card_that_cannot_be_drawn_is_a_plain_text_that_names_it(
    slack: RunningSlack, messenger: SlackMessenger, card: str, view: Any, named: str
) -> None:
    assert await messenger.show(view, channel=INCIDENTS, ts=card) == card
    assert named in only(slack).text
    assert only(slack).blocks == []  # no button of the card before is left

    posted = await messenger.show(view, channel=INCIDENTS, ts="")
    assert named in slack.state.messages(INCIDENTS)[-1].text
    assert posted != card


# -- The thread -------------------------------------------------------------------------------


async def test_a_note_is_said_in_the_cards_thread(
    slack: RunningSlack, messenger: SlackMessenger, card: str
) -> None:
    await messenger.reply(VOTE, channel=INCIDENTS, ts=card)

    (said,) = slack.state.thread(INCIDENTS, card)
    assert f"<@{ALICE}> approved" in said.text
    assert said.options["parse"] == "none"


async def test_a_note_that_cannot_be_drawn_does_not_hold_up_its_thread(
    slack: RunningSlack,
    messenger: SlackMessenger,
    card: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.ERROR):
        await messenger.reply(BROKEN, channel=INCIDENTS, ts=card)
    await messenger.reply(VOTE, channel=INCIDENTS, ts=card)

    broken, after = slack.state.thread(INCIDENTS, card)
    assert (broken.text, broken.blocks) == (
        "Keyturn could not draw the reply a_code_without_words; see its log.",
        [],
    )
    assert "approved" in after.text
    assert "could not be drawn" in caplog.text


async def test_a_note_without_its_card_is_refused(messenger: SlackMessenger) -> None:
    with pytest.raises(UpstreamRefused) as raised:
        await messenger.reply(VOTE, channel=INCIDENTS, ts="17.000001")

    assert raised.value.upstream_code == "thread_not_found"


async def test_the_link_of_a_card_leads_to_it(
    slack: RunningSlack, messenger: SlackMessenger, card: str
) -> None:
    found = await messenger.permalink(channel=INCIDENTS, ts=card)

    assert found == slack.state.permalink(only(slack))
    with pytest.raises(UpstreamRefused):
        await messenger.permalink(channel=INCIDENTS, ts="17.000001")


# -- Files ------------------------------------------------------------------------------------

DIFF = "- Antworte höflich.\n+ Antworte kurz. 💬\n"


async def attach(messenger: SlackMessenger, ts: str) -> None:
    await messenger.attach(
        DIFF, filename="v7-to-v6.diff", title="version 7 to 6", channel=INCIDENTS, ts=ts
    )


async def test_a_difference_is_a_file_in_the_cards_thread(
    slack: RunningSlack, messenger: SlackMessenger, card: str
) -> None:
    await attach(messenger, card)

    (message,) = await slack.state.until(lambda state: state.thread(INCIDENTS, card))
    (file,) = message.files
    assert (file.text, file.name, file.title) == (DIFF, "v7-to-v6.diff", "version 7 to 6")
    assert (file.length, file.snippet_type) == (len(DIFF.encode()), "diff")


async def test_a_file_is_handed_to_slack_alone(
    slack: RunningSlack, messenger: SlackMessenger, card: str, odd: OddServer
) -> None:
    slack.state.url = odd.url  # from now on uploads are to go there

    with pytest.raises(UpstreamRefused) as raised:
        await attach(messenger, card)

    assert raised.value.upstream_code == "bad_upload_url"
    assert odd.asked == []


@pytest.mark.parametrize("status", [302, 400, 404])
async def test_an_upload_that_was_not_taken_is_refused_and_led_nowhere_else(
    odd: OddServer, session: ClientSession, status: int
) -> None:
    odd.body = f'{{"ok": true, "upload_url": "{odd.url}upload/1", "file_id": "F1"}}'
    odd.statuses["/upload/1"], odd.headers["Location"] = status, f"{odd.url}elsewhere"
    messenger = SlackMessenger(token="xoxb-1", base_url=odd.url, session=session)

    with pytest.raises(UpstreamRefused) as raised:
        await attach(messenger, "17.000001")

    assert raised.value.upstream_code == "upload_refused"
    assert odd.asked == ["/files.getUploadURLExternal", "/upload/1"]


async def test_a_broken_upload_is_tried_again_by_others(
    slack: RunningSlack, messenger: SlackMessenger, card: str
) -> None:
    slack.state.faults.order("error", "upload")

    with pytest.raises(Ambiguous):
        await attach(messenger, card)

    await attach(messenger, card)
    assert len(await slack.state.until(lambda state: state.thread(INCIDENTS, card))) == 1


# -- To one person ----------------------------------------------------------------------------


async def test_an_answer_goes_to_its_response_url(
    slack: RunningSlack, messenger: SlackMessenger, card: str
) -> None:
    await answer(messenger, response_url=slack.state.new_hook(INCIDENTS, ALICE, card))

    (said,) = slack.state.ephemerals_to(ALICE)
    assert "/rollback help" in said.text
    assert only(slack).updates == 0  # the card is not replaced by it
    assert slack.state.count("chat.postEphemeral") == 0


async def test_an_answer_without_one_is_shown_in_the_thread_to_that_person_alone(
    slack: RunningSlack, messenger: SlackMessenger, card: str
) -> None:
    await answer(messenger, ts=card)

    (said,) = slack.state.ephemerals_to(ALICE)
    assert (said.channel, said.thread_ts) == (INCIDENTS, card)
    assert {name: said.options[name] for name in QUIET} == QUIET
    assert slack.state.ephemerals_to(BOB) == []


async def test_an_answer_at_an_address_that_is_used_up_is_refused_by_name(
    slack: RunningSlack, messenger: SlackMessenger, card: str
) -> None:
    url = slack.state.new_hook(INCIDENTS, ALICE, card)
    for _ in range(5):
        await answer(messenger, response_url=url)

    with pytest.raises(UpstreamRefused) as raised:
        await answer(messenger, response_url=url)

    assert raised.value.upstream_code == "response_url_refused"
    assert len(slack.state.ephemerals_to(ALICE)) == 5


async def test_an_answer_that_slack_leads_elsewhere_did_not_arrive(
    odd: OddServer, session: ClientSession
) -> None:
    odd.status, odd.headers["Location"] = 302, f"{odd.url}elsewhere"
    languages = Languages()
    languages.heard(ALICE, "en-US")
    messenger = SlackMessenger(
        token="xoxb-1", base_url=odd.url, session=session, languages=languages
    )

    with pytest.raises(UpstreamRefused):
        await answer(messenger, response_url=f"{odd.url}actions/1")

    assert odd.asked == ["/actions/1"]


async def test_an_answer_that_broke_on_its_way_is_ambiguous(
    slack: RunningSlack, messenger: SlackMessenger, card: str
) -> None:
    slack.state.faults.order("drop", "response_url")

    with pytest.raises(Ambiguous):
        await answer(messenger, response_url=slack.state.new_hook(INCIDENTS, ALICE, card))


@pytest.mark.parametrize("there", ["", "actions/T1/1/x"])
async def test_an_address_elsewhere_is_never_called(
    slack: RunningSlack, messenger: SlackMessenger, odd: OddServer, there: str
) -> None:
    await answer(messenger, response_url=f"{odd.url}{there}")

    assert odd.asked == []
    assert len(slack.state.ephemerals_to(ALICE)) == 1


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.slack.com/actions/T1/1/x",
        "https://hooks.slack.com.evil.example/actions/T1/1/x",
        "https://evil.example/hooks.slack.com",
        "https://hooks.slack.com@evil.example/",
        "https://evil.example@hooks.slack.com/",
        "https://hooks.slack.com:8443/actions/T1/1/x",
        "https://evil.example\\@hooks.slack.com/",
        "https://[hooks.slack.com/",
        "//hooks.slack.com/actions/T1/1/x",
        "file:///etc/passwd",
        "http://169.254.169.254/latest/meta-data",
        "https://files.slack.com/actions/T1/1/x",
        "not an address",
    ],
)
async def test_what_only_looks_like_slacks_address_is_not_called(
    slack: RunningSlack, messenger: SlackMessenger, url: str
) -> None:
    await answer(messenger, response_url=url)

    assert len(slack.state.ephemerals_to(ALICE)) == 1


async def test_slacks_own_address_is_called_by_the_way_that_all_calls_take(
    monkeypatch: pytest.MonkeyPatch, session: ClientSession
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    messenger = SlackMessenger(token="xoxb-1", base_url="https://slack.com/api/", session=session)

    with pytest.raises(UpstreamDown, match=r"the proxy 127\.0\.0\.1 cannot be reached"):
        await answer(messenger, response_url="https://hooks.slack.com/actions/T1/1/x")


async def test_an_answer_to_somebody_who_is_not_there_is_refused(
    messenger: SlackMessenger,
) -> None:
    with pytest.raises(UpstreamRefused) as raised:
        await answer(messenger, slack_id=STRANGER)

    assert raised.value.upstream_code == "user_not_in_channel"


@pytest.mark.parametrize("by_url", [True, False])
async def test_an_answer_that_cannot_be_drawn_is_a_plain_text(
    slack: RunningSlack, messenger: SlackMessenger, card: str, by_url: bool
) -> None:
    url = slack.state.new_hook(INCIDENTS, ALICE, card) if by_url else ""

    await answer(messenger, BROKEN, response_url=url)

    (said,) = slack.state.ephemerals_to(ALICE)
    assert said.text == "Keyturn could not draw the answer a_code_without_words; see its log."


# -- The reject form --------------------------------------------------------------------------


async def test_the_form_opens_once_for_who_pressed(
    slack: RunningSlack, messenger: SlackMessenger, card: str
) -> None:
    asked = {"trigger_id": slack.state.new_trigger(ALICE), "value": "17.1.n0nce.mac"}
    await messenger.open_form("reject", **asked, channel=INCIDENTS, ts=card, drill=False)

    (view,) = slack.state.views_of(ALICE)
    assert view.content["callback_id"] == "rollback.reject"
    with pytest.raises(UpstreamRefused) as raised:
        await messenger.open_form("reject", **asked, channel=INCIDENTS, ts=card, drill=False)
    assert raised.value.upstream_code == "exchanged_trigger_id"


PICTURE = Picture(
    (Box("a", "Write the reply", "llm", Fate.CHANGED, "model", 24.0, 24.0, WIDTH, HEIGHT),),
    (),
    WIDTH + 48,
    HEIGHT + 48,
)


async def draw(messenger: SlackMessenger, ts: str) -> None:
    where = {"channel": INCIDENTS, "ts": ts}
    await messenger.draw(PICTURE, filename="v7-to-v6.png", title="version 7 to 6", **where)


async def test_a_picture_is_a_png_in_the_cards_thread_and_says_in_words_what_it_shows(
    slack: RunningSlack, messenger: SlackMessenger, card: str
) -> None:
    await draw(messenger, card)

    (message,) = await slack.state.until(lambda state: state.thread(INCIDENTS, card))
    (file,) = message.files
    assert (file.is_png, file.name, file.title) == (True, "v7-to-v6.png", "version 7 to 6")
    assert file.alt_text == "The workflow's nodes: 1 changed. Write the reply changed"


async def test_without_a_font_there_is_no_picture_and_the_log_says_why(
    slack: RunningSlack,
    messenger: SlackMessenger,
    card: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def nothing(svg: str, *, zoom: float) -> None:
        return None

    monkeypatch.setattr("bot.raster.png_apart", nothing)

    await draw(messenger, card)

    assert slack.state.files == {}
    assert "no font" in caplog.text
