"""What a dry run says: what is missing, and what nobody could look up."""

from __future__ import annotations

from dataclasses import replace

from bot.domain import dry_run
from bot.domain.dry_run import Hitch, Looked, Presence, Severity, Unread
from bot.domain.dry_run_told import in_full, line
from bot.domain.references import OF_THE_APP, Kind, Needed, Reference

GPT = Reference(Needed(Kind.MODEL, "gpt-4o", "langgenius/openai/openai", "llm"), ("Answer",))
BASE = Reference(Needed(Kind.KNOWLEDGE_BASE, "6084ed3f"), ("Search", "Look again", "And again"))
TOOL = Reference(Needed(Kind.TOOL, "create", "0b0f", "workflow"), ("Ticket",), "Helpdesk")
THERE, MISSING = Looked(Presence.THERE), Looked(Presence.MISSING)


def found(**looked: Looked) -> tuple[Hitch, ...]:
    named = {"gpt": GPT, "base": BASE, "tool": TOOL}
    asked = [named[name] for name in looked]
    return dry_run.hitches(asked, {named[name].needed: seen for name, seen in looked.items()})


def test_nothing_is_missing_where_everything_is_there() -> None:
    assert line(found(gpt=THERE, base=THERE), env="prod") == ("Dry run: nothing is missing")
    assert in_full((), env="prod") == ["Dry run: nothing is missing"]


def test_what_is_missing_is_named_with_its_nodes() -> None:
    hitches = found(gpt=MISSING, base=MISSING)

    assert dry_run.warns(hitches)
    assert line(hitches, env="prod") == (
        "Dry run: 2 things are missing in prod: model gpt-4o (node Answer), "
        "knowledge base 6084ed3f (nodes Search, Look again and 1 more)"
    )


def test_all_of_it_is_said_where_there_is_room() -> None:
    assert in_full(found(base=MISSING, tool=Looked(Presence.UNKNOWN, "late")), env="qa") == [
        "Dry run in qa:",
        "  missing: knowledge base 6084ed3f (nodes Search, Look again, And again)",
        "  not checked (no answer in time): workflow tool create of Helpdesk (node Ticket)",
    ]


def test_a_model_of_a_provider_is_told_with_it_in_full() -> None:
    assert "model gpt-4o of langgenius/openai/openai" in in_full(found(gpt=MISSING), env="")[1]


def test_what_could_not_be_looked_up_is_not_called_missing() -> None:
    hitches = found(gpt=Looked(Presence.UNKNOWN, Unread.DOWN), base=MISSING)

    assert [hitch.severity for hitch in hitches] == [Severity.WARNS, Severity.UNKNOWN]
    assert line(hitches, env="prod") == (
        "Dry run: 1 thing is missing in prod: knowledge base 6084ed3f (nodes Search, Look again "
        "and 1 more); could not be checked: models (no answer)"
    )
    assert not dry_run.warns(hitches[1:])


def test_what_nobody_looked_for_is_unknown() -> None:
    assert line(dry_run.hitches([BASE], {}), env="prod") == (
        "Dry run: could not be checked: knowledge bases (this release has no list of them)"
    )


def test_what_is_there_and_switched_off_is_said_with_the_reason() -> None:
    hitches = found(gpt=Looked(Presence.UNUSABLE, "disabled"))

    assert line(hitches, env="prod").endswith("model gpt-4o (disabled there; node Answer)")


def test_an_app_without_nodes_is_its_own_place() -> None:
    reference = replace(GPT, nodes=(OF_THE_APP,))

    said = line(dry_run.hitches([reference], {GPT.needed: MISSING}), env="prod")

    assert said.endswith("model gpt-4o (the app)")


def test_a_line_names_three_things_and_counts_the_others() -> None:
    needed = [Needed(Kind.MODEL, f"m{n}", "p", "llm") for n in range(5)]
    hitches = dry_run.hitches(
        [Reference(one, ("A",)) for one in needed], dict.fromkeys(needed, MISSING)
    )

    assert line(hitches, env="prod").endswith("model m2 (node A), and 2 more")
    assert len(in_full(hitches, env="prod")) == 6


def test_a_name_that_holds_a_secret_is_hidden() -> None:
    key = "sk-proj-" + "a1B2c3D4" * 6
    needed = Needed(Kind.TOOL, "get", f"https://x/?api_key={key}", "api")

    hitches = dry_run.hitches([Reference(needed, (f"call {key}",))], {needed: MISSING})

    assert key not in repr(hitches)


def test_what_is_stored_comes_back_and_an_older_release_stored_nothing() -> None:
    hitches = found(gpt=MISSING, base=Looked(Presence.UNKNOWN, Unread.LATE))

    assert dry_run.hitches_in(dry_run.facts_of(hitches)) == hitches
    assert dry_run.hitches_in(dry_run.facts_of(())) == ()
    assert dry_run.hitches_in({}) is None


def test_the_audit_trail_keeps_what_was_missing() -> None:
    hitches = found(gpt=MISSING, base=Looked(Presence.UNKNOWN, Unread.LATE))

    assert dry_run.recorded(hitches) == {
        "missing": ["model gpt-4o"],
        "not_checked": ["knowledge base 6084ed3f"],
    }
    assert dry_run.recorded(()) == {}
