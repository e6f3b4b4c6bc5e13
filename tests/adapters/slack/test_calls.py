"""What comes back from Slack, or does not, gets the name by which others act on it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession, ClientTimeout

from bot.adapters.slack.calls import called, posted, web_client
from bot.adapters.slack.client import SlackMessenger
from bot.errors import Ambiguous, Throttled, UpstreamDown, UpstreamRefused
from bot.playground.slack.people import INCIDENTS
from bot.playground.slack.server import RunningSlack
from tests.adapters.slack.conftest import TOKEN
from tests.adapters.slack.odd import OddServer, odd_server
from tests.cards import a_view


@pytest.fixture
async def odd() -> AsyncIterator[OddServer]:
    async with odd_server() as running:
        yield running


@pytest.fixture
async def hasty() -> AsyncIterator[ClientSession]:
    """A session that waits no longer than a test may."""
    async with ClientSession(timeout=ClientTimeout(total=0.3)) as opened:
        yield opened


async def ask(odd: OddServer, session: ClientSession) -> None:
    await called(web_client(token=TOKEN, base_url=odd.url, session=session).auth_test())


async def test_a_throttled_call_says_how_long_to_wait(
    slack: RunningSlack, messenger: SlackMessenger
) -> None:
    slack.state.faults.order("throttle", "chat.postMessage", retry_after_s=17)

    with pytest.raises(Throttled) as raised:
        await messenger.show(a_view(), channel=INCIDENTS, ts="")

    assert raised.value.retry_after_s == 17
    assert slack.state.count("chat.postMessage") == 1


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("0", 0), ("7", 7), (None, 30), ("soon", 30), ("-5", 30), ("1.5", 30), ("9" * 400, 3600)],
)
async def test_an_odd_wait_is_replaced_and_an_endless_one_is_an_hour(
    odd: OddServer, session: ClientSession, said: str | None, seconds: float
) -> None:
    odd.status, odd.body = 429, '{"ok": false, "error": "ratelimited"}'
    odd.headers = {} if said is None else {"Retry-After": said}

    for call in (ask(odd, session), posted(session, odd.url)):
        with pytest.raises(Throttled) as raised:
            await call
        assert raised.value.retry_after_s == seconds


async def test_an_older_word_for_throttling_is_one_too(
    odd: OddServer, session: ClientSession
) -> None:
    odd.body = '{"ok": false, "error": "rate_limited"}'

    with pytest.raises(Throttled):
        await ask(odd, session)


@pytest.mark.parametrize("kind", ["error", "drop", "hang"])
async def test_after_a_broken_call_it_is_quickly_known_that_nothing_is_known(
    slack: RunningSlack, hasty: ClientSession, kind: str
) -> None:
    messenger = SlackMessenger(token=TOKEN, base_url=slack.url, session=hasty)
    slack.state.faults.order(kind, "chat.postMessage")
    started = time.monotonic()

    with pytest.raises(Ambiguous):
        await messenger.show(a_view(), channel=INCIDENTS, ts="")

    assert time.monotonic() - started < 5
    assert slack.state.messages(INCIDENTS) == []  # a second try would have gone through


async def test_one_fault_makes_at_most_one_card_too_many(
    slack: RunningSlack, messenger: SlackMessenger
) -> None:
    slack.state.faults.order("drop", "chat.postMessage", after=True)
    with pytest.raises(Ambiguous):
        await messenger.show(a_view(), channel=INCIDENTS, ts="")

    ts = await messenger.show(a_view(), channel=INCIDENTS, ts="")

    lost, kept = slack.state.messages(INCIDENTS)
    assert kept.ts == ts != lost.ts


async def test_a_slack_that_cannot_be_reached_has_done_nothing(session: ClientSession) -> None:
    nobody = "http://127.0.0.1:9/"  # the discard port; nobody listens
    calls = (
        called(web_client(token=TOKEN, base_url=nobody, session=session).auth_test()),
        posted(session, nobody),
    )

    for call in calls:
        with pytest.raises(UpstreamDown) as raised:
            await call
        assert not isinstance(raised.value, Ambiguous)


@pytest.mark.parametrize(
    ("status", "content_type", "body"),
    [
        (200, "text/html", "<html>log in to the guest network</html>"),
        (200, "text/plain", "OK"),
        (200, "application/json", "[]"),
        (200, "application/json", "[1]"),
        (200, "application/json", '"ok"'),
        (200, "application/json", "null"),
        (200, "application/json", '{"ok": tr'),
        (200, "application/json", '{"ok": false}'),
        (200, "application/json", '{"ok": false, "error": null}'),
        (200, "application/gzip", "x"),
        (200, "application/json", b"\xff\xfe"),
        (403, "text/html", "<html>blocked</html>"),
        (500, "text/plain", "upstream error"),
        (503, "application/json", '{"ok": false, "error": "service_unavailable"}'),
        (200, "application/json", '{"ok": false, "error": "fatal_error"}'),
        (200, "application/json", '{"ok": false, "error": "internal_error"}'),
    ],
)
async def test_an_answer_that_does_not_say_what_became_of_it_is_ambiguous(
    odd: OddServer, session: ClientSession, status: int, content_type: str, body: str | bytes
) -> None:
    odd.status, odd.content_type, odd.body = status, content_type, body

    with pytest.raises(Ambiguous):
        await ask(odd, session)


@pytest.mark.parametrize(
    "code", ["invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired"]
)
async def test_a_token_that_slack_does_not_take_is_no_fault_of_the_row(
    odd: OddServer, session: ClientSession, code: str
) -> None:
    odd.body = f'{{"ok": false, "error": "{code}"}}'

    with pytest.raises(UpstreamDown, match=code):
        await ask(odd, session)


@pytest.mark.parametrize("code", ["invalid_blocks", "missing_scope", "a_code_of_tomorrow"])
async def test_a_clear_no_keeps_its_code(odd: OddServer, session: ClientSession, code: str) -> None:
    odd.body = f'{{"ok": false, "error": "{code}"}}'

    with pytest.raises(UpstreamRefused) as raised:
        await ask(odd, session)

    assert raised.value.upstream_code == code


async def test_no_error_holds_the_token(odd: OddServer, session: ClientSession) -> None:
    for status, body in ((200, "{"), (500, "x"), (200, '{"ok": false, "error": "no"}')):
        odd.status, odd.body = status, body
        with pytest.raises((UpstreamDown, UpstreamRefused)) as raised:
            await ask(odd, session)
        assert TOKEN not in f"{raised.value} {raised.value.__cause__!r}"


def test_a_proxy_of_the_environment_is_for_addresses_elsewhere(
    monkeypatch: pytest.MonkeyPatch, session: ClientSession
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")

    def proxy(base_url: str) -> str | None:
        return web_client(token=TOKEN, base_url=base_url, session=session).proxy

    assert proxy("https://slack.com/api/") == "http://proxy.example:3128"
    assert proxy("http://127.0.0.1:8000/api/") is None
    assert proxy("http://localhost:8000/api/") is None
    assert proxy("http://[::1]:8000/api/") is None
