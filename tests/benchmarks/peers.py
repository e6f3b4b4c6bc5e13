"""What intake is measured against: small servers that take the same webhooks.

    python -m tests.benchmarks.peers NAME DATABASE_URL

`bare` parses and answers, nothing is stored. `session` has one SQLModel session and commit for
each request. `asyncpg` does Keyturn's own upserts, one commit for each request, by the driver.
Each prints its port.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import asyncpg
import uvloop
from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import SQLModel

from bot.adapters.alertmanager import routes, wire
from bot.domain.naming import LabelMap
from bot.web import BACKLOG
from store.address import translate_url
from store.engine import POOL_SIZE, open_engines
from store.records import Delivery, FiringStatus
from store.tables import DeliveryRow, FiringRow
from store.taking import Taking

Store = Callable[[Delivery], Awaitable[None]]


async def bare(_: str) -> Store:
    """Nothing is stored."""

    async def store(_: Delivery) -> None:
        return

    return store


async def session(url: str) -> Store:
    """One session, one object a row, one commit: as most services are written."""
    writing, _ = open_engines(translate_url(url))

    async def store(delivery: Delivery) -> None:
        now = datetime.now(UTC)
        async with AsyncSession(writing) as session:
            session.add_all([_row(delivery, now), *_firings(delivery, now)])
            await session.commit()

    return store


async def driver(url: str) -> Store:
    """The same statements as Keyturn's, for one delivery each."""
    address = translate_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    pool = await asyncpg.create_pool(address, min_size=POOL_SIZE, max_size=POOL_SIZE)
    taking = Taking("postgresql")

    async def store(delivery: Delivery) -> None:
        now = datetime.now(UTC)
        statements = await taking.statements([(delivery, now)])
        async with pool.acquire() as connection, connection.transaction():
            for sql, arrays in statements:
                await connection.execute(sql, *arrays)

    return store


PEERS: dict[str, Callable[[str], Awaitable[Store]]] = {
    "bare": bare,
    "session": session,
    "asyncpg": driver,
}


def _row(delivery: Delivery, now: datetime) -> SQLModel:
    return DeliveryRow(
        digest=delivery.digest,
        source=delivery.source,
        receiver=delivery.receiver,
        group_key=delivery.group_key,
        truncated=delivery.truncated,
        count=1,
        first_seen=now,
        last_seen=now,
        body=delivery.body,
    )


def _firings(delivery: Delivery, now: datetime) -> list[Any]:
    return [
        FiringRow(
            source=firing.source,
            fingerprint=firing.fingerprint,
            starts_at=firing.starts_at,
            ends_at=firing.ends_at,
            status=firing.status,
            seen_status=FiringStatus.FIRING,
            app_label=firing.labels.get("app", ""),
            env_label=firing.labels.get("env", ""),
            labels=dict(firing.labels),
            annotations=dict(firing.annotations),
            first_seen=now,
            last_seen=now,
        )
        for firing in delivery.firings
    ]


async def serve(name: str, url: str) -> None:
    store = await PEERS[name](url)
    labels = LabelMap()

    async def receive(request: web.Request) -> web.Response:
        await store(wire.parse(await request.read(), labels=labels, known=()))
        return web.Response(status=202)

    application = web.Application(client_max_size=wire.MAX_BYTES)
    application.router.add_post(routes.PATH, receive)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=BACKLOG).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve(sys.argv[1], sys.argv[2]))
