"""A benchmark figure as a typed thing: with a unit, a direction, and a tolerance to be held against a baseline."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path


class Direction(StrEnum):
    """Which way is better."""

    HIGHER = "higher"
    LOWER = "lower"
    NEITHER = "neither"
    """Reported, never gated (e.g. a plain duration on a shared machine)."""


@dataclass(frozen=True)
class Metric:
    """One measured figure."""

    key: str
    """Dotted name, unique in a suite: `solve.live.mpjpe_mm`."""
    value: float
    unit: str
    direction: Direction = Direction.NEITHER
    rel_tol: float = 0.1
    """Share of the baseline by which it may be worse."""
    abs_tol: float = 0.0
    """And by how much in its own unit."""

    def regressed(self, baseline: float) -> bool:
        """Worse than the baseline by more than both tolerances together."""
        slack = abs(baseline) * self.rel_tol + self.abs_tol
        if self.direction is Direction.HIGHER:
            return self.value < baseline - slack
        if self.direction is Direction.LOWER:
            return self.value > baseline + slack
        return False


def load_baseline(path: Path) -> dict[str, float]:
    """Key -> value of a committed baseline; empty where there is none."""
    if not path.is_file():
        return {}
    rows = json.loads(path.read_text())["metrics"]
    return {row["key"]: float(row["value"]) for row in rows}


def save_baseline(path: Path, metrics: Sequence[Metric], machine: Mapping[str, object]) -> None:
    """Write a new baseline; a deliberate act. Figures of suites that were not run are kept."""
    kept = json.loads(path.read_text())["metrics"] if path.is_file() else []
    fresh = {metric.key: asdict(metric) for metric in metrics}
    rows = [row for row in kept if row["key"] not in fresh] + list(fresh.values())
    rows.sort(key=lambda row: str(row["key"]))
    path.write_text(json.dumps({"machine": dict(machine), "metrics": rows}, indent=1) + "\n")


def regressions(metrics: Sequence[Metric], baseline: Mapping[str, float]) -> list[str]:
    """One line per figure that got worse."""
    return [
        f"{m.key}: {m.value:.4g} {m.unit}, baseline {baseline[m.key]:.4g} ({m.direction} is better)"
        for m in metrics
        if m.key in baseline and m.regressed(baseline[m.key])
    ]
