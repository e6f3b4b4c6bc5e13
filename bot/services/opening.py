"""What every way to a rollback needs: the ground it stands on, its leg, and its opening."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from bot import spans
from bot.domain import approval, dry_run, impact, impact_told, lost, marker, quorum
from bot.domain.calling import Call
from bot.domain.diff.changes import ChangeList, compare
from bot.domain.dry_run import Hitch
from bot.domain.impact import Impact
from bot.domain.masked import masked
from bot.domain.policy import Policy
from bot.domain.references import references
from bot.domain.secrets import expected, out_of_reach, plan
from bot.domain.undone import undoes
from bot.domain.verdict.belief import THRESHOLDS, Thresholds
from bot.domain.words import NoteCode
from bot.errors import (
    ByHandOnly,
    EmptyVersion,
    KeyturnPaused,
    NothingToDo,
    Refused,
    SecretsGone,
    SecretsOutOfReach,
    UnknownVersion,
    ValuesMasked,
)
from bot.ports.people import Member
from bot.ports.store import Store, Transaction
from bot.ports.target import Targets
from bot.services.outgoing import (
    call_row,
    card_row,
    moved,
    note_row,
    picture_row,
    snippet_row,
)
from bot.services.reach import Reach
from store.document import Document
from store.records import (
    AppEnv,
    AuditDraft,
    Case,
    Finding,
    Json,
    Leg,
    Missing,
    NewRollback,
    PolicySnapshot,
    Rollback,
    State,
    Version,
    VersionKind,
    VersionSource,
)

UNKNOWN = "unknown"  # who published it, where the target does not say
LOOK_UP = timedelta(seconds=3)  # a card does not wait longer for what it only warns of
HISTORY = 200  # how many versions back a suspect or candidate is looked for


@dataclass(frozen=True)
class Rules:
    """The settings that proposing needs, as plain values."""

    policies: Mapping[str, Policy]  # by environment
    channels: Mapping[AppEnv, str]
    criticality: Mapping[str, str]  # by app; "medium" for others
    waited: timedelta  # the alert rules' usual `for`
    lookback: timedelta
    depends_on: Mapping[str, Sequence[str]] = field(default_factory=dict)  # by app
    thresholds: Thresholds = THRESHOLDS
    drills: frozenset[str] = frozenset()  # apps that serve nobody

    def practises(self, where: AppEnv) -> bool:
        """Whether drills may be held in *where*."""
        return where.app in self.drills

    def policy(self, where: AppEnv) -> Policy:
        """The environment's policy; without one two votes are needed and nobody is eligible."""
        criticality = self.criticality.get(where.app, "medium")
        return self.policies.get(where.env, Policy()).of(criticality)

    def quiet(self, where: AppEnv, at: datetime) -> bool:
        """Whether *at* is a time in which nobody is reminded about *where*."""
        return self.policy(where).quiet.until(at) is not None

    def voters(self, where: AppEnv) -> tuple[str, ...]:
        """Who may vote in *where* as of now, people and groups."""
        return self.policy(where).snapshot().voters

    def frozen(self, where: AppEnv, at: datetime) -> datetime | None:
        """Until when nothing of *where* is rolled back, if that holds at *at*."""
        return self.policy(where).freeze.until(at)


@dataclass(frozen=True)
class Ground:
    """What a rollback would stand on, read just now."""

    live: Version
    history: Sequence[Version]
    condemned: frozenset[str]

    def takes_reason(self, candidate: Version) -> bool:
        """Whether going to *candidate* goes to what is condemned, or back where we came from."""
        return candidate.meaning in self.condemned or undoes(self.history, self.live, candidate)


@dataclass(frozen=True)
class Looked:
    """What a look at an alert brought beside the candidate; of a person's request nothing.

    `rate` is the app's in requests a second, None where it was not measured.
    """

    suspect_id: int | None = None
    rate: float | None = None


NOT_LOOKED = Looked()


class Opening:
    """Reads the ground and opens rollbacks on it; which one is not decided here."""

    def __init__(
        self,
        store: Store,
        targets: Targets,
        rules: Rules,
        *,
        nonce: Callable[[], str],
        look_up: timedelta = LOOK_UP,
    ) -> None:
        """Take what opening needs.

        *look_up* is how long a look at a target may take for what a card only warns of.
        """
        self._store = store
        self._targets = targets
        self._rules = rules
        self._reach = Reach(
            store,
            targets,
            known=rules.channels,
            depends_on=rules.depends_on,
            criticality=rules.criticality,
        )
        self._nonce = nonce
        self._look_up = look_up

    async def ground(self, where: AppEnv) -> Ground | None:
        """What is known of *where*; None before its first version."""
        async with self._store.read() as tx:
            live = await tx.versions.newest(where)
            if live is None:
                return None
            return Ground(
                live=live,
                history=await tx.versions.history(where, limit=HISTORY),
                condemned=await tx.versions.condemned(where),
            )

    async def publisher(self, live: Version, rules: Policy) -> str:
        """The e-mail address of who published *live*, if *rules* keep them from voting.

        It is "" where nobody did, as for drift, or where we did, for people who had agreed; and
        `UNKNOWN` where the target does not name them.

        Raises:
            UpstreamDown, UpstreamRefused: The target does not tell.
        """
        ours = {VersionSource.ROLLBACK, VersionSource.DRIFT}
        if not rules.exclude_publisher or live.source in ours:
            return ""
        target, app_id = self._targets.of(live.where)
        if live.source is VersionSource.PUT_BACK:  # by us; but whose work it is has not changed
            whose = await self._published_before(live)
            async for listed in target.history(app_id):
                if listed.external_id == whose:
                    return listed.author_email or UNKNOWN
            return UNKNOWN
        found = await target.live(app_id)
        return (found.author_email if found is not None else "") or UNKNOWN

    async def breaker(self, live: Version) -> str:
        """The person on whose word alone *live* came there, by break-glass; "" for nobody."""
        rollback_id = marker.rollback_id_in(live.external_name)
        if live.source is not VersionSource.ROLLBACK or rollback_id is None:
            return ""
        async with self._store.read() as tx:
            try:
                rollback = await tx.rollbacks.get(rollback_id)
            except Missing:  # it is of another database
                return ""
        broken = rollback.broken_by
        return broken.person if broken and marker.is_of(live.external_name, rollback) else ""

    async def _published_before(self, live: Version) -> str:
        """The target's id of the newest publish by somebody of what *live* holds; "" for none."""
        async with self._store.read() as tx:
            versions = await tx.versions.history(live.where, limit=HISTORY, before=live.number)
        theirs = (
            version.external_id
            for version in versions
            if version.root == live.root and version.source is VersionSource.PUBLISHED
        )
        return next(theirs, "")

    def by_hand_only(self, live: Version) -> bool:
        """Whether only people take the app of *live* back.

        It has no versions in its target, so a write is live at once, and nobody opted in to that.
        """
        at_once = live.kind is VersionKind.MODEL_CONFIG
        return at_once and not self._targets.rolls_back_config(live.where)

    async def objections(self, where: AppEnv, ground: Ground, candidate: Version) -> list[Refused]:
        """Why nobody may go from *ground* to *candidate*, whoever asks."""
        number = candidate.number or 0
        if candidate.meaning == ground.live.meaning:
            return [NothingToDo(f"{where} version {number} is what is live")]
        if self.by_hand_only(ground.live):
            return [ByHandOnly(str(where), number)]
        if await self.empty(candidate):
            return [EmptyVersion(f"{where} version {number} has no nodes")]
        return []

    async def empty(self, version: Version) -> bool:
        """Whether *version* has no nodes: it could not answer anybody."""
        async with self._store.read() as tx:
            return (await tx.versions.document(version.id)).empty_graph

    async def hitches(self, where: AppEnv, document: Document) -> tuple[Hitch, ...]:
        """What *document* needs and *where* does not have, or cannot tell of; it raises nothing."""
        found = await asyncio.to_thread(references, document)
        target, _ = self._targets.of(where)
        needed = [reference.needed for reference in found]
        return dry_run.hitches(found, await target.look_up(needed, within=self._look_up))

    async def numbered(self, where: AppEnv, number: int) -> Version:
        """Version *number* of *where*. Raises `UnknownVersion`."""
        async with self._store.read() as tx:
            version = await tx.versions.numbered(where, number)
            newest = await tx.versions.newest(where)
        if version is None:
            raise UnknownVersion(str(where), str(number), newest.number if newest else None)
        return version

    async def new(
        self,
        where: AppEnv,
        ground: Ground,
        candidate: Version,
        snapshot: PolicySnapshot,
        *,
        by: Member | None = None,
        looked: Looked = NOT_LOOKED,
    ) -> NewRollback:
        """The rollback from live to *candidate*, not stored yet and of no case yet.

        Without *by* Keyturn itself asks for it, because of what it *looked* at. Raises what `leg`
        raises.
        """
        leg = await self.leg(where, ground, candidate, looked)
        return self.of((leg,), snapshot, by=by)

    def of(
        self, legs: tuple[Leg, ...], snapshot: PolicySnapshot, *, by: Member | None = None
    ) -> NewRollback:
        """The rollback of *legs*, the first of which is the app of its case; see `new`.

        It takes more votes than *snapshot* where its risk wants that.
        """
        rules = self._rules.policy(legs[0].where)
        snapshot = rules.at_risk(snapshot, impact.risk_of(legs))
        return NewRollback(
            case_id=0,
            nonce=self._nonce(),
            legs=legs,
            content_digest=approval.content_digest(legs),
            policy=snapshot,
            requested_by=by.person if by else quorum.KEYTURN,
            requested_slack_id=by.slack_id if by else "",
        )

    async def leg(
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
