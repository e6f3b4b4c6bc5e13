"""The view model of the one card that shows a case: a pure function of what the store holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from bot.domain.diff.summary import Phrase, said
from bot.domain.dry_run import Hitch
from bot.domain.lost import Lost
from store.records import Choice, Json, State


@dataclass(frozen=True)
class CardChange:
    """One line of the difference; texts are redacted and may hold any character."""

    kind: str
    op: str
    subject: str
    detail: str
    before: str = ""
    after: str = ""


@dataclass(frozen=True)
class CardVote:
    """One person's vote; a void one shows why it does not count."""

    slack_id: str
    choice: Choice
    at: datetime
    void: bool = False
    void_why: str = ""


@dataclass(frozen=True)
class CardGlass:
    """Who broke the glass and why; `review_open` until two others have signed.

    `ran` says that there is something to review: it began, and has ended. `signed` are their
    Slack ids, `needed` how many it takes.
    """

    slack_id: str
    reason: str
    at: datetime
    in_freeze: bool = False
    approved: bool = False  # by others too; a freeze had held it
    ran: bool = False
    review_open: bool = False
    signed: tuple[str, ...] = ()
    needed: int = 2


@dataclass(frozen=True)
class CardButton:
    """A button: approve, reject, break_glass, undo, another or difference.

    `value` is opaque and signed.
    """

    action: str
    value: str


@dataclass(frozen=True)
class CardLeg:
    """One of several apps that go back together; `page` is the address of its difference."""

    where: str
    from_number: int | None
    to_number: int | None
    page: str = ""


@dataclass(frozen=True)
class CardAlert:
    """One alert of the case; its texts come from outside."""

    name: str
    fingerprint: str
    starts_at: datetime
    firing: bool
    severity: str = ""


@dataclass(frozen=True)
class CardView:
    """All that a card can show. What comes later (lost) may be empty.

    `finding_code`, `outcome_code` and `recovery_code` name sentences of the catalogue, filled by
    their facts.
    Without a rollback `state` is None and `from_number`/`to_number` may be None.
    """

    case_id: int
    app: str
    env: str
    state: State | None
    finding_code: str
    finding_facts: Mapping[str, Json]
    alerts: tuple[CardAlert, ...] = ()
    rollback_id: int | None = None
    round: int = 0
    from_number: int | None = None
    to_number: int | None = None
    from_published_at: datetime | None = None
    to_published_at: datetime | None = None
    from_author: str = ""
    to_author: str = ""
    requested_slack_id: str = ""  # empty: Keyturn itself, because of an alert
    reason: str = ""
    expires_at: datetime | None = None
    votes_needed: int = 0
    votes: tuple[CardVote, ...] = ()
    reviewers: tuple[str, ...] = ()  # user group ids and user ids of all who may vote
    missing: tuple[str, ...] = ()  # of whom one each has to approve yet
    each_of: tuple[str, ...] = ()
    vetoes: int = 1
    publisher_excluded: bool = False
    publisher_unknown: bool = False  # nobody may vote, since nobody knows who published it
    policy_named: bool = True
    phrases: tuple[Phrase, ...] = ()  # what the difference amounts to
    change_counts: Mapping[str, int] | None = None
    changes: tuple[CardChange, ...] = ()
    changes_left: int = 0  # how many more changes there are than `changes` shows
    digest: str = ""
    secrets_kept: tuple[str, ...] = ()  # names of secrets that keep the value live now
    secrets_from_version: tuple[str, ...] = ()  # names that take the candidate's own value
    secrets_of_draft: bool = False  # those kept are the draft's, not known to be live's
    at_once: bool = False  # no versions in the target: executing is one write that is live at once
    restored: bool = False  # the candidate was deleted in the target; it comes from our store
    glass: CardGlass | None = None  # it runs, or ran, on this one person's word
    hitches: tuple[Hitch, ...] = ()  # what a dry run found
    dry_run: str = ""  # the same in English; "" where none was made
    dry_run_warns: bool = False  # something that is needed is missing, or could not be looked up
    buttons: tuple[CardButton, ...] = ()
    outcome_code: str = ""
    outcome_facts: Mapping[str, Json] | None = None
    seconds: float | None = None  # quorum's click to verified live
    recovery_code: str = ""  # whether it helped; "" where no alert brought it about
    recovery_facts: Mapping[str, Json] | None = None
    audit_seq: int | None = None
    audit_head: str = ""
    page: str = ""  # the address of the page that shows the whole difference
    record: str = ""  # that of the page of the whole record, once the rollback of one app has ended
    legs: tuple[CardLeg, ...] = ()  # all apps, where there are several
    impact: Mapping[str, Json] | None = None  # of NoteCode.IMPACT; None where nobody looked
    risk: str = ""  # the rollback's, where it takes more votes because of it
    given_up: tuple[Lost, ...] = ()  # what is lost besides the suspect
    lost: str = ""  # the same in English
    drill: bool = False  # an alert of our own: everything is as in earnest, but for that

    @property
    def summary(self) -> str:
        """What the difference amounts to, in English."""
        return said(self.phrases)
