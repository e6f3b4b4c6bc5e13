"""Programs that begin at once: `python -m tests.forks.server FD [MODULE …]` has it all
imported and forks.

Starting Python with all that `keyturn` needs takes a second of a core; a fork takes a hundredth of
it. What it runs is a process of its own in every other way: its words, environment, folder,
streams and exit code are those it is given, and it can be killed. Only what it would have
imported itself is there before, so that some tests still start it cold (`tests/unit/test_cli.py`,
`tests/acceptance/test_procfile.py`, `test_terminal.py`, and the demo of `.ci/run`).

An order is one message on the socket FD: JSON, with four descriptors: standard input, output,
error, and where its process id and in the end its exit code are written. The server ends with the
socket.
"""

from __future__ import annotations

import gc
import json
import os
import pkgutil
import runpy
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module

MOST = 1 << 16  # bytes of an order
_ROOMS = ("bot", "store")
_NOT_IMPORTED = (
    "store.migrations",
    "bot.__main__",
    "bot.adapters.traces.recorder",  # as in a service that nobody wants traces of
    "bot.adapters.traces.exporting",
)


@dataclass(frozen=True)
class Order:
    """Run *module* as `python -m` does, with nothing in its environment but *env*."""

    module: str
    words: tuple[str, ...]
    env: dict[str, str]
    cwd: str


def main(descriptor: int, *prepared: str) -> None:
    """Carry out orders until the socket is closed; returns in each forked program too.

    With names of modules those are *prepared* alone, otherwise all of ours are.
    """
    server = socket.socket(fileno=descriptor)
    for name in prepared or _all_of_ours():
        import_module(name)
    gc.collect()
    gc.freeze()  # what is shared with the forked ones stays shared
    while True:
        message, given, _, _ = socket.recv_fds(server, MOST, 4)
        if not message:
            return
        if os.fork() == 0:
            server.close()
            _watch(Order(**json.loads(message)), given)
            return
        for one in given:
            os.close(one)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG) != (0, 0):  # watchers that are done
                pass


def _all_of_ours() -> Iterator[str]:
    for room in _ROOMS:
        for found in pkgutil.walk_packages(import_module(room).__path__, f"{room}."):
            if not found.name.startswith(_NOT_IMPORTED):
                yield found.name


def _watch(order: Order, given: Sequence[int]) -> None:
    """Fork the program, tell its id and how it ended, and end; in the program: run it."""
    *streams, told = given
    pid = os.fork()
    if pid == 0:
        os.close(told)
        _become(order, streams)
        return
    for one in streams:
        os.close(one)
    os.write(told, b"%d\n" % pid)
    _, status = os.waitpid(pid, 0)
    os.write(told, b"%d\n" % os.waitstatus_to_exitcode(status))
    os._exit(0)


def _become(order: Order, streams: Sequence[int]) -> None:
    for number, one in enumerate(streams):
        os.dup2(one, number)
        os.close(one)
    # those of before know what they were opened on, and could not be turned to a terminal or pipe
    sys.stdin = open(0, closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, errors="backslashreplace", closefd=False)  # noqa: SIM115
    os.chdir(order.cwd)
    os.environ.clear()
    os.environ.update(order.env)
    time.tzset()
    sys.path[0] = order.cwd
    for name in [name for name in sys.modules if name.partition(".")[0] == "tests"]:
        del sys.modules[name]  # it may bring tests of its own
    sys.argv = [order.module, *order.words]
    runpy.run_module(order.module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
