"""What people wear, as a small code: soft histograms of brightness and chroma of torso and legs.

Keypoints say where torso and legs are (shares of the box where there are none), a fixed pattern of points is laid over
them, and only those pixels are looked at: 83 a person, whatever the size. Per pixel, with s = 16 that keeps
the noise of dark pixels small,

    brightness  l = 1 - ln((Y + s) / (255 + s)) / ln(s / (255 + s))          0..1, steps of contrast, not of light
    chroma      u = ln((R + s) / (G + s)),  v = ln((B + s) / (G + s))        the same in sun and in shade

are shared out among bins by Gaussians, averaged over the points in view, and the root is taken, which makes the dot
product of two codes the Bhattacharyya coefficient of what they were made from: robust to a few wrong pixels, and
kind to a histogram that shifts by part of a bin. Logarithms, because clothes are mostly dark: on PETS09 (AUC of
telling same from different, 1-10 s apart) 0.936 against 0.903 with CIE Lab.

Points that lie on a person further in front count as hidden; a half with too few points left is not known. A picture
without colours gives codes without chroma. The layout stands in `appearance_code`. About 0.05 ms a person.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from .appearance_code import BRIGHTNESS_BINS, CHROMA_SHARE, COLOUR_SIZE, unit_rows
from .appearance_regions import TORSO_POINTS, body_points, hidden_by_nearer

Array = np.ndarray

SOFTENING = 16.0
"""s of the module's head, grey levels."""
_BRIGHTNESS_SIGMA = 0.12
_CHROMA_REACH, _CHROMA_SIGMA, _CHROMA_SIDE = 0.5, 0.2, 5
MIN_IN_VIEW = 0.35
"""A half of which a smaller share of the points is in view is not known."""
_GREY_STEP = 16
_GREY_LEVELS = 6.0
"""A picture whose channels differ by less almost everywhere (99 in 100 pixels) has no colours."""

_BRIGHTNESS_AT = np.linspace(0.0, 1.0, BRIGHTNESS_BINS, dtype=np.float32)
_CHROMA_AT = np.linspace(-_CHROMA_REACH, _CHROMA_REACH, _CHROMA_SIDE, dtype=np.float32)


def colour_codes(
    image_bgr: UInt8[Array, "H W 3"],
    boxes_px: Float[Array, "N 4"],
    keypoints_px: Float[Array, "N 17 2"],
    confidence: Float[Array, "N 17"],
    rows: Int[Array, "P"] | None = None,
) -> Float[Array, "P 66"]:
    """Codes of some of the people in a picture, float32; rows of zeros where too little of a person is in view.

    Args:
        boxes_px: everybody found, x1 y1 x2 y2: those not asked for may stand in front of those who are.
        confidence: 0 where there is no pose.
        rows: whose codes; None: everybody's.
    """
    rows = np.arange(len(boxes_px)) if rows is None else rows
    if len(rows) == 0:
        return np.zeros((0, COLOUR_SIZE), np.float32)
    boxes = boxes_px.astype(np.float64)
    points = body_points(boxes[rows], keypoints_px[rows].astype(np.float64), confidence[rows])
    pixels, inside = _pixels(image_bgr, points)
    in_view = inside & ~hidden_by_nearer(points, boxes, rows)
    return codes_of_pixels(pixels, in_view, is_grey(image_bgr))


def codes_of_pixels(
    pixels_bgr: Float[Array, "P S 3"], in_view: Bool[Array, "P S"], grey: bool
) -> Float[Array, "P 66"]:
    """Codes of sampled pixels (0..255), of which the first TORSO_POINTS are of the torso, the rest of the legs."""
    level = np.log(pixels_bgr.astype(np.float32) + np.float32(SOFTENING))
    luma = pixels_bgr @ np.array([0.114, 0.587, 0.299], np.float32)
    low, high = np.log(SOFTENING), np.log(255.0 + SOFTENING)
    bright = _shared(
        ((np.log(luma + SOFTENING) - low) / (high - low)).astype(np.float32),
        _BRIGHTNESS_AT,
        _BRIGHTNESS_SIGMA,
    )
    red = _shared(level[..., 2] - level[..., 1], _CHROMA_AT, _CHROMA_SIGMA)
    blue = _shared(level[..., 0] - level[..., 1], _CHROMA_AT, _CHROMA_SIGMA)
    share = 0.0 if grey else CHROMA_SHARE
    blocks = []
    for half in (slice(0, TORSO_POINTS), slice(TORSO_POINTS, None)):
        weight = in_view[:, half, None].astype(np.float32)
        known = weight.mean(axis=(1, 2)) >= MIN_IN_VIEW
        chroma = np.matmul((red[:, half] * weight).transpose(0, 2, 1), blue[:, half])
        for histogram, part in (
            ((bright[:, half] * weight).sum(axis=1), 1.0 - share),
            (chroma.reshape(len(chroma), -1), share),
        ):
            root = unit_rows(np.sqrt(histogram)) * np.float32(np.sqrt(0.5 * part))
            blocks.append(np.where(known[:, None], root, np.float32(0.0)))
    return unit_rows(np.concatenate(blocks, axis=1)).astype(np.float32)


def is_grey(image_bgr: UInt8[Array, "H W 3"]) -> bool:
    """Whether a picture has no colours, judged by one pixel in 256."""
    few = image_bgr[_GREY_STEP // 2 :: _GREY_STEP, _GREY_STEP // 2 :: _GREY_STEP].astype(np.int16)
    if few.size == 0:
        return False
    apart = few.max(axis=-1) - few.min(axis=-1)
    return bool(np.mean(apart > _GREY_LEVELS) < 0.01)


def _pixels(
    image_bgr: UInt8[Array, "H W 3"], points_px: Float[Array, "P S 2"]
) -> tuple[Float[Array, "P S 3"], Bool[Array, "P S"]]:
    """Nearest pixels and which points lie in the picture."""
    height, width = image_bgr.shape[:2]
    at = np.rint(np.nan_to_num(points_px, nan=-1.0, posinf=-1.0, neginf=-1.0)).astype(np.int64)
    inside = ((at >= 0) & (at < (width, height))).all(axis=-1)
    at = np.clip(at, 0, (width - 1, height - 1))
    return image_bgr[at[..., 1], at[..., 0]].astype(np.float32), inside


def _shared(values: Float[Array, "P S"], at: Float[Array, "B"], sigma: float) -> Float[Array, "P S B"]:
    """Each value shared out among bins; beyond the last bin it belongs to it."""
    off = (np.clip(values, at[0], at[-1])[..., None] - at) / np.float32(sigma)
    kernel = np.exp(np.float32(-0.5) * off * off)
    return np.asarray(kernel / kernel.sum(axis=-1, keepdims=True))
