"""The drawings: scales, gaps, and that lengths are what the numbers say."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest

from crowdstream.lab.evaluate.plots import Axis, bar_chart, histogram, line_chart, plan, step_chart


def _paths(svg: str, style: str) -> list[list[tuple[float, float]]]:
    """Strokes of the path of a style, each from a move to the next."""
    data = next(e.attrib["d"] for e in ET.fromstring(svg).iter("path") if e.attrib["class"] == style)
    strokes = [s for s in data.replace(" ", ",").split("M") if s.strip(",")]
    return [[tuple(map(float, p.split(",")[:2])) for p in s.strip(",").split("L")] for s in strokes]  # type: ignore[misc]


def _bars(svg: str, style: str) -> list[dict[str, float]]:
    return [
        {k: float(e.attrib[k]) for k in ("x", "y", "width", "height")}
        for e in ET.fromstring(svg).iter("rect")
        if e.attrib["class"] == f"bar {style}"
    ]


@pytest.mark.parametrize(
    ("axis", "ticks"),
    [
        (Axis(0, 100, 0, 1), [0, 20, 40, 60, 80, 100]),
        (Axis(0, 0.7, 0, 1), [0, 0.2, 0.4, 0.6]),
        (Axis(-21, 26, 0, 1), [-20, -10, 0, 10, 20]),
        (Axis(0.1, 10, 0, 1, log=True), [0.1, 0.2, 0.5, 1, 2, 5, 10]),
        (Axis(1, 1e5, 0, 1, log=True), [1, 10, 100, 1000, 10000, 100000]),
    ],
)
def test_ticks_are_round_and_within(axis: Axis, ticks: list[float]) -> None:
    assert axis.ticks == pytest.approx(ticks)


def test_a_gap_in_the_values_lifts_the_pen() -> None:
    svg = line_chart([0, 1, 2, 3], {"a": [1.0, None, 2.0, float("nan")]}, title="t", x_label="x", y_label="y")
    assert [len(s) for s in _paths(svg, "line s0")] == [1, 1]
    svg = step_chart([0, 1, 2, 3], {"a": [1.0, None, 2.0]}, title="t", x_label="x", y_label="y")
    assert [len(s) for s in _paths(svg, "line s0")] == [2, 2]


def test_equal_ratios_are_equal_lengths_on_a_logarithmic_axis() -> None:
    svg = line_chart([0.1, 1, 10], {"a": [3.0, 3.0, 3.0]}, title="t", x_label="x", y_label="y", log_x=True)
    (a, b, c), *_ = _paths(svg, "line s0")
    assert b[0] - a[0] == pytest.approx(c[0] - b[0], abs=0.2)
    assert a[1] == b[1] == c[1]


def test_values_rise_to_the_top_of_the_scale() -> None:
    svg = line_chart([0, 1], {"a": [0.0, 100.0]}, title="t", x_label="x", y_label="y", y_max=100.0)
    (low, high), *_ = _paths(svg, "line s0")
    frame = re.search(r'class="axis" d="M[\d.]+ ([\d.]+)V([\d.]+)', svg)
    assert frame is not None
    assert (high[1], low[1]) == pytest.approx((float(frame[1]), float(frame[2])))


def test_bars_are_as_long_as_their_counts() -> None:
    bars = _bars(histogram([0, 1, 2, 4], [1, 3, 2], title="t", x_label="x", y_label="y"), "s0")
    assert [b["height"] / bars[0]["height"] for b in bars] == pytest.approx([1, 3, 2], rel=0.01)
    assert bars[2]["width"] == pytest.approx(2 * bars[1]["width"], rel=0.02)
    lying = _bars(bar_chart({"knee": 10.0, "head": None, "hand": 30.0}, title="t", unit="mm"), "s0")
    assert lying[1]["width"] == pytest.approx(3 * lying[0]["width"], rel=0.01)


def test_zero_has_a_bar_on_a_logarithmic_axis() -> None:
    bars = _bars(histogram([0, 1, 10], [5, 5], title="t", x_label="x", y_label="y", log_x=True), "s0")
    assert len(bars) == 2 and bars[0]["width"] > 10


def test_a_plan_has_one_scale_and_keeps_the_ends() -> None:
    square = [[0, 0], [10, 0], [10, 10], [0, 10]]
    svg = plan([square], [[[0.0, 0.0], [float("nan"), 0.0], [5.0, 5.0]]], title="t")
    (a, b, c, d), *_ = _paths(svg, "path true")
    assert b[0] - a[0] == pytest.approx(b[1] - c[1], abs=0.2)
    assert a[1] > d[1]  # y upwards
    assert [len(s) for s in _paths(svg, "path found")] == [1, 1]
    many = [[[float(k), float(k % 7)] for k in range(50_001)]]
    thinned = _paths(plan(many, [], title="t"), "path true")[0]
    assert len(thinned) <= 20_002
    assert thinned[-1][0] == pytest.approx(max(p[0] for p in thinned))


@pytest.mark.parametrize(
    "svg",
    [
        line_chart([], {}, title="t", x_label="x", y_label="y"),
        line_chart([1.0], {"a": [None]}, title="t", x_label="x", y_label="y", log_x=True),
        line_chart([0.0, 1.0], {"a": [0.0, 0.0]}, title="t", x_label="x", y_label="y"),
        step_chart([0, 0], {"a": [1.0]}, title="t", x_label="x", y_label="y", counts=[0]),
        histogram([1, 2], [0], title="t", x_label="x", y_label="y", log_x=True),
        bar_chart({}, title="t", unit="mm"),
        plan([], [], title="t"),
        plan([[[1, 1]]], [], title="t"),
    ],
)
def test_nothing_to_draw_is_still_a_drawing(svg: str) -> None:
    assert ET.fromstring(svg).tag == "svg"
