"""Many messages, dialogs and App Homes on one page, as Slack draws them; nothing is pressed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from bot.blockkit import Problem, message_problems, view_problems
from bot.playground.page import drawing, feed
from bot.playground.page.names import Names
from bot.playground.slack.things import Json


@dataclass(frozen=True)
class Shown:
    """One of them; `title`, `submit` and `close` are text objects of a dialog, or None."""

    id: str
    name: str
    text: str
    blocks: list[Json]
    broken: tuple[Problem, ...]
    title: Json | None = None
    submit: Json | None = None
    close: Json | None = None
    errors: dict[str, str] = field(default_factory=dict)
    values: Json = field(default_factory=dict)


@dataclass(frozen=True)
class Group:
    """Those of one kind."""

    name: str
    shown: Sequence[Shown]


def gallery(title: str, items: Iterable[tuple[str, Json]], names: Names) -> str:
    """Return the page of *items*: a name, as `card/APPROVED`, and what Slack would be sent.

    A message is `{text, blocks}`, anything with a `type` is a view. What breaks Slack's rules
    stands in red, with the rule. The page is whole in itself and loads nothing.
    """
    groups: dict[str, list[Shown]] = {}
    for name, sent in items:
        kind, _, rest = name.partition("/")
        groups.setdefault(kind, []).append(_shown(kind, rest, sent))
    style = (drawing.folder() / "page.css").read_text(encoding="utf-8")
    return (
        drawing.environment()
        .get_template("gallery.html.j2")
        .render(
            title=title,
            groups=[Group(kind, shown) for kind, shown in groups.items()],
            style=Markup(style),  # noqa: S704  # ours
            **drawing.bound_to(names),
        )
    )


def _shown(kind: str, name: str, sent: Json) -> Shown:
    modal = "type" in sent
    broken = tuple(view_problems(sent) if modal else message_problems(sent))
    return Shown(
        id=f"{kind}-{name}",
        name=name.replace("_", " ").replace(".", ": "),
        text=str(sent.get("text", "")),
        blocks=feed.drawable(sent.get("blocks", []), broken),
        broken=broken,
        title=sent.get("title"),
        submit=sent.get("submit"),
        close=sent.get("close"),
    )
