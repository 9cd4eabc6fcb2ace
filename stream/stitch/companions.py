"""Who walked beside somebody before they were lost, and what those did over the gap."""

from __future__ import annotations

import math
from collections.abc import Mapping

from ...kernels.tracking.gap_motion import Companion
from .tracklets import Tracklet

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
    if lost.beside[0] != lost.last_ns:
        others = (t for track, t in sorted(tracklets.items()) if track != lost.track)
        lost.beside = lost.last_ns, [other.track for other in others if walked_beside(lost, other)]
    for track in lost.beside[1]:
        beside = tracklets.get(track)
        if beside is None or track == new.track:
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
    if one.last_ns > other.last_ns + _WITHIN_S * 1e9:
        return False
    together = 0
    for place in list(one.places)[-2 * _TOGETHER :]:
        there = other.place_at(place.t_ns, 0.11)
        if there is None:
            continue
        if math.dist(there.position_m, place.position_m) > _BESIDE_M:
            return False
        alike = math.dist(there.velocity_mps, place.velocity_mps) <= _ALIKE_MPS
        together += alike and math.hypot(*there.velocity_mps) >= _MOVES_MPS
    return together >= _TOGETHER


def _follower(track: int, previous: Mapping[int, int]) -> int:
    """The track that goes on this one; -1 for none."""
    return next((later for later, earlier in sorted(previous.items()) if earlier == track), -1)
