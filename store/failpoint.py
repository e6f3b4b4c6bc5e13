"""Named points where tests kill, stop or fail the process; in production they do nothing.

Nothing here reads the environment: `arm` is called once by the composition root.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable


class Failed(RuntimeError):
    """A failpoint was armed to fail here."""


def _fail() -> None:
    raise Failed("failpoint")


_ACTIONS: dict[str, Callable[[], None]] = {
    "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "stop": lambda: os.kill(os.getpid(), signal.SIGSTOP),
    "exit": lambda: os._exit(1),
    "raise": _fail,
    "sleep": lambda: time.sleep(5),
}
_armed: dict[str, Callable[[], None]] = {}


def arm(spec: str) -> None:
    """Arm `name=action` (kill, stop, exit, raise, sleep); an empty *spec* disarms everything.

    Raises:
        ValueError: The action is unknown or the name is missing.
    """
    _armed.clear()
    if not spec:
        return
    name, equals, action = spec.partition("=")
    if not name or not equals or action not in _ACTIONS:
        raise ValueError(f"failpoint {spec!r}: want NAME={'|'.join(_ACTIONS)}")
    _armed[name] = _ACTIONS[action]


def fp(name: str) -> None:
    """Do here what was armed for *name*; nothing otherwise."""
    action = _armed.get(name)
    if action is not None:
        action()
