"""Opens a rollback and shows it: row, audit entries and messages in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from bot import spans
from bot.domain import approval, dry_run, impact_told, quorum
from bot.domain.calling import Call
from bot.domain.words import NoteCode
from bot.errors import KeyturnPaused
from bot.ports.store import Transaction
from bot.services.outgoing import (
    call_row,
    card_row,
    moved,
    note_row,
    picture_row,
    snippet_row,
)
from store.records import (
    AuditDraft,
    Case,
    Finding,
    Json,
    Leg,
    NewRollback,
    Rollback,
    State,
)


async def open_in(
    tx: Transaction, case: Case, new: NewRollback, finding: Finding, *, user_id: str
) -> Rollback:
    """Open *new* in *case*, present it, and queue its card: all in *tx*.

    Raises:
        OpenRollbackExists, Stale: Somebody else was quicker; nothing may be committed.
        KeyturnPaused: Nothing may be committed either.
    """
    if await tx.pause.current() is not None:
        raise KeyturnPaused(f"no rollback of {case.where} is opened now")
    what = {
        "digest": new.content_digest,
        **_named(new.legs),
        "finding": finding.code,
        **({"reason": new.reason} if new.reason else {}),
        **dry_run.recorded(
            [hitch for leg in new.legs for hitch in dry_run.hitches_in(leg.dry_run) or ()]
        ),
        **impact_told.recorded(new.legs),
    }
    draft = await tx.rollbacks.open(
        replace(new, case_id=case.id),
        open_for=timedelta(seconds=new.policy.open_for_s),
        entry=entry(case, "rollback.open", user_id, **what),
    )
    case = await tx.cases.save(
        replace(case, finding=finding, assess_at=None, rollback_id=draft.id),
        was=case.revision,
    )
    shown = await tx.rollbacks.save(
        approval.present(draft),
        was=draft.revision,
        entry=entry(case, "rollback.present", user_id, rollback=draft.id),
    )
    if quorum.reached(shown, ()):
        shown = await _nobody_is_needed(tx, case, shown, user_id)
    await tx.outbox.put(card_row(case, moved(shown)))
    if shown.state is State.PENDING_APPROVAL:
        await tx.outbox.put(call_row(case, shown, Call.ASKED))
    await tx.outbox.put(snippet_row(case, shown))
    for position in range(len(shown.legs)):
        await tx.outbox.put(picture_row(case, shown, position))
    if (facts := impact_told.told(shown)) and impact_told.worth_a_note(shown.legs):
        await tx.outbox.put(note_row(case, NoteCode.IMPACT, facts, moved(shown)))
    spans.happened("opened", of=spans.case(case.id), rollback=shown.id, state=shown.state)
    return shown


def _named(legs: Sequence[Leg]) -> dict[str, Json]:
    """What the audit entry says of the legs: of one in the form that it always had."""
    said = [
        {
            "app": str(leg.where),
            "from": leg.from_version_id,
            "to": leg.to_version_id,
            "expected_root": leg.expected_root,
        }
        for leg in legs
    ]
    first = {name: value for name, value in said[0].items() if name != "app"}
    return {**first, "legs": said} if len(legs) > 1 else first


async def _nobody_is_needed(tx: Transaction, case: Case, shown: Rollback, user_id: str) -> Rollback:
    """The policy wants no votes for what this person asked for: say so, and let it run."""
    approved = await tx.rollbacks.save(
        approval.approve_unasked(shown, at=await tx.now()),
        was=shown.revision,
        entry=entry(case, "rollback.approve_unasked", user_id, rollback=shown.id, votes=0),
    )
    facts = {"slack_id": shown.requested_slack_id}
    await tx.outbox.put(note_row(case, NoteCode.APPROVED_UNASKED, facts, moved(approved)))
    return approved


def entry(case: Case, action: str, user_id: str, **what: object) -> AuditDraft:
    """The audit entry of what *user_id* did in *case*."""
    return AuditDraft(
        user_id=user_id,
        action=action,
        resource=f"case/{case.id}",
        status="ok",
        what={"app": str(case.where), **what},
        ip_note="Keyturn itself" if user_id == "keyturn" else "not passed on by Slack",
    )
