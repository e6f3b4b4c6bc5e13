"""The names that a tag may have: none that reads as a version, or as another word of a command."""

from __future__ import annotations

import re
from typing import Final

TAG: Final = re.compile(r"(?!v?[0-9]+$)[a-z0-9][a-z0-9._-]{0,31}")
RULE: Final = (
    "a tag has 1 to 32 small letters, digits, dots, dashes and underscores, begins with a letter "
    "or digit, and is no number and none of: live, newest, latest, page"
)
_TAKEN = frozenset({"live", "newest", "latest", "page"})


def is_tag(word: str) -> bool:
    """Return whether *word* may name a tag; capital letters may not."""
    return TAG.fullmatch(word) is not None and word not in _TAKEN
