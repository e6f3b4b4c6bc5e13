"""A team's templates are tried on every message: how it looks is theirs, what it does is not."""

from __future__ import annotations

from typing import Any

import pytest

from bot.config.templates import ours
from bot.domain.words import NoteCode
from bot.ports.people import Note
from bot.render import BrokenBlocks, Message, card, form_view, note
from bot.samples.cards import a_view
from bot.samples.drawn import samples
from bot.samples.facts import CALL
from bot.samples.trying import powers, tried
from bot.voice import Voice, speaking
from tests.cards import everything, sound

SOURCES = {name: file.read_text(encoding="utf-8") for name, file in ours().items()}
CARD, REJECT, WORDS = "slack/card.json.j2", "slack/reject.json.j2", "slack/words/note.j2"
PLAIN = SOURCES[REJECT].replace("Reject the rollback", "Not like this")
OWN_WORDS = "{% block reminder %}Hello, {{ voters | reviewers }}!{% endblock %}"


def changed(name: str, old: str, new: str) -> dict[str, str]:
    """Ours of *name* with *new* in place of *old*, which stands there."""
    assert old in SOURCES[name]
    return {name: SOURCES[name].replace(old, new)}


def test_ours_are_fine_in_the_place_of_ours() -> None:
    found = tried(SOURCES)

    assert (set(found.good), found.refused) == (set(SOURCES), {})


def test_another_text_is_taken() -> None:
    assert tried({REJECT: PLAIN}).good == {REJECT: PLAIN}


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ('"blocks": [', '"blocks": [[', "Expecting"),
        ("{% endif %}", "", "card"),
        ('"type": "actions"', '"type": "action"', "action"),
        ('"rollback." ~ button.action', '"rollback." ~ "approve"[:card.round * 9]', "buttons"),
        ('"value": {{ button.value }}', '"value": {{ card.digest }}', "buttons"),
        ('"confirm": {\n       "title"', '"confirn": {\n       "title"', "confirn"),
        ("card.app", "card.secret_sauce", "secret_sauce"),
        ("card.case_id", "card.__class__.__mro__", "card"),
    ],
)
def test_what_breaks_a_card_or_changes_what_it_does_is_refused(
    old: str, new: str, why: str
) -> None:
    found = tried(changed(CARD, old, new))

    assert found.good == {}
    assert why in found.refused[CARD]


def test_a_form_that_forgets_what_was_pressed_is_refused() -> None:
    found = tried(changed(REJECT, "{{ metadata }}", '{{ "" }}'))

    assert REJECT in found.refused


def test_one_that_breaks_takes_no_other_with_it() -> None:
    found = tried({REJECT: PLAIN, WORDS: "{% block reminder %}{{ nobody }}{% endblock %}"})

    assert set(found.good) == {REJECT}
    assert set(found.refused) == {WORDS}


def test_a_file_of_sentences_may_hold_only_those_of_the_team() -> None:
    found = tried({WORDS: OWN_WORDS})

    assert found.refused == {}
    with speaking(Voice(found.good)):
        assert note(Note(NoteCode.REMINDER, CALL)).text.startswith("Hello, ")
        assert "Your vote" not in note(Note(NoteCode.EXECUTING, {"slack_ids": []})).text


def test_everything_that_does_something_is_compared() -> None:
    pressed = {name for name, draw in samples().items() if powers(draw())}

    assert {"card/PENDING_APPROVAL", "dialog/reject", "dialog/choose", "home/everything"} <= pressed
    assert "note/executing" not in pressed


# -- When one breaks after all --------------------------------------------------------------------


def test_what_breaks_on_a_message_is_drawn_by_ours_and_says_so() -> None:
    with speaking(Voice(changed(CARD, "card.app", "card.secret_sauce"))):
        message = sound(card(a_view()))

    assert message.blocks[:-1] == card(a_view()).blocks
    assert "the team's own broke here" in everything(message)


def test_words_that_break_are_ours_too() -> None:
    with speaking(Voice({WORDS: "{% block reminder %}{{ nobody }}{% endblock %}"})):
        message = sound(note(Note(NoteCode.REMINDER, CALL)))

    assert message.text == note(Note(NoteCode.REMINDER, CALL)).text
    assert len(message.blocks) == len(note(Note(NoteCode.REMINDER, CALL)).blocks) + 1


def test_a_dialog_that_breaks_is_ours() -> None:
    def form() -> dict[str, Any]:
        return form_view("reject", value="17.1.x", channel="C0INCIDENT1", ts="1.2")

    with speaking(Voice({REJECT: "{"})):
        drawn = form()

    assert drawn == form()


def test_what_ours_cannot_draw_either_is_not_hidden() -> None:
    with speaking(Voice({REJECT: PLAIN})), pytest.raises(BrokenBlocks):
        note(Note(NoteCode.REMINDER, {}))


def test_a_template_reaches_nothing_of_the_program() -> None:
    reaching = "{{ ''.__class__.__mro__[1].__subclasses__() }}"
    for source in (reaching, "{{ cycler.__init__.__globals__ }}", "{% include '/etc/passwd' %}"):
        assert REJECT in tried({REJECT: source}).refused


def test_another_voice_is_over_when_it_is_over() -> None:
    with speaking(Voice({WORDS: OWN_WORDS})):
        pass

    assert isinstance(note(Note(NoteCode.REMINDER, CALL)), Message)
    assert not note(Note(NoteCode.REMINDER, CALL)).text.startswith("Hello")
