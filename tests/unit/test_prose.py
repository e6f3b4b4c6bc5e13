"""Sentences of the catalogue become HTML: their own forms, and nothing of what people wrote."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup, escape

from bot import textsafe
from bot.prose import as_html
from tests.builders import NOON, REVIEWERS


@pytest.mark.parametrize(
    ("said", "html"),
    [
        (textsafe.code("a & b"), "<code>a &amp; b</code>"),
        (textsafe.mention("U0ALICE0001"), '<span class="who">U0ALICE0001</span>'),
        (textsafe.reviewer(REVIEWERS), f'<span class="who">{REVIEWERS}</span>'),
        (":warning: *Not* recovered", "<strong>Not</strong> recovered"),
        (textsafe.link("https://x.example/?a=1", "Here"), "Here"),
        ("one\ntwo", "one<br>two"),
        ("at 10:39:57", "at 10:39:57"),
        (
            textsafe.when(NOON),
            '<time datetime="2026-11-24T12:00:00+00:00">2026-11-24 12:00 UTC</time>',
        ),
    ],
)
def test_a_form_of_ours_is_shown_as_it_is_meant(said: str, html: str) -> None:
    assert as_html(said) == html


@given(st.text(max_size=80))
def test_what_somebody_wrote_is_text_whatever_it_is(text: str) -> None:
    shown = as_html(textsafe.mrkdwn(text, 5_000))

    assert shown == escape(textsafe.one_line(text, 5_000).replace("\u2060", "").strip())


@given(st.text(max_size=80))
def test_a_sentence_of_any_signs_makes_no_element_but_ours(text: str) -> None:
    shown = as_html(text)

    for ours in ("strong", "code", "br", "span", "time"):
        shown = Markup(shown.replace(f"<{ours}", "").replace(f"</{ours}>", ""))
    assert "<" not in shown
