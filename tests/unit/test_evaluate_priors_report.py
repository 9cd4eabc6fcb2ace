"""The report on the priors: which recordings count, what stands in it, and that parts add up to the whole."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from crowdstream.kernels.errors import CrowdstreamError
from crowdstream.kernels.priors.motion_prior import MotionPrior, MotionPriorConfig
from crowdstream.lab.evaluate.priors import lifter_report
from crowdstream.lab.evaluate.priors.baselines import (
    Baselines,
    fit_baselines,
    learned_clips,
    load_baselines,
    save_baselines,
)
from crowdstream.lab.evaluate.priors.lifter_report import evaluate_lifter
from crowdstream.lab.evaluate.priors.motion import REST_M, score_answers
from crowdstream.lab.evaluate.priors.prior_report import Sampling, evaluate_prior
from crowdstream.lab.evaluate.priors.recordings import (
    choose,
    learned_by_shipped,
    learned_by_split,
    read_recordings,
    windows_at,
)
from crowdstream.lab.evaluate.priors.table import print_lifter, print_prior
from crowdstream.lab.evaluate.priors.window_pca import PcaAnswers
from crowdstream.lab.lifter.score import LifterScore
from crowdstream.lab.mocap import MocapClip
from crowdstream.lab.motion.track import motion_tracks
from crowdstream.lab.motion.windows import WindowBank

sys.path.insert(0, str(Path(__file__).parents[1]))
from tiny_mocap import write_mocap

sys.path.pop(0)

SAMPLING = Sampling(stride=8)
HIDDEN = [f"{kind}{n}" for kind in ("infill", "interp", "ppca_infill") for n in (16, 32, 48)]
MOTION = ("recon", "pca384", "lowerbody", "ppca_lowerbody", *HIDDEN)


def _clip(name: str, category: str, frames: int, seed: int = 0) -> MocapClip:
    random = np.random.default_rng(seed)
    t = np.arange(frames)[:, None, None] / 30
    pose = 0.3 * np.sin(random.uniform(1, 4, (24, 3)) * t + random.uniform(0, 6, (24, 3)))
    pose[:, 22:] = 0.0
    pelvis = np.stack([0 * t[:, 0, 0], 0.946 + 0 * t[:, 0, 0], 0.8 * t[:, 0, 0]], -1)
    return MocapClip(
        name, category, pose.astype(np.float32), pelvis.astype(np.float32), True, subject=name[:1]
    )


CLIPS = (_clip("a1", "walk", 80), _clip("b1", "dance", 64, 1), _clip("b2", "dance", 30, 2))


@pytest.fixture(scope="module")
def prior() -> MotionPrior:
    torch.manual_seed(0)
    sizes = MotionPriorConfig(
        width=16, heads=2, encoder_layers=1, decoder_layers=1, global_width=16, patch=16
    )
    network = MotionPrior(sizes).eval()
    network.rest_joints_m.copy_(REST_M)
    for parameter in network.parameters():
        parameter.data.add_(0.05 * torch.randn_like(parameter))
    return network


@pytest.fixture(scope="module")
def baselines() -> Baselines:
    return fit_baselines([_clip("c1", "walk", 90, 5), _clip("c2", "juggling", 70, 6)], stride=8)


@pytest.fixture(scope="module")
def report(prior: MotionPrior, baselines: Baselines) -> dict:
    chosen = choose(Path("somewhere"), CLIPS, None)
    return evaluate_prior(chosen, prior, baselines.pose, baselines, SAMPLING)


def test_every_figure_that_was_promised_is_there(report: dict) -> None:
    for part in (report, report["by_category"]["walk"]):
        for name in MOTION:
            assert isinstance(part["motion"][f"{name}_mpjpe_mm"], float), name
        assert isinstance(part["pose"]["recon_mpjpe_mm"], float)
        assert 0.0 <= part["contact"]["f1"] <= 1.0
    assert report["windows"] == 4 and report["frames"] == 174
    assert set(report["by_category"]) == {"walk", "dance"}


def test_categories_weighted_give_the_whole(report: dict) -> None:
    parts = list(report["by_category"].values())
    for group, weight in (("motion", "windows"), ("pose", "frames")):
        counts = [part[weight] for part in parts]
        assert sum(counts) == report[weight]
        for key, whole in report[group].items():
            if "p90" not in key:
                mean = np.average([part[group][key] for part in parts], weights=counts)
                assert mean == pytest.approx(whole, rel=1e-9), key


def test_a_pose_prior_beside_itself_is_its_own_baseline(report: dict) -> None:
    assert report["pose"]["recon_mpjpe_mm"] == report["pose"]["pca32_mpjpe_mm"] > 0.0


def test_without_baselines_their_figures_are_null_and_slerp_stays(
    prior: MotionPrior, baselines: Baselines, report: dict
) -> None:
    bare = evaluate_prior(choose(Path("x"), CLIPS, None), prior, baselines.pose, None, SAMPLING)
    for key, value in bare["motion"].items():
        assert value == (None if "pca" in key else report["motion"][key]), key
    assert bare["pose"]["pca32_mpjpe_mm"] is None
    assert bare["contact"] == report["contact"]


def test_a_limit_draws_windows_in_order_and_always_the_same() -> None:
    clip, first = windows_at(CLIPS, 1, 5, seed=3)
    assert len(clip) == 5 and (np.diff(clip * 1000 + first) > 0).all()
    again = windows_at(CLIPS, 1, 5, seed=3)
    assert np.array_equal(again[1], first)
    assert len(windows_at(CLIPS, 1, 500, seed=3)[0]) == 17 + 1


def test_what_was_learned_from_is_left_out() -> None:
    chosen = choose(Path("x"), CLIPS, learned_by_shipped(["a1", "other"]))
    assert [clip.name for clip in chosen.clips] == ["b1", "b2"]
    assert (chosen.learned_clips, chosen.learned_subjects, chosen.short) == (1, 1, 1)
    assert choose(Path("x"), CLIPS, None).learned_clips == 0
    with pytest.raises(CrowdstreamError, match="--all-subjects"):
        choose(Path("x"), CLIPS[:1], learned_by_shipped(["a1"]))
    with pytest.raises(CrowdstreamError, match="64 frames"):
        choose(Path("x"), CLIPS[2:], None)
    held = replace(CLIPS[0], subject="13")
    assert not learned_by_split(held) and learned_by_split(replace(held, subject="02"))


def test_the_shipped_baselines_know_nobody_who_is_held_back() -> None:
    shipped = load_baselines()
    assert learned_clips() == shipped.clips and len(shipped.clips) > 100
    for prefix in ("07_", "13_", "16_", "35_", "accad_m2"):
        assert not [name for name in shipped.clips if name.startswith(prefix)], prefix
    gram = shipped.motion.components @ shipped.motion.components.T
    assert (gram - torch.eye(384)).abs().max() < 1e-4
    assert (shipped.motion.variances.diff() <= 0).all()


def test_stored_baselines_answer_as_they_did(baselines: Baselines, tmp_path: Path) -> None:
    file = tmp_path / "b.npz"
    save_baselines(file, baselines)
    back = load_baselines(file)
    assert back.clips == ("c1", "c2")
    windows = WindowBank(motion_tracks(CLIPS[:1])).in_order(8)
    fresh, stored = (score_answers(PcaAnswers(b.motion), windows).mpjpe_mm for b in (baselines, back))
    for name, values in fresh.items():
        np.testing.assert_allclose(stored[name], values, rtol=0.03, atol=0.3)
    file.write_bytes(b"not an npz")
    for path in (file, tmp_path / "none.npz"):
        with pytest.raises(CrowdstreamError, match="--fit") as failed:
            load_baselines(path)
        assert "\n" not in str(failed.value)


@pytest.mark.parametrize(
    "wrong", ["nowhere", "no index", "empty", "columns", "number", "shard", "range", "nan"]
)
def test_bad_folders_are_told_in_one_line(tmp_path: Path, wrong: str) -> None:
    folder = write_mocap(tmp_path / "m", subjects=("02",), frames=70)
    index = folder / "index.csv"
    head, row = index.read_text().splitlines()
    match wrong:
        case "nowhere":
            folder = tmp_path / "none"
        case "no index":
            folder = tmp_path
            index.rename(folder / "other.csv")
            next((tmp_path / "m").glob("*.npz")).unlink()
        case "empty":
            index.write_text(head + "\n")
        case "columns":
            index.write_text("clip,subject\na,b\n")
        case "number":
            index.write_text(f"{head}\n{row.replace(',70,', ',seventy,')}\n")
        case "shard":
            next(folder.glob("*.npz")).write_bytes(b"junk")
        case "range":
            index.write_text(f"{head}\n{row.replace('.npz,0,', '.npz,500,')}\n")
        case "nan":
            shard = next(folder.glob("*.npz"))
            np.savez(shard, poses=np.full((70, 24, 3), np.nan), trans=np.zeros((70, 3)))
    with pytest.raises(CrowdstreamError) as failed:
        read_recordings(folder)
    assert "\n" not in str(failed.value) and str(tmp_path) in str(failed.value)


def test_a_folder_of_amass_is_read_as_well(tmp_path: Path) -> None:
    (tmp_path / "s1").mkdir()
    poses = 0.1 * np.random.default_rng(0).standard_normal((150, 156))
    np.savez(tmp_path / "s1" / "walk_poses.npz", poses=poses, trans=np.zeros((150, 3)), mocap_framerate=60.0)
    (clip,) = read_recordings(tmp_path)
    assert (clip.num_frames, clip.category, clip.subject) == (75, "walk", "s1")
    np.savez(tmp_path / "s1" / "other.npz", poses=poses)
    with pytest.raises(CrowdstreamError, match="trans"):
        read_recordings(tmp_path)


def test_lifter_windows_without_a_judged_slot_are_left_out(
    baselines: Baselines, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def fake(_: object, tracks: list, seed: int, stride: int) -> LifterScore:
        assert stride == 64 and all(track.num_frames == 64 for track in tracks)
        seen.append(seed)
        n = len(tracks)
        error = np.arange(10.0, 10.0 + n)
        error[0] = np.nan
        return LifterScore(
            error, 2 * error, 0.01 * error, tuple(t.category for t in tracks), error, error, error
        )

    monkeypatch.setattr(lifter_report, "score_lifter", fake)
    monkeypatch.setattr(lifter_report, "score_answers", fake)
    chosen = choose(Path("x"), CLIPS, None)
    report = evaluate_lifter(chosen, object(), baselines, SAMPLING)  # type: ignore[arg-type]
    assert report["windows"] == 4  # 10 (not judged), 11, 12 of the walk; 13 of the dance
    assert report["lifter"]["pa_mpjpe_mm"] == 12.0 and report["lifter"]["mean_pose_root_m"] == 0.12
    assert report["by_category"]["dance"]["lifter"]["mpjpe_mm"] == 26.0
    assert len(set(seen)) == 1  # baseline and lifter see the same
    bare = evaluate_lifter(chosen, object(), None, SAMPLING)["lifter"]  # type: ignore[arg-type]
    assert bare["mean_pose_mpjpe_mm"] is None and bare["mpjpe_mm"] == 24.0


def test_tables_hold_the_figures_in_80_columns(report: dict, capsys: pytest.CaptureFixture[str]) -> None:
    from rich.console import Console

    run = {"clips": 3, "subjects": ["a", "b"], "mocap": "x", "learned_clips": 2, "learned_subjects": 1}
    results = report | {"run": run | {"short_clips": 1}, "notes": []}
    print_prior(results, Console(width=80))
    out = capsys.readouterr().out
    assert f"{report['motion']['interp32_mpjpe_mm']:.1f}" in out and "dance" in out and "left out" in out
    lifter = {
        f"{who}{key}": 44.4 for who in ("", "mean_pose_") for key in ("pa_mpjpe_mm", "mpjpe_mm", "root_m")
    }
    lifter |= dict.fromkeys(("pa_mpjpe_p90_mm", "mpjpe_p90_mm", "root_p90_m"), 77.7)
    print_lifter(
        {"lifter": lifter, "windows": 5, "by_category": {}, **{"run": results["run"]}}, Console(width=80)
    )
    assert "44/44" in capsys.readouterr().out
