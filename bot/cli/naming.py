"""APP@ENV as an argument: read, completed, and the nearest name when there is no such app."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from bot.cli.telling import NO, WRONG_USE, did_you_mean, end
from bot.errors import UnknownApp, UnknownVersion

if TYPE_CHECKING:
    from collections.abc import Sequence

    from store.records import AppEnv


def complete_app(incomplete: str) -> list[str]:
    """The configured `APP@ENV`s that begin so."""
    from bot.config.names import configured_apps

    return [name for name in configured_apps() if name.startswith(incomplete)]


def complete_workspace(incomplete: str) -> list[str]:
    """The configured Dify workspaces that begin so."""
    from bot.config.names import configured_workspaces

    return [name for name in configured_workspaces() if name.startswith(incomplete)]


def app_env(text: str) -> AppEnv:
    """Read `APP@ENV`; the command ends when it is none."""
    from store.records import AppEnv

    try:
        return AppEnv.parse(text)
    except ValueError:
        hint = did_you_mean(text, _configured())
        end(WRONG_USE, f"{text!r} is not of the form APP@ENV.{hint}")


def end_unknown(error: UnknownApp | UnknownVersion) -> NoReturn:
    """End with what is known instead."""
    if isinstance(error, UnknownVersion):
        newest = f" The newest one is {error.newest}." if error.newest else ""
        end(WRONG_USE, f"{error.where} has no version {error.asked}.{newest}")
    configured = _configured()
    if error.asked in configured:
        end(
            NO, f"nothing of {error.asked} is stored yet; `keyturn snapshot {error.asked}` reads it"
        )
    nearest = f" Did you mean {error.nearest}?" if error.nearest else ""
    end(WRONG_USE, f"there is no {error.asked}.{nearest or did_you_mean(error.asked, configured)}")


def _configured() -> Sequence[str]:
    from bot.config.names import configured_apps

    return configured_apps()
