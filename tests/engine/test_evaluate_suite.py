"""The smoke suite as CI runs it: a crowd from nothing, evaluated, and kept for the next time."""

from __future__ import annotations

from pathlib import Path

from crowdstream.lab.bench.suite import run_smoke, suite_metrics
from crowdstream.lab.evaluate.question import Question


def test_smoke(tmp_path: Path) -> None:
    question = Question("replay", costs="none")
    metrics = {m.key: m.value for m in suite_metrics(run_smoke(tmp_path, question), "smoke")}
    assert metrics["smoke.all.corrected.recall"] > 0.8
    assert metrics["smoke.all.corrected.mpjpe_mm"] < 150.0
    assert metrics["smoke.all.corrected.ground_m"] < 0.5
    kept = [path.stat().st_mtime_ns for path in sorted(tmp_path.rglob("motion.npz"))]
    again = {m.key: m.value for m in suite_metrics(run_smoke(tmp_path, question), "smoke")}
    assert [path.stat().st_mtime_ns for path in sorted(tmp_path.rglob("motion.npz"))] == kept
    assert {k: v for k, v in again.items() if ".speed." not in k} == {
        k: v for k, v in metrics.items() if ".speed." not in k
    }
