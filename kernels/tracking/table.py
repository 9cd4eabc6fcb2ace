"""The tracks of one camera as a table: one row a person, columns are arrays."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from .plane_motion import Motion

Array = np.ndarray


@dataclass(frozen=True)
class TrackTable:
    """M people. Values are replaced, never changed in place, so that a table handed out stays true."""

    person_ids: Int[Array, "M"]
    born_ns: Int[Array, "M"]
    seen_ns: Int[Array, "M"]
    """Capture time of the last detection."""
    hits: Int[Array, "M"]
    misses: Int[Array, "M"]
    """Frames in a row in which the detector ran and found nothing."""
    confirmed: Bool[Array, "M"]
    foot: Motion
    """Foot point of the box, px."""
    size: Motion
    """Log width and log height of the box (log px)."""
    plane: Motion
    """Ground position, metres; unplaced (NaN) until a ground stands."""
    torso_m: Float[Array, "M"]
    """Learnt height of the torso centre above the ground, metres."""
    torso_count: Float[Array, "M"]
    """Observations it rests on."""
    keypoints_px: Float[Array, "M 17 2"]
    """Last seen pose, with the box it was seen in."""
    confidence: Float[Array, "M 17"]
    pose_box_px: Float[Array, "M 4"]
    appearance: Float[Array, "M A"]
    """Running mean of the codes, unit length; zeros where none was seen."""
    appearance_count: Float[Array, "M"]
    """Codes it rests on."""
    seen_plane_m: Float[Array, "M 2"]
    """Where the person was on the ground when last seen."""
    seen_foot_px: Float[Array, "M 2"]
    """Filtered foot of the box then, px."""
    seen_log_size: Float[Array, "M 2"]
    """Filtered log size of the box then."""
    entry_m: Float[Array, "M 2"]
    """First ground position (foot px where no ground stood at birth)."""

    def __len__(self) -> int:
        return len(self.person_ids)

    def take(self, rows: Int[Array, "R"] | Bool[Array, "M"]) -> TrackTable:
        columns: dict[str, Any] = {
            name: value.take(rows) if isinstance(value, Motion) else value[rows]
            for name, value in self._columns().items()
        }
        return TrackTable(**columns)

    def joined(self, other: TrackTable) -> TrackTable:
        theirs = other._columns()
        columns: dict[str, Any] = {
            name: value.joined(theirs[name]) if isinstance(value, Motion)
            else np.concatenate([value, theirs[name]])
            for name, value in self._columns().items()
        }  # fmt: skip
        return TrackTable(**columns)

    def _columns(self) -> dict[str, Any]:
        return {f.name: getattr(self, f.name) for f in fields(self)}

    def put(self, rows: Int[Array, "R"], **columns: Array | Motion) -> TrackTable:
        """A copy with some rows of some columns replaced."""
        changed: dict[str, Any] = {}
        for name, value in columns.items():
            old = getattr(self, name)
            if isinstance(old, Motion):
                assert isinstance(value, Motion)
                changed[name] = old.put(rows, value)
            else:
                new = old.copy()
                new[rows] = value
                changed[name] = new
        return replace(self, **changed)

    @staticmethod
    def empty(appearance_size: int = 0) -> TrackTable:
        none_i = np.zeros(0, np.int64)
        two = np.zeros((0, 2))
        motion = Motion.unplaced(0)
        return TrackTable(
            person_ids=none_i, born_ns=none_i, seen_ns=none_i, hits=none_i, misses=none_i,
            confirmed=np.zeros(0, bool), foot=motion, size=motion, plane=motion,
            torso_m=np.zeros(0), torso_count=np.zeros(0), keypoints_px=np.zeros((0, 17, 2)),
            confidence=np.zeros((0, 17)), pose_box_px=np.zeros((0, 4)),
            appearance=np.zeros((0, appearance_size)), appearance_count=np.zeros(0), seen_plane_m=two, seen_foot_px=two,
            seen_log_size=two, entry_m=two,
        )  # fmt: skip
