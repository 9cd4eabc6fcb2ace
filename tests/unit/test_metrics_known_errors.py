"""Hand-made errors give the values that a pencil gives, and the truth against itself is perfect."""

from __future__ import annotations

import json
from dataclasses import fields, replace

import numpy as np
import pytest

from crowdstream.kernels.errors import ShapeError
from crowdstream.kernels.metrics.author import score_author
from crowdstream.kernels.metrics.corrected import score_corrected
from crowdstream.kernels.metrics.examples import at_joints, standing_people
from crowdstream.kernels.metrics.people import People

SPOTS = [[0.0, 8.0, 0.0], [2.0, 9.0, 0.0], [-1.5, 12.0, 0.0], [0.7, 14.0, 0.0], [-3.0, 16.5, 0.0]]


def _walkers(num_frames: int = 12) -> People:
    """Five people walking apart from one another, limbs swinging, so that nothing is zero by accident."""
    crowd = standing_people(SPOTS, num_frames, step_m=(0.035, 0.004, 0.0))
    beat = np.sin(0.7 * np.arange(num_frames) + np.arange(5)[:, None])[..., None, None]
    swing = np.zeros((24, 3))
    swing[[4, 5, 7, 8, 20, 21], 1] = [0.1, -0.1, 0.15, -0.15, -0.08, 0.08]
    return at_joints(crowd.joints_m + beat * swing, crowd.ground_m)


def _moved(crowd: People, shift_m: list[float], rows: slice = slice(None)) -> People:
    joints, ground = crowd.joints_m.copy(), crowd.ground_m.copy()
    joints[rows] += np.array(shift_m)
    ground[rows] += np.array(shift_m)
    return replace(crowd, joints_m=joints, ground_m=ground)


def _only(crowd: People, rows: list[int]) -> People:
    arrays = ("person_ids", "present", "joints_m", "ground_m", "box_px", "keypoints_px", "visible", "soles_m")
    return replace(crowd, **{name: getattr(crowd, name)[rows] for name in arrays})


def test_truth_against_itself_is_perfect() -> None:
    crowd = _walkers()
    author, corrected = score_author(crowd, crowd), score_corrected(crowd, crowd)
    ones = ("pa_ppds", "ppds", "ss", "pcod", "pcod_sign_or_near", "pcdr", "oks", "score")
    for name in ones:
        assert getattr(author, name) == pytest.approx(1.0, abs=1e-9), name
    for name in (*ones[:-1], "oks_all", "precision", "recall", "f1"):
        assert getattr(corrected, name) == pytest.approx(1.0, abs=1e-9), name
    done = {
        *ones,
        "oks_all",
        "precision",
        "recall",
        "f1",
        "profile",
        "num_true",
        "num_predicted",
        "num_matched",
    }
    exempt = {"jitter", "jitter_true", "foot_sliding_mm", "rte_percent"}
    for scores in (author, corrected):
        for f in fields(scores):
            if f.name not in done | exempt:
                assert getattr(scores, f.name) == pytest.approx(0.0, abs=1e-6), f.name
    assert corrected.jitter == corrected.jitter_true > 0


def test_ten_centimetres_aside() -> None:
    crowd = _walkers()
    got = score_corrected(_moved(crowd, [0.06, 0.08, 0.0]), crowd)
    assert got.world_mpjpe_mm == pytest.approx(100.0)
    assert got.root_mm == pytest.approx(100.0)
    assert (got.ground_m, got.ground_median_m) == pytest.approx((0.1, 0.1))
    for name in ("mpjpe_mm", "pa_mpjpe_mm", "wa_mpjpe_mm", "w_mpjpe_mm", "rte_mm", "accel", "velocity_m_s"):
        assert getattr(got, name) == pytest.approx(0.0, abs=1e-6), name
    assert got.ppds == pytest.approx(1.0)
    author = score_author(_moved(crowd, [0.06, 0.08, 0.0]), crowd)
    assert author.gmpjpe_mm == pytest.approx(100.0)
    assert author.mpjpe_mm == pytest.approx(0.0, abs=1e-6)


def test_a_world_too_large_shows_in_ppds_and_ss_only() -> None:
    crowd = _walkers()
    large = replace(crowd, joints_m=1.05 * crowd.joints_m, ground_m=1.05 * crowd.ground_m)
    for got in (score_author(large, crowd), score_corrected(large, crowd)):
        assert got.ppds == pytest.approx(0.95)
        assert got.pa_ppds == pytest.approx(1.0)
        assert got.ss == pytest.approx(1 / 1.05)
        assert got.pa_mpjpe_mm == pytest.approx(0.0, abs=1e-6)
        assert got.mpjpe_mm > 10.0


def test_one_frame_off_in_one_joint() -> None:
    crowd = _walkers()
    joints = crowd.joints_m.copy()
    joints[2, 5, 20] += [0.0, 0.0, 0.24]  # a wrist, of 24 joints, in one of 60 person-frames
    got = score_corrected(replace(crowd, joints_m=joints), crowd)
    assert got.mpjpe_mm == pytest.approx(240.0 / 24 / 60)
    assert got.world_mpjpe_mm == pytest.approx(240.0 / 24 / 60)
    # second differences: 1, -2, 1 in 3 of 50 runs; third: 1, 3, 3, 1 in 4 of 45
    assert got.accel == pytest.approx((1 + 2 + 1) * 240.0 / 24 / 50)
    assert got.jerk == pytest.approx((1 + 3 + 3 + 1) * 240.0 / 24 / 45)
    assert got.velocity_m_s == pytest.approx(30 * 2 * 0.240 / 24 / 55)
    assert got.accel_m_s2 == pytest.approx(got.accel * 1e-3 * 900)
    assert got.accel_root == got.jerk_root == got.velocity_root_m_s == 0.0


def test_the_missing_are_charged_by_the_authors_and_counted_apart_by_us() -> None:
    crowd = _walkers()
    found = _only(crowd, [0, 1, 2, 3])
    author, corrected = score_author(found, crowd), score_corrected(found, crowd)
    for name in ("mpjpe_mm", "pa_mpjpe_mm", "wa_mpjpe_mm", "w_mpjpe_mm"):
        assert getattr(author, name) == pytest.approx(150.0 / 5), name
    for name in ("ppds", "pa_ppds", "pcod", "oks"):
        assert getattr(author, name) == pytest.approx(0.8), name
    assert author.accel == pytest.approx(0.0)
    assert corrected.mpjpe_mm == pytest.approx(0.0, abs=1e-6)
    assert (corrected.precision, corrected.recall, corrected.f1) == pytest.approx((1.0, 0.8, 8 / 9))


def test_who_is_not_there_is_charged_by_the_nominal_rule_alone() -> None:
    """One of five people is away for half of the time: a perfect result is perfect, nominally 150 mm x 6 of 60."""
    crowd = _walkers()
    present = crowd.present.copy()
    present[0, :6] = False
    gone = replace(crowd, present=present)
    got = score_author(gone, gone)
    assert got.wa_mpjpe_mm == pytest.approx(0.0, abs=1e-6) == got.w_mpjpe_mm
    assert got.wa_nominal_mpjpe_mm == pytest.approx(15.0)
    assert got.w_nominal_mpjpe_mm == pytest.approx(15.0)


def test_invented_people_cost_precision_and_redundancy() -> None:
    crowd = _walkers()
    truth = _only(crowd, [0, 1, 2, 4])
    got, author = score_corrected(crowd, truth), score_author(crowd, truth)
    assert (got.precision, got.recall) == pytest.approx((0.8, 1.0))
    assert (got.rp, author.rp) == pytest.approx((1.25 - 1.02, 1.25 - 1.02))
    assert author.score == pytest.approx(1.0 - 0.5 * 0.23)


def test_depth_swapped_is_wrong_in_every_rule() -> None:
    truth = standing_people([[0.0, 8.0, 0.0], [1.0, 9.0, 0.0]])
    joints, ground = truth.joints_m.copy(), truth.ground_m.copy()
    joints[..., 1] = 17.0 - joints[..., 1]
    got = score_corrected(replace(truth, joints_m=joints, ground_m=ground), truth)
    assert got.pcod == got.pcod_sign_or_near == got.pcdr == 0.0
    assert score_author(replace(truth, joints_m=joints), truth).pcod == 0.0


def test_the_authors_depth_order_mixes_torso_and_ground() -> None:
    """Two people abreast, one leaning towards the camera: a perfect prediction is wrong by the strict rule."""
    truth = standing_people([[0.0, 8.0, 0.0], [1.0, 8.05, 0.0]])
    joints = truth.joints_m.copy()
    joints[1, :, 12:, 1] -= 0.4
    leaning = replace(truth, joints_m=joints)
    assert score_author(leaning, leaning).pcod == 0.0
    assert score_author(leaning, leaning).pcod_sign_or_near == score_corrected(leaning, leaning).pcod == 1.0


def test_sliding_feet_are_measured_where_the_true_ones_stand() -> None:
    truth = standing_people(SPOTS[:2], num_frames=5)
    drift = np.arange(5)[:, None, None] * np.array([0.004, 0.003, 0.0])
    slid = replace(truth, soles_m=truth.soles_m + drift)
    assert score_corrected(slid, truth).foot_sliding_mm == pytest.approx(5.0)
    walking = replace(truth, soles_m=truth.soles_m + 10 * drift)
    assert np.isnan(score_corrected(slid, walking).foot_sliding_mm)
    blind = replace(truth, soles_m=np.zeros((0, 0, 0, 3)))
    assert np.isnan(score_corrected(blind, truth).foot_sliding_mm)


def test_root_drift_in_per_cent_of_the_path() -> None:
    truth = standing_people(SPOTS[:1], num_frames=41, step_m=(0.05, 0.0, 0.0))  # 2 m
    longer = replace(truth, joints_m=truth.joints_m * np.array([1.1, 1.0, 1.0]))
    # after the rigid fit the samples are off by 10 % of their distance from the middle: 5 cm on average of 2 m
    off = 0.1 * np.abs(np.arange(41) - 20) * 0.05
    got = score_corrected(longer, truth)
    assert got.rte_percent == pytest.approx(100 * off.mean() / 2.0, rel=1e-6)
    assert got.rte_mm == pytest.approx(1e3 * off.mean(), rel=1e-6)
    still = standing_people(SPOTS[:1], num_frames=41)
    assert np.isnan(score_corrected(still, still).rte_percent)


def test_identity_switches_do_not_count_as_acceleration() -> None:
    crowd = _walkers()
    swapped = _only(crowd, [0, 1, 2, 3, 4])
    arrays = ("joints_m", "ground_m", "box_px", "keypoints_px", "soles_m")
    for name in arrays:
        value = getattr(swapped, name)
        value[[0, 1], 8:] = value[[1, 0], 8:]
    got = score_corrected(swapped, crowd)
    assert got.recall == 1.0
    assert got.accel == pytest.approx(0.0, abs=1e-9)


def test_scores_are_json_with_the_promised_keys() -> None:
    crowd = _walkers()
    author, corrected = score_author(crowd, crowd), score_corrected(crowd, crowd)
    wanted = {"pa_ppds", "ppds", "ss", "pcod", "oks", "rp", "mpjpe_mm", "pa_mpjpe_mm", "wa_mpjpe_mm", "w_mpjpe_mm",
              "accel", "profile"}  # fmt: skip
    for scores in (author, corrected):
        plain = json.loads(json.dumps(scores.as_dict(), allow_nan=False))
        assert wanted <= set(plain)
        assert set(plain) == {f.name for f in fields(scores)}
    assert (author.profile, corrected.profile) == ("author", "corrected")


def _nobody(crowd: People) -> People:
    return replace(crowd, present=np.zeros_like(crowd.present))


@pytest.mark.parametrize("case", ["none predicted", "none true", "nobody", "no rows", "no frames"])
def test_nobody_to_compare(case: str) -> None:
    crowd = _walkers(4)
    empty, bare = _nobody(crowd), standing_people([], num_frames=4)
    none = standing_people(SPOTS, num_frames=0)
    predicted, truth = {
        "none predicted": (empty, crowd),
        "none true": (crowd, empty),
        "nobody": (empty, empty),
        "no rows": (bare, bare),
        "no frames": (none, none),
    }[case]
    author, corrected = score_author(predicted, truth), score_corrected(predicted, truth)
    assert corrected.num_matched == author.num_matched == 0
    assert all(np.isnan(v) for v in (corrected.ppds, corrected.mpjpe_mm, corrected.accel, corrected.oks))
    if case == "none predicted":
        assert author.mpjpe_mm == author.wa_mpjpe_mm == 150.0
        assert author.ppds == author.pcod == author.oks == 0.0
        assert corrected.recall == 0.0 and np.isnan(corrected.precision)
    else:
        assert np.isnan(author.mpjpe_mm) and np.isnan(author.ppds)
    json.dumps([author.as_dict(), corrected.as_dict()], allow_nan=False)


def test_one_person_has_a_pose_but_no_place() -> None:
    crowd = standing_people(SPOTS[:1], num_frames=4)
    author, corrected = score_author(crowd, crowd), score_corrected(crowd, crowd)
    assert all(np.isnan(s.ppds) and np.isnan(s.pcod) and np.isnan(s.ss) for s in (author, corrected))
    assert author.mpjpe_mm == pytest.approx(0.0, abs=1e-9)
    assert corrected.pa_mpjpe_mm == pytest.approx(0.0, abs=1e-6)


def test_a_frame_without_a_pair_scores_nothing_of_its_share() -> None:
    """Two frames; in the second nobody is found: the authors' mean over frames halves."""
    crowd = standing_people(SPOTS, num_frames=2)
    present = crowd.present.copy()
    present[:, 1] = False
    got = score_author(replace(crowd, present=present), crowd)
    assert (got.ppds, got.pa_ppds, got.oks) == pytest.approx((0.5, 0.5, 0.5))
    assert got.mpjpe_mm == pytest.approx(75.0)


def test_numbers_that_are_none_count_as_absent() -> None:
    crowd = _walkers()
    joints = crowd.joints_m.copy()
    joints[0, :6, 3] = np.nan
    joints[1, 2, 0, 0] = np.inf
    got = score_corrected(replace(crowd, joints_m=joints), crowd)
    assert got.num_predicted == got.num_matched == 60 - 7
    assert got.mpjpe_mm == pytest.approx(0.0, abs=1e-6)
    assert score_author(crowd, replace(crowd, joints_m=joints)).num_true == 60 - 7


def test_keypoints_that_are_none_hurt_only_their_own_similarity() -> None:
    crowd = _walkers(2)
    px = crowd.keypoints_px.copy()
    px[0, 0, :4] = np.nan
    lost = replace(crowd, keypoints_px=px)
    assert score_corrected(lost, crowd).oks_all == pytest.approx((9 + 13 / 17) / 10)  # predicted: counts 0
    assert score_corrected(crowd, lost).oks_all == pytest.approx(1.0)  # true: left out


def test_different_frames_are_refused() -> None:
    with pytest.raises(ShapeError, match="2 predicted frames at 30 Hz with 3 true"):
        score_author(standing_people(SPOTS, 2), standing_people(SPOTS, 3))
    with pytest.raises(ShapeError, match="one frame axis"):
        score_corrected(replace(standing_people(SPOTS, 2), rate_hz=25.0), standing_people(SPOTS, 2))
