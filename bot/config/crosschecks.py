"""What must fit together between the tables. Works on what was read, however broken it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from bot.config.fields import secure
from bot.config.mistakes import Mistakes, at, did_you_mean

Raw = Mapping[str, object]
_WAYS_IN = (
    *("email", "password_env", "password_file"),
    *("admin_key_env", "admin_key_file", "workspace"),
)


def check(raw: Raw, mistakes: Mistakes) -> None:
    """Add every mismatch between the tables of *raw* to *mistakes*."""
    for rule in _RULES:
        rule(raw, mistakes)


def _one_way_into_each_workspace(raw: Raw, mistakes: Mistakes) -> None:
    """An account with one source of its password, or the admin key with one and a workspace."""
    for name in tables(raw, "dify"):
        given = {key for key in _WAYS_IN if at(raw, "dify", name, key) is not None}
        if not given & {"admin_key_env", "admin_key_file"}:
            _account(name, given, mistakes)
        elif given & {"email", "password_env", "password_file"}:
            sentence = "has an account and an admin key; remove the one that is not to be used"
            mistakes.add(("dify", name), sentence)
        else:
            if len(given & {"admin_key_env", "admin_key_file"}) != 1:
                sentence = "needs exactly one of admin_key_env and admin_key_file"
                mistakes.add(("dify", name), sentence)
            if "workspace" not in given:
                sentence = (
                    "is missing; the admin key opens every workspace, so name the tenant's id"
                )
                mistakes.add(("dify", name, "workspace"), sentence)


def _account(name: str, given: set[str], mistakes: Mistakes) -> None:
    if len(given & {"password_env", "password_file"}) != 1:
        mistakes.add(("dify", name), "needs exactly one of password_env and password_file")
    if "email" not in given:
        mistakes.add(("dify", name, "email"), "is missing")
    if "workspace" in given:
        sentence = "goes with an admin key alone; an account has its own workspace"
        mistakes.add(("dify", name, "workspace"), sentence)


def _passwords_travel_safely(raw: Raw, mistakes: Mistakes) -> None:
    for name in tables(raw, "dify"):
        url = at(raw, "dify", name, "url")
        plain = isinstance(url, str) and url.startswith("http://") and not secure(url)
        if plain and at(raw, "dify", name, "allow_http") is not True:
            sentence = "must begin with https://, or set allow_http = true beside it if you must"
            mistakes.add(("dify", name, "url"), sentence)


def _targets_exist(raw: Raw, mistakes: Mistakes) -> None:
    known = [f"dify.{name}" for name in tables(raw, "dify")]
    for app, env, place in _places(raw):
        target = place.get("target")
        if isinstance(target, str) and target not in known:
            hint = did_you_mean(target, known) or "; add its [dify.NAME] table"
            path = ("app", app, "environments", env, "target")
            mistakes.add(path, f"there is no workspace of this name{hint}")


def _one_place_is_one_app(raw: Raw, mistakes: Mistakes) -> None:
    seen: dict[tuple[object, object], str] = {}
    for app, env, place in _places(raw):
        there = (place.get("target"), place.get("id"))
        if not all(isinstance(part, str) for part in there):
            continue
        first = seen.setdefault(there, f"{app}@{env}")
        if first != f"{app}@{env}":
            path = ("app", app, "environments", env, "id")
            mistakes.add(path, f"is the same app as {first}; an app has one name")


def _every_card_has_a_channel(raw: Raw, mistakes: Mistakes) -> None:
    if at(raw, "slack", "channel") is not None:
        return
    for app, env, place in _places(raw):
        if place.get("channel") is None:
            path = ("app", app, "environments", env, "channel")
            mistakes.add(path, "is missing; set it here or for all apps as [slack] channel")


def _dependencies_exist(raw: Raw, mistakes: Mistakes) -> None:
    apps = list(tables(raw, "app"))
    for app in apps:
        for needed in _texts(at(raw, "app", app, "depends_on")):
            path = ("app", app, "depends_on")
            if needed == app:
                mistakes.add(path, "an app does not depend on itself")
            elif needed not in apps:
                mistakes.add(path, f'no app is called "{needed}"{did_you_mean(needed, apps)}')


def _labels_mean_one_app(raw: Raw, mistakes: Mistakes) -> None:
    seen: dict[frozenset[tuple[str, object]], str] = {}
    for app in tables(raw, "app"):
        labels = at(raw, "app", app, "match")
        if not isinstance(labels, Mapping) or not labels:
            continue
        if not all(isinstance(value, str) for value in labels.values()):
            continue
        first = seen.setdefault(frozenset(labels.items()), app)
        if first != app:
            mistakes.add(("app", app, "match"), f'the same labels mean "{first}" already')


def _policies_are_used(raw: Raw, mistakes: Mistakes) -> None:
    environments = {env for _, env, _ in _places(raw)}
    for env in tables(raw, "policy"):
        if environments and env not in environments:
            hint = did_you_mean(env, sorted(environments))
            mistakes.add(("policy", env), f"no app has an environment of this name{hint}")


def _quorum_can_be_reached(raw: Raw, mistakes: Mistakes) -> None:
    """A quorum of named people needs as many humans, whatever the number of their accounts."""
    aliases = at(raw, "people", "aliases")
    persons = aliases if isinstance(aliases, Mapping) else {}
    for env in tables(raw, "policy"):
        reviewers = _texts(at(raw, "policy", env, "reviewers"))
        votes = at(raw, "policy", env, "votes")
        needed = votes if type(votes) is int else 2
        if not reviewers or any(who.startswith("S") for who in reviewers):
            continue
        people = len({str(persons.get(who, who)) for who in reviewers})
        if people < needed:
            sentence = (
                f"{people} named but {needed} votes needed, so nothing could ever be approved"
            )
            mistakes.add(("policy", env, "reviewers"), sentence)


_RULES: Sequence[Callable[[Raw, Mistakes], None]] = (
    _one_way_into_each_workspace,
    _passwords_travel_safely,
    _targets_exist,
    _one_place_is_one_app,
    _every_card_has_a_channel,
    _dependencies_exist,
    _labels_mean_one_app,
    _policies_are_used,
    _quorum_can_be_reached,
)


def tables(raw: Raw, *path: str) -> Mapping[str, object]:
    """The tables under *path* by their names; none where there is no table."""
    table = at(raw, *path)
    return table if isinstance(table, Mapping) else {}


def _places(raw: Raw) -> list[tuple[str, str, Mapping[str, object]]]:
    """(app, environment, its table) of all that have one."""
    return [
        (app, env, place)
        for app in tables(raw, "app")
        for env, place in tables(raw, "app", app, "environments").items()
        if isinstance(place, Mapping)
    ]


def _texts(value: object) -> list[str]:
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []
