"""What the networks in use cost beside public ones: processor time of a frame and of a crop, in turns within one run.

The ratio is held against the baseline; milliseconds are of the machine and are only reported. Without the yardsticks
(RTMDet-nano, PP-TinyPose) there is nothing to compare with: their part is skipped, and the reason is said.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...stream.errors import ModelError
from ...stream.models.catalogue import Role
from ...stream.models.folder import ModelFile
from ..perception.score.networks import (
    DETECTOR_YARDSTICK,
    POSE_YARDSTICK,
    find_network,
    load_detector,
    load_pose,
)
from ..perception.score.prices import price_detectors, price_poses
from .metric import Direction, Metric

LONGEST_SIDE_PX = 960
RATIO_TOLERANCE = 0.15
"""Ratios of one run repeat to a few percent; shared caches make them wander a little more."""

Tell = Callable[[str], None]


def run_perception(
    data: Path, models: Path, detector: str = "", pose: str = "", tell: Tell = lambda line: None
) -> list[Metric]:
    """Costs of both networks over the yardsticks'.

    Args:
        data: folder with video/ and models/; a made-up frame where it has no clip.
        models: model folder.
        detector: name or file; "" for what the engine would use.
        pose: the same.
        tell: told why a part is skipped.

    Raises:
        ModelError: a network under test is not there.
    """
    folders = (models, data / "models")
    figures: list[Metric] = []
    tested, yardstick = _pair(Role.DETECTOR, detector, DETECTOR_YARDSTICK, folders, tell)
    if yardstick is not None:
        priced = price_detectors(
            data, load_detector(tested, LONGEST_SIDE_PX), load_detector(yardstick, LONGEST_SIDE_PX)
        )
        figures += cost_metrics("perception.detector", priced)
    tested, yardstick = _pair(Role.POSE, pose, POSE_YARDSTICK, folders, tell)
    if yardstick is not None:
        contenders = {"network": load_pose(tested), "yardstick": load_pose(yardstick)}
        figures += cost_metrics("perception.pose", price_poses(data, contenders, None))
    return figures


def cost_metrics(prefix: str, priced: dict[str, Any]) -> list[Metric]:
    """Milliseconds of everybody, and the network's ratio."""
    out = []
    for row in priced["rows"]:
        out.append(Metric(f"{prefix}.{row['what']}.{row['who']}_ms", row["ms"], "ms"))
        if row["who"] == "network" and row["ratio"] is not None:
            key = f"{prefix}.{row['what']}.ratio"
            out.append(
                Metric(key, row["ratio"], "of the yardstick", Direction.LOWER, rel_tol=RATIO_TOLERANCE)
            )
    return out


def _pair(
    role: Role, wanted: str, yardstick: str, folders: tuple[Path, ...], tell: Tell
) -> tuple[ModelFile, ModelFile | None]:
    """The network under test and, where it is there, what it is held against."""
    tested = find_network(role, wanted, folders)
    try:
        return tested, find_network(role, yardstick, folders)
    except ModelError as exc:
        tell(f"perception.{role}: skipped, no yardstick ({exc})")
        return tested, None
