"""Whatever is sent to Slack's door: never a 5xx, and a row only for what people can really do."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from aiohttp import ClientSession
from aiohttp.test_utils import TestServer
from hypothesis import given, settings
from hypothesis import strategies as st

from bot import web
from bot.adapters.slack.admission import Admission
from bot.adapters.slack.door import routes
from bot.adapters.slack.listeners import build_app
from bot.playground.slack.people import TEAM
from bot.ports.people import Note, Window
from tests.adapters.slack.conftest import FakeInbox, OurTeam, no_apps
from tests.adapters.slack.sent import (
    FORM,
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

Json = dict[str, Any]
Send = Callable[[bytes, dict[str, str]], int]

ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
HEADER = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"))
TYPES = st.sampled_from([FORM, "application/json", "text/plain", "", f"{FORM}; charset=utf-16"])


class NoForms:
    def language_of(self, slack_id: str) -> str:
        return "en"

    async def open_form(
        self,
        action: str,
        *,
        trigger_id: str,
        value: str,
        channel: str,
        ts: str,
        slack_id: str = "",
        drill: bool = False,
    ) -> None: ...
    async def open_difference(self, window: Window, *, trigger_id: str) -> None: ...
    async def open_choice(self, window: Window, *, trigger_id: str) -> None: ...
    async def await_choices(self, window: Window, *, view_id: str, view_hash: str) -> None: ...
    async def answer(
        self, note: Note, *, channel: str, slack_id: str, ts: str, response_url: str
    ) -> None: ...


@contextmanager
def a_door(inbox: FakeInbox) -> Iterator[Send]:
    """A door on a loop of its own, for many examples in a row."""
    with asyncio.Runner() as runner:

        async def start() -> tuple[TestServer, ClientSession]:
            async def ready() -> web.Readiness:
                return web.Readiness()

            mounted = routes(
                Admission(build_app(put=inbox.put, forms=NoForms(), apps=no_apps), team=OurTeam()),
                signing_secrets=[SECRET.encode()],
                clock=lambda: NOON,
            )
            server = TestServer(web.build(routes=mounted, ready=ready))
            await server.start_server()
            return server, ClientSession()

        server, session = runner.run(start())

        async def post(body: bytes, headers: dict[str, str]) -> int:
            url = server.make_url("/slack/events")
            async with session.post(url, data=body, headers=headers) as response:
                return response.status

        async def stop() -> None:
            await session.close()
            await server.close()

        try:
            yield lambda body, headers: runner.run(post(body, headers))
        finally:
            runner.run(stop())


def places(value: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every value inside *value*."""
    items: Any = value.items() if isinstance(value, dict) else ()
    items = enumerate(value) if isinstance(value, list) else items
    for key, inner in items:
        yield (*path, key)
        yield from places(inner, (*path, key))


def put_in(whole: Any, path: tuple[Any, ...], new: object) -> Any:
    """A copy of *whole* with *new* at *path*."""
    copy = json.loads(json.dumps(whole))
    at = copy
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = new
    return copy


PAYLOADS: list[Json] = [a_click(), a_click("rollback.reject"), a_submission()]
ODD_PAYLOADS = st.sampled_from(
    [(payload, path) for payload in PAYLOADS for path in places(payload)]
).flatmap(lambda one: ANY.map(lambda new: put_in(one[0], one[1], new)))
ODD_COMMANDS = st.tuples(st.sampled_from(sorted(a_command())), st.text(max_size=30)).map(
    lambda one: {**a_command(), one[0]: one[1]}
)
ODD_EVENTS = st.sampled_from(list(places(an_event()))).flatmap(
    lambda path: ANY.map(lambda new: put_in(an_event(), path, new))
)


def test_who_cannot_sign_never_gets_in_or_breaks_anything() -> None:
    inbox = FakeInbox()
    with a_door(inbox) as send:

        @settings(max_examples=80, deadline=None)
        @given(st.binary(max_size=300), HEADER, HEADER, HEADER)
        def unsigned(body: bytes, time: str, signature: str, content_type: str) -> None:
            headers = {"X-Slack-Request-Timestamp": time, "X-Slack-Signature": signature}
            headers["Content-Type"] = content_type

            assert send(body, headers) == 401

        unsigned()

    assert inbox.rows == {}


def test_signed_rubbish_is_never_a_5xx_and_never_a_row() -> None:
    inbox = FakeInbox()
    with a_door(inbox) as send:

        @settings(max_examples=40, deadline=None)
        @given(st.binary(max_size=300), st.binary(max_size=10), TYPES)
        def rubbish(tail: bytes, head: bytes, content_type: str) -> None:
            for body in (tail, head + tail, b"payload=" + tail, b'{"payload":' + tail):
                request = signed(body, content_type)

                assert send(body, request.headers) in {200, 400}

        rubbish()

    assert inbox.rows == {}


def test_one_odd_value_anywhere_is_never_a_5xx() -> None:
    inbox = FakeInbox()
    with a_door(inbox) as send:

        @settings(max_examples=200, deadline=None)
        @given(
            ODD_PAYLOADS.map(interaction)
            | ODD_COMMANDS.map(form)
            | ODD_EVENTS.map(event)
            | ANY.map(interaction)
            | ANY.map(event)
        )
        def odd(request: Any) -> None:
            inbox.rows.clear()

            assert send(request.body, request.headers) in {200, 400, 401}

            for row in inbox.rows.values():
                assert row.team_id == TEAM
                json.dumps(row.payload).encode()
                texts = [row.slack_id, row.action, *row.payload.values()]
                assert all(isinstance(text, str) and "\0" not in text for text in texts)
                "".join(texts).encode()  # no half characters, which no database takes

        odd()
