"""Where each secret of a document gets its value from when a draft is written. Pure.

Values pass through as arguments and results; nothing here keeps one.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bot.adapters.dify import era, shapes
from bot.errors import UpstreamRefused
from bot.ports.target import NONE, SecretsComparison, SecretsVerdict
from store.document import Document
from store.records import Json

_LIST = "environment_variables"
Values = Mapping[str, str]  # a secret's id and its plain value: in local variables only

Shown = Mapping[str, tuple[str, str]]  # a secret's id, its name and the mask that stands for it


@dataclass(frozen=True)
class Sources:
    """Ids of a document's secrets, by where their values are.

    `hidden` keep the draft's whole variable by the placeholder. Those of `draft` keep its value
    too, but the placeholder would also keep another description or type, so the value must be
    sent. `versions` names the published version for the ids that the draft lacks.
    """

    hidden: tuple[str, ...]
    draft: tuple[str, ...]
    versions: Mapping[str, str]


def sources(
    document: Document, draft: Document | None, secrets_from: Values, given: Values = NONE
) -> Sources:
    """Find the source of every secret of *document* whose value is not *given*.

    Raises:
        UpstreamRefused: A secret is neither in *draft* nor in *secrets_from*; nothing is known
            that could be written.
    """
    there = _by_id(draft) if draft else {}
    hidden: list[str] = []
    changed: list[str] = []
    versions: dict[str, str] = {}
    for variable in _secrets(document):
        identity = str(variable.get("id"))
        if identity in given:
            continue
        if identity in there:
            alike = _same_but_for_name(variable, there[identity])
            (hidden if alike else changed).append(identity)
        elif identity in secrets_from:
            versions[identity] = secrets_from[identity]
        else:
            what = f"no value for the secret {identity}: not in the draft, and no version is named"
            raise UpstreamRefused(shapes.SYSTEM, what, "secret_without_value")
    return Sources(tuple(hidden), tuple(changed), versions)


def plain_values(draft: Document | None, ids: Iterable[str]) -> Values:
    """The values of those *ids* that are no secrets in *draft*, although they shall become one."""
    there = _by_id(draft) if draft else {}
    return {
        identity: str(there[identity]["value"])
        for identity in ids
        if identity in there and there[identity].get("value_type") != "secret"
    }


def environment(document: Document, values: Values) -> list[Json]:
    """The variables to send: a secret with its value of *values*, else with the placeholder."""
    return [
        {**variable, "value": values.get(str(variable.get("id")), era.HIDDEN)}
        if variable.get("value_type") == "secret"
        else variable
        for variable in _variables(document)
    ]


def compared(found: Values, wanted: Values, names: Mapping[str, str]) -> SecretsComparison:
    """Compare by id and value, in constant time per value; *names* fills the answer."""
    differing = [
        identity
        for identity, value in found.items()
        if identity not in wanted or not _equal(value, wanted[identity])
    ]
    return SecretsComparison(
        verdict=SecretsVerdict.DIFFER if differing else SecretsVerdict.EQUAL,
        names=tuple(names.get(identity, identity) for identity in differing),
    )


def equal(found: Values, wanted: Values) -> bool:
    """True if both hold the same ids with the same values."""
    return found.keys() == wanted.keys() and all(
        _equal(value, wanted[identity]) for identity, value in found.items()
    )


def alike(draft: Shown, live: Shown) -> SecretsComparison:
    """Compare what is shown of the values: other masks prove other values, equal ones nothing."""
    differing = [
        name
        for identity, (name, mask) in draft.items()
        if identity not in live or not _equal(mask, live[identity][1])
    ]
    absent = tuple(identity for identity in live if identity not in draft)
    if differing:
        return SecretsComparison(SecretsVerdict.DIFFER, tuple(differing), absent)
    verdict = SecretsVerdict.ALIKE if draft or live else SecretsVerdict.EQUAL
    return SecretsComparison(verdict, absent=absent)


def overwritten(ids: Iterable[str], before: Values, after: Values) -> tuple[str, ...]:
    """Those of *ids* whose value became the bare placeholder by our write."""
    return tuple(
        identity
        for identity in ids
        if after.get(identity) == era.HIDDEN and before.get(identity) != era.HIDDEN
    )


def _equal(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(errors="replace"), other.encode(errors="replace"))


def _same_but_for_name(wanted: Mapping[str, Json], there: Mapping[str, Json]) -> bool:
    """True if the draft's variable, with the wanted one's name, is the wanted one."""
    if there.get("value_type") != "secret":
        return False
    return (wanted.get("description") or "") == (there.get("description") or "")


def _variables(document: Document) -> list[dict[str, Json]]:
    found = document.content.get(_LIST)
    if not isinstance(found, list):
        return []
    return [variable for variable in found if isinstance(variable, dict)]


def _secrets(document: Document) -> list[dict[str, Json]]:
    return [item for item in _variables(document) if item.get("value_type") == "secret"]


def _by_id(document: Document) -> dict[str, dict[str, Json]]:
    return {str(variable.get("id")): variable for variable in _variables(document)}
