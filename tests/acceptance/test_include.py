"""Apps that are watched because of a tag in Dify, without a table of their own."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest

from bot.app import build
from bot.assembly.process import Role
from bot.errors import ConfigurationWrong
from bot.playground.dify.apps import App
from bot.playground.dify.faults import Fault
from bot.playground.slack import people
from bot.playground.story.workflow import APP
from store.records import Case, State
from tests.acceptance.test_reload import an_alert, entries, post, readiness
from tests.acceptance.world import LIMIT_S, VOTERS, WHERE, World, a_world, with_button

INCLUDE = 'password_env = "DIFY_PASSWORD"\ninclude = ["tag:keyturn"]\nenvironment = "prod"'


@pytest.fixture
def tagged(world: World) -> World:
    """A world whose app has a tag, and no table."""
    include(world)
    return world


def include(world: World) -> App:
    world.edit(app="", password_env=INCLUDE)
    app = world.dify.state.app(APP)
    app.tags.append("keyturn")
    return app


async def cases(world: World) -> list[Case]:
    async with world.store.read() as tx:
        return await tx.cases.open_cases()


async def test_an_app_with_the_tag_is_rolled_back_like_any_other(tagged: World) -> None:
    async with asyncio.timeout(2 * LIMIT_S), tagged.here():
        was = await tagged.go()
        await tagged.turn_second_key()
        rollback = await tagged.ended()

    assert (rollback.state, rollback.leg.where) == (State.COMPLETED, WHERE)
    assert tagged.live.hash == was.good
    (entry,) = await entries(tagged, "app.included")
    assert (entry.user_id, entry.what["name"]) == ("keyturn", APP)
    assert (await tagged.audit()).ok


async def test_all_apps_of_a_workspace_and_an_alert_that_says_what_dify_calls_it(
    world: World,
) -> None:
    world.edit(app="", password_env=INCLUDE.replace("tag:keyturn", "all"))
    world.dify.state.app(APP).name = "Support Triage (客服)"
    other = world.dify.state.create_app("Untouched")
    async with asyncio.timeout(LIMIT_S), world.here() as service:
        await service.take_snapshots()
        body = an_alert(world)
        body["alerts"][0]["labels"] |= {"app": "Support Triage (客服)", "env": ""}
        assert await post(world, body, world.secrets["KEYTURN_WEBHOOK_TOKEN"]) == 202

        async def one() -> list[Case]:
            return await cases(world)

        (case,) = await world.until(one)
    assert str(case.where) == "support-triage-(客服)@prod"
    included = await entries(world, "app.included")
    assert {entry.what["id"] for entry in included} > {other.id}


async def test_an_app_that_lost_its_tag_is_watched_no_more_and_keeps_its_name_and_history(
    tagged: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    app = tagged.dify.state.app(APP)
    async with asyncio.timeout(2 * LIMIT_S), tagged.here() as service:
        await tagged.read_history()
        app.tags.clear()
        for _ in range(3):
            await service.take_snapshots()
        await tagged.fire()
        async with tagged.store.read() as tx:
            assert (await tx.versions.newest(WHERE)) is not None

        async def counted() -> bool:
            async with tagged.store.read() as tx:
                return [app for app, _, _ in await tx.alerts.unknown_apps()] == [APP]

        await tagged.until(counted)
        assert await cases(tagged) == []
        released = [r for r in caplog.records if r.getMessage() == "app no longer included"]
        assert len(released) == len(await entries(tagged, "app.released")) == 1

        app.tags.append("keyturn")
        app.name = "Another name"
        await service.take_snapshots()

        async def back() -> list[Case]:
            return await cases(tagged)

        (case,) = await tagged.until(back)  # the alert still fires
        assert case.where == WHERE


async def test_a_rollback_that_is_open_when_the_tag_goes_is_brought_to_its_end(
    tagged: World,
) -> None:
    async with asyncio.timeout(2 * LIMIT_S), tagged.here() as service:
        was = await tagged.go()
        tagged.dify.state.app(APP).tags.clear()
        await service.take_snapshots()
        await tagged.turn_second_key()
        rollback = await tagged.ended()

    assert rollback.state is State.COMPLETED
    assert tagged.live.hash == was.good


async def test_a_person_cannot_ask_for_an_app_that_is_watched_no_more(tagged: World) -> None:
    async with asyncio.timeout(LIMIT_S), tagged.here() as service:
        await tagged.read_history()
        tagged.dify.state.app(APP).tags.clear()
        await service.take_snapshots()
        await tagged.slack.driver.command(VOTERS[0], people.INCIDENTS, "/rollback", f"to {WHERE} 1")

        async def refused() -> bool:
            return bool(await entries(tagged, "rollback.ask"))

        await tagged.until(refused)
        (entry,) = await entries(tagged, "rollback.ask")
    assert (entry.status, entry.what["code"]) == ("refused", "unknown_app")


async def test_an_included_app_is_known_after_a_restart_though_dify_is_down(
    tagged: World,
) -> None:
    async with asyncio.timeout(2 * LIMIT_S):
        async with tagged.here():
            await tagged.read_history()
        tagged.dify.state.faults.add("app_list", *[Fault.UNAVAILABLE] * 1000)
        async with tagged.here():
            await tagged.fire()

            async def opened() -> list[Case]:
                return await cases(tagged)

            (case,) = await tagged.until(opened)
    assert case.where == WHERE


async def test_a_name_that_an_included_app_has_cannot_be_given_to_another(
    tagged: World,
) -> None:
    async with asyncio.timeout(LIMIT_S), tagged.here() as service:
        await tagged.read_history()
        table = f'[app.{APP}]\nenvironments.prod = {{ target = "dify.local", id = "other" }}\n'
        text = tagged.config.read_text()
        tagged.config.write_text(text + table)

        assert not await service.reload()
        assert "settings" in (await readiness(tagged))["degraded"]
    with pytest.raises(ConfigurationWrong, match=f"app.{APP}.environments.prod.id: the name"):
        async with tagged.here():
            pass


async def test_a_listing_of_another_workspace_changes_nothing_and_is_named(
    tagged: World,
) -> None:
    state = tagged.dify.state
    state.create_app("Second").tags.append("keyturn")
    async with asyncio.timeout(LIMIT_S), tagged.here() as service:
        await service.take_snapshots()
        was = list(state.apps)
        state.apps[:] = []
        state.create_app("Not ours").tags.append("keyturn")
        await service.take_snapshots()
        assert "dify.local:include" in (await readiness(tagged))["degraded"]

        state.apps[:] = was
        await service.take_snapshots()
        assert "dify.local:include" not in (await readiness(tagged))["degraded"]
    assert len(await entries(tagged, "app.included")) == 2
    assert await entries(tagged, "app.released") == []


async def test_cards_of_included_apps_go_to_the_channel_of_their_workspace(
    tagged: World,
) -> None:
    tagged.edit(environment='environment = "prod"\nchannel = "C0ELSEWHERE"')
    async with asyncio.timeout(LIMIT_S), tagged.here() as service:
        await service.take_snapshots()
        await tagged.fire()

        async def opened() -> list[Case]:
            return await cases(tagged)

        (case,) = await tagged.until(opened)
    assert case.channel == "C0ELSEWHERE"
    assert with_button(tagged.slack.state) == []


async def test_another_process_learns_of_an_included_app(tmp_path: Path, postgres_url: str) -> None:
    async with a_world(tmp_path, postgres_url) as world, asyncio.timeout(2 * LIMIT_S):
        include(world)
        async with build(world.settings(), role=Role.WEB) as web, world.here() as service:
            await service.take_snapshots()

            assert await web.renewal.look_at_included()
            assert WHERE in web.renewal.current.value.settings.places
