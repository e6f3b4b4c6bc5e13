"""Slack's mrkdwn as HTML, with Slack's own order: code, then <tokens>, then entities, once.

An escaped `&lt;!channel&gt;` is text and stays text: entities are decoded after the tokens were
found, and never read again (https://docs.slack.dev/messaging/formatting-message-text).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from urllib.parse import urlsplit

from markupsafe import Markup, escape

from bot.playground.page.names import EMOJI, Names

_HOLD, _HELD = "\ue000", re.compile("\ue000(\\d+)\ue001")
_FENCE = re.compile(r"```\n?(.+?)\n?```", re.DOTALL)
_CODE = re.compile(r"(?<![\u2060`])`([^`\n]+?)`(?!`)")
_TOKEN = re.compile(r"<([^<>\n]+)>")
_BARE_URL = re.compile(
    r"(?<![\w/])(https?://(?:(?!&[lg]t;)[^\s<>|\ue000\ue001])+(?<![.,;:!?)\"']))"
)
_EMOJI = re.compile(r":([a-z0-9_+\-]+):")
_PAIR = re.compile(r"<(strong|em|s)>[^<]*</\1>")
_QUOTE = re.compile(r"(?:&gt;|>) ?(.*)")
# A word joiner (U+2060) beside the sign is how its formatting is switched off.
_FORMATS = tuple(
    (re.compile(rf"(?<![\w{sign}\u2060]){sign}(?=[^\s\u2060])([^{sign}\n]*?[^\s{sign}\u2060])"
                rf"{sign}(?![\w{sign}])"), tag)
    for sign, tag in ((r"\*", "strong"), ("_", "em"), ("~", "s"))
)  # fmt: skip


def mrkdwn(text: str, names: Names, *, verbatim: bool = False) -> Markup:
    """Return *text* as HTML; with *verbatim* bare addresses stay text, as in Slack."""
    held: list[str] = []

    def hold(markup: str) -> str:
        held.append(markup)
        return f"{_HOLD}{len(held) - 1}\ue001"

    text = text.replace(_HOLD, "").replace("\ue001", "").replace("\r\n", "\n")
    text = _FENCE.sub(lambda m: hold(f"<pre>{_literal(m[1])}</pre>"), text)
    text = _CODE.sub(lambda m: hold(f"<code>{_literal(m[1])}</code>"), text)
    text = _TOKEN.sub(lambda m: hold(_token(m[1], names)), text)
    if not verbatim:
        text = _BARE_URL.sub(lambda m: hold(link(_decode(m[1]), "", names)), text)
    lines = _lines(text)
    return Markup(_put_back(lines, held))  # noqa: S704  # every part was escaped above


def plain(text: str, *, emoji: bool = True) -> Markup:
    """Return *text* literally, with line breaks and, in a plain_text object, emoji names."""
    shown = str(escape(text))
    if emoji:
        shown = _EMOJI.sub(lambda m: EMOJI.get(m[1], m[0]), shown)
    return Markup(shown.replace("\n", "<br>"))  # noqa: S704  # escaped two lines above


def link(url: str, label: str, names: Names) -> str:
    """Return *url* as a link where its scheme allows it, else its text; all escaped."""
    shown = escape(label or url)
    if urlsplit_safe(url) not in {"http", "https", "mailto"}:
        return str(shown)
    if url.startswith(names.own_links):
        return f'<a href="{escape(anchor(url))}">{shown}</a>'
    return f'<a href="{escape(url)}" target="_blank" rel="noopener noreferrer">{shown}</a>'


def anchor(url: str) -> str:
    """The place on the page that a permalink of this workspace leads to."""
    stamp = re.sub(r"\D", "", url.partition("?")[0].rpartition("/p")[2])
    return f"#m-{stamp}"


def urlsplit_safe(url: str) -> str:
    """The scheme of *url*; "" when it is no address."""
    try:
        return urlsplit(url).scheme.lower()
    except ValueError:
        return ""


def _literal(text: str) -> str:
    """Escaped text: Slack's three entities are decoded once, then HTML's own are written."""
    return str(escape(_decode(text)))


def _decode(text: str) -> str:
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _lines(text: str) -> str:
    out: list[str] = []
    quoted = False
    for line in text.split("\n"):
        quote = _QUOTE.fullmatch(line)
        body = _inline(quote[1] if quote else line)
        if quote:
            out.append(body + "<br>" if quoted else "<blockquote>" + body + "<br>")
        else:
            out.append(("</blockquote>" if quoted else "") + body + "<br>")
        quoted = quote is not None
    return "".join(out).removesuffix("<br>") + ("</blockquote>" if quoted else "")


def _inline(line: str) -> str:
    shown = str(escape(_decode(line)))
    for pattern, tag in _FORMATS:
        shown = pattern.sub(partial(_wrapped, tag), shown)
    return _EMOJI.sub(lambda m: EMOJI.get(m[1], m[0]), shown)


def _wrapped(tag: str, found: re.Match[str]) -> str:
    """What was found within *tag*, unless that would cross another tag."""
    rest = found[1]
    while (less := _PAIR.sub("", rest)) != rest:
        rest = less
    return found[0] if "<" in rest else f"<{tag}>{found[1]}</{tag}>"


def _put_back(text: str, held: list[str]) -> str:
    """Replace the placeholders; a code span may stand inside a token's label."""
    while _HELD.search(text):
        text = _HELD.sub(lambda m: held[int(m[1])], text)
    return text


# -- <tokens> ---------------------------------------------------------------------------------


def _token(inside: str, names: Names) -> str:
    target, _, label = inside.partition("|")
    for form, show in _TOKENS:
        if found := form.fullmatch(target):
            return show(found[1], _decode(label), names)
    if urlsplit_safe(_decode(target)) in {"http", "https", "mailto"}:
        return link(_decode(target), _decode(label), names)
    return str(escape(f"<{_decode(inside)}>"))


def mention(text: str, kind: str = "") -> str:
    """A live mention, escaped."""
    return f'<span class="mention {kind}">{escape(text)}</span>'


def _user(target: str, label: str, names: Names) -> str:
    return mention(f"@{names.user(target)}")


def _channel(target: str, label: str, names: Names) -> str:
    return mention(f"#{label or names.channel(target)}")


def _subteam(target: str, label: str, names: Names) -> str:
    return mention(f"@{names.group(target)}")


def _date(target: str, label: str, names: Names) -> str:
    seconds, _, rest = target.partition("^")
    form, _, url = rest.partition("^")
    shown = names.date(float(seconds), form) if re.fullmatch(r"\d{1,15}", seconds) else ""
    if url:
        return link(url, shown or label, names)
    return f'<time title="{escape(label)}">{escape(shown or label)}</time>'


def _special(target: str, label: str, names: Names) -> str:
    if target in {"here", "channel", "everyone"}:
        return mention(f"@{target}", "broadcast")
    return str(escape(label or f"<!{target}>"))


_TOKENS: tuple[tuple[re.Pattern[str], Callable[[str, str, Names], str]], ...] = (
    (re.compile(r"@([UW][A-Z0-9]+)"), _user),
    (re.compile(r"#(C[A-Z0-9]+)"), _channel),
    (re.compile(r"!subteam\^(S[A-Z0-9]+)"), _subteam),
    (re.compile(r"!date\^(.+)"), _date),
    (re.compile(r"!(.+)"), _special),
)
