"""The rows that tell Alertmanager something, written in the transaction of the fact.

A row says what it is about, not what holds: the worker that sends it looks at the store then.
Whoever writes one need not know how many Alertmanagers there are: a row to all of them becomes
one for each.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from store.records import AppEnv, NewOutgoing, OutboxKind, Outgoing, Rollback, Silenced

EVERY: Final = "alertmanager"
DONE: Final = "done"  # the cause of the first row of each rollback


def alert_row(rollback: Rollback, cause: str) -> NewOutgoing:
    """Tell that *rollback* was carried out, or what became of that by *cause*; once for each."""
    return NewOutgoing(
        kind=OutboxKind.ALERT,
        destination=EVERY,
        order_key=f"alert:{rollback.id}",
        dedupe_id=f"alert:{rollback.id}:{cause}",
        body={"rollback_id": rollback.id},
    )


def is_of_the_end(row: Outgoing) -> bool:
    """Whether *row* tells that a rollback was carried out, not what became of that later."""
    return row.dedupe_id.endswith(f":{DONE}")


def alert_there(row: Outgoing, url: str, where: AppEnv) -> NewOutgoing:
    """What *row*, which is for all, is for the one at *url* and for one of its apps."""
    return NewOutgoing(
        kind=OutboxKind.ALERT,
        destination=url,
        order_key=f"alert:{where}:{url}",
        dedupe_id=f"{row.dedupe_id}:{where}:{url}",
        body={**row.body, "where": str(where), "again": 0},
    )


def alert_again(row: Outgoing, at: datetime) -> NewOutgoing:
    """The same as *row* at *at*; apart from its order, where others would wait behind it."""
    again = row.body["again"] + 1
    first = row.dedupe_id.removesuffix(f":again:{again - 1}")
    return NewOutgoing(
        kind=OutboxKind.ALERT,
        destination=row.destination,
        order_key=f"{first}:again",
        dedupe_id=f"{first}:again:{again}",
        body={**row.body, "again": again},
        not_before=at,
    )


def silence_row(where: AppEnv, silenced: Silenced, *, ended: bool = False) -> NewOutgoing:
    """Let *silenced* of *where* begin, or end; once for each."""
    said = f"{where}:{silenced.number}:{'ended' if ended else 'begun'}"
    return NewOutgoing(
        kind=OutboxKind.SILENCE,
        destination=EVERY,
        order_key=f"silence:{where}",
        dedupe_id=f"silence:{said}",
        body={"where": str(where)},
    )


def silence_there(row: Outgoing, url: str) -> NewOutgoing:
    """What *row*, which is for all, is for the one at *url*."""
    return NewOutgoing(
        kind=OutboxKind.SILENCE,
        destination=url,
        order_key=f"{row.order_key}:{url}",
        dedupe_id=f"{row.dedupe_id}:{url}",
        body=row.body,
    )
