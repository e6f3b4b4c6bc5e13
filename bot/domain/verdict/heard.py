"""What people said to earlier suggestions, as a reason to be less sure of the next one."""

from __future__ import annotations

from typing import Final

from bot.domain.verdict.incident import Heard

LEAST: Final = 0.2  # of the odds that are left after any number of rejections


def trust(heard: Heard) -> float:
    """By how much the odds that a change of this app did it are multiplied; 1 where nobody spoke.

    Alerts that are often about something else (a provider, a quota) get suggestions that people
    reject, again and again. The share of the accepted ones says how often a change is behind this
    alert, with one accepted suggestion more than there were: so one rejection after none halves
    the odds and does not end them (Laplace's rule of succession, but for a beginning in which we
    are trusted). It stays above `LEAST`, because people reject for other reasons too (a fix is on
    its way), and what was measured has to be able to speak louder.
    """
    accepted, rejected = heard.accepted, heard.rejected
    return max((accepted + 1) / (accepted + rejected + 1), LEAST)
