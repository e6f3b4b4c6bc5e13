"""What stands for a thing that is not there on one side; null is a value."""

from __future__ import annotations


class Missing:
    """It is not there."""


MISSING = Missing()
