"""What a case's card shows: one pure function of what the store holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypedDict

from bot.domain import drill, dry_run, dry_run_told, glass, impact_told, lost, quorum, recovery
from bot.domain.card import (
    CardAlert,
    CardButton,
    CardChange,
    CardGlass,
    CardLeg,
    CardView,
    CardVote,
)
from bot.domain.diff.card import card_changes
from bot.domain.diff.changes import ChangeList
from bot.domain.diff.joined import joined
from bot.domain.diff.summary import Phrase
from bot.domain.lost import Lost
from bot.domain.words import FindingCode
from store.records import (
    Case,
    CaseState,
    Firing,
    FiringStatus,
    Json,
    Leg,
    Rollback,
    State,
    Version,
    VersionKind,
    Vote,
)

CHANGES_SHOWN = 8
_VOTES: Mapping[State, tuple[str, ...]] = {
    State.PENDING_APPROVAL: ("approve", "reject"),
    State.APPROVED: ("reject",),  # until it is claimed
    State.BROKEN_GLASS: ("reject",),
}
_BREAK_GLASS = "break_glass"
_ANOTHER = "another"
# What a card says that suggests nothing, while people may know better.
_NOTHING_SUGGESTED = frozenset(
    {FindingCode.NO_CHANGE, FindingCode.LOAD, FindingCode.UPSTREAM, FindingCode.PLATFORM}
    | {FindingCode.DEPENDENCY, FindingCode.FLAPPING, FindingCode.PREDATES, FindingCode.SLOW_DRIFT}
    | {FindingCode.OUTSIDE, FindingCode.UNSURE, FindingCode.TWO_CHANGES, FindingCode.OVER}
    | {FindingCode.NO_SOUND_VERSION, FindingCode.WENT_BACK, FindingCode.COOLING_DOWN}
    | {FindingCode.REJECTED_BEFORE, FindingCode.SECRETS_OUT_OF_REACH, FindingCode.SECRETS_GONE}
    | {FindingCode.SUGGESTIONS_PAUSED, FindingCode.LOOK_FAILED}
)
Sign = Callable[[Rollback, str], str]  # (rollback, action) → the button's value


class _Difference(TypedDict):
    phrases: tuple[Phrase, ...]
    change_counts: Mapping[str, int] | None
    changes: tuple[CardChange, ...]
    changes_left: int


def build(
    case: Case,
    rollback: Rollback | None,
    *,
    versions: Mapping[int, Version],
    changes: Sequence[ChangeList],
    firings: Iterable[Firing],
    head: tuple[int, str],
    sign: Sign,
    pages: Sequence[str] = (),
    record: str = "",
    given_up: Sequence[Lost] = (),
    another: str = "",
) -> CardView:
    """Return the card of *case*; the same state gives the same card.

    Args:
        case: Its finding is shown; without one Keyturn is still looking.
        rollback: The case's newest one, or None: then the card has facts and no button.
        versions: By id; both sides of the rollback's legs, as far as they are stored.
        changes: Between what was live and what the rollback leaves live, one a leg; or what going
            back by hand does. Empty where nothing is to be shown.
        firings: The alerts of the case, in the order they are shown.
        head: (seq, hash) of the audit chain's newest entry; published with the card, it shows
            later whether the chain was rewritten.
        sign: Makes the value of a button.
        given_up: What is lost besides the suspect, app after app.
        another: The value of the button that asks for a version where none is suggested; "" where
            there is nothing to choose from.
        pages: The address of the page of each leg's difference; empty where there is none.
        record: The address of the page of the whole record; "" where there is none.
    """
    alerts = list(firings)
    facts = CardView(
        case_id=case.id,
        app=case.where.app,
        env=case.where.env,
        state=None,
        finding_code=case.finding.code if case.finding else FindingCode.LOOKING,
        finding_facts=dict(case.finding.facts) if case.finding else {},
        alerts=tuple(map(_alert, alerts)),
        audit_seq=head[0],
        audit_head=head[1],
        drill=drill.practised(alerts) if rollback is None else rollback.drill,
    )
    if rollback is None:
        buttons = (CardButton(_ANOTHER, another),) if another and _nothing_said(case) else ()
        return replace(facts, buttons=buttons, **_difference(changes[0] if changes else None))
    page = pages[0] if pages else ""
    legs = _legs(rollback, versions, pages)
    facts = replace(facts, page=page, record=record, legs=legs)
    facts = replace(facts, given_up=tuple(given_up), lost=lost.words(given_up))
    return _with_rollback(facts, rollback, versions, changes, sign)


def seconds_to_verified(rollback: Rollback) -> float | None:
    """Return the seconds from the click that made the quorum to the read-back; None if never."""
    clicked, verified = rollback.execution.clicked_at, rollback.execution.verified_at
    if clicked is None or verified is None:
        return None
    return round((verified - clicked).total_seconds(), 2)


def _with_rollback(
    facts: CardView,
    rollback: Rollback,
    versions: Mapping[int, Version],
    changes: Sequence[ChangeList],
    sign: Sign,
) -> CardView:
    leg, policy = rollback.leg, rollback.policy
    old, new = versions.get(leg.from_version_id), versions.get(leg.to_version_id)
    found = _hitches(rollback)
    return replace(
        facts,
        state=rollback.state,
        rollback_id=rollback.id,
        round=rollback.round,
        from_number=old.number if old else None,
        from_published_at=old.published_at if old else None,
        from_author=old.author if old else "",
        to_number=new.number if new else None,
        to_published_at=new.published_at if new else None,
        to_author=new.author if new else "",
        requested_slack_id=rollback.requested_slack_id,
        reason=rollback.reason,
        expires_at=rollback.expires_at,
        votes_needed=quorum.needed(rollback),
        votes=tuple(_vote(vote) for vote in rollback.votes),
        reviewers=policy.voters,
        missing=quorum.unrepresented(rollback, quorum.approvals(rollback)),
        each_of=policy.each_of,
        vetoes=policy.vetoes,
        publisher_excluded=bool(policy.publisher or policy.publishers),
        publisher_unknown=bool(policy.publisher) and not policy.publisher_person,
        policy_named=policy.named,
        digest=rollback.content_digest,
        secrets_kept=_secrets(rollback, "kept"),
        secrets_from_version=_secrets(rollback, "from_version"),
        secrets_of_draft=any(leg.secrets.get("of_draft") is True for leg in rollback.legs),
        restored=any(leg.restored for leg in rollback.legs),
        at_once=any(_at_once(leg, versions) for leg in rollback.legs),
        glass=_glass(rollback),
        hitches=tuple(found or ()),
        dry_run="" if found is None else dry_run_told.line(found, env=leg.where.env),
        dry_run_warns=bool(found),
        impact=impact_told.told(rollback),
        risk=policy.risk,
        buttons=_buttons(rollback, changes, sign),
        outcome_code=rollback.outcome,
        outcome_facts=dict(rollback.outcome_facts) if rollback.outcome else None,
        seconds=seconds_to_verified(rollback),
        recovery_code=rollback.recovery.state.value if rollback.recovery else "",
        recovery_facts=recovery.told(rollback) or None,
        **_difference(_joined(rollback, changes)),
    )


def _joined(rollback: Rollback, changes: Sequence[ChangeList]) -> ChangeList | None:
    """All changes, app after app; None where not every difference is there."""
    if len(changes) != len(rollback.legs):
        return None
    apps = [leg.where.app for leg in rollback.legs]
    return joined(list(zip(apps, changes, strict=True)))


def _legs(
    rollback: Rollback, versions: Mapping[int, Version], pages: Sequence[str]
) -> tuple[CardLeg, ...]:
    if not rollback.joint:
        return ()
    shown = []
    for position, leg in enumerate(rollback.legs):
        old, new = versions.get(leg.from_version_id), versions.get(leg.to_version_id)
        numbers = old.number if old else None, new.number if new else None
        page = pages[position] if position < len(pages) else ""
        shown.append(CardLeg(str(leg.where), *numbers, page=page))
    return tuple(shown)


def _hitches(rollback: Rollback) -> list[dry_run.Hitch] | None:
    """What the dry runs of all apps found; None where none was made."""
    found = [dry_run.hitches_in(leg.dry_run) for leg in rollback.legs]
    made = [hitches for hitches in found if hitches is not None]
    return [hitch for hitches in made for hitch in hitches] if made else None


def _at_once(leg: Leg, versions: Mapping[int, Version]) -> bool:
    old = versions.get(leg.from_version_id)
    return old is not None and old.kind is VersionKind.MODEL_CONFIG


def _secrets(rollback: Rollback, which: str) -> tuple[str, ...]:
    """The names of secrets that keep or take a value; of several apps with the app's name."""
    return tuple(
        f"{leg.where.app}: {name}" if rollback.joint else name
        for leg in rollback.legs
        for name in _names(leg.secrets.get(which))
    )


def _difference(changes: ChangeList | None) -> _Difference:
    if changes is None:
        return _Difference(phrases=(), change_counts=None, changes=(), changes_left=0)
    shown = card_changes(changes, CHANGES_SHOWN)
    return _Difference(
        phrases=changes.phrases(),
        change_counts=changes.counts(),
        changes=shown,
        changes_left=len(changes.changes) - len(shown),
    )


def _buttons(
    rollback: Rollback, changes: Sequence[ChangeList], sign: Sign
) -> tuple[CardButton, ...]:
    """The buttons that mean something now.

    Nobody is asked to approve what the card cannot show: with another difference than the
    one that the votes bind to, only looking is left.
    """
    if not changes:
        return ()
    bound = [leg.change_digest for leg in rollback.legs]
    as_bound = [difference.digest for difference in changes] == bound
    actions: Sequence[str] = ("difference",)
    if rollback.policy.named and as_bound:
        actions = (*_VOTES.get(rollback.state, ()), *actions)
    if rollback.state is State.PENDING_APPROVAL and not rollback.joint:
        actions = (*actions, _ANOTHER)
    if rollback.policy.named and as_bound:
        actions = (*actions, *_alone(rollback))
    if rollback.state is State.COMPLETED:
        actions = (*actions, "undo")
    return tuple(CardButton(action, sign(rollback, action)) for action in actions)


def _nothing_said(case: Case) -> bool:
    """Whether people may ask for a version here, where Keyturn suggests none."""
    finding = case.finding
    return (
        case.state is CaseState.OPEN and finding is not None and finding.code in _NOTHING_SUGGESTED
    )


def _alone(rollback: Rollback) -> tuple[str, ...]:
    """The button that one person starts it with, last of all, where the policy names somebody."""
    waits = rollback.state is State.PENDING_APPROVAL
    return (_BREAK_GLASS,) if waits and rollback.policy.breakers else ()


def _glass(rollback: Rollback) -> CardGlass | None:
    broken = rollback.broken_by
    if broken is None:
        return None
    return CardGlass(
        slack_id=broken.slack_id,
        reason=broken.reason,
        at=broken.at,
        in_freeze=broken.in_freeze,
        approved=quorum.reached(rollback),
        ran=rollback.reviewable,
        review_open=rollback.review_open,
        signed=tuple(signature.slack_id for signature in rollback.signatures),
        needed=glass.SIGNATURES,
    )


def _alert(firing: Firing) -> CardAlert:
    return CardAlert(
        name=firing.alertname,
        fingerprint=firing.fingerprint,
        starts_at=firing.starts_at,
        firing=firing.status is FiringStatus.FIRING,
        severity=firing.labels.get("severity", ""),
    )


def _vote(vote: Vote) -> CardVote:
    return CardVote(
        slack_id=vote.slack_id,
        choice=vote.choice,
        at=vote.at,
        void=vote.voided_at is not None,
        void_why=vote.voided_why,
    )


def _names(said: Json) -> tuple[str, ...]:
    return tuple(said) if isinstance(said, list | tuple) else ()
