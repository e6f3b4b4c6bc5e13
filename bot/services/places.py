"""Where each configured app@env lives."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from difflib import get_close_matches

from bot.errors import UnknownApp
from bot.ports.target import Target
from store.records import AppEnv


class Places:
    """The configured apps and their targets; fixed while the service runs."""

    def __init__(
        self,
        places: Mapping[AppEnv, tuple[Target, str]],
        *,
        rolls_back_config: Collection[AppEnv] = (),
    ) -> None:
        self._places = dict(places)
        self._rolls_back_config = frozenset(rolls_back_config)

    def of(self, where: AppEnv) -> tuple[Target, str]:
        """Return the target and the app's id there.

        Raises:
            UnknownApp: It is not configured; the nearest name that is comes with it.
        """
        try:
            return self._places[where]
        except KeyError:
            near = get_close_matches(str(where), [str(place) for place in self._places], n=1)
            raise UnknownApp(str(where), near[0] if near else "") from None

    def all(self) -> Mapping[AppEnv, tuple[Target, str]]:
        """Return every configured app with its target and id."""
        return self._places

    def rolls_back_config(self, where: AppEnv) -> bool:
        """Whether somebody opted in to writes that are live at once."""
        return where in self._rolls_back_config
