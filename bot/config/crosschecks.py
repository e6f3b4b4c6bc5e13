"""What must fit together between the tables. Works on what was read, however broken it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bot.config.alerting import ALERTING_RULES
from bot.config.announcing import EVENT_RULES, variables_of
from bot.config.fields import secure
from bot.config.measuring import MEASURING_RULES
from bot.config.mistakes import Mistakes, at, did_you_mean
from bot.config.policies import POLICY_RULES
from bot.config.raw import Raw, environments, tables, texts
from bot.config.webhooks import WEBHOOK_RULES

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


def named_variables(raw: Raw) -> frozenset[str]:
    """The variables that hold secrets by the names that the file gives them."""
    keys = ("password_env", "admin_key_env")
    named = [at(raw, "dify", name, key) for name in tables(raw, "dify") for key in keys]
    named += [at(raw, "prometheus", key) for key in ("token_env", "password_env")]
    named += variables_of(raw)
    named.append(at(raw, "alertmanager", "token_env"))
    named += [at(raw, "webhook", name, "token_env") for name in tables(raw, "webhook")]
    return frozenset(variable for variable in named if isinstance(variable, str))


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
        for needed in texts(at(raw, "app", app, "depends_on")):
            path = ("app", app, "depends_on")
            if needed == app:
                mistakes.add(path, "an app does not depend on itself")
            elif at(raw, "app", needed, "drill") is True:
                mistakes.add(path, f'"{needed}" is an app for drills, which serves nobody')
            elif needed not in apps:
                mistakes.add(path, f'no app is called "{needed}"{did_you_mean(needed, apps)}')


@dataclass(frozen=True)
class _Claim:
    """A `match` table: its path, and the places that its labels mean."""

    path: tuple[str, ...]
    labels: Mapping[str, frozenset[str]]
    app: str
    envs: frozenset[str]

    def overlaps(self, other: _Claim) -> bool:
        """True if an alert that carries the labels of one carries those of the other too."""
        return (
            self.labels.keys() == other.labels.keys()
            and all(self.labels[name] & other.labels[name] for name in self.labels)
            and bool(self.envs & other.envs if self.app != other.app else self.envs != other.envs)
        )


def _app_and_environment_have_labels_of_their_own(raw: Raw, mistakes: Mistakes) -> None:
    app = at(raw, "alerts", "labels", "app") or "app"
    if app == (at(raw, "alerts", "labels", "env") or "env"):
        sentence = f'app and env are both read from "{app}"; each needs a label of its own'
        mistakes.add(("alerts", "labels"), sentence)


def _labels_mean_one_app(raw: Raw, mistakes: Mistakes) -> None:
    """What is certain to be ambiguous is refused; other alerts may still mean two apps."""
    seen: dict[frozenset[str], list[_Claim]] = {}
    for claim in _claims(raw):
        others = seen.setdefault(frozenset(claim.labels), [])
        first = next((other for other in others if claim.overlaps(other)), None)
        if first is not None:
            mistakes.add(claim.path, f'the same labels mean "{first.app}" already')
        others.append(claim)


def _claims(raw: Raw) -> Iterator[_Claim]:
    for app in tables(raw, "app"):
        envs = tables(raw, "app", app, "environments")
        labels = _label_values(at(raw, "app", app, "match"))
        if labels:
            yield _Claim(("app", app, "match"), labels, app, frozenset(envs))
        for env in envs:
            labels = _label_values(at(raw, "app", app, "environments", env, "match"))
            if labels:
                path = ("app", app, "environments", env, "match")
                yield _Claim(path, labels, app, frozenset({env}))


def _label_values(match: object) -> Mapping[str, frozenset[str]]:
    if not isinstance(match, Mapping):
        return {}
    values = {
        name: frozenset([value] if isinstance(value, str) else texts(value))
        for name, value in match.items()
    }
    return values if all(values.values()) else {}


def _included_apps_have_a_place(raw: Raw, mistakes: Mistakes) -> None:
    for name in tables(raw, "dify"):
        rules = texts(at(raw, "dify", name, "include"))
        beside = {key: at(raw, "dify", name, key) for key in ("environment", "channel")}
        if not rules:
            for key in (key for key, value in beside.items() if value is not None):
                mistakes.add(("dify", name, key), "is of use only with include beside it")
            continue
        if beside["environment"] is None:
            sentence = 'is missing; say where the included apps live, such as "prod"'
            mistakes.add(("dify", name, "environment"), sentence)
        if beside["channel"] is None and at(raw, "slack", "channel") is None:
            sentence = "is missing; set it here or for all apps as [slack] channel"
            mistakes.add(("dify", name, "channel"), sentence)
        if "all" in rules and len(rules) > 1:
            mistakes.add(("dify", name, "include"), '"all" needs no tags beside it')


def _a_workspace_is_included_once(raw: Raw, mistakes: Mistakes) -> None:
    """An app that two tables take over would have two names, and two open rollbacks."""
    seen: dict[tuple[str, str], str] = {}
    for name in tables(raw, "dify"):
        url, email = at(raw, "dify", name, "url"), at(raw, "dify", name, "email")
        if not texts(at(raw, "dify", name, "include")):
            continue
        if isinstance(url, str) and isinstance(email, str):
            first = seen.setdefault((url.rstrip("/"), email), name)
            if first != name:
                sentence = f"is included by dify.{first} already; an app has one name"
                mistakes.add(("dify", name, "include"), f"the same workspace {sentence}")


def _policies_are_used(raw: Raw, mistakes: Mistakes) -> None:
    known = environments(raw)
    for env in tables(raw, "policy"):
        if known and env not in known:
            hint = did_you_mean(env, sorted(known))
            mistakes.add(("policy", env), f"no app has an environment of this name{hint}")


_RULES: Sequence[Callable[[Raw, Mistakes], None]] = (
    _one_way_into_each_workspace,
    _passwords_travel_safely,
    _targets_exist,
    _one_place_is_one_app,
    _every_card_has_a_channel,
    _dependencies_exist,
    _app_and_environment_have_labels_of_their_own,
    _labels_mean_one_app,
    _included_apps_have_a_place,
    _a_workspace_is_included_once,
    _policies_are_used,
    *POLICY_RULES,
    *MEASURING_RULES,
    *EVENT_RULES,
    *ALERTING_RULES,
    *WEBHOOK_RULES,
)


def watches(raw: Raw) -> bool:
    """True if anything is to be watched: an app with a table, or a workspace's apps."""
    return bool(tables(raw, "app")) or any(
        texts(at(raw, "dify", name, "include")) for name in tables(raw, "dify")
    )


def _places(raw: Raw) -> list[tuple[str, str, Mapping[str, object]]]:
    """(app, environment, its table) of all that have one."""
    return [
        (app, env, place)
        for app in tables(raw, "app")
        for env, place in tables(raw, "app", app, "environments").items()
        if isinstance(place, Mapping)
    ]
