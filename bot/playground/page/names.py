"""Whom and what ids stand for, and how times are told, for the reader of the page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo

from bot.playground.slack.state import SlackState

EMOJI: Mapping[str, str] = {
    "white_check_mark": "✅", "heavy_check_mark": "✔️", "x": "❌", "warning": "⚠️", "key": "🔑",
    "old_key": "🗝️", "rotating_light": "🚨", "hourglass": "⌛", "hourglass_flowing_sand": "⏳",
    "arrows_counterclockwise": "🔄", "rewind": "⏪", "leftwards_arrow_with_hook": "↩️",
    "no_entry": "⛔", "no_entry_sign": "🚫", "question": "❓", "information_source": "ℹ️",
    "bell": "🔔", "lock": "🔒", "closed_lock_with_key": "🔐", "eyes": "👀", "thumbsup": "👍",
    "+1": "👍", "-1": "👎", "tada": "🎉", "mag": "🔍", "memo": "📝", "clock3": "🕒",
    "no_bell": "🔕", "control_knobs": "🎛️",
    "double_vertical_bar": "⏸️", "arrow_forward": "▶️", "large_green_circle": "🟢",
    "red_circle": "🔴", "large_yellow_circle": "🟡", "wave": "👋",
    "bulb": "💡", "busts_in_silhouette": "👥", "page_facing_up": "📄", "link": "🔗",
    "heavy_minus_sign": "➖", "heavy_plus_sign": "➕", "pencil2": "✏️", "stopwatch": "⏱️",
    "chart_with_upwards_trend": "📈", "exclamation": "❗", "sos": "🆘", "point_right": "👉",
    "checkered_flag": "🏁",
}  # fmt: skip


@dataclass(frozen=True)
class Names:
    """Names by id; `own_links` is where permalinks of this workspace begin.

    Times are shown in *zone*, by default that of this machine: the reader sits in front of it.
    """

    users: Mapping[str, str] = field(default_factory=dict)
    groups: Mapping[str, str] = field(default_factory=dict)
    channels: Mapping[str, str] = field(default_factory=dict)
    own_links: str = "https://keyturn-playground.slack.com/archives/"
    zone: tzinfo | None = None

    @classmethod
    def of(cls, state: SlackState) -> Names:
        return cls(
            {user.id: user.name for user in state.users.values()},
            {group.id: group.handle for group in state.groups.values()},
            {channel.id: channel.name for channel in state.channels.values()},
            f"https://{state.domain}.slack.com/archives/",
        )

    def user(self, user_id: str) -> str:
        return self.users.get(user_id, user_id)

    def group(self, group_id: str) -> str:
        return self.groups.get(group_id, group_id)

    def channel(self, channel_id: str) -> str:
        return self.channels.get(channel_id, channel_id)

    def local(self, seconds: float) -> datetime | None:
        """The moment on the reader's clock; None for what no clock can show."""
        try:
            return datetime.fromtimestamp(seconds, UTC).astimezone(self.zone)
        except (OverflowError, ValueError, OSError):
            return None

    def date(self, seconds: float, form: str) -> str:
        """Fill a date token's format, as docs.slack.dev/messaging/formatting-message-text."""
        at = self.local(seconds)
        if at is None:
            return ""
        day, today = at.date(), datetime.now(at.tzinfo).date()
        pretty = {0: "today", -1: "yesterday", 1: "tomorrow"}.get((day - today).days, "")
        month_day = f"{at:%B} {at.day}"
        forms = {
            "date_num": f"{at:%Y-%m-%d}",
            "date": f"{month_day}, {at.year}",
            "date_short": f"{at:%b} {at.day}, {at.year}",
            "date_long": f"{at:%A}, {month_day}, {at.year}",
            "time": f"{at:%H:%M}",
            "time_secs": f"{at:%H:%M:%S}",
        }
        forms |= {f"{name}_pretty": pretty or forms[name] for name in forms if "date" in name}
        for name, text in forms.items():
            form = form.replace("{" + name + "}", text)
        return form
