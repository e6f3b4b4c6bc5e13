"""Which app in which environment an alert's labels mean."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bot.domain.naming import LabelMap, Match, Meaning
from store.records import AppEnv

A_PROD, A_STAGING = AppEnv("a", "prod"), AppEnv("a", "staging")
B_PROD = AppEnv("b", "prod")
KNOWN = frozenset({A_PROD, A_STAGING, B_PROD})
SOLE = {"b": "prod"}


def meaning(match: tuple[Match, ...] = (), **labels: str) -> Meaning:
    return LabelMap(match=match, sole=SOLE).meaning(labels, KNOWN)


def test_app_and_environment_are_named_by_their_labels() -> None:
    assert meaning(app="a", env="staging").where == A_STAGING
    assert meaning(app="a", env="dev").where is None


def test_an_app_that_has_one_environment_needs_no_label_for_it() -> None:
    assert meaning(app="b").where == B_PROD
    assert meaning(app="b", env="").where == B_PROD


def test_an_app_that_has_several_environments_needs_the_label() -> None:
    assert meaning(app="a") == Meaning()


def test_an_environment_that_the_alert_names_is_never_replaced() -> None:
    assert meaning(app="b", env="staging").where is None
    assert meaning((Match({"service": ("b-api",)}, "b"),), service="b-api", env="x").where is None


def test_all_labels_of_a_match_must_be_there_each_with_one_of_its_values() -> None:
    match = (Match({"service": ("b-api", "b-web"), "team": ("core",)}, "b"),)

    assert meaning(match, service="b-api", team="core").where == B_PROD
    assert meaning(match, service="b-web", team="core").where == B_PROD
    assert meaning(match, service="b-api").where is None
    assert meaning(match, service="b-db", team="core").where is None


def test_a_match_of_an_environment_names_it_where_the_alert_does_not() -> None:
    match = (
        Match({"cluster": ("c1",)}, "a", "prod"),
        Match({"cluster": ("c2",)}, "a", "staging"),
    )

    assert meaning(match, cluster="c1").where == A_PROD
    assert meaning(match, cluster="c2").where == A_STAGING
    assert meaning(match, cluster="c2", env="prod").where is None


def test_labels_that_mean_two_apps_equally_mean_none_and_both_are_named() -> None:
    match = (Match({"service": ("x",)}, "a"), Match({"team": ("core",)}, "b"))

    assert meaning(match, service="x", team="core", env="prod") == Meaning(
        rivals=("a@prod", "b@prod")
    )
    assert meaning(match, service="x", team="core", env="staging").where == A_STAGING


def test_the_more_exact_match_wins_and_its_environment_counts() -> None:
    match = (Match({"service": ("x",)}, "a"), Match({"service": ("x",), "kb": ("1",)}, "b"))

    assert meaning(match, service="x", kb="1", env="prod").where == B_PROD
    assert meaning(match, service="x", kb="1", env="staging").where is None


def test_an_app_may_be_named_as_it_is_called_elsewhere_unless_two_are_called_so() -> None:
    def called(app: str, **env: str) -> Meaning:
        names = {"The A": (A_PROD, A_STAGING), "The B": (B_PROD,), "b": (A_PROD,)}
        return LabelMap(sole=SOLE, names=names).meaning({"app": app, **env}, KNOWN)

    assert called("The B").where == B_PROD
    assert called("The B", env="staging").where is None
    assert called("The A", env="staging").where == A_STAGING
    assert called("The A") == Meaning(rivals=("a@prod", "a@staging"))
    assert called("b").where == B_PROD


NAMES = st.sampled_from(["app", "env", "service", "team"])
VALUES = st.sampled_from(["a", "b", "prod", "staging", "x", ""])
MATCHES = st.builds(
    Match,
    st.dictionaries(NAMES, st.lists(VALUES, min_size=1, max_size=2).map(tuple), min_size=1),
    st.sampled_from(["a", "b"]),
    st.sampled_from(["", "prod", "staging"]),
)


@given(st.lists(MATCHES, max_size=5).map(tuple), st.dictionaries(NAMES, VALUES))
def test_the_order_of_matches_means_nothing_and_only_known_apps_are_meant(
    match: tuple[Match, ...], labels: dict[str, str]
) -> None:
    found = LabelMap(match=match, sole=SOLE).meaning(labels, KNOWN)

    assert found == LabelMap(match=match[::-1], sole=SOLE).meaning(labels, KNOWN)
    assert found.where is None or (found.where in KNOWN and not found.rivals)
    assert len(found.rivals) != 1
