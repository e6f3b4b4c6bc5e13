"""`keyturn demo --headless`: the whole story told, by each of Slack's two ways in."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.demo.headless import tell
from bot.demo.stage import set_up


@pytest.mark.parametrize("transport", ["http", "socket"])
async def test_the_story_ends_well(tmp_path: Path, transport: str) -> None:
    said: list[str] = []
    async with set_up(tmp_path, socket=transport == "socket") as stage:
        report = await tell(stage, said.append)

    cards = repr(stage.slack.state.everything())
    assert "Of 24 runs of support-triage@prod v7, 18 failed; of 180 before it, 2 did." in cards
    assert (report.status, report.transport) == ("completed", transport)
    assert report.recovery == "recovered"
    assert report.seconds_verified_to_recovered is not None
    assert any("Socket Mode" in line for line in said) == (transport == "socket")
