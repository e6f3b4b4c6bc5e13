"""App Home: every sentence has words, Slack takes it, and nothing foreign comes alive in it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from bot.blockkit import view_problems
from bot.domain.home import HomeView, JobRow, Listed, Part, Said
from bot.render import BrokenBlocks, home_view
from bot.samples.dialogs import HOME, JOB, ROWS, SAID
from bot.samples.facts import AT, LINK
from store.records import State
from tests.builders import NOON
from tests.cards import BOB


def a_home(**changes: Any) -> HomeView:
    return replace(HOME, **changes)


def drawn(home: HomeView) -> str:
    """All that Slack is sent of *home*, which it takes."""
    view = home_view(home)
    assert view_problems(view) == []
    return json.dumps(view["blocks"], ensure_ascii=False)


def buttons(home: HomeView) -> dict[str, str]:
    """The value of each button by its action id."""
    return {
        element["action_id"]: element["value"]
        for block in home_view(home)["blocks"]
        for element in block.get("elements", [])
        if element.get("type") == "button"
    }


@pytest.mark.parametrize("said", Said)
def test_every_notice_has_words(said: Said) -> None:
    assert len(drawn(HomeView(NOON, notices=((said, SAID.get(said, {})),)))) > 150


@pytest.mark.parametrize("part", Part)
def test_every_list_has_words_also_when_it_is_empty(part: Part) -> None:
    full = drawn(HomeView(NOON, lists=(Listed(part, (ROWS[part],), more=3),)))
    empty = drawn(HomeView(NOON, lists=(Listed(part, ()),)))

    assert "support-triage@prod" in full
    assert "and 3 more" in full
    assert "support-triage@prod" not in empty


def test_what_waits_links_to_its_card_and_is_not_voted_on_here() -> None:
    text = drawn(a_home())

    assert f"<{LINK}|read and vote on the card>" in text
    assert "<!date^" in text
    assert "approve" not in {name.rpartition(".")[2] for name in buttons(a_home())}


@pytest.mark.parametrize("state", [s for s in State if s is not State.DRAFT])
def test_every_state_has_words(state: State) -> None:
    row = {**ROWS[Part.ASKED], "state": state.value}
    ended = {**ROWS[Part.RECENT], "state": state.value}

    drawn(a_home(lists=(Listed(Part.ASKED, (row,)), Listed(Part.RECENT, (ended,)))))


def test_the_buttons_of_a_job_are_those_that_the_person_may_press() -> None:
    paused = {**JOB, "paused_by": BOB, "paused_at": AT, "next_at": ""}

    assert buttons(a_home()) == {"home.job.run": "prune", "home.job.pause": "prune"}
    assert buttons(a_home(jobs=(JobRow("prune", paused, ("run", "resume")),))) == {
        "home.job.run": "prune",
        "home.job.resume": "prune",
    }
    assert f"*paused* by <@{BOB}> since" in drawn(a_home(jobs=(JobRow("prune", paused),)))
    assert buttons(a_home(jobs=(JobRow("prune", paused),))) == {}


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({}, "took 0.4 s"),
        ({"doing": "never", "at": "", "next_at": ""}, "not run yet"),
        ({"doing": "running"}, "running since"),
        ({"doing": "failed", "failure": "Unavailable"}, "failed"),
        ({"doing": "unfinished"}, "has not ended"),
        ({"every": 30.0}, "every 30 seconds"),
        ({"asked_by": BOB}, "asked for a run now"),
    ],
)
def test_a_job_is_told_as_it_stands(facts: dict[str, Any], said: str) -> None:
    assert said in drawn(a_home(jobs=(JobRow("prune", {**JOB, **facts}),)))


def test_apps_have_pages() -> None:
    assert buttons(a_home(page=2, pages=3, jobs=())) == {
        "home.page.before": "1",
        "home.page.after": "3",
    }
    assert buttons(a_home(page=1, pages=2, jobs=())) == {"home.page.after": "2"}
    assert buttons(a_home(page=2, pages=2, jobs=())) == {"home.page.before": "1"}


def test_the_fullest_home_fits() -> None:
    long = {"where": f"{'a' * 60}@{'e' * 40}", "author": "<!channel> & " * 9, "reason": "x"}
    lists = tuple(Listed(part, ({**row, **long},) * 15, more=400) for part, row in ROWS.items())
    jobs = tuple(JobRow(f"job-{n}", JOB, ("run", "pause")) for n in range(8))
    notices = tuple((said, SAID.get(said, {})) for said in Said)

    text = drawn(a_home(lists=lists, jobs=jobs, notices=notices, page=2, pages=40))

    assert "<!channel>" not in text


def test_what_has_no_words_is_not_sent() -> None:
    with pytest.raises(BrokenBlocks):
        home_view(a_home(lists=(Listed(Part.APPS, ({},)),)))


def test_only_what_is_worth_it_is_drawn_again() -> None:
    later = {**JOB, "at": "2026-11-24T11:59:00+00:00", "doing": "running"}
    paused = {**JOB, "paused_by": BOB, "paused_at": AT}

    assert a_home(at=NOON.replace(hour=13)).substance == a_home().substance
    assert a_home(jobs=(JobRow("prune", later, ("run", "pause")),)).substance == a_home().substance
    assert a_home(jobs=(JobRow("prune", paused, ("run",)),)).substance != a_home().substance
    assert a_home(lists=()).substance != a_home().substance
