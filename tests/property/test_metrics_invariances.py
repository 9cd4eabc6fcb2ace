"""What each metric must not see, and what it must."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from crowdstream.kernels.metrics.alignment import fit_similarity
from crowdstream.kernels.metrics.author import score_author
from crowdstream.kernels.metrics.corrected import score_corrected
from crowdstream.kernels.metrics.depth_order import OrderRule, order_right
from crowdstream.kernels.metrics.examples import at_joints, standing_people
from crowdstream.kernels.metrics.joint_sets import H36M_14
from crowdstream.kernels.metrics.people import People
from crowdstream.kernels.metrics.placement import place_frames, scale_score
from crowdstream.kernels.metrics.pose import pelvis_errors, rigid_errors, similarity_errors, world_errors
from crowdstream.kernels.metrics.trajectory import root_errors, stretch_errors

SEED = st.integers(0, 2**32 - 1)
FEW = settings(max_examples=6, deadline=None)
MANY = settings(max_examples=20, deadline=None)


def _poses(rng: np.random.Generator, count: int) -> np.ndarray:
    return rng.normal(size=(count, 24, 3)) * [0.3, 0.3, 0.6] + rng.normal(size=(count, 1, 3)) * 20


def _move(rng: np.random.Generator, points: np.ndarray, scale: float = 1.0) -> np.ndarray:
    turned = points @ Rotation.random(rng=rng).as_matrix().T
    return scale * turned + rng.normal(size=3) * 10


def _crowd(rng: np.random.Generator, num_people: int = 6, num_frames: int = 7) -> tuple[People, People]:
    """A true crowd and a noisy prediction of it, with gaps, in another order of rows."""
    spots = np.stack(
        [rng.uniform(-6, 6, num_people), rng.uniform(8, 25, num_people), np.zeros(num_people)], 1
    )
    base = standing_people(spots.tolist(), num_frames, step_m=(0.03, 0.01, 0.0))
    swing = rng.normal(0, 0.02, base.joints_m.shape)
    truth = at_joints(base.joints_m + swing, base.ground_m)
    noise = rng.normal(0, 0.02, base.joints_m.shape) + rng.normal(0, 0.03, (num_people, num_frames, 1, 3))
    found = at_joints(truth.joints_m + noise, truth.ground_m + noise[:, :, 0])
    seen = rng.random((num_people, num_frames, 17)) < 0.7
    truth = replace(truth, visible=seen, present=rng.random((num_people, num_frames)) < 0.9)
    found = replace(found, present=rng.random((num_people, num_frames)) < 0.9)
    return _shuffled(found, rng.permutation(num_people)), truth


def _shuffled(people: People, order: np.ndarray) -> People:
    rows = ("person_ids", "present", "joints_m", "ground_m", "box_px", "keypoints_px", "visible", "soles_m")
    return replace(people, **{name: getattr(people, name)[order] for name in rows})


@MANY
@given(SEED, st.floats(0.3, 3.0))
def test_pose_errors_and_their_alignments(seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    x, y = _poses(rng, 3), _poses(rng, 3)
    for joints in (np.arange(24), H36M_14):
        pa, rt = similarity_errors(x, y, joints), rigid_errors(x, y, joints)
        np.testing.assert_allclose(similarity_errors(_move(rng, x, scale), y, joints), pa, rtol=1e-9)
        np.testing.assert_allclose(rigid_errors(_move(rng, x), y, joints), rt, rtol=1e-9)
        shift = rng.normal(size=(3, 1, 3))
        np.testing.assert_allclose(
            pelvis_errors(x + shift, y, joints), pelvis_errors(x, y, joints), rtol=1e-9
        )
    both = _move(rng, np.stack([x, y]))
    np.testing.assert_allclose(world_errors(both[0], both[1]), world_errors(x, y), rtol=1e-9)


@MANY
@given(SEED)
def test_more_freedom_never_adds_squared_error(seed: int) -> None:
    """Least squares are ordered; the mean distances that are reported need not be."""
    rng = np.random.default_rng(seed)
    y = _poses(rng, 4)
    x = y + rng.normal(0, 0.05, y.shape) + rng.normal(0, 0.5, (4, 1, 3))

    def squared(moved: np.ndarray) -> np.ndarray:
        return ((moved - y) ** 2).sum(axis=(1, 2))

    scaled, rigid = (squared(fit_similarity(x, y, scaled).apply(x)) for scaled in (True, False))
    put_together = squared(x - x[:, :1] + y[:, :1])
    centred = squared(x - x.mean(axis=1, keepdims=True) + y.mean(axis=1, keepdims=True))
    slack = 1.0 + 1e-9
    assert (scaled <= slack * rigid).all()
    assert (rigid <= slack * centred).all() and (centred <= slack * put_together).all()
    assert (centred <= slack * squared(x)).all()


@MANY
@given(SEED)
def test_a_mirror_image_is_not_a_similarity(seed: int) -> None:
    rng = np.random.default_rng(seed)
    y = _poses(rng, 2)
    assert (similarity_errors(y * [-1.0, 1.0, 1.0], y) > 10.0).all()


@MANY
@given(SEED, st.floats(0.3, 3.0))
def test_placement_and_its_alignments(seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(5, 2, 3)) * 10, rng.normal(size=(5, 2, 3)) * 10
    matched = np.ones((5, 2), bool)
    one = place_frames(x, y, matched)
    rigid = place_frames(_move(rng, x), y, matched)
    similar = place_frames(_move(rng, x, scale), y, matched)
    np.testing.assert_allclose(rigid.ppds, one.ppds, rtol=1e-9)
    for other in (rigid, similar):
        np.testing.assert_allclose(other.pa_ppds, one.pa_ppds, rtol=1e-9)
    np.testing.assert_allclose(similar.scale * scale, one.scale, rtol=1e-9)
    exact = place_frames(_move(rng, y, scale), y, matched)
    np.testing.assert_allclose(exact.pa_ppds, 1.0)
    np.testing.assert_allclose(exact.ppds, max(0.0, 1.0 - abs(scale - 1.0)), atol=1e-9)
    np.testing.assert_allclose(scale_score(exact.scale), min(scale, 1.0 / scale), atol=1e-8)


@MANY
@given(SEED)
def test_depth_order_rules_contain_one_another(seed: int) -> None:
    rng = np.random.default_rng(seed)
    predicted, true = rng.normal(size=(2, 30))
    for rule in OrderRule:
        right = order_right(predicted, true, rule)
        np.testing.assert_array_equal(order_right(-predicted, -true, rule), right)
        np.testing.assert_array_equal(order_right(true, true, rule), np.ones(30, bool))
    near = order_right(predicted, true, OrderRule.SIGN_OR_NEAR)
    for stricter in (OrderRule.STRICT, OrderRule.THREE_CLASS):
        right = order_right(predicted, true, stricter)
        assert near[right].all(), stricter


@MANY
@given(SEED, st.floats(0.5, 2.0))
def test_whole_tracks_and_their_alignments(seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    y = _poses(rng, 1) + np.cumsum(rng.normal(0, 0.1, (9, 1, 3)), axis=0) + rng.normal(0, 0.05, (9, 24, 3))
    x = y + rng.normal(0, 0.05, y.shape)
    starts = np.array([0, 4])
    moved = np.concatenate([_move(rng, x[:4], scale), _move(rng, x[4:], 1 / scale)])
    for fit_on in (None, 2):
        np.testing.assert_allclose(
            stretch_errors(moved, y, starts, fit_on), stretch_errors(x, y, starts, fit_on), rtol=1e-8
        )
    rigid = np.concatenate([_move(rng, x[:4]), _move(rng, x[4:])])
    np.testing.assert_allclose(
        stretch_errors(rigid, y, starts, freedom="rigid"),
        stretch_errors(x, y, starts, freedom="rigid"),
        rtol=1e-8,
    )
    roots = [root_errors(z[:, 0], y[:, 0], starts) for z in (rigid, x)]
    np.testing.assert_allclose(roots[0], roots[1], rtol=1e-7, atol=1e-10)
    assert root_errors(1.1 * y[:, 0], y[:, 0], starts).max() > 1e-3  # rigid: scale is an error


@FEW
@given(SEED)
def test_motion_sees_no_lower_derivative(seed: int) -> None:
    """A wrong place is no velocity error, a wrong constant velocity no acceleration error, and so on."""
    rng = np.random.default_rng(seed)
    _, truth = _crowd(rng)
    time = np.arange(truth.present.shape[1])[:, None, None]
    names = ("velocity_m_s", "accel", "jerk")
    for order in range(3):
        drift = 0.01 * time**order * rng.normal(size=3)
        found = replace(truth, joints_m=truth.joints_m + drift)
        got = score_corrected(found, truth)
        for name in names[order:]:
            assert getattr(got, name) == pytest.approx(0.0, abs=1e-9), (order, name)
        for name in names[:order]:
            assert getattr(got, name) > 1e-4 or not np.isfinite(getattr(got, name)), (order, name)
        assert got.mpjpe_mm == pytest.approx(0.0, abs=1e-9)
        assert score_author(found, truth).accel == pytest.approx(0.0, abs=1e-9)


@FEW
@given(SEED)
def test_the_order_of_people_changes_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    found, truth = _crowd(rng)
    for score in (score_author, score_corrected):
        one = score(found, truth)
        other = score(_shuffled(found, rng.permutation(6)), _shuffled(truth, rng.permutation(6)))
        names = [f.name for f in fields(one) if f.name != "profile"]
        values = [[float(getattr(scores, name)) for name in names] for scores in (one, other)]
        np.testing.assert_allclose(values[1], values[0], rtol=1e-9, err_msg=str(names))


@FEW
@given(SEED)
def test_shares_are_shares_and_errors_are_positive(seed: int) -> None:
    rng = np.random.default_rng(seed)
    found, truth = _crowd(rng)
    for scores in (score_author(found, truth), score_corrected(found, truth)):
        for f in fields(scores):
            value = getattr(scores, f.name)
            if isinstance(value, float) and np.isfinite(value):
                assert value >= 0.0, f.name
        for name in ("ppds", "pa_ppds", "ss", "pcod", "pcdr", "oks", "rp"):
            assert 0.0 <= getattr(scores, name) <= 1.0, name


@FEW
@given(SEED)
def test_time_reversed_errors_are_the_same(seed: int) -> None:
    rng = np.random.default_rng(seed)
    found, truth = _crowd(rng)
    arrays = ("present", "joints_m", "ground_m", "box_px", "keypoints_px", "visible", "soles_m")
    back = [replace(p, **{name: getattr(p, name)[:, ::-1] for name in arrays}) for p in (found, truth)]
    one, other = score_corrected(found, truth), score_corrected(*back)
    for name in (
        "ppds",
        "mpjpe_mm",
        "accel",
        "jerk",
        "velocity_m_s",
        "wa_mpjpe_mm",
        "rte_mm",
        "seq_rt_mpjpe_mm",
    ):
        assert getattr(other, name) == pytest.approx(getattr(one, name), nan_ok=True), name
    assert score_author(*back).accel == pytest.approx(score_author(found, truth).accel, nan_ok=True)
