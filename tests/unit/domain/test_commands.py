"""The words after the slash command."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.commands import (
    PAUSE_MIN,
    Absolve,
    Audit,
    Choose,
    Command,
    Condemn,
    Diff,
    DryRun,
    Help,
    Log,
    Pause,
    Record,
    Silence,
    Status,
    Tag,
    Tags,
    Take,
    To,
    ToTag,
    Undo,
    Untag,
    Who,
    parse,
)
from bot.errors import BadCommand
from store.records import AppEnv
from tests.builders import PROD

KB = AppEnv("kb", "prod")


@pytest.mark.parametrize("text", ["", "   "])
def test_no_words_ask_for_the_dialog(text: str) -> None:
    assert parse(text) == Choose()


@pytest.mark.parametrize("text", ["help", "HELP", "help me please"])
def test_help_asks_for_help(text: str) -> None:
    assert parse(text) == Help()


def test_status_asks_for_the_state_of_things() -> None:
    assert parse(" Status ") == Status()


@pytest.mark.parametrize("version", ["3", "v3", "V3", "#3"])
def test_to_names_an_app_an_environment_and_a_version(version: str) -> None:
    assert parse(f"to  support-triage@prod {version}") == To(PROD, 3)


def test_undo_takes_its_reason_as_it_was_said() -> None:
    assert parse("undo support-triage@prod it was not us") == Undo(PROD, "it was not us")


@pytest.mark.parametrize(("word", "version"), [("3", 3), ("v3", 3), ("Stable", "stable")])
def test_a_dry_run_goes_to_a_number_or_a_tag(word: str, version: int | str) -> None:
    assert parse(f"dry-run support-triage@prod {word}") == DryRun(PROD, version)


def test_the_environment_follows_the_last_at() -> None:
    asked = parse("to a@b@prod 1")

    assert isinstance(asked, To)
    assert (asked.where.app, asked.where.env) == ("a@b", "prod")


@pytest.mark.parametrize(
    ("text", "nearest"),
    [
        ("hlep", "help"),
        ("statu", "status"),
        ("status now", "status"),
        ("undo", "undo APP@ENV REASON"),
        ("undo support-triage@prod", "undo support-triage@prod REASON"),
        ("dry-run support-triage@prod", "dry-run support-triage@prod VERSION"),
        ("dry-run support-triage@prod 3 4", "dry-run support-triage@prod VERSION"),
        ("dryrun support-triage@prod 3", "dry-run support-triage@prod 3"),
        ("to", "to APP@ENV VERSION"),
        ("to support-triage@prod", "to support-triage@prod VERSION"),
        ("support-triage@prod 3", "to support-triage@prod VERSION"),
        ("lgo support-triage@prod", "log support-triage@prod"),
        ("log", "log APP@ENV"),
        ("log support-triage", "log APP@ENV"),
        ("log support-triage@prod x", "log support-triage@prod"),
        ("log support-triage@prod page", "log support-triage@prod"),
        ("diff support-triage@prod", "diff support-triage@prod A B"),
        ("diff support-triage@prod 1 2 3", "diff support-triage@prod A B"),
        ("diff support-triage@prod 1 2 page 0", "diff support-triage@prod A B"),
        ("who", "who APP@ENV"),
        ("snapshot support-triage", "snapshot APP@ENV"),
        ("to support-triage@prod th/ree", "to support-triage@prod VERSION"),
        ("tag support-triage@prod 3", "tag support-triage@prod VERSION NAME"),
        ("tag support-triage@prod 3 7", "tag support-triage@prod VERSION NAME"),
        ("tag support-triage@prod 3 live", "tag support-triage@prod VERSION NAME"),
        ("untag support-triage@prod", "untag support-triage@prod NAME"),
        ("condemn support-triage@prod 7", "condemn support-triage@prod VERSION REASON"),
        ("absolve support-triage@prod", "absolve support-triage@prod VERSION REASON"),
        ("to support-triage@prod ３", "to support-triage@prod VERSION"),
        ("to support-triage@prod 0", "to support-triage@prod VERSION"),
        ("to support-triage 3", "to APP@ENV 3"),
        ("destroy everything", ""),
    ],
)
def test_what_makes_no_sense_names_the_nearest_command(text: str, nearest: str) -> None:
    with pytest.raises(BadCommand) as refused:
        parse(text)

    assert refused.value.nearest == nearest
    shown = refused.value.to_person()
    assert f"`/rollback {nearest or 'help'}`" in shown


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("Log support-triage@prod", Log(PROD)),
        ("log support-triage@prod 2", Log(PROD, 2)),
        ("log support-triage@prod page 2", Log(PROD, 2)),
        ("diff support-triage@prod v6", Diff(PROD, 6)),
        ("diff support-triage@prod LIVE #6", Diff(PROD, None, 6)),
        ("diff support-triage@prod 6 7 Page 3", Diff(PROD, 6, 7, 3)),
        ("diff support-triage@prod good live", Diff(PROD, "good", None)),
        ("to support-triage@prod Good", ToTag(PROD, "good")),
        ("to support-triage@prod 3 it  was right", To(PROD, 3, "it was right")),
        ("to support-triage@prod good we know why", ToTag(PROD, "good", "we know why")),
        ("to support-triage@prod 3 and kb@prod 5", To(PROD, 3, also=((KB, 5),))),
        (
            "to support-triage@prod good AND kb@prod good and faq@prod v2 it was right",
            ToTag(PROD, "good", "it was right", also=((KB, "good"), (AppEnv("faq", "prod"), 2))),
        ),
        ("to support-triage@prod 3 and so on", To(PROD, 3, "and so on")),
        ("to support-triage@prod 3 together", To(PROD, 3, together=True)),
        (
            "to support-triage@prod 3 and kb@prod 5 together it was right",
            To(PROD, 3, "it was right", also=((KB, 5),), together=True),
        ),
        ("tag support-triage@prod", Tags(PROD)),
        ("tag support-triage@prod v3 Before-Launch", Tag(PROD, 3, "before-launch")),
        ("tag support-triage@prod live good", Tag(PROD, None, "good")),
        ("tag support-triage@prod good better", Tag(PROD, "good", "better")),
        ("untag support-triage@prod good", Untag(PROD, "good")),
        ("condemn support-triage@prod v7 it leaks", Condemn(PROD, 7, "it leaks")),
        ("absolve support-triage@prod good it is fine", Absolve(PROD, "good", "it is fine")),
        ("snapshot", Take()),
        ("snapshot support-triage@prod", Take(PROD)),
        ("WHO support-triage@prod", Who(PROD)),
    ],
)
def test_what_reads_names_an_app_versions_and_a_page(text: str, asked: object) -> None:
    assert parse(text) == asked


@pytest.mark.parametrize("text", ["to a@b\x00c 1", "x" * 301, "to \u202ea@b 1"])
def test_hidden_characters_and_endless_texts_are_not_commands(text: str) -> None:
    with pytest.raises(BadCommand):
        parse(text)


def test_the_answer_to_a_bad_command_carries_no_mention() -> None:
    with pytest.raises(BadCommand) as refused:
        parse("to <!channel>@x` y/z")

    assert "<!" not in refused.value.to_person()


@given(st.text(max_size=400))
def test_whatever_is_typed_is_a_command_or_a_bad_one(text: str) -> None:
    try:
        asked = parse(text)
    except BadCommand:
        return
    assert isinstance(asked, Command)


@pytest.mark.parametrize(
    ("text", "minutes", "reason"),
    [
        ("pause a@prod", PAUSE_MIN, ""),
        ("pause a@prod 90m", 90, ""),
        ("pause a@prod 2H moving house", 120, "moving house"),
        ("pause a@prod 1d12h", 36 * 60, ""),
        ("pause a@prod 45min", 45, ""),
        ("pause a@prod moving house 2h", PAUSE_MIN, "moving house 2h"),
        ("pause a@prod 0m", PAUSE_MIN, "0m"),
    ],
)
def test_how_long_suggestions_are_paused_is_said_before_why(
    text: str, minutes: int, reason: str
) -> None:
    assert parse(text) == Pause(AppEnv("a", "prod"), minutes, reason)


def test_all_apps_are_paused_only_by_words_that_name_none() -> None:
    assert parse("pause") == Pause(None)
    assert parse("pause 2h the gateway") == Pause(None, 120, "the gateway")
    with pytest.raises(BadCommand):
        parse("pause support-triage 2h")


def test_the_audit_chain_is_read_a_page_at_a_time() -> None:
    where = AppEnv("a", "prod")

    said = [parse(f"audit a@prod{end}") for end in ("", " 2", " page 3")]

    assert said == [Audit(where), Audit(where, 2), Audit(where, 3)]


@pytest.mark.parametrize(
    ("text", "rollback"),
    [("record a@prod", None), ("record a@prod 17", 17), ("RECORD a@prod #7", 7)],
)
def test_a_record_is_asked_for_by_its_app_and_perhaps_its_number(
    text: str, rollback: int | None
) -> None:
    assert parse(text) == Record(AppEnv("a", "prod"), rollback)


@pytest.mark.parametrize("text", ["record", "record a@prod x", "record a@prod 1 2", "record 17"])
def test_what_names_no_record_says_how_one_is_asked_for(text: str) -> None:
    with pytest.raises(BadCommand) as refused:
        parse(text)

    assert refused.value.nearest.startswith("record ")


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        (f"silence {PROD}", Silence(PROD)),
        (f"silence {PROD} 45m", Silence(PROD, 45)),
        (f"silence {PROD} for 2h", Silence(PROD, 120)),
        (f"Silence {PROD} FOR 1h30m moving house", Silence(PROD, 90, "moving house")),
        (f"silence {PROD} off", Silence(PROD, 0)),
        (f"silence {PROD} OFF", Silence(PROD, 0)),
    ],
)
def test_a_silence_names_its_app_and_how_long(text: str, asked: Silence) -> None:
    assert parse(text) == asked


@pytest.mark.parametrize("words", ["for", "off now", "forever", "for ever", "0m", "please 30m"])
def test_a_silence_without_a_time_is_not_guessed(words: str) -> None:
    with pytest.raises(BadCommand) as refused:
        parse(f"silence {PROD} {words}")

    assert refused.value.nearest == f"silence {PROD} 30m"


def test_a_silence_is_of_one_app() -> None:
    with pytest.raises(BadCommand):
        parse("silence 30m")
