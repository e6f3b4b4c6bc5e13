"""Workflows of strangers on the whole way: parsed, stored, read back, compared, drawn.

82 exports and 24 histories; what they say is data. Each is stored in a real SQLite database.
"""

from __future__ import annotations

import itertools
import json
import secrets
import sqlite3
import unicodedata
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import pytest

from bot import render
from bot.adapters.dify.client import DifyTarget
from bot.adapters.dify.credentials import Account
from bot.adapters.dify.dsl import from_dsl
from bot.domain import approval, button, card_view
from bot.domain.diff.changes import ChangeList, compare
from bot.domain.diff.text import MAX_BYTES, as_text
from bot.domain.secrets import expected, plan
from bot.playground.dify.server import start as start_dify
from bot.playground.dify.state import WORKFLOW_MODES, DifyState
from bot.services.places import Places
from bot.services.snapshot import Snapshot
from store.document import Document
from store.records import Leg, NewVersion, Rollback, Version, VersionKind, VersionSource
from store.session import SqlStore
from tests.builders import KEYS, NOON, PROD, a_case, a_finding, a_firing, a_rollback
from tests.cards import sound, tokens
from tests.plugins.requirements import shared_path

EMAIL = "bot@example.com"
FINDING = {"suspect": 2, "candidate": 1, "minutes": 4, "published_at": NOON.isoformat()}


def exports() -> list[str]:
    """The names of the exports; one that is not there, so that its test skips, without them."""
    try:
        folder = shared_path("data", "dsl")
    except pytest.skip.Exception:
        return ["absent"]
    return sorted(path.name for path in folder.glob("*.yml"))


def histories(*modes: str) -> list[str]:
    """The names of the histories, or of those whose app has one of *modes*."""
    try:
        index = json.loads(shared_path("data", "dsl_histories", "index.json").read_text())
    except pytest.skip.Exception:
        return ["absent"]
    return [entry["slug"] for entry in index if not modes or entry["mode"] in modes]


def read(path: Path) -> Document:
    return from_dsl(path.read_text(encoding="utf-8"))


@cache
def history(name: str) -> tuple[Document, ...]:
    """The versions of one history, oldest first."""
    files = sorted(shared_path("data", "dsl_histories", name).glob("*.yml"))
    return tuple(read(file) for file in files)


async def recorded(store: SqlStore, documents: Sequence[Document]) -> list[Version]:
    """Store *documents* as the versions that were published one after the other."""
    versions = []
    for number, document in enumerate(documents, start=1):
        new = NewVersion(
            where=PROD,
            kind=VersionKind.PUBLISHED,
            source=VersionSource.PUBLISHED,
            external_id=f"version-{number}",
            external_hash=document.root[:16],
            published_at=NOON,
        )
        async with store.write() as tx:
            versions.append(await tx.versions.record(new, document))
    return versions


async def stored(store: SqlStore, version: Version) -> Document:
    async with store.read() as tx:
        return await tx.versions.document(version.id)


@contextmanager
def nothing_written(url: str) -> Iterator[None]:
    """Fail if the database was changed; https://www.sqlite.org/pragma.html#pragma_data_version."""
    watching = sqlite3.connect(url.removeprefix("sqlite:///"))
    try:
        (before,) = watching.execute("PRAGMA data_version").fetchone()
        yield
        (after,) = watching.execute("PRAGMA data_version").fetchone()
    finally:
        watching.close()
    assert after == before


def test_all_of_them_are_here() -> None:
    shared_path("data")
    assert (len(exports()), len(histories()), len(histories(*WORKFLOW_MODES))) == (82, 24, 22)


async def test_a_write_is_noticed(sqlite_store: SqlStore, sqlite_url: str) -> None:
    with pytest.raises(AssertionError), nothing_written(sqlite_url):
        await recorded(sqlite_store, [Document("workflow", {"graph": {"nodes": []}})])


@pytest.mark.parametrize("name", exports())
async def test_an_export_is_stored_without_loss_and_only_once(
    name: str, sqlite_store: SqlStore, sqlite_url: str
) -> None:
    document = read(shared_path("data", "dsl", name))
    versions = await recorded(sqlite_store, [document])

    back = await stored(sqlite_store, versions[0])
    with nothing_written(sqlite_url):
        again = await recorded(sqlite_store, [document])

    assert back.content == document.content
    assert (back.mode, back.root, back.meaning) == (document.mode, document.root, document.meaning)
    assert versions[0].root == document.root
    assert again == versions


@pytest.mark.parametrize("name", histories())
async def test_every_step_of_a_history_is_stored_and_can_be_shown_and_undone(
    name: str, sqlite_store: SqlStore, sqlite_url: str
) -> None:
    documents = history(name)
    versions = await recorded(sqlite_store, documents)
    with nothing_written(sqlite_url):
        assert await recorded(sqlite_store, documents) == versions

    back = [await stored(sqlite_store, version) for version in versions]

    assert [document.content for document in back] == [d.content for d in documents]
    assert [document.root for document in back] == [d.root for d in documents]
    for (to, candidate), (old, live) in itertools.pairwise(zip(versions, back, strict=True)):
        step = Step(live=old, to=to, before=live, after=expected(candidate, live))
        shown(step)
        attached(step)


@dataclass(frozen=True)
class Step:
    """Going back from `live` to `to`."""

    live: Version
    to: Version
    before: Document
    after: Document

    @cached_property
    def changes(self) -> ChangeList:
        return compare(self.before, self.after)

    @property
    def rollback(self) -> Rollback:
        found = plan(self.after, self.before)
        leg = Leg(
            where=PROD,
            from_version_id=self.live.id,
            to_version_id=self.to.id,
            live_external_id=self.live.external_id,
            live_root=self.before.root,
            expected_root=self.after.root,
            change_digest=self.changes.digest,
            secrets={"kept": list(found.kept), "from_version": list(found.from_version)},
        )
        return a_rollback(legs=(leg,), content_digest=approval.content_digest((leg,)))


def shown(step: Step) -> None:
    """The card of *step* is one that Slack takes, and its buttons are there."""
    view = card_view.build(
        a_case(finding=a_finding(facts=FINDING)),
        step.rollback,
        versions={version.id: version for version in (step.live, step.to)},
        changes=[step.changes],
        firings=[a_firing()],
        head=(41, "ee" * 32),
        sign=lambda rollback, action: button.sign(rollback, action, keys=KEYS),
    )
    message = sound(render.card(view))
    assert tokens(message) == [], "what strangers wrote is never a mention or a link"
    offered = [b.action for b in view.buttons]
    assert offered == ["approve", "reject", "difference", "another"]
    assert len(view.changes) + view.changes_left == len(step.changes.changes)


def attached(step: Step) -> None:
    """The whole difference of *step* is one text file that Slack takes."""
    text = as_text(step.changes, title=f"{PROD}: version {step.live.number} to {step.to.number}")
    assert len(text.encode()) <= MAX_BYTES + 4_000
    assert {c for c in text if unicodedata.category(c) == "Cc"} <= {"\n", "\t"}
    assert text.splitlines()[1] == step.changes.summary()


# -- the same histories, published in a Dify and read from it -----------------------------------


@asynccontextmanager
async def published(documents: Sequence[Document]) -> AsyncIterator[tuple[DifyTarget, str]]:
    """A Dify in which somebody published *documents* one after the other."""
    password = secrets.token_urlsafe(12)
    state = DifyState()
    state.add_account(EMAIL, password, role="owner")
    app = state.create_app(PROD.app, mode=documents[0].mode)
    for document in documents:
        content = document.content
        state.publish_directly(
            app.id,
            graph=content.get("graph", {}),
            features=content.get("features", {}),
            environment_variables=content.get("environment_variables", []),
            conversation_variables=content.get("conversation_variables", []),
        )
    dify = await start_dify(state=state)
    target = DifyTarget("dify.test", url=dify.url, credentials=Account(EMAIL, password))
    try:
        yield target, app.id
    finally:
        await target.close()
        await dify.stop()


@pytest.mark.parametrize("name", histories(*WORKFLOW_MODES))
async def test_a_published_history_is_read_whole_and_the_second_snapshot_writes_nothing(
    name: str, sqlite_store: SqlStore, sqlite_url: str
) -> None:
    documents = history(name)
    async with published(documents) as (target, app_id):
        snapshot = Snapshot(sqlite_store, Places({PROD: (target, app_id)}), nudge=lambda: None)
        versions = await snapshot.refresh(PROD)
        with nothing_written(sqlite_url):
            assert await snapshot.refresh(PROD) == []
            assert await snapshot.sweep() == []

    assert [version.number for version in versions] == list(range(1, len(documents) + 1))
    for version, document in zip(versions, documents, strict=True):
        back = await stored(sqlite_store, version)
        assert back.root == version.root
        assert back.content["graph"] == document.content["graph"]
        assert back.secrets == document.secrets
