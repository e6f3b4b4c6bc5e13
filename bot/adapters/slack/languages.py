"""In which language each person reads Slack: what only they read is said in it."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from slack_sdk.web.async_client import AsyncWebClient

from bot.adapters.slack.calls import called
from bot.errors import BotError
from bot.language import ENGLISH, matching

_KEPT: Final = 5_000  # people
_FRESH_S: Final = 3600.0


class Languages:
    """What users.info last said of each person's `locale`; the workspace's for those unknown."""

    def __init__(
        self, workspace: str = ENGLISH, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Say *workspace*'s of those who are not known."""
        self._workspace = workspace
        self._clock = clock
        self._heard: OrderedDict[str, tuple[str, float]] = OrderedDict()

    def of(self, slack_id: str) -> str:
        """The language of a person, at once: a trigger does not wait."""
        heard = self._heard.get(slack_id)
        return heard[0] if heard else self._workspace

    def heard(self, slack_id: str, locale: object) -> None:
        """Keep what Slack said of a person; without a *locale* it said nothing."""
        if not locale or not isinstance(locale, str):
            return
        self._heard[slack_id] = matching(locale), self._clock()
        self._heard.move_to_end(slack_id)
        while len(self._heard) > _KEPT:
            self._heard.popitem(last=False)

    async def asked(self, slack_id: str, web: AsyncWebClient) -> str:
        """The language of a person, asked of Slack where it is not known; never raises."""
        heard = self._heard.get(slack_id)
        if slack_id and (heard is None or heard[1] + _FRESH_S < self._clock()):
            try:
                answer = await called(web.users_info(user=slack_id, include_locale=True))
            except BotError:  # what is said in another language is better than nothing
                return self.of(slack_id)
            user = answer.get("user")
            self.heard(slack_id, user.get("locale") if isinstance(user, dict) else None)
        return self.of(slack_id)
