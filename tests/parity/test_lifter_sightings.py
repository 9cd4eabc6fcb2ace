"""The lifter's fast sightings against the virtual crowd's own: the same laws, drawn by other code."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from crowdstream.kernels.camera import CameraModel
from crowdstream.kernels.ground import Ground
from crowdstream.kernels.lifter.rays import person_frames
from crowdstream.lab.lifter.hiding import FAR_M, OCCLUDED, VISIBLE, Hidden
from crowdstream.lab.lifter.sightings import Reported, SightingLaw
from crowdstream.lab.lifter.views import TrueView
from crowdstream.lab.virtualcrowd.sighting_keypoints import pose_people
from crowdstream.lab.virtualcrowd.sighting_model import SightingModel
from crowdstream.lab.virtualcrowd.truth import View, Visibility

PEOPLE, SLOTS, TALL_PX = 500, 64, 120.0
LIMBS = np.arange(5, 17)


def posture() -> np.ndarray:
    """(17, 2) keypoints of somebody who faces the camera, metres, v upwards; 1.7 m with head and feet."""
    u = [0, .03, -.03, .08, -.08, .17, -.17, .25, -.25, .24, -.24, .09, -.09, .1, -.1, .1, -.1]  # fmt: skip
    v = [.72, .75, .75, .73, .73, .5, .5, .22, .22, 0, 0, 0, 0, -.4, -.4, -.8, -.8]  # fmt: skip
    return np.stack([u, v], -1)


def slow(model: SightingModel, state: Visibility) -> tuple[np.ndarray, np.ndarray]:
    """Errors (people, slots, 17, 2) in heights, and confidences, of the virtual crowd."""
    scale = TALL_PX / 1.7
    points = 300.0 + posture() * np.array([1.0, -1.0]) * scale
    shape = (PEOPLE, SLOTS)
    box = np.array([230.0, 240.0, 370.0, 240.0 + TALL_PX])
    K = np.array([[1e3, 0, 300.0], [0, 1e3, 300.0], [0, 0, 1.0]])
    everywhere = np.ones(shape, bool)
    view = View(
        name="still", camera=CameraModel(K, np.eye(3), np.zeros(3), (600, 600)), ground=Ground(),
        t_ns=(np.arange(SLOTS) * 1e9 / 30).astype(np.int64), person_ids=np.arange(1, PEOPLE + 1),
        present=everywhere, keypoints_px=np.broadcast_to(points, (*shape, 17, 2)).astype(np.float32),
        visibility=np.full((*shape, 17), state, np.uint8), joint_visibility=np.full((*shape, 24), state, np.uint8),
        box_px=np.broadcast_to(box, (*shape, 4)).astype(np.float32), seen_share=np.zeros(shape, np.float32),
    )  # fmt: skip
    frame, row = (a.ravel() for a in np.meshgrid(np.arange(SLOTS), np.arange(PEOPLE), indexing="ij"))
    height = np.full((SLOTS, PEOPLE), TALL_PX, np.float32)
    random = np.random.default_rng(1)
    doubt = np.zeros((SLOTS, PEOPLE), np.float32)
    boxes = np.broadcast_to(box, (len(frame), 4))
    found, sure = pose_people(view, height, doubt, frame, row, boxes, model.keypoints, random)
    errors = (found - points).reshape(SLOTS, PEOPLE, 17, 2) / TALL_PX
    return errors.swapaxes(0, 1), sure.reshape(SLOTS, PEOPLE, 17).swapaxes(0, 1)


def fast(model: SightingModel, state: int) -> tuple[np.ndarray, np.ndarray, Reported]:
    """The same of the lifter's lessons."""
    shape = (PEOPLE, SLOTS)
    points = torch.from_numpy(posture()).float()
    frames = person_frames(torch.tensor([0.0, -9.0, 2.0]), torch.zeros(*shape, 3))
    view = TrueView(
        ground_m=torch.zeros(*shape, 3), frames=frames, points_m=points.expand(*shape, 17, 2),
        joints_m=torch.zeros(*shape, 24, 2), depth_m=torch.zeros(*shape, 24),
        point_depth_m=torch.zeros(*shape, 17),
        box_m=torch.tensor([-1.0, -0.85, 1.0, 0.85]).expand(*shape, 4), lateral_m=torch.zeros(shape),
    )  # fmt: skip
    far = torch.tensor([-FAR_M, -FAR_M, FAR_M, FAR_M]).expand(*shape, 4)
    hidden = Hidden(torch.full((*shape, 17), state), torch.full((*shape, 17, 2), FAR_M), far)
    quiet = model.model_copy(update={"keypoints": model.keypoints.model_copy(update={"score_honesty": 0.0})})
    told = SightingLaw(quiet).report(
        view, hidden, torch.full((PEOPLE,), TALL_PX), torch.Generator().manual_seed(2)
    )
    return (told.points_m - points).numpy() / 1.7, told.confidence.numpy(), told


@pytest.fixture(scope="module", params=[("tinypose_128", 0), ("tinypose_256", 0), ("tinypose_128", 2)])
def both(request: pytest.FixtureRequest) -> tuple[np.ndarray, ...]:
    """Slow and fast errors and confidences of one network and one state."""
    name, state = request.param
    model = SightingModel.fitted(name)
    keypoints = model.keypoints.model_copy(update={"score_honesty": 0.0})
    model = model.model_copy(update={"keypoints": keypoints})
    slowly = slow(model, (Visibility.VISIBLE, None, Visibility.OCCLUDED)[state])
    quickly = fast(model, (VISIBLE, None, OCCLUDED)[state])
    return (*slowly, *quickly[:2], np.asarray(model.keypoints.std)[state])


def test_typical_errors_are_the_fitted_ones(both: tuple[np.ndarray, ...]) -> None:
    slowly, _, quickly, _, std = both
    a, b = (np.median(np.abs(x), axis=(0, 1, 3)) for x in (slowly, quickly))
    np.testing.assert_allclose(b, a, rtol=0.08)
    # 0.67 of the table's deviation, a little more by pixels and tails; shoulders and hips have a bias besides
    joints = [0, 1, 2, 3, 4, 7, 8, 9, 10, 13, 14]
    np.testing.assert_allclose(b[joints], 0.6745 * std[joints], rtol=0.3)


def test_tails_are_as_heavy(both: tuple[np.ndarray, ...]) -> None:
    a, b = (np.quantile(np.linalg.norm(both[k][:, :, LIMBS], axis=-1), (0.75, 0.95)) for k in (0, 2))
    np.testing.assert_allclose(b, a, rtol=0.08)


@pytest.mark.parametrize("lag", [1, 15])
def test_errors_last_as_long(both: tuple[np.ndarray, ...], lag: int) -> None:
    def correlation(x: np.ndarray) -> float:
        x = np.clip(x[:, :, 7:11], -0.1, 0.1)
        x = x - x.mean(axis=(0, 1))
        return float((x[:, lag:] * x[:, :-lag]).mean() / (x * x).mean())

    assert correlation(both[2]) == pytest.approx(correlation(both[0]), abs=0.05)


def test_confidences_are_as_high_and_as_honest(both: tuple[np.ndarray, ...]) -> None:
    levels = (0.05, 0.25, 0.5, 0.75, 0.95)
    a, b = (np.quantile(both[k], levels, axis=(0, 1)) for k in (1, 3))
    np.testing.assert_allclose(b, a, atol=0.05)

    def honesty(error: np.ndarray, confidence: np.ndarray) -> float:
        size = np.log(np.linalg.norm(error[:, :, LIMBS], axis=-1) + 1e-6)
        return float(np.corrcoef(size.ravel(), confidence[:, :, LIMBS].ravel())[0, 1])

    assert honesty(both[2], both[3]) == pytest.approx(honesty(both[0], both[1]), abs=0.05)


def test_sides_are_swapped_as_often() -> None:
    model = SightingModel.fitted("tinypose_128")
    slowly, _ = slow(model, Visibility.VISIBLE)
    quickly, _, _ = fast(model, VISIBLE)

    def swapped(error: np.ndarray) -> float:
        """Shoulders on each other's side."""
        wide = posture()[5] - posture()[6]
        between = (error[:, :, 5] - error[:, :, 6]) * np.array([1.0, 0.0]) @ np.array([1.0, 0.0])
        return float((between < -wide[0] / 1.7).mean())

    assert swapped(quickly) == pytest.approx(swapped(slowly), rel=0.35)
    assert swapped(slowly) > 0.01


def test_without_noise_the_truth_is_told() -> None:
    errors, sure, told = fast(SightingModel(), VISIBLE)
    np.testing.assert_allclose(errors, 0.0, atol=1e-6)
    assert (sure == 1.0).all() and told.found.all()
