"""The answer to a COMMIT gets lost: `python -m tests.proofs.lost_commit [--quick]`.

The commit is made, and the connection ends before anybody hears of it: on PostgreSQL a proxy
swallows the answer and cuts the TCP connection, on SQLite the driver raises in its place. For
n = 1, 2, 3 … the n-th commit of one flow is lost: the click that makes the quorum comes in, is
judged, and what was approved is executed. Everybody does what they do then: the person presses
again, the workers look again. However it goes: two votes, one publish, the good version live, the
editors' draft as it was.
"""

from __future__ import annotations

import argparse
import logging
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import (
    AbstractContextManager,
    AsyncExitStack,
    asynccontextmanager,
    contextmanager,
)
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Protocol

from sqlalchemy.exc import OperationalError

from bot.domain import approval, button, quorum
from bot.errors import LeaseLost
from bot.services.decide import Decide
from store.audit import verify
from store.records import InboxKind, NewInboxItem, Rollback, Stale, Unavailable
from store.session import SqlStore, open_store
from tests.builders import ALICE, BOB, CHANNEL, KEYS, TEAM
from tests.fakes.people import FakeDirectory
from tests.proofs.arena import POLICY, Arena, Trial, an_arena
from tests.proofs.proxy import Proxy, a_proxy
from tests.proofs.running import Journal, Tally, run

CARD_TS = "1764000000.000100"
QUICK_STEP = 4  # of how many commits one is lost, in a quick run
MOST_TRIES = 12
NONE_LOST = "none was lost"  # the flow has fewer commits
A_LEASE = timedelta(seconds=60)


class Clock:
    """The database's clock, moved on when somebody has to wait."""

    later = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.later


class Losing(Protocol):
    """Loses the answer of a commit."""

    @property
    def lost(self) -> int:
        """How many it has lost since it was told to."""
        ...

    def at(self, nth: int) -> AbstractContextManager[None]:
        """Lose the *nth* one inside."""
        ...


class InTheDriver:
    """Loses it where SQLAlchemy commits: SQLite has no connection that could be cut."""

    def __init__(self, store: SqlStore) -> None:
        self._dialect = store._writing.sync_engine.dialect
        self._commit = self._dialect.do_commit
        self._counted = 0
        self.lost = 0

    @contextmanager
    def at(self, nth: int) -> Iterator[None]:
        self._counted = self.lost = 0

        def commit(connection: Any) -> None:
            self._commit(connection)
            self._counted += 1
            if self._counted == nth:
                self.lost += 1
                raise OperationalError("COMMIT", {}, Exception("the connection was lost"))

        self._dialect.do_commit = commit  # type: ignore[assignment, method-assign]
        try:
            yield
        finally:
            self._dialect.do_commit = self._commit  # type: ignore[method-assign]


class OnTheWay:
    """Loses it between the server and the driver."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy

    @property
    def lost(self) -> int:
        return self._proxy.swallowed

    @contextmanager
    def at(self, nth: int) -> Iterator[None]:
        self._proxy.swallow(nth)
        yield
        self._proxy.well()


@asynccontextmanager
async def _losing(database_url: str, clock: Clock) -> AsyncIterator[tuple[SqlStore, Losing]]:
    """A store whose commits can be lost."""
    async with AsyncExitStack() as closing:
        proxy, url = None, database_url
        if not database_url.startswith("sqlite"):
            proxy = await closing.enter_async_context(a_proxy(database_url))
            url = proxy.url(database_url)
        store = await open_store(url, moves=approval.MOVES, clock=clock, durable=False)
        closing.push_async_callback(store.close)
        yield store, OnTheWay(proxy) if proxy else InTheDriver(store)


async def prove(database_url: str, step: int, journal: Journal) -> Tally:
    """Lose every *step*-th commit of the flow, each in a flow of its own."""
    tally, clock = Tally(), Clock()
    async with (
        an_arena(database_url, executors=0) as arena,
        _losing(database_url, clock) as (store, losing),
    ):
        nth, more = 1, True
        while more:
            play = partial(_play, arena, store, losing, clock, nth)
            end, broken = await journal.once(f"commit {nth}", play)
            tally.add(end, [f"commit {nth}: {what}" for what in broken])
            more = not end.startswith(NONE_LOST)
            nth += step
        if not (await verify(arena.store)).ok:
            tally.broken.append("the audit chain is broken")
    return tally


async def _play(
    arena: Arena, store: SqlStore, losing: Losing, clock: Clock, nth: int
) -> tuple[str, list[str]]:
    clock.later = timedelta(0)
    trial = await arena.asked(ALICE)
    await give_it_a_card(arena, trial)
    tries = 1
    with losing.at(nth):
        while tries < MOST_TRIES and (await arena.rollback(trial)).open:
            try:
                await _go_on(arena, store, trial)
            except (Unavailable, LeaseLost, Stale):
                clock.later += A_LEASE  # the person presses again, the workers look again
                tries += 1
    after = await arena.rollback(trial)
    broken = trial.broken(after, arena.state)
    people = sorted(vote.person for vote in quorum.approvals(after))
    if people != [ALICE, BOB] or len(after.votes) != 2:
        broken.append(f"the votes are {[(v.person, v.choice) for v in after.votes]}")
    claims = await arena.said_of(trial, "rollback.execute")
    if claims != 1:
        broken.append(f"it was claimed {claims} times")
    what = "lost" if losing.lost else NONE_LOST
    return f"{what}, {after.state.value} after {tries} tries", broken


async def _go_on(arena: Arena, store: SqlStore, trial: Trial) -> None:
    """The second person presses until it is stored; the workers do what there is to do."""
    rollback = await arena.rollback(trial)
    if len(quorum.approvals(rollback)) < 2:
        async with store.write() as tx:
            await tx.inbox.put(_click(rollback))
        judge = _judge(store)
        while await judge.step():
            pass
    executor = arena.execute(trial, store)
    while await executor.step():
        pass


def _click(rollback: Rollback) -> NewInboxItem:
    payload = {
        "value": button.sign(rollback, "approve", keys=KEYS),
        "channel": CHANNEL,
        "ts": CARD_TS,
        "response_url": "",
    }
    digest = secrets.token_hex(16)  # each press is signed anew
    return NewInboxItem(digest, InboxKind.CLICK, "approve", BOB, TEAM, payload)


def _judge(store: SqlStore) -> Decide:
    return Decide(
        store,
        FakeDirectory(),
        _nothing,
        rehearse=_nothing,
        refresh=_nothing,
        channels={},
        policy_of=lambda _: POLICY,
        keys=KEYS,
        owner="judge",
        nudge=lambda: None,
        jitter=lambda: -1.0,
    )


async def _nothing(*_: object, **__: object) -> Any:
    raise AssertionError("nobody asks for this here")


async def give_it_a_card(arena: Arena, trial: Trial) -> None:
    """Let the rollback's card be the message CARD_TS."""
    async with arena.store.write() as tx:
        rollback = await tx.rollbacks.get(trial.rollback_id)
        case = await tx.cases.get(rollback.case_id, lock=True)
        await tx.cases.save(replace(case, card_ts=CARD_TS), was=case.revision)


async def _prove(url: str, asked: argparse.Namespace, journal: Journal) -> Tally:
    logging.disable(logging.CRITICAL)
    return await prove(url, QUICK_STEP if asked.quick else 1, journal)


if __name__ == "__main__":
    raise SystemExit(run("lost_commit", __doc__ or "", _prove))
