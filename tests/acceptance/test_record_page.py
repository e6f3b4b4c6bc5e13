"""The record of a rollback in a real browser, behind its link, as a file, and on paper."""

from __future__ import annotations

import asyncio
import re
import stat
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp
import pytest
from playwright.async_api import Browser, async_playwright

from bot import pages
from bot.charting.apart import chart_apart
from bot.demo.stage import VOTERS, Stage, set_up
from bot.domain import approval
from bot.domain.chart.kept import as_json
from bot.domain.record.view import RecordPage
from bot.domain.words import NoteCode
from bot.playground.slack.people import ALICE, INCIDENTS
from bot.playground.tales.common import publish_bad
from bot.services.outgoing import chart_row, note_row
from bot.services.record import Records
from store.records import Rollback, State
from store.session import SqlStore
from tests.acceptance.commands import keyturn
from tests.acceptance.reader import CHROMIUM, QUIET
from tests.acceptance.test_diff_page import fetched, found_by_axe, written
from tests.acceptance.world import LIMIT_S, with_button
from tests.builders import BOB, CAROL, NOON, a_claim, a_reject
from tests.records import A_CHART
from tests.unit.services.execution_scene import APP, BAD, GOOD, ExecutionScene
from tests.unit.services.scene import ENTRY, a_document
from tests.unit.services.test_record import an_alert, both, joint_of
from tests.unit.test_evidence import ran

SAID = "the provider is down, not we"
_RECORD = re.compile(
    r"<(http://127\.0\.0\.1:\d+/rollbacks/\d+\?until=\d+&amp;key=([0-9a-f]{64}))\|([^>]*)>"
)


# -- behind its link ----------------------------------------------------------------------------


async def carried_out(stage: Stage) -> None:
    """Break the bot, fire the alert, and turn both keys."""
    await stage.service.take_snapshots()
    await publish_bad(stage.scene)
    await stage.scene.fire()
    (card,) = await stage.slack.state.until(with_button, within=LIMIT_S)
    for who in VOTERS:
        await stage.slack.driver.click(who, card.ts, "approve")
    await stage.slack.state.until(lambda s: with_button(s, "rollback.undo"), within=LIMIT_S)


def links_to_records(stage: Stage) -> list[tuple[str, str]]:
    """Every link to a record that stands in the channel and its threads, with its words."""
    said = [message.blocks for message in stage.slack.state.messages(INCIDENTS)]
    said += [
        reply.blocks
        for message in stage.slack.state.messages(INCIDENTS)
        for reply in stage.slack.state.thread(INCIDENTS, message.ts)
    ]
    found = _RECORD.findall(str(said))
    return [(url.replace("&amp;", "&"), words) for url, _, words in found]


def link_told(stage: Stage, who: str) -> str:
    """The link to a record that *who* was told privately; "" before they were."""
    found = _RECORD.search(str([said.blocks for said in stage.slack.state.ephemerals_to(who)]))
    return found[1].replace("&amp;", "&") if found else ""


async def test_the_card_and_its_thread_link_to_the_record_once_it_has_ended(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with asyncio.timeout(LIMIT_S), set_up(tmp_path) as stage:
        await carried_out(stage)
        await stage.slack.state.until(lambda _: len(links_to_records(stage)) > 1, within=LIMIT_S)
        links = links_to_records(stage)
        url = links[0][0]
        status, html, policy = await fetched(url)
        base, _, query = url.partition("?")
        key = url.rpartition("=")[2]
        refused = [
            await fetched(other)
            for other in (
                base,
                url.replace(key, "0" * 64),
                url.replace("until=", "until=1"),
                base.replace("/rollbacks/1", "/rollbacks/2") + f"?{query}",
                base.replace("/rollbacks/", "/diffs/r") + f"?{query}",
                f"{base}/evidence?{query}",
            )
        ]
        kept = written(tmp_path, key)

    assert {words for _, words in links} == {"Whole record", "The whole record"}
    assert {link for link, _ in links} == {url}
    assert status == 200
    assert "Rollback 1 of support-triage@prod" in html
    assert "img-src data:" in policy
    assert {(code, text) for code, text, _ in refused} == {(404, refused[0][1])}
    assert key not in caplog.text
    assert kept == []


async def test_a_record_that_is_asked_for_in_slack_is_downloaded_and_checks_itself(
    tmp_path: Path,
) -> None:
    async with asyncio.timeout(LIMIT_S), set_up(tmp_path) as stage:
        await carried_out(stage)
        await stage.slack.driver.command(
            ALICE, INCIDENTS, "/rollback", "record support-triage@prod"
        )
        url = await stage.slack.state.until(lambda _: link_told(stage, ALICE), within=LIMIT_S)
        _, html, _ = await fetched(url)
        (pack,) = re.findall(r'href="(/rollbacks/1/evidence[^"]*)"', html)
        address = f"{url.partition('/rollbacks')[0]}{pack.replace('&amp;', '&')}"
        async with aiohttp.ClientSession() as http, http.get(address) as download:
            named, file = download.headers["Content-Disposition"], await download.text()

    assert named == 'attachment; filename="rollback-1.html"'
    assert ran(file, tmp_path).returncode == 0


async def test_the_command_line_writes_the_same_for_one_person_alone_to_read(
    tmp_path: Path,
) -> None:
    async with asyncio.timeout(LIMIT_S), set_up(tmp_path) as stage:
        await carried_out(stage)
        variables = {"DATABASE_URL": f"sqlite:///{tmp_path / 'keyturn.db'}"}
        told = await keyturn(
            "evidence", "1", "--out", "pack-of-1.html", variables=variables, cwd=tmp_path
        )
        piped = await keyturn("evidence", "1", variables=variables, cwd=tmp_path)
        none = await keyturn("evidence", "7", variables=variables, cwd=tmp_path)
    file = tmp_path / "pack-of-1.html"

    assert told.returncode == 0, told.stderr
    assert "which verify" in told.stderr
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert ran(file.read_text(encoding="utf-8"), tmp_path).returncode == 0
    assert ran(piped.stdout, tmp_path).returncode == 0
    assert none.returncode == 2
    assert "there is no rollback 7" in none.stderr


# -- how it looks -------------------------------------------------------------------------------


async def completed(store: SqlStore) -> Rollback:
    scene = ExecutionScene.of(store)
    approved = await scene.approved(reason="answers are rude")
    await with_alert_and_chart(scene, approved)
    return await scene.it_helped(await scene.run(approved))


async def rejected(store: SqlStore) -> Rollback:
    scene = ExecutionScene.of(store)
    scene.publish(GOOD, BAD)
    asked = await scene.asked(1)
    async with store.write() as tx:
        vote = replace(a_reject(CAROL, SAID), digest=asked.content_digest)
        after = approval.cast(asked, vote, at=await tx.now(), claim=a_claim(asked), why_not=None)
        entry = replace(ENTRY, action="vote.reject", resource=f"rollback/{asked.id}")
        return await tx.rollbacks.save(after, was=asked.revision, entry=entry)


async def needs_attention(store: SqlStore) -> Rollback:
    scene = ExecutionScene.of(store)
    approved = await scene.approved()
    scene.target.before("publish", lambda: scene.target.save_draft(APP, a_document("In verse.")))
    return await scene.run(approved)


async def still_open(store: SqlStore) -> Rollback:
    scene = ExecutionScene.of(store)
    scene.publish(GOOD, BAD)
    return await scene.vote(BOB, await scene.asked(1))


async def of_two_apps(store: SqlStore) -> Rollback:
    scene = joint_of(ExecutionScene.of(store), lines=60)
    return await scene.run(await both(scene))


async def with_alert_and_chart(scene: ExecutionScene, rollback: Rollback) -> None:
    await an_alert(scene, rollback)
    case = await scene.case(rollback)
    reasons = [
        {
            "code": "onset_metric",
            "from": A_CHART.marks[0].at.isoformat(),
            "to": NOON.isoformat(),
            "metric": "errors",
            "usual": 0.01,
            "now": 0.2,
        },
        {"code": "instead", "cause": "load", "name": "", "percent": 2},
    ]
    async with scene.store.write() as tx:
        told = {"reasons": reasons, "percent": 97}
        await tx.outbox.put(note_row(case, NoteCode.EVIDENCE, told, "a"))
        await tx.outbox.put(chart_row(case, as_json(A_CHART), "a"))


@dataclass(frozen=True)
class Look:
    """A record, and what has to be read and not read on its page."""

    play: Callable[[SqlStore], Awaitable[Rollback]]
    state: State
    shown: tuple[str, ...]
    hidden: tuple[str, ...] = ()


LOOKS = {
    "completed": Look(
        completed,
        State.COMPLETED,
        (
            "Rolled back",
            "Version 3 is live with the content of version 1",
            "WrongAnswers fired",
            "97 % sure",
            "Recovered",
            "Call: publish",
            "was read, and is what was approved",
            "It was not undone.",
        ),
        ("do not verify",),
    ),
    "rejected": Look(
        rejected,
        State.REJECTED,
        ("Rejected", SAID, "never started", "nothing was read back"),
        ("Call:", "What this rests on", "Each call was written down", "Did it help"),
    ),
    "needs-attention": Look(
        needs_attention,
        State.NEEDS_ATTENTION,
        ("Needs attention", "is not what was approved", "In verse.", "People were called"),
        ("is what was approved\n", "Did it help"),
    ),
    "open": Look(
        still_open,
        State.PENDING_APPROVAL,
        ("Waits for approval", "Nothing was changed yet.", "Open until", "It was not started yet."),
        ("Ended", "What changed", "Did it help", "Nothing followed"),
    ),
    "several": Look(
        of_two_apps,
        State.COMPLETED,
        ("and 1 more app", "kb-search@prod: version 2 to"),
        ("It was not started",),
    ),
}


async def looked_at(
    browser: Browser, file: Path, look: Look, *, width: int, dark: bool
) -> list[str]:
    """What is wrong with the page in *file* in a window of *width*."""
    page = await browser.new_page(
        viewport={"width": width, "height": 860}, color_scheme="dark" if dark else "light"
    )
    wrong: list[str] = []
    page.on("console", lambda message: wrong.append(f"console: {message.text}"))
    page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
    await page.goto(file.as_uri())
    text = await page.locator("body").inner_text()
    wrong += [f"not shown: {words}" for words in look.shown if words not in text]
    wrong += [f"shown: {words}" for words in look.hidden if words in text]
    if await page.evaluate("document.documentElement.scrollWidth - innerWidth") > 0:
        wrong.append("it scrolls sideways")
    await page.keyboard.press("Tab")
    if await page.evaluate("document.activeElement.className") != "skip":
        wrong.append("the first stop of the keyboard is not the way past the head")
    await page.keyboard.press("Enter")
    if await page.evaluate("location.hash") != "#happened":
        wrong.append("the way past the head leads elsewhere")
    await page.screenshot(path=file.with_suffix(f".{width}.png"), full_page=True)
    wrong += await found_by_axe(page)
    await page.close()
    return wrong


async def printed(browser: Browser, file: Path) -> list[str]:
    """What is wrong with the page in *file* on paper."""
    page = await browser.new_page(viewport={"width": 718, "height": 1000}, color_scheme="dark")
    await page.goto(file.as_uri())
    await page.emulate_media(media="print")
    seen = await page.locator("nav").is_visible()
    paper = await page.evaluate("getComputedStyle(document.body).backgroundColor")
    sideways = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
    await page.screenshot(path=file.with_suffix(".print.png"), full_page=True)
    pdf = await page.pdf(path=file.with_suffix(".pdf"), format="A4")
    await page.close()
    return [
        *(["links are printed"] if seen else []),
        *([f"the paper is {paper}"] if paper != "rgb(255, 255, 255)" else []),
        *(["it is wider than the paper"] if sideways > 0 else []),
        *([] if pdf.startswith(b"%PDF") else ["no PDF"]),
    ]


async def evidence_of(page: RecordPage) -> str:
    chart = await chart_apart(page.chart) if page.chart is not None else None
    return (await asyncio.to_thread(pages.evidence, page, chart=chart)).html


@pytest.mark.parametrize("name", LOOKS)
async def test_a_record_is_read_on_a_phone_on_a_desk_and_on_paper(
    sqlite_store: SqlStore, tmp_path: Path, name: str
) -> None:
    if not CHROMIUM.exists():
        pytest.skip("chromium is not installed")
    look = LOOKS[name]
    rollback = await look.play(sqlite_store)
    assert rollback.state is look.state
    page = await Records(sqlite_store)(rollback.id)
    file = tmp_path / f"{name}.html"
    file.write_text(await evidence_of(page), encoding="utf-8")
    async with asyncio.timeout(LIMIT_S), async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        wrong = [
            *await looked_at(browser, file, look, width=390, dark=True),
            *await looked_at(browser, file, look, width=1280, dark=False),
            *await printed(browser, file),
        ]
        await browser.close()

    assert wrong == [], "\n".join(wrong)
