"""The command: what it prints, what it refuses, and in how many lines."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from crowdstream.actors.main import main
from crowdstream.lab.virtualcrowd.store import save_crowd, save_sightings, save_view

sys.path.insert(0, str(Path(__file__).parent))
from walkers import make_walkers

sys.path.pop(0)


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("crowd") / "walkers"
    made = make_walkers(people=3, slots=66)
    save_crowd(folder, made.motion, {})
    save_view(folder, made.view)
    save_sightings(folder, "high", made.sightings)
    return folder


def _fails(capsys: pytest.CaptureFixture[str], code: int, *arguments: str) -> str:
    with pytest.raises(SystemExit) as ended:
        main(["evaluate", *arguments])
    assert ended.value.code == code
    return " ".join(capsys.readouterr().err.replace("│", " ").split())


def test_json_has_what_was_promised(crowd: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["evaluate", str(crowd), "--observations", "truth", "--without", "amc", "--json"])
    assert ended.value.code == 0
    out = json.loads(capsys.readouterr().out)
    assert {"author", "corrected", "occluded", "identity", "streaming", "speed", "run", "counts"} <= set(out)
    for key in ("pa_ppds", "pcod", "mpjpe_mm", "pa_mpjpe_mm", "wa_mpjpe_mm", "w_mpjpe_mm", "accel"):
        assert isinstance(out["author"][key], float), key
    assert {"idf1", "mota", "hota"} <= set(out["identity"])
    assert out["run"]["scene"] == "walkers" and out["run"]["without"] == ["amc"]


def test_table_report_and_engine(crowd: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "report.html"
    with pytest.raises(SystemExit) as ended:
        main(["evaluate", str(crowd), "--config", "replay", "--html", str(page)])
    assert ended.value.code == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "author profile" in out and "DyCrowd" in out and "not public" in out and "person-frames" in out
    assert "walkers, high view" in page.read_text()


def test_mistakes_of_usage(crowd: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "motion-prior, lifter, group, amc, stitching" in _fails(capsys, 2, str(crowd), "--without", "vae")
    assert "hvip, contact" in _fails(capsys, 2, str(crowd), "--without-energy", "gravity")
    assert "simulated, rendered" in _fails(capsys, 2, str(crowd), "--observations", "dreamt")
    assert "one of them" in _fails(capsys, 2, str(crowd), "--result", "a", "--log", "b")


def test_what_is_not_there(crowd: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no virtual crowd" in _fails(capsys, 1, str(tmp_path / "nowhere"))
    assert "no virtual crowd" in _fails(capsys, 1, str(tmp_path))
    assert "it has high" in _fails(capsys, 1, str(crowd), "--camera", "low")
    assert "--render" in _fails(capsys, 1, str(crowd), "--observations", "rendered")
    assert "presets are" in _fails(capsys, 1, str(crowd), "--config", "fast")


def test_mot_text_against_mot_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [f"{f},{p},{100 * p + f},50,30,80,1,-1,-1,-1" for f in range(1, 21) for p in (1, 2)]
    truth, result = tmp_path / "truth.txt", tmp_path / "result.txt"
    truth.write_text("\n".join(rows) + "\n")
    result.write_text("\n".join(rows[:-2]) + "\n")  # one frame of two people missed
    with pytest.raises(SystemExit) as ended:
        main(["evaluate", str(truth), "--result", str(result), "--json"])
    assert ended.value.code == 0
    out = json.loads(capsys.readouterr().out)
    assert out["identity"]["misses"] == 2
    assert np.isclose(out["identity"]["mota"], 1 - 2 / 40) and np.isclose(
        out["identity"]["idf1"], 2 * 38 / 78
    )
    result.write_text("900,1,0,0,10,10,1,-1,-1,-1\n")
    assert "none in common" in _fails(capsys, 1, str(truth), "--result", str(result))
    assert "needs a result" in _fails(capsys, 2, str(truth))


def test_mot_text_against_a_crowd(crowd: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exact = crowd / "cameras" / "high" / "gt.txt"
    with pytest.raises(SystemExit):
        main(["evaluate", str(crowd), "--result", str(exact), "--json"])
    assert json.loads(capsys.readouterr().out)["identity"]["idf1"] == 1.0
    other = tmp_path / "other.txt"
    other.write_text("67,1,0,0,10,10,1,-1,-1,-1\n")
    assert "another clip" in _fails(capsys, 1, str(crowd), "--result", str(other))
