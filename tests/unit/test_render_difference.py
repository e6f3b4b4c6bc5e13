"""The dialog of a difference keeps Slack's rules, whatever stands in the documents."""

from __future__ import annotations

import itertools
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bot.adapters.dify.dsl import from_dsl
from bot.blockkit import view_problems
from bot.domain.diff.browse import CONTENTS, Sheet, place_in, sheet
from bot.domain.diff.changes import Change, ChangeKind, ChangeList, ChangeOp, Note, compare
from bot.domain.words import AnswerCode
from bot.ports import people
from bot.ports.people import Window
from bot.render import difference_view
from store.document import Document
from tests.benchmarks.workflows import Workflows
from tests.cards import objects
from tests.plugins.requirements import shared_path
from tests.unit.test_render_hostile import texts

WINDOW = Window("difference." + "ab" * 32, "17.1.n0nce." + "0" * 64, "C0INCIDENT1", "1764.0001")


def drawn(shown: Sheet | people.Note | None) -> dict[str, Any]:
    view = difference_view(WINDOW, shown)
    assert view_problems(view) == []
    return view


def buttons(view: dict[str, Any]) -> dict[str, str]:
    """What the buttons say, with where they lead."""
    found = [o for o in objects(view["blocks"]) if o.get("type") == "button"]
    return {button["text"]["text"]: button["value"] for button in found}


def styled(view: dict[str, Any], style: str) -> list[str]:
    runs = [o for o in objects(view["blocks"]) if o.get("type") == "text"]
    return [run["text"] for run in runs if run.get("style", {}).get(style)]


def test_all_of_a_days_work_can_be_read_in_it() -> None:
    made = Workflows(2)
    content = made.content(80)
    edited = made.mixed(content)
    changes = compare(Document("workflow", content), Document("workflow", edited))
    place = CONTENTS

    for _ in range(200):
        view = drawn(sheet(changes, place))
        onward = buttons(view).get("Next") or buttons(view).get("One by one")
        if onward is None:
            break
        place = place_in(onward)

    assert place[0] == len(changes.changes)


def test_every_history_can_be_read_in_it() -> None:
    for folder in sorted(shared_path("data", "dsl_histories").iterdir()):
        texts = (file.read_text(encoding="utf-8") for file in sorted(folder.glob("*.yml")))
        for before, after in itertools.pairwise(from_dsl(text) for text in texts):
            found = compare(before, after)
            some = [(n, 0) for n in (0, 1, 2, len(found.changes))]
            for place in {sheet(found, at).place for at in some}:
                drawn(sheet(found, place))


def test_what_went_is_struck_and_what_came_is_bold() -> None:
    change = Change(
        ChangeKind.PROMPT,
        ChangeOp.CHANGED,
        "Triage",
        "nodes/a/prompt_template/1/text",
        "be brief and kind",
        "be quick and kind",
    )

    view = drawn(sheet(ChangeList((change,)), (1, 0)))

    assert styled(view, "strike") == ["brief"]
    assert styled(view, "bold") == ["− ", "+ ", "quick"]
    assert buttons(view) == {"All changes": "0.0"}


def test_it_carries_the_button_that_opened_it_and_keeps_its_name() -> None:
    view = drawn(None)

    assert view["external_id"] == WINDOW.id
    assert json.loads(view["private_metadata"]) == {
        "value": WINDOW.value,
        "channel": WINDOW.channel,
        "ts": WINDOW.ts,
    }
    assert buttons(view) == {}


def test_an_answer_of_another_kind_is_said_in_it() -> None:
    view = drawn(people.Note(AnswerCode.OUT_OF_DATE, {"permalink": ""}))

    assert "out of date" in str(view["blocks"]) or "changed" in str(view["blocks"])
    assert "submit" not in view


changes = st.builds(
    Change,
    st.sampled_from(ChangeKind),
    st.sampled_from(ChangeOp),
    texts,
    texts.map(lambda text: f"nodes/1/{text}"),
    st.one_of(texts, st.none(), st.lists(texts, max_size=2)),
    st.one_of(texts, st.none(), st.lists(texts, max_size=2)),
    st.sampled_from(Note),
)


@given(st.lists(changes, max_size=4), st.tuples(st.integers(0, 5), st.integers(0, 3)))
def test_whatever_is_written_the_dialog_keeps_its_form_and_makes_no_token(
    found: list[Change], place: tuple[int, int]
) -> None:
    view = drawn(sheet(ChangeList(tuple(found)), place))

    kinds = {o["type"] for o in objects(view["blocks"]) if "text" in o or "elements" in o}
    assert "mrkdwn" not in kinds
    assert not kinds & {"link", "user", "usergroup", "broadcast", "channel"}
