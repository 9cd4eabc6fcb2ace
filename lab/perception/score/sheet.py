"""Contact sheets: boxes and skeletons drawn over pictures, pictures laid out in rows, written as PNG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from ....kernels.perception.crop import crop_maps, cut
from ....kernels.skeleton import COCO_LIMBS
from .errors import ScoreError

Array = np.ndarray
Colour = tuple[int, int, int]
"""BGR."""

GREEN, YELLOW, RED, WHITE = (80, 220, 60), (0, 220, 255), (50, 50, 255), (255, 255, 255)
LEFT, RIGHT, MIDDLE = (255, 150, 40), (60, 90, 255), (230, 230, 230)
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_GAP = 4
_PAPER = 28


def draw_boxes(
    image: UInt8[Array, "H W 3"],
    boxes_px: Float[Array, "N 4"],
    colour: Colour,
    gain: float,
    scores: Float[Array, "N"] | None = None,
) -> None:
    """Boxes of the unscaled picture into one enlarged by `gain`, with their scores."""
    for k, box in enumerate(np.round(boxes_px * gain).astype(int).tolist()):
        cv2.rectangle(image, (box[0], box[1]), (box[2], box[3]), colour, 1, cv2.LINE_AA)
        if scores is not None:
            text(image, f"{scores[k]:.2f}"[1:], (box[0], max(box[1] - 3, 8)), colour, 0.35)


def text(
    image: UInt8[Array, "H W 3"], words: str, at_px: tuple[int, int], colour: Colour, size: float = 0.45
) -> None:
    """Words on a dark rim, readable on anything."""
    x, y = at_px
    for dx, dy in ((-1, 0), (1, 0), (0, -1), (0, 1), (1, 1)):  # a thicker pen would also advance further
        cv2.putText(image, words, (x + dx, y + dy), _FONT, size, (0, 0, 0), 1, cv2.LINE_AA)
    cv2.putText(image, words, at_px, _FONT, size, colour, 1, cv2.LINE_AA)


def draw_skeleton(
    image: UInt8[Array, "H W 3"], points_px: Float[Array, "17 2"], sure: Bool[Array, "17"]
) -> None:
    """Bones between sure keypoints, left and right in their colours; unsure ones as grey dots."""
    places = [(int(x), int(y)) for x, y in np.round(points_px).tolist()]
    for a, b in COCO_LIMBS:
        if sure[a] and sure[b]:
            cv2.line(image, places[a], places[b], _side(a, b), 1, cv2.LINE_AA)
    for j, place in enumerate(places):
        cv2.circle(image, place, 2, _side(j, j) if sure[j] else (120, 120, 120), -1, cv2.LINE_AA)


def close_up(
    image: UInt8[Array, "H W 3"], box_px: Float[Array, "4"], size_px: tuple[int, int], padding: float
) -> tuple[UInt8[Array, "h w 3"], Float[Array, "2"], float]:
    """A box with its surroundings, scaled to fit; shift and gain take points of the picture there."""
    maps = crop_maps(np.asarray(box_px, np.float64)[None], size_px, padding)
    return cut(image, maps)[0], maps.shift_px[0], float(maps.gain[0, 0])


def sheet(tiles: Sequence[UInt8[Array, "H W 3"]], columns: int, title: str) -> UInt8[Array, "P Q 3"]:
    """Tiles of one size in rows under a title.

    Raises:
        ScoreError: nothing to lay out.
    """
    if not tiles:
        raise ScoreError(f"{title}: nothing to draw")
    height, width = tiles[0].shape[:2]
    columns = min(columns, len(tiles))
    rows = -(-len(tiles) // columns)
    head = 24
    paper = np.full((head + rows * (height + _GAP), columns * (width + _GAP) - _GAP, 3), _PAPER, np.uint8)
    for k, tile in enumerate(tiles):
        top, left = head + k // columns * (height + _GAP), k % columns * (width + _GAP)
        paper[top : top + height, left : left + width] = tile
    text(paper, title, (6, 17), WHITE)
    return paper


def write_picture(path: Path, image: UInt8[Array, "H W 3"]) -> Path:
    """As PNG; the folder is made.

    Raises:
        ScoreError: the disk refuses.
    """
    coded, data = cv2.imencode(".png", image)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.tobytes() if coded else b"")
    except OSError as exc:
        raise ScoreError(f"cannot write {path}: {exc.strerror or exc}; name another folder") from exc
    return path


def _side(a: int, b: int) -> Colour:
    """Odd COCO keypoints are left ones, even ones right, the nose neither; so are bones within a side."""
    if a % 2 != b % 2 or 0 in (a, b):
        return MIDDLE
    return LEFT if a % 2 else RIGHT
