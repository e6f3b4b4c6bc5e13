"""What the local Slack sends is what Slack sends: signed, shaped and timed alike."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_sdk.errors import SlackApiError
from slack_sdk.signature import SignatureVerifier
from slack_sdk.web.async_client import AsyncWebClient

from bot.playground.slack import people
from bot.playground.slack.filling import NoSuchButton
from bot.playground.slack.people import ALICE, BOB, INCIDENTS
from bot.playground.slack.server import RunningSlack
from bot.playground.slack.shapes import Forge
from bot.playground.slack.signing import Signed
from tests.adapters.playground_slack.conftest import SECRET, Listening

Json = dict[str, Any]


def button(action_id: str, value: str) -> Json:
    text = {"type": "plain_text", "text": action_id.title()}
    return {"type": "button", "action_id": action_id, "value": value, "text": text}


VOTE = [{"type": "actions", "elements": [button("approve", "7.1"), button("reject", "7.1")]}]
WHY: Json = {
    "type": "modal",
    "callback_id": "reject",
    "private_metadata": "7.1",
    "title": {"type": "plain_text", "text": "Reject"},
    "submit": {"type": "plain_text", "text": "Reject"},
    "blocks": [
        {
            "type": "input",
            "block_id": "why",
            "label": {"type": "plain_text", "text": "Why?"},
            "element": {"type": "plain_text_input", "action_id": "reason"},
        }
    ],
}


async def post_card(client: AsyncWebClient) -> str:
    posted = await client.chat_postMessage(channel=INCIDENTS, text="Roll back?", blocks=VOTE)
    return str(posted["ts"])


def payload(app: Listening) -> Json:
    parsed: Json = json.loads(app.received[-1].form["payload"])
    return parsed


async def test_a_click_is_signed_as_slack_s_own_verifier_expects(
    slack: RunningSlack, client: AsyncWebClient, app: Listening
) -> None:
    ts = await post_card(client)

    answer = await slack.driver.click(BOB, ts, "approve")

    assert answer.ok
    (received,) = app.received
    verifier = SignatureVerifier(SECRET)
    assert verifier.is_valid_request(received.body, received.headers)
    assert not SignatureVerifier("other").is_valid_request(received.body, received.headers)
    assert received.headers["Content-Type"] == "application/x-www-form-urlencoded"


async def test_a_click_says_who_pressed_what_where(
    slack: RunningSlack, client: AsyncWebClient, app: Listening
) -> None:
    ts = await post_card(client)

    await slack.driver.click(BOB, ts, "approve")

    sent = payload(app)
    assert sent["type"] == "block_actions"
    assert sent["team"]["id"] == people.TEAM
    assert (sent["user"]["id"], sent["user"]["team_id"]) == (BOB, people.TEAM)
    assert sent["api_app_id"] == people.APP
    container = {"type": "message", "message_ts": ts, "channel_id": INCIDENTS}
    assert container.items() <= sent["container"].items()
    assert (sent["channel"]["id"], sent["message"]["ts"]) == (INCIDENTS, ts)
    (action,) = sent["actions"]
    assert (action["action_id"], action["value"], action["type"]) == ("approve", "7.1", "button")
    assert action["block_id"] == sent["message"]["blocks"][0]["block_id"]
    assert float(action["action_ts"]) > float(ts)
    assert sent["response_url"].startswith("http://127.0.0.1:")
    assert sent["trigger_id"]


async def test_a_click_works_on_bolt_itself(slack: RunningSlack, client: AsyncWebClient) -> None:
    ts = await post_card(client)
    pressed: list[str] = []
    bolt = AsyncApp(client=client, signing_secret=SECRET, process_before_response=True)

    @bolt.action("approve")
    async def press(ack: Any, body: Json) -> None:
        await ack()
        pressed.append(body["user"]["id"])

    async def dispatch(signed: Signed) -> int:
        lower: dict[str, str | Sequence[str]] = {
            name.lower(): value for name, value in signed.headers.items()
        }
        request = AsyncBoltRequest(body=signed.body.decode(), headers=lower)
        return (await bolt.async_dispatch(request)).status

    good = slack.driver.prepare_click(BOB, ts, "approve")
    stale = slack.driver.prepare_click(BOB, ts, "approve", forge=Forge(at=1.0))
    forged = slack.driver.prepare_click(BOB, ts, "approve", forge=Forge(secret="guess"))

    assert [await dispatch(one) for one in (good, stale, forged, good)] == [200, 401, 401, 200]
    assert pressed == [BOB, BOB]


async def test_a_prepared_click_sent_twice_is_the_same_bytes(
    slack: RunningSlack, client: AsyncWebClient, app: Listening
) -> None:
    signed = slack.driver.prepare_click(BOB, await post_card(client), "approve")

    await slack.driver.send(signed)
    await slack.driver.send(signed)

    first, second = app.received
    assert first.body == second.body
    assert first.headers["X-Slack-Signature"] == second.headers["X-Slack-Signature"]


async def test_a_forged_click_claims_what_it_is_told_to(
    slack: RunningSlack, client: AsyncWebClient, app: Listening
) -> None:
    lies = Forge(team="T999", app="A999", user_team="T998", enterprise="E1", value="8.1")

    await slack.driver.click(BOB, await post_card(client), "approve", forge=lies)

    sent = payload(app)
    assert (sent["team"]["id"], sent["api_app_id"]) == ("T999", "A999")
    assert (sent["user"]["team_id"], sent["enterprise"]["id"]) == ("T998", "E1")
    assert sent["actions"][0]["value"] == "8.1"


async def test_a_stranger_s_click_carries_the_stranger_s_own_team(
    slack: RunningSlack, client: AsyncWebClient, app: Listening
) -> None:
    await slack.driver.click(people.STRANGER, await post_card(client), "approve")

    assert payload(app)["user"]["team_id"] == people.OTHER_TEAM


async def test_a_button_that_is_gone_cannot_be_pressed_but_an_old_click_can_arrive_late(
    slack: RunningSlack, client: AsyncWebClient, app: Listening
) -> None:
    ts = await post_card(client)
    old = slack.driver.prepare_click(BOB, ts, "approve")
    await client.chat_update(channel=INCIDENTS, ts=ts, text="Executing…")

    with pytest.raises(NoSuchButton):
        await slack.driver.click(BOB, ts, "approve")
    assert (await slack.driver.send(old)).ok


async def test_the_person_sees_it_when_the_app_does_not_answer_well(
    slack: RunningSlack, client: AsyncWebClient, app: Listening
) -> None:
    ts = await post_card(client)
    app.status = 500

    answer = await slack.driver.click(BOB, ts, "approve")

    assert answer.status == 500
    (trouble,) = slack.state.troubles
    assert (trouble.user, "500" in trouble.text) == (BOB, True)


async def test_a_command_is_a_signed_form_and_its_answer_is_shown_to_its_author_alone(
    slack: RunningSlack, app: Listening
) -> None:
    app.answer = json.dumps({"text": "Nothing is open."})

    await slack.driver.command(ALICE, INCIDENTS, "/rollback", "status & <more>")

    form = app.received[0].form
    assert (form["command"], form["text"]) == ("/rollback", "status & <more>")
    assert (form["user_id"], form["team_id"]) == (ALICE, people.TEAM)
    assert (form["channel_id"], form["api_app_id"]) == (INCIDENTS, people.APP)
    assert [message.text for message in slack.state.ephemerals_to(ALICE)] == ["Nothing is open."]
    assert slack.state.messages(INCIDENTS) == []


async def test_a_trigger_opens_one_modal_and_only_one(
    slack: RunningSlack, client: AsyncWebClient, app: Listening
) -> None:
    await slack.driver.click(BOB, await post_card(client), "reject")
    trigger = payload(app)["trigger_id"]

    await client.views_open(trigger_id=trigger, view=WHY)

    (view,) = slack.state.views_of(BOB)
    assert view.content["callback_id"] == "reject"
    with pytest.raises(SlackApiError, match="exchanged_trigger_id"):
        await client.views_open(trigger_id=trigger, view=WHY)
    with pytest.raises(SlackApiError, match="invalid_trigger_id"):
        await client.views_open(trigger_id="1.2.3", view=WHY)


async def test_a_trigger_is_dead_after_three_seconds(
    slack: RunningSlack, client: AsyncWebClient, app: Listening
) -> None:
    await slack.driver.click(BOB, await post_card(client), "reject")
    now = slack.state.now()
    slack.state.now = lambda: now + 3.1

    with pytest.raises(SlackApiError, match="expired_trigger_id"):
        await client.views_open(trigger_id=payload(app)["trigger_id"], view=WHY)


async def open_modal(slack: RunningSlack, client: AsyncWebClient, app: Listening) -> str:
    await slack.driver.click(BOB, await post_card(client), "reject")
    opened = await client.views_open(trigger_id=payload(app)["trigger_id"], view=WHY)
    return str(opened["view"]["id"])


async def test_a_submission_carries_the_values_and_an_empty_answer_closes_the_modal(
    slack: RunningSlack, client: AsyncWebClient, app: Listening
) -> None:
    view_id = await open_modal(slack, client, app)

    await slack.driver.submit(BOB, view_id, {"reason": "a fix is coming"})

    sent = payload(app)
    assert (sent["type"], sent["view"]["private_metadata"]) == ("view_submission", "7.1")
    given = {"type": "plain_text_input", "value": "a fix is coming"}
    assert sent["view"]["state"]["values"] == {"why": {"reason": given}}
    assert slack.state.views_of(BOB) == []


async def test_a_form_with_errors_stays_open_and_shows_them(
    slack: RunningSlack, client: AsyncWebClient, app: Listening
) -> None:
    view_id = await open_modal(slack, client, app)
    app.answer = json.dumps({"response_action": "errors", "errors": {"why": "Say more."}})

    await slack.driver.submit(BOB, view_id, {"reason": "no"})

    assert [view.errors for view in slack.state.views_of(BOB)] == [{"why": "Say more."}]


async def test_a_form_can_be_answered_with_another_one(
    slack: RunningSlack, client: AsyncWebClient, app: Listening
) -> None:
    view_id = await open_modal(slack, client, app)
    section = {"type": "section", "text": {"type": "mrkdwn", "text": "Done"}}
    done = {"type": "modal", "title": {"type": "plain_text", "text": "Done"}, "blocks": [section]}
    app.answer = json.dumps({"response_action": "update", "view": done})

    await slack.driver.submit(BOB, view_id, {"reason": "no"})

    assert [view.content["title"]["text"] for view in slack.state.views_of(BOB)] == ["Done"]


async def test_an_update_of_a_modal_that_moved_on_is_a_conflict(
    slack: RunningSlack, client: AsyncWebClient, app: Listening
) -> None:
    view_id = await open_modal(slack, client, app)
    old = slack.state.views[view_id].hash
    await client.views_update(view_id=view_id, view=WHY, hash=old)

    with pytest.raises(SlackApiError, match="hash_conflict"):
        await client.views_update(view_id=view_id, view=WHY, hash=old)


async def test_a_modal_that_breaks_a_rule_is_refused_and_remembered(
    slack: RunningSlack, client: AsyncWebClient, app: Listening
) -> None:
    await slack.driver.click(BOB, await post_card(client), "reject")
    view = {**WHY, "title": {"type": "plain_text", "text": "x" * 25}}

    with pytest.raises(SlackApiError, match="invalid_arguments"):
        await client.views_open(trigger_id=payload(app)["trigger_id"], view=view)

    assert [complaint.problem.pointer for complaint in slack.state.problems] == ["/title/text"]


async def test_a_response_url_takes_five_posts_within_half_an_hour(
    slack: RunningSlack, client: AsyncWebClient, app: Listening
) -> None:
    await slack.driver.click(BOB, await post_card(client), "approve")
    url = payload(app)["response_url"]

    async def respond(said: Json) -> tuple[int, str]:
        async with client.session.post(url, json=said) as answer:  # type: ignore[union-attr]
            return answer.status, await answer.text()

    answers = [await respond({"text": str(n)}) for n in range(6)]

    assert answers[4:] == [(200, "ok"), (404, "used_url")]
    assert [message.text for message in slack.state.ephemerals_to(BOB)] == list("01234")
    await slack.driver.click(BOB, slack.state.messages(INCIDENTS)[0].ts, "approve")
    url, now = payload(app)["response_url"], slack.state.now()
    slack.state.now = lambda: now + 1801
    assert await respond({"text": "late"}) == (404, "expired_url")


async def test_a_response_url_can_replace_and_delete_the_message_that_was_clicked(
    slack: RunningSlack, client: AsyncWebClient, app: Listening
) -> None:
    ts = await post_card(client)
    await slack.driver.click(BOB, ts, "approve")
    url = payload(app)["response_url"]
    session = client.session
    assert session is not None

    async with session.post(url, json={"text": "Executing…", "replace_original": True}):
        message = slack.state.message(INCIDENTS, ts)
        assert message is not None
        assert (message.text, message.blocks) == ("Executing…", [])
    async with session.post(url, json={"delete_original": True}):
        assert slack.state.message(INCIDENTS, ts) is None


async def test_the_home_tab_is_an_event_with_an_id_of_its_own(
    slack: RunningSlack, client: AsyncWebClient, app: Listening
) -> None:
    await slack.driver.open_home(ALICE)

    sent = json.loads(app.received[0].body)
    assert (sent["type"], sent["event"]["type"]) == ("event_callback", "app_home_opened")
    assert (sent["team_id"], sent["event"]["user"]) == (people.TEAM, ALICE)
    home = {"type": "home", "blocks": [{"type": "divider"}]}
    await client.views_publish(user_id=ALICE, view=home)
    assert slack.state.homes[ALICE].content["type"] == "home"


# -- menus ----------------------------------------------------------------------------------------

MENU: Json = {"type": "external_select", "action_id": "which", "min_query_length": 2}
RADIO: Json = {
    "type": "radio_buttons",
    "action_id": "how",
    "options": [
        {"text": {"type": "plain_text", "text": name}, "value": name} for name in ("a", "b")
    ],
}


def asking(*more: Json) -> Json:
    def block(block_id: str, element: Json, **rest: Any) -> Json:
        label = {"type": "plain_text", "text": "Which?"}
        return {"type": "input", "block_id": block_id, "label": label, "element": element, **rest}

    return {**WHY, "blocks": [*WHY["blocks"], block("m", MENU, dispatch_action=True), *more]}


OFFERED = {"options": [{"text": {"type": "plain_text", "text": "Triage"}, "value": "t"}]}


async def shown(slack: RunningSlack, client: AsyncWebClient, view: Json) -> str:
    trigger = slack.state.new_trigger(BOB)
    opened = await client.views_open(trigger_id=trigger, view=view)
    return str(opened["view"]["id"])


async def test_a_menu_asks_the_app_for_what_is_typed_and_only_when_it_is_enough(
    slack: RunningSlack, client: AsyncWebClient, app: Listening
) -> None:
    view_id = await shown(slack, client, asking())
    app.answer = json.dumps(OFFERED)

    assert await slack.driver.look_up(BOB, view_id, "which", "t") == []
    assert app.received == []
    assert await slack.driver.look_up(BOB, view_id, "which", "tr") == OFFERED["options"]
    sent = payload(app)
    assert (sent["type"], sent["value"]) == ("block_suggestion", "tr")
    assert (sent["action_id"], sent["block_id"]) == ("which", "m")
    assert "trigger_id" not in sent


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "not JSON",
        json.dumps({"options": OFFERED["options"] * 101}),
        json.dumps({"options": [{"text": {"type": "mrkdwn", "text": "x"}, "value": "t"}]}),
        json.dumps({"options": [{"text": {"type": "plain_text", "text": "x" * 76}, "value": "t"}]}),
    ],
)
async def test_what_breaks_slack_s_rules_is_not_offered(
    slack: RunningSlack, client: AsyncWebClient, app: Listening, answer: str
) -> None:
    view_id = await shown(slack, client, asking())
    app.answer = answer

    assert await slack.driver.look_up(BOB, view_id, "which", "tr") == []
    assert [complaint.method for complaint in slack.state.problems] == ["options"]


async def test_a_choice_is_heard_of_at_once_where_the_block_says_so(
    slack: RunningSlack, client: AsyncWebClient, app: Listening
) -> None:
    view_id = await shown(slack, client, asking())
    app.answer = json.dumps(OFFERED)
    await slack.driver.look_up(BOB, view_id, "which", "tr")
    app.answer = ""

    await slack.driver.choose(BOB, view_id, "which", "t", values={"reason": "so far"})

    sent = payload(app)
    (action,) = sent["actions"]
    assert (sent["type"], action["selected_option"]["value"]) == ("block_actions", "t")
    values = sent["view"]["state"]["values"]
    assert values["m"]["which"]["selected_option"]["value"] == "t"
    assert values["why"]["reason"]["value"] == "so far"
    assert sent["view"]["hash"]


async def test_what_was_not_offered_cannot_be_chosen(
    slack: RunningSlack, client: AsyncWebClient, app: Listening
) -> None:
    view_id = await shown(slack, client, asking())

    with pytest.raises(NoSuchButton):
        await slack.driver.choose(BOB, view_id, "which", "t")


async def test_radio_buttons_are_sent_with_the_form(
    slack: RunningSlack, client: AsyncWebClient, app: Listening
) -> None:
    label = {"type": "plain_text", "text": "How?"}
    block = {"type": "input", "block_id": "r", "label": label, "element": RADIO}
    view_id = await shown(slack, client, {**asking(block)})

    await slack.driver.choose(BOB, view_id, "how", "b")
    assert app.received == []
    await slack.driver.submit(BOB, view_id, {"reason": "because"})

    values = payload(app)["view"]["state"]["values"]
    assert values["r"]["how"]["selected_option"]["value"] == "b"
    assert values["m"]["which"]["selected_option"] is None


async def test_what_was_filled_in_stays_where_the_field_stays(
    slack: RunningSlack, client: AsyncWebClient, app: Listening
) -> None:
    label = {"type": "plain_text", "text": "How?"}
    block = {"type": "input", "block_id": "r", "label": label, "element": RADIO}
    view_id = await shown(slack, client, asking(block))
    await slack.driver.choose(BOB, view_id, "how", "b", values={"reason": "because"})
    view = slack.state.views[view_id]

    moved = {**block, "block_id": "r2"}
    await client.views_update(view_id=view_id, hash=view.hash, view=asking(moved))

    assert view.values["why"]["reason"]["value"] == "because"
    assert "r2" not in view.values
    with pytest.raises(SlackApiError, match="hash_conflict"):
        await client.views_update(view_id=view_id, hash="1.old", view=asking())
