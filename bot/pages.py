"""Pages for people's browsers, from `templates/web`: one file each, that loads nothing.

Every text is escaped by Jinja2. Style and script stand in the page and are named by their hash,
so that a browser runs nothing else, whatever a prompt contains
(https://www.w3.org/TR/CSP3/#strict-csp).
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Final

from jinja2 import FileSystemLoader, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from bot import raster
from bot.colouring import MOST_CHARACTERS, ColouredRow, Segment, coloured, size
from bot.domain.chart.words import in_words as in_words_of_chart
from bot.domain.diff.page import DiffPage, Language, PageChange
from bot.domain.diff.picture import Fate, Picture
from bot.domain.diff.words import RunOp
from bot.domain.record.entries import as_text
from bot.domain.record.pack import pack
from bot.domain.record.view import RecordPage
from bot.language import ENGLISH
from bot.prose import as_html
from bot.voice import OURS, speaking
from bot.wording import FILTERS

_SAID: Final = frozenset(  # sentences of the catalogue and their parts that a record says too
    {
        *("finding_words", "evidence_words", "outcome_words", "recovery_words", "draft_words"),
        *("impact_in_full", "mention", "reviewers", "seconds", "span"),
    }
)
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
            changes=_coloured(page.changes),
            drawn=_coloured(page.drawn),
            kinds=_KINDS,
            style=Markup(style),  # noqa: S704  # ours, from a file
            script=Markup(script),  # noqa: S704
            policy=policy,
        )
    )
    return Page(html, policy)


def _coloured(
    changes: Sequence[PageChange],
) -> list[tuple[PageChange, tuple[ColouredRow, ...]]]:
    """The changes with their rows in colours, as far as that is quick."""
    left = MOST_CHARACTERS
    made = []
    for change in changes:
        left -= size(change.rows) if change.language else 0
        made.append((change, coloured(change.rows, change.language if left > 0 else Language.NONE)))
    return made


def record(page: RecordPage, *, chart: bytes | None, download: str = "") -> Page:
    """Return the page of a rollback's record, with *chart*; *download* is where its pack is."""
    return _record(page, chart, download=download)


def evidence(page: RecordPage, *, chart: bytes | None) -> Page:
    """Return the page of a rollback's record as a file that says how it is checked.

    The audit entries are in it as data, in the form that their hashes are made of.
    """
    data = json.dumps(pack(page), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    # no text of anybody ends the element, and the JSON stays the same
    data = data.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    check = _text("record/check.py.txt")
    return _record(page, chart, data=Markup(data), check=check)  # noqa: S704


def _record(
    page: RecordPage, chart: bytes | None, *, download: str = "", data: str = "", check: str = ""
) -> Page:
    style, script = f"{_text('diff.css')}\n{_text('record.css')}", _text("diff.js")
    policy = (
        f"default-src 'none'; style-src 'sha256-{_digest(style)}'; "
        f"script-src 'sha256-{_digest(script)}'; img-src data:; frame-ancestors 'none'; "
        "base-uri 'none'; form-action 'none'"
    )
    differences = [
        (leg, _coloured(leg.page.changes), _coloured(leg.page.drawn)) if leg.page else (leg, [], [])
        for leg in page.legs
    ]
    template = _environment().get_template("web/record.html.j2")
    with speaking(OURS, ENGLISH):  # as the page around them; who reads it is not known
        html = template.render(
            page=page,
            legs=differences,
            kinds=_KINDS,
            chart=_inline(chart) if chart and page.chart else "",
            download=download,
            data=data,
            check=check,
            style=Markup(style),  # noqa: S704  # ours, from a file
            script=Markup(script),  # noqa: S704
            policy=policy,
        )
    return Page(html, policy)


def _inline(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


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
            mark="",
            style=Markup(_text("graph.css")),  # noqa: S704
        )
    )


def png(drawn: Picture) -> bytes | None:
    """Return *drawn* as a PNG, at most 3,200 pixels wide and high.

    It is as large as its drawing twice, so that it is sharp on a phone. None where nothing would
    be seen: no font is installed, or it is out of all proportion.
    """
    return raster.png(svg(drawn), zoom=_zoom(drawn))


async def png_apart(drawn: Picture) -> bytes | None:
    """Return what `png` does, drawn by a process of its own, which holds nobody up."""
    return await raster.png_apart(svg(drawn), zoom=_zoom(drawn))


def _zoom(drawn: Picture) -> float:
    return min(_ZOOM, _MOST_PIXELS / max(drawn.width, drawn.height + 44))


def in_words(drawn: Picture) -> str:
    """Return what *drawn* shows, for whoever does not see it; at most 1,000 characters."""
    fates = Counter(box.fate for box in drawn.boxes)
    counts = [f"{fates[fate]} {fate.value}" for fate in Fate if fates[fate]]
    news = [f"{box.title} {box.fate.value}" for box in drawn.boxes if box.fate is not Fate.SAME]
    return f"The workflow's nodes: {', '.join(counts)}. {'; '.join(news)}"[:1000]


@cache
def _environment() -> ImmutableSandboxedEnvironment:
    made = ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(_FOLDERS),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["by_op"] = _by_op
    made.filters["utc"] = _utc
    made.filters["detail"] = as_text
    made.filters["chart_words"] = in_words_of_chart
    made.filters |= {name: _told(said) for name, said in FILTERS.items() if name in _SAID}
    return made


def _told(said: Callable[..., str]) -> Callable[..., Markup]:
    return lambda *args, **named: as_html(said(*args, **named))


def _utc(at: datetime | str) -> Markup:
    moment = at if isinstance(at, datetime) else datetime.fromisoformat(at)
    utc = moment.astimezone(UTC)
    said = f"{utc:%Y-%m-%d %H:%M:%S} UTC"
    return Markup('<time datetime="{}">{}</time>').format(utc.isoformat(), said)


def _by_op(segments: Sequence[Segment]) -> list[tuple[RunOp, list[Segment]]]:
    """Neighbours to which the same happened, together."""
    return [(op, list(some)) for op, some in groupby(segments, lambda segment: segment.op)]


@cache
def _text(name: str) -> str:
    path = next(folder / "web" / name for folder in _FOLDERS if (folder / "web" / name).exists())
    return path.read_text(encoding="utf-8").strip()


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
