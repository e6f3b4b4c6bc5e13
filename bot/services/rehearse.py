"""A dry run: everything of a rollback but the write. Nothing is opened, and nothing is changed.

What is published meanwhile is recorded on the way, as by every look at a target.
"""

from __future__ import annotations

import asyncio
import html
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Final

from bot.domain.diff.changes import ChangeList, compare
from bot.domain.dry_run import Hitch, Severity, hitches_in
from bot.domain.impact import impact_in
from bot.domain.rehearsal import Draft, Rehearsal
from bot.domain.secrets import expected
from bot.domain.words import OutcomeCode
from bot.errors import (
    Frozen,
    KeyturnPaused,
    NothingStored,
    Refused,
    RollbackOpen,
    SecretsGone,
    SecretsOutOfReach,
    ValuesMasked,
)
from bot.language import filled, message
from bot.ports.store import Store
from bot.ports.target import TargetDraft, Targets
from bot.services.draft_seal import can_seal
from bot.services.draft_secrets import hindrance
from bot.services.opening.ground import Ground
from bot.services.opening.opening import Opening
from bot.services.opening.rules import Rules
from store.document import Document
from store.records import AppEnv, Leg, State, Version, VersionKind

_DRAFT: Final = {
    OutcomeCode.DRAFT_HAS_SECRETS: message("the editors' draft has secret values of its own"),
    OutcomeCode.DRAFT_LACKS_SECRETS: message("the editors' draft lacks secrets that are live"),
    OutcomeCode.DRAFT_SECRETS_UNKNOWN: message(
        "the draft's secrets cannot be compared with live's"
    ),
}


class Rehearse:
    """Plays rollbacks through without writing."""

    def __init__(
        self,
        store: Store,
        targets: Targets,
        refresh: Callable[[AppEnv], Awaitable[object]],
        rules: Rules,
        opening: Opening,
    ) -> None:
        """Take what asking for a rollback takes; *refresh* reads what is live now."""
        self._store = store
        self._targets = targets
        self._refresh = refresh
        self._rules = rules
        self._opening = opening

    async def __call__(self, where: AppEnv, number: int) -> Rehearsal:
        """Return what a rollback of *where* to version *number* would do and meet.

        Raises:
            UnknownApp, UnknownVersion, NothingStored: There is no such thing.
            UpstreamDown, UpstreamRefused: The target cannot be read.
        """
        self._targets.of(where)
        await self._refresh(where)
        candidate = await self._opening.numbered(where, number)
        ground = await self._opening.ground(where)
        if ground is None:
            raise NothingStored(str(where))
        async with self._store.read() as tx:
            live = await tx.versions.document(ground.live.id)
            document = await tx.versions.document(candidate.id)
        changes = await asyncio.to_thread(_compared, live, document)
        rules = self._rules.policy(where)
        made = Rehearsal(
            where=where,
            live=ground.live,
            candidate=candidate,
            hitches=(),
            phrases=changes.phrases(),
            changes=len(changes.changes),
            at_once=ground.live.kind is VersionKind.MODEL_CONFIG,
            votes=rules.votes,
            reason_needed=ground.takes_reason(candidate),
        )
        made = await self._surroundings(made, ground)
        made, leg, refused = await self._leg(made, ground, candidate)
        legs = self._opening.legs
        found = hitches_in(leg.dry_run) if leg else await legs.hitches(where, document)
        made = replace(made, hitches=(*made.hitches, *refused, *(found or ())))
        return await self._draft(made, leg, live) if leg else made

    async def _surroundings(self, made: Rehearsal, ground: Ground) -> Rehearsal:
        """What would be refused, whatever is in the version."""
        where = made.where
        refused = await self._opening.objections(where, ground, made.candidate)
        async with self._store.read() as tx:
            until = self._rules.frozen(where, await tx.now())
            paused = await tx.pause.current()
            before = await tx.rollbacks.open_of(where)
            to = await tx.versions.get(before.leg.to_version_id) if before else None
        if until is not None:
            refused.append(Frozen(str(where), until))
        if paused is not None:
            refused.append(KeyturnPaused("paused"))
        if before is not None and before.state is not State.PENDING_APPROVAL:
            refused.append(RollbackOpen(f"rollback {before.id} of {where} is {before.state}"))
        replaces = to.number if to and before and before.state is State.PENDING_APPROVAL else None
        return replace(made, hitches=tuple(map(_refusal, refused)), replaces=replaces)

    async def _leg(
        self, made: Rehearsal, ground: Ground, candidate: Version
    ) -> tuple[Rehearsal, Leg | None, tuple[Hitch, ...]]:
        """The rollback's leg with what it reaches and takes, or why there can be none."""
        snapshot = self._rules.policy(made.where).snapshot()
        try:
            new = await self._opening.new(made.where, ground, candidate, snapshot)
        except (SecretsOutOfReach, SecretsGone, ValuesMasked) as error:
            return made, None, (_refusal(error),)
        leg = new.legs[0]
        made = replace(made, votes=new.policy.votes, impact=impact_in(leg.impact))
        return made, leg, ()

    async def _draft(self, made: Rehearsal, leg: Leg, live: Document) -> Rehearsal:
        """What stands in the draft, and whether it may be touched."""
        made = replace(
            made,
            expected_root=leg.expected_root,
            secrets=leg.secrets,
            restored=leg.restored,
        )
        if made.at_once:
            return made
        target, app_id = self._targets.of(made.where)
        draft = await target.draft(app_id)
        compared = await target.compare_secrets(app_id, live_id=leg.live_external_id)
        sealed = await can_seal(target, leg, compared)
        hindered = None if sealed else hindrance(compared, leg, live, begun=False)
        refused: tuple[Hitch, ...] = ()
        if hindered is not None:
            why = _hindered(hindered.code, hindered.facts["names"])
            refused = (Hitch(Severity.BLOCKS, hindered.code.value, why=why),)
        return replace(
            made,
            hitches=(*refused, *made.hitches),
            draft=_holds(draft, leg),
            sealed=compared.names if sealed else (),
            draft_author=draft.author if draft else "",
        )


def _compared(live: Document, candidate: Document) -> ChangeList:
    return compare(live, expected(candidate, live))


def _holds(draft: TargetDraft | None, leg: Leg) -> Draft:
    if draft is None:
        return Draft.NONE
    known = {leg.live_root, leg.expected_root}
    return Draft.AS_LIVE if draft.document.root in known else Draft.WORK


def _hindered(code: OutcomeCode, names: Sequence[str]) -> str:
    """Why the draft may not be touched, in the language of the moment, as every refusal is."""
    why = filled(_DRAFT[code])
    listed = filled(", ").join(names)
    return filled("%(why)s: %(names)s", why=why, names=listed) if names else why


def _refusal(error: Refused) -> Hitch:
    """A refusal as a hitch; its sentence is for Slack, and is told as plain text here."""
    return Hitch(Severity.BLOCKS, error.code, why=html.unescape(error.to_person()).replace("`", ""))
