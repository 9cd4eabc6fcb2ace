"""Which recordings of a folder are scored: those the priors have not learned from.

    the shipped weights    learned from the recordings named in the shipped baselines
    weights of the user    learned from every subject that `lab.motion.split` does not hold back

Other folders hold nothing the shipped weights know, so all of them is scored, whatever their subjects are called.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from jaxtyping import Int

from ...amass import is_amass, read_amass
from ...mocap import MocapClip, MocapError, read_mocap
from ...motion.split import held_back
from ...motion.windows import WINDOW

Learned = Callable[[MocapClip], bool]


@dataclass(frozen=True)
class Chosen:
    """What of a folder is scored, and what is left out."""

    folder: Path
    clips: tuple[MocapClip, ...]
    """To be scored, in the order of the folder; some may be shorter than a window."""
    learned_clips: int
    """Left out because the priors learned from them."""
    learned_subjects: int
    """Subjects among those."""

    @property
    def subjects(self) -> tuple[str, ...]:
        """Who is scored."""
        return tuple(sorted({clip.subject for clip in self.clips}))

    @property
    def short(self) -> int:
        """Scored recordings without a single window."""
        return sum(clip.num_frames < WINDOW for clip in self.clips)

    def __repr__(self) -> str:
        return f"Chosen({str(self.folder)!r}, {len(self.clips)} clips, {self.learned_clips} left out)"


def read_recordings(folder: Path) -> list[MocapClip]:
    """Every recording of a folder of the mocap format or of AMASS.

    Raises:
        MocapError: no such folder, nothing in it, or not of either layout.
    """
    if not folder.is_dir():
        raise MocapError(
            f"no folder {folder}; give one with index.csv and npz shards, or with AMASS npz files"
        )
    try:
        clips = read_amass(folder) if is_amass(folder) else read_mocap(folder)
    except (KeyError, ValueError, TypeError, OSError, BadZipFile, UnicodeError) as exc:
        raise MocapError(
            f"{folder} is not of the mocap layout ({type(exc).__name__}: {exc}); expected the columns clip, category, "
            "shard, start, frames, flat_ground in index.csv, and shards with poses and trans"
        ) from exc
    if not clips:
        raise MocapError(f"{folder / 'index.csv'} names no clip; expected a row for each")
    for clip in clips:
        _check(folder, clip)
    return clips


def learned_by_shipped(names: Collection[str]) -> Learned:
    """What the shipped weights learned from, by the names of their recordings."""
    known = frozenset(names)
    return lambda clip: clip.name in known


def learned_by_split(clip: MocapClip) -> bool:
    """What a training on this folder learns from."""
    return not held_back(clip.subject)


def choose(folder: Path, clips: Sequence[MocapClip], learned: Learned | None) -> Chosen:
    """What is scored.

    Args:
        learned: tells what the priors learned from; None scores everything.

    Raises:
        MocapError: nothing is left.
    """
    left_out = [clip for clip in clips if learned is not None and learned(clip)]
    names = {id(clip) for clip in left_out}
    kept = tuple(clip for clip in clips if id(clip) not in names)
    if not kept:
        raise MocapError(
            f"the priors learned from all {len(clips)} recordings of {folder}; --all-subjects scores them all the same"
        )
    if all(clip.num_frames < WINDOW for clip in kept):
        raise MocapError(
            f"none of {len(kept)} recordings of {folder} has {WINDOW} frames (2.1 s); scoring needs one that has"
        )
    return Chosen(folder, kept, len(left_out), len({clip.subject for clip in left_out}))


def windows_at(
    clips: Sequence[MocapClip], stride: int, limit: int | None, seed: int
) -> tuple[Int[np.ndarray, "W"], Int[np.ndarray, "W"]]:
    """Clip and first frame of every whole window at a stride; of many, some drawn evenly, in order."""
    pairs = [
        (k, start) for k, clip in enumerate(clips) for start in range(0, clip.num_frames - WINDOW + 1, stride)
    ]
    if limit is not None and len(pairs) > limit:
        rows = np.random.default_rng(seed).choice(len(pairs), limit, replace=False)
        pairs = [pairs[row] for row in np.sort(rows)]
    return np.array([k for k, _ in pairs], np.int64), np.array([start for _, start in pairs], np.int64)


def _check(folder: Path, clip: MocapClip) -> None:
    frames = clip.num_frames
    if frames < 1 or clip.pose_rotvec.shape != (frames, 24, 3) or clip.pelvis_m.shape != (frames, 3):
        raise MocapError(
            f"{folder}: clip {clip.name} has poses {clip.pose_rotvec.shape} and trans {clip.pelvis_m.shape}; "
            "expected (frames, 24, 3) and (frames, 3); index.csv and its shard disagree"
        )
    if not (np.isfinite(clip.pose_rotvec).all() and np.isfinite(clip.pelvis_m).all()):
        raise MocapError(
            f"{folder}: clip {clip.name} holds values that are not finite; leave it out of index.csv"
        )
