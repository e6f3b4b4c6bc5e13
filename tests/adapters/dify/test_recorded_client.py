"""The client against servers that only repeat what was recorded: what it sends, what it reads."""

from __future__ import annotations

import json
from collections import defaultdict, deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from aiohttp import web

from bot.adapters.dify.client import DifyTarget
from bot.adapters.dify.credentials import Account, AdminKey
from bot.errors import AccountLocked, AdminKeyUnusable, DraftMoved, LoginRefused
from bot.ports.target import SecretsVerdict
from store.document import Document
from tests.adapters.dify.recordings import VERSIONS, Exchange, body, cookie_values, load, titled
from tests.adapters.dify.replay import RECORDED_ADMIN_KEY

WITH_COOKIES = ("1.14.2", "1.10.1")
COMPARING = WITH_COOKIES  # before 1.8.1 no version's secrets can be read


@dataclass
class Sent:
    """A request that the client made."""

    method: str
    path: str
    query: dict[str, str]
    cookies: dict[str, str]
    csrf: str
    authorization: str
    workspace: str
    body: Any


@dataclass
class Recorded:
    """Answers each route with its recorded answers in turn; the last one stays."""

    version: str
    answers: dict[tuple[str, str], deque[Exchange]] = field(
        default_factory=lambda: defaultdict(deque)
    )
    sent: list[Sent] = field(default_factory=list)

    def exchange(self, title: str) -> Exchange:
        return load(titled(title, self.version), self.version)

    def play(self, *titles: str) -> None:
        """Let the exchanges of these titles be the next answers of their routes."""
        for title in titles:
            exchange = self.exchange(title)
            path = exchange.path.partition("?")[0]
            self.answers[exchange.method, path].append(exchange)

    def last(self, method: str, path_end: str) -> Sent:
        return [s for s in self.sent if s.method == method and s.path.endswith(path_end)][-1]

    @property
    def app_id(self) -> str:
        return str(self.exchange("create_app").answer["id"])

    @property
    def versions(self) -> tuple[str, str]:
        """The ids of the two versions, the older one first."""
        published = self.exchange("versions_list").answer["items"][1:]
        return published[1]["id"], published[0]["id"]

    @property
    def secret_id(self) -> str:
        return str(self.exchange("published_current").answer["environment_variables"][0]["id"])

    async def answer(self, request: web.Request) -> web.Response:
        path = request.path.removeprefix("/console/api")
        text = await request.text()
        self.sent.append(
            Sent(
                method=request.method,
                path=path,
                query=dict(request.query),
                cookies=dict(request.cookies),
                csrf=request.headers.get("X-CSRF-Token", ""),
                authorization=request.headers.get("Authorization", ""),
                workspace=request.headers.get("X-WORKSPACE-ID", ""),
                body=json.loads(text) if text else None,
            )
        )
        queue = self.answers[request.method, path]
        exchange = queue.popleft() if len(queue) > 1 else queue[0]
        response = web.json_response(exchange.answer, status=exchange.status)
        response.headers["X-Version"] = self.version
        for line in exchange.set_cookie:
            response.headers.add("Set-Cookie", line)
        return response


Pair = tuple[Recorded, DifyTarget]


@pytest.fixture(params=VERSIONS)
async def recorded(request: pytest.FixtureRequest) -> AsyncIterator[Pair]:
    server = Recorded(request.param)
    server.play("setup_status", "login", "app_detail_published")
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    account = Account("admin@example.com", "Passw0rd123")
    target = DifyTarget("dify.test", url=url, credentials=account)
    yield server, target
    await target.close()
    await runner.cleanup()


async def test_the_release_is_asked_before_the_password_is_sent(recorded: Pair) -> None:
    server, target = recorded
    server.play("published_current")

    await target.live(server.app_id)

    first, second = server.sent[:2]
    assert (first.method, first.path, first.body) == ("GET", "/setup", None)
    assert (first.cookies, first.authorization, first.csrf) == ({}, "", "")
    assert second.path == "/login"


async def test_the_login_is_the_recorded_one(recorded: Pair) -> None:
    server, target = recorded
    server.play("published_current")

    await target.live(server.app_id)

    assert server.last("POST", "/login").body == server.exchange("login").body


@pytest.mark.parametrize("recorded", WITH_COOKIES, indirect=True)
async def test_every_call_carries_cookies_and_the_csrf_header(recorded: Pair) -> None:
    server, target = recorded
    server.play("published_current")
    given = cookie_values(server.exchange("login").set_cookie)

    await target.live(server.app_id)

    for sent in server.sent[2:]:
        assert sent.cookies == {name: given[name] for name in ("access_token", "csrf_token")}
        assert sent.csrf == given["csrf_token"]
        assert sent.authorization == ""


@pytest.mark.parametrize("recorded", ["1.7.2"], indirect=True)
async def test_before_1_9_2_every_call_carries_the_bearer_token_alone(recorded: Pair) -> None:
    server, target = recorded
    server.play("published_current")

    await target.live(server.app_id)

    token = server.exchange("login").answer["data"]["access_token"]
    for sent in server.sent[2:]:
        assert (sent.authorization, sent.cookies, sent.csrf) == (f"Bearer {token}", {}, "")


@pytest.mark.parametrize("recorded", WITH_COOKIES, indirect=True)
async def test_a_refresh_sends_its_cookie_and_goes_on_with_the_new_ones(recorded: Pair) -> None:
    server, target = recorded
    server.play("profile_without_csrf_or_bearer", "after_refresh", "refresh_token")
    old = cookie_values(server.exchange("login").set_cookie)
    new = cookie_values(server.exchange("refresh_token").set_cookie)

    await target.greet()

    refresh, again = server.sent[-2:]
    assert (refresh.path, refresh.body) == ("/refresh-token", {})
    assert refresh.cookies == {"refresh_token": old["refresh_token"]}
    assert again.csrf == new["csrf_token"]
    assert again.cookies["access_token"] == new["access_token"]


@pytest.mark.parametrize("recorded", ["1.7.2"], indirect=True)
async def test_before_1_9_2_a_refresh_sends_its_token_in_the_body(recorded: Pair) -> None:
    server, target = recorded
    server.play("profile_without_csrf_or_bearer", "after_refresh", "refresh_token")

    await target.greet()

    refresh, again = server.sent[-2:]
    assert refresh.body == server.exchange("refresh_token").body
    assert (refresh.cookies, refresh.authorization) == ({}, "")
    new = server.exchange("refresh_token").answer["data"]["access_token"]
    assert again.authorization == f"Bearer {new}"


async def test_the_recorded_wrong_password_is_a_refused_login(recorded: Pair) -> None:
    server, target = recorded
    server.answers["POST", "/login"].clear()
    server.play("login_wrong_password")

    for _ in range(3):
        with pytest.raises(LoginRefused) as caught:
            await target.greet()

    assert caught.value.upstream_code == server.exchange("login_wrong_password").answer["code"]
    assert [sent.path for sent in server.sent] == ["/setup", "/login"]


@pytest.mark.parametrize("recorded", ["1.14.2"], indirect=True)
async def test_plain_password_refusal_is_a_refused_login(recorded: Pair) -> None:
    server, target = recorded
    server.answers["POST", "/login"].clear()
    server.play("edge/login_plain_password_on_new")

    with pytest.raises(LoginRefused):
        await target.greet()


async def test_a_lock_is_known_by_its_code(recorded: Pair) -> None:
    server, target = recorded
    refused = server.exchange("login_wrong_password")
    locked = {"code": "email_code_login_limit", "message": "Too many", "status": 429}
    server.answers["POST", "/login"] = deque([replace(refused, status=429, answer=locked)])

    for _ in range(3):
        with pytest.raises(AccountLocked):
            await target.greet()

    assert [sent.path for sent in server.sent] == ["/setup", "/login"]


async def test_an_unknown_account_that_is_said_with_a_success_is_a_refused_login(
    recorded: Pair,
) -> None:
    server, target = recorded
    fail = {"result": "fail", "data": "…", "code": "account_not_found"}
    given = replace(server.exchange("login"), answer=fail, set_cookie=())
    server.answers["POST", "/login"] = deque([given])

    for _ in range(3):
        with pytest.raises(LoginRefused, match="account_not_found"):
            await target.greet()

    assert [sent.path for sent in server.sent] == ["/setup", "/login"]


# -- the admin key ----------------------------------------------------------------------------


async def test_the_admin_key_travels_without_login_and_cookies(recorded: Pair) -> None:
    server, target = recorded
    asked = server.exchange("adminkey_list_apps")
    workspace = dict(asked.headers)["x-workspace-id"]
    target.change_credentials(AdminKey(RECORDED_ADMIN_KEY, workspace))
    server.play("adminkey_list_apps")

    if server.version == "1.10.1":
        with pytest.raises(AdminKeyUnusable, match=r"1\.10\.1 takes no admin key"):
            await anext(target.list_live())
        assert [sent.path for sent in server.sent] == ["/setup"]
        return
    assert [ref async for ref in target.list_live()] == []

    assert [sent.path for sent in server.sent] == ["/setup", "/apps"]
    sent = server.sent[-1]
    assert sent.authorization == dict(asked.headers)["authorization"]
    assert (sent.workspace, sent.cookies, sent.csrf) == (workspace, {}, "")


@pytest.mark.parametrize("recorded", ["1.14.2", "1.7.2"], indirect=True)
async def test_a_refused_admin_key_is_named_and_tried_again_by_the_next_call(
    recorded: Pair,
) -> None:
    server, target = recorded
    target.change_credentials(AdminKey("wrong", "00000000-0000-0000-0000-000000000000"))
    server.play("adminkey_no_workspace")

    for _ in range(2):
        with pytest.raises(LoginRefused, match="workspace"):
            await anext(target.list_live())

    assert [sent.path for sent in server.sent] == ["/setup", "/apps", "/apps"]


# -- reads ------------------------------------------------------------------------------------


async def test_the_list_of_apps_is_read(recorded: Pair) -> None:
    server, target = recorded
    server.play("list_apps")

    [ref] = [ref async for ref in target.list_live()]

    assert (ref.app_id, ref.live_id) == (server.app_id, "")
    assert (ref.name, ref.mode) == ("Refund triage", "workflow")
    assert server.sent[-1].query == {"page": "1", "limit": "100"}


async def test_the_history_is_read_without_the_draft(recorded: Pair) -> None:
    server, target = recorded
    server.play("versions_list")

    versions = [version async for version in target.history(server.app_id)]

    first, second = server.versions
    assert [version.external_id for version in versions] == [second, first]
    assert versions[1].comment == "first"


async def test_an_app_without_draft_or_version_has_none(recorded: Pair) -> None:
    server, target = recorded
    server.play("draft_not_exist", "versions_before_publish", "published_before_publish")

    assert await target.draft(server.app_id) is None
    assert await target.live(server.app_id) is None
    assert await target.count_versions(server.app_id) == 0
    assert [version async for version in target.history(server.app_id)] == []


@pytest.mark.parametrize(
    ("of_live", "verdict", "names"),
    [
        ("export_v1_include_secret", SecretsVerdict.EQUAL, ()),
        ("export_v2_include_secret", SecretsVerdict.DIFFER, ("API_KEY",)),
        ("export_draft_id_as_workflow_id", SecretsVerdict.UNKNOWN, ()),
        ("export_unknown_workflow_id", SecretsVerdict.UNKNOWN, ()),
    ],
)
@pytest.mark.parametrize("recorded", COMPARING, indirect=True)
async def test_recorded_exports_are_compared(
    recorded: Pair, of_live: str, verdict: SecretsVerdict, names: tuple[str, ...]
) -> None:
    server, target = recorded
    server.play("rollbackA_get_draft", of_live, "export_v1_include_secret")

    compared = await target.compare_secrets(server.app_id, live_id=server.versions[0])

    assert (compared.verdict, compared.names) == (verdict, names)


@pytest.mark.parametrize(
    ("of_draft", "verdict", "names"),
    [
        ("rollbackA_get_draft", SecretsVerdict.ALIKE, ()),  # …WO and …WO
        ("draft_get_masked_secret", SecretsVerdict.DIFFER, ("API_KEY",)),  # …NE and …WO
    ],
)
@pytest.mark.parametrize("recorded", ["1.7.2"], indirect=True)
async def test_before_1_8_1_recorded_masks_are_compared_and_no_version_is_exported(
    recorded: Pair, of_draft: str, verdict: SecretsVerdict, names: tuple[str, ...]
) -> None:
    server, target = recorded
    server.play("published_current", of_draft)

    compared = await target.compare_secrets(server.app_id, live_id=server.versions[1])

    assert (compared.verdict, compared.names) == (verdict, names)
    assert not [sent for sent in server.sent if sent.path.endswith("/export")]


@pytest.mark.parametrize("recorded", ["1.7.2"], indirect=True)
async def test_before_1_8_1_the_recorded_export_of_a_version_was_the_draft(recorded: Pair) -> None:
    server, _ = recorded
    first = body(titled("export_v1_include_secret", server.version), server.version)
    second = body(titled("export_v2_include_secret", server.version), server.version)

    assert first == second


# -- writes -----------------------------------------------------------------------------------


async def test_a_rollback_sends_what_the_recorded_one_sent(recorded: Pair) -> None:
    server, target = recorded
    server.play("rollbackA_list", "rollbackA_get_draft")
    server.play("rollbackA_export_secret", "rollbackA_sync", "rollbackA_publish")
    candidate = [version async for version in target.history(server.app_id)][-1]
    draft = await target.draft(server.app_id)
    assert draft is not None

    token = await target.stage(
        server.app_id, candidate.document, token=draft.token, secrets_from={}
    )
    await target.publish(server.app_id, name="rollback to v1", comment="INC-42 by @a,@b")

    assert token == candidate.external_hash
    assert server.last("POST", "/draft").body == server.exchange("rollbackA_sync").body
    assert server.last("POST", "/publish").body == server.exchange("rollbackA_publish").body


@pytest.mark.parametrize("recorded", COMPARING, indirect=True)
async def test_a_value_of_a_version_is_sent_as_it_is(recorded: Pair) -> None:
    server, target = recorded
    server.play("published_current", "draft_not_exist")
    server.play("export_v2_include_secret", "draft_create_no_hash")
    live = await target.live(server.app_id)
    assert live is not None

    sources = {server.secret_id: server.versions[1]}
    await target.stage(server.app_id, live.document, token="", secrets_from=sources)

    sent = server.last("POST", "/draft").body
    assert sent["environment_variables"][0]["value"] == "sk-secret-TWO"
    assert sent["hash"] is None


async def test_the_recorded_conflict_means_that_the_draft_moved(recorded: Pair) -> None:
    server, target = recorded
    server.play("draft_get_masked_secret", "draft_stale_hash", "export_draft_include_secret")
    draft = await target.draft(server.app_id)
    assert draft is not None
    document = Document("workflow", draft.document.content)

    with pytest.raises(DraftMoved) as caught:
        await target.stage(server.app_id, document, token=draft.token, secrets_from={})

    assert caught.value.upstream_code == "draft_workflow_not_sync"
