"""What one person sees on App Home now: what waits for them, what they asked for, what is live."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from bot.domain import drill, glass, quorum
from bot.domain.home import APPS, SHOWN, HomeView, Listed, Part, Said
from bot.domain.policy import Policy
from bot.errors import NotEligible, UpstreamRefused
from bot.ports.people import Directory, Messenger
from bot.ports.store import Store, Transaction
from bot.services.asker import Asker, Reception
from bot.services.home.jobs import Managers, told
from bot.services.sight import Sight, expand
from store.records import (
    OPEN_STATES,
    AppEnv,
    Case,
    Home,
    JobState,
    Json,
    Rollback,
    State,
    Version,
    VersionSource,
)

MOST: Final = 1_000  # open rollbacks and reviews that are looked at
LOOKED_BACK: Final = 200  # newest rollbacks, of which the few that a person may see are shown
LINKS: Final = 5_000  # addresses of cards that are remembered: they never change
Facts = dict[str, Json]
FactsOf = Callable[[Rollback], Facts]


@dataclass(frozen=True)
class _Known:
    """What the store holds of the apps that a person may see, read in one moment."""

    at: datetime
    paused: bool
    waiting: Sequence[Rollback]  # open ones, oldest first
    reviews: Sequence[Rollback]
    ended: Sequence[Rollback]  # newest first
    cases: Mapping[int, Case]
    numbers: Mapping[int, int]  # stored version → its number
    live: Mapping[AppEnv, Version]
    jobs: Sequence[JobState]


class HomeDrawing:
    """Draws homes; nothing that a person may not see comes into one."""

    def __init__(
        self,
        store: Store,
        messenger: Messenger,
        directory: Directory,
        sight: Sight,
        *,
        policy_of: Callable[[AppEnv], Policy],
        managers: Managers,
        calls: bool = False,
    ) -> None:
        """Take where it is read from.

        Args:
            store: All that is shown.
            messenger: Knows the addresses of cards.
            directory: An answer of a minute ago will do here.
            sight: What a person may see, by that directory.
            policy_of: The configured policy of an app@env; who may sign a review.
            managers: Who may press the buttons of jobs.
            calls: Whether people are told by direct messages, which they may turn off.
        """
        self._store = store
        self._messenger = messenger
        self._directory = directory
        self._reception = Reception(directory)
        self._sight = sight
        self._policy_of = policy_of
        self._managers = managers
        self._calls = calls
        self._links: dict[tuple[str, str], str] = {}

    async def __call__(self, home: Home) -> HomeView:
        """Return what the person of *home* sees.

        Raises:
            UpstreamDown: Slack cannot say who they are.
        """
        asker = await self._reception.named(home.slack_id, home.team_id, {})
        try:
            seen = await self._sight.all(asker)
        except NotEligible as error:
            async with self._store.read() as tx:
                return HomeView(await tx.now(), notices=((Said.STRANGER, {"why": error.why}),))
        known = await self._read(set(seen))
        manages = await self._managers.include(asker)
        if not seen and not manages:
            return HomeView(known.at, notices=(*_said(home), (Said.NOTHING_SEEN, {})))
        page, pages = _page(home.page, len(known.live))
        return HomeView(
            known.at,
            notices=(*_said(home), *([(Said.PAUSED, {})] if known.paused else [])),
            lists=await self._lists(known, asker, page),
            jobs=told(known.jobs, at=known.at, manages=manages),
            page=page,
            pages=pages,
            direct=await self._direct(home.slack_id),
        )

    async def _direct(self, slack_id: str) -> str:
        if not self._calls:
            return ""
        async with self._store.read() as tx:
            return "off" if await tx.direct.is_off(slack_id) else "on"

    async def _read(self, seen: Collection[AppEnv]) -> _Known:
        async with self._store.read() as tx:
            waiting = _of(seen, await tx.rollbacks.in_states(sorted(OPEN_STATES), limit=MOST))
            reviews = _of(seen, await tx.rollbacks.to_review(limit=MOST))
            newest = _of(seen, await tx.rollbacks.newest(limit=LOOKED_BACK))
            ended = [rollback for rollback in newest if not rollback.open][:SHOWN]
            every = (*waiting, *reviews, *ended)
            live = await tx.versions.newest_of_all()
            return _Known(
                at=await tx.now(),
                paused=await tx.pause.current() is not None,
                waiting=waiting,
                reviews=reviews,
                ended=ended,
                cases=await _cases(tx, every),
                numbers=await _numbers(tx, every),
                live={where: version for where, version in live.items() if where in seen},
                jobs=list((await tx.schedule.all()).values()),
            )

    # -- the lists ------------------------------------------------------------------------------

    async def _lists(self, known: _Known, asker: Asker, page: int) -> tuple[Listed, ...]:
        votes = [one for one in known.waiting if await self._may_vote(known, asker, one)]
        reviews = [one for one in known.reviews if await self._may_sign(known, asker, one)]
        asked = [one for one in known.waiting if one.requested_by == asker.facts.person]
        return (
            await self._listed(known, Part.WAITING, votes, _waiting),
            await self._listed(known, Part.REVIEWS, reviews, _review),
            await self._listed(known, Part.ASKED, asked, _asked),
            await self._apps(known, page),
            await self._listed(known, Part.RECENT, known.ended, _recent),
        )

    async def _listed(
        self, known: _Known, part: Part, found: Sequence[Rollback], facts: FactsOf
    ) -> Listed:
        rows = [
            {**await self._row(known, rollback), **facts(rollback)} for rollback in found[:SHOWN]
        ]
        return Listed(part, tuple(rows), len(found) - len(rows))

    async def _row(self, known: _Known, rollback: Rollback) -> Facts:
        leg = rollback.leg
        return {
            "where": str(leg.where),
            "more": len(rollback.legs) - 1,
            **drill.mark(rollback),
            "rollback": rollback.id,
            "old": known.numbers.get(leg.from_version_id, 0),
            "new": known.numbers.get(leg.to_version_id, 0),
            "permalink": await self._permalink(known.cases.get(rollback.case_id)),
        }

    async def _apps(self, known: _Known, page: int) -> Listed:
        """A page of the apps that were read; first those where something is open or drifted."""
        running = {leg.where: one for one in known.waiting for leg in one.legs}

        def rank(where: AppEnv) -> tuple[bool, bool, AppEnv]:
            return where not in running, not _drifted(known.live[where]), where

        here = sorted(known.live, key=rank)[(page - 1) * APPS : page * APPS]
        rows = [await self._app(known, where, running.get(where)) for where in here]
        return Listed(Part.APPS, tuple(rows))

    async def _app(self, known: _Known, where: AppEnv, rollback: Rollback | None) -> Facts:
        live = known.live[where]
        case = known.cases.get(rollback.case_id) if rollback else None
        return {
            "where": str(where),
            "number": live.number,
            "published_at": live.published_at.isoformat(),
            "author": live.author,
            "drift": _drifted(live),
            **drill.mark(rollback),
            "rollback": rollback.id if rollback else 0,
            "state": rollback.state.value if rollback else "",
            "permalink": await self._permalink(case),
        }

    # -- who may --------------------------------------------------------------------------------

    async def _may_vote(self, known: _Known, asker: Asker, rollback: Rollback) -> bool:
        """Whether *asker*'s vote would be taken now, as far as is known here."""
        person = asker.facts.person
        given = {vote.person for vote in rollback.votes if vote.voided_at is None}
        waits = rollback.state is State.PENDING_APPROVAL and known.at < rollback.expires_at
        if not waits or person in given or person == rollback.requested_by:
            return False
        voter = await self._before(known, asker, rollback, rollback.policy.voters)
        return voter is not None and voter.why_no_vote(rollback.policy) is None

    async def _may_sign(self, known: _Known, asker: Asker, rollback: Rollback) -> bool:
        done = {signed.person for signed in rollback.signatures}
        done |= {rollback.broken_by.person} if rollback.broken_by else set()
        if asker.facts.person in done:
            return False
        rules = self._policy_of(rollback.leg.where).snapshot()
        signer = await self._before(known, asker, rollback, rules.voters)
        return signer is not None and signer.why_no_signature(rules) is None

    async def _before(
        self, known: _Known, asker: Asker, rollback: Rollback, entries: Iterable[str]
    ) -> Asker | None:
        """*asker* as they stand before the card of *rollback*; None where there is none to see."""
        case = known.cases.get(rollback.case_id)
        if case is None:
            return None
        groups = (await expand(self._directory, entries)).groups
        try:
            shared = await self._directory.shared_channel(case.channel)
        except UpstreamRefused:
            return None
        return replace(asker, groups=groups, shared=shared)

    async def _permalink(self, case: Case | None) -> str:
        """The link to a case's card; "" for a card that does not stand, or was deleted."""
        if case is None or not case.card_ts:
            return ""
        key = (case.channel, case.card_ts)
        if key not in self._links:
            if len(self._links) >= LINKS:
                self._links.clear()
            try:
                self._links[key] = await self._messenger.permalink(
                    channel=case.channel, ts=case.card_ts
                )
            except UpstreamRefused:
                return ""
        return self._links[key]


def _said(home: Home) -> list[tuple[Said, Mapping[str, Json]]]:
    """What was left for the person to read; nothing, if an other release left it."""
    if home.said is None or home.said.get("code") not in set(Said):
        return []
    return [(Said(home.said["code"]), home.said.get("facts", {}))]


def _page(asked: int, apps: int) -> tuple[int, int]:
    pages = max(-(-apps // APPS), 1)
    return min(max(asked, 1), pages), pages


def _of(seen: Collection[AppEnv], rollbacks: Iterable[Rollback]) -> list[Rollback]:
    """Those whose card a person may see: its app is the one that the case is about."""
    return [rollback for rollback in rollbacks if rollback.leg.where in seen]


def _drifted(version: Version) -> bool:
    return version.source is VersionSource.DRIFT


async def _cases(tx: Transaction, rollbacks: Iterable[Rollback]) -> dict[int, Case]:
    return {case_id: await tx.cases.get(case_id) for case_id in {one.case_id for one in rollbacks}}


async def _numbers(tx: Transaction, rollbacks: Iterable[Rollback]) -> dict[int, int]:
    ids = {i for one in rollbacks for i in (one.leg.from_version_id, one.leg.to_version_id)}
    return {i: (await tx.versions.get(i)).number or 0 for i in ids}


def _waiting(rollback: Rollback) -> Facts:
    return {**_votes(rollback), "until": rollback.expires_at.isoformat()}


def _asked(rollback: Rollback) -> Facts:
    waits = rollback.state in (State.DRAFT, State.PENDING_APPROVAL)
    until = rollback.expires_at.isoformat() if waits else ""
    return {**_votes(rollback), "until": until, "state": rollback.state.value}


def _votes(rollback: Rollback) -> Facts:
    return {"count": len(quorum.approvals(rollback)), "needed": quorum.needed(rollback)}


def _review(rollback: Rollback) -> Facts:
    broken = rollback.broken_by
    return {
        "slack_id": broken.slack_id if broken else "",
        "count": len(rollback.signatures),
        "needed": glass.SIGNATURES,
    }


def _recent(rollback: Rollback) -> Facts:
    at = rollback.finished_at or rollback.opened_at
    return {"state": rollback.state.value, "outcome": rollback.outcome, "at": at.isoformat()}
