"""What a rollback leaves live, under the policy "the values that live now stay" for secrets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from store.document import Document
from store.records import Json

_LIST = "environment_variables"
_CONFIG, _ANNOTATIONS = "model_config", "annotation_reply"


@dataclass(frozen=True)
class SecretsPlan:
    """Which value each secret of a candidate will have: live's, or the candidate's own.

    `kept` and `from_version` are names; `from_version_ids` are the ids of the latter.
    """

    kept: tuple[str, ...] = ()
    from_version: tuple[str, ...] = ()
    from_version_ids: tuple[str, ...] = ()


def plan(candidate: Document, live: Document) -> SecretsPlan:
    """Say which secrets of *candidate* keep live's value and which have none there to keep."""
    there = _by_id(live)
    kept = [secret for secret in candidate.secrets if secret.id in there]
    own = [secret for secret in candidate.secrets if secret.id not in there]
    return SecretsPlan(
        kept=tuple(secret.name for secret in kept),
        from_version=tuple(secret.name for secret in own),
        from_version_ids=tuple(secret.id for secret in own),
    )


def out_of_reach(wanted: Document, live: Document) -> tuple[str, ...]:
    """Names of the secrets that only one of both has; *wanted* is what shall be live.

    Where no published version's values can be read, one that live lacks has no value to take,
    and one that would be dropped would be gone for good: nothing could bring it back.
    """
    here, there = ({s.id: s.name for s in document.secrets} for document in (wanted, live))
    return tuple(
        name for identity, name in (there | here).items() if identity in here.keys() ^ there
    )


def expected(candidate: Document, live: Document) -> Document:
    """Return the document that executing a rollback from *live* to *candidate* leaves live.

    It is the candidate, except that Dify's `[__HIDDEN__]` takes the whole variable that is there
    under the same id, with its value, type and description, and only gives it the new name. Of
    an app without a workflow the annotations stay as they are: they belong to the app, and no
    write of its configuration changes them.
    """
    if _CONFIG in candidate.content:
        return _with_annotations_of(live, candidate)
    variables = candidate.content.get(_LIST)
    if not candidate.secrets or not isinstance(variables, list):
        return candidate
    there = _by_id(live)
    after = [_after(variable, there) for variable in variables]
    return Document(candidate.mode, {**candidate.content, _LIST: after})


def _with_annotations_of(live: Document, candidate: Document) -> Document:
    config, there = candidate.content[_CONFIG], live.content.get(_CONFIG)
    if not isinstance(config, dict) or not isinstance(there, dict):
        return candidate
    after = {key: value for key, value in config.items() if key != _ANNOTATIONS}
    if _ANNOTATIONS in there:
        after[_ANNOTATIONS] = there[_ANNOTATIONS]
    return Document(candidate.mode, {**candidate.content, _CONFIG: after})


def _after(variable: Json, there: Mapping[str, dict[str, Json]]) -> Json:
    if not isinstance(variable, dict) or variable.get("value_type") != "secret":
        return variable
    identity = variable.get("id")
    if not isinstance(identity, str) or identity not in there:
        return variable
    return {**there[identity], "name": variable.get("name", "")}


def _by_id(document: Document) -> dict[str, dict[str, Json]]:
    variables = document.content.get(_LIST)
    return {
        variable["id"]: variable
        for variable in (variables if isinstance(variables, list) else ())
        if isinstance(variable, dict) and isinstance(variable.get("id"), str)
    }
