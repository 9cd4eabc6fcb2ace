"""The commands for the networks that look at pictures: what they print, refuse and leave out, each with one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from crowdstream.actors.main import main
from crowdstream.lab.perception.score.networks import find_network, load_pose
from crowdstream.lab.perception.score.prices import price_poses
from crowdstream.stream.models.catalogue import Role

DETECTOR, POSE = "rtmdet_nano_person_dyn.onnx", "pp_tinypose_128x96.onnx"


def ends(code: int, *arguments: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["evaluate", *arguments])
    assert ended.value.code == code


@pytest.mark.parametrize("what", ["detector", "pose"])
def test_a_folder_that_is_not_there(what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ends(1, what, "--data", str(tmp_path / "nowhere"))
    told = capsys.readouterr()
    assert "is no folder" in told.err and "--data expects" in told.err and not told.out
    ends(1, what, "--data", str(tmp_path))
    assert "has no video/" in capsys.readouterr().err


@pytest.mark.parametrize("what", ["detector", "pose"])
def test_a_network_that_is_not_there(what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "video").mkdir()
    ends(1, what, "--data", str(tmp_path), "--models", str(tmp_path), "--network", "nobody.onnx")
    told = capsys.readouterr()
    assert "nobody.onnx" in told.err and told.err.count("\n") == 1


def test_the_data_folder_must_be_named(capsys: pytest.CaptureFixture[str]) -> None:
    ends(2, "detector")
    assert "--data" in capsys.readouterr().err


def test_a_bench_without_yardsticks_says_so(
    models_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tested = ["--detector", str(models_dir / DETECTOR), "--pose", str(models_dir / POSE)]
    with pytest.raises(SystemExit) as ended:
        main(["bench", "perception", "--data", str(tmp_path), "--models", str(tmp_path), *tested, "--json"])
    told = capsys.readouterr()
    assert ended.value.code == 0 and json.loads(told.out)["metrics"] == []
    assert told.err.count("skipped, no yardstick") == 2


@pytest.mark.data
def test_absent_clips_are_said(models_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "video").mkdir()
    folders = ["--data", str(tmp_path), "--models", str(models_dir), "--without-costs"]
    ends(0, "pose", *folders, "--network", POSE, "--json")
    out = json.loads(capsys.readouterr().out)
    assert all("no video/" in out[part]["absent"] for part in ("hall", "pets", "views"))
    assert out["run"]["floor"]["name"] == "pp-tinypose-128x96" and "absent" in out["costs"]
    ends(1, "detector", *folders, "--network", DETECTOR, "--pictures", str(tmp_path / "p"))
    assert "nothing to draw" in capsys.readouterr().err


@pytest.mark.data
def test_a_quarter_of_the_pixels_costs_less(models_dir: Path, tmp_path: Path) -> None:
    names = {"network": POSE, "yardstick": "pp_tinypose_256x192.onnx"}
    poses = {who: load_pose(find_network(Role.POSE, name, [models_dir])) for who, name in names.items()}
    network, yardstick = price_poses(tmp_path, poses, None, rounds=1)["rows"]
    assert yardstick["ratio"] == 1.0 and 0.05 < network["ratio"] < 0.6


@pytest.mark.data
def test_the_yardstick_on_the_annotated_clip(
    data_dir: Path, models_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = ["--data", str(data_dir), "--models", str(models_dir)]
    ends(0, "detector", *folders, "--network", DETECTOR, "--every", "200", "--without-costs", "--json")
    out = json.loads(capsys.readouterr().out)
    network, yardstick = out["pets"]["rows"]
    assert network["at"]["recall"] >= 0.85 and network["ap"] == pytest.approx(yardstick["ap"], abs=1e-6)
    at = {row["input"]: row["at"] for row in out["hall"]["rows"] if row["who"] == "network"}
    assert at["960x540"]["found"] == 1.0 and at["960x540"]["false"] == 0.0  # held against itself
    assert at["640x360"]["found"] < 1.0
