"""Cards, replies and dialogs as Block Kit, drawn from `templates/slack/*.json.j2`.

Every expression of those templates comes out as a JSON literal, quotes included, so no value can
break a document. What people wrote stands in plain_text or rich_text, or went through a filter.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import lru_cache, wraps
from typing import Any, Final, ParamSpec, TypeVar, cast

from jinja2 import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from bot import textsafe
from bot.blockkit import (
    MESSAGE_BLOCK_TEXT,
    MESSAGE_BLOCKS,
    MESSAGE_TEXT,
    OPTION_TEXT,
    OPTION_VALUE,
    OPTIONS,
    VIEW_PRIVATE_METADATA,
    Problem,
    message_problems,
    text_size,
    view_problems,
)
from bot.domain import glass, rehearsal_told
from bot.domain.card import CardView
from bot.domain.choices import Choices
from bot.domain.choices import spelled as spelled_choice
from bot.domain.diff.browse import CONTENTS, Place, Sheet, spelled
from bot.domain.home import HomeView, Listed
from bot.domain.words import AnswerCode, NoteCode
from bot.errors import BotError
from bot.language import ENGLISH, current, message
from bot.ports.people import Note, Window
from bot.voice import OURS, Voice, speaking, spoken
from bot.wording import (
    FILTERS,
    NoWords,
    change,
    counted,
    environment,
    given_up,
    headed,
    hitched,
    joined,
    phrased,
    rehearsed,
    say,
    translated,
)
from store.records import AppEnv, Json

CHANGES: Final = 12  # lines of the difference on a card; a phone shows no more anyway
REASON: Final = 500  # characters of a reviewer's reason
_PAGE: Final = 2_800  # characters of one section of a list
_SPARE: Final = 200  # below the limit, which Slack does not document
_LINE: Final = 400  # characters of one line of a difference
_log = logging.getLogger(__name__)
_strict: Final[ContextVar[bool]] = ContextVar("strict", default=False)
P = ParamSpec("P")
R = TypeVar("R")
_DRILL: Final = message("*Drill*")


class BrokenBlocks(BotError):
    """What was drawn cannot be sent: words or facts are missing, or a rule of Slack is broken."""

    def __init__(self, what: str, problems: Sequence[Problem] = ()) -> None:
        super().__init__("; ".join([what, *map(str, problems[:5])]))
        self.problems = tuple(problems)


@dataclass(frozen=True)
class Message:
    """A message for Slack; `text` is what notifications and screen readers give."""

    text: str
    blocks: list[dict[str, Any]]


def _or_ours(draw: Callable[P, R]) -> Callable[P, R]:
    """Draw with the team's templates, and with ours, saying so, where theirs break."""

    @wraps(draw)
    def drawn(*args: P.args, **named: P.kwargs) -> R:
        if not spoken().templates or _strict.get():
            return draw(*args, **named)
        try:
            return draw(*args, **named)
        except BrokenBlocks as error:
            _log.error("a template of the team broke", extra={"why": str(error)[:300]})
            with speaking(OURS, current()):
                made = draw(*args, **named)
                return cast(R, _noted(made)) if isinstance(made, Message) else made

    return drawn


@contextmanager
def strictly() -> Iterator[None]:
    """Let what cannot be drawn in the voice of the moment raise `BrokenBlocks`."""
    before = _strict.set(True)
    try:
        yield
    finally:
        _strict.reset(before)


def _noted(message: Message) -> Message:
    """*message* with a line that says why it looks otherwise than the team's, if it has room."""
    line = _parsed("fallback")
    with_line = replace(message, blocks=[*message.blocks, line])
    return with_line if _fits(with_line) else message


@_or_ours
def card(view: CardView) -> Message:
    """Return the one message that shows a case.

    The least important changes are left out first when not all fit; the card says how many.

    Raises:
        BrokenBlocks: A code has no words, a fact is missing, or Slack would refuse it.
    """

    def draw(n: int) -> Message:
        left = view.changes_left + len(view.changes) - n
        return _drawn("card", card=view, changes=view.changes[:n], left=left)

    return _checked(fit(draw, min(len(view.changes), CHANGES)), f"card of case {view.case_id}")


@_or_ours
def note(note: Note) -> Message:
    """Return a reply for a case's thread, or a message for a channel. Raises `BrokenBlocks`."""
    if note.code in {NoteCode.DRIFT, NoteCode.CORE_CHANGED}:
        return _reply("note", note, lines=_fact(note, "lines"), below=True)
    if note.code in (NoteCode.REVIEW_OPEN, NoteCode.REVIEW_STILL_OPEN):
        return _review(note)
    if note.code in (NoteCode.GLASS_BROKEN, NoteCode.IMPACT):
        return _paragraphs("note", note)
    if note.code == NoteCode.DIRECT:
        return _reply("note", note, rows=_fact(note, "rows"), below=True)
    if note.code == NoteCode.EDITS_SLIPPED_IN:
        return _reply("note", note, lines=_fact(note, "lines"))
    return _reply("note", note)


@_or_ours
def answer(note: Note) -> Message:
    """Return an answer to one person. Raises `BrokenBlocks`."""
    match note.code:
        case AnswerCode.DIFFERENCE:
            return _reply("answer", note, lines=str(_fact(note, "text")).splitlines())
        case AnswerCode.COMPARED | AnswerCode.DRY_RUN:
            return _reply("answer", note, lines=_lines(note), below=True)
        case AnswerCode.LOG | AnswerCode.AUDIT:
            rows = _fact(note, "rows")
            return _reply("answer", note, rows=rows, below=True)
        case AnswerCode.WHO:
            return _paragraphs("answer", note)
        case AnswerCode.STATUS | AnswerCode.SNAPSHOT | AnswerCode.TAGS | AnswerCode.JOBS:
            return _reply("answer", note, rows=_fact(note, "rows"))
        case _:
            return _reply("answer", note)


@_or_ours
def form_view(
    action: str, *, value: str, channel: str, ts: str, drill: bool = False
) -> dict[str, Any]:
    """Return the dialog that a button opens; it carries the button's *value* and its message.

    Args:
        action: The button's: reject, undo and break_glass ask why, sign_review takes a remark.
        value: The button's.
        channel: Where its message stands.
        ts: Of its message.
        drill: Whether that is the card of a drill.

    Raises:
        BrokenBlocks: *value* is too long for a dialog; a button's value fits always.
    """
    metadata = json.dumps({"value": value, "channel": channel, "ts": ts})
    if len(metadata) > VIEW_PRIVATE_METADATA:
        raise BrokenBlocks("the button's value is too long for a dialog")
    view = _parsed(
        action,
        metadata=metadata,
        max_length=REASON,
        min_length=glass.REASON_AT_LEAST,
        drill=drill,
    )
    if found := view_problems(view):
        raise BrokenBlocks("dialog", found)
    return view


@_or_ours
def home_view(home: HomeView) -> dict[str, Any]:
    """Return a person's App Home.

    Raises:
        BrokenBlocks: A code has no words, a fact is missing, or Slack would refuse it.
    """
    try:
        view = _parsed(
            "home",
            home=home,
            drawn=textsafe.when(home.at),
            notices=[say("home", code, facts) for code, facts in home.notices],
            lists=[_home_list(listed) for listed in home.lists],
            jobs=[(job, say("row", AnswerCode.JOBS, job.facts)) for job in home.jobs],
        )
    except NoWords as error:
        raise BrokenBlocks(str(error)) from error
    if found := view_problems(view):
        raise BrokenBlocks("App Home", found)
    return view


def _home_list(listed: Listed) -> dict[str, object]:
    """A list with its rows as few texts, or the sentence of an empty one."""
    rows = [say("home", listed.part, row) for row in listed.rows]
    pages = _pages(rows) or [say("home", f"no_{listed.part}", {})]
    return {"part": listed.part.value, "pages": pages, "more": listed.more, "empty": not rows}


@_or_ours
def difference_view(window: Window, shown: Sheet | Note | None) -> dict[str, Any]:
    """Return the dialog in which a difference is read, one change at a time.

    None stands for what is not made yet.

    Raises:
        BrokenBlocks: What it would show cannot be shown there.
    """
    sheet = shown if isinstance(shown, Sheet) else None
    view = _parsed(
        "difference",
        sheet=sheet,
        sentence=_in_window(shown),
        turns=[{"name": name, "place": spelled(at)} for name, at in _turns(sheet)],
        id=window.id,
        drill=window.drill,
        metadata=json.dumps({"value": window.value, "channel": window.channel, "ts": window.ts}),
    )
    if found := view_problems(view):
        raise BrokenBlocks("dialog", found)
    return view


@_or_ours
def choice_view(window: Window, shown: Choices | Note | None) -> dict[str, Any]:
    """Return the dialog in which an app and one of its versions are chosen.

    None stands for versions that are not read yet; where *window* names no app and no card, for
    an app that is not chosen yet. A dialog of a card is about the card's app alone.

    Raises:
        BrokenBlocks: What it would show cannot be shown there.
    """
    choices = shown if isinstance(shown, Choices) else None
    where = choices.where if choices else window.where
    kept = {"value": window.value, "channel": window.channel, "ts": window.ts}
    kept |= {"response_url": window.response_url, "where": choices.where if choices else ""}
    view = _parsed(
        "choose",
        choices=choices,
        sentence=_about_choices(window, shown),
        ended=isinstance(shown, Note) and bool(window.ts),
        where=where,
        of_card=bool(window.ts),
        id=window.id,
        drill=window.drill,
        key=window.id[-12:],
        max_length=REASON,
        metadata=json.dumps(kept),
    )
    if found := view_problems(view):
        raise BrokenBlocks("dialog", found)
    return view


def filled(window: Window, shown: Sheet | Choices | Note) -> dict[str, Any]:
    """Return the dialog *window* with something in it. Raises `BrokenBlocks`."""
    if window.chooses and not isinstance(shown, Sheet):
        return choice_view(window, shown)
    if isinstance(shown, Choices):
        raise BrokenBlocks("versions to choose from, in a dialog that is none of choices")
    return difference_view(window, shown)


@_or_ours
def app_options(apps: Sequence[AppEnv]) -> list[dict[str, Any]]:
    """Return *apps* as options of a select; those whose name is too long are left out."""
    named = [str(where) for where in apps]
    return [_option(name) for name in named if len(name) <= OPTION_VALUE][:OPTIONS]


def _option(name: str) -> dict[str, Any]:
    shown = textsafe.one_line(name, OPTION_TEXT) or "–"
    return {"text": {"type": "plain_text", "emoji": False, "text": shown}, "value": name}


def _about_choices(window: Window, shown: Choices | Note | None) -> str:
    if isinstance(shown, Note):
        return answer(shown).text
    waits = shown is None and bool(window.ts or window.where)
    return say("answer", AnswerCode.BEING_READ, {}) if waits else ""


def _in_window(shown: Sheet | Note | None) -> str:
    if isinstance(shown, Note):
        return answer(shown).text
    return say("answer", AnswerCode.BEING_MADE, {}) if shown is None else ""


def _turns(sheet: Sheet | None) -> Iterator[tuple[str, Place]]:
    """The ways on from *sheet*, by the names of their buttons."""
    if sheet is None:
        return
    if sheet.before is not None and sheet.before != CONTENTS:
        yield "before", sheet.before
    if sheet.after is not None:
        yield "after", sheet.after
    if sheet.place != CONTENTS:
        yield "contents", CONTENTS


def fit(draw: Callable[[int], Message], most: int) -> Message:
    """Return the message of as many things as Slack takes in one, the first of *most*.

    *draw* makes the message of the first n things and says in it how many are missing. The
    message of none is returned even if it is too large.
    """
    whole = draw(most)
    if _fits(whole) or not most:
        return whole
    low, best, high = 0, draw(0), most - 1
    while low < high:
        middle = (low + high + 1) // 2
        tried = draw(middle)
        if _fits(tried):
            low, best = middle, tried
        else:
            high = middle - 1
    return best


def _fits(message: Message) -> bool:
    return (
        text_size(message.blocks) <= MESSAGE_BLOCK_TEXT - _SPARE
        and len(message.blocks) <= MESSAGE_BLOCKS
        and len(message.text) <= MESSAGE_TEXT
    )


# -- Drawing ----------------------------------------------------------------------------------


def _reply(
    catalogue: str,
    note: Note,
    *,
    lines: Sequence[Json] = (),
    rows: Sequence[Json] = (),
    below: bool = False,
) -> Message:
    try:
        sentence = _marked(note, say(catalogue, note.code, note.facts))
        listed = [say("row", note.code, row) for row in rows]
        under = say("below", note.code, note.facts) if below else _record(note)
    except NoWords as error:
        raise BrokenBlocks(str(error)) from error
    shown = [textsafe.visible(line, _LINE) for line in lines]
    elsewhere = "in the thread" if shown and not below else "not shown"
    elsewhere = "rollbacks" if note.code == NoteCode.DIRECT else elsewhere
    return _laid_out(f"{catalogue} {note.code}", sentence, shown, listed, elsewhere, under)


def _lines(note: Note) -> Sequence[Json]:
    """The lines of an answer in our language, as far as they are told as values too.

    What an older or a newer release queued is in English.
    """
    lines: Sequence[Json] = _fact(note, "lines")
    if note.code == AnswerCode.DRY_RUN:
        told: Json = note.facts.get("told")
        return rehearsed(told) if told and rehearsal_told.understood(told) else lines
    if "phrases" not in note.facts:  # a later page of a difference
        return lines
    head = headed(note.facts["phrases"], _fact(note, "counts"))
    return [*head, *lines[len(head) :]]


def _paragraphs(catalogue: str, note: Note) -> Message:
    """Draw a sentence of several lines: notifications get the first, and none is too long."""
    try:
        sentence, *rest = _marked(note, say(catalogue, note.code, note.facts)).split("\n")
        under = _record(note)
    except NoWords as error:
        raise BrokenBlocks(str(error)) from error
    return _laid_out(f"{catalogue} {note.code}", sentence, [], rest, "not shown", under)


def _record(note: Note) -> str:
    """Where the audit chain stood, in the words of a card; "" for what does not say it."""
    return say("below", "record", note.facts) if "audit_seq" in note.facts else ""


def _marked(note: Note, sentence: str) -> str:
    """*sentence*; of a drill it says so first, unless it speaks of nothing else."""
    marked = note.facts.get("drill") is True and note.code != NoteCode.DRILL_OVER
    return f"{translated(_DRILL)} · {sentence}" if marked else sentence


def _review(note: Note) -> Message:
    """Draw what asks for a review, with the button that signs it while it is open."""
    try:
        sentences = _marked(note, say("note", note.code, note.facts)).split("\n")
    except NoWords as error:
        raise BrokenBlocks(str(error)) from error
    value, where = _fact(note, "value"), _fact(note, "where")
    drill = note.facts.get("drill") is True
    drawn = _drawn(
        "review",
        text=sentences[0],
        sentences=sentences,
        value=value,
        where=where,
        drill=drill,
    )
    return _checked(drawn, f"note {note.code}")


def _laid_out(
    what: str,
    sentence: str,
    shown: Sequence[str],
    listed: Sequence[str],
    elsewhere: str,
    below: str,
) -> Message:
    """Draw a sentence, and of its literal lines or its rows as many as fit."""
    total = len(shown) or len(listed)

    def draw(n: int) -> Message:
        return _drawn(
            "reply",
            sentence=sentence,
            lines=shown[:n],
            pages=_pages(listed[:n]),
            left=total - n,
            where=elsewhere,
            below=below,
        )

    return _checked(fit(draw, total), what)


def _fact(note: Note, name: str) -> Json:
    if name not in note.facts:
        raise BrokenBlocks(f"{note.code} without {name}")
    return note.facts[name]


def _pages(rows: Iterable[str]) -> list[str]:
    """Return *rows* as few texts, each short enough for a section."""
    pages: list[str] = []
    for row in rows:
        if pages and len(pages[-1]) + len(row) < _PAGE:
            pages[-1] += f"\n{row}"
        else:
            pages.append(row)
    return pages


def _checked(message: Message, what: str) -> Message:
    if found := message_problems({"text": message.text, "blocks": message.blocks}):
        raise BrokenBlocks(what, found)
    return message


def _drawn(template: str, **context: object) -> Message:
    made = _parsed(template, **context)
    return Message(made["text"], made["blocks"])


def _parsed(template: str, **context: object) -> dict[str, Any]:
    try:
        text = _json(spoken()).get_template(f"slack/{template}.json.j2").render(context)
        made: dict[str, Any] = json.loads(text)
    except (NoWords, TemplateError, TypeError, ValueError) as error:
        raise BrokenBlocks(f"{template}: {error}") from error
    return made


# -- The environment --------------------------------------------------------------------------


def _as_json(value: object) -> Markup:
    if isinstance(value, Markup):  # what a macro made: JSON already
        return value
    value = joined(value) if isinstance(value, str) else value
    return Markup(json.dumps(value))  # noqa: S704  # a JSON literal


def _utc(value: object) -> str:
    """A time for plain_text in the form of the language."""
    return textsafe.utc(value) if current() == ENGLISH else textsafe.utc_by_numbers(value)


@lru_cache(maxsize=4)  # as of sentences
def _json(voice: Voice) -> ImmutableSandboxedEnvironment:
    made = environment(_as_json, voice)
    made.globals |= {"gettext": translated, "_": translated, "ngettext": counted}
    made.filters |= FILTERS
    made.filters |= {
        "clean": lambda text, n=300: textsafe.clean(joined(str(text)), n),
        "change_words": change,
        "phrased": phrased,
        "given_up": given_up,
        "hitched": hitched,
        "joined": joined,
        "visible": textsafe.visible,
        "one_line": textsafe.one_line,
        "utc": _utc,
        "option": _option,
        "spelled_choice": spelled_choice,
    }
    return made
