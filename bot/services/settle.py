"""Write down how a rollback ended, and tell: one transaction for the end and all that follows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from bot.domain import legs, quorum, reminders
from bot.domain.card_view import seconds_to_verified
from bot.domain.diff.changes import compare
from bot.domain.diff.text import mini
from bot.domain.secrets import expected
from bot.domain.words import DraftNote, NoteCode, OutcomeCode
from bot.errors import (
    AccountLocked,
    AnswerUnreadable,
    LoginRefused,
    UpstreamDown,
    UpstreamRefused,
)
from bot.ports.store import Store, Transaction
from bot.services import condemning, review
from bot.services.alerting.rows import DONE, alert_row
from bot.services.drill.ending import hand_over, over
from bot.services.outgoing import card_row, moved, note_row, review_row
from bot.services.watching import stop_watching, watching
from store.records import (
    AuditDraft,
    Case,
    Done,
    Json,
    Rollback,
    State,
    Step,
    Version,
)

SLIPPED_IN_LINES = 12


@dataclass(frozen=True)
class Ending:
    """How it ends: the state, the sentence's code, and what fills it.

    `found` is the version that was live when it was not the approved one.
    """

    state: State
    code: OutcomeCode
    facts: Mapping[str, Json] = field(default_factory=dict)
    found: Version | None = None


def completed(rollback: Rollback, to: Version) -> Ending:
    """The good end: the approved content was read back as live."""
    return Ending(
        State.COMPLETED,
        OutcomeCode.COMPLETED,
        {"candidate": to.number, "draft": rollback.execution.draft_note},
    )


def put_back(rollback: Rollback) -> Ending:
    """The end of a rollback of several apps of which one did not come: the others are back.

    Where one of them could not be put back, people have to look.
    """
    execution = rollback.execution
    if legs.all_back(execution):
        return Ending(
            State(execution.back_state),
            OutcomeCode(execution.back_because),
            {**execution.back_facts, "put_back": _names(rollback, execution.done)},
        )
    left = [done for done in execution.done if done.back != legs.BACK]
    return Ending(
        State.NEEDS_ATTENTION,
        OutcomeCode.NOT_PUT_BACK,
        {
            "because": execution.back_because,
            "stuck": execution.back_facts.get("stuck", ""),
            "left": _names(rollback, left),
        },
    )


def _names(rollback: Rollback, done: Iterable[Done]) -> list[Json]:
    return [str(rollback.legs[one.position].where) for one in done]


def unsettled(system: str) -> Ending:
    """The target cannot be read, so nobody knows: a person has to look."""
    return Ending(State.NEEDS_ATTENTION, OutcomeCode.OUTCOME_UNKNOWN, {"system": system})


class Settle:
    """Ends executions; also says in the thread what happens on the way."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def __call__(self, rollback: Rollback, ending: Ending) -> Rollback:
        """Store the end of *rollback* with its audit entry, card, note and consequences.

        Raises:
            Stale: The rollback moved on meanwhile; nothing was stored.
        """
        async with self._store.write() as tx:
            done = ending.state is State.COMPLETED
            facts = await _with_number(tx, rollback, ending)
            after = await tx.rollbacks.save(
                rollback.moved(
                    ending.state,
                    execution=replace(rollback.execution, step=Step.DONE),
                    outcome=ending.code,
                    outcome_facts=facts,
                    finished_at=await tx.now(),
                    recovery=await watching(tx, rollback) if done else None,
                ),
                was=rollback.revision,
                entry=_entry(rollback, ending, facts),
            )
            case = await tx.cases.get(rollback.case_id, lock=True)
            if done:
                await condemning.lift(tx, after)
                await stop_watching(tx, after)
                await tx.outbox.put(alert_row(after, DONE))
            if ending.state is State.SUPERSEDED:
                case = await tx.cases.save(
                    replace(case, assess_at=await tx.now()), was=case.revision
                )
            await self._tell(tx, case, after, ending)
            if ending.state is not State.SUPERSEDED:  # which is looked at again
                await over(tx, case, after)
                await hand_over(tx, case, after)
            if after.review_open:
                await self._ask_for_review(tx, case, after)
        return after

    async def say_waiting(self, rollback: Rollback, error: UpstreamDown | UpstreamRefused) -> None:
        """Say in the thread what keeps us waiting; said once while the rollback stays as it is."""
        facts = {"system": error.system}
        match error:
            case LoginRefused() | AccountLocked():
                await self._say(rollback, NoteCode.WAITING_FOR_LOGIN, facts)
            case UpstreamRefused() if not isinstance(error, AnswerUnreadable):
                facts["upstream_code"] = error.upstream_code
                await self._say(rollback, NoteCode.WAITING_THOUGH_REFUSED, facts)
            case _:
                await self._say(rollback, NoteCode.WAITING_FOR_TARGET, facts)

    async def say_draft(
        self, rollback: Rollback, note: DraftNote, lost: Sequence[str] = ()
    ) -> None:
        """Say in the thread what became of the editors' draft, and where ours is kept.

        The values of the secrets *lost* have to be typed again: people are called.
        """
        await self._say(rollback, NoteCode.DRAFT_NOTE, _draft_facts(rollback, note, lost))

    async def _say(self, rollback: Rollback, code: NoteCode, facts: Mapping[str, Json]) -> None:
        async with self._store.write() as tx:
            case = await tx.cases.get(rollback.case_id)
            await tx.outbox.put(note_row(case, code, facts, moved(rollback)))

    async def _ask_for_review(self, tx: Transaction, case: Case, after: Rollback) -> None:
        """It ran on one person's word: two others have to look at it now, however it ended."""
        at = await tx.now()
        await tx.audit.append(review.opened(after))
        facts = reminders.review_facts(after, after.policy.voters, at=at)
        await tx.outbox.put(review_row(case, facts, days=0))

    async def _tell(self, tx: Transaction, case: Case, after: Rollback, ending: Ending) -> None:
        await tx.outbox.put(card_row(case, moved(after)))
        if ending.found is not None:
            candidate = await tx.versions.document(after.current.to_version_id)
            live = await tx.versions.document(after.current.from_version_id)
            found = await tx.versions.document(ending.found.id)
            text = mini(compare(expected(candidate, live), found), lines=SLIPPED_IN_LINES)
            alone = {"alone": True} if after.broken_by is not None else {}
            where = {"where": str(after.current.where)} if after.joint else {}
            slipped_in = {"lines": text.splitlines(), **alone, **where}
            await tx.outbox.put(note_row(case, NoteCode.EDITS_SLIPPED_IN, slipped_in, moved(after)))
        facts: dict[str, Json] = {
            "outcome": after.outcome,
            "facts": dict(after.outcome_facts),
            "seconds": seconds_to_verified(after) if after.state is State.COMPLETED else None,
            "rollback": after.id,
        }
        if after.state is State.NEEDS_ATTENTION:
            facts["call"] = to_call(after)
        await tx.outbox.put(note_row(case, NoteCode.ENDED, facts, moved(after)))
        told = None if after.execution.backwards else await draft_told(tx, after, ending)
        if told is not None:
            await tx.outbox.put(note_row(case, NoteCode.DRAFT_NOTE, told, moved(after)))


_MISSING = frozenset({DraftNote.KEPT_ONLY, DraftNote.THEIRS_STAYS, DraftNote.SECRETS_LOST})


async def draft_told(tx: Transaction, rollback: Rollback, ending: Ending) -> dict[str, Json] | None:
    """What to say of the current leg's editors' draft if the leg ends with *ending*.

    It is said where only our store holds the draft now, or values of its secrets are lost. None:
    nothing is missing.
    """
    note = await _draft_note(tx, rollback, ending)
    return None if note is None else _draft_facts(rollback, note, rollback.execution.sealed)


async def _draft_note(tx: Transaction, rollback: Rollback, ending: Ending) -> DraftNote | None:
    execution, leg = rollback.execution, rollback.current
    if execution.kept_draft_id is None or ending.code is OutcomeCode.DRAFT_SECRETS_LOST:
        return None
    lost = DraftNote.SECRETS_LOST if execution.sealed else None
    if ending.state is State.COMPLETED:
        note = execution.draft_note  # "": an original did it, and this is a copy
        return DraftNote(note) if note in _MISSING else lost
    if ending.state is not State.NEEDS_ATTENTION:
        return lost
    kept = (await tx.versions.get(execution.kept_draft_id)).root
    held_work = kept not in {leg.live_root, leg.expected_root}
    return DraftNote.KEPT_ONLY if held_work or execution.sealed else None


def _draft_facts(rollback: Rollback, note: DraftNote, lost: Sequence[str]) -> dict[str, Json]:
    told: dict[str, Json] = {
        "draft": note,
        "where": str(rollback.current.where),
        "version_id": rollback.execution.kept_draft_id,
    }
    return {**told, "names": list(lost), "call": to_call(rollback)} if lost else told


def to_call(rollback: Rollback) -> list[Json]:
    """Return who has to look: the reviewers (also user groups), then on whose word it ran."""
    voters = [vote.slack_id for vote in quorum.approvals(rollback)]
    alone = [rollback.broken_by.slack_id] if rollback.broken_by else []
    return list(dict.fromkeys([*rollback.policy.voters, *voters, *alone]))


async def _with_number(tx: Transaction, rollback: Rollback, ending: Ending) -> dict[str, Json]:
    facts = dict(ending.facts)
    if rollback.broken_by is not None:
        facts["alone"] = True
    published = rollback.execution.published_version_id
    if published is not None:
        facts["number"] = (await tx.versions.get(published)).number
    if rollback.joint and ending.state is State.COMPLETED:
        rows = await _legs(tx, rollback)
        facts |= {**rows[0], "legs": rows}
    if rollback.joint and ending.state is not State.COMPLETED and not rollback.execution.backwards:
        facts["stuck"] = str(rollback.current.where)
    if ending.state is State.NEEDS_ATTENTION and ending.code is not OutcomeCode.NOT_PUT_BACK:
        gone = [done for done in rollback.execution.done if done.back != legs.BACK]
        facts |= {"done": _names(rollback, gone)} if gone else {}
    return facts


async def _legs(tx: Transaction, rollback: Rollback) -> list[dict[str, Json]]:
    """What each leg of a rollback that is through brought: the candidate, and as which version."""
    brought = legs.brought(rollback)
    rows: list[dict[str, Json]] = []
    for position, leg in enumerate(rollback.legs):
        version_id, draft = brought.get(position, (None, ""))  # a copy may not know it
        candidate = await tx.versions.get(leg.to_version_id)
        published = await tx.versions.get(version_id) if version_id is not None else None
        rows.append(
            {
                "where": str(leg.where),
                "candidate": candidate.number,
                "number": published.number if published else None,
                "draft": draft,
            }
        )
    return rows


def _alone(rollback: Rollback) -> dict[str, Json]:
    """Whose word alone it ran on; nothing where it was approved."""
    broken = rollback.broken_by
    return {"broken_by": broken.person, "why": broken.reason} if broken else {}


def _entry(rollback: Rollback, ending: Ending, facts: Mapping[str, Json]) -> AuditDraft:
    return AuditDraft(
        user_id="keyturn",
        action=f"rollback.{ending.state.lower()}",
        resource=f"rollback/{rollback.id}",
        status="ok" if ending.state is State.COMPLETED else "failed",
        what={
            "app": ", ".join(str(leg.where) for leg in rollback.legs),
            "outcome": ending.code,
            "facts": dict(facts),
            "expected_root": rollback.leg.expected_root,
            "digest": rollback.content_digest,
            "approved_by": sorted(vote.person for vote in quorum.approvals(rollback)),
            **_alone(rollback),
        },
        ip_note="Keyturn itself",
    )
