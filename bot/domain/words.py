"""Codes of every sentence that Keyturn says, with the facts that fill it.

Rules and use cases speak in codes; `templates/slack/` holds the wording. A member's comment
names its facts: `str` unless said otherwise; times are ISO 8601 UTC; a person is a Slack id.
A test renders every member, so a code without words cannot ship.
"""

from __future__ import annotations

from enum import StrEnum


class FindingCode(StrEnum):
    """What looking for a candidate brought; the card's reason line."""

    # suspect: int, candidate: int, published_at, onset_from, onset_to, minutes: int (from the
    # suspect to the onset), drift: bool (nobody published the suspect), percent: int (how sure),
    # measured: bool (a metric shows the onset)
    SUGGESTED = "suggested"
    # as SUGGESTED: the suspect is of where_of, which has a card of its own; rollback: int (0: none)
    BEHIND = "behind"
    # as SUGGESTED, and caller: the app that has the alert, case: int (the case there)
    SUGGESTED_BEHIND = "suggested_behind"
    # as SUGGESTED, and live_id: int (the stored row of what is live)
    BY_HAND = "by_hand"
    VALUES_MASKED = "values_masked"  # as BY_HAND, and names: list[str]
    # a drill: slack_id (who asked for it), suspect: int (what is live), candidate: int
    DRILL = "drill"
    NO_DRILL = "no_drill"  # why: not_marked, by_hand, or "" (there is nothing to go back to)
    # slack_id, candidate: int; of several apps also: list of {where, candidate: int}
    REQUESTED = "requested"
    # Why no rollback would help; each also newest: int, newest_at (what is live), onset_from,
    # onset_to, percent: int (how sure)
    NO_CHANGE = "no_change"
    LOAD = "load"  # times: float (0: unknown)
    UPSTREAM = "upstream"  # name, apps: list[str] that turned too
    PLATFORM = "platform"  # apps: list[str] that turned too
    DEPENDENCY = "dependency"  # name: an app behind it that nobody changed
    FLAPPING = "flapping"  # count: int, since
    PREDATES = "predates"
    SLOW_DRIFT = "slow_drift"
    OUTSIDE = "outside"
    WENT_BACK = "went_back"  # suspect: int, candidate: int
    OVER = "over"  # suspect: int, candidate: int: the trouble has ended
    UNSURE = "unsure"  # suspect: int
    TWO_CHANGES = "two_changes"  # first: int, second: int
    NO_SOUND_VERSION = "no_sound_version"  # suspect: int
    NO_HISTORY = "no_history"
    TARGET_UNREADABLE = "target_unreadable"  # system
    TARGET_LOGIN_REFUSED = "target_login_refused"  # system
    TARGET_APP_MISSING = "target_app_missing"  # system
    LOOKING = "looking"
    SHARED_CHANNEL = "shared_channel"
    SECRETS_OUT_OF_REACH = "secrets_out_of_reach"  # candidate: int, names: list[str], system
    SECRETS_GONE = "secrets_gone"  # candidate: int, names: list[str], system
    REVIEWERS_UNKNOWN = "reviewers_unknown"  # upstream_code: Slack's, "" when unknown
    LOOK_FAILED = "look_failed"
    PAUSED = "paused"
    PART_OF = "part_of"  # rollback: int, where_of: the app whose card it has
    TAKEN_BACK = "taken_back_elsewhere"  # rollback: int, where_of: the app whose card it has
    FROZEN = "frozen"  # suspect: int, candidate: int, until
    COOLING_DOWN = "cooling_down"  # suspect: int, candidate: int, count: int, minutes: int, until
    # suspect: int, candidate: int, slack_id (who paused), until, reason ("" for none)
    SUGGESTIONS_PAUSED = "suggestions_paused"
    REJECTED_BEFORE = "rejected_before"  # suspect: int, candidate: int


class EvidenceCode(StrEnum):
    """One thing that speaks for or against an explanation; versions are told as `app@env vN`."""

    # When it began, and from what that is known. from, to (times); metric, usual: float,
    # now: float (in the metric's unit; errors is a share)
    ONSET_METRIC = "onset_metric"
    ONSET_ALERTS = "onset_alerts"  # from, to, since (the earliest start of this alert)
    ONSET_STARTS_AT = "onset_starts_at"  # from, to
    # no metric shows the trouble; late: True where what measures did not answer in time
    NOT_MEASURED = "not_measured"
    ROSE_SLOWLY = "rose_slowly"
    # alert, rejected: int, count: int (of those that people accepted or rejected), reason (of the
    # last one, "" for none): earlier suggestions for this app
    REJECTED_HERE = "rejected_here"
    SOON_AFTER = "soon_after"  # version, seconds: float (negative: the clocks differ that much)
    TOUCHED = "touched"  # version, kinds: list[str]: what it changed
    LATE_AFTER = "late_after"  # version, seconds: float
    CALLED = "called"  # version, app (the alerting one)
    BAD_BEFORE = "bad_before"  # version: people went back from this content before
    PROVEN = "proven"  # version: this content answered for long without this trouble
    # version, later: bool (those after it too), failed, all, before_failed, before_all: int
    RUNS = "runs"
    TURNED_TOO = "turned_too"  # apps: list[str]: at the same time
    STAYED_CALM = "stayed_calm"  # apps: list[str]
    LOAD_GREW = "load_grew"  # times: float
    LOAD_EVEN = "load_even"  # times: float
    COMES_AND_GOES = "comes_and_goes"  # count: int, since
    CAME_LATER = "came_later"  # versions: list[str]: innocent, since it had begun
    TARGET_ANSWERED = "target_answered"  # version, seconds: float
    INSTEAD = "instead"  # cause (a Cause), name, percent: int: the next likely explanation


class OutcomeCode(StrEnum):
    """How a rollback ended.

    Where several apps were to go back and one did not come, put_back: list[str] names those that
    were put back. Of what was executed, alone: True says that it ran by break-glass.
    """

    # number: int (the new version), candidate: int, draft (a DraftNote); of several apps also
    # legs: list of {where, number: int, candidate: int, draft}
    COMPLETED = "completed"
    REJECTED = "rejected"  # slack_id, reason
    EXPIRED = "expired"  # EXPIRED: not approved in time
    NOT_STARTED = "not_started"  # EXPIRED: approved, and could not start in time
    GLASS_NOT_STARTED = "glass_not_started"  # EXPIRED: by break-glass, and as NOT_STARTED
    WITHDRAWN = "withdrawn"  # slack_id
    REQUESTER_LOST = "requester_lost"  # WITHDRAWN: slack_id, who may no longer ask
    TROUBLE_OVER = "trouble_over"  # WITHDRAWN: by itself; since: a time
    LIVE_CHANGED = "live_changed"  # SUPERSEDED
    OTHER_VERSION = "other_version"  # SUPERSEDED: somebody asked for another version
    ALREADY_LIVE = "already_live"  # SUPERSEDED: somebody made the candidate live by hand
    OPTED_OUT = "opted_out"  # SUPERSEDED: the app may no longer be written into
    DRILL_GAVE_WAY = "drill_gave_way"  # SUPERSEDED: a real alert came
    NO_DRILL_APP = "no_drill_app"  # SUPERSEDED: the app is marked for drills no more
    CARRIED_OUT = "carried_out"  # SUPERSEDED: by the original, after this database was copied
    COPIED = "copied"  # SUPERSEDED: open in a copy of the database
    VERSION_GONE = "version_gone"  # FAILED: deleted in the target meanwhile
    # FAILED; names: list[str]; out_of_reach: True where no value can be set aside, False where
    # somebody set one while it ran
    DRAFT_HAS_SECRETS = "draft_has_secrets"
    DRAFT_SECRETS_UNKNOWN = "draft_secrets_unknown"  # FAILED
    DRAFT_LACKS_SECRETS = "draft_lacks_secrets"  # FAILED; names: list[str]
    WOULD_WRITE_MASK = "would_write_mask"  # FAILED: nothing was written; system
    DRAFT_BUSY = "draft_busy"  # FAILED: somebody kept saving
    EMPTY_GRAPH = "empty_graph"  # FAILED: the candidate has no nodes
    TARGET_DOWN = "target_down"  # FAILED; system
    TARGET_REFUSED = "target_refused"  # FAILED; system, upstream_code
    LOGIN_REFUSED = "login_refused"  # FAILED; system
    # NEEDS_ATTENTION: not what was approved; number: int; at_once: True for an app without versions
    LIVE_DIFFERS = "live_differs"
    SECRETS_DIFFER = "secrets_differ"  # NEEDS_ATTENTION: other values are live; number, names
    # FAILED: taken over before anything was published, and no longer approved; expired: bool
    APPROVAL_LAPSED = "approval_lapsed"
    PUBLISHED_BY_OTHER = "published_by_other"  # NEEDS_ATTENTION: somebody else published in between
    DRAFT_NOT_PUT_BACK = "draft_not_put_back"  # NEEDS_ATTENTION: old version live, draft is ours
    # NEEDS_ATTENTION: old version live, the draft is back without these values; names: list[str]
    DRAFT_SECRETS_LOST = "draft_secrets_lost"
    COPY_UNCLEAR = "copy_unclear"  # NEEDS_ATTENTION: it ran when the database was copied
    # NEEDS_ATTENTION: one of several apps did not come, and of the others some could not be put
    # back; because (an OutcomeCode), left: list[str]
    NOT_PUT_BACK = "not_put_back"
    OUTCOME_UNKNOWN = "outcome_unknown"  # NEEDS_ATTENTION: the target cannot be read; system


class RecoveryCode(StrEnum):
    """Whether a rollback helped; a rollback's `RecoveryState` in words.

    Each: seconds: float | None (from verified live), by (metric, alert, or ""), why (a
    `bot.domain.recovery.Why`, or "").
    """

    WATCHED = "watched"
    RECOVERED = "recovered"
    NOT_RECOVERED = "not_recovered"
    UNKNOWN = "unknown"


class DraftNote(StrEnum):
    """What became of the editors' draft."""

    UNCHANGED = "unchanged"  # it was the live content; nothing to put back
    PUT_BACK = "put_back"
    THEIRS_STAYS = "theirs_stays"  # somebody saved meanwhile; ours is kept beside it
    KEPT_ONLY = "kept_only"  # it could not be put back; it is kept in our store
    SECRETS_LOST = "secrets_lost"  # values of its secrets are kept nowhere any more


class ImpactCode(StrEnum):
    """One thing behind an app that a rollback would change; a card's line, a list in the thread."""

    WEIGHT = "weight"  # criticality; app: the one that is so, "" for the app itself
    CALLERS = "callers"  # apps: list[str] (the first of them), count: int
    PINNED = "pinned"  # as CALLERS: they call it as a tool, and stay on the tool's version
    PINNED_UNKNOWN = "pinned_unknown"
    NOBODY = "nobody"
    RATE = "rate"  # rate: float, requests a second
    ACTS = "acts"  # kinds: list of code, tool, http
    LOST = "lost"  # count: int, versions
    KEEPS = "keeps"


class NoteCode(StrEnum):
    """Replies in the case's thread, and messages of their own in an app's channel.

    Those of a drill also have drill: True; those of `anchoring.SAID` audit_seq: int and
    audit_head, where the audit chain stood when they were sent.
    """

    # slack_id, count: int, needed: int, missing: list[str] (of whom one each must approve)
    VOTE_APPROVED = "vote_approved"
    # risk, needed: int (votes), raised: bool (they are more because of the risk), apps: list of
    # {where ("" for the only one), parts: list of {code (an ImpactCode), and its facts}}
    IMPACT = "impact"
    EVIDENCE = "evidence"  # reasons: list of {code (an EvidenceCode), and its facts}, percent: int
    VOTE_AGAINST = "vote_against"  # slack_id, reason, count: int, vetoes: int; it goes on
    VOTE_TAKEN_BACK = "vote_taken_back"  # slack_id, count: int, needed: int
    APPROVED_UNASKED = "approved_unasked"  # slack_id
    # voters: list[str] (groups too), missing: list[str], count: int, needed: int, until
    REMINDER = "reminder"
    ESCALATED = "escalated"  # as REMINDER; voters are the backups
    # until: nothing is executed before; where, if somebody may break the glass
    WAITING_FOR_THAW = "waiting_for_thaw"
    # a message of its own: where, slack_id, reason, old: int, new: int (numbers), in_freeze: bool,
    # call: list[str] (groups too), permalink ("" when unknown)
    GLASS_BROKEN = "glass_broken"
    GLASS_VOID = "glass_void"  # slack_id, why
    # a message of its own with a button: where, slack_id (who broke the glass), reason, state (how
    # it ended), signed: list[str], needed: int, days: int, voters: list[str] (groups too),
    # permalink ("" when unknown), value (the button's, "" for none)
    REVIEW_OPEN = "review_open"
    REVIEW_STILL_OPEN = "review_still_open"  # as REVIEW_OPEN
    REVIEW_SIGNED = "review_signed"  # slack_id, remark, count: int, needed: int
    REVIEW_CLOSED = "review_closed"  # as REVIEW_SIGNED, and signed: list[str]
    VOTE_REJECTED = "vote_rejected"  # slack_id, reason
    VOTE_VOID = "vote_void"  # slack_id, why
    EXECUTING = "executing"  # slack_ids: list[str]; broken_by, if it runs by break-glass
    # outcome (an OutcomeCode), facts: dict, seconds: float | None; record (the address of the
    # whole record), if there is one; call: list[str], user groups too, when people have to look
    ENDED = "ended"
    # recovery (a RecoveryCode), facts: dict; times: dict of seconds: float from the alert's first
    # firing (seconds_to_suggested, …_quorum, …_verified, …_recovered, as far as they came), call:
    # list[str], people
    RECOVERY = "recovery"
    # how a drill went; parts: list of {part (a `bot.domain.phases.Phase`), seconds: float}, stop
    # (a `bot.domain.drill.Stop`, "" when it went through), outcome (the code of why it stopped: an
    # OutcomeCode, a FindingCode or a RecoveryCode), waited: float (seconds from the last part to
    # its end), total: float, count: int, needed: int (votes)
    DRILL_OVER = "drill_over"
    ALERT_RESOLVED = "alert_resolved"  # alertname
    ALERT_ADDED = "alert_added"  # alertname
    # where, alerts: list[str] (names, all without one), until, slack_id ("": Keyturn itself)
    ALERTS_SILENCED = "alerts_silenced"
    ALERTS_HEARD = "alerts_heard"  # where, slack_id ("": Keyturn itself)
    EDITS_SLIPPED_IN = "edits_slipped_in"  # lines: list[str] (redacted changes); alone, as above
    # number: int, approved: bool, state (how it had ended), call: list[str]
    LATE_PUBLISH = "late_publish"
    # draft (a DraftNote), where, version_id: int (the stored row); where secret values are lost:
    # names: list[str], call: list[str]
    DRAFT_NOTE = "draft_note"
    PUTTING_BACK = "putting_back"  # where: the app that did not come
    WAITING_FOR_TARGET = "waiting_for_target"  # system
    WAITING_FOR_LOGIN = "waiting_for_login"  # system
    WAITING_THOUGH_REFUSED = "waiting_though_refused"  # system, upstream_code ("" when unknown)
    # a message of its own: where, old: int, new: int (numbers), phrases: list of
    # `bot.domain.diff.summary.Phrase`, summary (the same in English), lines: list[str], address
    DRIFT = "drift"
    # a message of its own: where, old: int, new: int (numbers), author ("": unknown), drift: bool
    # (nobody published it), lines: list[str], count: int (of all lines), address ("" for none)
    CORE_CHANGED = "core_changed"
    # a message of its own: where, number: int, before: int (0: unknown), author
    CONDEMNED_AGAIN = "condemned_again"
    # messages of their own: apps: list[str], count: int, slack_id, until, reason ("" for none)
    SUGGESTIONS_OFF = "suggestions_off"
    SUGGESTIONS_ON = "suggestions_on"  # apps: list[str], count: int, slack_id
    # a direct message: waiting: int, rows: list of {where, more: int (other apps), drill: True (of
    # a drill), old: int, new:
    # int (numbers, 0 when unknown), call (a `bot.domain.calling.Call`), stands (a `Told` of it),
    # state, count: int, needed: int, until, permalink ("" when unknown)}
    DIRECT = "direct"
    NOT_RENEWED = "not_renewed"  # slack_id, text: one sentence, already safe to show


class AnswerCode(StrEnum):
    """Private answers to one person."""

    REFUSED = "refused"  # text: one sentence, already safe to show
    VOTE_COUNTED = "vote_counted"  # as NoteCode.VOTE_APPROVED, and where
    VOTED_AGAINST = "voted_against"  # as NoteCode.VOTE_AGAINST, and where
    TAKEN_BACK = "taken_back"  # where, count: int, needed: int
    YOU_WITHDREW = "you_withdrew"  # where, number: int
    YOU_BROKE_GLASS = "you_broke_glass"  # where, old: int, new: int (numbers)
    YOU_SIGNED = "you_signed"  # where, count: int, needed: int
    OUT_OF_DATE = "out_of_date"  # permalink ("" when unknown)
    HELP = "help"
    # rows: list of {where, number, published_at, rollback (id or 0), state, permalink,
    # drill: True (of a drill), not_imported: int (how many older versions), paused_until ("":
    # suggestions are not paused), silenced_until ("": alerts are not silenced), silenced_by,
    # paused_by, reviews: list of {rollback: int, slack_id (who
    # broke the glass), count: int, needed: int}}
    STATUS = "status"
    # rows: list of {job, every: float (seconds), doing (a `bot.domain.schedule.Doing`), at ("" for
    # never), seconds: float, failure, next_at ("" when due or paused), paused_by, paused_at,
    # asked_by, pausable: bool}
    JOBS = "jobs"
    DRILL_BEGUN = "drill_begun"  # where
    ASKED = "asked"  # where, number: int; of several apps also: list of {where, number: int}
    # where, page: int, pages: int, newest: int, not_imported: int, rows: list of {number: int,
    # live: bool, name (or comment), author, published_at, counts: dict | None (oldest that is
    # stored), rollback: int (0 for none), drill: bool, back_to: int (0 when unknown),
    # condemned: bool, drift: bool, tags: list[str]}
    LOG = "log"
    # where, old: int, new: int, page: int, pages: int, left: int (lines on later pages),
    # lines: list[str], none when nothing differs; address (of the page, "" for none); of the first
    # page also what its first two lines say: phrases, as in DRIFT, and counts: dict by kind
    COMPARED = "compared"
    # where, rows: list of {name, number: int, slack_id ("" for the command line), since}
    TAGS = "tags"
    TAGGED = "tagged"  # where, name, number: int, was: int (0: it stood nowhere)
    UNTAGGED = "untagged"  # where, name, number: int (where it stood)
    CONDEMNED = "condemned"  # where, number: int, anew: bool (it was not condemned before)
    ABSOLVED = "absolved"  # where, number: int, anew: bool (it was condemned)
    SNAPSHOT_BEGUN = "snapshot_begun"  # where ("" for several), count: int
    # rows: list of {where, was (read, down, refused, late, not_watched), new: list[int],
    # newest: int | None, not_imported: int, text}
    SNAPSHOT = "snapshot"
    # where, env, named: bool, votes: int, by_risk: list of {risk, votes: int} (from which risk on
    # more are needed), minutes: int, shared: bool, voters: list[str],
    # each_of: list[str], backups: list[str], vetoes: int, exclude_publisher: bool, frozen ("" or
    # until when),
    # breakers: list[str] (entries who may break the glass), you_may_break: bool,
    # people: int (persons who may vote), not_looked_up: int, barred: list of {slack_id, why},
    # askers, viewers: list[str] (beside the voters), unknown_groups: list[str], you (a Slack id),
    # you_may_vote: bool, you_may_ask: bool
    WHO = "who"
    # where ("" for several), count: int, until, reason ("" for none)
    YOU_PAUSED = "you_paused"
    # where ("" for several), count: int (0: they were not paused)
    YOU_RESUMED = "you_resumed"
    # where, alerts: list[str] (names, all without one), until
    YOU_SILENCED = "you_silenced"
    YOU_UNSILENCED = "you_unsilenced"  # where
    # where, page: int, pages: int, head_seq: int, head (of the whole chain, in short), changed:
    # bool (an entry of this page), rows: list of {seq: int, at, who, action, resource, status,
    # hash, changed: bool (it is not the hash of what the entry says)}
    AUDIT = "audit"
    # where, number: int, live: int, verdict (blocks, missing, unknown, clear), told: list of
    # `bot.domain.rehearsal_told.Part`, lines: list[str] (the same in English)
    DRY_RUN = "dry_run"
    # where, rollback: int, state, address (of its page, "" for none)
    RECORD = "record"
    DIFFERENCE = "difference"  # text, permalink
    BEING_MADE = "being_made"
    CHOICES = "choices"  # where, page: int; what stands on that page is read when it is shown
    BEING_READ = "being_read"
    FORM_NOT_OPENED = "form_not_opened"  # form (a button's action; reject where it is missing)
    FAILED = "failed"  # something on our side
