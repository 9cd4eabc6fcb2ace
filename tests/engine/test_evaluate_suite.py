"""The smoke suite as CI runs it: a crowd from nothing, evaluated, and kept for the next time."""

from __future__ import annotations

from pathlib import Path

import pytest

from crowdstream.lab.bench import suite
from crowdstream.lab.evaluate.question import Question


def test_smoke(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cases = suite.run_smoke(tmp_path, Question("replay", costs="none"))
    metrics = {m.key: m.value for m in suite.suite_metrics(cases, "smoke")}
    assert metrics["smoke.all.corrected.recall"] > 0.8
    assert metrics["smoke.all.corrected.mpjpe_mm"] < 150.0
    assert metrics["smoke.all.corrected.ground_m"] < 0.5

    made: list[Path] = []
    monkeypatch.setattr(suite, "_fingerprint", lambda *_: next(tmp_path.iterdir()).name.partition("-")[2])
    monkeypatch.setattr(suite, "make_crowd", lambda config, folder, *_: made.append(folder))
    monkeypatch.setattr(suite, "evaluate", lambda question, seen: {"people": len(seen.motion.person_ids)})
    assert suite.run_smoke(tmp_path)[0].report["people"] >= 8
    assert made == []


def test_what_decides_a_crowd_decides_its_name(tmp_path: Path) -> None:
    names = {
        suite._fingerprint(suite.SUITE[0], None, ("high",)),
        suite._fingerprint(suite.SUITE[1], None, ("high",)),
        suite._fingerprint(suite.SUITE[0], None, ("high", "low")),
    }
    (tmp_path / "index.csv").write_text("clip\n")
    names.add(suite._fingerprint(suite.SUITE[0], tmp_path, ("high",)))
    assert len(names) == 4
