"""The worker of the inbox: what came from Slack is judged, stored and answered, item by item.

An item is claimed for a time, so that a worker that dies leaves it to another; its effect and
its end are one transaction, so that it takes effect once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import timedelta
from types import MappingProxyType

from bot import spans
from bot.domain.policy import Policy
from bot.errors import BadInput, BotError, UpstreamDown, UpstreamRefused
from bot.log import bound
from bot.ports.people import Directory, Window
from bot.ports.store import Store
from bot.services import emergency, received, review
from bot.services.asker import Reception
from bot.services.ballot import Ballot
from bot.services.choosing import Choosing
from bot.services.claim import Practises, nowhere
from bot.services.commanded import Commanded, Verbs
from bot.services.companions import Companions
from bot.services.drill.starting import Drilling
from bot.services.emergency import Emergency
from bot.services.hearing import Hearing, Matter
from bot.services.home.jobs import Managers
from bot.services.review import Reviewing
from bot.services.sight import Sight
from bot.services.slash.condemn import Judging
from bot.services.slash.dry_run import Rehearsing
from bot.services.slash.jobs import Timetable
from bot.services.slash.own import Own
from bot.services.slash.pause import Pausing
from bot.services.slash.silence import Silencing
from bot.services.slash.snapshot import Refresh, Takes
from bot.services.slash.tag import Tagging
from bot.services.slash.to import Ask, Asking
from bot.services.slash.who import Electorate
from bot.services.undoing import Undoing
from bot.services.waiting import backoff
from store.records import AppEnv, Choice, InboxItem, InboxKind, Stale, Unavailable

log = logging.getLogger(__name__)
LEASE = timedelta(seconds=60)  # longer than the few calls to Slack and the target that one needs
PATIENCE = timedelta(hours=1)  # what could not be judged by then is not what anybody expects


class Decide:
    """Judges clicks, forms and commands; any number of processes may do so at once."""

    def __init__(
        self,
        store: Store,
        directory: Directory,
        ask: Ask,
        *,
        rehearse: Rehearsing,
        refresh: Refresh,
        channels: Mapping[AppEnv, str],
        policy_of: Callable[[AppEnv], Policy],
        keys: Sequence[bytes],
        depends_on: Mapping[str, Sequence[str]] = MappingProxyType({}),
        practises: Practises = nowhere,
        job_managers: tuple[str, ...] = (),
        silences: bool = False,
        owner: str,
        nudge: Callable[[], None],
        jitter: Callable[[], float],
        patience: timedelta = PATIENCE,
        lease: timedelta = LEASE,
        kinds: Collection[InboxKind] = tuple(InboxKind),
    ) -> None:
        """Take what judging needs.

        Args:
            store: Where the inbox is.
            directory: Asked afresh for every item.
            ask: Opens the rollback that a person asked for.
            rehearse: Does everything of a rollback but the write.
            refresh: Reads the target of an app@env now.
            channels: Of every app@env that is watched, where its cards appear.
            policy_of: The configured policy of an app@env.
            keys: For the buttons; any of them may have signed.
            depends_on: The apps that each app needs.
            practises: Whether an app serves nobody, so that drills may change it.
            job_managers: Who may run and pause jobs.
            silences: Whether there is an Alertmanager that can be told to be silent.
            owner: This worker, among all of all machines.
            nudge: Called after a quorum, a broken glass or the alert of a drill was stored, so that
                nobody waits for the next look.
            jitter: A number from 0 to 1, another one each time.
            patience: How old an item may be and still be judged.
            lease: How long an item is this worker's alone.
            kinds: What it judges. What people type may read a target for a long time, which
                must not hold up what they press: the two have workers of their own.
        """
        self._store = store
        self._owner = owner
        self._jitter = jitter
        self._patience = patience
        self._lease = lease
        self._kinds = kinds
        self._left: list[InboxItem] = []  # ours, and not judged when the database was lost
        self._language_of = directory.language_of
        reception = Reception(directory)
        self._ballot = Ballot(store, reception, keys=keys, nudge=nudge)
        self._emergency = Emergency(store, reception, keys=keys, policy_of=policy_of, nudge=nudge)
        self._review = Reviewing(store, reception, keys=keys, policy_of=policy_of)
        asking = Asking(store, ask)
        self._undo = Undoing(store, reception, asking, refresh, keys=keys)
        sight = Sight(store, directory, watched=channels, policy_of=policy_of)
        self._choose = Choosing(store, reception, sight, keys=keys, policy_of=policy_of)
        verbs = Verbs(
            sight,
            asking,
            Takes(store, refresh, watched=channels, within=lease * 2 / 3),
            Electorate(store, directory, channels=channels, policy_of=policy_of),
            Tagging(store, directory, policy_of=policy_of),
            Judging(store, directory, policy_of=policy_of),
            Own(store),
            Companions(store, depends_on=depends_on),
            self._emergency,
            self._review,
            self._undo,
            rehearse,
            Pausing(store, directory, policy_of=policy_of, channels=channels),
            Drilling(
                store,
                directory,
                practises=practises,
                policy_of=policy_of,
                channel_of=lambda where: channels.get(where, ""),
                nudge=nudge,
            ),
            Timetable(store, sight, Managers(directory, job_managers)),
            Silencing(store, directory, policy_of=policy_of, can=silences, nudge=nudge),
        )
        self._commanded = Commanded(store, reception, verbs)

    async def step(self) -> bool:
        """Judge the oldest waiting item; False when there is none.

        While Slack or a target cannot be reached the item goes back to wait: nothing is
        decided on what was known earlier. One that the database was lost over is ours until its
        lease is over, and nobody else looks at it: it is judged again first.

        Raises:
            Unavailable: The database was lost.
        """
        item = self._left.pop() if self._left else None
        try:
            async with self._store.write() as tx:
                if item is None:
                    item = await tx.inbox.claim(self._owner, lease=self._lease, kinds=self._kinds)
                too_old = item is not None and await tx.now() - item.received_at > self._patience
            if item is None:
                return False
            of = spans.inbox(item.digest)
            with bound(inbox=item.id), spans.span("judge", of=of, inbox=item.id, kind=item.kind):
                await self._settle(item, too_old=too_old)
        except Unavailable:
            if item is not None:
                self._left.append(item)
            raise
        return True

    async def _settle(self, item: InboxItem, *, too_old: bool) -> None:
        try:
            await (self._give_up(item) if too_old else self._judge(item))
        except Stale:
            log.warning("item taken over by another worker")

    async def _judge(self, item: InboxItem) -> None:
        try:
            await self._by_kind(item)
        except BadInput as error:
            log.error("item is not of our form", extra={"why": str(error)})  # noqa: TRY400
            await self._done(item, "unreadable")
        except UpstreamDown as error:
            await self._later(item, error)
        except UpstreamRefused as error:
            log.error("Slack refused a look-up", extra={"why": str(error)})  # noqa: TRY400
            await self._fail(item, error)

    async def _by_kind(self, item: InboxItem) -> None:
        hearing = self._hearing(item)
        if item.kind is InboxKind.COMMAND:
            await self._command(item, hearing)
            return
        if item.action == "choose":
            await self._choose.picked(hearing, received.looked(item))
            return
        press = received.press(item)
        match (item.kind, press.action):
            case (InboxKind.CLICK, "approve"):
                await self._ballot.vote(hearing, press, Choice.APPROVE)
            case (InboxKind.SUBMISSION, "reject"):
                await self._ballot.vote(hearing, press, Choice.REJECT)
            case (InboxKind.SUBMISSION, emergency.ACTION):
                await self._emergency.press(hearing, press)
            case (InboxKind.SUBMISSION, review.ACTION):
                await self._review.press(hearing, press)
            case (InboxKind.CLICK, "reject" | "undo" | emergency.ACTION | review.ACTION):
                await self._done(item, "asked_for_reason")  # the listener has opened its form
            case (InboxKind.CLICK, "another"):
                await self._choose.pressed(hearing, press)
            case (InboxKind.CLICK, "difference"):
                await self._ballot.difference(hearing, press)
            case _:
                raise BadInput(f"nothing of ours does {press.action!r}")

    async def _command(self, item: InboxItem, hearing: Hearing) -> None:
        """What people type, and what they send from dialogs that ask for a rollback."""
        match item.action:
            case "undo":
                await self._undo.pressed(hearing, received.press(item))
            case "choose":
                asked, words = received.choice(item)
                await self._commanded.asked(hearing, words, asked)
            case _:
                await self._commanded(hearing, received.words(item))

    async def _later(self, item: InboxItem, error: UpstreamDown) -> None:
        log.warning("item has to wait", extra={"why": error.code, "system": error.system})
        delay = backoff(item.attempts, jitter=self._jitter())
        async with self._store.write() as tx:
            await tx.inbox.defer(item.id, owner=self._owner, delay=delay, error=str(error))

    async def _give_up(self, item: InboxItem) -> None:
        log.error("item given up", extra={"attempts": item.attempts})
        await self._fail(item, BotError("too old"))

    async def _fail(self, item: InboxItem, error: BotError) -> None:
        matter = Matter(f"inbox.{item.kind}", f"inbox/{item.id}", {"asked": item.action})
        async with self._store.write() as tx:
            await self._hearing(item).fail(tx, error, matter)

    async def _done(self, item: InboxItem, outcome: str) -> None:
        async with self._store.write() as tx:
            await tx.inbox.finish(item.id, owner=self._owner, outcome=outcome)

    def _hearing(self, item: InboxItem) -> Hearing:
        told = {key: value for key, value in item.payload.items() if isinstance(value, str)}
        return Hearing(
            item,
            self._owner,
            channel=told.get("channel", ""),
            ts=told.get("ts", ""),
            response_url=told.get("response_url", ""),
            window=_window(told),
            language_of=self._language_of,
        )


def _window(told: Mapping[str, str]) -> Window | None:
    if not told.get("window"):
        return None
    return Window(
        told["window"],
        *(told.get(name, "") for name in ("value", "channel", "ts", "response_url", "where")),
    )
