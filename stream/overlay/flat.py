"""People of whom only the picture is known: corner brackets around their boxes, and skeletons."""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from ...kernels.skeleton import COCO_LIMBS
from ..records import TrackedFrame

Array = np.ndarray

MIN_CONFIDENCE = 0.3
SUB = 4


def draw_flat(
    picture: UInt8[Array, "H W 3"], frame: TrackedFrame, bgr: Float[Array, "M 3"], opacity: float
) -> None:
    """Boxes and skeletons of all rows of a frame; predicted ones fainter."""
    layer = picture.copy()
    for row in np.argsort(frame.boxes_px[:, 3], kind="stable"):
        colour = tuple(float(c) for c in bgr[row])
        x1, y1, x2, y2 = (float(v) for v in frame.boxes_px[row])
        thick = max(1, round((y2 - y1) / 90))
        if frame.seen[row]:
            _skeleton(layer, frame.keypoints_px[row], frame.confidence[row], colour, thick)
        _brackets(layer, (x1, y1, x2, y2), colour, thick, long=0.26 if frame.seen[row] else 0.12)
    cv2.addWeighted(layer, opacity, picture, 1.0 - opacity, 0.0, dst=picture)


def _brackets(
    layer: UInt8[Array, "H W 3"], box: tuple[float, float, float, float], colour: tuple[float, ...], thick: int,
    long: float,
) -> None:  # fmt: skip
    x1, y1, x2, y2 = box
    dx, dy = long * (x2 - x1), long * (y2 - y1)
    for x, y, sx, sy in ((x1, y1, 1, 1), (x2, y1, -1, 1), (x1, y2, 1, -1), (x2, y2, -1, -1)):
        corner = np.array([[x + sx * dx, y], [x, y], [x, y + sy * dy]])
        points = [np.round(corner * 16).astype(np.int32)]
        cv2.polylines(layer, points, False, (20, 20, 20), thick + 2, cv2.LINE_AA, SUB)
        cv2.polylines(layer, points, False, colour, thick, cv2.LINE_AA, SUB)


def _skeleton(
    layer: UInt8[Array, "H W 3"], keypoints_px: Float[Array, "17 2"], confidence: Float[Array, "17"],
    colour: tuple[float, ...], thick: int,
) -> None:  # fmt: skip
    good = (confidence >= MIN_CONFIDENCE) & np.isfinite(keypoints_px).all(axis=1)
    limbs = [(a, b) for a, b in COCO_LIMBS if good[a] and good[b]]
    at = np.round(np.where(good[:, None], keypoints_px, 0.0) * 16).astype(int)
    for width, ink in ((thick + 2, (20, 20, 20)), (thick, colour)):
        for a, b in limbs:
            cv2.line(layer, tuple(at[a].tolist()), tuple(at[b].tolist()), ink, width, cv2.LINE_AA, SUB)
