"""Settings that cannot be used."""

from __future__ import annotations

from bot.errors.base import BotError


class ConfigurationWrong(BotError):
    """The settings cannot be used; every mistake is listed with its key path."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
