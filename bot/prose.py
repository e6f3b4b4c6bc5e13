"""Sentences of the catalogue as HTML: the few forms of our own mrkdwn, and literal text.

The catalogue has escaped what people wrote, so each form here is one that a template made.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from markupsafe import Markup, escape

_JOINER: Final = "\u2060"  # stands before a character that is meant as itself
_FORMS: Final = re.compile(
    rf"<!date\^(?P<unix>\d{{1,12}})\^[^|<>]*\|(?P<told>[^<>]*)>"
    r"|<(?:@|!subteam\^)(?P<person>[A-Z0-9]{1,40})>"
    r"|<[^|<>]*\|(?P<label>[^<>]*)>"
    r"|`(?P<code>[^`\n]*)`"
    rf"|(?<!{_JOINER})\*(?P<bold>[^*\n]+?)(?<!{_JOINER})\*"
    r"|:(?P<emoji>[a-z_]{3,40}): ?"
    r"|(?P<line>\n)"
)
_NOTHING: Final = Markup("")  # a sign that is a picture alone
_SHAPES: Final = {
    "person": Markup('<span class="who">{}</span>'),
    "code": Markup("<code>{}</code>"),
    "bold": Markup("<strong>{}</strong>"),
    "label": Markup("{}"),
    "line": Markup("<br>"),
}


def as_html(sentence: object) -> Markup:
    """Return a *sentence* of the catalogue as HTML. Signs that are pictures alone are left out."""
    text, at = str(sentence), 0
    made = Markup()
    for found in _FORMS.finditer(text):
        made += _literal(text[at : found.start()]) + _form(found)
        at = found.end()
    return (made + _literal(text[at:])).strip()


def _form(found: re.Match[str]) -> Markup:
    kind = found.lastgroup or ""
    if kind == "told":
        moment = datetime.fromtimestamp(int(found["unix"]), UTC).isoformat()
        return Markup('<time datetime="{}">{}</time>').format(moment, _literal(found["told"]))
    return _SHAPES.get(kind, _NOTHING).format(_literal(found[kind] or ""))


def _literal(text: str) -> Markup:
    """*text* with Slack's three escapes, as text."""
    plain = text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    return escape(plain.replace(_JOINER, ""))
