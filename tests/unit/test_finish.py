"""What is said about an answer: provenance by gaps, failures by person, ground points on the surface."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from crowdstream.kernels.body.keypoints import coco_keypoints_np
from crowdstream.kernels.camera import CameraModel
from crowdstream.kernels.ground import Ground, GroundPlane
from crowdstream.kernels.solve.finish import finish, provenance_of
from crowdstream.kernels.solve.finish_config import FinishConfig
from crowdstream.kernels.solve.gauss_newton import Bodies
from crowdstream.kernels.solve.problem import Provenance, SolveStatus, WindowProblem
from crowdstream.stream.body_files import load_body

BODY = load_body()
N, T = 2, 20
ABSENT, SEEN, BETWEEN, HIDDEN = (int(p) for p in list(Provenance)[:4])


@pytest.fixture
def problem() -> WindowProblem:
    rotation = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    camera = CameraModel(
        np.diag([1000.0, 1000, 1]), rotation, -rotation @ np.array([0, -10.0, 1]), (1920, 1080)
    )
    f = np.float32
    return WindowProblem(
        window=3, slot0=48, t0_ns=5, person_ids=np.array([4, 9]), cameras=(camera,), ground=Ground(),
        present=np.ones((N, T), bool), keypoints_px=np.zeros((1, N, T, 17, 2), f),
        confidence=np.full((1, N, T, 17), 0.5, f), box_px=np.tile(np.array([0, 0, 50, 100], f), (1, N, T, 1)),
        hvip_px=np.zeros((1, N, T, 2), f), hvip_sigma_px=np.zeros((1, N, T), f), track_m=np.zeros((N, T, 3), f),
    )  # fmt: skip


@pytest.fixture
def bodies() -> Bodies:
    f = np.float32
    return Bodies(np.zeros((N, T, 24, 3), f), np.zeros((N, T, 3), f), np.zeros((N, 10), f))


def test_a_gap_is_interpolated_up_to_the_limit_and_infilled_beyond():
    seen = np.ones((1, 40), bool)
    seen[0, 3:14] = False  # observations 12 slots = 0.4 s apart
    seen[0, 20:32] = False  # 13 slots apart
    seen[0, 38:] = False  # nothing after
    got = provenance_of(seen, np.ones_like(seen), 0.4)[0]
    assert (got[3:14] == BETWEEN).all()
    assert (got[20:32] == HIDDEN).all() and (got[38:] == HIDDEN).all()
    assert (got[seen[0]] == SEEN).all()


def test_absent_wins_over_everything():
    present = np.zeros((1, 10), bool)
    present[0, 4:7] = True
    got = provenance_of(np.ones((1, 10), bool) & present, present, 0.4)[0]
    assert got.tolist() == [ABSENT] * 4 + [SEEN] * 3 + [ABSENT] * 3


@pytest.mark.parametrize("part", ["pose_rotvec", "transl_m", "betas"])
def test_a_number_that_is_not_finite_fails_its_person_only(problem, bodies, part):
    broken = getattr(bodies, part).copy()
    broken[0].flat[7] = np.inf
    solution = finish(problem, replace(bodies, **{part: broken}), np.ones(N, int), BODY, FinishConfig())
    assert solution.status.tolist() == [SolveStatus.FAILED, SolveStatus.BUDGET]
    assert (solution.provenance[0] == ABSENT).all() and (solution.provenance[1] == SEEN).all()
    assert not solution.confidence[0].any()
    assert np.isfinite(solution.joints_m).all()


def test_ground_point_lies_on_the_slope_under_the_torso(problem, bodies):
    normal = np.array([0.1, -0.2, 0.9])
    plane = GroundPlane(normal / np.linalg.norm(normal), 0.4)
    solution = finish(
        replace(problem, ground=Ground((plane,))), bodies, np.zeros(N, int), BODY, FinishConfig()
    )
    np.testing.assert_allclose(plane.height_m(solution.ground_m.astype(np.float64)), 0.0, atol=1e-6)
    torso = solution.joints_m[:, :, [1, 2, 16, 17]].mean(2)
    np.testing.assert_allclose(solution.ground_m[..., :2], torso[..., :2], atol=1e-6)


def test_confidence_falls_with_misfit_and_with_distance_from_what_was_seen(problem, bodies):
    first = finish(problem, bodies, np.zeros(N, int), BODY, FinishConfig())
    camera = problem.cameras[0]

    exact = camera.project(
        coco_keypoints_np(first.joints_m.astype(float), np.tile(np.eye(3), (N, T, 24, 1, 1)))
    )
    confidence = problem.confidence.copy()
    confidence[0, :, 10:] = 0.0
    near = replace(problem, keypoints_px=exact[None].astype(np.float32), confidence=confidence)
    solution = finish(near, bodies, np.zeros(N, int), BODY, FinishConfig())
    np.testing.assert_allclose(solution.confidence[:, :10], 0.5, atol=1e-3)
    assert (np.diff(solution.confidence[:, 9:], axis=1) < 0).all()
    assert solution.reprojection_px.max() < 1e-2
    off = replace(near, keypoints_px=near.keypoints_px + 8.0)
    worse = finish(off, bodies, np.zeros(N, int), BODY, FinishConfig())
    assert (worse.confidence[:, :10] < 0.7 * solution.confidence[:, :10]).all()
    np.testing.assert_allclose(worse.reprojection_px, 8 * np.sqrt(2), rtol=1e-3)
