"""The document about the audit chain shows what its commands print."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from tests.acceptance.audit_document import DOCUMENT, TOOLS, a_week, refreshed


async def test_every_command_of_the_document_prints_what_stands_below_it(tmp_path: Path) -> None:
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    await a_week(tmp_path)
    text = DOCUMENT.read_text(encoding="utf-8")

    again = await asyncio.to_thread(refreshed, text, tmp_path)

    assert again == text, "run `python -m tests.acceptance.audit_document`"
