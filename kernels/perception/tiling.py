"""Tiles for large frames, derived from camera and ground (after Crowd3D's adaptive cropping; algorithms 2.3).

How tall a person is in the picture follows from where their feet are: the head pixel is the projection of the
ground point raised by their stature. For every row v of foot pixels this gives the tallest and the smallest
person (the extremes over the columns). Rows of tiles are then laid greedily, from the far ground to the near:

    scale of a row    s = w_min / h_small(far edge)            smallest person at the smallest wanted size,
                                                               but no finer than `max_enlargement`
    foot rows         as many as keep  s h_tall <= w_max  and  s (v_end - top) <= input side
    extent            from the highest head of those rows to the last foot row

so a person with feet in the row lies whole inside it, at a wanted size, by construction; no half-shifted rows
are needed. Along a row, tiles overlap by the widest person. Where no calibration stands, tiles are uniform;
where one pass over the whole picture does, there is one. O(pixel grid) once per calibration.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from pydantic import Field, model_validator

from ..camera import CameraModel
from ..errors import InferenceError
from ..ground import Ground
from ..hvip import ground_points
from ..settings import StageConfig

FOOT_GRID = (96, 160)
"""Columns and rows of foot pixels at which statures are projected."""
WIDTH_PER_HEIGHT = 0.6
"""Widest stride and swing of arms over stature: what neighbouring tiles share."""
SLACK_PX = 2.0
"""Added on every side of a row: feet and heads between the grid's samples."""


class TileConfig(StageConfig):
    """How large frames are cut for the detector."""

    min_person_px: float = Field(default=24.0, gt=0)
    """Smallest wanted height of a person in the detector's input."""
    max_person_share: float = Field(default=0.6, gt=0, lt=1)
    """Largest wanted height of a person, as a share of the input's longer side."""
    min_stature_m: float = Field(default=1.0, gt=0)
    """Smallest person to be found."""
    max_stature_m: float = Field(default=2.0, gt=0)
    """Tallest person to be found."""
    max_enlargement: float = Field(default=1.0, ge=0.25, le=4)
    """Finest scale, input pixels per frame pixel; people too small even so are left to chance."""
    single_pass_gain: float = Field(default=1.5, ge=1)
    """No tiles where the picture is at most this many times the input: they could gain no more than that."""
    max_tiles: int = Field(default=6, ge=1, le=512)
    """Bound on the work of one frame; a plan that needs more gives up the smallest people until it fits."""

    @model_validator(mode="after")
    def _ranges(self) -> TileConfig:
        if self.max_stature_m <= self.min_stature_m:
            raise ValueError(
                f"max_stature_m {self.max_stature_m} must exceed min_stature_m {self.min_stature_m}"
            )
        return self


@dataclass(frozen=True)
class Tile:
    """A part of the picture and how it is shown to the detector."""

    region_px: tuple[int, int, int, int]
    """x1, y1, x2, y2 on pixel edges of the frame."""
    scale: float
    """Input pixels per frame pixel."""

    @property
    def input_wh(self) -> tuple[int, int]:
        """Size of the tile as shown."""
        x1, y1, x2, y2 = self.region_px
        return max(1, round((x2 - x1) * self.scale)), max(1, round((y2 - y1) * self.scale))


@dataclass(frozen=True)
class FootRows:
    """How people appear whose feet are in each row of the picture; only rows with ground in sight."""

    row_px: Float[np.ndarray, "R"]
    """Foot rows, rising."""
    tallest_px: Float[np.ndarray, "R"]
    """Height in the picture of the tallest person, largest over the columns."""
    smallest_px: Float[np.ndarray, "R"]
    """Height of the smallest person, smallest over the columns."""
    widest_px: Float[np.ndarray, "R"]
    """Width of the tallest person, swing of the arms and lean towards the picture's edges included."""
    top_px: Float[np.ndarray, "R"]
    """Highest row that a head reaches."""


def plan_tiles(
    size_px: tuple[int, int],
    camera: CameraModel | None,
    ground: Ground | None,
    config: TileConfig,
    input_side_px: int,
) -> tuple[Tile, ...]:
    """The tiles of a frame, far ground first; one tile where a single pass is enough.

    Args:
        size_px: width and height of the frame.
        camera: None: not calibrated yet, tiles are uniform.
        ground: None: the same.
        config: statures, wanted sizes and the bound on work.
        input_side_px: longest side the detector sees without shrinking.

    Raises:
        InferenceError: the camera belongs to pictures of another size.
    """
    whole = whole_frame(size_px, input_side_px)
    if max(size_px) <= config.single_pass_gain * input_side_px:
        return (whole,)
    if camera is None or ground is None:
        return uniform_tiles(size_px, config, input_side_px)
    if camera.size_px != size_px:
        raise InferenceError(
            f"tiles: the calibration is for {camera.size_px[0]}x{camera.size_px[1]}, frames are "
            f"{size_px[0]}x{size_px[1]}; scale the calibration or give the right one"
        )
    rows = foot_rows(camera, ground, config.min_stature_m, config.max_stature_m)
    finest = config.max_enlargement
    while True:
        tiles = _lay_rows(size_px, rows, whole, finest, config, input_side_px)
        if len(tiles) <= config.max_tiles:
            return tiles
        finest *= 0.85


def whole_frame(size_px: tuple[int, int], input_side_px: int) -> Tile:
    """One tile: the picture scaled so that its longer side fills the input."""
    return Tile((0, 0, *size_px), input_side_px / max(size_px))


def uniform_tiles(size_px: tuple[int, int], config: TileConfig, input_side_px: int) -> tuple[Tile, ...]:
    """Tiles of one scale over the whole frame, as fine as `max_tiles` allows, then the whole frame for the near."""
    scale = 1.0
    while True:
        side = int(input_side_px / scale)
        xs, ys = (_spans(length, side, 0.25 * side) for length in size_px)
        tiles = tuple(Tile((x1, y1, x2, y2), scale) for y1, y2 in ys for x1, x2 in xs)
        if len(tiles) == 1:
            return (whole_frame(size_px, input_side_px),)
        if len(tiles) + 1 <= config.max_tiles:
            return (*tiles, whole_frame(size_px, input_side_px))
        scale *= 0.8


def foot_rows(camera: CameraModel, ground: Ground, min_stature_m: float, max_stature_m: float) -> FootRows:
    """Heights of people by foot row, from rays through a grid of foot pixels to the ground.

    Rows that see no ground, and columns that miss it, are left out.
    """
    width, height = camera.size_px
    columns = np.linspace(0.0, width - 1.0, FOOT_GRID[0])
    rows = np.linspace(0.0, height - 1.0, FOOT_GRID[1])
    feet_px = np.stack(np.meshgrid(columns, rows), axis=-1)
    ideal_px = camera.undistort_px(feet_px.reshape(-1, 2))
    feet_m = ground_points(camera, ground, ideal_px).reshape(*feet_px.shape[:2], 3)
    up = np.array([0.0, 0.0, 1.0])
    head_px = camera.project(feet_m + up * max_stature_m)
    lean, tall = np.moveaxis(np.abs(feet_px - head_px), -1, 0)
    tall = np.where(head_px[..., 1] < feet_px[..., 1], tall, np.nan)
    small = feet_px[..., 1] - camera.project(feet_m + up * min_stature_m)[..., 1]
    seen = np.isfinite(tall) & np.isfinite(small) & (tall > 0) & (small > 0)
    some = seen.any(axis=1)
    return FootRows(
        rows[some],
        np.where(seen, tall, -np.inf).max(axis=1)[some],
        np.where(seen, small, np.inf).min(axis=1)[some],
        np.where(seen, lean + WIDTH_PER_HEIGHT * tall, -np.inf).max(axis=1)[some],
        np.where(seen, head_px[..., 1], np.inf).min(axis=1)[some],
    )


def cut_tile(image_bgr: UInt8[np.ndarray, "H W 3"], tile: Tile) -> UInt8[np.ndarray, "TH TW 3"]:
    """The part of the picture, scaled as the tile says; a view where nothing is scaled."""
    x1, y1, x2, y2 = tile.region_px
    part = image_bgr[y1:y2, x1:x2]
    if tile.input_wh == (x2 - x1, y2 - y1):
        return part
    return np.asarray(cv2.resize(part, tile.input_wh, interpolation=cv2.INTER_LINEAR))


def boxes_to_frame(boxes_px: Float[np.ndarray, "N 4"], tile: Tile) -> Float[np.ndarray, "N 4"]:
    """Boxes of the tile as shown, in pixels of the frame, float32."""
    x1, y1, x2, y2 = tile.region_px
    width, height = tile.input_wh
    gain = np.array([(x2 - x1) / width, (y2 - y1) / height] * 2)
    return np.asarray(boxes_px * gain + np.array([x1, y1, x1, y1]), np.float32)


def _lay_rows(
    size_px: tuple[int, int],
    rows: FootRows,
    whole: Tile,
    finest: float,
    config: TileConfig,
    input_side_px: int,
) -> tuple[Tile, ...]:
    """Rows of tiles that hold everyone who can be shown at a wanted size; see the head of this file.

    `finest` is the largest scale of a tile; people too small for it are given up.
    """
    findable = rows.tallest_px * finest >= config.min_person_px
    if finest <= whole.scale or not findable.any():
        return (whole,)
    start = max(0, int(np.argmax(findable)) - 1)  # one sample earlier: feet may stand between the two
    needed = config.min_person_px / rows.smallest_px[start:].min()
    tallest = rows.tallest_px[start:].max() * whole.scale
    if min(needed, finest) <= whole.scale and tallest <= config.max_person_share * input_side_px:
        return (whole,)
    tiles: list[Tile] = []
    last = len(rows.row_px) - 1
    while True:
        end, scale = _row_end(rows, start, (whole.scale, finest), config, input_side_px)
        tiles.extend(_row_tiles(size_px, rows, start, end, scale, input_side_px))
        if end == last:
            return tuple(tiles)
        start = end  # rows share a sample: feet between two samples belong to one of them


def _row_end(
    rows: FootRows, start: int, scales: tuple[float, float], config: TileConfig, input_side_px: int
) -> tuple[int, float]:
    """Last sample of the row of tiles that starts at `start`, and its scale; at least one step on."""
    last = len(rows.row_px) - 1
    first_end = min(start + 1, last)
    end, scale = first_end, scales[0]
    for candidate in range(first_end, last + 1):
        part = slice(start, candidate + 1)
        s = float(np.clip(config.min_person_px / rows.smallest_px[part].min(), *scales))
        extent = rows.row_px[candidate] - rows.top_px[part].min() + 3 * SLACK_PX
        tallest = s * rows.tallest_px[part].max()
        too_large = tallest > config.max_person_share * input_side_px or s * extent > input_side_px
        if too_large and candidate > first_end:
            break
        end, scale = candidate, s
    return end, scale


def _row_tiles(
    size_px: tuple[int, int], rows: FootRows, start: int, end: int, scale: float, input_side_px: int
) -> list[Tile]:
    part = slice(start, end + 1)
    top = max(0, int(np.floor(rows.top_px[part].min() - SLACK_PX)))
    bottom = min(size_px[1], int(np.ceil(rows.row_px[end] + 1.0 + SLACK_PX)))
    overlap = float(rows.widest_px[part].max()) + 2 * SLACK_PX
    side = int(input_side_px / scale)
    return [
        Tile((x1, top, x2, bottom), scale) for x1, x2 in _spans(size_px[0], side, min(overlap, 0.75 * side))
    ]


def _spans(length: int, side: int, overlap: float) -> list[tuple[int, int]]:
    """Evenly spaced pieces of `side` that cover 0..length and share at least `overlap`, to a pixel."""
    if side >= length:
        return [(0, length)]
    count = int(np.ceil((length - overlap) / (side - overlap)))
    starts = np.round(np.linspace(0, length - side, count)).astype(int)
    return [(int(s), int(s) + side) for s in starts]
