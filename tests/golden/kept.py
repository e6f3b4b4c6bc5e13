"""Messages as they were looked at and found right, one file a kind and language."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bot.blockkit import message_problems, view_problems
from bot.language import CHINESE, ENGLISH
from bot.render import Message
from bot.samples.drawn import samples
from bot.voice import Voice, speaking

FOLDER = Path(__file__).parent
FOLDERS = {ENGLISH: FOLDER, CHINESE: FOLDER / "zh_Hans"}
VOICES = {language: Voice(language=language) for language in FOLDERS}
SAMPLES = samples()
KINDS: dict[str, list[str]] = {}
for _name in sorted(SAMPLES):
    KINDS.setdefault(_name.partition("/")[0], []).append(_name)


def drawn(name: str, language: str = ENGLISH) -> dict[str, Any]:
    """What Slack is sent, of whose form it can have nothing to say."""
    with speaking(VOICES[language]):
        made = SAMPLES[name]()
    if isinstance(made, Message):
        sent = {"text": made.text, "blocks": made.blocks}
        assert message_problems(sent) == []
        return sent
    assert view_problems(made) == []
    return made


def golden(kind: str, language: str = ENGLISH) -> dict[str, Any]:
    """What was kept of *kind*, by name."""
    loaded: dict[str, Any] = json.loads(_file(kind, language).read_text(encoding="utf-8"))
    return loaded


def write(kind: str, language: str) -> None:
    """Keep what is drawn now."""
    made = {name: drawn(name, language) for name in KINDS[kind]}
    text = json.dumps(made, indent=1, ensure_ascii=False) + "\n"
    FOLDERS[language].mkdir(exist_ok=True)
    _file(kind, language).write_text(text, encoding="utf-8")


def _file(kind: str, language: str) -> Path:
    return FOLDERS[language] / f"{kind}.json"
