"""The settings with the apps that are watched without a table of their own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from bot.config.settings import Place, Settings
from bot.domain.naming import sole_environments
from bot.errors import ConfigurationWrong
from store.records import AppEnv, IncludedApp


@dataclass(frozen=True)
class Watched:
    """What the service works with.

    `own` are the places that have a table; `settings.places` has the included ones too. `former`
    are apps that were watched once and still can be reached: what was begun there is brought to
    its end, and nothing new is proposed.
    """

    settings: Settings
    own: Mapping[AppEnv, Place]
    former: Mapping[AppEnv, Place] = field(default_factory=dict)


def watched(settings: Settings, included: Iterable[IncludedApp]) -> Watched:
    """Add *included*, as the store remembers them, to the apps that *settings* name.

    Raises:
        ConfigurationWrong: An app of the settings has a name that belongs to another app, whose
            history would become its own.
    """
    apps = list(included)
    _demand_own_names(settings, apps)
    tables = {(place.target, place.id) for place in settings.places.values()}
    now: dict[AppEnv, Place] = {}
    former: dict[AppEnv, Place] = {}
    names: dict[str, tuple[AppEnv, ...]] = {}
    for app in apps:
        workspace = settings.dify.get(app.target.removeprefix("dify."))
        if workspace is None or (app.target, app.external_id) in tables:
            continue
        rule = workspace.include
        if app.gone or rule is None or rule.env != app.where.env:
            former[app.where] = Place(app.where, app.target, app.external_id, "")
            continue
        now[app.where] = Place(app.where, app.target, app.external_id, rule.channel)
        names[app.name] = (*names.get(app.name, ()), app.where)
    return Watched(_with(settings, now, names), settings.places, former)


def _with(
    settings: Settings, now: Mapping[AppEnv, Place], names: Mapping[str, tuple[AppEnv, ...]]
) -> Settings:
    places = {**settings.places, **now}
    sole = sole_environments((where.app, where.env) for where in places)
    labels = replace(settings.alerts.labels, sole=sole, names=names)
    return replace(settings, places=places, alerts=replace(settings.alerts, labels=labels))


def _demand_own_names(settings: Settings, apps: Iterable[IncludedApp]) -> None:
    problems = []
    for app in apps:
        place = settings.places.get(app.where)
        if place is not None and (place.target, place.id) != (app.target, app.external_id):
            problems.append(
                f"app.{app.where.app}.environments.{app.where.env}.id: the name and its history "
                f"belong to the app {app.external_id} of {app.target}, which was included; "
                "choose another name"
            )
    if problems:
        raise ConfigurationWrong(problems)
