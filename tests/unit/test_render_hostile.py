"""Whatever people, alerts and documents write, a message keeps its form and only our tokens."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.card import CardAlert, CardGlass, CardView, CardVote
from bot.domain.dry_run import Hitch, Severity
from bot.domain.lost import Later, Lost
from bot.domain.words import AnswerCode, NoteCode
from bot.ports.people import Note
from bot.render import Message, answer, card, note
from store.records import Choice, State
from tests.builders import NOON, a_version
from tests.cards import (
    a_change,
    a_view,
    an_impact,
    both_approved,
    everything,
    literal_texts,
    objects,
    sound,
    tokens,
)
from tests.unit.test_textsafe import HOSTILE

NASTY = [
    HOSTILE,
    "{{ 7 * 7 }}{% for x in y %}",
    '", "type": "divider"}, {"',
    "<!subteam^S0REVIEWERS> <@U0ALICE0001> <!here>",
    "&lt;!channel&gt; &amp;lt;",
    "\x00\x1b[31m\u202e\u2066\u200b\ufeff\ud800",
    "`" * 40,
    "🔑" * 300,
    " ",
    "",
    "\n\n- list\n> quote\n```fence```",
]
texts = st.one_of(st.text(max_size=400), st.sampled_from(NASTY))


def full_of(text: str, state: State = State.PENDING_APPROVAL) -> CardView:
    """A card on which everything that others can write is *text*."""
    return a_view(
        state,
        app=text,
        env=text,
        alerts=(CardAlert(text, text, NOON, True, text), CardAlert(text, text, NOON, False)),
        requested_slack_id=text,
        reason=text,
        from_author=text,
        to_author=text,
        votes=(
            CardVote(text, Choice.APPROVE, NOON),
            CardVote(text, Choice.APPROVE, NOON, void=True, void_why=text),
        ),
        reviewers=(text, text),
        glass=CardGlass(text, text, NOON, True, ran=True, review_open=True, signed=(text,)),
        phrases=({"code": "swapped", "before": text, "after": text},),
        changes=(a_change(kind=text, op=text, subject=text, detail=text, before=text, after=text),),
        secrets_kept=(text,),
        secrets_from_version=(text,),
        impact=an_impact(text, where=[text]),
        risk=text,
        given_up=(Lost((Later(a_version(author=text), ()),), where=text),),
        lost=text,
        hitches=tuple(
            Hitch(severity, text, text, text, (text, text), text)
            for severity in (Severity.WARNS, Severity.UNKNOWN)
        ),
        dry_run=text,
        dry_run_warns=True,
    )


@given(texts)
def test_no_app_behind_another_calls_anybody_from_the_thread(text: str) -> None:
    message = sound(note(Note(NoteCode.IMPACT, an_impact(text, where=[text] * 5))))

    assert tokens(message) == []
    assert mentions(message) == set()


PIECES = [
    *("<!channel>", "<!here>", "<!everyone>", "<@U0ALICE0001>", "<#C0INCIDENTS>", "<!subteam^S0R>"),
    *("<https://evil.example|https://grafana.corp>", "<mailto:a@b|x>", "<!date^1^{date}|x>"),
    *("&lt;!channel&gt;", "&amp;lt;!here&gt;", "&#60;!here&#62;", "&", "<", ">", "|", "^"),
    *("`", "```", "*", "_", "~", "*b*", "_i_", "~s~", "> quote", "- list", "1. one", ":tada:"),
    *('"', "'", "\\", '", "type": "divider"}, {"', '"}]', "\\u003c!here\\u003e", "\\n"),
    *("{{ 7 * 7 }}", "{% raw %}", "{# c #}", "${x}", "%s", "%(x)s", "{0}", "{x.__class__}"),
    *("\n", "\r", "\t", "\0", "\x1b[31m", "\x7f", "\x85", "\u2028", "\u2029"),
    *("\u202e", "\u2066", "\u2069", "\u200b", "\u200f", "\u2060", "\ufeff", "\u00ad"),
    *("\ud800", "\udfff", "\U000e0041", "e\u0301", "Z\u0351\u036b\u0343", "🔑", "👩‍👩‍👧", "ﷺ"),
    *(
        "https://evil.example",
        "javascript:alert(1)",
        "@channel",
        "@here",
        "U0ALICE0001",
        "#general",
    ),
    *("</script>", "<img src=x onerror=alert(1)>", "' OR 1=1 --", "../../etc/passwd", "a" * 90),
]
FIELDS = 20  # texts of each message below
IN_ALL = 10_000


def _hostile(dice: random.Random) -> str:
    return "".join(dice.choices(PIECES, k=dice.randint(1, 12)))


@pytest.mark.parametrize("part", range(4))
def test_none_of_ten_thousand_hostile_strings_does_anything(part: int) -> None:
    dice = random.Random(f"hostile {part}")
    states = list(State)
    for number in range(IN_ALL // 4 // FIELDS):
        texts = [_hostile(dice) for _ in range(FIELDS)]
        drawn = card(_each_its_own(texts, states[number % len(states)]))
        facts = {"slack_id": texts[17], "reason": texts[18], "count": 1, "vetoes": 2}
        voted = note(Note(NoteCode.VOTE_AGAINST, facts))
        refused = answer(Note(AnswerCode.REFUSED, {"text": texts[19]}))
        for message in (drawn, voted, refused):
            assert tokens(sound(message)) == [], texts
            assert mentions(message) == set(), texts


def _each_its_own(texts: Sequence[str], state: State) -> CardView:
    """A card on which each thing that others can write is another one of *texts*."""
    n = iter(texts)
    return replace(
        full_of("", state),
        app=next(n),
        env=next(n),
        alerts=(CardAlert(next(n), next(n), NOON, True, next(n)),),
        requested_slack_id=next(n),
        reason=next(n),
        from_author=next(n),
        to_author=next(n),
        phrases=({"code": "swapped", "before": next(n), "after": ""},),
        secrets_kept=(next(n),),
        secrets_from_version=(next(n),),
        given_up=(Lost((Later(a_version(author=next(n)), ()),)),),
        hitches=(Hitch(Severity.WARNS, "model", next(n)),),
        impact=an_impact(next(n), where=[next(n)]),
        changes=(a_change(subject=next(n), detail=texts[0], before=texts[1], after=texts[2]),),
    )


def mentions(message: Message) -> set[str]:
    """Mentions and links in rich text, where they are objects and not tokens."""
    live = {"user", "usergroup", "broadcast", "link", "channel", "emoji"}
    return {str(o) for o in objects(message.blocks) if o.get("type") in live}


@given(texts, st.sampled_from(State))
def test_no_text_on_a_card_calls_anybody_or_breaks_it(text: str, state: State) -> None:
    message = sound(card(full_of(text, state)))

    assert tokens(message) == []
    assert mentions(message) == set()


@pytest.mark.parametrize("text", NASTY)
@pytest.mark.parametrize("state", State)
def test_known_attacks_on_every_state_of_a_card(text: str, state: State) -> None:
    message = sound(card(full_of(text, state)))

    assert tokens(message) == []
    assert message.blocks[0]["text"]["type"] == "plain_text"


def test_a_hostile_mention_in_a_name_is_shown_and_calls_nobody() -> None:
    message = card(full_of("<@U0ALICE0001>"))

    live = [o["text"] for o in objects(message.blocks) if o.get("type") == "mrkdwn"]
    assert not any("<@U0ALICE0001>" in text for text in [message.text, *live])
    assert "Lost by going back: <@U0ALICE0001>: version 2 by <@U0ALICE0001>: " in literal_texts(
        message
    )


def test_what_people_wrote_reaches_no_id_and_no_value() -> None:
    for block in card(full_of("SMUGGLED")).blocks:
        for part in objects(block):
            for name in ("block_id", "action_id", "value", "url"):
                assert "SMUGGLED" not in str(part.get(name, ""))


def test_a_template_in_a_name_is_only_text() -> None:
    message = card(full_of("{{ 7 * 7 }}"))

    assert "Lost by going back: {{ 7 * 7 }}: version 2 by {{ 7 * 7 }}: " in literal_texts(message)
    assert "as critical as `{{ 7 * 7 }}` " in everything(message)


@given(text=texts)
def test_no_name_of_a_secret_escapes(text: str) -> None:
    facts = {"draft": "secrets_lost", "where": "triage@prod", "version_id": 31}
    told = facts | {"names": [text], "call": [text]}

    assert tokens(sound(note(Note(NoteCode.DRAFT_NOTE, told)))) == []


@pytest.mark.parametrize(
    "code", ["rejected", "draft_has_secrets", "draft_secrets_lost", "target_refused"]
)
@given(text=texts)
def test_no_fact_of_an_outcome_escapes(code: str, text: str) -> None:
    facts = {"slack_id": text, "reason": text, "names": [text], "system": text}
    facts |= {"upstream_code": text, "number": text, "candidate": text}
    ended = {"outcome": code, "facts": facts, "seconds": None}

    assert tokens(sound(note(Note(NoteCode.ENDED, ended)))) == []
    assert (
        tokens(sound(card(both_approved(State.FAILED, outcome_code=code, outcome_facts=facts))))
        == []
    )


def _review(text: str) -> dict[str, Any]:
    people = {"slack_id": text, "signed": [text] * 2, "voters": [text] * 60}
    said = {"where": text, "reason": text, "state": text, "permalink": text, "value": text}
    return {**people, **said, "needed": 2, "days": 1}


def _broken(text: str) -> dict[str, Any]:
    said = {"where": text, "slack_id": text, "reason": text, "permalink": text}
    return {**said, "old": 2, "new": 1, "in_freeze": True, "call": [text] * 60}


def _call(text: str) -> dict[str, Any]:
    return {"voters": [text] * 60, "missing": [text], "count": 1, "needed": 70, "until": NOON}


@given(texts)
def test_no_fact_of_a_note_escapes(text: str) -> None:
    notes: list[tuple[NoteCode, dict[str, Any]]] = [
        (NoteCode.VOTE_APPROVED, {"slack_id": text, "count": 1, "needed": 2}),
        (NoteCode.VOTE_REJECTED, {"slack_id": text, "reason": text}),
        (NoteCode.VOTE_AGAINST, {"slack_id": text, "reason": text, "count": 1, "vetoes": 2}),
        (NoteCode.REMINDER, _call(text)),
        (NoteCode.ESCALATED, _call(text)),
        (NoteCode.VOTE_VOID, {"slack_id": text, "why": text}),
        (NoteCode.GLASS_VOID, {"slack_id": text, "why": text}),
        (NoteCode.GLASS_BROKEN, _broken(text)),
        (NoteCode.REVIEW_OPEN, _review(text)),
        (NoteCode.REVIEW_STILL_OPEN, {**_review(text), "value": ""}),
        (NoteCode.REVIEW_SIGNED, {"slack_id": text, "remark": text, "count": 1, "needed": 2}),
        (NoteCode.WAITING_FOR_THAW, {"until": NOON.isoformat(), "where": text}),
        (NoteCode.EXECUTING, {"slack_ids": [text, text]}),
        (NoteCode.ALERT_ADDED, {"alertname": text}),
        (NoteCode.ALERT_RESOLVED, {"alertname": text}),
        (NoteCode.WAITING_FOR_TARGET, {"system": text}),
        (NoteCode.WAITING_THOUGH_REFUSED, {"system": text, "upstream_code": text}),
        (NoteCode.EDITS_SLIPPED_IN, {"lines": [text] * 12}),
    ]
    for code, facts in notes:
        message = sound(note(Note(code, facts)))
        assert tokens(message) == []
        assert mentions(message) == set()


@given(texts)
def test_no_fact_of_an_answer_escapes(text: str) -> None:
    row = {"where": text, "number": 1, "published_at": "", "rollback": 3, "state": text}
    version = {
        "number": 2,
        "live": True,
        "name": text,
        "author": text,
        "published_at": NOON.isoformat(),
        "counts": {text: 1},
        "rollback": 0,
        "back_to": 0,
        "condemned": True,
        "tags": [text],
    }
    paged = {"where": text, "page": 1, "pages": 2}
    compared = {**paged, "old": 1, "new": 2, "left": 3}
    tag = {"number": 2, "slack_id": text, "since": NOON.isoformat()}
    taken = {"was": "refused", "new": [], "newest": 1, "not_imported": 0, "text": text}
    answers: list[tuple[AnswerCode, dict[str, Any]]] = [
        (AnswerCode.LOG, {**paged, "newest": 9, "not_imported": 0, "rows": [version] * 8}),
        (AnswerCode.COMPARED, {**compared, "lines": [text] * 40, "address": text}),
        (AnswerCode.TAGS, {"where": text, "rows": [{**tag, "name": text}] * 60}),
        (AnswerCode.TAGGED, {"where": text, "name": text, "number": 2, "was": 1}),
        (AnswerCode.UNTAGGED, {"where": text, "name": text, "number": 2}),
        (AnswerCode.SNAPSHOT_BEGUN, {"where": text, "count": 1}),
        (AnswerCode.SNAPSHOT, {"rows": [{**taken, "where": text}] * 60}),
        (AnswerCode.REFUSED, {"text": text}),
        (AnswerCode.OUT_OF_DATE, {"permalink": text}),
        (AnswerCode.ASKED, {"where": text, "number": 6}),
        (AnswerCode.DIFFERENCE, {"text": text, "permalink": text}),
        (AnswerCode.STATUS, {"rows": [{**row, "permalink": text}]}),
    ]
    for code, facts in answers:
        message = sound(answer(Note(code, facts)))
        assert tokens(message) == []
        assert mentions(message) == set()


@given(texts)
def test_whatever_a_policy_names_the_answer_about_it_stays_sound(text: str) -> None:
    people = [text] * 60
    facts: dict[str, Any] = {
        "where": text,
        "env": text,
        "named": True,
        "votes": 70,
        "each_of": people,
        "backups": people,
        "vetoes": 2,
        "exclude_publisher": True,
        "frozen": "",
        "minutes": 30,
        "shared": False,
        "voters": people,
        "people": 60,
        "not_looked_up": 5,
        "barred": [{"slack_id": text, "why": text}] * 60,
        "askers": people,
        "viewers": people,
        "unknown_groups": people,
        "you": text,
        "you_may_vote": False,
        "you_may_ask": False,
        "breakers": people,
        "you_may_break": True,
    }
    changes: list[dict[str, Any]] = [{}, {"named": False}, {"shared": True}, {"voters": []}]
    for changed in changes:
        message = sound(answer(Note(AnswerCode.WHO, {**facts, **changed})))

        assert tokens(message) == []
        assert mentions(message) == set()
