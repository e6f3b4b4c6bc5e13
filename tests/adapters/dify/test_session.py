"""Logging in, staying in, and never in a loop."""

from __future__ import annotations

import asyncio
import logging

import aiohttp
import pytest

from bot.adapters.dify.client import DifyTarget
from bot.adapters.dify.credentials import Account
from bot.adapters.dify.session import LOCKED_PAUSE_S, Session
from bot.adapters.dify.transport import Request, Transport
from bot.errors import AccountLocked, AnswerUnreadable, LoginRefused, UpstreamDown, UpstreamRefused
from bot.playground.dify.faults import Fault
from tests.adapters.dify.conftest import BOT, PASSWORD, Dify


async def five_calls(target: DifyTarget, app_id: str) -> None:
    await asyncio.gather(*(target.draft(app_id) for _ in range(5)))


async def test_concurrent_first_calls_log_in_once(dify: Dify) -> None:
    await five_calls(dify.target, dify.app_id)

    assert dify.faults.count("login") == 1


async def test_an_expired_token_is_refreshed_once_for_all_who_wait(dify: Dify) -> None:
    await dify.target.draft(dify.app_id)
    dify.state.auth.expire_access_tokens()

    await five_calls(dify.target, dify.app_id)

    assert (dify.faults.count("refresh"), dify.faults.count("login")) == (1, 1)


async def test_refreshing_again_uses_the_rotated_token(dify: Dify) -> None:
    for _ in range(3):
        await dify.target.draft(dify.app_id)
        dify.state.auth.expire_access_tokens()
    await dify.target.draft(dify.app_id)

    assert (dify.faults.count("refresh"), dify.faults.count("login")) == (3, 1)


async def test_a_refused_refresh_leads_to_one_login(dify: Dify) -> None:
    await dify.target.draft(dify.app_id)
    dify.state.auth.expire_access_tokens()
    dify.state.auth.forget_refresh_tokens()

    await five_calls(dify.target, dify.app_id)

    assert (dify.faults.count("refresh"), dify.faults.count("login")) == (1, 2)


async def test_a_write_with_an_expired_token_is_made_once(dify: Dify) -> None:
    await dify.target.draft(dify.app_id)
    dify.state.auth.expire_access_tokens()

    await dify.target.publish(dify.app_id, name="again", comment="")

    assert len(dify.state.versions(dify.app_id)) == 3


async def test_a_server_that_always_says_expired_is_asked_twice_and_no_more(dify: Dify) -> None:
    await dify.target.live(dify.app_id)
    dify.faults.add("published_get", *[Fault.EXPIRED] * 10)
    before = dify.faults.count("published_get")

    with pytest.raises(UpstreamRefused):
        await dify.target.live(dify.app_id)

    assert dify.faults.count("published_get") == before + 2
    assert dify.faults.count("login") == 1


async def test_a_refused_login_is_not_tried_again_until_the_settings_change(dify: Dify) -> None:
    target = dify.another_target(password="wrong")
    try:
        for _ in range(10):
            with pytest.raises(LoginRefused):
                await target.live(dify.app_id)
        assert dify.faults.count("login") == 1

        target.change_credentials(Account(BOT, PASSWORD))

        assert await target.live(dify.app_id) is not None
        assert dify.faults.count("login") == 2
    finally:
        await target.close()


async def test_ten_callers_at_once_with_a_wrong_password_make_one_login(dify: Dify) -> None:
    target = dify.another_target(password="wrong")
    try:
        results = await asyncio.gather(
            *(target.live(dify.app_id) for _ in range(10)), return_exceptions=True
        )
        assert [type(result) for result in results] == [LoginRefused] * 10
        assert dify.faults.count("login") == 1
    finally:
        await target.close()


async def test_a_changed_password_is_noticed_once_and_does_not_lock_the_account(
    dify: Dify,
) -> None:
    await dify.target.draft(dify.app_id)
    dify.state.account(BOT).password = "another"
    dify.state.auth.expire_access_tokens()
    dify.state.auth.forget_refresh_tokens()

    for _ in range(10):
        with pytest.raises(LoginRefused):
            await dify.target.draft(dify.app_id)

    assert dify.state.auth.bad_logins[BOT].count == 1


async def test_a_locked_account_is_named_and_left_alone(dify: Dify) -> None:
    dify.state.lock_account(BOT)

    for _ in range(3):
        with pytest.raises(AccountLocked):
            await dify.target.draft(dify.app_id)

    assert dify.faults.count("login") == 1


async def test_a_lock_is_looked_at_again_after_an_hour(dify: Dify) -> None:
    now = [0.0]
    transport = Transport(dify.running.url)
    session = Session(transport, Account(BOT, PASSWORD), clock=lambda: now[0])
    dify.state.lock_account(BOT)
    for moment in (0.0, 1.0, LOCKED_PAUSE_S - 1, LOCKED_PAUSE_S):
        now[0] = moment
        with pytest.raises(AccountLocked):
            await session.send(Request("GET", "/account/profile"))
    await transport.close()

    assert dify.faults.count("login") == 2


async def test_credentials_that_change_during_a_login_are_the_ones_that_count(dify: Dify) -> None:
    target = dify.another_target(password="wrong")
    dify.faults.before("login", lambda: target.change_credentials(Account(BOT, PASSWORD)))

    assert await target.live(dify.app_id) is not None
    assert dify.faults.count("login") == 2
    await target.close()


@pytest.mark.parametrize("fault", [Fault.ERROR, Fault.UNAVAILABLE, Fault.DROP])
async def test_a_login_that_got_no_answer_is_tried_again_by_the_next_call(
    dify: Dify, fault: Fault
) -> None:
    dify.faults.add("login", fault)

    with pytest.raises(UpstreamDown) as caught:
        await dify.target.publish(dify.app_id, name="", comment="")

    assert type(caught.value) is UpstreamDown  # not ambiguous: the write was never sent
    assert await dify.target.live(dify.app_id) is not None


async def test_a_login_page_in_html_is_unreadable_and_no_refusal(dify: Dify) -> None:
    dify.faults.add("login", Fault.HTML)

    with pytest.raises(AnswerUnreadable):
        await dify.target.live(dify.app_id)

    assert await dify.target.live(dify.app_id) is not None


async def test_cookies_with_the_host_prefix_are_understood(dify: Dify) -> None:
    dify.state.host_cookies = True

    await dify.target.draft(dify.app_id)
    dify.state.auth.expire_access_tokens()

    assert await dify.target.draft(dify.app_id) is not None
    assert (dify.faults.count("refresh"), dify.faults.count("login")) == (1, 1)


async def test_a_lent_session_keeps_its_cookies_and_stays_open(dify: Dify) -> None:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
        target = dify.another_target(http=http)
        assert await target.live(dify.app_id) is not None
        await target.close()

        assert list(http.cookie_jar) == []
        assert not http.closed
        assert http.connector is not None
        assert not http.connector.closed


async def test_two_accounts_on_one_lent_session_do_not_mix(dify: Dify) -> None:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
        bot = dify.another_target(http=http)
        alice = dify.another_target(http=http, email="alice@example.com", password="Passw0rd123")
        await bot.live(dify.app_id)
        await alice.publish(dify.app_id, name="hers", comment="")
        await bot.publish(dify.app_id, name="its", comment="")
        authors = [version.created_by.name for version in dify.state.versions(dify.app_id)]
        await asyncio.gather(bot.close(), alice.close())

    assert authors[:2] == ["bot", "alice"]


async def test_the_servers_version_is_known_after_a_greeting(dify: Dify) -> None:
    assert await dify.target.greet() == "1.14.2"


async def test_no_password_token_or_secret_is_logged_or_told(
    dify: Dify, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    told: list[str] = []
    target = dify.another_target(password="wr0ng-password")
    for caller in (target, dify.target):
        for fault in (None, Fault.ERROR, Fault.HTML, Fault.TRUNCATED, Fault.DROP, Fault.EXPIRED):
            if fault:
                dify.faults.add("export", fault)
            try:
                live = dify.state.app(dify.app_id).live_id
                await caller.compare_secrets(dify.app_id, live_id=live)
            except (UpstreamDown, UpstreamRefused) as error:
                told += [str(error), repr(error), str(error.__cause__), error.to_person()]
    told += [caplog.text, repr(dify.target), repr(vars(dify.target))]
    tokens = [*dify.state.auth.access, *dify.state.auth.csrf, *dify.state.auth.refresh_tokens]
    await target.close()

    assert tokens
    for secret in ("sk-1", PASSWORD, "wr0ng-password", *tokens):
        assert all(secret not in text for text in told)
