"""All kinds with their weights in both mixes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from tests.incidents import changes, surroundings
from tests.incidents.plans import Plan, Stage


class Mix(StrEnum):
    """Rates as in life, or with an innocent change near most onsets."""

    NATURAL = "natural"
    HARD = "hard"


@dataclass(frozen=True)
class Kind:
    """How a kind is planted, and its weight in each mix (percent, about)."""

    plant: Callable[[Stage], Plan]
    natural: float
    hard: float

    def weight(self, mix: Mix) -> float:
        return self.natural if mix is Mix.NATURAL else self.hard


KINDS: Mapping[str, Kind] = {
    "bad_change": Kind(changes.bad_change, 14, 11),
    "partial_fault": Kind(changes.partial_fault, 8, 9),
    "slow_change": Kind(changes.slow_change, 6, 6),
    "dormant": Kind(changes.dormant, 4, 6),
    "leak": Kind(changes.leak, 5, 7),
    "new_conversations_only": Kind(changes.new_conversations_only, 5, 7),
    "load_dependent": Kind(changes.load_dependent, 3, 4),
    "semantic_break": Kind(changes.semantic_break, 4, 5),
    "dependency_change": Kind(changes.dependency_change, 6, 7),
    "republished_bad": Kind(changes.republished_bad, 2, 3),
    "staging_only": Kind(changes.staging_only, 3, 3),
    "already_gone": Kind(changes.already_gone, 3, 3),
    "first_version_bad": Kind(changes.first_version_bad, 1, 1),
    "unknowable": Kind(changes.unknowable, 1, 2),
    "upstream_brownout": Kind(surroundings.upstream_brownout, 10, 6),
    "load_spike": Kind(surroundings.load_spike, 4, 3),
    "saturation": Kind(surroundings.saturation, 4, 3),
    "noisy_neighbour": Kind(surroundings.noisy_neighbour, 3, 3),
    "config_drift": Kind(surroundings.config_drift, 6, 5),
    "platform_fault": Kind(surroundings.platform_fault, 3, 2),
    "dependency_break": Kind(surroundings.dependency_break, 3, 3),
    "flapping_threshold": Kind(surroundings.flapping_threshold, 4, 3),
}
