"""Bodies that are not what their headers announce: refused unread, and never a 500."""

from __future__ import annotations

import asyncio
import gzip

import pytest
from aiohttp.test_utils import TestServer

from tests.adapters.slack.conftest import FakeInbox
from tests.adapters.slack.sent import a_click, interaction

CLICK = interaction(a_click())
CHUNKED = {"Transfer-Encoding": "chunked"}


async def status_of(door: TestServer, body: bytes, headers: dict[str, str]) -> int:
    """Send exactly these bytes and return the status that came back."""
    reader, writer = await asyncio.open_connection(door.host, door.port)
    sent = {"Host": "keyturn.example.com", "Connection": "close", **headers}
    head = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
    writer.write(f"POST /slack/events HTTP/1.1\r\n{head}\r\n".encode() + body)
    try:
        async with asyncio.timeout(10):
            line = await reader.readline()
    finally:
        writer.close()
    return int(line.split()[1])


def with_length(body: bytes, encoding: str) -> dict[str, str]:
    return {**CLICK.headers, "Content-Encoding": encoding, "Content-Length": str(len(body))}


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "GZIP", "br", "zstd"])
async def test_a_body_that_is_not_compressed_as_it_says_is_refused(
    door: TestServer, inbox: FakeInbox, encoding: str
) -> None:
    junk = b"\x00\xffjunk" * 20

    assert await status_of(door, junk, with_length(junk, encoding)) in {400, 401}
    assert inbox.rows == {}


async def test_half_of_a_compressed_body_is_refused(door: TestServer, inbox: FakeInbox) -> None:
    half = gzip.compress(CLICK.body)[:-20]

    assert await status_of(door, half, with_length(half, "gzip")) in {400, 401}
    assert inbox.rows == {}


async def test_a_small_body_that_unpacks_to_a_huge_one_is_too_large(
    door: TestServer, inbox: FakeInbox
) -> None:
    bomb = gzip.compress(b"0" * 5_000_000)

    assert await status_of(door, bomb, with_length(bomb, "gzip")) == 413
    assert inbox.rows == {}


@pytest.mark.parametrize("chunks", [b"zz\r\n", b"-1\r\n", b"3\r\nabcdef\r\n0\r\n\r\n"])
async def test_chunks_that_are_none_are_refused(
    door: TestServer, inbox: FakeInbox, chunks: bytes
) -> None:
    assert await status_of(door, chunks, CLICK.headers | CHUNKED) == 400
    assert inbox.rows == {}
