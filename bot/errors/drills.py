"""No drill is begun."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bot.errors.base import Refused, plain
from bot.language import dated, filled, gettext, message

_HOW_TO_MARK = message(
    "Make a copy of a real workflow, give it a table of its own in `keyturn.toml`, and write "
    "`drill = true` into `[app.NAME]`."
)


class NotForDrills(Refused):
    """A drill really rolls back, and nobody has said that this app serves nobody."""

    user_message = "This app is not marked for drills."

    def __init__(self, where: str) -> None:
        super().__init__(f"{where} is not marked for drills")
        self.where = where

    def to_person(self) -> str:
        refused = filled(
            "A drill really rolls back, so it is held only in an app that serves nobody, and "
            "`%(where)s` is not marked as one.",
            where=plain(self.where),
        )
        return f"{refused} {gettext(_HOW_TO_MARK)}"


class NoDrillApp(Refused):
    """No app that this person may ask in is marked for drills."""

    user_message = "There is no app for drills that you may ask in."

    def to_person(self) -> str:
        return f"{gettext(self.user_message)} {gettext(_HOW_TO_MARK)}"


class SeveralDrillApps(Refused):
    """A drill was asked for without saying where, and there are several places."""

    user_message = "Say in which app the drill is to be."

    def __init__(self, apps: Sequence[str]) -> None:
        super().__init__(f"{len(apps)} apps are marked for drills")
        self.apps = tuple(apps)

    def to_person(self) -> str:
        apps = ", ".join(f"`/rollback drill {plain(app)}`" for app in self.apps[:8])
        more = len(self.apps) - 8
        if more > 0:
            apps = filled("%(apps)s and %(count)s more", apps=apps, count=more)
        return f"{gettext(self.user_message)} {apps}"


class DrillUnderWay(Refused):
    """One drill at a time; *watched* says that it is still looked whether the last one helped."""

    user_message = "A drill of it is under way already."

    def __init__(self, where: str, *, watched: bool = False) -> None:
        super().__init__(f"a drill of {where} is under way")
        self.where, self.watched = where, watched

    def to_person(self) -> str:
        if self.watched:
            return filled(
                "The last drill of `%(where)s` is rolled back, and it is still being watched "
                "whether the alert stays away; that takes some minutes. Its thread says when it "
                "is over.",
                where=plain(self.where),
            )
        return filled(
            "A drill of `%(where)s` is under way already; its card is in the channel.",
            where=plain(self.where),
        )


class AlertIsReal(Refused):
    """A real alert fires there: no drill comes in between."""

    user_message = "A real alert fires there now, so no drill is begun."

    def __init__(self, where: str) -> None:
        super().__init__(f"a real alert of {where} fires")
        self.where = where

    def to_person(self) -> str:
        return filled(
            "A real alert of `%(where)s` fires now, so no drill is begun there.",
            where=plain(self.where),
        )


class SuggestionsOff(Refused):
    """Suggestions are paused there, and a drill needs one."""

    user_message = "Suggestions are paused there, so a drill would end at once."

    def __init__(self, where: str, until: datetime) -> None:
        super().__init__(f"suggestions of {where} are paused until {until.isoformat()}")
        self.where, self.until = where, until

    def to_person(self) -> str:
        return filled(
            "Suggestions for `%(where)s` are paused until %(until)s, so a drill would end at "
            "once. `/rollback resume %(where)s` ends that.",
            where=plain(self.where),
            until=dated(self.until),
        )


class NothingToPractise(Refused):
    """There is no version before live that means something else and is not condemned."""

    user_message = "There is nothing to go back to."

    def __init__(self, where: str) -> None:
        super().__init__(f"{where} has nothing to go back to")
        self.where = where

    def to_person(self) -> str:
        return filled(
            "`%(where)s` has no version before the live one that differs from it and is not "
            "condemned. Change something in it, publish that in Dify, and ask again.",
            where=plain(self.where),
        )
