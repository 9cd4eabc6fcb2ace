"""What turns people in a picture into appearance codes: the colours they wear, or a network."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int, UInt8

from .appearance import colour_codes
from .appearance_code import COLOUR_SIZE

Array = np.ndarray


@runtime_checkable
class AppearanceCoder(Protocol):
    """Gives codes of one length; see `appearance_code` for what a code is."""

    @property
    def size(self) -> int:
        """Numbers in a code."""
        ...

    @property
    def budget(self) -> int | None:
        """People a picture it should be asked for at most; None: it costs next to nothing."""
        ...

    def codes(
        self,
        image_bgr: UInt8[Array, "H W 3"],
        boxes_px: Float[Array, "N 4"],
        keypoints_px: Float[Array, "N 17 2"],
        confidence: Float[Array, "N 17"],
        rows: Int[Array, "P"],
    ) -> Float[Array, "P A"]:
        """Unit codes of some of the people in a picture, float32; rows of zeros where too little is in view."""
        ...


class ColourCoder:
    """Codes of torso and leg colours (`kernels.perception.appearance`)."""

    size = COLOUR_SIZE
    budget: int | None = None

    def codes(
        self,
        image_bgr: UInt8[Array, "H W 3"],
        boxes_px: Float[Array, "N 4"],
        keypoints_px: Float[Array, "N 17 2"],
        confidence: Float[Array, "N 17"],
        rows: Int[Array, "P"],
    ) -> Float[Array, "P A"]:
        """See `AppearanceCoder.codes`."""
        return colour_codes(image_bgr, boxes_px, keypoints_px, confidence, rows)
