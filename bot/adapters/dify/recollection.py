"""Workflows that were answered before, known again by the bytes of the answer.

Most reads bring what was read the last time. To know that takes one hash of the answer, a
fraction of what reading it takes; the content is read when somebody asks for it.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from bot.adapters.dify.transport import Answer
from bot.ports.target import TargetDraft, TargetVersion
from store.document import Document
from store.records import Json

MOST = 10_000  # answers, about a kilobyte each

Told = TypeVar("Told", TargetVersion, TargetDraft)
Form = Callable[[Json], Told | None]


@dataclass(frozen=True)
class _Known:
    """What an answer told, without its content."""

    make: Callable[..., Any]
    facts: dict[str, Any]
    mode: str
    root: str
    meaning: str


class Recollection:
    """What answers said, by what they were asked for and their SHA-256; the last ones are kept."""

    def __init__(self, *, most: int = MOST) -> None:
        self._most = most
        self._known: OrderedDict[tuple[str, bytes], _Known] = OrderedDict()
        self._lock = threading.Lock()  # large answers are read off the event loop

    def understood(self, answer: Answer, form: Form[Told], *, asked: str) -> Told | None:
        """Return what *form* makes of *answer*; its document has its roots already.

        The content of one that came before is made by *form* when it is first asked for; until
        then the document holds on to the answer. *asked* names the question and all that *form*
        depends on.

        Raises:
            As `Answer.read`.
        """
        answer.check()
        key = (asked, hashlib.sha256(answer.body).digest())
        with self._lock:
            known = self._known.get(key)
            if known is not None:
                self._known.move_to_end(key)
        if known is None:
            return self._read(answer, form, key)
        document = Document.recalled(
            known.mode, known.root, known.meaning, lambda: _content(answer, form)
        )
        told: Told = known.make(**known.facts, document=document)
        return told

    def _read(self, answer: Answer, form: Form[Told], key: tuple[str, bytes]) -> Told | None:
        told = answer.read(form)
        if told is None:
            return None
        of = told.document
        names = (one.name for one in fields(told) if one.name != "document")
        facts = {name: getattr(told, name) for name in names}
        with self._lock:
            self._known[key] = _Known(type(told), facts, of.mode, of.root, of.meaning)
            while len(self._known) > self._most:
                self._known.popitem(last=False)
        return told


def _content(answer: Answer, form: Form[Told]) -> Mapping[str, Json]:
    told = answer.read(form)
    assert told is not None  # noqa: S101  # the same bytes told something before
    return told.document.content
