"""Dialogs and App Home."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from bot import textsafe
from bot.blockkit import OPTION_VALUE, OPTIONS, VIEW_PRIVATE_METADATA, view_problems
from bot.domain import glass
from bot.domain.choices import Choices
from bot.domain.diff.browse import CONTENTS, Place, Sheet, spelled
from bot.domain.home import HomeView, Listed
from bot.domain.words import AnswerCode
from bot.ports.people import Note, Window
from bot.render.drawing import BrokenBlocks, option, parsed
from bot.render.fitting import pages_of
from bot.render.messages import answer
from bot.render.ours import or_ours
from bot.wording import NoWords, say
from store.records import AppEnv

REASON: Final = 500  # characters of a reviewer's reason


@or_ours
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
    view = parsed(
        action,
        metadata=metadata,
        max_length=REASON,
        min_length=glass.REASON_AT_LEAST,
        drill=drill,
    )
    if found := view_problems(view):
        raise BrokenBlocks("dialog", found)
    return view


@or_ours
def home_view(home: HomeView) -> dict[str, Any]:
    """Return a person's App Home.

    Raises:
        BrokenBlocks: A code has no words, a fact is missing, or Slack would refuse it.
    """
    try:
        view = parsed(
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
    pages = pages_of(rows) or [say("home", f"no_{listed.part}", {})]
    return {"part": listed.part.value, "pages": pages, "more": listed.more, "empty": not rows}


@or_ours
def difference_view(window: Window, shown: Sheet | Note | None) -> dict[str, Any]:
    """Return the dialog in which a difference is read, one change at a time.

    None stands for what is not made yet.

    Raises:
        BrokenBlocks: What it would show cannot be shown there.
    """
    sheet = shown if isinstance(shown, Sheet) else None
    view = parsed(
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


@or_ours
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
    view = parsed(
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


@or_ours
def app_options(apps: Sequence[AppEnv]) -> list[dict[str, Any]]:
    """Return *apps* as options of a select; those whose name is too long are left out."""
    named = [str(where) for where in apps]
    return [option(name) for name in named if len(name) <= OPTION_VALUE][:OPTIONS]


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
