"""A drill goes the way of every alert, in an app that serves nobody; it counts for nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from bot import pages
from bot.domain import drill
from bot.domain.policy import Policy
from bot.domain.words import FindingCode, NoteCode, OutcomeCode
from bot.ports.store import Store
from bot.services.claim import nowhere
from bot.services.follow_up import FollowUp
from bot.services.looking.heard import heard
from bot.services.looking.looking_back import LookingBack
from bot.services.record import Records
from bot.services.recover import Recover
from bot.services.take_in import TakeIn
from store.records import (
    AppEnv,
    AuditEntry,
    Case,
    Delivery,
    Firing,
    FiringStatus,
    PauseOrigin,
    RecoveryState,
    Rollback,
    State,
)
from tests.builders import ALICE, BOB, CAROL, CHANNEL, DAVE, NOON, PROD, a_firing
from tests.unit.services.execution_scene import (
    APP,
    BAD,
    EDIT,
    GOOD,
    WIP,
    ExecutionScene,
)
from tests.unit.services.scene import ENTRY, POLICY, a_document

BILLING = AppEnv("billing", "prod")
NONE, LONG = timedelta(0), timedelta(days=1)
OTHER = a_document("Answer in haiku.")


@dataclass
class DrillScene(ExecutionScene):
    """The app is marked for drills, and everything on the way of an alert is at hand."""

    drills: set[str] = field(default_factory=lambda: {PROD.app})

    async def typed(self, who: str, text: str) -> dict[str, Any]:
        """The facts of the one answer to what *who* typed, with its code."""
        before = len(self.messenger.answers)
        await self.command(who, text)
        await self.judge(
            ask=self.propose.requested,
            practises=self.rules.practises,
            policy_of=self.rules.policy,
            channels=self.channels,
        )
        await self.tell()
        (answer,) = self.messenger.answers[before:]
        return {"code": answer.note.code, **answer.note.facts}

    async def take_in(self) -> None:
        worker = TakeIn(self.store, self.channels, meaning=lambda _: None, nudge=lambda: None)
        while await worker.step():
            pass

    async def go(self) -> None:
        """Let everything that waits happen, up to what people have to do."""
        await self.take_in()
        while await self.propose.step():
            pass
        await self.take_in()
        await self.tell()

    async def begun(self, who: str = DAVE, text: str = "drill") -> Rollback:
        """The rollback of a drill that *who* began."""
        assert (await self.typed(who, text))["code"] == "drill_begun"
        await self.go()
        (opened,) = [one for one in await self.rollbacks() if one.open]
        return opened

    async def carried_out(self, rollback: Rollback) -> Rollback:
        for who in (ALICE, BOB):
            rollback = await self.vote(who, rollback)
        rollback = await self.run(rollback)
        await self.go()
        return rollback

    async def seen(self) -> None:
        """Look whether rollbacks helped, with nothing that measures and without patience."""
        await Recover(self.store, None, waited=NONE, bake=LONG, quiet=NONE)()
        await self.go()

    async def whole(self) -> Rollback:
        """A drill from its word to its end."""
        rollback = await self.carried_out(await self.begun())
        await self.seen()
        return await self.rollback(rollback)

    async def rollbacks(self) -> list[Rollback]:
        async with self.store.read() as tx:
            return await tx.rollbacks.newest()

    async def arrives(self, *firings: Firing) -> None:
        async with self.store.write() as tx:
            name = f"d{len(self.messenger.drawn)}{firings}"
            await tx.alerts.take(Delivery("alertmanager", "keyturn", "group", name, 0, firings))

    async def firings(self) -> list[Firing]:
        async with self.store.read() as tx:
            return await tx.alerts.around(
                PROD.env, since=NOON - 100 * LONG, until=await tx.now() + LONG
            )

    async def the_case(self) -> Case:
        async with self.store.read() as tx:
            (case,) = await tx.cases.open_cases()
            return case

    def notes(self, code: NoteCode) -> list[dict[str, Any]]:
        found = [reply.note for reply in self.messenger.replies if reply.note.code == code]
        return [dict(note.facts) for note in found]


@pytest.fixture
def scene(sqlite_store: Store) -> DrillScene:
    scene = DrillScene.of(sqlite_store)
    assert isinstance(scene, DrillScene)
    scene.publish(OTHER, GOOD, BAD)
    return scene


async def real(scene: DrillScene, **changes: Any) -> Firing:
    async with scene.store.read() as tx:
        return a_firing(starts_at=await tx.now(), **changes)


# -- the whole way --------------------------------------------------------------------------------


async def test_a_drill_takes_the_way_of_an_alert_and_really_rolls_back(scene: DrillScene) -> None:
    await scene.snapshot.refresh(PROD)
    rollback = await scene.begun()
    assert (rollback.drill, rollback.requested_by) == (True, "keyturn")
    assert (await scene.the_case()).finding is not None

    rollback = await scene.carried_out(rollback)
    assert rollback.state is State.COMPLETED
    assert scene.live == GOOD
    (firing,) = await scene.firings()
    assert (firing.source, firing.alertname) == ("drill", "KeyturnDrill")
    assert firing.status is FiringStatus.RESOLVED
    assert scene.notes(NoteCode.DRILL_OVER) == []  # it is still watched

    await scene.seen()
    rollback = await scene.rollback(rollback)
    assert rollback.recovery is not None
    assert rollback.recovery.state is RecoveryState.RECOVERED
    (report,) = scene.notes(NoteCode.DRILL_OVER)
    assert [one["part"] for one in report["parts"]] == ["suggest", "approve", "execute", "recover"]
    assert report["stop"] == ""
    assert report["total"] == pytest.approx(sum(one["seconds"] for one in report["parts"]))


async def test_the_newest_version_that_means_something_else_is_gone_back_to(
    scene: DrillScene,
) -> None:
    scene.publish_by_hand(EDIT)
    await scene.snapshot.refresh(PROD)
    first = await scene.whole()
    assert scene.live == BAD

    second = await scene.whole()

    assert scene.live == EDIT, "the next drill goes back to where the last one came from"
    assert (first.id, second.id) == (1, 2)


async def test_the_operators_log_says_of_an_end_that_it_was_a_drills(
    scene: DrillScene, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "bot.services.execute")

    await scene.snapshot.refresh(PROD)

    await scene.carried_out(await scene.begun())

    (line,) = [record for record in caplog.records if record.message == "rollback ended"]
    assert line.__dict__["drill"] is True


async def test_a_drill_condemns_nothing_and_does_not_go_to_what_is_condemned(
    scene: DrillScene,
) -> None:
    await scene.snapshot.refresh(PROD)
    oldest, good, _ = await scene.history()
    async with scene.store.write() as tx:
        await tx.versions.condemn(PROD, good.meaning, rollback_id=None, entry=ENTRY)

    await scene.whole()

    assert scene.live == OTHER
    async with scene.store.read() as tx:
        assert await tx.versions.condemned(PROD) == {good.meaning}
        assert oldest.meaning not in await tx.versions.condemned(PROD)


async def test_a_version_without_nodes_is_passed_over(scene: DrillScene) -> None:
    empty = a_document()
    graph = {**empty.content["graph"], "nodes": []}
    scene.publish_by_hand(replace(empty, content={**empty.content, "graph": graph}))
    scene.publish_by_hand(EDIT)
    await scene.snapshot.refresh(PROD)

    await scene.carried_out(await scene.begun())

    assert scene.live == BAD


# -- it is marked everywhere ----------------------------------------------------------------------


async def test_cards_notes_files_calls_and_the_target_say_that_it_is_a_drill(
    scene: DrillScene,
) -> None:
    scene.target.save_draft(APP, WIP)
    await scene.snapshot.refresh(PROD)
    await scene.whole()

    assert all(card.drill for card in scene.messenger.drawn)
    thread = [reply.note for reply in scene.messenger.replies if reply.ts]
    assert len(thread) >= 4
    assert all(note.facts.get("drill") is True for note in thread)
    assert all(one.title.startswith("Drill: ") for one in scene.messenger.files)
    newest = scene.target.apps[APP].history[-1][0]
    assert newest.comment.startswith("Keyturn drill: back to version")


async def test_every_entry_about_it_says_so(scene: DrillScene) -> None:
    await scene.snapshot.refresh(PROD)
    async with scene.store.read() as tx:
        before, _ = await tx.audit.head()
    rollback = await scene.begun()
    await scene.approve(CAROL, rollback)
    await scene.approve("U0NOBODY", rollback)
    await scene.judge()
    rollback = await scene.rollback(rollback)
    rollback = await scene.vote(BOB, rollback)
    await scene.run(rollback)
    await scene.seen()
    await FollowUp(scene.store).close_cases()

    async with scene.store.read() as tx:
        entries: list[AuditEntry] = [e for e in await tx.audit.entries() if e.seq > before]
    actions = {entry.action for entry in entries}
    assert {"drill.start", "case.open", "rollback.completed", "case.close"} <= actions
    assert {"rollback.recovered", "vote.approve"} <= actions
    assert [entry.action for entry in entries if entry.what.get("drill") is not True] == []


async def test_status_and_log_mark_it(scene: DrillScene) -> None:
    await scene.snapshot.refresh(PROD)
    rollback = await scene.begun()
    (row,) = (await scene.typed(DAVE, "status"))["rows"]
    assert (row["rollback"], row["drill"]) == (rollback.id, True)

    await scene.carried_out(rollback)
    rows = (await scene.typed(DAVE, f"log {PROD}"))["rows"]
    assert [(one["number"], one["drill"]) for one in rows][:2] == [(4, True), (3, False)]


async def test_its_record_and_its_evidence_say_so(scene: DrillScene) -> None:
    await scene.snapshot.refresh(PROD)
    rollback = await scene.whole()

    page = await Records(scene.store)(rollback.id)

    assert page.title == f"Drill: rollback {rollback.id} of {PROD}"
    assert page.cause is not None
    assert page.cause.code == FindingCode.DRILL
    assert [alert.name for alert in page.alerts] == [drill.ALERT]
    html = pages.record(page, chart=None).html
    assert f"<h1>{page.title}</h1>" in html
    assert "This is a drill" in html


# -- where it stops -------------------------------------------------------------------------------


async def test_a_rejected_drill_says_where_it_stopped(scene: DrillScene) -> None:
    await scene.snapshot.refresh(PROD)
    rollback = await scene.begun()
    await scene.vote(ALICE, rollback)
    await scene.reject(BOB, rollback, "too late in the day")
    await scene.judge()
    await scene.go()

    (report,) = scene.notes(NoteCode.DRILL_OVER)
    assert (report["stop"], report["outcome"]) == ("approval", "rejected")
    assert (report["count"], report["needed"]) == (1, 2)
    (firing,) = await scene.firings()
    assert firing.status is FiringStatus.RESOLVED
    assert await FollowUp(scene.store).close_cases() == 1


async def test_an_expired_drill_says_that_nobody_came(scene: DrillScene) -> None:
    scene.policies = {"prod": replace(POLICY, open_for=timedelta(milliseconds=1))}
    await scene.snapshot.refresh(PROD)
    assert (await scene.typed(DAVE, "drill"))["code"] == "drill_begun"
    await scene.go()

    assert await FollowUp(scene.store).expire_overdue() == 1
    await scene.go()

    (report,) = scene.notes(NoteCode.DRILL_OVER)
    assert (report["stop"], report["outcome"], report["count"]) == ("approval", "expired", 0)
    assert report["waited"] > 0


async def test_where_the_mark_was_taken_away_nothing_is_rolled_back(scene: DrillScene) -> None:
    await scene.snapshot.refresh(PROD)
    rollback = await scene.begun()
    for who in (ALICE, BOB):
        rollback = await scene.vote(who, rollback)

    assert await scene.executor(practises=nowhere).step()

    rollback = await scene.rollback(rollback)
    assert (rollback.state, rollback.outcome) == (State.SUPERSEDED, OutcomeCode.NO_DRILL_APP)
    assert scene.live == BAD
    await scene.go()
    assert scene.notes(NoteCode.DRILL_OVER)[0]["outcome"] == OutcomeCode.NO_DRILL_APP
    assert len(await scene.rollbacks()) == 1, "it is not suggested again"


async def test_where_the_mark_was_taken_away_before_the_look_nothing_is_suggested(
    scene: DrillScene,
) -> None:
    await scene.snapshot.refresh(PROD)
    assert (await scene.typed(DAVE, "drill"))["code"] == "drill_begun"
    scene.drills = set()
    await scene.go()

    finding = (await scene.the_case()).finding
    assert finding is not None
    assert (finding.code, finding.facts) == (FindingCode.NO_DRILL, {"why": "not_marked"})
    (report,) = scene.notes(NoteCode.DRILL_OVER)
    assert (report["stop"], report["outcome"]) == ("suggestion", "no_drill")
    assert await FollowUp(scene.store).close_cases() == 1


async def test_a_freeze_that_begins_meanwhile_ends_it_at_once(scene: DrillScene) -> None:
    await scene.snapshot.refresh(PROD)
    assert (await scene.typed(DAVE, "drill"))["code"] == "drill_begun"
    scene.policies = {"prod": always_frozen()}
    await scene.go()

    (report,) = scene.notes(NoteCode.DRILL_OVER)
    assert (report["stop"], report["outcome"]) == ("suggestion", "frozen")
    assert (await scene.the_case()).assess_at is None


async def test_what_live_became_meanwhile_is_proposed_anew_as_in_earnest(scene: DrillScene) -> None:
    await scene.snapshot.refresh(PROD)
    await scene.begun()
    scene.publish_by_hand(EDIT)
    await scene.snapshot.refresh(PROD)
    await scene.go()

    second, first = await scene.rollbacks()
    assert (first.outcome, second.state) == ("live_changed", State.PENDING_APPROVAL)
    assert second.drill
    assert scene.notes(NoteCode.DRILL_OVER) == []


# -- beside what is real --------------------------------------------------------------------------


async def test_a_real_alert_ends_a_drill_that_waits_and_gets_a_card_of_its_own(
    scene: DrillScene,
) -> None:
    await scene.snapshot.refresh(PROD)
    await scene.begun()
    practice = await scene.the_case()
    await scene.arrives(await real(scene))
    await scene.go()

    incident = await scene.the_case()
    assert incident.id != practice.id
    assert incident.finding is not None
    assert incident.finding.code not in {FindingCode.DRILL, FindingCode.NO_DRILL}
    ended = (await scene.rollbacks())[-1]
    assert (ended.state, ended.outcome) == (State.SUPERSEDED, OutcomeCode.DRILL_GAVE_WAY)
    assert scene.notes(NoteCode.DRILL_OVER)[0]["outcome"] == OutcomeCode.DRILL_GAVE_WAY
    assert not drill.goes_on(await scene.firings())


async def test_a_real_alert_while_a_drill_is_carried_out_is_looked_at_right_after_it(
    scene: DrillScene,
) -> None:
    await scene.snapshot.refresh(PROD)
    rollback = await scene.begun()
    for who in (ALICE, BOB):
        rollback = await scene.vote(who, rollback)

    async def meanwhile() -> None:
        await scene.arrives(await real(scene))
        await scene.take_in()

    scene.target.before("publish", meanwhile)
    rollback = await scene.run(rollback)
    assert rollback.state is State.COMPLETED
    case = await scene.the_case()
    assert case.assess_at is not None
    await scene.go()

    looked = (await scene.the_case()).finding
    assert looked is not None
    assert looked.code is not FindingCode.DRILL
    assert looked.newest_firing_id > 0
    await scene.seen()
    drilled = next(one for one in await scene.rollbacks() if one.drill)
    assert drilled.recovery is not None
    assert drilled.recovery.state is RecoveryState.RECOVERED, "the drill's own alert is over"


async def test_a_drill_that_comes_after_a_real_alert_gives_way_at_once(scene: DrillScene) -> None:
    await scene.snapshot.refresh(PROD)
    assert (await scene.typed(DAVE, "drill"))["code"] == "drill_begun"
    await scene.arrives(await real(scene))
    await scene.go()

    case = await scene.the_case()
    assert case.finding is not None
    assert case.finding.code not in {FindingCode.DRILL, FindingCode.NO_DRILL}
    assert not drill.goes_on(await scene.firings())
    assert scene.notes(NoteCode.DRILL_OVER)[0]["outcome"] == OutcomeCode.DRILL_GAVE_WAY


async def test_whoever_picks_another_version_goes_on_with_the_drill(scene: DrillScene) -> None:
    await scene.snapshot.refresh(PROD)
    await scene.begun()
    again = await scene.asked(1)
    await scene.go()

    assert (again.drill, again.requested_by) == (True, DAVE)
    assert scene.notes(NoteCode.DRILL_OVER) == []
    await scene.carried_out(again)
    await scene.seen()
    (report,) = scene.notes(NoteCode.DRILL_OVER)
    assert report["stop"] == ""
    async with scene.store.read() as tx:
        assert await tx.versions.condemned(PROD) == frozenset()


async def test_what_a_person_asks_for_before_the_look_is_a_part_of_the_drill(
    scene: DrillScene,
) -> None:
    await scene.snapshot.refresh(PROD)
    assert (await scene.typed(DAVE, "drill"))["code"] == "drill_begun"
    await scene.take_in()
    asked = await scene.asked(1)
    await scene.go()

    assert asked.drill
    assert len(await scene.rollbacks()) == 1
    await scene.carried_out(asked)
    await scene.seen()
    assert scene.notes(NoteCode.DRILL_OVER)[0]["stop"] == ""


async def test_a_request_with_an_app_that_serves_people_ends_the_drill(scene: DrillScene) -> None:
    await scene.snapshot.refresh(PROD)
    other = ExecutionScene.of(scene.store)
    other.target.name = "dify.other"
    other.publish(GOOD, BAD)
    scene.places[BILLING], scene.channels[BILLING] = (other.target, APP), CHANNEL
    await scene.begun()
    await scene.snapshot.refresh(BILLING)

    together = await scene.propose.requested(
        PROD,
        1,
        by=await scene.directory.member(DAVE),
        channel=CHANNEL,
        response_url="",
        also=[(BILLING, 1)],
    )
    await scene.go()

    assert not together.drill
    (report,) = scene.notes(NoteCode.DRILL_OVER)
    assert (report["stop"], report["outcome"]) == ("approval", OutcomeCode.OTHER_VERSION)
    assert not drill.goes_on(await scene.firings())


async def test_a_request_after_a_drill_is_no_drill_and_has_a_case_of_its_own(
    scene: DrillScene,
) -> None:
    await scene.snapshot.refresh(PROD)
    rollback = await scene.begun()
    await scene.reject(BOB, rollback, "no time")
    await scene.judge()
    await scene.go()

    asked = await scene.asked(1)

    assert not asked.drill
    assert asked.case_id != rollback.case_id


async def test_a_drill_that_opens_in_the_moment_of_a_real_alert_makes_way_first(
    scene: DrillScene,
) -> None:
    await scene.snapshot.refresh(PROD)
    await scene.begun()
    await scene.arrives(await real(scene))
    worker = TakeIn(scene.store, scene.channels, meaning=lambda _: None, nudge=lambda: None)

    async def too_early(_worker: TakeIn, _where: AppEnv) -> None:
        """It looked before the drill was opened."""

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TakeIn, "_make_way", too_early)
        assert await worker.step()
    async with scene.store.read() as tx:
        assert len(await tx.alerts.unassigned([PROD])) == 1

    await scene.go()
    assert (await scene.rollbacks())[-1].outcome == OutcomeCode.DRILL_GAVE_WAY


async def test_drills_do_not_count_for_the_limit_on_suggestions(scene: DrillScene) -> None:
    scene.policies = {"prod": replace(POLICY, most_suggested=1)}
    await scene.snapshot.refresh(PROD)
    await scene.whole()
    await scene.whole()
    await FollowUp(scene.store).close_cases()

    scene.publish_by_hand(EDIT)
    await scene.snapshot.refresh(PROD)
    await scene.arrives(await real(scene))
    await scene.go()

    finding = (await scene.the_case()).finding
    assert finding is not None
    assert finding.code is not FindingCode.COOLING_DOWN


async def test_what_was_answered_to_drills_is_not_heard(scene: DrillScene) -> None:
    await scene.snapshot.refresh(PROD)
    rollback = await scene.begun()
    await scene.reject(BOB, rollback, "no time")
    await scene.judge()
    await scene.go()

    async with scene.store.read() as tx:
        said = await heard(tx, PROD, drill.ALERT, now=await tx.now())
    assert said.rejected == 0
    assert await LookingBack(scene.store, scene.rules).past(since=NOON - 100 * LONG) == []


# -- who, and where -------------------------------------------------------------------------------


def always_frozen() -> Policy:
    from zoneinfo import ZoneInfo

    from bot.domain.windows import Windows, parse

    every = [f"{day} 00:00-24:00" for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")]
    return replace(POLICY, freeze=Windows(tuple(map(parse, every)), ZoneInfo("UTC")))


async def refused(scene: DrillScene, who: str = DAVE, text: str = f"drill {PROD}") -> str:
    answer = await scene.typed(who, text)
    assert answer["code"] == "refused"
    assert not drill.goes_on(await scene.firings())
    return str(answer["text"])


async def test_another_app_is_refused_with_how_to_mark_one(scene: DrillScene) -> None:
    await scene.snapshot.refresh(PROD)
    scene.drills = set()

    said = await refused(scene)

    assert "a drill really rolls back" in said.casefold()
    assert "`drill = true`" in said
    (entry,) = await scene.entries("drill.")
    assert (entry.action, entry.status, entry.user_id) == ("drill.start", "refused", DAVE)
    assert "`drill = true`" in await refused(scene, text="drill")


async def test_who_may_not_ask_begins_no_drill(scene: DrillScene) -> None:
    await scene.snapshot.refresh(PROD)
    scene.policies = {"prod": replace(POLICY, requesters=(), viewers=(DAVE,))}

    assert "policy names who may" in await refused(scene)
    assert "There is no app for drills" in await refused(scene, text="drill")


async def test_of_several_drill_apps_one_has_to_be_named(scene: DrillScene) -> None:
    await scene.snapshot.refresh(PROD)
    scene.drills |= {BILLING.app}
    scene.channels[BILLING] = CHANNEL

    said = await refused(scene, text="drill")

    assert f"`/rollback drill {BILLING}`, `/rollback drill {PROD}`" in said


async def test_one_drill_at_a_time_until_it_was_seen_whether_it_helped(scene: DrillScene) -> None:
    await scene.snapshot.refresh(PROD)
    assert (await scene.typed(DAVE, "drill"))["code"] == "drill_begun"
    assert "under way already" in (await scene.typed(DAVE, "drill"))["text"]
    await scene.go()
    assert "under way already" in (await scene.typed(DAVE, "drill"))["text"]

    await scene.carried_out((await scene.rollbacks())[0])
    assert "still being watched" in (await scene.typed(DAVE, "drill"))["text"]
    await scene.seen()
    assert (await scene.typed(DAVE, "drill"))["code"] == "drill_begun"


async def test_a_real_rollback_or_a_real_alert_is_in_the_way(scene: DrillScene) -> None:
    await scene.snapshot.refresh(PROD)
    await scene.asked(1)
    assert "A rollback of this app is open already" in await refused(scene)


async def test_a_real_alert_is_in_the_way(scene: DrillScene) -> None:
    await scene.snapshot.refresh(PROD)
    await scene.arrives(await real(scene))
    assert "fires now" in await refused(scene)
    await scene.take_in()
    assert "fires now" in await refused(scene)


async def test_a_freeze_refuses_it(scene: DrillScene) -> None:
    await scene.snapshot.refresh(PROD)
    scene.policies = {"prod": always_frozen()}

    assert "is rolled back until" in await refused(scene)


async def test_paused_suggestions_and_a_paused_database_refuse_it(scene: DrillScene) -> None:
    await scene.snapshot.refresh(PROD)
    async with scene.store.write() as tx:
        until = await tx.now() + LONG
        await tx.suggestions.pause(PROD, until, slack_id=ALICE, reason="", entry=ENTRY)
    assert "`/rollback resume support-triage@prod` ends that" in await refused(scene)

    async with scene.store.write() as tx:
        await tx.suggestions.resume(PROD, entry=ENTRY)
        await tx.pause.mark(PauseOrigin.PERSON, "moving", entry=ENTRY)
    assert "Keyturn is paused" in await refused(scene)


async def test_an_app_with_nothing_to_go_back_to_is_refused(sqlite_store: Store) -> None:
    scene = DrillScene.of(sqlite_store)
    assert isinstance(scene, DrillScene)
    scene.publish(GOOD)
    assert "Nothing of `support-triage@prod` is stored yet" in await refused(scene)
    await scene.snapshot.refresh(PROD)
    assert "Change something in it" in await refused(scene)
