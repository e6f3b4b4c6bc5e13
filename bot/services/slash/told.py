"""What a verb that only reads has to say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bot.domain.words import AnswerCode
from store.records import Json


@dataclass(frozen=True)
class Told:
    """A private answer: its code and the facts that fill it."""

    code: AnswerCode
    facts: Mapping[str, Json]
