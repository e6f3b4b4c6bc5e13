"""From an alert to a card that names what hangs on the app, and takes three people for it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from bot.playground.dify.installed import Tools
from bot.playground.prometheus.server import LocalPrometheus, Samples
from bot.playground.slack.people import ALICE, BOB, CAROL, INCIDENTS
from bot.playground.story.workflow import APP
from store.records import State
from tests.acceptance.world import LIMIT_S, WHERE, World

SHOP, FAQ = "checkout-bot", "faq-bot"


def what_calls_it(world: World) -> None:
    """checkout-bot, which is critical, depends on the story's app; faq-bot has it as a tool."""
    state = world.dify.state
    app = state.app(APP)
    tool = Tools("triage", ("triage",), "workflow", app_id=app.id)
    state.tools.append(tool)
    long_ago = state.clock() - timedelta(days=3)
    for name, graph in ((SHOP, calling("another")), (FAQ, calling(tool.id))):
        state.create_app(name, by="carol")
        state.publish_directly(name, graph=graph, features={}, by="bob", at=long_ago)
    world.edit(
        votes="votes = 2\nvotes_by_risk = { high = 3 }",
        app="\n".join(
            f'[app.{name}]\n{more}\nenvironments.prod = {{ target = "dify.local", id = "{of}" }}'
            for name, of, more in (
                (APP, app.id, ""),
                (SHOP, state.app(SHOP).id, f'criticality = "critical"\ndepends_on = ["{APP}"]'),
                (FAQ, state.app(FAQ).id, ""),
            )
        )
        + "\n",
    )


def calling(tool: str) -> dict[str, Any]:
    data = {
        "type": "tool",
        "title": "Triage",
        "provider_type": "workflow",
        "provider_id": tool,
        "provider_name": "triage",
        "tool_name": "triage",
    }
    nodes = [{"id": "1", "type": "custom", "position": {"x": 0, "y": 0}, "data": data}]
    return {"nodes": nodes, "edges": [], "viewport": {"x": 0, "y": 0, "zoom": 1}}


async def test_an_alerts_card_names_a_dependant_and_waits_for_a_third_person(
    world: World,
) -> None:
    what_calls_it(world)
    now = world.dify.state.clock().timestamp()
    load = Samples({"__name__": "load", "app": APP}, {now + s: 12.0 for s in range(-3600, 600, 15)})
    async with LocalPrometheus([load]).here() as prometheus, asyncio.timeout(3 * LIMIT_S):
        with world.config.open("a", encoding="utf-8") as file:
            file.write(f'[prometheus]\nurl = "{prometheus.url}"\nload = \'load{{app="$app"}}\'\n')
        async with world.here():
            was = await world.alarm()
            shown = await world.card()
            card = str(shown.blocks)
            for who in (ALICE, BOB, CAROL):
                await world.approve(who)
            ended = await world.ended()

    assert f"Impact: *critical risk* · as critical as `{SHOP}`" in card
    assert f"1 app depends on it (`{SHOP}`)" in card
    assert f"1 calls it as a tool and stays as it is (`{FAQ}`)" in card
    assert "12 requests/s" in card
    assert "0 of 3 (critical risk)" in card
    sent = world.slack.state.thread(INCIDENTS, shown.ts)
    thread = "\n".join(f"{message.text} {message.blocks}" for message in sent)
    assert "Impact: critical risk, so 3 approvals are needed." in thread
    assert f"as the configuration says: `{SHOP}`." in thread
    assert (ended.state, world.live.hash) == (State.COMPLETED, was.good)
    assert (ended.policy.votes, ended.policy.risk) == (3, "critical")
    async with world.store.read() as tx:
        entries = await tx.audit.entries()
    (opened,) = [entry for entry in entries if entry.action == "rollback.open"]
    assert opened.what["impact"][str(WHERE)]["callers"] == [SHOP]
