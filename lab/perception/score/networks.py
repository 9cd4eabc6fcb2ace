"""Networks to be scored: any file or catalogue name, opened on one thread of the processor, behind their adapters."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Generic, TypeVar

from ....kernels.perception.adapters import build_detector, build_pose
from ....kernels.perception.detector import Detector
from ....kernels.perception.letterbox import SIDE_MULTIPLE
from ....kernels.perception.pose import PoseEstimator
from ....stream.errors import ModelError
from ....stream.inference.ladder import OpenedNetwork, open_network
from ....stream.inference.ladder_config import InferenceConfig
from ....stream.models.catalogue import Role
from ....stream.models.folder import ModelFile, choose
from .memory import Answers, RememberingDetector, RememberingPose

DETECTOR_YARDSTICK = "rtmdet-nano-person-dynamic"
POSE_YARDSTICK = "pp-tinypose-256x192"
POSE_FLOOR = "pp-tinypose-128x96"
"""The yardstick's own smaller sister: what two good networks differ by."""
SCORE_FLOOR = 0.05
"""Boxes below are left out: the least that RTMDet says."""

Scored = TypeVar("Scored")


@dataclass(frozen=True)
class Contender(Generic[Scored]):
    """A network under test, or the one it is held against."""

    name: str
    why: str
    """How it was chosen."""
    network: Scored
    sum: str = ""
    """Of the network's file."""


def find_network(role: Role, wanted: str, folders: Sequence[Path]) -> ModelFile:
    """The network of a name or path ("": the best there is); folders are asked in turn.

    Raises:
        ModelError: none of the folders has it; what the first one said.
    """
    first: ModelError | None = None
    for folder in folders:
        try:
            return choose(folder, role, wanted)
        except ModelError as exc:
            first = first or exc
    raise first or ModelError(f"no folder to look for a {role} network in")


def load_detector(model: ModelFile, longest_side_px: int) -> Contender[Detector]:
    """A detector that sees pictures of up to this side without shrinking them.

    Raises:
        ModelError, InferenceError: damaged, or no detector.
    """
    opened = _open(model)
    side = -(-longest_side_px // SIDE_MULTIPLE) * SIDE_MULTIPLE
    detector = build_detector(opened.backend, side, SCORE_FLOOR, _contract(opened))
    return Contender(model.name, model.why, detector, _sum(model))


def load_pose(model: ModelFile, batch: int | None = None) -> Contender[PoseEstimator]:
    """A pose network; `batch` fixes the number of crops of a call.

    Raises:
        ModelError, InferenceError: damaged, or no pose network.
    """
    opened = _open(model)
    buckets = None if batch is None else (batch,)
    network = build_pose(opened.backend, buckets=buckets, kind=_contract(opened))
    return Contender(model.name, model.why, network, _sum(model))


@contextmanager
def remembering_detector(
    contender: Contender[Detector], folder: Path | None
) -> Iterator[Contender[Detector]]:
    """The same detector, whose answers are kept in a folder (None: as it is)."""
    if folder is None:
        yield contender
        return
    answers = Answers(folder, f"detector {contender.sum} {SCORE_FLOOR}")
    yield replace(contender, network=RememberingDetector(contender.network, answers))
    answers.save()


@contextmanager
def remembering_pose(
    contender: Contender[PoseEstimator], folder: Path | None
) -> Iterator[Contender[PoseEstimator]]:
    """The same for a pose network."""
    if folder is None:
        yield contender
        return
    answers = Answers(folder, f"pose {contender.sum}")
    yield replace(contender, network=RememberingPose(contender.network, answers))
    answers.save()


def _open(model: ModelFile) -> OpenedNetwork:
    return open_network(model, InferenceConfig(ladder=("onnxruntime-cpu",), threads=1))


def _sum(model: ModelFile) -> str:
    return hashlib.sha256(model.read()).hexdigest()


def _contract(opened: OpenedNetwork) -> str | None:
    return opened.model.entry.contract if opened.model.entry else None
