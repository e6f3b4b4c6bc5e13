from __future__ import annotations

from typing import Any

from bot.domain.secrets import SecretsPlan, expected, plan
from store.document import Document


def secret(secret_id: str, name: str, **more: Any) -> dict[str, Any]:
    return {"id": secret_id, "name": name, "value_type": "secret", **more}


def a_document(*variables: Any) -> Document:
    return Document("workflow", {"features": {}, "environment_variables": list(variables)})


def test_a_secret_that_live_has_keeps_live_s_description_and_takes_the_name() -> None:
    candidate = a_document(secret("k", "OLD_NAME", description="old"))
    live = a_document(secret("k", "NEW_NAME", description="new"))

    assert expected(candidate, live) == a_document(secret("k", "OLD_NAME", description="new"))
    assert plan(candidate, live) == SecretsPlan(kept=("OLD_NAME",))


def test_a_secret_that_live_lacks_comes_from_the_version() -> None:
    candidate = a_document(secret("k", "A"), secret("gone", "B", description="b"))
    live = a_document(secret("k", "A"), secret("other", "C"))

    assert expected(candidate, live) == candidate
    assert plan(candidate, live) == SecretsPlan(("A",), ("B",), ("gone",))


def test_a_secret_that_became_plain_text_stays_what_live_has() -> None:
    plain = {"id": "k", "name": "REGION", "value_type": "string", "value": "eu"}

    after = expected(a_document(secret("k", "KEY")), a_document(plain))

    assert after == a_document({**plain, "name": "KEY"})


def test_everything_but_secrets_is_the_candidate_s() -> None:
    plain = {"id": "r", "name": "REGION", "value_type": "string", "value": "eu"}
    candidate = a_document(plain, secret("k", "KEY"), "odd")
    live = Document("workflow", {"environment_variables": [{**plain, "value": "us"}]})

    assert expected(candidate, live) == candidate
    assert expected(Document("chat", {}), live) == Document("chat", {})
    assert plan(Document("chat", {}), live) == SecretsPlan()


def test_the_expected_document_never_holds_a_secret_value() -> None:
    live = Document("workflow", {"environment_variables": "odd"})

    assert expected(a_document(secret("k", "KEY")), live).secrets[0].name == "KEY"
