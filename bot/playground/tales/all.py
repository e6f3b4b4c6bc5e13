"""The stories in the order in which they are offered; the first is the main one."""

from __future__ import annotations

from collections.abc import Mapping

from bot.playground.tales.bad_prompt import BAD_PROMPT
from bot.playground.tales.dify_fails import DIFY_FAILS
from bot.playground.tales.live_changed import LIVE_CHANGED
from bot.playground.tales.outage import OUTAGE_TALE
from bot.playground.tales.rejected import REJECTED
from bot.playground.tales.tale import Tale
from bot.playground.tales.two_changes import TWO_CHANGES

TALES: Mapping[str, Tale] = {
    tale.name: tale
    for tale in (BAD_PROMPT, TWO_CHANGES, OUTAGE_TALE, REJECTED, LIVE_CHANGED, DIFY_FAILS)
}
