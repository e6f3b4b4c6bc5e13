"""What cannot be put back as it was."""

from __future__ import annotations

from collections.abc import Sequence

from bot.errors.base import BotError, Refused, plain
from bot.language import filled


class ByHandOnly(Refused):
    """The app's mode has no versions in the target: what is written there is live at once."""

    user_message = "This app can only be taken back by hand."

    def __init__(self, where: str, number: int | None) -> None:
        super().__init__(f"{where} has no versions in the target, and nobody opted in to writes")
        self.where = where
        self.number = number

    def to_person(self) -> str:
        return filled(
            "This app has no workflow, and Dify keeps no versions of such apps, so I do not write "
            "into it unless `rolls_back_config` in the configuration says so. Go back by hand: "
            "`keyturn export %(where)s %(number)s` writes that version as a file; "
            "set what is in it in Dify's editor and publish.",
            where=plain(self.where),
            number=self.number,
        )


class ValuesMasked(Refused):
    """The target masks values of live or of the version, so they cannot be written back.

    `names` are those values.
    """

    user_message = "Dify masks values of this app, so I cannot write them back."

    def __init__(self, where: str, number: int | None, names: Sequence[str]) -> None:
        super().__init__(f"{where}: masked in live or in version {number}: {', '.join(names)}")
        self.where, self.number, self.names = where, number, tuple(names)

    def to_person(self) -> str:
        named = ", ".join(f"`{plain(name)}`" for name in self.names[:8])
        return filled(
            "Dify masks values of this app's tools (%(names)s), so I cannot write them back and do "
            "not write at all. Go back by hand: "
            "`keyturn export %(where)s %(number)s` writes that version as a file; "
            "set what is in it in Dify's editor and publish.",
            names=named,
            where=plain(self.where),
            number=self.number,
        )


class SecretsOutOfReach(Refused):
    """The version has other secret variables than live, and the target shows no version's values.

    `names` are those secrets.
    """

    user_message = "That version has other secrets than live, and their values cannot be read."

    def __init__(self, where: str, names: Sequence[str]) -> None:
        super().__init__(f"{where}: no version's value can be read of {', '.join(names)}")
        self.names = tuple(names)

    def to_person(self) -> str:
        named = ", ".join(f"`{plain(name)}`" for name in self.names[:8])
        return filled(
            "That version and the live one do not have the same secrets (%(names)s), and this "
            "Dify gives out no published version's values, so they would be lost or missing. "
            "Roll back by hand in Dify, or update it to 1.8.1 or newer.",
            names=named,
        )


class SecretsGone(Refused):
    """The version was deleted in the target, and live lacks secrets that only it had.

    `names` are those secrets.
    """

    user_message = "That version was deleted, and the values of its secrets with it."

    def __init__(self, where: str, number: int | None, names: Sequence[str]) -> None:
        super().__init__(f"{where} version {number} was deleted, and {', '.join(names)} with it")
        self.names = tuple(names)

    def to_person(self) -> str:
        named = ", ".join(f"`{plain(name)}`" for name in self.names[:8])
        return filled(
            "That version was deleted in Dify, and with it the only values of secrets that live "
            "does not have (%(names)s). Choose a version that needs no other secrets than "
            "live has.",
            names=named,
        )


class SealBroken(BotError):
    """What was sealed does not open: its key was taken away, or it was made for something else."""

    user_message = "Secret values that were kept cannot be opened: type them again in the editor."
