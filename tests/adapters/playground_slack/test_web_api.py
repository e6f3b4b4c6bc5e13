"""The local Slack's Web API, asked by Slack's own client library."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from aiohttp import ClientError, ClientSession
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient

from bot.playground.slack import people, server
from bot.playground.slack.people import ALICE, BOB, DAVE, INCIDENTS
from bot.playground.slack.server import RunningSlack

CARD: list[dict[str, Any]] = [
    {"type": "header", "text": {"type": "plain_text", "text": "Roll back?"}},
    {"type": "section", "text": {"type": "mrkdwn", "text": "v12 → v11"}},
]


async def refused(call: Any) -> str:
    with pytest.raises(SlackApiError) as caught:
        await call
    return str(caught.value.response["error"])


async def test_the_token_is_checked_and_tells_whose_it_is(
    slack: RunningSlack, client: AsyncWebClient
) -> None:
    answer = await client.auth_test()

    assert (answer["team_id"], answer["user_id"]) == (people.TEAM, people.BOT_USER)
    assert "chat:write" in answer.headers["x-oauth-scopes"]
    stranger = AsyncWebClient(token="xoxb-other", base_url=slack.url)
    assert await refused(stranger.auth_test()) == "invalid_auth"
    assert await refused(AsyncWebClient(base_url=slack.url).auth_test()) == "not_authed"
    assert await refused(client.api_call("chat.shout")) == "unknown_method"


async def test_a_message_stands_in_the_channel_with_its_blocks_and_metadata(
    slack: RunningSlack, client: AsyncWebClient
) -> None:
    metadata = {"event_type": "card", "event_payload": {"outbox_id": 7}}

    answer = await client.chat_postMessage(
        channel=INCIDENTS, text="Roll back?", blocks=CARD, metadata=metadata, unfurl_links=False
    )

    (message,) = slack.state.messages(INCIDENTS)
    assert message.ts == answer["ts"]
    assert [block["type"] for block in message.blocks] == ["header", "section"]
    assert all(block["block_id"] for block in message.blocks)
    assert message.options["unfurl_links"] in {False, "0", "false", "False"}
    shown = await client.conversations_history(channel=INCIDENTS, include_all_metadata=True)
    assert shown["messages"][0]["metadata"] == metadata
    hidden = await client.conversations_history(channel=INCIDENTS)
    assert "metadata" not in hidden["messages"][0]


@pytest.mark.parametrize(
    ("argument", "error"),
    [
        ({"channel": "C0NOWHERE01"}, "channel_not_found"),
        ({"channel": people.ELSEWHERE}, "not_in_channel"),
        ({"channel": people.ARCHIVED}, "is_archived"),
        ({"text": ""}, "no_text"),
        ({"blocks": "[{"}, "invalid_blocks_format"),
        ({"blocks": [{"type": "marquee"}]}, "invalid_blocks"),
        ({"thread_ts": "1.000001"}, "thread_not_found"),
        ({"metadata": {"event_type": "x"}}, "invalid_metadata_schema"),
        ({"attachments": [{"text": "x"}] * 101}, "too_many_attachments"),
    ],
)
async def test_what_slack_refuses_to_post_is_refused_by_its_name(
    slack: RunningSlack, client: AsyncWebClient, argument: dict[str, Any], error: str
) -> None:
    said = {"channel": INCIDENTS, "text": "x", **argument}
    call = client.api_call("chat.postMessage", json=said)

    assert await refused(call) == error
    assert slack.state.messages(INCIDENTS) == []


async def test_a_broken_block_is_named_and_remembered(
    slack: RunningSlack, client: AsyncWebClient
) -> None:
    section = {"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3001}}

    with pytest.raises(SlackApiError) as caught:
        await client.chat_postMessage(channel=INCIDENTS, text="x", blocks=[section])

    assert caught.value.response["errors"][0].startswith("/0/text/text: has 3001")
    (complaint,) = slack.state.problems
    assert (complaint.method, complaint.problem.pointer) == ("chat.postMessage", "/0/text/text")


async def test_blocks_that_are_too_long_together_have_an_error_of_their_own(
    client: AsyncWebClient,
) -> None:
    section = {"type": "section", "text": {"type": "mrkdwn", "text": "x" * 2600}}
    call = client.chat_postMessage(channel=INCIDENTS, text="x", blocks=[section] * 4)

    assert await refused(call) == "msg_blocks_too_long"


async def test_an_update_replaces_the_blocks_whole_and_text_alone_drops_them(
    slack: RunningSlack, client: AsyncWebClient
) -> None:
    ts = (await client.chat_postMessage(channel=INCIDENTS, text="x", blocks=CARD))["ts"]

    await client.chat_update(channel=INCIDENTS, ts=ts, text="y", blocks=CARD[:1])
    message = slack.state.message(INCIDENTS, ts)
    assert message is not None
    assert ([b["type"] for b in message.blocks], message.edited_ts) == (["header"], "")
    await client.chat_update(channel=INCIDENTS, ts=ts, text="z")

    assert (message.text, message.blocks, message.edited_ts != "") == ("z", [], True)


async def test_only_the_app_s_own_messages_can_be_rewritten_and_never_an_ephemeral_one(
    slack: RunningSlack, client: AsyncWebClient
) -> None:
    said = await client.chat_postEphemeral(channel=INCIDENTS, user=ALICE, text="for you")
    posted = await client.chat_postMessage(channel=INCIDENTS, text="x")
    message = slack.state.message(INCIDENTS, posted["ts"])
    assert message is not None
    message.user = BOB

    update = client.chat_update
    assert await refused(update(channel=INCIDENTS, ts="1.0", text="y")) == "message_not_found"
    own = update(channel=INCIDENTS, ts=said["message_ts"], text="y")
    assert await refused(own) == "message_not_found"
    theirs = update(channel=INCIDENTS, ts=posted["ts"], text="y")
    assert await refused(theirs) == "cant_update_message"
    long = update(channel=INCIDENTS, ts=posted["ts"], text="y" * 4001)
    message.user = people.BOT_USER
    assert await refused(long) == "msg_too_long"


async def test_an_ephemeral_message_is_seen_by_one_member_and_not_in_the_history(
    slack: RunningSlack, client: AsyncWebClient
) -> None:
    await client.chat_postEphemeral(channel=INCIDENTS, user=ALICE, text="for you")
    outside = client.chat_postEphemeral(channel=INCIDENTS, user=people.STRANGER, text="x")

    assert await refused(outside) == "user_not_in_channel"
    assert [message.text for message in slack.state.ephemerals_to(ALICE)] == ["for you"]
    assert slack.state.ephemerals_to(BOB) == []
    assert (await client.conversations_history(channel=INCIDENTS))["messages"] == []


async def test_a_thread_is_read_parent_first_and_counted_at_the_parent(
    slack: RunningSlack, client: AsyncWebClient
) -> None:
    parent = (await client.chat_postMessage(channel=INCIDENTS, text="card"))["ts"]
    reply = await client.chat_postMessage(channel=INCIDENTS, text="one", thread_ts=parent)
    await client.chat_postMessage(channel=INCIDENTS, text="two", thread_ts=reply["ts"])

    thread = await client.conversations_replies(channel=INCIDENTS, ts=parent)

    assert [message["text"] for message in thread["messages"]] == ["card", "one", "two"]
    assert thread["messages"][0]["reply_count"] == 2
    history = await client.conversations_history(channel=INCIDENTS)
    assert [message["text"] for message in history["messages"]] == ["card"]
    assert [message.text for message in slack.state.thread(INCIDENTS, parent)] == ["one", "two"]
    missing = client.conversations_replies(channel=INCIDENTS, ts="1.0")
    assert await refused(missing) == "thread_not_found"


async def test_a_permalink_names_channel_message_and_thread(client: AsyncWebClient) -> None:
    parent = (await client.chat_postMessage(channel=INCIDENTS, text="card"))["ts"]
    reply = await client.chat_postMessage(channel=INCIDENTS, text="one", thread_ts=parent)

    answer = await client.chat_getPermalink(channel=INCIDENTS, message_ts=reply["ts"])

    path = f"/archives/{INCIDENTS}/p{reply['ts'].replace('.', '')}"
    assert path in answer["permalink"]
    assert f"thread_ts={parent}" in answer["permalink"]
    missing = client.chat_getPermalink(channel=INCIDENTS, message_ts="1.0")
    assert await refused(missing) == "message_not_found"


async def test_history_comes_newest_first_by_pages_and_from_a_time(client: AsyncWebClient) -> None:
    stamps = [
        (await client.chat_postMessage(channel=INCIDENTS, text=str(n)))["ts"] for n in range(5)
    ]

    first = await client.conversations_history(channel=INCIDENTS, limit=3)
    cursor = first["response_metadata"]["next_cursor"]
    second = await client.conversations_history(channel=INCIDENTS, limit=3, cursor=cursor)
    late = await client.conversations_history(channel=INCIDENTS, oldest=stamps[3])

    assert [m["text"] for m in first["messages"]] == ["4", "3", "2"]
    assert [m["text"] for m in second["messages"]] == ["1", "0"]
    assert [m["text"] for m in late["messages"]] == ["4"]


async def test_a_deleted_message_is_gone_and_with_replies_a_tombstone(
    slack: RunningSlack, client: AsyncWebClient
) -> None:
    lone = (await client.chat_postMessage(channel=INCIDENTS, text="x"))["ts"]
    parent = (await client.chat_postMessage(channel=INCIDENTS, text="y"))["ts"]
    await client.chat_postMessage(channel=INCIDENTS, text="reply", thread_ts=parent)

    await client.chat_delete(channel=INCIDENTS, ts=lone)
    await client.chat_delete(channel=INCIDENTS, ts=parent)

    (left,) = slack.state.messages(INCIDENTS)
    assert left.deleted
    again = client.chat_update(channel=INCIDENTS, ts=parent, text="z")
    assert await refused(again) == "message_not_found"


@pytest.mark.parametrize(
    ("user", "flags"),
    [
        (ALICE, {"deleted": False, "is_bot": False, "is_restricted": False}),
        (people.CAROL, {"is_admin": True}),
        (people.FORMER, {"deleted": True}),
        (people.ROBOT, {"is_bot": True}),
        (people.GUEST, {"is_restricted": True, "is_ultra_restricted": False}),
        (people.SINGLE_GUEST, {"is_restricted": True, "is_ultra_restricted": True}),
        (people.STRANGER, {"is_stranger": True, "team_id": people.OTHER_TEAM}),
    ],
)
async def test_every_kind_of_person_shows_its_flags(
    client: AsyncWebClient, user: str, flags: dict[str, object]
) -> None:
    shown = (await client.users_info(user=user))["user"]

    assert {name: shown[name] for name in flags} == flags
    assert ("is_stranger" in shown) == (user == people.STRANGER)


async def test_a_user_group_lists_its_members_whoever_they_are(
    slack: RunningSlack, client: AsyncWebClient
) -> None:
    answer = await client.usergroups_users_list(usergroup=people.REVIEWERS)

    assert {ALICE, BOB, people.FORMER, people.STRANGER} <= set(answer["users"])
    assert DAVE not in answer["users"]
    groups = (await client.usergroups_list(include_users=True))["usergroups"]
    assert {group["handle"] for group in groups} == {"rollback-reviewers", "workflow-developers"}
    slack.state.groups[people.REVIEWERS].disabled = True
    gone = client.usergroups_users_list(usergroup=people.REVIEWERS)
    assert await refused(gone) == "no_such_subteam"
    assert await refused(client.users_info(user="U0NOBODY001")) == "user_not_found"


async def test_a_shared_channel_says_so_and_lists_the_stranger(client: AsyncWebClient) -> None:
    shared = (await client.conversations_info(channel=people.SHARED))["channel"]
    own = (await client.conversations_info(channel=INCIDENTS))["channel"]
    members = await client.conversations_members(channel=people.SHARED)

    assert (shared["is_ext_shared"], shared["is_shared"], own["is_shared"]) == (True, True, False)
    assert people.STRANGER in members["members"]


async def test_a_file_is_shared_in_the_thread_a_moment_after_the_answer(
    slack: RunningSlack, client: AsyncWebClient
) -> None:
    parent = (await client.chat_postMessage(channel=INCIDENTS, text="card"))["ts"]
    difference = "- temperature: 0.2\n+ temperature: 0.9\n"

    answer = await client.files_upload_v2(
        content=difference,
        filename="difference.diff",
        snippet_type="diff",
        title="Difference",
        channel=INCIDENTS,
        thread_ts=parent,
        initial_comment="All of it",
    )

    assert answer["file"]["shares"] == {}
    (reply,) = await slack.state.until(lambda s: s.thread(INCIDENTS, parent))
    assert (reply.text, reply.files[0].text) == ("All of it", difference)
    known = (await client.files_info(file=answer["file"]["id"]))["file"]
    assert known["shares"]["public"][INCIDENTS] == [{"ts": reply.ts, "thread_ts": parent}]


async def test_a_file_in_a_thread_needs_the_parent_s_ts(client: AsyncWebClient) -> None:
    parent = (await client.chat_postMessage(channel=INCIDENTS, text="card"))["ts"]
    reply = (await client.chat_postMessage(channel=INCIDENTS, text="r", thread_ts=parent))["ts"]
    call = client.files_upload_v2(
        content="x", filename="a", channel=INCIDENTS, thread_ts=reply, title="a"
    )

    assert await refused(call) == "thread_not_found"


async def test_bytes_must_be_as_many_as_announced(
    slack: RunningSlack, client: AsyncWebClient
) -> None:
    answer = await client.files_getUploadURLExternal(filename="a", length=5)

    async with ClientSession() as session, session.post(answer["upload_url"], data=b"abc") as sent:
        assert sent.status == 400
    call = client.files_completeUploadExternal(
        files=[{"id": answer["file_id"], "title": "a"}], channel_id=INCIDENTS
    )
    assert await refused(call) == "file_not_found"


async def test_arguments_may_come_as_query_form_or_json(slack: RunningSlack) -> None:
    headers = {"Authorization": "Bearer xoxb-playground-1"}
    url = f"{slack.url}chat.postMessage"
    said = {"channel": INCIDENTS, "text": "x"}

    async with ClientSession(headers=headers) as session:
        for sent in (
            session.get(url, params=said),
            session.post(url, data=said),
            session.post(url, json=said),
            session.post(url, data={**said, "blocks": json.dumps(CARD)}),
        ):
            async with sent as response:
                assert (await response.json())["ok"] is True

    assert len(slack.state.messages(INCIDENTS)) == 4


async def test_a_throttled_call_says_how_long_to_wait_and_works_afterwards(
    slack: RunningSlack, client: AsyncWebClient
) -> None:
    slack.state.faults.order("throttle", "chat.postMessage", retry_after_s=1)

    with pytest.raises(SlackApiError) as caught:
        await client.chat_postMessage(channel=INCIDENTS, text="x")

    assert caught.value.response.status_code == 429
    assert caught.value.response.headers["Retry-After"] == "1"
    await client.chat_postMessage(channel=INCIDENTS, text="x")
    outcomes = [call.outcome for call in slack.state.calls]
    assert outcomes == ["throttle", "ok"]


async def test_slack_s_own_retry_handler_obeys_a_throttle_of_no_time(
    slack: RunningSlack, client: AsyncWebClient
) -> None:
    slack.state.faults.order("throttle", "chat.postMessage", retry_after_s=0)
    client.retry_handlers.append(AsyncRateLimitErrorRetryHandler(max_retry_count=1))

    await client.chat_postMessage(channel=INCIDENTS, text="x")

    assert slack.state.count("chat.postMessage") == 2


async def test_a_post_may_take_effect_although_its_answer_never_came(
    slack: RunningSlack, client: AsyncWebClient
) -> None:
    slack.state.faults.order("drop", "chat.postMessage", after=True)

    with pytest.raises(ClientError):
        await client.chat_postMessage(channel=INCIDENTS, text="x")

    assert [message.text for message in slack.state.messages(INCIDENTS)] == ["x"]


async def test_faults_come_as_ordered_and_go_when_they_are_cleared(
    slack: RunningSlack, client: AsyncWebClient
) -> None:
    faults = slack.state.faults
    faults.order("error", "users.info")
    faults.order("refuse", "users.info", code="account_inactive")
    faults.order("hang", "users.info", times=None)

    with pytest.raises(SlackApiError) as caught:
        await client.users_info(user=ALICE)
    assert caught.value.response.status_code == 500
    assert await refused(client.users_info(user=ALICE)) == "account_inactive"
    hanging = asyncio.create_task(client.users_info(user=ALICE))
    await slack.state.until(lambda s: s.faults.hanging == 1)
    faults.clear()
    with pytest.raises(SlackApiError):
        await hanging
    assert (await client.users_info(user=ALICE))["ok"]


async def test_slack_that_is_down_answers_nobody(
    slack: RunningSlack, client: AsyncWebClient
) -> None:
    slack.state.faults.down = True

    with pytest.raises(ClientError):
        await client.auth_test()
    slack.state.faults.clear()

    assert (await client.auth_test())["ok"]


async def test_the_real_rate_limits_hold_when_they_are_on(
    slack: RunningSlack, client: AsyncWebClient
) -> None:
    slack.state.rates.on = True
    group = people.REVIEWERS
    for _ in range(20):
        await client.usergroups_users_list(usergroup=group)

    assert await refused(client.usergroups_users_list(usergroup=group)) == "ratelimited"


async def test_a_method_needs_its_scope(slack: RunningSlack, client: AsyncWebClient) -> None:
    slack.state.scopes.discard("usergroups:read")

    with pytest.raises(SlackApiError) as caught:
        await client.usergroups_users_list(usergroup=people.REVIEWERS)

    assert caught.value.response["error"] == "missing_scope"
    assert caught.value.response["needed"] == "usergroups:read"


async def test_waiting_ends_with_the_event_or_says_what_is_there_instead(
    slack: RunningSlack, client: AsyncWebClient
) -> None:
    waiting = asyncio.create_task(slack.state.until(lambda s: s.messages(INCIDENTS)))
    await client.chat_postMessage(channel=INCIDENTS, text="here")

    assert [message.text for message in await waiting] == ["here"]
    with pytest.raises(TimeoutError, match="'here'"):
        await slack.state.until(lambda s: s.messages(people.SHARED), within=0.01)


async def test_the_local_slack_listens_on_loopback_only() -> None:
    with pytest.raises(ValueError, match="loopback"):
        await server.start("0.0.0.0", signing_secret="s", bot_token="t")
