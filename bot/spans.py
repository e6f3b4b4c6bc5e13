"""What a trace is told of: named pieces of work, each of a case or of a request.

The traces of several processes are one because nothing has to travel between them: the ids of a
trace and of its first span follow from what it is *of* (`case`, `inbox`, `delivery`). Nothing is
recorded while no `Recorder` is in place; then a span costs a look at one variable.

Facts are ids, counts and words of ours: nothing of alerts, messages or documents belongs in them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from typing import Protocol

from bot.log import bound

Fact = str | int | float | bool


def case(case_id: int) -> str:
    """The name of a case's trace, from the alert or the request to the recovery."""
    return f"case:{case_id}"


def delivery(digest: str) -> str:
    """The name of the trace of one webhook body."""
    return f"delivery:{digest}"


def inbox(digest: str) -> str:
    """The name of the trace of one click or command."""
    return f"inbox:{digest}"


class Span(Protocol):
    """A piece of work that goes on."""

    @property
    def trace_id(self) -> str:
        """32 hex digits."""
        ...

    @property
    def span_id(self) -> str:
        """16 hex digits."""
        ...

    def add(self, **facts: Fact) -> None:
        """Say more about it."""
        ...

    def fail(self, why: str) -> None:
        """Say that it failed: the name of an error or a status, never its text."""
        ...

    def headers(self) -> Mapping[str, str]:
        """What tells another system whose work this is (https://www.w3.org/TR/trace-context/)."""
        ...

    def active(self) -> AbstractContextManager[object]:
        """Let what is begun inside be a part of it."""
        ...

    def end(self) -> None:
        """It is over."""
        ...


class Recorder(Protocol):
    """Takes down what is told."""

    def start(
        self,
        name: str,
        *,
        of: str,
        first: bool,
        began: datetime | None,
        causes: Sequence[str],
        call: bool,
        facts: Mapping[str, Fact],
    ) -> Span | None:
        """Begin a span; None where it would be a part of nothing. See `span`."""
        ...

    def current(self) -> Span | None:
        """The span whose work goes on here."""
        ...


class _Nothing:
    """What nobody takes down."""

    def add(self, **_: Fact) -> None:
        return


_NOTHING = _Nothing()
_recorder: Recorder | None = None


@contextmanager
def recording(recorder: Recorder) -> Iterator[None]:
    """Let *recorder* take down what happens in this process inside the block."""
    global _recorder
    before, _recorder = _recorder, recorder
    try:
        yield
    finally:
        _recorder = before


def recorded() -> bool:
    """Whether anybody takes down anything, for what costs a question to be told."""
    return _recorder is not None


def trace_id() -> str:
    """The trace of the work at hand; "" where none is recorded."""
    found = _recorder.current() if _recorder is not None else None
    return found.trace_id if found is not None else ""


@contextmanager
def span(
    name: str,
    *,
    of: str = "",
    first: bool = False,
    began: datetime | None = None,
    causes: Sequence[str] = (),
    **facts: Fact,
) -> Iterator[Span | _Nothing]:
    """Record the block under *name*; the log lines inside carry the ids of its trace.

    Args:
        name: A constant: what is done.
        of: The trace that it belongs to; "" for that of the work at hand, without which nothing
            is recorded. Work at hand of another trace is linked to as its cause.
        first: It is the first span of that trace, which all others hang on.
        began: When it began, if that was earlier.
        causes: Other traces whose first span led here.
        facts: See the module.
    """
    begun = begin(name, of=of, first=first, began=began, causes=causes, **facts)
    if begun is None:
        yield _NOTHING
        return
    try:
        with begun.active(), bound(trace_id=begun.trace_id, span_id=begun.span_id):
            yield begun
    except Exception as error:
        begun.fail(type(error).__name__)
        raise
    finally:
        begun.end()


def begin(
    name: str,
    *,
    of: str = "",
    first: bool = False,
    began: datetime | None = None,
    causes: Sequence[str] = (),
    **facts: Fact,
) -> Span | None:
    """Begin a span that the caller ends; None where nothing is recorded. See `span`."""
    if _recorder is None:
        return None
    return _recorder.start(
        name, of=of, first=first, began=began, causes=causes, call=False, facts=facts
    )


def begin_call(name: str) -> Span | None:
    """Begin the span of a call of another system, as a part of the work at hand; see `begin`."""
    if _recorder is None:
        return None
    return _recorder.start(name, of="", first=False, began=None, causes=(), call=True, facts={})


def happened(
    name: str,
    *,
    of: str = "",
    first: bool = False,
    began: datetime | None = None,
    causes: Sequence[str] = (),
    **facts: Fact,
) -> None:
    """Record what took no time, or is over by now. See `span`."""
    begun = begin(name, of=of, first=first, began=began, causes=causes, **facts)
    if begun is not None:
        begun.end()
