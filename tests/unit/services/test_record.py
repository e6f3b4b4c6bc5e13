"""The record of a rollback, read from a real store after it was really played."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from bot.domain.chart.kept import as_json
from bot.domain.record.moments import What
from bot.domain.words import NoteCode
from bot.errors import LinkInvalid, UpstreamDown
from bot.services.drawing import link_to_record
from bot.services.outgoing import chart_row, note_row
from bot.services.record import Records, seen_here
from store.document import Document
from store.records import AppEnv, Firing, FiringStatus, Rollback, State
from store.session import SqlStore
from tests.builders import ALICE, BOB, CHANNEL, DAVE, NOON, PROD, a_firing
from tests.contract.store.things import a_delivery
from tests.fakes.target import FakeTarget
from tests.records import A_CHART
from tests.unit.services.execution_scene import APP, BAD, GOOD, WIP, ExecutionScene
from tests.unit.services.scene import a_document, vote_of

SEARCH = AppEnv("kb-search", "prod")
TOKEN = "sk-proj-" + "abcdefghij0123456789" * 2


@pytest.fixture
def scene(sqlite_store: SqlStore) -> ExecutionScene:
    return ExecutionScene.of(sqlite_store)


@pytest.fixture
def joint(scene: ExecutionScene) -> ExecutionScene:
    return joint_of(scene)


def joint_of(scene: ExecutionScene, *, lines: int = 1) -> ExecutionScene:
    """support-triage calls kb-search, and both have gone bad, this one in so many *lines*."""
    second = FakeTarget("dify.other")
    second.add_app("app-2")
    scene.places[SEARCH] = (second, "app-2")
    scene.channels[SEARCH] = CHANNEL
    scene.depends_on = {PROD.app: [SEARCH.app]}
    scene.publish(GOOD, BAD)
    for hours, word in ((2, "well"), (1, "badly")):
        prompt = "\n".join(f"Look {word} at {n}." for n in range(lines))
        document = a_document(prompt)
        second.publish_document("app-2", document, at=NOON - timedelta(hours=hours))
    scene.target.save_draft(APP, WIP)
    return scene


async def both(scene: ExecutionScene) -> Rollback:
    member = await scene.directory.member(DAVE)
    asked = await scene.propose.requested(
        PROD, 1, by=member, channel=CHANNEL, response_url="", also=[(SEARCH, 1)]
    )
    for who in (ALICE, BOB):
        asked = await vote_of(scene.store, who, asked)
    return asked


async def an_alert(scene: ExecutionScene, rollback: Rollback) -> Firing:
    """An alert of the rollback's case that has ended, its annotation with a secret in it."""
    firing = a_firing(
        starts_at=NOON - timedelta(minutes=5),
        annotations={"summary": f"bad answers, {TOKEN}"},
        status=FiringStatus.RESOLVED,
        ends_at=NOON,
    )
    async with scene.store.write() as tx:
        (stored,) = await tx.alerts.take(a_delivery(firing))
        await tx.alerts.assign([stored.id], rollback.case_id)
    return stored


async def test_a_rollback_that_was_carried_out_is_told_with_every_call(
    scene: ExecutionScene,
) -> None:
    done = await scene.run(await scene.approved())

    page = await Records(scene.store)(done.id)

    steps = [one.facts["step"] for one in page.moments if one.what is What.STEP]
    (leg,) = page.legs
    assert page.state is State.COMPLETED
    assert steps == ["claimed", "staging", "publishing", "verifying", "returning"]
    assert [state for _, state in page.moves][-3:] == [
        State.EXECUTING,
        State.VERIFYING,
        State.COMPLETED,
    ]
    assert (leg.old, leg.new, leg.made, leg.verified, leg.draft) == (2, 1, 3, True, "put_back")
    assert leg.page is not None
    assert page.chain.flaw == ""
    assert {"rollback.open", "rollback.execute", "draft.keep", "rollback.completed"} <= {
        shown.entry.action for shown in page.chain.entries
    }
    assert (page.chain.seq, page.chain.head) == await head(scene)


async def head(scene: ExecutionScene) -> tuple[int, str]:
    async with scene.store.read() as tx:
        return await tx.audit.head()


async def test_what_nobody_alerted_about_has_no_cause_no_onset_and_no_times(
    scene: ExecutionScene,
) -> None:
    scene.publish(GOOD, BAD)
    page = await Records(scene.store)((await scene.asked(1, reason="it is rude")).id)

    assert (page.alerts, page.onset, page.chart, page.times) == ((), None, None, {})
    assert page.recovery is None
    assert page.rollback.reason == "it is rude"


async def test_the_alerts_and_the_chart_of_its_case_stand_in_it_without_secrets(
    scene: ExecutionScene,
) -> None:
    scene.publish(GOOD, BAD)
    asked = await scene.asked(1)
    await an_alert(scene, asked)
    case = await scene.case(asked)
    reasons = [{"code": "onset_metric", "from": NOON.isoformat(), "to": NOON.isoformat()}]
    told = {"reasons": reasons, "percent": 97}
    async with scene.store.write() as tx:
        await tx.outbox.put(note_row(case, NoteCode.EVIDENCE, told, "a"))
        await tx.outbox.put(chart_row(case, as_json(A_CHART), "a"))

    page = await Records(scene.store)(asked.id)

    (alert,) = page.alerts
    assert alert.ended == NOON
    assert alert.summary.startswith("bad answers, ")
    assert TOKEN not in alert.summary
    assert page.chart == A_CHART
    assert page.onset == (NOON, NOON)
    assert page.cause is not None
    assert (page.cause.percent, page.cause.by_chart) == (97, True)
    assert [one.what for one in page.moments][:3] == [What.FIRED, What.ONSET, What.RESOLVED]


async def test_of_several_apps_each_has_its_difference_and_what_came_of_it(
    joint: ExecutionScene,
) -> None:
    done = await joint.run(await both(joint))

    page = await Records(joint.store)(done.id)

    assert [(leg.where, leg.made, leg.verified) for leg in page.legs] == [
        (str(PROD), 3, True),
        (str(SEARCH), 3, True),
    ]
    assert all(leg.page is not None for leg in page.legs)
    assert page.title == "Rollback 1 of support-triage@prod and 1 more app"
    named = [one.facts["where"] for one in page.moments if one.what is What.STEP]
    assert list(dict.fromkeys(named)) == [str(SEARCH), str(PROD)]


async def test_the_channel_gets_the_address_of_a_record_of_one_app_alone(
    joint: ExecutionScene,
) -> None:
    def address(name: str, until: datetime) -> str:
        return f"https://keyturn.example.com/rollbacks/{name}"

    of_both = await joint.run(await both(joint))
    of_one = replace(of_both, legs=of_both.legs[:1])

    assert link_to_record(of_one, address).endswith(f"/{of_one.id}")
    assert link_to_record(of_both, address) == ""


async def test_an_app_that_was_put_back_is_told_as_put_back(joint: ExecutionScene) -> None:
    rollback = await both(joint)
    for _ in range(100):
        joint.target.fail("stage", UpstreamDown("dify", "away"))

    page = await Records(joint.store)((await joint.run(rollback)).id)

    assert page.state is State.FAILED
    assert [(leg.where, leg.back) for leg in page.legs] == [(str(PROD), ""), (str(SEARCH), "back")]
    assert any(one.facts.get("back") for one in page.moments if one.what is What.STEP)


async def test_what_slipped_in_between_stands_in_the_record(scene: ExecutionScene) -> None:
    rollback = await scene.approved()
    scene.target.before("publish", lambda: slipped(scene))

    page = await Records(scene.store)((await scene.run(rollback)).id)

    assert page.state is State.NEEDS_ATTENTION
    assert any("Answer in verse." in line for line in page.slipped_in)
    assert page.legs[0].verified is False


def slipped(scene: ExecutionScene) -> None:
    """An editor saves features in the one gap that the target leaves."""
    draft: Document = a_document("Answer in verse.")
    scene.target.save_draft(APP, draft)


async def test_an_undo_and_what_it_undid_name_each_other(scene: ExecutionScene) -> None:
    first = await scene.run(await scene.approved())
    undo = await scene.asked(2, reason="it was right after all")
    for who in (ALICE, BOB):
        undo = await scene.vote(who, undo)
    await scene.run(undo)
    records = Records(scene.store)

    before, after = await records(first.id), await records(undo.id)

    assert before.undone_by is not None
    assert (before.undone_by.id, before.undone_by.state) == (undo.id, State.COMPLETED)
    assert after.undoes is not None
    assert after.undoes.id == first.id
    assert (before.undoes, after.undone_by) == (None, None)


async def test_a_difference_is_made_once_and_one_that_is_damaged_is_left_out(
    scene: ExecutionScene,
) -> None:
    scene.publish(GOOD, BAD)
    asked = await scene.asked(1)
    records = Records(scene.store)
    first, again = await records(asked.id), await records(asked.id)

    assert first.legs[0].page is again.legs[0].page


@pytest.mark.parametrize("rollback_id", [0, 999, 10**17])
async def test_a_rollback_that_is_not_there_has_no_record(
    scene: ExecutionScene, rollback_id: int
) -> None:
    with pytest.raises(LinkInvalid):
        await Records(scene.store)(rollback_id)


async def test_of_an_alert_of_another_app_only_its_name_and_times_are_told(
    scene: ExecutionScene,
) -> None:
    """Who may see the app that was rolled back may not see the one that called it."""
    rollback = await scene.run(await scene.approved())
    firing = replace(await an_alert(scene, rollback), where=SEARCH)

    (seen,) = seen_here([firing], rollback)

    assert seen.alertname == firing.alertname
    assert (seen.starts_at, seen.annotations) == (firing.starts_at, {})
    assert set(seen.labels) == {"alertname"}
    assert seen_here([replace(firing, where=PROD)], rollback)[0].labels == firing.labels
