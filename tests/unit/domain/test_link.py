"""A link opens one page, until its end, and only we can make one."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from bot.domain import link
from bot.errors import LinkExpired, LinkInvalid
from tests.builders import KEYS, NOON

PATH = "/diffs/r7"
UNTIL = NOON + link.LASTS


def parts_of(signed: str) -> tuple[str, str, str]:
    split = urlsplit(signed)
    query = parse_qs(split.query)
    return split.path, query["until"][0], query["key"][0]


def test_a_link_opens_its_page_until_it_is_over() -> None:
    path, until, key = parts_of(link.sign(PATH, until=UNTIL, keys=KEYS))

    link.verify(path, until, key, now=NOON, keys=KEYS)
    link.verify(path, until, key, now=UNTIL - timedelta(seconds=1), keys=[b"another", *KEYS])
    with pytest.raises(LinkExpired):
        link.verify(path, until, key, now=UNTIL, keys=KEYS)


@pytest.mark.parametrize(
    ("path", "until", "key"),
    [
        ("/diffs/r8", None, None),
        (PATH, "9999999999", None),
        (PATH, "", None),
        (PATH, "1e9", None),
        (PATH, "١٢٣", None),
        (PATH, "9" * 13, None),
        (PATH, None, ""),
        (PATH, None, "0" * 64),
        (PATH, None, "Ａ" * 64),
    ],
)
def test_any_other_link_opens_nothing(path: str, until: str | None, key: str | None) -> None:
    _, good_until, good_key = parts_of(link.sign(PATH, until=UNTIL, keys=KEYS))
    given = good_until if until is None else until, good_key if key is None else key

    with pytest.raises(LinkInvalid):
        link.verify(path, *given, now=NOON, keys=KEYS)


def test_another_key_s_link_opens_nothing_and_without_a_key_none_is_made() -> None:
    path, until, key = parts_of(link.sign(PATH, until=UNTIL, keys=[b"theirs"]))

    with pytest.raises(LinkInvalid):
        link.verify(path, until, key, now=NOON, keys=KEYS)
    with pytest.raises(LinkInvalid):
        link.verify(path, until, key, now=NOON, keys=[])
    with pytest.raises(ValueError, match="without a key"):
        link.sign(PATH, until=UNTIL, keys=[])
