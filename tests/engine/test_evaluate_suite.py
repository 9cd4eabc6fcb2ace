"""The smoke suite as CI runs it: a crowd from nothing, evaluated, and kept for the next time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from crowdstream.actors import solver
from crowdstream.actors.main import main
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
    monkeypatch.setattr(
        suite, "evaluate", lambda question, seen, keep: {"people": len(seen.motion.person_ids)}
    )
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


def _report(value: float) -> dict[str, Any]:
    counts = ("person_frames", "occluded_person_frames", "hidden_person_frames", "ignored_person_frames",
              "people_never_seen")  # fmt: skip
    report: dict[str, Any] = {
        "run": {"config": "live", "observations": "simulated", "calibration": "given", "seconds": 2.0},
        "counts": dict.fromkeys(counts, 10),
        "streaming": {"at_delay": {}},
    }
    for figure in suite.FIGURES:
        node = report
        for key in figure.path[:-1]:
            node = node.setdefault(key, {})
        node[figure.path[-1]] = value
    return report


def test_rows_from_the_command_to_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fake(cache: Path, question: Question) -> list[suite.SuiteCase]:
        return [suite.SuiteCase("plaza_high", _report(40.0 + len(question.without)))]

    monkeypatch.setattr(suite, "run_smoke", fake)
    monkeypatch.setattr(solver, "compile_in_another_process", lambda: None)
    page = tmp_path / "page.md"
    with pytest.raises(SystemExit) as ended:
        main(["bench", "suite", "--smoke", "--rows", "all", "--docs", str(page), "--json"])
    assert ended.value.code == 0
    metrics = {m["key"]: m["value"] for m in json.loads(capsys.readouterr().out)["metrics"]}
    assert metrics["smoke.all.author.mpjpe_mm"] == 40.0
    assert metrics["smoke.without-lifter.author.mpjpe_mm"] == 41.0
    assert metrics["smoke.without-both.occluded.author.mpjpe_mm"] == 42.0
    text = page.read_text()
    assert (
        "| without both | 4200.0 | 4200.0 | 42.0 |" in text
        and "| **full** | 4000.0 | 4000.0 | 40.0 |" in text
    )

    with pytest.raises(SystemExit) as ended:
        main(["bench", "suite", "--smoke", "--rows", "without-gravity"])
    assert ended.value.code == 2
    assert "without-lifter" in capsys.readouterr().err
