"""Whatever happens in whatever order: never APPROVED without the quorum, nor by break-glass."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from bot.domain import approval, glass, policy, quorum
from bot.domain.button import Claim
from bot.domain.policy import MemberFacts
from bot.domain.words import OutcomeCode
from bot.errors import Refused
from store.records import Choice, Glass, IllegalMove, Rollback, State, Vote
from tests.builders import (
    ALICE,
    BOB,
    CAROL,
    DAVE,
    NOON,
    REVIEWERS,
    TEAM,
    a_policy,
    a_rollback,
    a_vote,
)

PEOPLE = (ALICE, BOB, CAROL, DAVE, "U0EVE")
SECOND = {person + "2": person for person in PEOPLE}  # everybody has a second account
ACCOUNTS = (*PEOPLE, *SECOND)
ADMINS = "S0ADMINS"
REASONS = ("soon", "nobody else is awake and the shop is down")


class Approval(RuleBasedStateMachine):
    """People vote, break the glass, leave and join, buttons get old, it freezes, time passes."""

    claims = Bundle("claims")

    @initialize(
        target=claims,
        requester=st.sampled_from((quorum.KEYTURN, *PEOPLE)),
        votes=st.integers(1, 3),
        vetoes=st.integers(1, 2),
        eligible=st.sets(st.sampled_from(PEOPLE)),
        breakers=st.one_of(st.just(set(PEOPLE)), st.sets(st.sampled_from(PEOPLE))),
    )
    def open(
        self, requester: str, votes: int, vetoes: int, eligible: set[str], breakers: set[str]
    ) -> Claim:
        self.at = NOON
        self.frozen = False
        self.group = set(ACCOUNTS) - {"U0EVE", "U0EVE2"}
        self.admins = {account for account in ACCOUNTS if SECOND.get(account, account) in breakers}
        rules = a_policy(
            votes=votes,
            vetoes=vetoes,
            eligible=tuple(sorted(eligible - {requester})),
            break_glass=(ADMINS,) if breakers else (),
            breakers=tuple(sorted(breakers)),
        )
        draft = a_rollback(state=State.DRAFT, requested_by=requester, policy=rules)
        self.rollback = approval.present(draft)
        self.good: set[str] = set()  # the model: who has a vote that counts
        self.against: set[str] = set()  # and who has a reject that stands
        self.clicked: set[tuple[str, int]] = set()
        return self._claim()

    def _claim(self) -> Claim:
        now = self.rollback
        return Claim(now.id, now.round, now.nonce, "0" * 64)

    def _try(self, step: Any) -> Rollback | None:
        """Take a step that may be refused; then nothing has changed."""
        before = self.rollback
        try:
            after: Rollback = step(before)
        except (Refused, IllegalMove):
            return None
        assert after.state is before.state or after.state in approval.MOVES[before.state]
        self.rollback = after
        return after

    @rule(
        claim=claims,
        account=st.sampled_from(ACCOUNTS),
        choice=st.sampled_from((Choice.APPROVE, Choice.APPROVE, Choice.REJECT)),
    )
    def click(self, claim: Claim, account: str, choice: Choice) -> None:
        person = SECOND.get(account, account)
        before = self.rollback
        why_not = policy.why_not(
            MemberFacts(account, person, TEAM),
            policy=before.policy,
            groups={REVIEWERS: frozenset(self.group)},
            team_id=TEAM,
            at_open=frozenset(before.policy.eligible),
            shared_channel=False,
        )
        vote: Vote = a_vote(person, slack_id=account, choice=choice, reason="because")
        after = self._try(
            lambda now: approval.cast(now, vote, at=self.at, claim=claim, why_not=why_not)
        )
        if after is None:
            return
        waiting = {State.PENDING_APPROVAL}
        assert before.state in (waiting if choice is Choice.APPROVE else approval.NOT_STARTED)
        assert account in self.group
        assert person in before.policy.eligible
        assert person != before.requested_by
        assert claim.round == before.round
        assert self.at < before.expires_at
        if choice is Choice.APPROVE:
            assert person not in self.good
            self.good.add(person)
        else:
            self.good.discard(person)
            assert person not in self.against
            self.against.add(person)
            enough = len(self.against) >= before.policy.vetoes
            assert (after.state is State.REJECTED) == enough

    @rule(account=st.sampled_from(ACCOUNTS))
    def take_back(self, account: str) -> None:
        person = SECOND.get(account, account)
        before = self.rollback
        after = self._try(lambda now: approval.take_back(now, person=person, at=self.at))
        if after is None:
            return
        assert before.state is State.PENDING_APPROVAL
        assert self.at < before.expires_at
        assert person in self.good | self.against
        self.good.discard(person)
        self.against.discard(person)

    @rule(claim=claims, account=st.sampled_from(ACCOUNTS))
    def double_click(self, claim: Claim, account: str) -> None:
        self.click(claim, account, Choice.APPROVE)
        again = self.rollback
        self.click(claim, account, Choice.APPROVE)
        assert self.rollback == again or SECOND.get(account, account) in self.good

    @rule(
        claim=claims,
        account=st.sampled_from(ACCOUNTS),
        reason=st.sampled_from((*REASONS, REASONS[1])),
    )
    def break_glass(self, claim: Claim, account: str, reason: str) -> None:
        person = SECOND.get(account, account)
        before = self.rollback
        said = Glass(
            person, account, TEAM, reason, before.content_digest, 0, "", self.at, way="card"
        )
        after = self._try(
            lambda now: glass.shatter(
                now,
                said,
                at=self.at,
                claim=claim,
                why_not=self._why_no_glass(said),
                frozen=self.frozen,
            )
        )
        if after is None:
            return
        assert account in self.admins
        assert person in before.policy.breakers
        assert before.state is State.PENDING_APPROVAL or self.frozen
        assert (claim.round, reason) == (before.round, REASONS[1])
        assert self.at < before.expires_at

    @rule(account=st.sampled_from(ACCOUNTS))
    def break_glass_on_the_newest_card(self, account: str) -> None:
        self.break_glass(self._claim(), account, REASONS[1])

    @rule(account=st.sampled_from(ACCOUNTS))
    def leave_the_admins_and_break_glass(self, account: str) -> None:
        self.admins.discard(account)
        self.break_glass(self._claim(), account, REASONS[1])

    def _why_no_glass(self, said: Glass) -> str | None:
        return policy.why_no_glass(
            MemberFacts(said.slack_id, said.person, TEAM),
            policy=self.rollback.policy,
            groups={ADMINS: frozenset(self.admins)},
            team_id=TEAM,
            at_open=frozenset(self.rollback.policy.breakers),
            shared_channel=False,
        )

    @rule()
    def claim_what_the_glass_started(self) -> None:
        """As the executor does: whoever may no longer carries nothing."""
        broken = self.rollback.broken_by
        if self.rollback.state is not State.BROKEN_GLASS or self.at >= self.rollback.expires_at:
            return
        assert broken is not None
        why = self._why_no_glass(broken)
        if why is not None:
            self._try(lambda now: glass.void(now, why, at=self.at))
            assert self.rollback.broken_by is None
            return
        self._try(lambda now: approval.move(now, State.EXECUTING))
        assert broken.slack_id in self.admins

    @rule(account=st.sampled_from(ACCOUNTS))
    def leave_the_admins(self, account: str) -> None:
        self.admins.discard(account)

    @rule(frozen=st.booleans())
    def freeze(self, frozen: bool) -> None:
        self.frozen = frozen

    @rule(account=st.sampled_from(ACCOUNTS))
    def leave(self, account: str) -> None:
        self.group.discard(account)

    @rule(account=st.sampled_from(ACCOUNTS))
    def join(self, account: str) -> None:
        self.group.add(account)

    @rule(target=claims)
    def redraw(self) -> Claim:
        return self._claim()

    @rule()
    def execution_looks_again(self) -> None:
        gone = {
            vote.person: "not_reviewer"
            for vote in self.rollback.votes
            if vote.slack_id not in self.group and vote.voided_at is None
        }
        if self._try(lambda now: approval.void_votes(now, gone, at=self.at)) is not None:
            self.good -= set(gone)
            self.against -= set(gone)

    @rule(minutes=st.integers(1, 12))
    def time_passes(self, minutes: int) -> None:
        self.at += timedelta(minutes=minutes)

    @rule()
    def expire(self) -> None:
        after = self._try(lambda now: approval.expire(now, at=self.at))
        assert after is None or self.at >= after.expires_at

    @rule(person=st.sampled_from(PEOPLE))
    def withdraw(self, person: str) -> None:
        asked = self.rollback.requested_by
        after = self._try(
            lambda now: approval.withdraw(now, person=person, slack_id=person, at=self.at)
        )
        assert after is None or person == asked

    @rule(seldom=st.integers(1, 4))
    def live_changes(self, seldom: int) -> None:
        if seldom > 1:  # it ends everything: most of the time something else shall happen
            return
        self._try(lambda now: approval.supersede(now, OutcomeCode.LIVE_CHANGED, at=self.at))

    @invariant()
    def approved_means_the_quorum(self) -> None:
        if not hasattr(self, "rollback"):
            return
        now = self.rollback
        counted = {vote.person for vote in quorum.approvals(now)}
        assert counted == self.good
        assert now.requested_by not in counted
        assert counted <= set(now.policy.eligible)
        if now.state is State.BROKEN_GLASS:
            assert now.broken_by is not None
            assert now.execution.clicked_at is not None
        if now.state in (State.PENDING_APPROVAL, State.APPROVED):
            assert now.broken_by is None
        if now.state is State.EXECUTING:
            assert now.policy.break_glass  # never where it is off
            assert now.broken_by is not None
            assert now.broken_by.digest == now.content_digest
        if now.state is State.APPROVED:
            assert len(counted) >= now.policy.votes
            assert now.execution.clicked_at is not None
        if now.state is State.PENDING_APPROVAL:
            assert len(counted) < now.policy.votes  # nobody is stuck with a quorum

    @invariant()
    def an_end_is_an_end(self) -> None:
        if hasattr(self, "rollback") and self.rollback.state in approval.ENDS:
            assert self.rollback.finished_at is not None
            assert self.rollback.outcome


TestApproval = Approval.TestCase
TestApproval.settings = settings(max_examples=120, stateful_step_count=30, deadline=None)
