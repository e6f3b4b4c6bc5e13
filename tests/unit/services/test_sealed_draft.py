"""A draft with secret values that live does not have: sealed, replaced and put back."""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path

import pytest

from bot.domain.words import DraftNote, OutcomeCode
from bot.errors import UpstreamDown, UpstreamRefused
from bot.ports.store import Store
from bot.sealing import KeyedSealing
from bot.services.stepping import PATIENCE
from store.document import Document
from store.records import Rollback, State, Step
from tests.plugins.databases import bytes_below
from tests.unit.services.execution_scene import (
    APP,
    KEY,
    OTHER_KEY,
    WRITES,
    Died,
    ExecutionScene,
    a_secretive,
    die,
)

GOOD, BAD = a_secretive("Answer kindly.", KEY), a_secretive("Answer wrongly.", KEY)
WIP = a_secretive("Answer in rhyme.", KEY, OTHER_KEY)
LIVE = {KEY: "sk-live-1111"}
THEIRS = {KEY: "sk-canary-changed", OTHER_KEY: "sk-canary-own"}
NAMES = ["SECRET_3", "SECRET_8"]

# What one execution asks of the target when nobody disturbs it.
CLAIM = ("live",)
KEEP = ("live", "draft", "compare_secrets", *("read_secrets",) * 3)
STAGE = ("draft", *("read_secrets",) * 3, "stage")
PUBLISH = ("live", "compare_secrets", "draft", "publish")
READ_BACK = ("live", "history", "compare_secrets")
RETURN = ("draft", *("read_secrets",) * 2, "stage")
CALLS = (*CLAIM, *KEEP, *STAGE, *PUBLISH, *READ_BACK, *RETURN)
BEFORE_STAGE = len(CLAIM + KEEP + STAGE) - 1
BEFORE_PUBLISH = len(CLAIM + KEEP + STAGE + PUBLISH) - 1
BEFORE_RETURN = len(CALLS) - 1


@pytest.fixture
def scene(sqlite_store: Store) -> ExecutionScene:
    return ExecutionScene.of(sqlite_store)


async def approved(scene: ExecutionScene, draft: Document = WIP) -> Rollback:
    scene.publish(GOOD, BAD, secrets=[{KEY: "sk-old"}, LIVE])
    return await scene.approved(draft=draft, values=THEIRS)


def live_values(scene: ExecutionScene) -> dict[str, str]:
    return dict(scene.target.secret_values(APP, scene.target.apps[APP].live_id))


def draft_values(scene: ExecutionScene) -> dict[str, str]:
    return dict(scene.target.secret_values(APP))


async def sealed(scene: ExecutionScene, rollback: Rollback) -> bytes | None:
    async with scene.store.read() as tx:
        return await tx.seals.get(rollback.id)


async def lost_and_called(scene: ExecutionScene) -> list[tuple[str, list[str], bool]]:
    """What the thread says of secrets that are lost, and whether people are called for it."""
    await scene.tell()
    notes = [r.note.facts for r in scene.messenger.replies if r.note.code == "draft_note"]
    return [(f["draft"], f["names"], bool(f["call"])) for f in notes if "names" in f]


async def check_done(scene: ExecutionScene, rollback: Rollback, draft: Document = WIP) -> None:
    """The approved content is live with live's values, and the editors have theirs."""
    assert (rollback.state, rollback.outcome) == (State.COMPLETED, OutcomeCode.COMPLETED)
    assert rollback.outcome_facts["draft"] == DraftNote.PUT_BACK
    assert (scene.live, live_values(scene)) == (GOOD, LIVE)
    assert scene.ours(rollback) == 1
    assert scene.draft == draft
    assert draft_values(scene) == {s.id: THEIRS[s.id] for s in draft.secrets}
    assert await sealed(scene, rollback) is None
    assert rollback.execution.sealed == ()
    assert await lost_and_called(scene) == []


# -- nobody disturbs it -----------------------------------------------------------------------


async def test_the_values_are_sealed_replaced_by_lives_and_put_back(scene: ExecutionScene) -> None:
    rollback = await approved(scene)

    ended = await scene.run(rollback)

    assert tuple(scene.target.calls) == CALLS
    await check_done(scene, ended)


async def test_what_is_sealed_is_committed_before_the_first_write(scene: ExecutionScene) -> None:
    rollback = await approved(scene)
    kept: list[bytes | None] = []

    async def look() -> None:
        kept.append(await sealed(scene, rollback))

    scene.target.before("stage", look)
    await scene.run(rollback)

    assert kept[0]
    assert scene.sealing.open(kept[0], rollback_id=rollback.id).by_id == THEIRS


async def test_the_draft_holds_the_values_in_force_while_it_is_published(
    scene: ExecutionScene,
) -> None:
    rollback = await approved(scene)
    published: list[dict[str, str]] = []
    scene.target.before("publish", lambda: published.append(draft_values(scene)))

    await scene.run(rollback)

    assert published == [LIVE]


async def test_the_audit_chain_says_which_were_sealed_and_that_the_seal_is_gone(
    scene: ExecutionScene,
) -> None:
    await scene.run(await approved(scene))

    entries = await scene.entries("draft.", "rollback.completed")
    assert [(e.action, e.status) for e in entries] == [
        ("draft.keep", "ok"),
        ("draft.seal", "ok"),
        ("rollback.completed", "ok"),
        ("draft.unseal", "ok"),
    ]
    assert entries[1].what["names"] == NAMES
    assert entries[3].what["not_returned"] == []


async def test_where_nothing_differs_nothing_is_sealed(scene: ExecutionScene) -> None:
    scene.publish(GOOD, BAD, secrets=[{KEY: "sk-old"}, LIVE])
    rollback = await scene.approved(draft=a_secretive("Answer in rhyme.", KEY))

    ended = await scene.run(rollback)

    assert ended.state is State.COMPLETED
    assert "read_secrets" not in scene.target.calls
    assert await scene.entries("draft.seal", "draft.unseal") == []


async def test_only_what_live_does_not_hold_is_in_the_seal(scene: ExecutionScene) -> None:
    scene.publish(GOOD, BAD, secrets=[{KEY: "sk-old"}, LIVE])
    rollback = await scene.approved(draft=WIP, values={OTHER_KEY: "sk-own"})
    kept: list[bytes | None] = []

    async def look() -> None:
        kept.append(await sealed(scene, rollback))

    scene.target.before("stage", look)
    await scene.run(rollback)

    assert scene.sealing.open(kept[0] or b"", rollback_id=rollback.id).by_id == {
        OTHER_KEY: "sk-own"
    }
    assert draft_values(scene) == {**LIVE, OTHER_KEY: "sk-own"}


@pytest.mark.parametrize("prompt", ["Answer kindly.", "Answer wrongly."])
async def test_a_draft_that_differs_by_its_values_alone_gets_them_back(
    scene: ExecutionScene, prompt: str
) -> None:
    """It is the approved content, or live's, in every byte of its document."""
    draft = a_secretive(prompt, KEY)
    rollback = await approved(scene, draft)

    await check_done(scene, await scene.run(rollback), draft)


async def test_the_candidates_own_secret_has_its_own_versions_value_and_not_the_drafts(
    scene: ExecutionScene,
) -> None:
    good = a_secretive("Answer kindly.", KEY, OTHER_KEY)
    scene.publish(good, BAD, secrets=[{KEY: "sk-old", OTHER_KEY: "sk-of-the-version"}, LIVE])
    rollback = await scene.approved(draft=WIP, values=THEIRS)

    ended = await scene.run(rollback)

    assert ended.state is State.COMPLETED
    assert live_values(scene) == {**LIVE, OTHER_KEY: "sk-of-the-version"}
    assert draft_values(scene) == THEIRS


async def test_reviewers_who_were_told_of_the_drafts_values_get_no_others(
    scene: ExecutionScene,
) -> None:
    scene.target.hides_old_secrets = True
    scene.publish(GOOD, BAD, secrets=[LIVE, LIVE])
    rollback = await scene.approved(draft=GOOD, values={KEY: "sk-liv-other-11"})
    scene.target.hides_old_secrets = False  # a newer Dify was put in its place

    ended = await scene.run(rollback)

    assert (ended.state, ended.outcome) == (State.FAILED, OutcomeCode.DRAFT_HAS_SECRETS)
    assert not set(scene.target.calls) & set(WRITES)


async def test_where_no_versions_values_can_be_read_the_refusal_says_so(
    scene: ExecutionScene,
) -> None:
    scene.target.hides_old_secrets = True
    rollback = await approved(scene)

    ended = await scene.run(rollback)

    assert (ended.state, ended.outcome) == (State.FAILED, OutcomeCode.DRAFT_HAS_SECRETS)
    assert (ended.outcome_facts["names"], ended.outcome_facts["out_of_reach"]) == (NAMES, True)
    assert not set(scene.target.calls) & set(WRITES)
    assert draft_values(scene) == THEIRS


# -- the executor dies ------------------------------------------------------------------------

# a page of history is left where it was found to be enough, so nothing comes after it
DEATHS = [(n, False) for n in range(1, len(CALLS))]
DEATHS += [(n, True) for n in range(1, len(CALLS)) if CALLS[n] != "history"]


@pytest.mark.parametrize(("call", "applied"), DEATHS)
async def test_whoever_dies_at_a_call_is_followed_by_one_who_puts_the_values_back(
    scene: ExecutionScene, call: int, applied: bool
) -> None:
    rollback = await approved(scene)
    if applied:
        scene.after(call, die, calls=CALLS)
    else:
        scene.at(call, die, calls=CALLS)
    with pytest.raises(Died):
        await scene.executor("w1").step()

    await scene.let_lease_run_out(rollback)
    ended = await scene.run(rollback, "w2")

    await check_done(scene, ended)


@pytest.mark.parametrize("applied", [False, True])
@pytest.mark.parametrize("call", [BEFORE_STAGE, BEFORE_PUBLISH, BEFORE_RETURN])
async def test_a_draft_that_differs_by_its_values_alone_survives_a_death_at_each_write(
    scene: ExecutionScene, call: int, applied: bool
) -> None:
    rollback = await approved(scene, GOOD)
    (scene.after if applied else scene.at)(call, die, calls=CALLS)
    with pytest.raises(Died):
        await scene.executor("w1").step()

    await scene.let_lease_run_out(rollback)
    ended = await scene.run(rollback, "w2")

    await check_done(scene, ended, GOOD)


@pytest.mark.parametrize("call", range(1, len(CALLS)))
async def test_any_call_may_fail_as_often_as_our_patience_lasts(
    scene: ExecutionScene, call: int
) -> None:
    rollback = await approved(scene)
    method = CALLS[call]

    def fail() -> None:
        for _ in range(PATIENCE):
            scene.target.fail(method, UpstreamDown("dify.test", "no answer"))

    scene.at(call, fail, calls=CALLS)

    await check_done(scene, await scene.run(rollback))


@pytest.mark.parametrize("call", [BEFORE_STAGE, BEFORE_PUBLISH])
async def test_a_rollback_that_is_refused_puts_the_values_back(
    scene: ExecutionScene, call: int
) -> None:
    rollback = await approved(scene)
    method = CALLS[call]
    no = UpstreamRefused("dify.test", "no", "bad_request")
    scene.at(call, lambda: scene.target.fail(method, no), calls=CALLS)

    ended = await scene.run(rollback)

    assert (ended.state, ended.outcome) == (State.FAILED, OutcomeCode.TARGET_REFUSED)
    assert (scene.live, scene.draft, draft_values(scene)) == (BAD, WIP, THEIRS)
    assert await sealed(scene, rollback) is None
    assert await lost_and_called(scene) == []


# -- editors ------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", [len(CLAIM + KEEP), BEFORE_STAGE])
async def test_a_value_that_is_set_between_the_seal_and_our_write_is_sealed_too(
    scene: ExecutionScene, call: int
) -> None:
    rollback = await approved(scene)
    newer = {**THEIRS, KEY: "sk-newer"}
    scene.at(call, lambda: scene.target.save_draft(APP, WIP, secrets=newer), calls=CALLS)

    ended = await scene.run(rollback)

    assert ended.state is State.COMPLETED
    assert (live_values(scene), draft_values(scene)) == (LIVE, newer)


async def test_a_value_that_is_set_before_the_draft_goes_back_stays_theirs(
    scene: ExecutionScene,
) -> None:
    rollback = await approved(scene)
    set_by_hand = {KEY: "sk-by-hand"}
    scene.at(
        len(CALLS) - len(RETURN),
        lambda: scene.target.save_draft(APP, scene.draft, secrets=set_by_hand),
        calls=CALLS,
    )

    ended = await scene.run(rollback)

    assert ended.outcome_facts["draft"] == DraftNote.PUT_BACK
    assert (scene.draft, draft_values(scene)) == (WIP, {**THEIRS, **set_by_hand})
    assert live_values(scene) == LIVE


async def test_a_save_over_our_content_gets_the_values_that_it_does_not_set(
    scene: ExecutionScene,
) -> None:
    """Their editor showed our content with live's value; that is not what they had typed."""
    rollback = await approved(scene)
    edit = a_secretive("Answer in prose.", KEY)
    scene.at(BEFORE_PUBLISH - 1, lambda: scene.save(edit), calls=CALLS)

    ended = await scene.run(rollback)

    assert ended.state is State.COMPLETED
    assert (scene.live, live_values(scene)) == (GOOD, LIVE)
    assert (scene.draft, draft_values(scene)) == (edit, {KEY: THEIRS[KEY]})
    lost = await lost_and_called(scene)
    assert lost == [(DraftNote.SECRETS_LOST, ["SECRET_8"], True)], "the one that is in no draft"


async def test_a_save_that_leaves_nothing_to_seal_erases_the_seal_at_once(
    scene: ExecutionScene,
) -> None:
    rollback = await approved(scene)
    edit = a_secretive("Answer in prose.")
    scene.at(BEFORE_PUBLISH - 1, lambda: scene.save(edit), calls=CALLS)

    ended = await scene.run(rollback)

    assert (ended.state, scene.draft) == (State.COMPLETED, edit)
    actions = [e.action for e in await scene.entries("draft.", "rollback.publish")]
    assert actions == ["draft.keep", "draft.seal", "draft.keep", "draft.unseal", "rollback.publish"]
    (erased,) = await scene.entries("draft.unseal")
    assert erased.what["not_returned"] == NAMES
    assert await lost_and_called(scene) == [(DraftNote.SECRETS_LOST, NAMES, True)]


async def test_a_draft_that_stays_theirs_is_said_to_lack_the_values(scene: ExecutionScene) -> None:
    rollback = await approved(scene)
    edit = a_secretive("Answer in prose.", KEY)
    scene.at(len(CALLS) - len(RETURN), lambda: scene.save(edit), calls=CALLS)

    ended = await scene.run(rollback)

    assert ended.outcome_facts["draft"] == DraftNote.THEIRS_STAYS
    assert (scene.draft, draft_values(scene)) == (edit, LIVE)
    assert await lost_and_called(scene) == [(DraftNote.THEIRS_STAYS, NAMES, True)]
    (erased,) = await scene.entries("draft.unseal")
    assert erased.what["not_returned"] == NAMES


async def test_a_draft_that_nobody_lets_us_touch_has_lost_nothing(scene: ExecutionScene) -> None:
    rollback = await approved(scene)
    for number in range(PATIENCE + 2):
        edit = a_secretive(f"Edit {number}.", KEY, OTHER_KEY)
        scene.target.before("stage", partial(scene.save, edit))

    ended = await scene.run(rollback)

    assert (ended.state, ended.outcome) == (State.FAILED, OutcomeCode.DRAFT_BUSY)
    assert draft_values(scene) == THEIRS
    assert await lost_and_called(scene) == []
    assert await sealed(scene, rollback) is None


async def test_a_value_that_slips_in_while_we_publish_calls_people(scene: ExecutionScene) -> None:
    rollback = await approved(scene)
    slipped = {KEY: "sk-slipped"}
    scene.target.before(
        "publish", lambda: scene.target.save_draft(APP, scene.draft, secrets=slipped)
    )

    ended = await scene.run(rollback)

    assert (ended.state, ended.outcome) == (State.NEEDS_ATTENTION, OutcomeCode.SECRETS_DIFFER)
    assert await lost_and_called(scene) == [(DraftNote.KEPT_ONLY, NAMES, True)]
    assert await sealed(scene, rollback) is None


# -- the key is gone ----------------------------------------------------------------------------


async def died(scene: ExecutionScene, rollback: Rollback, call: int, *, applied: bool) -> None:
    """An executor that died there, after which its key was taken away."""
    (scene.after if applied else scene.at)(call, die, calls=CALLS)
    with pytest.raises(Died):
        await scene.executor("w1").step()
    await scene.let_lease_run_out(rollback)
    scene.sealing = KeyedSealing((b"another key, just as long: 32 b.",))


async def test_another_key_before_the_first_write_seals_once_more(scene: ExecutionScene) -> None:
    rollback = await approved(scene)
    await died(scene, rollback, BEFORE_STAGE, applied=False)

    await check_done(scene, await scene.run(rollback, "w2"))


async def test_a_key_that_was_added_opens_nothing_less(scene: ExecutionScene) -> None:
    rollback = await approved(scene)
    old, new = b"k" * 32, b"n" * 32
    await died(scene, rollback, BEFORE_PUBLISH, applied=False)
    scene.sealing = KeyedSealing((new, old))

    await check_done(scene, await scene.run(rollback, "w2"))


async def test_without_the_key_the_end_names_the_values_that_must_be_typed_again(
    scene: ExecutionScene,
) -> None:
    draft = a_secretive("Answer in rhyme.", KEY)
    rollback = await approved(scene, draft)
    await died(scene, rollback, BEFORE_PUBLISH, applied=True)

    ended = await scene.run(rollback, "w2")

    assert (ended.state, scene.live, live_values(scene)) == (State.COMPLETED, GOOD, LIVE)
    assert ended.outcome_facts["draft"] == DraftNote.SECRETS_LOST
    assert (scene.draft, draft_values(scene)) == (draft, LIVE), "a value that works, not a mask"
    assert await lost_and_called(scene) == [(DraftNote.SECRETS_LOST, ["SECRET_3"], True)]


async def test_without_the_key_the_versions_own_value_is_not_taken_for_the_editors(
    scene: ExecutionScene,
) -> None:
    good = a_secretive("Answer kindly.", KEY, OTHER_KEY)
    scene.publish(good, BAD, secrets=[{KEY: "sk-old", OTHER_KEY: "sk-of-the-version"}, LIVE])
    rollback = await scene.approved(draft=WIP, values=THEIRS)
    await died(scene, rollback, BEFORE_PUBLISH, applied=True)

    ended = await scene.run(rollback, "w2")

    assert ended.outcome_facts["draft"] == DraftNote.SECRETS_LOST
    assert await lost_and_called(scene) == [(DraftNote.SECRETS_LOST, NAMES, True)]


@pytest.mark.parametrize("applied", [False, True])
async def test_a_second_death_without_the_key_does_not_make_it_look_whole(
    scene: ExecutionScene, applied: bool
) -> None:
    rollback = await approved(scene, a_secretive("Answer in rhyme.", KEY))
    await died(scene, rollback, BEFORE_PUBLISH, applied=True)
    (scene.target.after if applied else scene.target.before)("stage", die)
    with pytest.raises(Died):
        await scene.executor("w2").step()
    await scene.let_lease_run_out(rollback)

    ended = await scene.run(rollback, "w3")

    assert ended.outcome_facts["draft"] == DraftNote.SECRETS_LOST
    assert await lost_and_called(scene) == [(DraftNote.SECRETS_LOST, ["SECRET_3"], True)]


async def test_without_the_key_a_secret_of_the_drafts_own_keeps_it_in_our_store(
    scene: ExecutionScene,
) -> None:
    rollback = await approved(scene)
    await died(scene, rollback, BEFORE_PUBLISH, applied=True)

    ended = await scene.run(rollback, "w2")

    assert ended.state is State.COMPLETED
    assert ended.outcome_facts["draft"] == DraftNote.KEPT_ONLY
    assert await lost_and_called(scene) == [(DraftNote.KEPT_ONLY, NAMES, True)]


async def test_without_the_key_a_plain_text_is_not_made_a_secret_of_the_drafts(
    scene: ExecutionScene,
) -> None:
    plain = {"id": OTHER_KEY, "name": "SECRET_8", "value_type": "string", "value": "was-plain"}
    secretive = a_secretive("Answer kindly.", KEY).content["environment_variables"]
    content = {**GOOD.content, "environment_variables": [*secretive, plain]}
    good = Document("workflow", content)
    scene.publish(good, BAD, secrets=[LIVE, LIVE])
    rollback = await scene.approved(draft=WIP, values=THEIRS)
    await died(scene, rollback, BEFORE_PUBLISH, applied=True)

    ended = await scene.run(rollback, "w2")

    assert ended.outcome_facts["draft"] == DraftNote.KEPT_ONLY
    assert scene.draft == good
    assert await lost_and_called(scene) == [(DraftNote.KEPT_ONLY, NAMES, True)]


async def test_without_the_key_a_rollback_that_is_undone_calls_people(
    scene: ExecutionScene,
) -> None:
    draft = a_secretive("Answer in rhyme.", KEY)
    rollback = await approved(scene, draft)
    await died(scene, rollback, BEFORE_PUBLISH, applied=False)
    scene.target.fail("publish", UpstreamRefused("dify.test", "no", "bad_request"))

    ended = await scene.run(rollback, "w2")

    assert (ended.state, ended.outcome) == (State.NEEDS_ATTENTION, OutcomeCode.DRAFT_SECRETS_LOST)
    assert ended.outcome_facts["names"] == ["SECRET_3"]
    assert (scene.live, scene.draft, draft_values(scene)) == (BAD, draft, LIVE)
    assert "draft_note" not in await scene.told_codes(), "the end itself says it"


async def test_a_seal_of_another_rollback_in_its_row_is_no_seal(scene: ExecutionScene) -> None:
    rollback = await approved(scene, a_secretive("Answer in rhyme.", KEY))
    scene.at(BEFORE_PUBLISH, die, calls=CALLS)
    with pytest.raises(Died):
        await scene.executor("w1").step()
    await scene.let_lease_run_out(rollback)
    held = scene.sealing.open(await sealed(scene, rollback) or b"", rollback_id=rollback.id)
    async with scene.store.write() as tx:
        await tx.seals.put(rollback.id, scene.sealing.seal(held, rollback_id=rollback.id + 1))

    ended = await scene.run(rollback, "w2")

    assert ended.outcome_facts["draft"] == DraftNote.SECRETS_LOST
    assert draft_values(scene) == LIVE


# -- whatever end -------------------------------------------------------------------------------


async def test_an_approval_that_lapsed_meanwhile_erases_the_seal_and_returns_the_values(
    scene: ExecutionScene,
) -> None:
    rollback = await approved(scene)
    scene.at(BEFORE_PUBLISH, die, calls=CALLS)
    with pytest.raises(Died):
        await scene.executor("w1").step()
    await scene.let_lease_run_out(rollback)
    scene.directory.leave("U0BOB")

    ended = await scene.run(rollback, "w2")

    assert (ended.state, ended.outcome) == (State.FAILED, OutcomeCode.APPROVAL_LAPSED)
    assert (scene.live, scene.draft, draft_values(scene)) == (BAD, WIP, THEIRS)
    assert await sealed(scene, rollback) is None


async def test_a_target_that_stays_away_is_an_end_that_names_the_values(
    scene: ExecutionScene,
) -> None:
    rollback = await approved(scene)
    down = UpstreamDown("dify.test", "no answer")
    scene.at(BEFORE_RETURN, lambda: scene.always("stage", down), calls=CALLS)

    ended = await scene.run(rollback)

    assert ended.outcome_facts["draft"] == DraftNote.KEPT_ONLY
    assert await lost_and_called(scene) == [(DraftNote.KEPT_ONLY, NAMES, True)]
    assert await sealed(scene, rollback) is None


async def test_no_sealed_value_reaches_what_we_remember_log_or_say(
    scene: ExecutionScene, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level(logging.DEBUG)
    rollback = await approved(scene)
    scene.at(BEFORE_RETURN, die, calls=CALLS)
    with pytest.raises(Died):
        await scene.executor("w1").step()
    while_sealed = bytes_below(tmp_path)
    await scene.let_lease_run_out(rollback)
    assert (await scene.rollback(rollback)).execution.step is Step.RETURNING

    await scene.run(rollback, "w2")
    await scene.tell()

    said = repr((scene.messenger.drawn, scene.messenger.replies, scene.messenger.files))
    everything = while_sealed + bytes_below(tmp_path) + (said + caplog.text).encode()
    assert NAMES[0].encode() in everything
    for value in (*THEIRS.values(), *LIVE.values()):
        assert value.encode() not in everything
