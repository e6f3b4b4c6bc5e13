"""The audit trail tampered with by somebody who may write the whole database:
`python -m tests.proofs.tamper [--quick]`.

Each round edits, deletes, inserts, swaps or cuts off entries of a chain, or writes another one
from some entry on or from the first, and in half of the rounds links everything anew and moves the
recorded head along. An anchor of every few entries is kept outside. Found means: `keyturn audit
verify` with the anchors says no, and the stand-alone verifier says the same of an export. What
comes after the last anchor is counted apart: nobody outside has seen it.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from sqlalchemy import delete, insert, text, update
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from bot.cli import standalone
from bot.domain.approval import MOVES
from bot.domain.record.entries import canonical_line
from store import chain
from store.address import translate_url
from store.audit import verify
from store.records import AuditAnchor, AuditDraft, AuditEntry, Verification
from store.session import SqlStore, open_store
from store.tables import AuditHeadRow, AuditRow
from tests.proofs.running import Journal, Tally, run

ENTRIES, ANCHORED_EVERY = 312, 25
ROUNDS, QUICK = 1050, 100
Dice = random.Random
Entries = list[AuditEntry]
Deed = Callable[[Entries, Dice], int]  # tampers; returns the first seq that is no longer as it was


async def prove(database_url: str, rounds: int, seed: int, journal: Journal) -> Tally:
    """Tamper *rounds* times with the migrated database at *database_url*."""
    tally, dice = Tally(), Dice(seed)
    store = await open_store(database_url, moves=MOVES, durable=False)
    engine = create_async_engine(translate_url(database_url))
    try:
        await _fill(store)
        whole = await _entries(store)
        anchors = [AuditAnchor(e.seq, e.hash) for e in whole if e.seq % ANCHORED_EVERY == 0]
        for number in range(rounds):
            deed = dice.choice(DEEDS)
            again = dice.random() < 0.5
            name = f"{number} {deed.__name__} {again}"
            tampered = list(whole)
            first = deed(tampered, dice)
            if again:
                tampered = _linked_again(tampered, first)
            async with engine.begin() as connection:
                await _write(connection, tampered)
            whole_again = again or deed is cut_off  # a shorter chain is whole in itself
            look = partial(_look, store, name, first, anchors, whole=whole_again)
            tally.add(*await journal.once(name, look))
        async with engine.begin() as connection:
            await _write(connection, whole)
        if not (await verify(store, anchors)).ok or await _exported(store, anchors):
            tally.broken.append("the chain as it was does not verify")
    finally:
        await engine.dispose()
        await store.close()
    return tally


async def _look(
    store: SqlStore, name: str, first: int, anchors: Sequence[AuditAnchor], *, whole: bool
) -> tuple[str, list[str]]:
    how = "a whole chain" if whole else "as it was left"
    found, alone = await verify(store, anchors), await _exported(store, anchors)
    if found.ok != (not alone) and whole:  # an export does not hold the recorded head
        return "told in two ways", [f"{name}: {found.why or 'ok'}, but alone {alone or 'ok'}"]
    if not found.ok and not (await verify(store)).ok:
        return f"found by the chain, {how}", []
    if not found.ok:
        return f"found by an anchor, {how}", _too_late(name, found, first, anchors)
    if first > anchors[-1].sequence and whole:
        return "after the last anchor", []
    return "not found", [f"{name}: nothing was noticed from entry {first} on"]


def _too_late(
    name: str, found: Verification, first: int, anchors: Sequence[AuditAnchor]
) -> list[str]:
    """What is said to be wrong is no later than the next anchor, and no earlier than the deed."""
    next_one = min(anchor.sequence for anchor in anchors if anchor.sequence >= first)
    if found.broken_at is not None and first <= found.broken_at <= next_one:
        return []
    return [f"{name}: from entry {first} on it is wrong, and {found.broken_at} is named"]


async def _exported(store: SqlStore, anchors: Sequence[AuditAnchor]) -> str:
    """What the stand-alone verifier finds wrong with an export; "" for nothing."""
    async with store.read() as tx:
        entries = await tx.audit.entries(limit=2 * ENTRIES)
    lines = [canonical_line(entry).encode() for entry in entries]
    return standalone.check(lines, [(a.sequence, a.hash) for a in anchors]).wrong


# -- deeds ----------------------------------------------------------------------------------------


def edit(entries: Entries, dice: Dice) -> int:
    """Change what one entry says."""
    at = dice.randrange(len(entries))
    changes: list[dict[str, Any]] = [
        {"user_id": "U0MALLORY"},
        {"status": "refused"},
        {"what": {**entries[at].what, "votes": 2}},
        {"timestamp": "2026-01-01T00:00:00.000Z"},
        {"ip_addr": "192.0.2.7"},
        {"resource": "rollback/999"},
    ]
    entries[at] = replace(entries[at], **dice.choice(changes))
    return entries[at].seq


def remove(entries: Entries, dice: Dice) -> int:
    """Delete one entry, and close the gap."""
    at = dice.randrange(len(entries) - 1)
    gone = entries.pop(at).seq
    entries[at:] = [replace(entry, seq=entry.seq - 1) for entry in entries[at:]]
    return gone


def slip_in(entries: Entries, dice: Dice) -> int:
    """Insert an entry that never was."""
    at = dice.randrange(1, len(entries))
    new = replace(entries[at], user_id="U0MALLORY", action="vote.approve")
    entries[at:] = [new, *(replace(entry, seq=entry.seq + 1) for entry in entries[at:])]
    return new.seq


def swap(entries: Entries, dice: Dice) -> int:
    """Let two entries change places."""
    a, b = sorted(dice.sample(range(len(entries)), 2))
    left, right = entries[a], entries[b]
    entries[a], entries[b] = replace(right, seq=left.seq), replace(left, seq=right.seq)
    return left.seq


def cut_off(entries: Entries, dice: Dice) -> int:
    """Forget the newest entries."""
    at = dice.randrange(1, len(entries))
    del entries[at:]
    return at + 1


def write_another(entries: Entries, dice: Dice) -> int:
    """Tell another story from some entry on."""
    at = dice.randrange(len(entries))
    entries[at:] = [
        replace(e, user_id="U0MALLORY", what={"n": dice.random()}) for e in entries[at:]
    ]
    return entries[at].seq


def write_all_anew(entries: Entries, dice: Dice) -> int:
    """Tell another story from the very beginning, as long as the true one or shorter."""
    del entries[dice.randrange(len(entries) // 2, len(entries)) :]
    entries[:] = [replace(e, what={"n": dice.random()}) for e in entries]
    return 1


DEEDS: Sequence[Deed] = (edit, remove, slip_in, swap, cut_off, write_another, write_all_anew)


def _linked_again(entries: Entries, first: int) -> Entries:
    """What was tampered with, with hashes that are right from entry *first* on."""
    linked: Entries = [entry for entry in entries if entry.seq < first]
    prev = linked[-1].hash if linked else chain.GENESIS
    for entry in entries[len(linked) :]:
        draft = AuditDraft(
            entry.user_id,
            entry.action,
            entry.resource,
            entry.status,
            entry.what,
            entry.ip_addr,
            entry.ip_note,
            entry.trace_id,
        )
        again = chain.link(draft, seq=entry.seq, timestamp=entry.timestamp, prev=prev)
        linked.append(again)
        prev = again.hash
    return linked


# -- the database ---------------------------------------------------------------------------------


async def _fill(store: SqlStore) -> None:
    async with store.write() as tx:
        for n in range(ENTRIES):
            what = {"rollback": n % 17, "digest": f"{n:064x}"}
            user = f"U0P{n % 5}"
            await tx.audit.append(
                AuditDraft(user, "vote.approve", f"rollback/{n % 17}", "ok", what, ip_note="proof")
            )


async def _entries(store: SqlStore) -> Entries:
    async with store.read() as tx:
        return await tx.audit.entries(limit=2 * ENTRIES)


_COLUMNS = tuple(AuditRow.model_fields)


async def _write(connection: AsyncConnection, entries: Entries) -> None:
    """Put *entries* in the place of what is there, and let the head stand at their end."""
    table, head = AuditRow.metadata.tables["audit"], AuditHeadRow.metadata.tables["audit_head"]
    await _let_everything(connection)
    await connection.execute(delete(table))
    rows = [{name: getattr(entry, name) for name in _COLUMNS} for entry in entries]
    await connection.execute(insert(table), rows)
    last = entries[-1]
    await connection.execute(update(head).values(seq=last.seq, hash=last.hash))


async def _let_everything(connection: AsyncConnection) -> None:
    """Take away what hinders everybody but an administrator: the triggers of the table."""
    on_sqlite = connection.dialect.name == "sqlite"
    names = (
        ("no_update", "no_delete", "no_replace") if on_sqlite else ("append_only", "no_truncate")
    )
    for name in names:
        place = "" if on_sqlite else " ON audit"
        await connection.execute(text(f"DROP TRIGGER IF EXISTS audit_{name}{place}"))


async def _prove(url: str, asked: argparse.Namespace, journal: Journal) -> Tally:
    return await prove(url, QUICK if asked.quick else ROUNDS, asked.seed, journal)


if __name__ == "__main__":
    raise SystemExit(run("tamper", __doc__ or "", _prove))
