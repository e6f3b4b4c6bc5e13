"""The commands of `docs/audit.md`, run as they stand there.

`python -m tests.acceptance.audit_document` writes what they print into it. They meet a database
with the record of a made-up week, always the same to the last hash.
"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bot import log
from bot.domain.anchoring import is_event
from bot.domain.approval import MOVES
from bot.services.anchoring import Anchoring
from store.records import AuditDraft, Json
from store.session import migrate, open_store

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "audit.md"
TOOLS = ("bash", "jq", "sqlite3", "grep", "sed")
_BLOCK = re.compile(r"(?<=```console\n)(.*?)(?=```)", re.DOTALL)
_BEGAN = datetime(2026, 11, 23, 3, 2, 11, tzinfo=UTC)
_DIGEST = "9c41d2f0a7b35e68" * 4
_WEEK: Sequence[tuple[str, str, str, str, Mapping[str, Json]]] = (
    ("keyturn", "settings.reloaded", "settings", "ok", {"changed": ["policy"]}),
    ("keyturn", "case.open", "app/support-triage@prod", "ok", {"alerts": ["WrongAnswers"]}),
    ("keyturn", "rollback.open", "case/1", "ok", {"rollback": 1, "digest": _DIGEST}),
    ("U0BOB", "vote.approve", "rollback/1", "ok", {"digest": _DIGEST, "person": "bob"}),
    ("U0BOB", "vote.approve", "rollback/1", "refused", {"code": "already_voted"}),
    ("U0ALICE", "vote.approve", "rollback/1", "ok", {"digest": _DIGEST, "person": "alice"}),
    ("keyturn", "rollback.execute", "rollback/1", "ok", {"digest": _DIGEST}),
    ("keyturn", "rollback.publish", "rollback/1", "ok", {"name": "rollback-1"}),
    ("keyturn", "rollback.completed", "rollback/1", "ok", {"approved_by": ["alice", "bob"]}),
    ("U0EVE", "rollback.ask", "app/support-triage@prod", "refused", {"code": "not_eligible"}),
    ("U0CAROL", "rollback.break_glass", "rollback/2", "ok", {"reason": "refunds go out twice"}),
    ("keyturn", "rollback.execute", "rollback/2", "ok", {}),
    ("keyturn", "rollback.completed", "rollback/2", "ok", {"broken_by": "carol"}),
    ("keyturn", "review.open", "rollback/2", "ok", {"needed": 2}),
    ("U0ALICE", "review.sign", "rollback/2", "ok", {"remark": "right to do"}),
    ("U0BOB", "review.sign", "rollback/2", "ok", {"remark": ""}),
    ("keyturn", "review.close", "rollback/2", "ok", {}),
    ("U0ALICE", "tag.move", "app/support-triage@prod", "ok", {"tag": "good", "number": 6}),
)


async def a_week(folder: Path) -> None:
    """Put the record of the week into *folder*: the database, and what the service printed."""
    url = f"sqlite:///{folder / 'keyturn.db'}"
    await asyncio.to_thread(migrate, url)
    now = _BEGAN
    store = await open_store(url, moves=MOVES, durable=False, clock=lambda: now, anchored=is_event)
    try:
        for who, action, resource, status, what in _WEEK:
            now += timedelta(minutes=17)
            async with store.write() as tx:
                await tx.audit.append(
                    AuditDraft(who, action, resource, status, what, ip_note="made up")
                )
        with (folder / "keyturn.log").open("w", encoding="utf-8") as printed:
            log.set_apart(printed)
            anchoring = Anchoring(store, None, owner="one", jitter=lambda: 0.0)
            while await anchoring.step():
                pass
    finally:
        log.set_apart(None)
        await store.close()


def refreshed(text: str, folder: Path) -> str:
    """*text* with the commands in it run one after the other in *folder*, and what they print."""
    return _BLOCK.sub(lambda block: "".join(_played(block.group(1), folder)), text)


def _played(block: str, folder: Path) -> Iterator[str]:
    for command in _commands(block):
        yield f"$ {command}\n"
        yield _run(command, folder)


def _commands(block: str) -> Iterator[str]:
    """Each command with the lines that go on in it, which are indented."""
    commands: list[str] = []
    going_on = False
    for line in block.splitlines():
        if line.startswith("$ "):
            commands.append(line.removeprefix("$ "))
            going_on = True
        elif going_on and line.startswith("    "):
            commands[-1] += f"\n{line}"
        else:
            going_on = False
    return iter(commands)


def _run(command: str, folder: Path) -> str:
    shim = folder / "bin" / "keyturn"
    if not shim.exists():
        shim.parent.mkdir(exist_ok=True)
        shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m bot "$@"\n', encoding="utf-8")
        shim.chmod(0o755)
    told = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env={
            "PATH": f"{shim.parent}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "DATABASE_URL": f"sqlite:///{folder / 'keyturn.db'}",
            "LC_ALL": "C.UTF-8",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        text=True,
    )
    return told.stdout


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        asyncio.run(a_week(folder))
        DOCUMENT.write_text(refreshed(DOCUMENT.read_text(encoding="utf-8"), folder), "utf-8")


if __name__ == "__main__":
    main()
