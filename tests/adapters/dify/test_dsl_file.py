"""A file from somebody's disk becomes an app, or is refused with the place and the mend."""

from __future__ import annotations

import json
import time

import pytest

from bot.adapters.dify.dsl_file import NotDsl, read
from bot.adapters.dify.dsl_text import MAX_BYTES
from tests.plugins.requirements import shared_path

WORKFLOW = """\
app: {name: Refund triage, mode: workflow}
kind: app
version: 0.6.0
dependencies: []
workflow:
  graph: {nodes: [{id: '1', data: {type: start}}], edges: []}
  features: {}
  environment_variables: []
  conversation_variables: []
"""
CHAT = "kind: app\nversion: 0.6.0\napp: {name: Chatty, mode: chat}\nmodel_config: {pre_prompt: x}\n"


def test_a_workflow_and_a_chat_app_are_read_without_a_notice() -> None:
    assert (read(WORKFLOW.encode()).document.mode, read(WORKFLOW.encode()).notices) == (
        "workflow",
        (),
    )
    assert (read(CHAT.encode()).document.mode, read(CHAT.encode()).notices) == ("chat", ())


def test_a_byte_order_mark_and_the_wrapper_of_an_export_are_taken_off() -> None:
    whole = read(WORKFLOW.encode()).document

    assert read(b"\xef\xbb\xbf" + WORKFLOW.encode()).document == whole
    assert read(json.dumps({"data": WORKFLOW}).encode()).document == whole


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "not an object"),
        (b"just words", "not an object"),
        (b"nodes: []\n", "no `app` section"),
        (b"app: 3\n", "app: not an object"),
        (b"app: {name: x}\nworkflow: {graph: {}}\n", "app.mode: missing"),
        (b"app: {mode: workflow}\n", "neither workflow nor model_config"),
        (b"a: 1\nb: [1", r"line \d, column \d+: not valid YAML: did not find expected"),
        (b"a: 1\n  b: 2\n", r"line 2, column 4: not valid YAML: mapping values are not allowed"),
        (b"a:\n- &x [1]\n- *x\n", "line 2, column 3: an anchor"),
        (b"a:\n- 1\n- *x\n", "line 3, column 3: an alias"),
        (b"a:\n  b: !!python/name:os.system x\n", "line 2, column 6: a tag"),
        (b"a: 1\nb: 2\na: 3\n", "line 3, column 1: a key that stands in this mapping already"),
        (b"a: {1: x, '1': y}\n", "line 1, column 11: a key that stands"),
        (b"? [a]\n: 1\n", "line 1, column 3: a list or a mapping stands where a key belongs"),
        (b"a: " + b"[" * 70, "line 1, column 67: nested deeper than 64 levels"),
        (b"---\na: 1\n---\nb: 2\n", "line 3, column 1: not one YAML document: a second"),
        (b"app: \xff\xfe\n", "line 1, column 6: not UTF-8 text"),
        (b"app: 1\n\n  \xe9t\xe9\n", "line 3, column 3: not UTF-8 text"),
        (b"app: 1\nb: \0\n", "line 2, column 4: a zero byte"),
        ("app: 1".encode("utf-16"), "UTF-16"),
        (b"\x89PNG\r\n\x1a\n\0\0", "line 1, column 1: not UTF-8 text"),
        (b"a: " + b"x" * MAX_BYTES, "larger than 5 MiB"),
        (b'{"data": "a: [1"}', "not valid YAML"),
        (b'{"data": "a: 1", "data": ', "line 1, column 18: a key that stands"),
    ],
)
def test_what_is_no_app_is_refused_with_its_place(data: bytes, why: str) -> None:
    with pytest.raises(NotDsl, match=why):
        read(data)


@pytest.mark.parametrize(
    ("old", "new", "notice"),
    [
        ("kind: app\n", "", "no `kind`"),
        ("kind: app\n", "kind: rag_pipeline\n", "the kind is 'rag_pipeline'"),
        ("version: 0.6.0\n", "", "no `version`"),
        ("version: 0.6.0\n", "version: 6\n", "the version is no text"),
        ("version: 0.6.0\n", "version: 0.7.0\n", "newer than 0.6.0"),
        ("mode: workflow", "mode: chatflow", "the mode 'chatflow' is unknown"),
        ("type: start", "type: teleport", "1 node of the unknown type 'teleport'"),
    ],
)
def test_what_is_unknown_or_missing_is_kept_and_said(old: str, new: str, notice: str) -> None:
    found = read(WORKFLOW.replace(old, new).encode())

    assert len(found.notices) == 1
    assert notice in found.notices[0]
    assert found.document.content["graph"]["nodes"]


def test_a_document_of_five_mebibytes_is_read_quickly() -> None:
    prompt = "word " * 1000
    nodes = "".join(
        f"  - {{id: '{n}', data: {{type: llm, text: {prompt}}}}}\n" for n in range(1000)
    )
    big = WORKFLOW.replace("{nodes: [{id: '1', data: {type: start}}], edges: []}", "\n    nodes:\n")
    data = big.replace("    nodes:\n", f"    nodes:\n{nodes.replace('  - ', '    - ')}").encode()
    assert 0.95 * MAX_BYTES < len(data) < MAX_BYTES
    start = time.process_time()

    found = read(data)

    assert len(found.document.content["graph"]["nodes"]) == 1000
    assert time.process_time() - start < 2


def test_every_sample_file_is_read_and_none_has_an_unknown_mode_or_node() -> None:
    files = sorted(shared_path("data", "dsl").glob("*.yml"))
    files += sorted(shared_path("data", "dsl_histories").glob("*/*.yml"))

    notices = {notice for file in files for notice in read(file.read_bytes()).notices}

    assert notices == {
        "there is no `kind`, as in exports of old releases; read as an app",
        "there is no `version`, as in exports of old releases",
    }
