#!/usr/bin/env python3
"""Check an audit chain that `keyturn audit export` wrote, without Keyturn and without a network.

    python3 -I -S verify_audit.py EXPORT [--anchors FILE]...      (- is the standard input)

It needs Python 3.8 or newer and nothing else; read it, it is short. Each line of EXPORT is one
entry. Its hash has to be SHA-256 over `keyturn.audit.v1`, a newline, and the entry without its
hash as JSON: keys sorted, no spaces, UTF-8. Its `prev` has to be the hash of the entry before it,
and the numbers may leave nothing out; the first entry of all follows the hash of the tag alone.

Whoever may write the database can write all of that anew. FILE holds what was kept elsewhere:
anchors, the number and the hash of what was then the newest entry. It may be any text that has
them: JSON lines of Keyturn's log, of `keyturn audit anchors` or of an older export, cards and
replies copied from Slack, what `keyturn audit verify` printed. An entry that is not what was
anchored, and an anchored entry that is missing, is named. What comes after the newest anchor
nobody outside has seen.

Ends with 0 if everything holds, with 1 if something does not, with 2 if it cannot be looked at.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, BinaryIO, NamedTuple, NoReturn

TAG = b"keyturn.audit.v1\n"
GENESIS = hashlib.sha256(TAG).hexdigest()
SHORT = 12  # characters of a hash that a sentence shows, and that an anchor has at least
_TEXTS = ("timestamp", "user_id", "action", "resource", "status", "ip_note", "trace_id", "prev")
_FIELDS = frozenset({"seq", "ip_addr", "what", "hash", *_TEXTS})
_HASH = re.compile(r"[0-9a-f]{64}")
_ANCHOR = re.compile(r"[0-9a-f]{12,64}")
_IN_WORDS = re.compile(
    r"\bRecord (\d{1,15})\W{1,3}([0-9a-f]{12,64})\b|\b(\d{1,15}) entries, head ([0-9a-f]{64})\b"
)


class Found(NamedTuple):
    """What came of it. `wrong` is "" when everything holds, else it is about entry `broken_at`.

    Entries `first` to `last` hold, and `head` is the hash of the last one; `held` anchors are
    among them, the newest of entry `anchored`.
    """

    first: int
    last: int
    head: str
    held: int
    anchored: int
    broken_at: int | None = None
    wrong: str = ""


class Unreadable(ValueError):
    """A line is no entry."""


def check(lines: Iterable[bytes], anchors: Iterable[tuple[int, str]] = ()) -> Found:
    """Check the entries in *lines*, which may begin anywhere in a chain, against each other.

    *anchors* are numbers of entries, each with its hash or the beginning of it.
    """
    kept: dict[int, list[str]] = {}
    for number, digest in anchors:
        kept.setdefault(number, []).append(digest)
    first, last, head, held, anchored = 1, 0, GENESIS, 0, 0
    for at, line in enumerate(lines):
        try:
            entry = read(line)
        except Unreadable as error:
            hint = "" if at else "; is this what `keyturn audit export` wrote?"
            wrong = f"line {at + 1} {error}{hint}"
            return Found(first, last, head, held, anchored, last + 1, wrong)
        if at == 0 and entry["seq"] > 1:
            first, last, head = entry["seq"], entry["seq"] - 1, entry["prev"]
        wrong = _flaw(entry, last + 1, head) or _not_anchored(entry, kept, anchored)
        if wrong:
            return Found(first, last, head, held, anchored, last + 1, wrong)
        last, head = entry["seq"], entry["hash"]
        if last in kept:
            held, anchored = held + len(kept[last]), last
    newest = max(kept, default=0)
    if newest > last:
        wrong = f"the chain ends at {last}, but entry {newest} was anchored: its end was cut off"
        return Found(first, last, head, held, anchored, last + 1, wrong)
    return Found(first, last, head, held, anchored)


def read(line: bytes) -> dict[str, Any]:
    """Return the entry in *line*. Raises `Unreadable`, also where one could read two things."""
    try:
        entry = json.loads(
            line.decode("utf-8"), object_pairs_hook=_without_repeats, parse_constant=_no_number
        )
    except (ValueError, RecursionError):
        raise Unreadable("is no JSON that can be read in one way") from None
    if not isinstance(entry, dict) or set(entry) != _FIELDS:
        raise Unreadable("has not the fields of an entry")
    texts = all(isinstance(entry[name], str) for name in _TEXTS)
    if type(entry["seq"]) is not int or not texts or not isinstance(entry["what"], dict):
        raise Unreadable("has fields of another kind than an entry's")
    if not isinstance(entry["hash"], str) or not _HASH.fullmatch(entry["hash"]):
        raise Unreadable("has no hash")
    return entry


def hash_of(entry: dict[str, Any]) -> str:
    """Return the hash of *entry*, whatever hash it carries."""
    bare = {name: value for name, value in entry.items() if name != "hash"}
    text = json.dumps(
        bare, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return hashlib.sha256(TAG + text.encode("utf-8")).hexdigest()


def anchors_in(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Every anchor in *lines*: of a JSON object, whatever stands before it, or in our words."""
    for line in lines:
        found = _of_json(line)
        if found is not None:
            yield found
            continue
        for match in _IN_WORDS.finditer(line):
            yield int(match.group(1) or match.group(3)), match.group(2) or match.group(4)


def each_once(anchors: Iterable[tuple[int, str]]) -> list[tuple[int, str]]:
    """The anchors without those that say no more than another one, from another place perhaps."""
    found: dict[int, list[str]] = {}
    for number, digest in sorted(set(anchors), key=lambda one: (one[0], -len(one[1]))):
        longer = found.setdefault(number, [])
        if not any(one.startswith(digest) for one in longer):
            longer.append(digest)
    return [(number, digest) for number, digests in found.items() for digest in digests]


def _of_json(line: str) -> tuple[int, str] | None:
    begins = line.find("{")
    if begins < 0:
        return None
    try:
        said = json.loads(line[begins:])
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict):
        return None
    number, digest = said.get("sequence", said.get("seq")), said.get("hash")
    if type(number) is not int or not isinstance(digest, str) or not _ANCHOR.fullmatch(digest):
        return None
    return number, digest


def _flaw(entry: dict[str, Any], seq: int, prev: str) -> str:
    if entry["seq"] != seq:
        return f"entry {seq} is missing: the next one is {entry['seq']}"
    if entry["prev"] != prev:
        return f"entry {seq} does not follow the one before it"
    try:
        right = hash_of(entry)
    except (TypeError, ValueError):
        return f"entry {seq} was changed: it says what cannot be recorded"
    if entry["hash"] != right:
        return f"entry {seq} was changed: its hash is not that of its content"
    return ""


def _not_anchored(
    entry: dict[str, Any],
    kept: dict[int, list[str]],
    anchored: int,
) -> str:
    for digest in kept.get(entry["seq"], ()):
        if not entry["hash"].startswith(digest):
            since = f" after entry {anchored}" if anchored else ""
            return (
                f"entry {entry['seq']} is not what was anchored ({entry['hash'][:SHORT]}, anchored"
                f" was {digest[:SHORT]}): the chain was written anew{since}"
            )
    return ""


def _without_repeats(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found


def _no_number(name: str) -> NoReturn:
    raise ValueError(name)


def lines_of(name: str) -> BinaryIO:
    """Return the file *name*, `-` for the standard input, to be read line by line."""
    return sys.stdin.buffer if name == "-" else open(name, "rb")


def _anchors_of(names: Iterable[str]) -> list[tuple[int, str]]:
    found: list[tuple[int, str]] = []
    for name in names:
        with lines_of(name) as file:
            here = list(anchors_in(raw.decode("utf-8", "replace") for raw in file))
        if not here:
            raise OSError(f"{name} holds no anchor")
        found += here
    return each_once(found)


def main(arguments: Sequence[str] | None = None) -> int:
    """Check what the command line names, and say what was found."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("export", help="what `keyturn audit export` wrote")
    parser.add_argument("--anchors", action="append", default=[], metavar="FILE")
    asked = parser.parse_args(arguments)
    try:
        anchors = _anchors_of(asked.anchors)
        with lines_of(asked.export) as lines:
            found = check(lines, anchors)
    except OSError as error:
        sys.stderr.write(f"cannot be looked at: {error}\n")
        return 2
    if found.wrong:
        sys.stderr.write(f"the audit chain is broken at entry {found.broken_at}: {found.wrong}\n")
        return 1
    if not found.last:
        sys.stderr.write("cannot be looked at: there is no entry in it\n")
        return 2
    sys.stdout.write(f"whole: entries {found.first} to {found.last}, head {found.head}\n")
    if anchors and not found.held:
        sys.stderr.write(f"none of the {len(anchors)} anchors is of one of these entries\n")
        return 2
    if anchors:
        sys.stdout.write(
            f"anchors that hold: {found.held} of {len(anchors)}, the newest of entry"
            f" {found.anchored}; entries after it, which nobody outside has seen:"
            f" {found.last - found.anchored}\n"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
