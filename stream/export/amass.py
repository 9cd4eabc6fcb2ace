"""AMASS-style npz, one a person: `poses (F,72)`, `trans (F,3)`, `betas (10,)`, `mocap_framerate`, `gender`.

World as published: metres, z up; root orientation and translation are SMPL's own, so
`smplx.SMPL(betas=betas, global_orient=poses[:, :3], body_pose=poses[:, 3:], transl=trans)` stands in the scene.
Beside AMASS's keys: `confidence (F,)`, `provenance (F,)` (0 absent, 1 observed, 2 interpolated, 3 infilled,
4 guided), `t_ns (F,)`, `slot0`, `person_id`, `rev (F,)`, `guided_by (F,)` (the person whose motion helped, -1:
nobody's). Frames are evenly spaced from the first slot to the
last; a stretch in which the person was away is bridged along a line and the shortest turn, and is 0 in
`provenance` and `confidence`.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from ...kernels.solve.problem import MODEL_RATE_HZ, Provenance
from ..errors import ExportError
from .merge import MotionChunk, merge_windows, unwrap_rotvec
from .recording import Exported, Recording, make_folder

MIN_FRAMES = 2
"""A single pose is no motion."""


def export_amass(recording: Recording, folder: Path) -> Exported:
    """Writes `person_00017.npz` for every person of the windows.

    Raises:
        ExportError: no window in the log, or the folder cannot be written.
    """
    people = _gather(recording)
    if not people:
        raise ExportError(
            f"{recording.path} holds no solved window; bodies need a run of at least 64 frames (2.1 s) with people"
        )
    make_folder(folder)
    files, frames, short = [], 0, 0
    for person, motion in sorted(people.items()):
        arrays = _arrays(person, motion)
        arrays["guided_by"] = _guides(recording, person, arrays)
        if len(arrays["poses"]) < MIN_FRAMES:
            short += 1
            continue
        path = folder / f"person_{person:05d}.npz"
        _save(path, arrays)
        files.append(path)
        frames += len(arrays["poses"])
    notes = (
        (*recording.notes, f"{short} people with less than {MIN_FRAMES} frames left out")
        if short
        else recording.notes
    )
    return Exported(tuple(files), frames, notes)


class _Motion:
    """The present slots of one person, in order."""

    def __init__(self) -> None:
        self.pieces: dict[str, list[np.ndarray]] = {}
        self.betas = np.zeros(10)

    def add(self, chunk: MotionChunk, row: int) -> None:
        there = np.flatnonzero(chunk.provenance[row] != Provenance.ABSENT)
        if not len(there):
            return
        self.betas = chunk.betas[row]
        pieces = {"slot": chunk.slot0 + there, "t_ns": chunk.t_ns[there]}
        for name in ("pose_rotvec", "transl_m", "confidence", "provenance", "rev"):
            pieces[name] = getattr(chunk, name)[row, there]
        for name, piece in pieces.items():
            self.pieces.setdefault(name, []).append(piece)

    def joined(self, name: str) -> np.ndarray:
        return np.concatenate(self.pieces[name])


def _gather(recording: Recording) -> dict[int, _Motion]:
    people: dict[int, _Motion] = {}
    for chunk in merge_windows(recording.windows()):
        for row, person in enumerate(chunk.person_ids):
            people.setdefault(int(person), _Motion()).add(chunk, row)
    return {person: motion for person, motion in people.items() if motion.pieces}


def _arrays(person: int, motion: _Motion) -> dict[str, np.ndarray]:
    slots, t_ns = motion.joined("slot"), motion.joined("t_ns")
    pose, trans = motion.joined("pose_rotvec"), motion.joined("transl_m")
    every = np.arange(slots[0], slots[-1] + 1)
    if len(every) > len(slots):
        turns = [
            Slerp(slots, Rotation.from_rotvec(pose[:, j]))(every).as_rotvec() for j in range(pose.shape[1])
        ]
        pose = np.stack(turns, axis=1)
        trans = np.stack([np.interp(every, slots, trans[:, axis]) for axis in range(3)], axis=1)
    out = {
        "poses": unwrap_rotvec(pose).reshape(len(every), -1),
        "trans": trans,
        "betas": motion.betas,
        "mocap_framerate": np.array(MODEL_RATE_HZ),
        "gender": np.array("neutral"),
        "t_ns": t_ns[0] + np.interp(every, slots, t_ns - t_ns[0]).astype(np.int64),
        "slot0": slots[0],
        "person_id": np.array(person),
    }
    for name, away in (("confidence", 0.0), ("provenance", 0), ("rev", -1)):
        values = motion.joined(name)
        out[name] = np.full(len(every), away, values.dtype)
        out[name][slots - slots[0]] = values
    return out


def _guides(recording: Recording, person: int, arrays: dict[str, np.ndarray]) -> np.ndarray:
    """Who helped with the revision that stands in each frame."""
    rev, first = arrays["rev"], int(arrays["slot0"])
    guided_by = np.full(len(rev), -1)
    for row in recording.standing.guides(person):
        at = np.arange(max(row.slot0, first), min(row.stop, first + len(rev))) - first
        guided_by[at[rev[at] == row.rev]] = recording.persons.person_of(row.guide)
    return guided_by


def _save(path: Path, arrays: dict[str, np.ndarray]) -> None:
    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as file:
            np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
        os.replace(part, path)
    except OSError as exc:
        part.unlink(missing_ok=True)
        raise ExportError(f"cannot write {path}: {exc.strerror or exc}") from exc
