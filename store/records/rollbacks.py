"""A way back to a version: who wants it, who agreed, how far it has come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from store.records.places import AppEnv
from store.records.values import Json


class State(StrEnum):
    """Where a rollback stands; the legal moves are `bot.domain.approval.MOVES`."""

    DRAFT = "DRAFT"
    PENDING_APPROVAL = "PENDING_APPROVAL"
    APPROVED = "APPROVED"
    BROKEN_GLASS = "BROKEN_GLASS"  # one person starts it without approval
    EXECUTING = "EXECUTING"
    VERIFYING = "VERIFYING"
    COMPLETED = "COMPLETED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    WITHDRAWN = "WITHDRAWN"
    SUPERSEDED = "SUPERSEDED"
    FAILED = "FAILED"
    NEEDS_ATTENTION = "NEEDS_ATTENTION"


OPEN_STATES = frozenset(
    {
        State.DRAFT,
        State.PENDING_APPROVAL,
        State.APPROVED,
        State.BROKEN_GLASS,
        State.EXECUTING,
        State.VERIFYING,
    }
)


class Choice(StrEnum):
    """What a vote says."""

    APPROVE = "approve"
    REJECT = "reject"


@dataclass(frozen=True)
class Vote:
    """One person's choice on one exact content (`digest`); void when `voided_at` is set."""

    person: str
    slack_id: str
    team_id: str
    choice: Choice
    digest: str
    at: datetime
    groups: tuple[str, ...] = ()
    reason: str = ""
    voided_at: datetime | None = None
    voided_why: str = ""


@dataclass(frozen=True)
class Glass:
    """One person's breaking of the glass: their word alone, never a vote; void as votes are.

    It binds to one content (`digest`) and to the card that showed it (`round`, `nonce`). `way` is
    how it came: `card` or `command`; `in_freeze` says that the policy wanted nothing rolled back.
    """

    person: str
    slack_id: str
    team_id: str
    reason: str
    digest: str
    round: int
    nonce: str
    at: datetime
    way: str
    in_freeze: bool = False
    voided_at: datetime | None = None
    voided_why: str = ""


@dataclass(frozen=True)
class Signature:
    """One person's name under the review of a rollback that ran by break-glass."""

    person: str
    slack_id: str
    team_id: str
    at: datetime
    remark: str = ""


@dataclass(frozen=True)
class Leg:
    """One app@env of a rollback: from what is live to what shall be live.

    `expected_root` is the root of the document that execution will leave live;
    `change_digest` that of the canonical change list between live and it. `restored` says that
    the target had deleted the version by then: its content comes from our store alone. `dry_run`
    is what a dry run found then, `impact` what is behind the app; both are empty where nobody
    looked, as in an older release, and no vote binds to them.
    """

    where: AppEnv
    from_version_id: int
    to_version_id: int
    live_external_id: str
    live_root: str
    expected_root: str
    change_digest: str
    secrets: Mapping[str, Json] = field(default_factory=dict)  # what the card said of secrets
    restored: bool = False
    dry_run: Mapping[str, Json] = field(default_factory=dict)
    impact: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True)
class PolicySnapshot:
    """The policy as it stood when the rollback was opened, with who was eligible then.

    `each_of` are people and groups of whom one each must approve, `members` the persons in them
    at that time. `break_glass` are those who may start it alone, `breakers` the persons among them
    at that time; where it is empty nobody may. `publisher` is who published what is live, by e-mail
    address, if they may not vote; `publisher_person` their person id, where the configuration
    knows it. `risk` is that of the rollback where `votes` are more because of it, else "".
    """

    votes: int
    reviewers: tuple[str, ...]
    requesters: tuple[str, ...]
    viewers: tuple[str, ...]
    open_for_s: int
    named: bool  # False: the environment has no policy, so nobody is eligible
    eligible: tuple[str, ...] = ()  # person ids, sorted
    each_of: tuple[str, ...] = ()
    members: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    backups: tuple[str, ...] = ()
    vetoes: int = 1  # how many rejects end it
    publisher: str = ""
    publisher_person: str = ""
    publishers: tuple[str, ...] = ()  # persons who published what is live in the other apps
    remind_after_s: int = 0  # 0: nobody is reminded
    escalate_after_s: int = 0
    break_glass: tuple[str, ...] = ()
    breakers: tuple[str, ...] = ()  # person ids, sorted
    risk: str = ""

    @property
    def voters(self) -> tuple[str, ...]:
        """All people and groups who may vote, each once."""
        return tuple(dict.fromkeys((*self.reviewers, *self.each_of, *self.backups)))


class Step(StrEnum):
    """How far an execution came; each is committed before the call that it names is made."""

    NONE = ""
    CLAIMED = "claimed"
    STAGING = "staging"  # draft kept; content is being written to the draft
    PUBLISHING = "publishing"
    VERIFYING = "verifying"
    RETURNING = "returning"  # live is verified; the editors' draft is being put back
    UNDOING = "undoing"  # nothing was published; the editors' draft is being put back
    DONE = "done"


@dataclass(frozen=True)
class Done:
    """A leg that was verified live: one line of the undo log of a rollback of several apps.

    `undo_root` is the root of the document that putting it back leaves live. `back` is empty
    until that was tried: then "back", or the code of why it is not.
    """

    position: int
    published_id: str
    published_version_id: int
    undo_root: str
    draft_note: str = ""
    back: str = ""
    back_version_id: int | None = None


@dataclass(frozen=True)
class Execution:
    """What an execution has done so far; enough for another process to go on from here.

    All of it is about the leg at `position`, forwards or, once `back_because` says why, back
    again; `done` are the legs before it.
    """

    step: Step = Step.NONE
    owner: str = ""
    lease_epoch: int = 0
    lease_until: datetime | None = None
    attempt: int = 0
    not_before: datetime | None = None
    kept_draft_id: int | None = None  # the version row that holds the editors' draft
    kept_token: str = ""  # the draft's hash when it was read
    staged_token: str = ""  # the hash that our own last write returned
    published_id: str = ""  # the target's id of what we published
    published_version_id: int | None = None
    draft_note: str = ""  # code: "", put_back, unchanged, theirs_stays, kept_only, secrets_lost
    sealed: tuple[str, ...] = ()  # names of the draft's secrets whose values only our seal holds
    failure: str = ""  # code of why it is being undone
    failure_facts: Mapping[str, Json] = field(default_factory=dict)
    clicked_at: datetime | None = None  # when the vote that made the quorum came in
    verified_at: datetime | None = None
    position: int = 0
    done: tuple[Done, ...] = ()
    back_because: str = ""  # code of why the legs that are done are put back
    back_state: str = ""  # how it ends once they are
    back_facts: Mapping[str, Json] = field(default_factory=dict)

    @property
    def backwards(self) -> bool:
        return bool(self.back_because)


class RecoveryState(StrEnum):
    """Whether a rollback helped, as far as that was seen."""

    WATCHED = "watched"
    RECOVERED = "recovered"
    NOT_RECOVERED = "not_recovered"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Recovery:
    """What became of the trouble after a rollback that an alert had brought about.

    `case_id` is the case whose alerts are watched. Once it is RECOVERED, `since` is the first
    moment that was good; `by` is what showed how it stands, "metric" or "alert", and `why` the
    code of why nobody knows.
    """

    state: RecoveryState
    case_id: int
    since: datetime | None = None
    by: str = ""
    why: str = ""


@dataclass(frozen=True)
class Rollback:
    """A request to make a candidate live. Values only: a step is a new record, revision + 1.

    `round` counts what reviewers were shown: it grows when votes are voided, and a button of an
    older round is out of date. `content_digest` is what votes bind to.
    """

    id: int
    case_id: int
    state: State
    revision: int
    round: int
    nonce: str
    legs: tuple[Leg, ...]
    content_digest: str
    policy: PolicySnapshot
    requested_by: str  # person id, or "keyturn" when an alert asked
    requested_slack_id: str
    opened_at: datetime
    expires_at: datetime
    votes: tuple[Vote, ...] = ()
    reason: str = ""
    risk: str = ""
    drill: bool = False
    parent_id: int | None = None
    execution: Execution = field(default_factory=Execution)
    outcome: str = ""  # code of the end, for the catalogue
    outcome_facts: Mapping[str, Json] = field(default_factory=dict)
    finished_at: datetime | None = None
    glass: tuple[Glass, ...] = ()  # of which one at most is not void
    signatures: tuple[Signature, ...] = ()  # under the review that breaking it forces
    reviewed_at: datetime | None = None  # when that review was closed
    recovery: Recovery | None = None  # None where no alert brought it about, or it is not done

    @property
    def broken_by(self) -> Glass | None:
        """The breaking of the glass that stands; None where nobody's word alone carries it."""
        return next((glass for glass in self.glass if glass.voided_at is None), None)

    @property
    def reviewable(self) -> bool:
        """Whether it ran by break-glass and has ended, however it did."""
        began = self.execution.step is not Step.NONE
        return began and self.broken_by is not None and not self.open

    @property
    def review_open(self) -> bool:
        """Whether it is `reviewable`, and not enough people have signed yet."""
        return self.reviewable and self.reviewed_at is None

    @property
    def watched(self) -> bool:
        """Whether it is still to be seen if it helped."""
        return self.recovery is not None and self.recovery.state is RecoveryState.WATCHED

    @property
    def leg(self) -> Leg:
        """The leg of the app that the case is about."""
        return self.legs[0]

    def leg_of(self, where: AppEnv) -> Leg | None:
        """The leg of *where*; None if the rollback does not touch it."""
        return next((leg for leg in self.legs if leg.where == where), None)

    @property
    def joint(self) -> bool:
        """Whether it takes several apps back together."""
        return len(self.legs) > 1

    @property
    def current(self) -> Leg:
        """The leg that is being executed: as approved, or from what it left live back again."""
        execution = self.execution
        leg = self.legs[execution.position]
        if not execution.backwards:
            return leg
        done = next(done for done in execution.done if done.position == execution.position)
        return replace(
            leg,
            from_version_id=done.published_version_id,
            to_version_id=leg.from_version_id,
            live_external_id=done.published_id,
            live_root=leg.expected_root,
            expected_root=done.undo_root,
            change_digest="",
            restored=False,
        )

    @property
    def open(self) -> bool:
        return self.state in OPEN_STATES

    def moved(self, state: State, **changes: Any) -> Rollback:
        """This rollback in *state*, one revision later, with *changes*."""
        return replace(self, state=state, revision=self.revision + 1, **changes)


@dataclass(frozen=True)
class NewRollback:
    """A rollback before the store gave it an id; it is stored as DRAFT."""

    case_id: int
    nonce: str
    legs: tuple[Leg, ...]
    content_digest: str
    policy: PolicySnapshot
    requested_by: str
    requested_slack_id: str
    reason: str = ""
    risk: str = ""
    drill: bool = False
    parent_id: int | None = None
