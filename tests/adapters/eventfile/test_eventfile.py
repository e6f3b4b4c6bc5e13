"""Events in a file: whole lines on the disk, whatever was cut off, full, or full up."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import stat
from pathlib import Path

import pytest

from bot.adapters.eventfile.client import EventFile
from bot.errors import UpstreamDown
from store.records import Announcement
from tests.unit.domain.test_cloudevent import an_announcement

MUCH = 1024 * 1024


def events(*numbers: int) -> list[Announcement]:
    return [an_announcement(sequence=n, id=f"event-{n}") for n in numbers]


def a_file(path: Path, *, most_bytes: int = MUCH, keep: int = 0) -> EventFile:
    return EventFile("events.lake", path=path, most_bytes=most_bytes, keep=keep, base="")


def ids(path: Path) -> list[str]:
    return [json.loads(line)["id"] for line in path.read_text().splitlines()]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def begun(path: Path, text: str) -> None:
    path.write_text(text)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.jsonl"


async def test_an_event_is_a_line_that_only_its_owner_reads(path: Path) -> None:
    sink = a_file(path)
    await sink.send(events(1, 2))
    await sink.send(events(3))

    assert ids(path) == ["event-1", "event-2", "event-3"]
    assert mode(path) == 0o600


@pytest.mark.parametrize("torn", ['{"id": "event-2", "da', "x", "x" * 200_000])
async def test_what_a_crash_cut_off_is_cut_away_before_the_next_line(path: Path, torn: str) -> None:
    await a_file(path).send(events(1))
    with path.open("a") as file:
        file.write(torn)

    await a_file(path).send(events(2))

    assert ids(path) == ["event-1", "event-2"]


async def test_a_file_of_nothing_but_a_torn_line_begins_anew(path: Path) -> None:
    begun(path, '{"id"')

    await a_file(path).send(events(1))

    assert ids(path) == ["event-1"]


async def test_what_has_grown_is_put_beside(path: Path) -> None:
    sink = a_file(path, most_bytes=1000)
    for number in range(1, 6):
        await sink.send(events(number))

    beside = sorted(path.parent.glob("events.jsonl.[0-9]"))
    told = [one for file in [*reversed(beside), path] for one in ids(file)]
    assert told == [f"event-{n}" for n in range(1, 6)]
    assert all(file.stat().st_size <= 1000 for file in [*beside, path])
    assert {mode(file) for file in beside} == {0o600}


async def test_no_more_than_so_many_stay_beside(path: Path) -> None:
    sink = a_file(path, most_bytes=10, keep=2)
    for number in range(1, 6):
        await sink.send(events(number))

    assert sorted(file.name for file in path.parent.glob("events.jsonl.[0-9]")) == [
        "events.jsonl.1",
        "events.jsonl.2",
    ]
    assert ids(path) == ["event-5"]
    assert ids(path.with_name("events.jsonl.2")) == ["event-3"]


async def test_a_full_disk_leaves_no_half_line(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = a_file(path)
    await sink.send(events(1))
    written = os.pwrite

    def half(file: int, data: bytes, at: int) -> int:
        if len(data) < 100:
            raise OSError(errno.ENOSPC, "No space left on device")
        return written(file, data[: len(data) // 2], at)

    monkeypatch.setattr(os, "pwrite", half)
    with pytest.raises(UpstreamDown, match="no space left"):
        await sink.send(events(2, 3))
    monkeypatch.undo()

    assert ids(path) == ["event-1"]
    await sink.send(events(2))
    assert ids(path) == ["event-1", "event-2"]


async def test_those_who_write_at_once_take_turns(path: Path) -> None:
    many = [a_file(path, most_bytes=3000) for _ in range(4)]

    await asyncio.gather(*(sink.send(events(n)) for n, sink in enumerate(many * 10)))

    files = [path, *path.parent.glob("events.jsonl.[0-9]*")]
    assert sorted(one for file in files for one in ids(file)) == sorted(
        f"event-{n}" for n in range(40)
    )


async def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    sink = a_file(tmp_path / "nowhere" / "events.jsonl")

    with pytest.raises(UpstreamDown, match="no such file or directory"):
        await sink.greet()


async def test_to_greet_writes_no_line(path: Path) -> None:
    await a_file(path).greet()

    assert ids(path) == []
