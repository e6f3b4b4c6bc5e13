"""What was named is not there, or not for whoever named it."""

from __future__ import annotations

from bot.errors.base import Refused, plain
from bot.language import filled, message


class NoRecord(Refused):
    """There is no such rollback of the app, or none that this person may see."""

    user_message = "There is no record of that."

    def __init__(self, where: str, rollback: int | None) -> None:
        super().__init__(f"no rollback {rollback or ''} of {where} that they may see")
        self.where, self.rollback = where, rollback

    def to_person(self) -> str:
        facts = {"where": plain(self.where), "number": self.rollback}
        if self.rollback:
            return filled(
                "There is no rollback %(number)s of `%(where)s` whose record you may see.", **facts
            )
        return filled("There is no rollback of `%(where)s` whose record you may see.", **facts)


class AppNotChosen(Refused):
    """A dialog was sent without an app."""

    user_message = "Choose an app."


class VersionNotChosen(Refused):
    """A dialog was sent without a version to go back to."""

    user_message = "Choose the version to go back to."


class VersionsNotThere(Refused):
    """A dialog was sent before it showed any versions."""

    user_message = "The versions are still being read. Wait a moment, and choose one."


class VersionsOfAnother(Refused):
    """A dialog was sent while it showed the versions of another app than the one chosen."""

    user_message = (
        "The versions below are not those of this app yet. Wait a moment, or choose it once more."
    )


class UnknownApp(Refused):
    """No app of this name and environment is configured; `nearest` may help."""

    user_message = "I do not know this app or environment."

    def __init__(self, asked: str, nearest: str = "") -> None:
        super().__init__(f"unknown app {asked!r}")
        self.asked, self.nearest = asked, nearest

    def to_person(self) -> str:
        facts = {"asked": plain(self.asked), "nearest": self.nearest}
        if self.nearest:
            return filled("I do not know `%(asked)s`. Did you mean `%(nearest)s`?", **facts)
        return filled("I do not know `%(asked)s`.", **facts)


class HiddenApp(UnknownApp):
    """There is such an app, and this person may not see it: they are told what a stranger is."""


class NothingStored(Refused):
    """No version of the app@env is stored yet."""

    user_message = "Nothing of this app is stored yet."

    def __init__(self, where: str) -> None:
        super().__init__(f"no version of {where} is stored")
        self.where = where

    def to_person(self) -> str:
        return filled(
            "Nothing of `%(where)s` is stored yet. `/rollback snapshot %(where)s` reads it now.",
            where=plain(self.where),
        )


class NoSuchPage(Refused):
    """The answer has fewer pages than were asked for; `last` is how it is asked for the last."""

    user_message = "There is no such page."

    def __init__(self, page: int, pages: int, last: str) -> None:
        super().__init__(f"page {page} of {pages}")
        self.page, self.pages, self.last = page, pages, last

    def to_person(self) -> str:
        one = message("There is only one page. The last one is `/rollback %(last)s`.")
        many = message("There are only %(pages)s pages. The last one is `/rollback %(last)s`.")
        return filled(one if self.pages == 1 else many, pages=self.pages, last=plain(self.last))


class UnknownVersion(Refused):
    """The app@env has no version of this number; `oldest` and `newest` are those it has."""

    user_message = "There is no such version."

    def __init__(
        self, where: str, asked: str, newest: int | None = None, oldest: int | None = None
    ) -> None:
        super().__init__(f"{where} has no version {asked}")
        self.where, self.asked, self.newest, self.oldest = where, asked, newest, oldest

    def to_person(self) -> str:
        said = message("`%(where)s` has no version `%(asked)s`.")
        if self.newest and self.oldest and self.oldest > 1:
            said = message(
                "`%(where)s` has no version `%(asked)s`. I have %(oldest)s to %(newest)s; "
                "older ones are not imported yet."
            )
        elif self.newest:
            said = message("`%(where)s` has no version `%(asked)s`. The newest one is %(newest)s.")
        names = {"where": plain(self.where), "asked": plain(self.asked)}
        return filled(said, **names, oldest=self.oldest, newest=self.newest)


class UnknownTag(Refused):
    """The app@env has no tag of this name; `nearest` may help."""

    user_message = "There is no such tag."

    def __init__(self, where: str, name: str, nearest: str = "") -> None:
        super().__init__(f"{where} has no tag {name}")
        self.where, self.name, self.nearest = where, name, nearest

    def to_person(self) -> str:
        facts = {"where": plain(self.where), "tag": plain(self.name), "nearest": self.nearest}
        if self.nearest:
            return filled("`%(where)s` has no tag `%(tag)s`. Did you mean `%(nearest)s`?", **facts)
        return filled("`%(where)s` has no tag `%(tag)s`.", **facts)


class TagProtected(Refused):
    """The policy keeps this tag for the reviewers."""

    user_message = "This tag is protected: only reviewers of the environment move it."

    def __init__(self, name: str, env: str) -> None:
        super().__init__(f"the tag {name} is protected in {env}")
        self.name, self.env = name, env

    def to_person(self) -> str:
        return filled(
            "The tag `%(tag)s` is protected in `%(env)s`: only its reviewers move or remove it.",
            tag=plain(self.name),
            env=plain(self.env),
        )


class NotStored(Refused):
    """Nothing of the app@env is stored under this number; `owner` is the app@env that has it."""

    user_message = "Nothing of this app is stored under that number."

    def __init__(self, where: str, row: int, owner: str = "") -> None:
        whose = f"is of {owner}, not of {where}" if owner else "does not exist"
        super().__init__(f"the stored row {row} {whose}")
        self.where, self.row, self.owner = where, row, owner
