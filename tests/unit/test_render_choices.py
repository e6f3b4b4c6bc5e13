"""The dialog in which an app and one of its versions are chosen, as Slack gets it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.blockkit import options_problems, view_problems
from bot.domain.choices import Choices, Offered, chosen, spelled
from bot.domain.words import AnswerCode
from bot.errors import BadInput
from bot.ports.people import Note, Window
from bot.render import BrokenBlocks, app_options, choice_view, filled
from store.records import AppEnv
from tests.builders import NOON

HOSTILE = 'a "b" <!channel> *c* \u202egnp.exe & <https://evil.example|ok>'
BY_COMMAND = Window("choose.d1", "", "C0INCIDENT1", "", response_url="https://hooks.slack.com/c/1")
OF_CARD = Window("choose.d2", "17.1.n0nce.0", "C0INCIDENT1", "1764000000.000100")
LIVE = Offered(7, NOON, "carol", counts={"prompt": 1})
GOOD = Offered(6, NOON - timedelta(days=1), "dave", "more articles", {"model": 2}, tags=("good",))
GONE = Offered(5, NOON - timedelta(days=2), counts={}, condemned=True, takes_reason=True)
LEFT = Offered(3, NOON - timedelta(days=4), counts={"code": 1}, takes_reason=True)
FIRST = Offered(1, NOON - timedelta(days=9))
CHOICES = Choices("support-triage@prod", LIVE, 1, 3, (GOOD, GONE, LEFT, FIRST), (4,), 2)


def block(view: dict[str, Any], beginning: str) -> dict[str, Any]:
    (found,) = (one for one in view["blocks"] if one.get("block_id", "").startswith(beginning))
    return dict(found)


def texts(value: Any) -> Iterator[tuple[str, str]]:
    """Kind and text of every text object."""
    if isinstance(value, dict) and isinstance(value.get("text"), str):
        yield value["type"], value["text"]
    inside = value.values() if isinstance(value, dict) else value
    for inner in inside if isinstance(value, dict | list) else ():
        yield from texts(inner)


def options(view: dict[str, Any]) -> list[tuple[str, str, str]]:
    offered = block(view, "version.")["element"]["options"]
    return [(o["text"]["text"], o["description"]["text"], o["value"]) for o in offered]


def test_each_version_says_when_by_whom_and_what_changed() -> None:
    view = choice_view(BY_COMMAND, CHOICES)

    assert options(view) == [
        ("6 · 23 Nov 2026, 12:00 UTC · dave", "good · model 2 · more articles", "6"),
        ("5 · 22 Nov 2026, 12:00 UTC", "⛔ condemned · no change but layout", "5.why"),
        ("3 · 20 Nov 2026, 12:00 UTC", "needs a reason · code 1", "3.why"),
        ("1 · 15 Nov 2026, 12:00 UTC", "the first", "1"),
    ]


def test_live_is_named_and_cannot_be_chosen_nor_what_has_its_content() -> None:
    view = choice_view(BY_COMMAND, CHOICES)

    assert "Live is *version 7*" in block(view, "live.")["text"]["text"]
    assert "not to choose: 4." in block(view, "beside.")["elements"][0]["text"]
    assert {value for _, _, value in options(view)}.isdisjoint({"7", "4"})


def test_pages_are_turned_from_where_there_are_more() -> None:
    turns = {
        page: [
            (button["action_id"].rpartition(".")[2], button["value"])
            for button in block(choice_view(BY_COMMAND, replace(CHOICES, page=page)), "pages.")[
                "elements"
            ]
        ]
        for page in (1, 2, 3)
    }

    assert turns == {
        1: [("older", "2")],
        2: [("newer", "1"), ("older", "3")],
        3: [("newer", "2")],
    }


def test_a_page_without_another_version_says_so() -> None:
    view = choice_view(BY_COMMAND, replace(CHOICES, offered=()))

    assert "no other version" in block(view, "none.")["text"]["text"]


def test_the_dialog_of_a_command_asks_for_the_app_and_keeps_what_was_chosen() -> None:
    menu = block(choice_view(BY_COMMAND, None), "app")
    chosen_ = block(choice_view(replace(BY_COMMAND, where="a@prod"), None), "app")

    assert (menu["dispatch_action"], menu["element"]["min_query_length"]) == (True, 0)
    assert "initial_option" not in menu["element"]
    assert chosen_["element"]["initial_option"]["value"] == "a@prod"


def test_the_dialog_of_a_card_is_about_its_app_alone() -> None:
    view = choice_view(OF_CARD, CHOICES)

    assert not [one for one in view["blocks"] if one.get("block_id") == "app"]
    assert "support-triage@prod" in block(view, "of")["text"]["text"]


def test_it_keeps_of_which_app_it_shows_versions_and_where_its_answer_belongs() -> None:
    waiting = choice_view(replace(BY_COMMAND, where="a@prod"), None)
    shown = choice_view(BY_COMMAND, CHOICES)

    assert json.loads(waiting["private_metadata"])["where"] == ""
    assert json.loads(shown["private_metadata"]) == {
        "value": "",
        "channel": "C0INCIDENT1",
        "ts": "",
        "response_url": "https://hooks.slack.com/c/1",
        "where": "support-triage@prod",
    }


def test_what_is_refused_of_a_card_leaves_nothing_to_send() -> None:
    note = Note(AnswerCode.REFUSED, {"text": "You may not do this here."})

    of_card, by_command = choice_view(OF_CARD, note), choice_view(BY_COMMAND, note)

    assert "submit" not in of_card
    assert "may not do this" in str(of_card["blocks"])
    assert by_command["submit"]  # another app can be chosen


@pytest.mark.parametrize("window", [BY_COMMAND, OF_CARD, replace(BY_COMMAND, where=HOSTILE)])
@pytest.mark.parametrize(
    "shown",
    [
        None,
        CHOICES,
        replace(CHOICES, where=f"{HOSTILE}@prod", offered=(replace(
            GOOD, author=HOSTILE, name=HOSTILE, tags=("x" * 90, "y" * 90), counts={HOSTILE: 3}),)),
        replace(CHOICES, live=replace(LIVE, author=HOSTILE, back_to=4), offered=()),
        Note(AnswerCode.FAILED, {}),
    ],
)  # fmt: skip
def test_slack_takes_it_whatever_people_wrote(window: Window, shown: Choices | Note | None) -> None:
    view = choice_view(window, shown)

    assert view_problems(view) == []
    said = list(texts(view["blocks"]))
    live = [one for kind, one in said if kind == "mrkdwn"]
    assert not any("<!channel>" in one or "<https://evil" in one for one in live)
    assert not any("\u202e" in one for _, one in said)


def test_each_dialog_is_filled_with_what_belongs_into_it() -> None:
    assert filled(BY_COMMAND, CHOICES)["callback_id"] == "rollback.choose"
    with pytest.raises(BrokenBlocks):
        filled(Window("difference.d1", "v", "C0INCIDENT1", "17.1"), CHOICES)


def test_of_a_thousand_apps_slack_gets_the_hundred_that_it_takes() -> None:
    apps = [AppEnv(f"app-{number:04}", "prod") for number in range(1_000)]
    too_long = AppEnv("x" * 151, "prod")

    offered = app_options([too_long, *apps])

    assert options_problems({"options": offered}) == []
    assert [one["value"] for one in offered] == [str(where) for where in apps[:100]]


def test_a_choice_is_read_as_it_was_written() -> None:
    assert [chosen(spelled(version)) for version in (GOOD, LEFT)] == [(6, False), (3, True)]


@pytest.mark.parametrize("said", ["", "0", "6.", "6.why.", "-1", "6 ", "٦", "1" * 10])
def test_what_is_no_choice_of_ours_is_refused(said: str) -> None:
    with pytest.raises(BadInput):
        chosen(said)
