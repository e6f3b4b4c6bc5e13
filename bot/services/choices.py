"""What can be chosen in a dialog: the apps that a person may see, and the versions of one."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass

from bot.domain import paging
from bot.domain.choices import Choices, Offered
from bot.domain.undone import undoes
from bot.errors import Refused
from bot.ports.store import Store
from bot.services import history
from bot.services.asker import Reception
from bot.services.sight import Sight
from store.records import AppEnv

MOST = (
    100  # options that a select takes: https://docs.slack.dev/reference/block-kit/block-elements/
)
_KEPT_S = 20.0  # each letter asks again; what is chosen is judged afresh anyway
_PEOPLE = 256
_HISTORY = 200  # versions among which it is looked for what was gone back from


@dataclass(frozen=True)
class _Looker:
    slack_id: str
    team_id: str


class Apps:
    """Finds the apps that somebody means by the letters that they typed."""

    def __init__(self, reception: Reception, sight: Sight) -> None:
        self._reception = reception
        self._sight = sight
        self._kept: OrderedDict[_Looker, tuple[float, list[AppEnv]]] = OrderedDict()

    async def __call__(self, slack_id: str, team_id: str, typed: str) -> list[AppEnv]:
        """Return at most 100 apps that they may see, those first that begin with what is *typed*.

        Raises:
            UpstreamDown, UpstreamRefused: Slack does not say who they are.
        """
        said = typed.strip().casefold()
        found = [
            where
            for where in await self._seen(_Looker(slack_id, team_id))
            if said in str(where).casefold()
        ]
        found.sort(key=lambda where: (not str(where).casefold().startswith(said), where))
        return found[:MOST]

    async def _seen(self, who: _Looker) -> list[AppEnv]:
        now = asyncio.get_running_loop().time()
        at, seen = self._kept.get(who, (now - _KEPT_S, []))
        if now - at >= _KEPT_S:
            try:
                seen = await self._sight.all(await self._reception.of(who))
            except Refused:  # they may do nothing here
                seen = []
            self._kept[who] = (now, seen)
        self._kept.move_to_end(who)
        while len(self._kept) > _PEOPLE:
            self._kept.popitem(last=False)
        return seen


async def choices(store: Store, where: AppEnv, page: int) -> Choices:
    """Return page *page* of the stored versions of *where*, or the last one if there are fewer.

    Raises:
        NothingStored, Corrupt.
    """
    first, last = await history.span(store, where)
    at = paging.numbers(first, last, min(max(page, 1), paging.count(first, last)))
    assert at is not None  # noqa: S101  # *page* was brought into its bounds
    told = await history.history(store, where, limit=at.top - at.low + 1, before=at.top + 1)
    (newest,) = await history.history(store, where, limit=1)
    async with store.read() as tx:
        known = await tx.versions.history(where, limit=_HISTORY)
    live = newest.version
    others = [one for one in told if one.version.meaning != live.meaning]
    return Choices(
        where=str(where),
        live=_offered(newest, takes_reason=False),
        page=at.page,
        pages=at.pages,
        offered=tuple(
            _offered(one, takes_reason=one.condemned or undoes(known, live, one.version))
            for one in others
        ),
        as_live=tuple(
            one.version.number or 0
            for one in told
            if one.version.meaning == live.meaning and not one.live
        ),
        not_imported=first - 1,
    )


def _offered(one: history.Told, *, takes_reason: bool) -> Offered:
    version = one.version
    named = "" if one.rollback_id is not None else version.external_name or version.external_comment
    return Offered(
        number=version.number or 0,
        published_at=version.published_at,
        author=version.author,
        name=named,
        counts=one.counts,
        back_to=one.back_to or 0,
        tags=one.tags,
        condemned=one.condemned,
        takes_reason=takes_reason,
    )
