"""Crops for the pose network, cut as the engine cuts them, from a picture that is painted only where it is needed.

A person of some native height is laid without a picture; their box, moved and scaled as a detector would, says
which part of the world has to be painted; neighbours, things and shadows come in; `crop_maps` and `cut` of the
engine do the rest. So small people come out blurred and large ones aliased, exactly as at work.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from ...kernels.camera import CameraModel
from ...kernels.perception.crop import crop_maps, cut
from .backdrop import BackdropBank
from .faults import CameraFaults
from .scene_compose import Composer
from .scene_config import SceneConfig
from .scene_layer import AS_IT_IS, Layer, Pose2D, laid, shifted
from .scene_overlay import bar, overlays
from .scene_view import Stands, View, free_camera, patch, stands
from .sprite import SpriteBank

Array = np.ndarray

_MARGIN_PX = 2
"""Painted beyond what the crop shows, for the bilinear weights at its rim."""
_TRIES = 4
_LEAST_BOX_PX = 6.0
"""No detector reports thinner boxes."""


@dataclass(frozen=True)
class PoseCrop:
    """One person, cut out of a picture, and the truth about them."""

    bgr: UInt8[Array, "H W 3"]
    keypoints_px: Float[Array, "17 2"]
    """Pixel centres of the crop; may lie outside it."""
    seen: UInt8[Array, "17"]
    """2: seen; 1: hidden by the person themselves or what they carry; 0: by others, or outside picture or crop."""
    visible: float
    """Share of the person's pixels that is seen in the picture, 0 to 1."""
    box_px: Float[Array, "4"]
    """The box the crop was made from, on pixel edges of the picture."""
    height_px: float
    """Height of the whole person in the picture."""


@dataclass(frozen=True)
class _Jitter:
    """How a detector's box differs from the person's."""

    scale: Float[Array, "2"]
    shift: Float[Array, "2"]
    """As a share of the box's sides."""
    legs: float
    """Share of the height below which the box ends."""
    modal: bool
    """The box is about what is seen of the person, not about all of them."""


class CropMaker:
    """Makes crops; see `crop`."""

    def __init__(
        self, people: SpriteBank, backdrops: BackdropBank, composer: Composer, faults: CameraFaults,
        config: SceneConfig,
    ) -> None:  # fmt: skip
        self._people, self._backdrops, self._composer = people, backdrops, composer
        self._faults, self._config = faults, config

    def crop(self, rng: np.random.Generator, crop_wh: tuple[int, int], padding: float) -> PoseCrop:
        """One person in one crop.

        Args:
            rng: everything follows from it.
            crop_wh: width and height of the crop.
            padding: how much larger than the box the crop sees.
        """
        shot = self._shot(rng, crop_wh, padding)
        for _ in range(_TRIES):
            if shot.visible >= self._config.crop_least_visible:
                break
            shot = self._shot(rng, crop_wh, padding)
        maps = crop_maps(shot.box_px[None], crop_wh, padding)
        points = maps.to_crop(shot.keypoints_px[None])[0]
        inside = ((points > -0.5) & (points < np.array(crop_wh) - 0.5)).all(axis=1)
        return replace(
            shot,
            bgr=cut(self._faults(shot.bgr, rng, shot.height_px), maps)[0],
            keypoints_px=points.astype(np.float32),
            seen=np.where(inside, shot.seen, 0).astype(np.uint8),
        )

    def _shot(self, rng: np.random.Generator, crop_wh: tuple[int, int], padding: float) -> PoseCrop:
        """The piece of the picture that the crop will be cut from, with everything in the piece's pixels."""
        config = self._config
        low, high = np.log(config.crop_min_height_px), np.log(config.crop_max_height_px)
        height_px = float(np.exp(rng.uniform(low, high)))
        camera, layer = self._target(height_px, rng)
        jitter, whole = _jitter(config, rng), layer.extent()
        window, bordered = self._window(whole, jitter, crop_wh, padding, rng)
        by = (-window[0], -window[1])
        layer, whole = shifted(layer, by), whole + np.tile(by, 2)
        size_px = (window[2] - window[0], window[3] - window[1])
        K = camera.K.copy()
        K[:2, 2] += by
        camera = CameraModel(K, camera.R_cam_world, camera.t_cam_world_m, size_px)
        backdrop = self._backdrops[int(rng.integers(len(self._backdrops)))]
        ground = patch(backdrop, size_px, rng, least_zoom=0.5)
        props = _props(camera, config.crop_occluder_share, rng)
        view = View(_relit(ground, rng), camera, None, height_px)
        canvas, number = self._composer.compose(view, _company(camera, rng), props, rng, first=layer)
        for part in _before_all(size_px, config.overlay_share, rng):
            canvas.paint(part)
        modal, share = canvas.box_of(number)
        seen = canvas.keypoints_seen([number])[0]
        box = _within(_box(whole, modal, share, jitter), size_px, bordered, crop_wh, padding)
        return PoseCrop(canvas.bgr, layer.keypoints_px, seen, share, box, float(whole[3] - whole[1]))

    def _target(self, height_px: float, rng: np.random.Generator) -> tuple[CameraModel, Layer]:
        """A person whose pelvis is in pixel (0, 0) of a picture without borders."""
        sprite = self._people[int(rng.integers(len(self._people)))]
        camera = free_camera((640, 480), height_px, sprite.elevation_rad, rng, centre_px=(0.0, 0.0))
        seat = stands(camera, np.zeros((1, 3)))
        pose = Pose2D(
            foot_px=(float(seat.foot_px[0, 0]), float(seat.foot_px[0, 1])),
            scale=float(seat.px_per_m[0]) / sprite.px_per_m,
            lean_rad=float(seat.roll_rad[0]),
            mirror=bool(rng.random() < 0.5),
        )
        return camera, laid(sprite, pose, AS_IT_IS)

    def _window(
        self, whole: Float[Array, "4"], jitter: _Jitter, crop_wh: tuple[int, int], padding: float,
        rng: np.random.Generator,
    ) -> tuple[tuple[int, int, int, int], UInt8[Array, "4"]]:  # fmt: skip
        """The pixels to paint, and at which sides (left, top, right, bottom) the picture ends with them."""
        box = _jittered(whole, jitter)
        maps = crop_maps(box[None], crop_wh, padding)
        half = 0.5 * np.array(crop_wh) / maps.gain[0]
        centre = 0.5 * (box[:2] + box[2:])
        low, high = np.floor(centre - half) - _MARGIN_PX, np.ceil(centre + half) + _MARGIN_PX
        bordered = np.zeros(4, np.uint8)
        if rng.random() < self._config.crop_border_share:
            side = int(rng.choice(4, p=[0.3, 0.1, 0.3, 0.3]))
            bordered[side] = 1
            left = rng.uniform(0.35, 1.05)  # of the person's extent is within the picture
            axis = side % 2
            start, end = whole[axis], whole[axis + 2]
            if side < 2:
                low[axis] = np.floor(end - left * (end - start))
            else:
                high[axis] = np.ceil(start + left * (end - start))
            low, high = np.minimum(low, high - 4), np.maximum(high, low + 4)
        return (int(low[0]), int(low[1]), int(high[0]), int(high[1])), bordered


def _jitter(config: SceneConfig, rng: np.random.Generator) -> _Jitter:
    scale = np.exp(rng.uniform(np.log(0.85), np.log(1.25)) + rng.normal(0.0, 0.04, 2))
    return _Jitter(
        scale=np.clip(scale, 0.8, 1.3),
        shift=np.clip(rng.normal(0.0, 0.04, 2), -0.08, 0.08),
        legs=float(rng.uniform(0.45, 0.85)) if rng.random() < config.crop_cut_share else 1.0,
        modal=bool(rng.random() < 0.75),
    )


def _jittered(box: Float[Array, "4"], jitter: _Jitter) -> Float[Array, "4"]:
    box = np.array([box[0], box[1], box[2], box[1] + jitter.legs * (box[3] - box[1])])
    sides = np.maximum(box[2:] - box[:2], _LEAST_BOX_PX)
    centre = 0.5 * (box[:2] + box[2:]) + jitter.shift * sides
    return np.concatenate([centre - 0.5 * jitter.scale * sides, centre + 0.5 * jitter.scale * sides])


def _box(
    whole: Float[Array, "4"], modal: Float[Array, "4"], share: float, jitter: _Jitter
) -> Float[Array, "4"]:
    """The box a detector gives; about all of the person where too little of them is seen to tell."""
    return _jittered(modal if jitter.modal and share > 0.1 else whole, jitter)


def _within(
    box: Float[Array, "4"], size_px: tuple[int, int], bordered: UInt8[Array, "4"], crop_wh: tuple[int, int],
    padding: float,
) -> Float[Array, "4"]:  # fmt: skip
    """Ends the box at borders of the picture, and moves it so that the crop shows nothing unpainted elsewhere."""
    size = np.array(size_px, np.float64)
    low, high = box[:2].copy(), box[2:].copy()
    low = np.where(bordered[:2], np.clip(low, 0.0, size - _LEAST_BOX_PX), low)
    high = np.where(bordered[2:], np.clip(high, low + _LEAST_BOX_PX, np.maximum(size, low + 1.0)), high)
    box = np.concatenate([low, np.maximum(high, low + 1.0)])
    half = 0.5 * np.array(crop_wh) / crop_maps(box[None], crop_wh, padding).gain[0]
    centre = 0.5 * (box[:2] + box[2:])
    over = np.maximum(1.0 - (centre - half), 0.0) * (bordered[:2] == 0)
    over -= np.maximum(centre + half - (size - 1.0), 0.0) * (bordered[2:] == 0)
    return np.asarray(box + np.tile(over, 2))


def _company(camera: CameraModel, rng: np.random.Generator) -> Stands:
    """The person themselves, at the world's origin, and up to five who stand near."""
    count = 0 if rng.random() < 0.25 else int(rng.integers(1, 6))
    close = float(np.exp(rng.uniform(np.log(0.35), np.log(1.6))))
    angle = rng.uniform(0.0, 2 * np.pi, count)
    reach = close * (1.0 + rng.exponential(0.8, count))
    around = np.stack([reach * np.cos(angle), reach * np.sin(angle), np.zeros(count)], axis=1)
    seats = stands(camera, np.concatenate([np.zeros((1, 3)), around]))
    return seats.rows((seats.depth_m > 0.0) & (seats.px_per_m < 3.0 * seats.px_per_m[0]))


def _props(camera: CameraModel, before_share: float, rng: np.random.Generator) -> Stands:
    """Things: one before the person in a share of crops, and now and then something beside or behind."""
    ground = np.zeros((0, 3))
    if rng.random() < before_share:
        # the camera looks along x
        ground = np.array([[-rng.uniform(0.35, 1.6), rng.normal(0.0, 0.4), 0.0]])
    beside = rng.uniform([-0.3, -2.0, 0.0], [4.0, 2.0, 0.0], (int(rng.poisson(0.5)), 3))
    seats = stands(camera, np.concatenate([np.zeros((1, 3)), ground, beside]))
    good = (seats.depth_m > 0.0) & (seats.px_per_m < 3.0 * seats.px_per_m[0])
    good[0] = False  # the place of the person themselves
    return seats.rows(good)


def _before_all(size_px: tuple[int, int], share: float, rng: np.random.Generator) -> list[Layer]:
    """Bars, and more rarely what lies before everything else in recordings."""
    draw = rng.random()
    if draw < share:
        return [bar(size_px, rng)]
    return overlays(size_px, rng) if draw < 1.4 * share else []


def _relit(bgr: UInt8[Array, "H W 3"], rng: np.random.Generator) -> UInt8[Array, "H W 3"]:
    if rng.random() < 0.3:
        share = float(rng.uniform(0.1, 0.8))
        return np.asarray(cv2.convertScaleAbs(bgr, alpha=share, beta=255.0 * (1.0 - share)))
    return bgr
