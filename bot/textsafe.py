"""Foreign text made safe for Slack; pure. Sizes count characters as sent.

Slack reads `<…>` in mrkdwn as mentions and links and knows three escapes
(docs.slack.dev/messaging/formatting-message-text); plain_text and rich_text are literal.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

_WORD_JOINER: Final = "\u2060"  # before a formatting character it keeps it a character
_FORMATTING: Final = re.compile(r"([*_~`])")
_EMOJI: Final = re.compile(r":(?=[a-z0-9_+'-]+:)")  # the sign of an end is ours to set
_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_USER: Final = re.compile(r"[UW][A-Z0-9]{7,30}")
_GROUP: Final = re.compile(r"S[A-Z0-9]{7,30}")
_LINK: Final = re.compile(r"(?:https://|http://(?:127\.0\.0\.1|localhost)[:/])[^\s|<>\"`]{1,2000}")


def clean(value: object, n: int = 300) -> str:
    """Return *value* as at most *n* visible characters; newlines and tabs stay.

    Control, bidi, zero-width and unassigned characters, line separators and lone surrogates
    are left out, so nothing reorders or hides what people read. In NFC.
    """
    text = unicodedata.normalize("NFC", str(value)[: 4 * n + 64])
    if not text.isprintable():
        text = "".join(map(_shown, text))
    return text if len(text) <= n else text[: n - 1] + "…"


def _shown(char: str) -> str:
    if char in "\n\t":
        return char
    kind = unicodedata.category(char)
    if kind in {"Zl", "Zp"} or char in "\r\x85\x0b\x0c":
        return " "
    return "" if kind in _HIDDEN else char


def visible(value: object, n: int = 300) -> str:
    """Return *value* on one line with hidden characters as marks, at most *n* characters.

    For differences: a change that is only a hidden character must still be seen.
    """
    text = unicodedata.normalize("NFC", str(value)[: n + 1])
    marked = text if text.isprintable() else "".join(map(_marked, text))
    return marked if len(marked) <= n else marked[: n - 1] + "…"


def _marked(char: str) -> str:
    if char.isprintable():
        return char
    if char < " ":
        return " " if char == "\t" else "⏎" if char == "\n" else chr(0x2400 + ord(char))
    return " " if unicodedata.category(char) == "Zs" else f"⟨U+{ord(char):04X}⟩"


def one_line(value: object, n: int = 300) -> str:
    """Return `clean` text on a single line."""
    return " ".join(clean(value, n).split())


def esc(value: object) -> str:
    """Return *value* with Slack's three escapes."""
    return str(value).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def mrkdwn(value: object, n: int = 300) -> str:
    """Return *value* as literal one-line mrkdwn: no mention, link, format or emoji comes of it.

    At most *n* characters are sent, the word joiners before formatting characters included;
    no entity is cut.
    """
    text = _EMOJI.sub(f":{_WORD_JOINER}", one_line(value, n))
    return _within(text, n, lambda c: _FORMATTING.sub(rf"{_WORD_JOINER}\1", esc(c)))


def code(value: object, n: int = 300) -> str:
    """Return *value* as a code span of at most *n* characters; an empty one is a dash."""
    inside = _within(one_line(value, n).replace("`", "ʼ"), n - 2, esc)
    return f"`{inside or '–'}`"


def _within(text: str, n: int, sent: Callable[[str], str]) -> str:
    out: list[str] = []
    size = 0
    for index, char in enumerate(text):
        piece = sent(char)
        last = index == len(text) - 1
        if size + len(piece) > n - (0 if last else 1):
            return "".join(out) + "…"
        size += len(piece)
        out.append(piece)
    return "".join(out)


def mention(slack_id: object) -> str:
    """Return the mention of a person by a well-formed Slack id; anything else as code."""
    text = str(slack_id)
    return f"<@{text}>" if _USER.fullmatch(text) else code(text, 40)


def reviewer(slack_id: object) -> str:
    """Return the mention of a user group or a person."""
    text = str(slack_id)
    return f"<!subteam^{text}>" if _GROUP.fullmatch(text) else mention(text)


def link(url: object, label: str) -> str:
    """Return a link with our own *label* to an https (or loopback) *url*; else the label."""
    text = str(url)
    return f"<{text.replace('&', '&amp;')}|{label}>" if _LINK.fullmatch(text) else label


def when(value: object) -> str:
    """Return a time (aware datetime or ISO 8601) that Slack shows in the reader's zone."""
    moment = _moment(value)
    fallback = moment.strftime("%Y-%m-%d %H:%M UTC")
    return f"<!date^{int(moment.timestamp())}^{{date_short_pretty}} {{time}}|{fallback}>"


def clock_time(value: object) -> str:
    """Return the time of day alone, in the reader's zone."""
    moment = _moment(value)
    return f"<!date^{int(moment.timestamp())}^{{time}}|{moment.strftime('%H:%M UTC')}>"


def utc(value: object) -> str:
    """Return a time for plain_text, where Slack shows nobody their own zone."""
    return f"{_moment(value):%-d %b %Y, %H:%M} UTC"


def utc_by_numbers(value: object) -> str:
    """Return the same for those who do not read the names of months."""
    return f"{_moment(value):%Y-%m-%d %H:%M} UTC"


def tick(value: object) -> str:
    """Return the time of day to the second, in the reader's zone."""
    moment = _moment(value)
    fallback = moment.strftime("%H:%M:%S UTC")
    return f"<!date^{int(moment.timestamp())}^{{time_secs}}|{fallback}>"


_TOKEN: Final = re.compile(r"<[^<>|]*\|([^<>]*)>|<[@!]?([^<>]*)>")


def plain(sentence: str) -> str:
    """Return a *sentence* of our own mrkdwn as text for a terminal or a file."""
    text = _TOKEN.sub(lambda found: found[1] or found[2], sentence)
    text = text.replace(_WORD_JOINER, "").replace("`", "")
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _moment(value: object) -> datetime:
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    if moment.tzinfo is None:
        raise ValueError("a time without a zone")
    return moment.astimezone(UTC)


def told(value: object, n: int = 600) -> str:
    """Return a sentence that is mrkdwn already, with any live `<…>` token taken out of it.

    For sentences made by the program that may quote what somebody typed: `&lt;` stays as it
    is, a bare `<` or `>` becomes text.
    """
    return clean(value, n).strip().replace("<", "&lt;").replace(">", "&gt;")
