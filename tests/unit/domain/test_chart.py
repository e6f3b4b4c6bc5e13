"""What a chart shows of an incident: which time, which versions, in which words."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import inf, nan
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.chart import build, words
from bot.domain.chart.build import chart_of
from bot.domain.chart.view import ChartView, Firing, Role
from bot.domain.verdict.charted import charted
from bot.domain.verdict.decide import Verdict, decide
from bot.domain.verdict.incident import Alert, Change, Incident, Metric, Series
from store.records import AppEnv

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
HERE = AppEnv("support-triage", "prod")
BEHIND = AppEnv("kb-search", "prod")


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


def ago(count: float) -> datetime:
    return NOW - minutes(count)


ALERT = Alert(HERE, "HighErrorRate", ago(4))
ONSET = (ago(12), ago(9))


def change(
    number: int, before: float, where: AppEnv = HERE, *, content: str = "", drift: bool = False
) -> Change:
    late = timedelta(minutes=5 * drift)
    return Change(where, number, ago(before), content or f"content {number}", late)


def errors(*values: float, metric: Metric = Metric.ERRORS) -> Series:
    """Samples a minute apart, the last at the decision."""
    return Series(metric, ago(len(values) - 1), minutes(1), values)


STEP = errors(*[0.01] * 290, *[0.3] * 10)


def chart(**given: Any) -> ChartView:
    usual: dict[str, Any] = {"alert": ALERT, "decided_at": NOW, "series": [STEP], "onset": ONSET}
    return chart_of(HERE, **{**usual, **given})


def labels(view: ChartView) -> list[str]:
    return [mark.label for mark in view.marks]


def test_it_begins_three_quarters_of_an_hour_before_the_onset() -> None:
    assert (chart().began, chart().ended) == (ONSET[0] - minutes(45), NOW)


def test_it_begins_so_long_before_a_suspect_that_came_first() -> None:
    assert chart(suspects=[change(7, 20)]).began == ago(65)
    assert chart(suspects=[change(7, 5)]).began == ONSET[0] - minutes(45)


def test_of_a_long_story_it_shows_a_third_more() -> None:
    assert chart(suspects=[change(7, 180)]).began == ago(240)


def test_a_suspect_of_half_a_day_before_stands_at_the_left_edge_with_its_day() -> None:
    view = chart(suspects=[change(7, 13 * 60)])

    assert view.began == ONSET[0] - minutes(45)
    assert [(mark.label, mark.early) for mark in view.marks] == [("v7", True)]
    assert words.flag(view.marks[0], NOW) == "◀ v7 suspect, 22 Nov 14:00"


def test_nothing_empty_is_shown_on_the_left() -> None:
    short = errors(*[0.01] * 20, *[0.3] * 10)

    assert chart(series=[short]).began == short.began
    assert chart(series=[errors(0.3, 0.3)]).began == ONSET[0] - build.LITTLE
    assert chart(series=[]).began == ONSET[0] - minutes(45)


def test_without_an_onset_it_is_about_the_alert() -> None:
    assert chart(onset=None).began == ALERT.starts_at - minutes(45)
    assert chart(onset=None).headline == "Around HighErrorRate"


def test_all_times_become_those_of_utc() -> None:
    here = datetime.now(UTC).astimezone().tzinfo
    view = chart(decided_at=NOW.astimezone(here), suspects=[change(7, 20)])

    assert {view.began.tzinfo, view.ended.tzinfo, view.marks[0].at.tzinfo} == {UTC}


def test_the_metric_that_turned_is_at_the_top_and_three_are_enough() -> None:
    of = [errors(1.0, metric=m) for m in (Metric.LOAD, Metric.OTHER, Metric.LATENCY)] + [STEP]

    def order(turned: Metric | None) -> list[Metric]:
        return [panel.metric for panel in chart(series=of, turned=turned).panels]

    assert order(None) == [Metric.ERRORS, Metric.LATENCY, Metric.LOAD]
    assert order(Metric.LOAD) == [Metric.LOAD, Metric.ERRORS, Metric.LATENCY]
    assert order(Metric.OTHER) == [Metric.OTHER, Metric.ERRORS, Metric.LATENCY]


def test_samples_outside_and_those_that_nobody_had_seen_are_left_out() -> None:
    late = replace(STEP, began=STEP.began + minutes(30))
    (panel,) = chart(series=[late]).panels
    moments = [at for at, _ in panel.measured()]

    assert moments[0] == ONSET[0] - minutes(45)
    assert moments[-1] == NOW


def test_what_is_no_number_is_a_gap() -> None:
    (panel,) = chart(series=[errors(0.1, nan, inf, -inf, 0.2)]).panels

    assert panel.values == (0.1, None, None, None, 0.2)
    assert panel.now == pytest.approx(0.15)


@pytest.mark.parametrize("values", [(), (nan,), (nan,) * 300])
def test_a_metric_without_a_number_says_nothing(values: tuple[float, ...]) -> None:
    view = chart(series=[errors(*values)], turned=Metric.ERRORS)

    assert view.panels[0].now is None
    assert view.headline == "Around HighErrorRate, trouble since 02:48–02:51"
    assert "errors not measured" in words.in_words(view)


def test_a_level_of_some_time_ago_is_not_that_of_now() -> None:
    assert chart(series=[errors(0.3, *[nan] * 20)]).panels[0].now is None


def test_versions_are_named_and_have_their_parts() -> None:
    own = [change(6, 40), change(7, 14), change(8, 5, content="content 6")]
    far = AppEnv("kb-search", "staging")
    view = chart(
        changes=[*own, change(3, 16, BEHIND), change(2, 10, far)],
        suspects=[change(7, 14)],
        candidate=change(6, 40),
    )

    assert [(mark.label, mark.role) for mark in view.marks] == [
        ("v6", Role.CANDIDATE),
        ("kb-search v3", Role.BEHIND),
        ("v7", Role.SUSPECT),
        ("kb-search@staging v2", Role.BEHIND),
        ("v8", Role.OWN),
    ]
    assert [words.flag(mark, NOW) for mark in view.marks if mark.role is not Role.BEHIND] == [
        *("v6 good", "v7 suspect", "↩ v8"),
    ]


def test_the_suspect_is_shown_though_nobody_listed_it() -> None:
    assert labels(chart(changes=[], suspects=[change(7, 14)])) == ["v7"]


def test_versions_before_and_after_are_not_shown() -> None:
    assert labels(chart(changes=[change(5, 100), change(6, 20), change(9, -1)])) == ["v6"]


def test_of_very_many_versions_those_near_the_onset_are_left() -> None:
    view = chart(changes=[change(n, n / 10) for n in range(500)], suspects=[change(400, 40)])

    assert len(view.marks) == build.MARKS
    assert min(view.marks, key=lambda mark: mark.rank).label == "v400"
    assert "v120" in labels(view)


def test_firings_that_meet_are_one_and_others_are_not_shown() -> None:
    ended = [Alert(HERE, ALERT.name, ago(40), ago(30)), Alert(HERE, ALERT.name, ago(35), ago(25))]
    other = [replace(ALERT, name="Other"), replace(ALERT, where=BEHIND)]
    old = Alert(HERE, ALERT.name, ago(400), ago(390))
    view = chart(alerts=[*ended, *other, old, ALERT])

    assert view.firings == (Firing(ago(40), ago(25)), Firing(ago(4), NOW, open=True))
    assert words.fired(view.firings, NOW) == "fired 2 times, now since 02:56"


def test_names_are_short_plain_and_on_one_line() -> None:
    where = AppEnv("a\x00\u202eb\n" + "n" * 5000 + "end", "$prod$")
    alert = replace(ALERT, where=where, name="\x1b[31m")
    view = chart_of(where, alert=alert, decided_at=NOW, series=[])

    assert view.where.startswith("ab nnnn")
    assert len(view.where) < 40
    assert view.alert == "[31m"
    assert view.where.isprintable()


def test_it_is_told_in_plain_words() -> None:
    view = chart(
        turned=Metric.ERRORS,
        usual={Metric.ERRORS: 0.012},
        changes=[change(8, 5)],
        suspects=[change(7, 14)],
    )

    assert view.headline == "Errors up to 30 % (usually 1.2 %) since 02:48–02:51"
    assert words.in_words(view) == (
        "Chart of support-triage@prod from 02:01 to 03:00 on 23 Nov 2026, UTC: "
        "errors usually 1.2 %, now 30 %. Trouble began 02:48–02:51; "
        "v7 (suspect) went live 02:46; other versions: v8 02:55; HighErrorRate fires since 02:56."
    )


def test_words_have_an_end() -> None:
    many = [change(n, n / 20, AppEnv("x" * 40 + str(n), "y" * 40)) for n in range(1, 60)]

    assert len(words.in_words(chart(changes=many, suspects=many[:20]))) <= 900


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *((0, "0"), (0.0123, "0.012"), (0.5, "0.5"), (0.9999, "1"), (1, "1"), (12.345, "12.3")),
        *((999.6, "1k"), (1234, "1.23k"), (-2.5e6, "−2.5M"), (3e16, "3e16"), (1e-9, "1e−09")),
    ],
)
def test_numbers_are_short(value: float, text: str) -> None:
    assert words.number(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from(Metric))
def test_any_number_can_be_told(value: float, metric: Metric) -> None:
    assert len(words.about(metric, value)) <= 12


def test_a_decision_is_charted_with_what_it_found() -> None:
    incident = Incident(
        ALERT,
        NOW,
        changes=[change(6, 900), change(7, 13), change(9, 30, AppEnv("stranger", "prod"))],
        series={HERE: [STEP, errors(*[1.2] * 300, metric=Metric.LATENCY)]},
    )
    decision = decide(incident)
    view = charted(incident, decision)

    assert decision.verdict is Verdict.GO_BACK
    assert [(mark.label, mark.role) for mark in view.marks] == [("v7", Role.SUSPECT)]
    assert view.headline.startswith("Errors up to 30 % (usually 1 %) since 02:5")
    assert view.panels[1].usual == pytest.approx(1.2)
