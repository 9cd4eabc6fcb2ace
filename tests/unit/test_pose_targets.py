"""Targets of the pose network: read by the engine's decoder they give the keypoint back, without half a cell."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from crowdstream.kernels.perception.heatmap_pose import refine_peaks
from crowdstream.lab.perception.pose.network import STRIDE
from crowdstream.lab.perception.pose.targets import (
    HIDDEN_BY_OTHERS,
    HIDDEN_BY_SELF,
    SEEN,
    inside,
    place_targets,
    worth,
)

CELLS_WH = (24, 32)
CROP_WH = (96, 128)
SIGMA = 1.5


def points(seed: int, margin: float) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    high = np.array(CROP_WH) - 1 - margin
    return torch.from_numpy(rng.uniform(margin, high, (5, 17, 2)))


def read(target: torch.Tensor) -> np.ndarray:
    """As the engine reads heatmaps, in crop pixels; the peak is brought to 1, as the network brings it."""
    maps = target / target.amax(dim=(2, 3), keepdim=True)
    return refine_peaks(maps.numpy())[0] * STRIDE


def test_the_engine_reads_the_keypoint_back() -> None:
    where = points(0, margin=16.0)
    apart = np.abs(read(place_targets(where, CELLS_WH, STRIDE, SIGMA)) - where.numpy())
    assert apart.max() < 0.1  # half a cell would be 2 px


def test_mirrored_keypoints_are_read_back_mirrored() -> None:
    where = points(1, margin=16.0)
    mirrored = where.clone()
    mirrored[..., 0] = CROP_WH[0] - 1 - where[..., 0]
    straight, turned = (read(place_targets(p, CELLS_WH, STRIDE, SIGMA)) for p in (where, mirrored))
    np.testing.assert_allclose(turned[..., 0], CROP_WH[0] - 1 - straight[..., 0], atol=0.1)
    np.testing.assert_allclose(turned[..., 1], straight[..., 1], atol=1e-9)


def test_a_target_is_a_distribution_wherever_the_keypoint_lies() -> None:
    where = torch.tensor([[[-300.0, 4.0], [0.0, 0.0], [95.4, 127.4], [50.0, 900.0], [40.0, 60.0]]])
    target = place_targets(where, CELLS_WH, STRIDE, SIGMA)
    assert target.shape == (1, 5, CELLS_WH[1], CELLS_WH[0])
    assert torch.isfinite(target).all() and (target >= 0).all()
    torch.testing.assert_close(target.sum(dim=(2, 3)), torch.ones(1, 5))


def test_targets_are_gaussians_over_cells() -> None:
    where = torch.tensor([[[41.0, 55.0]]], dtype=torch.float64)
    ours = place_targets(where, CELLS_WH, STRIDE, SIGMA)[0, 0]
    slow = np.zeros((CELLS_WH[1], CELLS_WH[0]))
    for row in range(CELLS_WH[1]):
        for column in range(CELLS_WH[0]):
            away = (column - 41.0 / 4) ** 2 + (row - 55.0 / 4) ** 2
            slow[row, column] = np.exp(-away / (2 * SIGMA**2))
    np.testing.assert_allclose(ours.numpy(), slow / slow.sum(), atol=1e-12)


@pytest.mark.parametrize(
    ("point", "expected"),
    [((0.0, 0.0), 1.0), ((-0.4, 127.4), 1.0), ((-0.6, 5.0), 0.0), ((95.6, 5.0), 0.0), ((5.0, 127.6), 0.0)],
)
def test_pixels_end_half_a_pixel_beyond_their_centres(point: tuple[float, float], expected: float) -> None:
    assert inside(torch.tensor([[point]]), CELLS_WH, STRIDE).item() == expected


def test_what_is_seen_less_is_worth_less_and_what_is_outside_nothing() -> None:
    seen = torch.tensor([[HIDDEN_BY_OTHERS, HIDDEN_BY_SELF, SEEN, SEEN]])
    value = worth(seen, torch.tensor([[1.0, 1.0, 1.0, 0.0]]))[0].tolist()
    assert 0.0 == value[3] < value[0] < value[1] < value[2] == 1.0
