"""The worker of App Homes: takes in what people do there, and draws what is to be drawn.

Homes are drawn from the store, each by one process at a time, and never the truth: several wishes
and several changes are one drawing, and one that is lost is drawn again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from bot.domain.home import HomeView, Said
from bot.errors import BadInput, PressLost, Throttled, UpstreamDown, UpstreamRefused
from bot.log import bound
from bot.ports.people import Messenger
from bot.ports.store import Store
from bot.services.hearing import Hearing, Matter
from bot.services.home import switching
from bot.services.home.drawing import HomeDrawing
from bot.services.home.jobs import PRESSES, JobButtons
from bot.services.home.switching import DirectSwitch
from bot.services.waiting import backoff
from store.records import Home, InboxItem, InboxKind, Json, Stale

log = logging.getLogger(__name__)
LEASE: Final = timedelta(seconds=60)  # longer than the calls that one drawing needs
SEEN_WITHIN: Final = timedelta(hours=1)  # who looked longer ago sees it anew when they open it
REST: Final = timedelta(seconds=5)  # between two drawings that nobody asked for
PATIENCE: Final = timedelta(minutes=10)  # a press that was not judged by then is given up
OPENED, PAGE = "opened", "page"
_CONFLICT = "hash_conflict"  # https://docs.slack.dev/reference/methods/views.publish


class HomeKeeping:
    """Keeps homes as the store is; any number of processes may do so at once."""

    def __init__(
        self,
        store: Store,
        messenger: Messenger,
        drawing: HomeDrawing,
        buttons: JobButtons,
        switch: DirectSwitch,
        *,
        owner: str,
        nudge: Callable[[], None],
        jitter: Callable[[], float],
        lease: timedelta = LEASE,
    ) -> None:
        """Take what it needs; *nudge* wakes whoever runs jobs that were asked for."""
        self._store = store
        self._messenger = messenger
        self._drawing = drawing
        self._buttons = buttons
        self._switch = switch
        self._owner = owner
        self._nudge = nudge
        self._jitter = jitter
        self._lease = lease

    async def step(self) -> bool:
        """Take in one thing that somebody did, or else draw one home; False: nothing to do."""
        home = None
        async with self._store.write() as tx:
            item = await tx.inbox.claim(self._owner, lease=self._lease, kinds=(InboxKind.HOME,))
            late = item is not None and await tx.now() - item.received_at > PATIENCE
            if item is None:
                home = await tx.homes.claim(self._owner, lease=self._lease, seen_within=SEEN_WITHIN)
        try:
            if item is not None:
                with bound(inbox=item.id):
                    await self._take_in(item, late=late)
            elif home is not None:
                await self._draw(home)
        except Stale:
            log.warning("taken over by another worker")
        return item is not None or home is not None

    # -- what people do -------------------------------------------------------------------------

    async def _take_in(self, item: InboxItem, *, late: bool) -> None:
        try:
            await (self._failed(item, "too_old") if late else self._do(item))
        except BadInput as error:
            log.error("item is not of our form", extra={"why": str(error)})  # noqa: TRY400
            await self._done(item, "unreadable")
        except UpstreamDown as error:
            log.warning("item has to wait", extra={"why": error.code, "system": error.system})
            delay = backoff(item.attempts, jitter=self._jitter())
            async with self._store.write() as tx:
                await tx.inbox.defer(item.id, owner=self._owner, delay=delay, error=str(error))
        except UpstreamRefused as error:
            log.error("Slack refused a look-up", extra={"why": str(error)})  # noqa: TRY400
            await self._failed(item, error.code)

    async def _do(self, item: InboxItem) -> None:
        verb, _, press = item.action.partition(".")
        if verb == "job" and press in PRESSES:
            hearing = Hearing(item, self._owner, channel="")
            await self._buttons.press(hearing, str(item.payload.get("value", "")), press)
            self._nudge()
            return
        if verb == "direct" and press in switching.PRESSES:
            await self._switch.press(Hearing(item, self._owner, channel=""), press)
            return
        async with self._store.write() as tx:
            if verb == OPENED:
                await tx.homes.opened(item.slack_id, item.team_id)
            elif verb == PAGE:
                await tx.homes.change(item.slack_id, item.team_id, page=_number(item))
            else:
                raise BadInput(f"nothing of ours does {item.action!r}")
            await tx.inbox.finish(item.id, owner=self._owner, outcome=verb)

    async def _failed(self, item: InboxItem, why: str) -> None:
        """Record that nothing came of a press, and say so where it was pressed."""
        verb = item.action.partition(".")[0]
        if verb in (OPENED, PAGE):  # nothing was decided: they look again
            await self._done(item, f"failed:{why}")
            return
        hearing = Hearing(item, self._owner, channel="")
        matter = Matter(f"home.{item.action}", f"person/{item.slack_id}")
        said: dict[str, Json] = {
            "code": Said.REFUSED.value,
            "facts": {"text": PressLost().to_person()},
        }
        async with self._store.write() as tx:
            await tx.audit.append(hearing.entry(matter, "failed", why=why))
            await tx.homes.change(item.slack_id, item.team_id, said=said)
            await hearing.finish(tx, f"failed:{why}")

    async def _done(self, item: InboxItem, outcome: str) -> None:
        async with self._store.write() as tx:
            await tx.inbox.finish(item.id, owner=self._owner, outcome=outcome)

    # -- drawing --------------------------------------------------------------------------------

    async def _draw(self, home: Home) -> None:
        try:
            view = await self._drawing(home)
            same = not home.asked and view.substance == home.substance
            stands = home.hash if same else await self._publish(home, view)
            await self._stands(home, stands, view.substance)
        except Throttled as error:
            delay = timedelta(seconds=error.retry_after_s)
            await self._later(home, error, delay)
            async with self._store.write() as tx:
                await tx.homes.rest(delay)
        except UpstreamDown as error:
            await self._later(home, error, backoff(home.attempts, jitter=self._jitter()))
        except UpstreamRefused as error:
            # no home tab, or no such person: drawn when they open it the next time
            log.error("App Home refused", extra={"why": error.upstream_code})  # noqa: TRY400
            await self._stands(home, "", "")

    async def _publish(self, home: Home, view: HomeView) -> str:
        """Draw over what we know to stand there; over whatever does, if a crash hid that from us.

        Nobody else draws this home now: what stands there is older.
        """
        try:
            return await self._messenger.publish(view, slack_id=home.slack_id, stands=home.hash)
        except UpstreamRefused as error:
            if error.upstream_code != _CONFLICT:
                raise
            return await self._messenger.publish(view, slack_id=home.slack_id, stands="")

    async def _stands(self, home: Home, stands: str, substance: str) -> None:
        async with self._store.write() as tx:
            await tx.homes.drawn(
                home, owner=self._owner, stands=stands, substance=substance, rest=REST
            )

    async def _later(self, home: Home, error: UpstreamDown, delay: timedelta) -> None:
        log.warning("App Home has to wait", extra={"why": error.code})
        async with self._store.write() as tx:
            await tx.homes.defer(home, owner=self._owner, delay=delay)


def _number(item: InboxItem) -> int:
    said = str(item.payload.get("value", ""))
    if not said.isascii() or not said.isdecimal() or len(said) > 6:
        raise BadInput(f"{said[:20]!r} is no page")
    return int(said)
