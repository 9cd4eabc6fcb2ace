"""The question and the answer of one window: WindowProblem -> WindowSolution.

N people of one site over T = 64 slots of the 30 Hz model timeline, seen by C cameras. Everything is dense
with masks, so that one call solves all people at once; a person or slot without data costs nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from ..camera import CameraModel
from ..errors import ShapeError
from ..ground import Ground

Array = np.ndarray

WINDOW_FRAMES = 64
"""T: slots of a window (DyCrowd sec. III-C), 2.13 s at the model's 30 Hz."""
MODEL_RATE_HZ = 30.0


class Provenance(IntEnum):
    """Where the body of one person in one slot comes from."""

    ABSENT = 0
    """Not in the scene (before birth, after death): the numbers are meaningless."""
    OBSERVED = 1
    """At least one camera saw the person in this slot."""
    INTERPOLATED = 2
    """No observation in this slot, but seen close enough before and after (e.g. a 10 Hz camera)."""
    INFILLED = 3
    """Hidden: filled by the prior."""
    GUIDED = 4
    """Hidden: filled with the help of another segment; the refined record says whose."""


@dataclass(frozen=True)
class WarmStart:
    """What the last window already knows of the people of this one, aligned with its slots."""

    known: Bool[Array, "N T"]
    """Slots that carry a solution of the window before."""
    pose_rotvec: Float[Array, "N T 24 3"]
    """Axis-angle, radians; joint 0 in the world (z up), the rest relative to the parent."""
    transl_m: Float[Array, "N T 3"]
    betas: Float[Array, "N 10"]
    betas_weight: Float[Array, "N"]
    """How many observed person-frames the betas already rest on; 0 for newcomers."""


@dataclass(frozen=True)
class WindowProblem:
    """Observations of one window. Arrays are float32 unless said otherwise, C contiguous."""

    window: int
    """Index of the window on the timeline: its first slot is `window * hop`."""
    slot0: int
    """Timeline index of the first slot."""
    t0_ns: int
    """Capture time of the first slot, ns."""
    person_ids: Int[Array, "N"]
    cameras: tuple[CameraModel, ...]
    ground: Ground
    present: Bool[Array, "N T"]
    """The person exists in the slot, seen or not (between first and last sighting, or coasting)."""
    keypoints_px: Float[Array, "C N T 17 2"]
    """COCO-17, *undistorted* pixels of the camera's K; meaningless where confidence is 0."""
    confidence: Float[Array, "C N T 17"]
    """0..1; 0 for not seen or masked."""
    box_px: Float[Array, "C N T 4"]
    """x1, y1, x2, y2, distorted pixels as detected; zeros where not seen."""
    hvip_px: Float[Array, "C N T 2"]
    """2D interaction point (undistorted px): the torso's foot point on the ground as seen from the image."""
    hvip_sigma_px: Float[Array, "C N T"]
    """Its standard deviation along the image vertical, px; 0 for none."""
    track_m: Float[Array, "N T 3"]
    """Ground position of the track in every present slot (smoothed, gaps bridged), metres."""
    warm: WarmStart | None = None
    """None for a cold start."""
    site: str = ""
    """Whose window it is, where several sites are solved by one worker."""

    def __post_init__(self) -> None:
        n, t = self.present.shape
        c = len(self.cameras)
        want = {
            "person_ids": (n,),
            "keypoints_px": (c, n, t, 17, 2),
            "confidence": (c, n, t, 17),
            "box_px": (c, n, t, 4),
            "hvip_px": (c, n, t, 2),
            "hvip_sigma_px": (c, n, t),
            "track_m": (n, t, 3),
        }
        for name, shape in want.items():
            got = getattr(self, name).shape
            if got != shape:
                raise ShapeError(f"WindowProblem.{name}: got {got}, expected {shape} (C={c}, N={n}, T={t})")

    @property
    def num_people(self) -> int:
        return int(self.present.shape[0])

    @property
    def num_frames(self) -> int:
        return int(self.present.shape[1])

    @property
    def observed(self) -> Bool[Array, "N T"]:
        """At least one camera has at least one keypoint of the person in the slot."""
        return np.asarray((self.confidence > 0).any(axis=(0, 3)) & self.present)

    def __repr__(self) -> str:
        return (
            f"WindowProblem(window={self.window}, N={self.num_people}, T={self.num_frames}, "
            f"C={len(self.cameras)}, person_frames={int(self.present.sum())}, "
            f"observed={int(self.observed.sum())}, warm={self.warm is not None})"
        )


class SolveStatus(IntEnum):
    """How one person's solve ended."""

    CONVERGED = 0
    BUDGET = 1
    """Stopped by the iteration budget; the usual end of a live solve."""
    FAILED = 2
    """No finite answer; the person is not published from this window."""


@dataclass(frozen=True)
class WindowSolution:
    """Bodies of one window in the world; the layout is smplx's: joints = FK(pose, J(betas)) + transl."""

    window: int
    slot0: int
    t0_ns: int
    rev: int
    """0 from the live solver; the refiner publishes >= 1."""
    person_ids: Int[Array, "N"]
    pose_rotvec: Float[Array, "N T 24 3"]
    """Axis-angle, radians, SMPL order; joint 0 takes the y-up body into the z-up world."""
    betas: Float[Array, "N 10"]
    transl_m: Float[Array, "N T 3"]
    joints_m: Float[Array, "N T 24 3"]
    """World positions of the 24 joints, metres: what a consumer without a body model draws."""
    ground_m: Float[Array, "N T 3"]
    """The person's interaction point on the ground (HVIP of the solved torso), metres."""
    confidence: Float[Array, "N T"]
    """0..1."""
    provenance: UInt8[Array, "N T"]
    """`Provenance` values."""
    reprojection_px: Float[Array, "N"]
    """Confidence-weighted rms distance of projected keypoints to the observed ones, px."""
    status: UInt8[Array, "N"]
    """`SolveStatus` values."""

    def __post_init__(self) -> None:
        n, t = self.provenance.shape
        want = {
            "person_ids": (n,),
            "pose_rotvec": (n, t, 24, 3),
            "betas": (n, 10),
            "transl_m": (n, t, 3),
            "joints_m": (n, t, 24, 3),
            "ground_m": (n, t, 3),
            "confidence": (n, t),
            "reprojection_px": (n,),
            "status": (n,),
        }
        for name, shape in want.items():
            got = getattr(self, name).shape
            if got != shape:
                raise ShapeError(f"WindowSolution.{name}: got {got}, expected {shape} (N={n}, T={t})")

    @property
    def num_person_frames(self) -> int:
        return int((self.provenance != Provenance.ABSENT).sum())

    def __repr__(self) -> str:
        n, t = self.provenance.shape
        return f"WindowSolution(window={self.window}, rev={self.rev}, N={n}, T={t})"
