"""A workspace of a thousand apps: one page a hundred when nothing changed, a few reads at once.

    python -m tests.benchmarks.workspace [--quick] [--json]

The real snapshot job looks at a local Dify of 1,000 apps (--quick: 200) that takes a while to
answer: at first contact, when nothing was published since, and when ten were. Its calls are
counted by Dify. The last line is one JSON object; exit 1 when a goal is missed.
"""

from __future__ import annotations

import asyncio
import math
import secrets
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from bot.adapters.dify.client import DifyTarget
from bot.adapters.dify.credentials import Account
from bot.adapters.dify.versions import APPS_A_PAGE
from bot.domain.approval import MOVES
from bot.playground.dify.server import RunningDify, start
from bot.playground.dify.state import DifyState
from bot.services.places import Places
from bot.services.snapshot import AT_ONCE, Snapshot
from store.records import AppEnv
from store.session import SqlStore, migrate, open_store
from tests.benchmarks.measuring import Goal, Report, options

MANY, FEW = 1_000, 200
PUBLISHED = 10
ANSWERS_AFTER_S = 0.01
EMAIL = "rollback-bot@example.com"
NAMES = {"apps": "pages", "versions": "histories", "published_get": "live versions"}


class Workspace:
    """A Dify with that many apps, each published once; it counts who asks at once."""

    def __init__(self, apps: int) -> None:
        self.password = secrets.token_urlsafe(12)
        self.state = DifyState()
        self.state.add_account(EMAIL, self.password, name="rollback-bot", role="owner")
        self.ids = {f"app-{n}": self.state.create_app(f"app-{n}").id for n in range(apps)}
        for name in self.ids:
            self.publish(name, "first")
        self.most = self._now = 0
        for route in ("versions", "published_get"):
            self.state.faults.before(route, self._take_a_while, always=True)

    def publish(self, name: str, prompt: str) -> None:
        """Let somebody publish *prompt* in the app of that *name*."""
        node = {"id": "1", "data": {"type": "llm", "title": "Answer", "prompt": prompt}}
        self.state.publish_directly(name, graph={"nodes": [node], "edges": []})

    def calls(self) -> Counter[str]:
        """Calls since the last time, by what was asked."""
        found = Counter(NAMES.get(call.route, call.route) for call in self.state.faults.log)
        self.state.faults.log.clear()
        return found

    async def _take_a_while(self) -> None:
        self._now += 1
        self.most = max(self.most, self._now)
        await asyncio.sleep(ANSWERS_AFTER_S)
        self._now -= 1


async def swept(snapshot: Snapshot) -> tuple[int, float]:
    """How many versions one look found, and how long it took."""
    began = time.perf_counter()
    found = len(await snapshot.sweep())
    return found, round(time.perf_counter() - began, 3)


async def measure(report: Report, store: SqlStore, dify: RunningDify, space: Workspace) -> None:
    apps, pages = len(space.ids), math.ceil(len(space.ids) / APPS_A_PAGE)
    target = DifyTarget("dify.large", url=dify.url, credentials=Account(EMAIL, space.password))
    places = Places({AppEnv(name, "prod"): (target, id_) for name, id_ in space.ids.items()})
    snapshot = Snapshot(store, places, nudge=lambda: None)
    try:
        first, first_s = await swept(snapshot)
        at_first, most = space.calls(), space.most
        nothing, nothing_s = await swept(snapshot)
        unchanged = space.calls()
        for name in list(space.ids)[:: apps // PUBLISHED][:PUBLISHED]:
            space.publish(name, "second")
        some, some_s = await swept(snapshot)
        changed = space.calls()
    finally:
        await target.close()
    report.measured |= {
        "apps": apps,
        "seconds": {"first contact": first_s, "unchanged": nothing_s, "ten published": some_s},
        "calls": {"first contact": at_first, "unchanged": unchanged, "ten published": changed},
        "at once": most,
    }
    report.goals += [
        Goal("calls for an app at first contact", at_first["histories"] / apps, 1),
        Goal("every app is read at first contact", first / apps, 1, at_least=True),
        Goal("calls when nothing changed, a page", unchanged.total() / pages, 1),
        Goal("versions that were found though nothing changed", nothing, 0),
        Goal("versions that were found of ten", some / PUBLISHED, 1, at_least=True),
        Goal("calls for each that was published", (changed.total() - pages) / PUBLISHED, 2),
        Goal("asked at once, of what is allowed", most / AT_ONCE, 1),
    ]


async def main(*, quick: bool, as_json: bool) -> None:
    report = Report("workspace", quick)
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'keyturn.db'}"
        await asyncio.to_thread(migrate, url)
        store = await open_store(url, moves=MOVES)
        space = Workspace(FEW if quick else MANY)
        dify = await start(state=space.state)
        try:
            await measure(report, store, dify, space)
        finally:
            await dify.stop()
            await store.close()
    report.finish(as_json=as_json)


if __name__ == "__main__":
    quick, as_json = options(sys.argv[1:])
    asyncio.run(main(quick=quick, as_json=as_json))
