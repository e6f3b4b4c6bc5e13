"""The page of a difference: hostile text stays text, and a browser runs nothing but ours."""

from __future__ import annotations

import base64
import hashlib
import itertools
import re
import struct
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

import pytest

from bot import pages
from bot.adapters.dify.dsl import from_dsl
from bot.domain.diff.changes import compare
from bot.domain.diff.page import DiffPage, Side, build
from bot.domain.diff.picture import Box, Fate, Picture, picture
from store.document import Document
from tests.benchmarks.workflows import Workflows
from tests.plugins.requirements import shared_path
from tests.unit.domain.diff.test_changes import a_document, data
from tests.unit.domain.planted import PLANTED

ATTACKS = [
    "<script>alert(1)</script>",
    "</style><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{ 7*7 }}{% raw %}",
    "<!-- --> <![CDATA[",
    "\u202etxt.exe\x00\x1b[31m",
]


def a_page(before: Document, after: Document, **more: Any) -> DiffPage:
    sides = (Side("version 6"), before), (Side("version 7"), after)
    return build("support-triage@prod", *sides, compare(before, after), **more)


class Tags(HTMLParser):
    """Collects the tags and attributes of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))


def hostile(text: str) -> Document:
    def edit(content: dict[str, Any]) -> None:
        data(content, 2)["title"] = text
        data(content, 2)["prompt_template"][0]["text"] = text
        data(content, 3)["type"] = text
        content["environment_variables"][1]["name"] = text

    return a_document(edit)


@pytest.mark.parametrize("text", ATTACKS)
def test_hostile_text_stays_text(text: str) -> None:
    side = Side(text, ((text, text),))
    before, after = a_document(), hostile(text)
    made = build(text, (side, before), (side, after), compare(before, after), notes=(text,))

    html = pages.difference(made).html

    tags = Tags(html).seen
    assert [tag for tag, _ in tags].count("script") == 1
    assert not {tag for tag, _ in tags} & {"img", "iframe", "object", "base", "form"}
    names = {name for _, attributes in tags for name in attributes}
    assert not {name for name in names if name.startswith("on") or name == "style"}
    assert "\u202e" not in html.replace(text, "")
    assert made.picture is not None
    ElementTree.fromstring(pages.svg(made.picture))


def test_the_policy_names_our_style_and_script_by_their_hash_and_nothing_else() -> None:
    made = pages.difference(a_page(a_document(), hostile("x")))

    for tag in ("style", "script"):
        (inside,) = re.findall(rf"<{tag}>(.*?)</{tag}>", made.html, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in made.policy
    assert made.policy.startswith("default-src 'none';")
    assert "unsafe" not in made.policy
    assert "://" not in re.sub(r'xmlns="[^"]*"', "", made.html)


@pytest.mark.parametrize("what", PLANTED)
def test_no_planted_secret_is_on_the_page(what: str) -> None:
    text, secret = PLANTED[what]

    made = a_page(a_document(), hostile(text))

    assert secret not in pages.difference(made).html
    assert made.picture is not None
    assert secret not in pages.svg(made.picture)


def test_every_change_has_its_place_and_equal_documents_have_none() -> None:
    made = a_page(a_document(), hostile("x"))
    html = pages.difference(made).html

    for change in made.changes:
        assert f'id="{change.anchor}"' in html
        assert f'href="#{change.anchor}"' in html
    assert "0 changes" in pages.difference(a_page(a_document(), a_document())).html


def test_a_refusal_says_what_to_do_and_runs_nothing() -> None:
    made = pages.refusal("<b>", "Ask & again.")

    assert "&lt;b&gt;" in made.html
    assert "script" not in made.html
    assert "script-src" not in made.policy


def test_every_history_makes_a_page_and_a_drawing() -> None:
    for folder in sorted(shared_path("data", "dsl_histories").iterdir()):
        if not folder.is_dir():
            continue
        texts = (file.read_text(encoding="utf-8") for file in sorted(folder.glob("*.yml")))
        documents = [from_dsl(text) for text in texts]
        for before, after in itertools.pairwise(documents):
            made = a_page(before, after)
            assert len(pages.difference(made).html) < 3_000_000
            if made.picture is not None:
                drawing = pages.svg(made.picture)
                ElementTree.fromstring(drawing)
                assert "<script" not in drawing
                assert pages.png(made.picture) is not None


def _size(png: bytes) -> tuple[int, int]:
    """Width and height as the header says them (https://www.w3.org/TR/png-3/#11IHDR)."""
    assert png[:16] == b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
    width, height = struct.unpack(">II", png[16:24])
    return width, height


@pytest.mark.parametrize("nodes", [30, 300])
def test_a_drawing_as_png_is_sharp_and_no_larger_than_phones_take(nodes: int) -> None:
    made = Workflows(nodes)
    content = made.content(nodes)
    before, after = Document("workflow", content), Document("workflow", made.mixed(content))
    drawn = picture(before, after, compare(before, after))
    assert drawn is not None

    png = pages.png(drawn)

    assert png is not None
    longest = max(_size(png))
    assert longest <= 3200
    assert longest >= min(3199, 2 * drawn.width - 2)
    assert len(pages.in_words(drawn)) <= 1000


def test_a_drawing_out_of_all_proportion_is_no_picture() -> None:
    box = Box("a", "A", "llm", Fate.ADDED, "", 24, 24, 244, 84)

    assert pages.png(Picture((box,), (), 300.0, 1e12)) is None


def test_what_only_looks_different_is_shown_apart_and_closed() -> None:
    def moved(content: dict[str, Any]) -> None:
        for node in content["graph"]["nodes"]:
            node["position"] = {"x": 1, "y": 2}
        data(content, 2)["title"] = "Another name"

    before, after = a_document(), a_document(moved)
    sides = (Side("version 6"), before), (Side("version 7"), after)
    made = build("a@prod", *sides, compare(before, after, layout=True))

    html = pages.difference(made).html

    assert [change.kind for change in made.changes] == ["title"]
    assert {change.kind for change in made.drawn} == {"layout"}
    assert f"{len(made.drawn)} things only look different" in html
    (details,) = [attributes for tag, attributes in Tags(html).seen if tag == "details"]
    assert "open" not in details
    assert made.summary == compare(before, after).summary()


def test_code_templates_and_json_are_in_colours() -> None:
    def edit(content: dict[str, Any]) -> None:
        node = data(content, 3)
        node.update(type="code", code_language="javascript", code="const a = 1;")

    made = a_page(a_document(), a_document(edit))

    assert '<span class="k">' in pages.difference(made).html
