"""What an operator wants to know of the Slack app: whose token it is, what it may, where it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from bot.adapters.slack.calls import answered, called, web_client

# Those of deploy/slack-manifest.yaml; a test compares the two.
NEEDED_SCOPES = (
    *("chat:write", "commands", "users:read", "usergroups:read", "files:write"),
    *("channels:read", "groups:read"),
)
_SCOPES = "x-oauth-scopes"  # https://docs.slack.dev/authentication/installing-with-oauth


@dataclass(frozen=True)
class Identity:
    """Whose token it is; `missing` are scopes that it lacks, None when Slack does not say."""

    team_id: str
    team: str
    bot: str
    missing: tuple[str, ...] | None


@dataclass(frozen=True)
class ChannelSeen:
    """A channel as the bot sees it."""

    name: str
    member: bool
    archived: bool
    shared: bool


class SlackInspection:
    """Reads alone; raises `TokenRefused`, `UpstreamDown`, `UpstreamRefused`."""

    def __init__(self, *, token: str, base_url: str, session: aiohttp.ClientSession) -> None:
        self._web = web_client(token=token, base_url=base_url, session=session)

    async def identity(self) -> Identity:
        """Ask whose token it is. See https://docs.slack.dev/reference/methods/auth.test"""
        answer = await answered(self._web.auth_test())
        granted = _header(answer.headers)
        return Identity(
            team_id=str(answer.get("team_id") or ""),
            team=str(answer.get("team") or ""),
            bot=str(answer.get("user") or ""),
            missing=None
            if granted is None
            else tuple(scope for scope in NEEDED_SCOPES if scope not in granted),
        )

    async def channel(self, channel: str) -> ChannelSeen:
        """Look at a channel; `UpstreamRefused` also when the bot may not know of it."""
        answer = await called(self._web.conversations_info(channel=channel))
        found = answer.get("channel")
        seen: Mapping[str, Any] = found if isinstance(found, dict) else {}
        shared = ("is_ext_shared", "is_shared", "is_org_shared", "is_pending_ext_shared")
        return ChannelSeen(
            name=str(seen.get("name") or channel),
            member=bool(seen.get("is_member")),
            archived=bool(seen.get("is_archived")),
            shared=any(bool(seen.get(flag)) for flag in shared),
        )


def _header(headers: Mapping[str, str]) -> frozenset[str] | None:
    found = {name.lower(): value for name, value in headers.items()}.get(_SCOPES)
    if found is None:
        return None
    return frozenset(scope.strip() for scope in found.split(","))
