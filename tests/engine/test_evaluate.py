"""The evaluation from end to end: the truth against itself, errors made by hand, the engine on walkers, a log."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crowdstream.kernels.camera import CameraModel
from crowdstream.kernels.ground import Ground
from crowdstream.lab.evaluate.errors import EvaluateError
from crowdstream.lab.evaluate.perfect import published_truth
from crowdstream.lab.evaluate.published import LiveVersion, Published, WindowVersion
from crowdstream.lab.evaluate.question import Question, Seen, evaluate, report
from crowdstream.lab.evaluate.recorded import on_clip, published_in
from crowdstream.lab.evaluate.stages import Clip, run_stages
from crowdstream.stream.calibration_file import Calibration
from crowdstream.stream.wire.publish import PublishConfig, PublisherStage
from crowdstream.stream.wire.schema import CameraInfo, SiteSchema

sys.path.insert(0, str(Path(__file__).parent))
from walkers import make_walkers

sys.path.pop(0)

CROWD = make_walkers(people=4, slots=70)
SEEN = Seen(CROWD.motion, CROWD.view, CROWD.sightings)
TRUE = published_truth(CROWD.motion, CROWD.view)
QUESTION = Question("replay", costs="none")


@pytest.fixture(scope="module")
def run() -> Published:
    clip = Clip(
        CROWD.view.name, CROWD.view.camera.size_px, CROWD.view.num_frames,
        CROWD.sightings.observations(CROWD.view.name), Calibration(CROWD.view.camera, CROWD.view.ground, "file"),
    )  # fmt: skip
    return run_stages(clip, QUESTION.config(), "none")


def _numbers(tree: Any, path: str = "") -> dict[str, float]:
    if isinstance(tree, dict):
        out: dict[str, float] = {}
        for key, value in tree.items():
            out |= _numbers(value, f"{path}.{key}")
        return out
    return {path: float(tree)} if isinstance(tree, int | float) and not isinstance(tree, bool) else {}


def _moved(published: Published, shift_m: np.ndarray) -> Published:
    windows = [
        replace(
            v.solution, joints_m=v.solution.joints_m + shift_m, transl_m=v.solution.transl_m + shift_m,
            ground_m=v.solution.ground_m + shift_m,
        )
        for v in published.windows
    ]  # fmt: skip
    return replace(published, windows=tuple(WindowVersion(w, 0) for w in windows))


def test_truth_against_itself_is_faultless() -> None:
    got = evaluate(replace(QUESTION, observations="truth"), SEEN)
    for profile in ("author", "corrected"):
        for key, value in got[profile].items():
            if key in ("ppds", "pa_ppds", "ss", "pcod", "oks", "recall", "precision", "f1", "score"):
                assert value == pytest.approx(1.0, abs=1e-6), (profile, key)
            if key.endswith("mpjpe_mm") or key in ("accel", "jerk", "root_mm", "ground_m", "rte_mm", "rp"):
                assert value == pytest.approx(0.0, abs=1e-3), (profile, key)
    for key in ("idf1", "mota", "hota"):
        assert got["identity"][key] == got["identity"]["live"][key] == 1.0
        assert got["identity"]["ground"][key] == pytest.approx(1.0, abs=1e-6)
    assert got["identity"]["switches"] == 0
    assert got["streaming"]["coverage_bodies"] == 1.0
    assert got["streaming"]["mpjpe_mm"] < 1e-3 and got["streaming"]["false_versions"] == 0


def test_a_shift_is_an_error_of_place_and_of_nothing_else() -> None:
    got = report(QUESTION, SEEN, _moved(TRUE, np.array([0.06, 0.08, 0.0], np.float32)))["corrected"]
    assert got["world_mpjpe_mm"] == pytest.approx(100.0, abs=0.01)
    assert got["root_mm"] == pytest.approx(100.0, abs=0.01)
    assert got["ground_m"] == pytest.approx(0.1, abs=1e-5)
    for key in ("mpjpe_mm", "pa_mpjpe_mm", "wa_mpjpe_mm", "accel", "rte_mm"):
        assert got[key] == pytest.approx(0.0, abs=0.01), key
    assert got["recall"] == got["precision"] == 1.0
    assert got["ppds"] == pytest.approx(1.0, abs=1e-5)


def test_a_lost_person_costs_recall_and_150_mm() -> None:
    windows = [v.solution for v in TRUE.windows]
    fields = ("person_ids", "pose_rotvec", "betas", "transl_m", "joints_m", "ground_m", "confidence", "provenance",
              "reprojection_px", "status")  # fmt: skip
    fewer = [replace(w, **{k: getattr(w, k)[1:] for k in fields}) for w in windows]
    got = report(QUESTION, SEEN, replace(TRUE, windows=tuple(WindowVersion(w, 0) for w in fewer)))
    assert got["corrected"]["recall"] == pytest.approx(0.75)
    assert got["corrected"]["precision"] == 1.0 and got["corrected"]["mpjpe_mm"] < 1e-3
    assert got["author"]["mpjpe_mm"] == pytest.approx(150.0 / 4, abs=1e-3)
    assert got["author"]["ppds"] == pytest.approx(0.75, abs=1e-6)
    assert got["identity"]["idf1"] == 1.0, "tracks are scored on their own"


def test_names_that_change_half_way_are_two_switches() -> None:
    half = CROWD.view.num_frames // 2
    live = []
    for version in TRUE.live:
        frame = version.tracked
        ids = frame.person_ids.copy()
        if frame.index >= half:
            ids[[0, 1]] = ids[[1, 0]]
        live.append(LiveVersion(replace(frame, person_ids=ids), version.ready_ns))
    got = report(QUESTION, SEEN, replace(TRUE, live=tuple(live)))["identity"]
    assert got["switches"] == 2
    assert got["idf1"] == pytest.approx(0.75, abs=0.01)  # two of four people are right for half of the time
    assert got["mota"] == pytest.approx(1.0 - 2 / (4 * CROWD.view.num_frames))


def test_people_found_out_of_view_are_nobodys_error() -> None:
    boxes = CROWD.view.box_px.copy()
    boxes[0, :, [0, 2]] -= 2000.0
    seen = replace(SEEN, view=replace(CROWD.view, box_px=boxes))
    first = np.arange(4)[:, None] == 0
    moved = [np.where(first, boxes[0, k], v.tracked.boxes_px) for k, v in enumerate(TRUE.live)]
    live = tuple(
        LiveVersion(replace(v.tracked, boxes_px=box), 0) for v, box in zip(TRUE.live, moved, strict=True)
    )
    got = report(QUESTION, seen, replace(TRUE, live=live))
    assert got["counts"]["ignored_person_frames"] == CROWD.view.num_frames
    assert got["identity"]["mota"] == 1.0 and got["corrected"]["recall"] == 1.0


def test_another_name_for_the_same_world_changes_nothing() -> None:
    """A self-calibration that is right up to place and heading scores as if it had been given."""
    turn = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    away = np.array([4.0, -2.0, 0.0])
    true = CROWD.view.camera
    R = true.R_cam_world @ turn.T
    camera = CameraModel(true.K, R, true.t_cam_world_m - R @ away, true.size_px)
    windows = []
    for version in TRUE.windows:
        w = version.solution
        windows.append(WindowVersion(replace(
            w, joints_m=(w.joints_m @ turn.T + away).astype(np.float32),
            ground_m=(w.ground_m @ turn.T + away).astype(np.float32),
        ), 0))  # fmt: skip
    other = replace(
        TRUE,
        windows=tuple(windows),
        calibration=Calibration(camera, Ground(), "self"),
        given_calibration=False,
    )
    got = report(QUESTION, SEEN, other)
    assert got["corrected"]["world_mpjpe_mm"] < 0.01 and got["author"]["ppds"] == pytest.approx(1.0, abs=1e-4)
    assert got["calibration"]["focal_error_share"] == 0.0 and got["calibration"]["tilt_deg"] < 1e-4
    assert got["calibration"]["scale"] == pytest.approx(1.0, abs=1e-5)
    assert got["corrected_aligned"]["world_mpjpe_mm"] < 0.01


def test_the_engine_finds_walkers(run: Published) -> None:
    got = report(QUESTION, SEEN, run)
    assert got["corrected"]["recall"] == 1.0 and got["identity"]["ground"]["idf1"] > 0.95
    assert 1.0 < got["corrected"]["mpjpe_mm"] < 60.0 and got["corrected"]["ground_m"] < 0.1
    assert got["streaming"]["latency_ms"]["live"]["p95"] == 0.0, "nothing costs anything on this clock"
    assert got["streaming"]["at_delay"]["0.1 s"]["coverage"] > 0.9
    assert got["counts"]["person_frames"] == 4 * 70


def test_the_same_question_has_the_same_answer_only_later(run: Published) -> None:
    """Twice the same run; the second time work has a price, which changes when results are there, not what they are."""
    first, again = report(QUESTION, SEEN, run), evaluate(replace(QUESTION, costs="processor"), SEEN)
    for part in ("author", "corrected", "occluded", "identity", "counts"):
        assert _numbers(again[part]) == _numbers(first[part]), part
    late = again["streaming"]["latency_ms"]
    assert late["live"]["p50"] > 0.0 and late["window"]["p50"] > 0.0


def test_an_energy_left_out_is_missed(run: Published) -> None:
    got = evaluate(replace(QUESTION, without_energy=("reprojection",)), SEEN)
    # the lifter still reads the keypoints, so a solve without them is poor and not lost
    assert got["corrected"]["mpjpe_mm"] > 1.25 * report(QUESTION, SEEN, run)["corrected"]["mpjpe_mm"]
    assert got["run"]["without_energy"] == ["reprojection"]


def test_a_log_scores_what_its_run_scores(run: Published, tmp_path: Path) -> None:
    log, name = tmp_path / "run.cslog", CROWD.view.name
    camera = CameraInfo(name, CROWD.view.camera.size_px, 30.0, CROWD.view.camera)
    config = PublishConfig(listen="", session="test", clock="capture")
    stage = PublisherStage(config, name, SiteSchema(name, (camera,), CROWD.view.ground), log)
    stage.start()
    start_ns = 10**15  # a recording's clock begins where the run was told
    for version in run.live:
        t_ns = version.tracked.t_capture_ns + start_ns
        stage.push_live(replace(version.tracked, t_capture_ns=t_ns), t_ns)
    for version in run.late:
        stage.push_late(replace(version.tracked, t_capture_ns=version.tracked.t_capture_ns + start_ns))
    for window in run.windows:
        solution = replace(window.solution, t0_ns=window.solution.t0_ns + start_ns)
        stage.push_window(solution, {}, solution.t0_ns)
    stage.stop()
    read = on_clip(published_in(log), CROWD.view.t_ns, CROWD.view.camera.size_px, str(log))
    ours, theirs = report(QUESTION, SEEN, run), report(QUESTION, SEEN, read)
    for part in ("author", "corrected", "identity"):
        assert _numbers(theirs[part]) == pytest.approx(_numbers(ours[part]), abs=1e-4), part
    with pytest.raises(EvaluateError, match="another clip"):
        on_clip(published_in(log), CROWD.view.t_ns, (640, 480), "log")
    with pytest.raises(EvaluateError, match="another clip"):
        on_clip(published_in(log), CROWD.view.t_ns[:50], CROWD.view.camera.size_px, "log")
    with pytest.raises(EvaluateError, match="another clip"):
        on_clip(published_in(log), CROWD.view.t_ns * 3, CROWD.view.camera.size_px, "log")
