"""`/rollback pause` and `resume`: for a while Keyturn suggests nothing; people may ask as always.

This is not `keyturn pause`, after which nothing is executed either. Alerts still get their cards.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from bot.domain import policy
from bot.domain.commands import LONGEST_PAUSE_MIN, Pause, Resume
from bot.domain.policy import Policy
from bot.domain.words import AnswerCode, FindingCode, NoteCode
from bot.errors import NotAllowed, PauseTooLong
from bot.ports.people import Directory
from bot.ports.store import Store, Transaction
from bot.services.asker import Asker
from bot.services.hearing import Hearing, Matter
from bot.services.outgoing import suggestions_row
from bot.services.sight import expand
from store.records import AppEnv, Json

_NAMED = 5  # apps that a message in a channel names


class Pausing:
    """Pauses suggestions, and lets them be made again, for whoever may ask for a rollback."""

    def __init__(
        self,
        store: Store,
        directory: Directory,
        *,
        policy_of: Callable[[AppEnv], Policy],
        channels: Mapping[AppEnv, str],
    ) -> None:
        """Take what judging needs; *channels* of the apps are told."""
        self._store = store
        self._directory = directory
        self._policy_of = policy_of
        self._channels = channels

    async def __call__(
        self,
        hearing: Hearing,
        asked: Pause | Resume,
        asker: Asker,
        places: Sequence[AppEnv],
        matter: Matter,
    ) -> None:
        """Do it for those of *places* that *asker* may ask for, and say so.

        Raises:
            NotAllowed: For none of them.
            PauseTooLong: For so long nobody does it by a word.
            UpstreamDown, UpstreamRefused: Slack does not say who they are.
        """
        if isinstance(asked, Pause) and asked.minutes > LONGEST_PAUSE_MIN:
            raise PauseTooLong(f"{asked.minutes} minutes")
        theirs = await self._theirs(asker, places)
        where = str(asked.where) if asked.where else ""
        async with self._store.write() as tx:
            if isinstance(asked, Pause):
                until = await tx.now() + timedelta(minutes=asked.minutes)
                await self._pause(tx, hearing, asked, until, theirs, matter)
                facts: dict[str, Json] = {"until": until.isoformat(), "reason": asked.reason}
                code, done = AnswerCode.YOU_PAUSED, theirs
            else:
                done = await self._resume(tx, hearing, theirs, matter)
                code, facts = AnswerCode.YOU_RESUMED, {}
            await hearing.answer(tx, code, {"where": where, "count": len(done), **facts})
            await hearing.finish(tx, code.value)

    async def _theirs(self, asker: Asker, places: Sequence[AppEnv]) -> list[AppEnv]:
        rules = {where: self._policy_of(where).snapshot() for where in places}
        entries = (policy.asked_by(its) for its in rules.values())
        expanded = await expand(self._directory, *entries)
        found = [
            where
            for where, its in rules.items()
            if policy.may_ask(
                asker.facts, policy=its, groups=expanded.groups, team_id=asker.team_id
            )
        ]
        if found:
            return found
        for error in expanded.refused.values():  # they may be in it: say so
            raise error
        raise NotAllowed(f"{asker.slack_id} may not pause suggestions here")

    async def _pause(
        self,
        tx: Transaction,
        hearing: Hearing,
        asked: Pause,
        until: datetime,
        theirs: Sequence[AppEnv],
        matter: Matter,
    ) -> None:
        who = hearing.item.slack_id
        for where in theirs:
            entry = hearing.entry(_of(matter, where), "ok", until=until.isoformat())
            await tx.suggestions.pause(where, until, slack_id=who, reason=asked.reason, entry=entry)
        await self._look_now(tx, theirs)  # another pause may have ended later, and was told
        facts = {"slack_id": who, "until": until.isoformat(), "reason": asked.reason}
        await self._tell(tx, hearing, NoteCode.SUGGESTIONS_OFF, theirs, facts)

    async def _resume(
        self, tx: Transaction, hearing: Hearing, theirs: Sequence[AppEnv], matter: Matter
    ) -> list[AppEnv]:
        paused = [where for where in theirs if await tx.suggestions.paused(where) is not None]
        for where in paused:
            entry = hearing.entry(_of(matter, where), "ok")
            await tx.suggestions.resume(where, entry=entry)
        await self._look_now(tx, paused)
        facts = {"slack_id": hearing.item.slack_id}
        await self._tell(tx, hearing, NoteCode.SUGGESTIONS_ON, paused, facts)
        return paused

    async def _look_now(self, tx: Transaction, paused: Sequence[AppEnv]) -> None:
        """Look at the cases that nothing was suggested in because of the pause."""
        waiting = [
            case.id
            for case in await tx.cases.open_cases()
            if case.where in paused
            and case.finding is not None
            and case.finding.code == FindingCode.SUGGESTIONS_PAUSED
        ]
        for case_id in sorted(waiting):
            case = await tx.cases.get(case_id, lock=True)
            await tx.cases.save(replace(case, assess_at=await tx.now()), was=case.revision)

    async def _tell(
        self,
        tx: Transaction,
        hearing: Hearing,
        code: NoteCode,
        places: Sequence[AppEnv],
        facts: Mapping[str, Json],
    ) -> None:
        """Say it in the channels of *places*: others rely on what is suggested there."""
        by_channel: dict[str, list[str]] = {}
        for where in places:
            if channel := self._channels.get(where, ""):
                by_channel.setdefault(channel, []).append(str(where))
        for channel, names in by_channel.items():
            told = {"apps": names[:_NAMED], "count": len(names), **facts}
            await tx.outbox.put(suggestions_row(channel, code, told, f"inbox:{hearing.item.id}"))


def _of(matter: Matter, where: AppEnv) -> Matter:
    return replace(matter, resource=f"app/{where}", what={**matter.what, "app": str(where)})
