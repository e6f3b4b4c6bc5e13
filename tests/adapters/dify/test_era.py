"""What each release can do, and what is assumed of one that names itself badly."""

from __future__ import annotations

import pytest

from bot.adapters.dify.era import UNPROVEN, Era

ABILITIES = (
    *("supported", "names_versions", "exports_versions", "bearer", "admin_key"),
    *("encoded_password", "restores", "masks_are_safe", "token_covers_features"),
)


def abilities(version: str) -> set[str]:
    return {name for name in ABILITIES if getattr(Era.named(version), name)}


@pytest.mark.parametrize(
    ("last", "first", "ability"),
    [
        ("0.14.2", "0.15.0", "supported"),
        ("1.0.0", "1.0.1", "names_versions"),
        ("1.8.0", "1.8.1", "exports_versions"),
        ("1.11.1", "1.11.2", "encoded_password"),
        ("1.13.2", "1.13.3", "restores"),
        ("1.13.2", "1.13.3", "masks_are_safe"),
        ("1.10.1", "1.11.0", "admin_key"),
        ("1.9.2", "1.9.1", "bearer"),
        ("1.9.2", "1.9.1", "admin_key"),
        ("1.14.0", "1.13.9", "token_covers_features"),
    ],
)
def test_an_ability_begins_and_ends_with_its_release(last: str, first: str, ability: str) -> None:
    assert ability not in abilities(last)
    assert ability in abilities(first)


@pytest.mark.parametrize("version", ["1.14.2", "2.0.0", "10.1.3", "1.100.0"])
def test_newer_releases_are_taken_for_the_newest_that_is_known(version: str) -> None:
    assert abilities(version) == abilities("1.14.2")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("1.10.1-fix.1", (1, 10, 1)),
        ("v1.8.0", (1, 8, 0)),
        ("1.14.0-rc1", (1, 14, 0)),
        (" 1.7 ", (1, 7, 0)),
        ("1.9.1+build.5", (1, 9, 1)),
    ],
)
def test_what_follows_the_numbers_does_not_count(written: str, meant: tuple[int, ...]) -> None:
    assert Era.named(written).release == meant


@pytest.mark.parametrize("written", ["", "main", "latest", "1", "-1.2.3", "1.2.3.4", "99999.1.1"])
def test_a_name_that_says_nothing_is_unknown(written: str) -> None:
    era = Era.named(written)

    assert not era.known
    assert "names no release" in era.limitations()[0]


def test_an_unknown_release_that_lets_an_encoded_password_in_is_at_least_1_11_2() -> None:
    assert abilities("") == abilities("1.11.2")


def test_an_unknown_release_behind_the_admin_key_is_trusted_with_nothing() -> None:
    assert not UNPROVEN.exports_versions
    assert not UNPROVEN.names_versions
    assert UNPROVEN.supported
    assert UNPROVEN.admin_key


@pytest.mark.parametrize(
    ("version", "words"),
    [
        ("0.14.2", ("0.15.0 or newer", "Before 1.8.1", "Before 1.0.1", "Before 1.13.3")),
        ("1.7.2", ("Before 1.8.1", "Before 1.13.3", "covers graph and features")),
        ("1.10.1", ("Before 1.13.3", "covers graph and features", "admin key")),
        ("1.14.2", ("covers the graph alone",)),
    ],
)
def test_each_release_says_what_it_cannot_do(version: str, words: tuple[str, ...]) -> None:
    said = Era.named(version).limitations()

    assert all(any(word in sentence for sentence in said) for word in words)
    assert all(sentence.endswith(".") for sentence in said)


def test_the_newest_release_is_not_blamed_for_older_ones() -> None:
    assert len(Era.named("1.14.2").limitations()) == 1
