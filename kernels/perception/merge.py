"""One list of boxes out of many tiles (algorithms 2.3: keep the one farther from its tile's border).

Two boxes of different tiles are one person when

    IoU > t_iou,   or   IoS > t_ios and the smaller of the two is cut by an inner border of its tile

The second rule removes halves of people; it asks for the cut because a whole child before an adult has IoS = 1 too.
Boxes are walked by (distance from the tile's inner borders in box sides, capped; score; index) and kept greedily.
Borders of the picture cut nobody off: they do not count. O(N^2), deterministic.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float

from .detector import Boxes
from .nms import areas, intersections, iou
from .tiling import Tile, boxes_to_frame

CUT_MARGIN = 0.03
"""A box whose distance from an inner border is below this many of its longer sides counts as cut."""
SAFE_MARGIN = 0.25
"""Beyond this distance, in longer sides, the border no longer matters and the score decides."""


def merge_tiles(
    found: Sequence[Boxes],
    tiles: Sequence[Tile],
    size_px: tuple[int, int],
    iou_threshold: float = 0.5,
    ios_threshold: float = 0.7,
) -> Boxes:
    """Boxes of all tiles in frame pixels, each person once, by falling score.

    Args:
        found: boxes and scores of each tile, pixels of the tile as shown.
        tiles: the tiles, in the same order.
        size_px: width and height of the frame.
    """
    boxes = np.concatenate([boxes_to_frame(b, t) for (b, _), t in zip(found, tiles, strict=True)])
    scores = np.concatenate([s for _, s in found])
    tile_of = np.repeat(np.arange(len(tiles)), [len(s) for _, s in found])
    if len(tiles) > 1 and len(boxes):
        margin = np.concatenate([border_margin(boxes[tile_of == i], t, size_px) for i, t in enumerate(tiles)])
        keep = _keep(boxes, scores, tile_of, margin, iou_threshold, ios_threshold)
        boxes, scores = boxes[keep], scores[keep]
    order = np.argsort(-scores, kind="stable")
    return boxes[order], scores[order]


def border_margin(
    boxes_px: Float[np.ndarray, "N 4"], tile: Tile, size_px: tuple[int, int]
) -> Float[np.ndarray, "N"]:
    """Distance of each box from the nearest inner border of its tile, in longer sides of the box."""
    x1, y1, x2, y2 = tile.region_px
    inner = np.array([x1 > 0, y1 > 0, x2 < size_px[0], y2 < size_px[1]])
    gaps = np.stack(
        [boxes_px[:, 0] - x1, boxes_px[:, 1] - y1, x2 - boxes_px[:, 2], y2 - boxes_px[:, 3]], axis=1
    )
    nearest = np.where(inner, gaps, np.inf).min(axis=1)
    longer = np.maximum((boxes_px[:, 2:] - boxes_px[:, :2]).max(axis=1), 1.0)
    return np.asarray(nearest / longer, np.float64)


def _keep(
    boxes_px: Float[np.ndarray, "N 4"],
    scores: Float[np.ndarray, "N"],
    tile_of: np.ndarray,
    margin: Float[np.ndarray, "N"],
    iou_threshold: float,
    ios_threshold: float,
) -> Bool[np.ndarray, "N"]:
    """Which boxes stay."""
    wide = boxes_px.astype(np.float64)
    size = areas(wide)
    order = np.lexsort((np.arange(len(scores)), -scores, -np.minimum(margin, SAFE_MARGIN)))
    keep = np.zeros(len(scores), bool)
    gone = np.zeros(len(scores), bool)
    for i in order:
        if gone[i]:
            continue
        keep[i] = True
        one = wide[i : i + 1]
        shared = intersections(one, wide)[0]
        smaller_is_cut = np.where(size <= size[i], margin, margin[i]) < CUT_MARGIN
        ios = shared / np.maximum(np.minimum(size, size[i]), 1e-9)
        same = (iou(one, wide)[0] > iou_threshold) | ((ios > ios_threshold) & smaller_is_cut)
        gone |= same & (tile_of != tile_of[i]) & ~keep
    return keep
