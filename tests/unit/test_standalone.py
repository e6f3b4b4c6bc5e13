"""The verifier that is handed out: Python alone, and it cannot be led astray."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from bot.cli import standalone
from bot.cli.outside import kept_in
from bot.domain.record.entries import canonical_line
from store.records import AuditAnchor, AuditEntry
from tests.unit.store.test_walk import a_chain, walked

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "audit_chain.json").read_text())
SOURCE = Path(standalone.__file__)


def exported(entries: Sequence[AuditEntry]) -> list[bytes]:
    return [f"{canonical_line(entry)}\n".encode() for entry in entries]


def alone(*words: str | Path, stdin: bytes = b"") -> tuple[int, str, str]:
    """Run it as its head says: isolated, and without what is installed beside Python."""
    command = [sys.executable, "-I", "-S", SOURCE, *words]
    told = subprocess.run(command, capture_output=True, input=stdin, check=False)
    assert b"Traceback" not in told.stderr, told.stderr
    return told.returncode, told.stdout.decode(), told.stderr.decode()


@pytest.fixture
def export(tmp_path: Path) -> Path:
    file = tmp_path / "audit.jsonl"
    file.write_bytes(b"".join(exported(a_chain())))
    return file


# -- what it is ---------------------------------------------------------------------------------


def test_it_is_written_for_old_pythons_and_imports_nothing_of_ours() -> None:
    tree = ast.parse(SOURCE.read_text(encoding="utf-8"), feature_version=(3, 8))
    imported = {
        name.name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for name in node.names
    } | {
        (node.module or "").partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
    }

    assert imported <= {"__future__", *sys.stdlib_module_names}


def test_it_has_the_same_vectors_as_the_store() -> None:
    lines = [
        json.dumps({**json.loads(vector["canonical"]), "hash": vector["hash"]}).encode()
        for vector in VECTORS["entries"]
    ]

    found = standalone.check(lines)

    assert (found.wrong, found.last) == ("", len(lines))
    assert found.head == VECTORS["entries"][-1]["hash"]
    assert VECTORS["genesis"] == standalone.GENESIS


# -- what it says -------------------------------------------------------------------------------


def test_a_whole_export_and_its_anchors_hold(export: Path, tmp_path: Path) -> None:
    entries = a_chain()
    kept = tmp_path / "anchors.jsonl"
    kept.write_text(json.dumps({"sequence": 4, "hash": entries[3].hash, "at": "now"}))

    code, out, err = alone(export, "--anchors", kept)

    assert (code, err) == (0, "")
    assert f"whole: entries 1 to 9, head {entries[-1].hash}" in out
    assert "anchors that hold: 1 of 1, the newest of entry 4" in out
    assert out.endswith("which nobody outside has seen: 5\n")


def test_the_export_may_come_through_a_pipe(export: Path) -> None:
    assert alone("-", stdin=export.read_bytes())[0] == 0


def test_it_says_the_same_as_the_store_of_every_tampered_chain() -> None:
    anchors = [AuditAnchor(seq, a_chain()[seq - 1].hash) for seq in (3, 6)]
    chains = [a_chain(another_from=first) for first in range(1, 10)]
    chains += [a_chain(left) for left in range(1, 9)]
    chains += [a_chain()[:4] + a_chain()[5:], a_chain()[:3] + a_chain(another_from=4)[3:]]

    for entries in chains:
        ours = walked(entries, anchors)
        theirs = standalone.check(exported(entries), [(a.sequence, a.hash) for a in anchors])
        assert (theirs.broken_at, theirs.wrong) == (ours.broken_at, ours.why)


def test_a_rewritten_export_ends_with_one_and_names_the_entry(export: Path, tmp_path: Path) -> None:
    anew = tmp_path / "anew.jsonl"
    anew.write_bytes(b"".join(exported(a_chain(another_from=5))))

    assert alone(anew)[0] == 0, "by itself it is whole"
    code, out, err = alone(anew, "--anchors", export)

    assert (code, out) == (1, "")
    assert "broken at entry 5: entry 5 is not what was anchored" in err


def test_a_part_of_a_chain_is_checked_from_where_it_begins() -> None:
    entries = a_chain()

    found = standalone.check(exported(entries[4:]), [(2, entries[1].hash), (7, entries[6].hash)])

    assert (found.wrong, found.first, found.last, found.held) == ("", 5, 9, 1)


@pytest.mark.parametrize(
    "change",
    [
        lambda line: line.replace(b'"n":3', b'"n":3,"n":3'),
        lambda line: line.replace(b'"n":3', b'"n":NaN'),
        lambda line: line.replace(b'"n":3', b'"n":"\\ud800"'),
        lambda line: line.replace(b'"seq":3', b'"seq":true'),
        lambda line: line.replace(b'"seq":3', b'"seq":3.0'),
        lambda line: line.replace(b'"ip_addr":null,', b""),
        lambda line: line.replace(b"alice", b"al\xffce"),
        lambda line: b"[" * 100_000 + line,
        lambda line: b"\n",
        lambda line: b"{}\n",
        lambda line: line.replace(b'"what":{"n":3}', b'"what":[]'),
    ],
)
def test_a_line_that_can_be_read_in_two_ways_or_in_none_is_named(change: Any) -> None:
    lines = exported(a_chain())
    lines[2] = change(lines[2])

    found = standalone.check(lines)

    assert found.broken_at == 3
    assert found.last == 2


# -- what people kept ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ('{"sequence": 57, "hash": "%s", "at": "2026-11-24T12:00:00Z"}', 57),
        ('web.1 | {"message":"audit anchor","sequence":57,"hash":"%s","level":"info"}', 57),
        ('{"seq":57,"what":{},"hash":"%s"}', 57),
        ("Content `0f0f0f0f0f0f` Record 57 `%.12s`", 57),
        ("Record 57 %.12s", 57),
        ("the audit chain is whole: 57 entries, head %s", 57),
        ('{"sequence": "57", "hash": "%s"}', None),
        ('{"sequence": true, "hash": "%s"}', None),
        ('{"sequence": 57, "hash": "%.5s"}', None),
        ("Record 57 `%.5s`", None),
        ("digest %s", None),
    ],
)
def test_anchors_are_found_in_whatever_they_were_kept_in(line: str, found: int | None) -> None:
    digest = "ab" * 32

    anchors = list(standalone.anchors_in([line % digest]))

    assert [number for number, _ in anchors] == ([found] if found else [])
    assert all(digest.startswith(said) for _, said in anchors)


def test_an_anchor_that_was_kept_in_two_places_counts_once(export: Path, tmp_path: Path) -> None:
    entry = a_chain()[1]
    whole, short = tmp_path / "log", tmp_path / "slack"
    whole.write_text(json.dumps({"sequence": entry.seq, "hash": entry.hash}))
    short.write_text(f"Record {entry.seq} `{entry.hash[:12]}`")

    code, out, _ = alone(export, *("--anchors", short, "--anchors", whole, "--anchors", whole))

    assert code == 0
    assert "anchors that hold: 1 of 1" in out
    assert kept_in([short, whole, whole]) == [AuditAnchor(entry.seq, entry.hash)]


def test_two_anchors_of_one_entry_that_differ_are_both_held_against_it() -> None:
    anchors = [(2, "a" * 64), (2, "b" * 12), (1, "c" * 64)]

    assert standalone.each_once(anchors) == [(1, "c" * 64), (2, "a" * 64), (2, "b" * 12)]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere.jsonl"], "cannot be looked at"),
        (["{export}", "--anchors", "{empty}"], "holds no anchor"),
        (["{empty}"], "there is no entry in it"),
        (["{other}"], "is this what `keyturn audit export` wrote?"),
        (["{export}", "--anchors", "{far}"], "anchored: its end was cut off"),
        (["{part}", "--anchors", "{first}"], "none of the 1 anchors"),
    ],
)
def test_what_proves_nothing_is_no_success(
    export: Path, tmp_path: Path, words: list[str], said: str
) -> None:
    lines = export.read_bytes().splitlines(keepends=True)
    contents = {
        "empty": b"",
        "other": b"[dify.local]\n",
        "far": b'{"sequence": 99, "hash": "%s"}' % (b"0" * 64),
        "part": b"".join(lines[4:]),
        "first": lines[0],
    }
    files = {"export": export}
    for name, content in contents.items():
        files[name] = tmp_path / name
        files[name].write_bytes(content)

    code, _, err = alone(*(word.format(**files) for word in words))

    assert code in (1, 2)
    assert said in err
