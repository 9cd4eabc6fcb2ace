"""The seam between windows lies where the segments pass from one to the next, and holds the last window's joints."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from crowdstream.kernels.body.kinematics import forward_kinematics_np
from crowdstream.kernels.solve.problem import WarmStart
from crowdstream.kernels.solve.seam import seam_of
from crowdstream.stream.body_files import load_body

BODY = load_body()
N, T = 3, 64


def warm() -> WarmStart:
    random = np.random.default_rng(2)
    known = np.zeros((N, T), bool)
    known[0, :48] = True
    known[1, 10:24] = True
    f = np.float32
    return WarmStart(
        known=known,
        pose_rotvec=random.normal(0, 0.3, (N, T, 24, 3)).astype(f),
        transl_m=random.normal(0, 1, (N, T, 3)).astype(f),
        betas=random.normal(0, 1, (N, 10)).astype(f),
        betas_weight=np.full(N, 64, f),
    )


def test_it_lies_in_the_middle_of_the_overlap() -> None:
    """With a hop of 16, segments take slots 24..39 of a window: slot 23 is the last window's, slot 24 this one's."""
    seam = seam_of(warm(), BODY)
    assert seam is not None and seam.slot[0] == 24
    slots = np.arange(T)
    mine, before = np.abs(2 * slots + 1 - T), np.abs(2 * (slots + 16) + 1 - T)
    assert int((mine <= before).argmax()) == seam.slot[0]


def test_it_holds_the_joints_of_the_two_slots_before() -> None:
    start = warm()
    seam = seam_of(start, BODY)
    assert seam is not None
    want, _ = forward_kinematics_np(
        start.pose_rotvec[0, 22:24], start.betas[0], start.transl_m[0, 22:24],
        BODY.joint_template_m, BODY.joint_shapedirs_m,
    )  # fmt: skip
    np.testing.assert_allclose(seam.joints_m[0], want, atol=1e-6)
    assert seam.known.tolist() == [[True, True], [True, True], [False, False]]
    assert not seam.joints_m[2].any()


def test_what_is_not_known_or_not_finite_is_left_out() -> None:
    start = warm()
    known = start.known.copy()
    known[0, 22] = False
    pose = start.pose_rotvec.copy()
    pose[1] = np.nan
    seam = seam_of(replace(start, known=known, pose_rotvec=pose), BODY)
    assert seam is not None and seam.known.tolist() == [[False, True], [False, False], [False, False]]
    assert np.isfinite(seam.joints_m).all()
    assert seam_of(replace(start, known=np.zeros_like(known)), BODY) is None
