"""The admin key instead of an account: one source, a workspace, and no account beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.config.load import load
from bot.config.settings import Settings
from bot.errors import ConfigurationWrong

KEY = "geheim-geheim-geheim"
WORKSPACE = "80e30413-b27c-4dce-af67-c60f9addf802"
GOOD = f"""
[dify.prod]
url = "https://dify.example.com"
admin_key_env = "DIFY_KEY"
workspace = "{WORKSPACE}"
"""


def read(folder: Path, text: str, **variables: str) -> Settings:
    file = folder / "keyturn.toml"
    file.write_text(text, encoding="utf-8")
    return load({"DIFY_KEY": KEY, **variables}, file)


def test_the_key_comes_from_a_variable_or_a_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{KEY}\n", encoding="utf-8")
    in_a_file = GOOD.replace('admin_key_env = "DIFY_KEY"', 'admin_key_file = "key"')

    for text in (GOOD, in_a_file):
        dify = read(tmp_path, text).dify["prod"]
        assert dify.admin_key is not None
        assert dify.admin_key.get_secret_value() == KEY
        assert (dify.workspace, dify.email) == (WORKSPACE, "")
        assert KEY not in repr(dify)


@pytest.mark.parametrize(
    ("here", "instead", "told"),
    [
        (f'workspace = "{WORKSPACE}"', "", "dify.prod.workspace: is missing; the admin key opens"),
        ("workspace =", 'email = "a@b.c"\nworkspace =', "dify.prod: has an account and an admin"),
        ("workspace =", 'admin_key_file = "x"\nworkspace =', "dify.prod: needs exactly one of adm"),
        ('"DIFY_KEY"', '"DIFY_KEI"', "dify.prod.admin_key_env: the variable DIFY_KEI is not set"),
        ('admin_key_env = "DIFY_KEY"', "", "dify.prod.workspace: goes with an admin key alone"),
        ('admin_key_env = "DIFY_KEY"', "", "dify.prod.email: is missing"),
        (
            'admin_key_env = "DIFY_KEY"',
            f'admin_key = "{KEY}"',
            "dify.prod.admin_key: a secret does",
        ),
        ('"DIFY_KEY"', '"TWO_WORDS"', "dify.prod.admin_key: must be of visible ASCII characters"),
    ],
)
def test_a_mistake_is_told_with_its_key_path(
    tmp_path: Path, here: str, instead: str, told: str
) -> None:
    assert here in GOOD

    with pytest.raises(ConfigurationWrong) as caught:
        read(tmp_path, GOOD.replace(here, instead, 1), TWO_WORDS="geheim geheim")

    assert [line for line in caught.value.problems if line.startswith(told)], caught.value.problems
    assert "geheim" not in str(caught.value)
