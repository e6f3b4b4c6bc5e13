"""Ports at which nobody answers yet, and that nobody else is given meanwhile."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

LOOPBACK = "127.0.0.1"


@contextmanager
def kept(port: int = 0) -> Iterator[int]:
    """A port, *port* or any free one, that refuses until somebody listens there who was told it.

    It is bound, so nobody who asks for any free port gets it, another worker's test least of all.
    Linux lets a listener with SO_REUSEADDR bind it as well, as asyncio's and Go's do (socket(7)).
    """
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind((LOOPBACK, port))
        yield holder.getsockname()[1]
