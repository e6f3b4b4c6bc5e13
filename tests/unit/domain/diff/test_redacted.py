from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from bot.domain.diff.browse import sheet
from bot.domain.diff.changes import ChangeList, compare
from bot.domain.diff.page import Side, build
from bot.domain.diff.text import as_text, card_changes, mini
from store.document import Document
from tests.unit.domain.diff.test_changes import CONTENT, data
from tests.unit.domain.planted import PLANTED

PLACES: dict[str, Callable[[dict[str, Any], str], object]] = {
    "a prompt": lambda c, s: data(c, 2)["prompt_template"][0].update(text=f"Say:\n{s}\nplease"),
    "code": lambda c, s: data(c, 3).update(code=f"def main():\n    # {s}\n    return 1"),
    "a title": lambda c, s: data(c, 3).update(title=s),
    "a description": lambda c, s: data(c, 3).update(desc=s),
    "a URL": lambda c, s: data(c, 4).update(url=s),
    "a model's name": lambda c, s: data(c, 2)["model"].update(name=s),
    "a tool's parameter": lambda c, s: data(c, 5)["tool_parameters"].update(q={"value": s}),
    "a condition": lambda c, s: data(c, 7)["cases"][0]["conditions"][0].update(value=s),
    "a variable": lambda c, s: c["environment_variables"][1].update(value=s),
    "a variable's name": lambda c, s: c["environment_variables"][1].update(name=s),
    "a feature": lambda c, s: c["features"].update(opening_statement=s),
    "a field's name": lambda c, s: c["features"].update({s: True}),
    "a node's id": lambda c, s: c["graph"]["nodes"].append({"id": s, "data": {"type": "end"}}),
    "a new node": lambda c, s: c["graph"]["nodes"].append(
        {"id": "8", "data": {"type": "llm", "prompt_template": [{"text": s}]}}
    ),
    "an edge": lambda c, s: c["graph"]["edges"].append({"source": "1", "target": s}),
    "a branch": lambda c, s: c["graph"]["edges"][0].update(sourceHandle=s),
    "a plugin": lambda c, s: c["dependencies"].append({"value": {"repo": s}}),
    "the app's name": lambda c, s: c["app"].update(name=s),
    "a section of another name": lambda c, s: c.update({s: {s: [s]}}),
}


def everything_shown(changes: ChangeList) -> str:
    cards = "\n".join(
        f"{c.subject} {c.detail} {c.before} {c.after}" for c in card_changes(changes, 99)
    )
    read = (str(sheet(changes, (n, 0))) for n in range(len(changes.changes) + 1))
    texts = (as_text(changes, title="t"), mini(changes), cards, changes.summary(), *read)
    return "\n".join([*texts, changes.canonical().decode()])


@pytest.mark.parametrize("place", PLACES)
def test_no_secret_planted_in_any_place_is_in_anything_shown(place: str) -> None:
    for text, secret in PLANTED.values():
        content = copy.deepcopy(CONTENT)
        PLACES[place](content, text)
        clean, planted = Document("workflow", CONTENT), Document("workflow", content)

        for changes in (compare(clean, planted), compare(planted, clean)):
            assert changes.changes
            shown = everything_shown(changes)
            assert secret not in shown
            assert secret.replace("\n", "\\n") not in shown


def test_no_secret_planted_in_a_note_is_in_what_only_looks_different() -> None:
    for text, secret in PLANTED.values():
        content = copy.deepcopy(CONTENT)
        note = {"id": "n", "type": "custom-note", "data": {"text": text, "title": text}}
        content["graph"]["nodes"].append(note)
        sides = (
            (Side("a"), Document("workflow", CONTENT)),
            (Side("b"), Document("workflow", content)),
        )
        changes = compare(sides[0][1], sides[1][1], layout=True)

        made = build("t", *sides, changes)

        assert len(made.drawn) == 1
        for shown in (str(made.drawn), everything_shown(changes)):
            assert secret not in shown
            assert secret.replace("\n", "\\n") not in shown


def with_header(value: str) -> Document:
    content = copy.deepcopy(CONTENT)
    data(content, 4)["headers"] = f"Authorization: Bearer {value}\nAccept: text/plain"
    return Document("workflow", content)


def test_a_changed_secret_is_a_change_that_shows_only_that_it_changed() -> None:
    (change,) = compare(with_header("one-one-one"), with_header("two-two-two")).changes

    assert change.before == "Authorization: ••••\nAccept: text/plain"
    assert change.after == "Authorization: •••• (changed)\nAccept: text/plain"


def test_secrets_that_change_places_are_seen_as_changed() -> None:
    def document(one: str, two: str) -> Document:
        return Document("workflow", {"features": {"text": f"api_key='{one}' pwd='{two}'"}})

    changes = compare(
        document("aaaa-aaaa", "bbbb-bbbb"), document("bbbb-bbbb", "aaaa-aaaa")
    ).changes

    assert changes[0].before != changes[0].after


def test_a_secret_that_is_hidden_in_one_version_is_hidden_in_the_other() -> None:
    def document(name: str) -> Document:
        variable = {"id": "v", "name": name, "value_type": "string", "value": "correct horse"}
        return Document("workflow", {"environment_variables": [variable]})

    secret, harmless = document("DB_PASSWORD"), document("GREETING")
    changes = compare(secret, harmless)

    assert "correct horse" not in everything_shown(changes)
    assert "correct horse" not in everything_shown(compare(harmless, secret))
    assert [change.where for change in changes.changes] == ["environment_variables/GREETING/name"]


def variable(value_type: str, value: Any = None, *, key: str = "v", name: str = "MAIN") -> Any:
    plain = {} if value_type == "secret" else {"value": value}
    return {"id": key, "name": name, "value_type": value_type, **plain}


def holding(variable: Any, *, prompt: str = "Hello", section: str = "environment_variables") -> Any:
    return Document("workflow", {section: [variable], "features": {"opening_statement": prompt}})


@pytest.mark.parametrize("section", ["environment_variables", "conversation_variables"])
@pytest.mark.parametrize(
    "plain",
    [
        pytest.param(variable("string", "hunter2-hunter2"), id="the same variable"),
        pytest.param(variable("string", "hunter2-hunter2", name="OPEN"), id="under another name"),
        pytest.param(variable("string", "hunter2-hunter2", key="w"), id="under another id"),
        pytest.param(variable("array[string]", ["hunter2-hunter2"]), id="in a list"),
        pytest.param(variable("object", {"a": "hunter2-hunter2"}), id="in an object"),
    ],
)
def test_what_is_secret_on_one_side_is_hidden_on_the_other(section: str, plain: Any) -> None:
    secret = holding(variable("secret"), section=section)
    open_ = holding(plain, section=section, prompt="Say hunter2-hunter2 to them")

    for changes in (compare(secret, open_), compare(open_, secret)):
        assert changes.changes
        assert "hunter2" not in everything_shown(changes)


@pytest.mark.parametrize("value", ["abc", 1234567])
def test_a_short_value_or_a_number_of_a_former_secret_is_hidden_too(value: Any) -> None:
    changes = compare(holding(variable("secret")), holding(variable("number", value)))

    assert str(value) not in everything_shown(changes)


def test_other_variables_beside_a_secret_are_shown() -> None:
    def both(value: str) -> Document:
        listed = [variable("secret"), variable("string", value, key="w", name="GREETING")]
        return Document("workflow", {"environment_variables": listed})

    (change,) = compare(both("good day"), both("good night")).changes

    assert (change.before, change.after) == ("good day", "good night")
