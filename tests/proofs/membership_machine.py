"""People come and go while others vote, executors work and die, and editors save and publish.

The real services run on SQLite; Slack and Dify are fakes that obey their rules and remember what
they told. After each step every lifecycle event that is new is held against the promises.
"""

from __future__ import annotations

import asyncio
import shutil
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from itertools import count, product
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bot.domain import approval, button
from bot.domain.policy import Policy
from bot.errors import Ambiguous, BotError, UpstreamDown, UpstreamRefused
from bot.services.follow_up import FollowUp
from bot.services.places import Places
from bot.services.resume import Resume, pause_entry
from store import chain, failpoint
from store.audit import verify
from store.records import (
    Choice,
    InboxKind,
    NewInboxItem,
    PauseOrigin,
    Rollback,
    State,
)
from store.rollback_form import from_json
from store.session import SqlStore, open_store
from tests.acceptance.test_crashes import FAILPOINTS
from tests.builders import ALICE, BOB, CAROL, CHANNEL, DAVE, KEYS, NOON, PROD, REVIEWERS, TEAM
from tests.fakes.slack import FakeMessenger
from tests.proofs.trial import Clock
from tests.proofs.witness import Heard, WitnessedDirectory, WitnessedTarget, asking, standing
from tests.unit.services.execution_scene import APP, ExecutionScene
from tests.unit.services.scene import Asked, a_document

EVE, GUEST, STRANGER = "U0EVE", "U0GUEST", "U0STRANGER"
ALICE_TOO, DAVE_TOO = "U0ALICE2", "U0DAVE2"  # second accounts
NOBODY = "U0NOBODY"  # Slack knows no such account
LAWYERS = "S0LAWYERS"
VOTING = (ALICE, BOB, CAROL, ALICE_TOO)
ACCOUNTS = (*VOTING, DAVE, DAVE_TOO, EVE, GUEST, STRANGER, NOBODY)
PROMPTS = ("Answer kindly.", "Answer wrongly.", "Answer in rhyme.", "Answer in prose.")
A_LEASE_S = 60  # longer than any

people = st.one_of(st.sampled_from(VOTING), st.sampled_from(ACCOUNTS))
groups = st.sampled_from((REVIEWERS, REVIEWERS, LAWYERS))
prompts = st.sampled_from(PROMPTS)
policies = st.builds(
    partial(Policy, reviewers=(REVIEWERS,), requesters=(DAVE, EVE), named=True),
    votes=st.sampled_from((2, 2, 2, 1, 3)),
    vetoes=st.sampled_from((1, 1, 2)),
    each_of=st.sampled_from(((), (), (LAWYERS,), (REVIEWERS, LAWYERS))),
)


@dataclass(frozen=True)
class Deed:
    """Something that somebody does, perhaps in the middle of what another does."""

    kind: str
    who: str = ALICE
    group: str = REVIEWERS
    prompt: str = PROMPTS[0]


COMING_AND_GOING = ("leave", "leave", "leave", "join", "join", "join", "deactivate", "come back")
deeds = st.builds(
    Deed,
    st.sampled_from((*COMING_AND_GOING, "save", "publish")),
    people,
    groups,
    prompts,
)
leaving = st.builds(Deed, st.just("leave"), st.sampled_from(VOTING))
calls = st.tuples(st.sampled_from(("live", "live", "draft", "stage", "publish")), st.integers(0, 2))
meanwhile = st.lists(st.tuples(calls, deeds), max_size=2)
BEFORE_WRITES = ("execute:claimed", "execute:before_draft_write", "execute:before_publish")
points = st.one_of(st.just(""), st.sampled_from(FAILPOINTS), st.sampled_from(BEFORE_WRITES))
faults = st.sampled_from(
    (
        (UpstreamDown("dify", "no answer"), False),
        (Ambiguous("dify", "the answer was lost before it was applied"), False),
        (Ambiguous("dify", "the answer was lost after it was applied"), True),
        (UpstreamRefused("dify", "no", "refused"), False),
    )
)


@dataclass
class Seen:
    """What happened in all runs of the machine: that it reached what it is about."""

    steps: int = 0
    happened: Counter[str] = field(default_factory=Counter)


class Membership(RuleBasedStateMachine):
    """One app, and everybody who has to do with its rollbacks."""

    def __init__(self, template: Path, seen: Seen) -> None:
        super().__init__()
        self.seen = seen
        self.folder = Path(mkdtemp(prefix="keyturn-membership-"))
        shutil.copyfile(template, self.folder / "keyturn.db")
        self.runner = asyncio.Runner()
        self.clock = Clock(NOON)
        self.directory = WitnessedDirectory()
        self.target = WitnessedTarget(lambda: self.directory.heard, clock=self.clock)
        url = f"sqlite:///{self.folder / 'keyturn.db'}"
        opening = open_store(url, moves=approval.MOVES, clock=self.clock, durable=False)
        self.store: SqlStore = self.runner.run(opening)
        self.scene = ExecutionScene(
            self.store, self.directory, FakeMessenger(), Asked(), [], target=self.target
        )
        self.scene.places[PROD] = (self.target, APP)
        self.digests = count(1)
        self.sent: list[NewInboxItem] = []
        self.cards: list[Rollback] = []  # what the buttons in the channel were signed for
        self.pressed: set[tuple[int, str, Choice]] = set()
        self.at_open: dict[int, frozenset[str]] = {}
        self.counted: set[tuple[int, str]] = set()  # whose approval was lawful when it was given
        self.as_seen: dict[int, Rollback] = {}
        self.events_seen: Counter[int] = Counter()
        self.before = (0, 0)  # when the service began: answers about live, publishes by editors
        self.claimed_at: dict[int, tuple[int, int]] = {}  # the same, before it was claimed
        self.publishes_seen = 0
        self.audited, self.head = 0, chain.GENESIS
        self.paused = False

    def teardown(self) -> None:
        failpoint.arm("")
        try:
            whole = self.runner.run(verify(self.store))
            assert whole.ok, whole.why
        finally:
            self.runner.run(self.store.close())
            self.runner.close()
            shutil.rmtree(self.folder)

    # -- who there is -----------------------------------------------------------------------------

    @initialize(policy=policies, lawyers=st.sets(st.sampled_from(VOTING), min_size=1))
    def begin(self, policy: Policy, lawyers: set[str]) -> None:
        """Everybody is there, and the app has a history."""
        self.directory.add(EVE)
        self.directory.add(ALICE_TOO, person=ALICE)
        self.directory.add(DAVE_TOO, person=DAVE)
        self.directory.add(GUEST, guest=True)
        self.directory.add(STRANGER, stranger=True)
        self.directory.groups[REVIEWERS] |= {ALICE_TOO, GUEST, STRANGER, NOBODY}
        self.directory.groups[LAWYERS] = frozenset(lawyers)
        self.scene.policies["prod"] = policy
        self.target.add_app(APP)
        for hour, prompt in enumerate(PROMPTS[:3]):
            at = NOON - timedelta(hours=3 - hour)
            self.target.publish_document(APP, a_document(prompt), at=at)
        self.target.save_draft(APP, a_document("Not published yet."))
        self._ask(DAVE, 1)

    @rule(some=st.lists(deeds, min_size=1, max_size=3))
    def happens(self, some: list[Deed]) -> None:
        """People come, go, save and publish."""
        for deed in some:
            self._do(deed)

    @rule(questions=st.integers(1, 3))
    def slack_is_silent(self, questions: int) -> None:
        """Slack does not answer the next questions."""
        self.directory.silent_for = questions

    # -- what they press --------------------------------------------------------------------------

    @precondition(lambda self: self._open() is None)
    @rule(who=st.sampled_from((DAVE, DAVE, EVE, ALICE)), number=st.integers(1, 4))
    def ask(self, who: str, number: int) -> None:
        """Somebody asks for a rollback."""
        self._ask(who, number)

    @rule(who=st.sampled_from((DAVE, EVE, BOB)), number=st.integers(1, 3))
    def ask_for_another(self, who: str, number: int) -> None:
        """Somebody asks while one is open, perhaps for another version."""
        self._ask(who, number)

    @rule(
        who=people,
        old=st.sampled_from((0, 0, 0, 0, 1)),
        then=st.lists(deeds, max_size=1),
        judged=st.sampled_from((True, True, False)),
    )
    def approve(self, who: str, old: int, then: list[Deed], judged: bool) -> None:
        """Somebody presses Approve; *then* follows the first thing that Slack is asked."""
        self._press(who, Choice.APPROVE, old)
        self.directory.then = [partial(self._do, deed) for deed in then]
        if judged:
            self.judge(workers=1)

    @rule(who=st.lists(st.sampled_from(VOTING), min_size=2, max_size=3, unique=True))
    def turn(self, who: list[str]) -> None:
        """Some press at the same instant, and two judges look."""
        for person in who:
            self._press(person, Choice.APPROVE)
        self.judge(workers=2)

    @rule(
        who=st.lists(st.sampled_from(VOTING), min_size=2, unique=True),
        between=st.lists(deeds, max_size=2),
        point=points,
        happening=meanwhile,
        after=st.lists(st.one_of(leaving, deeds), min_size=1, max_size=3),
    )
    def goes_its_way(
        self,
        who: list[str],
        between: list[Deed],
        point: str,
        happening: list[tuple[tuple[str, int], Deed]],
        after: list[Deed],
    ) -> None:
        """What usually happens: asked for, approved, and executed; with things in between.

        An executor that died is followed by another, and *after* is what happens until then.
        """
        self._act(_all_of(self._resume()))
        if self._open() is None:
            for kind, person in product(("come back", "join"), who):
                self._do(Deed(kind, person))
                self._do(Deed(kind, person, LAWYERS))
            self._ask(DAVE, 1 + len(self.cards) % 3)
        self.turn(who)
        self.happens(between)
        self.execute(point, happening, 0)
        self.happens(after)
        self.execute("", [], A_LEASE_S)

    @rule(who=people, judged=st.booleans())
    def reject(self, who: str, judged: bool) -> None:
        """Somebody rejects; the requester withdraws by it."""
        self._press(who, Choice.REJECT)
        if judged:
            self.judge(workers=1)

    @precondition(lambda self: bool(self.sent))
    @rule(back=st.integers(1, 6))
    def slack_sends_again(self, back: int) -> None:
        """The same signed bytes come once more."""
        before = {key: self._bare(value) for key, value in self.as_seen.items()}
        self._send(self.sent[-min(back, len(self.sent))], new=False)
        self._look()
        assert {key: self._bare(value) for key, value in self.as_seen.items()} == before

    @rule(who=people, verb=st.sampled_from(("take-back", "take-back", "withdraw")))
    def take_back(self, who: str, verb: str) -> None:
        """Somebody takes back what may be theirs."""
        words = {"text": f"{verb} {PROD}", "channel": CHANNEL, "response_url": ""}
        self._send(self._item(InboxKind.COMMAND, "/rollback", who, words))
        self.judge(workers=1)

    @rule(workers=st.integers(1, 2))
    def judge(self, workers: int) -> None:
        """All that waits is judged, by several at once perhaps; what Slack cannot say waits on."""
        for _ in range(4):
            judges = [self.scene.decide(f"judge-{n}") for n in range(workers)]
            worked = self._act(_all_of(*(judge.step() for judge in judges)))
            if not any(done is True for done in worked):
                break
        self.directory.then = []

    # -- what the service does --------------------------------------------------------------------

    @rule(point=points, happening=meanwhile, later=st.sampled_from((0, 0, A_LEASE_S)))
    def execute(
        self, point: str, happening: list[tuple[tuple[str, int], Deed]], later: int
    ) -> None:
        """An executor does one step, and may die at *point*; things happen between its calls."""
        self.clock.now += timedelta(seconds=later)
        for (method, nth), deed in happening:
            for _ in range(nth):
                self.target.before(method, lambda: None)
            self.target.before(method, partial(self._do, deed))
        failpoint.arm(f"{point}=raise" if point else "")
        try:
            self._act(_all_of(self.scene.executor("one").step()))
        finally:
            failpoint.arm("")
            self.target.forget_plans()

    @rule(then=st.lists(deeds, max_size=2), later=st.sampled_from((0, A_LEASE_S)))
    def two_execute(self, then: list[Deed], later: int) -> None:
        """Two executors see the same; deeds follow what Slack tells them."""
        self.clock.now += timedelta(seconds=later)
        self.directory.then = [partial(self._do, deed) for deed in then]
        self._act(_all_of(*(self._steps(name) for name in ("one", "two"))))
        self.directory.then = []

    async def _steps(self, name: str) -> object:
        """One executor's step, in a task of its own: what it is told is noted for it alone."""
        asking.set(name)
        return await self.scene.executor(name).step()

    @rule(method=st.sampled_from(("live", "draft", "stage", "publish")), fault=faults)
    def target_fails(self, method: str, fault: tuple[Exception, bool]) -> None:
        """The next such call does not get through, or is applied and its answer lost."""
        error, applied = fault
        self.target.fail(method, error, applied=applied)

    @rule(minutes=st.sampled_from((1, 1, 5, 31)), looked_at=st.booleans())
    def time_passes(self, minutes: int, looked_at: bool) -> None:
        """It gets later, and what is overdue may be looked at."""
        self.clock.now += timedelta(minutes=minutes)
        if looked_at:
            self._act(_all_of(FollowUp(self.store).expire_overdue()))

    @rule()
    def snapshot(self) -> None:
        """The clock has the target read."""
        self._act(_all_of(self.scene.snapshot.refresh(PROD)))

    @rule(resumed=st.booleans())
    def pause(self, resumed: bool) -> None:
        """An operator pauses, or resumes after the comparison."""
        self._act(_all_of(self._resume() if resumed else self._pause()))

    async def _pause(self) -> None:
        async with self.store.write() as tx:
            entry = pause_entry("maintenance", restored=False)
            await tx.pause.mark(PauseOrigin.PERSON, "maintenance", entry=entry)
        self.paused = True

    async def _resume(self) -> None:
        async with self.store.read() as tx:
            paused = await tx.pause.current()
        if paused is None:
            return
        places = Places({PROD: (self.target, APP)})
        resuming = Resume(self.store, places, lambda _: self.scene.snapshot)
        await resuming.carry_out(await resuming.compare(paused, None), accepted=True)
        self.paused = False

    # -- hands ------------------------------------------------------------------------------------

    def _do(self, deed: Deed) -> None:
        match deed.kind:
            case "leave":
                self.directory.leave(deed.who, deed.group)
            case "join":
                self.directory.groups[deed.group] |= {deed.who}
            case "deactivate" | "come back" if deed.who in self.directory.members:
                self.directory.change(deed.who, deleted=deed.kind == "deactivate")
            case "save":
                self.target.save_draft(APP, a_document(deed.prompt))
            case "publish":
                self.target.publish_document(APP, a_document(deed.prompt), by="carol")
            case _:
                pass

    def _ask(self, who: str, number: int) -> None:
        async def ask() -> None:
            await self.scene.asked(number, by=who, reason="it was better")
            await self.scene.tell()

        self._act(_all_of(ask()))
        if (opened := self._open()) is not None:
            self.cards.append(opened)

    def _press(self, who: str, choice: Choice, old: int = 0) -> None:
        if not self.cards:
            return
        rollback = self.cards[-1 - min(old, len(self.cards) - 1)]
        if not old:  # the card is drawn anew with each change
            rollback = self.as_seen[rollback.id]
        place = {"channel": CHANNEL, "ts": self._place(rollback), "response_url": ""}
        value = button.sign(rollback, choice.value, keys=KEYS)
        said = {"value": value, **place}
        if choice is Choice.REJECT:
            kind, said = InboxKind.SUBMISSION, {**said, "reason": "the fix is on its way"}
        else:
            kind = InboxKind.CLICK
        self.pressed.add((rollback.id, who, choice))
        self._send(self._item(kind, choice.value, who, said))

    def _place(self, rollback: Rollback) -> str:
        return self.runner.run(self.scene.case(rollback)).card_ts

    def _item(self, kind: InboxKind, action: str, who: str, said: dict[str, Any]) -> NewInboxItem:
        return NewInboxItem(f"digest{next(self.digests)}", kind, action, who, TEAM, said)

    def _send(self, item: NewInboxItem, *, new: bool = True) -> None:
        async def put() -> bool:
            async with self.store.write() as tx:
                return await tx.inbox.put(item)

        assert self.runner.run(put()) is new, "the same bytes were taken for something new"
        if new:
            self.sent.append(item)

    def _open(self) -> Rollback | None:
        return next((r for r in self.as_seen.values() if r.open), None)

    def _act(self, act: Coroutine[Any, Any, list[object]]) -> list[object]:
        """Let the service do something, and look at all that came of it."""
        self.directory.heard_by.clear()
        self.before = (len(self.target.told_live), self.target.by_editors)
        came = self.runner.run(act)
        self._look(self.directory.heard)
        return came

    # -- what must be true ------------------------------------------------------------------------

    @invariant()
    def nothing_moves_by_itself(self) -> None:
        """Look also where nothing was done: a rollback moves by the service's hand alone."""
        self.seen.steps += bool(self.as_seen)
        self._look()

    def _look(self, heard: Heard | None = None) -> None:
        heard = heard or Heard()
        for rollback_id, events, row in self.runner.run(self._news()):
            before = self.as_seen.get(rollback_id)
            for after in events:
                self._hold(before, after, heard)
                before = after
            assert before is not None
            assert self._bare(before) == self._bare(row), "the events do not lead to the row"
            self.as_seen[rollback_id] = row
        for publish in self.target.published[self.publishes_seen :]:
            self._held_by_a_quorum(self._known_as(publish.name), publish.heard, "published")
            self.seen.happened["published"] += 1
        self.publishes_seen = len(self.target.published)

    async def _news(self) -> list[tuple[int, list[Rollback], Rollback]]:
        """(id, as it was after each event that is new, its row), and the chain's new links."""
        found = []
        async with self.store.read() as tx:
            for row in reversed(await tx.rollbacks.newest(limit=3)):
                known = self.as_seen.get(row.id)
                if known is not None and known.revision == row.revision:
                    continue
                events = (await tx.events.of("rollback", row.id))[self.events_seen[row.id] :]
                self.events_seen[row.id] += len(events)
                found.append((row.id, [from_json(event.data) for event in events], row))
            entries = await tx.audit.entries(after=self.audited)
            head = await tx.audit.head()
        for entry in entries:
            flaw = chain.flaw(entry, seq=self.audited + 1, prev=self.head)
            assert not flaw, flaw
            self.audited, self.head = entry.seq, entry.hash
        assert head == (self.audited, self.head), "the chain does not end at its head"
        return found

    @staticmethod
    def _bare(rollback: Rollback) -> Rollback:
        """Without what is renewed without an event."""
        return replace(rollback, execution=replace(rollback.execution, lease_until=None))

    def _hold(self, before: Rollback | None, after: Rollback, heard: Heard) -> None:
        """Hold one event against the promises."""
        if before is None:
            assert after.state is State.DRAFT
            self._opened(after, heard)
            return
        if after.state is not before.state:
            assert after.state in approval.MOVES[before.state], f"{before.state} → {after.state}"
            self.seen.happened[after.state.value] += 1
        self._votes(before, after, heard)
        match (before.state, after.state):
            case (State.APPROVED, State.EXECUTING):
                self._claimed(after, heard)
            case (State.EXECUTING, State.EXECUTING) if (
                after.execution.lease_epoch > before.execution.lease_epoch
            ):
                self.seen.happened["taken over"] += 1
                assert not self.paused
            case (_, State.COMPLETED):
                self._completed(after)
            case (_, State.FAILED):
                self._failed(after)
            case (State.APPROVED | State.PENDING_APPROVAL, State.EXPIRED):
                assert self.clock.now >= after.expires_at
            case _:
                pass
        assert self.target.named(f"rollback-{after.id}-") <= 1, "published more than once"

    def _opened(self, rollback: Rollback, heard: Heard) -> None:
        assert not self.paused
        named = [
            self.directory.person_of(account)
            for entry in rollback.policy.voters
            for account in heard.groups[entry]
        ]
        self.at_open[rollback.id] = frozenset(named) - {rollback.requested_by}
        assert set(rollback.policy.eligible) == self.at_open[rollback.id]

    def _votes(self, before: Rollback, after: Rollback, heard: Heard) -> None:
        """A vote is by one who pressed, may vote now, and could when it was opened."""
        for vote in after.votes[len(before.votes) :]:
            assert (after.id, vote.slack_id, vote.choice) in self.pressed
            assert heard.may_vote(vote, after.policy), f"{vote.slack_id} may not vote"
            assert vote.person in self.at_open[after.id], f"{vote.slack_id} could not vote"
            assert vote.person != after.requested_by
            assert not self.paused
            assert before.open
            assert self.clock.now < after.expires_at
            if vote.choice is Choice.APPROVE:
                self.counted.add((after.id, vote.slack_id))
        was_void = sum(vote.voided_at is not None for vote in before.votes)
        if sum(vote.voided_at is not None for vote in after.votes) > was_void:
            self.seen.happened["a vote void"] += 1
        by = [vote.person for vote in standing(after)]
        assert len(by) == len(set(by)), "one person's two votes"
        if after.state is State.PENDING_APPROVAL and not after.policy.each_of:
            assert len(by) < after.policy.votes, "nobody is stuck with a quorum"

    def _held_by_a_quorum(self, rollback: Rollback, heard: Heard, what: str) -> None:
        """Enough people agree, and Slack has just said of each that they still may."""
        votes = standing(rollback)
        for vote in votes:
            assert vote.person != rollback.requested_by, f"{what} on the requester's own vote"
            assert vote.person in self.at_open[rollback.id], f"{what}: {vote.person} came later"
            assert (rollback.id, vote.slack_id) in self.counted, f"{what}: no lawful click"
        now = [vote for vote in votes if heard.may_vote(vote, rollback.policy)]
        assert len({vote.person for vote in now}) >= rollback.policy.votes, (
            f"{what} without a quorum of people who may vote now"
        )
        assert heard.stand_for_all(now, rollback.policy), f"{what} without one of each"

    def _claimed(self, rollback: Rollback, heard: Heard) -> None:
        """It was claimed on what its very executor was told."""
        heard = self.directory.heard_by.get(rollback.execution.owner, heard)
        assert not self.paused
        assert self.clock.now < rollback.expires_at
        assert rollback.id not in self.claimed_at, "executed twice"
        self._held_by_a_quorum(rollback, heard, "executed")
        self.claimed_at[rollback.id] = self.before

    def _completed(self, rollback: Rollback) -> None:
        told, editors = self.claimed_at[rollback.id]
        wanted, old = rollback.leg.expected_root, rollback.leg.live_external_id
        read = {root for version, root in self.target.told_live[told:] if version != old}
        assert wanted in read, "completed without a read-back"
        if editors == self.target.by_editors:
            assert self.scene.live.root == wanted, "completed, and something else is live"

    def _failed(self, rollback: Rollback) -> None:
        _, editors = self.claimed_at[rollback.id]
        if editors == self.target.by_editors:
            assert self.scene.live.root == rollback.leg.live_root, "failed, and not the old is live"

    def _known_as(self, name: str) -> Rollback:
        number = name.split("-")[1]
        return self.as_seen[int(number)]


async def _all_of(*doings: Coroutine[Any, Any, object]) -> list[object]:
    """Let all go on side by side; what they may not do and what kills them is their result."""
    ends = await asyncio.gather(*doings, return_exceptions=True)
    for end in ends:
        if isinstance(end, BaseException) and not isinstance(end, BotError | failpoint.Failed):
            raise end
    return list(ends)


def a_machine(template: Path, seen: Seen) -> Callable[[], Membership]:
    """What makes a machine for each example, on a copy of the migrated *template*."""
    return lambda: Membership(template, seen)
