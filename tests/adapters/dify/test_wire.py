"""Recorded answers are understood; one that lacks what we read, or lies about its type, is not."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from bot.adapters.dify import dsl, shapes, wire
from bot.errors import AnswerUnreadable
from store.document import canonical
from tests.adapters.dify.recordings import VERSIONS, body, kept, load, titled

Form = Callable[[Any], object]

FORMS: dict[str, tuple[str, Form]] = {
    "apps": ("main/016_list_apps", wire.app_page),
    "app": ("main/053_app_detail_published", wire.app_mode),
    "draft": ("main/059_rollbackA_get_draft", lambda b: wire.draft(b, mode="workflow")),
    "live": ("main/031_published_current", lambda b: wire.live(b, mode="workflow")),
    "versions": ("main/032_versions_list", lambda b: wire.version_page(b, mode="workflow")),
    "sync": ("main/029_draft_v2", wire.new_token),
    "publish": ("main/027_publish_v1", wire.published),
    "export": ("main/025_export_draft_include_secret", wire.exported),
}
_WORKFLOW: tuple[tuple[str | int, ...], ...] = (
    ("graph",),
    ("features",),
    ("hash",),
    ("created_by",),
    ("created_by", "name"),
    ("environment_variables",),
    ("environment_variables", 0, "id"),
    ("environment_variables", 0, "name"),
    ("environment_variables", 0, "value_type"),
    ("environment_variables", 1, "value"),
    ("conversation_variables",),
)
_PUBLISHED = (*_WORKFLOW, ("id",), ("version",), ("marked_name",), ("marked_comment",))
READ: dict[str, tuple[tuple[str | int, ...], ...]] = {
    "apps": (
        ("data",),
        ("has_more",),
        *((("data", 0, name)) for name in ("id", "name", "mode", "workflow")),
    ),
    "app": (("mode",),),
    "draft": (*_WORKFLOW, ("updated_by",), ("updated_at",)),
    "live": (*_PUBLISHED, ("created_at",)),
    "versions": (
        ("items",),
        ("has_more",),
        ("items", 0, "version"),
        *(("items", 2, *path) for path in (*_PUBLISHED, ("created_at",))),
    ),
    "sync": (("result",), ("hash",)),
    "publish": (("result",),),
    "export": (("data",),),
}
CASES = [(form, path) for form, paths in READ.items() for path in paths]


@pytest.mark.parametrize("form", FORMS)
def test_the_recorded_answer_is_understood(form: str) -> None:
    recording, read = FORMS[form]

    read(body(recording))


@pytest.mark.parametrize(("form", "path"), CASES)
def test_an_answer_without_a_field_that_we_read_is_unreadable(
    form: str, path: tuple[str | int, ...]
) -> None:
    recording, read = FORMS[form]
    answer, holder = _copy(recording, path)
    del holder[path[-1]]

    with pytest.raises(AnswerUnreadable, match="missing"):
        read(answer)


@pytest.mark.parametrize(("form", "path"), [c for c in CASES if c[1][-1] not in {"value", "name"}])
def test_an_answer_with_a_field_of_another_type_is_unreadable(
    form: str, path: tuple[str | int, ...]
) -> None:
    recording, read = FORMS[form]
    answer, holder = _copy(recording, path)
    holder[path[-1]] = 4.5

    with pytest.raises(AnswerUnreadable):
        read(answer)


def _copy(recording: str, path: tuple[str | int, ...]) -> tuple[Any, Any]:
    answer = copy.deepcopy(body(recording))
    holder = answer
    for step in path[:-1]:
        holder = holder[step]
    return answer, holder


def test_the_draft_tells_its_token_author_and_time() -> None:
    draft = wire.draft(body("main/059_rollbackA_get_draft"), mode="workflow")

    assert draft.token == "4c7773c4648f8d8dd87a5f25f10d3ca81a36aed182ae5df6374b7deee5e76466"
    assert draft.author == "Admin"
    assert draft.updated_at == datetime.fromtimestamp(1795475206, UTC)


def test_a_published_version_is_timed_to_the_microsecond() -> None:
    live = wire.live(body("main/031_published_current"), mode="workflow")

    assert live is not None
    assert live.published_at == datetime(2026, 11, 23, 23, 6, 45, 538281, UTC)


@pytest.mark.parametrize("number", ["1.2.3", "2001-01-01 00:00:00", ""])
def test_a_version_whose_name_is_not_its_time_has_the_time_of_its_creation(number: str) -> None:
    answer = body("main/031_published_current") | {"version": number}

    live = wire.live(answer, mode="workflow")

    assert live is not None
    assert live.published_at == datetime.fromtimestamp(1795475205, UTC)


def test_null_is_no_live_version() -> None:
    assert wire.live(body("main/020_published_before_publish"), mode="workflow") is None


def test_the_draft_is_not_among_the_versions_but_counts() -> None:
    page = wire.version_page(body("main/032_versions_list"), mode="workflow")

    assert [version.name for version in page.versions] == ["", "v1 good"]
    assert (page.length, page.has_draft, page.has_more) == (3, True, False)


def test_a_draft_where_a_published_version_belongs_is_unreadable() -> None:
    with pytest.raises(AnswerUnreadable, match="draft"):
        wire.live(body("main/022_draft_get_masked_secret"), mode="workflow")


def test_a_secret_is_told_without_value_or_mask_and_whatever_else_it_brings() -> None:
    answer = body("main/031_published_current")
    answer["environment_variables"][0] |= {"value": "sk-partial*", "masked": "sk-", "extra": 1}

    live = wire.live(answer, mode="workflow")

    assert live is not None
    assert live.document.content["environment_variables"][0] == {
        "value_type": "secret",
        "id": "38b095ac-9566-4238-bba4-6ba508d29ae5",
        "name": "API_KEY",
        "description": "s",
    }


def test_no_recorded_secret_or_mask_is_in_any_document() -> None:
    for name in kept():
        found = load(name).answer
        if not isinstance(found, dict) or "graph" not in found:
            continue
        read = wire.draft if found["version"] == "draft" else wire.version
        told = canonical(read(found, mode="workflow").document.content)
        assert b"****" not in told
        assert b"sk-secret" not in told


def test_everything_of_a_workflow_that_is_no_secret_is_in_its_document() -> None:
    answer = body("main/031_published_current")
    live = wire.live(answer, mode="workflow")

    assert live is not None
    told = live.document.content
    for key in ("graph", "features", "conversation_variables", "rag_pipeline_variables"):
        assert told[key] == answer[key]
    assert told["environment_variables"][1] == answer["environment_variables"][1]


def test_a_server_that_learns_of_rag_variables_changes_no_root() -> None:
    answer = body("main/031_published_current")
    newer = wire.live(answer, mode="workflow")
    del answer["rag_pipeline_variables"]

    older = wire.live(answer, mode="workflow")

    assert older is not None
    assert newer is not None
    assert older.document.root == newer.document.root


def test_before_versions_had_names_theirs_are_empty() -> None:
    answer = body("main/031_published_current")
    del answer["marked_name"], answer["marked_comment"]

    live = wire.live(answer, mode="workflow", named=False)

    assert live is not None
    assert (live.name, live.comment) == ("", "")


@pytest.mark.parametrize("version", VERSIONS)
def test_no_mask_of_any_release_gets_into_a_document(version: str) -> None:
    documents = [
        wire.live(body(titled("published_current", version), version), mode="workflow"),
        wire.draft(body(titled("draft_get_masked_secret", version), version), mode="workflow"),
        *wire.version_page(
            body(titled("versions_list", version), version), mode="workflow"
        ).versions,
    ]

    for found in documents:
        assert found is not None
        told = canonical(found.document.content)
        assert b"API_KEY" in told
        assert b"***" not in told
        assert b"sk-" not in told


@pytest.mark.parametrize("version", VERSIONS)
def test_nothing_is_live_before_the_first_publish_on_any_release(version: str) -> None:
    answer = body(titled("published_before_publish", version), version)

    assert wire.live(answer, mode="workflow") is None
    assert wire.shown_secrets(answer) == {}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<!doctype html><title>Login</title>",
        b'{"data": [',
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": "\xff"}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
    ],
)
def test_bytes_that_are_no_json_are_unreadable(data: bytes) -> None:
    with pytest.raises(AnswerUnreadable):
        shapes.parse_json(data, "test")


@pytest.mark.parametrize("value", [None, [], "text", 3, True, [{}], {}])
@pytest.mark.parametrize("form", FORMS)
def test_json_of_another_shape_is_unreadable(form: str, value: object) -> None:
    if form == "live" and value is None:
        pytest.fail("null means that nothing is published") if wire.live(None, mode="x") else None
        return
    with pytest.raises(AnswerUnreadable):
        FORMS[form][1](value)


@pytest.mark.parametrize("bad", ["\ud800", {"deep": json.loads("[" * 80 + "]" * 80)}])
def test_what_can_be_no_document_is_unreadable(bad: object) -> None:
    answer = body("main/031_published_current")
    answer["graph"]["nodes"][0]["data"]["title"] = bad

    with pytest.raises(AnswerUnreadable):
        wire.live(answer, mode="workflow")


def test_an_error_names_the_place_and_never_the_value() -> None:
    answer = body("main/032_versions_list")
    answer["items"][1]["created_at"] = "a-private-value"

    with pytest.raises(AnswerUnreadable) as caught:
        wire.version_page(answer, mode="workflow")

    assert "created_at" in str(caught.value)
    assert "private" not in str(caught.value)


def test_the_secrets_of_an_export_are_read_by_id() -> None:
    text = wire.exported(body("main/049_export_v2_include_secret"))

    assert dsl.secret_values(text) == {"38b095ac-9566-4238-bba4-6ba508d29ae5": "sk-secret-TWO"}


def test_an_export_and_the_console_tell_the_same_graph_and_features() -> None:
    draft = wire.draft(body("main/022_draft_get_masked_secret"), mode="workflow")
    exported = wire.from_dsl(wire.exported(body("main/025_export_draft_include_secret")))

    for key in ("graph", "features", "conversation_variables"):
        assert exported.content[key] == draft.document.content[key]
    assert exported.secrets == draft.document.secrets
    assert exported.mode == "workflow"
