"""Every deliberate error: `str()` for the operator, `user_message` for the person in Slack."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import ClassVar

from bot.language import dated, filled, gettext, message


class BotError(Exception):
    """Root of the bot's own errors.

    `code` names the error in logs, audit entries and outcomes; `retryable` says that the same
    call may work later.
    """

    user_message: ClassVar[str] = "Something went wrong on our side. The operators have been told."
    retryable: ClassVar[bool] = False

    @property
    def code(self) -> str:
        """The class name in snake case: stable, for records and catalogues."""
        name = type(self).__name__
        return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")

    def to_person(self) -> str:
        """The sentence for the person; facts are filled in where the class has them."""
        return gettext(self.user_message)


# -- The rules say no; nothing was changed ----------------------------------------------------


class Refused(BotError):
    """The person asked for something the rules do not allow; nothing was changed."""

    user_message = "That is not allowed."


class AlreadyDecided(Refused):
    """The rollback is past voting."""

    user_message = "This rollback has been decided already; the card shows how it ended."


class RollbackExpired(Refused):
    """The time to vote is over."""

    user_message = "This rollback has expired. Ask again with `/rollback to APP@ENV VERSION`."


class SelfApproval(Refused):
    """The approver is the requester."""

    user_message = "You asked for this rollback, so two other people have to turn the keys."


class AlreadyVoted(Refused):
    """This person's vote is counted already."""

    user_message = "Your vote is counted already."


class Frozen(Refused):
    """The policy names this as a time in which nothing is rolled back."""

    user_message = "Nothing is rolled back here now."

    def __init__(self, where: str, until: datetime) -> None:
        super().__init__(f"{where} is frozen until {until.isoformat()}")
        self.where, self.until = where, until

    def to_person(self) -> str:
        return filled(
            "Nothing of `%(where)s` is rolled back until %(until)s: its policy says so.",
            where=_plain(self.where),
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
            command=f"/rollback to {_plain(self.where)} {self.number} REASON",
        )


class AskAgain(Refused):
    """What nobody else approves is not opened again by itself."""

    user_message = (
        "What is live has changed, and no approval is needed here: look at it, and ask again."
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
            where=_plain(self.where),
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
        apps = ", ".join(f"`/rollback drill {_plain(app)}`" for app in self.apps[:8])
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
                where=_plain(self.where),
            )
        return filled(
            "A drill of `%(where)s` is under way already; its card is in the channel.",
            where=_plain(self.where),
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
            where=_plain(self.where),
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
            where=_plain(self.where),
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
            where=_plain(self.where),
        )


class NothingOpen(Refused):
    """No rollback of the app is open."""

    user_message = "No rollback of it is open."

    def __init__(self, where: str) -> None:
        super().__init__(f"no rollback of {where} is open")
        self.where = where

    def to_person(self) -> str:
        return filled("No rollback of `%(where)s` is open.", where=_plain(self.where))


class NothingToUndo(Refused):
    """No rollback of the app was carried out."""

    user_message = "Nothing was rolled back there, so there is nothing to undo."

    def __init__(self, where: str) -> None:
        super().__init__(f"no rollback of {where} was carried out")
        self.where = where

    def to_person(self) -> str:
        return filled(
            "No rollback of `%(where)s` was carried out: there is nothing to undo.",
            where=_plain(self.where),
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
            where=_plain(self.where),
        )


class NoRecord(Refused):
    """There is no such rollback of the app, or none that this person may see."""

    user_message = "There is no record of that."

    def __init__(self, where: str, rollback: int | None) -> None:
        super().__init__(f"no rollback {rollback or ''} of {where} that they may see")
        self.where, self.rollback = where, rollback

    def to_person(self) -> str:
        facts = {"where": _plain(self.where), "number": self.rollback}
        if self.rollback:
            return filled(
                "There is no rollback %(number)s of `%(where)s` whose record you may see.", **facts
            )
        return filled("There is no rollback of `%(where)s` whose record you may see.", **facts)


class NoVote(Refused):
    """There is no vote of this person that could be taken back."""

    user_message = "You have no vote on it that could be taken back."


class OutOfDate(Refused):
    """The button belongs to a message or a content that is no longer the current one."""

    user_message = "This card is out of date. Please use the newest card of this incident."


class ReasonMissing(Refused):
    """A rejection needs a reason."""

    user_message = "Please say in a few words why you reject it."


class UndoReasonMissing(Refused):
    """Undoing a rollback needs a reason: it goes to what was rolled back."""

    user_message = "Please say in a few words why it should be undone."


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


class NotEligible(Refused):
    """This person may not vote here; `why` is a code of the policy rules."""

    _SENTENCES: ClassVar[dict[str, str]] = {
        "no_policy": message(
            "Nobody is named as a reviewer for this environment yet: "
            "add `[policy.ENV] reviewers` to the configuration."
        ),
        "not_reviewer": message("You are not among the reviewers of this environment."),
        "not_at_open": message(
            "You became a reviewer after this rollback was opened, "
            "so your vote cannot count for it."
        ),
        "left_group": message("You left a group of which one had to approve."),
        "publisher": message("You published what is live now, so others have to turn the keys."),
        "publisher_unknown": message(
            "I cannot tell whether you published what is live now: "
            "name who did in `[people] authors` of the configuration."
        ),
        "deleted": message("This account is deactivated."),
        "bot": message("Bots cannot vote."),
        "guest": message("Guests cannot vote."),
        "stranger": message("People of another organisation cannot vote."),
        "other_team": message("This account belongs to another workspace."),
        "shared_channel": message(
            "This channel is shared with another organisation; votes are not taken here."
        ),
    }
    user_message = "You cannot vote on this rollback."

    def __init__(self, why: str, detail: str = "") -> None:
        super().__init__(detail or why)
        self.why = why

    @property
    def code(self) -> str:
        return f"{super().code}:{self.why}"

    def to_person(self) -> str:
        return gettext(self._SENTENCES.get(self.why, self.user_message))


class GlassRefused(NotEligible):
    """This person may not break the glass; `why` is a code of the policy rules."""

    _SENTENCES: ClassVar[dict[str, str]] = {
        **NotEligible._SENTENCES,
        "glass_off": message(
            "Break-glass is off for this environment: two keys are the only way here."
        ),
        "not_named": message(
            "You are not among those who may break the glass in this environment."
        ),
        "not_at_open": message(
            "You came to those who may break the glass after this rollback was opened, "
            "so you cannot start it alone."
        ),
        "bot": message("Bots cannot break the glass."),
        "guest": message("Guests cannot break the glass."),
        "stranger": message("People of another organisation cannot break the glass."),
        "shared_channel": message(
            "This channel is shared with another organisation; the glass is not broken here."
        ),
    }
    user_message = "You cannot break the glass here."


class ReviewRefused(NotEligible):
    """This person may not sign the review; `why` is a code of the policy rules."""

    _SENTENCES: ClassVar[dict[str, str]] = {
        **NotEligible._SENTENCES,
        "own_glass": message("You broke the glass, so two others have to sign the review."),
        "bot": message("Bots cannot sign a review."),
        "guest": message("Guests cannot sign a review."),
        "stranger": message("People of another organisation cannot sign a review."),
        "shared_channel": message(
            "This channel is shared with another organisation; reviews are not signed here."
        ),
    }
    user_message = "You cannot sign this review."


class ReasonTooShort(Refused):
    """Breaking the glass needs a written reason of some length."""

    user_message = "Please say in a sentence why it cannot wait for an approval."

    def __init__(self, at_least: int) -> None:
        super().__init__(f"a reason of fewer than {at_least} characters")
        self.at_least = at_least

    def to_person(self) -> str:
        return filled(
            "Please say in a sentence why it cannot wait for an approval. "
            "It needs %(count)s characters at least.",
            count=self.at_least,
        )


class NothingToReview(Refused):
    """No review of the app is open."""

    user_message = "No review of it is open."

    def __init__(self, where: str) -> None:
        super().__init__(f"no review of {where} is open")
        self.where = where

    def to_person(self) -> str:
        return filled(
            "No review of `%(where)s` is open: it is signed, or was never needed.",
            where=_plain(self.where),
        )


class AlreadySigned(Refused):
    """This person's signature is there already."""

    user_message = "You have signed this review already; somebody else has to."


class NothingToBreak(Refused):
    """No rollback of the app is open that break-glass could start."""

    user_message = "Nothing is open that break-glass could start."

    def __init__(self, where: str) -> None:
        super().__init__(f"no rollback of {where} is open")
        self.where = where

    def to_person(self) -> str:
        return filled(
            "No rollback of `%(where)s` is open. Ask for one first: "
            "`/rollback to %(where)s VERSION` "
            "(`/rollback log %(where)s` has the versions); then break the glass.",
            where=_plain(self.where),
        )


class NotAllowed(Refused):
    """This person may not ask for this, or not see it."""

    user_message = "You may not do this here; the environment's policy names who may."


class UnknownApp(Refused):
    """No app of this name and environment is configured; `nearest` may help."""

    user_message = "I do not know this app or environment."

    def __init__(self, asked: str, nearest: str = "") -> None:
        super().__init__(f"unknown app {asked!r}")
        self.asked, self.nearest = asked, nearest

    def to_person(self) -> str:
        facts = {"asked": _plain(self.asked), "nearest": self.nearest}
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
            where=_plain(self.where),
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
        return filled(one if self.pages == 1 else many, pages=self.pages, last=_plain(self.last))


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
        names = {"where": _plain(self.where), "asked": _plain(self.asked)}
        return filled(said, **names, oldest=self.oldest, newest=self.newest)


class UnknownTag(Refused):
    """The app@env has no tag of this name; `nearest` may help."""

    user_message = "There is no such tag."

    def __init__(self, where: str, name: str, nearest: str = "") -> None:
        super().__init__(f"{where} has no tag {name}")
        self.where, self.name, self.nearest = where, name, nearest

    def to_person(self) -> str:
        facts = {"where": _plain(self.where), "tag": _plain(self.name), "nearest": self.nearest}
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
            tag=_plain(self.name),
            env=_plain(self.env),
        )


class NotStored(Refused):
    """Nothing of the app@env is stored under this number; `owner` is the app@env that has it."""

    user_message = "Nothing of this app is stored under that number."

    def __init__(self, where: str, row: int, owner: str = "") -> None:
        whose = f"is of {owner}, not of {where}" if owner else "does not exist"
        super().__init__(f"the stored row {row} {whose}")
        self.where, self.row, self.owner = where, row, owner


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
            nearest=_plain(self.nearest),
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
            where=_plain(self.where),
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
        named = ", ".join(f"`{_plain(name)}`" for name in self.names[:8])
        return filled(
            "Dify masks values of this app's tools (%(names)s), so I cannot write them back and do "
            "not write at all. Go back by hand: "
            "`keyturn export %(where)s %(number)s` writes that version as a file; "
            "set what is in it in Dify's editor and publish.",
            names=named,
            where=_plain(self.where),
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
        named = ", ".join(f"`{_plain(name)}`" for name in self.names[:8])
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
        named = ", ".join(f"`{_plain(name)}`" for name in self.names[:8])
        return filled(
            "That version was deleted in Dify, and with it the only values of secrets that live "
            "does not have (%(names)s). Choose a version that needs no other secrets than "
            "live has.",
            names=named,
        )


class PauseTooLong(Refused):
    """Suggestions are to be paused for longer than anybody remembers."""

    user_message = "Suggestions are paused for seven days at most."


class PressLost(Refused):
    """A button of App Home was pressed, and nothing came of it."""

    user_message = (
        "That came to nothing: it waited for too long, or Slack did not say who you are. "
        "Press it again."
    )


class JobNotManaged(Refused):
    """This person may not run or pause jobs."""

    user_message = (
        "You may not run or pause jobs: `[jobs] managers` of the configuration names who may."
    )


class NoSuchJob(Refused):
    """There is no such job, or nothing of that kind is done with one."""

    user_message = "There is no such job any more."


class JobNotPausable(Refused):
    """A promise rests on this job: `name` is never paused."""

    user_message = "This job is never paused."

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def to_person(self) -> str:
        return filled(
            "The job `%(job)s` is never paused: what Keyturn promises of open rollbacks "
            "rests on it.",
            job=_plain(self.name),
        )


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
            where=_plain(self.where),
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


class SilenceTooLong(Refused):
    """A silence is for hours: what is hushed for longer is forgotten."""

    user_message = "Alerts are silenced for 4 hours at most: say how long, such as `30m`."


class NoAlertmanager(Refused):
    """Keyturn was not told of any Alertmanager that it could silence."""

    user_message = (
        "I know of no Alertmanager to silence. Whoever runs me names it as `url` in "
        "`[alertmanager]` of the configuration."
    )


class NotSilenced(Refused):
    """There is no silence to end."""

    user_message = "No silence of mine is in force there."


# -- Input that never works -------------------------------------------------------------------


class BadInput(BotError):
    """What was sent can never be understood (400)."""

    user_message = "That request could not be read."


class Unauthorised(BotError):
    """Wrong or missing credentials (401); one body for every cause."""


class LinkInvalid(BotError):
    """A link into our pages that we did not make, or to what is not there (404)."""


class LinkExpired(BotError):
    """A link into our pages that was ours, and is over (410)."""


class TooLarge(BotError):
    """More bytes than this door takes (413)."""


class Congested(BotError):
    """More waits to be stored than there is room for (503): to be sent again in a moment."""

    retryable = True


# -- The outside ------------------------------------------------------------------------------


class UpstreamDown(BotError):
    """An outside system did not answer, or answered that it cannot now; nothing was applied."""

    retryable = True
    user_message = "An outside system does not answer at the moment; Keyturn tries again."

    def __init__(self, system: str, detail: str) -> None:
        super().__init__(f"{system}: {detail}")
        self.system = system


class TokenRefused(UpstreamDown):
    """Our token is not taken; with the right one the same call works."""


class Ambiguous(UpstreamDown):
    """A write may or may not have been applied: read before doing anything else."""


class UpstreamRefused(BotError):
    """An outside system understood and said no; trying the same again will not help."""

    user_message = "An outside system refused the request; the operators have been told."

    def __init__(self, system: str, detail: str, upstream_code: str = "") -> None:
        super().__init__(f"{system}: {detail}")
        self.system = system
        self.upstream_code = upstream_code


class LoginRefused(UpstreamRefused):
    """Wrong account or password. Never tried again on its own: the seventh locks the account."""


class AdminKeyUnusable(LoginRefused):
    """The release takes no admin key, whatever its value: an account is needed."""

    user_message = "This release of Dify takes no admin key; the operators must name an account."


class TargetTooOld(UpstreamRefused):
    """The release lacks what Keyturn cannot do without."""

    user_message = "This release of Dify keeps no list of versions; it must be updated first."


class NoSuchApp(UpstreamRefused):
    """The app's id is not in the workspace of our account: another workspace, or deleted."""

    user_message = (
        "Dify has no app of this id in the workspace of Keyturn's account. Compare the `id` in "
        "the configuration with the app's address, and the account's workspace with the app's."
    )


class AccountLocked(UpstreamRefused):
    """Too many bad logins: Dify has locked the account for a day."""


class DraftMoved(UpstreamRefused):
    """Somebody saved the draft since it was read; nothing was written."""


class LiveMoved(UpstreamRefused):
    """Somebody saved what is live since it was read; nothing was written."""


class WouldWriteMask(UpstreamRefused):
    """What was to be written, or would be lost, has masked values; nothing was written."""


class AnswerUnreadable(UpstreamRefused):
    """The outside system answered something that is not of its documented form."""


class NoSuchVersion(UpstreamRefused):
    """The outside system has no such version (deleted?)."""


class Throttled(UpstreamDown):
    """Slack asked to wait `retry_after_s` seconds before the next call."""

    def __init__(self, system: str, retry_after_s: float) -> None:
        super().__init__(system, f"throttled for {retry_after_s:g} s")
        self.retry_after_s = retry_after_s


class LeaseLost(BotError):
    """Another process has taken over this execution: stop without another write."""


class SealBroken(BotError):
    """What was sealed does not open: its key was taken away, or it was made for something else."""

    user_message = "Secret values that were kept cannot be opened: type them again in the editor."


# -- Configuration ----------------------------------------------------------------------------


class ConfigurationWrong(BotError):
    """The settings cannot be used; every mistake is listed with its key path."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


_HOW_TO_MARK = message(
    "Make a copy of a real workflow, give it a table of its own in `keyturn.toml`, and write "
    "`drill = true` into `[app.NAME]`."
)


def _plain(text: str) -> str:
    """*text* as it may stand in a code span of a Slack sentence."""
    cut = text.replace("`", "ʼ").replace("\n", " ")[:80]
    return cut.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
