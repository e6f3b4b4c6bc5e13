"""What was changed, would be lost or be met, in words: literal text unless said otherwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from bot import textsafe
from bot.domain import dry_run_told, lost, rehearsal_told
from bot.domain.diff import summary
from bot.domain.diff.summary import Phrase
from bot.domain.dry_run import Hitch
from bot.domain.lost import Lost
from bot.domain.rehearsal_told import Part
from bot.language import gettext, message
from bot.wording.lists import listed
from bot.wording.speech import OF_NOW, joined, translated
from store.records import Json

KINDS: Final = (
    *(message("model"), message("prompt"), message("code"), message("tool"), message("http")),
    *(message("knowledge"), message("condition"), message("variable"), message("feature")),
    *(message("node"), message("edge"), message("title"), message("layout"), message("other")),
)
_SETTING: Final = message("Setting")
_TITLES: Final = {
    "model": message("Model"),
    "prompt": message("Prompt"),
    "code": message("Code"),
    "tool": message("Tool"),
    "http": message("HTTP request"),
    "knowledge": message("Knowledge"),
    "condition": message("Condition"),
    "variable": message("Variable"),
    "feature": message("Feature"),
    "node": message("Node"),
    "edge": message("Connection"),
    "title": message("Title"),
    "other": message("Setting"),
    "layout": message("Drawing"),
}
_OPS: Final = (message("added"), message("removed"), message("changed"), message("moved"))
_RISKS: Final = (message("low"), message("medium"), message("high"), message("critical"))


def change(kind: str, op: str) -> str:
    """What was done to a thing of *kind*, as `Prompt changed`; literal text."""
    said = gettext(_TITLES.get(kind, _SETTING))
    done = gettext(op) if op in _OPS else op
    return translated("%(thing)s %(done)s", thing=said, done=done)


def kind(kind: str) -> str:
    """A kind of change; mrkdwn."""
    return textsafe.mrkdwn(_named(kind), 30)


def _named(kind: str) -> str:
    return gettext(kind) if kind in KINDS else kind


def by_kind(counts: Mapping[str, Json]) -> str:
    """What changed, by kind: `prompt 1, model 2`."""
    return listed([*counts.items()], lambda one: f"{kind(one[0])} {int(one[1])}")


def risk(risk: Json) -> str:
    """How much care it takes; mrkdwn."""
    return textsafe.mrkdwn(gettext(risk) if risk in _RISKS else risk, 20)


def phrased(phrases: Sequence[Phrase]) -> str:
    """What a difference amounts to; literal text, as all that follows here."""
    return joined(summary.said(phrases, OF_NOW))


def given_up(found: Sequence[Lost]) -> str:
    """What is lost by going back."""
    return joined(lost.words(found, OF_NOW))


def hitched(found: Sequence[Hitch], env: str) -> str:
    """What a dry run found, on one line."""
    return joined(dry_run_told.line(found, env=env, tongue=OF_NOW))


def rehearsed(told: Sequence[Part]) -> list[str]:
    """What a dry run says, a line each."""
    return [joined(line) for line in rehearsal_told.said(told, OF_NOW)]


def headed(phrases: Sequence[Phrase], counts: Mapping[str, Json]) -> list[str]:
    """The first lines of a difference as text."""
    kinds = translated(", ").join(f"{_named(kind)} {int(n)}" for kind, n in counts.items())
    return [phrased(phrases), joined(translated("changes: %(kinds)s", kinds=kinds))]
