"""Which apps a person may see: everything that is told privately goes through here.

An app that somebody may not see is to them as if it were not there: the same answer, and no
suggestion that names it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from bot.domain import policy
from bot.domain.policy import Groups, Policy
from bot.errors import HiddenApp, UnknownApp, UpstreamRefused
from bot.ports.people import Directory
from bot.ports.store import Store
from bot.services.asker import Asker
from store.records import AppEnv, PolicySnapshot


@dataclass(frozen=True)
class Expanded:
    """User groups with their members now, and what Slack said of those that it refused."""

    groups: Groups
    refused: dict[str, UpstreamRefused]


async def expand(directory: Directory, *entries: Iterable[str]) -> Expanded:
    """Return the members of every user group among *entries*.

    A group that Slack refuses has no members: one mistyped id must not close every door.

    Raises:
        UpstreamDown: Slack cannot say.
    """
    groups: dict[str, frozenset[str]] = {}
    refused: dict[str, UpstreamRefused] = {}
    for group in policy.group_ids(*entries):
        try:
            groups[group] = await directory.members_of(group)
        except UpstreamRefused as error:
            refused[group] = error
    return Expanded(groups, refused)


class Sight:
    """Judges what people may see, by the policies that are in force now."""

    def __init__(
        self,
        store: Store,
        directory: Directory,
        *,
        watched: Collection[AppEnv],
        policy_of: Callable[[AppEnv], Policy],
    ) -> None:
        """Take the apps that are *watched*; those with a stored history are known too."""
        self._store = store
        self._directory = directory
        self._watched = watched
        self._policy_of = policy_of

    async def named(self, asker: Asker, where: AppEnv) -> AppEnv:
        """Return the app that *asker* named, as it is written here.

        Raises:
            NotEligible: They may do nothing here.
            UnknownApp: There is none, or none that they may see; the nearest of those that they
                may see comes with it.
            UpstreamDown, UpstreamRefused: Slack does not say who they are.
        """
        asker.must_be_member()
        found = _as_written(where, await self._known())
        rules = self._policy_of(found or where).snapshot()
        expanded = await expand(self._directory, policy.seen_by(rules))
        if found is not None and _sees(asker, rules, expanded.groups):
            return found
        for error in expanded.refused.values():  # they may be in it: say so, and say it of all
            raise error
        near = nearest(str(where), await self.all(asker))
        raise (HiddenApp if found else UnknownApp)(str(where), near)

    async def all(self, asker: Asker) -> list[AppEnv]:
        """Return every app that *asker* may see, sorted.

        Raises:
            NotEligible: They may do nothing here.
            UpstreamDown: Slack cannot say who they are.
        """
        asker.must_be_member()
        rules = {where: self._policy_of(where).snapshot() for where in await self._known()}
        entries = (policy.seen_by(snapshot) for snapshot in rules.values())
        groups = (await expand(self._directory, *entries)).groups
        return sorted(where for where, its in rules.items() if _sees(asker, its, groups))

    async def _known(self) -> set[AppEnv]:
        async with self._store.read() as tx:
            return {*self._watched, *await tx.versions.newest_target_ids()}


def nearest(said: str, seen: Iterable[AppEnv]) -> str:
    """Return the name among *seen* that is most like *said*; "" when none is."""
    names = {str(where).casefold(): str(where) for where in seen}
    near = get_close_matches(said.casefold(), names, n=1)
    return names[near[0]] if near else ""


def _as_written(where: AppEnv, known: Collection[AppEnv]) -> AppEnv | None:
    """*where* among *known*; in other letters too when that names only one."""
    if where in known:
        return where
    said = str(where).casefold()
    same = [place for place in known if str(place).casefold() == said]
    return same[0] if len(same) == 1 else None


def _sees(asker: Asker, rules: PolicySnapshot, groups: Groups) -> bool:
    return policy.may_see(asker.facts, policy=rules, groups=groups, team_id=asker.team_id)
