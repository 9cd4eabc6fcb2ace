"""A folder of made-up motion capture: people who sway and step in place. Shared by the tests of training."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

COLUMNS = (
    "clip", "subject", "trial", "category", "description", "frames", "seconds", "shard", "start", "scale",
    "flat_ground", "fast_frames", "source_format", "source", "note", "licence",
)  # fmt: skip


def write_mocap(
    folder: Path,
    subjects: tuple[str, ...] = ("02", "accad_f1", "13"),
    frames: int = 90,
    seed: int = 0,
) -> Path:
    """A clip per subject in the mocap format; 13 is one that the split holds back."""
    random = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    poses, rows = [], []
    for index, subject in enumerate(subjects):
        poses.append(_pose(frames, random))
        source = "accad" if subject.startswith("accad") else "cmu"
        rows.append(
            dict(zip(COLUMNS, (
                f"{subject}_0{index}", subject, "01", ("walk", "idle_stand")[index % 2], "made up", frames, frames / 30,
                f"{source}_000.npz", 0, 1.0, 1, 0, "made", "made", "", {"accad": "CC BY 3.0", "cmu": "CMU"}[source],
            ), strict=True))
        )  # fmt: skip
    for shard in sorted({row["shard"] for row in rows}):
        mine = [k for k, row in enumerate(rows) if row["shard"] == shard]
        for place, k in enumerate(mine):
            rows[k]["start"] = place * frames
        trans = np.tile(np.array([0.0, 0.946, 0.0], np.float32), (frames * len(mine), 1))
        trans[:, 2] = 0.02 * np.arange(len(trans))
        np.savez(
            folder / shard, poses=np.concatenate([poses[k] for k in mine]).astype(np.float16), trans=trans
        )
    with (folder / "index.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return folder


def _pose(frames: int, random: np.random.Generator) -> np.ndarray:
    """Every joint swings about some angle of its own; knees only backwards."""
    phase = 2 * np.pi * np.arange(frames)[:, None, None] / 30
    pose = 0.1 * random.standard_normal((24, 3)) + 0.15 * np.sin(phase + random.uniform(0, 6, (24, 3)))
    pose[:, (4, 5)] = 0.0
    pose[:, (4, 5), 0] = 0.3 + 0.2 * np.sin(phase[:, :, 0] + np.array([0.0, np.pi]))
    pose[:, 0] *= 0.2
    return np.asarray(pose)
