"""What a rollback says of versions: what people go back to is lifted, what was the cause condemned.

Only a rollback of which it was seen that it helped condemns.
"""

from __future__ import annotations

from datetime import UTC, datetime

from bot.domain import drill, legs
from bot.ports.store import Transaction
from store.records import AuditDraft, Json, Leg, Rollback, Version, VersionSource

_EVER = datetime.min.replace(tzinfo=UTC)


async def lift(tx: Transaction, rollback: Rollback) -> None:
    """Lift the judgement on what *rollback*, which was carried out, went to."""
    for leg in rollback.legs:
        to = await tx.versions.get(leg.to_version_id)
        entry = _entry(rollback, leg, to.meaning, "version.lift", reason=rollback.reason)
        await tx.versions.lift(leg.where, to.meaning, entry=entry)


async def condemn(tx: Transaction, rollback: Rollback) -> None:
    """Condemn what *rollback* went back from, in each of its apps.

    Those are the meanings after the candidate up to the version that was live. An undo leaves what
    it takes away unjudged.
    """
    for leg in rollback.legs:
        to = await tx.versions.get(leg.to_version_id)
        live = await tx.versions.get(leg.from_version_id)
        if await undone(tx, leg, to, live) is None:
            await _condemn(tx, rollback, leg, to, live)


async def _condemn(
    tx: Transaction, rollback: Rollback, leg: Leg, to: Version, bad: Version
) -> None:
    since = await tx.versions.meanings_since(to, bad)
    for meaning in sorted(since - {to.meaning}):
        await tx.versions.condemn(
            leg.where,
            meaning,
            rollback_id=rollback.id,
            entry=_entry(rollback, leg, meaning, "version.condemn"),
        )


async def undone(tx: Transaction, leg: Leg, to: Version, live: Version) -> Rollback | None:
    """The rollback of ours that made *live*, where *leg* goes to what that had gone back from."""
    if live.source is not VersionSource.ROLLBACK:
        return None
    for before in await tx.rollbacks.completed(leg.where, since=_EVER):
        for position, (made_id, _) in legs.brought(before).items():
            if made_id == live.id:
                was = await tx.versions.get(before.legs[position].from_version_id)
                return before if was.meaning == to.meaning else None
    return None


def _entry(rollback: Rollback, leg: Leg, meaning: str, action: str, **what: Json) -> AuditDraft:
    where = str(leg.where)
    return AuditDraft(
        user_id="keyturn",
        action=action,
        resource=f"meaning/{meaning[:16]}",
        status="ok",
        what={
            "app": where,
            "meaning": meaning,
            "rollback": rollback.id,
            **what,
            **drill.mark(rollback),
        },
        ip_note="Keyturn itself",
    )
