"""What is written as DSL is what was stored, reads back as it, and holds no secret's value."""

from __future__ import annotations

import pytest
import yaml

from bot.adapters.dify.dsl import from_dsl
from bot.adapters.dify.dsl_file import read
from bot.adapters.dify.dsl_write import to_dsl
from store.document import Document
from store.records import Json
from tests.plugins.requirements import shared_path

SECRET = {"id": "k1", "name": "API_KEY", "value_type": "secret", "description": "d"}


def a_document(prompt: str = "be nice") -> Document:
    graph = {"nodes": [{"id": "1", "data": {"type": "llm", "text": prompt}}], "edges": []}
    content: dict[str, Json] = {
        "graph": graph,
        "features": {"speech_to_text": {"enabled": False}},
        "environment_variables": [SECRET],
        "conversation_variables": [],
    }
    return Document("advanced-chat", content)


@pytest.mark.parametrize(
    "prompt",
    [
        "two\nlines",
        "two\nlines\n\n",
        " \n leading",
        "trailing  \nspaces ",
        "tab\there",
        "🤖 hello\n客服",
        "2024-05-01",
        "yes",
        "null",
        "1_000",
        "=",
        "*not an alias",
        "&not an anchor",
        "---\nno document",
        "{{#1.text#}}: 'x' \"y\"",
        "\r\nwindows\r\n",
        "\u2028\x85\x1b[31m",
        "x" * 5000,
        "",
    ],
)
def test_every_text_reads_back_as_it_was(prompt: str) -> None:
    document = a_document(prompt)

    back = read(to_dsl(document).encode())

    assert back.notices == ()
    assert back.document.content["graph"] == document.content["graph"]
    assert back.document.mode == document.mode


def test_a_secret_keeps_the_drafts_value_over_its_app_and_is_empty_in_a_new_one() -> None:
    def written(name: str) -> Json:
        return yaml.safe_load(to_dsl(a_document(), name=name))

    (over,) = written("")["workflow"]["environment_variables"]
    (new,) = written("Triage")["workflow"]["environment_variables"]

    assert over == {**SECRET, "value": "[__HIDDEN__]", "selector": ["env", "API_KEY"]}
    assert new["value"] == ""
    assert "name" not in written("")["app"]
    assert written("Triage")["app"]["name"] == "Triage"


def test_a_chat_app_is_written_with_its_model_config() -> None:
    document = Document("chat", {"model_config": {"pre_prompt": "be nice"}})

    back = from_dsl(to_dsl(document))

    assert (back.mode, back.content["model_config"]) == ("chat", {"pre_prompt": "be nice"})


def test_every_sample_reads_back_with_the_same_meaning() -> None:
    for file in sorted(shared_path("data", "dsl").glob("*.yml")):
        document = from_dsl(file.read_text())

        back = from_dsl(to_dsl(document))

        for section in ("graph", "features", "model_config"):
            assert back.meant.get(section, {}) == document.meant.get(section, {}), file.name
