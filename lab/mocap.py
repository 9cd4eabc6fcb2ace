"""Read the motion-capture shards: clips of 24-joint SMPL poses at 30 Hz, y up.

A folder holds `index.csv` (a row per clip: shard, start, frames, category, licence) and npz shards with
`poses` (rows, 24, 3) float16 axis-angle, `trans` (rows, 3) float32 pelvis position in metres, y up, floor
at y = 0. Sizes are normalised to one reference leg length.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Float

from ..kernels.errors import CrowdstreamError


class MocapError(CrowdstreamError):
    """A motion-capture folder that is missing, or not of the expected layout."""


@dataclass(frozen=True)
class MocapClip:
    """One clip; y up, right-handed, zero pose = T-pose facing +z."""

    name: str
    category: str
    pose_rotvec: Float[np.ndarray, "T 24 3"]
    """Axis-angle, radians; joint 0 in the (y-up) world, the rest relative to the parent."""
    pelvis_m: Float[np.ndarray, "T 3"]
    """World position of the pelvis joint, metres, y up."""
    flat_ground: bool
    """The floor is one plane (otherwise y = 0 is only approximate)."""
    subject: str = ""
    """Who was recorded; empty where the index does not say."""
    description: str = ""
    """What the take shows, in the words of its source."""
    licence: str = ""
    """Terms of the source, as the index has them."""
    source: str = ""
    """The collection it is from: its shard's name without the number."""

    @property
    def num_frames(self) -> int:
        return int(self.pose_rotvec.shape[0])

    def __repr__(self) -> str:
        return f"MocapClip({self.name!r}, {self.category!r}, T={self.num_frames})"


def read_mocap(folder: Path) -> list[MocapClip]:
    """Every clip of a folder, in the order of its index.

    Raises:
        MocapError: no index, or a shard that the index names is missing.
    """
    index = folder / "index.csv"
    if not index.is_file():
        raise MocapError(
            f"no motion capture at {folder}: expected index.csv and npz shards there; pass --mocap"
        )
    with index.open(newline="", encoding="utf-8") as rows:
        return [_clip(folder, row) for row in csv.DictReader(rows)]


def _clip(folder: Path, row: dict[str, str]) -> MocapClip:
    poses, trans = _shard(folder / row["shard"])
    part = slice(int(row["start"]), int(row["start"]) + int(row["frames"]))
    return MocapClip(
        name=row["clip"],
        category=row["category"],
        pose_rotvec=poses[part],
        pelvis_m=trans[part],
        flat_ground=row["flat_ground"] == "1",
        subject=row.get("subject") or "",
        description=row.get("description") or "",
        licence=row.get("licence") or "",
        source=Path(row["shard"]).stem.rpartition("_")[0],
    )


@lru_cache(maxsize=16)
def _shard(path: Path) -> tuple[Float[np.ndarray, "R 24 3"], Float[np.ndarray, "R 3"]]:
    if not path.is_file():
        raise MocapError(f"{path} is named by index.csv but missing; fetch the folder again")
    with np.load(path, allow_pickle=False) as shard:
        return shard["poses"].astype(np.float32), shard["trans"].astype(np.float32)
