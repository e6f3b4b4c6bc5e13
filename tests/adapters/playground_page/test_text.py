"""mrkdwn and rich text on the page are read as Slack reads them, and escaped text stays text."""

from __future__ import annotations

import re
from datetime import UTC
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.playground.page.mrkdwn import mrkdwn, plain
from bot.playground.page.names import Names
from bot.playground.page.richtext import rich_text

NAMES = Names(
    users={"U0ALICE0001": "alice"},
    groups={"S0REVIEWERS": "rollback-reviewers"},
    channels={"C0INCIDENT1": "incidents"},
    zone=UTC,
)
ALICE = '<span class="mention ">@alice</span>'


def drawn(text: str) -> str:
    return str(mrkdwn(text, NAMES))


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("plain", "plain"),
        ("*bold* _slanted_ ~gone~", "<strong>bold</strong> <em>slanted</em> <s>gone</s>"),
        ("2*3*4 snake_case_name", "2*3*4 snake_case_name"),
        ("* not bold *", "* not bold *"),
        ("*a _b* c_", "<strong>a _b</strong> c_"),
        ("*a _b_*", "<strong>a <em>b</em></strong>"),
        ("`a *b* <@U0ALICE0001>`", "<code>a *b* &lt;@U0ALICE0001&gt;</code>"),
        ("```\n*x*\n```", "<pre>*x*</pre>"),
        ("<@U0ALICE0001>", ALICE),
        ("*<@U0ALICE0001>*", f"<strong>{ALICE}</strong>"),
        ("<!subteam^S0REVIEWERS>", '<span class="mention ">@rollback-reviewers</span>'),
        ("<#C0INCIDENT1>", '<span class="mention ">#incidents</span>'),
        ("<!channel>", '<span class="mention broadcast">@channel</span>'),
        ("one\ntwo", "one<br>two"),
        ("&gt; said\nthen", "<blockquote>said<br></blockquote>then"),
        (":white_check_mark: at 12:30:45", "✅ at 12:30:45"),
        ("a &amp;&amp; b &lt; c", "a &amp;&amp; b &lt; c"),
        ("&amp;lt;", "&amp;lt;"),
        ('it\'s "so"', "it&#39;s &#34;so&#34;"),
    ],
)
def test_mrkdwn_is_drawn_as_slack_draws_it(text: str, html: str) -> None:
    assert drawn(text) == html


def test_a_link_shows_its_label_and_leads_out_of_the_page() -> None:
    html = drawn("<https://example.com/a?b=1&amp;c=2|the diff>")

    assert html == (
        '<a href="https://example.com/a?b=1&amp;c=2" target="_blank" rel="noopener noreferrer">'
        "the diff</a>"
    )


def test_a_permalink_of_the_workspace_leads_to_the_message_on_the_page() -> None:
    url = "https://keyturn-playground.slack.com/archives/C0INCIDENT1/p1763900000000100?thread_ts=1"

    assert drawn(f"<{url}|the card>") == '<a href="#m-1763900000000100">the card</a>'


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "vbscript:x", "//x"])
def test_only_web_and_mail_addresses_become_links(url: str) -> None:
    assert "<a" not in drawn(f"<{url}|click>")


def test_a_bare_address_is_a_link_unless_the_text_is_verbatim() -> None:
    assert 'href="https://example.com/x"' in drawn("see https://example.com/x.")
    assert "<a" not in mrkdwn("see https://example.com/x.", NAMES, verbatim=True)


def test_a_date_token_is_told_in_the_reader_s_words() -> None:
    token = "<!date^1763900000^{date_short} at {time}|Nov 23>"

    assert drawn(token) == '<time title="Nov 23">Nov 23, 2025 at 12:13</time>'
    assert "fallback" in drawn("<!date^nonsense^{time}|fallback>")
    assert "fallback" in drawn("<!date^999999999999999^{time}|fallback>")


@pytest.mark.parametrize(
    "text",
    [
        "&lt;!channel&gt;",
        "&lt;@U0ALICE0001&gt;",
        "&lt;https://evil.example|ok&gt;",
        "&amp;lt;!here&amp;gt;",
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "\u2060*bold\u2060* \u2060_it\u2060_ \u2060`code\u2060`",
        "\ue0000\ue001",
    ],
)
def test_escaped_and_hostile_text_never_comes_alive(text: str) -> None:
    html = drawn(text)

    assert "mention" not in html
    assert not re.search(r"<(script|img|strong|em|code)", html)
    assert 'href="https://evil.example|' not in html


def test_an_escaped_disguised_link_shows_where_it_leads() -> None:
    html = str(mrkdwn("&lt;https://evil.example|https://grafana.corp&gt;", NAMES, verbatim=True))

    assert html == "&lt;https://evil.example|https://grafana.corp&gt;"


HOSTILE = (
    'a "quoted" \\ back\nnew <!channel> <@U1> <https://evil.example|https://grafana.corp> '
    "*b* `x` & \u202egnp.exe"
)


def test_plain_text_is_literal_but_for_its_emoji() -> None:
    html = plain("*b* <!channel> &lt;x&gt; :key:\nnext")

    assert html == "*b* &lt;!channel&gt; &amp;lt;x&amp;gt; 🔑<br>next"
    assert ":key:" in plain(":key:", emoji=False)


def test_hostile_text_in_rich_text_is_shown_letter_by_letter() -> None:
    parts = [{"type": "rich_text_section", "elements": [{"type": "text", "text": HOSTILE}]}]

    html = str(rich_text(parts, NAMES))

    assert "<a" not in html
    assert "mention" not in html
    assert "&lt;!channel&gt;" in html
    assert "*b*" in html


def test_rich_text_draws_lists_styles_mentions_and_code() -> None:
    text = {"type": "text", "text": "old", "style": {"bold": True, "strike": True}}
    item = {"type": "rich_text_section", "elements": [text]}
    parts: list[dict[str, Any]] = [
        {"type": "rich_text_list", "style": "ordered", "elements": [item]},
        {"type": "rich_text_preformatted", "elements": [{"type": "text", "text": "- a\n+ b"}]},
        {
            "type": "rich_text_quote",
            "elements": [
                {"type": "user", "user_id": "U0ALICE0001"},
                {"type": "emoji", "name": "key"},
                {"type": "link", "url": "javascript:x", "text": "no"},
            ],
        },
    ]

    html = str(rich_text(parts, NAMES))

    assert '<ol class="indent-0"><li><s><strong>old</strong></s></li></ol>' in html
    assert "<pre>- a\n+ b</pre>" in html
    assert f'<blockquote class="rich">{ALICE}🔑no</blockquote>' in html


def test_what_rich_text_does_not_know_is_red() -> None:
    parts: list[dict[str, Any]] = [
        {"type": "rich_text_marquee"},
        {"type": "rich_text_section", "elements": [{}]},
    ]

    assert str(rich_text(parts, NAMES)).count("broken") == 2


def escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


@given(st.text())
def test_no_escaped_text_can_make_a_mention_or_a_tag_of_its_own(text: str) -> None:
    html = str(mrkdwn(escaped(text), NAMES, verbatim=True))

    tags = set(re.findall(r"</?([a-z]+)", html))
    assert tags <= {"strong", "em", "s", "code", "pre", "br", "blockquote"}


@given(st.text(alphabet="<>!@#|^`*_~&;:/ahtpsU0channel\n\ue000\ue001\u2060", max_size=60))
def test_whatever_comes_the_html_is_whole(text: str) -> None:
    html = str(mrkdwn(text, NAMES))

    reading = Nesting()
    reading.feed(html)
    assert reading.open == []
    assert "\ue000" not in html


class Nesting(HTMLParser):
    """Fails on a tag that is closed out of order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
