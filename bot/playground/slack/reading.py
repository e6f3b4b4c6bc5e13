"""auth.test, users.*, usergroups.*, conversations.*: what an app may look up."""

from __future__ import annotations

from typing import TypeVar

from bot.playground.slack.arguments import Arguments
from bot.playground.slack.state import SlackState
from bot.playground.slack.things import Json, Message, SlackError

T = TypeVar("T")


def auth_test(state: SlackState, args: Arguments) -> Json:
    """auth.test: whose token this is."""
    return {
        "url": f"https://{state.domain}.slack.com/",
        "team": "Keyturn playground",
        "user": "keyturn",
        "team_id": state.team,
        "user_id": state.bot_user,
        "bot_id": state.bot,
        "is_enterprise_install": False,
    }


def user_info(state: SlackState, args: Arguments) -> Json:
    """users.info."""
    user = state.user(args.need("user"))
    return {"user": user.as_json(locale=args.flag("include_locale"))}


def groups_list(state: SlackState, args: Arguments) -> Json:
    """usergroups.list."""
    shown = [g for g in state.groups.values() if args.flag("include_disabled") or not g.disabled]
    return {"usergroups": [group.as_json(users=args.flag("include_users")) for group in shown]}


def group_users(state: SlackState, args: Arguments) -> Json:
    """usergroups.users.list; it also names members who are deleted, bots or guests."""
    group = state.groups.get(args.need("usergroup"))
    if group is None or (group.disabled and not args.flag("include_disabled")):
        raise SlackError("no_such_subteam")
    return {"users": list(group.users)}


def channel_info(state: SlackState, args: Arguments) -> Json:
    """conversations.info."""
    channel = state.channel(args.need("channel"))
    shown = channel.as_json()
    if args.flag("include_num_members"):
        shown["num_members"] = len(channel.members)
    return {"channel": shown}


def channel_members(state: SlackState, args: Arguments) -> Json:
    """conversations.members, by pages."""
    channel = state.channel(args.need("channel"))
    page, cursor = _page(channel.members, args)
    return {"members": page, "response_metadata": {"next_cursor": cursor}}


def history(state: SlackState, args: Arguments) -> Json:
    """Top-level messages, newest first."""
    channel = state.channel(args.need("channel"))
    if state.bot_user not in channel.members:
        raise SlackError("not_in_channel")
    within = [m for m in reversed(state.messages(channel.id)) if _within(m, args)]
    page, cursor = _page(within, args)
    return _shown(state, page, cursor, args)


def replies(state: SlackState, args: Arguments) -> Json:
    """The parent first, then its replies, oldest first."""
    channel = state.channel(args.need("channel"))
    message = state.message(channel.id, args.need("ts"))
    if message is None or message.only_for:
        raise SlackError("thread_not_found")
    parent = state.message(channel.id, message.thread_ts or message.ts) or message
    below = [m for m in state.thread(channel.id, parent.ts) if _within(m, args)]
    page, cursor = _page([parent, *below], args)
    return _shown(state, page, cursor, args)


def _within(message: Message, args: Arguments) -> bool:
    oldest, latest = args.text("oldest") or "0", args.text("latest") or "9999999999"
    ts = float(message.ts)
    if args.flag("inclusive"):
        return float(oldest) <= ts <= float(latest)
    return float(oldest) < ts < float(latest)


def _page(items: list[T], args: Arguments) -> tuple[list[T], str]:
    """One page of *items* and the cursor of the next; "" on the last page."""
    limit = max(1, min(args.number("limit", 100), 999))
    try:
        start = int(args.text("cursor") or 0)
    except ValueError:
        raise SlackError("invalid_cursor") from None
    after = start + limit
    return items[start:after], str(after) if after < len(items) else ""


def _shown(state: SlackState, page: list[Message], cursor: str, args: Arguments) -> Json:
    messages = [_one(state, message, args.flag("include_all_metadata")) for message in page]
    more = {"response_metadata": {"next_cursor": cursor}} if cursor else {}
    return {"messages": messages, "has_more": bool(cursor), **more}


def _one(state: SlackState, message: Message, metadata: bool) -> Json:
    shown = message.as_json(team=state.team, metadata=metadata)
    if below := state.thread(message.channel, message.ts):
        shown |= {"reply_count": len(below), "latest_reply": below[-1].ts}
        shown |= {"reply_users": sorted({reply.user for reply in below})}
    return shown
