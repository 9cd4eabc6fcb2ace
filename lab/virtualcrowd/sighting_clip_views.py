"""Views to simulate on, so that simulated sightings can be laid beside real ones of the same kind.

series_view   the shrunken pictures of the four-view clip: one person of the view a series, side by side, with
              the triangulated keypoints as truth
hall_view     walkers as dense and as tall in the picture as those of the hall clip, which has no truth at all
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from ...kernels.camera import CameraModel
from ...kernels.ground import Ground
from .sighting_bodies import view_of_keypoints
from .sighting_keypoints import OTHER_LEVELS
from .sighting_pets import walking
from .sighting_samples import KeypointSamples
from .sightings import Sightings
from .truth import View

Array = np.ndarray

HALL_SIZE_PX = (1280, 720)
HALL_RATE_HZ = 25.0
HALL_PEOPLE = 38
HALL_PITCH_DEG = 38.0
HALL_FOCAL_PX = 1100.0
HALL_HEIGHT_M = 10.0
WALK_MPS = 1.2
MARGIN = 0.09
"""From outermost keypoints to the box, share of the height."""


def series_view(samples: KeypointSamples) -> tuple[View, Sightings]:
    """The truth of samples of one size as a view, and what the network found there.

    Every series gets a place of its own in a wide picture; its boxes are the true ones on both sides.
    """
    series, frames = samples.height_px.shape
    room = 4.0 * float(samples.size_px.max())
    low = np.nanmin(samples.truth_px, axis=(1, 2))
    shift = np.stack([room * (np.arange(series) + 0.4), np.full(series, 0.4 * room)], axis=1) - low
    truth = samples.truth_px + shift[:, None, None]
    found = samples.found_px + shift[:, None, None]
    present = np.isfinite(samples.height_px)
    box = np.concatenate([np.nanmin(np.where(present[..., None, None], truth, 0), axis=2),
                          np.nanmax(np.where(present[..., None, None], truth, 0), axis=2)], axis=-1)  # fmt: skip
    margin = MARGIN * np.nan_to_num(samples.height_px)[..., None]
    box = np.concatenate([box[..., :2] - margin, box[..., 2:] + margin], axis=-1)
    size = (int(room * (series + 1)), int(4 * room))
    camera = CameraModel(K=np.eye(3), R_cam_world=np.eye(3), t_cam_world_m=np.zeros(3), size_px=size)
    t_ns = np.round(np.arange(frames) * samples.step_s * 1e9).astype(np.int64)
    view = View(
        name="series", camera=camera, ground=Ground(), t_ns=t_ns, person_ids=np.arange(1, series + 1), present=present,
        keypoints_px=truth.astype(np.float32), visibility=OTHER_LEVELS[samples.state].astype(np.uint8),
        joint_visibility=np.zeros((series, frames, 24), np.uint8),
        box_px=np.where(present[..., None], box, 0.0).astype(np.float32), seen_share=present.astype(np.float32),
    )  # fmt: skip
    frame, row = np.nonzero(present.T)
    real = Sightings(
        size_px=size, t_ns=t_ns, frame=frame, boxes_px=view.box_px[row, frame],
        scores=np.full(len(frame), 0.8), keypoints_px=found[row, frame],
        confidence=samples.confidence[row, frame], person=row + 1,
    )  # fmt: skip
    return view, real


def hall_view(frames: int, seed: int = 0) -> View:
    """Walkers under a camera like the hall's: about 38 people, 45-120 px tall."""
    rng = np.random.default_rng(seed)
    pitch = np.radians(HALL_PITCH_DEG)
    R = np.array([[1, 0, 0], [0, -np.sin(pitch), -np.cos(pitch)], [0, np.cos(pitch), -np.sin(pitch)]])
    width, height = HALL_SIZE_PX
    K = np.array([[HALL_FOCAL_PX, 0, width / 2], [0, HALL_FOCAL_PX, height / 2], [0, 0, 1]])
    camera = CameraModel(
        K=K, R_cam_world=R, t_cam_world_m=-R @ np.array([0, 0, HALL_HEIGHT_M]), size_px=HALL_SIZE_PX
    )
    start = np.stack([rng.uniform(-8, 8, HALL_PEOPLE), rng.uniform(7, 27, HALL_PEOPLE)], axis=1)
    heading = rng.uniform(0, 2 * np.pi, HALL_PEOPLE)
    speed = np.clip(rng.normal(WALK_MPS, 0.3, HALL_PEOPLE), 0.0, None) * (rng.random(HALL_PEOPLE) > 0.25)
    step = np.stack([np.cos(heading), np.sin(heading)], axis=1) * speed[:, None]
    t_s = np.arange(frames) / HALL_RATE_HZ
    path: Float[Array, "N F 2"] = start[:, None] + step[:, None] * (t_s - t_s.mean())[:, None]
    present = np.ones(path.shape[:2], bool)
    points = walking(path, present, rng.normal(1.7, 0.08, HALL_PEOPLE), HALL_RATE_HZ)
    return view_of_keypoints(points, present, camera, np.round(t_s * 1e9).astype(np.int64))
