"""`models list` and `doctor`: which networks a run would use, why, and what would be stronger."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from crowdstream.actors.commands import doctor as doctor_command
from crowdstream.actors.main import main
from crowdstream.stream.inference.probe import ProbeVerdict
from crowdstream.stream.models.catalogue import CATALOGUE, Role, entry_by_name
from crowdstream.stream.models.figures import FIGURES, stronger
from crowdstream.stream.models.folder import ModelFile
from crowdstream.stream.models.shipped import SHIPPED


@pytest.fixture(params=[True, False], ids=["whole", "stripped"])
def whole(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> bool:
    """An install with its networks, and one without; no GPU in either."""
    weights = tmp_path / "weights"
    weights.mkdir()
    (tmp_path / "models").mkdir()
    if request.param:
        for entry in SHIPPED:
            (weights / entry.file).write_bytes(b"x")
    monkeypatch.setattr("crowdstream.stream.models.folder.shipped_folder", lambda: weights)
    monkeypatch.setattr("crowdstream.actors.commands.models.gpu_driver_present", lambda: False)
    monkeypatch.setattr(doctor_command, "probe_tensorrt", lambda: ProbeVerdict(False, "no GPU"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return bool(request.param)


def says(arguments: str, capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    with pytest.raises(SystemExit) as caught:
        main(arguments.split())
    assert not caught.value.code
    said = capsys.readouterr()
    return said.out, said.err


def listed(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(says("models list --models models --json", capsys)[0])
    return found


def test_the_list_names_everything_once_and_says_what_is_used_and_why(
    whole: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    found = listed(capsys)
    assert [row["name"] for row in found["models"]] == [e.name for e in (*SHIPPED, *CATALOGUE)]
    in_use = {row["name"] for row in found["models"] if row["used"]}
    assert in_use == ({e.name for e in SHIPPED} if whole else set())
    for role in ("detector", "pose"):
        if whole:
            assert found["in_use"][role]["why"].startswith("ships with crowdstream")
            assert "crowdstream models pull" in found["stronger"][role]["command"]
            assert found["stronger"][role]["command"].endswith("--models models")
        else:
            assert "crowdstream models pull" in found["in_use"][role]["error"]
            assert found["stronger"] == {}


def test_what_was_pulled_is_in_use_and_unknown_files_are_only_mentioned(
    whole: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    best = max((e for e in CATALOGUE if e.role == Role.DETECTOR), key=lambda e: e.rank)
    (Path("models") / best.file).write_bytes(b"x")
    (Path("models") / "mine.onnx").write_bytes(b"x")
    found = listed(capsys)
    rows = {row["name"]: row for row in found["models"]}
    assert rows[best.name]["used"] and rows[best.name]["here"]
    assert rows["crowdstream-detector"]["here"] is whole and not rows["crowdstream-detector"]["used"]
    assert found["unnamed"] == ["mine.onnx"] and "detector" not in found["stronger"]
    out, _ = says("models list --models models", capsys)
    assert f"detector in use: {best.name} (" in out and "mine.onnx is not of the catalogue" in out


def test_reid_networks_are_never_in_use(whole: bool, capsys: pytest.CaptureFixture[str]) -> None:
    for entry in CATALOGUE:
        (Path("models") / entry.file).write_bytes(b"x")
    assert not any(row["used"] for row in listed(capsys)["models"] if row["role"] == "reid")


def test_the_table_says_why_and_what_next(whole: bool, capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = says("models list --models models", capsys)
    if whole:
        assert "pose in use: crowdstream-pose (ships with crowdstream; no stronger pose in models)" in out
        assert "-> a stronger pose network: rtmpose-t" in out
    else:
        assert "pose in use: none: no pose network in models" in out


def test_the_doctor_says_what_a_stronger_choice_would_bring(
    whole: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    found = json.loads(says("doctor --models models --json", capsys)[0])
    _, said = says("doctor --models models", capsys)
    if whole:
        assert found["networks"]["pose"]["name"] == "crowdstream-pose"
        assert "detector: crowdstream-detector (ships with crowdstream; " in said
        line = next(line for line in said.splitlines() if "rtmpose-t" in line)
        assert "keypoint AP 65.9" in line and "crowdstream models pull rtmpose-t --models models" in line
    else:
        assert "error" in found["networks"]["detector"]
        assert any(line.startswith("no detector network") for line in found["advice"])


def test_the_doctor_finds_a_damaged_file(whole: bool, capsys: pytest.CaptureFixture[str]) -> None:
    entry = next(e for e in CATALOGUE if e.role == Role.POSE and e.sha256)
    (Path("models") / entry.file).write_bytes(b"half")
    found = json.loads(says("doctor --models models --json", capsys)[0])
    assert any("sha256 differs" in line for line in found["advice"])


def test_pulling_what_ships_is_refused(whole: bool, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["models", "pull", "crowdstream-pose", "--models", "models"])
    assert caught.value.code == 1
    assert "never downloaded" in capsys.readouterr().err and not list(Path("models").iterdir())


# --- the figures ------------------------------------------------------------------------------------------


def test_figures_are_of_networks_that_there_are() -> None:
    assert set(FIGURES) <= {e.name for e in (*SHIPPED, *CATALOGUE)}
    assert {e.name for e in SHIPPED} <= set(FIGURES)


@pytest.mark.parametrize("gpu", [True, False])
@pytest.mark.parametrize("role", [Role.DETECTOR, Role.POSE])
def test_advice_goes_up_can_be_followed_and_ends(role: Role, gpu: bool) -> None:
    for entry in (*SHIPPED, *CATALOGUE):
        if entry.role != role:
            continue
        better = stronger(ModelFile(Path(entry.file), role, entry, ""), gpu)
        if better is not None:
            assert better.role == role and better.rank > entry.rank and better.url is not None
            assert stronger(ModelFile(Path(better.file), role, better, ""), gpu) is None
        else:
            assert entry not in SHIPPED


def test_of_an_unknown_file_nothing_is_said() -> None:
    assert stronger(ModelFile(Path("mine.onnx"), Role.POSE, None, ""), gpu=False) is None
    assert entry_by_name("rtmpose-t") is not None
