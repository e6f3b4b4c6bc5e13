"""Where: an app in one environment."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class AppEnv:
    """An app in one environment, written `app@env`."""

    app: str
    env: str

    def __str__(self) -> str:
        return f"{self.app}@{self.env}"

    @classmethod
    def parse(cls, text: str) -> AppEnv:
        """Read `app@env`; the environment follows the last `@`. ValueError when it is not that."""
        app, at, env = text.strip().rpartition("@")
        if not at or not app or not env:
            raise ValueError(f"{text!r} is not of the form APP@ENV")
        return cls(app, env)


@dataclass(frozen=True)
class IncludedApp:
    """An app of a target that is watched without a table of its own.

    `name` is what people call it there; `gone` says that it is watched no more: it was deleted
    or lost its tag. It keeps `where`, which is never given to another app.
    """

    where: AppEnv
    target: str
    external_id: str
    name: str
    gone: bool = False
