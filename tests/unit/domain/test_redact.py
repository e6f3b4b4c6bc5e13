from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.redact import HIDDEN, HIDDEN_CHANGED, Redactor, redact, redact_text
from bot.domain.redact_patterns import names_a_credential
from tests.unit.domain.planted import AZ, PLANTED
from tests.unit.store.odd_documents import values

SURROUNDINGS = st.text(st.sampled_from("ab1 _-\"'=:,;/.&?@#{}()[]\n\t•é\ue000\ue001"), max_size=12)


@pytest.mark.parametrize("what", PLANTED)
def test_no_planted_secret_stays_in_a_text(what: str) -> None:
    text, secret = PLANTED[what]

    assert secret in text
    assert secret not in redact_text(text)
    assert HIDDEN in redact_text(text)


@pytest.mark.parametrize(
    "text",
    [
        "Summarise the text in 200 words.",
        "{{#env.API_KEY#}} and {{#1711.text#}}",
        "Authorization: Bearer {{#env.API_KEY#}}",
        "max_tokens = 4096",
        "token_count: 123456789",
        "password = get_password(user)",
        'tokenizer = "cl100k_base"',
        'author: "alice-in-chains"',
        "the secret of a good summary is brevity",
        "https://docs.example.com/keys?page=2&lang=en",
        "1711528768326",
        "8cfe1b3a-6a0d-4c53-9f3c-2d6f7a1f0a11",
        "langgenius/openai:0.0.30@1f5ecdef108418a467e54da2dcf5de2cf22b47632abc8633194ac9fb96317ede",
        "mail alice@example.com",
        "a basic understanding of computers",
        "key: value",
        "task-force, risk-averse, ask-me-anything-about-it",
    ],
)
def test_harmless_text_stays(text: str) -> None:
    assert redact_text(text) == text


@pytest.mark.parametrize(
    "value",
    [
        {"api_key": "hunter2"},
        {"apiKey": "hunter2"},
        {"config": {"client_secret": "hunter2"}},
        {"credentials": {"anything": {"at": ["all", "hunter2"]}}},
        {"tool_parameters": {"password": {"type": "constant", "value": "hunter2"}}},
        {"authorization": {"type": "api-key", "config": {"type": "bearer", "api_key": "hunter2"}}},
        {"authorization": "hunter2"},
        {"headers": "X-Anything: hunter2\nAccept: text/plain"},
        {"headers": {"X-Anything": "hunter2", "Accept": "text/plain"}},
        {"params": "api_key:hunter2\nq:x"},
        {"body": {"data": [{"key": "password", "type": "text", "value": "hunter2"}]}},
        {"name": "DB_PASSWORD", "value_type": "string", "value": "hunter2"},
        {"variable": "token", "type": "text-input", "default": "hunter2"},
        {"pwd": 4711, "x": ["hunter2", {"passwd": "hunter2"}][1]},
    ],
)
def test_what_stands_under_a_credential_s_name_is_hidden_whatever_it_looks_like(value: Any) -> None:
    shown = json.dumps(redact(value), ensure_ascii=False)

    assert "hunter2" not in shown
    assert "4711" not in shown
    assert HIDDEN in shown


@pytest.mark.parametrize(
    "value",
    [
        {"api_key": "{{#env.API_KEY#}}"},
        {"api_key": ""},
        {"password": None, "secret": True},
        {"authorization": "bearer"},
        {"authorization": {"type": "no-auth", "config": None}},
        {"headers": "Content-Type: application/json\nAuthorization: Bearer {{#env.KEY#}}"},
        {"headers": {"Accept": "text/plain", "Notion-Version": "2022-06-28"}},
        {"params": "q:{{#sys.query#}}\nlimit:10"},
        {"variable": "api_key", "label": "API key", "type": "text-input", "required": True},
        {"password": {"type": "string", "description": "of the user's account"}},
    ],
)
def test_what_tells_no_secret_stays(value: Any) -> None:
    assert redact(value) == value


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("api_key", True),
        ("apiKey", True),
        ("X-Api-Key", True),
        ("OPENAI_API_KEY", True),
        ("accessToken", True),
        ("token", True),
        ("client-secret", True),
        ("connection_string", True),
        ("max_token", False),
        ("max_tokens", False),
        ("key", False),
        ("primary_key", False),
        ("tokenizer", False),
        ("author", False),
        ("", False),
    ],
)
def test_names_of_credentials(name: str, is_one: bool) -> None:
    assert names_a_credential(name) is is_one


def test_secret_keys_of_an_object_are_hidden_and_none_swallows_another() -> None:
    value = {f"sk-{AZ}1": 1, f"sk-{AZ}2": 2}

    assert redact(value) == {HIDDEN: 1, f"{HIDDEN} #2": 2}


def test_a_learned_secret_is_hidden_under_harmless_names_too() -> None:
    redactor = Redactor()
    redactor.learn({"name": "DB_PASSWORD", "value": "correct horse battery"})
    redactor.learn({"pwd": "abcd", "headers": {"Authorization": "Bearer staple.staple"}})

    assert redactor.shown("he said correct horse battery!") == f"he said {HIDDEN}!"
    assert redactor.shown("x=staple.staple") == f"x={HIDDEN}"
    assert redactor.shown("abcd") == HIDDEN
    assert redactor.shown("abcdefg") == "abcdefg"


def test_a_secret_that_changed_says_so_and_one_that_stayed_does_not() -> None:
    redactor = Redactor()
    before = redactor.conceal({"api_key": "old-old-old", "token": "same-same"})
    after = redactor.conceal({"api_key": "new-new-new", "token": "same-same"})

    assert redactor.reveal(after, beside=before) == {"api_key": HIDDEN_CHANGED, "token": HIDDEN}


@given(values, values)
@settings(max_examples=100)
def test_concealing_is_one_to_one(one: object, other: object) -> None:
    redactor = Redactor()
    redactor.learn(one)

    assert (redactor.conceal(one) == redactor.conceal(other)) == (one == other)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_text_without_clues_comes_back_as_it_was(text: str) -> None:
    redactor = Redactor()

    assert redactor.shown(text) == redactor.shown(redactor.shown(text))
    if not any(clue in text for clue in ":=@-_"):
        assert redactor.shown(text) == text


@given(SURROUNDINGS, st.sampled_from(sorted(PLANTED)), SURROUNDINGS)
@settings(max_examples=300)
def test_no_planted_secret_stays_whatever_lines_stand_around_it(
    before: str, what: str, after: str
) -> None:
    text, secret = PLANTED[what]

    shown = redact_text(f"{before}\n{text}\n{after}")

    assert secret not in shown


@given(st.dictionaries(st.sampled_from(["a", "title", "code", "text", "desc"]), SURROUNDINGS))
def test_a_credential_is_never_shown_anywhere_once_learned(fields: dict[str, str]) -> None:
    secret = "correct-horse-9"
    value = {
        "api_key": secret,
        "nested": [{key: text + secret + text for key, text in fields.items()}],
        secret: secret,
    }
    redactor = Redactor()
    redactor.learn(value)

    shown = json.dumps(redactor.reveal(redactor.conceal(value)), ensure_ascii=False)

    assert secret not in shown


def test_a_text_that_looks_like_a_marker_is_only_text() -> None:
    redactor = Redactor()
    redactor.conceal({"api_key": "hunter2"})

    assert redactor.reveal(redactor.conceal("\ue0000\ue001")) == "\ue0000\ue001"


def test_a_secret_inside_a_secret_is_hidden_once() -> None:
    assert redact_text(f'api_key = "sk-{AZ}"') == f'api_key = "{HIDDEN}"'


def test_hostile_texts_are_redacted_in_linear_time() -> None:
    for text in (
        "api_key" * 20000,
        "a" * 200000,
        "token " * 30000,
        "-----BEGIN PRIVATE KEY-----" * 5000,
    ):
        redact_text(text)
    redact_text("://" + "a" * 200000)
    redact_text("?" + "a-" * 100000)
