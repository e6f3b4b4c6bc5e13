"""Every code that Keyturn can say has its sentence, in the thread, on the card or to one person."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bot.domain.words import (
    AnswerCode,
    DraftNote,
    EvidenceCode,
    FindingCode,
    ImpactCode,
    NoteCode,
    OutcomeCode,
    RecoveryCode,
)
from bot.errors import NotEligible
from bot.ports.people import Note
from bot.render import BrokenBlocks, answer, card, form_view, note
from bot.samples.facts import AT, FACTS, IMPACT, LINK, WEIGHED
from bot.textsafe import plain
from bot.wording import NoWords, say
from store.records import State
from tests.cards import (
    ALICE,
    BOB,
    a_view,
    an_impact,
    everything,
    facts_only,
    objects,
    sound,
    tokens,
)


@pytest.mark.parametrize("code", FindingCode)
def test_every_finding_has_words_on_the_card(code: FindingCode) -> None:
    message = sound(card(facts_only(finding_code=code, finding_facts=FACTS.get(code, {}))))

    assert len(message.blocks[1]["text"]["text"]) > 20
    assert tokens(message) == []


@pytest.mark.parametrize("many", [60, 400])
def test_a_direct_message_says_how_many_rollbacks_have_no_room_in_it(many: int) -> None:
    row = {**FACTS[NoteCode.DIRECT]["rows"][0], "stands": "waits"}
    facts = {"waiting": many, "rows": [{**row, "where": f"app-{n}@prod"} for n in range(many)]}

    text = everything(sound(note(Note(NoteCode.DIRECT, facts))))

    left = many - text.count("read and vote on the card")
    assert 0 < left < many
    assert f"{many} rollbacks wait for your vote" in text
    assert f"… and {left} more rollbacks; their cards are in their channels" in text


@pytest.mark.parametrize("code", EvidenceCode)
def test_every_piece_of_evidence_has_words(code: EvidenceCode) -> None:
    assert say("evidence", code, FACTS.get(code, {})).endswith(".")


@pytest.mark.parametrize("code", ImpactCode)
def test_every_part_of_an_impact_has_words_on_the_card_and_in_the_thread(code: ImpactCode) -> None:
    facts = IMPACT.get(code, {})

    assert not say("impact", code, facts).endswith(".")
    assert say("impact_in_full", code, facts).endswith(".")


def test_who_is_told_from_which_risk_on_more_votes_are_needed() -> None:
    text = answer(Note(AnswerCode.WHO, FACTS[AnswerCode.WHO])).text

    assert "needs 2 votes and stays open for 30 minutes. From high risk on it needs 3." in text


def test_the_thread_tells_of_one_app_what_is_behind_it() -> None:
    facts = an_impact() | {"risk": "high"}
    facts["apps"][0]["parts"] = [{"code": "callers", "apps": ["shop", "faq"], "count": 2}]

    assert everything(note(Note(NoteCode.IMPACT, facts))).split("\n") == [
        ":information_source: Impact: high risk, so 3 approvals are needed.",
        "• 2 apps depend on it, directly or through others, as the configuration says: "
        "`shop`, `faq`.",
    ]


@pytest.mark.parametrize(("later", "version"), [(False, "v7"), (True, "v7 or later")])
def test_runs_are_said_with_those_before(later: bool, version: str) -> None:
    facts = FACTS[EvidenceCode.RUNS] | {"later": later}

    assert say("evidence", EvidenceCode.RUNS, facts) == (
        f"Of 40 runs of support-triage@prod {version}, 31 failed; of 200 before it, 2 did."
    )


@pytest.mark.parametrize("code", OutcomeCode)
def test_every_outcome_has_words_in_the_thread(code: OutcomeCode) -> None:
    facts = {"outcome": code, "facts": FACTS.get(code, {}), "seconds": 3.2}
    message = sound(note(Note(NoteCode.ENDED, facts)))

    assert message.text.startswith(":")
    assert "3.2 s" in message.text
    assert tokens(message) == []


def _after(code: RecoveryCode, **facts: object) -> str:
    told = {"seconds": None, "by": "metric", "why": "", **facts}
    return sound(
        note(
            Note(
                NoteCode.RECOVERY,
                {"recovery": code.value, "facts": told, "times": {}, "call": []},
            )
        )
    ).text


def test_how_it_stands_after_a_rollback_is_said_with_what_shows_it() -> None:
    by_metric = _after(RecoveryCode.RECOVERED, seconds=130.0)
    by_alert = _after(RecoveryCode.RECOVERED, seconds=0.0, by="alert")

    assert by_metric == ":large_green_circle: Recovered after 2 min 10 s."
    assert "after 0.0 s, by the alert alone" in by_alert
    assert "the alert still fires, so the change was probably not the cause" in _after(
        RecoveryCode.NOT_RECOVERED, by="alert"
    )
    assert "still worse than usual" in _after(RecoveryCode.NOT_RECOVERED)
    for why, said in (
        ("no_data", "unknown: no data."),
        ("over_before", "over before the rollback began"),
        ("changed", "something else went live"),
    ):
        assert said in _after(RecoveryCode.UNKNOWN, by="", why=why)


def test_the_way_from_the_alert_to_the_recovery_is_told_in_times() -> None:
    text = sound(note(Note(NoteCode.RECOVERY, FACTS[NoteCode.RECOVERY]))).text

    assert text.endswith(
        "After the alert began to fire: suggested in 20.0 s, recovered in 6 min 40 s."
    )


def test_whoever_decided_is_called_when_it_did_not_help() -> None:
    facts = {"seconds": None, "by": "metric", "why": ""}
    told = {"recovery": "not_recovered", "facts": facts, "times": {}, "call": [ALICE, BOB]}

    text = sound(note(Note(NoteCode.RECOVERY, told))).text

    assert text.endswith(f"asks for the way back. <@{ALICE}> <@{BOB}>")


@pytest.mark.parametrize("code", RecoveryCode)
def test_the_card_says_whether_it_helped(code: RecoveryCode) -> None:
    told = {"seconds": 3.0, "by": "metric", "why": ""}
    shown = sound(card(a_view(State.COMPLETED, recovery_code=code.value, recovery_facts=told)))

    assert any(b["block_id"].startswith("recovery.") for b in shown.blocks if "block_id" in b)


@pytest.mark.parametrize("code", DraftNote)
def test_every_fate_of_a_draft_has_words(code: DraftNote) -> None:
    facts = {"number": 8, "candidate": 6, "draft": code}
    ended = {"outcome": "completed", "facts": facts, "seconds": None}

    assert "draft" in note(Note(NoteCode.ENDED, ended)).text
    assert (
        "draft"
        in note(
            Note(NoteCode.DRAFT_NOTE, {"draft": code, "where": "triage@prod", "version_id": 31})
        ).text
    )


def test_secret_values_that_are_lost_are_named_and_people_are_called() -> None:
    facts = FACTS[NoteCode.DRAFT_NOTE] | {"names": ["API_KEY", "CRM"], "call": ["S0REVIEWERS", BOB]}

    text = sound(note(Note(NoteCode.DRAFT_NOTE, facts))).text

    assert "I no longer have the values of `API_KEY`, `CRM`: type them again" in text
    assert f"<!subteam^S0REVIEWERS>, <@{BOB}>" in text
    assert "keyturn export triage@prod --stored 31" in text


@pytest.mark.parametrize(
    ("known", "said"),
    [
        ({}, "that would be lost."),  # queued by an older release
        ({"out_of_reach": True}, "gives out no published version's values"),
        ({"out_of_reach": False}, "somebody set while I was at it"),
    ],
)
def test_a_draft_with_secrets_of_its_own_is_refused_with_the_reason(
    known: dict[str, bool], said: str
) -> None:
    facts = {"outcome": "draft_has_secrets", "facts": {"names": ["API_KEY"], **known}}

    assert said in sound(note(Note(NoteCode.ENDED, {**facts, "seconds": None}))).text


@pytest.mark.parametrize("code", NoteCode)
def test_every_note_has_words(code: NoteCode) -> None:
    message = sound(note(Note(code, FACTS[code])))

    assert message.text == message.blocks[0]["text"]["text"]
    assert tokens(message) == []


@pytest.mark.parametrize("code", AnswerCode)
def test_every_answer_has_words(code: AnswerCode) -> None:
    message = sound(answer(Note(code, FACTS.get(code, {}))))

    assert len(message.text) > 15
    assert tokens(message) == []


def test_codes_from_the_store_are_plain_strings_and_say_the_same() -> None:
    for code in NoteCode:
        assert note(Note(code.value, FACTS[code])) == note(Note(code, FACTS[code]))


@pytest.mark.parametrize("catalogue", ["finding", "outcome", "draft", "note", "answer"])
def test_a_code_without_words_cannot_be_said(catalogue: str) -> None:
    with pytest.raises(NoWords, match="no words"):
        say(catalogue, "brand_new", {})


@pytest.mark.parametrize("code", NoteCode)
def test_a_note_whose_facts_are_missing_is_refused(code: NoteCode) -> None:
    with pytest.raises(BrokenBlocks):
        note(Note(code, {}))


@pytest.mark.parametrize("code", [c for c in AnswerCode if c in FACTS])
def test_an_answer_whose_facts_are_missing_is_refused(code: AnswerCode) -> None:
    with pytest.raises(BrokenBlocks):
        answer(Note(code, {}))


@pytest.mark.parametrize("why", ["not_reviewer", "guest", "deleted", "no_policy", "who knows"])
def test_a_vote_that_no_longer_counts_says_why(why: str) -> None:
    text = note(Note(NoteCode.VOTE_VOID, {"slack_id": BOB, "why": why})).text

    assert text == f"<@{BOB}>, your vote no longer counts. {NotEligible(why).to_person()}"


def test_the_end_names_the_people_who_are_called_when_it_is_told_who() -> None:
    facts = {"outcome": "live_differs", "facts": {"number": 8}, "seconds": None, "call": [ALICE]}

    assert note(Note(NoteCode.ENDED, facts)).text.endswith(f" <@{ALICE}>")


def test_user_groups_are_called_as_groups_and_nobody_is_left_out() -> None:
    group, people = "S0REVIEWERS", [f"U0PERSON{n:03}" for n in range(30)]
    facts: dict[str, Any] = {
        "outcome": "live_differs",
        "facts": {},
        "seconds": None,
        "call": [group, *people],
    }

    text = sound(note(Note(NoteCode.ENDED, facts))).text

    assert f"<!subteam^{group}>, <@U0PERSON000>" in text
    assert all(f"<@{person}>" in text for person in people)


def test_a_call_of_very_many_people_still_fits_and_is_of_mentions_alone() -> None:
    ids = ["<!channel>", *(f"U{'9' * 30}" for _ in range(99))]
    facts: dict[str, Any] = {"outcome": "live_differs", "facts": {}, "seconds": None, "call": ids}

    message = sound(note(Note(NoteCode.ENDED, facts)))

    assert message.text.endswith(" and 60 more")
    assert "<!channel>" not in message.text


def test_edits_that_slipped_in_are_shown_line_by_line() -> None:
    message = note(Note(NoteCode.EDITS_SLIPPED_IN, FACTS[NoteCode.EDITS_SLIPPED_IN]))

    assert message.blocks[1]["elements"][0]["type"] == "rich_text_preformatted"
    assert message.blocks[1]["elements"][0]["elements"][0]["text"].splitlines() == [
        "[prompt] changed: Triage",
        "- be brief",
        "+ be kind",
    ]


def test_a_difference_that_does_not_fit_says_how_much_is_missing() -> None:
    text = "\n".join(["x" * 390] * 40)
    message = sound(answer(Note(AnswerCode.DIFFERENCE, {"text": text, "permalink": ""})))

    shown = message.blocks[1]["elements"][0]["elements"][0]["text"].splitlines()
    assert 10 < len(shown) < 40
    assert message.blocks[2]["elements"][0]["text"] == f"… {40 - len(shown)} more in the thread"


def test_status_lists_each_app_with_its_open_rollback() -> None:
    message = answer(Note(AnswerCode.STATUS, FACTS[AnswerCode.STATUS]))
    first, second = message.blocks[1]["text"]["text"].split("\n")

    assert first.startswith("`support-triage@prod` version 7, live since <!date^")
    assert first.endswith(f" · <{LINK}|rollback 17> waits for approval")
    assert second.startswith("`kb-search@prod` version 3, live since <!date^")
    assert "rollback" not in second


def test_status_of_an_app_that_nothing_is_known_of() -> None:
    row = {"where": "a@prod", "number": None, "published_at": "", "rollback": 4, "state": "FAILED"}
    rows = {"rows": [{**row, "permalink": ""}]}

    text = answer(Note(AnswerCode.STATUS, rows)).blocks[1]["text"]["text"]

    assert text == "`a@prod` nothing published · rollback 4 is over"


def test_status_of_very_many_apps_says_how_many_are_missing() -> None:
    row = FACTS[AnswerCode.STATUS]["rows"][0]
    rows = [{**row, "where": f"app-{i}@prod"} for i in range(400)]
    message = sound(answer(Note(AnswerCode.STATUS, {"rows": rows})))

    listed = sum(o["text"].count("`app-") for o in objects(message.blocks) if "verbatim" in o)
    assert 20 < listed < 400
    assert message.blocks[-1]["elements"][0]["text"] == f"… {400 - listed} more not shown"


def test_status_for_somebody_who_may_see_nothing_says_so() -> None:
    assert answer(Note(AnswerCode.STATUS, {"rows": []})).text.startswith("There is no app here")


def test_help_has_one_command_a_line() -> None:
    lines = answer(Note(AnswerCode.HELP, {})).text.split("\n")

    assert [line[:18] for line in lines if line.startswith("`")] == [
        "`/rollback` alone ",
        "`/rollback status`",
        "`/rollback jobs`: ",
        "`/rollback log APP",
        "`/rollback diff AP",
        "`/rollback who APP",
        "`/rollback record ",
        "`/rollback snapsho",
        "`/rollback to APP@",
        "`/rollback drill A",
        "`/rollback dry-run",
        "`/rollback undo AP",
        "`/rollback break-g",
        "`/rollback review ",
        "`/rollback take-ba",
        "`/rollback withdra",
        "`/rollback tag APP",
        "`/rollback untag A",
        "`/rollback audit A",
        "`/rollback pause A",
        "`/rollback silence",
        "`/rollback condemn",
        "`/rollback help`: ",
    ]


@pytest.mark.parametrize("minutes", [0, -3])
def test_a_version_published_as_the_alert_began_is_not_said_to_be_before_it(minutes: int) -> None:
    facts = {**FACTS[FindingCode.SUGGESTED], "minutes": minutes, "where": "a@prod"}

    assert "right when the trouble began" in say("finding", "suggested", facts)


@pytest.mark.parametrize(
    ("minutes", "said"),
    [
        (1, "1 minute "),
        (59, "59 minutes "),
        (60, "1 hour "),
        (90, "90 minutes "),
        (120, "2 hours "),
    ],
)
def test_how_long_before_is_said_in_whole_units(minutes: int, said: str) -> None:
    facts = {**FACTS[FindingCode.SUGGESTED], "minutes": minutes, "where": "a@prod"}

    assert f"{said}before the trouble began" in say("finding", "suggested", facts)


@pytest.mark.parametrize(
    ("metric", "value", "said"),
    [
        *(("errors", 0.0112, "1.1 %"), ("errors", 0.24, "24 %")),
        *(("latency", 2.345, "2.35 s"), ("load", 1234.5, "1234"), ("other", 3.0, "3")),
    ],
)
def test_what_was_measured_is_said_in_its_unit(metric: str, value: float, said: str) -> None:
    facts = {**FACTS[EvidenceCode.ONSET_METRIC], "metric": metric, "now": value}

    assert f" to {said};" in say("evidence", "onset_metric", facts)


def test_earlier_rejections_are_counted_and_the_last_one_is_quoted_as_it_was_written() -> None:
    facts = FACTS[EvidenceCode.REJECTED_HERE]
    once = {**facts, "rejected": 1, "count": 1, "reason": ""}
    loud = say("evidence", "rejected_here", {**facts, "reason": "<!channel> *it* was `you`"})

    assert say("evidence", "rejected_here", facts) == (
        "Suggestions for `HighErrorRate` here were rejected 2 of 3 times; "
        "last: “provider was down”."
    )
    assert say("evidence", "rejected_here", once).endswith("were rejected 1 of 1 time.")
    assert "&lt;!channel&gt;" in loud
    assert "*it*" not in loud
    assert plain(loud).endswith("last: “<!channel> *it* was you”.")


def test_another_version_beside_the_suspect_is_named_as_it_is() -> None:
    facts = {"cause": "change", "name": "kb-search@prod v3", "percent": 12}

    assert say("evidence", "instead", facts) == "Next likely (12 %): `kb-search@prod v3`."


@pytest.mark.parametrize("code", ["unsure", "two_changes", "no_sound_version", "went_back", "over"])
def test_a_version_of_another_app_is_said_to_be_its(code: str) -> None:
    facts = {**WEIGHED, "suspect": 7, "candidate": 6, "first": 6, "second": 7}
    text = say("finding", code, {**facts, "where": "a@prod", "of_app": "kb-search@prod"})

    assert "of `kb-search@prod`, which this app calls," in text
    assert "/rollback to a@prod" not in text


@pytest.mark.parametrize("cause", ["load", "platform", "dependency", "alone", "unheard of"])
def test_every_other_cause_has_words(cause: str) -> None:
    text = say("evidence", "instead", {"cause": cause, "name": "kb-search", "percent": 2})

    assert text.startswith("Next likely (2 %): ")
    assert "{" not in text


def test_the_dialog_asks_for_a_reason_and_remembers_the_card() -> None:
    view = form_view("reject", value="17.1.n0nce.00", channel="C0INCIDENT1", ts="1764000000.000100")

    assert view["callback_id"] == "rollback.reject"
    assert json.loads(view["private_metadata"]) == {
        "value": "17.1.n0nce.00",
        "channel": "C0INCIDENT1",
        "ts": "1764000000.000100",
    }
    (block,) = view["blocks"]
    assert (block["block_id"], block["optional"]) == ("reason", False)
    element = block["element"]
    assert (element["type"], element["action_id"]) == ("plain_text_input", "text")
    assert (element["multiline"], element["max_length"]) == (True, 500)


def test_the_longest_value_of_a_button_fits_into_the_dialog() -> None:
    assert form_view("reject", value="x" * 2000, channel="C0INCIDENT1", ts="1764000000.000100")

    with pytest.raises(BrokenBlocks):
        form_view("reject", value="x" * 3000, channel="C0INCIDENT1", ts="1764000000.000100")


def test_a_page_of_history_says_how_to_get_the_others() -> None:
    below = answer(Note(AnswerCode.LOG, FACTS[AnswerCode.LOG])).blocks[-1]["elements"][0]["text"]

    assert "older: `/rollback log support-triage@prod 3`" in below
    assert "newer: `/rollback log support-triage@prod 1`" in below


def test_a_page_of_a_difference_says_how_much_is_left_and_how_to_see_it() -> None:
    drawn = answer(Note(AnswerCode.COMPARED, FACTS[AnswerCode.COMPARED]))
    below = drawn.blocks[-1]["elements"][0]["text"]

    assert below.startswith("12 more lines: `/rollback diff support-triage@prod 6 7 page 2`")
    assert "`keyturn diff support-triage@prod 6 7`" in below


def test_a_record_is_linked_or_it_is_said_how_it_is_written_as_a_file() -> None:
    facts = FACTS[AnswerCode.RECORD]
    alone = {**facts, "address": "", "state": "REJECTED"}

    assert f"<{LINK}|Its whole record> (for a day)" in answer(Note(AnswerCode.RECORD, facts)).text
    assert "`keyturn evidence 17`" in answer(Note(AnswerCode.RECORD, alone)).text


def test_how_a_rollback_ended_is_said_with_the_link_to_its_record_where_there_is_one() -> None:
    facts = FACTS[NoteCode.ENDED]

    assert "record" not in note(Note(NoteCode.ENDED, facts)).text
    assert note(Note(NoteCode.ENDED, {**facts, "record": LINK})).text.endswith(
        f"<{LINK}|The whole record>"
    )


def test_what_nobody_published_is_not_said_to_have_been_published() -> None:
    facts = {**FACTS[FindingCode.SUGGESTED], "drift": True}
    text = say("finding", FindingCode.SUGGESTED, {"where": "support-triage@prod", **facts})

    assert text.startswith("Version 7 went live without a publish; that was noticed ")
    assert "4 min" in text
    assert "was published" not in text


def test_a_history_marks_what_nobody_published() -> None:
    row = {"number": 7, "live": True, "name": "", "author": "", "published_at": AT}
    more = {"counts": {"prompt": 1}, "rollback": 0, "back_to": 0, "condemned": False, "tags": []}

    assert "not published" in say("row", AnswerCode.LOG, {**row, **more, "drift": True})
    assert "not published" not in say("row", AnswerCode.LOG, {**row, **more, "drift": False})


@pytest.mark.parametrize(
    ("verdict", "said"),
    [
        ("blocks", "This would not go through"),
        ("missing", "something that the version needs is missing"),
        ("unknown", "not everything could be checked"),
        ("clear", "Nothing is missing"),
    ],
)
def test_a_dry_run_says_first_what_is_to_be_expected(verdict: str, said: str) -> None:
    facts = {**FACTS[AnswerCode.DRY_RUN], "verdict": verdict}

    message = sound(answer(Note(AnswerCode.DRY_RUN, facts)))

    assert said in message.text
    assert ("/rollback to" in everything(message)) is (verdict != "blocks")


def test_a_form_that_did_not_open_is_named_by_its_button() -> None:
    undo = answer(Note(AnswerCode.FORM_NOT_OPENED, {"form": "undo"})).text
    older = answer(Note(AnswerCode.FORM_NOT_OPENED, {})).text

    assert ("*Undo*" in undo, "*Reject*" in older) == (True, True)
