"""Everything that a drill says, word for word."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bot.blockkit import VIEW_TITLE
from bot.domain.home import Part
from bot.domain.words import AnswerCode, NoteCode
from bot.ports.people import DRILL, Note, Window
from bot.render import answer, card, choice_view, difference_view, form_view, note
from bot.samples.facts import AT, FACTS
from bot.wording import say
from store.records import State
from tests.cards import ALICE, a_view, everything, facts_only, objects, sound

WINDOW = Window(f"difference.{DRILL}.d1", "v", "C0INCIDENT1", "1.0")


def report(**changes: Any) -> list[str]:
    facts = {**FACTS[NoteCode.DRILL_OVER], **changes}
    return everything(sound(note(Note(NoteCode.DRILL_OVER, {**facts, "drill": True})))).split("\n")


def test_the_last_note_has_one_line_a_part_and_a_total() -> None:
    assert report() == [
        ":checkered_flag: *The drill is over*, and it went as it should.",
        "• alert → card: 0.4 s",
        "• card → second approval: 1 min 12 s",
        "• second approval → verified live: 3.1 s",
        "• verified live → recovered: 0.0 s",
        "• in all: 1 min 16 s",
    ]


SUGGESTED = [{"part": "suggest", "seconds": 0.4}]
HALF_AN_HOUR = {"parts": SUGGESTED, "stop": "approval", "waited": 1800.0, "total": 1800.4}


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"outcome": "expired", "count": 0}, "nobody approved within 30 min 0 s."),
        ({"outcome": "expired", "count": 1}, "only 1 of 2 approved within 30 min 0 s."),
        (
            {"outcome": "rejected", "count": 1},
            "it stopped at the approvals, where it was rejected with 1 of 2.",
        ),
        ({"outcome": "withdrawn", "count": 0}, "it stopped at the approvals, with 0 of 2."),
    ],
)
def test_where_it_stopped_at_the_approvals_is_said(facts: dict[str, Any], said: str) -> None:
    assert report(**HALF_AN_HOUR, **facts) == [
        f":checkered_flag: *The drill is over*: {said}",
        "• alert → card: 0.4 s",
        "• card → its end: 30 min 0 s",
        "• in all: 30 min 0 s",
    ]


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"stop": "suggestion", "outcome": "frozen", "waited": 2.0}, "anything to vote on"),
        ({"stop": "suggestion", "outcome": "drill_gave_way"}, "something real came first"),
        ({"stop": "approval", "outcome": "drill_gave_way"}, "something real came first"),
        ({"stop": "execution", "outcome": "target_down"}, "stopped before it was verified live"),
        ({"stop": "recovery", "outcome": "not_recovered"}, "it was not seen to recover"),
        ({"stop": "recovery", "outcome": "unknown"}, "whether it recovered could not be seen"),
    ],
)
def test_where_else_it_stopped_is_said(facts: dict[str, Any], said: str) -> None:
    assert said in report(**facts)[0]


@pytest.mark.parametrize("state", State)
def test_every_card_of_a_drill_begins_with_it(state: State) -> None:
    drawn = sound(card(a_view(state, drill=True)))

    assert drawn.blocks[0]["text"]["text"].startswith("Drill: ")
    assert drawn.text.startswith("Drill: ")


def test_a_card_without_a_rollback_begins_with_it_too() -> None:
    drawn = sound(card(facts_only(drill=True, finding_code="no_drill", finding_facts={"why": ""})))

    title = "Drill: Alert on support-triage@prod: no rollback suggested"
    assert drawn.blocks[0]["text"]["text"] == title


def test_the_card_says_what_a_drill_is_and_who_asked_for_it() -> None:
    drawn = sound(card(a_view(drill=True, finding_code="drill", finding_facts=FACTS_OF_DRILL)))

    assert (
        f"*This is a drill*, asked for by <@{ALICE}>: nothing is wrong, and "
        "`support-triage@prod` serves nobody. All else is as in earnest: two keys, and it really "
        "rolls back. Version 6 is the newest one before version 7 that differs from it."
    ) in everything(drawn)
    asked = [one["confirm"] for one in objects(drawn.blocks) if "confirm" in one]
    confirms = [one["title"]["text"] for one in asked if "title" in one]
    assert confirms
    assert all(title.startswith("Drill: ") for title in confirms)


FACTS_OF_DRILL = {"slack_id": ALICE, "suspect": 7, "candidate": 6}


@pytest.mark.parametrize("action", ["reject", "undo", "break_glass", "sign_review"])
def test_every_form_of_a_drill_says_so_in_its_title_and_first_line(action: str) -> None:
    asked = {"value": "v", "channel": "C0INCIDENT1", "ts": "1.0"}
    view = form_view(action, **asked, drill=True)

    assert view["title"]["text"].startswith("Drill: ")
    assert len(view["title"]["text"]) <= VIEW_TITLE
    assert "*Drill.*" in json.dumps(view["blocks"][0])
    assert "Drill" not in json.dumps(form_view(action, **asked, drill=False))


def test_the_dialogs_that_are_read_say_so() -> None:
    chooses = Window(f"choose.{DRILL}.d1", "v", "C0INCIDENT1", "1.0")

    assert difference_view(WINDOW, None)["title"]["text"] == "Drill: what would change"
    assert choice_view(chooses, None)["title"]["text"] == "Drill: another version"


def test_notes_and_answers_of_a_drill_say_it_first() -> None:
    facts = {"slack_id": ALICE, "count": 1, "needed": 2, "missing": []}

    marked = note(Note(NoteCode.VOTE_APPROVED, {**facts, "drill": True}))
    assert marked.text == f"*Drill* · :key: <@{ALICE}> approved. Approvals 1 of 2."
    counted = answer(Note(AnswerCode.VOTE_COUNTED, {"count": 1, "needed": 2, "drill": True}))
    assert counted.text.startswith("*Drill* · Your vote is counted")


def test_a_direct_message_says_in_each_row_whether_it_is_a_drill() -> None:
    facts = FACTS[NoteCode.DIRECT]
    rows = [{**row, "drill": True} for row in facts["rows"]]

    text = everything(note(Note(NoteCode.DIRECT, {**facts, "rows": rows})))

    assert text.count("*drill* in `support-triage@prod`") == len(rows)


@pytest.mark.parametrize(
    ("part", "more"),
    [
        (Part.WAITING, {"until": AT}),
        (Part.ASKED, {"until": AT, "state": "PENDING_APPROVAL"}),
        (Part.RECENT, {"outcome": "completed", "state": "COMPLETED", "at": AT}),
        (Part.REVIEWS, {"slack_id": ALICE}),
    ],
)
def test_the_rows_of_app_home_say_so(part: Part, more: dict[str, Any]) -> None:
    row = {"where": "support-triage@prod", "more": 0, "rollback": 17, "old": 7, "new": 6}
    row |= {"permalink": "", "count": 1, "needed": 2, **more}

    assert "*drill* in `support-triage@prod`" in say("home", part, {**row, "drill": True})
    assert "drill" not in say("home", part, row)


def test_status_and_log_say_so_in_their_rows() -> None:
    status = FACTS[AnswerCode.STATUS]["rows"][0]
    version = FACTS[AnswerCode.LOG]["rows"][1]

    assert ", a *drill*, waits for approval" in say("row", "status", {**status, "drill": True})
    assert "by rollback 17, a *drill*" in say("row", "log", {**version, "drill": True})


def test_the_notification_of_a_drill_alone_does_not_call_it_a_rollback() -> None:
    row = {**FACTS[NoteCode.DIRECT]["rows"][0], "stands": "waits"}

    def told(*rows: dict[str, Any]) -> str:
        facts = {"rows": list(rows), "waiting": len(rows)}
        return note(Note(NoteCode.DIRECT, facts)).text

    practised = {**row, "drill": True}
    assert told(practised) == "A drill waits for your vote."
    assert told(practised, practised) == "2 drills wait for your vote."
    assert told(row) == "A rollback waits for your vote."
    assert told(row, practised) == "2 rollbacks wait for your vote."
