"""An approved rollback that nobody disturbs, and one whose executor dies."""

from __future__ import annotations

import pytest

from bot.domain import marker
from bot.domain.words import DraftNote, OutcomeCode
from bot.ports.store import Store
from store.records import NewVersion, Rollback, State, Step, VersionKind, VersionSource
from tests.builders import ALICE, BOB, NOON, PROD
from tests.contract.store import raw
from tests.unit.services.execution_scene import (
    APP,
    BAD,
    EDIT,
    GOOD,
    HAPPY,
    WIP,
    WRITES,
    Died,
    ExecutionScene,
    die,
)


@pytest.fixture
def scene(sqlite_store: Store) -> ExecutionScene:
    return ExecutionScene.of(sqlite_store)


async def check_done(scene: ExecutionScene, rollback: Rollback) -> None:
    """The approved content is live, published once, and the editors have their work."""
    assert (rollback.state, rollback.outcome) == (State.COMPLETED, OutcomeCode.COMPLETED)
    assert scene.live == GOOD
    assert scene.ours(rollback) == 1
    assert scene.draft == WIP
    versions = await scene.history()
    assert [v.source for v in versions] == [
        VersionSource.PUBLISHED,
        VersionSource.PUBLISHED,
        VersionSource.ROLLBACK,
    ]
    assert rollback.execution.published_version_id == versions[-1].id
    assert rollback.execution.published_id == versions[-1].external_id


# -- nobody disturbs it -----------------------------------------------------------------------


async def test_every_write_follows_a_read_and_live_is_read_back(scene: ExecutionScene) -> None:
    rollback = await scene.approved()

    ended = await scene.run(rollback)

    assert tuple(scene.target.calls) == HAPPY
    await check_done(scene, ended)
    assert ended.execution.draft_note == DraftNote.PUT_BACK
    assert ended.execution.step is Step.DONE
    assert scene.paused == []


async def test_the_published_version_says_who_we_are_and_who_approved(
    scene: ExecutionScene,
) -> None:
    rollback = await scene.approved()

    await scene.run(rollback)

    version, _ = scene.target.apps[APP].history[-1]
    assert version.name == marker.name_of(rollback)
    assert version.comment == f"Keyturn: back to version 1, approved by {ALICE}, {BOB}"


async def test_completed_is_told_with_its_number_its_seconds_and_the_draft(
    scene: ExecutionScene,
) -> None:
    rollback = await scene.approved()

    ended = await scene.run(rollback)

    assert await scene.told_codes() == ["executing", "ended"]
    facts = scene.messenger.replies[-1].note.facts
    assert facts["outcome"] == "completed"
    assert facts["facts"] == {"number": 3, "candidate": 1, "draft": "put_back"}
    assert facts["seconds"] >= 0
    assert ended.execution.verified_at is not None
    assert scene.messenger.drawn[-1].state is State.COMPLETED


async def test_the_whole_way_is_in_the_audit_chain(scene: ExecutionScene) -> None:
    ended = await scene.run(await scene.approved())

    found = await scene.entries("rollback.", "draft.", "version.")
    assert [entry.action for entry in found] == [
        "rollback.open",
        "rollback.present",
        "rollback.execute",
        "draft.keep",
        "rollback.publish",
        "rollback.completed",
    ]
    assert found[-1].what["approved_by"] == [ALICE, BOB]
    assert found[-1].what["expected_root"] == ended.leg.expected_root == GOOD.root


async def test_each_entry_of_the_way_says_who_did_what_to_which_app(scene: ExecutionScene) -> None:
    rollback = await scene.approved()

    ended = await scene.run(rollback)

    found = await scene.entries(
        "rollback.execute", "draft.", "rollback.publish", "rollback.completed", "version."
    )
    assert {(entry.user_id, entry.status, entry.ip_note) for entry in found} == {
        ("keyturn", "ok", "Keyturn itself")
    }
    app, of_it = str(PROD), f"rollback/{rollback.id}"
    assert [(entry.action, entry.resource, entry.what) for entry in found] == [
        ("rollback.execute", of_it, {"app": app, "digest": rollback.content_digest}),
        (
            "draft.keep",
            of_it,
            {"app": app, "version": ended.execution.kept_draft_id, "root": WIP.root},
        ),
        ("rollback.publish", of_it, {"app": app, "name": marker.name_of(rollback)}),
        (
            "rollback.completed",
            of_it,
            {
                "app": app,
                "outcome": "completed",
                "facts": {"candidate": 1, "draft": "put_back", "number": 3},
                "expected_root": GOOD.root,
                "digest": rollback.content_digest,
                "approved_by": [ALICE, BOB],
            },
        ),
    ]


async def test_a_draft_without_work_of_its_own_is_left_at_the_candidate(
    scene: ExecutionScene,
) -> None:
    ended = await scene.run(await scene.approved(draft=BAD))

    assert ended.state is State.COMPLETED
    assert ended.outcome_facts["draft"] == DraftNote.UNCHANGED
    assert tuple(scene.target.calls) == HAPPY[:-2]
    assert scene.draft == scene.live == GOOD


async def test_a_draft_that_is_the_candidate_already_is_published_as_it_is(
    scene: ExecutionScene,
) -> None:
    ended = await scene.run(await scene.approved(draft=GOOD))

    assert ended.state is State.COMPLETED
    assert ended.outcome_facts["draft"] == DraftNote.UNCHANGED
    assert scene.target.calls.count("stage") == 0
    assert scene.draft == scene.live == GOOD


async def test_the_draft_is_in_our_store_before_the_first_write(scene: ExecutionScene) -> None:
    rollback = await scene.approved()
    kept: list[str] = []

    async def look() -> None:
        now = await scene.rollback(rollback)
        assert now.execution.kept_draft_id is not None
        async with scene.store.read() as tx:
            kept.append((await tx.versions.document(now.execution.kept_draft_id)).root)

    scene.target.before("stage", look)
    await scene.run(rollback)

    assert kept == [WIP.root]


# -- what is condemned ------------------------------------------------------------------------


async def condemned(scene: ExecutionScene) -> frozenset[str]:
    async with scene.store.read() as tx:
        return await tx.versions.condemned(PROD)


async def test_everything_after_the_candidate_up_to_the_old_live_version_is_condemned(
    scene: ExecutionScene,
) -> None:
    scene.publish(EDIT, GOOD, WIP, BAD)

    rollback = await scene.run(await scene.approved(back_to=2))
    assert await condemned(scene) == frozenset(), "nobody saw yet that it helped"
    await scene.it_helped(rollback)

    assert await condemned(scene) == {WIP.meaning, BAD.meaning}
    entries = await scene.entries("version.condemn")
    assert {entry.what["meaning"] for entry in entries} == {WIP.meaning, BAD.meaning}
    assert (entries[0].resource, entries[0].what["app"], entries[0].what["rollback"]) == (
        f"meaning/{entries[0].what['meaning'][:16]}",
        str(PROD),
        rollback.id,
    )
    assert {(entry.user_id, entry.status, entry.ip_note) for entry in entries} == {
        ("keyturn", "ok", "Keyturn itself")
    }


async def test_a_judgement_names_the_rollback_that_it_is_from(
    scene: ExecutionScene, sqlite_url: str
) -> None:
    rollback = await scene.run(await scene.approved())
    await scene.it_helped(rollback)

    rows = await raw.run(sqlite_url, "SELECT meaning, rollback_id FROM condemned")
    assert rows == [(BAD.meaning, rollback.id)]


async def test_the_meaning_that_came_back_is_never_condemned(scene: ExecutionScene) -> None:
    scene.publish(GOOD, WIP, GOOD, BAD)

    await scene.it_helped(await scene.run(await scene.approved(back_to=1)))

    assert await condemned(scene) == {WIP.meaning, BAD.meaning}


async def test_rolling_forward_condemns_nothing_and_lifts_what_was_said(
    scene: ExecutionScene,
) -> None:
    first = await scene.run(await scene.approved())
    assert first.state is State.COMPLETED
    await scene.it_helped(first)
    assert await condemned(scene) == {BAD.meaning}

    undo = await scene.run(await scene.approved(draft=None, back_to=2, reason="it was right"))

    assert undo.state is State.COMPLETED
    await scene.it_helped(undo)
    assert scene.live == BAD
    assert await condemned(scene) == frozenset()
    (entry,) = await scene.entries("version.lift")
    assert entry.what == {
        "app": str(PROD),
        "meaning": BAD.meaning,
        "rollback": undo.id,
        "reason": "it was right",
    }


async def test_going_to_what_was_condemned_from_what_somebody_published_condemns_that(
    scene: ExecutionScene,
) -> None:
    """Only the undo of a rollback leaves what it takes away unjudged."""
    await scene.it_helped(await scene.run(await scene.approved()))
    scene.publish_by_hand(EDIT)
    await scene.snapshot.refresh(PROD)

    again = await scene.approved(draft=None, back_to=2, reason="it was right")
    await scene.it_helped(await scene.run(again))

    assert scene.live == BAD
    assert await condemned(scene) == {EDIT.meaning, GOOD.meaning}


# -- the executor dies ------------------------------------------------------------------------


# a page of history is left where it was found to be enough, so nothing comes after it
DEATHS = [(n, False) for n in range(1, len(HAPPY))]
DEATHS += [(n, True) for n in range(1, len(HAPPY)) if HAPPY[n] != "history"]


@pytest.mark.parametrize(("call", "applied"), DEATHS)
async def test_whoever_dies_at_a_call_is_followed_by_one_who_ends_it_once(
    scene: ExecutionScene, call: int, applied: bool
) -> None:
    rollback = await scene.approved()
    (scene.after if applied else scene.at)(call, die)
    with pytest.raises(Died):
        await scene.executor("w1").step()
    assert not await scene.executor("w2").step(), "its lease has not run out yet"

    await scene.let_lease_run_out(rollback)
    ended = await scene.run(rollback, "w2")

    await check_done(scene, ended)
    assert ended.execution.attempt == 1
    (taken,) = await scene.entries("rollback.take_over")
    assert taken.what["step"]


@pytest.mark.parametrize("call", [n for n in range(1, len(HAPPY)) if HAPPY[n] not in WRITES])
async def test_whoever_lost_the_lease_writes_nothing_more_and_says_so_in_the_log(
    scene: ExecutionScene, call: int, caplog: pytest.LogCaptureFixture
) -> None:
    rollback = await scene.approved()
    at_theft: list[int] = []

    async def steal() -> None:
        await scene.let_lease_run_out(rollback, owner="w2")
        at_theft.append(len(scene.target.calls))

    scene.at(call, steal)
    assert await scene.executor("w1").step()

    after = scene.target.calls[at_theft[0] :]
    assert not set(after) & set(WRITES)
    assert (await scene.rollback(rollback)).open
    (record,) = [r for r in caplog.records if r.message == "execution taken over"]
    assert record.__dict__["rollback"] == rollback.id
    assert record.__dict__["why"].startswith(f"rollback {rollback.id} ")
    await check_done(scene, await scene.run(rollback, "w2"))


# -- going on from every committed step -------------------------------------------------------


async def kept(scene: ExecutionScene) -> int:
    async with scene.store.write() as tx:
        version = await tx.versions.record(
            NewVersion(
                where=PROD,
                kind=VersionKind.DRAFT,
                source=VersionSource.IMPORTED,
                external_id="draft",
                external_hash="h",
                published_at=NOON,
            ),
            WIP,
        )
    return version.id


def token_of(scene: ExecutionScene) -> str:
    draft = scene.target.apps[APP].draft
    assert draft is not None
    return draft.token


async def test_going_on_from_claimed_is_beginning(scene: ExecutionScene) -> None:
    left = await scene.stands_at(await scene.approved(), Step.CLAIMED)

    await check_done(scene, await scene.run(left, "w2"))
    assert tuple(scene.target.calls) == HAPPY[1:]


async def test_going_on_from_staging_writes_what_was_not_written(scene: ExecutionScene) -> None:
    rollback = await scene.approved()
    left = await scene.stands_at(
        rollback, Step.STAGING, kept_draft_id=await kept(scene), kept_token=token_of(scene)
    )

    await check_done(scene, await scene.run(left, "w2"))
    assert tuple(scene.target.calls) == HAPPY[4:]


async def test_going_on_from_staging_does_not_write_twice(scene: ExecutionScene) -> None:
    rollback = await scene.approved()
    left = await scene.stands_at(
        rollback, Step.STAGING, kept_draft_id=await kept(scene), kept_token=token_of(scene)
    )
    scene.save(GOOD)

    await check_done(scene, await scene.run(left, "w2"))
    assert tuple(scene.target.calls) == (*HAPPY[4:5], *HAPPY[6:])


async def test_going_on_from_publishing_does_not_publish_twice(scene: ExecutionScene) -> None:
    rollback = await scene.approved()
    left = await scene.stands_at(
        rollback, Step.PUBLISHING, kept_draft_id=await kept(scene), staged_token=scene.save(GOOD)
    )
    scene.target.publish_draft(APP, name=marker.name_of(rollback))

    await check_done(scene, await scene.run(left, "w2"))
    assert "publish" not in scene.target.calls


async def test_going_on_from_verifying_reads_back(scene: ExecutionScene) -> None:
    rollback = await scene.approved()
    token = scene.save(GOOD)
    published = scene.target.publish_draft(APP, name=marker.name_of(rollback))
    left = await scene.stands_at(
        rollback,
        Step.VERIFYING,
        kept_draft_id=await kept(scene),
        staged_token=token,
        published_id=published,
    )

    await check_done(scene, await scene.run(left, "w2"))
    assert tuple(scene.target.calls) == HAPPY[9:]


async def test_going_on_from_returning_returns_the_draft_and_reads_nothing_again(
    scene: ExecutionScene,
) -> None:
    rollback = await scene.approved()
    token = scene.save(GOOD)
    published = scene.target.publish_draft(APP, name=marker.name_of(rollback))
    left = await scene.stands_at(
        rollback,
        Step.VERIFYING,
        kept_draft_id=await kept(scene),
        staged_token=token,
        published_id=published,
    )
    version = (await scene.snapshot.refresh(PROD))[-1]
    left = await scene.stands_at(left, Step.RETURNING, published_version_id=version.id)
    scene.target.calls.clear()

    await check_done(scene, await scene.run(left, "w2"))
    assert tuple(scene.target.calls) == HAPPY[11:]


async def test_going_on_from_undoing_puts_the_draft_back_and_ends_as_it_was_meant(
    scene: ExecutionScene,
) -> None:
    rollback = await scene.approved()
    left = await scene.stands_at(
        rollback,
        Step.UNDOING,
        kept_draft_id=await kept(scene),
        staged_token=scene.save(GOOD),
        failure=OutcomeCode.TARGET_REFUSED,
    )

    ended = await scene.run(left, "w2")

    assert (ended.state, ended.outcome) == (State.FAILED, OutcomeCode.TARGET_REFUSED)
    assert scene.draft == WIP
    assert scene.live == BAD
