"""`crowdstream virtualcrowd`: from a seed to a folder, figures of what came out, and one line for what is wrong."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from crowdstream.actors.main import main
from crowdstream.lab.virtualcrowd.check import check_crowd, in_picture
from crowdstream.lab.virtualcrowd.draw import COLOURS_BGR, draw_truth
from crowdstream.lab.virtualcrowd.store import load_crowd
from crowdstream.lab.virtualcrowd.truth import Visibility

SMALL = ("--people", "6", "--seconds", "2", "--size", "720p", "--fps", "10", "--set", "warm_up_s=3")


def command(*words: object) -> int:
    """Exit code of a command line."""
    with pytest.raises(SystemExit) as done:
        main(["virtualcrowd", *map(str, words)])
    return int(done.value.code or 0)


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both cameras of a small crowd of drawn motion."""
    folder = tmp_path_factory.mktemp("crowds") / "a"
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("CROWDSTREAM_MOCAP", raising=False)
        assert command("make", "-o", folder, *SMALL, "--view", "both") == 0
    return folder


def test_the_same_seed_makes_the_same_bytes(
    crowd: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CROWDSTREAM_MOCAP", raising=False)
    assert command("make", "-o", tmp_path / "b", *SMALL, "--view", "both") == 0
    assert digests(tmp_path / "b") == digests(crowd)
    assert command("make", "-o", tmp_path / "c", *SMALL, "--view", "both", "--seed", "1") == 0
    other = digests(tmp_path / "c")
    assert all(other[name] != digest for name, digest in digests(crowd).items())


def test_frames_lie_where_the_rate_puts_them(crowd: Path) -> None:
    made = load_crowd(crowd)
    assert made.camera_names == ("high", "low")
    for name in made.camera_names:
        view = made.view(name)
        assert view.t_ns.tolist() == [100_000_000 * k for k in range(20)]
        assert view.camera.size_px == (1280, 720)
        assert np.array_equal(made.sightings(name).t_ns, view.t_ns)


def test_figures_of_the_truth(crowd: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("check", crowd, "--json") == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures == json.loads(json.dumps(check_crowd(crowd)))
    made = load_crowd(crowd)
    assert figures["crowd.person_frames"] == int(made.motion.present.sum())
    assert figures["motion.procedural"] == 1.0 and figures["motion.captured"] == 0.0
    assert figures["motion.slide_mm"] < 3.0 and figures["motion.sunk_p95_mm"] < 20.0
    inside = in_picture(made.view("high"))
    assert figures["high.people_in_picture"] == pytest.approx(inside.sum(axis=0).mean())
    assert figures["high.height_px_p10"] <= figures["high.height_px_median"] <= figures["high.height_px_p90"]


def test_pictures_show_joints_where_the_truth_has_them(crowd: Path, tmp_path: Path) -> None:
    assert command("check", crowd, "--draw", tmp_path / "pictures") == 0
    pictures = sorted((tmp_path / "pictures").glob("*.png"))
    assert len(pictures) == 6
    view = load_crowd(crowd).view("high")
    frame = int(pictures[0].stem.rpartition("_")[2])
    drawn = draw_truth(np.zeros((720, 1280, 3), np.uint8), view, frame)
    assert cv2.imread(str(pictures[0])).shape == drawn.shape
    visible = COLOURS_BGR[Visibility.VISIBLE]
    at = view.keypoints_px[:, frame][view.visibility[:, frame] == Visibility.VISIBLE].round().astype(int)
    at = at[(at >= 4).all(axis=1) & (at < [1276, 716]).all(axis=1)]
    hits = [bool((drawn[y - 3 : y + 4, x - 3 : x + 4] == visible).all(axis=-1).any()) for x, y in at]
    assert len(hits) > 20
    assert np.mean(hits) > 0.9  # a few lie under later people's


def test_a_perfect_detector_sees_the_truth(tmp_path: Path) -> None:
    assert command("make", "-o", tmp_path / "p", *SMALL, "--detector", "perfect") == 0
    figures = check_crowd(tmp_path / "p")
    assert figures["high.false_boxes_per_frame"] == 0.0
    assert figures["high.visible_keypoint_error_median_share_of_height"] == 0.0


def test_scenes_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert command("scenes") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["plaza", "station", "hillside", "terrace", "colonnade"]
    assert all(float(line.split()[1]) >= 2500.0 for line in lines)


def test_a_missing_renderer_is_said_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "embreex.mesh_construction", None)
    assert command("make", "-o", tmp_path / "r", *SMALL, "--render") == 1
    assert "pip install 'crowdstream[render]'" in capsys.readouterr().err
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("make -o x --scene moon", "plaza, station, hillside, terrace, colonnade"),
        ("make -o x --view above", "high, low"),
        ("make -o x --size 16k", "720p, 1080p, 4k, 8k"),
        ("make -o x --fps fast", "a number from 1 to 120"),
        ("make -o x --detector oracle", "tinypose_128"),
        ("make -o x --mocap nowhere", "no motion capture at nowhere"),
        ("make -o x --set childs=1", "children"),
        ("make -o x --set people=0", "people"),
        ("make -o taken", "holds files that are no virtual crowd"),
        ("check nowhere", "no virtual crowd at nowhere"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    words: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "thesis.txt").write_text("precious")
    small = SMALL if words.startswith("make") else ()
    defaults = [w for pair in zip(small[::2], small[1::2], strict=True) if pair[0] not in words for w in pair]
    assert command(*words.split(), *defaults) == 1
    err = capsys.readouterr().err.strip().splitlines()
    assert said in err[-1] and not any("Traceback" in line for line in err)
    assert (tmp_path / "taken" / "thesis.txt").read_text() == "precious"
    assert not (tmp_path / "x").exists()
