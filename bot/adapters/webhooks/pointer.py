"""Where something stands in a body: a JSON pointer, or a text that is always the same.

https://www.rfc-editor.org/rfc/rfc6901
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from store.records import Json

_WHOLE = "#"  # as in the fragment of an address: from the top of the body
_BAD_ESCAPE = re.compile(r"~(?![01])")
_INDEX = re.compile(r"0|[1-9][0-9]{0,5}", re.ASCII)
MISSING = object()


@dataclass(frozen=True)
class Pointer:
    """A way to a value: from the alert, or, if `whole`, from the top of the body."""

    steps: tuple[str, ...]
    whole: bool = False

    def __str__(self) -> str:
        steps = (step.replace("~", "~0").replace("/", "~1") for step in self.steps)
        return (_WHOLE if self.whole else "") + "".join(f"/{step}" for step in steps)

    def find(self, alert: Json, body: Json) -> object:
        """What stands there; `MISSING` for nothing."""
        here = body if self.whole else alert
        for step in self.steps:
            if isinstance(here, dict) and step in here:
                here = here[step]
            elif isinstance(here, list) and _INDEX.fullmatch(step) and int(step) < len(here):
                here = here[int(step)]
            else:
                return MISSING
        return here


@dataclass(frozen=True)
class Constant:
    """The same text in every body."""

    text: str


Place = Pointer | Constant


def place(text: str) -> Place:
    """Read `/labels/app`, `#/status` (from the top of the body), or a text that is meant as it is.

    ValueError, in words for who wrote it, for a pointer that leads nowhere.
    """
    if not text.startswith(("/", f"{_WHOLE}/")) and text != _WHOLE:
        return Constant(text)
    if _BAD_ESCAPE.search(text):
        raise ValueError('a "~" in a pointer is written "~0", and a "/" in a name "~1"')
    whole = text.startswith(_WHOLE)
    _, *steps = text.removeprefix(_WHOLE).split("/") if text != _WHOLE else [""]
    unescaped = (step.replace("~1", "/").replace("~0", "~") for step in steps)
    return Pointer(tuple(unescaped), whole)
