"""An evidence pack is checked by whoever has it, without us, and holds no secret."""

from __future__ import annotations

import asyncio
import hashlib
import html as html_of
import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot import catalogues, pages
from bot.domain.record.view import RecordPage
from bot.language import CHINESE
from bot.voice import Voice, speaking
from store.records import AuditDraft, FiringStatus, Glass, Signature, State
from store.session import SqlStore
from tests.builders import (
    ALICE,
    BOB,
    NOON,
    PROD,
    TEAM,
    a_firing,
    a_reject,
    a_rollback,
    a_vote,
)
from tests.records import A_CHART, a_record, linked
from tests.unit.services.execution_scene import ExecutionScene

SECRET = "sk-proj-" + "abcdefghij0123456789" * 2
HOSTILE = "</script><script>alert(1)</script> & \u2028 ü"


def an_entry(action: str = "vote.approve", **what: Any) -> AuditDraft:
    return AuditDraft(ALICE, action, "rollback/17", "ok", what, ip_note="none", trace_id="inbox/1")


def opening() -> AuditDraft:
    return AuditDraft("alertmanager", "case.open", f"app/{PROD}", "ok", {"app": str(PROD)})


def of(page: RecordPage) -> str:
    return pages.evidence(page, chart=b"a picture").html


def data_of(html: str) -> dict[str, Any]:
    found = re.search(
        r'<script type="application/json" id="evidence">(.*?)</script>', html, re.DOTALL
    )
    assert found is not None
    read: dict[str, Any] = json.loads(found[1])
    return read


def ran(html: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """What comes of the lines that the file itself says it is checked by."""
    shown = re.search(r'<pre id="by-hand"[^>]*>(.*?)</pre>', html, re.DOTALL)
    assert shown is not None
    (folder / "check.py").write_text(html_of.unescape(shown[1]), encoding="utf-8")
    (folder / "pack.html").write_text(html, encoding="utf-8")
    return subprocess.run(
        [sys.executable, "-I", "check.py", "pack.html"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_hash_is_made_again_from_what_is_in_the_file() -> None:
    entries = linked(opening(), an_entry(reason=HOSTILE, count=1), an_entry("other", names=["ä"]))

    found = data_of(of(a_record(entries=entries)))["audit"]["entries"]

    assert [entry["seq"] for entry in found] == [1, 2, 3]
    for entry in found:
        said = {name: value for name, value in entry.items() if name != "hash"}
        text = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        right = hashlib.sha256(b"keyturn.audit.v1\n" + text.encode()).hexdigest()
        assert entry["hash"] == right


def test_the_lines_that_the_file_shows_check_it_with_nothing_but_the_standard_library(
    tmp_path: Path,
) -> None:
    entries = linked(opening(), an_entry(reason=HOSTILE), an_entry(reason=f"leaked {SECRET}"))
    html = of(a_record(entries=entries))

    whole = ran(html, tmp_path)
    forged = ran(html.replace(ALICE, "U0MALLORY"), tmp_path)

    assert (whole.returncode, whole.stderr) == (0, "")
    assert whole.stdout.splitlines() == [
        "1 case.open ok",
        "2 vote.approve ok",
        "3 vote.approve shown in part: check it with keyturn audit verify",
    ]
    assert forged.returncode == 1
    assert "2 vote.approve WRONG" in forged.stdout


def test_an_entry_that_was_left_out_of_its_place_is_noticed(tmp_path: Path) -> None:
    entries = linked(*(an_entry(count=n) for n in range(3)))
    moved = [entries[0], replace(entries[2], seq=2), entries[2]]

    assert ran(of(a_record(entries=moved)), tmp_path).returncode == 1


def test_nothing_that_somebody_wrote_ends_the_data_or_runs() -> None:
    html = of(a_record(reason=HOSTILE, entries=linked(an_entry(reason=HOSTILE))))

    assert html.count("<script") == 2
    assert "alert(1)</script>" not in html
    assert data_of(html)["rollback"]["reason"] == HOSTILE


def test_entries_that_do_not_verify_are_said_to_on_the_page() -> None:
    broken = of(a_record(entries=linked(an_entry()), flaw="entry 1 was changed"))

    assert "These entries do not verify:" in broken
    assert "entry 1 was changed" in broken
    assert "do not verify" not in of(a_record(entries=linked(an_entry())))


def test_the_file_loads_nothing_from_anywhere() -> None:
    html = of(a_record(chart=A_CHART))

    assert re.findall(r'(?:src|href|action)="(?!#|data:)[^"]*"', html) == []
    assert "url(" not in re.sub(r"url\(#[^)]*\)", "", html)
    assert "default-src 'none'" in html_of.unescape(html)
    assert "img-src data:" in html


@pytest.fixture
def everywhere() -> RecordPage:
    """A record in which a secret was written wherever people or others can write."""
    said = f"see {SECRET}"
    glass = Glass(ALICE, ALICE, TEAM, said, "d", 1, "n", NOON, "card")
    rollback = a_rollback(
        state=State.REJECTED,
        reason=said,
        votes=(a_vote(), a_reject(BOB, reason=said)),
        glass=(glass,),
        signatures=(Signature(BOB, BOB, TEAM, NOON, said),),
        outcome="rejected",
        outcome_facts={"slack_id": BOB, "reason": said},
        finished_at=NOON,
    )
    firing = a_firing(
        annotations={"summary": said},
        labels={"alertname": said, "severity": said},
        status=FiringStatus.FIRING,
    )
    return a_record(
        rollback,
        lived=[(NOON, rollback), (NOON, replace(rollback, execution=rollback.execution))],
        firings=(firing,),
        slipped_in=(said,),
        chart=replace(A_CHART, headline=said, alert=said),
        told={"reasons": [{"code": "instead", "cause": "x", "name": said, "percent": 1}]},
        entries=linked(an_entry(reason=said), an_entry("odd", nested={"deep": [said]})),
    )


def test_a_secret_that_somebody_wrote_stands_nowhere(everywhere: RecordPage) -> None:
    html = of(everywhere)

    assert SECRET not in html
    assert SECRET not in pages.record(everywhere, chart=None).html
    assert "••••" in html
    assert len(data_of(html)["audit"]["withheld"]) == 2


async def test_the_secrets_of_an_app_and_of_its_draft_stand_nowhere(
    sqlite_store: SqlStore, tmp_path: Path
) -> None:
    from bot.services.record import Records
    from tests.unit.services.execution_scene import KEY, OTHER_KEY, a_secretive

    scene = ExecutionScene.of(sqlite_store)
    good = a_secretive("Answer kindly.", KEY)
    values = {KEY: "live-value-51f0", OTHER_KEY: "draft-value-77aa"}
    scene.publish(good, a_secretive("Answer wrongly.", KEY), secrets=({KEY: values[KEY]},) * 2)
    draft = a_secretive("Answer in rhyme.", KEY, OTHER_KEY)
    done = await scene.run(await scene.approved(draft=draft, values=values))

    html = of(await Records(scene.store)(done.id))

    assert done.state is State.COMPLETED
    assert not [value for value in values.values() if value in html]
    assert "SECRET_8" in html, "what was sealed is named"
    assert (await asyncio.to_thread(ran, html, tmp_path)).returncode == 0


def test_a_pack_is_in_english_whatever_the_workspace_reads() -> None:
    ended = a_record(replace(a_rollback(), state=State.EXPIRED, outcome="expired"))
    catalogues.keep()

    with speaking(Voice(language=CHINESE)):
        chinese = of(ended)

    assert chinese == of(ended)
