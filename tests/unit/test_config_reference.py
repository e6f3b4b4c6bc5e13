"""The README's configuration table is the one that the settings make."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.config.reference import REFRESH, reference_table, refreshed

README = Path(__file__).parents[2] / "README.md"


def test_the_readme_holds_the_reference_as_the_settings_make_it() -> None:
    readme = README.read_text(encoding="utf-8")

    assert refreshed(readme) == readme, f"run `{REFRESH}`"


def test_a_readme_without_the_markers_is_refused() -> None:
    with pytest.raises(ValueError, match="settings:start"):
        refreshed("# nothing here")


def test_the_reference_names_every_kind_of_setting() -> None:
    table = reference_table()

    assert "| `PORT` | `3000` |" in table
    assert "also as `SLACK_BOT_TOKEN_FILE`" in table
    assert "| `policy.ENV.open_for` | `30m` |" in table
    assert "| `app.NAME.environments.ENV.id` | required |" in table
    assert "| `alerts.for` | `5m` |" in table
    assert "FAILPOINT" not in table
