"""Who walked beside somebody before they were lost, and what those did over the gap."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ...kernels.tracking.gap_motion import Companion
from .tracklets import Tracklet

Array = np.ndarray

_BESIDE_M = 2.0
_ALIKE_MPS = 0.45
"""Difference of velocities of people who walk together, as tracked."""
_TOGETHER = 5
"""Places, 0.2 s apart, at which both must have been seen together."""
_WITHIN_S = 0.35
_MOVES_MPS = 0.4
"""People who stand beside each other part without a word: only walking together says something."""


def companions_of(
    lost: Tracklet, new: Tracklet, tracklets: Mapping[int, Tracklet], previous: Mapping[int, int]
) -> list[Companion]:
    """What everybody did over the gap who walked alongside at its beginning, in order of their tracks.

    Args:
        previous: track -> the track it goes on, so that companions who were lost themselves count when they are back.
    """
    out = []
    for track in sorted(tracklets):
        beside = tracklets[track]
        if track in (lost.track, new.track) or not walked_beside(lost, beside):
            continue
        before = beside.place_at(lost.last_ns, _WITHIN_S)
        after = beside.place_at(new.first_ns, _WITHIN_S)
        later = track
        while after is None and (later := _follower(later, previous)) in tracklets and later != new.track:
            after = tracklets[later].place_at(new.first_ns, _WITHIN_S)
        if before is not None and after is not None:
            out.append(Companion(after.position_m - before.position_m, after.velocity_mps))
    return out


def walked_beside(one: Tracklet, other: Tracklet) -> bool:
    """Both went the same way, side by side, in the last moments of the first."""
    together = 0
    for place in list(one.places)[-2 * _TOGETHER :]:
        there = other.place_at(place.t_ns, 0.11)
        if there is None:
            continue
        near = np.linalg.norm(there.position_m - place.position_m) <= _BESIDE_M
        alike = np.linalg.norm(there.velocity_mps - place.velocity_mps) <= _ALIKE_MPS
        moves = np.linalg.norm(there.velocity_mps) >= _MOVES_MPS
        if not near:
            return False
        together += bool(alike and moves)
    return together >= _TOGETHER


def _follower(track: int, previous: Mapping[int, int]) -> int:
    """The track that goes on this one; -1 for none."""
    return next((later for later, earlier in sorted(previous.items()) if earlier == track), -1)
