"""Two stored versions differ as their documents do, though next to nothing of them is read."""

from __future__ import annotations

import copy
import json
from contextlib import suppress
from itertools import pairwise, permutations
from typing import Any

import pytest

from bot.domain.approval import MOVES
from bot.domain.diff.changes import compare
from bot.ports.store import Store
from bot.services.comparing import between
from store.document import Document
from store.records import Corrupt, Version
from store.session import SqlStore, open_store
from tests.benchmarks.workflows import Workflows
from tests.contract.store import behind
from tests.contract.store.test_contents import successive
from tests.contract.store.test_versions import a_new, recorded

KEY = "zq8Lw0Kd71vTn4"


async def stored(store: Store, *documents: Document) -> list[Version]:
    return [await recorded(store, a_new(f"v{n}"), d) for n, d in enumerate(documents)]


def a_node(name: str, text: str = "hello", **more: Any) -> dict[str, Any]:
    said = [{"role": "system", "text": text}]
    data = {"type": "llm", "title": f"Step {name}", "prompt_template": said, **more}
    return {"id": name, "type": "custom", "data": data}


def an_edge(source: str, target: str) -> dict[str, Any]:
    return {"id": f"{source}-{target}", "source": source, "target": target}


def a_workflow(nodes: list[Any], edges: list[Any] | None = None, **more: Any) -> Document:
    return Document("workflow", {"graph": {"nodes": nodes, "edges": edges or []}, **more})


async def test_every_pair_of_a_history_differs_as_its_documents_do(store: Store) -> None:
    documents = successive(30, nodes=20)
    versions = await stored(store, *documents)
    pairs = [*pairwise(range(30)), *pairwise(range(29, -1, -1)), (0, 29), (29, 0), (3, 3)]

    for old, new in pairs:
        found = await between(store, versions[old], versions[new])
        assert found == compare(documents[old], documents[new])


async def test_workflows_of_nothing_in_common_differ_as_their_documents_do(store: Store) -> None:
    documents = [Document("workflow", Workflows(seed).content(60)) for seed in (1, 2)]
    old, new = await stored(store, *documents)

    assert await between(store, old, new) == compare(*documents)


ODD: list[list[Any]] = [
    [a_node("a"), a_node("b"), a_node("b", "again")],
    [a_node("a"), a_node("b", "again")],
    [a_node("b", "again"), a_node("b"), a_node("a"), a_node("b", "third")],
    [a_node("a", "other"), {"data": {"type": "end"}}, {"data": {"type": "start"}}],
    [{"data": {"type": "start"}}, a_node("a", "other"), {"data": {"type": "start"}}],
    [a_node("x/y"), a_node("x/y", "twin"), a_node("#1"), "a note", 3],
    [a_node("x/y", "twin"), a_node("#1", "else"), a_node("ключ")],
    [],
]


async def test_nodes_that_share_an_id_or_have_none_are_told_apart_all_the_same(
    store: Store,
) -> None:
    edges = [an_edge("a", "b"), an_edge("x/y", "#1"), an_edge("ключ", "a")]
    documents = [a_workflow(nodes, edges[: n % 4]) for n, nodes in enumerate(ODD)]
    versions = await stored(store, *documents)

    for old, new in permutations(range(len(ODD)), 2):
        found = await between(store, versions[old], versions[new])
        assert found == compare(documents[old], documents[new]), (old, new)


async def test_modes_variables_and_other_sections_are_compared_in_full(store: Store) -> None:
    variable = {"id": "v", "name": "LIMIT", "value_type": "string", "value": "1"}
    secret = {"id": "v", "name": "LIMIT", "value_type": "secret"}
    documents = [
        a_workflow([a_node("a")], environment_variables=[variable], features={"a": 1}),
        a_workflow([a_node("a")], environment_variables=[secret], features={"a": 2}),
        Document("advanced-chat", {"graph": {"nodes": [a_node("a")], "edges": []}}),
        Document("chat", {"model_config": {"pre_prompt": "hello"}}),
    ]
    versions = await stored(store, *documents)

    for old, new in permutations(range(4), 2):
        found = await between(store, versions[old], versions[new])
        assert found == compare(documents[old], documents[new]), (old, new)


async def test_a_connection_is_called_by_nodes_that_did_not_change(store: Store) -> None:
    nodes = [a_node("a"), a_node("x/y")]
    old, new = await stored(
        store, a_workflow(nodes), a_workflow(nodes, [an_edge("a", "x/y"), an_edge("a", "gone")])
    )

    found = await between(store, old, new)

    assert [c.subject for c in found.changes] == ["Step a → gone", "Step a → Step x/y"]


async def test_a_credential_of_a_node_that_did_not_change_is_hidden_each_time(
    store: Store,
) -> None:
    call = {"id": "call", "data": {"type": "tool", "api_key": KEY}}
    documents = [a_workflow([call, a_node("a", text)]) for text in ("x", f"say {KEY}", "y")]
    versions = await stored(store, *documents)

    for old, new in (*pairwise(versions), *pairwise(reversed(versions))):
        told = json.dumps([c.after or c.before for c in (await between(store, old, new)).changes])
        assert KEY not in told


async def test_what_both_have_is_read_once_and_then_known(store: Store) -> None:
    call = {"id": "call", "data": {"type": "tool", "api_key": KEY}}
    many = [a_node(f"n{n}") for n in range(20)]
    old, new = await stored(
        store, a_workflow([call, a_node("a"), *many]), a_workflow([call, a_node("a", "b"), *many])
    )

    async with store.read() as tx:
        first = await tx.versions.differing(old, new)
        tx.versions.known(first.shared.keys())
        again = await tx.versions.differing(old, new)

    ids = [node["id"] for node in first.shared.values()]
    assert sorted(ids) == sorted(["call", *(node["id"] for node in many)])
    assert again.shared == {}
    assert [n["id"] for n in again.after[1]["graph"]["nodes"]] == ["a"]


async def test_after_a_new_connection_nothing_is_taken_for_known(store: Store) -> None:
    """After a fail-over the last commits may be gone, and their numbers given to other rows."""
    documents = successive(2, nodes=6)
    old, new = await stored(store, *documents)
    async with store.read() as tx:
        shared = (await tx.versions.differing(old, new)).shared
        tx.versions.known(shared.keys())
    assert isinstance(store, SqlStore)
    await store._writing.dispose()

    async with store.write() as tx:
        again = (await tx.versions.differing(old, new)).shared

    assert again.keys() == shared.keys()


@pytest.mark.parametrize("table", ["part", "manifest"])
async def test_damage_to_what_differs_is_named(store: Store, database_url: str, table: str) -> None:
    old, new = await stored(store, *successive(2, nodes=6))
    column = "data" if table == "part" else "packed"
    async with behind.connected(database_url) as sql:
        await sql(f"UPDATE {table} SET {column} = ?", b"not zstd")

    another = await open_store(database_url, moves=MOVES)  # which has read nothing yet
    try:
        with pytest.raises(Corrupt, match=r"damaged at|unpacked"):
            await between(another, old, new)
    finally:
        await another.close()


async def test_a_version_whose_transaction_was_rolled_back_leaves_nothing_that_is_built_upon(
    store: Store,
) -> None:
    first, second = successive(2, nodes=6)
    await recorded(store, a_new("v1"), first)
    with suppress(ZeroDivisionError):
        async with store.write() as tx:
            await tx.versions.record(a_new("v2"), second)
            raise ZeroDivisionError

    version = await recorded(store, a_new("v2"), copy.deepcopy(second))

    async with store.read() as tx:
        assert (await tx.versions.document(version.id)).content == second.content


async def test_what_two_places_share_is_read_for_both(store: Store) -> None:
    """No connections and no variables are the same part, "[]"; of one place it is not needed."""
    documents = [
        a_workflow(
            [a_node("a", text)], edges=[], environment_variables=[], conversation_variables=[]
        )
        for text in ("hello", "bye")
    ]
    old, new = await stored(store, *documents)

    assert await between(store, old, new) == compare(*documents)
