"""An app without a workflow goes back by one write that is live at once, if somebody opted in."""

from __future__ import annotations

from typing import Any

import pytest

from bot.domain.masked import PLACEHOLDER
from bot.domain.words import OutcomeCode
from bot.errors import (
    Ambiguous,
    ByHandOnly,
    LiveMoved,
    UpstreamDown,
    UpstreamRefused,
    ValuesMasked,
    WouldWriteMask,
)
from bot.ports.store import Store
from bot.services.stepping import PATIENCE
from store.records import Rollback, State, Step, VersionKind, VersionSource
from tests.builders import ALICE, BOB, PROD
from tests.unit.services.execution_scene import APP, Died, ExecutionScene, die

HAPPY = ("live", "live", "live", "configure", "live", "history")
CLAIM_READS, LOOK_READS, WRITE_READS, WRITES, READ_BACK, READ_HISTORY = range(len(HAPPY))
GOOD, BAD, EDIT = ({"pre_prompt": prompt} for prompt in ("Kindly.", "Wrongly.", "In prose."))
MODES = ("chat", "agent-chat", "completion")
DOWN = UpstreamDown("dify.test", "no answer")
CUT = Ambiguous("dify.test", "cut off")
MOVED = LiveMoved("dify.test", "somebody saved")
AGAIN = ("live", "configure")
NO = UpstreamRefused("dify.test", "the provider is not installed", "invalid_param")


@pytest.fixture
def scene(sqlite_store: Store) -> ExecutionScene:
    scene = ExecutionScene.of(sqlite_store)
    scene.target.add_app(APP, mode="chat")
    scene.rolls_back_config.add(PROD)
    return scene


async def saved(scene: ExecutionScene, *configs: dict[str, Any]) -> None:
    for config in configs:
        scene.target.save_config(APP, config)
        await scene.snapshot.sweep()


async def approved(scene: ExecutionScene) -> Rollback:
    await saved(scene, GOOD, BAD)
    return await scene.approved(draft=None)


def an_agent(prompt: str, **parameters: Any) -> dict[str, Any]:
    tool = {"tool_name": "create", "tool_parameters": parameters}
    return {"pre_prompt": prompt, "agent_mode": {"tools": [tool]}}


def save(scene: ExecutionScene, config: dict[str, Any]) -> str:
    return scene.target.save_config(APP, config)


def prompt(scene: ExecutionScene) -> str:
    return str(scene.live.content["model_config"]["pre_prompt"])


def writes(scene: ExecutionScene) -> int:
    return scene.target.calls.count("configure")


# -- nobody disturbs it -----------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
async def test_it_goes_back_after_two_keys_and_is_read_back(
    scene: ExecutionScene, mode: str
) -> None:
    scene.target.add_app(APP, mode=mode)
    rollback = await approved(scene)

    ended = await scene.run(rollback)

    assert tuple(scene.target.calls) == HAPPY
    assert (ended.state, ended.outcome) == (State.COMPLETED, OutcomeCode.COMPLETED)
    assert prompt(scene) == "Kindly."
    assert ended.outcome_facts["number"] == 3
    versions = await scene.history()
    assert [v.source for v in versions] == [
        VersionSource.PUBLISHED,
        VersionSource.PUBLISHED,
        VersionSource.ROLLBACK,
    ]
    assert {v.kind for v in versions} == {VersionKind.MODEL_CONFIG}
    assert ended.execution.published_version_id == versions[-1].id
    assert await scene.told_codes() == ["executing", "ended"]


async def test_the_card_says_what_cannot_be_prevented_before_anybody_votes(
    scene: ExecutionScene,
) -> None:
    await saved(scene, GOOD, BAD)

    await scene.asked(1)
    await scene.tell()

    shown = scene.messenger.drawn[-1]
    assert shown.at_once
    assert not shown.restored
    assert "approve" in {button.action for button in shown.buttons}


async def test_the_whole_way_is_in_the_audit_chain(scene: ExecutionScene) -> None:
    await scene.run(await approved(scene))

    found = await scene.entries("rollback.", "draft.")
    assert [entry.action for entry in found] == [
        "rollback.open",
        "rollback.present",
        "rollback.execute",
        "rollback.publish",
        "rollback.completed",
    ]
    assert found[-1].what["approved_by"] == [ALICE, BOB]


async def test_a_rollback_is_rolled_back_in_the_same_way(scene: ExecutionScene) -> None:
    await scene.run(await approved(scene))

    undo = await scene.run(await scene.approved(draft=None, back_to=2, reason="it was right"))

    assert undo.state is State.COMPLETED
    assert prompt(scene) == "Wrongly."
    assert [v.number for v in await scene.history()] == [1, 2, 3, 4]


async def test_an_equal_save_after_the_votes_takes_no_ground_away(scene: ExecutionScene) -> None:
    rollback = await approved(scene)
    save(scene, BAD)

    ended = await scene.run(rollback)

    assert ended.state is State.COMPLETED


async def test_annotations_stay_as_they_are(scene: ExecutionScene) -> None:
    await saved(
        scene,
        {**GOOD, "annotation_reply": {"enabled": False}},
        {**BAD, "annotation_reply": {"enabled": True}},
    )

    ended = await scene.run(await scene.approved(draft=None))

    assert ended.state is State.COMPLETED
    assert scene.live.content["model_config"]["annotation_reply"] == {"enabled": True}
    assert prompt(scene) == "Kindly."


# -- what is not written ----------------------------------------------------------------------


@pytest.mark.parametrize("of_live", [True, False])
async def test_a_masked_value_on_either_side_is_refused_by_name_before_anybody_votes(
    scene: ExecutionScene, *, of_live: bool
) -> None:
    masked, plain = an_agent("Kindly.", key=PLACEHOLDER), an_agent("Wrongly.", key="plain")
    await saved(scene, *((plain, masked) if of_live else (masked, plain)))

    with pytest.raises(ValuesMasked) as refused:
        await scene.asked(1)

    assert refused.value.names == ("create: key",)
    assert "`create: key`" in refused.value.to_person()
    assert writes(scene) == 0


@pytest.mark.parametrize(
    ("odd", "named"),
    [
        ("nothing of a tool's form", "tool 1"),
        ({"tool_name": "create", "tool_parameters": "?"}, "create: tool_parameters"),
        ({"tool_parameters": {"deep": [{"key": PLACEHOLDER}]}}, "tool 1: deep"),
        ({"tool_name": "create", "credential": PLACEHOLDER}, "create: credential"),
    ],
)
async def test_what_cannot_be_looked_into_counts_as_masked(
    scene: ExecutionScene, odd: object, named: str
) -> None:
    await saved(scene, {**GOOD, "agent_mode": {"tools": [odd]}}, BAD)

    with pytest.raises(ValuesMasked) as refused:
        await scene.asked(1)

    assert refused.value.names == (named,)


async def test_the_target_refuses_a_mask_that_came_since_then(scene: ExecutionScene) -> None:
    rollback = await approved(scene)
    scene.target.fail("configure", WouldWriteMask("dify.test", "masked", "masked_values"))

    ended = await scene.run(rollback)

    assert (ended.state, ended.outcome) == (State.FAILED, OutcomeCode.WOULD_WRITE_MASK)
    assert prompt(scene) == "Wrongly."


@pytest.mark.parametrize("of_live", [True, False])
async def test_one_of_an_older_release_that_would_write_a_mask_is_not_begun(
    scene: ExecutionScene, monkeypatch: pytest.MonkeyPatch, *, of_live: bool
) -> None:
    """Before there was a check when it is opened, people could approve it."""
    masked, plain = an_agent("Kindly.", key=PLACEHOLDER), an_agent("Wrongly.", key="plain")
    await saved(scene, *((plain, masked) if of_live else (masked, plain)))
    with monkeypatch.context() as older:
        older.setattr("bot.services.opening.legs.masked", lambda *_: ())
        rollback = await scene.approved(draft=None)

    ended = await scene.run(rollback)

    assert (ended.state, ended.outcome) == (State.FAILED, OutcomeCode.WOULD_WRITE_MASK)
    assert ended.outcome_facts["names"] == ["create: key"]
    assert ended.outcome_facts["system"] == scene.target.name
    assert writes(scene) == 0


async def test_without_opting_in_nobody_is_asked(scene: ExecutionScene) -> None:
    scene.rolls_back_config.clear()
    await saved(scene, GOOD, BAD)

    with pytest.raises(ByHandOnly):
        await scene.asked(1)


async def test_who_opts_out_after_the_votes_stops_what_has_not_started(
    scene: ExecutionScene,
) -> None:
    rollback = await approved(scene)
    scene.rolls_back_config.clear()

    ended = await scene.run(rollback)

    assert (ended.state, ended.outcome) == (State.SUPERSEDED, OutcomeCode.OPTED_OUT)
    assert writes(scene) == 0


async def test_who_opts_out_while_it_is_written_lets_it_end(scene: ExecutionScene) -> None:
    rollback = await approved(scene)
    await scene.stands_at(rollback, Step.PUBLISHING)
    scene.rolls_back_config.clear()

    ended = await scene.run(rollback, "w2")

    assert ended.state is State.COMPLETED


# -- somebody saves in between ----------------------------------------------------------------


@pytest.mark.parametrize("call", [CLAIM_READS, LOOK_READS, WRITE_READS, WRITES])
async def test_live_that_changed_before_the_write_is_left_alone(
    scene: ExecutionScene, call: int
) -> None:
    rollback = await approved(scene)
    scene.at(call, lambda: save(scene, EDIT), calls=HAPPY)

    ended = await scene.run(rollback)

    assert (ended.state, ended.outcome) == (State.SUPERSEDED, OutcomeCode.LIVE_CHANGED)
    assert prompt(scene) == "In prose."


async def test_a_save_right_after_the_write_is_found_and_people_are_called(
    scene: ExecutionScene,
) -> None:
    rollback = await approved(scene)
    scene.at(READ_BACK, lambda: save(scene, EDIT), calls=HAPPY)

    ended = await scene.run(rollback)

    assert (ended.state, ended.outcome) == (State.NEEDS_ATTENTION, OutcomeCode.LIVE_DIFFERS)
    assert ended.outcome_facts == {"number": 3, "at_once": True}
    assert "edits_slipped_in" in await scene.told_codes()


async def test_the_approved_content_by_another_hand_is_verified_and_not_written_again(
    scene: ExecutionScene,
) -> None:
    rollback = await approved(scene)
    scene.at(WRITE_READS, lambda: save(scene, GOOD), calls=HAPPY)

    ended = await scene.run(rollback)

    assert ended.state is State.COMPLETED
    assert writes(scene) == 0


# -- a target that is down, or says no ----------------------------------------------------------


@pytest.mark.parametrize("call", range(LOOK_READS, len(HAPPY)))
async def test_a_call_that_does_not_get_through_is_made_again(
    scene: ExecutionScene, call: int
) -> None:
    rollback = await approved(scene)

    def fail() -> None:
        scene.target.fail(HAPPY[call], DOWN)

    scene.at(call, fail, calls=HAPPY)
    ended = await scene.run(rollback)

    assert ended.state is State.COMPLETED
    assert prompt(scene) == "Kindly."


async def test_an_answer_that_was_cut_off_after_the_write_is_looked_for(
    scene: ExecutionScene,
) -> None:
    rollback = await approved(scene)
    scene.target.fail("configure", CUT, applied=True)

    ended = await scene.run(rollback)

    assert ended.state is State.COMPLETED
    assert writes(scene) == 1


async def test_another_content_after_a_write_that_was_cut_off_is_for_people(
    scene: ExecutionScene,
) -> None:
    rollback = await approved(scene)
    scene.target.fail("configure", CUT)
    scene.at(READ_BACK, lambda: save(scene, EDIT), calls=HAPPY)

    ended = await scene.run(rollback)

    assert (ended.state, ended.outcome) == (State.NEEDS_ATTENTION, OutcomeCode.PUBLISHED_BY_OTHER)
    assert ended.outcome_facts == {"number": 3}
    assert "edits_slipped_in" in await scene.told_codes()
    assert prompt(scene) == "In prose."


async def test_a_write_that_is_refused_leaves_the_old_version(scene: ExecutionScene) -> None:
    rollback = await approved(scene)
    scene.target.fail("configure", NO)

    ended = await scene.run(rollback)

    assert (ended.state, ended.outcome) == (State.FAILED, OutcomeCode.TARGET_REFUSED)
    assert ended.outcome_facts == {"system": "dify.test", "upstream_code": "invalid_param"}
    assert prompt(scene) == "Wrongly."


async def test_a_target_that_stays_down_before_the_write_fails(scene: ExecutionScene) -> None:
    rollback = await approved(scene)
    scene.at(WRITE_READS, lambda: scene.always("live", DOWN), calls=HAPPY)

    ended = await scene.run(rollback)

    assert (ended.state, ended.outcome) == (State.FAILED, OutcomeCode.TARGET_DOWN)
    assert ended.outcome_facts == {"system": "dify.test"}
    assert len(scene.paused) == PATIENCE


async def test_a_target_that_stays_down_after_the_write_is_for_people(
    scene: ExecutionScene,
) -> None:
    rollback = await approved(scene)
    scene.at(READ_BACK, lambda: scene.always("live", DOWN), calls=HAPPY)

    ended = await scene.run(rollback)

    assert (ended.state, ended.outcome) == (State.NEEDS_ATTENTION, OutcomeCode.OUTCOME_UNKNOWN)
    assert ended.outcome_facts == {"system": "dify.test"}


async def test_a_save_in_the_moment_of_every_write_is_waited_out_as_long_as_our_patience_lasts(
    scene: ExecutionScene,
) -> None:
    rollback = await approved(scene)
    scene.always("configure", MOVED, times=PATIENCE)

    ended = await scene.run(rollback)

    assert ended.state is State.COMPLETED
    assert writes(scene) == PATIENCE + 1


async def test_then_the_old_version_is_still_live_and_what_was_approved_is_outdated(
    scene: ExecutionScene,
) -> None:
    rollback = await approved(scene)
    scene.always("configure", MOVED, times=PATIENCE + 1)

    ended = await scene.run(rollback)

    assert (ended.state, ended.outcome) == (State.SUPERSEDED, OutcomeCode.LIVE_CHANGED)
    assert ended.outcome_facts == {"system": "dify.test"}
    assert prompt(scene) == "Wrongly."


async def test_a_save_instead_of_a_write_that_was_cut_off_does_not_make_it_untouched(
    scene: ExecutionScene,
) -> None:
    """Cut off, then refused since somebody saved: what the first write did is not known."""
    rollback = await approved(scene)
    scene.target.fail("configure", CUT)
    scene.target.fail("configure", MOVED)
    scene.at(READ_HISTORY + 1, lambda: save(scene, EDIT), calls=(*HAPPY[:4], *AGAIN, *AGAIN))

    ended = await scene.run(rollback)

    assert (ended.state, ended.outcome) == (State.NEEDS_ATTENTION, OutcomeCode.PUBLISHED_BY_OTHER)


async def test_a_write_that_never_gets_through_fails(scene: ExecutionScene) -> None:
    rollback = await approved(scene)
    scene.always("configure", DOWN, times=PATIENCE + 1)

    ended = await scene.run(rollback)

    assert (ended.state, ended.outcome) == (State.FAILED, OutcomeCode.TARGET_DOWN)
    assert prompt(scene) == "Wrongly."


# -- the executor dies --------------------------------------------------------------------------

DEATHS = [(n, False) for n in range(LOOK_READS, len(HAPPY))]
DEATHS += [(n, True) for n in range(LOOK_READS, len(HAPPY)) if HAPPY[n] != "history"]


@pytest.mark.parametrize(("call", "applied"), DEATHS)
async def test_whoever_dies_at_a_call_is_followed_by_one_who_ends_it_once(
    scene: ExecutionScene, call: int, applied: bool
) -> None:
    rollback = await approved(scene)
    (scene.after if applied else scene.at)(call, die, calls=HAPPY)
    with pytest.raises(Died):
        await scene.executor("w1").step()
    await scene.let_lease_run_out(rollback)

    ended = await scene.run(rollback, "w2")

    assert ended.state is State.COMPLETED
    assert prompt(scene) == "Kindly."
    assert [v.source for v in await scene.history()][2:] == [VersionSource.ROLLBACK]


@pytest.mark.parametrize(
    ("config", "state", "outcome"),
    [
        (GOOD, State.COMPLETED, OutcomeCode.COMPLETED),
        (BAD, State.FAILED, OutcomeCode.APPROVAL_LAPSED),
        (EDIT, State.NEEDS_ATTENTION, OutcomeCode.PUBLISHED_BY_OTHER),
    ],
)
async def test_after_a_crash_without_approval_what_is_live_decides(
    scene: ExecutionScene, config: dict[str, Any], state: State, outcome: OutcomeCode
) -> None:
    rollback = await approved(scene)
    await scene.stands_at(rollback, Step.PUBLISHING)
    save(scene, config)
    scene.directory.change(ALICE, deleted=True)

    ended = await scene.run(rollback, "w2")

    assert (ended.state, ended.outcome) == (state, outcome)
    assert writes(scene) == 0


async def test_after_a_crash_another_content_is_for_people(scene: ExecutionScene) -> None:
    rollback = await approved(scene)
    await scene.stands_at(rollback, Step.PUBLISHING)
    save(scene, EDIT)

    ended = await scene.run(rollback, "w2")

    assert (ended.state, ended.outcome) == (State.NEEDS_ATTENTION, OutcomeCode.PUBLISHED_BY_OTHER)
    assert writes(scene) == 0
    assert (await scene.history())[-1].root == scene.live.root
