"""Whatever a file or a variable holds, it is settings or mistakes; never a traceback."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.config.load import database_url, load
from bot.errors import ConfigurationWrong
from tests.unit.test_config import SERVING

UNCHECKED = [  # a list here takes the place of what the profile leaves unchecked
    *(HealthCheck.too_slow, HealthCheck.data_too_large),
    HealthCheck.function_scoped_fixture,
]

_TEXTS = st.sampled_from(
    [
        "",
        "all",
        "tag:x",
        "dify.prod",
        "C0123456789",
        "U0ALICE",
        "1h",
        "https://x",
        "a@b",
        "\x00",
        "é",
    ]
)
_VALUES = st.recursive(
    st.booleans() | st.integers() | st.floats(allow_nan=False) | _TEXTS | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["prod", "match", "environments", "include", "environment", "url", "id", "target",
                 "reviewers", "votes", "aliases", "labels", "channel", "password_file", "x y"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)  # fmt: skip
_TABLES = st.dictionaries(
    st.sampled_from(["slack", "dify", "app", "policy", "alerts", "people", "prometheus", "x"]),
    _VALUES,
    max_size=5,
)


def _as_toml(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str():
            return json.dumps(value).replace("\\ud", "\\u0").replace("\x7f", "\\u007f")
        case list():
            return "[" + ", ".join(map(_as_toml, value)) + "]"
        case dict():
            pairs = (f"{json.dumps(key)} = {_as_toml(inner)}" for key, inner in value.items())
            return "{ " + ", ".join(pairs) + " }"
        case _:
            return repr(value)


def told(read: Callable[[], object]) -> str:
    """What *read* complains about; nothing when it does not."""
    try:
        read()
    except ConfigurationWrong as wrong:
        return "\n".join(wrong.problems)
    return ""


@given(_TABLES)
@settings(suppress_health_check=UNCHECKED)
def test_whatever_the_tables_hold_it_is_settings_or_mistakes(
    tmp_path: Path, tables: dict[str, object]
) -> None:
    path = tmp_path / "keyturn.toml"
    path.write_text("".join(f"{key} = {_as_toml(value)}\n" for key, value in tables.items()))

    said = told(lambda: load(SERVING, path, serving=True))

    assert "is not TOML" not in said
    assert all(line.isprintable() for line in said.split("\n"))


@given(
    st.binary(max_size=200) | st.text(max_size=200).map(str.encode) | st.just(b"x = " + b"9" * 5000)
)
@settings(suppress_health_check=UNCHECKED)
def test_whatever_the_bytes_are_they_are_settings_or_mistakes(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "keyturn.toml"
    path.write_bytes(data)

    told(lambda: load({}, path))


@given(st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=60))
def test_whatever_a_database_address_is_it_is_taken_or_a_mistake_without_its_password(
    text: str,
) -> None:
    for url in (
        text,
        f"postgresql://{text}",
        f"postgres://u:geheim{text}@h/d",
        f"sqlite:///{text}",
    ):
        assert "geheim" not in told(partial(database_url, {"DATABASE_URL": url}))
