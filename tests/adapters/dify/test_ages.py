"""Every release that was observed: coming in, staying in, and answers that are none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from bot.adapters.dify.credentials import AdminKey
from bot.errors import (
    AccountLocked,
    AdminKeyUnusable,
    Ambiguous,
    AnswerUnreadable,
    LoginRefused,
    NoSuchApp,
    TargetTooOld,
    UpstreamDown,
    UpstreamRefused,
)
from bot.playground.dify.faults import Fault
from bot.playground.dify.refusals import DifyError
from bot.playground.dify.releases import RELEASES
from bot.playground.dify.server import start
from bot.playground.dify.state import DifyState
from tests.adapters.dify.conftest import BOT, PASSWORD, Dify, a_graph, a_secret, a_target

ADMIN_KEY = "admin-key-of-this-server"


@pytest.fixture(params=list(RELEASES))
async def aged(request: pytest.FixtureRequest) -> AsyncIterator[Dify]:
    """As `dify`, once for each release."""
    running = await start(state=DifyState.of(str(request.param), admin_key=ADMIN_KEY))
    state = running.state
    state.add_account("alice@example.com", "Passw0rd123", role="owner")
    state.add_account(BOT, PASSWORD)
    app = state.create_app("support-triage")
    for title in ("one", "two"):
        state.publish_directly(
            app.id, graph=a_graph(title), environment_variables=[a_secret("sk-1")], name=title
        )
    target = a_target(running.url)
    yield Dify(running, target, app.id)
    await target.close()
    await running.stop()


# -- coming in and staying in -----------------------------------------------------------------


async def test_five_who_wait_for_a_new_token_refresh_once_and_the_next_uses_the_rotated_one(
    aged: Dify,
) -> None:
    for _ in range(3):
        await asyncio.gather(*(aged.target.draft(aged.app_id) for _ in range(5)))
        aged.state.auth.expire_access_tokens()
    await aged.target.draft(aged.app_id)

    assert (aged.faults.count("refresh"), aged.faults.count("login")) == (3, 1)
    assert aged.faults.count("setup_status") == 1


async def test_a_refresh_token_that_nobody_knows_leads_to_one_login(aged: Dify) -> None:
    await aged.target.draft(aged.app_id)
    aged.state.auth.expire_access_tokens()
    aged.state.auth.forget_refresh_tokens()

    await asyncio.gather(*(aged.target.draft(aged.app_id) for _ in range(5)))

    assert (aged.faults.count("refresh"), aged.faults.count("login")) == (1, 2)


async def test_a_wrong_password_is_tried_once(aged: Dify) -> None:
    target = aged.another_target(password="wrong")

    for _ in range(5):
        with pytest.raises(LoginRefused):
            await target.greet()

    assert aged.state.auth.bad_logins[BOT].count == 1
    await target.close()


async def test_a_locked_account_is_named(aged: Dify) -> None:
    aged.state.lock_account(BOT)

    with pytest.raises(AccountLocked):
        await aged.target.greet()


async def test_cookies_behind_https_and_bearer_tokens_are_both_understood(aged: Dify) -> None:
    aged.state.host_cookies = True

    await aged.target.draft(aged.app_id)
    aged.state.auth.expire_access_tokens()

    assert await aged.target.draft(aged.app_id) is not None


async def test_an_update_of_dify_while_we_are_logged_in_costs_one_login(aged: Dify) -> None:
    await aged.target.draft(aged.app_id)
    newest = RELEASES["1.14.2"]
    aged.state.version, aged.state.release, aged.state.auth.release = newest.version, newest, newest
    aged.state.auth.expire_access_tokens()

    assert await aged.target.draft(aged.app_id) is not None

    assert await aged.target.greet() == "1.14.2"
    assert aged.faults.count("login") <= 2
    assert aged.state.auth.bad_logins == {}


# -- the admin key ----------------------------------------------------------------------------


async def test_the_admin_key_works_where_the_release_takes_it_and_is_refused_by_name_elsewhere(
    aged: Dify,
) -> None:
    key = AdminKey(ADMIN_KEY, aged.state.workspace_id)
    target = aged.another_target(credentials=key)
    try:
        if aged.state.version == "1.10.1":
            with pytest.raises(AdminKeyUnusable, match="name an account, or update Dify"):
                await target.publish(aged.app_id, name="ours", comment="")
            assert [call.route for call in aged.faults.log] == ["setup_status"]
            return
        await target.publish(aged.app_id, name="ours", comment="")
        found = await target.examine()
    finally:
        await target.close()

    assert (found.email, found.role) == ("alice@example.com", "owner")
    assert aged.state.versions(aged.app_id)[0].marked_name == "ours"
    assert aged.faults.count("login") == 0


async def test_an_admin_key_for_another_workspace_is_a_refused_login(aged: Dify) -> None:
    key = AdminKey(ADMIN_KEY, "11111111-1111-1111-1111-111111111111")
    target = aged.another_target(credentials=key)

    with pytest.raises(LoginRefused):
        await target.greet()

    assert ADMIN_KEY not in repr(key) + repr(vars(target))
    await target.close()


# -- a release that is not named --------------------------------------------------------------


@pytest.mark.parametrize("header", ["", "main"])
async def test_without_a_release_the_newest_login_is_tried_once_and_its_success_proves_enough(
    dify: Dify, header: str
) -> None:
    dify.state.version = header

    found = await dify.target.examine()

    assert found.version == header
    assert "names no release" in found.limitations[0]
    assert not await dify.target.draft_secrets_only()


@pytest.mark.parametrize("version", ["1.10.1", "1.7.2"])
async def test_without_a_release_an_old_server_refuses_once_and_the_error_says_why(
    version: str,
) -> None:
    running = await start(state=DifyState.of(version))
    running.state.version = ""
    running.state.add_account(BOT, PASSWORD)
    target = a_target(running.url)

    for _ in range(5):
        with pytest.raises(LoginRefused, match="names no release in X-Version"):
            await target.greet()

    assert running.state.auth.bad_logins[BOT].count == 1
    await target.close()
    await running.stop()


async def test_a_key_without_a_release_reads_no_old_secrets(dify: Dify) -> None:
    dify.state.version, dify.state.admin_key = "", ADMIN_KEY
    target = dify.another_target(credentials=AdminKey(ADMIN_KEY, dify.state.workspace_id))

    assert await target.live(dify.app_id) is not None
    assert await target.draft_secrets_only()
    await target.close()


async def test_a_release_without_versions_is_refused_before_the_password_is_sent(
    dify: Dify,
) -> None:
    dify.state.version = "0.14.2"

    with pytest.raises(TargetTooOld, match=r"0\.15\.0 or newer"):
        await dify.target.live(dify.app_id)

    assert dify.faults.count("login") == 0
    dify.state.version = "1.14.2"  # it was updated: the next call sees it
    assert await dify.target.live(dify.app_id) is not None


# -- answers that are none --------------------------------------------------------------------

Call = Callable[[Dify], Awaitable[object]]


async def _after_expiry(dify: Dify) -> object:
    await dify.target.live(dify.app_id)
    dify.state.auth.expire_access_tokens()
    return await dify.target.live(dify.app_id)


BEFORE: dict[str, Call] = {
    "setup_status": lambda dify: dify.target.live(dify.app_id),
    "login": lambda dify: dify.target.live(dify.app_id),
    "refresh": _after_expiry,
    "app_detail": lambda dify: dify.target.live(dify.app_id),
    "published_get": lambda dify: dify.target.live(dify.app_id),
    "draft_get": lambda dify: dify.target.draft(dify.app_id),
}


@pytest.mark.parametrize("fault", [Fault.HTML, Fault.TRUNCATED])
@pytest.mark.parametrize("route", BEFORE)
async def test_a_page_or_half_an_answer_is_unreadable_wherever_it_comes(
    aged: Dify, route: str, fault: Fault
) -> None:
    aged.faults.add(route, fault)

    with pytest.raises(AnswerUnreadable):
        await BEFORE[route](aged)

    assert await aged.target.live(aged.app_id) is not None
    assert aged.state.auth.bad_logins == {}


@pytest.mark.parametrize("route", BEFORE)
async def test_a_redirect_is_not_followed_wherever_it_comes(aged: Dify, route: str) -> None:
    aged.faults.add(route, Fault.REDIRECT)

    with pytest.raises(UpstreamRefused, match="redirect"):
        await BEFORE[route](aged)

    assert await aged.target.live(aged.app_id) is not None


@pytest.mark.parametrize("fault", [Fault.HTML, Fault.REDIRECT, Fault.ERROR, Fault.UNAVAILABLE])
async def test_no_password_is_shown_to_what_does_not_answer_like_dify(
    aged: Dify, fault: Fault
) -> None:
    aged.faults.add("setup_status", fault)

    with pytest.raises((UpstreamDown, UpstreamRefused)):
        await aged.target.live(aged.app_id)

    assert aged.faults.count("login") == 0


@pytest.mark.parametrize("fault", [Fault.HTML, Fault.HTML_AFTER, Fault.TRUNCATED])
async def test_a_publish_that_answers_no_json_may_have_been_done(aged: Dify, fault: Fault) -> None:
    await aged.target.live(aged.app_id)
    aged.faults.add("publish", fault)

    with pytest.raises(Ambiguous):
        await aged.target.publish(aged.app_id, name="ours", comment="")

    assert aged.faults.count("publish") == 1


@pytest.mark.parametrize("status", [403, 404])
async def test_a_closed_door_to_the_setup_turns_nobody_away_who_is_told_the_release(
    aged: Dify, status: int
) -> None:
    def closed() -> None:
        raise DifyError(status, "forbidden", "The setup is closed.")

    aged.faults.before("setup_status", closed, always=True)

    assert await aged.target.live(aged.app_id) is not None
    assert aged.state.auth.bad_logins == {}


@pytest.mark.parametrize("status", [403, 404])
async def test_a_closed_door_without_a_release_is_told_by_its_route(
    dify: Dify, status: int
) -> None:
    def closed() -> None:
        raise DifyError(status, "forbidden", "The setup is closed.")

    dify.state.version = ""
    dify.faults.before("setup_status", closed, always=True)

    with pytest.raises(UpstreamRefused, match=f"GET /setup answered {status}"):
        await dify.target.live(dify.app_id)

    assert dify.faults.count("login") == 0


# -- another workspace ------------------------------------------------------------------------


@pytest.mark.parametrize("call", ["live", "draft", "count_versions"])
async def test_an_app_of_another_workspace_is_named_with_what_to_compare(
    aged: Dify, call: str
) -> None:
    with pytest.raises(NoSuchApp, match="workspace of this account") as caught:
        await getattr(aged.target, call)("a34f9fc0-ce02-4ccc-b75f-778853a70475")

    assert caught.value.upstream_code == "app_not_found"
    assert "Compare the `id`" in caught.value.to_person()


async def test_an_app_that_is_deleted_while_we_know_it_is_named(aged: Dify) -> None:
    await aged.target.live(aged.app_id)
    aged.state.apps.clear()

    with pytest.raises(NoSuchApp):
        await aged.target.live(aged.app_id)


async def test_an_app_without_versions_is_not_called_missing(aged: Dify) -> None:
    channel = aged.state.create_app("channel", mode="channel")

    with pytest.raises(UpstreamRefused, match="of mode channel, which has no versions") as caught:
        await aged.target.live(channel.id)

    assert not isinstance(caught.value, NoSuchApp)


# -- a look at it -----------------------------------------------------------------------------


async def test_an_examination_tells_who_we_are_where_and_what_cannot_be_done(aged: Dify) -> None:
    found = await aged.target.examine()

    assert (found.version, found.email, found.role) == (aged.state.version, BOT, "editor")
    assert (found.workspace_id, found.workspace) == (aged.state.workspace_id, "alice's Workspace")
    assert found.may_edit
    hidden = any("Before 1.8.1" in sentence for sentence in found.limitations)
    assert hidden is (aged.state.version == "1.7.2")


async def test_an_examination_tells_that_a_role_may_not_edit(aged: Dify) -> None:
    aged.state.account(BOT).role = "normal"

    assert not (await aged.target.examine()).may_edit
