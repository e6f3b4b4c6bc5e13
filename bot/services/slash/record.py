"""`/rollback record`: where the whole record of a rollback is read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from bot.domain.commands import Record
from bot.domain.words import AnswerCode
from bot.errors import NoRecord, Refused
from bot.ports.store import Store
from bot.services.slash.told import Told
from store.records import AppEnv, Json, Missing, Rollback

See = Callable[[AppEnv], Awaitable[AppEnv]]


async def record(store: Store, asked: Record, *, sees: See) -> Told:
    """Return which record is meant; its link is made when the answer is sent.

    Of a rollback of several apps only who may see all of them gets it.

    Raises:
        NoRecord: There is none that they may see.
        UpstreamDown, UpstreamRefused: Slack does not say what they may see.
    """
    rollback = await _meant(store, asked)
    if rollback is None or rollback.leg_of(asked.where) is None:
        raise NoRecord(str(asked.where), asked.rollback)
    try:
        for leg in rollback.legs:
            await sees(leg.where)
    except Refused as error:
        raise NoRecord(str(asked.where), asked.rollback) from error
    facts: dict[str, Json] = {
        "where": str(asked.where),
        "rollback": rollback.id,
        "state": rollback.state.value,
    }
    return Told(AnswerCode.RECORD, facts)


async def _meant(store: Store, asked: Record) -> Rollback | None:
    async with store.read() as tx:
        if asked.rollback is None:
            return next(iter(await tx.rollbacks.newest(limit=1, where=asked.where)), None)
        try:
            return await tx.rollbacks.get(asked.rollback)
        except Missing:
            return None
