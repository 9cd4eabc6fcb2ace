"""A figure regresses only in the direction that is worse, and only beyond its tolerances."""

from __future__ import annotations

from pathlib import Path

import pytest

from crowdstream.lab.bench.metric import Direction, Metric, load_baseline, regressions, save_baseline


@pytest.mark.parametrize(
    ("direction", "value", "worse"),
    [
        (Direction.HIGHER, 89.0, True),
        (Direction.HIGHER, 91.0, False),
        (Direction.HIGHER, 200.0, False),
        (Direction.LOWER, 111.0, True),
        (Direction.LOWER, 109.0, False),
        (Direction.LOWER, 1.0, False),
        (Direction.NEITHER, 1e9, False),
    ],
)
def test_direction_and_tolerance(direction: Direction, value: float, worse: bool) -> None:
    assert Metric("k", value, "ms", direction, rel_tol=0.1).regressed(100.0) is worse


def test_absolute_slack_adds() -> None:
    assert not Metric("k", 0.4, "px", Direction.LOWER, rel_tol=0.0, abs_tol=0.5).regressed(0.0)


def test_baseline_round_trip_keeps_other_suites(tmp_path: Path) -> None:
    path = tmp_path / "baseline.json"
    save_baseline(path, [Metric("a.x", 1.0, "s"), Metric("b.y", 2.0, "s")], {"cores": 2})
    save_baseline(path, [Metric("b.y", 3.0, "s")], {"cores": 2})
    assert load_baseline(path) == {"a.x": 1.0, "b.y": 3.0}


def test_regressions_name_the_figure() -> None:
    (line,) = regressions([Metric("a", 5.0, "px", Direction.LOWER), Metric("new", 1.0, "s")], {"a": 1.0})
    assert line.startswith("a: 5 px, baseline 1")
