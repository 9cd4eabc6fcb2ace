"""Overlapping windows -> one motion per person: overlap-add with a weight that fades towards a window's ends.

A slot is covered by up to T / hop windows. Each contributes with the weight of where the slot lies in it,

    w_i = (i + 1/2) (T - i - 1/2) / (T/2)^2          i = 0..T-1

largest in the middle, where a window knows past and future, and near zero at its ends. So windows come in and
go out without a step, and two that disagree are cross-faded instead of cut. Positions are averaged as vectors,
rotations as quaternions turned to the hemisphere of the heaviest; a window whose body faces more than 90
degrees away from the heaviest one is left out of the slot, as the mean of two opposite bodies is neither.
Where a refinement exists for a slot, only the highest revision counts: not only in its own window, in all that cover
the slot. A slot in which the highest revision has nobody is taken back, and no lower one may bring the person back:
such rows never come here, `standing.py` has made them ABSENT. O(windows x people x T).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, UInt8
from scipy.spatial.transform import Rotation

from ...kernels.solve.problem import MODEL_RATE_HZ, Provenance, WindowSolution

Array = np.ndarray


@dataclass(frozen=True)
class MotionChunk:
    """The merged bodies of some slots that no later window touches."""

    slot0: int
    t_ns: Int[Array, "F"]
    """Capture time of each slot."""
    person_ids: Int[Array, "N"]
    provenance: UInt8[Array, "N F"]
    """Of the heaviest window; ABSENT where the person is not there."""
    rev: Int[Array, "N F"]
    """-1 where absent."""
    ground_m: Float[Array, "N F 3"]
    """This and the following: NaN where absent."""
    transl_m: Float[Array, "N F 3"]
    joints_m: Float[Array, "N F 24 3"]
    pose_rotvec: Float[Array, "N F 24 3"]
    confidence: Float[Array, "N F"]
    betas: Float[Array, "N 10"]
    """Of the newest window with the person."""


def merge_windows(windows: Iterable[WindowSolution]) -> Iterator[MotionChunk]:
    """Merged chunks in order of the timeline, each slot in exactly one.

    Args:
        windows: ordered by first slot.
    """
    merger = WindowMerger()
    for window in windows:
        yield from merger.push(window)
    yield from merger.flush()


class WindowMerger:
    """The same, window by window as they come. Memory: the windows that the next one may still touch."""

    def __init__(self) -> None:
        self._pending: list[WindowSolution] = []
        self._start = 0

    def push(self, window: WindowSolution) -> Iterator[MotionChunk]:
        """Takes the next window in order of first slots; gives what it settles."""
        if not self._pending:
            self._start = window.slot0
        elif window.slot0 > self._start:
            yield from _emit(self._pending, self._start, window.slot0)
            self._start = window.slot0
        self._pending = [w for w in self._pending if _end(w) > self._start]
        self._pending.append(window)

    def flush(self) -> Iterator[MotionChunk]:
        """The end of the windows."""
        if self._pending:
            yield from _emit(self._pending, self._start, max(map(_end, self._pending)))
        self._pending = []


def blend_weights(num_frames: int) -> Float[Array, "T"]:
    """w_i of the module's first lines."""
    i = np.arange(num_frames) + 0.5
    return np.asarray(i * (num_frames - i) / (num_frames / 2) ** 2)


def _end(window: WindowSolution) -> int:
    return window.slot0 + int(window.provenance.shape[1])


def _emit(pending: list[WindowSolution], start: int, stop: int) -> Iterator[MotionChunk]:
    stop = min(stop, max(map(_end, pending)))
    live = [w for w in pending if w.slot0 < stop and _end(w) > start and len(w.person_ids)]
    if stop > start and live:
        yield _merge_slots(live, start, stop)


def _merge_slots(windows: list[WindowSolution], start: int, stop: int) -> MotionChunk:
    ids = np.unique(np.concatenate([w.person_ids for w in windows])).astype(np.int64)
    n, f, m = len(ids), stop - start, len(windows)
    weight = np.zeros((m, n, f))
    rev = np.full((m, n, f), -1)
    provenance = np.zeros((m, n, f), np.uint8)
    betas = np.zeros((n, 10))
    t_ns = np.zeros(f, np.int64)
    cuts = []
    for k, w in enumerate(windows):
        rows = np.searchsorted(ids, w.person_ids)
        a, b = max(start, w.slot0), min(stop, _end(w))
        inside, local = slice(a - start, b - start), slice(a - w.slot0, b - w.slot0)
        cuts.append((rows, inside, local))
        here = w.provenance[:, local]
        weight[k, rows, inside] = np.where(
            here != Provenance.ABSENT, blend_weights(w.provenance.shape[1])[local], 0.0
        )
        rev[k, rows, inside] = np.where(here != Provenance.ABSENT, w.rev, -1)
        provenance[k, rows, inside] = here
        betas[rows] = w.betas
        t_ns[inside] = w.t0_ns + np.round(np.arange(local.start, local.stop) * 1e9 / MODEL_RATE_HZ).astype(
            np.int64
        )
    top_rev = rev.max(axis=0)
    weight[rev < top_rev] = 0.0

    heaviest = weight.argmax(axis=0)
    pose = _blend_poses(windows, cuts, weight, heaviest)
    total = weight.sum(axis=0)
    share = np.divide(weight, total, out=np.zeros_like(weight), where=total > 0)
    mean = {"ground_m": (3,), "transl_m": (3,), "joints_m": (24, 3), "confidence": ()}
    out: dict[str, np.ndarray] = {}
    for name, row in mean.items():
        total_value = np.zeros((n, f, *row))
        for k, (rows, inside, local) in enumerate(cuts):
            part = share[k, rows, inside].reshape(len(rows), -1, *(1,) * len(row))
            values = np.where(
                part > 0, getattr(windows[k], name)[:, local], 0.0
            )  # absent slots may hold anything
            total_value[rows, inside] += part * values
        total_value[total <= 0] = np.nan
        out[name] = total_value
    chosen = np.take_along_axis(provenance, heaviest[None], axis=0)[0]
    return MotionChunk(
        slot0=start, t_ns=t_ns, person_ids=ids, provenance=np.where(total > 0, chosen, 0).astype(np.uint8),
        rev=top_rev, pose_rotvec=pose, betas=betas, **out,
    )  # fmt: skip


def _blend_poses(
    windows: list[WindowSolution],
    cuts: list[tuple[Int[Array, "R"], slice, slice]],
    weight: Float[Array, "M N F"],
    heaviest: Int[Array, "N F"],
) -> Float[Array, "N F 24 3"]:
    """Weighted mean rotations about the heaviest window's; a window that faces elsewhere loses its weight."""
    m, n, f = weight.shape
    pose = np.full((n, f, 24, 3), np.nan)
    quat = np.zeros((m, n, f, 24, 4))
    for k, (rows, inside, local) in enumerate(cuts):
        poses = np.where(weight[k, rows, inside][..., None, None] > 0, windows[k].pose_rotvec[:, local], 0.0)
        quat[k, rows, inside] = _quaternions(poses)
    lead = np.take_along_axis(quat, heaviest[None, :, :, None, None], axis=0)
    dot = (quat * lead).sum(axis=-1)
    weight[np.abs(dot[..., 0]) < np.cos(np.pi / 4)] = 0.0  # |q . q'| = cos(angle / 2)
    quat *= (np.where(dot < 0, -1.0, 1.0) * weight[..., None])[..., None]
    present = weight.sum(axis=0) > 0
    pose[present] = _rotvecs(quat.sum(axis=0)[present])
    return pose


def _quaternions(rotvec: Float[Array, "*batch 3"]) -> Float[Array, "*batch 4"]:
    flat = Rotation.from_rotvec(rotvec.reshape(-1, 3)).as_quat() if rotvec.size else np.zeros((0, 4))
    return np.asarray(flat).reshape(*rotvec.shape[:-1], 4)


def _rotvecs(quat: Float[Array, "*batch 4"]) -> Float[Array, "*batch 3"]:
    flat = Rotation.from_quat(quat.reshape(-1, 4)).as_rotvec() if quat.size else np.zeros((0, 3))
    return np.asarray(flat).reshape(*quat.shape[:-1], 3)


def unwrap_rotvec(rotvec: Float[Array, "F *row 3"]) -> Float[Array, "F *row 3"]:
    """The same rotations, each written with the multiple of a full turn that lies nearest to the frame before.

    An axis-angle vector jumps from pi to -pi where the rotation itself is smooth; filters and plots of the
    numbers must not see that.
    """
    out = np.array(rotvec, np.float64)
    for i in range(1, len(out)):
        angle = np.linalg.norm(out[i], axis=-1, keepdims=True)
        axis = np.divide(out[i], angle, out=np.zeros_like(out[i]), where=angle > 1e-9)
        wanted = (out[i - 1] * axis).sum(axis=-1, keepdims=True)
        out[i] += axis * 2 * np.pi * np.round((wanted - angle) / (2 * np.pi))
    return out
