"""A target that is down, refuses, or leaves us in the dark: every way has its named end."""

from __future__ import annotations

import pytest

from bot.domain.words import DraftNote, OutcomeCode
from bot.errors import (
    Ambiguous,
    AnswerUnreadable,
    BotError,
    LoginRefused,
    UpstreamDown,
    UpstreamRefused,
)
from bot.ports.store import Store
from bot.ports.target import SecretsComparison, SecretsVerdict
from bot.services.stepping import PATIENCE
from store.document import Document
from store.records import Rollback, State, Step
from tests.unit.services.execution_scene import (
    APP,
    BAD,
    EDIT,
    GOOD,
    HAPPY,
    KEEP_READS_DRAFT,
    KEEP_READS_LIVE,
    KEY,
    OTHER_KEY,
    PUBLISH_READS_LIVE,
    PUBLISHES,
    READ_BACK,
    RETURN_READS_DRAFT,
    STAGE_READS_DRAFT,
    WIP,
    WRITES,
    ExecutionScene,
    a_secretive,
)

DOWN = UpstreamDown("dify.test", "no answer")
CUT = Ambiguous("dify.test", "cut off")
NO = UpstreamRefused("dify.test", "no", "bad_request")
UNREADABLE = AnswerUnreadable("dify.test", "not JSON")
LOGIN = LoginRefused("dify.test", "wrong password")
FOREVER = PATIENCE + 1
LOGGED = ("rollback", "step", "error", "tries", "why", "may_have_been_applied")


@pytest.fixture
def scene(sqlite_store: Store) -> ExecutionScene:
    return ExecutionScene.of(sqlite_store)


def nothing_happened(scene: ExecutionScene) -> bool:
    return scene.live == BAD and scene.draft == WIP


# -- once, and then it works --------------------------------------------------------------------

PASSING = [
    pytest.param(DOWN, False, id="down before"),
    pytest.param(CUT, False, id="cut off, not applied"),
    pytest.param(CUT, True, id="cut off, applied"),
]


@pytest.mark.parametrize(("error", "applied"), PASSING)
@pytest.mark.parametrize("write", WRITES)
async def test_a_write_that_once_got_no_answer_is_done_once(
    scene: ExecutionScene, write: str, error: BotError, applied: bool
) -> None:
    rollback = await scene.approved()
    scene.target.fail(write, error, applied=applied)

    ended = await scene.run(rollback)

    assert ended.state is State.COMPLETED
    assert ended.outcome_facts["draft"] == DraftNote.PUT_BACK
    assert (scene.live, scene.draft, scene.ours(rollback)) == (GOOD, WIP, 1)
    again = 0 if applied else 1
    assert scene.target.calls.count(write) == HAPPY.count(write) + again
    assert scene.paused == [1]
    assert await scene.told_codes() == ["executing", "waiting_for_target", "ended"]


@pytest.mark.parametrize(("error", "applied"), PASSING)
async def test_a_draft_whose_return_once_got_no_answer_is_put_back(
    scene: ExecutionScene, error: BotError, applied: bool
) -> None:
    rollback = await scene.approved()
    scene.at(READ_BACK, lambda: scene.target.fail("stage", error, applied=applied))

    ended = await scene.run(rollback)

    assert ended.outcome_facts["draft"] == DraftNote.PUT_BACK
    assert (scene.live, scene.draft) == (GOOD, WIP)


async def test_each_try_that_did_not_get_through_is_in_the_operators_log(
    scene: ExecutionScene, caplog: pytest.LogCaptureFixture
) -> None:
    rollback = await scene.approved()
    scene.target.fail("publish", CUT, applied=True)
    scene.target.fail("history", DOWN)

    await scene.run(rollback)

    message = "step of a rollback did not get through"
    assert [
        {name: record.__dict__[name] for name in LOGGED}
        for record in caplog.records
        if record.message == message
    ] == [
        {
            "rollback": rollback.id,
            "step": step,
            "error": error.code,
            "tries": 1,
            "why": str(error),
            "may_have_been_applied": applied,
        }
        for step, error, applied in (
            (Step.PUBLISHING, CUT, True),
            (Step.VERIFYING, DOWN, False),
        )
    ]


async def test_a_write_may_fail_as_often_as_our_patience_lasts_and_each_step_has_its_own(
    scene: ExecutionScene,
) -> None:
    rollback = await scene.approved()
    scene.always("stage", DOWN, times=PATIENCE)
    scene.always("publish", DOWN, times=PATIENCE)

    ended = await scene.run(rollback)

    assert ended.state is State.COMPLETED
    assert scene.paused == [*range(1, PATIENCE + 1)] * 2


@pytest.mark.parametrize("call", range(1, len(HAPPY)))
async def test_any_call_may_fail_as_often_as_our_patience_lasts(
    scene: ExecutionScene, call: int
) -> None:
    rollback = await scene.approved()
    method = HAPPY[call]

    def fail() -> None:
        for _ in range(PATIENCE):
            scene.target.fail(method, DOWN)

    scene.at(call, fail)
    ended = await scene.run(rollback)

    assert ended.state is State.COMPLETED
    assert scene.paused == list(range(1, PATIENCE + 1))
    assert (scene.live, scene.draft, scene.ours(rollback)) == (GOOD, WIP, 1)
    codes = await scene.told_codes()
    assert codes.count("waiting_for_target") == 1, "said once, not at every try"


# -- for ever, or refused -----------------------------------------------------------------------


@pytest.mark.parametrize("method", ["live", "draft", "compare_secrets"])
@pytest.mark.parametrize(
    ("error", "code"),
    [
        (DOWN, OutcomeCode.TARGET_DOWN),
        (NO, OutcomeCode.TARGET_REFUSED),
        (LOGIN, OutcomeCode.LOGIN_REFUSED),
    ],
)
async def test_a_target_that_cannot_be_read_at_the_start_is_a_failure_without_a_write(
    scene: ExecutionScene, method: str, error: BotError, code: OutcomeCode
) -> None:
    rollback = await scene.approved()
    scene.at(KEEP_READS_LIVE, lambda: scene.always(method, error))

    ended = await scene.run(rollback)

    assert (ended.state, ended.outcome) == (State.FAILED, code)
    assert ended.outcome_facts["system"] == scene.target.name
    assert not set(scene.target.calls) & set(WRITES)
    assert nothing_happened(scene)


@pytest.mark.parametrize(
    ("error", "applied", "times", "code"),
    [
        pytest.param(DOWN, False, FOREVER, OutcomeCode.TARGET_DOWN, id="down"),
        pytest.param(CUT, False, FOREVER, OutcomeCode.TARGET_DOWN, id="cut off, not applied"),
        pytest.param(NO, False, 1, OutcomeCode.TARGET_REFUSED, id="refused"),
        pytest.param(NO, True, 1, OutcomeCode.TARGET_REFUSED, id="refused, yet applied"),
        pytest.param(LOGIN, False, 1, OutcomeCode.LOGIN_REFUSED, id="login refused"),
    ],
)
async def test_content_that_cannot_be_staged_leaves_all_as_it_was(
    scene: ExecutionScene, error: BotError, applied: bool, times: int, code: OutcomeCode
) -> None:
    rollback = await scene.approved()
    for _ in range(times):
        scene.target.fail("stage", error, applied=applied)

    ended = await scene.run(rollback)

    assert (ended.state, ended.outcome) == (State.FAILED, code)
    assert nothing_happened(scene)
    assert scene.ours(rollback) == 0


@pytest.mark.parametrize(
    ("error", "times", "code"),
    [
        pytest.param(DOWN, FOREVER, OutcomeCode.TARGET_DOWN, id="down"),
        pytest.param(CUT, FOREVER, OutcomeCode.TARGET_DOWN, id="cut off"),
        pytest.param(NO, 1, OutcomeCode.TARGET_REFUSED, id="refused"),
        pytest.param(LOGIN, 1, OutcomeCode.LOGIN_REFUSED, id="login refused"),
    ],
)
async def test_a_publish_that_cannot_be_is_undone(
    scene: ExecutionScene, error: BotError, times: int, code: OutcomeCode
) -> None:
    rollback = await scene.approved()
    for _ in range(times):
        scene.target.fail("publish", error)

    ended = await scene.run(rollback)

    assert (ended.state, ended.outcome) == (State.FAILED, code)
    assert nothing_happened(scene)
    assert scene.target.calls.count("publish") == times
    (entry,) = await scene.entries("rollback.failed")
    assert (entry.status, entry.what["outcome"]) == ("failed", code)


async def test_a_draft_that_is_as_it_was_is_not_written_again_when_it_is_undone(
    scene: ExecutionScene,
) -> None:
    """The editors had put the approved content into the draft themselves."""
    rollback = await scene.approved(draft=GOOD)
    scene.target.fail("publish", NO)

    ended = await scene.run(rollback)

    assert (ended.state, scene.draft) == (State.FAILED, GOOD)
    assert "stage" not in scene.target.calls


async def test_the_targets_own_reason_for_a_refusal_is_logged_shown_and_recorded(
    scene: ExecutionScene, caplog: pytest.LogCaptureFixture
) -> None:
    rollback = await scene.approved()
    scene.target.fail("publish", NO)

    ended = await scene.run(rollback)

    assert ended.outcome_facts == {"system": "dify.test", "upstream_code": "bad_request"}
    (entry,) = await scene.entries("rollback.failed")
    assert entry.what["facts"]["upstream_code"] == "bad_request"
    (record,) = [r for r in caplog.records if r.message == "step of a rollback was refused"]
    said = record.__dict__
    assert (said["rollback"], said["step"], said["why"]) == (
        rollback.id,
        Step.PUBLISHING,
        "dify.test: no",
    )


async def test_a_publish_whose_answer_makes_no_sense_is_believed_when_read_back(
    scene: ExecutionScene,
) -> None:
    rollback = await scene.approved()
    scene.target.fail("publish", UNREADABLE, applied=True)

    ended = await scene.run(rollback)

    assert ended.state is State.COMPLETED
    assert (scene.live, scene.draft, scene.ours(rollback)) == (GOOD, WIP, 1)


@pytest.mark.parametrize("moment", ["before the draft is returned", "after it was returned"])
async def test_a_publish_that_was_given_up_and_came_late_is_completed(
    scene: ExecutionScene, moment: str
) -> None:
    rollback = await scene.approved()
    scene.target.fail("publish", NO)

    def late() -> None:
        now = scene.draft
        scene.save(GOOD)
        scene.target.publish_draft(APP, name=f"rollback-{rollback.id}-{rollback.nonce}"[:20])
        scene.save(now)

    undoing = (*HAPPY[: PUBLISHES + 1], "live", "draft", "stage", "live")
    call = PUBLISHES + 1 if moment.startswith("before") else PUBLISHES + 4
    scene.at(call, late, calls=undoing)

    ended = await scene.run(rollback)

    assert ended.state is State.COMPLETED
    assert (scene.live, scene.draft, scene.ours(rollback)) == (GOOD, WIP, 1)


async def test_a_save_while_it_is_undone_stays_and_the_thread_says_so(
    scene: ExecutionScene,
) -> None:
    rollback = await scene.approved()
    scene.target.fail("publish", NO)
    scene.after(PUBLISH_READS_LIVE + 1, lambda: scene.target.before("draft", scene.save))

    ended = await scene.run(rollback)

    assert (ended.state, ended.outcome) == (State.FAILED, OutcomeCode.TARGET_REFUSED)
    assert scene.draft == EDIT
    assert await scene.told_codes() == ["executing", "draft_note", "ended"]


async def kept_and_named(scene: ExecutionScene, ended: Rollback) -> Document:
    """The editors' draft under the number that the thread names."""
    await scene.tell()
    told = [r.note.facts for r in scene.messenger.replies if r.note.code == "draft_note"][-1]
    assert (told["draft"], told["where"]) == (DraftNote.KEPT_ONLY, str(ended.leg.where))
    async with scene.store.read() as tx:
        return await tx.versions.document(told["version_id"])


# -- the end itself fails -----------------------------------------------------------------------


@pytest.mark.parametrize(("error", "times"), [(DOWN, FOREVER), (NO, 1)], ids=["down", "refused"])
async def test_a_live_version_that_cannot_be_read_back_is_for_a_person(
    scene: ExecutionScene, error: BotError, times: int
) -> None:
    rollback = await scene.approved()
    scene.at(READ_BACK, lambda: scene.always("live", error, times=times))

    ended = await scene.run(rollback)

    assert (ended.state, ended.outcome) == (State.NEEDS_ATTENTION, OutcomeCode.OUTCOME_UNKNOWN)
    assert ended.outcome_facts == {"system": scene.target.name}
    assert scene.ours(rollback) == 1
    assert await kept_and_named(scene, ended) == WIP


async def test_a_draft_without_work_of_its_own_is_not_said_to_be_kept(
    scene: ExecutionScene,
) -> None:
    rollback = await scene.approved(draft=None)
    scene.at(READ_BACK, lambda: scene.always("live", NO, times=1))

    assert (await scene.run(rollback)).state is State.NEEDS_ATTENTION
    assert "draft_note" not in await scene.told_codes()


@pytest.mark.parametrize("method", ["draft", "stage"])
@pytest.mark.parametrize("error", [DOWN, NO], ids=["down", "refused"])
async def test_a_draft_that_cannot_be_put_back_is_kept_and_the_rollback_is_completed(
    scene: ExecutionScene, method: str, error: BotError
) -> None:
    rollback = await scene.approved()
    scene.at(READ_BACK, lambda: scene.always(method, error))

    ended = await scene.run(rollback)

    assert ended.state is State.COMPLETED
    assert ended.outcome_facts["draft"] == DraftNote.KEPT_ONLY
    assert await kept_and_named(scene, ended) == WIP


@pytest.mark.parametrize("method", ["draft", "stage"])
@pytest.mark.parametrize("error", [DOWN, NO], ids=["down", "refused"])
async def test_a_draft_that_cannot_be_put_back_although_nothing_was_published_calls_people(
    scene: ExecutionScene, method: str, error: BotError
) -> None:
    rollback = await scene.approved()
    scene.target.fail("publish", NO)
    scene.at(PUBLISHES, lambda: scene.always(method, error))

    ended = await scene.run(rollback)

    assert (ended.state, ended.outcome) == (
        State.NEEDS_ATTENTION,
        OutcomeCode.DRAFT_NOT_PUT_BACK,
    )
    assert ended.outcome_facts == {"system": "dify.test"}
    assert scene.live == BAD
    assert await kept_and_named(scene, ended) == WIP


async def test_nobody_claims_to_know_what_is_live_when_it_was_not_read(
    scene: ExecutionScene,
) -> None:
    rollback = await scene.approved()
    scene.at(PUBLISH_READS_LIVE, lambda: scene.always("live", DOWN))

    ended = await scene.run(rollback)

    assert (ended.state, ended.outcome) == (State.NEEDS_ATTENTION, OutcomeCode.OUTCOME_UNKNOWN)
    assert ended.outcome_facts == {"system": "dify.test"}


async def test_nobody_claims_it_after_a_second_beginning_either(scene: ExecutionScene) -> None:
    """The first publish was cut off, then an editor saved, then nothing answered any more."""
    rollback = await scene.approved()
    scene.target.fail("publish", CUT)
    again = (*HAPPY[: PUBLISHES + 1], "live", "draft", "live")
    scene.at(PUBLISHES + 2, scene.save, calls=again)
    scene.at(PUBLISHES + 3, lambda: scene.always("live", DOWN), calls=again)

    ended = await scene.run(rollback)

    assert (ended.state, ended.outcome) == (State.NEEDS_ATTENTION, OutcomeCode.OUTCOME_UNKNOWN)


@pytest.mark.parametrize("call", [KEEP_READS_DRAFT, STAGE_READS_DRAFT, RETURN_READS_DRAFT])
async def test_an_unknown_fault_is_no_end_whoever_comes_next_goes_on(
    scene: ExecutionScene, call: int
) -> None:
    rollback = await scene.approved()

    def broken() -> None:
        raise RuntimeError("a bug")

    scene.at(call, broken)
    with pytest.raises(RuntimeError):
        await scene.executor().step()

    left = await scene.let_lease_run_out(rollback)
    assert left.execution.step is not Step.DONE
    assert (await scene.run(rollback, "w2")).state is State.COMPLETED


async def test_a_candidate_without_nodes_is_not_published_however_it_was_approved(
    scene: ExecutionScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def no(*_: object) -> bool:
        return False

    monkeypatch.setattr("bot.services.opening.opening.Opening.empty", no)
    scene.publish(Document("workflow", {"graph": {"nodes": [], "edges": []}}), BAD)
    rollback = await scene.approved()

    ended = await scene.run(rollback)

    assert (ended.state, ended.outcome) == (State.FAILED, OutcomeCode.EMPTY_GRAPH)
    assert nothing_happened(scene)


# -- secrets ------------------------------------------------------------------------------------

S1, S2 = {KEY: "sk-live"}, {OTHER_KEY: "sk-own"}


async def with_secrets(
    scene: ExecutionScene,
    good: tuple[Document, dict[str, str]],
    bad: tuple[Document, dict[str, str]],
) -> None:
    scene.publish(good[0], bad[0], secrets=[good[1], bad[1]])


async def test_a_secret_keeps_the_value_that_lives_now(scene: ExecutionScene) -> None:
    good, bad = a_secretive("Kindly.", KEY), a_secretive("Wrongly.", KEY)
    await with_secrets(scene, (good, {KEY: "sk-old"}), (bad, S1))
    rollback = await scene.approved(draft=a_secretive("In rhyme.", KEY))

    ended = await scene.run(rollback)

    assert ended.state is State.COMPLETED
    live_id = scene.target.apps[APP].live_id
    assert scene.target.secret_values(APP, live_id) == S1
    assert scene.target.secret_values(APP) == S1
    assert scene.draft == a_secretive("In rhyme.", KEY)


async def test_a_secret_that_the_draft_lacks_comes_from_the_live_version(
    scene: ExecutionScene,
) -> None:
    good, bad = a_secretive("Kindly.", KEY), a_secretive("Wrongly.", KEY)
    await with_secrets(scene, (good, {KEY: "sk-old"}), (bad, S1))
    rollback = await scene.approved(draft=WIP)

    ended = await scene.run(rollback)

    assert ended.state is State.COMPLETED
    assert scene.target.secret_values(APP, scene.target.apps[APP].live_id) == S1
    assert scene.draft == WIP
    assert scene.target.secret_values(APP) == {}


async def test_a_secret_that_the_candidate_lacks_is_put_back_into_the_draft_with_its_value(
    scene: ExecutionScene,
) -> None:
    bad, draft = a_secretive("Wrongly.", KEY), a_secretive("In rhyme.", KEY)
    await with_secrets(scene, (GOOD, {}), (bad, S1))
    rollback = await scene.approved(draft=draft)

    ended = await scene.run(rollback)

    assert ended.state is State.COMPLETED
    assert scene.live == GOOD
    assert scene.draft == draft
    assert scene.target.secret_values(APP) == S1


async def test_a_secret_that_lives_no_more_takes_the_versions_own_value(
    scene: ExecutionScene,
) -> None:
    good = a_secretive("Kindly.", KEY, OTHER_KEY)
    await with_secrets(scene, (good, {KEY: "sk-old", **S2}), (a_secretive("Wrongly.", KEY), S1))
    rollback = await scene.approved(draft=WIP)
    assert rollback.leg.secrets == {"kept": ["SECRET_3"], "from_version": ["SECRET_8"]}

    ended = await scene.run(rollback)

    assert ended.state is State.COMPLETED
    assert scene.target.secret_values(APP, scene.target.apps[APP].live_id) == {**S1, **S2}
    assert scene.draft == WIP


async def test_a_versions_own_secret_that_was_deleted_with_it_is_a_refusal(
    scene: ExecutionScene,
) -> None:
    good = a_secretive("Kindly.", OTHER_KEY)
    await with_secrets(scene, (good, S2), (BAD, {}))
    rollback = await scene.approved()
    scene.target.delete_version(APP, scene.target.apps[APP].history[0][0].external_id)

    ended = await scene.run(rollback)

    assert (ended.state, ended.outcome) == (State.FAILED, OutcomeCode.VERSION_GONE)
    assert nothing_happened(scene)


async def test_secrets_that_cannot_be_compared_are_a_refusal_before_the_first_write(
    scene: ExecutionScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unknown(app_id: str, *, live_id: str) -> SecretsComparison:
        return SecretsComparison(SecretsVerdict.UNKNOWN)

    rollback = await scene.approved()
    monkeypatch.setattr(scene.target, "compare_secrets", unknown)

    ended = await scene.run(rollback)

    assert (ended.state, ended.outcome) == (State.FAILED, OutcomeCode.DRAFT_SECRETS_UNKNOWN)
    assert not set(scene.target.calls) & set(WRITES)


async def test_no_secret_value_reaches_what_we_remember_or_say(
    scene: ExecutionScene, caplog: pytest.LogCaptureFixture
) -> None:
    good, bad = a_secretive("Kindly.", KEY), a_secretive("Wrongly.", KEY)
    await with_secrets(scene, (good, {KEY: "sk-old"}), (bad, S1))
    rollback = await scene.approved(draft=a_secretive("In rhyme.", KEY))
    scene.target.fail("publish", CUT)

    ended = await scene.run(rollback)
    await scene.tell()

    async with scene.store.read() as tx:
        remembered = (
            repr(await tx.audit.entries())
            + repr(await tx.events.of("rollback", ended.id))
            + repr([await tx.versions.document(v.id) for v in await scene.history()])
        )
    said = repr((scene.messenger.drawn, scene.messenger.replies, scene.messenger.files))
    assert "sk-" not in remembered + said + caplog.text
