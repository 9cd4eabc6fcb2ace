"""When people of a frame get appearance codes, and who of them where codes cost something.

At a rate of its own, on frames that get poses (the keypoints place the colours). A network is asked for a few people a
frame, taking turns from left to right; colours cost so little that everybody posed gets them. What comes out depends
on the frames and their order alone.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int, UInt8

from ..kernels.perception.appearance_coder import AppearanceCoder
from .records import Frame

Array = np.ndarray


class AppearanceTurns:
    """Codes for the frames of any number of cameras, in order."""

    def __init__(self, coder: AppearanceCoder, rate_hz: float | None) -> None:
        """Args: `rate_hz`: frames a second of a camera that get codes; None: every frame that gets poses."""
        self._coder = coder
        self._rate_hz = rate_hz
        self._last_ns: dict[str, int] = {}
        self._turn: dict[str, int] = {}

    @property
    def counters(self) -> dict[str, dict[str, int]]:
        """What the next codes depend on, by camera: the state itself."""
        return {"coded_ns": self._last_ns, "turn": self._turn}

    def nobody(self, count: int) -> Float[Array, "N A"]:
        """Codes of a frame whose turn it is not."""
        return np.zeros((count, self._coder.size), np.float32)

    def codes(
        self,
        frame: Frame,
        image_bgr: UInt8[Array, "H W 3"],
        boxes_px: Float[Array, "N 4"],
        keypoints_px: Float[Array, "N 17 2"],
        confidence: Float[Array, "N 17"],
        posed: Int[Array, "P"],
    ) -> Float[Array, "N A"]:
        """Codes of everybody in a frame; zeros for those who are not posed or whose turn it is not."""
        out = self.nobody(len(boxes_px))
        if len(posed) and self._due(frame):
            rows = self._chosen(frame.camera, boxes_px, posed)
            out[rows] = self._coder.codes(image_bgr, boxes_px, keypoints_px, confidence, rows)
        return out

    def _due(self, frame: Frame) -> bool:
        """True when an interval has passed by capture time; a tenth less counts, for stamps that jitter."""
        last_ns = self._last_ns.get(frame.camera)
        if (
            self._rate_hz is not None
            and last_ns is not None
            and 0 <= frame.t_capture_ns - last_ns < 0.9e9 / self._rate_hz
        ):
            return False
        self._last_ns[frame.camera] = frame.t_capture_ns
        return True

    def _chosen(self, camera: str, boxes_px: Float[Array, "N 4"], posed: Int[Array, "P"]) -> Int[Array, "K"]:
        budget = self._coder.budget
        if budget is None or len(posed) <= budget:
            return posed
        by_place = posed[np.argsort(boxes_px[posed, 0] + boxes_px[posed, 2], kind="stable")]
        start = self._turn.get(camera, 0) % len(posed)
        self._turn[camera] = start + budget
        return np.sort(np.roll(by_place, -start)[:budget])
