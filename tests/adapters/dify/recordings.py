"""What was recorded from three Difys, and how a recording is compared with our own answers.

Ids, tokens and times differ from server to server: the first time a recorded one meets ours,
the two are bound, and from then on one must stand wherever the other did.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_PAYLOADS = Path(__file__).resolve().parents[2] / "payloads"
NEWEST = "1.14.2"
VERSIONS = (NEWEST, "1.10.1", "1.7.2")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_VERSION_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{6})?")

# Not compared, and why. Presence and type are compared all the same.
IGNORED_FIELDS = {
    "created_at": "a time",
    "updated_at": "a time",
    "last_login_at": "a time",
    "access_token": "the random name of an app's public page",
    "code@site": "the random name of an app's public page",
}
UNORDERED = {"$.data": "apps that were made in the same second come in any order"}
IGNORED_HEADERS = {
    "x-env": "says TESTING on the server that was recorded",
}
IGNORED_COOKIE_ATTRIBUTES = {"expires": "a time; max-age is compared"}
_SET = re.compile(r"\{('[\w-]+'(?:, '[\w-]+')*)\}")
# The web framework appends the path and guesses of its own to the message of a 404.
IGNORED_MESSAGE_END = re.compile(r" You have requested this URI .*", re.DOTALL)


@dataclass(frozen=True)
class Exchange:
    """One request and its answer as recorded."""

    name: str
    method: str
    path: str
    headers: Mapping[str, str]
    body: Any
    status: int
    answer_headers: Mapping[str, str] | None  # None: not recorded
    set_cookie: tuple[str, ...]
    answer: Any


def names(version: str = NEWEST) -> tuple[str, ...]:
    """Every exchange that was recorded, in order, also those that are not kept here."""
    return tuple(json.loads((_folder(version) / "index.json").read_text()))


def kept(version: str = NEWEST) -> tuple[str, ...]:
    return tuple(name for name in names(version) if (_folder(version) / f"{name}.json").exists())


def titled(title: str, version: str) -> str:
    """The name of the exchange whose title, without its number, is *title*."""
    folder, _, wanted = title.rpartition("/")
    found = [
        name
        for name in names(version)
        if name.startswith(folder or "main") and name.partition("/")[2][4:] == wanted
    ]
    return found[0]


def load(name: str, version: str = NEWEST) -> Exchange:
    raw = json.loads((_folder(version) / f"{name}.json").read_text())
    request, response = raw["request"], raw["response"]
    path = request.get("path") or request["url"].split("/console/api", 1)[1]
    pairs = response.get("headers")
    cookies = response.get("set_cookie")
    if cookies is None:
        cookies = [value for key, value in pairs if key == "set-cookie"]
    return Exchange(
        name=name,
        method=request["method"],
        path=path,
        headers=dict(request.get("headers", [])),
        body=request["body"],
        status=response["status"],
        answer_headers={k: v for k, v in pairs if k != "set-cookie"} if pairs else None,
        set_cookie=tuple(cookies),
        answer=response["body"],
    )


def body(name: str, version: str = NEWEST) -> Any:
    """The recorded answer's body."""
    return load(name, version).answer


def _folder(version: str) -> Path:
    return _PAYLOADS / f"dify_{version}"


@dataclass
class Names:
    """Which of our names stands for which recorded one; one for one."""

    ours: dict[str, str]
    _pattern: re.Pattern[str] = field(init=False, default=re.compile("(?!)"))
    _known: int = field(init=False, default=0)

    def bind(self, recorded: str, ours: str) -> bool:
        """True if *ours* is, or from now on will be, the name for *recorded*."""
        if recorded not in self.ours and ours not in self.ours.values():
            self.ours[recorded] = ours
        return self.ours.get(recorded) == ours

    def translate(self, text: str) -> str:
        """*text* of the recording with our names in it."""
        if len(self.ours) != self._known:
            longest_first = sorted(filter(None, self.ours), key=len, reverse=True)
            self._pattern = re.compile("|".join(re.escape(name) for name in longest_first))
            self._known = len(self.ours)
        return self._pattern.sub(lambda match: self.ours[match.group()], text)


def differences(recorded: Any, ours: Any, bound: Names, place: str = "$") -> Iterator[str]:
    """Say where *ours* is not the recorded answer, after renaming."""
    key = place.rpartition(".")[2]
    ignored = key in IGNORED_FIELDS or f"{key}@{place.rpartition('.')[0][2:]}" in IGNORED_FIELDS
    if type(recorded) is not type(ours):
        yield f"{place}: {type(recorded).__name__} became {type(ours).__name__}"
    elif isinstance(recorded, dict):
        for name in sorted(recorded.keys() ^ ours.keys()):
            yield f"{place}.{name}: {'missing' if name in recorded else 'not recorded'}"
        for name in recorded.keys() & ours.keys():
            yield from differences(recorded[name], ours[name], bound, f"{place}.{name}")
    elif isinstance(recorded, list):
        if place in UNORDERED:
            recorded, ours = (
                sorted(items, key=lambda app: str(app.get("name"))) for items in (recorded, ours)
            )
        if len(recorded) != len(ours):
            yield f"{place}: {len(recorded)} items became {len(ours)}"
        for index, (left, right) in enumerate(zip(recorded, ours, strict=False)):
            yield from differences(left, right, bound, f"{place}[{index}]")
    elif not ignored and not _same(recorded, ours, bound):
        yield f"{place}: {recorded!r} became {ours!r}"


def _same(recorded: Any, ours: Any, bound: Names) -> bool:
    if not isinstance(recorded, str):
        return bool(recorded == ours)
    for form in (_UUID, _VERSION_TIME):
        if form.fullmatch(recorded):
            return bool(form.fullmatch(ours)) and bound.bind(recorded, ours)
    return bound.translate(_message(recorded)) == _message(ours)


def _message(text: str) -> str:
    return _in_order(IGNORED_MESSAGE_END.sub("", text)).rstrip(".")


def _in_order(text: str) -> str:
    """*text* with a Python set in it, whose order is not fixed, sorted."""
    return _SET.sub(lambda found: str(sorted(found.group(1).split(", "))), text)


def cookie_attributes(lines: Iterable[str]) -> dict[str, dict[str, str]]:
    """What each Set-Cookie line says of its cookie beside the value, by the cookie's name."""
    found: dict[str, dict[str, str]] = {}
    for line in lines:
        first, *rest = line.split("; ")
        attributes = dict(_attribute(part) for part in rest)
        for name in IGNORED_COOKIE_ATTRIBUTES:
            attributes.pop(name, None)
        found[first.partition("=")[0]] = attributes
    return found


def cookie_values(lines: Iterable[str]) -> dict[str, str]:
    pairs = (line.split("; ")[0].partition("=") for line in lines)
    return {name: value for name, _, value in pairs}


def _attribute(part: str) -> tuple[str, str]:
    name, _, value = part.partition("=")
    return name.lower(), value
