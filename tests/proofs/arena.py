"""Where executors die: a Dify over HTTP, a database, and rollbacks that were approved.

Each trial is an app of its own with a good version, a bad one that is live, and work that an
editor has not published. What must be true in the end is said in one place, `Trial.broken`.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

from bot.adapters.dify.client import DifyTarget
from bot.adapters.dify.credentials import Account
from bot.domain import approval
from bot.domain.policy import Policy
from bot.playground.dify.server import RunningDify
from bot.playground.dify.server import start as start_dify
from bot.playground.dify.state import DifyState
from bot.playground.dify.workflows import Workflow
from bot.playground.story.workflow import BAD_PROMPT, Edition, environment, features, graph
from bot.services.execute import Execute
from bot.services.opening.rules import Rules
from bot.services.places import Places
from bot.services.propose import Propose
from bot.services.snapshot import Snapshot
from store.records import AppEnv, Rollback, State
from store.session import SqlStore, open_store
from tests.builders import ALICE, BOB, CHANNEL, DAVE, REVIEWERS, SEALING
from tests.fakes.people import FakeDirectory
from tests.proofs.executor import EMAIL, PASSWORD, Order, at_once
from tests.unit.services.scene import vote_of

ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 90.0
POLICY = Policy(reviewers=(REVIEWERS,), requesters=(DAVE,), named=True)
GOOD, BAD = Edition(), replace(Edition(), prompt=BAD_PROMPT)
KEEP = "[__HIDDEN__]"
Secrets = Mapping[str, str]  # names and values


@dataclass(frozen=True)
class Trial:
    """One approved rollback, and what Dify held when it was approved."""

    where: AppEnv
    app_id: str
    rollback_id: int
    good: str
    bad: str
    unpublished: str
    versions: int
    in_force: Secrets
    of_draft: Secrets

    def broken(self, after: Rollback, state: DifyState, *, stays: bool = True) -> list[str]:
        """What is not as promised: old or new is live, published once at most, and it is told.

        With *stays* the editors' draft has to be as it was.
        """
        live, draft = state.live(self.app_id), state.draft(self.app_id)
        ours = self.published(after, state)
        done = after.state is State.COMPLETED
        promises = {
            f"it ended as {after.state} ({after.outcome})": after.state
            in {State.COMPLETED, State.FAILED},
            "neither the old nor the new version is live": live is not None
            and live.hash == (self.good if done else self.bad),
            f"{len(ours)} publishes of ours": len(ours) == int(done),
            "another number of versions": len(state.versions(self.app_id))
            == self.versions + len(ours),
            "the editors' draft is another one": not stays
            or (draft is not None and draft.hash == self.unpublished),
            "other secret values are live": live is not None and _secrets(live) == self.in_force,
            "the editors' draft has other secret values": not stays
            or (draft is not None and _secrets(draft) == self.of_draft),
            "completed without a read-back": not done or after.execution.verified_at is not None,
        }
        return [f"{self.where}: {what}" for what, held in promises.items() if not held]

    def published(self, after: Rollback, state: DifyState) -> list[Workflow]:
        """What stands in Dify's history under the name of this rollback."""
        start = f"rollback-{after.id}-"
        return [v for v in state.versions(self.app_id) if v.marked_name.startswith(start)]


class Executor:
    """A process that executes for us, one order at a time."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.pid = 0

    async def begin(self, order: Order) -> None:
        """Let it begin with *order*."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(asdict(order)).encode() + b"\n")
        await self._process.stdin.drain()
        self.pid = (await self.hear())["pid"]

    async def hear(self) -> dict[str, int]:
        """What it says next: `stopped`, or `ended`."""
        assert self._process.stdout is not None
        async with asyncio.timeout(LIMIT_S):
            line = await self._process.stdout.readline()
        if not line:
            raise AssertionError(f"an executor ended with {await self._process.wait()}")
        said: dict[str, int] = json.loads(line)
        if "ended" in said:
            self.pid = 0
        return said

    async def run(self, order: Order) -> int:
        """Let it carry *order* out; return its exit code, negative for a signal."""
        await self.begin(order)
        return (await self.hear())["ended"]

    async def stop(self) -> None:
        """End it, and what it has begun: one that stands still would hold its pipe for ever."""
        for pid in (self.pid, self._process.pid):
            with suppress(ProcessLookupError):
                if pid and self._process.returncode is None:
                    os.kill(pid, signal.SIGKILL)
        await self._process.wait()


@dataclass
class Arena:
    """One Dify and one database; `ours` is a target of this very process."""

    dify: RunningDify
    store: SqlStore
    database_url: str
    ours: DifyTarget
    executors: tuple[Executor, ...]
    _numbers: Any

    @property
    def state(self) -> DifyState:
        return self.dify.state

    def order(self, trial: Trial, owner: str, **changes: Any) -> Order:
        """Execute *trial* as *owner*."""
        facts: dict[str, Any] = {
            "database_url": self.database_url,
            "dify_url": self.dify.url,
            "app": trial.where.app,
            "env": trial.where.env,
            "app_id": trial.app_id,
            "owner": owner,
        }
        return Order(**{**facts, **changes})

    async def run_at_once(
        self,
        trial: Trial,
        owners: Sequence[str],
        *,
        who: Sequence[Executor] | None = None,
        later_s: int,
    ) -> list[int]:
        """Let all executors, or *who*, go for *trial* at once, as *owners*; their exit codes."""
        racing = zip(who or self.executors, owners, strict=False)
        orders = [(one, self.order(trial, owner, later_s=later_s)) for one, owner in racing]
        return await asyncio.gather(*(one.run(order) for one, order in orders))

    async def approved(self, *, secrets_typed: bool = False) -> Trial:
        """A new app with its history, and a rollback of it that two people have approved."""
        return await self.asked(ALICE, BOB, secrets_typed=secrets_typed)

    async def asked(self, *approving: str, secrets_typed: bool = False) -> Trial:
        """A new app with its history, and a rollback of it that *approving* have approved.

        With *secrets_typed* the editors' draft has a changed secret and one of its own.
        """
        app_id = self._an_app(f"app-{next(self._numbers)}")
        if secrets_typed:
            self._type_secrets(app_id)
        where = AppEnv(self.state.app(app_id).name, "prod")
        good, live, draft = self._found(app_id)
        rollback = await self._asked(where, app_id)
        for who in approving:
            rollback = await vote_of(self.store, who, rollback)
        versions = len(self.state.versions(app_id))
        return Trial(
            where,
            app_id,
            rollback.id,
            good.hash,
            live.hash,
            draft.hash,
            versions,
            in_force=_secrets(live),
            of_draft=_secrets(draft),
        )

    async def rollback(self, trial: Trial) -> Rollback:
        async with self.store.read() as tx:
            return await tx.rollbacks.get(trial.rollback_id)

    def _an_app(self, name: str) -> str:
        app = self.state.create_app(name, by="carol")
        for edition, secret, age in ((GOOD, "sk-1", 60), (BAD, KEEP, 10)):
            self.state.publish_directly(
                app.id,
                graph=graph(edition),
                features=features(),
                environment_variables=environment(edition, secret=secret),
                conversation_variables=[],
                by="carol",
                at=self.state.clock() - timedelta(minutes=age),
            )
        work = graph(replace(BAD, note=True))
        self.state.save_draft_as_editor(app.id, graph=work, by="carol")
        return app.id

    def _type_secrets(self, app_id: str) -> None:
        first, *others = environment(GOOD, secret="sk-2")
        own = {**first, "id": "5e2c", "name": "OWN", "value": "sk-3"}
        self.state.save_draft_as_editor(
            app_id, environment_variables=[first, *others, own], by="carol"
        )

    def _found(self, app_id: str) -> tuple[Workflow, Workflow, Workflow]:
        """The good version, live, and the editors' draft."""
        live, draft = self.state.live(app_id), self.state.draft(app_id)
        assert live is not None
        assert draft is not None
        return self.state.versions(app_id)[1], live, draft

    def execute(
        self, trial: Trial, store: SqlStore | None = None, *, owner: str = "here"
    ) -> Execute:
        """An executor in this very process."""
        places = Places({trial.where: (self.ours, trial.app_id)})
        return Execute(
            store or self.store,
            places,
            FakeDirectory(),
            sealing=SEALING,
            owner=owner,
            pause=at_once,
        )

    async def snapshot(self, trial: Trial) -> None:
        """Let the scheduled job read what was published."""
        places = Places({trial.where: (self.ours, trial.app_id)})
        await Snapshot(self.store, places, nudge=lambda: None).refresh(trial.where)

    async def said_of(self, trial: Trial, action: str) -> int:
        """How many audit entries of this *action* the rollback has."""
        async with self.store.read() as tx:
            head, _ = await tx.audit.head()
            recent = await tx.audit.entries(after=max(head - 200, 0))
        resource = f"rollback/{trial.rollback_id}"
        return sum(e.action == action and e.resource == resource for e in recent)

    async def _asked(self, where: AppEnv, app_id: str) -> Rollback:
        places, directory = Places({where: (self.ours, app_id)}), FakeDirectory()
        rules = Rules(
            policies={"prod": POLICY},
            channels={where: CHANNEL},
            criticality={},
            waited=timedelta(minutes=5),
            lookback=timedelta(hours=1),
        )
        snapshot = Snapshot(self.store, places, nudge=lambda: None)
        propose = Propose(
            self.store, places, directory, snapshot, rules, nonce=lambda: secrets.token_hex(16)
        )
        by = await directory.member(DAVE)
        return await propose.requested(where, 1, by=by, channel=CHANNEL, response_url="")


@asynccontextmanager
async def an_arena(
    database_url: str, *, executors: int = 2, given: Sequence[Mapping[str, str]] = ()
) -> AsyncIterator[Arena]:
    """An arena on the migrated database at *database_url*, with processes that wait for orders.

    Each has its own of the environment variables *given*, where there are any.
    """
    state = DifyState()
    state.add_account("carol@example.com", PASSWORD, name="carol", role="owner")
    state.add_account(EMAIL, PASSWORD, name="rollback-bot")
    dify = await start_dify(state=state)
    store = await open_store(database_url, moves=approval.MOVES, durable=False)
    ours = DifyTarget("dify.proof", url=dify.url, credentials=Account(EMAIL, PASSWORD))
    waiting = tuple([Executor(await _a_process(more)) for more in (given or [{}] * executors)])
    try:
        for executor in waiting:
            await executor.hear()
        yield Arena(dify, store, database_url, ours, waiting, count(1))
    finally:
        for executor in waiting:
            await executor.stop()
        await ours.close()
        await store.close()
        await dify.stop()


def _secrets(workflow: Workflow) -> Secrets:
    return {v.name: v.value for v in workflow.environment_variables if v.secret}


async def _a_process(more: Mapping[str, str]) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.proofs.executor"),
        cwd=ROOT,
        env={**os.environ, **more},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
