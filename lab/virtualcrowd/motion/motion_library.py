"""What bodies can do: walking and running cycles, stretches of standing, captured and drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Bool

from ....kernels.errors import ShapeError
from ...amass import is_amass, read_amass
from ...mocap import MocapClip, read_mocap
from . import cycles as gait
from . import stances as standing
from .cycles import GaitCycles, cut_cycles
from .procedural import drawn_cycles, drawn_stances
from .stances import Stance, cut_stances
from .takes import lay_out

Array = np.ndarray

CATEGORIES = ("walk", "run", "start_stop", "turn", "idle_stand", "gesture_daily")
"""Of recordings; the others (floor, dance, sport, exercise, sitting ...) do not happen in these crowds."""
LEFT_OUT = (
    "push",
    "back",
    "side",
    "hop",
    "jump",
    "duck",
    "crouch",
    "box",
    "style",
    "swing arms",
    "swinging arms",
    "wash",
)
"""Takes with such words in their description are no way to go or stand in public."""
KEEP_NEAREST = 0.92
"""Share of cycles kept, by their distance from the middle one of their kind."""


@dataclass(frozen=True)
class MotionLibrary:
    """Everything that bodies can be given to do."""

    cycles: GaitCycles
    stances: tuple[Stance, ...]
    clips: tuple[str, ...]
    """Names of the recordings; `GaitCycles.clip` and `Stance.clip` index them."""
    licences: Mapping[str, str] = field(default_factory=dict)
    """Of the recordings, by name, where their index says so."""

    @classmethod
    def load(cls, folders: Sequence[Path]) -> MotionLibrary:
        """Cut recordings into cycles and stances; what they lack is drawn.

        Args:
            folders: each with index.csv and shards (`lab.mocap`) or with AMASS npz files (`lab.amass`). None at
                all gives the drawn library.

        Raises:
            MocapError: a folder that is missing or holds neither.
        """
        clips = [clip for folder in folders for clip in _read(Path(folder))]
        return cls.from_clips(clips)

    @classmethod
    def from_clips(cls, clips: Sequence[MocapClip]) -> MotionLibrary:
        """The library of given recordings."""
        used = [clip for clip in clips if _usable(clip)]
        subjects = sorted({clip.subject for clip in used})
        parts: list[GaitCycles] = []
        stances: list[Stance] = []
        for index, clip in enumerate(used):
            take = lay_out(clip)
            stances += cut_stances(take, index, clip.category == "gesture_daily")
            if clip.category not in ("idle_stand", "gesture_daily"):
                cut = cut_cycles(take, index, subjects.index(clip.subject))
                if cut is not None:
                    parts.append(cut)
        if parts:
            captured = gait.join(parts)
            captured = gait.select(captured, _ordinary(captured))
            parts = [captured, gait.mirrored(captured)]
        stances += [standing.mirrored(stance) for stance in stances]
        return cls(
            gait.join([*parts, drawn_cycles()]),
            (*stances, *drawn_stances()),
            tuple(clip.name for clip in used),
            {clip.name: clip.licence for clip in used if clip.licence},
        )

    def __post_init__(self) -> None:
        c = len(self.cycles)
        if not (len(self.cycles.speed_m_s) == len(self.cycles.clip) == c) or not self.stances:
            raise ShapeError(f"a motion library of {c} cycles needs {c} speeds and at least one stance")

    def __repr__(self) -> str:
        captured = int((self.cycles.clip >= 0).sum())
        return (
            f"MotionLibrary({len(self.clips)} clips, cycles: {captured} captured, {len(self.cycles) - captured} "
            f"drawn, stances: {sum(s.clip >= 0 for s in self.stances)} captured)"
        )


def _read(folder: Path) -> list[MocapClip]:
    return read_amass(folder) if is_amass(folder) else read_mocap(folder)


def _usable(clip: MocapClip) -> bool:
    words = clip.description.lower()
    return (
        clip.flat_ground
        and clip.category in CATEGORIES
        and clip.num_frames >= 20
        and not any(word in words for word in LEFT_OUT)
    )


def _ordinary(cycles: GaitCycles) -> Bool[Array, "C"]:
    """Leave out the oddest cycles: farthest from the median of their kind, over joint angles and phases."""
    keep = np.ones(len(cycles), bool)
    for running in (False, True):
        rows = np.flatnonzero(cycles.running == running)
        if len(rows) < 20:
            continue
        poses = cycles.quats[rows][:, :-1:4, 1:22]
        middle = np.median(poses, axis=0)
        off = np.sqrt(((poses - middle) ** 2).sum(axis=(2, 3)).mean(axis=1))
        keep[rows[off > np.quantile(off, KEEP_NEAREST)]] = False
    return keep
