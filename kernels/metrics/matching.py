"""Which predicted person is which true one, frame by frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

Array = np.ndarray


@dataclass(frozen=True)
class Matches:
    """Frame-wise pairs of two `People`."""

    predicted_of_true: Int[Array, "N F"]
    """Row of the predicted person for each true person and frame; -1 where unmatched or absent."""
    num_true: int
    """Person-frames of the truth: matched or not."""
    num_predicted: int
    """Person-frames of the prediction: matched or not."""

    @property
    def num_matched(self) -> int:
        return int((self.predicted_of_true >= 0).sum())
