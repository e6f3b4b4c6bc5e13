"""Several apps as one rollback: all of them verified, or all of them as they were."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.domain import legs, policy
from bot.domain.policy import Policy
from bot.domain.verdict.decide import decide
from bot.domain.verdict.incident import Alert, Incident
from bot.domain.words import DraftNote, OutcomeCode
from bot.errors import NothingToDo, NotTogether, UpstreamDown
from bot.ports.people import Note
from bot.ports.store import Store
from bot.services.eligibility import facts_of
from bot.services.looking.gather import change_of
from bot.services.settle import Settle, completed
from store.document import Document
from store.records import AppEnv, Glass, Rollback, State, Step
from tests.builders import ALICE, BOB, CAROL, CHANNEL, DAVE, NOON, PROD, REVIEWERS, TEAM
from tests.fakes.target import FakeTarget
from tests.unit.services.execution_scene import (
    APP,
    BAD,
    EDIT,
    GOOD,
    KEY,
    WIP,
    Died,
    ExecutionScene,
    a_secretive,
    die,
)
from tests.unit.services.scene import ENTRY, a_document, vote_of

SEARCH = AppEnv("kb-search", "prod")
OLD, NEW, THEIRS = a_document("Look well."), a_document("Look badly."), a_document("Look twice.")
OTHER = "app-2"


class Joint(ExecutionScene):
    """support-triage calls kb-search, which lives in a target of its own and is called first."""

    @property
    def second(self) -> FakeTarget:
        return self.places[SEARCH][0]

    async def both(self, **changes: Any) -> Rollback:
        """dave asks for both apps, alice and bob approve; editors work on both drafts."""
        rollback = await self.both_asked(**changes)
        for who in (ALICE, BOB):
            rollback = await vote_of(self.store, who, rollback)
        assert rollback.state is State.APPROVED
        self.target.calls.clear()
        self.second.calls.clear()
        return rollback

    async def both_asked(self, *, reason: str = "") -> Rollback:
        member = await self.directory.member(DAVE)
        return await self.propose.requested(
            PROD,
            1,
            by=member,
            channel=CHANNEL,
            response_url="",
            reason=reason,
            also=[(SEARCH, 1)],
        )

    def at_second(self, method: str, deed: Any, *, skip: int = 0) -> None:
        for _ in range(skip):
            self.second.before(method, lambda: None)
        self.second.before(method, deed)

    @property
    def notes(self) -> list[Note]:
        return [replied.note for replied in self.messenger.replies]

    def lives(self) -> tuple[Document, Document]:
        """What answers users in both apps."""
        return live_of(self.target, APP), live_of(self.second, OTHER)

    def drafts(self) -> tuple[Document, Document]:
        return draft_of(self.target, APP), draft_of(self.second, OTHER)


def live_of(target: FakeTarget, app_id: str) -> Document:
    app = target.apps[app_id]
    return next(v.document for v, _ in app.history if v.external_id == app.live_id)


def draft_of(target: FakeTarget, app_id: str) -> Document:
    draft = target.apps[app_id].draft
    assert draft is not None
    return draft.document


@pytest.fixture
async def scene(store: Store) -> Joint:
    scene = Joint.of(store)
    assert isinstance(scene, Joint)
    second = FakeTarget("dify.other")
    second.add_app(OTHER)
    scene.places[SEARCH] = (second, OTHER)
    scene.channels[SEARCH] = CHANNEL
    scene.depends_on = {PROD.app: [SEARCH.app]}
    scene.publish(GOOD, BAD)
    for hours, document in ((2, OLD), (1, NEW)):
        at = NOON - timedelta(hours=hours)
        second.publish_document(OTHER, document, email="bob@example.com", at=at)
    scene.target.save_draft(APP, WIP)
    second.save_draft(OTHER, THEIRS)
    return scene


# -- asking -------------------------------------------------------------------------------------


async def test_both_apps_are_legs_of_one_rollback_the_caller_first(scene: Joint) -> None:
    member = await scene.directory.member(DAVE)

    rollback = await scene.propose.requested(
        SEARCH, 1, by=member, channel=CHANNEL, response_url="", also=[(PROD, 1)]
    )

    assert [leg.where for leg in rollback.legs] == [PROD, SEARCH]
    async with scene.store.read() as tx:
        assert await tx.rollbacks.open_of(SEARCH) == await tx.rollbacks.open_of(PROD)
        assert (await tx.cases.get(rollback.case_id)).where == PROD


async def test_the_strictest_policy_of_the_apps_holds_for_all(scene: Joint) -> None:
    rules = Policy(
        reviewers=(REVIEWERS,),
        requesters=(DAVE,),
        named=True,
        votes=1,
        votes_by_criticality={"high": 2},
    )
    scene.policies["prod"] = rules
    scene.criticality[SEARCH.app] = "high"

    assert (await scene.both_asked()).policy.votes == 2


@pytest.mark.parametrize(
    ("also", "why"),
    [
        ([(AppEnv("kb-search", "staging"), 1)], "environments"),
        ([(PROD, 1)], "twice"),
        ([(AppEnv(f"app-{n}", "prod"), 1) for n in range(legs.MOST)], "many"),
    ],
)
async def test_what_cannot_be_one_rollback_is_refused_with_its_reason(
    scene: Joint, also: list[tuple[AppEnv, int]], why: str
) -> None:
    member = await scene.directory.member(DAVE)

    with pytest.raises(NotTogether) as refused:
        await scene.propose.requested(
            PROD, 1, by=member, channel=CHANNEL, response_url="", also=also
        )

    assert refused.value.why == why


async def test_an_app_that_is_there_already_stops_the_request_for_all(scene: Joint) -> None:
    member = await scene.directory.member(DAVE)
    await scene.snapshot.refresh(SEARCH)

    with pytest.raises(NothingToDo):
        await scene.propose.requested(
            PROD, 1, by=member, channel=CHANNEL, response_url="", also=[(SEARCH, 2)]
        )

    async with scene.store.read() as tx:
        assert await tx.rollbacks.open_of(PROD) is None


async def test_what_waits_for_votes_in_one_of_the_apps_makes_room(scene: Joint) -> None:
    alone = await scene.asked(1, where=SEARCH)

    rollback = await scene.both_asked()

    assert (await scene.rollback(alone)).outcome == OutcomeCode.OTHER_VERSION
    assert rollback.state is State.PENDING_APPROVAL


async def test_who_published_in_any_of_the_apps_may_be_kept_from_voting(scene: Joint) -> None:
    scene.policies["prod"] = Policy(
        reviewers=(REVIEWERS,), requesters=(DAVE,), named=True, exclude_publisher=True
    )
    scene.directory.authors = {"alice@example.com": ALICE, "bob@example.com": BOB}
    scene.target.publish_document(APP, EDIT, email="alice@example.com")
    scene.second.publish_document(OTHER, EDIT, email="bob@example.com")
    rollback = await scene.both_asked()

    barred = {
        who: policy.why_not(
            facts_of(await scene.directory.member(who)),
            policy=rollback.policy,
            groups={REVIEWERS: frozenset({ALICE, BOB, CAROL})},
            team_id=TEAM,
            at_open=frozenset(rollback.policy.eligible),
            shared_channel=False,
        )
        for who in (ALICE, BOB, CAROL)
    }
    assert barred == {ALICE: "publisher", BOB: "publisher", CAROL: None}


async def test_one_publisher_whom_nobody_knows_keeps_everybody_from_voting(scene: Joint) -> None:
    scene.policies["prod"] = Policy(
        reviewers=(REVIEWERS,), requesters=(DAVE,), named=True, exclude_publisher=True
    )
    scene.directory.authors = {"alice@example.com": ALICE}
    scene.target.publish_document(APP, EDIT, email="alice@example.com")
    scene.second.publish_document(OTHER, EDIT, email="stranger@example.com")

    rollback = await scene.both_asked()

    assert (rollback.policy.publisher, rollback.policy.publisher_person) == (
        "stranger@example.com",
        "",
    )


# -- all ----------------------------------------------------------------------------------------


async def test_all_apps_go_back_what_is_called_before_its_caller(scene: Joint) -> None:
    rollback = await scene.both()
    order: list[str] = []
    scene.at_second("publish", lambda: order.append("kb-search"))
    scene.target.before("publish", lambda: order.append("support-triage"))

    done = await scene.run(rollback)

    assert (done.state, done.outcome) == (State.COMPLETED, OutcomeCode.COMPLETED)
    assert order == ["kb-search", "support-triage"]
    assert scene.lives() == (GOOD, OLD)
    assert scene.drafts() == (WIP, THEIRS)
    rows = [
        {"where": str(where), "candidate": 1, "number": 3, "draft": "put_back"}
        for where in (PROD, SEARCH)
    ]
    assert done.outcome_facts == {**rows[0], "legs": rows}


async def test_a_copy_that_does_not_know_what_was_published_says_what_it_knows(
    scene: Joint,
) -> None:
    rollback = await scene.both()
    async with scene.store.read() as tx:
        candidate = await tx.versions.get(rollback.leg.to_version_id)
    left = await scene.stands_at(rollback, Step.VERIFYING)

    done = await Settle(scene.store)(left, completed(left, candidate))

    assert [
        (row["candidate"], row["number"], row["draft"]) for row in done.outcome_facts["legs"]
    ] == [(1, None, ""), (1, None, "")]


async def test_the_end_of_several_apps_says_that_it_was_on_one_persons_word(
    scene: Joint,
) -> None:
    left = await scene.stands_at(await scene.both(), Step.VERIFYING)
    async with scene.store.read() as tx:
        candidate = await tx.versions.get(left.leg.to_version_id)
    broken = Glass(DAVE, DAVE, TEAM, "nobody is awake", left.content_digest, 1, "n", NOON, "card")

    done = await Settle(scene.store)(replace(left, glass=(broken,)), completed(left, candidate))

    assert done.outcome_facts["alone"] is True
    assert len(done.outcome_facts["legs"]) == 2


async def test_the_way_of_each_app_is_in_the_audit_chain(scene: Joint) -> None:
    rollback = await scene.both()

    done = await scene.run(rollback)

    (entry,) = await scene.entries("leg.")
    first = done.execution.done[0].published_version_id
    assert (entry.action, entry.what) == ("leg.done", {"app": str(SEARCH), "version": first})
    (ended,) = await scene.entries("rollback.completed")
    assert ended.what["app"] == f"{PROD}, {SEARCH}"


async def test_both_old_versions_are_condemned_when_it_was_seen_to_help(scene: Joint) -> None:
    await scene.it_helped(await scene.run(await scene.both()))

    async with scene.store.read() as tx:
        assert await tx.versions.condemned(PROD) == {BAD.meaning}
        assert await tx.versions.condemned(SEARCH) == {NEW.meaning}


async def test_it_is_not_verifying_before_the_last_app_is_published(scene: Joint) -> None:
    rollback = await scene.both()
    seen: list[State] = []

    async def look() -> None:
        seen.append((await scene.rollback(rollback)).state)

    for _ in range(2):
        scene.target.before("live", look)
    scene.at_second("history", look)
    scene.target.before("history", look)

    await scene.run(rollback)

    assert seen == [State.APPROVED, State.EXECUTING, State.EXECUTING, State.VERIFYING]


async def test_a_change_in_one_app_supersedes_the_whole(scene: Joint) -> None:
    rollback = await scene.both()
    scene.second.publish_document(OTHER, EDIT)

    ended = await scene.run(rollback)

    assert (ended.state, ended.outcome) == (State.SUPERSEDED, OutcomeCode.LIVE_CHANGED)
    assert scene.lives() == (BAD, EDIT)
    assert "publish" not in scene.target.calls


async def test_a_publish_seen_by_a_snapshot_supersedes_it_too(scene: Joint) -> None:
    rollback = await scene.both_asked()
    scene.second.publish_document(OTHER, EDIT)

    await scene.snapshot.refresh(SEARCH)

    assert (await scene.rollback(rollback)).outcome == OutcomeCode.LIVE_CHANGED


# -- or none ------------------------------------------------------------------------------------


async def test_when_the_second_does_not_come_the_first_is_put_back(scene: Joint) -> None:
    rollback = await scene.both()
    for _ in range(100):
        scene.target.fail("stage", UpstreamDown("dify", "away"))

    ended = await scene.run(rollback)

    assert (ended.state, ended.outcome) == (State.FAILED, OutcomeCode.TARGET_DOWN)
    assert ended.outcome_facts["put_back"] == [str(SEARCH)]
    assert scene.lives() == (BAD, NEW)
    assert scene.drafts() == (WIP, THEIRS)
    assert [v.source.value for v in await scene.history(SEARCH)][2:] == ["rollback", "put_back"]
    assert [
        (e.action, e.what["app"], e.what.get("why"), e.what.get("said"))
        for e in await scene.entries("leg.")
    ] == [
        ("leg.done", str(SEARCH), None, None),
        ("leg.turn_back", str(PROD), "target_down", None),
        ("leg.put_back", str(SEARCH), None, "back"),
    ]
    async with scene.store.read() as tx:
        assert await tx.versions.condemned(SEARCH) == frozenset()


async def test_an_edit_of_live_half_way_puts_the_others_back_and_asks_again(scene: Joint) -> None:
    rollback = await scene.both()
    scene.at_second("publish", lambda: scene.publish_by_hand())

    ended = await scene.run(rollback)

    assert (ended.state, ended.outcome) == (State.SUPERSEDED, OutcomeCode.LIVE_CHANGED)
    assert scene.lives() == (EDIT, NEW)


async def test_a_first_app_that_fails_leaves_nothing_to_put_back(scene: Joint) -> None:
    rollback = await scene.both()
    for _ in range(100):
        scene.second.fail("stage", UpstreamDown("dify", "away"))

    ended = await scene.run(rollback)

    assert ended.state is State.FAILED
    assert "put_back" not in ended.outcome_facts
    assert scene.lives() == (BAD, NEW)
    assert "stage" not in scene.target.calls


async def test_what_somebody_published_meanwhile_is_not_put_back_over(scene: Joint) -> None:
    rollback = await scene.both()
    scene.target.before("stage", lambda: scene.second.publish_document(OTHER, EDIT, by="carol"))
    for _ in range(100):
        scene.target.fail("stage", UpstreamDown("dify", "away"))

    ended = await scene.run(rollback)

    assert (ended.state, ended.outcome) == (State.NEEDS_ATTENTION, OutcomeCode.NOT_PUT_BACK)
    assert ended.outcome_facts == {
        "because": OutcomeCode.TARGET_DOWN,
        "stuck": str(PROD),
        "left": [str(SEARCH)],
    }
    assert scene.lives() == (BAD, EDIT)


async def test_an_edit_that_slipped_into_the_last_publish_calls_people_and_names_the_rest(
    scene: Joint,
) -> None:
    rollback = await scene.both()
    scene.target.before("publish", lambda: scene.save())

    ended = await scene.run(rollback)

    assert (ended.state, ended.outcome) == (State.NEEDS_ATTENTION, OutcomeCode.LIVE_DIFFERS)
    assert ended.outcome_facts["done"] == [str(SEARCH)]
    await scene.tell()
    (slipped_in,) = [note for note in scene.notes if note.code == "edits_slipped_in"]
    assert slipped_in.facts["where"] == str(PROD)
    assert scene.lives() == (EDIT, OLD), "what is live after it is what people have to look at"


async def test_the_end_names_the_app_that_did_not_go_back(scene: Joint) -> None:
    rollback = await scene.both()
    for _ in range(100):
        scene.target.fail("stage", UpstreamDown("dify", "away"))

    ended = await scene.run(rollback)
    await scene.tell()

    assert ended.outcome_facts["stuck"] == str(PROD)
    notes = {note.code: note.facts for note in scene.notes}
    assert notes["putting_back"] == {"where": str(PROD)}
    assert notes["ended"]["seconds"] is None, "what was verified on the way is no success"


async def test_the_editors_draft_of_each_run_is_said_with_its_own_row(scene: Joint) -> None:
    """kb-search's draft could not go back; then the way back kept what stood there by then."""
    rollback = await scene.both()
    scene.second.before("stage", lambda: None)
    scene.second.before("stage", lambda: scene.second.save_draft(OTHER, EDIT))
    for _ in range(100):
        scene.target.fail("stage", UpstreamDown("dify", "away"))

    ended = await scene.run(rollback)
    await scene.tell()

    assert ended.state is State.FAILED
    told = [n.facts for n in scene.notes if n.code == "draft_note"]
    assert [(facts["where"], facts["draft"]) for facts in told] == [(str(SEARCH), "theirs_stays")]
    async with scene.store.read() as tx:
        kept = await tx.versions.document(told[0]["version_id"])
    assert kept == THEIRS


async def test_what_was_put_back_is_no_rollback_that_made_the_bad_version_past(
    scene: Joint,
) -> None:
    rollback = await scene.both()
    for _ in range(100):
        scene.target.fail("stage", UpstreamDown("dify", "away"))
    await scene.run(rollback)
    history = await scene.history(SEARCH)
    alert = Alert(SEARCH, "WrongAnswers", history[-1].published_at + timedelta(minutes=4))

    decision = decide(
        Incident(
            alert=alert,
            decided_at=alert.starts_at,
            changes=[change_of(version) for version in history],
            waited=timedelta(minutes=1),
        )
    )

    assert decision.suggested is not None
    assert decision.suggested.content == OLD.meaning


async def test_whose_work_was_put_back_does_not_vote_on_it_either(scene: Joint) -> None:
    rollback = await scene.both()
    for _ in range(100):
        scene.target.fail("stage", UpstreamDown("dify", "away"))
    await scene.run(rollback)
    scene.target._errors.clear()
    scene.policies["prod"] = Policy(
        reviewers=(REVIEWERS,), requesters=(DAVE,), named=True, exclude_publisher=True
    )
    scene.directory.authors = {"bob@example.com": BOB}

    again = await scene.asked(1, where=SEARCH)

    assert (again.policy.publisher, again.policy.publisher_person) == ("bob@example.com", BOB)


async def test_an_app_that_was_taken_back_elsewhere_says_so_on_its_own_card(scene: Joint) -> None:
    async with scene.store.write() as tx:
        case = await tx.cases.open_for(SEARCH, channel=CHANNEL, entry=ENTRY)
    rollback = await scene.run(await scene.both())
    async with scene.store.write() as tx:
        case = await tx.cases.get(case.id, lock=True)
        await tx.cases.save(replace(case, assess_at=await tx.now()), was=case.revision)

    await scene.propose.step()

    async with scene.store.read() as tx:
        case = await tx.cases.get(case.id)
    assert case.finding is not None
    assert (case.finding.code, case.finding.facts["rollback"]) == (
        "taken_back_elsewhere",
        rollback.id,
    )


async def test_a_request_is_not_renewed_over_what_somebody_else_opened(scene: Joint) -> None:
    rollback = await scene.both_asked()
    scene.second.publish_document(OTHER, EDIT)
    await scene.snapshot.refresh(SEARCH)
    other = await scene.asked(1, where=SEARCH)

    await scene.propose.step()
    await scene.tell()

    assert (await scene.rollback(other)).open
    notes = [n.facts for n in scene.notes if n.code == "not_renewed"]
    assert len(notes) == 1
    assert "kb-search@prod" in notes[0]["text"]
    assert (await scene.rollback(rollback)).outcome == OutcomeCode.LIVE_CHANGED


async def test_the_draft_that_a_finished_app_could_not_get_back_is_named(scene: Joint) -> None:
    rollback = await scene.both()
    scene.at_second("stage", lambda: scene.second.save_draft(OTHER, EDIT), skip=1)

    done = await scene.run(rollback)

    assert done.state is State.COMPLETED
    assert done.outcome_facts["legs"][1]["draft"] == DraftNote.THEIRS_STAYS
    assert "draft_note" in await scene.told_codes()


# -- secrets that only the drafts have ---------------------------------------------------------


async def secretive(scene: Joint) -> Rollback:
    """Both apps have a secret, and both drafts another value of it."""
    for target, app_id, good, bad in (
        (scene.target, APP, "Kindly.", "Wrongly."),
        (scene.second, OTHER, "Look.", "Look away."),
    ):
        target.apps[app_id].history.clear()
        for hours, prompt in ((2, good), (1, bad)):
            at = NOON - timedelta(hours=hours)
            document = a_secretive(prompt, KEY)
            target.publish_document(app_id, document, secrets={KEY: "sk-live"}, at=at)
        draft = a_secretive("In rhyme.", KEY)
        target.save_draft(app_id, draft, secrets={KEY: f"sk-typed-{app_id}"})
    return await scene.both()


def values(scene: Joint) -> list[str]:
    drafts = scene.target.apps[APP].draft, scene.second.apps[OTHER].draft
    return [draft.secrets[KEY] for draft in drafts if draft is not None]


async def test_each_drafts_own_values_are_sealed_for_its_leg_and_put_back(scene: Joint) -> None:
    done = await scene.run(await secretive(scene))

    assert done.state is State.COMPLETED
    assert values(scene) == [f"sk-typed-{APP}", f"sk-typed-{OTHER}"]
    async with scene.store.read() as tx:
        assert await tx.seals.get(done.id) is None
        told = [entry.action for entry in await tx.audit.entries(after=0, limit=200)]
    assert (told.count("draft.seal"), told.count("draft.unseal")) == (2, 2)
    unsealed = await scene.entries("draft.unseal")
    assert [entry.what.get("not_returned") for entry in unsealed] == [[], []]


async def test_on_the_way_back_they_are_sealed_once_more(scene: Joint) -> None:
    rollback = await secretive(scene)
    for _ in range(100):
        scene.target.fail("stage", UpstreamDown("dify", "away"))

    ended = await scene.run(rollback)

    assert (ended.state, ended.outcome_facts["put_back"]) == (State.FAILED, [str(SEARCH)])
    assert values(scene) == [f"sk-typed-{APP}", f"sk-typed-{OTHER}"]


# -- crashes ------------------------------------------------------------------------------------


Call = tuple[str, int, str]  # method, how many went before, "before" or "after" it


def calls_of(**counts: Sequence[int]) -> list[Call]:
    """Each call at both of its moments; a history is left off half-read, so it has no "after"."""
    return [
        (method, n, when)
        for method, numbers in counts.items()
        for n in numbers
        for when in ("before", "after")
        if (method, when) != ("history", "after")
    ]


@pytest.mark.parametrize("which", ["first", "second"])
@pytest.mark.parametrize(
    ("method", "n", "when"),
    calls_of(live=range(3), draft=range(2), stage=range(2), publish=[0], history=[0]),
)
async def test_killed_at_any_call_another_process_brings_all_or_none(
    scene: Joint, which: str, method: str, n: int, when: str
) -> None:
    rollback = await scene.both()
    target = scene.second if which == "first" else scene.target
    arm = target.before if when == "before" else target.after
    for _ in range(n):
        arm(method, lambda: None)
    arm(method, die)

    with pytest.raises(Died):
        await scene.executor("w1").step()
    if (await scene.rollback(rollback)).state is not State.APPROVED:
        await scene.let_lease_run_out(rollback)
    ended = await scene.run(rollback, "w2")

    assert (ended.state, scene.lives()) == (State.COMPLETED, (GOOD, OLD))
    assert scene.drafts() == (WIP, THEIRS)
    assert scene.ours(rollback) == 1


@pytest.mark.parametrize(
    ("method", "n", "when"),
    calls_of(live=[3, 4], draft=[3], stage=[2, 3], publish=[1], history=[1]),
)
async def test_killed_on_the_way_back_another_process_goes_on_back(
    scene: Joint, method: str, n: int, when: str
) -> None:
    rollback = await scene.both()
    for _ in range(100):
        scene.target.fail("stage", UpstreamDown("dify", "away"))
    arm = scene.second.before if when == "before" else scene.second.after
    for _ in range(n):
        arm(method, lambda: None)
    arm(method, die)

    with pytest.raises(Died):
        await scene.executor("w1").step()
    await scene.let_lease_run_out(rollback)
    ended = await scene.run(rollback, "w2")

    assert (ended.state, ended.outcome) == (State.FAILED, OutcomeCode.TARGET_DOWN)
    assert (scene.lives(), scene.drafts()) == ((BAD, NEW), (WIP, THEIRS))
    names = [v.name for v, _ in scene.second.apps[OTHER].history]
    assert sum(name.startswith("putback-") for name in names) == 1


async def test_an_approval_that_lapsed_half_way_puts_the_first_back(scene: Joint) -> None:
    rollback = await scene.both()
    scene.target.before("draft", die)
    with pytest.raises(Died):
        await scene.executor("w1").step()
    await scene.let_lease_run_out(rollback)
    scene.directory.leave(ALICE, REVIEWERS)

    await scene.executor("w2").step()

    ended = await scene.rollback(rollback)
    assert (ended.state, ended.outcome) == (State.FAILED, OutcomeCode.APPROVAL_LAPSED)
    assert scene.lives() == (BAD, NEW)


# -- what people see ----------------------------------------------------------------------------


async def test_an_alert_on_an_app_that_another_rollback_takes_back_says_so(scene: Joint) -> None:
    rollback = await scene.both_asked()
    async with scene.store.write() as tx:
        case = await tx.cases.open_for(SEARCH, channel=CHANNEL, entry=ENTRY)
        await tx.cases.save(replace(case, assess_at=await tx.now()), was=case.revision)

    await scene.propose.step()

    async with scene.store.read() as tx:
        case = await tx.cases.get(case.id)
    assert case.finding is not None
    assert case.finding.code == "part_of"
    assert case.finding.facts == {"rollback": rollback.id, "where_of": str(PROD)}
