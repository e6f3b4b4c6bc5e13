"""`/rollback tag` and `untag`: names for versions, moved by whoever the policy lets."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bot.domain import commands, policy
from bot.domain.commands import Tag, Tags, Untag
from bot.domain.policy import Policy
from bot.domain.words import AnswerCode
from bot.errors import NotAllowed, TagProtected
from bot.ports.people import Directory
from bot.ports.store import Store
from bot.services import history, tagging
from bot.services.asker import Asker
from bot.services.hearing import Hearing, Matter
from bot.services.sight import expand
from bot.services.slash.told import Told
from store.records import AppEnv, AuditDraft, Json


class Tagging:
    """Moves tags for people."""

    def __init__(
        self, store: Store, directory: Directory, *, policy_of: Callable[[AppEnv], Policy]
    ) -> None:
        self._store = store
        self._directory = directory
        self._policy_of = policy_of

    async def listed(self, asked: Tags) -> Told:
        """Return every tag of the app with its version."""
        rows: list[Json] = [
            {
                "name": one.tag.name,
                "number": one.number,
                "slack_id": one.tag.user_id if one.tag.user_id != tagging.OPERATOR else "",
                "since": one.tag.since.isoformat(),
            }
            for one in await tagging.standing(self._store, asked.where)
        ]
        return Told(AnswerCode.TAGS, {"where": str(asked.where), "rows": rows})

    async def __call__(
        self, hearing: Hearing, asked: Tag | Untag, asker: Asker, matter: Matter
    ) -> None:
        """Move or remove the tag, and say so.

        Raises:
            NotAllowed, TagProtected: Not by this person.
            NothingStored, UnknownVersion, UnknownTag.
            UpstreamDown: Slack does not say who they are.
        """
        await self._must_be_allowed(asked.where, asked.name, asker)

        def entry(facts: Mapping[str, Json]) -> AuditDraft:
            return hearing.entry(matter, "ok", **facts)

        if isinstance(asked, Tag):
            await self._move(hearing, asked, entry)
        else:
            await self._take_away(hearing, asked, entry)

    async def _move(self, hearing: Hearing, asked: Tag, entry: tagging.Entry) -> None:
        await history.span(self._store, asked.where)
        word = commands.LIVE if asked.version is None else str(asked.version)
        version = await history.find(self._store, asked.where, word)
        async with self._store.write() as tx:
            moved = await tagging.move(tx, version, asked.name, entry)
            facts = {"where": str(asked.where), "name": moved.name, "number": moved.number}
            await hearing.answer(tx, AnswerCode.TAGGED, {**facts, "was": moved.was})
            await hearing.finish(tx, "tagged")

    async def _take_away(self, hearing: Hearing, asked: Untag, entry: tagging.Entry) -> None:
        async with self._store.write() as tx:
            number = await tagging.take_away(tx, asked.where, asked.name, entry)
            facts = {"where": str(asked.where), "name": asked.name, "number": number}
            await hearing.answer(tx, AnswerCode.UNTAGGED, facts)
            await hearing.finish(tx, "untagged")

    async def _must_be_allowed(self, where: AppEnv, name: str, asker: Asker) -> None:
        rules = self._policy_of(where)
        snapshot = rules.snapshot()
        expanded = await expand(self._directory, policy.asked_by(snapshot))
        if policy.may_tag(
            asker.facts, name, policy=rules, groups=expanded.groups, team_id=asker.team_id
        ):
            return
        for error in expanded.refused.values():  # they may be in it: say so
            raise error
        if name in rules.protected_tags:
            raise TagProtected(name, where.env)
        raise NotAllowed(f"{asker.slack_id} may not tag versions of {where}")
