"""The vocabulary of Keyturn: frozen records and enums that every room may use. No I/O.

Ids are database integers (64 bit). Times are aware and in UTC; the store refuses others.
Words are those of the glossary in the README; a person is a `person id`, which several Slack
accounts may share.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

Json = Any


# -- What the store has to say when it cannot do what was asked -------------------------------


class StoreError(Exception):
    """Root of what the store raises; `str()` is for operators."""


class Stale(StoreError):
    """The thing moved on since it was read: look again and decide again."""


class Missing(StoreError):
    """There is no such thing."""


class NotEmpty(StoreError):
    """A database that was to be filled holds something already."""


class StillUsed(StoreError):
    """A database that was to be left seems to be worked with."""


class Unavailable(StoreError):
    """The database is lost, locked or full; nothing was written; the same call may work later."""


class NotMigrated(StoreError):
    """The database schema is not the one this program was built for: run `keyturn migrate`."""


class OpenRollbackExists(StoreError):
    """This app@env has an open rollback already; `rollback_id` names it."""

    def __init__(self, rollback_id: int) -> None:
        super().__init__(f"rollback {rollback_id} is open")
        self.rollback_id = rollback_id


class IllegalMove(StoreError):
    """The table of legal moves has no such step."""


class Corrupt(StoreError):
    """Stored bytes do not match the hash they are kept under."""


class Unstorable(StoreError, ValueError):
    """A value that no database keeps: NUL or half a character in text, or no JSON."""


class NaiveTime(StoreError, ValueError):
    """A time without a zone was given; every time in Keyturn is aware."""


# -- Where ------------------------------------------------------------------------------------


@dataclass(frozen=True, order=True)
class AppEnv:
    """An app in one environment, written `app@env`."""

    app: str
    env: str

    def __str__(self) -> str:
        return f"{self.app}@{self.env}"

    @classmethod
    def parse(cls, text: str) -> AppEnv:
        """Read `app@env`; the environment follows the last `@`. ValueError when it is not that."""
        app, at, env = text.strip().rpartition("@")
        if not at or not app or not env:
            raise ValueError(f"{text!r} is not of the form APP@ENV")
        return cls(app, env)


@dataclass(frozen=True)
class IncludedApp:
    """An app of a target that is watched without a table of its own.

    `name` is what people call it there; `gone` says that it is watched no more: it was deleted
    or lost its tag. It keeps `where`, which is never given to another app.
    """

    where: AppEnv
    target: str
    external_id: str
    name: str
    gone: bool = False


# -- Pausing ----------------------------------------------------------------------------------


class PauseOrigin(StrEnum):
    """Who paused a database."""

    BACKUP = "backup"
    COPY = "copy"
    RESTORED = "restored"  # a person, after putting a copy in place that carries no mark
    PERSON = "person"

    @property
    def is_copy(self) -> bool:
        """Whether the original may have gone on after this copy was made."""
        return self is not PauseOrigin.PERSON


@dataclass(frozen=True)
class Paused:
    """The mark of a paused database: nothing is executed while it stands.

    `seq` and `head` say where the audit chain ended when it was made. What a copy held then, up
    to the ids `…_until`, may have been done since by the original; 0 where it is no copy.
    """

    origin: PauseOrigin
    reason: str
    since: datetime
    seq: int
    head: str
    case_until: int = 0
    inbox_until: int = 0
    outbox_until: int = 0


@dataclass(frozen=True)
class LeftBehind:
    """How many rows were waiting in a copy and were ended there."""

    inbox: int
    outbox: int


# -- Versions ---------------------------------------------------------------------------------


DRAFT_KEPT, DRAFT_SEEN = "draft", "seen"  # external ids of drafts: a rollback's, and the clock's


class VersionKind(StrEnum):
    """What a stored document was in its target."""

    PUBLISHED = "published"
    DRAFT = "draft"
    MODEL_CONFIG = "model_config"


class VersionSource(StrEnum):
    """How a version came to be live."""

    PUBLISHED = "published"  # somebody published it in the target
    ROLLBACK = "rollback"  # a rollback of ours published it
    PUT_BACK = "put_back"  # a rollback of ours published it again, since another app did not follow
    DRIFT = "drift"  # live changed without a publish that the target can name
    IMPORTED = "imported"


@dataclass(frozen=True)
class NewVersion:
    """What is known of a document when it is recorded; the store adds id, number and roots."""

    where: AppEnv
    kind: VersionKind
    source: VersionSource
    external_id: str
    external_hash: str
    published_at: datetime
    external_name: str = ""
    external_comment: str = ""
    author: str = ""
    number: int | None = None  # None: the next free one (published); drafts never have one


@dataclass(frozen=True)
class Version:
    """One stored document of one app@env; immutable. `number` is None for drafts alone."""

    id: int
    where: AppEnv
    number: int | None
    kind: VersionKind
    source: VersionSource
    root: str
    meaning: str
    external_id: str
    external_hash: str
    published_at: datetime
    recorded_at: datetime
    external_name: str = ""
    external_comment: str = ""
    author: str = ""

    @property
    def target_id(self) -> str:
        """The id by which the target knows it: of drift, that of what was changed."""
        drift = self.source is VersionSource.DRIFT
        return self.external_id.rpartition("~")[0] if drift else self.external_id


@dataclass(frozen=True)
class Tag:
    """A name that a person gave a version of *where*; `user_id` is theirs."""

    where: AppEnv
    name: str
    version_id: int
    user_id: str
    since: datetime


@dataclass(frozen=True)
class SuggestionsPaused:
    """Until when Keyturn suggests nothing for *where*, who said so, and why ("" for no reason)."""

    where: AppEnv
    until: datetime
    slack_id: str
    reason: str
    since: datetime


@dataclass(frozen=True)
class Silenced:
    """Until when alerts of *where* are silenced in Alertmanager, and who said so.

    `number` tells the silences of one app apart. `alerts` are the names that are silenced, all
    without one. `slack_id` is "" where Keyturn did it itself, after the rollback `rollback_id`.
    One that somebody ended was until that moment.
    """

    where: AppEnv
    number: int
    until: datetime
    since: datetime
    alerts: tuple[str, ...] = ()
    slack_id: str = ""
    rollback_id: int = 0


@dataclass(frozen=True)
class Search:
    """Which versions of a history are asked for; what is left empty lets every one through.

    `text` is looked for in name and comment, `author` in the author's name, both anywhere and in
    small or capital letters alike (SQLite knows that of ASCII letters alone). `tag` is a whole
    name. Times are those of publishing, from `since` on and before `until`.
    """

    text: str = ""
    author: str = ""
    tag: str = ""
    since: datetime | None = None
    until: datetime | None = None

    @property
    def everything(self) -> bool:
        return self == EVERYTHING


EVERYTHING = Search()


# -- Alerts -----------------------------------------------------------------------------------


class FiringStatus(StrEnum):
    """Whether an alert still fires."""

    FIRING = "firing"
    RESOLVED = "resolved"


@dataclass(frozen=True)
class Firing:
    """One alert from `starts_at` to its end; unique by (source, fingerprint, starts_at).

    `where` is None when the labels name no app that we know; such firings are kept and counted.
    `id` is 0 until it is stored; `case_id` is None until it was taken in.
    """

    source: str
    fingerprint: str
    starts_at: datetime
    status: FiringStatus
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    ends_at: datetime | None = None
    where: AppEnv | None = None
    id: int = 0
    case_id: int | None = None

    @property
    def alertname(self) -> str:
        return self.labels.get("alertname", "")


@dataclass(frozen=True)
class Delivery:
    """One webhook body; `digest` is over groupKey and sorted (fingerprint, startsAt, status).

    `unreadable` counts the alerts that are in `body` alone, `truncated` those that were cut off:
    `group_labels` say then which alerts the group is of; None where nobody can be asked for them.
    """

    source: str
    receiver: str
    group_key: str
    digest: str
    truncated: int
    firings: tuple[Firing, ...]
    body: bytes = b""
    unreadable: int = 0
    group_labels: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Truncated:
    """A group that came cut short, given out to be completed; `asked` is how often it came so."""

    source: str
    group_key: str
    receiver: str
    group_labels: Mapping[str, str]
    asked: int
    attempts: int


# -- Cases ------------------------------------------------------------------------------------


class CaseState(StrEnum):
    """Whether a case can still change."""

    OPEN = "open"
    CLOSED = "closed"


@dataclass(frozen=True)
class Finding:
    """What looking for a candidate brought: a suggestion, or only the facts.

    `code` names the sentence in the catalogue, `facts` fills it; both survive a restart, so
    the card can be drawn again from the store alone. `newest_firing_id` is the newest alert that
    it takes into account; 0 before the versions were looked at.
    """

    code: str
    facts: Mapping[str, Json]
    onset_from: datetime | None = None
    onset_to: datetime | None = None
    suspect_id: int | None = None
    candidate_id: int | None = None
    newest_firing_id: int = 0


@dataclass(frozen=True)
class Case:
    """What happens to one app@env from the first firing or request to its end; owns one card.

    `assess_at` is when the candidate is to be looked for (again); None when nothing is due.
    `card_ts` is empty until the card stands in Slack.
    """

    id: int
    where: AppEnv
    state: CaseState
    revision: int
    opened_at: datetime
    channel: str
    card_ts: str = ""
    closed_at: datetime | None = None
    assess_at: datetime | None = None
    finding: Finding | None = None
    rollback_id: int | None = None


# -- Rollbacks --------------------------------------------------------------------------------


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


# -- Audit ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class AuditDraft:
    """What somebody or Keyturn decided or did; the chain adds seq, timestamp, prev and hash.

    `status` is what became of it: ok, refused, failed. `ip_note` says why `ip_addr` is None.
    """

    user_id: str
    action: str
    resource: str
    status: str
    what: Mapping[str, Json]
    ip_addr: str | None = None
    ip_note: str = ""
    trace_id: str = ""


@dataclass(frozen=True)
class AuditEntry:
    """One link of the chain; `hash` covers all the rest, `prev` is the hash before it."""

    seq: int
    timestamp: str  # ISO 8601 UTC, microseconds, ends in Z
    user_id: str
    action: str
    resource: str
    status: str
    ip_addr: str | None
    ip_note: str
    what: Mapping[str, Json]
    trace_id: str
    prev: str
    hash: str


@dataclass(frozen=True)
class AuditAnchor:
    """A head of the chain that stands outside the database; `hash` may be its beginning alone."""

    sequence: int
    hash: str
    at: str = ""  # when it was recorded, as the entry has it; "" where nobody wrote that down


@dataclass(frozen=True)
class Verification:
    """What came of checking the chain; `broken_at` is the first seq that is wrong.

    `held` of the anchors that it was held against are in it, the newest of entry `anchored`.
    """

    ok: bool
    entries: int
    head: str
    broken_at: int | None = None
    why: str = ""
    held: int = 0
    anchored: int = 0


# -- Inbox, outbox, events, slots -------------------------------------------------------------


class InboxKind(StrEnum):
    """What came from Slack."""

    CLICK = "click"
    SUBMISSION = "submission"
    COMMAND = "command"
    HOME = "home"  # App Home was opened, or a button of it pressed


@dataclass(frozen=True)
class NewInboxItem:
    """What came from Slack, verified; `digest` is over the signed bytes."""

    digest: str
    kind: InboxKind
    action: str
    slack_id: str
    team_id: str
    payload: Mapping[str, Json]


@dataclass(frozen=True)
class InboxItem:
    """A stored inbox row that a worker holds."""

    id: int
    kind: InboxKind
    action: str
    slack_id: str
    team_id: str
    payload: Mapping[str, Json]
    received_at: datetime
    attempts: int
    digest: str = ""


class OutboxKind(StrEnum):
    """What is to be told, and how."""

    CARD = "card"  # draw the case's card as the store has it now
    NOTE = "note"  # a reply in the case's thread
    SNIPPET = "snippet"  # a text file in the case's thread
    PICTURE = "picture"  # a drawing of a difference in the case's thread
    CHART = "chart"  # what was measured, drawn in the case's thread
    NOTICE = "notice"  # a message of its own, of no case
    ANSWER = "answer"  # to one person only
    CALL = "call"  # direct messages to those who may vote
    ANCHOR = "anchor"  # a head of the audit chain, to where the database's owner cannot reach
    PUBLISHED = "published"  # to be looked at: does it change what matters most?
    ALERT = "alert"  # to Alertmanager: what is live was rolled back
    SILENCE = "silence"  # to Alertmanager: whether alerts of an app are silenced now


TO_ALERTMANAGER: Final = (OutboxKind.ALERT, OutboxKind.SILENCE)
TO_PEOPLE: Final = tuple(
    kind
    for kind in OutboxKind
    if kind not in {*TO_ALERTMANAGER, OutboxKind.PUBLISHED, OutboxKind.ANCHOR}
)
# Where rows go, for those who watch the service: what is down there is another system each.
GOES_TO: Final[Mapping[OutboxKind, str]] = {
    **dict.fromkeys(TO_PEOPLE, "people"),
    **dict.fromkeys(TO_ALERTMANAGER, "alertmanager"),
    OutboxKind.ANCHOR: "anchors",
    OutboxKind.PUBLISHED: "core",
}


@dataclass(frozen=True)
class NewOutgoing:
    """Something to tell; committed with the fact that it tells.

    Rows of one `order_key` leave in order. Of unsent rows with the same `coalesce_key` only the
    newest is sent. A second row with the same `dedupe_id` is not stored.
    """

    kind: OutboxKind
    destination: str
    order_key: str
    dedupe_id: str
    body: Mapping[str, Json]
    coalesce_key: str | None = None
    not_before: datetime | None = None


@dataclass(frozen=True)
class Outgoing:
    """A stored outbox row that a worker holds."""

    id: int
    kind: OutboxKind
    destination: str
    order_key: str
    dedupe_id: str
    body: Mapping[str, Json]
    coalesce_key: str | None
    attempts: int
    created_at: datetime


@dataclass(frozen=True)
class Event:
    """One lifecycle event; `sequence` counts within its aggregate from 1."""

    aggregate: str
    aggregate_id: int
    sequence: int
    kind: str
    data: Mapping[str, Json]
    at: datetime


@dataclass(frozen=True)
class Backlog:
    """How much waits in a queue, and since when the oldest does; None when nothing waits.

    What is to be told later waits from then on.
    """

    queue: str
    waiting: int
    oldest: datetime | None


@dataclass(frozen=True)
class Slot:
    """One tick of a scheduled job, claimed by one owner until `lease_until`."""

    job: str
    slot: int
    owner: str


@dataclass(frozen=True)
class JobState:
    """How a scheduled job fares over all processes; times are None where nothing happened yet.

    `finished_at` is of the run that began at `started_at`, None until it has ended; `failure`
    names the kind of error that ended it, "" when it ended well.
    """

    name: str
    started_at: datetime | None = None
    finished_at: datetime | None = None
    failure: str = ""
    paused_by: str = ""
    paused_at: datetime | None = None
    asked_by: str = ""
    asked_at: datetime | None = None

    @property
    def paused(self) -> bool:
        return self.paused_at is not None


@dataclass(frozen=True)
class DirectCall:
    """A person is called to vote on a rollback; `code` says for what (see `bot.domain.calling`).

    The message that told it stands in `channel` under `ts`, both empty before; `said` is how it
    was told there last. Nothing is told any more of what is `over`.
    """

    id: int
    slack_id: str
    rollback_id: int
    code: str
    made_at: datetime
    channel: str = ""
    ts: str = ""
    said: str = ""
    over: bool = False


@dataclass(frozen=True)
class Addressee:
    """A person whom direct messages are for, whom a worker holds; `off`: they want none."""

    slack_id: str
    off: bool
    told_at: datetime | None
    attempts: int


@dataclass(frozen=True)
class Home:
    """One person's App Home that a worker holds, to be drawn.

    `said` is a sentence for them alone, as `{code, facts}`, until they open it again. `asked`
    says that they, or what they did, asked for it; else something in the store has changed.
    `mark` is where the store stood, `hash` Slack's of what stands there, and `substance` tells
    whether another drawing says anything new.
    """

    slack_id: str
    team_id: str
    page: int
    said: Mapping[str, Json] | None
    wanted: int
    asked: bool
    mark: str
    hash: str
    substance: str
    attempts: int


@dataclass(frozen=True)
class Keeping:
    """How long is kept what is done with; versions, cases, rollbacks and the audit chain stay.

    `inbox` counts from when a click or command was judged, `outbox` from when a message was sent,
    `alerts` from when a webhook, or an alert that belongs to no case, last came, `drafts` from
    when a draft was last seen that no rollback keeps, `events` from when an event was written.
    """

    inbox: timedelta = timedelta(days=30)
    outbox: timedelta = timedelta(days=90)
    alerts: timedelta = timedelta(days=90)
    drafts: timedelta = timedelta(days=90)
    events: timedelta = timedelta(days=90)

    def __post_init__(self) -> None:
        kept = (self.inbox, self.outbox, self.alerts, self.drafts, self.events)
        if min(kept) < timedelta(days=1):
            raise ValueError("what is done with is kept for a day at least")


# -- Events for the world outside --------------------------------------------------------------


@dataclass(frozen=True)
class Announcement:
    """One event that other systems are told; `sequence` counts within its app@env from 1.

    `id` is its name for ever, however often it is sent. `kind` is its type without the prefix of
    all of ours, `subject` what of the app it is about, such as `rollback/17`. `number` counts all
    that were written here.
    """

    number: int
    where: AppEnv
    sequence: int
    id: str
    kind: str
    subject: str
    data: Mapping[str, Json]
    at: datetime


@dataclass(frozen=True)
class Consignment:
    """What waits of one app@env for a sink: held by one worker, so that its order stays.

    `announcements` are the next ones, oldest first; `through` is where the app stands after them.
    `attempts` counts the failures since the sink took one of them last, `failing_since` is when the
    first of these was; `failures` counts those of the sink in a row.
    """

    sink: str
    where: AppEnv
    announcements: tuple[Announcement, ...]
    through: int
    attempts: int
    failures: int
    failing_since: datetime | None = None


@dataclass(frozen=True)
class SinkState:
    """How a sink stands over all processes; `oldest` is when the first that waits was written."""

    name: str
    sent: int
    failed: int
    given_up: int
    failures: int  # in a row
    last_error: str
    waiting: int
    oldest: datetime | None
