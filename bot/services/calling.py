"""Direct messages to those who may vote: who is called, and what each of them is told.

Whom a rollback calls is queued in the transaction that opens it, reminds of it or escalates it. A
worker tells each person of all that waits for them in one message, and mends that message when it
holds no more. It is drawn from the store, so a crash between sending and marking sends one more.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from bot.domain import drill, policy, quorum
from bot.domain.calling import MOST, Manner, Told, called, told
from bot.domain.words import NoteCode
from bot.errors import Throttled, UpstreamDown, UpstreamRefused
from bot.ports.people import Directory, Member, Messenger, Note
from bot.ports.store import Store, Transaction
from bot.services.eligibility import NOBODY, facts_of
from bot.services.sight import expand
from bot.services.slack_says import CANNOT_EDIT, TO_MEND
from bot.services.waiting import backoff
from store.records import Addressee, Case, DirectCall, Json, Outgoing, Rollback, Stale, State

log = logging.getLogger(__name__)
LEASE: Final = timedelta(seconds=60)
_GONE: Final = CANNOT_EDIT | {"channel_not_found"}
_MEND_FIRST_S, _MEND_LONGEST_S = 15.0, 300.0
_UNLINKED: Final = "unlinked"  # said before the card stood


@dataclass(frozen=True)
class _Matter:
    """A call with what it is about, and how that stands for the person now."""

    call: DirectCall
    rollback: Rollback
    case: Case
    old: int
    new: int
    stands: Told

    @property
    def says(self) -> str:
        """What a message says of it now, as far as a later one may say something else."""
        return self.stands.value if self.case.card_ts else f"{self.stands.value}.{_UNLINKED}"


class Calling:
    """Calls people; any number of processes may do so at once."""

    def __init__(
        self,
        store: Store,
        messenger: Messenger,
        directory: Directory,
        manner: Manner,
        *,
        owner: str,
        jitter: Callable[[], float],
    ) -> None:
        """Take what calling needs; of *directory* an answer of a minute ago will do."""
        self._store = store
        self._messenger = messenger
        self._directory = directory
        self.manner = manner
        self._owner = owner
        self._jitter = jitter

    async def spread(self, row: Outgoing) -> None:
        """Call everybody whom an outbox *row* is for; who asked for it and who voted are not.

        Raises:
            UpstreamDown: Slack cannot say who is in a group.
        """
        async with self._store.read() as tx:
            rollback = await tx.rollbacks.get(row.body["rollback_id"])
        found: list[str] = []
        if self.manner.on and rollback.state is State.PENDING_APPROVAL:
            entries = called(rollback.policy, row.body["code"])
            groups = (await expand(self._directory, entries)).groups
            people = {one for entry in entries for one in groups.get(entry, {entry})}
            named = {entry for entry in people if not entry.startswith("S")}
            found = [one for one in sorted(named) if self._wanted(rollback, one)][:MOST]
        async with self._store.write() as tx:
            await tx.direct.call(found, rollback.id, row.body["code"])
            await tx.outbox.sent(row.id, owner=self._owner)

    def _wanted(self, rollback: Rollback, slack_id: str) -> bool:
        """Whether their vote is missing: who was not eligible at the opening has none."""
        person = self._directory.person_of(slack_id)
        eligible = person in rollback.policy.eligible and person != rollback.requested_by
        return eligible and told(rollback, person) is Told.WAITS

    async def step(self) -> bool:
        """Tell the person who is due for longest; False when there is none."""
        async with self._store.write() as tx:
            paused = await tx.pause.current() is not None  # a copy does not know what was told
            someone = None if paused else await tx.direct.claim(self._owner, lease=LEASE)
        if someone is None:
            return False
        try:
            await self._serve(someone)
        except Throttled as error:
            await self._rest(someone, error)
        except UpstreamDown as error:
            await self._later(someone, error, backoff(someone.attempts, jitter=self._jitter()))
        except UpstreamRefused as error:
            await self._refused(someone, error)
        except Stale:
            log.warning("person taken over by another worker")
        return True

    async def _rest(self, someone: Addressee, error: Throttled) -> None:
        """Tell nobody anything before Slack's time is over: cards need its patience too."""
        delay = timedelta(seconds=error.retry_after_s)
        await self._later(someone, error, delay)
        async with self._store.write() as tx:
            await tx.direct.rest(delay)

    async def _refused(self, someone: Addressee, error: UpstreamRefused) -> None:
        """Wait for a mistake to be mended; what will never be taken is given up."""
        log.error("direct message refused", extra={"why": error.upstream_code})
        if error.upstream_code not in TO_MEND:
            await self._give_up(someone)
            return
        jitter = self._jitter()
        delay = backoff(
            someone.attempts, jitter=jitter, first_s=_MEND_FIRST_S, longest_s=_MEND_LONGEST_S
        )
        await self._later(someone, error, delay)

    async def _later(
        self, someone: Addressee, error: UpstreamDown | UpstreamRefused, delay: timedelta
    ) -> None:
        log.warning("direct message has to wait", extra={"why": error.code})
        async with self._store.write() as tx:
            await tx.direct.release(someone.slack_id, owner=self._owner, due_in=delay)

    async def _give_up(self, someone: Addressee) -> None:
        """Slack will never take it: no such person, or no messages tab.

        What was told already is mended when it changes.
        """
        async with self._store.write() as tx:
            calls = await tx.direct.calls(someone.slack_id)
            await tx.direct.save(replace(call, over=True) for call in calls if not call.ts)
            await tx.direct.release(someone.slack_id, owner=self._owner, due_in=None)

    # -- one person -----------------------------------------------------------------------------

    async def _serve(self, someone: Addressee) -> None:
        """Mend what was told and holds no more, then tell what is new, if it is time."""
        matters, at = await self._matters(someone)
        await self._mend(matters)
        fresh = [matter for matter in matters if not matter.call.ts]
        wanted = [matter for matter in fresh if self._holds(matter)]
        wait = timedelta()
        if wanted and not someone.off and self.manner.on:
            member = await self._member(someone)
            wanted = [matter for matter in wanted if await self._may(member, matter)]
            codes = [matter.call.code for matter in wanted]
            tz = member.tz if member else ""
            wait = self.manner.wait(codes, told_at=someone.told_at, tz=tz, at=at)
            if wanted and wait:
                await self._release(someone, _others(fresh, wanted), due_in=wait)
                return
        else:
            wanted = []
        await self._tell(someone, fresh, wanted)

    async def _tell(
        self, someone: Addressee, fresh: Sequence[_Matter], wanted: Sequence[_Matter]
    ) -> None:
        done = _others(fresh, wanted)
        if not wanted:
            await self._release(someone, done, due_in=None)
            return
        newest = {matter.rollback.id: matter for matter in wanted}  # of a call and its reminder one
        note = await self._note(list(newest.values()))
        channel, ts = await self._messenger.tell(note, slack_id=someone.slack_id)
        said = [
            replace(m.call, channel=channel, ts=ts, said=m.says)
            if newest[m.rollback.id] is m
            else replace(m.call, over=True)
            for m in wanted
        ]
        await self._release(someone, [*done, *said], due_in=None, told=True)

    async def _release(
        self,
        someone: Addressee,
        calls: Iterable[DirectCall],
        *,
        due_in: timedelta | None,
        told: bool = False,
    ) -> None:
        async with self._store.write() as tx:
            await tx.direct.save(calls)
            await tx.direct.release(someone.slack_id, owner=self._owner, due_in=due_in, told=told)

    async def _mend(self, matters: Iterable[_Matter]) -> None:
        """Say in each message that stands what became of it."""
        stale = [m for m in matters if m.call.ts and m.call.said != m.says]
        for to, channel, ts in sorted(
            {(m.call.slack_id, m.call.channel, m.call.ts) for m in stale}
        ):
            async with self._store.read() as tx:
                calls = await tx.direct.of_message(to, channel, ts)
                here = [await self._matter(tx, call) for call in calls]
            try:
                await self._messenger.retell(
                    await self._note(here), channel=channel, ts=ts, slack_id=to
                )
            except UpstreamRefused as error:
                if error.upstream_code not in _GONE:
                    raise
            async with self._store.write() as tx:
                await tx.direct.save(
                    replace(m.call, said=m.says, over=m.stands is Told.OVER) for m in here
                )

    # -- what is so -----------------------------------------------------------------------------

    async def _matters(self, someone: Addressee) -> tuple[list[_Matter], datetime]:
        async with self._store.read() as tx:
            calls = await tx.direct.calls(someone.slack_id)
            return [await self._matter(tx, call) for call in calls], await tx.now()

    async def _matter(self, tx: Transaction, call: DirectCall) -> _Matter:
        rollback = await tx.rollbacks.get(call.rollback_id)
        leg, person = rollback.leg, self._directory.person_of(call.slack_id)
        old = await tx.versions.get(leg.from_version_id)
        new = await tx.versions.get(leg.to_version_id)
        return _Matter(
            call,
            rollback,
            await tx.cases.get(rollback.case_id),
            old.number or 0,
            new.number or 0,
            told(rollback, person),
        )

    def _holds(self, matter: _Matter) -> bool:
        return matter.stands is Told.WAITS and self._wanted(matter.rollback, matter.call.slack_id)

    async def _member(self, someone: Addressee) -> Member | None:
        try:
            return await self._directory.member(someone.slack_id)
        except UpstreamRefused as error:
            if error.upstream_code in NOBODY:
                return None
            raise

    async def _may(self, member: Member | None, matter: _Matter) -> bool:
        """Whether a vote of *member* would be taken now."""
        if member is None:
            return False
        rules = matter.rollback.policy
        why = policy.why_not(
            facts_of(member),
            policy=rules,
            groups=(await expand(self._directory, rules.voters)).groups,
            team_id=self._directory.team_id,
            at_open=frozenset(rules.eligible),
            shared_channel=await self._shared(matter.case.channel),
        )
        return why is None

    async def _shared(self, channel: str) -> bool:
        """Whether others can click there; where Slack lets us not look, nobody is called."""
        try:
            return await self._directory.shared_channel(channel)
        except UpstreamRefused as error:
            log.warning("channel not looked at", extra={"why": error.upstream_code})
            return True

    async def _note(self, matters: Iterable[_Matter]) -> Note:
        first = sorted(matters, key=lambda matter: matter.stands is not Told.WAITS)
        rows = [await self._row(matter) for matter in first]  # what does not fit is only counted
        return Note(NoteCode.DIRECT, {"rows": rows, "waiting": _waiting(rows)})

    async def _row(self, matter: _Matter) -> dict[str, Json]:
        rollback, case = matter.rollback, matter.case
        return {
            "where": str(rollback.leg.where),
            "more": len(rollback.legs) - 1,
            **drill.mark(rollback),
            "old": matter.old,
            "new": matter.new,
            "call": matter.call.code,
            "stands": matter.stands.value,
            "state": rollback.state.value,
            "count": len(quorum.approvals(rollback)),
            "needed": quorum.needed(rollback),
            "until": rollback.expires_at.isoformat(),
            "permalink": await self._permalink(case),
        }

    async def _permalink(self, case: Case) -> str:
        """The link to the card; "" for one that does not stand, or was deleted."""
        if not case.card_ts:
            return ""
        try:
            return await self._messenger.permalink(channel=case.channel, ts=case.card_ts)
        except UpstreamRefused:
            return ""


def _others(fresh: Iterable[_Matter], wanted: Iterable[_Matter]) -> list[DirectCall]:
    """The calls that nothing is told of any more."""
    ids = {matter.call.id for matter in wanted}
    return [replace(m.call, over=True) for m in fresh if m.call.id not in ids]


def _waiting(rows: Sequence[dict[str, Json]]) -> int:
    return sum(row["stands"] == Told.WAITS for row in rows)
