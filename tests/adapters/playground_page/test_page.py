"""The page shows what stands in Slack and Dify, and what is pressed goes to the app, signed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bot.playground.page.server import serve_page
from bot.playground.slack.people import ALICE, BOB, BOT_USER, INCIDENTS
from bot.playground.slack.posting import with_ids
from bot.playground.slack.things import File, Message
from bot.playground.tales.bad_prompt import BAD_PROMPT
from tests.adapters.playground_page.conftest import Stage
from tests.unit.test_blockkit import BAD, CONFIRM, GOOD, button, plain, section

Json = dict[str, Any]


def post(stage: Stage, blocks: object = (), **more: Any) -> Message:
    """Put a message of the app into the channel, past every check."""
    state = stage.slack.state
    said = {"user": BOT_USER, "text": "text", "bot_id": state.bot, **more}
    message = Message(channel=INCIDENTS, ts=state.new_ts(), **said)
    message.blocks = with_ids(state, blocks) if isinstance(blocks, list) else []
    return state.add(message)


@pytest.mark.parametrize("name", GOOD)
async def test_every_block_that_slack_takes_is_drawn(stage: Stage, name: str) -> None:
    post(stage, GOOD[name])

    assert "broken" not in await stage.fragment("feed")


@pytest.mark.parametrize(
    "name",
    [
        *("section text 3001", "unknown block type", "51 blocks", "unknown field"),
        *("section without text and fields", "header mrkdwn", "actions 0 elements"),
        *("text an int", "table 101 rows"),
    ],
)
async def test_what_breaks_a_rule_stands_in_a_red_box(stage: Stage, name: str) -> None:
    post(stage, BAD[name][0])

    feed = await stage.fragment("feed")

    assert "breaks Slack's rules" in feed
    assert 'class="broken"' in feed


async def test_a_block_that_slack_has_and_the_page_has_not_is_red_too(stage: Stage) -> None:
    post(stage, [{"type": "task_card"}])

    assert "Unknown block: task_card" in await stage.fragment("feed")


async def test_what_slack_refused_is_told_above_the_messages(stage: Stage) -> None:
    body = {"channel": INCIDENTS, "text": "x", "blocks": [{"type": "marquee"}]}
    headers = {"Authorization": "Bearer t"}
    url = f"{stage.slack.url}chat.postMessage"

    async with stage.session.post(url, json=body, headers=headers) as answer:
        assert (await answer.json())["error"] == "invalid_blocks"

    feed = await stage.fragment("feed")
    assert "Slack refused what the app sent" in feed
    assert "&#39;marquee&#39; is not a block" in feed


async def test_hostile_text_is_harmless_in_every_place_that_shows_text(stage: Stage) -> None:
    evil = "\"><script>alert(1)</script> <!channel>' onx=1"
    blocks = [
        {"type": "header", "text": plain(evil)},
        section(evil, fields=[plain(evil)], accessory=button("x", value=evil)),
        {"type": "context", "elements": [plain(evil)]},
        {"type": "actions", "elements": [button("y", text=plain(evil[:70]), value=evil,
         confirm={**CONFIRM, "text": plain(evil)})]},
        {"type": "image", "alt_text": evil, "image_url": "https://x.test/a.png"},
        {"type": "input", "label": plain(evil), "element": {"type": "plain_text_input",
         "placeholder": plain(evil), "initial_value": evil, "action_id": "a"}, "block_id": "b"},
    ]  # fmt: skip
    post(stage, blocks, text=evil)
    file = File("F1", evil, 3, title=evil, content=evil.encode())
    post(stage, files=[file], text=evil)
    stage.slack.state.users[BOB].name = evil
    post(stage, user=BOB, bot_id="", text="&lt;!channel&gt;")

    feed = await stage.fragment("feed")

    assert "<script" not in feed
    assert '" onx=' not in feed
    assert "' onx=" not in feed
    assert (
        feed.count('class="mention broadcast"') == 2
    )  # the two mrkdwn texts that were not escaped


async def test_no_picture_is_fetched_from_elsewhere(stage: Stage) -> None:
    post(stage, [{"type": "image", "alt_text": "chart", "image_url": "https://x.test/a.png"}])

    feed = await stage.fragment("feed")

    assert "x.test" not in feed
    assert "chart" in feed


async def test_a_thread_stands_below_its_message_with_what_is_for_the_reader_alone(
    stage: Stage,
) -> None:
    parent = post(stage, text="card")
    parent.thread_ts = parent.ts
    post(stage, text="reply", thread_ts=parent.ts)
    post(stage, text="secret", thread_ts=parent.ts, only_for=ALICE)

    mine, theirs = [await stage.fragment("feed", reader=reader) for reader in (ALICE, BOB)]

    assert "2 replies" in mine
    assert "Only visible to you" in mine
    assert "1 reply" in theirs
    assert "secret" not in theirs


async def test_a_difference_is_coloured_by_line_and_long_ones_are_folded(stage: Stage) -> None:
    text = "--- v1\n+++ v2\n@@ x @@\n-old <b>\n+new\n" + "\n".join(f" line {n}" for n in range(20))
    file = File("F1", "a.diff", 3, snippet_type="diff", content=text.encode())
    post(stage, files=[file])

    feed = await stage.fragment("feed")

    assert '<span class="del">-old &lt;b&gt;\n</span>' in feed
    assert '<span class="add">+new\n</span>' in feed
    assert '<span class="hunk">--- v1\n</span>' in feed
    assert "13 more lines" in feed


async def test_a_click_on_the_page_reaches_the_app_as_the_person_chosen(stage: Stage) -> None:
    message = post(
        stage, [{"type": "actions", "elements": [button("rollback.approve", value="7")]}]
    )

    pressed = {"ts": message.ts, "channel": INCIDENTS, "action": "rollback.approve", "value": "7"}
    answer = await stage.post("click", **{"as": BOB}, **pressed)

    assert answer == (True, "")
    sent = json.loads(stage.forms[0]["payload"])
    assert (sent["user"]["id"], sent["actions"][0]["value"]) == (BOB, "7")


async def test_a_button_that_was_redrawn_meanwhile_sends_what_stood_on_the_screen(
    stage: Stage,
) -> None:
    message = post(stage, [{"type": "actions", "elements": [button("approve", value="new")]}])

    said = {"ts": message.ts, "channel": INCIDENTS, "action": "approve", "value": "old"}
    assert await stage.post("click", **said) == (True, "")

    (action,) = json.loads(stage.forms[0]["payload"])["actions"]
    assert action["value"] == "old"


async def test_a_button_that_is_gone_is_told(stage: Stage) -> None:
    message = post(stage, [])

    answer = await stage.post("click", ts=message.ts, channel=INCIDENTS, action="approve")

    assert answer == (False, "That button is gone: the message has changed.")
    assert await stage.post("submit", view="V1", values={}) == (False, "That form is closed.")
    assert await stage.post("close", view="V1") == (True, "")


async def test_a_slash_command_is_sent_and_other_text_is_said(stage: Stage) -> None:
    await stage.post("say", text="/rollback to support-triage@prod 3", **{"as": ALICE})
    await stage.post("say", text="anyone <b> here?", **{"as": ALICE})
    refused = await stage.post("say", text="/remind me", **{"as": ALICE})

    (form,) = stage.forms
    assert (form["command"], form["text"]) == ("/rollback", "to support-triage@prod 3")
    assert "anyone &lt;b&gt; here?" in await stage.fragment("feed")
    assert refused == (False, "/remind is not a command here. Try /rollback help.")


async def test_the_modal_of_the_reader_is_drawn_and_sent(stage: Stage) -> None:
    state = stage.slack.state
    trigger = state.new_trigger(BOB)
    element = {"type": "plain_text_input", "action_id": "reason", "multiline": True}
    why = {"type": "input", "block_id": "why", "label": plain("Why?"), "element": element}
    view = {"type": "modal", "title": plain("Reject"), "submit": plain("Reject"), "blocks": [why]}
    headers = {"Authorization": "Bearer t"}
    body = {"trigger_id": trigger, "view": view}
    async with stage.session.post(f"{stage.slack.url}views.open", json=body, headers=headers):
        pass
    (shown,) = state.views_of(BOB)

    assert "Why?" in await stage.fragment("modal", reader=BOB)
    assert (await stage.fragment("modal", reader=ALICE)).strip() == ""
    shown.errors = {"why": "Say <more>."}
    assert "Say &lt;more&gt;." in await stage.fragment("modal", reader=BOB)
    await stage.post("submit", view=shown.id, values={"reason": "no"}, **{"as": BOB})

    sent = json.loads(stage.forms[0]["payload"])
    assert sent["view"]["state"]["values"]["why"]["reason"]["value"] == "no"


async def test_the_steps_lead_from_the_bad_version_to_the_two_keys(stage: Stage) -> None:
    async def now() -> str:
        return (await stage.fragment("steps")).split('aria-current="step"')[1].split("</h3>")[0]

    assert "A bad version goes live" in await now()
    early = await stage.post("happen", name="fire_alert")
    await stage.post("happen", name="publish_bad")
    assert "Its alert fires" in await now()
    again = await stage.post("happen", name="publish_bad")
    await stage.post("happen", name="fire_alert")
    assert "The first key" in await now()
    card = post(stage, [section("Approvals 1 of 2")])
    assert "The second key" in await now()
    card.blocks = [section("Rolled back")]

    done = await stage.fragment("steps")
    assert BAD_PROMPT.end in done
    assert done.count("(done)") == len(BAD_PROMPT.steps)
    assert early == again == (False, "That cannot happen now.")
    assert [json.loads(alert)["status"] for alert in stage.alerts] == ["firing"]


async def test_what_is_seen_of_a_later_step_ends_those_before_it(stage: Stage) -> None:
    for name in ("publish_bad", "fire_alert"):
        await stage.post("happen", name=name)
    post(stage, [section("Rolled back")])  # nobody looked while there was one approval

    assert BAD_PROMPT.end in await stage.fragment("steps")


async def test_the_alert_can_end_when_the_story_is_over(stage: Stage) -> None:
    for name in ("publish_bad", "fire_alert"):
        await stage.post("happen", name=name)
    assert "Resolve the alert" not in await stage.fragment("steps")
    post(stage, [section("Rolled back")])
    assert "Resolve the alert" in await stage.fragment("steps")
    await stage.post("resolve")

    assert [json.loads(alert)["status"] for alert in stage.alerts] == ["firing", "resolved"]
    assert "Resolve the alert" not in await stage.fragment("steps")


async def test_a_story_begins_with_what_happens_before_people_have_to_act(stage: Stage) -> None:
    assert await stage.post("begin", name="rejected") == (True, "")

    steps, stories = [await stage.fragment(name) for name in ("steps", "stories")]
    assert stage.theatre.begun == ["rejected"]
    assert "One no ends it" in steps.split('aria-current="step"')[1].split("</h3>")[0]
    assert [json.loads(alert)["status"] for alert in stage.alerts] == ["firing"]
    assert 'data-begin="rejected" aria-current="true"' in stories
    assert await stage.post("begin", name="no story") == (False, "There is no such story.")


async def test_each_person_stands_beside_what_they_alone_were_told(stage: Stage) -> None:
    post(stage, text="Your vote is counted: 1 of &lt;2&gt;. More later.", only_for=BOB)
    state = stage.slack.state
    state.add(Message(f"D{BOB[1:]}", state.new_ts(), BOT_USER, "A rollback waits.", bot_id="B"))

    bob, alice = [await stage.fragment(f"told-{who}") for who in (BOB, ALICE)]

    assert "Your vote is counted: 1 of &lt;2&gt;." in bob
    assert "More later" not in bob
    assert "1 direct message" in bob
    assert alice.strip() == ""


async def test_the_dify_panel_shows_live_history_and_draft(stage: Stage) -> None:
    before = await stage.fragment("dify")
    await stage.post("happen", name="publish_bad")
    after = await stage.fragment("dify")

    assert "<b>v6</b> more articles" in before
    assert "Same as live" in before
    assert "<b>v7</b> friendlier answers" in after
    assert "gpt-4o-mini · temperature 1.1" in after


async def test_the_page_stands_whole_at_its_address_and_loads_nothing_from_elsewhere(
    stage: Stage,
) -> None:
    async with stage.session.get(stage.page.url) as answer:
        html = await answer.text()
        policy = answer.headers["Content-Security-Policy"]

    assert "<title>Keyturn playground</title>" in html
    assert 'data-fragment="feed"' in html
    assert "Nothing has happened in #incidents yet." in html
    assert "http://" not in html
    assert "https://" not in html
    assert "default-src 'none'" in policy
    for name, kind in (("page.css", "text/css"), ("page.js", "javascript")):
        async with stage.session.get(f"{stage.page.url}static/{name}") as answer:
            assert answer.status == 200
            assert kind in answer.headers["Content-Type"]
            assert "//" not in (await answer.text()).replace("// ", "").replace("//\n", "")


async def test_changes_are_pushed_to_the_page(stage: Stage) -> None:
    async with stage.session.get(f"{stage.page.url}events") as stream:
        first = json.loads((await stream.content.readuntil(b"\n\n"))[6:])
        post(stage, text="news")
        second = json.loads((await stream.content.readuntil(b"\n\n"))[6:])

    told = {name for name in first if name.startswith("told-")}
    assert len(told) == 5
    assert set(first) - told == {"stories", "steps", "feed", "home", "direct", "dify", "modal"}
    assert set(second) == {"feed"}
    assert "news" in second["feed"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example:80"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Content-Type": "text/plain"},
    ],
)
async def test_no_other_site_can_press_buttons_here(stage: Stage, headers: dict[str, str]) -> None:
    sent = {"Content-Type": "application/json", **headers}

    async with stage.session.post(
        f"{stage.page.url}happen", data=b'{"name": "publish_bad"}', headers=sent
    ) as answer:
        assert answer.status == 403

    assert "friendlier" not in await stage.fragment("dify")


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"[" * 100_000])
async def test_what_is_not_a_json_object_is_refused(stage: Stage, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}

    async with stage.session.post(f"{stage.page.url}say", data=body, headers=headers) as answer:
        assert answer.status == 400


async def test_the_page_listens_on_loopback_only(stage: Stage) -> None:
    with pytest.raises(ValueError, match="loopback"):
        await serve_page(stage.theatre, host="0.0.0.0")
