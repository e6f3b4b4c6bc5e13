"""Programs that are not Python's, as the development group or the system installs them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


def program(name: str) -> str:
    """Where *name* is, beside this Python first; the test is skipped where it is not."""
    folders = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    found = shutil.which(name, path=folders)
    if found is None:
        pytest.skip(f"no program called {name} is installed")
    return found


def run(name: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run *name* to its end; what it says is text."""
    command = [program(name), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)
