"""Structured logs: JSON lines on stderr (words on a terminal), with the ids of the work at hand.

A module logs by `logging.getLogger(__name__)` or `structlog.get_logger()`: a constant message,
facts beside it. Whatever `bound` holds at that moment stands in every line of the work.
Secrets and the texts of alerts and messages never belong in a line.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

import orjson
import structlog
from structlog.contextvars import bind_contextvars, bound_contextvars
from structlog.stdlib import ProcessorFormatter
from structlog.types import EventDict, Processor, WrappedLogger

ANCHORS = "keyturn.anchors"  # whose lines stand on stdout, for whoever keeps them apart
_QUIET = ("apscheduler", "sqlalchemy", "aiosqlite", "asyncio", "alembic", "slack_sdk")


def configure(
    *, level: str = "INFO", stream: TextIO | None = None, anchors: TextIO | None = None
) -> None:
    """Send every log line of this process to *stream* (stderr) as one line of JSON.

    On a terminal the lines are words instead. Those of the audit chain's anchors go to *anchors*,
    if there is one, as JSON whatever that is. Call it once, from the command line.
    """
    set_apart(anchors)
    out = sys.stderr if stream is None else stream
    handler = logging.StreamHandler(out)
    handler.setFormatter(_formatter(terminal=out.isatty()))
    handler.addFilter(_without_bodies)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_shared(),
            ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def set_apart(anchors: TextIO | None) -> None:
    """Let the lines about anchors go to *anchors* alone, whatever the level of the others."""
    logger = logging.getLogger(ANCHORS)
    logger.handlers[:] = []
    logger.propagate = anchors is None
    logger.setLevel(logging.NOTSET if anchors is None else logging.INFO)
    if anchors is not None:
        handler = logging.StreamHandler(anchors)
        handler.setFormatter(_formatter(terminal=False))
        logger.addHandler(handler)


def bind(**ids: object) -> None:
    """Put *ids* into every further line of this task and of those it starts."""
    bind_contextvars(**ids)


@contextmanager
def bound(**ids: object) -> Iterator[None]:
    """Put *ids* into every line inside the block; what stood there before comes back after it."""
    with bound_contextvars(**ids):
        yield


def _shared() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def _formatter(*, terminal: bool) -> ProcessorFormatter:
    look: list[Processor] = (
        [_visible, structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
        if terminal
        else [
            structlog.processors.format_exc_info,
            structlog.processors.EventRenamer("message"),
            structlog.processors.JSONRenderer(serializer=_json),
        ]
    )
    return ProcessorFormatter(
        foreign_pre_chain=_shared(),
        processors=[ProcessorFormatter.remove_processors_meta, *look],
    )


def _json(line: EventDict, **_: object) -> str:
    """One line of JSON: control characters come out escaped, what is not JSON as its `str`."""
    options = orjson.OPT_NON_STR_KEYS | orjson.OPT_UTC_Z
    try:
        return orjson.dumps(line, default=str, option=options).decode()
    except TypeError:  # lone surrogates, which are no UTF-8
        safe = {str(key): ascii(value) for key, value in line.items()}
        return orjson.dumps(safe).decode()


def _visible(_: WrappedLogger, __: str, line: EventDict) -> EventDict:
    """Show control characters as escapes, so that no value moves the cursor or forges a line."""
    return {
        key: _escaped(value) if isinstance(value, str) else value for key, value in line.items()
    }


def _escaped(text: str) -> str:
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text
    )


def _without_bodies(record: logging.LogRecord) -> bool:
    """Keep what Bolt logs, but not the requests, signatures and answers that it logs with it.

    Bolt writes bodies behind the first bracket or colon of its messages, or alone:
    `Invalid request signature detected (signature: …, body: …)`, `Unhandled request ({…})`.
    """
    if record.name.partition(".")[0] != "slack_bolt":
        return True
    if record.levelno < logging.WARNING and not record.exc_info:
        return False
    said = record.msg if isinstance(record.msg, str) else ""
    ends = [at for mark in "({[:\n" if (at := said.find(mark)) >= 0]
    record.msg = said[: min(ends, default=80)].strip() or "slack_bolt has something to say"
    record.args = ()
    return True
