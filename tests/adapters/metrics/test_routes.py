"""The page for Prometheus: who may read it, what stands in it, and what it does without a store."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from bot.adapters.metrics import exposition
from bot.adapters.metrics.meter import Meter
from bot.adapters.metrics.routes import PATH, page_of, public
from bot.domain.phases import Phase
from bot.services.figures import Reading, Told
from bot.web import Readiness, build
from store.records import AppEnv, Backlog, SinkState, State, Unavailable
from tests.builders import NOON, PROD, a_version
from tests.scraped import Scraped

WHERE = {"app": PROD.app, "env": PROD.env}
TOKEN, NEXT = "m3trics-token", "the-next-token"
Client = TestClient[web.Request, web.Application]


def told(**changes: object) -> Told:
    facts: dict[str, object] = {
        "where": PROD,
        "state": State.COMPLETED,
        "outcome": "completed",
        "by_alert": True,
        "drill": False,
        "approvals": 2,
        "rejections": 0,
        "broke_glass": False,
        "recovery": "recovered",
        "phases": {Phase.SUGGEST: 12.0, Phase.APPROVE: 90.0, Phase.EXECUTE: 1.2},
    }
    return Told(**{**facts, **changes})  # type: ignore[arg-type]


def reading(*rollbacks: Told) -> Reading:
    return Reading(
        at=NOON,
        live=[a_version(number=7, root="ab" * 32, published_at=NOON - timedelta(hours=1))],
        rollbacks=rollbacks or (told(),),
        open_cases=1,
        backlogs=[Backlog("inbox", 0, None), Backlog("people", 3, NOON - timedelta(seconds=42))],
        ticked={"snapshot": NOON},
        audited={("rollback.completed", "ok"): 1, ("approve", "refused"): 2},
        audit_seq=3,
        paused=False,
    )


@dataclass
class Behind:
    """What the page is made of."""

    known: Reading | Exception = field(default_factory=reading)
    trouble: list[tuple[str, str]] = field(default_factory=list)
    hangs: bool = False

    async def read(self) -> Reading:
        if self.hangs:
            await asyncio.Event().wait()
        if isinstance(self.known, Exception):
            raise self.known
        return self.known

    async def wrong(self) -> list[tuple[str, str]]:
        return self.trouble


@pytest.fixture
def behind() -> Behind:
    return Behind()


@pytest.fixture
async def client(behind: Behind) -> AsyncIterator[Client]:
    async def ready() -> Readiness:
        return Readiness()

    page = page_of(Meter(version="1", role="all").registry, behind.wrong, behind.read)
    application = build(routes=public(page, tokens=[TOKEN, NEXT]), ready=ready)
    async with TestClient(TestServer(application)) as client:
        yield client


async def scraped(client: Client, token: str = TOKEN) -> Scraped:
    response = await client.get(PATH, headers={"Authorization": f"Bearer {token}"})
    assert response.status == 200
    assert response.headers["Content-Type"] == exposition.CONTENT_TYPE
    return Scraped.of(await response.text())


# -- Who may read it ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer \xff"]
)
async def test_whoever_has_no_token_learns_nothing(client: Client, header: str) -> None:
    response = await client.get(PATH, headers={"Authorization": header})

    assert response.status == 401
    assert await response.text() == "Unauthorised.\n"


async def test_both_tokens_open_while_one_is_being_replaced(client: Client) -> None:
    assert await scraped(client, NEXT)


async def test_without_any_token_the_public_door_is_shut(behind: Behind) -> None:
    async def ready() -> Readiness:
        return Readiness()

    page = page_of(Meter(version="1", role="all").registry, behind.wrong, behind.read)
    shut = build(routes=public(page, tokens=[]), ready=ready)
    async with TestClient(TestServer(shut)) as client:
        for header in ("", "Bearer ", "Bearer x"):
            response = await client.get(PATH, headers={"Authorization": header})
            assert response.status == 401


# -- What stands in it ----------------------------------------------------------------------


async def test_it_tells_which_version_is_live_and_since_when(client: Client) -> None:
    found = await scraped(client)

    root = "abababababababab"
    assert found("keyturn_config_version_info", **WHERE, version="7", root=root) == 1
    changed = (NOON - timedelta(hours=1)).timestamp()
    assert found("keyturn_config_changed_timestamp_seconds", **WHERE) == changed


async def test_it_tells_how_long_each_part_of_the_way_took(client: Client) -> None:
    found = await scraped(client)

    approved = {"env": "prod", "phase": "approve"}
    assert found("keyturn_phase_seconds_count", env="prod", phase="suggest") == 1
    assert found("keyturn_phase_seconds_sum", **approved) == 90
    assert found("keyturn_phase_seconds_bucket", **approved, le="60.0") == 0
    assert found("keyturn_phase_seconds_bucket", **approved, le="120.0") == 1
    assert found("keyturn_phase_seconds_bucket", **approved, le="+Inf") == 1
    assert found("keyturn_phase_seconds_count", env="prod", phase="recover") is None


async def test_a_drill_is_not_counted_among_incidents(client: Client, behind: Behind) -> None:
    behind.known = reading(told(), told(drill=True), told(by_alert=False, recovery=""))

    found = await scraped(client)

    assert found("keyturn_rollbacks_total", **WHERE, asked_by="alert") == 1
    assert found("keyturn_rollbacks_total", **WHERE, asked_by="person") == 1
    assert found("keyturn_rollbacks_in_state", env="prod", state="COMPLETED") == 2
    assert found("keyturn_recoveries", env="prod", outcome="recovered") == 1


async def test_it_tells_what_waits_and_what_is_out_of_order(client: Client, behind: Behind) -> None:
    behind.trouble = [("degraded", "slack"), ("down", "worker:execute")]

    found = await scraped(client)

    assert found("keyturn_queue_waiting", queue="people") == 3
    assert found("keyturn_queue_oldest_seconds", queue="people") == 42
    assert found("keyturn_queue_oldest_seconds", queue="inbox") == 0
    assert found("keyturn_trouble", kind="degraded", part="slack") == 1
    assert found("keyturn_trouble", kind="down", part="worker:execute") == 1
    assert found("keyturn_database_up") == 1
    assert found("keyturn_audit_entries_total", action="approve", status="refused") == 2


@pytest.mark.parametrize("hangs", [False, True])
async def test_a_database_that_is_lost_or_hangs_does_not_take_the_rest_with_it(
    client: Client, behind: Behind, hangs: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.adapters.metrics.routes.WITHIN_S", 0.05)
    behind.hangs, behind.known = hangs, Unavailable("gone")

    found = await scraped(client)

    assert found("keyturn_database_up") == 0
    assert found("keyturn_build_info", version="1", role="all") == 1
    assert found.labels("keyturn_rollbacks_total") == []


async def test_names_of_apps_that_need_escaping_are_escaped(client: Client, behind: Behind) -> None:
    odd = AppEnv('q"\\\n', "prod")
    behind.known = reading(told(where=odd))

    found = await scraped(client)

    assert found("keyturn_rollbacks_total", app=odd.app, env="prod", asked_by="alert") == 1


async def test_promtool_finds_nothing_to_complain_about(client: Client) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("no program called promtool is installed")
    response = await client.get(PATH, headers={"Authorization": f"Bearer {TOKEN}"})
    asked = await asyncio.create_subprocess_exec(
        promtool,
        *("check", "metrics"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await asked.communicate(await response.read())

    assert (asked.returncode, said.decode()) == (0, "")


async def test_it_tells_how_each_sink_of_events_stands(client: Client, behind: Behind) -> None:
    old = NOON - timedelta(seconds=90)
    lake = SinkState("lake", 5, 2, 1, 0, "", 0, None)
    hook = SinkState("hook", 0, 7, 0, 7, "HTTP 503", 4, old)
    behind.known = replace(reading(), sinks=[lake, hook])

    found = await scraped(client)

    assert found("keyturn_events_sent_total", sink="lake") == 5
    assert found("keyturn_events_failed_total", sink="hook") == 7
    assert found("keyturn_events_given_up_total", sink="lake") == 1
    assert found("keyturn_events_waiting", sink="hook") == 4
    assert found("keyturn_events_lag_seconds", sink="hook") == 90
    assert found("keyturn_events_lag_seconds", sink="lake") == 0
