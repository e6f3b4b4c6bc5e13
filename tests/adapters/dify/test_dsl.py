"""DSL files of many hands and ages become documents; what could harm is refused."""

from __future__ import annotations

import json
import time

import pytest

from bot.adapters.dify.dsl import from_dsl, secret_values
from bot.adapters.dify.dsl_text import MAX_BYTES
from bot.errors import AnswerUnreadable
from store.document import canonical
from tests.plugins.requirements import shared_path

WORKFLOW = """\
app: {name: Refund triage, mode: workflow}
kind: app
version: 0.6.0
dependencies: []
workflow:
  graph: {nodes: [{id: '1', data: {type: start}}], edges: []}
  features: {}
  environment_variables:
  - {id: k1, name: API_KEY, value_type: secret, value: sk-1, selector: [env, API_KEY]}
  - {id: k2, name: GREETING, value_type: string, value: hi}
  conversation_variables: []
"""
CHAT = "app: {name: Chatty, mode: chat}\nmodel_config: {pre_prompt: be nice}\n"


def test_a_workflow_is_its_parts_with_app_and_dependencies_beside_them() -> None:
    found = from_dsl(WORKFLOW)

    assert found.mode == "workflow"
    assert set(found.content) == {
        *("app", "dependencies", "graph", "features"),
        *("environment_variables", "conversation_variables"),
    }
    assert found.content["app"]["name"] == "Refund triage"


def test_a_secret_of_a_file_leaves_only_its_name() -> None:
    found = from_dsl(WORKFLOW)

    assert b"sk-1" not in canonical(found.content)
    assert [secret.name for secret in found.secrets] == ["API_KEY"]
    assert found.content["environment_variables"][1]["value"] == "hi"
    assert secret_values(WORKFLOW) == {"k1": "sk-1"}


def test_the_answer_of_an_export_is_the_same_app_as_its_text() -> None:
    assert from_dsl(json.dumps({"data": WORKFLOW})) == from_dsl(WORKFLOW)


def test_a_wrapper_in_yaml_is_unwrapped_too() -> None:
    wrapped = "data: |\n" + "".join(f"  {line}\n" for line in WORKFLOW.splitlines())

    assert from_dsl(wrapped) == from_dsl(WORKFLOW)


def test_an_export_without_kind_and_version_is_read() -> None:
    legacy = WORKFLOW.replace("kind: app\n", "").replace("version: 0.6.0\n", "")

    assert from_dsl(legacy) == from_dsl(WORKFLOW)


def test_a_chat_app_is_its_model_config() -> None:
    found = from_dsl(CHAT)

    assert (found.mode, found.content["model_config"]) == ("chat", {"pre_prompt": "be nice"})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2024-05-01", "2024-05-01"),
        ("2024-05-01T10:00:00Z", "2024-05-01T10:00:00Z"),
        ("=", "="),
        ("1_000", 1000),
        ("yes", True),
        ("~", None),
        ("{on: 1, 2: 3, null: 4}", {"true": 1, "2": 3, "null": 4}),
        ("'🤖 回'", "🤖 回"),
        ("123456789012345678901234567890", 123456789012345678901234567890),
    ],
)
def test_values_are_what_dify_would_have_as_json(text: str, value: object) -> None:
    found = from_dsl(CHAT.replace("be nice", text))

    assert found.content["model_config"]["pre_prompt"] == value


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not an object"),
        ("just words", "not an object"),
        ("[1, 2]", "not an object"),
        ("a: [1", "not valid YAML"),
        ("app: {mode: workflow}", "neither"),
        ("app: {name: x}\nworkflow: {graph: {}}", "mode"),
        ("app: {mode: workflow}\nworkflow: {}", "graph"),
        ("app: {mode: workflow}\nworkflow: {graph: [1]}", "graph"),
        ("nodes: []\nedges: []", "app"),
        ("a: &x [1]\nb: *x", "alias"),
        ("a: &x {b: *x}", "alias"),
        ("a: !!python/object/apply:os.system [echo]", "tag"),
        ("a: !!binary aGk=", "tag"),
        ("a: !mine 1", "tag"),
        ("a: " + "[" * 65 + "]" * 65, "nested deeper"),
        ("a: " + "[" * 100_000, "nested deeper|not valid YAML"),
        ("a: [" + "1," * 400_001 + "]", "more than 400000 values"),
        ("a: \x00", "not valid YAML"),
        ("---\na: 1\n---\nb: 2", "not one YAML document"),
        (CHAT.replace("be nice", ".nan"), "dsl"),
        (CHAT.replace("be nice", ".inf"), "dsl"),
        (CHAT.replace("be nice", "9" * 5000), "not valid YAML"),
        (CHAT.replace("be nice", "\ud800"), "not valid YAML"),
        ("{" * 100_000, "where a key belongs"),
        ("{a: " * 100 + "}" * 100, "line 1, column 257: nested deeper"),
        (json.dumps({"data": json.dumps({"data": WORKFLOW})}), "app"),
    ],
)
def test_what_is_no_app_or_could_do_harm_is_refused(text: str, why: str) -> None:
    with pytest.raises(AnswerUnreadable, match=why):
        from_dsl(text)


@pytest.mark.parametrize("filler", ["x", "é"])
def test_more_than_five_mebibytes_are_not_even_looked_at(filler: str) -> None:
    with pytest.raises(AnswerUnreadable, match="larger"):
        from_dsl("app: " + filler * (MAX_BYTES // len(filler.encode()) + 1))


def test_ten_levels_of_aliases_take_no_time() -> None:
    lines = ["a0: &a0 [x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 30)]
    start = time.process_time()

    with pytest.raises(AnswerUnreadable):
        from_dsl("\n".join(lines))

    assert time.process_time() - start < 1


def test_an_error_quotes_nothing_of_the_text() -> None:
    with pytest.raises(AnswerUnreadable) as caught:
        from_dsl("password: sk-very-secret: [")

    assert "sk-very-secret" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_every_sample_file_is_read_and_keeps_all_that_is_no_secret() -> None:
    files = sorted(shared_path("data", "dsl").glob("*.yml"))
    files += sorted(shared_path("data", "dsl_histories").glob("*/*.yml"))

    documents = {file: from_dsl(file.read_text()) for file in files}

    assert len(documents) == 149
    assert {found.mode for found in documents.values()} == {
        *("workflow", "advanced-chat", "chat", "completion", "agent-chat"),
    }


def test_yaml_with_nodes_that_is_no_app_is_refused() -> None:
    for file in shared_path("data", "dsl_transcribed").glob("*.yml"):
        with pytest.raises(AnswerUnreadable):
            from_dsl(file.read_text())
