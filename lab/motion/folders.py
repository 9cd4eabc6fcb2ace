"""Recordings from several folders, of the mocap format or AMASS, ready to be learned from.

A clip that two folders hold under one name is read once, from the folder named first; what is too short for a window,
or lies on uneven ground, is counted; glitches are cut out (`quality`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..amass import is_amass, read_amass
from ..mocap import MocapClip, read_mocap
from .quality import Gate, clean
from .track import MotionTrack, motion_tracks


@dataclass(frozen=True)
class Recordings:
    """What was read, and what became of it."""

    tracks: tuple[MotionTrack, ...]
    """Clean, at least a window long, in the order of the folders."""
    gate: Gate
    doubles: tuple[str, ...]
    """Names of clips that an earlier folder had already."""
    uneven: int
    """Clips on uneven ground: their poses are used, their contacts are not."""

    def __str__(self) -> str:
        twice = (
            f"; {len(self.doubles)} clips were there twice ({', '.join(self.doubles[:3])} ...)"
            if self.doubles
            else ""
        )
        return f"{self.gate}; {self.uneven} clips on uneven ground{twice}"


def read_folder(folder: Path) -> list[MocapClip]:
    """The clips of one folder, whichever of the two formats it has.

    Raises:
        MocapError: it has neither.
    """
    return read_amass(folder) if is_amass(folder) else read_mocap(folder)


def read_recordings(folders: Sequence[Path]) -> Recordings:
    """Everything in some folders.

    Raises:
        MocapError: a folder without recordings.
    """
    clips: dict[str, MocapClip] = {}
    doubles: list[str] = []
    for folder in folders:
        for clip in read_folder(folder):
            if clip.name in clips:
                doubles.append(clip.name)
            else:
                clips[clip.name] = clip
    tracks, gate = clean(motion_tracks(list(clips.values())))
    uneven = sum(not clip.flat_ground for clip in clips.values())
    return Recordings(tuple(tracks), gate, tuple(doubles), uneven)


def read_tracks(folders: Sequence[Path]) -> list[MotionTrack]:
    """`read_recordings` without the counts."""
    return list(read_recordings(folders).tracks)
