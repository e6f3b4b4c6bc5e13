"""Slack's door: who is not verified learns nothing, runs nothing and leaves nothing in the log."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import TestServer
from multidict import CIMultiDict

from bot.adapters.slack import door as door_module
from bot.adapters.slack import envelope
from bot.adapters.slack.admission import MAX_BYTES
from bot.errors import UpstreamDown
from bot.playground.slack.people import ALICE, OTHER_TEAM, TEAM
from bot.playground.slack.signing import Signed
from store.records import Missing, Unavailable
from tests.adapters.slack.conftest import FakeInbox, OurTeam
from tests.adapters.slack.sent import (
    FORM,
    MARK,
    OLD_SECRET,
    SECRET,
    a_click,
    a_command,
    a_submission,
    an_event,
    event,
    form,
    interaction,
    signed,
)
from tests.builders import NOON

TIME, SIGN = "X-Slack-Request-Timestamp", "X-Slack-Signature"
GOOD = interaction(a_click())
NOW = GOOD.headers[TIME]
Headers = dict[str, str]


@pytest.fixture
async def send(door: TestServer) -> AsyncIterator[Callable[..., Any]]:
    """Send bytes and headers to the door; (status, body)."""
    async with ClientSession() as session:

        async def post(request: Signed, headers: Any = None) -> tuple[int, str]:
            url, given = door.make_url("/slack/events"), headers or request.headers
            async with session.post(url, data=request.body, headers=given) as response:
                return response.status, await response.text()

        yield post


def mac(base: bytes, secret: str = SECRET, digest: str = "sha256") -> str:
    return hmac.new(secret.encode(), base, digest).hexdigest()


BASE = f"v0:{NOW}:".encode() + GOOD.body
UNSIGNED: dict[str, Headers] = {
    "no time": {TIME: ""},
    "no signature": {SIGN: ""},
    "neither": {TIME: "", SIGN: ""},
    "time in words": {TIME: "noon"},
    "negative time": {TIME: f"-{NOW}"},
    "time with a sign": {TIME: f"+{NOW}"},
    "time with a point": {TIME: f"{NOW}.0"},
    "time in hex": {TIME: hex(int(NOW))},
    "time with an underscore": {TIME: f"{NOW[:3]}_{NOW[3:]}"},
    "time with a space inside": {TIME: f"{NOW[:3]} {NOW[3:]}"},
    "time in other digits": {TIME: "".join(chr(0x660 + int(digit)) for digit in NOW)},
    "time of 13 digits": {TIME: f"{NOW}000"},
    "time of 5000 digits": {TIME: "1" * 5000},
    "time as exponent": {TIME: "1e9"},
    "time that is no number": {TIME: "nan"},
    "the epoch": {TIME: "0"},
    "another time than the signed": {TIME: str(int(NOW) - 1)},
    "another version": {SIGN: "v1=" + mac(BASE)},
    "no version": {SIGN: mac(BASE)},
    "signature in capitals": {SIGN: "v0=" + mac(BASE).upper()},
    "signature too short": {SIGN: "v0=" + mac(BASE)[:-1]},
    "signature too long": {SIGN: "v0=" + mac(BASE) + "0"},
    "signature of no hex": {SIGN: "v0=" + "g" * 64},
    "signature of zeros": {SIGN: "v0=" + "0" * 64},
    "signature beyond ASCII": {SIGN: "v0=" + "é" * 64},
    "signature of 100,000 characters": {SIGN: "v0=" + "a" * 7000},
    "signature in base64": {
        SIGN: "v0=" + base64.b64encode(bytes.fromhex(mac(BASE))).decode(),
    },
    "sha1": {SIGN: "v0=" + mac(BASE, digest="sha1")},
    "sha512": {SIGN: "v0=" + mac(BASE, digest="sha512")},
    "plain hash": {SIGN: "v0=" + hashlib.sha256(SECRET.encode() + BASE).hexdigest()},
    "another secret": {SIGN: "v0=" + mac(BASE, "f" * 16)},
    "an empty secret": {SIGN: "v0=" + mac(BASE, "")},
    "secret in capitals": {SIGN: "v0=" + mac(BASE, SECRET.upper())},
    "signed without the time": {SIGN: "v0=" + mac(GOOD.body)},
    "signed with another version": {SIGN: "v0=" + mac(b"v1" + BASE[2:])},
    "signed for another body": {SIGN: "v0=" + mac(BASE + b"&more=1")},
    "signed for no body": {SIGN: "v0=" + mac(f"v0:{NOW}:".encode())},
    "signature of the other header": {SIGN: NOW},
    "two signatures in one": {SIGN: f"v0={mac(BASE)},v0={mac(BASE)}"},
    "a command to Bolt": {SIGN: "", "X-Slack-Bolt-Lazy-Only": "1"},
}


@pytest.mark.parametrize("changed", UNSIGNED.values(), ids=UNSIGNED)
async def test_who_cannot_sign_gets_one_answer_whatever_was_wrong(
    send: Any, inbox: FakeInbox, caplog: pytest.LogCaptureFixture, changed: Headers
) -> None:
    caplog.set_level(logging.DEBUG)
    headers = {name: value for name, value in {**GOOD.headers, **changed}.items() if value}

    assert await send(GOOD, headers) == (401, "Unauthorised.\n")

    assert inbox.rows == {}
    assert MARK not in caplog.text


@pytest.mark.parametrize("secret", [SECRET, OLD_SECRET])
@pytest.mark.parametrize("late_s", [301, -301, 86_400, -86_400])
async def test_what_is_more_than_five_minutes_off_is_refused(
    send: Any, inbox: FakeInbox, late_s: int, secret: str
) -> None:
    old = signed(GOOD.body, secret=secret, late=timedelta(seconds=late_s))

    assert await send(old) == (401, "Unauthorised.\n")

    assert inbox.rows == {}


@pytest.mark.parametrize("late_s", [300, -300, 0])
async def test_five_minutes_either_way_are_fine(send: Any, inbox: FakeInbox, late_s: int) -> None:
    assert await send(signed(GOOD.body, late=timedelta(seconds=late_s))) == (200, "")

    assert len(inbox.rows) == 1


@pytest.mark.parametrize(
    "body", [GOOD.body + b"x", GOOD.body[:-1], b"", GOOD.body.replace(b"B", b"A", 1), b"\xff" * 99]
)
async def test_other_bytes_than_the_signed_ones_are_refused(
    send: Any, inbox: FakeInbox, body: bytes
) -> None:
    assert await send(replace(GOOD, body=body)) == (401, "Unauthorised.\n")

    assert inbox.rows == {}


@pytest.mark.parametrize("name", [TIME, SIGN])
async def test_a_header_that_is_there_twice_is_refused(
    send: Any, inbox: FakeInbox, name: str
) -> None:
    headers = CIMultiDict(GOOD.headers)
    headers.add(name, GOOD.headers[name])

    assert await send(GOOD, headers) == (401, "Unauthorised.\n")

    assert inbox.rows == {}


@pytest.mark.parametrize(
    "request_", [form({"ssl_check": "1"}), event({"type": "url_verification", "challenge": "x"})]
)
async def test_slack_s_own_checks_are_signed_too(send: Any, request_: Signed) -> None:
    unsigned = {"Content-Type": request_.headers["Content-Type"]}

    assert (await send(request_, unsigned))[0] == 401


# -- Signed, and still wrong ------------------------------------------------------------------


def _nested(depth: int) -> bytes:
    return b"payload=" + b"[" * depth + b"]" * depth


def _inside(**changes: Any) -> Signed:
    return interaction(a_click(**changes))


def _pressed(**changes: Any) -> Signed:
    return _inside(actions=[{**a_click()["actions"][0], **changes}])


UNREADABLE: dict[str, Signed] = {
    "no body": signed(b""),
    "not UTF-8": signed(b"payload=\xff\xfe"),
    "not UTF-8 when decoded": signed(b"payload=%ff%fe"),
    "not JSON": form({"payload": MARK}),
    "half of JSON": form({"payload": json.dumps(a_click())[:-9]}),
    "no JSON number": _inside(ratio=float("nan")),
    "a number of 5000 digits": form({"payload": '{"user": ' + "9" * 5000 + "}"}),
    "a list": interaction([a_click()]),
    "a text": interaction(MARK),
    "nothing": interaction(None),
    "nested 100,000 deep": signed(_nested(100_000)),
    "nested 500 deep": form({"payload": '{"a":' * 500 + "1" + "}" * 500}),
    "nested 50 deep": _inside(deep=json.loads("[" * 50 + "]" * 50)),
    "the payload twice": signed(GOOD.body + b"&" + GOOD.body),
    "a thousand fields": form({str(i): "x" for i in range(1000)}),
    "neither payload nor command": form({"token": MARK}),
    "JSON said to be a form": signed(json.dumps(a_click()).encode()),
    "a form said to be JSON": signed(GOOD.body, "application/json"),
    "a form said to be a picture": signed(GOOD.body, "image/png"),
    "an unheard-of charset": signed(b"payload=\xe9", f"{FORM}; charset=ebcdic-us"),
    "no user": _inside(user=None),
    "user as text": _inside(user="U0BOB000001"),
    "user without id": _inside(user={"team_id": TEAM}),
    "user id a number": _inside(user={"id": 7, "team_id": TEAM}),
    "user id half a character": _inside(user={"id": "\ud800", "team_id": TEAM}),
    "team without a name": _inside(team={"id": ""}),
    "user id in small letters": _inside(user={"id": "u0bob", "team_id": TEAM}),
    "user id of 1000 characters": _inside(user={"id": "U" * 1000, "team_id": TEAM}),
    "channel that is a sentence": _inside(channel={"id": "C0 <!channel>"}),
    "team as text": _inside(team=TEAM),
    "team as list": _inside(team=[TEAM]),
    "no team": _inside(team=None),
    "no channel": _inside(channel=None),
    "channel as number": _inside(channel=7),
    "channel as list": _inside(channel=["C"]),
    "container as text": _inside(container="message"),
    "no container": _inside(container=None),
    "value as number": _pressed(value=7),
    "value as object": _pressed(value={}),
    "value half a character": _pressed(value="\udfff"),
    "response_url as list": _inside(response_url=[MARK]),
    "form without what was pressed": interaction(a_submission(private_metadata="")),
    "form with a list pressed": interaction(a_submission(private_metadata="[]")),
    "form with odd things pressed": interaction(a_submission(private_metadata='{"value": 1}')),
    "command without a person": form({k: v for k, v in a_command().items() if k != "user_id"}),
    "command without a channel": form({k: v for k, v in a_command().items() if k != "channel_id"}),
    "event without a workspace": event(an_event(team_id=None)),
    "challenge that is no text": event({"type": "url_verification", "challenge": {"a": 1}}),
    "enterprise as number": _inside(enterprise=7),
    "nothing pressed": _inside(actions=[]),
    "something odd pressed": _inside(actions=[MARK]),
}  # fmt: skip


@pytest.mark.parametrize("request_", UNREADABLE.values(), ids=UNREADABLE)
async def test_what_slack_never_sends_is_400_and_runs_nothing(
    send: Any, inbox: FakeInbox, caplog: pytest.LogCaptureFixture, request_: Signed
) -> None:
    caplog.set_level(logging.DEBUG)

    status, said = await send(request_)

    assert status == 400
    assert inbox.rows == {}
    assert MARK not in caplog.text + said


async def test_a_body_too_large_is_413_before_it_is_read(send: Any, inbox: FakeInbox) -> None:
    status, _ = await send(signed(b"x" * (MAX_BYTES + 1)))

    assert status == 413
    assert inbox.rows == {}


async def test_a_body_of_unknown_length_that_grows_too_large_is_413(
    send: Any, inbox: FakeInbox
) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(5):
            yield b"x" * (MAX_BYTES // 4)

    status, _ = await send(replace(GOOD, body=chunks()))  # type: ignore[arg-type]

    assert status == 413
    assert inbox.rows == {}


async def test_the_largest_body_that_fits_is_read(send: Any) -> None:
    filler = MAX_BYTES - len(GOOD.body) - len(b"&x=")

    assert (await send(signed(GOOD.body + b"&x=" + b"y" * filler)))[0] == 200


async def test_a_body_that_never_ends_is_not_waited_for(
    door: TestServer, inbox: FakeInbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door_module, "BODY_TIMEOUT_S", 0.05)
    head = "".join(f"{name}: {value}\r\n" for name, value in GOOD.headers.items())
    announced = f"POST /slack/events HTTP/1.1\r\nHost: x\r\n{head}Content-Length: 999\r\n\r\npay"
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)

    writer.write(announced.encode())

    async with asyncio.timeout(5):
        assert b" 408 " in await reader.readline()
    writer.close()
    await writer.wait_closed()
    assert inbox.rows == {}


# -- Other workspaces, rotation ---------------------------------------------------------------

FOREIGN: dict[str, Signed] = {
    "another workspace": _inside(team={"id": OTHER_TEAM}),
    "a person of another workspace": _inside(user={"id": ALICE, "team_id": OTHER_TEAM}),
    "both": _inside(team={"id": OTHER_TEAM}, user={"id": ALICE, "team_id": OTHER_TEAM}),
    "a command from another workspace": form(a_command(team_id=OTHER_TEAM)),
    "an event of another workspace": event(an_event(team_id=OTHER_TEAM)),
    "our name with more behind it": _inside(team={"id": f"{TEAM}X"}),
}


@pytest.mark.parametrize("request_", FOREIGN.values(), ids=FOREIGN)
async def test_signed_payloads_of_other_workspaces_reach_no_listener(
    send: Any, inbox: FakeInbox, request_: Signed
) -> None:
    assert await send(request_) == (401, "Unauthorised.\n")

    assert inbox.rows == {}


async def test_while_nobody_can_say_which_workspace_is_ours_nothing_gets_in(
    send: Any, inbox: FakeInbox, team: OurTeam
) -> None:
    team.fault = UpstreamDown("slack", "no answer")

    assert (await send(GOOD))[0] == 503

    assert inbox.rows == {}


async def test_both_secrets_count_while_they_are_rotated(
    send: Any, inbox: FakeInbox, secrets: list[bytes]
) -> None:
    old = signed(GOOD.body, secret=OLD_SECRET)
    assert (await send(GOOD))[0] == 200
    assert (await send(old))[0] == 200

    secrets.remove(OLD_SECRET.encode())

    assert (await send(signed(GOOD.body + b"&x=1", secret=OLD_SECRET)))[0] == 401
    assert len(inbox.rows) == 2


async def test_without_a_secret_nothing_gets_in(send: Any, secrets: list[bytes]) -> None:
    secrets.clear()

    assert (await send(GOOD))[0] == 401


# -- Replays and trouble ----------------------------------------------------------------------


async def test_the_same_bytes_again_get_the_same_answer_and_do_nothing(
    send: Any, inbox: FakeInbox
) -> None:
    answers = await asyncio.gather(*(send(GOOD) for _ in range(30)))

    assert set(answers) == {(200, "")}
    assert len(inbox.rows) == 1


async def test_the_same_click_signed_anew_is_another_row(send: Any, inbox: FakeInbox) -> None:
    await send(GOOD)
    await send(signed(GOOD.body, late=timedelta(seconds=1)))

    assert len(inbox.rows) == 2


@pytest.mark.parametrize("fault", [Unavailable("locked"), Missing("odd"), RuntimeError(MARK)])
@pytest.mark.parametrize(
    "request_",
    [
        GOOD,
        _pressed(action_id="rollback.reject"),
        interaction(a_submission()),
        form(a_command()),
    ],
    ids=["approve", "reject", "form", "command"],
)
async def test_what_could_not_be_stored_is_503(
    send: Any,
    inbox: FakeInbox,
    caplog: pytest.LogCaptureFixture,
    fault: Exception,
    request_: Signed,
) -> None:
    caplog.set_level(logging.DEBUG)
    inbox.fault = fault

    status, _ = await send(request_)

    assert status == 503
    assert MARK not in caplog.text


async def test_a_database_that_hangs_is_503_before_slack_gives_up(
    send: Any, inbox: FakeInbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert envelope.COMMIT_S < 2.7
    monkeypatch.setattr(envelope, "COMMIT_S", 0.05)
    inbox.gate.clear()

    async with asyncio.timeout(2.5):  # Bolt's own three seconds are too late
        assert (await send(GOOD))[0] == 503

    assert inbox.rows == {}


# -- What is acknowledged without a row -------------------------------------------------------

OTHERS: dict[str, Signed] = {
    "a button of nobody's": interaction(a_click("other.button")),
    "a button named alike": interaction(a_click("rollback.approve.now")),
    "another form": interaction(a_submission(callback_id="other")),
    "a form that was closed": interaction({**a_submission(), "type": "view_closed"}),
    "a shortcut": _inside(type="shortcut", callback_id="x"),
    "a kind that we never heard of": _inside(type="brand_new"),
    "another command": form(a_command(command="/rollbackk", text=MARK)),
    "another event": event(an_event(event={"type": "team_join", "user": MARK})),
    "a messages tab that was opened": event(
        an_event(event={"type": "app_home_opened", "user": "U0ALICE0001", "tab": "messages"})
    ),
    "a message": event(an_event(event={"type": "message", "text": MARK})),
}


@pytest.mark.parametrize("request_", OTHERS.values(), ids=OTHERS)
async def test_what_is_not_ours_is_acknowledged_and_ignored(
    send: Any, inbox: FakeInbox, caplog: pytest.LogCaptureFixture, request_: Signed
) -> None:
    caplog.set_level(logging.DEBUG)

    assert await send(request_) == (200, "")

    assert inbox.rows == {}
    assert MARK not in caplog.text


@pytest.mark.parametrize("state", [None, [], {"values": {}}, {"values": {"reason": MARK}}])
async def test_a_form_without_a_reason_field_is_asked_for_it_again(
    send: Any, inbox: FakeInbox, state: object
) -> None:
    status, said = await send(interaction(a_submission(state=state)))

    assert status == 200
    assert json.loads(said)["errors"].keys() == {"reason"}
    assert inbox.rows == {}


async def test_slack_s_checks_are_answered(send: Any) -> None:
    assert await send(form({"ssl_check": "1", "token": "x"})) == (200, "")
    assert await send(event({"type": "url_verification", "challenge": "3eZb"})) == (200, "3eZb")


async def test_headers_that_command_bolt_are_not_heard(send: Any, inbox: FakeInbox) -> None:
    lazy = {"X-Slack-Bolt-Lazy-Only": "1", "X-Slack-Bolt-Lazy-Function-Name": "press"}

    assert await send(GOOD, {**GOOD.headers, **lazy}) == (200, "")

    assert len(inbox.rows) == 1


async def test_the_digest_is_over_the_signed_bytes_alone(send: Any, inbox: FakeInbox) -> None:
    await send(GOOD, {**GOOD.headers, "User-Agent": "another", "X-Slack-Retry-Num": "1"})
    await send(GOOD)

    assert len(inbox.rows) == 1
    assert NOON.timestamp() == int(NOW)
