"""Laws of views: moving the world moves nothing in the picture, threads and resolution change nothing that matters."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import crowdstream.lab.virtualcrowd.view as view_module
from crowdstream.kernels.camera import CameraModel
from crowdstream.kernels.ground import Ground, GroundPlane
from crowdstream.lab.virtualcrowd.canvas import make_canvas, prism, steps
from crowdstream.lab.virtualcrowd.scene import Obstacle, Scene
from crowdstream.lab.virtualcrowd.truth import CrowdMotion, View, Visibility
from crowdstream.lab.virtualcrowd.view import draw_frame, look

sys.path.insert(0, str(Path(__file__).parents[1]))
from crowd_scenes import Body, camera_at, crowd_of, standing

sys.path.pop(0)

CAMERA = camera_at((1.0, -9.0, 2.5), (0.0, 0.5, 0.8), focal_px=400.0, size_px=(480, 320))
HUT = Obstacle("hut", "kiosk", np.array([[-1.0, -2.0], [0.5, -2.0], [0.5, -1.5], [-1.0, -1.5]]), 0.0, 1.1)


def people(seed: int, count: int = 8) -> tuple[Body, ...]:
    rng = np.random.default_rng(seed)
    spots = rng.uniform((-3.0, -4.0), (3.0, 4.0), (count, 2))
    return tuple(standing((x, y), yaw) for (x, y), yaw in zip(spots, rng.uniform(-3, 3, count), strict=True))


def seen(motion: CrowdMotion, camera: CameraModel = CAMERA, **options: int) -> View:
    return look(motion, camera, "test", np.array([0]), **options)


def moved(motion: CrowdMotion, by: np.ndarray) -> CrowdMotion:
    things = tuple(
        replace(thing, outline_m=thing.outline_m + by[:2], base_m=thing.base_m + by[2])
        for thing in motion.scene.obstacles
    )
    ground = Ground((GroundPlane(offset_m=float(by[2])),))
    scene = replace(motion.scene, obstacles=things, ground=ground, outline_m=motion.scene.outline_m + by[:2])
    shift = by.astype(np.float32)
    return replace(
        motion, scene=scene, transl_m=motion.transl_m + shift, joints_m=motion.joints_m + shift,
        ground_m=motion.ground_m + shift,
    )  # fmt: skip


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 1000), st.tuples(*[st.integers(-40, 40)] * 3))
def test_world_and_camera_moved_together_look_the_same(seed: int, quarters: tuple[int, int, int]) -> None:
    motion = crowd_of(*people(seed), obstacles=(HUT,))
    by = np.array(quarters) / 4.0
    shifted = replace(CAMERA, t_cam_world_m=CAMERA.t_cam_world_m - CAMERA.R_cam_world @ by)
    here, there = seen(motion), seen(moved(motion, by), shifted)
    np.testing.assert_allclose(here.box_px, there.box_px, atol=0.02)
    np.testing.assert_allclose(here.seen_share, there.seen_share, atol=0.03)
    assert (
        here.joint_visibility != there.joint_visibility
    ).mean() < 0.02  # float32 places, a pixel at a border


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 1000))
def test_order_of_people_changes_only_the_rows(seed: int) -> None:
    bodies = people(seed)
    order = np.random.default_rng(seed).permutation(len(bodies))
    one, other = seen(crowd_of(*bodies)), seen(crowd_of(*(bodies[i] for i in order)))
    assert np.array_equal(one.joint_visibility[order], other.joint_visibility)
    assert np.array_equal(one.seen_share[order], other.seen_share)
    assert np.array_equal(one.box_px[order], other.box_px)


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 1000))
def test_more_people_never_make_anybody_more_visible(seed: int) -> None:
    bodies = people(seed)
    few, many = seen(crowd_of(*bodies[:5])), seen(crowd_of(*bodies))
    assert (many.seen_share[:5] <= few.seen_share).all()
    freed = (few.visibility == Visibility.OCCLUDED) & (many.visibility[:5] != Visibility.OCCLUDED)
    assert not freed.any()
    assert np.array_equal(few.box_px, many.box_px[:5])


def test_the_result_does_not_depend_on_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(view_module, "_CHUNK_BODIES", 10)  # two frames a part
    bodies = people(1, 5)
    still = crowd_of(*bodies)
    frames = 9
    motion = replace(
        still,
        **{
            name: np.repeat(getattr(still, name), frames, axis=1)
            for name in (
                "activity",
                "present",
                "pose_rotvec",
                "transl_m",
                "joints_m",
                "ground_m",
                "contact",
                "source",
                "clip",
            )
        },
    )
    motion.transl_m[:, :, 0] += np.linspace(0.0, 2.0, frames, dtype=np.float32)
    t_ns = (np.arange(frames) * 1e9 / 30).astype(np.int64)
    calls: list[tuple[int, int]] = []
    one = look(motion, CAMERA, "a", t_ns, threads=1, progress=lambda done, total: calls.append((done, total)))
    three = look(motion, CAMERA, "a", t_ns, threads=3)
    for name in ("keypoints_px", "visibility", "joint_visibility", "box_px", "seen_share"):
        assert np.array_equal(getattr(one, name), getattr(three, name)), name
    alone = [look(motion, CAMERA, "a", t_ns[i : i + 1]).seen_share[:, 0] for i in range(frames)]
    assert np.array_equal(one.seen_share, np.stack(alone, axis=1))  # nothing of a frame is left in the next
    assert calls == [(done, frames) for done in (2, 4, 6, 8, 9)]


def test_a_smaller_canvas_sees_nearly_the_same() -> None:
    motion = crowd_of(*people(4), obstacles=(HUT,))
    big = replace(CAMERA, K=CAMERA.K * [[4.0], [4.0], [1.0]], size_px=(1920, 1280))
    fine, coarse = seen(motion, big), seen(motion, big, max_width_px=480)
    assert np.array_equal(fine.keypoints_px, coarse.keypoints_px)
    np.testing.assert_allclose(fine.seen_share, coarse.seen_share, atol=0.05)
    assert (fine.visibility != coarse.visibility).mean() < 0.03


@pytest.mark.parametrize("k1", [-0.25, 0.2])
def test_distortion_bends_the_picture_and_hides_the_same(k1: float) -> None:
    motion = crowd_of(*people(2), obstacles=(HUT,))
    bent = replace(CAMERA, dist=np.array([k1, 0.02, 0.001, -0.001]))
    plain, view = seen(motion), seen(motion, bent)
    np.testing.assert_allclose(view.keypoints_px[:, 0], bent.project(keypoints_of(plain)), atol=2e-3)
    both = (plain.visibility > Visibility.OUTSIDE) & (view.visibility > Visibility.OUTSIDE)
    assert both.sum() > 60
    assert (plain.visibility[both] != view.visibility[both]).mean() < 0.03
    inside = (plain.visibility > 0).all(-1) & (view.visibility > 0).all(-1)
    np.testing.assert_allclose(plain.seen_share[inside], view.seen_share[inside], atol=0.05)


def keypoints_of(view: View) -> np.ndarray:
    """World points on the rays of a view's keypoints."""
    rays = view.camera.rays_world(view.keypoints_px[:, 0].astype(np.float64))
    return view.camera.centre_world_m + 5.0 * rays


def test_beyond_the_lens_nobody_comes_back_into_the_picture() -> None:
    bent = replace(CAMERA, dist=np.array([-0.35, 0.0, 0.0, 0.0]))
    view = seen(crowd_of(standing((20.0, -5.0)), standing((-20.0, -5.0))), bent)
    assert (view.visibility == Visibility.OUTSIDE).all() and not view.seen_share.any()
    assert view.box_px[0, 0, 0] > 480 and view.box_px[1, 0, 2] < 0


def test_walls_of_levels_stand_where_levels_end() -> None:
    square = np.array([[0.0, 0.0], [2.0, 0.0], [2.0, 2.0], [0.0, 2.0]])
    up = GroundPlane(offset_m=1.0, outline_m=square)
    walls = steps(Ground((GroundPlane(), up)))
    assert np.isclose(
        np.linalg.norm(np.cross(walls[:, 1] - walls[:, 0], walls[:, 2] - walls[:, 0]), axis=1).sum() / 2, 8.0
    )
    beside = GroundPlane(offset_m=1.0, outline_m=square + np.array([2.0, 0.0]))
    open_between = steps(Ground((GroundPlane(), up, beside)))
    assert not ((open_between[..., 0] == 2.0) & (np.abs(open_between[..., 1] - 1.0) < 0.9)).all(axis=1).any()
    assert len(steps(Ground((GroundPlane(), replace(up, offset_m=0.03))))) == 0
    assert len(prism(HUT)) == 2 * 4 + 2


def test_depth_of_things_is_the_depth_of_their_nearest_side() -> None:
    front = camera_at((0.0, -8.0, 1.0), (0.0, 0.0, 1.0), focal_px=300.0, size_px=(241, 161))
    slab = Obstacle("slab", "wall", np.array([[-2.0, 0.0], [2.0, 0.0], [2.0, 1.0], [-2.0, 1.0]]), 0.0, 3.0)
    scene = Scene("made up", np.zeros((4, 2)), Ground(), (slab,), ())
    canvas = make_canvas(scene, front, 1920)
    assert canvas.size_px == (241, 161)
    assert 1.0 / canvas.inv_depth[80, 120] == pytest.approx(8.0, rel=1e-5)
    drawn = draw_frame(crowd_of(standing((0.0, -3.0)), obstacles=(slab,)), front, 0)
    assert set(np.unique(drawn.ids)) == {-2, -1, 0}
    assert 4.5 < drawn.depth_m[drawn.ids == 0].min() < drawn.depth_m[drawn.ids == 0].max() < 5.5
