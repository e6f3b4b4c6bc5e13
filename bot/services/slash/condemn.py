"""`/rollback condemn` and `absolve`: a person says which version must not be suggested again."""

from __future__ import annotations

from collections.abc import Callable

from bot.domain import policy
from bot.domain.commands import Absolve, Condemn
from bot.domain.policy import Policy
from bot.domain.words import AnswerCode
from bot.errors import NotAllowed
from bot.ports.people import Directory
from bot.ports.store import Store
from bot.services import history
from bot.services.asker import Asker
from bot.services.hearing import Hearing, Matter
from bot.services.sight import expand
from store.records import AppEnv


class Judging:
    """Condemns versions, and lifts that, for whoever may ask for a rollback."""

    def __init__(
        self, store: Store, directory: Directory, *, policy_of: Callable[[AppEnv], Policy]
    ) -> None:
        self._store = store
        self._directory = directory
        self._policy_of = policy_of

    async def __call__(
        self, hearing: Hearing, asked: Condemn | Absolve, asker: Asker, matter: Matter
    ) -> None:
        """Judge the version by its content, and say so; what is so already is not recorded.

        Raises:
            NotAllowed: Not by this person.
            NothingStored, UnknownVersion.
            UpstreamDown: Slack does not say who they are.
        """
        await self._must_be_allowed(asked.where, asker)
        await history.span(self._store, asked.where)
        version = await history.find(self._store, asked.where, str(asked.version))
        where, meaning = version.where, version.meaning
        entry = hearing.entry(matter, "ok", number=version.number, meaning=meaning)
        condemns = isinstance(asked, Condemn)
        async with self._store.write() as tx:
            was = meaning in await tx.versions.condemned(where)
            if condemns:
                await tx.versions.condemn(where, meaning, rollback_id=None, entry=entry)
            else:
                await tx.versions.lift(where, meaning, entry=entry)
            code = AnswerCode.CONDEMNED if condemns else AnswerCode.ABSOLVED
            facts = {"where": str(where), "number": version.number, "anew": was != condemns}
            await hearing.answer(tx, code, facts)
            await hearing.finish(tx, code.value)

    async def _must_be_allowed(self, where: AppEnv, asker: Asker) -> None:
        snapshot = self._policy_of(where).snapshot()
        expanded = await expand(self._directory, policy.asked_by(snapshot))
        if policy.may_ask(
            asker.facts, policy=snapshot, groups=expanded.groups, team_id=asker.team_id
        ):
            return
        for error in expanded.refused.values():  # they may be in it: say so
            raise error
        raise NotAllowed(f"{asker.slack_id} may not judge versions of {where}")
