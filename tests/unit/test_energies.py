"""What the energies mean: zero where they should be, masks, and the traps of the printed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from crowdstream.kernels.solve.energies.contact import contact
from crowdstream.kernels.solve.energies.evidence import box_delta, keypoint_sigma
from crowdstream.kernels.solve.energies.hvip import hvip, interaction_point
from crowdstream.kernels.solve.energies.pose_smoothness import pose_smoothness
from crowdstream.kernels.solve.energies.projection import Z_MIN_M, CameraTensors, project
from crowdstream.kernels.solve.energies.reprojection import reprojection
from crowdstream.kernels.solve.energies.robust import geman_mcclure
from crowdstream.kernels.solve.energies.shape import shape
from crowdstream.kernels.solve.energies.translation_smoothness import translation_smoothness
from crowdstream.kernels.solve.weights import EnergyWeights

GEN = torch.Generator().manual_seed(1)
ALL = torch.ones(2, 6, dtype=torch.bool)
UP = torch.tensor([0.0, 0.0, 1.0]).expand(2, 6, 3)
FLAT = torch.zeros(2, 6)


def one_camera() -> CameraTensors:
    """Level, 10 m away, looking along +y."""
    K = torch.tensor([[[1000.0, 0, 640], [0, 1000, 360], [0, 0, 1]]])
    level = torch.tensor([[[1.0, 0, 0], [0, 0, -1], [0, 1, 0]]])
    return CameraTensors(K, level, torch.tensor([[0.0, 1.0, 10.0]]))


def test_reprojection_is_zero_at_the_projections_and_counts_pixels_squared() -> None:
    points = torch.randn(2, 6, 17, 3, generator=GEN)
    px = project(points, one_camera())
    ones = torch.ones(1, 2, 6, 17)
    delta = torch.full((1, 2, 6), 0.01)
    assert reprojection(points, px, ones, delta, one_camera()).abs().max() < 1e-6
    px[0, 1, 2, 3, 0] += 5.0
    got = reprojection(points, px, ones, delta, one_camera())
    assert torch.allclose(got, torch.tensor([0.0, 0.25]), atol=1e-3)


def test_unseen_keypoints_never_count_whatever_they_hold() -> None:
    points = torch.randn(2, 6, 17, 3, generator=GEN).requires_grad_()
    px = torch.full((1, 2, 6, 17, 2), float("nan"))
    none = torch.zeros(1, 2, 6, 17)
    energy = reprojection(points, px, none, torch.ones(1, 2, 6), one_camera())
    energy.sum().backward()
    assert energy.eq(0).all()
    assert points.grad is not None and points.grad.eq(0).all()


def test_cameras_add_up() -> None:
    one = one_camera()
    two = CameraTensors(
        one.K.repeat(2, 1, 1), one.R_cam_world.repeat(2, 1, 1), one.t_cam_world_m.repeat(2, 1)
    )
    points, px = torch.randn(2, 6, 17, 3, generator=GEN), torch.randn(1, 2, 6, 17, 2, generator=GEN)
    ones, delta = torch.ones(1, 2, 6, 17), torch.ones(1, 2, 6)
    single = reprojection(points, px, ones, delta, one)
    double = reprojection(
        points, px.repeat(2, 1, 1, 1, 1), ones.repeat(2, 1, 1, 1), delta.repeat(2, 1, 1), two
    )
    torch.testing.assert_close(double, 2 * single)


def test_points_behind_the_camera_stay_finite() -> None:
    behind = torch.tensor([0.5, -20.0, 1.0]).expand(2, 6, 17, 3)
    px = project(behind, one_camera())
    assert float(px[0, 0, 0, 0, 0]) == pytest.approx(640 + 1000 * 0.5 / Z_MIN_M)


def test_a_robust_kernel_bounds_outliers_and_leaves_inliers() -> None:
    squared = torch.tensor([1e-4, 100.0, 1e12])
    got = geman_mcclure(squared, 10.0)
    torch.testing.assert_close(got, torch.tensor([1e-4, 50.0, 100.0]))


def test_interaction_point_lies_on_the_ground_below_the_torso() -> None:
    joints = torch.randn(3, 24, 3, generator=GEN, dtype=torch.float64)
    normal = torch.nn.functional.normalize(torch.tensor([[0.2, 0.1, 1.0]], dtype=torch.float64), dim=-1)
    point = interaction_point(joints, normal.expand(3, 3), torch.full((3,), 0.7, dtype=torch.float64))
    torch.testing.assert_close((point * normal).sum(-1), torch.full((3,), 0.7, dtype=torch.float64))
    torso = joints[:, [1, 2, 16, 17]].mean(1)
    assert torch.linalg.cross(point - torso, normal.expand(3, 3)).abs().max() < 1e-12


def test_a_poor_interaction_point_pulls_less_and_a_wrong_one_stops_pulling() -> None:
    joints = torch.zeros(1, 1, 24, 3)
    seen = torch.tensor([[[[640.0, 500.0]]]])

    def energy(sigma: float, floor: float | None, robust: float | None) -> float:
        up, flat = torch.tensor([[[0.0, 0.0, 1.0]]]), torch.zeros(1, 1)
        sigma_px = torch.full((1, 1, 1), sigma)
        return float(hvip(joints, up, flat, seen, sigma_px, torch.ones(1, 1, 1), one_camera(), floor, robust))

    assert energy(8.0, None, None) == energy(1.0, None, None)  # as printed: all alike
    assert energy(8.0, 2.0, None) == pytest.approx(energy(1.0, None, None) / 16)
    assert energy(1.0, 2.0, None) == energy(1.0, None, None)  # never more than the printed weight
    assert energy(1.0, None, 3.0) < 9.0
    assert energy(0.0, None, None) == 0.0


def test_printed_contact_forgives_a_sunk_body_and_signed_does_not() -> None:
    height = torch.linspace(-0.5, 1.2, 18)
    sunk = torch.stack([torch.zeros(18), torch.zeros(18), height], dim=-1).expand(2, 6, 18, 3)
    assert contact(sunk, UP, FLAT, ALL).max() < 6 * 0.06
    torch.testing.assert_close(contact(sunk, UP, FLAT, ALL, signed=True), torch.full((2,), 3.0))
    above = sunk + torch.tensor([0.0, 0.0, 0.8])
    torch.testing.assert_close(contact(above, UP, FLAT, ALL), contact(above, UP, FLAT, ALL, signed=True))


def test_first_differences_charge_a_steady_walk_and_second_differences_do_not() -> None:
    walk = torch.arange(6.0)[None, :, None] * torch.tensor([0.047, 0.0, 0.0]).expand(2, 1, 3)
    printed = translation_smoothness(walk, ALL)
    torch.testing.assert_close(printed, torch.full((2,), 5 * 0.047**2))
    assert translation_smoothness(walk, ALL, order=2).max() < 1e-12
    joints = walk[:, :, None].expand(2, 6, 24, 3)
    torch.testing.assert_close(pose_smoothness(joints, ALL), 24 * printed)
    assert pose_smoothness(joints, ALL, order=2).max() < 1e-10


@pytest.mark.parametrize("order", [1, 2])
def test_absent_slots_break_the_chain(order: int) -> None:
    """A jump across a slot where the person is not there costs nothing, before and after it count."""
    transl = torch.zeros(2, 6, 3)
    transl[:, 3:] = 100.0
    present = ALL.clone()
    present[:, 2] = False
    assert translation_smoothness(transl, present, order).eq(0).all()
    assert translation_smoothness(transl, ALL, order).gt(1e3).all()


def test_one_shape_per_person_costs_what_the_printed_sum_does() -> None:
    betas = torch.randn(2, 1, 10, generator=GEN)
    present = ALL.clone()
    present[1, 4:] = False
    got = shape(betas.expand(2, 6, 10), present)
    torch.testing.assert_close(got, (betas[:, 0] ** 2).sum(-1) * torch.tensor([6.0, 4.0]))


def test_printed_delta_favours_large_boxes_and_the_mended_one_does_not() -> None:
    box = np.array([[[[0, 0, 40, 100], [0, 0, 80, 200], [0, 0, 0, 0]]]], np.float32)
    error_px2 = np.array([1.0, 4.0])  # the same error relative to the person
    printed = box_delta(box, EnergyWeights())[0, 0]
    mended = box_delta(box, EnergyWeights.mended())[0, 0]
    assert printed[1] * error_px2[1] == pytest.approx(2 * printed[0] * error_px2[0])
    assert mended[1] * error_px2[1] == pytest.approx(mended[0] * error_px2[0])
    assert printed[2] == mended[2] == 0.0
    at = EnergyWeights().reference_size_px
    same = np.array([[[[0, 0, 1, at]]]])
    assert box_delta(same, EnergyWeights()) == pytest.approx(box_delta(same, EnergyWeights.mended()))


def test_sigma_is_binary_as_printed_or_the_confidence() -> None:
    confidence = np.full((1, 1, 1, 17), 0.6)
    confidence[..., 10:] = 0.2
    printed = keypoint_sigma(confidence, EnergyWeights())[0, 0, 0]
    soft = keypoint_sigma(confidence, EnergyWeights.mended())[0, 0, 0]
    assert set(printed[5:10]) == {1.0} and set(printed[10:]) == {0.0}
    assert set(soft[5:10]) == {0.6} and set(soft[10:]) == {0.2}
    assert set(printed[1:5]) == {0.0}  # eyes and ears have no joint


def test_the_printed_lambdas_are_the_papers() -> None:
    w = EnergyWeights()
    lambdas = (w.reprojection, w.hvip, w.contact, w.translation_smoothness)
    assert lambdas == (100, 10_000, 50, 50)
    assert (w.pose_prior, w.shape, w.pose_smoothness) == (0.5, 1, 10)
