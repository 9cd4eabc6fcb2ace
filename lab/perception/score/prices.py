"""Costs on a frame of the data folder, as the report and the benchmark want them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ....kernels.perception.detector import Detector
from ....kernels.perception.pose import PoseEstimator
from ....stream.observe_config import PerceptionConfig
from .clips import HALL, absent, pictures
from .costs import ROUNDS, Cost, detector_costs, made_up_picture, pose_costs
from .detections import detect_picture, engine_side_px
from .networks import Contender

Array = np.ndarray

Prices = dict[str, Any]
"""`rows` of `Cost`, or `absent`: why there are none."""
NOT_ASKED = "not asked for"


def first_picture(data: Path) -> Array:
    """The first frame of the hall; a made-up picture where the clip is not there."""
    if absent(data, HALL) is not None:
        return made_up_picture()
    return next(pictures(data / "video" / HALL.video, 1))[1]


def price_detectors(
    data: Path,
    network: Contender[Detector],
    yardstick: Contender[Detector] | None,
    without: bool = False,
    rounds: int = ROUNDS,
) -> Prices:
    """Milliseconds a frame of both, and the ratio."""
    if without:
        return {"absent": NOT_ASKED}
    detectors = {"network": network.network}
    if yardstick is not None:
        detectors["yardstick"] = yardstick.network
    return _rows(detector_costs(detectors, first_picture(data), rounds))


def price_poses(
    data: Path,
    contenders: Mapping[str, Contender[PoseEstimator]],
    detector: Contender[Detector] | None,
    without: bool = False,
    rounds: int = ROUNDS,
) -> Prices:
    """Milliseconds a crop of everybody, on boxes of a detector where there is one."""
    if without:
        return {"absent": NOT_ASKED}
    picture = first_picture(data)
    boxes = None
    if detector is not None:
        side = engine_side_px(detector.network, (picture.shape[1], picture.shape[0]), PerceptionConfig())
        boxes = np.asarray(detect_picture(detector.network, picture, side)[0])
    poses = {who: contender.network for who, contender in contenders.items()}
    return _rows(pose_costs(poses, picture, boxes, rounds))


def _rows(costs: list[Cost]) -> Prices:
    return {"rows": [cost.as_dict() for cost in costs]}
