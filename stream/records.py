"""What moves through the engine before it becomes a window: frames, observations, tracked people.

Struct of arrays everywhere: one record a frame, one row a person. Window records
(`WindowProblem`, `WindowSolution`) stand in `kernels.solve.problem`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from ..kernels.errors import ShapeError

Array = np.ndarray


class ClockOrigin(StrEnum):
    """What a capture time rests on."""

    FILE_PTS = "file_pts"
    """Presentation time of a recording plus its declared start."""
    HOST = "host"
    """Arrival at this machine."""
    NTP_SR = "ntp_sr"
    """RTCP sender report of the camera."""
    MANUAL = "manual"


class PixelFormat(StrEnum):
    """How the bytes of a frame are laid out."""

    I420 = "i420"
    """Planar YUV 4:2:0 as (H * 3 / 2, W) uint8: what a decoder gives, half the size of BGR."""
    BGR = "bgr"
    """(H, W, 3) uint8."""


@dataclass(frozen=True)
class Frame:
    """One picture of one camera. `image` may be a view into a ring: valid until the slot is freed."""

    camera: str
    index: int
    """Position in the source's own order, from 0; skipped and broken frames keep their numbers."""
    t_capture_ns: int
    clock: ClockOrigin
    image: UInt8[Array, "..."]
    format: PixelFormat
    size_px: tuple[int, int]
    """(width, height) of the picture."""
    skew_ns: int | None = None
    """How far the capture time may be off the host's clock (`timing.records.Stamp`); None: nothing to tell it from."""

    def __repr__(self) -> str:
        w, h = self.size_px
        return f"Frame({self.camera}#{self.index}, {w}x{h} {self.format}, t={self.t_capture_ns / 1e9:.3f}s)"


@dataclass(frozen=True)
class Observation:
    """What perception saw in one frame: boxes and, for the rows with `posed`, keypoints."""

    camera: str
    index: int
    t_capture_ns: int
    clock: ClockOrigin
    size_px: tuple[int, int]
    boxes_px: Float[Array, "N 4"]
    """x1, y1, x2, y2, float32, pixels of the full frame."""
    scores: Float[Array, "N"]
    """Detector scores, 0..1."""
    detected: bool
    """False: the detector was skipped on this frame (stride); boxes are then empty."""
    keypoints_px: Float[Array, "N 17 2"]
    """COCO-17, full-frame pixels (distorted, as seen)."""
    confidence: Float[Array, "N 17"]
    """0..1 whatever the backend."""
    posed: Bool[Array, "N"]
    """False: no pose was run on this box (budget); its confidences are zero."""
    appearance: Float[Array, "N A"] = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    """Unit appearance codes; A = 0 where none is computed."""
    drops: dict[str, int] = field(default_factory=dict)
    """What was left out of this frame, by cause (e.g. pose_budget, detect_stride)."""
    skew_ns: int | None = None
    """How far the capture time may be off the host's clock (`timing.records.Stamp`); None: nothing to tell it from."""

    def __post_init__(self) -> None:
        n = len(self.boxes_px)
        if not (len(self.scores) == len(self.keypoints_px) == len(self.confidence) == len(self.posed) == n):
            raise ShapeError(
                f"Observation: rows disagree: boxes {self.boxes_px.shape}, scores {self.scores.shape}, "
                f"keypoints {self.keypoints_px.shape}, confidence {self.confidence.shape}"
            )

    @classmethod
    def not_looked_at(
        cls, camera: str, index: int, t_capture_ns: int, clock: ClockOrigin, size_px: tuple[int, int], cause: str,
        skew_ns: int | None = None,
    ) -> Observation:  # fmt: skip
        """Of a frame that nobody could look at; the cause is counted."""
        none = np.zeros((0, 17), np.float32)
        return cls(
            camera, index, t_capture_ns, clock, size_px, np.zeros((0, 4), np.float32), np.zeros(0, np.float32), False,
            np.zeros((0, 17, 2), np.float32), none, np.zeros(0, bool), drops={cause: 1}, skew_ns=skew_ns,
        )  # fmt: skip

    def __repr__(self) -> str:
        return (
            f"Observation({self.camera}#{self.index}, N={len(self.boxes_px)}, posed={int(self.posed.sum())})"
        )


@dataclass(frozen=True)
class TrackedFrame:
    """Who is where in one frame: the `live` tier. A row a live track, seen or coasting."""

    camera: str
    index: int
    t_capture_ns: int
    clock: ClockOrigin
    size_px: tuple[int, int]
    person_ids: Int[Array, "M"]
    """int64, never reused within a session."""
    confirmed: Bool[Array, "M"]
    """Seen often enough to be believed; only confirmed tracks are published."""
    seen: Bool[Array, "M"]
    """A detection of this frame belongs to the track; else the row is a prediction."""
    boxes_px: Float[Array, "M 4"]
    """x1, y1, x2, y2: the tracked box (filtered; predicted where not seen)."""
    scores: Float[Array, "M"]
    """Detector score; 0 where not seen."""
    keypoints_px: Float[Array, "M 17 2"]
    confidence: Float[Array, "M 17"]
    """Zero where not seen or not posed."""
    position_m: Float[Array, "M 3"]
    """Filtered ground position under the torso (HVIP), world, metres; NaN until a ground stands."""
    covariance_m2: Float[Array, "M 2 2"]
    """Of position x, y; NaN until a ground stands."""
    velocity_mps: Float[Array, "M 2"]
    """NaN until a ground stands."""
    drops: dict[str, int] = field(default_factory=dict)
    """Handed on from the observation, plus the tracker's own."""
    skew_ns: int | None = None
    """How far the capture time may be off the host's clock (`timing.records.Stamp`); None: nothing to tell it from."""

    def __post_init__(self) -> None:
        m = len(self.person_ids)
        for name in ("confirmed", "seen", "boxes_px", "scores", "keypoints_px", "confidence",
                     "position_m", "covariance_m2", "velocity_mps"):  # fmt: skip
            if len(getattr(self, name)) != m:
                raise ShapeError(
                    f"TrackedFrame.{name}: got {len(getattr(self, name))} rows, expected {m} (M={m})"
                )

    def __repr__(self) -> str:
        return (
            f"TrackedFrame({self.camera}#{self.index}, M={len(self.person_ids)}, "
            f"confirmed={int(self.confirmed.sum())}, seen={int(self.seen.sum())})"
        )
