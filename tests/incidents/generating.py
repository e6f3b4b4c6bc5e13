"""Many incidents of a mix, each by itself reproducible from seed and index."""

from __future__ import annotations

from collections.abc import Iterator

from tests.incidents.arrays import stream
from tests.incidents.incident import make
from tests.incidents.kinds import KINDS, Mix
from tests.incidents.record import Record, as_record


def kind_of(seed: int, index: int, mix: Mix) -> str:
    """Return the kind that the incident of this index has."""
    weights = [kind.weight(mix) for kind in KINDS.values()]
    dice = stream((seed, index), "kind", mix)
    shares = [weight / sum(weights) for weight in weights]
    return str(dice.choice(list(KINDS), p=shares))


def generate(count: int, seed: int, mix: Mix) -> Iterator[Record]:
    """Yield *count* records."""
    for index in range(count):
        yield one(seed, index, mix)


def one(seed: int, index: int, mix: Mix, kind: str | None = None) -> Record:
    """Return the record of this index, of its own or of a given kind."""
    kind = kind or kind_of(seed, index, mix)
    number = list(Mix).index(mix)
    return as_record(make(kind, mix, (seed, index, number)), f"{seed}-{index:04d}")
