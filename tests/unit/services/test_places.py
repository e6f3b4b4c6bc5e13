"""Where each configured app lives."""

from __future__ import annotations

import pytest

from bot.errors import UnknownApp
from bot.services.places import Places
from store.records import AppEnv
from tests.builders import PROD
from tests.fakes.target import FakeTarget

TARGET = FakeTarget()
PLACES = Places({PROD: (TARGET, "app-1")})


def test_a_configured_app_has_its_target_and_its_id_there() -> None:
    assert PLACES.of(PROD) == (TARGET, "app-1")
    assert PLACES.all() == {PROD: (TARGET, "app-1")}


@pytest.mark.parametrize(
    ("asked", "nearest"),
    [
        (AppEnv("suport-triage", "prod"), "support-triage@prod"),
        (AppEnv("support-triage", "prd"), "support-triage@prod"),
        (AppEnv("x", "y"), ""),
    ],
)
def test_one_that_is_not_comes_with_the_nearest_name(asked: AppEnv, nearest: str) -> None:
    with pytest.raises(UnknownApp) as error:
        PLACES.of(asked)

    assert error.value.nearest == nearest


def test_without_any_app_nothing_is_near() -> None:
    with pytest.raises(UnknownApp) as error:
        Places({}).of(PROD)
    assert error.value.nearest == ""


def test_what_is_done_to_the_table_later_changes_nothing() -> None:
    table = {PROD: (TARGET, "app-1")}
    places = Places(table)

    table.clear()

    assert places.of(PROD) == (TARGET, "app-1")
