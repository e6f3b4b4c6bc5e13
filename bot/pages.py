"""Pages for people's browsers, from `templates/web`: one file each, that loads nothing.

Every text is escaped by Jinja2. Style and script stand in the page and are named by their hash,
so that a browser runs nothing else, whatever a prompt contains
(https://www.w3.org/TR/CSP3/#strict-csp).
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import resvg_py
from jinja2 import FileSystemLoader, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from bot.domain.diff.page import DiffPage
from bot.domain.diff.picture import Fate, Picture

_ZOOM, _MOST_PIXELS = 2.0, 3200
_HERE = Path(__file__).parent
_FOLDERS = [_HERE / "templates", _HERE.parent / "templates"]
_KINDS: Final = {
    "model": "Model",
    "prompt": "Prompt",
    "code": "Code",
    "tool": "Tool",
    "http": "HTTP request",
    "knowledge": "Knowledge",
    "condition": "Condition",
    "variable": "Variable",
    "feature": "Feature",
    "node": "Node",
    "edge": "Connection",
    "title": "Title",
    "other": "Setting",
    "layout": "Drawing",
}


@dataclass(frozen=True)
class Page:
    """A page and the Content-Security-Policy that it is to be sent with."""

    html: str
    policy: str


def difference(page: DiffPage) -> Page:
    """Return the page of a difference."""
    style, script = _text("diff.css"), _text("diff.js")
    policy = (
        f"default-src 'none'; style-src 'sha256-{_digest(style)}'; "
        f"script-src 'sha256-{_digest(script)}'; frame-ancestors 'none'; base-uri 'none'; "
        "form-action 'none'"
    )
    html = (
        _environment()
        .get_template("web/diff.html.j2")
        .render(
            page=page,
            kinds=_KINDS,
            style=Markup(style),  # noqa: S704  # ours, from a file
            script=Markup(script),  # noqa: S704
            policy=policy,
        )
    )
    return Page(html, policy)


def refusal(title: str, sentence: str) -> Page:
    """Return a page that says why there is nothing to see."""
    style = _text("diff.css")
    policy = f"default-src 'none'; style-src 'sha256-{_digest(style)}'; frame-ancestors 'none'"
    template = _environment().get_template("web/refusal.html.j2")
    html = template.render(title=title, sentence=sentence, style=Markup(style))  # noqa: S704
    return Page(html, policy)


def svg(drawn: Picture) -> str:
    """Return *drawn* as an SVG file of its own, light, readable without a style sheet."""
    return (
        _environment()
        .get_template("web/graph.svg.j2")
        .render(
            picture=drawn,
            alone=True,
            style=Markup(_text("graph.css")),  # noqa: S704
        )
    )


def png(drawn: Picture) -> bytes | None:
    """Return *drawn* as a PNG, at most 3,200 pixels wide and high.

    None where nothing would be seen: no font is installed, or it is out of all proportion.

    It is as large as its drawing twice, so that it is sharp on a phone.
    """
    if not _can_write():
        return None
    zoom = min(_ZOOM, _MOST_PIXELS / max(drawn.width, drawn.height + 44))
    try:
        return resvg_py.svg_to_bytes(svg_string=svg(drawn), zoom=zoom)
    except ValueError:  # so long that it would be less than a pixel wide
        return None


def in_words(drawn: Picture) -> str:
    """Return what *drawn* shows, for whoever does not see it; at most 1,000 characters."""
    fates = Counter(box.fate for box in drawn.boxes)
    counts = [f"{fates[fate]} {fate.value}" for fate in Fate if fates[fate]]
    news = [f"{box.title} {box.fate.value}" for box in drawn.boxes if box.fate is not Fate.SAME]
    return f"The workflow's nodes: {', '.join(counts)}. {'; '.join(news)}"[:1000]


@cache
def _can_write() -> bool:
    """Whether a letter leaves a trace: without a font it does not, and nothing else tells."""
    frame = '<svg xmlns="http://www.w3.org/2000/svg" width="20" height="20">{}</svg>'
    letter = '<text y="15" font-family="DejaVu Sans, sans-serif">W</text>'
    with_it, without = (frame.format(inside) for inside in (letter, ""))
    drawn = [resvg_py.svg_to_bytes(svg_string=text) for text in (with_it, without)]
    return drawn[0] != drawn[1]


@cache
def _environment() -> ImmutableSandboxedEnvironment:
    return ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(_FOLDERS),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def _text(name: str) -> str:
    path = next(folder / "web" / name for folder in _FOLDERS if (folder / "web" / name).exists())
    return path.read_text(encoding="utf-8").strip()


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
