"""Messages as they were looked at and found right, one file a kind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bot.blockkit import message_problems, view_problems
from bot.render import Message
from bot.samples.drawn import samples

FOLDER = Path(__file__).parent
SAMPLES = samples()
KINDS: dict[str, list[str]] = {}
for _name in sorted(SAMPLES):
    KINDS.setdefault(_name.partition("/")[0], []).append(_name)


def drawn(name: str) -> dict[str, Any]:
    """What Slack is sent, of whose form it can have nothing to say."""
    made = SAMPLES[name]()
    if isinstance(made, Message):
        sent = {"text": made.text, "blocks": made.blocks}
        assert message_problems(sent) == []
        return sent
    assert view_problems(made) == []
    return made


def golden(kind: str) -> dict[str, Any]:
    """What was kept of *kind*, by name."""
    loaded: dict[str, Any] = json.loads(_file(kind).read_text(encoding="utf-8"))
    return loaded


def write(kind: str) -> None:
    """Keep what is drawn now."""
    made = {name: drawn(name) for name in KINDS[kind]}
    text = json.dumps(made, indent=1, ensure_ascii=False) + "\n"
    _file(kind).write_text(text, encoding="utf-8")


def _file(kind: str) -> Path:
    return FOLDER / f"{kind}.json"
