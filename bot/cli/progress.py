"""A bar for long work: on stderr, and only where somebody watches."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Advance = Callable[[int, str], None]


@contextmanager
def progress(what: str, total: int | None) -> Iterator[Advance]:
    """Show how far *what* is while the block runs; call what is given with (done, of what now).

    Without a *total*, which nobody knows then, it shows that it goes on, and how much is done.
    """
    if not sys.stderr.isatty():
        yield _nothing
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total)

        def advance(done: int, now: str) -> None:
            bar.update(task, completed=done, description=escape(f"{what} {now}".rstrip()))

        yield advance


def _nothing(done: int, now: str) -> None:
    """Nobody watches."""
