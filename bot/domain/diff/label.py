"""How a change is called and how its values read as text."""

from __future__ import annotations

import json
from unicodedata import category

from bot.domain.diff.changes import Change, ChangeOp, Note
from store.records import Json

_CALLED = {"prompt_template": "prompt", "agent_parameters": "parameter", "tool_parameters": "input"}
_SILENT = frozenset({"completion_params", "text", "data", "code"})


def label(change: Change) -> str:
    """Return the place inside the thing that changed, in words: "model name", "prompt 2"."""
    steps = change.where.split("/")[2:]
    spoken = [_CALLED.get(step, step) for step in steps if step not in _SILENT]
    words = " ".join(spoken or steps)[:120]
    return f"{words} (format only)".strip() if change.note is Note.FORMAT_ONLY else words


def texts(change: Change) -> tuple[str, str]:
    """Return both values as text: a string as it is, anything else as indented JSON.

    "" stands for what is not there.
    """
    before, after = change.before, change.after
    if change.op is ChangeOp.MOVED and isinstance(before, int) and isinstance(after, int):
        return f"place {before}", f"place {after}"
    both = isinstance(before, str) and isinstance(after, str)
    plain = both or None in (before, after)
    return _text(before, plain), _text(after, plain)


def _text(value: Json, plain: bool) -> str:
    if value is None and plain:
        return ""
    if isinstance(value, str) and plain:
        return value
    return json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True)


def visible(line: str) -> str:
    """Return *line* with characters that would hide or reorder text spelled out.

    Spaces of all widths stay as they are.
    """
    if line.isprintable():
        return line
    return "".join(map(_shown, line))


def _shown(char: str) -> str:
    if char.isprintable() or char == "\t" or category(char) == "Zs":
        return char
    return f"⟨U+{ord(char):04X}⟩"


def clip(text: str, width: int) -> str:
    """Return *text* on one line of at most *width* characters."""
    line = visible(" ".join(text.split()))
    return line if len(line) <= width else line[: width - 1] + "…"
