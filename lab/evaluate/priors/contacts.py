"""Contacts found and missed, counted window by window so that any set of windows has its own F1.

    precision = TP / (TP + FP),   recall = TP / (TP + FN),   F1 = 2 TP / (2 TP + FP + FN)

pooled over frames and the eight joints; windows from uneven floors, where nobody knows, count nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ...motion.reference import TOE_REST_M
from ...motion.windows import MotionWindows
from ...virtualcrowd.motion.contacts import contact_labels

Array = np.ndarray


@dataclass(frozen=True)
class ContactCounts:
    """Of B windows; frames times joints."""

    found: Int[Array, "B"]
    """True contacts that were told."""
    false: Int[Array, "B"]
    """Told, but none."""
    missed: Int[Array, "B"]
    """Not told."""

    @classmethod
    def join(cls, parts: Sequence[ContactCounts]) -> ContactCounts:
        """Counts of windows one after the other."""
        return cls(
            np.concatenate([p.found for p in parts]),
            np.concatenate([p.false for p in parts]),
            np.concatenate([p.missed for p in parts]),
        )

    def scores(self, rows: Bool[Array, "B"]) -> tuple[float | None, float | None, float | None]:
        """(F1, precision, recall) over some windows; None where there is nothing to divide by."""
        found, false, missed = (int(part[rows].sum()) for part in (self.found, self.false, self.missed))
        return (
            _share(2 * found, 2 * found + false + missed),
            _share(found, found + false),
            _share(found, found + missed),
        )


def count_contacts(told: Bool[Tensor, "B 64 8"], windows: MotionWindows) -> ContactCounts:
    """Told against labelled contacts."""
    known = windows.contact_known[:, None, None]
    true = windows.contact

    def sums(which: Bool[Tensor, "B 64 8"]) -> Int[Array, "B"]:
        return np.asarray((which & known).sum((1, 2)).numpy())

    return ContactCounts(sums(told & true), sums(told & ~true), sums(~told & true))


def rule_contacts(joints_m: Float[Tensor, "B 64 22 3"]) -> Bool[Tensor, "B 64 8"]:
    """HuMoR's rule (slow and low) on placed joints over a floor at z = 0."""
    padded = torch.cat([joints_m, joints_m[..., 20:22, :]], -2).double().numpy()  # hands touch nothing here
    floor = np.zeros((padded.shape[1], 8))
    labels = [contact_labels(window, floor, TOE_REST_M) for window in padded]
    return torch.from_numpy(np.stack(labels))


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
