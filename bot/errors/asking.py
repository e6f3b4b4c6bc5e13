"""What was asked for is not begun."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar

from bot.errors.base import Refused, plain
from bot.language import dated, filled, gettext, message


class Frozen(Refused):
    """The policy names this as a time in which nothing is rolled back."""

    user_message = "Nothing is rolled back here now."

    def __init__(self, where: str, until: datetime) -> None:
        super().__init__(f"{where} is frozen until {until.isoformat()}")
        self.where, self.until = where, until

    def to_person(self) -> str:
        return filled(
            "Nothing of `%(where)s` is rolled back until %(until)s: its policy says so.",
            where=plain(self.where),
            until=dated(self.until),
        )


class CondemnedHere(Refused):
    """The version was rolled back here before; going to it again needs a reason."""

    user_message = "That version was rolled back here before. Say why it is good now."

    def __init__(self, where: str, number: int) -> None:
        super().__init__(f"version {number} of {where} is condemned, and no reason was given")
        self.where, self.number = where, number

    def to_person(self) -> str:
        return filled(
            "Version %(number)s was rolled back here before. Say why it is good now: "
            "`%(command)s`.",
            number=self.number,
            command=f"/rollback to {plain(self.where)} {self.number} REASON",
        )


class AskAgain(Refused):
    """What nobody else approves is not opened again by itself."""

    user_message = (
        "What is live has changed, and no approval is needed here: look at it, and ask again."
    )


class NothingOpen(Refused):
    """No rollback of the app is open."""

    user_message = "No rollback of it is open."

    def __init__(self, where: str) -> None:
        super().__init__(f"no rollback of {where} is open")
        self.where = where

    def to_person(self) -> str:
        return filled("No rollback of `%(where)s` is open.", where=plain(self.where))


class NothingToUndo(Refused):
    """No rollback of the app was carried out."""

    user_message = "Nothing was rolled back there, so there is nothing to undo."

    def __init__(self, where: str) -> None:
        super().__init__(f"no rollback of {where} was carried out")
        self.where = where

    def to_person(self) -> str:
        return filled(
            "No rollback of `%(where)s` was carried out: there is nothing to undo.",
            where=plain(self.where),
        )


class LiveIsAnother(Refused):
    """What a rollback made live is live no more, so undoing it would undo something else."""

    user_message = "What that rollback made live is live no more."

    def __init__(self, where: str, made: int | None, live: int | None) -> None:
        super().__init__(f"version {live} of {where} is live, not {made}")
        self.where, self.made, self.live = where, made, live

    def to_person(self) -> str:
        return filled(
            "That rollback made version %(made)s live; version %(live)s is live now, so "
            "there is nothing of it to undo. Another version is asked for with "
            "`/rollback to %(where)s VERSION`.",
            made=self.made,
            live=self.live,
            where=plain(self.where),
        )


class UndoReasonMissing(Refused):
    """Undoing a rollback needs a reason: it goes to what was rolled back."""

    user_message = "Please say in a few words why it should be undone."


class NotAllowed(Refused):
    """This person may not ask for this, or not see it."""

    user_message = "You may not do this here; the environment's policy names who may."


class BadCommand(Refused):
    """The words after the slash command make no sense; `nearest` is what may have been meant.

    `app` is what stood where an app belongs, "" when nothing did.
    """

    user_message = "I did not understand that. Try `/rollback help`."

    def __init__(self, said: str = "", nearest: str = "", app: str = "") -> None:
        super().__init__(f"not a command: {said!r}")
        self.said, self.nearest, self.app = said, nearest, app

    def to_person(self) -> str:
        if not self.nearest:
            return gettext(self.user_message)
        return filled(
            "I did not understand that. Did you mean `/rollback %(nearest)s`?",
            nearest=plain(self.nearest),
        )


class NothingToDo(Refused):
    """The version asked for has the same content as the live one."""

    user_message = "That version is what is live already."


class NotTogether(Refused):
    """Several apps that cannot be one rollback: *why* is environments, twice or many."""

    user_message = "These apps cannot go back together."
    _WHY: ClassVar[Mapping[str, str]] = {
        "environments": message("they are in different environments; ask once for each"),
        "twice": message("one of them is named twice"),
        "many": message("these are too many at once"),
    }

    def __init__(self, why: str, count: int) -> None:
        super().__init__(f"{count} apps are not one rollback: {why}")
        self.why = why

    def to_person(self) -> str:
        why = gettext(self._WHY[self.why])
        return filled("These apps cannot go back together: %(why)s.", why=why)


class EmptyVersion(Refused):
    """The version asked for has no nodes, so it would answer nobody."""

    user_message = "That version has no nodes and would answer nobody. Choose another one."


class KeyturnPaused(Refused):
    """The database is paused: nothing is opened, voted on or executed."""

    user_message = (
        "Keyturn is paused, so nothing is approved or rolled back now. Somebody who operates it "
        "ends that with `keyturn resume`."
    )


class RollbackOpen(Refused):
    """Another rollback of this app@env is open."""

    user_message = "A rollback of this app is open already; its card is in the channel."


class OpenElsewhere(Refused):
    """One of the apps of a rollback has got another open one meanwhile."""

    user_message = "A rollback of one of the apps is open already; its card is in the channel."

    def __init__(self, where: str, rollback_id: int) -> None:
        super().__init__(f"rollback {rollback_id} of {where} is open")
        self.where = where

    def to_person(self) -> str:
        return filled(
            "A rollback of `%(where)s` is open already; its card is in the channel.",
            where=plain(self.where),
        )


class AskedAlready(RollbackOpen):
    """The open rollback goes back to exactly this; its votes stay."""

    def __init__(self, rollback_id: int) -> None:
        super().__init__(f"rollback {rollback_id} has the same content")
        self.rollback_id = rollback_id

    def to_person(self) -> str:
        return filled(
            "Rollback %(number)s proposes exactly this already. "
            "Its card is in the channel of that app, with the approvals that it has.",
            number=self.rollback_id,
        )
