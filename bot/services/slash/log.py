"""`/rollback log`: the stored history of one app, a page at a time."""

from __future__ import annotations

from bot.domain import paging
from bot.domain.commands import Log
from bot.domain.words import AnswerCode
from bot.errors import NoSuchPage
from bot.ports.store import Store
from bot.services import history
from bot.services.slash.told import Told
from store.records import Json, VersionSource


async def log(store: Store, asked: Log) -> Told:
    """Return one page of what was published, newest first.

    Raises:
        NothingStored, NoSuchPage, Corrupt.
    """
    first, last = await history.span(store, asked.where)
    page = paging.numbers(first, last, asked.page)
    if page is None:
        pages = paging.count(first, last)
        raise NoSuchPage(asked.page, pages, f"log {asked.where} {pages}")
    limit = page.top - page.low + 1
    told = await history.history(store, asked.where, limit=limit, before=page.top + 1)
    facts: dict[str, Json] = {
        "where": str(asked.where),
        "page": page.page,
        "pages": page.pages,
        "newest": last,
        "not_imported": first - 1,
        "rows": [_row(one) for one in told],
    }
    return Told(AnswerCode.LOG, facts)


def _row(one: history.Told) -> Json:
    version = one.version
    return {
        "number": version.number,
        "live": one.live,
        "name": ""
        if one.rollback_id is not None
        else version.external_name or version.external_comment,
        "author": version.author,
        "published_at": version.published_at.isoformat(),
        "counts": None if one.counts is None else dict(one.counts),
        "rollback": one.rollback_id or 0,
        "drill": one.drill,
        "back_to": one.back_to or 0,
        "condemned": one.condemned,
        "drift": version.source is VersionSource.DRIFT,
        "tags": [*one.tags],
    }
