"""A folder of a team's own templates: read with the settings, named mistake by mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.config.load import load
from bot.config.settings import Settings
from bot.config.templates import ours
from bot.errors import ConfigurationWrong

REJECT = "reject.json.j2"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "keyturn.toml").write_text('[slack]\ntemplates = "mine"\n', encoding="utf-8")
    (tmp_path / "mine" / "words").mkdir(parents=True)
    return tmp_path / "mine"


def loaded(folder: Path) -> Settings:
    return load({}, path=folder.parent / "keyturn.toml")


def problems(folder: Path) -> list[str]:
    with pytest.raises(ConfigurationWrong) as wrong:
        loaded(folder)
    return list(wrong.value.problems)


def a_copy(folder: Path, name: str = REJECT, **changes: str) -> None:
    text = ours()[f"slack/{name}"].read_text(encoding="utf-8")
    for old, new in changes.items():
        text = text.replace(old, new)
    (folder / name).write_text(text, encoding="utf-8")


def test_an_empty_folder_changes_nothing(folder: Path) -> None:
    assert loaded(folder).slack.templates == {}


def test_a_template_takes_the_place_of_ours(folder: Path) -> None:
    a_copy(folder, Reject="Refuse")

    settings = loaded(folder)

    assert list(settings.slack.templates) == [f"slack/{REJECT}"]
    assert "Refuse" in settings.slack.templates[f"slack/{REJECT}"]
    assert settings.notices == ()


def test_one_that_breaks_is_left_out_and_said(folder: Path) -> None:
    a_copy(folder, metadata="secret_sauce")

    settings = loaded(folder)

    assert settings.slack.templates == {}
    (notice,) = settings.notices
    assert notice.startswith(f"slack.templates: {REJECT} is not used, Keyturn's own is: ")


def test_a_folder_that_is_not_there_is_a_mistake(folder: Path) -> None:
    (folder / "words").rmdir()
    folder.rmdir()

    assert problems(folder) == [f"slack.templates: there is no folder {folder}"]


def test_a_name_that_is_none_of_ours_is_a_mistake_with_the_nearest(folder: Path) -> None:
    (folder / "rejct.json.j2").write_text("{}", encoding="utf-8")
    (folder / "words" / "zebra.j2").write_text("", encoding="utf-8")

    first, second = problems(folder)

    assert first.endswith(f"takes no template's place; did you mean {REJECT}?")
    assert "words/zebra.j2 takes no template's place" in second


@pytest.mark.parametrize(
    ("content", "said"), [(b"\xff", "is not UTF-8 text"), (b"x" * (2**18 + 1), "is too large")]
)
def test_what_cannot_be_read_is_a_mistake(folder: Path, content: bytes, said: str) -> None:
    (folder / REJECT).write_bytes(content)

    assert said in problems(folder)[0]
