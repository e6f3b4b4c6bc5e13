"""The door for people's browsers: pages behind signed links, and nothing else."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from aiohttp import web
from aiohttp.typedefs import Handler

from bot import pages
from bot.domain import link
from bot.domain.chart.view import ChartView
from bot.domain.diff.page import DiffPage
from bot.domain.record.view import RecordPage
from bot.errors import LinkExpired, LinkInvalid
from bot.pages import Page

PATH = "/diffs/{name:[a-z0-9-]{1,48}}"
RECORD = "/rollbacks/{id:[1-9][0-9]{0,17}}"
_EVIDENCE = "/evidence"  # behind a record's path
_REMEMBERED = 16  # pages; what they show never changes
_log = logging.getLogger(__name__)
Show = Callable[[str], Awaitable[DiffPage]]
Tell = Callable[[int], Awaitable[RecordPage]]
Draw = Callable[[ChartView], Awaitable[bytes | None]]
K = TypeVar("K")
V = TypeVar("V")


def path_of(name: str) -> str:
    """The path of the page called *name*: a number is a rollback's record, the rest differences."""
    return f"/rollbacks/{name}" if name.isdecimal() else f"/diffs/{name}"


def routes(
    *, keys: Sequence[bytes], show: Show, tell: Tell, draw: Draw, now: Callable[[], datetime]
) -> list[web.RouteDef]:
    """The pages' routes.

    Args:
        keys: Made the links that open; several while one is being replaced.
        show: Makes what the page of a name shows; raises `LinkInvalid` when there is none.
        tell: Reads the record of a rollback; raises `LinkInvalid` when there is none.
        draw: Draws a record's chart.
        now: The clock by which links end.
    """
    differences = _Differences(show)
    charts = _Charts(draw)

    def opens(request: web.Request) -> None:
        """Raise `LinkInvalid` or `LinkExpired` unless the link is one of ours."""
        until, key = request.query.get("until", ""), request.query.get("key", "")
        link.verify(request.path, until, key, now=now(), keys=keys)

    async def difference(request: web.Request) -> web.Response:
        """Answer the page of a difference, to whoever has a link of ours."""
        opens(request)
        return _answer(await differences.of(request.match_info["name"]), 200)

    async def record(request: web.Request) -> web.Response:
        """Answer the record of a rollback as it stands now; nothing of it is remembered."""
        opens(request)
        told = await tell(int(request.match_info["id"]))
        until = datetime.fromtimestamp(int(request.query["until"]), UTC)
        download = link.sign(f"{request.path}{_EVIDENCE}", until=until, keys=keys)
        chart = await charts.of(told.chart)
        page = await asyncio.to_thread(pages.record, told, chart=chart, download=download)
        return _answer(page, 200)

    async def evidence(request: web.Request) -> web.Response:
        """Answer the same as a file to keep, with the audit entries as data."""
        opens(request)
        told = await tell(int(request.match_info["id"]))
        chart = await charts.of(told.chart)
        answer = _answer(await asyncio.to_thread(pages.evidence, told, chart=chart), 200)
        name = f"rollback-{told.rollback.id}.html"
        answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
        return answer

    return [
        web.get(PATH, _refusing(difference)),
        web.get(RECORD, _refusing(record)),
        web.get(f"{RECORD}{_EVIDENCE}", _refusing(evidence)),
    ]


class _Differences:
    """Pages of differences; those that were asked for last are remembered."""

    def __init__(self, show: Show) -> None:
        self._show = show
        self._made: OrderedDict[str, Page] = OrderedDict()

    async def of(self, name: str) -> Page:
        """The page called *name*. Raises `LinkInvalid` when there is none."""
        page = self._made.get(name)
        if page is None:
            shown = await self._show(name)
            page = await asyncio.to_thread(pages.difference, shown)
        _keep(self._made, name, page)
        return page


class _Charts:
    """Charts of records; a process is started for each one that is not remembered."""

    def __init__(self, draw: Draw) -> None:
        self._draw = draw
        self._drawn: OrderedDict[ChartView, bytes] = OrderedDict()

    async def of(self, view: ChartView | None) -> bytes | None:
        """*view* as a PNG; None where there is none, or it cannot be drawn now."""
        if view is None:
            return None
        drawn = self._drawn.get(view) or await self._draw(view)
        if drawn is not None:
            _keep(self._drawn, view, drawn)
        return drawn


def _keep(made: OrderedDict[K, V], key: K, value: V) -> None:
    """Remember *value* as the newest of a few."""
    made[key] = value
    made.move_to_end(key)
    while len(made) > _REMEMBERED:
        made.popitem(last=False)


def _refusing(handler: Handler) -> Handler:
    """Answer what is over, and alike what was never there and what we did not make."""

    async def refusing(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except LinkExpired:
            return _answer(_EXPIRED, 410)
        except LinkInvalid:
            return _answer(_UNKNOWN, 404)

    return refusing


def _answer(page: Page, status: int) -> web.Response:
    headers = {"Content-Security-Policy": page.policy, "X-Robots-Tag": "noindex"}
    return web.Response(
        text=page.html, status=status, content_type="text/html", charset="utf-8", headers=headers
    )


_EXPIRED = pages.refusal(
    "This link is over",
    "Links are good for a day. In Slack `/rollback diff` gives a new one to a difference, "
    "`/rollback record` to a record.",
)
_UNKNOWN = pages.refusal("There is nothing here", "Open the link as it stands in Slack, whole.")
