"""What is known of every track, slot by slot, over the last while: merged bodies and what was seen of them.

Blocks of 64 slots (the segments) a track; slots are filled when no later window touches them. Memory is bounded by
the horizon: older blocks go, and what they held can no longer be revised.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from ...kernels.solve.problem import Provenance, WindowProblem
from ..export.merge import MotionChunk

Array = np.ndarray


@dataclass
class Block:
    """One track in one segment of T slots."""

    provenance: UInt8[Array, "T"]
    pose_rotvec: Float[Array, "T 24 3"]
    transl_m: Float[Array, "T 3"]
    joints_m: Float[Array, "T 24 3"]
    ground_m: Float[Array, "T 3"]
    confidence: Float[Array, "T"]
    keypoints: Float[Array, "T 17"]
    """Confidence of the COCO keypoints, the best over the cameras; 0 for not seen."""
    betas: Float[Array, "10"]

    @classmethod
    def empty(cls, frames: int) -> Block:
        """Nobody in it yet."""
        f = np.float32
        return cls(
            np.full(frames, Provenance.ABSENT, np.uint8), np.zeros((frames, 24, 3), f), np.zeros((frames, 3), f),
            np.zeros((frames, 24, 3), f), np.zeros((frames, 3), f), np.zeros(frames, f),
            np.zeros((frames, 17), f), np.zeros(10, f),
        )  # fmt: skip

    def copy(self) -> Block:
        """One that may be changed without changing this one."""
        return Block(*(getattr(self, f.name).copy() for f in fields(self)))


PER_SLOT = ("provenance", "pose_rotvec", "transl_m", "joints_m", "ground_m", "confidence", "keypoints")
_WORTH = np.array([0, 2, 4, 5, 1, 3])[[0, 3, 2, 1, 4]]
"""By `Provenance` value: observed over interpolated over infilled over guided over absent."""


class Timelines:
    """Blocks by track and segment."""

    def __init__(self, frames: int) -> None:
        self.frames = frames
        self.known_until = 0
        """Slots before this one are final."""
        self.t0_ns: dict[int, int] = {}
        """Capture time of the first slot of each segment that is held."""
        self._blocks: dict[int, dict[int, Block]] = {}  # track -> segment -> block

    def __len__(self) -> int:
        return sum(len(blocks) for blocks in self._blocks.values())

    def tracks(self) -> list[int]:
        """Everybody with a block, ascending."""
        return sorted(self._blocks)

    def see(self, problem: WindowProblem) -> None:
        """Notes what was seen in a window."""
        seen = problem.confidence.max(axis=0)
        for row, track in enumerate(problem.person_ids.tolist()):
            for index, here, there in self._cut(problem.slot0, problem.num_frames):
                self._block(track, index).keypoints[here] = seen[row, there]

    def take(self, chunk: MotionChunk) -> None:
        """Takes slots that no later window touches."""
        frames = len(chunk.t_ns)
        for row, track in enumerate(chunk.person_ids.tolist()):
            for index, here, there in self._cut(chunk.slot0, frames):
                block = self._block(track, index)
                there_is = chunk.provenance[row, there] != Provenance.ABSENT
                for name in PER_SLOT[:-1]:
                    value = getattr(chunk, name)[row, there]
                    keep = there_is.reshape(-1, *[1] * (value.ndim - 1))
                    getattr(block, name)[here] = np.where(keep, value, 0)
                if there_is.any():
                    block.betas[:] = chunk.betas[row]
        for index, here, there in self._cut(chunk.slot0, frames):
            start_ns = int(chunk.t_ns[there.start]) - round(here.start * 1e9 / 30.0)
            self.t0_ns.setdefault(index, start_ns)
        self.known_until = max(self.known_until, chunk.slot0 + frames)

    def forget(self, before: int) -> None:
        """Drops segments before this one."""
        for track in list(self._blocks):
            kept = {index: block for index, block in self._blocks[track].items() if index >= before}
            if kept:
                self._blocks[track] = kept
            else:
                del self._blocks[track]
        self.t0_ns = {index: t for index, t in self.t0_ns.items() if index >= before}

    def block(self, tracks: list[int], index: int) -> Block | None:
        """The tracks of one person as one block; None where none of them is."""
        found = [b for b in (self._blocks.get(track, {}).get(index) for track in tracks) if b is not None]
        if not found or len(found) == 1:
            return found[0] if found else None
        best = np.stack([_WORTH[b.provenance] for b in found]).argmax(axis=0)
        joined = Block.empty(self.frames)
        for name in PER_SLOT:
            stacked = np.stack([getattr(b, name) for b in found])
            getattr(joined, name)[:] = stacked[best, np.arange(self.frames)]
        joined.betas[:] = max(found, key=lambda b: int((b.provenance != 0).sum())).betas
        return joined

    def span(self, tracks: list[int]) -> tuple[int, int]:
        """First and one past the last segment in which a person has a block; (0, 0) for none."""
        held = [index for track in tracks for index in self._blocks.get(track, {})]
        return (min(held), max(held) + 1) if held else (0, 0)

    def _block(self, track: int, index: int) -> Block:
        blocks = self._blocks.setdefault(track, {})
        if index not in blocks:
            blocks[index] = Block.empty(self.frames)
        return blocks[index]

    def _cut(self, slot0: int, frames: int) -> list[tuple[int, slice, slice]]:
        """A stretch cut at the borders of segments: (segment, slots in it, slots in the stretch)."""
        out = []
        for index in range(slot0 // self.frames, (slot0 + frames - 1) // self.frames + 1):
            a, b = max(slot0, index * self.frames), min(slot0 + frames, (index + 1) * self.frames)
            out.append(
                (index, slice(a - index * self.frames, b - index * self.frames), slice(a - slot0, b - slot0))
            )
        return out


@dataclass(frozen=True)
class PersonStretch:
    """One person over consecutive segments, slot by slot."""

    slot0: int
    provenance: UInt8[Array, "S"]
    pose_rotvec: Float[Array, "S 24 3"]
    transl_m: Float[Array, "S 3"]
    joints_m: Float[Array, "S 24 3"]
    ground_m: Float[Array, "S 3"]
    confidence: Float[Array, "S"]
    keypoints: Float[Array, "S 17"]
    betas: Float[Array, "10"]

    @property
    def present(self) -> Bool[Array, "S"]:
        return np.asarray(self.provenance != Provenance.ABSENT)

    @property
    def observed(self) -> Bool[Array, "S"]:
        return np.asarray(self.provenance == Provenance.OBSERVED)


def stretch_of(timelines: Timelines, tracks: list[int]) -> PersonStretch | None:
    """Everything that is held of a person; None for nothing."""
    first, end = timelines.span(tracks)
    if first == end:
        return None
    blocks = [timelines.block(tracks, index) or Block.empty(timelines.frames) for index in range(first, end)]
    columns: dict[str, Any] = {name: np.concatenate([getattr(b, name) for b in blocks]) for name in PER_SLOT}
    betas = next((b.betas for b in reversed(blocks) if (b.provenance != 0).any()), blocks[-1].betas)
    return PersonStretch(slot0=first * timelines.frames, betas=betas, **columns)


def observed_slots(stretch: PersonStretch) -> Int[Array, "K"]:
    """Slots (of the stretch) with a sighting, ascending."""
    return np.flatnonzero(stretch.observed)
