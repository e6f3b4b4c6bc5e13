"""What Prometheus reads from the service after a rollback: the times, the calls, the versions."""

from __future__ import annotations

from aiohttp import ClientSession

from store.records import State
from tests.acceptance.world import LOOPBACK, VOTERS, WHERE, World
from tests.scraped import Scraped

TOKEN = "m3trics-t0ken-of-the-tests"


async def scraped(port: int, token: str = "") -> Scraped:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    url = f"http://{LOOPBACK}:{port}/metrics"
    async with ClientSession() as http, http.get(url, headers=headers) as response:
        assert response.status == 200
        return Scraped.of(await response.text())


async def test_after_a_rollback_the_times_of_its_parts_can_be_read(world: World) -> None:
    async with world.here(KEYTURN_METRICS_TOKEN=TOKEN):
        await world.go()
        await world.approve(VOTERS[1])
        rollback = await world.ended()
        found = await scraped(world.port, TOKEN)

    assert rollback.state is State.COMPLETED
    for part in ("suggest", "approve", "execute"):
        assert found("keyturn_phase_seconds_count", env="prod", phase=part) == 1, part
    where = {"app": WHERE.app, "env": WHERE.env}
    assert found("keyturn_rollbacks_total", **where, asked_by="alert") == 1
    assert found("keyturn_rollbacks_in_state", env="prod", state="COMPLETED") == 1
    assert found("keyturn_votes", env="prod", choice="approve") == 2
    received = {"source": "alertmanager", "status": "firing"}
    assert found("keyturn_alerts_received_total", **received) == 1
    clicks = {"method": "POST", "door": "/slack/events", "status": "200"}
    assert (found("keyturn_http_request_seconds_count", **clicks) or 0) >= 2
    for system in ("dify.local", "slack"):
        calls = {"system": system, "method": "POST", "outcome": "2xx"}
        assert (found("keyturn_outside_call_seconds_count", **calls) or 0) >= 1, system
    for queue in ("inbox", "people", "alertmanager", "anchors", "core"):
        assert found("keyturn_queue_waiting", queue=queue) is not None, queue
    assert found("keyturn_queue_waiting", queue="people") == 0
    (live,) = found.labels("keyturn_config_version_info")
    assert live.items() > where.items()


async def test_the_admins_door_needs_no_token_and_the_public_one_stays_shut(world: World) -> None:
    async with world.here(KEYTURN_ADMIN_PORT="0") as service:
        assert service.admin is not None
        found = await scraped(service.admin.port)
        url = f"http://{LOOPBACK}:{world.port}/metrics"
        async with ClientSession() as http, http.get(url) as response:
            assert response.status == 401

    assert found("keyturn_database_up") == 1
