"""What every way to a rollback needs: its ground, what speaks against it, and its making."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from bot.domain import approval, impact, marker, quorum
from bot.domain.policy import Policy
from bot.errors import ByHandOnly, EmptyVersion, NothingToDo, Refused, UnknownVersion
from bot.ports.people import Member
from bot.ports.store import Store
from bot.ports.target import Targets
from bot.services.opening.ground import NOT_LOOKED, Ground, Looked
from bot.services.opening.legs import Legs
from bot.services.opening.rules import Rules
from store.records import (
    AppEnv,
    Leg,
    Missing,
    NewRollback,
    PolicySnapshot,
    Version,
    VersionKind,
    VersionSource,
)

UNKNOWN = "unknown"  # who published it, where the target does not say
LOOK_UP = timedelta(seconds=3)  # a card does not wait longer for what it only warns of
HISTORY = 200  # how many versions back a suspect or candidate is looked for


class Opening:
    """Reads the ground and makes rollbacks on it, not stored yet; which one is not decided here."""

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
        self._nonce = nonce
        self.legs = Legs(store, targets, rules, look_up=look_up)

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

        Without *by* Keyturn itself asks for it, because of what it *looked* at. Raises what
        `Legs.between` raises.
        """
        leg = await self.legs.between(where, ground, candidate, looked)
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
