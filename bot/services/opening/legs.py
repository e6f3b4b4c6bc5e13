"""A rollback's leg: what going from live to a version leaves live, as the target has both."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

from bot.domain import dry_run, impact, lost
from bot.domain.diff.changes import ChangeList, compare
from bot.domain.dry_run import Hitch
from bot.domain.impact import Impact
from bot.domain.masked import masked
from bot.domain.references import references
from bot.domain.secrets import expected, out_of_reach, plan
from bot.errors import SecretsGone, SecretsOutOfReach, ValuesMasked
from bot.ports.store import Store
from bot.ports.target import Targets
from bot.services.opening.ground import NOT_LOOKED, Ground, Looked
from bot.services.opening.rules import Rules
from bot.services.reach import Reach
from store.document import Document
from store.records import AppEnv, Leg, Version, VersionKind, VersionSource


class Legs:
    """Makes legs from what the store has of both sides and the targets say of them now."""

    def __init__(self, store: Store, targets: Targets, rules: Rules, *, look_up: timedelta) -> None:
        """Take what a leg needs.

        *look_up* is how long a look at a target may take for what a card only warns of.
        """
        self._store = store
        self._targets = targets
        self._reach = Reach(
            store,
            targets,
            known=rules.channels,
            depends_on=rules.depends_on,
            criticality=rules.criticality,
        )
        self._look_up = look_up

    async def between(
        self, where: AppEnv, ground: Ground, candidate: Version, looked: Looked = NOT_LOOKED
    ) -> Leg:
        """What going from live to *candidate* leaves live, as the target has both.

        Raises:
            SecretsOutOfReach: Where only the draft's secrets can be kept, some would be lost.
            SecretsGone: Secrets that live lacks were deleted in the target with *candidate*.
            ValuesMasked: Values of an app without a workflow are not shown, on either side.
            UpstreamDown, UpstreamRefused: The target cannot say whether that is so.
        """
        async with self._store.read() as tx:
            live_document = await tx.versions.document(ground.live.id)
            candidate_document = await tx.versions.document(candidate.id)
        leg, changes = await asyncio.to_thread(
            _leg_between, where, ground.live, live_document, candidate, candidate_document
        )
        if candidate.kind is VersionKind.MODEL_CONFIG:
            names = masked(live_document, candidate_document)
            if names:
                raise ValuesMasked(str(where), candidate.number, names)
        else:
            leg = await self._as_the_target_has_it(
                leg, candidate, live_document, candidate_document
            )
        found, reached = await asyncio.gather(
            self.hitches(where, expected(candidate_document, live_document)),
            self._reached(ground, candidate, live_document.mode, changes, looked),
        )
        return replace(leg, dry_run=dry_run.facts_of(found), impact=impact.facts_of(reached))

    async def hitches(self, where: AppEnv, document: Document) -> tuple[Hitch, ...]:
        """What *document* needs and *where* does not have, or cannot tell of; it raises nothing."""
        found = await asyncio.to_thread(references, document)
        target, _ = self._targets.of(where)
        needed = [reference.needed for reference in found]
        return dry_run.hitches(found, await target.look_up(needed, within=self._look_up))

    async def _reached(
        self, ground: Ground, candidate: Version, mode: str, changes: ChangeList, looked: Looked
    ) -> Impact:
        """What is behind the app of *ground*, an app of this *mode*."""
        return await self._reach(
            ground.live.where,
            mode,
            kinds=changes.counts(),
            lost=lost.counted(
                ground.history,
                candidate=candidate,
                live=ground.live,
                suspect_id=looked.suspect_id,
            ),
            rate=looked.rate,
            within=self._look_up,
        )

    async def _as_the_target_has_it(
        self, leg: Leg, candidate: Version, live: Document, candidate_document: Document
    ) -> Leg:
        if live.secrets or candidate_document.secrets:
            leg = await self._within_reach(leg, live, candidate_document)
        return await self._still_there(leg, candidate)

    async def _within_reach(self, leg: Leg, live: Document, candidate: Document) -> Leg:
        """Mark *leg* where the secrets in force will be the draft's, so that the card says so."""
        target, _ = self._targets.of(leg.where)
        if not await target.draft_secrets_only():
            return leg
        names = out_of_reach(expected(candidate, live), live)
        if names:
            raise SecretsOutOfReach(str(leg.where), names)
        return replace(leg, secrets={**leg.secrets, "of_draft": True})

    async def _still_there(self, leg: Leg, candidate: Version) -> Leg:
        """Mark *leg* if the target has deleted *candidate*, so that the card says so.

        The history is read from its newest end until it is found or an older one is: candidates
        are young, so that is one page as a rule, and every card can tell the truth for it.
        """
        target, app_id = self._targets.of(leg.where)
        older = candidate.source is not VersionSource.DRIFT  # when that happened nobody can say
        async for listed in target.history(app_id):
            if listed.external_id == candidate.target_id:
                return leg
            if older and listed.published_at < candidate.published_at:
                break
        own = leg.secrets["from_version"]
        if own:
            raise SecretsGone(str(leg.where), candidate.number, own)
        return replace(leg, restored=True)


def _leg_between(
    where: AppEnv,
    live: Version,
    live_document: Document,
    candidate: Version,
    candidate_document: Document,
) -> tuple[Leg, ChangeList]:
    """What reviewers will be shown and bound to; takes a while for large documents."""
    wanted = expected(candidate_document, live_document)
    secrets = plan(candidate_document, live_document)
    changes = compare(live_document, wanted)
    leg = Leg(
        where=where,
        from_version_id=live.id,
        to_version_id=candidate.id,
        live_external_id=live.target_id,
        live_root=live_document.root,
        expected_root=wanted.root,
        change_digest=changes.digest,
        secrets={"kept": list(secrets.kept), "from_version": list(secrets.from_version)},
    )
    return leg, changes
