"""Every sentence is there in Chinese, takes what the English one takes, and no English is left."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from babel.messages.catalog import Catalog, Message
from jinja2 import TemplateError

from bot import catalogues, language, render, wording
from bot.domain import dry_run_told, lost, rehearsal_told
from bot.domain.diff import summary
from bot.domain.words import AnswerCode, NoteCode
from bot.errors import CondemnedHere, NothingOpen
from bot.language import CHINESE, ENGLISH, matching
from bot.ports.people import Note
from bot.samples import facts
from bot.samples.cards import HITCHES
from bot.samples.told import EVERY_PHRASE, GIVEN_UP, REHEARSED
from bot.voice import OURS, Voice, speaking
from tests import translations
from tests.cards import sound, tokens
from tests.golden.kept import KINDS, golden
from tests.unit.test_render_hostile import NASTY, full_of, mentions
from tests.unit.test_textsafe import HOSTILE

IN_CHINESE = Voice(language=CHINESE)
EXTRACTED = translations.extracted()


@pytest.fixture(scope="module")
def kept() -> Catalog:
    return catalogues.read(CHINESE)


@pytest.fixture(autouse=True)
def installed() -> None:
    catalogues.keep()


def english(message: Message) -> tuple[str, ...]:
    return (message.id,) if isinstance(message.id, str) else tuple(message.id)


def said(message: Message) -> str:
    found = message.string
    return found if isinstance(found, str) else str(found[0]) if found else ""


# -- The catalogue ----------------------------------------------------------------------------


def test_everything_that_is_said_is_in_the_catalogue_and_nothing_else(kept: Catalog) -> None:
    found = {m.id for m in EXTRACTED if m.id}

    assert {m.id for m in kept if m.id} == found, "run `python -m tests.translations`"
    assert not kept.obsolete


def test_the_file_is_as_the_command_for_translators_writes_it() -> None:
    made = translations.written(translations.merged(CHINESE, EXTRACTED))

    assert catalogues.file_of(CHINESE).read_bytes() == made


def test_each_is_translated_by_a_person_and_takes_what_the_english_one_takes(
    kept: Catalog,
) -> None:
    for message in kept:
        if message.id:
            assert said(message), message.id
            assert not message.fuzzy, message.id
            assert language.faithful(english(message)[-1], said(message)), message.id


def test_commands_and_marks_are_those_of_the_english_sentence(kept: Catalog) -> None:
    for message in filter(lambda one: one.id, kept):
        for pattern in (r"`[^`]*`", r":[a-z_]+:", r"<"):
            assert sorted(re.findall(pattern, said(message))) == sorted(
                re.findall(pattern, english(message)[-1])
            ), message.id


def test_what_is_bold_stands_between_spaces_as_slack_wants_it(kept: Catalog) -> None:
    for message in kept:
        if message.id and said(message).count("*"):
            assert re.fullmatch(r"(?:[^*]|(?:^|(?<=\s))\*[^*]+\*(?=\s|$))*", said(message)), (
                message.id
            )


def test_a_translation_with_other_places_is_left_out() -> None:
    made = Catalog(locale="zh_Hans")
    made.add("%(who)s waits", "%(whom)s 等待")
    made.add("waits", "等待 %s")
    made.add("runs", "运行")
    made.add(("%(num)s day", "%(num)s days"), ("%(num)s 天",))
    made.add("fuzzy", "模糊", flags=["fuzzy"])

    assert catalogues.sentences(made) == {"runs": "运行", "%(num)s day": "%(num)s 天"}


# -- Which language ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        *((tag, CHINESE) for tag in ("zh", "zh-CN", "zh_CN", "zh-Hans", "zh-Hans-SG", "ZH-hans")),
        *((tag, ENGLISH) for tag in ("zh-TW", "zh-Hant", "zh-HK", "en-GB", "de", "", "zhx")),
        (None, ENGLISH),
    ],
)
def test_a_tag_is_matched_with_what_we_speak(tag: str | None, expected: str) -> None:
    assert matching(tag) == expected


def test_the_language_is_that_of_the_voice_or_of_the_person() -> None:
    with speaking(IN_CHINESE):
        assert wording.say("answer", AnswerCode.BEING_READ, {}).endswith("正在读取版本。")
        with speaking(IN_CHINESE, ENGLISH):
            assert "One moment" in wording.say("answer", AnswerCode.BEING_READ, {})
    assert "One moment" in wording.say("answer", AnswerCode.BEING_READ, {})


def test_where_a_team_has_templates_of_its_own_the_rest_is_in_its_language() -> None:
    own = "{% block no_record %}ours{% endblock %}"
    with speaking(Voice({"slack/words/answer.j2": own}, CHINESE)):
        assert render.answer(Note(AnswerCode.FAILED, {})).text.startswith("我们这边")


def test_the_workspace_s_is_spoken_where_nobody_says_another() -> None:
    catalogues.keep()
    language.settle(CHINESE)
    try:
        assert NothingOpen("a@prod").to_person() == "`a@prod` 没有进行中的回滚。"
        with speaking(OURS):
            assert NothingOpen("a@prod").to_person() == "No rollback of `a@prod` is open."
    finally:
        language.settle(ENGLISH)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(3.21, "3.2 秒"), (130, "2 分 10 秒"), (18_720, "5 小时 12 分"), (273_600, "3 天 4 小时")],
)
def test_durations_have_the_form_of_the_language(seconds: float, expected: str) -> None:
    with speaking(IN_CHINESE):
        assert wording.FILTERS["seconds"](seconds) == expected


OURS_IN_ENGLISH = frozenset(one for m in EXTRACTED if m.id for one in english(m))


# -- What is said -----------------------------------------------------------------------------

# Names, words of commands and of configuration, and what people and Dify wrote in the samples
NAMES = frozenset(
    {
        *("dify", "slack", "keyturn", "prometheus", "http", "utc", "id"),
        *("api", "app", "env", "version", "name", "reason", "remark"),
        *("alice", "bob", "carol", "dave"),
    }
)
TYPED = (
    *("answers were better", "more articles", "You may not.", "the fix is on its way"),
    *("be brief", "be kind", "the shop answers nobody", "support-triage"),
    *("a new answer about refunds", "HELPDESK_API_KEY", "SMTP_PASSWORD", "Answer", "rollback-…"),
    *("gpt-4o-mini", "gpt-4o", "checkout-bot", "shop", "billing"),
)
_TOKENS = re.compile(r"`[^`]*`|<[^<>|]*>|<[^<>|]*\|[^<>]*UTC>|<[^<>|]*\||:[a-z_+0-9]+:")
_NAMED = re.compile(r"\S*[@/]\S*")
_WORD = re.compile(r"[A-Za-z][A-Za-z'’]+")


def shown(payload: Any) -> Iterator[str]:
    """Every text of *payload* that people read or hear."""
    if isinstance(payload, dict):
        for key, value in payload.items():
            if key in ("text", "accessibility_label") and isinstance(value, str):
                yield value
            else:
                yield from shown(value)
    elif isinstance(payload, list):
        for value in payload:
            yield from shown(value)


def typed(value: Any) -> Iterator[str]:
    """Every text that the samples are filled with: people and systems wrote it, not we."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from typed(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from typed(inner)


GIVEN = sorted({one for one in typed(facts.FACTS) if " " in one} | {*TYPED}, key=len)[::-1]


def words(text: str) -> list[str]:
    """The English words of *text* that are neither names nor what somebody typed."""
    bare = html.unescape(_TOKENS.sub(" ", text))
    for one in GIVEN:
        bare = bare.replace(one, " ")
    found = _WORD.findall(_NAMED.sub(" ", bare))
    return [word for word in found if word.casefold() not in NAMES]


@pytest.mark.parametrize("kind", KINDS)
def test_no_english_sentence_is_left(kind: str) -> None:
    for name, payload in golden(kind, CHINESE).items():
        for text in shown(payload):
            assert len(words(text)) < 3, (name, text, words(text))
            assert text in GIVEN or text not in OURS_IN_ENGLISH, (name, text)


def test_what_is_told_as_values_is_in_english_what_other_places_show() -> None:
    kinds = [(phrase,) for phrase in EVERY_PHRASE]
    assert [wording.phrased(one) for one in kinds] == [summary.said(one) for one in kinds]
    assert wording.given_up(GIVEN_UP) == lost.words(GIVEN_UP)
    assert wording.hitched(HITCHES, "prod") == dry_run_told.line(HITCHES, env="prod")
    assert wording.rehearsed(REHEARSED) == rehearsal_told.said(REHEARSED)


@pytest.mark.parametrize("phrase", EVERY_PHRASE, ids=str)
def test_every_phrase_of_a_summary_is_said_in_chinese(phrase: dict[str, Any]) -> None:
    with speaking(IN_CHINESE):
        said = wording.phrased((phrase, {"code": "of_a_newer_release"}))

    assert said
    assert words(said) == []


def test_a_dry_run_that_another_release_queued_is_shown_as_it_said_it() -> None:
    lines = ["Dry run in prod:", "  missing: model gpt-4o"]
    told = {**facts.FACTS[AnswerCode.DRY_RUN], "lines": lines}
    newer = {**told, "told": [*REHEARSED, {"code": "of_a_newer_release"}]}
    older = {name: fact for name, fact in told.items() if name != "told"}

    with speaking(IN_CHINESE):
        for queued in (newer, older):
            shown_lines = "".join(shown(render.answer(Note(AnswerCode.DRY_RUN, queued)).blocks))
            assert "Dry run in prod:\n  missing: model gpt-4o" in shown_lines


def test_a_later_page_of_a_difference_has_the_lines_of_the_difference_alone() -> None:
    with speaking(IN_CHINESE):
        note = Note(AnswerCode.COMPARED, facts.FACTS[AnswerCode.COMPARED])
        assert "[prompt] changed: Triage\n- be brief" in "".join(shown(render.answer(note).blocks))


@pytest.mark.parametrize("text", NASTY)
def test_a_translated_sentence_is_as_safe_as_the_english_one(text: str) -> None:
    with speaking(IN_CHINESE):
        card = sound(render.card(full_of(text)))
        voted = sound(
            render.note(
                Note(
                    NoteCode.VOTE_AGAINST,
                    {"slack_id": text, "reason": text, "count": 1, "vetoes": 2},
                )
            )
        )
    for message in (card, voted):
        assert tokens(message) == []
        assert mentions(message) == set()


def test_what_fills_a_sentence_is_made_safe_whichever_way_it_comes() -> None:
    env = wording.environment(wording.as_mrkdwn)
    wording.speak(env)
    template = env.from_string("{% trans who=who %}{{ who }} <b> rejected{% endtrans %}")
    made = template.render(who=HOSTILE)

    assert made == wording.FILTERS["mrkdwn"](HOSTILE) + " <b> rejected"
    assert "&#39;" not in template.render(who="it's")


def test_a_place_that_nothing_fills_is_no_sentence() -> None:
    env = wording.environment(wording.as_mrkdwn)
    wording.speak(env)
    with pytest.raises(TemplateError):
        env.from_string("{% trans %}{{ nobody }} waits{% endtrans %}").render()


def test_no_mark_of_ours_is_left_in_what_is_sent() -> None:
    for kind in KINDS:
        assert "\ue000" not in json.dumps(golden(kind, CHINESE), ensure_ascii=False)


def test_an_error_is_told_in_the_language_of_the_moment() -> None:
    with speaking(IN_CHINESE):
        assert CondemnedHere("a@prod", 3).to_person() == (
            "版本 3 曾在这里被回滚。请说明现在为何可用：`/rollback to a@prod 3 REASON`。"
        )
