"""The client against a server that only repeats what was recorded: what it sends, what it reads."""

from __future__ import annotations

import json
from collections import defaultdict, deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from bot.adapters.dify.client import DifyTarget
from bot.errors import AccountLocked, DraftMoved, LoginRefused
from bot.ports.target import SecretsVerdict
from store.document import Document
from tests.adapters.dify.recordings import Exchange, cookie_values, load

APP = "e3abe40f-70da-4e0b-b6e2-100850f6c2f3"
V1, V2 = "375a222f-6203-4f6f-8974-4aa25d0cf514", "d6b8df95-7249-4b18-91f6-598b96a94d97"
KEY = "38b095ac-9566-4238-bba4-6ba508d29ae5"


@dataclass
class Sent:
    """A request that the client made."""

    method: str
    path: str
    query: dict[str, str]
    cookies: dict[str, str]
    csrf: str
    body: Any


@dataclass
class Recorded:
    """Answers each route with its recorded answers in turn; the last one stays."""

    answers: dict[tuple[str, str], deque[Exchange]] = field(
        default_factory=lambda: defaultdict(deque)
    )
    sent: list[Sent] = field(default_factory=list)

    def play(self, *names: str) -> None:
        """Let *names* be the next answers of their routes."""
        for name in names:
            exchange = load(name)
            path = exchange.path.partition("?")[0]
            self.answers[exchange.method, path].append(exchange)

    def last(self, method: str, path_end: str) -> Sent:
        return [s for s in self.sent if s.method == method and s.path.endswith(path_end)][-1]

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
                body=json.loads(text) if text else None,
            )
        )
        queue = self.answers[request.method, path]
        exchange = queue.popleft() if len(queue) > 1 else queue[0]
        response = web.json_response(exchange.answer, status=exchange.status)
        for line in exchange.set_cookie:
            response.headers.add("Set-Cookie", line)
        return response


@pytest.fixture
async def recorded() -> AsyncIterator[tuple[Recorded, DifyTarget]]:
    server = Recorded()
    server.play("main/004_login", "main/053_app_detail_published")
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    target = DifyTarget("dify.test", url=url, email="admin@example.com", password="Passw0rd123")
    yield server, target
    await target.close()
    await runner.cleanup()


Pair = tuple[Recorded, DifyTarget]


async def test_the_login_is_the_recorded_one(recorded: Pair) -> None:
    server, target = recorded
    server.play("main/031_published_current")

    await target.live(APP)

    assert server.sent[0].path == "/login"
    assert server.sent[0].body == load("main/004_login").body


async def test_every_call_carries_cookies_and_the_csrf_header(recorded: Pair) -> None:
    server, target = recorded
    server.play("main/031_published_current")
    given = cookie_values(load("main/004_login").set_cookie)

    await target.live(APP)

    for sent in server.sent[1:]:
        assert sent.cookies == {name: given[name] for name in ("access_token", "csrf_token")}
        assert sent.csrf == given["csrf_token"]


async def test_a_refresh_sends_its_cookie_and_goes_on_with_the_new_ones(recorded: Pair) -> None:
    server, target = recorded
    profile = ("main/005_profile_without_csrf_or_bearer", "main/107_after_refresh")
    server.play(*profile, "main/106_refresh_token")
    old = cookie_values(load("main/004_login").set_cookie)
    new = cookie_values(load("main/106_refresh_token").set_cookie)

    await target.greet()

    refresh, again = server.sent[-2:]
    assert (refresh.path, refresh.body) == ("/refresh-token", {})
    assert refresh.cookies == {"refresh_token": old["refresh_token"]}
    assert again.csrf == new["csrf_token"]
    assert again.cookies["access_token"] == new["access_token"]


async def test_the_recorded_wrong_password_is_a_refused_login(recorded: Pair) -> None:
    server, target = recorded
    server.answers.clear()
    server.play("main/003_login_wrong_password")

    for _ in range(3):
        with pytest.raises(LoginRefused) as caught:
            await target.greet()

    assert caught.value.upstream_code == "authentication_failed"
    assert len(server.sent) == 1


async def test_plain_password_refusal_is_a_refused_login(recorded: Pair) -> None:
    server, target = recorded
    server.answers.clear()
    server.play("edge/002_login_plain_password_on_new")

    with pytest.raises(LoginRefused):
        await target.greet()


async def test_a_lock_is_known_by_its_code(recorded: Pair) -> None:
    server, target = recorded
    server.answers.clear()
    server.play("main/003_login_wrong_password")
    [exchange] = server.answers["POST", "/login"]
    body = {"code": "email_code_login_limit", "message": "Too many", "status": 429}
    server.answers["POST", "/login"] = deque(
        [Exchange(**{**vars(exchange), "status": 429, "answer": body})]
    )

    for _ in range(3):
        with pytest.raises(AccountLocked):
            await target.greet()

    assert len(server.sent) == 1


async def test_the_list_of_apps_is_read(recorded: Pair) -> None:
    server, target = recorded
    server.play("main/016_list_apps")

    [ref] = [ref async for ref in target.list_live()]

    assert (ref.app_id, ref.name, ref.mode, ref.live_id) == (APP, "Refund triage", "workflow", "")
    assert server.sent[-1].query == {"page": "1", "limit": "100"}


async def test_the_history_is_read_without_the_draft(recorded: Pair) -> None:
    server, target = recorded
    server.play("main/032_versions_list")

    versions = [version async for version in target.history(APP)]

    assert [version.external_id for version in versions] == [V2, V1]
    assert versions[1].comment == "first"


async def test_an_app_without_draft_or_version_has_none(recorded: Pair) -> None:
    server, target = recorded
    server.play(
        "main/018_draft_not_exist",
        "main/019_versions_before_publish",
        "main/020_published_before_publish",
    )

    assert await target.draft(APP) is None
    assert await target.live(APP) is None
    assert await target.count_versions(APP) == 0
    assert [version async for version in target.history(APP)] == []


@pytest.mark.parametrize(
    ("of_live", "verdict", "names"),
    [
        ("main/048_export_v1_include_secret", SecretsVerdict.EQUAL, ()),
        ("main/049_export_v2_include_secret", SecretsVerdict.DIFFER, ("API_KEY",)),
        ("main/051_export_draft_id_as_workflow_id", SecretsVerdict.UNKNOWN, ()),
    ],
)
async def test_recorded_exports_are_compared(
    recorded: Pair, of_live: str, verdict: SecretsVerdict, names: tuple[str, ...]
) -> None:
    server, target = recorded
    server.play("main/059_rollbackA_get_draft", of_live, "main/043_restore_export_secret")

    compared = await target.compare_secrets(APP, live_id=V1)

    assert (compared.verdict, compared.names) == (verdict, names)


async def test_a_rollback_sends_what_the_recorded_one_sent(recorded: Pair) -> None:
    server, target = recorded
    server.play("main/060_rollbackA_list", "main/059_rollbackA_get_draft")
    server.play("main/062_rollbackA_export_secret", "main/061_rollbackA_sync")
    server.play("main/063_rollbackA_publish")
    candidate = [version async for version in target.history(APP)][-1]
    draft = await target.draft(APP)
    assert draft is not None

    token = await target.stage(APP, candidate.document, token=draft.token, secrets_from={})
    await target.publish(APP, name="rollback to v1", comment="INC-42 by @a,@b")

    assert token == candidate.external_hash
    assert server.last("POST", "/draft").body == load("main/061_rollbackA_sync").body
    assert server.last("POST", "/publish").body == load("main/063_rollbackA_publish").body


async def test_a_value_of_a_version_is_sent_as_it_is(recorded: Pair) -> None:
    server, target = recorded
    server.play("main/031_published_current", "main/018_draft_not_exist")
    server.play("main/049_export_v2_include_secret", "main/021_draft_create_no_hash")
    live = await target.live(APP)
    assert live is not None

    await target.stage(APP, live.document, token="", secrets_from={KEY: V2})

    body = server.last("POST", "/draft").body
    assert body["environment_variables"][0]["value"] == "sk-secret-TWO"
    assert body["hash"] is None


async def test_the_recorded_conflict_means_that_the_draft_moved(recorded: Pair) -> None:
    server, target = recorded
    server.play("main/022_draft_get_masked_secret", "main/023_draft_stale_hash")
    server.play("main/025_export_draft_include_secret")
    draft = await target.draft(APP)
    assert draft is not None
    document = Document("workflow", draft.document.content)

    with pytest.raises(DraftMoved) as caught:
        await target.stage(APP, document, token=draft.token, secrets_from={})

    assert caught.value.upstream_code == "draft_workflow_not_sync"
