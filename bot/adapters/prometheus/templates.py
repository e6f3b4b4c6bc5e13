"""Queries of the configuration, in which `$app` and `$env` stand for one app@env.

A placeholder is a `$` with a name behind it, and stands inside the quotes of a label's value:
`{app="$app"}`. Braces are PromQL's own, and so are `$1` and `${name}` of `label_replace`. Where
the value is a regular expression (`=~`, `!~`), the name is put in as a literal part of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.adapters.prometheus.promql import (
    Kind,
    NotPromQL,
    Token,
    inside_quotes,
    literally,
    tokens,
)

_PLACEHOLDER = re.compile(r"\$([A-Za-z_]\w*)")
_KNOWN = ("app", "env")
_AS_PATTERN = frozenset({"=~", "!~"})

# What many exporters of HTTP servers have. The rate of errors is 0, not absent, without errors.
ERRORS = (
    '(sum(rate(http_requests_total{app="$app",env="$env",status=~"5.."}[2m])) or vector(0)) '
    '/ sum(rate(http_requests_total{app="$app",env="$env"}[2m]))'
)
LATENCY = (
    "histogram_quantile(0.95, sum by (le) "
    '(rate(http_request_duration_seconds_bucket{app="$app",env="$env"}[2m])))'
)
LOAD = 'sum(rate(http_requests_total{app="$app",env="$env"}[2m]))'


def problem(template: str) -> str:
    """What is wrong with *template*, as a sentence that names the mend; "" if nothing is."""
    try:
        found = tokens(template)
    except NotPromQL as error:
        return f"{error}; correct the query"
    if not found:
        return "must not be empty; leave the key out to keep the default"
    names = [(token, name) for token in found for name in _PLACEHOLDER.findall(token.text)]
    unknown = next((name for _, name in names if name not in _KNOWN), None)
    if unknown is not None:
        return f"there is no ${unknown[:40]}; known are $app and $env, and ${{…}} is PromQL's own"
    bare = any(token.kind is Kind.OTHER and token.text == "$" for token in found)
    if bare or any(token.text.startswith("`") for token, _ in names):
        return 'a placeholder stands in double quotes, such as {app="$app"}'
    return ""


def names_the_app(template: str) -> bool:
    """True if `$app` stands in *template*, so that it asks of one app alone."""
    try:
        found = tokens(template)
    except NotPromQL:
        return False
    return any("app" in _PLACEHOLDER.findall(token.text) for token in found)


def filled(template: str, *, app: str, env: str) -> str:
    """The query of *template* for one app@env; *app* and *env* may hold any characters."""
    return "".join(_pieces(template, {"app": app, "env": env}))


def _pieces(template: str, values: dict[str, str]) -> Iterator[str]:
    done = 0
    before: Token | None = None
    for token in tokens(template):
        if token.kind is Kind.STRING:
            yield template[done : token.at]
            yield _put_in(token.text, values, pattern=before is not None and _asks(before))
            done = token.end
        before = token
    yield template[done:]


def _asks(token: Token) -> bool:
    return token.text in _AS_PATTERN


def _put_in(string: str, values: dict[str, str], *, pattern: bool) -> str:
    def value(match: re.Match[str]) -> str:
        text = values[match[1]]
        return inside_quotes(literally(text) if pattern else text)

    return _PLACEHOLDER.sub(value, string)
