"""From a case to a card: a rollback that people can vote on, or only the facts."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain import approval, quorum
from bot.domain.diff.changes import compare
from bot.domain.policy import Policy
from bot.domain.words import FindingCode, OutcomeCode
from bot.errors import (
    AskedAlready,
    BotError,
    EmptyVersion,
    LoginRefused,
    NoSuchApp,
    NotAllowed,
    NothingToDo,
    RollbackOpen,
    SecretsGone,
    UnknownApp,
    UnknownVersion,
    UpstreamDown,
    UpstreamRefused,
)
from bot.ports.store import Store
from bot.services.take_in import TakeIn
from store.document import Document
from store.records import (
    AppEnv,
    AuditDraft,
    Case,
    CaseState,
    Delivery,
    Firing,
    Rollback,
    State,
    Step,
)
from tests.arriving import delivered
from tests.builders import ALICE, BOB, CAROL, CHANNEL, DAVE, NOON, PROD, REVIEWERS, a_firing
from tests.unit.services.execution_scene import (
    APP,
    BAD,
    EDIT,
    GOOD,
    KEY,
    OTHER_KEY,
    WIP,
    ExecutionScene,
    a_secretive,
)
from tests.unit.services.scene import ENTRY, POLICY

BILLING = AppEnv("billing", "staging")
DOWN = UpstreamDown("dify.test", "no answer")
EMPTY = Document("workflow", {"graph": {"nodes": [], "edges": []}, "features": {}})


@pytest.fixture
def scene(sqlite_store: Store) -> ExecutionScene:
    return ExecutionScene.of(sqlite_store)


async def fire(scene: ExecutionScene, where: AppEnv = PROD, fingerprint: str = "f1") -> Case:
    """An alert fires at noon, a minute after the last publish; return its case, which is due."""
    name = f"{where}{fingerprint}"
    firing = a_firing(starts_at=NOON, where=where, fingerprint=name)
    delivery = Delivery("alertmanager", "keyturn", "group", name, 0, (firing,))
    await delivered(scene.store, delivery)
    await TakeIn(scene.store, scene.channels, meaning=lambda _: None, nudge=lambda: None).step()
    return await case_of(scene, where)


async def case_of(scene: ExecutionScene, where: AppEnv = PROD) -> Case:
    async with scene.store.read() as tx:
        return next(case for case in await tx.cases.open_cases() if case.where == where)


async def opened(scene: ExecutionScene, where: AppEnv = PROD) -> Rollback | None:
    async with scene.store.read() as tx:
        return await tx.rollbacks.open_of(where)


async def shown(scene: ExecutionScene) -> list[str]:
    """Send what waits; return the finding of every card as it was drawn."""
    await scene.tell()
    return [card.finding_code for card in scene.messenger.drawn]


async def delete_oldest(scene: ExecutionScene) -> None:
    """Delete the oldest version in the target, after we have read it."""
    await scene.snapshot.refresh(PROD)
    scene.target.delete_version(APP, (await scene.history())[0].external_id)


def another(scene: ExecutionScene, where: AppEnv = BILLING) -> ExecutionScene:
    """Another app in a target of its own, with a good and a bad version."""
    other = ExecutionScene.of(scene.store)
    other.target.name = "dify.other"
    other.publish(GOOD, BAD)
    scene.places[where] = (other.target, APP)
    scene.channels[where] = CHANNEL
    return other


# -- a suggestion -------------------------------------------------------------------------------


async def test_a_suspect_and_a_sound_version_before_it_are_a_rollback_to_vote_on(
    scene: ExecutionScene,
) -> None:
    scene.publish(GOOD, BAD)
    await fire(scene)

    assert await scene.propose.step()

    rollback = await opened(scene)
    assert rollback is not None
    old, bad = await scene.history()
    assert (rollback.state, rollback.requested_by) == (State.PENDING_APPROVAL, quorum.KEYTURN)
    assert rollback.policy.eligible == (ALICE, BOB, CAROL)
    assert rollback.expires_at - rollback.opened_at == POLICY.open_for
    leg = rollback.leg
    assert (leg.from_version_id, leg.to_version_id) == (bad.id, old.id)
    assert (leg.live_external_id, leg.live_root) == (bad.external_id, BAD.root)
    assert leg.expected_root == GOOD.root
    assert leg.change_digest == compare(BAD, GOOD).digest
    assert rollback.content_digest == approval.content_digest((leg,))
    case = await case_of(scene)
    assert (case.rollback_id, case.assess_at) == (rollback.id, None)
    assert case.finding is not None
    assert (case.finding.suspect_id, case.finding.candidate_id) == (bad.id, old.id)
    assert not await scene.propose.step()


async def test_the_card_the_difference_and_the_audit_entries_come_with_it(
    scene: ExecutionScene,
) -> None:
    scene.publish(GOOD, BAD)
    await fire(scene)
    await scene.propose.step()

    assert await shown(scene) == ["suggested"]
    (file,) = scene.messenger.files
    assert "Answer kindly." in file.text
    actions = [entry.action for entry in await scene.entries("case.", "rollback.")]
    assert actions == ["case.open", "rollback.open", "rollback.present"]


async def test_a_rollback_whose_card_cannot_be_queued_was_never_opened(
    scene: ExecutionScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.publish(GOOD, BAD)
    await fire(scene)

    def broken(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("bot.services.opening.presenting.snippet_row", broken)
    await scene.propose.step()

    assert await opened(scene) is None
    assert await scene.entries("rollback.") == []
    assert await shown(scene) == [FindingCode.LOOK_FAILED]


async def test_an_environment_without_a_policy_is_suggested_to_with_nobody_eligible(
    scene: ExecutionScene,
) -> None:
    scene.publish(GOOD, BAD)
    scene.policies.clear()
    await fire(scene)

    await scene.propose.step()

    rollback = await opened(scene)
    assert rollback is not None
    assert (rollback.policy.named, rollback.policy.votes, rollback.policy.eligible) == (
        False,
        2,
        (),
    )
    await scene.tell()
    assert not scene.messenger.drawn[-1].policy_named


async def test_a_reviewer_with_two_accounts_is_one_eligible_person(scene: ExecutionScene) -> None:
    scene.publish(GOOD, BAD)
    scene.directory.persons[CAROL] = BOB
    scene.policies["prod"] = Policy(reviewers=(REVIEWERS, DAVE), named=True)
    await fire(scene)

    await scene.propose.step()

    rollback = await opened(scene)
    assert rollback is not None
    assert rollback.policy.eligible == (ALICE, BOB, DAVE)


async def test_a_version_without_nodes_is_passed_over(scene: ExecutionScene) -> None:
    scene.publish(GOOD, EMPTY, BAD)
    await fire(scene)

    await scene.propose.step()

    rollback = await opened(scene)
    assert rollback is not None
    assert rollback.leg.expected_root == GOOD.root


# -- only the facts -----------------------------------------------------------------------------


async def only_facts(scene: ExecutionScene, code: FindingCode) -> None:
    case = await case_of(scene)
    assert case.finding is not None
    assert (case.finding.code, case.assess_at, case.rollback_id) == (code, None, None)
    assert await opened(scene) is None
    assert await shown(scene) == [code]
    assert scene.messenger.files == []
    assert {button.action for button in scene.messenger.drawn[-1].buttons} <= {"another"}
    (entry,) = await scene.entries("case.no_suggestion")
    assert entry.what["finding"] == code
    assert not await scene.propose.step()


async def test_an_app_without_history_gets_the_facts(scene: ExecutionScene) -> None:
    await fire(scene)

    assert await scene.propose.step()

    await only_facts(scene, FindingCode.NO_HISTORY)


async def test_a_version_whose_secrets_no_target_call_could_fill_gets_the_facts(
    scene: ExecutionScene,
) -> None:
    scene.target.hides_old_secrets = True
    good, bad = a_secretive("Kindly.", KEY, OTHER_KEY), a_secretive("Wrongly.", KEY)
    scene.publish(good, bad, secrets=[{KEY: "k", OTHER_KEY: "o"}, {KEY: "k"}])
    await fire(scene)

    assert await scene.propose.step()

    await only_facts(scene, FindingCode.SECRETS_OUT_OF_REACH)
    finding = (await case_of(scene)).finding
    assert finding is not None
    assert finding.facts == {"candidate": 1, "names": ["SECRET_8"], "system": "dify.test"}


async def test_a_suspect_behind_which_a_deleted_version_took_its_secrets_along_gets_the_facts(
    scene: ExecutionScene,
) -> None:
    good, bad = a_secretive("Kindly.", KEY, OTHER_KEY), a_secretive("Wrongly.", KEY)
    scene.publish(good, bad, secrets=[{KEY: "k", OTHER_KEY: "o"}, {KEY: "k"}])
    await delete_oldest(scene)
    await fire(scene)

    assert await scene.propose.step()

    await only_facts(scene, FindingCode.SECRETS_GONE)
    finding = (await case_of(scene)).finding
    assert finding is not None
    assert finding.facts == {"candidate": 1, "names": ["SECRET_8"], "system": "dify.test"}


async def test_a_target_that_stops_answering_before_the_candidate_was_looked_up_is_said(
    scene: ExecutionScene,
) -> None:
    scene.publish(GOOD, BAD)
    await fire(scene)
    scene.target.after("history", lambda: scene.always("history", DOWN))

    assert await scene.propose.step()

    case = await case_of(scene)
    assert case.finding is not None
    assert case.finding.code == FindingCode.TARGET_UNREADABLE
    assert case.assess_at is not None


async def test_two_changes_at_once_get_the_facts(scene: ExecutionScene) -> None:
    scene.target.publish_document(APP, GOOD, at=NOON - timedelta(hours=3))
    for minute, document in ((3, BAD), (2, EDIT)):
        scene.target.publish_document(APP, document, at=NOON - timedelta(minutes=minute))
    await fire(scene)

    await scene.propose.step()

    await only_facts(scene, FindingCode.TWO_CHANGES)


async def test_no_change_before_the_alert_gets_the_facts(scene: ExecutionScene) -> None:
    scene.target.publish_document(APP, GOOD, at=NOON - timedelta(hours=30))
    await fire(scene)

    await scene.propose.step()

    await only_facts(scene, FindingCode.NO_CHANGE)


@pytest.mark.parametrize("documents", [(BAD,), (EMPTY, BAD)], ids=["first version", "no nodes"])
async def test_a_suspect_without_a_sound_version_before_it_gets_the_facts(
    scene: ExecutionScene, documents: tuple[Document, ...]
) -> None:
    scene.publish(*documents)
    await fire(scene)

    await scene.propose.step()

    await only_facts(scene, FindingCode.NO_SOUND_VERSION)


async def test_a_condemned_version_is_never_suggested(scene: ExecutionScene) -> None:
    scene.publish(GOOD, BAD)
    async with scene.store.write() as tx:
        entry = AuditDraft("keyturn", "version.condemn", "meaning", "ok", {}, ip_note="a test")
        await tx.versions.condemn(PROD, GOOD.meaning, rollback_id=None, entry=entry)
    await fire(scene)

    await scene.propose.step()

    await only_facts(scene, FindingCode.NO_SOUND_VERSION)


async def test_a_shared_channel_gets_no_buttons(scene: ExecutionScene) -> None:
    scene.publish(GOOD, BAD)
    scene.directory.shared.add(CHANNEL)
    await fire(scene)

    await scene.propose.step()

    await only_facts(scene, FindingCode.SHARED_CHANNEL)


# -- the outside is down ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (DOWN, FindingCode.TARGET_UNREADABLE),
        (UpstreamRefused("dify.test", "no"), FindingCode.TARGET_UNREADABLE),
        (LoginRefused("dify.test", "wrong password"), FindingCode.TARGET_LOGIN_REFUSED),
        (NoSuchApp("dify.test", "another workspace"), FindingCode.TARGET_APP_MISSING),
    ],
)
async def test_a_target_that_cannot_be_read_is_said_and_looked_at_again_in_half_a_minute(
    scene: ExecutionScene, error: BotError, code: FindingCode
) -> None:
    scene.publish(GOOD, BAD)
    await fire(scene)
    scene.target.fail("history", error)

    assert await scene.propose.step()

    case = await case_of(scene)
    assert case.finding is not None
    assert case.finding.code == code
    assert case.finding.facts["system"] == error.system  # type: ignore[attr-defined]
    async with scene.store.read() as tx:
        now = await tx.now()
    assert case.assess_at is not None
    assert timedelta(0) < case.assess_at - now <= timedelta(seconds=30)
    assert not await scene.propose.step(), "not due yet"
    assert await shown(scene) == [code]

    await make_due(scene)
    assert await scene.propose.step()
    assert await opened(scene) is not None


async def make_due(scene: ExecutionScene) -> None:
    """Half a minute passes."""
    case = await case_of(scene)
    async with scene.store.write() as tx:
        await tx.cases.save(replace(case, assess_at=await tx.now()), was=case.revision)


async def test_the_same_trouble_found_again_is_one_audit_entry(scene: ExecutionScene) -> None:
    await fire(scene)
    scene.always("history", DOWN, times=3)

    for _ in range(3):
        assert await scene.propose.step()
        await make_due(scene)

    assert len(await scene.entries("case.no_suggestion")) == 1


async def test_a_case_stays_due_while_slack_cannot_say_who_the_reviewers_are(
    scene: ExecutionScene,
) -> None:
    scene.publish(GOOD, BAD)
    before = await fire(scene)
    scene.directory.down = True

    await scene.propose.step()

    after = await case_of(scene)
    assert after.finding is None
    assert before.assess_at is not None
    assert after.assess_at is not None
    assert after.assess_at > before.assess_at, "it lets others go first"
    scene.directory.down = False
    await make_due(scene)
    assert await scene.propose.step()
    assert await opened(scene) is not None


async def test_reviewers_whom_slack_does_not_name_are_said_on_the_card_and_looked_up_again(
    scene: ExecutionScene,
) -> None:
    scene.publish(GOOD, BAD)
    scene.policies["prod"] = Policy(reviewers=("S0DELETED",), named=True)
    await fire(scene)

    await scene.propose.step()

    case = await case_of(scene)
    assert case.finding is not None
    assert (case.finding.code, case.finding.facts) == (
        FindingCode.REVIEWERS_UNKNOWN,
        {"upstream_code": "no_such_subteam"},
    )
    assert await shown(scene) == [FindingCode.REVIEWERS_UNKNOWN]
    assert not await scene.propose.step(), "not due yet"
    scene.policies["prod"] = POLICY
    await make_due(scene)
    await scene.propose.step()
    assert await opened(scene) is not None


async def test_an_alert_is_shown_before_anything_was_looked_at(scene: ExecutionScene) -> None:
    await fire(scene)

    assert await shown(scene) == [FindingCode.LOOKING]


async def test_a_case_that_cannot_be_looked_at_is_said_and_does_not_hold_up_others(
    scene: ExecutionScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = another(scene)
    await fire(scene, BILLING)
    scene.publish(GOOD, BAD)
    await fire(scene)
    other.always("history", OverflowError("date value out of range"))

    assert await scene.propose.step()
    assert not await scene.propose.step(), "it is put off"

    assert await opened(scene) is not None
    case = await case_of(scene, BILLING)
    assert case.finding is not None
    assert (case.finding.code, case.rollback_id) == (FindingCode.LOOK_FAILED, None)
    assert case.assess_at is not None


async def test_a_target_that_hangs_holds_up_only_its_own_cases(scene: ExecutionScene) -> None:
    scene.publish(GOOD, BAD)
    other = another(scene)
    hangs, looked_at = asyncio.Event(), asyncio.Event()
    other.target.before("history", hangs.wait)
    scene.target.after("history", looked_at.set)
    for number in range(30):
        where = AppEnv(f"hung{number}", "staging")
        scene.places[where] = (other.target, APP)
        scene.channels[where] = CHANNEL
        await fire(scene, where)
    await fire(scene)

    step = asyncio.create_task(scene.propose.step())
    await asyncio.wait_for(looked_at.wait(), timeout=10)
    assert not step.done()
    hangs.set()
    await step

    assert await opened(scene) is not None


async def test_a_case_of_an_app_that_is_no_longer_configured_holds_up_nobody(
    scene: ExecutionScene,
) -> None:
    another(scene)
    scene.publish(GOOD, BAD)
    await fire(scene, BILLING)
    await fire(scene)
    del scene.places[BILLING]

    assert await scene.propose.step()

    assert await opened(scene) is not None
    assert not await scene.propose.step()


# -- several at once ----------------------------------------------------------------------------


async def test_workers_at_once_open_one_rollback(scene: ExecutionScene) -> None:
    scene.publish(GOOD, BAD)
    await fire(scene)

    await asyncio.gather(*(scene.propose.step() for _ in range(4)))

    assert len(await scene.entries("rollback.open")) == 1
    assert not await scene.propose.step()
    assert await shown(scene) == ["suggested"]


@pytest.mark.parametrize("documents", [(GOOD, BAD), (BAD,)], ids=["suggested", "facts"])
async def test_an_alert_that_comes_while_we_look_is_looked_at_too(
    scene: ExecutionScene, documents: tuple[Document, ...]
) -> None:
    scene.publish(*documents)
    await fire(scene)

    async def more() -> None:
        await fire(scene, fingerprint="f2")

    scene.target.before("history", more)

    assert await scene.propose.step()
    assert await opened(scene) is None
    assert (await case_of(scene)).finding is None
    assert await scene.propose.step()
    assert (await case_of(scene)).finding is not None


async def test_what_somebody_asked_for_while_we_looked_stands(scene: ExecutionScene) -> None:
    scene.publish(GOOD, EDIT, BAD)
    await fire(scene)
    asked: list[Rollback] = []

    async def ask() -> None:
        asked.append(await scene.asked(1))

    scene.target.before("history", ask)
    await scene.propose.step()

    assert [await opened(scene)] == asked
    assert not await scene.propose.step()


async def test_a_case_that_is_due_beside_an_open_rollback_is_due_no_more(
    scene: ExecutionScene,
) -> None:
    scene.publish(GOOD, EDIT, BAD)
    rollback = await scene.asked(1)
    await fire(scene)
    await make_due(scene)

    assert await scene.propose.step()

    assert await opened(scene) == rollback
    assert (await case_of(scene)).assess_at is None
    assert not await scene.propose.step()


async def test_after_a_publish_the_card_shows_a_new_rollback_on_the_new_ground(
    scene: ExecutionScene,
) -> None:
    scene.publish(GOOD, BAD)
    await fire(scene)
    await scene.propose.step()
    first = await opened(scene)
    scene.target.publish_document(APP, WIP, at=NOON + timedelta(minutes=5))
    await scene.snapshot.sweep()

    assert await scene.propose.step()

    second = await opened(scene)
    assert first is not None
    assert second is not None
    assert second.id != first.id
    assert second.leg.live_root == WIP.root
    assert second.leg.expected_root == GOOD.root
    assert second.votes == ()


@pytest.mark.parametrize("with_alert", [False, True])
async def test_a_request_that_lost_its_ground_is_opened_again_for_who_asked(
    scene: ExecutionScene, with_alert: bool
) -> None:
    scene.publish(GOOD, EDIT, BAD)
    first = await scene.vote(BOB, await scene.asked(1, by=ALICE))
    if with_alert:
        await fire(scene)
    scene.publish_by_hand(WIP)
    await scene.snapshot.sweep()

    assert await scene.propose.step()

    second = await opened(scene)
    assert second is not None
    assert (second.case_id, second.requested_by) == (first.case_id, ALICE)
    assert second.policy.eligible == (BOB, CAROL)
    assert (second.leg.live_root, second.leg.expected_root) == (WIP.root, GOOD.root)
    assert second.votes == ()
    assert (await scene.entries("rollback.open"))[-1].user_id == quorum.KEYTURN
    assert (await shown(scene))[-1] == "requested"
    assert scene.messenger.drawn[-1].rollback_id == second.id
    assert not await scene.propose.step()


@pytest.mark.parametrize("change", ["not allowed", "gone", "live already"])
async def test_a_request_that_cannot_be_opened_again_says_why(
    scene: ExecutionScene, change: str
) -> None:
    scene.publish(GOOD, BAD)
    await scene.asked(1, by=DAVE)
    scene.publish_by_hand(EDIT)
    await scene.snapshot.sweep()
    if change == "not allowed":
        scene.policies["prod"] = Policy(reviewers=(REVIEWERS,), named=True)
    elif change == "gone":
        del scene.directory.members[DAVE]
    else:
        scene.publish_by_hand(GOOD)

    assert await scene.propose.step()

    assert await opened(scene) is None
    assert await scene.told_codes() == ["ended", "not_renewed"]
    assert (await case_of(scene)).assess_at is None
    assert not await scene.propose.step()


async def test_what_somebody_asked_for_meanwhile_is_not_replaced_by_an_older_request(
    scene: ExecutionScene,
) -> None:
    scene.publish(GOOD, EDIT, BAD)
    await scene.asked(1, by=ALICE)
    scene.publish_by_hand(WIP)
    await scene.snapshot.sweep()
    asked: list[Rollback] = []

    async def ask() -> None:
        asked.append(await scene.asked(2, by=BOB))

    scene.target.before("history", ask)
    await scene.propose.step()

    assert [await opened(scene)] == asked
    assert not await scene.propose.step()


# -- one incident after the other ------------------------------------------------------------------


async def ended(scene: ExecutionScene, state: State = State.EXPIRED) -> Rollback:
    """The open rollback came to an end by which nothing was changed; its alert still fires."""
    rollback = await opened(scene)
    assert rollback is not None
    async with scene.store.write() as tx:
        now = await tx.now()
        after = replace(rollback, revision=rollback.revision + 1, state=state, finished_at=now)
        await tx.rollbacks.save(after, was=rollback.revision, entry=ENTRY)
    return await scene.rollback(rollback)


async def two_days_later(scene: ExecutionScene, *documents: Document) -> None:
    """*documents* are published, and two minutes after the last one the same alert fires anew."""
    async with scene.store.read() as tx:
        at = max(NOON, await tx.now()) + timedelta(days=2)
    for left, document in enumerate(reversed(documents)):
        scene.target.publish_document(APP, document, at=at - timedelta(minutes=2 + left))
    await arrive(scene, a_firing(starts_at=at, fingerprint="b2"))


async def arrive(scene: ExecutionScene, firing: Firing) -> None:
    digest = f"{firing.fingerprint}{firing.starts_at}{firing.status}"
    delivery = Delivery("alertmanager", "keyturn", "group", digest, 0, (firing,))
    await delivered(scene.store, delivery)
    worker = TakeIn(scene.store, scene.channels, meaning=lambda _: None, nudge=lambda: None)
    while await worker.step():
        pass


@pytest.mark.parametrize("state", [State.REJECTED, State.EXPIRED])
async def test_an_alert_that_keeps_firing_does_not_hide_the_next_bad_publish(
    scene: ExecutionScene, state: State
) -> None:
    scene.publish(GOOD, BAD)
    first = await fire(scene)
    await scene.propose.step()
    await ended(scene, state)

    await two_days_later(scene, EDIT)
    await scene.propose.step()

    rollback = await opened(scene)
    assert rollback is not None
    assert rollback.case_id == first.id
    assert (rollback.leg.live_root, rollback.leg.expected_root) == (EDIT.root, BAD.root)
    told = await scene.told_codes()
    assert told == ["evidence", "alert_added", "evidence"], "also of an alert of the same name"


async def test_the_onset_is_that_of_the_alerts_that_came_since_the_last_look(
    scene: ExecutionScene,
) -> None:
    scene.target.publish_document(APP, GOOD, at=NOON - timedelta(hours=30))
    await fire(scene)
    await scene.propose.step()
    assert (await case_of(scene)).finding is not None

    await two_days_later(scene, BAD)
    await scene.propose.step()

    rollback = await opened(scene)
    assert rollback is not None
    assert rollback.leg.expected_root == GOOD.root


async def test_what_was_rejected_is_not_suggested_again_by_itself(scene: ExecutionScene) -> None:
    scene.publish(GOOD, BAD)
    await fire(scene)
    await scene.propose.step()
    rejected = await ended(scene, State.REJECTED)

    await two_days_later(scene)
    await scene.propose.step()

    assert await opened(scene) is None
    case = await case_of(scene)
    assert case.finding is not None
    assert (case.finding.code, case.finding.facts) == (
        FindingCode.REJECTED_BEFORE,
        {"suspect": 2, "candidate": 1},
    )
    assert (case.rollback_id, case.assess_at) == (rejected.id, None)


async def test_an_alert_right_after_a_verified_rollback_is_a_case_of_its_own(
    scene: ExecutionScene,
) -> None:
    rollback = await scene.run(await scene.approved())
    assert rollback.state is State.COMPLETED
    await scene.it_helped(rollback)

    await two_days_later(scene, EDIT)
    await scene.propose.step()

    async with scene.store.read() as tx:
        assert (await tx.cases.get(rollback.case_id)).state is CaseState.CLOSED
    again = await opened(scene)
    assert again is not None
    assert again.case_id != rollback.case_id
    assert again.leg.expected_root == GOOD.root


async def test_facts_of_a_later_look_do_not_show_the_rollback_that_ended(
    scene: ExecutionScene,
) -> None:
    scene.publish(GOOD, BAD)
    await fire(scene)
    await scene.propose.step()
    await ended(scene)

    await two_days_later(scene, EDIT, WIP)
    await scene.propose.step()
    await scene.tell()

    card = scene.messenger.drawn[-1]
    assert (card.finding_code, card.state) == (FindingCode.TWO_CHANGES, None)


# -- a person asks ------------------------------------------------------------------------------


async def test_who_asks_becomes_the_requester_and_is_not_eligible(scene: ExecutionScene) -> None:
    scene.publish(GOOD, BAD)

    rollback = await scene.asked(1, by=ALICE)

    assert (rollback.requested_by, rollback.requested_slack_id) == (ALICE, ALICE)
    assert rollback.policy.eligible == (BOB, CAROL)
    assert rollback.state is State.PENDING_APPROVAL
    case = await case_of(scene)
    assert case.channel == CHANNEL
    assert case.finding is not None
    assert (case.finding.code, case.finding.facts) == (
        "requested",
        {"slack_id": ALICE, "candidate": 1},
    )
    entries = await scene.entries("case.open", "rollback.")
    assert [(e.action, e.user_id) for e in entries] == [
        ("case.open", ALICE),
        ("rollback.open", ALICE),
        ("rollback.present", ALICE),
    ]
    assert await shown(scene) == ["requested"]


async def test_the_other_account_of_who_asks_is_not_eligible_either(scene: ExecutionScene) -> None:
    scene.publish(GOOD, BAD)
    scene.directory.persons[CAROL] = ALICE

    rollback = await scene.asked(1, by=CAROL)

    assert rollback.requested_by == ALICE
    assert rollback.policy.eligible == (BOB,)


async def test_the_leg_says_which_secrets_keep_their_value_and_which_come_back(
    scene: ExecutionScene,
) -> None:
    good, bad = a_secretive("Kindly.", KEY, OTHER_KEY), a_secretive("Wrongly.", KEY)
    scene.publish(good, bad)

    rollback = await scene.asked(1)

    assert rollback.leg.secrets == {"kept": ["SECRET_3"], "from_version": ["SECRET_8"]}
    await scene.tell()
    assert scene.messenger.drawn[-1].secrets_from_version == ("SECRET_8",)


async def test_a_version_that_was_deleted_in_the_target_comes_from_our_store_and_the_card_says_so(
    scene: ExecutionScene,
) -> None:
    scene.publish(GOOD, EDIT, BAD)
    await delete_oldest(scene)

    rollback = await scene.asked(1)

    assert rollback.leg.restored
    await scene.tell()
    assert scene.messenger.drawn[-1].restored


async def test_of_a_version_that_is_there_the_card_says_nothing(scene: ExecutionScene) -> None:
    scene.publish(*[GOOD, EDIT] * 12, BAD)
    await scene.snapshot.refresh(PROD)

    rollback = await scene.asked(6)

    assert not rollback.leg.restored


async def test_a_deleted_version_whose_secrets_went_with_it_cannot_be_asked_for(
    scene: ExecutionScene,
) -> None:
    good, bad = a_secretive("Kindly.", KEY, OTHER_KEY), a_secretive("Wrongly.", KEY)
    scene.publish(good, bad)
    await delete_oldest(scene)

    await refused(scene, SecretsGone)


async def refused(scene: ExecutionScene, error: type[BotError], number: int = 1) -> None:
    before = await scene.entries("")
    with pytest.raises(error):
        await scene.asked(number)
    assert await scene.entries("") == before
    assert await shown(scene) == []


async def test_an_app_that_is_not_configured_cannot_be_asked_for(scene: ExecutionScene) -> None:
    del scene.places[PROD]
    await refused(scene, UnknownApp)


async def test_a_stranger_to_the_policy_may_not_ask(scene: ExecutionScene) -> None:
    scene.publish(GOOD, BAD)
    scene.policies["prod"] = Policy(reviewers=(REVIEWERS,), named=True)
    await refused(scene, NotAllowed)
    assert scene.target.calls == []


async def test_nobody_asks_in_a_shared_channel(scene: ExecutionScene) -> None:
    scene.publish(GOOD, BAD)
    scene.directory.shared.add(CHANNEL)
    await refused(scene, NotAllowed)


@pytest.mark.parametrize("number", [0, 3, 2**40])
async def test_a_version_that_is_not_there_cannot_be_asked_for(
    scene: ExecutionScene, number: int
) -> None:
    scene.publish(GOOD, BAD)
    with pytest.raises(UnknownVersion) as error:
        await scene.asked(number)
    assert error.value.newest == 2


async def test_an_app_without_versions_has_none_to_ask_for(scene: ExecutionScene) -> None:
    with pytest.raises(UnknownVersion) as error:
        await scene.asked(1)
    assert error.value.newest is None


async def test_what_is_live_already_cannot_be_asked_for(scene: ExecutionScene) -> None:
    scene.publish(GOOD, BAD, GOOD)
    await refused(scene, NothingToDo, number=3)
    await refused(scene, NothingToDo, number=1)


async def test_a_version_without_nodes_cannot_be_asked_for(scene: ExecutionScene) -> None:
    scene.publish(EMPTY, BAD)
    await refused(scene, EmptyVersion)


@pytest.mark.parametrize("who", ["slack", "dify"])
async def test_nothing_is_opened_while_the_outside_cannot_be_asked(
    scene: ExecutionScene, who: str
) -> None:
    scene.publish(GOOD, BAD)
    member = await scene.directory.member(DAVE)
    if who == "slack":
        scene.directory.down = True
    else:
        scene.target.fail("history", DOWN)

    with pytest.raises(UpstreamDown):
        await scene.propose.requested(PROD, 1, by=member, channel=CHANNEL, response_url="")
    assert await opened(scene) is None


async def test_another_version_supersedes_what_is_still_voted_on(scene: ExecutionScene) -> None:
    scene.publish(GOOD, EDIT, BAD)
    first = await scene.vote(BOB, await scene.asked(2, by=DAVE))

    second = await scene.asked(1, by=ALICE)

    ended = await scene.rollback(first)
    assert (ended.state, ended.outcome) == (State.SUPERSEDED, OutcomeCode.OTHER_VERSION)
    assert (second.requested_by, second.votes) == (ALICE, ())
    assert second.case_id == first.case_id
    case = await case_of(scene)
    assert (case.rollback_id, case.assess_at) == (second.id, None)
    assert await opened(scene) == second


async def test_asking_for_the_very_same_again_leaves_the_votes(scene: ExecutionScene) -> None:
    scene.publish(GOOD, BAD)
    first = await scene.vote(ALICE, await scene.asked(1, by=DAVE))

    with pytest.raises(AskedAlready) as refusal:
        await scene.asked(1, by=BOB)

    assert await scene.rollback(first) == first
    assert f"Rollback {first.id} proposes exactly this" in refusal.value.to_person()


async def test_what_is_approved_cannot_be_replaced(scene: ExecutionScene) -> None:
    scene.publish(GOOD, EDIT, BAD)
    rollback = await scene.approved(back_to=2)

    with pytest.raises(RollbackOpen):
        await scene.asked(1)

    assert await scene.rollback(rollback) == rollback


async def test_what_is_executing_cannot_be_replaced(scene: ExecutionScene) -> None:
    scene.publish(GOOD, EDIT, BAD)
    rollback = await scene.stands_at(await scene.approved(back_to=2), Step.CLAIMED)

    with pytest.raises(RollbackOpen):
        await scene.asked(1)

    assert await scene.rollback(rollback) == rollback


async def test_two_people_who_ask_at_once_leave_one_open_rollback(scene: ExecutionScene) -> None:
    scene.publish(GOOD, EDIT, BAD)
    await scene.snapshot.sweep()

    asked = await asyncio.gather(scene.asked(1, by=ALICE), scene.asked(2, by=BOB))

    states = sorted([(await scene.rollback(rollback)).state for rollback in asked])
    assert states == [State.PENDING_APPROVAL, State.SUPERSEDED]
