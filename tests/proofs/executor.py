"""Executors that die, stop and are followed by others: `python -m tests.proofs.executor`.

Reads one JSON object a line, an `Order`; each is carried out by a forked process, since a fork
costs a hundredth of what starting Python does. Says `{"pid": …}` at once, `{"stopped": signal}`
when it was stopped, and `{"ended": code}` in the end, negative for a signal.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
import traceback
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from aiohttp import ClientTimeout

from bot.adapters.dify.client import DifyTarget
from bot.adapters.dify.credentials import Account
from bot.domain.approval import MOVES
from bot.services.execute import Execute
from bot.services.places import Places
from store import failpoint
from store.records import AppEnv
from store.session import open_store
from tests.builders import SEALING
from tests.fakes.people import FakeDirectory

EMAIL, PASSWORD = "rollback-bot@example.com", "turn-the-key-1"
CALL_S = 2.0  # a call that hangs is given up after it
LIMIT_S = 60.0


@dataclass(frozen=True)
class Order:
    """What to execute, and how to die of it.

    With `later_s` it goes by a clock of its own that is so far ahead, without by the database's.
    """

    database_url: str
    dify_url: str
    app: str
    env: str
    app_id: str
    owner: str
    failpoint: str = ""
    later_s: int = 0
    lease_s: float = 30.0


async def execute(order: Order) -> None:
    """Execute what is approved, or take over what was left, until nothing is left to do."""
    later = timedelta(seconds=order.later_s)
    clock = (lambda: datetime.now(UTC) + later) if later else None
    store = await open_store(order.database_url, moves=MOVES, clock=clock, durable=False)
    target = DifyTarget(
        "dify.proof",
        url=order.dify_url,
        credentials=Account(EMAIL, PASSWORD),
        timeout=ClientTimeout(total=CALL_S),
    )
    worker = Execute(
        store,
        Places({AppEnv(order.app, order.env): (target, order.app_id)}),
        FakeDirectory(),
        owner=order.owner,
        sealing=SEALING,
        pause=at_once,
        lease=timedelta(seconds=order.lease_s),
    )
    try:
        async with asyncio.timeout(LIMIT_S):
            while await worker.step():
                pass
    finally:
        await target.close()
        await store.close()


async def at_once(_: int) -> None:
    """Try again in the loop's next round."""
    await asyncio.sleep(0)


def _child(order: Order) -> None:
    """Carry *order* out and end without a word to what was inherited."""
    code = 0
    try:
        failpoint.arm(order.failpoint)
        asyncio.run(execute(order))
    except BaseException:  # noqa: BLE001  # the edge of a process
        traceback.print_exc()
        code = 3
    sys.stderr.flush()
    os._exit(code)


def _tell(**what: int) -> None:
    print(json.dumps(what), flush=True)


def main() -> None:
    """Carry out one order after the other until the input ends."""
    logging.disable(logging.CRITICAL)  # what goes wrong is looked for in what it leads to
    _tell(ready=os.getpid())
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            _child(Order(**json.loads(line)))
        _tell(pid=pid)
        while True:
            _, status = os.waitpid(pid, os.WUNTRACED)
            if os.WIFSTOPPED(status):
                _tell(stopped=os.WSTOPSIG(status))
                continue
            _tell(ended=os.waitstatus_to_exitcode(status))
            break


if __name__ == "__main__":
    main()
