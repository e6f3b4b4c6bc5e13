"""The page's templates with autoescape on, and what they need to draw Block Kit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from bot.playground.page.mrkdwn import anchor, mrkdwn, plain, urlsplit_safe
from bot.playground.page.names import Names
from bot.playground.page.richtext import rich_text
from bot.playground.slack.things import Json

_HERE = Path(__file__).resolve()
# The wheel carries the templates inside the package; a checkout keeps them beside it.
_PLACES = [
    _HERE.parents[2] / "templates" / "playground",
    _HERE.parents[3] / "templates" / "playground",
]


@cache
def environment() -> Environment:
    """Return the environment of the page's templates; one, for compiling them takes a while."""
    env = Environment(
        loader=FileSystemLoader([place for place in _PLACES if place.is_dir()]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters["scheme"] = urlsplit_safe
    env.filters["anchor"] = anchor
    return env


def folder() -> Path:
    """Where the page's style sheet and script lie."""
    return next(place for place in _PLACES if place.is_dir())


def safe(fragments: Mapping[str, str]) -> dict[str, Markup]:
    """Mark fragments that this environment drew as HTML, for the page around them."""
    return {name: Markup(html) for name, html in fragments.items()}  # noqa: S704  # drawn above


def bound_to(names: Names) -> dict[str, Callable[..., object]]:
    """The functions that templates draw with, where *names* says who is who."""

    def words(text: Json) -> Markup:
        """A text object, plain_text or mrkdwn."""
        if text.get("type") == "mrkdwn":
            return mrkdwn(text["text"], names, verbatim=bool(text.get("verbatim")))
        return plain(text["text"], emoji=text.get("emoji", True) is not False)

    return {
        "words": words,
        "sentence": lambda text: mrkdwn(text, names),
        "rich": lambda parts: rich_text(parts, names),
        "picked": _picked,
        "written": _written,
    }


def _picked(element: Json, block_id: str, shown: object) -> Json | None:
    """The option that is chosen in *element* of the modal *shown*; None for none."""
    held = _held(element, block_id, shown)
    chosen: Json | None = held.get("selected_option") or element.get("initial_option")
    return chosen


def _written(element: Json, block_id: str, shown: object) -> str:
    """What stands in the text field *element* of the modal *shown*."""
    held = _held(element, block_id, shown)
    return str(held.get("value") or element.get("initial_value") or "")


def _held(element: Json, block_id: str, shown: object) -> Json:
    """What Slack keeps of *element*; nothing in a message, which keeps nothing here."""
    values: Json = getattr(shown, "values", {})
    held: Json = values.get(block_id, {}).get(element.get("action_id"), {})
    return held
