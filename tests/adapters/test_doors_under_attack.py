"""Two thousand forged and malformed requests at both doors: none gets in, and none leaves a word.

They are drawn by dice with a seed: a true request with something wrong about it, in its body, its
signature, its time, its bearer or its headers, or with a true signature under what Slack or
Alertmanager never sends. Each is made so that it must be refused, whatever the dice say.
"""

from __future__ import annotations

import json
import logging
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import TestServer

from bot import web
from bot.adapters.alertmanager import routes as alertmanager
from bot.adapters.slack import door as slack
from bot.adapters.slack.admission import Admission
from bot.adapters.slack.listeners import build_app
from bot.domain.naming import LabelMap
from bot.playground.slack.people import OTHER_TEAM
from bot.playground.slack.signing import Signed
from store.records import AppEnv
from tests.adapters.alertmanager.bodies import a_message, an_alert, as_body
from tests.adapters.alertmanager.test_routes import Intake
from tests.adapters.slack.conftest import FakeInbox, OurTeam, no_apps
from tests.adapters.slack.sent import (
    FORM,
    MARK,
    SECRET,
    a_click,
    a_command,
    a_submission,
    form,
    interaction,
    signed,
)
from tests.adapters.slack.test_door import SIGN, TIME
from tests.adapters.slack.test_door_fuzz import NoForms
from tests.builders import NOON

EACH = 1_000
SLACK, ALERTS = "/slack/events", alertmanager.PATH
TOKEN = "the-true-bearer-of-the-tests"


@dataclass(frozen=True)
class Attack:
    """One request, and every status that is right for it."""

    path: str
    body: bytes
    headers: Mapping[str, str]
    refused: frozenset[int]


Draw = Callable[[random.Random], Attack]


# -- Slack's door -------------------------------------------------------------------------------


def _true(dice: random.Random) -> Signed:
    click = a_click(message={"ts": "17.000001", "text": f"{MARK} {dice.random()}"})
    command = {**a_command(), "text": f"status {MARK} {dice.random()}"}
    return dice.choice((interaction(click), interaction(a_submission()), form(command)))


def forged(dice: random.Random) -> Attack:
    """Bytes that somebody else signed, or that were changed after Slack had signed them."""
    true, other = _true(dice), _true(dice)
    headers, body = dict(true.headers), true.body
    match dice.randrange(7):
        case 0:
            body = _flipped(body, dice)
        case 1:
            headers[SIGN] = _flipped(headers[SIGN].encode(), dice).decode("latin-1")
        case 2:
            headers[TIME] = str(int(headers[TIME]) + dice.choice((-1, 1)) * dice.randint(1, 9**9))
        case 3:
            headers = dict(signed(body, headers["Content-Type"], secret=_word(dice)).headers)
        case 4:
            late = timedelta(seconds=dice.choice((-1, 1)) * dice.randint(301, 10**7))
            headers = dict(signed(body, headers["Content-Type"], late=late).headers)
        case 5:
            headers.pop(dice.choice((SIGN, TIME)))
        case _:
            body += b"&" + other.body
    return Attack(SLACK, body, headers, frozenset({401}))


def malformed(dice: random.Random) -> Attack:
    """Truly signed, and nothing that Slack sends."""
    click = json.dumps(a_click()).encode()
    where = dice.randrange(1, len(click) - 1)
    match dice.randrange(6):
        case 0:
            request = form({"payload": click[:where].decode()})
        case 1:
            request = form({"payload": json.dumps([_word(dice)] * dice.randint(0, 9))})
        case 2:
            request = signed(dice.randbytes(dice.randint(1, 400)) + b"\xff", FORM)
        case 3:
            missing = dice.choice(("user", "team", "channel", "container", "actions"))
            request = interaction({k: v for k, v in a_click().items() if k != missing})
        case 4:
            odd: list[Any] = [7, ["U0"], "text", {"id": "u0 <!channel>"}, None]
            place = dice.choice(("user", "team", "channel"))
            request = interaction({**a_click(), place: dice.choice(odd)})
        case _:
            request = signed(b"payload=" + b"[" * dice.randint(200, 20_000), FORM)
    return Attack(SLACK, request.body, request.headers, frozenset({400}))


def foreign(dice: random.Random) -> Attack:
    """Truly signed, and of another workspace."""
    request = dice.choice(
        (
            interaction(a_click(team={"id": OTHER_TEAM})),
            interaction(a_click(team={"id": f"T{dice.randrange(10**9, 10**10)}"})),
            form({**a_command(), "team_id": OTHER_TEAM, "text": _word(dice)}),
        )
    )
    return Attack(SLACK, request.body, request.headers, frozenset({401}))


# -- Alertmanager's door ------------------------------------------------------------------------


def _message(dice: random.Random) -> bytes:
    annotations = {"summary": f"{MARK} {dice.random()}"}
    return as_body(a_message(an_alert(annotations=annotations)))


def without_bearer(dice: random.Random) -> Attack:
    """A true alert from somebody who has not our token, or only a part of it."""
    cut = dice.randrange(1, len(TOKEN))
    given = dice.choice(
        (
            *(f"Bearer {TOKEN[:cut]}", f"Bearer {TOKEN}{_word(dice)}", f"Basic {TOKEN}"),
            *(f"Bearer {TOKEN.upper()}", f"Bearer {_word(dice)}", TOKEN, "Bearer", ""),
            f"Bearer {_flipped(TOKEN.encode(), dice).decode('latin-1')}",
        )
    )
    headers = {"Authorization": given} if given else {}
    return Attack(ALERTS, _message(dice), headers, frozenset({401}))


def no_message(dice: random.Random) -> Attack:
    """The true token over what no Alertmanager sends."""
    body = _message(dice)
    match dice.randrange(5):
        case 0:
            body = body[: dice.randrange(len(body))]
        case 1:
            body = dice.randbytes(dice.randint(0, 400)) + b"\xff"
        case 2:
            body = as_body(a_message(version=dice.choice(("3", "5", "", MARK))))
        case 3:
            body = as_body([_word(dice)] * dice.randint(0, 5))
        case _:
            body = b"[" * dice.randint(200, 50_000)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    return Attack(ALERTS, body, headers, frozenset({400}))


def _flipped(text: bytes, dice: random.Random) -> bytes:
    """*text* with one letter changed for another one."""
    at = dice.randrange(len(text))
    letters = [letter for letter in b"0123456789abcdefXYZ" if letter != text[at]]
    return text[:at] + bytes([dice.choice(letters)]) + text[at + 1 :]


def _word(dice: random.Random) -> str:
    return MARK + "".join(dice.choices("abcdef0123456789", k=dice.randint(1, 24)))


# -- Both ---------------------------------------------------------------------------------------

AT_SLACK: tuple[Draw, ...] = (forged, malformed, foreign)
AT_ALERTS: tuple[Draw, ...] = (without_bearer, no_message)


@pytest.fixture
def inbox() -> FakeInbox:
    return FakeInbox()


@pytest.fixture
def intake() -> Intake:
    return Intake()


@pytest.fixture
async def doors(inbox: FakeInbox, intake: Intake) -> AsyncIterator[TestServer]:
    """Both doors in one application, as in the service."""

    async def ready() -> web.Readiness:
        return web.Readiness()

    admission = Admission(build_app(put=inbox.put, forms=NoForms(), apps=no_apps), team=OurTeam())
    mounted = [
        *slack.routes(admission, signing_secrets=[SECRET.encode()], clock=lambda: NOON),
        *alertmanager.routes(
            tokens=[TOKEN],
            labels=LabelMap(),
            known={AppEnv("support-triage", "prod")},
            take_in=intake,
        ),
    ]
    running = TestServer(web.build(routes=mounted, ready=ready))
    await running.start_server()
    yield running
    await running.close()


@pytest.mark.parametrize("draws", [AT_SLACK, AT_ALERTS], ids=["slack", "alerts"])
async def test_a_thousand_attacks_are_all_refused_and_nothing_of_them_is_kept(
    doors: TestServer,
    inbox: FakeInbox,
    intake: Intake,
    caplog: pytest.LogCaptureFixture,
    draws: tuple[Draw, ...],
) -> None:
    caplog.set_level(logging.DEBUG, logger="bot")
    dice = random.Random("two thousand at both doors")
    seen: Counter[int] = Counter()
    wrong: list[tuple[Attack, int]] = []
    async with ClientSession() as session:
        for number in range(EACH):
            attack = draws[number % len(draws)](dice)
            url = doors.make_url(attack.path)
            async with session.post(url, data=attack.body, headers=attack.headers) as answer:
                said = await answer.text()
            seen[answer.status] += 1
            if answer.status not in attack.refused or MARK in said:
                wrong.append((attack, answer.status))

    assert wrong == []
    assert sum(seen.values()) == EACH
    assert len(seen) > 1  # they were not all refused for one reason
    assert inbox.rows == {}
    assert intake.stored == []
    assert MARK not in caplog.text
    assert not [record for record in caplog.records if MARK in str(vars(record))]


async def test_a_true_request_between_them_still_gets_in(
    doors: TestServer, inbox: FakeInbox, intake: Intake
) -> None:
    """Or refusing everything would pass for a good door."""
    dice = random.Random(1)
    true = _true(dice)
    headers: dict[str, Any] = {"Authorization": f"Bearer {TOKEN}"}
    async with ClientSession() as session:
        url = doors.make_url(SLACK)
        async with session.post(url, data=true.body, headers=true.headers) as answer:
            assert answer.status == 200
        url = doors.make_url(ALERTS)
        async with session.post(url, data=_message(dice), headers=headers) as answer:
            assert answer.status == 202

    assert len(inbox.rows) == 1
    assert len(intake.stored) == 1
