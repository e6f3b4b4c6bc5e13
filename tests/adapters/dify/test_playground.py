"""Rules of the local Dify that no recording holds, and the direct methods for panel and tests."""

from __future__ import annotations

import asyncio
import base64
import re
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest

from bot.playground.dify import configs
from bot.playground.dify.faults import Fault
from bot.playground.dify.refusals import DifyError
from bot.playground.dify.variables import MASK
from tests.adapters.dify.conftest import BOT, PASSWORD, Dify, a_graph, a_secret


async def post(dify: Dify, path: str, body: object, cookies: str = "") -> aiohttp.ClientResponse:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
        url = f"{dify.running.url}/console/api{path}"
        answer = await http.post(url, json=body, headers={"Cookie": cookies})
        await answer.read()
        return answer


async def login(dify: Dify, password: str) -> aiohttp.ClientResponse:
    encoded = base64.b64encode(password.encode()).decode()
    return await post(dify, "/login", {"email": BOT, "password": encoded})


async def test_the_seventh_bad_login_in_a_row_finds_a_lock_that_the_right_password_meets_too(
    dify: Dify,
) -> None:
    statuses = [(await login(dify, "wrong")).status for _ in range(7)]

    assert statuses == [401] * 6 + [429]
    assert (await login(dify, PASSWORD)).status == 429


async def test_a_lock_ends_after_a_day(dify: Dify) -> None:
    dify.state.lock_account(BOT)
    tomorrow = datetime.now(UTC) + timedelta(days=1, seconds=1)
    dify.state.clock = lambda: tomorrow

    assert (await login(dify, PASSWORD)).status == 200


async def test_a_good_login_forgets_the_bad_ones(dify: Dify) -> None:
    for password in [*["wrong"] * 6, PASSWORD][1:]:
        last = await login(dify, password)
    assert last.status == 200

    assert [(await login(dify, "wrong")).status for _ in range(6)] == [401] * 6


async def test_a_refresh_token_works_once(dify: Dify) -> None:
    refresh = (await login(dify, PASSWORD)).cookies["refresh_token"].value
    cookie = f"refresh_token={refresh}"

    first, second = [await post(dify, "/refresh-token", {}, cookie) for _ in range(2)]

    assert (first.status, second.status) == (200, 401)
    assert await second.json() == {"result": "fail", "message": "Invalid refresh token"}


async def test_somebody_who_may_only_look_at_apps_cannot_see_a_draft(dify: Dify) -> None:
    dify.state.account(BOT).role = "normal"

    with pytest.raises(Exception, match="403 forbidden"):
        await dify.target.draft(dify.app_id)


def test_an_editors_save_keeps_what_it_does_not_name(dify: Dify) -> None:
    dify.state.save_draft_as_editor(dify.app_id, graph=a_graph("three"))

    draft = dify.state.draft(dify.app_id)
    assert draft is not None
    assert [variable.value for variable in draft.environment_variables] == ["sk-1"]


def test_a_mask_for_an_unknown_id_stores_the_placeholder(dify: Dify) -> None:
    dify.state.save_draft_as_editor(
        dify.app_id, environment_variables=[a_secret(MASK, key="another")]
    )

    draft = dify.state.draft(dify.app_id)
    assert draft is not None
    assert [variable.value for variable in draft.environment_variables] == ["[__HIDDEN__]"]


def test_a_publish_may_lie_in_the_past_and_the_history_is_by_time(dify: Dify) -> None:
    long_ago = datetime(2026, 1, 1, tzinfo=UTC)
    old = dify.state.publish_directly(dify.app_id, graph=a_graph("old"), name="old", at=long_ago)

    assert [version.marked_name for version in dify.state.versions(dify.app_id)] == [
        *("two", "one", "old"),
    ]
    assert dify.state.live(dify.app_id) is old


def test_an_app_is_found_by_its_name(dify: Dify) -> None:
    assert dify.state.app("support-triage") is dify.state.app(dify.app_id)
    with pytest.raises(DifyError, match="app_not_found"):
        dify.state.app("nobody")


def test_a_version_that_is_live_cannot_be_deleted(dify: Dify) -> None:
    newest, oldest = dify.state.versions(dify.app_id)
    with pytest.raises(DifyError, match="currently in use"):
        dify.state.delete_version(dify.app_id, newest.id)

    dify.state.delete_version(dify.app_id, oldest.id)

    assert dify.state.versions(dify.app_id) == [newest]


async def test_a_restore_takes_the_versions_secrets(dify: Dify) -> None:
    app = dify.state.app(dify.app_id)
    first = dify.state.versions(dify.app_id)[-1]
    dify.state.save_draft_as_editor(dify.app_id, environment_variables=[a_secret("sk-2")])

    draft = dify.state.restore(app, first.id, by=dify.state.account(BOT))

    assert (draft.hash, draft.graph) == (first.hash, a_graph("one"))
    assert draft.environment_variables[0].value == "sk-1"


async def test_a_hook_runs_before_one_call_or_before_every_call(dify: Dify) -> None:
    seen: list[str] = []
    dify.faults.before("published_get", lambda: seen.append("once"))
    dify.faults.before("published_get", lambda: seen.append("always"), always=True)

    for _ in range(2):
        await dify.target.live(dify.app_id)

    assert sorted(seen) == ["always", "always", "once"]


@pytest.mark.parametrize(("fault", "versions"), [(Fault.HANG, 2), (Fault.HANG_AFTER, 3)])
async def test_a_hanging_call_goes_on_when_it_is_released(
    dify: Dify, fault: Fault, versions: int
) -> None:
    dify.faults.add("publish", fault)
    call = asyncio.create_task(dify.target.publish(dify.app_id, name="", comment=""))
    await asyncio.wait_for(dify.faults.hanging("publish"), 20)
    assert len(dify.state.versions(dify.app_id)) == versions

    dify.faults.release()

    await asyncio.wait_for(call, 20)
    assert len(dify.state.versions(dify.app_id)) == 3


async def test_the_log_has_routes_and_statuses_and_no_bodies(dify: Dify) -> None:
    await dify.target.live(dify.app_id)

    assert [(call.route, call.status) for call in dify.faults.log] == [
        *(("setup_status", 200), ("login", 200), ("app_detail", 200), ("published_get", 200)),
    ]
    assert all(PASSWORD not in repr(call) for call in dify.faults.log)


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "page=0", "page=x", "limit=-1"])
async def test_a_page_that_cannot_be_is_refused(dify: Dify, query: str) -> None:
    tokens = dify.state.auth.login(BOT, base64.b64encode(PASSWORD.encode()).decode())
    headers = {
        "Cookie": f"access_token={tokens.access}; csrf_token={tokens.csrf}",
        "X-CSRF-Token": tokens.csrf,
    }
    url = f"{dify.running.url}/console/api/apps?{query}"
    async with aiohttp.ClientSession() as http, http.get(url, headers=headers) as answer:
        assert answer.status == 400
        assert (await answer.json())["code"] == "invalid_param"


NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
MODEL = {"provider": "acme", "name": "big", "mode": "chat", "completion_params": {}}
TOOL = {"provider_type": "builtin", "provider_id": "jira", "tool_name": "create"}


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"model": {**MODEL, "provider": "other"}}, "must be in ['acme']"),
        ({"model": {**MODEL, "name": "small"}}, "must be in the specified model list"),
        ({"model": None}, "model is required"),
        ({"agent_mode": {"tools": [TOOL]}}, "tool_parameters is required"),
    ],
)
def test_a_configuration_that_cannot_work_is_refused(
    changed: dict[str, object], sentence: str
) -> None:
    with pytest.raises(DifyError, match=re.escape(sentence)):
        configs.demand({"model": MODEL, **changed}, {"acme": {"big"}})


def test_a_configuration_is_replaced_as_a_whole_and_completed(dify: Dify) -> None:
    app = dify.state.create_app("Helper", mode="chat")
    dify.state.save_model_config(app.id, {"model": MODEL, "opening_statement": "Hello!"})

    app.save_config({"model": MODEL, "pre_prompt": "Be kind."}, by=app.created_by, at=NOW)

    config = app.model_config
    assert config is not None
    assert (config["opening_statement"], config["pre_prompt"]) == ("", "Be kind.")
    assert config["model"]["completion_params"] == {"stop": []}
    assert config["agent_mode"]["strategy"] == "router"
    again = configs.saved("chat", config, config, config)
    assert again == {key: config[key] for key in again}


def test_a_mode_keeps_only_what_it_has(dify: Dify) -> None:
    app = dify.state.create_app("Helper", mode="completion")

    dify.state.save_model_config(
        app.id, {"more_like_this": {"enabled": True}, "opening_statement": "Hello!"}
    )

    config = app.model_config
    assert config is not None
    assert config["more_like_this"] == {"enabled": True}
    assert config["opening_statement"] is None
