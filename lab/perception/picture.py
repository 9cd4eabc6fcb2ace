"""What a scene gives to learn from: a camera's picture and the truth about everybody in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

Array = np.ndarray


@dataclass(frozen=True)
class Picture:
    """A picture as a camera delivers it, and its N people, in no order."""

    bgr: UInt8[Array, "H W 3"]
    boxes_px: Float[Array, "N 4"]
    """x1, y1, x2, y2 on pixel edges: of what is seen of body and clothes, within the picture. As COCO's."""
    whole_px: Float[Array, "N 4"]
    """The same of the whole person, hidden and cut-off parts included."""
    visible: Float[Array, "N"]
    """Share of the whole person's pixels that is seen, 0 to 1."""
    keypoints_px: Float[Array, "N 17 2"]
    """Pixel centres; may lie outside the picture."""
    seen: UInt8[Array, "N 17"]
    """2: seen; 1: hidden by the person themselves or what they carry; 0: by somebody or something else, or outside."""
