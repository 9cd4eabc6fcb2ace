"""Skeletons of both networks side by side, to be looked at: people spread over a clip, and those who differ most.

In each tile the network's on the left, the yardstick's on the right; left limbs blue, right limbs red, the rest white;
keypoints it is not sure of are grey dots.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float

from .clips import HALL, PETS, chosen_pictures
from .pose_report import REFERENCE, ClipPoses, PoseAnswer, PoseQuestion
from .sheet import WHITE, close_up, draw_skeleton, sheet, text, write_picture

Array = np.ndarray

TILES = 28
_COLUMNS = 7
_PANEL_PX = (120, 180)
_PADDING = 1.3
_MIN_BOTH = 6
"""Keypoints that both are sure of, below which a difference says nothing."""


def write_pose_pictures(folder: Path, question: PoseQuestion, answer: PoseAnswer) -> list[Path]:
    """Two sheets a clip; the files written."""
    written: list[Path] = []
    for clip in (HALL, PETS):
        seen = answer.poses.get(clip.name)
        if seen is None or not len(seen.frame):
            continue
        gap = differences(seen, question.confident)
        known = np.flatnonzero(np.isfinite(gap))
        picks = {
            "spread": np.unique(np.linspace(0, len(gap) - 1, TILES).round().astype(int)),
            "worst": known[np.argsort(-gap[known], kind="stable")][:TILES],
        }
        rows = sorted({int(r) for part in picks.values() for r in part})
        images = chosen_pictures(question.data / "video" / clip.video, seen.frame[rows].tolist())
        for name, part in picks.items():
            tiles = [_tile(images[int(seen.frame[r])], seen, int(r), gap, question.confident) for r in part]
            if tiles:
                title = f"{clip.name}, {name}: network | yardstick; % of the box's height"
                path = folder / f"pose_{clip.name}_{name}.png"
                written.append(write_picture(path, sheet(tiles, _COLUMNS, title)))
    return written


def differences(seen: ClipPoses, confident: float) -> Float[Array, "R"]:
    """Mean distance of each person's keypoints that both are sure of, share of the box; NaN with too few."""
    own, reference = seen.poses["network"], seen.poses[REFERENCE]
    both = np.minimum(own.confidence, reference.confidence) >= confident
    distance = np.linalg.norm(own.px - reference.px, axis=-1) / seen.heights_px[:, None]
    count = both.sum(axis=1)
    mean = np.where(both, distance, 0.0).sum(axis=1) / np.maximum(count, 1)
    return np.where(count >= _MIN_BOTH, mean, np.nan)


def _tile(image: Array, seen: ClipPoses, row: int, gap: Float[Array, "R"], confident: float) -> Array:
    panels = []
    for who in ("network", REFERENCE):
        panel, shift, gain = close_up(image, seen.boxes_px[row], _PANEL_PX, _PADDING)
        pose = seen.poses[who]
        draw_skeleton(panel, pose.px[row] * gain + shift, pose.confidence[row] >= confident)
        panels.append(panel)
    tile = np.concatenate(panels, axis=1)
    height = seen.heights_px[row]
    share = "-" if np.isnan(gap[row]) else f"{100.0 * gap[row]:.1f}"
    text(tile, f"{seen.frame[row]}, {height:.0f} px, {share}", (3, _PANEL_PX[1] - 5), WHITE, 0.38)
    return tile
