"""What a log says about one moment of a video: bodies between the slots of the timeline, and people without one.

Bodies come from the windows at their highest revision, cross-faded as the exports do it, and are interpolated between
the two slots around a frame's capture time (rotations along the shorter arc). Windows are read along with the frames,
so memory does not grow with the recording.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from scipy.spatial.transform import Rotation

from ...kernels.solve.problem import MODEL_RATE_HZ, Provenance
from ..export.merge import MotionChunk, merge_windows
from ..export.recording import Recording

Array = np.ndarray

SLOT_NS = round(1e9 / MODEL_RATE_HZ)
HOLD_NS = 2 * SLOT_NS
"""A body stands still so long before its first and after its last slot: frames do not fall on slots."""
GUESSED = (Provenance.INFILLED, Provenance.GUIDED)
"""Nothing of the person was seen around such a slot."""


@dataclass(frozen=True)
class Bodies:
    """N people at one time, rows by rising id."""

    person_ids: Int[Array, "N"]
    rotmats: Float[Array, "N 24 3 3"]
    """Joint 0 in the world, the rest relative to their parents."""
    betas: Float[Array, "N 10"]
    transl_m: Float[Array, "N 3"]
    ground_m: Float[Array, "N 3"]
    guessed: Bool[Array, "N"]
    rev: Int[Array, "N"]

    def __len__(self) -> int:
        return len(self.person_ids)


NOBODY = Bodies(
    np.zeros(0, np.int64), np.zeros((0, 24, 3, 3)), np.zeros((0, 10)), np.zeros((0, 3)), np.zeros((0, 3)),
    np.zeros(0, bool), np.zeros(0, np.int64),
)  # fmt: skip


@dataclass(frozen=True)
class _Slot:
    """All people of one slot."""

    t_ns: int
    person_ids: Int[Array, "N"]
    quat: Float[Array, "N 24 4"]
    betas: Float[Array, "N 10"]
    transl_m: Float[Array, "N 3"]
    ground_m: Float[Array, "N 3"]
    provenance: UInt8[Array, "N"]
    rev: Int[Array, "N"]


class BodyCursor:
    """The bodies of a recording at rising times."""

    def __init__(self, recording: Recording) -> None:
        self._slots = _slots(merge_windows(recording.windows()))
        self._held: deque[_Slot] = deque()
        self._next: _Slot | None = next(self._slots, None)

    def at(self, t_ns: int) -> Bodies:
        """The people present at a time that is not before the last one asked for."""
        while self._next is not None and (not self._held or self._held[-1].t_ns <= t_ns):
            self._held.append(self._next)
            self._next = next(self._slots, None)
        while len(self._held) > 2 or (len(self._held) == 2 and self._held[1].t_ns <= t_ns):
            self._held.popleft()
        near = [slot for slot in self._held if abs(slot.t_ns - t_ns) <= HOLD_NS and len(slot.person_ids)]
        if not near:
            return NOBODY
        if len(near) == 1 or near[0].t_ns > t_ns:
            return _between(near[0], near[0], 0.0)
        share = (t_ns - near[0].t_ns) / max(near[1].t_ns - near[0].t_ns, 1)
        return _between(near[0], near[1], min(max(share, 0.0), 1.0))


def _slots(chunks: Iterator[MotionChunk]) -> Iterator[_Slot]:
    for chunk in chunks:
        for f in range(len(chunk.t_ns)):
            there = np.flatnonzero(chunk.provenance[:, f] != Provenance.ABSENT)
            pose = chunk.pose_rotvec[there, f]
            quat = Rotation.from_rotvec(pose.reshape(-1, 3)).as_quat() if len(there) else np.zeros((0, 4))
            yield _Slot(
                int(chunk.t_ns[f]), chunk.person_ids[there], quat.reshape(-1, 24, 4), chunk.betas[there],
                chunk.transl_m[there, f], chunk.ground_m[there, f], chunk.provenance[there, f],
                chunk.rev[there, f],
            )  # fmt: skip


def _between(before: _Slot, after: _Slot, share: float) -> Bodies:
    """A share of the way; who is in one slot only is taken from there."""
    ids = np.union1d(before.person_ids, after.person_ids)
    rows = [_rows(slot, ids) for slot in (before, after)]
    weights = np.array([1.0 - share, share])[:, None] * np.array([row >= 0 for row in rows])
    weights /= np.maximum(weights.sum(axis=0), 1e-9)
    single = np.isclose(weights.sum(axis=0), 0.0)  # known in one slot only, and the time is that of the other
    weights[:, single] = np.array([row >= 0 for row in rows])[:, single]
    mean: dict[str, Array] = {}
    quats = [slot.quat[row] for slot, row in zip((before, after), rows, strict=True)]
    flip = np.where((quats[0] * quats[1]).sum(axis=-1, keepdims=True) < 0, -1.0, 1.0)
    quat = weights[0][:, None, None] * quats[0] + weights[1][:, None, None] * flip * quats[1]
    for name in ("betas", "transl_m", "ground_m"):
        parts = [getattr(slot, name)[row] for slot, row in zip((before, after), rows, strict=True)]
        mean[name] = weights[0][:, None] * parts[0] + weights[1][:, None] * parts[1]
    heavier = weights.argmax(axis=0)
    pick = {
        name: np.where(heavier == 0, getattr(before, name)[rows[0]], getattr(after, name)[rows[1]])
        for name in ("provenance", "rev")
    }
    rotmats = Rotation.from_quat(quat.reshape(-1, 4)).as_matrix() if len(ids) else np.zeros((0, 3, 3))
    return Bodies(
        ids, rotmats.reshape(-1, 24, 3, 3), rev=pick["rev"],
        guessed=np.isin(pick["provenance"], GUESSED), **mean,
    )  # fmt: skip


def _rows(slot: _Slot, ids: Int[Array, "N"]) -> Int[Array, "N"]:
    """Row of each id, -1 for those who are not there."""
    at = np.minimum(np.searchsorted(slot.person_ids, ids), len(slot.person_ids) - 1)
    return np.where(slot.person_ids[at] == ids, at, -1)
