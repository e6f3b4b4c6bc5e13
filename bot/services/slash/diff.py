"""`/rollback diff`: what differs between two stored versions, a page at a time."""

from __future__ import annotations

import asyncio

from bot.domain import commands, paging
from bot.domain.commands import Diff
from bot.domain.diff.changes import ChangeList
from bot.domain.diff.text import as_text
from bot.domain.words import AnswerCode
from bot.errors import NoSuchPage
from bot.ports.store import Store
from bot.services import history
from bot.services.comparing import between
from bot.services.slash.told import Told
from store.records import Json


async def diff(store: Store, asked: Diff) -> Told:
    """Return one page of the difference, without layout and with secrets taken out.

    Raises:
        NothingStored, UnknownVersion, NoSuchPage, Corrupt.
    """
    await history.span(store, asked.where)
    old, new = [
        await history.find(store, asked.where, commands.LIVE if word is None else str(word))
        for word in (asked.old, asked.new)
    ]
    changes = await between(store, old, new)
    pages = await asyncio.to_thread(_pages, changes)
    if asked.page > len(pages):
        last = f"diff {asked.where} {old.number} {new.number} page {len(pages)}"
        raise NoSuchPage(asked.page, len(pages), last)
    facts: dict[str, Json] = {
        "where": str(asked.where),
        "rows": [old.id, new.id],
        "old": old.number,
        "new": new.number,
        "page": asked.page,
        "pages": len(pages),
        "left": sum(map(len, pages[asked.page :])),
        "lines": pages[asked.page - 1],
    }
    if asked.page == 1 and changes.changes:
        facts |= {"phrases": [dict(one) for one in changes.phrases()], "counts": changes.counts()}
    return Told(AnswerCode.COMPARED, facts)


def _pages(changes: ChangeList) -> list[list[str]]:
    return paging.pages(as_text(changes).splitlines() if changes.changes else [])
