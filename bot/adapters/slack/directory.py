"""Who is who in Slack, asked afresh each time: an answer of a minute ago decides nothing."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import aiohttp

from bot.adapters.slack.calls import SYSTEM, called, web_client
from bot.adapters.slack.languages import Languages
from bot.errors import AnswerUnreadable
from bot.ports.people import Member

SLACKBOT = "USLACKBOT"  # users.info does not call it a bot


class SlackDirectory:
    """Implements `bot.ports.people.Directory`; fails closed.

    `team_id` is "" until it was configured or learned; nobody is of that workspace.
    """

    def __init__(
        self,
        *,
        token: str,
        base_url: str,
        session: aiohttp.ClientSession,
        team_id: str,
        aliases: Mapping[str, str],
        authors: Mapping[str, str] = MappingProxyType({}),
        languages: Languages | None = None,
    ) -> None:
        """Tell *languages* too what Slack says of people."""
        self._languages = languages or Languages()
        self._web = web_client(token=token, base_url=base_url, session=session)
        self._aliases = aliases
        self._authors = {email.casefold(): account for email, account in authors.items()}
        self.team_id = team_id

    def person_of(self, slack_id: str) -> str:
        """The person behind an account: the configured alias, else the account itself."""
        return self._aliases.get(slack_id, slack_id)

    def language_of(self, slack_id: str) -> str:
        """In which language a person reads, as far as it is known; never waits."""
        return self._languages.of(slack_id)

    def publisher(self, email: str) -> str:
        """The person whose account in the target has this *email*, as configured; else ""."""
        account = self._authors.get(email.casefold(), "")
        return self.person_of(account) if account else ""

    async def team(self) -> str:
        """Our workspace's id, learned from the token when it is not configured.

        Raises:
            UpstreamDown, UpstreamRefused: Slack does not tell.
        """
        if not self.team_id:
            self.team_id = _text(await called(self._web.auth_test()), "team_id")
        return self.team_id

    async def greet(self) -> None:
        """Return if Slack knows our token. Raises `UpstreamDown`, `UpstreamRefused`."""
        await called(self._web.auth_test())

    async def member(self, slack_id: str) -> Member:
        """See https://docs.slack.dev/reference/objects/user-object for the flags.

        Raises:
            UpstreamRefused: `user_not_found`, when Slack knows no such account.
            AnswerUnreadable: Slack told of another account; its votes would count twice.
            UpstreamDown: Slack cannot say.
        """
        await self.team()
        asked = self._web.users_info(user=slack_id, include_locale=True)
        user = _part(await called(asked), "user")
        if _text(user, "id") != slack_id:
            raise AnswerUnreadable(SYSTEM, "users.info of another account")
        self._languages.heard(slack_id, user.get("locale"))
        return Member(
            slack_id=slack_id,
            person=self.person_of(slack_id),
            team_id=self._team_of(user),
            name=_name(user),
            deleted=bool(user.get("deleted")),
            bot=bool(user.get("is_bot")) or slack_id == SLACKBOT,
            guest=bool(user.get("is_restricted")) or bool(user.get("is_ultra_restricted")),
            stranger=bool(user.get("is_stranger")),
            tz=str(user.get("tz") or "")[:64],
        )

    async def members_of(self, group_id: str) -> frozenset[str]:
        """Slack ids of a user group, also of people who may not vote.

        Raises:
            UpstreamRefused: It is unknown or disabled, or the plan has no user groups; then
                nobody is known to be in it.
        """
        answer = await called(self._web.usergroups_users_list(usergroup=group_id))
        users = answer.get("users")
        if not isinstance(users, list):
            raise AnswerUnreadable(SYSTEM, "usergroups.users.list without users")
        return frozenset(user for user in users if isinstance(user, str))

    async def shared_channel(self, channel: str) -> bool:
        """True if people of other organisations can see and click in *channel*."""
        found = _part(await called(self._web.conversations_info(channel=channel)), "channel")
        flags = ("is_ext_shared", "is_shared", "is_org_shared", "is_pending_ext_shared")
        return any(bool(found.get(flag)) for flag in flags)

    def _team_of(self, user: Mapping[str, Any]) -> str:
        """On Enterprise Grid a person is of every workspace that `enterprise_user.teams` lists."""
        grid = user.get("enterprise_user")
        teams = grid.get("teams") if isinstance(grid, dict) else None
        if isinstance(teams, list) and self.team_id in teams:
            return self.team_id
        return _text(user, "team_id")


def _name(user: Mapping[str, Any]) -> str:
    profile = user.get("profile")
    shown = profile.get("display_name") if isinstance(profile, dict) else ""
    return str(shown or user.get("real_name") or user.get("name") or "")[:80]


def _part(answer: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = answer.get(name)
    if not isinstance(found, dict):
        raise AnswerUnreadable(SYSTEM, f"an answer without {name}")
    return found


def _text(answer: Mapping[str, Any], name: str) -> str:
    found = answer.get(name)
    if not isinstance(found, str) or not found:
        raise AnswerUnreadable(SYSTEM, f"an answer without {name}")
    return found
