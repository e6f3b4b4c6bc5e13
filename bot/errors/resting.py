"""Jobs and alerts that are not let rest, or not let go on."""

from __future__ import annotations

from bot.errors.base import Refused, plain
from bot.language import filled


class PauseTooLong(Refused):
    """Suggestions are to be paused for longer than anybody remembers."""

    user_message = "Suggestions are paused for seven days at most."


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
            job=plain(self.name),
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
