"""Secrets out of everything that is shown: by structure first, by what they look like second.

A secret is hidden behind a marker that is the same wherever the same secret stands, so that two
hidden values can still be compared; only when a text is shown do markers become dots.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from bot.domain.redact_fields import (
    LINES,
    NAMED,
    NAMING,
    may_hold_credentials,
    node_may_hold_credentials,
)
from bot.domain.redact_patterns import (
    PATTERNS,
    REFERENCE,
    RUN_PATTERNS,
    has_long_run,
    is_open_header,
    names_a_credential,
)
from store.document import canonical
from store.records import Json

HIDDEN = "••••"
HIDDEN_CHANGED = "•••• (changed)"
PRIVATE = "hidden on one side"  # the field of an object whose value is hidden whatever its name

_OPEN, _CLOSE = "\ue000", "\ue001"
_LITERAL = f"{_OPEN}x{_CLOSE}"  # stands for an _OPEN that was in the text itself
_MARKER = re.compile(f"{_OPEN}(x|[0-9]+){_CLOSE}")
_SPLIT_UP = frozenset({"graph"})  # what is looked through piece by piece
_LISTED = frozenset({"nodes"})
_BARE = frozenset({"edges", "viewport"})  # of these nothing but the ends of connections is shown
# What is told about a credential, beside its value.
_TELLING = frozenset(
    {
        *("type", "value_type", "variable", "selector", "value_selector", "required", "options"),
        *("description", "desc", "label", "title", "placeholder", "help", "human_description"),
        *("name", "form", "enum", "provider"),
    }
)
_SCHEME = re.compile(r"(?:bearer|basic|token)\s+", re.IGNORECASE)
_LONG = 8  # so long a known secret is found inside other text; a shorter one only by itself
_SHORT = 4
_REPEATED = 20_000  # characters; the same texts stand on both sides of a difference
_LINE = re.compile(r"^([ \t]*[\w-]{1,80}[ \t]*:[ \t]*)(\S.*)$", re.MULTILINE)
_AUTHORIZATION_LINE = re.compile(
    r"^([ \t]*(?:proxy-)?(?:authorization|cookie|set-cookie)[ \t]*:[ \t]*)(\S.*)$",
    re.MULTILINE | re.IGNORECASE,
)


def redact(value: Json) -> Json:
    """Return *value* with every secret replaced by dots; keys are redacted too."""
    redactor = Redactor()
    return redactor.reveal(redactor.conceal(value))


def redact_text(text: str) -> str:
    """Return *text* with everything in it that looks like a secret replaced by dots."""
    redactor = Redactor()
    shown: str = redactor.reveal(redactor.conceal_text(text))
    return shown


class Redactor:
    """Hides secrets behind markers: equal ones behind equal markers, so nothing else is lost.

    `conceal` is one-to-one: two values are equal exactly if their concealed forms are.
    """

    def __init__(self) -> None:
        self._numbers: dict[bytes, int] = {}
        self._seen: dict[str, str] = {}  # field names and short values come again and again
        self._known: set[str] = set()
        self._anywhere: re.Pattern[str] | None = None

    def learn(self, value: Json, field: str = "") -> None:
        """Remember the credentials that *value* holds by structure.

        From then on they are hidden wherever they stand, also under harmless names.
        """
        learner = _Learner()
        learner.conceal(value, field)
        if not learner.found <= self._known:
            self._known |= learner.found
            self._seen.clear()
            self._anywhere = _any_of(secret for secret in self._known if len(secret) >= _LONG)

    def learn_from(self, content: Mapping[str, Json]) -> None:
        """Remember the credentials of a whole content, looking closely only where one may be."""
        for field, value in content.items():
            self._learn_within(value, field)

    def _learn_within(self, value: Json, field: str) -> None:
        if isinstance(value, dict) and field in _SPLIT_UP:
            for key in value.keys() - _BARE:
                self._learn_within(value[key], key)
        elif isinstance(value, list) and field in _LISTED:
            for item in filter(node_may_hold_credentials, value):
                self.learn(item)
        elif may_hold_credentials({field: value}):
            self.learn(value, field)

    def conceal(self, value: Json, field: str = "") -> Json:
        """Return *value*, which stands under the name *field*, with markers for its secrets."""
        if isinstance(value, dict):
            return self._object(value, field)
        if isinstance(value, list):
            return [self.conceal(item, field) for item in value]
        if isinstance(value, bool) or value is None:
            return value
        if field and names_a_credential(field):
            return self._credential(value)
        if isinstance(value, str):
            return self._lines(value, field) if field in LINES else self.conceal_text(value)
        return value

    def conceal_text(self, text: str) -> str:
        """Return *text* with markers for everything in it that looks like a secret."""
        concealed = self._seen.get(text)
        if concealed is None:
            if text in self._known:
                return self._marker(text)
            concealed = text.replace(_OPEN, _LITERAL)
            lower = concealed.lower()
            if "authorization" in lower or "cookie" in lower:
                concealed = _AUTHORIZATION_LINE.sub(self._header, concealed)
            concealed = self._patterns(concealed)
            if len(text) <= _REPEATED:
                self._seen[text] = concealed
        return concealed

    def reveal(self, value: Json, *, beside: Json = None) -> Json:
        """Return the concealed *value* as people may see it.

        With *beside*, the concealed value that it replaced, secrets that were not in there
        read as changed.
        """
        known = None if beside is None else frozenset(_markers(beside))

        def shown(match: re.Match[str]) -> str:
            if match[1] == "x":
                return _OPEN
            return HIDDEN if known is None or match[0] in known else HIDDEN_CHANGED

        return _map_text(value, lambda text: _MARKER.sub(shown, text))

    def shown(self, text: str) -> str:
        """Return *text*, concealed or not, as people may see it."""
        revealed: str = self.reveal(text)
        told: str = self.reveal(self.conceal_text(revealed))
        return told

    def _object(self, value: dict[str, Json], field: str) -> dict[str, Json]:
        named = field == PRIVATE or any(
            isinstance(value.get(name), str) and names_a_credential(value[name]) for name in NAMING
        )
        credential = bool(field) and names_a_credential(field) and field.lower() != "authorization"
        concealed = {}
        for key, item in value.items():
            inherits = (named and key in NAMED) or (credential and key not in _TELLING)
            if field == "headers" and not is_open_header(key):
                inherits = True
            concealed[self.conceal_text(key)] = self.conceal(item, "secret" if inherits else key)
        return concealed

    def _credential(self, value: Json) -> Json:
        if isinstance(value, str):
            if not value.strip() or REFERENCE.fullmatch(value):
                return self.conceal_text(value)
            if value.strip().lower() in {"bearer", "basic", "none", "no-auth", "api-key", "custom"}:
                return value
        return self._marker(value)

    def _lines(self, text: str, field: str) -> str:
        """Hide the values of `Name: value` lines: all unknown headers, parameters by name."""
        replace = self._header if field == "headers" else self._parameter
        return self._patterns(_LINE.sub(replace, text.replace(_OPEN, _LITERAL)))

    def _header(self, match: re.Match[str]) -> str:
        if is_open_header(match[1].split(":")[0].strip()) or REFERENCE.fullmatch(match[2]):
            return match[0]
        return match[1] + self._marker(match[2])

    def _parameter(self, match: re.Match[str]) -> str:
        if not names_a_credential(match[1].split(":")[0].strip()):
            return match[0]
        return match[1] + str(self._credential(match[2]))

    def _patterns(self, text: str) -> str:
        if self._anywhere is not None:
            text = self._anywhere.sub(lambda match: self._marker(match[0]), text)
        lower = text.lower()
        patterns = (*RUN_PATTERNS, *PATTERNS) if has_long_run(text) else PATTERNS
        for clues, pattern in patterns:
            for clue in clues:
                if clue in lower:
                    text = pattern.sub(self._match, text)
                    break
        return text

    def _match(self, match: re.Match[str]) -> str:
        group = "s" if "s" in match.re.groupindex else 0
        if _MARKER.fullmatch(match[group]):
            return match[0]  # hidden already
        start, end = match.start(group) - match.start(), match.end(group) - match.start()
        return match[0][:start] + self._marker(match[group]) + match[0][end:]

    def _marker(self, secret: Json) -> str:
        number = self._numbers.setdefault(canonical(secret), len(self._numbers))
        return f"{_OPEN}{number}{_CLOSE}"


class _Learner(Redactor):
    """Collects what is a credential by structure."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def _patterns(self, text: str) -> str:
        return text

    def _marker(self, secret: Json) -> str:
        if isinstance(secret, str):
            bare = _SCHEME.sub("", secret.strip())
            self.found |= {text for text in (secret, bare) if len(text) >= _SHORT}
        return super()._marker(secret)


def _any_of(texts: Iterable[str]) -> re.Pattern[str] | None:
    """Return a pattern for any of *texts*, the longest first; quick also for thousands."""
    starts: dict[str, dict[str, list[str]]] = {}
    for text in sorted(texts, key=lambda text: (-len(text), text)):
        starts.setdefault(text[0], {}).setdefault(text[1], []).append(text[2:])
    branches = [
        re.escape(first)
        + _group(
            re.escape(second) + _group(map(re.escape, rest)) for second, rest in seconds.items()
        )
        for first, seconds in starts.items()
    ]
    return re.compile(_group(branches)) if branches else None


def _group(branches: Iterable[str]) -> str:
    return f"(?:{'|'.join(branches)})"


def _markers(value: Json) -> list[str]:
    found: list[str] = []

    def collect(text: str) -> str:
        found.extend(match[0] for match in _MARKER.finditer(text))
        return text

    _map_text(value, collect)
    return found


def _map_text(value: Json, change: Callable[[str], str]) -> Json:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [_map_text(item, change) for item in value]
    if isinstance(value, dict):
        return _map_keys(value, change)
    return value


def _map_keys(value: dict[str, Json], change: Callable[[str], str]) -> dict[str, Json]:
    changed: dict[str, Json] = {}
    for key, item in value.items():
        name = shown = change(key)
        twin = 2
        while name in changed:  # two hidden keys look alike; neither may swallow the other
            name, twin = f"{shown} #{twin}", twin + 1
        changed[name] = _map_text(item, change)
    return changed
