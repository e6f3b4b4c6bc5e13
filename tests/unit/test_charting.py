"""Charts as pixels: drawn apart, in time, whatever is in them, and with names that can be read."""

from __future__ import annotations

import asyncio
import os
import struct
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import nan
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bot.charting import apart, look, scale
from bot.charting.draw import figure, png, style
from bot.charting.flags import MOST, ROWS, Flag, Place, places
from bot.charting.glyphs import letters
from bot.domain.chart.build import chart_of
from bot.domain.chart.view import ChartView, Role
from bot.domain.verdict.incident import Alert, Change, Metric, Series
from store.records import AppEnv

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
HERE = AppEnv("support-triage", "prod")
ENDLESS = "import sys, time; sys.stdin.read(); time.sleep(600)"
HOSTILE = [
    "$x_1^{2}$",
    "$\\frac{",
    "%s{}\\",
    "\x00\x1b[31m\u202e",
    "日本語 عربي 😀",
    "n" * 5000,
    "",
]


def ago(count: float) -> datetime:
    return NOW - timedelta(minutes=count)


def change(
    number: int, before: float, where: AppEnv = HERE, *, content: str = "", drift: bool = False
) -> Change:
    late = timedelta(minutes=5 * drift)
    return Change(where, number, ago(before), content or f"content {number}", late)


def series(metric: Metric, values: list[float]) -> Series:
    return Series(metric, ago(len(values) - 1), timedelta(minutes=1), values)


def chart(where: AppEnv = HERE, **given: Any) -> ChartView:
    usual: dict[str, Any] = {
        "alert": Alert(where, "HighErrorRate", ago(4)),
        "decided_at": NOW,
        "series": [series(Metric.ERRORS, [0.01] * 110 + [0.3] * 10)],
        "onset": (ago(12), ago(9)),
        "turned": Metric.ERRORS,
        "usual": {Metric.ERRORS: 0.01},
    }
    return chart_of(where, **{**usual, **given})


def drawn(view: ChartView) -> Figure:
    with style(view) as found:
        return figure(view, found)


def texts(made: Figure) -> list[str]:
    made.canvas.draw()
    return [t.get_text() for axes in made.axes for t in axes.texts]


def heights(line: Line2D) -> list[float]:
    return [float(value) for value in np.asarray(line.get_ydata())]


def size(content: bytes) -> tuple[int, int]:
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", content[16:24])
    return width, height


async def test_a_process_apart_draws_the_same_picture() -> None:
    view = chart(suspects=[change(7, 14)])
    content = await apart.chart_apart(view)

    assert content is not None
    assert content == png(view)
    width, height = size(content)
    assert width == 720  # two pixels for each of a phone
    assert 400 < height < 900


async def test_the_process_apart_gets_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEYTURN_SECRET_KEY", "k" * 40)
    seen = {"not": "called"}
    real = asyncio.create_subprocess_exec

    async def spawn(*words: str, env: dict[str, str], **more: Any) -> asyncio.subprocess.Process:
        seen.clear()
        seen.update(env)
        return await real(*words, env=env, **more)

    monkeypatch.setattr(asyncio, "create_subprocess_exec", spawn)
    assert await apart.chart_apart(chart()) is not None

    assert seen == {}


async def test_one_that_never_ends_is_killed_and_is_no_chart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(apart, "LIMIT_S", 0.2)
    started: list[asyncio.subprocess.Process] = []
    real = asyncio.create_subprocess_exec

    async def spawn(*words: str, **more: Any) -> asyncio.subprocess.Process:
        started.append(await real(sys.executable, "-c", ENDLESS, **more))
        return started[0]

    monkeypatch.setattr(asyncio, "create_subprocess_exec", spawn)

    assert await apart.chart_apart(chart()) is None
    with pytest.raises(ProcessLookupError):
        os.kill(started[0].pid, 0)


async def test_without_room_for_a_process_there_is_no_chart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def spawn(*words: str, **more: Any) -> asyncio.subprocess.Process:
        raise BlockingIOError("no more processes")

    monkeypatch.setattr(asyncio, "create_subprocess_exec", spawn)

    assert await apart.chart_apart(chart()) is None


async def test_what_cannot_be_drawn_is_no_chart_and_the_log_says_why(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert await apart.chart_apart(replace(chart(), ended=ago(1e6), began=ago(1e6))) is None

    assert "ZeroDivisionError" in caplog.records[-1].__dict__["why"]


def test_the_service_starts_without_matplotlib() -> None:
    code = "import sys, bot.app, bot.charting.apart; sys.exit('matplotlib' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_version_has_its_name_and_its_line() -> None:
    behind = AppEnv("kb-search", "prod")
    own = [change(6, 40), change(7, 14), change(8, 5, content="content 6")]
    made = drawn(chart(changes=[*own, change(3, 25, behind)], suspects=own[1:2], candidate=own[0]))

    assert sorted(texts(made)) == [
        *("23 Nov 2026, UTC", "began", "kb-search v3", "v6 good", "v7 suspect", "↩ v8"),
    ]
    lines = [line for line in made.axes[1].lines if heights(line) == [0, 1]]
    by_role = {role: [line for line in lines if _is(line, looks)] for role, looks in _looks()}
    assert {role: len(found) for role, found in by_role.items()} == dict.fromkeys(Role, 1)
    assert len({(str(line.get_linestyle()), line.get_linewidth()) for line in lines}) == 4


def _looks() -> list[tuple[Role, look.Look]]:
    return list(look.MARKS.items())


def _is(line: Line2D, looks: look.Look) -> bool:
    same = to_rgb(line.get_color()) == to_rgb(looks.stem)
    return same and (line.get_linestyle() == "--") == (not isinstance(looks.dash, str))


def test_rollbacks_have_another_shape() -> None:
    ways = [change(1, 30), change(2, 20, content="content 1"), change(3, 10, drift=True)]
    made = drawn(chart(changes=ways))
    shapes = [line.get_marker() for line in made.axes[0].lines if line.get_marker() != "None"]

    assert len(set(shapes)) == 3


def test_no_name_is_over_another() -> None:
    many = [
        change(n, 60 - 1.7 * n, content="again" if n % 3 == 1 else "", drift=n % 3 == 2)
        for n in range(1, 30)
    ]
    made = drawn(chart(changes=many, suspects=[many[26]], candidate=many[25]))
    said = texts(made)
    boxes = [text.get_window_extent() for text in made.axes[0].texts]

    assert {"v27 suspect", "began"} <= set(said)
    assert any("v26 good" in text for text in said)
    assert f"{len(many) + 1 - len(boxes)} more versions" in said
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
    assert all(box.x0 >= 0 and box.x1 <= made.bbox.width for box in boxes)


@pytest.mark.parametrize("text", HOSTILE)
def test_any_name_is_drawn_as_it_is_and_nothing_warns(text: str) -> None:
    where = AppEnv(text, text)
    others = [change(n, 5 * n, AppEnv(text, "x")) for n in range(1, 9)]
    view = chart(
        where,
        alert=Alert(where, text, ago(4)),
        changes=others,
        suspects=[change(7, 14, where), *others[:2]],
    )

    width, _ = size(png(view))
    assert width == 720
    assert all(t.get_window_extent().x1 <= 720 for t in drawn(view).texts)


def test_a_letter_that_no_font_has_is_a_box() -> None:
    found = letters(["ab", "\U000f0000"])

    assert found.families[0] == "DejaVu Sans"
    assert found.shown("a\U000f0000b") == "a□b"


@pytest.mark.parametrize(
    "values",
    [
        [],
        [nan] * 60,
        [0.0] * 60,
        [5.0],
        [nan, 1.0, nan],
        [1e308, -1e308] * 30,
        [-3e6 + n for n in range(60)],
        [1e-300] * 60,
        [float(n % 7) if n % 50 > 20 else nan for n in range(11_000)],
    ],
    ids=["none", "gaps", "zeros", "one", "alone", "huge", "negative", "tiny", "many"],
)
def test_any_measurements_are_drawn(values: list[float]) -> None:
    of = [series(metric, values) for metric in Metric]
    onset = (ago(max(len(values) / 2, 12)), ago(9))

    for turned in Metric:
        assert size(png(chart(series=of, turned=turned, onset=onset)))[0] == 720


def test_gaps_stay_open_and_a_sample_alone_is_a_dot() -> None:
    values = [1.0] * 20 + [nan] * 3 + [2.0] + [nan] * 3 + [3.0] * 20
    made = drawn(chart(series=[series(Metric.LATENCY, values)], usual={}))
    line = next(one for one in made.axes[1].lines if len(heights(one)) > 2)
    dots = next(one for one in made.axes[1].lines if one.get_marker() == "o")

    assert sum(value != value for value in heights(line)) == 6
    assert heights(dots) == [2.0]


def test_without_measurements_the_versions_are_left() -> None:
    assert {"not measured", "v7 suspect"} <= set(
        texts(drawn(chart(series=[], suspects=[change(7, 14)])))
    )


@pytest.mark.parametrize(
    ("of", "unit"), [(Metric.ERRORS, " %"), (Metric.LATENCY, " s"), (Metric.LOAD, " /s")]
)
def test_axes_have_their_units_and_the_day_stands_once(of: Metric, unit: str) -> None:
    made = drawn(chart(series=[series(of, [0.2] * 60)]))
    made.canvas.draw()
    ticks = [label.get_text() for label in made.axes[1].get_yticklabels()]
    times = [label.get_text() for label in made.axes[-1].get_xticklabels()]

    assert ticks[0] == "0"
    assert all(text.endswith(unit) for text in ticks[1:])
    assert times[-1] == "03:00"
    assert len([text for text in texts(made) if "2026" in text]) == 1


@pytest.mark.parametrize("hours", [0.1, 1, 7, 30, 24 * 8, 24 * 400])
def test_few_round_times(hours: float) -> None:
    ticks = scale.times(NOW - timedelta(hours=hours), NOW)

    assert 2 <= len(ticks) <= scale.TICKS + 1
    assert len({text for _, text in ticks}) == len(ticks)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=5))
def test_an_axis_holds_its_values_and_has_few_levels(values: list[float]) -> None:
    bottom, top = scale.limits(values, 0.1)
    levels = scale.levels(bottom, top)

    assert bottom <= min((scale.shown(v) for v in values), default=0) <= top
    assert 2 <= len(levels) <= 6
    assert any(level == 0 for level in levels)


_FLAGS = st.lists(
    st.builds(
        Flag,
        x=st.floats(0, 300),
        width=st.floats(5, 290),
        rank=st.integers(0, 50),
        stem=st.booleans(),
    ),
    max_size=20,
)


@given(_FLAGS)
def test_names_have_room_and_the_most_telling_has_its_own(flags: list[Flag]) -> None:
    found = places(flags, 300)

    assert len(found) <= MOST
    assert bool(found) == bool(flags)
    if flags:
        assert min(flag.rank for flag in flags) in {flags[index].rank for index in found}
    for index, place in found.items():
        assert place.left >= 0
        assert place.left + flags[index].width <= 300.001
        assert 0 <= place.row < ROWS
        others = [other for other in found if other != index]
        assert not any(_covered(flags, found, index, other) for other in others)


def _covered(flags: list[Flag], found: dict[int, Place], one: int, other: int) -> bool:
    """Whether the name of *one* is over the name of *other*, or over its stem."""
    left, right = found[one].left, found[one].left + flags[one].width
    if found[one].row == found[other].row:
        return left < found[other].left + flags[other].width and found[other].left < right
    through = left + 1 < flags[other].x < right
    return found[one].row < found[other].row and flags[other].stem and through
