"""Errors of a pose network with known truth: the four-view clip shrunk to the sizes people have in crowds.

Every person of every view is cut out with surroundings, shrunk until the body is as tall as in a crowd, given a box as
noisy as a detector's, and posed again. Truth is the triangulation at full size; visibility comes from the triangulated
bodies. One series is one person in one view at one size, over time.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int

from ...kernels.perception.pose import PoseEstimator
from .sighting_bodies import view_of_keypoints
from .sighting_keypoints import OTHER_LEVELS
from .sighting_multicam import RATE_HZ, MultiView

Array = np.ndarray

SIZES_PX = (36, 50, 70, 100, 140, 200)
"""Heights of the whole body in the shrunken pictures."""
STEP = 2
"""Every second frame of the 60 Hz clip."""
BOX_STD = 0.025
"""Noise of the box's edges, share of the height."""
SURROUNDINGS = 0.6


@dataclass(frozen=True)
class KeypointSamples:
    """S series of F frames; positions in pixels of the shrunken picture, NaN where not known."""

    step_s: float
    size_px: Int[Array, "S"]
    """Nominal height."""
    height_px: Float[Array, "S F"]
    truth_px: Float[Array, "S F 17 2"]
    other_px: Float[Array, "S F 17 2"]
    """The other person's keypoints in the same picture."""
    found_px: Float[Array, "S F 17 2"]
    confidence: Float[Array, "S F 17"]
    state: Int[Array, "S F 17"]
    """Row of `sighting_model.STATES`."""

    @property
    def error(self) -> Float[Array, "S F 17 2"]:
        """Found minus truth, share of the height."""
        return np.asarray((self.found_px - self.truth_px) / self.height_px[..., None, None])

    @property
    def known(self) -> Bool[Array, "S F 17"]:
        return np.asarray(np.isfinite(self.error).all(axis=-1))

    def of_size(self, size_px: int) -> KeypointSamples:
        """Only the series of one size."""
        rows = self.size_px == size_px
        return KeypointSamples(
            self.step_s, self.size_px[rows], self.height_px[rows], self.truth_px[rows], self.other_px[rows],
            self.found_px[rows], self.confidence[rows], self.state[rows],
        )  # fmt: skip


def shrink_and_pose(
    images: list[list[Array]], people: MultiView, pose: PoseEstimator, seed: int = 0
) -> KeypointSamples:
    """Pose everybody of the clip at every size.

    Args:
        images: by view, by frame: the pictures `people` were reconstructed from.
        people: the truth.
        pose: the network under test.
        seed: of the boxes' noise.
    """
    rng = np.random.default_rng(seed)
    frames = np.arange(0, people.num_frames, STEP)
    states = view_states(people)
    series = []
    for size in SIZES_PX:
        for c in range(len(people.cameras)):
            truth = people.cameras[c].project(people.points_m)
            for p in range(len(people.points_m)):
                rows = [
                    _one(
                        images[c][k], people.boxes_px[c, p, k], truth[p, k], truth[1 - p, k], size, pose, rng
                    )
                    for k in frames.tolist()
                ]
                series.append(
                    (size, *(np.stack(part) for part in zip(*rows, strict=True)), states[c, p, frames])
                )
    size_px, height, truth_px, other_px, found, confidence, state = (
        np.stack(s) for s in zip(*series, strict=True)
    )
    return KeypointSamples(STEP / RATE_HZ, size_px, height, truth_px, other_px, found, confidence, state)


def view_states(people: MultiView) -> Int[Array, "C P F 17"]:
    """Row of `STATES` of every keypoint in every view."""
    points = np.nan_to_num(people.points_m)
    present = np.isfinite(people.points_m[..., 0]).sum(axis=-1) >= 12
    t_ns = (np.arange(people.num_frames) * 1e9 / RATE_HZ).astype(np.int64)
    views = [view_of_keypoints(points, present, camera, t_ns) for camera in people.cameras]
    return np.asarray(OTHER_LEVELS[np.stack([view.visibility for view in views])])


def _one(
    image: Array,
    box: Float[Array, "4"],
    truth: Float[Array, "17 2"],
    other: Float[Array, "17 2"],
    size: int,
    pose: PoseEstimator,
    rng: np.random.Generator,
) -> tuple[Array, ...]:
    """Height, truth, the other's truth, found, confidence; in pixels of the shrunken cut-out."""
    noise = rng.standard_normal(4)
    blank = np.full((17, 2), np.nan)
    if not np.isfinite(box).all():
        return np.array(np.nan), blank, blank, blank, np.full(17, np.nan)
    tall = box[3] - box[1]
    gain = size / tall
    low = np.maximum(np.floor(box[:2] - SURROUNDINGS * tall), 0).astype(int)
    high = np.ceil(box[2:] + SURROUNDINGS * tall).astype(int)
    cut = image[low[1] : high[1], low[0] : high[0]]
    small = cv2.resize(cut, None, fx=gain, fy=gain, interpolation=cv2.INTER_AREA)
    origin = np.array([*low, *low])
    given = ((box + BOX_STD * tall * noise - origin) * gain).astype(np.float32)
    found, confidence = pose.estimate(small, given[None])

    def shrunk(px: Array) -> Array:
        return np.asarray((px - low + 0.5) * gain - 0.5)

    return np.array(float(size)), shrunk(truth), shrunk(other), found[0], confidence[0]
