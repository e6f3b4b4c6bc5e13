"""The door for people's browsers: pages behind signed links, and nothing else."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from aiohttp import web

from bot import pages
from bot.domain import link
from bot.domain.diff.page import DiffPage
from bot.errors import LinkExpired, LinkInvalid
from bot.pages import Page

PATH = "/diffs/{name:[a-z0-9-]{1,48}}"
_REMEMBERED = 16  # pages; what they show never changes
_log = logging.getLogger(__name__)
Show = Callable[[str], Awaitable[DiffPage]]


def path_of(name: str) -> str:
    """The path of the page called *name*."""
    return PATH.replace("{name:[a-z0-9-]{1,48}}", name)


def routes(*, keys: Sequence[bytes], show: Show, now: Callable[[], datetime]) -> list[web.RouteDef]:
    """The pages' routes.

    Args:
        keys: Made the links that open; several while one is being replaced.
        show: Makes what the page of a name shows; raises `LinkInvalid` when there is none.
        now: The clock by which links end.
    """
    made: OrderedDict[str, Page] = OrderedDict()

    async def difference(request: web.Request) -> web.Response:
        """Answer the page of a difference, to whoever has a link of ours."""
        name, query = request.match_info["name"], request.query
        try:
            link.verify(
                request.path, query.get("until", ""), query.get("key", ""), now=now(), keys=keys
            )
            page = made.get(name) or await _made(name)
        except LinkExpired:
            return _answer(_EXPIRED, 410)
        except LinkInvalid:
            return _answer(_UNKNOWN, 404)
        made[name] = page
        made.move_to_end(name)
        while len(made) > _REMEMBERED:
            made.popitem(last=False)
        return _answer(page, 200)

    async def _made(name: str) -> Page:
        shown = await show(name)
        return await asyncio.to_thread(pages.difference, shown)

    return [web.get(PATH, difference)]


def _answer(page: Page, status: int) -> web.Response:
    headers = {"Content-Security-Policy": page.policy, "X-Robots-Tag": "noindex"}
    return web.Response(
        text=page.html, status=status, content_type="text/html", charset="utf-8", headers=headers
    )


_EXPIRED = pages.refusal(
    "This link is over",
    "Links to differences are good for a day. `/rollback diff` in Slack gives a new one.",
)
_UNKNOWN = pages.refusal("There is nothing here", "Open the link as it stands in Slack, whole.")
