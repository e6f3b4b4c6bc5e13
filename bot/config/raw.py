"""The configuration as it was read, before anything of it is known to be right."""

from __future__ import annotations

from collections.abc import Mapping

from bot.config.mistakes import Mistakes, at, did_you_mean

Raw = Mapping[str, object]


def tables(raw: Raw, *path: str) -> Mapping[str, object]:
    """The tables under *path* by their names; none where there is no table."""
    table = at(raw, *path)
    return table if isinstance(table, Mapping) else {}


def texts(value: object) -> list[str]:
    """The texts in a list; none where there is no list."""
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []


def environments(raw: Raw) -> frozenset[str]:
    """The environments that any app has, those of included apps among them."""
    own = {env for app in tables(raw, "app") for env in tables(raw, "app", app, "environments")}
    included = (at(raw, "dify", name, "environment") for name in tables(raw, "dify"))
    return frozenset(own | {env for env in included if isinstance(env, str)})


def environment_exists(raw: Raw, env: str, path: tuple[str, ...], mistakes: Mistakes) -> None:
    """Add that no app has the environment *env*, which stands at *path*; none is no mistake."""
    known = environments(raw)
    if known and env not in known:
        hint = did_you_mean(env, sorted(known))
        mistakes.add(path, f'no app has an environment called "{env}"{hint}')
