"""Detections and keypoints of a clip as one table: simulated ones and real ones alike."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from ...kernels.errors import ShapeError
from ...stream.records import ClockOrigin, Observation

Array = np.ndarray


@dataclass(frozen=True)
class Sightings:
    """R rows (boxes) over F frames of one camera, ordered by frame."""

    size_px: tuple[int, int]
    t_ns: Int[Array, "F"]
    frame: Int[Array, "R"]
    """int64 index into t_ns, rising."""
    boxes_px: Float[Array, "R 4"]
    scores: Float[Array, "R"]
    keypoints_px: Float[Array, "R 17 2"]
    confidence: Float[Array, "R 17"]
    person: Int[Array, "R"]
    """True person id, 0 for a false box, -1 where nobody knows (real footage). For analysis, never for the engine."""

    def __post_init__(self) -> None:
        r = len(self.frame)
        want = {
            "boxes_px": (r, 4),
            "scores": (r,),
            "keypoints_px": (r, 17, 2),
            "confidence": (r, 17),
            "person": (r,),
        }
        for name, shape in want.items():
            if getattr(self, name).shape != shape:
                raise ShapeError(
                    f"Sightings.{name}: got {getattr(self, name).shape}, expected {shape} (R={r})"
                )
        if (np.diff(self.frame) < 0).any():
            raise ShapeError("Sightings.frame: rows must be ordered by frame")

    def observations(
        self, camera: str, appearance: Float[Array, "R A"] | None = None
    ) -> Iterator[Observation]:
        """What the engine is given, frame by frame; frames without a row too.

        Args:
            appearance: codes of the rows, zeros where none (`sighting_appearance`); None: no codes at all.
        """
        codes = np.zeros((len(self.frame), 0), np.float32) if appearance is None else appearance
        if len(codes) != len(self.frame):
            raise ShapeError(f"appearance: got {len(codes)} codes for {len(self.frame)} sightings")
        edges = np.searchsorted(self.frame, np.arange(len(self.t_ns) + 1))
        for index, t_ns in enumerate(self.t_ns.tolist()):
            rows = slice(edges[index], edges[index + 1])
            yield Observation(
                camera=camera, index=index, t_capture_ns=t_ns, clock=ClockOrigin.FILE_PTS, size_px=self.size_px,
                boxes_px=self.boxes_px[rows].astype(np.float32), scores=self.scores[rows].astype(np.float32),
                detected=True, keypoints_px=self.keypoints_px[rows].astype(np.float32),
                confidence=self.confidence[rows].astype(np.float32), posed=np.ones(rows.stop - rows.start, bool),
                appearance=codes[rows].astype(np.float32),
            )  # fmt: skip
