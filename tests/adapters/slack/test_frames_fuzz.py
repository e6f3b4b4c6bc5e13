"""Whatever a socket brings: a named refusal, or a row for what people can really do."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.adapters.slack import frames
from bot.adapters.slack.admission import Admission
from bot.adapters.slack.frames import Enveloped
from bot.adapters.slack.listeners import build_app
from bot.errors import BadInput, Unauthorised
from bot.playground.slack.people import TEAM
from tests.adapters.slack.conftest import FakeInbox, OurTeam, no_apps
from tests.adapters.slack.sent import a_click, a_command, a_submission, an_event
from tests.adapters.slack.test_door_fuzz import (
    ANY,
    ODD_COMMANDS,
    ODD_EVENTS,
    ODD_PAYLOADS,
    NoForms,
    places,
    put_in,
)

KINDS = st.sampled_from(["interactive", "slash_commands", "events_api", "hello", "other"])
WHOLE: list[dict[str, Any]] = [
    {"type": kind, "envelope_id": "E1", "accepts_response_payload": True, "payload": payload}
    for kind, payload in (
        ("interactive", a_click()),
        ("interactive", a_submission()),
        ("slash_commands", a_command()),
        ("events_api", an_event()),
    )
]
ODD_FRAMES = st.sampled_from([(one, path) for one in WHOLE for path in places(one)]).flatmap(
    lambda one: ANY.map(lambda new: put_in(one[0], one[1], new))
)
ODD_CONTENTS = st.builds(
    lambda kind, payload: {"type": kind, "envelope_id": "E1", "payload": payload},
    KINDS,
    ODD_PAYLOADS | ODD_COMMANDS | ODD_EVENTS | ANY,
)


@given(st.text() | ANY.map(json.dumps))
def test_any_text_is_a_message_or_refused(text: str) -> None:
    with suppress(BadInput):
        frames.parse(text)


def test_one_odd_value_anywhere_is_refused_by_name_or_makes_a_sound_row() -> None:
    inbox = FakeInbox()
    with asyncio.Runner() as runner:
        admit = Admission(build_app(put=inbox.put, forms=NoForms(), apps=no_apps), team=OurTeam())

        async def take(envelope: Enveloped) -> None:
            answer = await admit(
                frames.read(envelope), size=envelope.size, digest=frames.digest(envelope)
            )
            json.loads(frames.acknowledgement(envelope, answer))

        @settings(max_examples=150, deadline=None)
        @given(ODD_FRAMES | ODD_CONTENTS)
        def odd(frame: Any) -> None:
            inbox.rows.clear()
            try:
                envelope = frames.parse(json.dumps(frame))
                if isinstance(envelope, Enveloped):
                    runner.run(take(envelope))
            except (BadInput, Unauthorised):
                assert inbox.rows == {}
            for row in inbox.rows.values():
                assert row.team_id == TEAM
                texts = [row.slack_id, row.action, *row.payload.values()]
                assert all(isinstance(text, str) and "\0" not in text for text in texts)
                "".join(texts).encode()

        odd()


@pytest.mark.parametrize("whole", WHOLE)
def test_the_frames_that_are_changed_here_are_sound_before(whole: dict[str, Any]) -> None:
    envelope = frames.parse(json.dumps(whole))

    assert isinstance(envelope, Enveloped)
    assert frames.read(envelope).sender is not None
