"""What a rollback went back from is gone to again only with a reason."""

from __future__ import annotations

import pytest

from bot.domain.undone import undoes
from store.records import Version, VersionSource
from tests.builders import a_version


def history(*meanings: str, rolled_back: bool = True) -> list[Version]:
    source = VersionSource.ROLLBACK if rolled_back else VersionSource.PUBLISHED
    found = [a_version(id=n, number=n, meaning=m) for n, m in enumerate(meanings, 1)]
    return [*found[:-1], a_version(id=99, number=len(found), meaning=meanings[-1], source=source)]


@pytest.mark.parametrize(("number", "is_one"), [(1, False), (2, False), (3, True), (4, True)])
def test_all_that_was_live_after_what_was_restored_was_gone_back_from(
    number: int, is_one: bool
) -> None:
    versions = history("a", "b", "c", "d", "b")

    assert undoes(versions, versions[-1], versions[number - 1]) is is_one


def test_a_publish_of_somebody_undoes_nothing() -> None:
    versions = history("a", "b", "a", rolled_back=False)

    assert not undoes(versions, versions[-1], versions[1])
