"""Socket Mode: keeps a link to Slack open, whatever happens to the one before.

The client of slack_sdk is not used; docs/decisions/0007 says why.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from itertools import count

from aiohttp import ClientSession

from bot.adapters.slack.admission import Admit
from bot.adapters.slack.calls import SYSTEM, called, web_client
from bot.adapters.slack.link import Limits, Link, connect
from bot.errors import AnswerUnreadable, BotError, Throttled
from bot.services.waiting import backoff
from store.records import StoreError

_log = logging.getLogger(__name__)
Resync = Callable[[], Awaitable[object]]


class SocketMode:
    """The way in from Slack that needs no address of ours.

    A link that was told to leave goes on being read until Slack ends it, while the next one is
    opened: there is no moment without a link but when one breaks. After each new link the service
    catches up from its store.
    """

    def __init__(
        self,
        *,
        app_token: str,
        base_url: str,
        session: ClientSession,
        admit: Admit,
        resync: Resync,
        jitter: Callable[[], float],
        limits: Limits | None = None,
    ) -> None:
        """Take what a link needs.

        Args:
            app_token: The app-level token (`xapp-…`) with the scope `connections:write`.
            base_url: Slack's API.
            session: Its connections carry the links.
            admit: Takes what Slack sends.
            resync: Brings what people see up to the store; may fail, and is called again then.
            jitter: A number from 0 to 1, another each time.
            limits: Other times than the usual ones.
        """
        self._web = web_client(token=app_token, base_url=base_url, session=session)
        self._app_token = app_token
        self._schemes = ("wss://",) if base_url.startswith("https://") else ("wss://", "ws://")
        self._session = session
        self._admit = admit
        self._resync = resync
        self._jitter = jitter
        self._limits = limits or Limits()
        self._links: dict[Link, asyncio.Task[None]] = {}
        self._stopping = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None
        self._catching_up: asyncio.Task[None] | None = None
        self._why = "not connected yet"

    @property
    def trouble(self) -> str:
        """Why there is no link; "" while there is one."""
        dead = self._keeper is None or self._keeper.done()
        if dead or not any(link.alive for link in self._links):
            return self._why or "not connected"
        return ""

    def start(self) -> None:
        """Open the first link, and then always the next; needs a running event loop."""
        self._keeper = asyncio.create_task(self._keep(), name="slack:socket")

    async def stop(self) -> None:
        """Take nothing more, finish and acknowledge what is at hand, and close every link."""
        self._stopping.set()
        tasks = [t for t in (self._keeper, self._catching_up) if t is not None]
        tasks += self._links.values()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # -- how ------------------------------------------------------------------------------------

    async def _keep(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            wait = timedelta()
            try:
                link = await self._open()
            except BotError as error:
                failures += 1
                wait = self._wait(failures, error)
                self._complain(str(error), wait)
            except Exception as error:  # noqa: BLE001  # the edge of the keeper: it goes on
                failures += 1
                wait = self._wait(failures)
                _log.error("no link", extra={"error": type(error).__name__}, exc_info=error)
            else:
                await link.leaving.wait()
                failures = 0 if link.settled else failures + 1
                wait = self._wait(failures)
                self._complain(link.why, wait, routine=link.alive)
            await self._pause(wait)

    async def _open(self) -> Link:
        """Return a link that has been greeted and is being read."""
        answer = await called(self._web.apps_connections_open(app_token=self._app_token))
        url = answer.get("url")
        if not isinstance(url, str) or not url.startswith(self._schemes):
            raise AnswerUnreadable(SYSTEM, "apps.connections.open without an address")
        link = await connect(
            self._session, url, proxy=self._web.proxy, admit=self._admit, limits=self._limits
        )
        task = asyncio.create_task(link.listen(), name="slack:link")
        self._links[link] = task
        task.add_done_callback(lambda ended: self._forget(link, ended))
        self._why = ""
        _log.info("Socket Mode connected", extra={"links": len(self._links)})
        self._catch_up()
        return link

    def _forget(self, link: Link, ended: asyncio.Task[None]) -> None:
        self._links.pop(link, None)
        error = None if ended.cancelled() else ended.exception()
        if error is not None:
            _log.error("a link failed", extra={"error": type(error).__name__}, exc_info=error)

    def _wait(self, failures: int, error: BotError | None = None) -> timedelta:
        """How long to wait before the next link: not at all after one that had settled."""
        if isinstance(error, Throttled):
            return timedelta(seconds=error.retry_after_s)
        return backoff(failures, jitter=self._jitter()) if failures else timedelta()

    def _complain(self, why: str, wait: timedelta, *, routine: bool = False) -> None:
        """Say why there is no link or, as a matter of routine, will soon be none; the same once."""
        loud = logging.INFO if routine else logging.WARNING
        level = loud if why != self._why else logging.DEBUG
        self._why = why
        facts = {"why": why, "again_in_s": round(wait.total_seconds(), 1)}
        _log.log(level, "Socket Mode has to connect again", extra=facts)

    async def _pause(self, wait: timedelta) -> None:
        try:
            async with asyncio.timeout(wait.total_seconds()):
                await self._stopping.wait()
        except TimeoutError:
            return

    def _catch_up(self) -> None:
        if self._catching_up is not None:
            self._catching_up.cancel()
        self._catching_up = asyncio.create_task(self._until_caught_up(), name="slack:resync")

    async def _until_caught_up(self) -> None:
        for attempt in count(1):
            try:
                await self._resync()
            except (BotError, StoreError) as error:
                _log.warning("not caught up yet", extra={"why": type(error).__name__})
                await self._pause(backoff(attempt, jitter=self._jitter()))
            else:
                return
