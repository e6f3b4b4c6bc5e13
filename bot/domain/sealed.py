"""Which secret values of the editors' draft have to be sealed, and which go back. Pure.

Everything here maps a secret's id to its plain value: `found` is what the draft has now, `live`
what the published version has, `staged` what we write for the time of the rollback, `sealed` what
only the seal holds. Values pass through; nothing here keeps or names one.
"""

from __future__ import annotations

import hmac
from collections.abc import Collection, Mapping

Values = Mapping[str, str]


def to_seal(found: Values, *, live: Values, staged: Values, sealed: Values) -> dict[str, str]:
    """Return what writing over the draft would lose: its values that live does not hold.

    With *sealed* the draft was written over once before, and somebody saved since: where it still
    has what we wrote, the editors' value is the one that was sealed then.
    """
    theirs = {
        key: sealed[key] if key in sealed and _same(value, staged.get(key)) else value
        for key, value in found.items()
    }
    return {key: value for key, value in theirs.items() if not _same(value, live.get(key))}


def untouched(found: Values, *, live: Values, staged: Values, sealed: Values) -> bool:
    """True if the draft has nothing but what is sealed, is live, or was written by us."""
    return all(
        _same(value, sealed.get(key, live.get(key))) or _same(value, staged.get(key))
        for key, value in found.items()
    )


def to_return(
    found: Values, *, staged: Values, sealed: Values, wanted: Collection[str]
) -> dict[str, str]:
    """Return the sealed values of the ids *wanted*, but for those that somebody has set since."""
    return {
        key: value
        for key, value in sealed.items()
        if key in wanted and (key not in found or _same(found[key], staged.get(key)))
    }


def _same(one: str, other: str | None) -> bool:
    return other is not None and hmac.compare_digest(
        one.encode(errors="replace"), other.encode(errors="replace")
    )
