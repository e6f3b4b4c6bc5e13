"""`/rollback audit`: what the audit chain says of one app's rollbacks, a page at a time."""

from __future__ import annotations

from bot.domain import paging
from bot.domain.commands import Audit
from bot.domain.words import AnswerCode
from bot.errors import NoSuchPage
from bot.ports.store import Store
from bot.services.slash.told import Told
from store.records import AuditEntry, Json

SHORT = 10  # characters of a hash that are shown


async def audit(store: Store, asked: Audit) -> Told:
    """Return one page of entries, newest first, and which of them do not fit their hashes.

    That the chain as a whole is whole is not looked at: that takes longer than an answer may.

    Raises:
        NoSuchPage, Corrupt.
    """
    async with store.read() as tx:
        pages = max(paging.count(1, await tx.audit.count_about(asked.where)), 1)
        if not 1 <= asked.page <= pages:
            raise NoSuchPage(asked.page, pages, f"audit {asked.where} {pages}")
        skip = (asked.page - 1) * paging.VERSIONS
        entries = await tx.audit.about(asked.where, limit=paging.VERSIONS, skip=skip)
        rows = [_row(entry, tx.audit.flaw(entry)) for entry in entries]
        seq, head = await tx.audit.head()
    facts: dict[str, Json] = {
        "where": str(asked.where),
        "page": asked.page,
        "pages": pages,
        "head_seq": seq,
        "head": head[:SHORT],
        "changed": any(row["changed"] for row in rows),
        "rows": list(rows),
    }
    return Told(AnswerCode.AUDIT, facts)


def _row(entry: AuditEntry, flaw: str) -> dict[str, Json]:
    return {
        "seq": entry.seq,
        "at": entry.timestamp,
        "who": entry.user_id,
        "action": entry.action,
        "resource": entry.resource,
        "status": entry.status,
        "hash": entry.hash[:SHORT],
        "changed": bool(flaw),
    }
