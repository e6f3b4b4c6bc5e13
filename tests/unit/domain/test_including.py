"""Which apps are taken over, and that a name stays with its app for ever."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.config import fields
from bot.domain.including import Include, Known, Listed, Taken, slug, take_over
from store.records import AppEnv, IncludedApp

TARGET = "dify.prod"
BY_TAG = Include("prod", tags=frozenset({"keyturn"}))
ALL = Include("prod", everything=True)
TRIAGE = Listed("id-1", "Refund triage", ("keyturn", "x"), "live-1")
OTHER = Listed("id-2", "Search", ("x",), "live-2")
WATCHED = IncludedApp(AppEnv("refund-triage", "prod"), TARGET, "id-1", "Refund triage")
SECOND = IncludedApp(AppEnv("search", "prod"), TARGET, "id-2", "Search")


def taken(*listed: Listed, rule: Include = BY_TAG, known: Known | None = None) -> Taken:
    return take_over(TARGET, listed, rule, known or Known())


def names(found: Taken) -> list[str]:
    return [str(app.where) for app in found.new]


def test_an_app_with_the_tag_is_taken_over_and_others_are_not() -> None:
    assert taken(TRIAGE, OTHER) == Taken(new=(WATCHED,))
    assert names(taken(TRIAGE, OTHER, rule=ALL)) == ["refund-triage@prod", "search@prod"]


def test_what_is_watched_already_changes_nothing() -> None:
    assert taken(TRIAGE, known=Known(remembered=[WATCHED])) == Taken()


def test_an_app_with_a_table_of_its_own_is_left_to_it() -> None:
    assert taken(TRIAGE, known=Known(tables={(TARGET, "id-1")})) == Taken()
    watched = Known(tables={(TARGET, "id-1")}, remembered=[WATCHED])
    assert taken(TRIAGE, known=watched) == Taken(gone=(replace(WATCHED, gone=True),))


@pytest.mark.parametrize("listed", [(OTHER,), (replace(TRIAGE, tags=()),)])
def test_an_app_that_was_deleted_or_lost_its_tag_is_gone(listed: tuple[Listed, ...]) -> None:
    assert taken(*listed, known=Known(remembered=[WATCHED])).gone == (replace(WATCHED, gone=True),)


def test_an_app_that_is_back_has_its_name_again_whatever_it_is_called_now() -> None:
    known = Known(remembered=[replace(WATCHED, gone=True)])

    found = taken(replace(TRIAGE, name="Triage 2"), known=known)

    assert found == Taken(new=(replace(WATCHED, name="Triage 2"),))


def test_an_app_that_is_called_otherwise_keeps_its_name_here() -> None:
    found = taken(replace(TRIAGE, name="Triage 2"), known=Known(remembered=[WATCHED]))

    assert found == Taken(renamed=(replace(WATCHED, name="Triage 2"),))


@pytest.mark.parametrize(
    "known",
    [
        Known(names={WATCHED.where}),
        Known(remembered=[replace(WATCHED, external_id="id-9")]),
        Known(remembered=[replace(WATCHED, external_id="id-9", gone=True)]),
        Known(remembered=[replace(WATCHED, target="dify.other")]),
        Known(histories={WATCHED.where: "live-of-another-app"}),
    ],
    ids=["a table", "an included app", "one that is gone", "another workspace", "old history"],
)
def test_a_name_that_is_or_was_anothers_gets_a_suffix_of_the_id(known: Known) -> None:
    found = taken(replace(TRIAGE, id="6f0c1f0e-6a55"), OTHER, known=known)

    assert names(found) == ["refund-triage-6f0c1f0e@prod"]


def test_a_history_that_is_the_apps_own_goes_on() -> None:
    assert names(taken(TRIAGE, known=Known(histories={WATCHED.where: "live-1"}))) == [
        "refund-triage@prod"
    ]


def test_two_new_apps_of_one_name_are_told_apart_whatever_the_order_of_the_list() -> None:
    twin = replace(TRIAGE, id="id-1b")

    assert names(taken(TRIAGE, twin)) == ["refund-triage@prod", "refund-triage-id-1b@prod"]
    assert names(taken(twin, TRIAGE)) == names(taken(TRIAGE, twin))


def test_a_list_without_any_of_several_watched_apps_looks_like_another_workspace() -> None:
    known = Known(remembered=[WATCHED, SECOND])

    assert taken(Listed("id-7", "x", ("keyturn",)), known=known) == Taken(strange=True)
    assert taken(replace(TRIAGE, tags=()), known=known).gone  # one of them, without its tag


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Refund triage", "refund-triage"),
        ("  客服机器人 v2 ", "客服机器人-v2"),
        ("a@b/c|d", "a-b-c-d"),
        ("--", "app"),
        ("", "app"),
        ("Ｆｕｌｌ", "full"),
        ("x" * 80, "x" * 64),
        ("a\u202eb\n", "a-b"),
    ],
)
def test_a_name_here_is_made_of_the_name_there(name: str, key: str) -> None:
    assert slug(name) == key


@example([("", "0"), ("", "\x7f"), ("", "\x80")])
@given(st.lists(st.tuples(st.text(max_size=70), st.text(min_size=1, max_size=40)), max_size=8))
def test_every_name_can_be_written_in_a_command_and_is_given_once(
    apps: list[tuple[str, str]],
) -> None:
    listed = [Listed(app_id, name) for app_id, name in {i: n for n, i in apps}.items()]

    found = taken(*listed, rule=ALL).new

    assert all(fields.name(app.where.app) == app.where.app for app in found)
    assert len({app.where for app in found}) == len(found)
