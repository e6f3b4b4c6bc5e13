"""One line is one JSON object, carries the ids of its work, and nothing forges or floods it."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from bot import log


class Lines(io.StringIO):
    """A stream that logs go to; a terminal when told so."""

    def __init__(self, *, terminal: bool = False) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal

    def read_back(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.getvalue().splitlines()]


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in log._QUIET}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, quiet in levels.items():
        logging.getLogger(name).setLevel(quiet)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.fixture
def lines() -> Lines:
    lines = Lines()
    log.configure(stream=lines)
    return lines


def test_both_kinds_of_loggers_write_the_same_form(lines: Lines) -> None:
    logging.getLogger("bot.here").info("vote counted", extra={"rollback": 7})
    structlog.stdlib.get_logger("bot.here").info("vote counted", rollback=7)

    one, two = ({**line, "timestamp": ""} for line in lines.read_back())
    assert one == two
    assert one["message"] == "vote counted"
    assert (one["level"], one["logger"], one["rollback"]) == ("info", "bot.here", 7)


def test_the_ids_of_the_work_stand_in_every_line_inside_it(lines: Lines) -> None:
    logger = logging.getLogger("bot.here")

    with log.bound(case=1):
        log.bind(rollback=2)
        logger.info("inside")
    logger.info("outside")

    inside, outside = lines.read_back()
    assert (inside["case"], inside["rollback"]) == (1, 2)
    assert "case" not in outside


@pytest.mark.parametrize("text", ['a\n{"level":"error"}', "a\x1b[2Jb", "a\u2028b\r\x00", "\ud800"])
def test_no_value_forges_a_line_or_moves_a_cursor(text: str) -> None:
    for terminal in (False, True):
        lines = Lines(terminal=terminal)
        log.configure(stream=lines)

        logging.getLogger("bot.here").info("label read", extra={"label": text})

        written = lines.getvalue().removesuffix("\n")
        assert "\n" not in written
        assert "\r" not in written
        assert "\x1b[2J" not in written
        assert text not in written


def test_a_traceback_stays_in_its_line(lines: Lines) -> None:
    try:
        int("broken")
    except ValueError:
        logging.getLogger("bot.here").exception("job failed")

    (line,) = lines.read_back()
    assert "ValueError: invalid literal" in line["exception"]


def test_what_is_no_json_is_written_as_its_text(lines: Lines) -> None:
    logging.getLogger("bot.here").info("odd", extra={"thing": {1, 2}, "big": 2**80})

    (line,) = lines.read_back()
    assert line["thing"] == "{1, 2}"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("slack_bolt.middleware.async_request_verification", "Invalid signature (body: hunter2)"),
        ("slack_bolt.AsyncApp", "Unhandled request ({'token': 'hunter2'})"),
        ("slack_bolt.AsyncApp", "Failed: hunter2"),
        ("slack_bolt.AsyncApp", "said\nhunter2"),
    ],
)
def test_bolt_logs_no_body(lines: Lines, name: str, message: str) -> None:
    for level in (logging.INFO, logging.WARNING, logging.ERROR):
        logging.getLogger(name).log(level, message)

    told = lines.read_back()
    assert [line["level"] for line in told] == ["warning", "error"]
    assert "hunter2" not in lines.getvalue()


def test_arguments_of_bolts_messages_are_dropped_too(lines: Lines) -> None:
    logging.getLogger("slack_bolt.App").warning("Unhandled %s", "hunter2")

    assert "hunter2" not in lines.getvalue()


def test_chatty_libraries_are_heard_from_warning_on(lines: Lines) -> None:
    logging.getLogger("apscheduler.scheduler").info("Added job")
    logging.getLogger("apscheduler.scheduler").warning("Run was late")

    assert [line["message"] for line in lines.read_back()] == ["Run was late"]


def test_a_terminal_gets_words(lines: Lines) -> None:
    terminal = Lines(terminal=True)
    log.configure(stream=terminal)

    logging.getLogger("bot.here").info("vote counted", extra={"rollback": 7})

    assert "vote counted" in terminal.getvalue()
    assert not terminal.getvalue().startswith("{")
