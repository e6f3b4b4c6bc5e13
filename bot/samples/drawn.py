"""Every message, dialog and page of Slack, once, with a name: drawn in the voice of the moment."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from enum import StrEnum
from functools import partial
from typing import Any, TypeAlias

from bot import render
from bot.domain.card import CardButton, CardGlass, CardLeg, CardView
from bot.domain.home import Said
from bot.domain.words import AnswerCode, FindingCode, NoteCode, OutcomeCode, RecoveryCode
from bot.ports.people import Note
from bot.render import Message
from bot.samples import dialogs
from bot.samples.cards import (
    ALICE,
    BOB,
    HITCHES,
    NOON,
    REWORDED,
    a_view,
    an_impact,
    both_approved,
    facts_only,
)
from bot.samples.facts import FACTS
from bot.samples.told import FIRST_PAGE, GIVEN_UP, REHEARSED
from store.records import State

Drawn: TypeAlias = Message | dict[str, Any]
Draw: TypeAlias = Callable[[], Drawn]
_FORMS = ("reject", "undo", "break_glass", "sign_review")
_BUTTONS = ("approve", "reject", "difference", "another", "break_glass")
_LEGS = (CardLeg("support-triage@prod", 7, 6), CardLeg("kb-search@prod", 4, 3))
_GLASS = CardGlass(ALICE, "the shop answers nobody", NOON)


def samples() -> dict[str, Draw]:
    """Every sample by its name, as `card/PENDING_APPROVAL` or `answer/log`."""
    return dict(_all())


def sent() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every sample with what Slack would be sent: `{text, blocks}` of a message, or a view."""
    for name, draw in samples().items():
        made = draw()
        yield (
            name,
            {"text": made.text, "blocks": made.blocks} if isinstance(made, Message) else made,
        )


def _all() -> Iterator[tuple[str, Draw]]:
    for name, view in _cards():
        yield f"card/{name}", partial(render.card, view)
    for code in NoteCode:
        yield f"note/{code.value}", partial(render.note, _note(code))
    drift = {"summary": "", "phrases": [REWORDED]}
    yield "note/drift.told", partial(render.note, _note(NoteCode.DRIFT, **drift))
    for outcome in OutcomeCode:
        facts = {"outcome": outcome.value, "facts": FACTS.get(outcome, {}), "seconds": 3.2}
        yield f"ended/{outcome.value}", partial(render.note, Note(NoteCode.ENDED, facts))
    for answer in AnswerCode:
        yield f"answer/{answer.value}", partial(render.answer, _note(answer))
    yield "answer/dry_run.steps", partial(render.answer, _note(AnswerCode.DRY_RUN, told=REHEARSED))
    yield "answer/compared.first", partial(render.answer, _note(AnswerCode.COMPARED, **FIRST_PAGE))
    for action in _FORMS:
        yield f"dialog/{action}", partial(_form, action)
    yield "dialog/reject_drill", partial(_form, "reject", drill=True)
    yield from _dialogs()
    yield "home/everything", partial(render.home_view, dialogs.HOME)
    for said in Said:
        notices = ((said, dialogs.SAID.get(said, {})),)
        home = replace(dialogs.HOME, notices=notices)
        yield f"home/{said.value}", partial(render.home_view, home)


def _note(code: StrEnum, **more: Any) -> Note:
    return Note(code.value, {**FACTS.get(code, {}), **more})


def _form(action: str, *, drill: bool = False) -> dict[str, Any]:
    where = {"channel": dialogs.CHANNEL, "ts": dialogs.TS}
    return render.form_view(action, value=dialogs.VALUE, **where, drill=drill)


def _dialogs() -> Iterator[tuple[str, Draw]]:
    for name, window in (("choose", dialogs.BY_COMMAND), ("another", dialogs.OF_CARD)):
        yield f"dialog/{name}_waits", partial(render.choice_view, window, None)
        yield f"dialog/{name}", partial(render.choice_view, window, dialogs.CHOICES)
    for name, sheet in (
        ("contents", dialogs.CONTENTS),
        ("change", dialogs.CHANGE),
        ("waits", None),
    ):
        shown = partial(render.difference_view, dialogs.OF_CARD, sheet)
        yield f"dialog/difference_{name}", shown


def _cards() -> Iterator[tuple[str, CardView]]:
    """A card in each state, and with each thing that can stand on one."""
    for state in State:
        yield state.value, a_view(state)
    for code in FindingCode:
        yield (
            f"finding.{code.value}",
            facts_only(finding_code=code, finding_facts=FACTS.get(code, {})),
        )
    for recovery in RecoveryCode:
        told = {"seconds": 130.0, "by": "metric", "why": ""}
        done = both_approved(State.COMPLETED, seconds=3.2)
        yield (
            f"recovery.{recovery.value}",
            replace(done, recovery_code=recovery.value, recovery_facts=told),
        )
    yield from _variations()


def _variations() -> Iterator[tuple[str, CardView]]:
    pending = a_view()
    more: Mapping[str, dict[str, Any]] = {
        "asked": {"requested_slack_id": BOB, "reason": "answers were better"},
        "buttons": {"buttons": tuple(CardButton(name, dialogs.VALUE) for name in _BUTTONS)},
        "impact": {"impact": an_impact(), "risk": "critical"},
        "joint": {"legs": _LEGS},
        "dry_run": {"dry_run": "missing: model gpt-4o (node Answer)", "dry_run_warns": True},
        "dry_run.found": {"dry_run": "missing", "dry_run_warns": True, "hitches": HITCHES},
        "drill": {"drill": True},
        "lost": {"lost": "a new answer about refunds"},
        "lost.versions": {"lost": "more", "given_up": GIVEN_UP},
        "restored": {"restored": True},
        "at_once": {"at_once": True},
        "nobody": {"policy_named": False},
        "publisher_unknown": {"publisher_unknown": True, "publisher_excluded": True},
        "each_of": {"each_of": ("S0OWNERS001",), "missing": ("S0OWNERS001",), "vetoes": 2},
        "own_secrets": {"secrets_from_version": ("SMTP_PASSWORD",)},
        "draft_secrets": {"secrets_of_draft": True},
        "page": {"page": "https://keyturn.example.com/diffs/1?s=x"},
    }
    for name, changes in more.items():
        yield name, replace(pending, **changes)
    yield "glass.waits", a_view(State.BROKEN_GLASS, glass=_GLASS)
    review = replace(_GLASS, ran=True, review_open=True, signed=(BOB,), in_freeze=True)
    yield "glass.review", a_view(State.COMPLETED, glass=review, seconds=3.2)
    yield "joint.done", both_approved(State.COMPLETED, seconds=3.2, legs=_LEGS)
    yield "drill.done", both_approved(State.COMPLETED, seconds=3.2, drill=True)
    undo = (CardButton("undo", dialogs.VALUE),)
    yield "undo", both_approved(State.COMPLETED, seconds=3.2, buttons=undo)
