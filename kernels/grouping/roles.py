"""Who guides whom: the roles of DyCrowd's equation 16, with the cases it leaves out.

    xi =  1  the best of its group       xi = 0  poor (c = 0)       xi = -1  needs nothing, gives nothing

As printed the best of a group in which all are poor has xi = 1 and 0 at once; here such a group has no guide, nor has
a single. Several segments may have helped: a person's own one comes first (the paper's in-sequence case), then the
group's best; nobody guides who is not well seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from pydantic import Field

from ..errors import ShapeError
from ..settings import StageConfig
from .affinity import SINGLE

Array = np.ndarray

BEST, POOR, NEITHER = 1, 0, -1
"""xi of equation 16."""


class RoleConfig(StageConfig):
    """Who is fit to guide."""

    min_confidence: float = Field(default=0.6, gt=0, le=1)
    """Of equation 15: less well seen segments guide nobody."""
    in_sequence_first: bool = True
    """A good segment of the same person in the group goes before the group's best."""


@dataclass(frozen=True)
class Guide:
    """The segment that helps another one."""

    row: int
    """Of the sequence that was given."""
    key: tuple[int, int]
    """Person and first slot."""
    in_sequence: bool
    """It is the same person's."""


def roles(labels: Int[Array, "S"], confidence: Float[Array, "S"]) -> Int[Array, "S"]:
    """xi of every segment.

    Args:
        labels: groups; negative: single.
        confidence: of equation 15.
    """
    out = np.where(confidence <= 0, POOR, NEITHER)
    for group in np.unique(labels[labels != SINGLE]):
        members = labels == group
        out[members & (confidence == confidence[members].max()) & (confidence > 0)] = BEST
    return out


def assign_guides(
    keys: Sequence[tuple[int, int]],
    labels: Int[Array, "S"],
    confidence: Float[Array, "S"],
    config: RoleConfig,
) -> list[Guide | None]:
    """The guide of every poor segment; None for who is not poor, or has nobody.

    Of several of the same rank (own good segments, or equally good ones of others) the nearest in time guides, then the
    earlier one, then the lower person.

    Raises:
        ShapeError: sequences of different lengths.
    """
    if not len(keys) == len(labels) == len(confidence):
        raise ShapeError(
            f"got {len(keys)} keys, {len(labels)} labels and {len(confidence)} confidences, expected as many"
        )
    xi = roles(labels, confidence)
    fit = (confidence >= config.min_confidence) & (labels != SINGLE)
    out: list[Guide | None] = []
    for row, key in enumerate(keys):
        found = None
        if xi[row] == POOR and labels[row] != SINGLE:
            found = _guide_of(row, key, keys, fit & (labels == labels[row]), xi, config)
        out.append(found)
    return out


def _guide_of(
    row: int,
    key: tuple[int, int],
    keys: Sequence[tuple[int, int]],
    fit: Array,
    xi: Int[Array, "S"],
    config: RoleConfig,
) -> Guide | None:
    candidates = []
    for other in np.flatnonzero(fit).tolist():
        own = keys[other][0] == key[0]
        if other == row or not (xi[other] == BEST or (own and config.in_sequence_first)):
            continue
        own_first = own and config.in_sequence_first
        person, slot0 = keys[other]
        candidates.append((not own_first, abs(slot0 - key[1]), slot0, person, other))
    if not candidates:
        return None
    best = min(candidates)[-1]
    return Guide(best, keys[best], keys[best][0] == key[0])
