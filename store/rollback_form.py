"""A rollback as JSON and back: what its row keeps and what its events tell. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import UTC, datetime
from typing import Any

from store.records import (
    AppEnv,
    Choice,
    Done,
    Execution,
    Glass,
    Json,
    Leg,
    NaiveTime,
    PolicySnapshot,
    Recovery,
    RecoveryState,
    Rollback,
    Signature,
    State,
    Step,
    Vote,
)


def to_json(rollback: Rollback) -> dict[str, Json]:
    """Return *rollback* as JSON values; times are ISO 8601 in UTC."""
    plain = {field.name: getattr(rollback, field.name) for field in fields(rollback)}
    plain["legs"] = [_leg_json(leg) for leg in rollback.legs]
    plain["policy"] = asdict(rollback.policy)
    plain["votes"] = [asdict(vote) for vote in rollback.votes]
    plain["glass"] = [asdict(glass) for glass in rollback.glass]
    plain["signatures"] = [asdict(signature) for signature in rollback.signatures]
    plain["execution"] = asdict(rollback.execution)
    plain["recovery"] = asdict(rollback.recovery) if rollback.recovery else None
    plain["outcome_facts"] = dict(rollback.outcome_facts)
    shown: dict[str, Json] = _jsonable(plain)
    return shown


def from_json(stored: Mapping[str, Json]) -> Rollback:
    """Return the rollback that `to_json`, also an older one, made *stored* of."""
    values: dict[str, Any] = dict(stored)
    values["state"] = State(values["state"])
    values["legs"] = tuple(_leg(leg) for leg in values["legs"])
    values["policy"] = _policy(values["policy"])
    values["votes"] = tuple(_vote(vote) for vote in values["votes"])
    values["execution"] = _execution(values["execution"])
    values["glass"] = tuple(_glass(glass) for glass in values.get("glass", ()))
    values["signatures"] = tuple(_signature(one) for one in values.get("signatures", ()))
    values["recovery"] = _recovery(values.get("recovery"))
    for name in ("opened_at", "expires_at", "finished_at", "reviewed_at"):
        values[name] = _time(values.get(name))
    return Rollback(**values)


def _jsonable(value: Any) -> Any:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise NaiveTime(f"{value.isoformat()} has no time zone")
        return value.astimezone(UTC).isoformat()
    if isinstance(value, Mapping):
        return {str(key): _jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_jsonable(item) for item in value]
    return value


def _leg_json(leg: Leg) -> dict[str, Json]:
    plain = {field.name: getattr(leg, field.name) for field in fields(leg)}
    plain["where"] = {"app": leg.where.app, "env": leg.where.env}
    plain["secrets"] = dict(leg.secrets)
    plain["dry_run"] = dict(leg.dry_run)
    plain["impact"] = dict(leg.impact)
    return plain


def _leg(stored: Mapping[str, Json]) -> Leg:
    return Leg(**{**stored, "where": AppEnv(**stored["where"])})


def _policy(stored: Mapping[str, Json]) -> PolicySnapshot:
    """Lists come back as tuples; what an older release did not write has its default."""
    lists = {name: tuple(value) for name, value in stored.items() if isinstance(value, list)}
    members = {entry: tuple(persons) for entry, persons in stored.get("members", {}).items()}
    return PolicySnapshot(**{**stored, **lists, "members": members})


def _vote(stored: Mapping[str, Json]) -> Vote:
    values: dict[str, Any] = dict(stored)
    values["choice"] = Choice(values["choice"])
    values["groups"] = tuple(values["groups"])
    values["at"], values["voided_at"] = _time(values["at"]), _time(values["voided_at"])
    return Vote(**values)


def _glass(stored: Mapping[str, Json]) -> Glass:
    return Glass(**{**stored, **{name: _time(stored[name]) for name in ("at", "voided_at")}})


def _signature(stored: Mapping[str, Json]) -> Signature:
    return Signature(**{**stored, "at": _time(stored["at"])})


def _recovery(stored: Mapping[str, Json] | None) -> Recovery | None:
    if stored is None:
        return None
    state, since = RecoveryState(stored["state"]), _time(stored["since"])
    return Recovery(**{**stored, "state": state, "since": since})


def _execution(stored: Mapping[str, Json]) -> Execution:
    values: dict[str, Any] = dict(stored)
    values["step"] = Step(values["step"])
    values["done"] = tuple(Done(**done) for done in values.get("done", ()))
    values["sealed"] = tuple(values.get("sealed", ()))
    for name in ("lease_until", "not_before", "clicked_at", "verified_at"):
        values[name] = _time(values[name])
    return Execution(**values)


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
