"""Whom to ask for the alerts that a webhook did not carry."""

from __future__ import annotations

from typing import Protocol

from store.records import Delivery, Truncated


class Alerting(Protocol):
    """Knows every alert of a group."""

    async def whole(self, group: Truncated) -> Delivery:
        """All alerts of *group* that fire now.

        Raises:
            UpstreamDown: No answer, or one that it cannot answer now.
            UpstreamRefused: It does not take the question.
            AnswerUnreadable: What came back is of another form, or too large.
        """
        ...
