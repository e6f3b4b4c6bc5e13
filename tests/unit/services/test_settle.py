"""How an execution ends: the state, its entry and all that is told, in one transaction."""

from __future__ import annotations

import pytest

from bot.domain.words import DraftNote, OutcomeCode
from bot.ports.store import Store
from bot.services.settle import Ending, Settle, completed, to_call, unsettled
from store.records import NewVersion, Rollback, Stale, State, Step, VersionKind, VersionSource
from tests.builders import (
    ALICE,
    BOB,
    CAROL,
    NOON,
    PROD,
    REVIEWERS,
    a_policy,
    a_rollback,
    a_version,
    a_vote,
)
from tests.contract.store import raw
from tests.unit.services.execution_scene import BAD, EDIT, GOOD, WIP, ExecutionScene

FAILED = Ending(State.FAILED, OutcomeCode.TARGET_DOWN, {"system": "dify.test"})


@pytest.fixture
def scene(sqlite_store: Store) -> ExecutionScene:
    return ExecutionScene.of(sqlite_store)


async def executing(scene: ExecutionScene, step: Step = Step.CLAIMED) -> Rollback:
    return await scene.stands_at(await scene.approved(), step)


def test_the_good_end_names_the_version_and_the_draft() -> None:
    ending = completed(a_rollback(), a_version(number=7))

    assert (ending.state, ending.code) == (State.COMPLETED, OutcomeCode.COMPLETED)
    assert ending.facts == {"candidate": 7, "draft": ""}


def test_what_cannot_be_read_is_for_a_person() -> None:
    ending = unsettled("dify.test")

    assert (ending.state, ending.code) == (State.NEEDS_ATTENTION, OutcomeCode.OUTCOME_UNKNOWN)
    assert ending.facts == {"system": "dify.test"}


async def test_an_end_is_stored_with_its_entry_its_card_and_its_note(scene: ExecutionScene) -> None:
    rollback = await executing(scene)

    after = await Settle(scene.store)(rollback, FAILED)

    assert after == await scene.rollback(rollback)
    assert (after.state, after.outcome, after.execution.step) == (
        State.FAILED,
        OutcomeCode.TARGET_DOWN,
        Step.DONE,
    )
    assert after.finished_at is not None
    (entry,) = await scene.entries("rollback.failed")
    assert (entry.user_id, entry.resource, entry.status, entry.ip_note) == (
        "keyturn",
        f"rollback/{rollback.id}",
        "failed",
        "Keyturn itself",
    )
    assert entry.what == {
        "app": str(PROD),
        "outcome": "target_down",
        "facts": dict(FAILED.facts),
        "expected_root": rollback.leg.expected_root,
        "digest": rollback.content_digest,
        "approved_by": [ALICE, BOB],
    }
    assert await scene.told_codes() == ["ended"]
    assert scene.messenger.drawn[-1].outcome_code == "target_down"


async def test_whoever_is_stale_ends_nothing_and_tells_nothing(scene: ExecutionScene) -> None:
    rollback = await executing(scene)
    await scene.let_lease_run_out(rollback, owner="w2")

    with pytest.raises(Stale):
        await Settle(scene.store)(rollback, FAILED)

    assert (await scene.rollback(rollback)).open
    assert await scene.entries("rollback.failed") == []
    assert await scene.told_codes() == []


async def test_an_end_that_cannot_be_told_is_no_end(
    scene: ExecutionScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    rollback = await executing(scene)

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("bot.services.settle.note_row", broken)
    with pytest.raises(RuntimeError):
        await Settle(scene.store)(rollback, FAILED)

    assert await scene.rollback(rollback) == rollback
    assert await scene.entries("rollback.failed") == []


async def test_only_a_superseded_end_makes_the_case_due_again(scene: ExecutionScene) -> None:
    rollback = await executing(scene)
    assert (await scene.case(rollback)).assess_at is None

    await Settle(scene.store)(rollback, Ending(State.SUPERSEDED, OutcomeCode.LIVE_CHANGED))

    assert (await scene.case(rollback)).assess_at is not None


async def test_one_that_failed_condemns_nothing(scene: ExecutionScene) -> None:
    rollback = await executing(scene)

    await Settle(scene.store)(rollback, FAILED)

    assert (await scene.case(rollback)).assess_at is None
    async with scene.store.read() as tx:
        assert await tx.versions.condemned(PROD) == frozenset()


async def test_what_becomes_of_the_draft_is_said_once_with_where_it_is_kept(
    scene: ExecutionScene,
) -> None:
    rollback = await executing(scene)

    for _ in range(2):
        await Settle(scene.store).say_draft(rollback, DraftNote.THEIRS_STAYS)

    assert await scene.told_codes() == ["draft_note"]
    assert scene.messenger.replies[0].note.facts["draft"] == "theirs_stays"


async def test_a_draft_that_only_we_keep_is_named_by_its_app_and_its_row(
    scene: ExecutionScene,
) -> None:
    rollback = await scene.stands_at(await scene.approved(), Step.STAGING, kept_draft_id=2)

    await Settle(scene.store).say_draft(rollback, DraftNote.KEPT_ONLY)
    await scene.tell()

    (told,) = scene.messenger.replies
    assert told.note.facts == {"draft": "kept_only", "where": str(PROD), "version_id": 2}


@pytest.mark.parametrize(
    ("state", "note", "kept", "said"),
    [
        (State.COMPLETED, DraftNote.KEPT_ONLY, 3, "kept_only"),
        (State.COMPLETED, DraftNote.THEIRS_STAYS, 3, "theirs_stays"),
        (State.COMPLETED, DraftNote.PUT_BACK, 3, None),
        (State.COMPLETED, DraftNote.UNCHANGED, 3, None),
        (State.COMPLETED, DraftNote.KEPT_ONLY, None, None),
        (State.NEEDS_ATTENTION, "", 3, "kept_only"),
        (State.NEEDS_ATTENTION, "", 2, None),  # what it held is what was live
        (State.NEEDS_ATTENTION, "", 1, None),  # or what was approved
        (State.FAILED, "", 3, None),  # it was put back
    ],
)
async def test_an_end_says_where_the_editors_draft_is_when_it_is_nowhere_else(
    scene: ExecutionScene, state: State, note: str, kept: int | None, said: str | None
) -> None:
    scene.publish(GOOD, BAD)
    await scene.snapshot.refresh(PROD)
    async with scene.store.write() as tx:
        work = NewVersion(
            where=PROD,
            kind=VersionKind.DRAFT,
            source=VersionSource.IMPORTED,
            external_id="draft",
            external_hash="h",
            published_at=NOON,
            author="carol",
        )
        assert (await tx.versions.record(work, WIP)).id == 3
    approved = await scene.approved(draft=None)
    step = Step.VERIFYING if state is State.COMPLETED else Step.STAGING
    rollback = await scene.stands_at(approved, step, kept_draft_id=kept, draft_note=note)

    await Settle(scene.store)(rollback, Ending(state, OutcomeCode.COMPLETED))
    await scene.tell()

    told = [r.note.facts["draft"] for r in scene.messenger.replies if r.note.code == "draft_note"]
    assert told == ([said] if said else [])


async def test_what_slipped_in_is_shown_against_what_was_approved_and_people_are_called(
    scene: ExecutionScene,
) -> None:
    scene.publish(GOOD, BAD, EDIT)
    approved = await scene.approved(draft=None, back_to=1)
    rollback = await scene.stands_at(approved, Step.PUBLISHING)
    async with scene.store.read() as tx:
        found = await tx.versions.get(2)

    await Settle(scene.store)(
        rollback,
        Ending(State.NEEDS_ATTENTION, OutcomeCode.LIVE_DIFFERS, {"number": 2}, found=found),
    )
    await scene.tell()

    async with scene.store.read() as tx:
        seq, head = await tx.audit.head()
    slipped_in, ended = (reply.note for reply in scene.messenger.replies)
    assert slipped_in.code == "edits_slipped_in"
    assert slipped_in.facts["lines"] == [
        "[prompt] changed: Answer · prompt 1: Answer kindly. → Answer wrongly."
    ]
    assert ended.facts == {
        "outcome": "live_differs",
        "facts": {"number": 2},
        "seconds": None,
        "call": [REVIEWERS, ALICE, BOB],
        "audit_seq": seq,
        "audit_head": head,
    }


async def test_what_an_end_tells_is_told_of_that_end_once(
    scene: ExecutionScene, sqlite_url: str
) -> None:
    """The same fact told twice is one row, and its id says which fact."""
    scene.publish(GOOD, BAD, EDIT)
    rollback = await scene.stands_at(await scene.approved(draft=None), Step.STAGING)
    async with scene.store.read() as tx:
        found = await tx.versions.get(2)
    before = await raw.run(sqlite_url, "SELECT max(id) FROM outbox")

    ended = Ending(State.NEEDS_ATTENTION, OutcomeCode.LIVE_DIFFERS, {"number": 2}, found=found)
    after = await Settle(scene.store)(rollback, ended)

    rows = await raw.run(
        sqlite_url, "SELECT dedupe_id FROM outbox WHERE id > :id ORDER BY id", id=before[0][0]
    )
    case, cause = rollback.case_id, f"rollback:{after.id}:{after.revision}"
    assert rows == [
        (f"card:{case}:{cause}",),
        (f"note:{case}:edits_slipped_in:{cause}",),
        (f"note:{case}:ended:{cause}",),
    ]


def test_who_has_to_look_is_called_once_each_the_reviewers_first() -> None:
    rollback = a_rollback(
        policy=a_policy(reviewers=(REVIEWERS, ALICE), each_of=("S0SRE",), backups=(CAROL,)),
        votes=(a_vote(ALICE), a_vote(BOB, slack_id="U0BOB2")),
    )

    assert to_call(rollback) == [REVIEWERS, ALICE, "S0SRE", CAROL, "U0BOB2"]
