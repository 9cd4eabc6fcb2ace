"""What a crop teaches: a distribution over cells for every keypoint, and how much a right answer is worth.

    t(u) ~ exp(-|u - x r^-1|^2 / (2 sigma^2))       u: cells, x: crop pixels, r: stride; sums to 1 over the cells

Cell u lies on crop pixel r u, as `kernels.perception.heatmap_pose` reads it.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

SEEN, HIDDEN_BY_SELF, HIDDEN_BY_OTHERS = 2, 1, 0
"""Of `PoseCrop.seen`."""
WORTH = (0.35, 0.6, 1.0)
"""Trust in a keypoint that is placed rightly, by how it is seen; one outside the crop is worth nothing."""


def inside(
    keypoints_px: Float[Tensor, "n 17 2"], cells_wh: tuple[int, int], stride: int
) -> Float[Tensor, "n 17"]:
    """1 where the keypoint lies on a pixel of the crop, else 0."""
    size = torch.tensor(cells_wh, dtype=keypoints_px.dtype, device=keypoints_px.device) * stride
    return ((keypoints_px > -0.5) & (keypoints_px < size - 0.5)).all(dim=-1).to(keypoints_px.dtype)


def worth(seen: Int[Tensor, "n 17"], within: Float[Tensor, "n 17"]) -> Float[Tensor, "n 17"]:
    """Trust that a right answer deserves."""
    table = torch.tensor(WORTH, dtype=within.dtype, device=within.device)
    return table[seen] * within


def place_targets(
    keypoints_px: Float[Tensor, "n 17 2"], cells_wh: tuple[int, int], stride: int, sigma_cells: float
) -> Float[Tensor, "n 17 h w"]:
    """t of every keypoint; of one far outside it is whatever lies nearest, and not to be used."""
    centre = keypoints_px / stride
    along = [
        -0.5
        * (
            (torch.arange(size, dtype=centre.dtype, device=centre.device) - centre[..., axis, None])
            / sigma_cells
        )
        ** 2
        for axis, size in enumerate(cells_wh)
    ]
    columns, rows = (torch.softmax(exponent, dim=-1) for exponent in along)
    return torch.einsum("nkh,nkw->nkhw", rows, columns)
