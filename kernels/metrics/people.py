"""One side of a comparison: people over frames, from an engine or from truth, on one common frame axis.

Both sides of a comparison have the same F frames (uniform at `rate_hz`) and the same camera. Everything a
metric needs of a person stands here, so that a metric never sees a window, a file or an engine.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from ..errors import ShapeError

Array = np.ndarray


@dataclass(frozen=True)
class People:
    """N people over F frames. Values are meaningless where `present` is False."""

    rate_hz: float
    person_ids: Int[Array, "N"]
    present: Bool[Array, "N F"]
    """Predicted: published in the frame. Truth: in the scene and to be found (the evaluator says which)."""
    joints_m: Float[Array, "N F 24 3"]
    """SMPL joints, world, metres (z up)."""
    ground_m: Float[Array, "N F 3"]
    """Interaction point on the ground, world, metres."""
    depth_axis: Float[Array, "3"]
    """Unit viewing direction of the camera in the world: depth of x is depth_axis . (x - centre)."""
    centre_m: Float[Array, "3"]
    """Optical centre of the camera, world, metres."""
    box_px: Float[Array, "N F 4"]
    """x1, y1, x2, y2."""
    keypoints_px: Float[Array, "N F 17 2"]
    """Projected COCO-17, pixels."""
    visible: Bool[Array, "*optional_v 17"] = field(default_factory=lambda: np.ones((0, 0, 17), bool))
    """(N, F, 17). Truth only: keypoints in the picture that no other body and no obstacle hides; what the own body
    hides counts as visible ((0, 0, 17) where unknown)."""
    soles_m: Float[Array, "*optional_s S 3"] = field(default_factory=lambda: np.zeros((0, 0, 0, 3)))
    """(N, F, S, 3). World positions of a few sole vertices, for foot sliding ((0, 0, 0, 3): not measured)."""
    provenance: UInt8[Array, "*optional_p"] = field(default_factory=lambda: np.zeros((0, 0), np.uint8))
    """(N, F). Predicted only: `kernels.solve.problem.Provenance` ((0, 0) where unknown)."""
    size_px: tuple[int, int] = (0, 0)
    """Truth only: width and height of the picture, to tell hidden keypoints from those outside ((0, 0): unknown)."""

    def __post_init__(self) -> None:
        n, f = self.present.shape
        want = {"person_ids": (n,), "joints_m": (n, f, 24, 3), "ground_m": (n, f, 3), "box_px": (n, f, 4),
                "keypoints_px": (n, f, 17, 2)}  # fmt: skip
        for name, shape in want.items():
            if getattr(self, name).shape != shape:
                raise ShapeError(
                    f"People.{name}: got {getattr(self, name).shape}, expected {shape} (N={n}, F={f})"
                )
        for name in ("visible", "soles_m", "provenance"):
            lead = getattr(self, name).shape[:2]
            if lead not in ((n, f), (0, 0)):
                raise ShapeError(
                    f"People.{name}: got {getattr(self, name).shape}, expected ({n}, {f}, ...) or (0, 0, ...) for none"
                )

    @property
    def num_person_frames(self) -> int:
        return int(self.present.sum())

    def __repr__(self) -> str:
        n, f = self.present.shape
        return f"People(N={n}, F={f}, person_frames={self.num_person_frames})"
