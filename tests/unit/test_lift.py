"""`lift`: what comes out for people seen always, once, never, by two cameras, in short and in long windows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from crowdstream.kernels.body.kinematics import forward_kinematics_np
from crowdstream.kernels.camera import CameraModel
from crowdstream.kernels.errors import ShapeError
from crowdstream.kernels.ground import Ground
from crowdstream.kernels.lifter.lift import Lifted, best_camera, fill_track, lift
from crowdstream.kernels.lifter.lifter import Lifter, LifterConfig
from crowdstream.kernels.solve.problem import WindowProblem
from crowdstream.stream.body_files import load_body

R_LEVEL = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
CENTRE = np.array([0.0, -9.0, 2.5])


def small_lifter(seed: int = 0) -> Lifter:
    """Random weights everywhere, so that every input counts."""
    torch.manual_seed(seed)
    lifter = Lifter(LifterConfig(width=16, heads=2, layers=1)).eval()
    with torch.no_grad():
        for weight in lifter.parameters():
            weight.add_(0.1 * torch.randn(weight.shape))
        body = load_body()
        lifter.joint_template_m.copy_(torch.from_numpy(body.joint_template_m))
        lifter.joint_shapedirs_m.copy_(torch.from_numpy(body.joint_shapedirs_m))
    return lifter


def camera(centre: np.ndarray = CENTRE) -> CameraModel:
    K = np.array([[900.0, 0.0, 640.0], [0.0, 900.0, 360.0], [0.0, 0.0, 1.0]])
    return CameraModel(K, R_LEVEL, -R_LEVEL @ centre, (1280, 720))


def problem(people: int = 3, slots: int = 64, cameras: int = 1, seed: int = 0) -> WindowProblem:
    random = np.random.default_rng(seed)
    shape = (cameras, people, slots)
    place = np.zeros((people, slots, 3), np.float32)
    place[..., 0] = np.linspace(-1.0, 1.0, slots) + np.arange(people)[:, None]
    views = tuple(camera(CENTRE + np.array([3.0 * c, 0.0, 0.0])) for c in range(cameras))
    points = np.stack([view.project(place + np.array([0.0, 0.0, 1.0])) for view in views])
    points = points[..., None, :] + random.normal(0.0, 40.0, (*shape, 17, 2))
    box = np.concatenate([points.min(-2), points.max(-2)], -1)
    f = np.float32
    return WindowProblem(
        window=0, slot0=0, t0_ns=0, person_ids=np.arange(people), cameras=views, ground=Ground(),
        present=np.ones((people, slots), bool), keypoints_px=points.astype(f),
        confidence=random.uniform(0.3, 1.0, (*shape, 17)).astype(f), box_px=box.astype(f),
        hvip_px=np.zeros((*shape, 2), f), hvip_sigma_px=np.zeros(shape, f), track_m=place,
    )  # fmt: skip


def assert_same(a: Lifted, b: Lifted, rows: slice = slice(None), slots: slice = slice(None)) -> None:
    for name in ("pose_rotvec", "transl_m", "sigma_rad", "sigma_root_m"):
        np.testing.assert_allclose(getattr(a, name)[rows, slots], getattr(b, name)[rows, slots], atol=2e-5)
    np.testing.assert_allclose(a.betas[rows], b.betas[rows], atol=2e-5)


def test_answers_are_finite_float32_of_the_problems_shape() -> None:
    out = lift(problem(2), small_lifter())
    assert out.pose_rotvec.shape == (2, 64, 24, 3) and out.transl_m.shape == (2, 64, 3)
    assert (
        out.betas.shape == (2, 10)
        and out.sigma_rad.shape == (2, 64, 22)
        and out.sigma_root_m.shape == (2, 64)
    )
    for name in Lifted.__dataclass_fields__:
        array = getattr(out, name)
        assert array.dtype == np.float32 and np.isfinite(array).all()
    assert (out.sigma_rad > 0).all() and not out.pose_rotvec[:, :, 22:].any()


def test_pelvis_of_the_body_is_where_the_network_says() -> None:
    lifter, asked = small_lifter(), problem(1)
    out = lift(asked, lifter)
    body = load_body()
    joints, _ = forward_kinematics_np(
        out.pose_rotvec[0].astype(float), out.betas[0].astype(float), out.transl_m[0].astype(float),
        body.joint_template_m, body.joint_shapedirs_m,
    )  # fmt: skip
    with torch.no_grad():
        rest = lifter.rest_joints(torch.from_numpy(out.betas)).numpy()
    np.testing.assert_allclose(joints[:, 0], out.transl_m[0] + rest[0, 0], atol=1e-5)


def test_everybody_is_lifted_by_themselves() -> None:
    lifter, asked = small_lifter(), problem(3)
    alone = replace(
        asked,
        person_ids=asked.person_ids[1:2],
        present=asked.present[1:2],
        track_m=asked.track_m[1:2],
        **{
            k: getattr(asked, k)[:, 1:2]
            for k in ("keypoints_px", "confidence", "box_px", "hvip_px", "hvip_sigma_px")
        },
    )
    whole, one = lift(asked, lifter), lift(alone, lifter)
    np.testing.assert_allclose(whole.pose_rotvec[1], one.pose_rotvec[0], atol=2e-5)
    np.testing.assert_allclose(whole.transl_m[1], one.transl_m[0], atol=2e-5)


def test_what_stands_in_absent_slots_does_not_matter() -> None:
    asked = problem(2)
    present = asked.present.copy()
    present[0, :20] = False
    clean = replace(asked, present=present)
    track, points = asked.track_m.copy(), asked.keypoints_px.copy()
    track[0, :20], points[:, 0, :20] = np.nan, np.inf
    assert_same(
        lift(clean, small_lifter()), lift(replace(clean, track_m=track, keypoints_px=points), small_lifter())
    )


def test_pixels_without_confidence_are_not_looked_at() -> None:
    asked = problem(1)
    confidence, points = asked.confidence.copy(), asked.keypoints_px.copy()
    confidence[0, 0, 5:9, 3:7] = 0.0
    points[0, 0, 5:9, 3:7] = np.nan
    blind = replace(asked, confidence=confidence)
    assert_same(lift(blind, small_lifter()), lift(replace(blind, keypoints_px=points), small_lifter()))


@pytest.mark.parametrize("slot", [0, 40, 63])
def test_one_sighting_is_enough(slot: int) -> None:
    asked = problem(1)
    confidence = np.zeros_like(asked.confidence)
    confidence[:, :, slot] = 0.9
    seen = lift(replace(asked, confidence=confidence), small_lifter())
    nothing = lift(replace(asked, confidence=0 * confidence), small_lifter())
    assert np.isfinite(seen.pose_rotvec).all() and np.isfinite(nothing.pose_rotvec).all()
    assert np.abs(seen.pose_rotvec - nothing.pose_rotvec).max() > 1e-3


def test_a_person_who_is_never_there_is_harmless() -> None:
    asked = problem(2)
    present = asked.present.copy()
    present[0] = False
    out = lift(replace(asked, present=present), small_lifter())
    assert np.isfinite(out.pose_rotvec).all() and np.isfinite(out.transl_m).all()
    np.testing.assert_allclose(out.pose_rotvec[1], lift(asked, small_lifter()).pose_rotvec[1], atol=2e-5)


def test_a_short_window_is_one_whose_end_nobody_saw() -> None:
    lifter, long = small_lifter(), problem(2)
    cut = {
        k: getattr(long, k)[:, :, :32]
        for k in ("keypoints_px", "confidence", "box_px", "hvip_px", "hvip_sigma_px")
    }
    short = replace(long, present=long.present[:, :32], track_m=long.track_m[:, :32], **cut)
    ended = long.present.copy()
    ended[:, 32:] = False
    assert_same(lift(short, lifter), lift(replace(long, present=ended), lifter), slots=slice(0, 32))


def test_longer_windows_than_the_networks_are_refused() -> None:
    with pytest.raises(ShapeError, match="at most 64"):
        lift(problem(1, slots=65), small_lifter())


def test_the_camera_that_sees_most_is_taken() -> None:
    asked = problem(2, cameras=2)
    confidence = asked.confidence.copy()
    confidence[0, 0] *= 0.2
    confidence[1, 1] = 0.0
    both = replace(asked, confidence=confidence)
    assert best_camera(both).tolist() == [1, 0]
    dark = confidence.copy()
    dark[0, 0] = 0.0
    assert_same(lift(both, small_lifter()), lift(replace(asked, confidence=dark), small_lifter()))


def test_gaps_of_a_track_take_the_nearest_place() -> None:
    track = np.arange(5, dtype=float)[None, :, None] * np.ones(3)
    present = np.array([[False, True, False, True, False]])
    assert fill_track(track, present)[0, :, 0].tolist() == [1.0, 1.0, 1.0, 3.0, 3.0]
    assert not fill_track(track, ~present & False).any()
