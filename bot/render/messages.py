"""Cards, replies and answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from bot import textsafe
from bot.domain import rehearsal_told
from bot.domain.card import CardView
from bot.domain.words import AnswerCode, NoteCode
from bot.language import message
from bot.ports.people import Note
from bot.render.drawing import BrokenBlocks, Message, checked, drawn
from bot.render.fitting import fit, pages_of
from bot.render.ours import or_ours
from bot.wording import NoWords, headed, rehearsed, say, translated
from store.records import Json

CHANGES: Final = 12  # lines of the difference on a card; a phone shows no more anyway
_LINE: Final = 400  # characters of one line of a difference
_DRILL: Final = message("*Drill*")


@or_ours
def card(view: CardView) -> Message:
    """Return the one message that shows a case.

    The least important changes are left out first when not all fit; the card says how many.

    Raises:
        BrokenBlocks: A code has no words, a fact is missing, or Slack would refuse it.
    """

    def draw(n: int) -> Message:
        left = view.changes_left + len(view.changes) - n
        return drawn("card", card=view, changes=view.changes[:n], left=left)

    return checked(fit(draw, min(len(view.changes), CHANGES)), f"card of case {view.case_id}")


@or_ours
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


@or_ours
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
    made = drawn(
        "review",
        text=sentences[0],
        sentences=sentences,
        value=value,
        where=where,
        drill=drill,
    )
    return checked(made, f"note {note.code}")


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
        return drawn(
            "reply",
            sentence=sentence,
            lines=shown[:n],
            pages=pages_of(listed[:n]),
            left=total - n,
            where=elsewhere,
            below=below,
        )

    return checked(fit(draw, total), what)


def _fact(note: Note, name: str) -> Json:
    if name not in note.facts:
        raise BrokenBlocks(f"{note.code} without {name}")
    return note.facts[name]
