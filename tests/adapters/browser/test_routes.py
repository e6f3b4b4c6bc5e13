"""The door for browsers, over HTTP: what opens a page, for how long, and what does not."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from bot.adapters.browser.routes import path_of, routes
from bot.domain import link
from bot.domain.chart.view import ChartView
from bot.domain.diff.changes import compare
from bot.domain.diff.page import DiffPage, Side, build
from bot.domain.record.view import RecordPage
from bot.errors import LinkInvalid
from tests.records import A_CHART, a_record
from tests.unit.services.scene import a_document

OLD_KEY, NEW_KEY, STRANGER = b"o" * 32, b"n" * 32, b"s" * 32
NAME, RECORD = "v1-2", "17"


@dataclass
class Shelf:
    """The pages that there are; `shown` counts how often one was made."""

    at: datetime = datetime(2026, 11, 27, 12, tzinfo=UTC)
    shown: list[str] = field(default_factory=list)
    told: list[int] = field(default_factory=list)
    drawn: list[ChartView] = field(default_factory=list)
    reason: str = ""
    chart: ChartView | None = None
    picture: bytes | None = b"a picture"

    def now(self) -> datetime:
        return self.at

    async def show(self, name: str) -> DiffPage:
        self.shown.append(name)
        if not name.startswith("v"):
            raise LinkInvalid(name)
        before, after = a_document("Answer kindly."), a_document("Answer wrongly.")
        sides = Side("version 1", ()), Side("version 2", ())
        title = f"What is called {name}"
        return await asyncio.to_thread(
            lambda: build(
                title, (sides[0], before), (sides[1], after), compare(before, after), notes=()
            )
        )

    async def tell(self, rollback_id: int) -> RecordPage:
        self.told.append(rollback_id)
        if rollback_id != 17:
            raise LinkInvalid(f"rollback {rollback_id}")
        return a_record(reason=self.reason, chart=self.chart)

    async def draw(self, view: ChartView) -> bytes | None:
        self.drawn.append(view)
        return self.picture

    def signed(self, key: bytes, name: str = NAME, *, lasts: timedelta = link.LASTS) -> str:
        return link.sign(path_of(name), until=self.at + lasts, keys=[key])


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
async def door(shelf: Shelf) -> AsyncIterator[TestClient[web.Request, web.Application]]:
    """The routes while one key is being replaced: links are made with the new one."""
    application = web.Application()
    application.add_routes(
        routes(
            keys=[NEW_KEY, OLD_KEY],
            show=shelf.show,
            tell=shelf.tell,
            draw=shelf.draw,
            now=shelf.now,
        )
    )
    async with TestClient(TestServer(application)) as client:
        yield client


Door = TestClient[web.Request, web.Application]


async def asked(door: Door, path: str) -> tuple[int, str]:
    async with door.get(path) as answer:
        return answer.status, await answer.text()


@pytest.mark.parametrize("key", [NEW_KEY, OLD_KEY])
async def test_while_a_key_is_replaced_links_of_both_open(
    door: Door, shelf: Shelf, key: bytes
) -> None:
    status, html = await asked(door, shelf.signed(key))

    assert status == 200
    assert f"What is called {NAME}" in html


async def test_a_link_opens_until_its_end_and_then_says_how_to_get_another(
    door: Door, shelf: Shelf
) -> None:
    path = shelf.signed(NEW_KEY)
    shelf.at += link.LASTS - timedelta(seconds=1)
    before, _ = await asked(door, path)
    shelf.at += timedelta(seconds=1)
    after, html = await asked(door, path)

    assert (before, after) == (200, 410)
    assert "/rollback diff" in html
    assert f"What is called {NAME}" not in html


async def test_a_link_that_we_did_not_make_opens_nothing_and_reads_nothing(
    door: Door, shelf: Shelf
) -> None:
    genuine = shelf.signed(NEW_KEY)
    forged = [
        shelf.signed(STRANGER),
        genuine.replace("v1-2", "v1-3"),
        genuine.replace("until=", "until=9"),
        genuine.partition("&")[0],
        path_of(NAME),
        f"{genuine}&key={'0' * 64}".replace("key=", "kez=", 1),
    ]

    answers = {await asked(door, path) for path in forged}

    assert {status for status, _ in answers} == {404}
    assert len(answers) == 1, "nobody learns which of it was wrong"
    assert shelf.shown == []


async def test_a_page_that_is_not_there_is_answered_as_a_link_that_is_not_ours(
    door: Door, shelf: Shelf
) -> None:
    assert await asked(door, shelf.signed(NEW_KEY, "nothing")) == await asked(
        door, shelf.signed(STRANGER)
    )


async def test_a_record_is_read_anew_each_time(door: Door, shelf: Shelf) -> None:
    path = shelf.signed(NEW_KEY, RECORD)
    _, before = await asked(door, path)
    shelf.reason = "answers were wrong"
    status, after = await asked(door, path)

    assert path.startswith("/rollbacks/17?")
    assert (status, shelf.told) == (200, [17, 17])
    assert "answers were wrong" in after
    assert "answers were wrong" not in before


async def test_a_link_to_a_difference_opens_no_record_and_the_other_way_round(
    door: Door, shelf: Shelf
) -> None:
    of_record, of_page = shelf.signed(NEW_KEY, RECORD), shelf.signed(NEW_KEY)
    swapped = [
        of_record.replace("/rollbacks/17", "/diffs/v1-2"),
        of_record.replace("/rollbacks/17", "/rollbacks/18"),
        of_record.replace("/rollbacks/17", "/rollbacks/17/evidence"),
        of_page.replace("/diffs/v1-2", "/rollbacks/17"),
        shelf.signed(STRANGER, RECORD),
        shelf.signed(NEW_KEY, "18"),
    ]

    answers = {await asked(door, path) for path in swapped}

    assert {status for status, _ in answers} == {404}
    assert len(answers) == 1, "nobody learns which of it was wrong"
    assert shelf.told == [18], "only a link of ours reads anything"


async def test_a_record_s_link_ends_as_every_other_does(door: Door, shelf: Shelf) -> None:
    path = shelf.signed(NEW_KEY, RECORD)
    shelf.at += link.LASTS

    status, html = await asked(door, path)

    assert status == 410
    assert "/rollback record" in html
    assert shelf.told == []


async def test_the_evidence_pack_is_behind_a_link_on_the_record_that_ends_with_it(
    door: Door, shelf: Shelf
) -> None:
    path = shelf.signed(NEW_KEY, RECORD)
    _, html = await asked(door, path)
    (found,) = re.findall(r'href="(/rollbacks/17/evidence[^"]*)"', html)
    pack = found.replace("&amp;", "&")
    async with door.get(pack) as answer:
        kept, named = await answer.text(), answer.headers["Content-Disposition"]
    shelf.at += link.LASTS
    over, _ = await asked(door, pack)

    assert 'id="evidence"' in kept
    assert 'id="evidence"' not in html
    assert named == 'attachment; filename="rollback-17.html"'
    assert over == 410


async def test_a_chart_is_drawn_once_and_one_that_could_not_be_is_tried_again(
    door: Door, shelf: Shelf
) -> None:
    path = shelf.signed(NEW_KEY, RECORD)
    shelf.chart, shelf.picture = A_CHART, None
    _, without = await asked(door, path)
    shelf.picture = b"a picture"
    _, drawn = await asked(door, path)
    await asked(door, path)

    assert "<img" not in without
    assert 'src="data:image/png;base64,YSBwaWN0dXJl"' in drawn
    assert len(shelf.drawn) == 2


async def test_a_page_is_made_once_and_remembered_but_not_for_ever(
    door: Door, shelf: Shelf
) -> None:
    for name in (NAME, NAME, *(f"v{number}-1" for number in range(2, 18)), NAME):
        await asked(door, shelf.signed(NEW_KEY, name))

    assert shelf.shown.count(NAME) == 2
