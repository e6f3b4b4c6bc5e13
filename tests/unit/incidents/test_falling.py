"""How the figures fall is told for each disturbance, from the same records."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.incidents import falling
from tests.incidents.disturb import DISTURBANCES
from tests.incidents.generating import generate
from tests.incidents.kinds import Mix


def test_each_disturbance_has_its_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "some.jsonl"
    file.write_text("".join(json.dumps(r) + "\n" for r in generate(3, 5, Mix.NATURAL)))
    monkeypatch.setattr(sys, "argv", ["falling", str(file), "--most", "2"])

    assert falling.main() == 0

    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["incidents"] == 2
    assert set(told["figures"]) == {"as recorded", *DISTURBANCES}
    assert all(0 <= found["top1"] <= 1 for found in told["figures"].values())
