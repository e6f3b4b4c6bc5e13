"""Slack: the token, its scopes, the channels, and whether the policies' people are there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable

import aiohttp

from bot.adapters.slack.directory import SlackDirectory
from bot.adapters.slack.inspection import ChannelSeen, Identity, SlackInspection
from bot.checkup import voters
from bot.checkup.finding import Finding, failed, note, ok
from bot.config.settings import Settings
from bot.errors import TokenRefused, UpstreamDown, UpstreamRefused

_APP_PAGE = "the Slack app's settings page (OAuth & Permissions)"


async def findings(settings: Settings, http: aiohttp.ClientSession) -> AsyncIterator[Finding]:
    """Look at Slack and at the policies."""
    token = settings.slack.bot_token
    directory = None
    if token is not None:
        secret, base_url = token.get_secret_value(), settings.slack.api_url
        slack = SlackInspection(token=secret, base_url=base_url, session=http)
        found, identity = await _identity(slack, settings)
        for finding in found:
            yield finding
        if identity is not None:
            directory = SlackDirectory(
                token=secret,
                base_url=base_url,
                session=http,
                team_id=identity.team_id,
                aliases=settings.people,
            )
            for channel in dict.fromkeys(_channels(settings)):
                yield await _channel(slack, channel, identity.bot)
    for env in dict.fromkeys(where.env for where in settings.places):
        yield await voters.finding(env, settings.policy(env), directory)


def _channels(settings: Settings) -> Iterable[str]:
    yield from (one for one in (settings.slack.channel, settings.slack.sre_channel) if one)
    yield from (place.channel for place in settings.places.values() if place.channel)


async def _identity(
    slack: SlackInspection, settings: Settings
) -> tuple[list[Finding], Identity | None]:
    try:
        identity = await slack.identity()
    except TokenRefused as error:
        mend = f"set SLACK_BOT_TOKEN to the bot token (xoxb-…) of {_APP_PAGE}"
        return [failed("slack", f"the token is refused ({error})", mend)], None
    except (UpstreamDown, UpstreamRefused) as error:
        mend = f"check the network, and that {settings.slack.api_url} is Slack's address"
        return [failed("slack", f"does not answer as Slack does ({error})", mend)], None
    found = [ok("slack", f"{identity.bot} in the workspace {identity.team}"), _scopes(identity)]
    if settings.slack.team and settings.slack.team != identity.team_id:
        said = f"is {settings.slack.team}, but the token is of {identity.team_id}"
        found.append(failed("slack.team", said, "correct one of them; clicks would be refused"))
    return found, identity


def _scopes(identity: Identity) -> Finding:
    if identity.missing is None:
        return note("slack scopes", "Slack does not say which ones the token has")
    if not identity.missing:
        return ok("slack scopes", "all there")
    said = f"missing: {', '.join(identity.missing)}"
    return failed("slack scopes", said, f"add them on {_APP_PAGE}, and install the app again")


async def _channel(slack: SlackInspection, channel: str, bot: str) -> Finding:
    what = f"channel {channel}"
    try:
        seen = await slack.channel(channel)
    except UpstreamRefused as error:
        said = f"Slack does not show it ({error.upstream_code or error})"
        mend = f"take the id from the channel's details; into a private one /invite @{bot}"
        return failed(what, said, mend)
    except UpstreamDown as error:
        return failed(what, f"cannot be looked at ({error})", "try again when Slack answers")
    return _seen(what, seen, bot)


def _seen(what: str, seen: ChannelSeen, bot: str) -> Finding:
    if seen.archived:
        return failed(what, f"#{seen.name} is archived", "name another one, or unarchive it")
    if not seen.member:
        return failed(what, f"the bot is not in #{seen.name}", f"/invite @{bot} there")
    if seen.shared:
        said = f"#{seen.name} is shared with another organisation"
        return failed(what, said, "votes are not taken there; name a channel of your own")
    return ok(what, f"the bot is in #{seen.name}")
