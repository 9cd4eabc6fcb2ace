"""The bench of refining: what it shows the engine, and what it makes of two kinds of run."""

from __future__ import annotations

from typing import Any

import numpy as np

from crowdstream.lab.bench.refine import FPS, PillarCrowd, run_refine


def test_every_other_walker_is_hidden_once_for_some_seconds_and_comes_back() -> None:
    crowd = PillarCrowd(people=10, seconds=24.0)
    walkers = crowd.walkers
    seen = np.stack([crowd.seen(walkers, index) for index in range(walkers.frames)], axis=1)
    assert seen[0::2].all()
    for row in seen[1::2]:
        lost, back = np.flatnonzero(np.diff(row.astype(int)))
        assert 2.0 <= (back - lost) / FPS <= 6.0 and row[0] and row[-1]


def summary(p95_ms: float, busy: int = 0) -> dict[str, Any]:
    tier = {"p50": 10.0, "p95": p95_ms}
    return {
        "latency_ms": {"live": tier, "window": tier}, "drops": {"solver_busy": busy} if busy else {}, "windows": 4,
        "refine": {"windows": 3, "revisions": 2}, "stage_seconds": {"refine": 1.0}, "elapsed_s": 4.0,
    }  # fmt: skip


def test_runs_take_turns_and_ratios_are_with_over_without() -> None:
    order: list[bool] = []

    def run(refined: bool) -> dict[str, Any]:
        order.append(refined)
        return summary(110.0 if refined else 100.0)

    found = {metric.key: metric.value for metric in run_refine(run, rounds=2)}
    assert order == [False, True, True, False]
    assert np.isclose(found["refine.window_p95_ratio"], 1.1)
    assert found["refine.windows_refined_share"] == 0.75 and found["refine.busy_share"] == 0.25


def test_a_machine_that_cannot_keep_up_anyway_is_named() -> None:
    told: list[str] = []
    run_refine(lambda refined: summary(1.0, busy=0 if refined else 2), 1, told.append)
    assert "cannot keep up" in told[-1]
    run_refine(lambda refined: summary(1.0), 1, told.clear() or told.append)  # type: ignore[func-returns-value]
    assert "cannot keep up" not in told[-1]
