"""New settings without a restart: applied as a whole or not at all, and nothing is lost."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import signal
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import aiohttp
import pytest

from bot.playground.slack import people
from bot.playground.story.alerts import Alert
from bot.playground.story.workflow import APP
from store.records import AuditEntry, State
from tests.acceptance.world import LIMIT_S, LOOPBACK, NOT_STORED, VOTERS, WHERE, World


async def post(world: World, body: Any, token: str) -> int:
    """Post to the webhook; return the status. The body is sent once the door was opened."""
    url = f"http://{LOOPBACK}:{world.port}/webhooks/alertmanager"
    data = body if not isinstance(body, dict) else json.dumps(body)
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        aiohttp.ClientSession() as http,
        http.post(url, data=data, headers=headers, expect100=True) as answer,
    ):
        return answer.status


async def readiness(world: World) -> dict[str, Any]:
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"http://{LOOPBACK}:{world.port}/readyz") as answer,
    ):
        found: dict[str, Any] = await answer.json()
        return found


async def entries(world: World, action: str) -> list[AuditEntry]:
    async with world.store.read() as tx:
        return [entry for entry in await tx.audit.entries() if entry.action == action]


def an_alert(world: World, name: str = "WrongAnswers", app: str = APP) -> dict[str, Any]:
    labels = {"alertname": name}
    return Alert(app, WHERE.env, starts_at=world.dify.state.clock(), labels=labels).body()


async def test_an_open_rollback_keeps_its_policy_and_its_buttons_across_a_reload(
    world: World,
) -> None:
    async with asyncio.timeout(2 * LIMIT_S), world.here() as service:
        was = await world.go()
        world.edit(votes="votes = 3")
        for name in ("KEYTURN_SECRET_KEY", "SLACK_SIGNING_SECRET"):  # the old ones come second
            world.secrets[name] = f"{secrets.token_urlsafe(32)} {world.secrets[name]}"

        assert await service.reload()
        await world.turn_second_key()
        rollback = await world.ended()

    assert (rollback.state, rollback.policy.votes) == (State.COMPLETED, 2)
    assert world.live.hash == was.good
    (entry,) = await entries(world, "settings.reloaded")
    assert entry.what["changed"] == ["policy", "KEYTURN_SECRET_KEY", "SLACK_SIGNING_SECRET"]
    assert not any(secret in str(entry.what) for secret in world.secrets.values())
    assert (await world.audit()).ok


async def test_after_a_reload_a_reviewer_who_is_none_any_more_does_not_count_for_new_cards(
    world: World,
) -> None:
    async with asyncio.timeout(LIMIT_S), world.here() as service:
        await world.read_history()
        world.edit(reviewers=f'reviewers = ["{people.DAVE}", "{people.CAROL}"]')
        assert await service.reload()
        world.break_it()
        await world.fire()
        await world.card()

    async with world.store.read() as tx:
        (rollback,) = await tx.rollbacks.newest()
    assert sorted(rollback.policy.eligible) == sorted([people.DAVE, people.CAROL])


async def test_tokens_are_rotated_without_a_moment_in_which_none_is_taken(world: World) -> None:
    old, new = world.secrets["KEYTURN_WEBHOOK_TOKEN"], secrets.token_urlsafe(24)
    async with asyncio.timeout(LIMIT_S), world.here() as service:

        async def taken() -> tuple[int, int]:
            body = an_alert(world)
            return await post(world, body, old), await post(world, body, new)

        assert await taken() == (202, 401)
        world.secrets["KEYTURN_WEBHOOK_TOKEN"] = f"{new},{old}"
        assert await service.reload()
        assert await taken() == (202, 202)
        world.secrets["KEYTURN_WEBHOOK_TOKEN"] = new
        assert await service.reload()
        assert await taken() == (401, 202)


async def test_a_slack_secret_that_was_taken_out_opens_nothing_any_more(world: World) -> None:
    old, new = world.secrets["SLACK_SIGNING_SECRET"], secrets.token_hex(16)
    async with asyncio.timeout(LIMIT_S), world.here() as service:
        driver = world.slack.driver
        for both, fine in ((f"{new} {old}", True), (new, False)):
            world.secrets["SLACK_SIGNING_SECRET"] = both
            assert await service.reload()
            assert (
                await driver.command(VOTERS[0], people.INCIDENTS, "/rollback", "help")
            ).ok is fine


async def test_a_request_that_is_under_way_ends_with_the_settings_that_it_began_with(
    world: World,
) -> None:
    token = world.secrets["KEYTURN_WEBHOOK_TOKEN"]
    data = json.dumps(an_alert(world)).encode()
    begun, reloaded = asyncio.Event(), asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        begun.set()
        yield data[:20]
        await reloaded.wait()
        yield data[20:]

    async with asyncio.timeout(LIMIT_S), world.here() as service:
        request = asyncio.create_task(post(world, slowly(), token))
        await begun.wait()
        world.secrets["KEYTURN_WEBHOOK_TOKEN"] = "another-token-altogether"
        assert await service.reload()
        assert await post(world, an_alert(world), token) == 401
        reloaded.set()
        assert await request == 202


async def test_no_alert_and_no_command_is_lost_while_settings_are_reloaded_again_and_again(
    world: World,
) -> None:
    many = 40
    async with asyncio.timeout(2 * LIMIT_S), world.here() as service:
        await world.read_history()

        async def reload_all_the_time() -> None:
            for n in range(many):
                world.edit(votes=f"votes = {3 - n % 2}")
                assert await service.reload()

        token = world.secrets["KEYTURN_WEBHOOK_TOKEN"]
        alerts = (post(world, an_alert(world, f"Alert{n}"), token) for n in range(many))

        async def command() -> None:
            """Type it, and again while Slack shows that it got no answer in its three seconds."""
            typed = partial(world.slack.driver.command, VOTERS[0], people.INCIDENTS, "/rollback")
            while not (answer := await typed("status")).ok:
                assert answer.status in {0, NOT_STORED}, answer

        statuses, *_ = await asyncio.gather(
            asyncio.gather(*alerts), reload_all_the_time(), *(command() for _ in range(many))
        )

        async def all_of_one_case() -> bool:
            async with world.store.read() as tx:
                cases = await tx.cases.open_cases()
                return len(cases) == 1 and len(await tx.alerts.of_case(cases[0].id)) == many

        await world.until(all_of_one_case)
    assert statuses == [202] * many
    assert len(await entries(world, "settings.reloaded")) == many
    assert (await world.audit()).ok


async def test_settings_that_are_wrong_change_nothing_and_every_mistake_is_logged_at_once(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    token = world.secrets["KEYTURN_WEBHOOK_TOKEN"]
    good = world.config.read_text()
    async with asyncio.timeout(LIMIT_S), world.here() as service:
        world.edit(votes="votes = -1", channel='chanel = "C1"')
        world.secrets["KEYTURN_WEBHOOK_TOKEN"] = "another-token-altogether"

        assert not await service.reload()
        (said,) = [r for r in caplog.records if r.levelno == logging.ERROR]
        told = {line.partition(":")[0] for line in vars(said)["mistakes"]}
        assert {"policy.prod.votes", "slack.chanel"} <= told
        assert "settings" in (await readiness(world))["degraded"]
        assert await post(world, an_alert(world), token) == 202
        assert await entries(world, "settings.reloaded") == []

        world.config.write_text(good)
        assert await service.reload()
        assert "settings" not in (await readiness(world))["degraded"]
        assert await post(world, an_alert(world), token) == 401


async def test_what_needs_a_restart_is_named_and_the_rest_is_applied(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    async with asyncio.timeout(LIMIT_S), world.here() as service:
        world.database_url, there = f"sqlite:///{world.folder / 'other.db'}", world.database_url
        world.edit(votes="votes = 1")
        assert await service.reload()
        world.database_url = there

        (said,) = [r for r in caplog.records if "restart" in r.getMessage()]
        assert vars(said)["settings"] == ("DATABASE_URL",)
        (entry,) = await entries(world, "settings.reloaded")
        assert (entry.what["changed"], entry.what["after_restart"]) == (
            ["policy"],
            ["DATABASE_URL"],
        )
    assert not (world.folder / "other.db").exists()


async def test_settings_that_say_the_same_leave_no_trace(world: World) -> None:
    async with asyncio.timeout(LIMIT_S), world.here() as service:
        assert await service.reload()

    assert await entries(world, "settings.reloaded") == []


async def test_an_alert_that_came_before_its_app_was_configured_gets_its_card(
    world: World,
) -> None:
    table = world.config.read_text()
    app_id = world.dify.state.app(APP).id
    world.edit(app="")
    world.config.write_text(world.config.read_text().replace("[policy.prod]", "[policy.other]"))
    async with asyncio.timeout(LIMIT_S), world.here() as service:
        world.break_it()
        await world.fire()
        world.config.write_text(table)
        assert await service.reload()
        await world.card()

    async with world.store.read() as tx:
        (rollback,) = await tx.rollbacks.newest()
    assert (rollback.leg.where, app_id in table) == (WHERE, True)


async def test_labels_mean_an_app_as_the_settings_say_now(world: World) -> None:
    async with asyncio.timeout(LIMIT_S), world.here() as service:
        world.break_it()
        alert = an_alert(world, app="somebody-else")
        alert["alerts"][0]["labels"] |= {"service": "triage-api", "env": ""}
        assert await post(world, alert, world.secrets["KEYTURN_WEBHOOK_TOKEN"]) == 202
        app_id = world.dify.state.app(APP).id
        world.edit(
            app=f'[app.{APP}]\nmatch = {{ service = ["triage-web", "triage-api"] }}\n'
            f'environments.prod = {{ target = "dify.local", id = "{app_id}", '
            f'channel = "{people.INCIDENTS}" }}\n'
        )
        assert await service.reload()
        await world.card()

    async with world.store.read() as tx:
        (case,) = await tx.cases.open_cases()
    assert case.where == WHERE


async def test_the_channel_of_an_environment_is_where_its_next_card_goes(world: World) -> None:
    app_id = world.dify.state.app(APP).id
    place = f'{{ target = "dify.local", id = "{app_id}", channel = "C0ELSEWHERE" }}'
    async with asyncio.timeout(LIMIT_S), world.here() as service:
        world.edit(app=f"[app.{APP}]\nenvironments.prod = {place}\n")
        assert await service.reload()
        await world.fire()

        async def channels() -> list[str]:
            async with world.store.read() as tx:
                return [case.channel for case in await tx.cases.open_cases()]

        assert await world.until(channels) == ["C0ELSEWHERE"]


async def test_another_password_is_used_at_once_and_a_refused_one_is_forgotten(
    world: World,
) -> None:
    right, world.secrets["DIFY_PASSWORD"] = world.secrets["DIFY_PASSWORD"], "a-wrong-one"
    async with asyncio.timeout(LIMIT_S), world.here() as service:

        async def degraded() -> bool:
            return "dify.local" in (await readiness(world))["degraded"]

        await world.until(degraded)
        world.secrets["DIFY_PASSWORD"] = right
        assert await service.reload()
        await service.take_snapshots()
        await world.read_history()


async def test_a_signal_makes_the_process_read_its_files_again(world: World) -> None:
    file = world.folder / "token"
    old, new = world.secrets.pop("KEYTURN_WEBHOOK_TOKEN"), secrets.token_urlsafe(24)
    file.write_text(old + "\n")
    async with asyncio.timeout(2 * LIMIT_S):
        served = await world.serve(KEYTURN_WEBHOOK_TOKEN_FILE=str(file))
        assert await post(world, an_alert(world), old) == 202
        file.write_text(new + "\n")
        served.process.send_signal(signal.SIGHUP)

        async def changed() -> bool:
            return await post(world, an_alert(world), new) == 202

        await world.until(changed)
        assert await post(world, an_alert(world), old) == 401

        world.config.write_text("[slak]\nx = 1\n")
        served.process.send_signal(signal.SIGHUP)

        async def refused() -> bool:
            return "settings" in (await readiness(world))["degraded"]

        await world.until(refused)
        assert any("slak" in line and "did you mean" in line for line in served.lines)
        assert await post(world, an_alert(world), new) == 202
        assert await served.stop() == 0
