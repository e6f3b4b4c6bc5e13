"""What strangers wrote stays text: it calls nobody, links nowhere, hides nothing."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import textsafe

HOSTILE = (
    'a "quoted" \\ back\nnew <!channel> <@U1> <https://evil.example|https://grafana.corp> '
    "*b* `` `x` `` & \u202egnp.exe"
)
NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
ENTITY = re.compile(r"&(?:amp|lt|gt);")


def test_a_hostile_label_keeps_its_words_and_loses_its_powers() -> None:
    shown = textsafe.mrkdwn(HOSTILE)

    assert not set("<>\n\u202e") & set(shown)
    assert "&lt;!channel&gt; &lt;@U1&gt;" in shown
    assert "\u2060*b\u2060*" in shown
    assert shown.endswith("&amp; gnp.exe")


def test_a_code_span_is_one_span_whatever_is_in_it() -> None:
    shown = textsafe.code(HOSTILE)

    assert (shown[0], shown[-1], shown.count("`")) == ("`", "`", 2)
    assert not set("<>\n") & set(shown)


def test_an_empty_code_span_is_a_dash() -> None:
    assert textsafe.code(" \u200b\n") == "`–`"


def test_nobody_makes_an_emoji_of_their_name() -> None:
    assert textsafe.mrkdwn("by :white_check_mark: me at 12:30") == (
        "by :\u2060white\u2060_check\u2060_mark: me at 12:30"
    )


@given(st.text(), st.integers(2, 60))
def test_escaped_text_has_no_token_no_half_entity_and_fits(text: str, n: int) -> None:
    for shown in (textsafe.mrkdwn(text, n), textsafe.code(text, n)):
        assert len(shown) <= max(n, 3)
        assert not set("<>\n\r") & set(shown)
        assert "&" not in ENTITY.sub("", shown)
    assert "`" not in re.sub("\u2060`", "", textsafe.mrkdwn(text, n))


@given(st.text(), st.integers(1, 60))
def test_cleaned_text_fits_and_hides_nothing(text: str, n: int) -> None:
    shown = textsafe.clean(text, n)

    assert len(shown) <= n
    assert all(char in "\n\t" or char.isprintable() or char.isspace() for char in shown)
    assert "\n" not in textsafe.one_line(text, n)


@pytest.mark.parametrize(
    "hidden", ["\u202e", "\u2066", "\u200b", "\ufeff", "\x00", "\x1b", "\ud800", "\U000e0041"]
)
def test_characters_that_reorder_or_hide_are_left_out(hidden: str) -> None:
    assert textsafe.clean(f"a{hidden}b") == "ab"


def test_letters_are_composed() -> None:
    assert textsafe.clean("e\u0301") == "é"


def test_a_difference_shows_what_is_hidden() -> None:
    assert textsafe.visible("a\u202eb\nc\x1b") == "a⟨U+202E⟩b⏎c␛"


def test_long_text_says_that_it_was_cut() -> None:
    assert textsafe.clean("x" * 20, 5) == "xxxx…"
    assert textsafe.visible("x" * 20, 5) == "xxxx…"
    assert textsafe.mrkdwn("<<<<<", 12) == "&lt;&lt;…"


@pytest.mark.parametrize("person", ["U0ALICE0001", "W0ALICE0001"])
def test_a_person_is_mentioned_by_a_slack_id(person: str) -> None:
    assert textsafe.mention(person) == f"<@{person}>"
    assert textsafe.reviewer(person) == f"<@{person}>"


def test_a_group_is_mentioned_as_a_reviewer() -> None:
    assert textsafe.reviewer("S0REVIEWERS") == "<!subteam^S0REVIEWERS>"


@pytest.mark.parametrize(
    "stranger", ["alice", "U1", "u0alice0001", "U0ALICE0001>", "U0ALICE0001\n", "!channel", ""]
)
def test_whatever_is_no_id_is_shown_and_calls_nobody(stranger: str) -> None:
    assert textsafe.mention(stranger).startswith("`")
    assert textsafe.reviewer(stranger).startswith("`")


def test_a_link_has_our_label() -> None:
    url = "https://x.slack.com/archives/C1/p1?a=1&b=2"

    assert textsafe.link(url, "card") == "<https://x.slack.com/archives/C1/p1?a=1&amp;b=2|card>"
    assert textsafe.link("http://127.0.0.1:8080/p1", "card") == "<http://127.0.0.1:8080/p1|card>"


@pytest.mark.parametrize(
    "url",
    ["", "javascript:alert(1)", "http://evil.example/", "https://a|b", "https://a> <!here", "x y"],
)
def test_an_address_of_another_form_is_no_link(url: str) -> None:
    assert textsafe.link(url, "card") == "card"


@pytest.mark.parametrize(
    "moment",
    [NOON, "2026-11-24T12:00:00Z", NOON.astimezone(timezone(timedelta(hours=9))).isoformat()],
)
def test_a_time_is_shown_in_the_readers_zone(moment: object) -> None:
    stamp = int(NOON.timestamp())

    assert textsafe.when(moment) == (
        f"<!date^{stamp}^{{date_short_pretty}} {{time}}|2026-11-24 12:00 UTC>"
    )
    assert textsafe.clock_time(moment) == f"<!date^{stamp}^{{time}}|12:00 UTC>"


@pytest.mark.parametrize("moment", ["2026-11-24T12:00:00", "noon", "<!channel>", ""])
def test_what_is_no_time_with_a_zone_is_refused(moment: str) -> None:
    with pytest.raises(ValueError, match=r"zone|isoformat"):
        textsafe.when(moment)


def test_a_sentence_of_ours_keeps_its_entities_and_has_no_live_token() -> None:
    assert textsafe.told("no `a&lt;b` <!channel>") == "no `a&lt;b` &lt;!channel&gt;"
