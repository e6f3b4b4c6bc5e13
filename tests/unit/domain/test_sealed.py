"""Which of the draft's secret values are sealed, and which go back."""

from __future__ import annotations

from bot.domain.sealed import to_return, to_seal, untouched

NO: dict[str, str] = {}


def test_only_what_live_does_not_hold_is_sealed() -> None:
    found = {"same": "1", "changed": "mine", "own": "2"}

    sealed = to_seal(found, live={"same": "1", "changed": "live"}, staged=NO, sealed=NO)

    assert sealed == {"changed": "mine", "own": "2"}


def test_what_we_wrote_over_a_sealed_value_still_counts_as_that_value() -> None:
    """Somebody saved the draft while it held the approved content: our values were in it."""
    found = {"kept": "live", "typed": "new", "plain": "live"}
    live = {"kept": "live", "typed": "live", "plain": "live"}

    sealed = to_seal(found, live=live, staged=live, sealed={"kept": "mine", "typed": "mine"})

    assert sealed == {"kept": "mine", "typed": "new"}


def test_a_secret_that_is_gone_from_the_draft_is_not_sealed_again() -> None:
    assert to_seal({}, live=NO, staged=NO, sealed={"own": "mine"}) == {}


def test_a_draft_is_untouched_while_it_has_what_is_sealed_or_what_is_ours() -> None:
    live, staged, sealed = {"a": "1", "b": "1"}, {"a": "1", "b": "1"}, {"b": "mine", "c": "own"}

    assert untouched({"a": "1", "b": "mine", "c": "own"}, live=live, staged=staged, sealed=sealed)
    assert untouched({"b": "1"}, live=live, staged=staged, sealed=sealed)


def test_a_value_that_nobody_knows_was_set_by_somebody() -> None:
    known = {"live": {"a": "1"}, "staged": {"a": "1"}, "sealed": {"b": "mine"}}

    assert not untouched({"a": "2"}, **known)
    assert not untouched({"b": "theirs"}, **known)
    assert not untouched({"new": "theirs"}, **known)


def test_what_was_sealed_goes_back_unless_somebody_has_set_it_since() -> None:
    staged = {"changed": "live", "typed": "live"}
    sealed = {"changed": "mine", "typed": "mine", "own": "2"}

    back = to_return(
        {"changed": "live", "typed": "theirs"},
        staged=staged,
        sealed=sealed,
        wanted=sealed.keys(),
    )

    assert back == {"changed": "mine", "own": "2"}


def test_only_what_the_draft_asks_for_goes_back() -> None:
    assert to_return({}, staged=NO, sealed={"a": "1", "b": "2"}, wanted={"b"}) == {"b": "2"}
