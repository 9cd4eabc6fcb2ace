"""E_AMC: what it looks at, what it leaves alone, and that time may stretch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from crowdstream.kernels.grouping.joint_weights import COMPARED_JOINTS, KEYPOINT_WEIGHTS, ROTATION_WEIGHTS
from crowdstream.kernels.rotation import rotvec_to_rotmat
from crowdstream.kernels.skeleton import COCO_KEYPOINTS, COCO_TO_SMPL, SMPL_JOINTS
from crowdstream.kernels.solve.energies.amc import Guides, amc

T, GAMMA = 20, 0.05
KNEE, HEAD, WRIST = (SMPL_JOINTS.index(name) for name in ("left_knee", "head", "left_wrist"))


def steps(slots: int, cycles: float = 1.0) -> Tensor:
    """One person's knees and hips going to and fro."""
    phase = 2 * np.pi * cycles * torch.arange(slots, dtype=torch.float64) / slots
    pose = torch.zeros(1, slots, 24, 3, dtype=torch.float64)
    pose[0, :, KNEE, 0] = 0.6 + 0.6 * torch.sin(phase)
    pose[0, :, 1, 0] = 0.5 * torch.cos(phase)
    return pose


def energy(pose: Tensor, guide: Tensor, valid: Tensor | None = None) -> Tensor:
    valid = torch.ones(pose.shape[:2], dtype=torch.bool) if valid is None else valid
    guides = Guides.of([motion[:, :22].numpy() for motion in rotvec_to_rotmat(guide)], pose)
    return amc(rotvec_to_rotmat(pose), valid, guides, GAMMA)


def test_weights_are_those_of_both_sides_and_leave_out_what_is_personal() -> None:
    weight = dict(zip(SMPL_JOINTS, ROTATION_WEIGHTS, strict=True))
    seen = dict(zip(COCO_KEYPOINTS, KEYPOINT_WEIGHTS, strict=True))
    for table in (weight, seen):
        assert all(table[name] == table[name.replace("left", "right")] for name in table if "left" in name)
    free = ("pelvis", "neck", "head", "left_wrist", "left_hand")
    assert all(weight[name] == 0 for name in free)
    assert min(weight["left_hip"], weight["left_knee"]) > max(weight["left_elbow"], weight["spine2"]) > 0
    assert seen["nose"] == seen["left_ear"] == seen["left_wrist"] == 0
    assert KEYPOINT_WEIGHTS.sum() == pytest.approx(1.0)
    assert COMPARED_JOINTS == tuple(j for j in range(24) if ROTATION_WEIGHTS[j] > 0)
    # a joint that eq. 15 asks for is one that eq. 17 can mend
    assert all(ROTATION_WEIGHTS[COCO_TO_SMPL[k]] > 0 for k in range(17) if KEYPOINT_WEIGHTS[k] > 0)


def test_root_head_and_hands_are_free() -> None:
    pose, guide = steps(T), steps(T)
    base = energy(pose, guide)
    for joint in (0, HEAD, WRIST, 12, 22):
        moved = pose.clone()
        moved[:, :, joint] += 0.7
        torch.testing.assert_close(energy(moved, guide), base)
    moved = pose.clone()
    moved[:, :, KNEE] += 0.2
    assert energy(moved, guide) > base + 0.1


def test_time_may_stretch_but_poses_may_not_change() -> None:
    """The same stride at three quarters of the pace costs next to nothing; other knees at the same pace do."""
    guide = steps(T)
    slower, stiff = steps(27), steps(T)
    stiff[:, :, KNEE] = 0.0
    same = energy(guide, guide)
    assert energy(slower, guide) - same < 0.05 * (energy(stiff, guide) - same)
    apart = energy(torch.roll(steps(T), 5, 1), guide)
    plain = (ROTATION_WEIGHTS[KNEE] * 2 * (1 - torch.cos(stiff[0, :, KNEE, 0] - guide[0, :, KNEE, 0]))).sum()
    assert apart > same and float(plain) > 1


def test_without_guide_there_is_no_energy_and_people_keep_to_themselves() -> None:
    pose = torch.cat([steps(T), steps(T, 2.0), steps(T, 0.5)])
    valid = torch.ones(3, T, dtype=torch.bool)
    lead = rotvec_to_rotmat(steps(15))[0].numpy()
    got = amc(rotvec_to_rotmat(pose), valid, Guides.of([None, lead, None], pose), GAMMA)
    assert got[0] == got[2] == 0 and got[1] != 0
    torch.testing.assert_close(got[1:2], energy(pose[1:2], steps(15)))
    assert not amc(rotvec_to_rotmat(pose), valid, Guides.of([None] * 3, pose), GAMMA).any()


def test_slots_without_a_body_do_not_count_whatever_they_hold() -> None:
    pose, guide = steps(T), steps(T)
    valid = torch.ones(1, T, dtype=torch.bool)
    valid[0, [0, 1, 7, 8, 19]] = False
    blotted = pose.clone()
    blotted[~valid] = torch.nan
    got = energy(blotted.requires_grad_(), guide, valid)
    torch.testing.assert_close(got, energy(pose[:, valid[0]], guide))
    (grad,) = torch.autograd.grad(got.sum(), blotted)
    assert not grad[~valid].nan_to_num(0.0).any() and grad[valid][:, KNEE].abs().max() > 0
    assert energy(pose, guide, torch.zeros_like(valid)) == 0


def test_following_the_gradient_leads_to_the_guide() -> None:
    guide, pose = steps(T).float(), torch.zeros(1, T, 24, 3).requires_grad_()
    first = float(energy(pose.detach(), guide))
    for _ in range(60):
        (grad,) = torch.autograd.grad(energy(pose, guide).sum(), pose)
        pose = (pose - 0.1 * grad).detach().requires_grad_()
    last = float(energy(pose.detach(), guide))
    assert last < 0.05 * first + float(energy(guide, guide))
