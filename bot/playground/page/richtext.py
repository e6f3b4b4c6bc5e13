"""Rich text as HTML: every text is literal, nothing in it is read as a token."""

from __future__ import annotations

from collections.abc import Callable

from markupsafe import Markup, escape

from bot.playground.page.mrkdwn import link, mention
from bot.playground.page.names import EMOJI, Names
from bot.playground.slack.things import Json

_STYLES = (("code", "code"), ("bold", "strong"), ("italic", "em"), ("strike", "s"))


def rich_text(parts: list[Json], names: Names) -> Markup:
    """Return the elements of a rich_text block as HTML; a part of unknown type is named in red."""
    drawn = "".join(_part(part, names) for part in parts)
    return Markup(drawn)  # noqa: S704  # every leaf escapes its text


def _part(part: Json, names: Names) -> str:
    kind = part.get("type")
    if kind == "rich_text_list":
        tag = "ol" if part.get("style") == "ordered" else "ul"
        items = "".join(f"<li>{_leaves(item, names)}</li>" for item in part.get("elements", []))
        indent = int(part.get("indent", 0))
        return f'<{tag} class="indent-{indent}">{items}</{tag}>'
    tags = {"rich_text_section": "div", "rich_text_quote": "blockquote"}
    if kind == "rich_text_preformatted":
        return f"<pre>{_leaves(part, names)}</pre>"
    if kind in tags:
        return f'<{tags[kind]} class="rich">{_leaves(part, names)}</{tags[kind]}>'
    return f'<div class="broken">Unknown rich text: {escape(str(kind))}</div>'


def _leaves(part: Json, names: Names) -> str:
    return "".join(_leaf(leaf, names) for leaf in part.get("elements", []))


def _leaf(leaf: Json, names: Names) -> str:
    draw = _LEAVES.get(str(leaf.get("type")))
    if draw is None:
        return f'<span class="broken">{escape(str(leaf.get("type")))}</span>'
    shown = draw(leaf, names)
    for style, tag in _STYLES:
        if leaf.get("style", {}).get(style):
            shown = f"<{tag}>{shown}</{tag}>"
    return shown


def _text(leaf: Json, names: Names) -> str:
    return str(escape(leaf["text"]))  # line breaks are kept by the style sheet


def _link(leaf: Json, names: Names) -> str:
    return link(leaf["url"], leaf.get("text", ""), names)


def _emoji(leaf: Json, names: Names) -> str:
    return str(escape(EMOJI.get(leaf["name"], f":{leaf['name']}:")))


def _date(leaf: Json, names: Names) -> str:
    shown = names.date(leaf["timestamp"], leaf["format"]) or leaf.get("fallback", "")
    return f"<time>{escape(shown)}</time>"


_LEAVES: dict[str, Callable[[Json, Names], str]] = {
    "text": _text,
    "link": _link,
    "emoji": _emoji,
    "date": _date,
    "user": lambda leaf, names: mention(f"@{names.user(leaf['user_id'])}"),
    "usergroup": lambda leaf, names: mention(f"@{names.group(leaf['usergroup_id'])}"),
    "channel": lambda leaf, names: mention(f"#{names.channel(leaf['channel_id'])}"),
    "broadcast": lambda leaf, names: mention(f"@{leaf['range']}", "broadcast"),
    "team": lambda leaf, names: mention("@team"),
    "color": lambda leaf, names: str(escape(leaf["value"])),
}
