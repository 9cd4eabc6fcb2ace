"""`crowdstream evaluate detector`: a detector on the real clips, the yardstick beside it, as one JSON-able report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ....kernels.perception.detector import Detector
from ....stream.observe_config import PerceptionConfig
from ....stream.sources.open import open_source
from .clips import HALL, PETS, Clip, absent, check_folder, true_boxes
from .detections import Pass, Progress, detect_clip, engine_side_px, input_wh
from .detector_score import (
    SURE,
    count_shared,
    judge,
    list_false,
    score_against_truth,
    score_against_yardstick,
)
from .matching import ClipBoxes
from .networks import Contender

FIXED_SIDE_PX = 640
"""Beside the engine's own size: every clip shown with this longer side."""


@dataclass(frozen=True)
class DetectorQuestion:
    """What is asked of a detector."""

    data: Path
    """Folder with video/."""
    every: int = 5
    """Every n-th frame is looked at."""
    threshold: float = PerceptionConfig().pose_threshold
    """Operating point: people of at least this score get a pose."""
    sides_px: tuple[int, ...] = ()
    """Longer sides of the input beside the engine's; none: 640."""


@dataclass(frozen=True)
class DetectorAnswer:
    """Figures, and the boxes they come from (for pictures)."""

    figures: dict[str, Any]
    boxes: dict[tuple[str, str, str], ClipBoxes]
    """By clip, who and input (`640x480`; "" for boxes that belong to no input).

    Who: network, yardstick; `people`, who should be found; `allowed`, what may be found without being false."""


def evaluate_detector(
    question: DetectorQuestion,
    network: Contender[Detector],
    yardstick: Contender[Detector] | None,
    progress: Progress | None = None,
) -> DetectorAnswer:
    """Both detectors on the annotated clip, and the network beside the yardstick's boxes in the hall.

    Args:
        question: where, how often, at which threshold.
        network: under test.
        yardstick: None: rows that need it say that it is missing.
        progress: told the frames of each clip.

    Raises:
        ScoreError: no data folder.
    """
    check_folder(question.data)
    boxes: dict[tuple[str, str, str], ClipBoxes] = {}
    figures = {
        "pets": _on_pets(question, network, yardstick, boxes, progress),
        "hall": _in_hall(question, network, yardstick, boxes, progress),
    }
    return DetectorAnswer(figures, boxes)


def _on_pets(
    question: DetectorQuestion,
    network: Contender[Detector],
    yardstick: Contender[Detector] | None,
    boxes: dict[tuple[str, str, str], ClipBoxes],
    progress: Progress | None,
) -> dict[str, Any]:
    reason = absent(question.data, PETS)
    if reason is not None:
        return {"absent": reason}
    assert PETS.truth is not None
    found = _run(question, PETS, network, yardstick, progress)
    first = found[0][1]
    truth = true_boxes(question.data / "video" / PETS.truth, first.frames, first.size_px)
    boxes[PETS.name, "people", ""] = boxes[PETS.name, "allowed", ""] = truth
    others = [seen for one, seen in found if one.who == "yardstick"]
    rows = []
    for one, seen in found:
        shown = _shown(seen.size_px, one.side_px)
        boxes[PETS.name, one.who, shown] = seen
        threshold = question.threshold if one.who == "network" else SURE
        figures = score_against_truth(seen, truth, threshold)
        if one.who == "network" and others:
            figures["false_shared"] = count_shared(seen, truth, others[0].at_least(SURE), threshold)
        false = list_false(judge(seen, truth, truth, threshold))
        rows.append({"who": one.who, "input": shown, **figures, "false_boxes": false})
    return {"frames": len(first.frames), "people": truth.count, "rows": rows}


def _in_hall(
    question: DetectorQuestion,
    network: Contender[Detector],
    yardstick: Contender[Detector] | None,
    boxes: dict[tuple[str, str, str], ClipBoxes],
    progress: Progress | None,
) -> dict[str, Any]:
    reason = absent(question.data, HALL)
    if reason is None and yardstick is None:
        reason = "no yardstick: the clip has no annotation"
    if reason is not None:
        return {"absent": reason}
    found = _run(question, HALL, network, yardstick, progress)
    by_input = {one.side_px: seen for one, seen in found if one.who == "yardstick"}
    best = max(by_input)
    truth = by_input[best]
    people = truth.at_least(SURE)
    boxes[HALL.name, "people", ""], boxes[HALL.name, "allowed", ""] = people, truth
    rows = []
    for one, seen in found:
        shown = _shown(seen.size_px, one.side_px)
        boxes[HALL.name, one.who, shown] = seen
        if seen is truth:
            continue
        threshold = question.threshold if one.who == "network" else SURE
        figures = score_against_yardstick(seen, truth, threshold)
        false = list_false(judge(seen, people, truth, threshold))
        rows.append({"who": one.who, "input": shown, **figures, "false_boxes": false})
    return {
        "frames": len(truth.frames), "people": people.count, "yardstick_input": _shown(truth.size_px, best),
        "rows": rows,
    }  # fmt: skip


def _run(
    question: DetectorQuestion,
    clip: Clip,
    network: Contender[Detector],
    yardstick: Contender[Detector] | None,
    progress: Progress | None,
) -> list[tuple[Pass, ClipBoxes]]:
    """Both detectors at every size that is asked for, each size once."""
    path = question.data / "video" / clip.video
    with open_source(str(path)) as source:
        size = source.size_px
    passes: list[Pass] = []
    for who, contender in (("network", network), ("yardstick", yardstick)):
        if contender is not None:
            passes += [
                Pass(who, contender.network, side) for side in _sides(contender.network, size, question)
            ]
    return list(zip(passes, detect_clip(path, question.every, passes, progress), strict=True))


def _sides(detector: Detector, size_px: tuple[int, int], question: DetectorQuestion) -> Sequence[int]:
    """The engine's size first; sizes beyond what a detector takes would be shrunk again and are cut to it."""
    engine = engine_side_px(detector, size_px, PerceptionConfig())
    asked = question.sides_px or (FIXED_SIDE_PX,)
    return tuple(dict.fromkeys((engine, *(min(side, detector.max_side_px) for side in asked))))


def _shown(size_px: tuple[int, int], side_px: int) -> str:
    width, height = input_wh(size_px, side_px)
    return f"{width}x{height}"
