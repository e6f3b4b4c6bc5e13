"""A real Alertmanager is told of a rollback, keeps silent while it is watched, and is heard."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest

from bot.app import Service
from bot.domain.announced import ALERTNAME
from bot.playground.slack import people
from bot.playground.story import seed
from bot.playground.story.alerts import send
from bot.playground.story.workflow import APP
from bot.services import deliver
from store.records import FiringStatus, RecoveryState, Rollback, State
from tests import ports
from tests.acceptance.alertmanager_world import Binaries, alerting
from tests.acceptance.world import LIMIT_S, LOOPBACK, VOTERS, WHERE, World

WHOLE_S = 90.0
ALERT = "AnswersWrong"
SENDER = """
[webhook.pager]
token_env = "PAGER_TOKEN"
status = "/state"
firing = ["alerting"]
resolved = ["ok"]
name = "/title"
starts_at = "/since"
fingerprint = ["/id"]
labels = { app = "/app", env = "prod" }
"""
AT_ONCE = timedelta(seconds=1)  # an alert that is resolved for so long counts


class Alertmanager:
    """What a person sees of a running one, by its API v2."""

    def __init__(self, address: str, http: aiohttp.ClientSession) -> None:
        self.url = f"http://{address}"
        self._http = http

    async def fire(self, *, ends_at: datetime | None = None) -> None:
        """Let the app's alert fire, or end, as its Prometheus would."""
        await self.tell({"app": WHERE.app, "env": WHERE.env}, ends_at=ends_at)

    async def tell(self, labels: dict[str, str], *, ends_at: datetime | None = None) -> None:
        """Let an alert with *labels* fire, or end."""
        began = datetime.now(UTC) - timedelta(seconds=5)
        self._began = getattr(self, "_began", began)
        until = ends_at or datetime.now(UTC) + timedelta(hours=1)
        said = {
            "labels": {"alertname": ALERT, **labels},
            "startsAt": _when(self._began),
            "endsAt": _when(until),
        }
        async with self._http.post(f"{self.url}/api/v2/alerts", json=[said]) as response:
            response.raise_for_status()

    async def alerts(self, name: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = await self._get("alerts", filter=f'alertname="{name}"')
        return found

    async def silences(self) -> list[dict[str, Any]]:
        found = await self._get("silences")
        return [one for one in found if one["status"]["state"] != "expired"]

    async def _get(self, path: str, **asked: str) -> Any:
        async with self._http.get(f"{self.url}/api/v2/{path}", params=asked) as response:
            response.raise_for_status()
            return await response.json()


def _when(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds")


@asynccontextmanager
async def running(world: World, *settings: str) -> AsyncIterator[tuple[Service, Alertmanager]]:
    """The service and an Alertmanager that know each other; *settings* are lines of its table."""
    world.quiet = AT_ONCE
    async with AsyncExitStack() as closing:
        http = await closing.enter_async_context(aiohttp.ClientSession())
        service = await closing.enter_async_context(world.here())
        token = world.secrets["KEYTURN_WEBHOOK_TOKEN"]
        webhook = f"http://{LOOPBACK}:{world.port}/webhooks/alertmanager"
        address = await closing.enter_async_context(
            alerting(Binaries.found(), world.folder, webhook=webhook, token=token)
        )
        table = ["[alertmanager]", f'url = "http://{address}"', *settings, ""]
        with world.config.open("a", encoding="utf-8") as config:
            config.write("\n".join(table))
        assert await service.reload()
        await world.read_history()
        yield service, Alertmanager(address, http)


async def rolled_back(world: World, there: Alertmanager) -> Rollback:
    """Let a bad version be published, its alert fire, and two people go back."""
    world.break_it()
    await there.fire()
    for voter in VOTERS:
        await world.approve(voter)
    return await world.until(lambda: newest(world, lambda one: one.state is State.COMPLETED))


async def newest(world: World, fits: Callable[[Rollback], bool]) -> Rollback | None:
    async with world.store.read() as tx:
        found = await tx.rollbacks.newest(limit=1)
    return found[0] if found and fits(found[0]) else None


async def test_a_rollback_is_announced_and_its_alert_opens_no_case(world: World) -> None:
    async with asyncio.timeout(WHOLE_S), running(world) as (_, there):
        done = await rolled_back(world, there)
        (alert,) = await world.until(lambda: there.alerts(ALERTNAME))
        heard = await world.until(lambda: taken_in(world, ALERTNAME))
        silences = await there.silences()

    assert alert["labels"] == {
        "alertname": "ConfigRolledBack",
        "app": WHERE.app,
        "env": WHERE.env,
        "severity": "info",
        "keyturn": "rollback",
    }
    said = alert["annotations"]
    assert (said["from_version"], said["to_version"], said["live_version"]) == ("7", "6", "8")
    assert (said["agreed"], said["because_of"]) == ("2 approvals", ALERT)
    verified = done.execution.verified_at
    assert verified is not None
    began, until = (datetime.fromisoformat(alert[name]) for name in ("startsAt", "endsAt"))
    assert abs(began - verified) < timedelta(seconds=1)
    assert abs(until - began - timedelta(minutes=15)) < timedelta(seconds=1)
    assert heard == 1, "it came back by the webhook, and was kept"
    async with world.store.read() as tx:
        assert [case.where for case in await tx.cases.open_cases()] == [WHERE]
        (case,) = await tx.cases.open_cases()
        names = {firing.alertname for firing in await tx.alerts.of_case(case.id)}
    assert names == {ALERT}
    assert silences == []


async def test_an_alert_that_ends_in_our_silence_is_heard_and_the_silence_goes(
    world: World,
) -> None:
    async with asyncio.timeout(WHOLE_S), running(world, 'silence = ["prod"]') as (service, there):
        await rolled_back(world, there)
        (silence,) = await world.until(there.silences)
        (hushed,) = await there.alerts(ALERT)
        await there.fire(ends_at=datetime.now(UTC))
        await world.until(lambda: seen(service, world))
        await world.until(lambda: nothing(there.silences))
        recovered = await newest(world, lambda one: True)

    matched = {(one["name"], one["value"]) for one in silence["matchers"]}
    env = f"{WHERE.env}|"  # an alert of an app with one environment need not name it
    assert matched == {("alertname", ALERT), ("app", WHERE.app), ("env", env)}
    assert silence["createdBy"] == "keyturn"
    assert hushed["status"]["silencedBy"] == [silence["id"]]
    assert recovered is not None
    assert recovered.recovery is not None
    assert recovered.recovery.state is RecoveryState.RECOVERED
    assert (await world.audit()).ok
    assert not world.slack.state.problems


async def test_where_a_match_means_the_app_an_alert_with_its_name_is_hushed_and_heard_too(
    world: World,
) -> None:
    table = f"[app.{APP}]\n"
    written = world.config.read_text(encoding="utf-8")
    with_match = written.replace(table, table + 'match = { service = "triage-api" }\n')
    world.config.write_text(with_match, encoding="utf-8")
    async with asyncio.timeout(WHOLE_S), running(world, 'silence = ["prod"]') as (service, there):
        await rolled_back(world, there)
        silences = await world.until(lambda: several(there.silences))
        (hushed,) = await there.alerts(ALERT)
        await service.see_recovery()
        fires = await statuses(world)
        rows = [one["id"] for one in await there.silences()]
        await there.fire(ends_at=datetime.now(UTC))
        await world.until(lambda: seen(service, world))
        await world.until(lambda: nothing(there.silences))
        over = await statuses(world)

    means = [{(one["name"], one["value"]) for one in found["matchers"]} for found in silences]
    also = {("alertname", ALERT), ("env", f"{WHERE.env}|")}
    named, matched = {("app", WHERE.app), *also}, {("service", "triage-api"), *also}
    assert sorted(map(sorted, means)) == sorted(map(sorted, [named, matched]))
    assert hushed["status"]["silencedBy"] == [silences[means.index(named)]["id"]]
    assert sorted(rows) == sorted(one["id"] for one in silences), "each was begun once"
    assert (fires, over) == ({FiringStatus.FIRING}, {FiringStatus.RESOLVED})


async def test_what_a_more_exact_match_gives_to_another_app_stays_loud(world: World) -> None:
    neighbour = seed.add_neighbour(world.dify.state, "Billing")
    table = f"[app.{APP}]\n"
    written = world.config.read_text(encoding="utf-8")
    behind = written.replace(table, table + 'match = { service = "gateway" }\n')
    place = f'{{ target = "dify.local", id = "{neighbour}" }}'
    match = 'match = { service = "gateway", route = "billing" }'
    world.config.write_text(
        f"{behind}\n[app.billing]\n{match}\nenvironments.prod = {place}\n", encoding="utf-8"
    )
    async with asyncio.timeout(WHOLE_S), running(world) as (_, there):
        command = f"silence {WHERE} for 30m"
        await world.slack.driver.command(people.ALICE, people.INCIDENTS, "/rollback", command)
        await world.until(lambda: several(there.silences))
        for route in ("triage", "billing"):
            await there.tell({"service": "gateway", "env": WHERE.env, "route": route})
        found = {one["labels"]["route"]: one for one in await there.alerts(ALERT)}

    assert found["triage"]["status"]["silencedBy"]
    assert not found["billing"]["status"]["silencedBy"]


async def test_people_silence_an_app_and_let_it_be_heard_again(world: World) -> None:
    async with asyncio.timeout(WHOLE_S), running(world) as (_, there):
        command = f"silence {WHERE} for 30m"
        await world.slack.driver.command(people.ALICE, people.INCIDENTS, "/rollback", command)
        (silence,) = await world.until(there.silences)
        command = f"silence {WHERE} off"
        await world.slack.driver.command(people.ALICE, people.INCIDENTS, "/rollback", command)
        await world.until(lambda: nothing(there.silences))

    ends = datetime.fromisoformat(silence["endsAt"]) - datetime.fromisoformat(silence["startsAt"])
    assert abs(ends - timedelta(minutes=30)) < timedelta(seconds=10)
    matched = {(one["name"], one["value"], one["isEqual"]) for one in silence["matchers"]}
    assert ("alertname", ALERTNAME, False) in matched


async def test_an_alertmanager_that_was_down_is_told_when_it_is_back(world: World) -> None:
    with ports.kept() as port:
        await _comes_back_at(port, world)


async def _comes_back_at(port: int, world: World) -> None:
    with world.config.open("a", encoding="utf-8") as config:
        config.write(f'[alertmanager]\nurl = "http://{LOOPBACK}:{port}"\n')
    async with asyncio.timeout(WHOLE_S), world.here():
        await world.go()
        await world.approve(VOTERS[1])
        await world.until(lambda: newest(world, lambda one: one.state is State.COMPLETED))
        await world.until(lambda: degraded(world))
        webhook = f"http://{LOOPBACK}:{world.port}/webhooks/alertmanager"
        token = world.secrets["KEYTURN_WEBHOOK_TOKEN"]
        async with (
            alerting(Binaries.found(), world.folder, webhook=webhook, token=token, port=port) as at,
            aiohttp.ClientSession() as http,
        ):
            there = Alertmanager(at, http)
            (alert,) = await world.until(lambda: there.alerts(ALERTNAME))

    assert alert["status"]["state"] in {"active", "unprocessed"}


async def test_other_senders_open_a_card_by_their_own_doors(world: World) -> None:
    with world.config.open("a", encoding="utf-8") as config:
        config.write(SENDER)
    async with asyncio.timeout(WHOLE_S), world.here(PAGER_TOKEN="its-own"):
        await world.read_history()
        world.break_it()
        began = world.dify.state.clock().isoformat()
        event = {"id": 1, "title": "Too slow", "state": "alerting", "since": began, "app": APP}
        there = f"http://{LOOPBACK}:{world.port}/webhooks"
        shared = world.secrets["KEYTURN_WEBHOOK_TOKEN"]
        refused = await send(event, url=f"{there}/pager", token=shared)
        taken = await send(event, url=f"{there}/pager", token="its-own")
        card = await world.card()
        labels = {"alertname": "Wrong", "app": APP, "env": WHERE.env}
        alert = {"status": "firing", "labels": labels, "startsAt": began, "fingerprint": "c6ea"}
        body = {"version": "1", "groupKey": "{}", "receiver": "k", "orgId": 1, "alerts": [alert]}
        of_grafana = await send(body, url=f"{there}/grafana", token=shared)
        await world.until(lambda: sources(world, {"pager", "grafana"}))

    assert (refused, taken, of_grafana) == (401, 202, 202)
    assert "Too slow" in f"{card.text} {card.blocks}"


async def test_another_model_is_told_to_the_sre_channel_at_once(world: World) -> None:
    channel = people.INCIDENTS
    world.edit(channel=f'channel = "{channel}"\nsre_channel = "{channel}"')
    async with asyncio.timeout(WHOLE_S), world.here() as service:
        await world.read_history()
        seed.publish_bad(world.dify.state)
        await service.take_snapshots()
        await world.slack.state.until(lambda slack: slack.messages(channel), within=LIMIT_S)

    (told,) = world.slack.state.messages(channel)
    assert "core parameter" in told.text
    assert "model/name: gpt-4o → gpt-4o-mini" in str(told.blocks)
    assert not world.slack.state.problems


async def test_a_mistaken_sre_channel_is_trouble_until_it_is_mended(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliver, "_MEND_FIRST_S", 0.1)
    channel = people.INCIDENTS
    world.edit(channel=f'channel = "{channel}"\nsre_channel = "C0NOWHERE01"')
    async with asyncio.timeout(WHOLE_S), world.here() as service:
        await world.read_history()
        seed.publish_bad(world.dify.state)
        await service.take_snapshots()
        await world.until(lambda: degraded(world, "slack"))
        world.edit(sre_channel=f'sre_channel = "{channel}"')

        assert await service.reload()

        await world.slack.state.until(lambda slack: slack.messages(channel), within=LIMIT_S)
        await world.until(lambda: nothing(lambda: degraded(world, "slack")))

    (told,) = world.slack.state.messages(channel)
    assert "core parameter" in told.text


async def sources(world: World, wanted: set[str]) -> bool:
    """Whether the open case has alerts of all these senders."""
    async with world.store.read() as tx:
        (case,) = await tx.cases.open_cases()
        return {one.source for one in await tx.alerts.of_case(case.id)} == wanted


async def degraded(world: World, what: str = "alertmanager") -> bool:
    """Whether the service says that an Alertmanager, or *what*, is out of order."""
    url = f"http://{LOOPBACK}:{world.port}/readyz"
    async with aiohttp.ClientSession() as http, http.get(url) as response:
        return what in (await response.json())["degraded"]


async def taken_in(world: World, alertname: str) -> int:
    """How many alerts of this name came by the webhook and belong to no case."""
    async with world.store.read() as tx:
        return sum(labels["alertname"] == alertname for _, labels in await tx.alerts.unnamed())


async def seen(service: Service, world: World) -> bool:
    """Look whether it helped, as the clock does."""
    await service.see_recovery()
    return await newest(world, lambda one: not one.watched) is not None


async def statuses(world: World) -> set[FiringStatus]:
    """How the alerts of the newest rollback's case stand."""
    async with world.store.read() as tx:
        (newest_one,) = await tx.rollbacks.newest(limit=1)
        return {one.status for one in await tx.alerts.of_case(newest_one.case_id)}


async def several(look: Callable[[], Any]) -> Any:
    found = await look()
    return found if len(found) > 1 else None


async def nothing(look: Callable[[], Any]) -> bool:
    return not await look()
