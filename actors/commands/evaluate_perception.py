"""`crowdstream evaluate detector|pose`: the networks that look at pictures, on real clips nothing was trained on."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...kernels.errors import CrowdstreamError
from .console_output import emit_json, note
from .progress_bar import progress_bar

if TYPE_CHECKING:
    from ...kernels.perception.detector import Detector
    from ...kernels.perception.pose import PoseEstimator
    from ...lab.perception.score.networks import Contender
    from ...lab.perception.score.pose_report import PoseAnswer, PoseQuestion
    from ...stream.models.catalogue import Role

DataOption = Annotated[
    Path, typer.Option("--data", help="Folder with video/ (development clips) and models/ (yardsticks).")
]
NetworkOption = Annotated[
    str, typer.Option("--network", help="File or catalogue name; by default what the engine would use.")
]
AgainstOption = Annotated[str, typer.Option("--against", help="Yardstick: file or catalogue name.")]
ModelsOption = Annotated[Path | None, typer.Option("--models", help="Model folder.")]
PicturesOption = Annotated[Path | None, typer.Option("--pictures", help="Folder for annotated pictures.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print everything as JSON.")]
MemoryOption = Annotated[
    Path | None,
    typer.Option("--memory", help="Folder that keeps what the yardsticks said, for the next time."),
]
CostsOption = Annotated[bool, typer.Option("--without-costs", help="Do not measure processor time.")]


def detector(
    data: DataOption,
    network: NetworkOption = "",
    against: AgainstOption = "",
    models: ModelsOption = None,
    every: Annotated[int, typer.Option(min=1, help="Look at every so manieth frame.")] = 5,
    threshold: Annotated[
        float | None,
        typer.Option(min=0.0, max=1.0, help="Operating score; by default the engine's for poses."),
    ] = None,
    side: Annotated[
        list[int] | None,
        typer.Option(min=64, max=4096, help="Longer side of the input beside the engine's; may be repeated."),
    ] = None,
    pictures: PicturesOption = None,
    memory: MemoryOption = None,
    without_costs: CostsOption = False,
    json: JsonOption = False,
) -> None:
    """A person detector: precision, recall and AP on annotated people, agreement with a yardstick, costs."""
    from ...lab.perception.score.clips import check_folder
    from ...lab.perception.score.detector_report import DetectorQuestion, evaluate_detector
    from ...lab.perception.score.networks import (
        DETECTOR_YARDSTICK,
        find_network,
        load_detector,
        remembering_detector,
    )
    from ...lab.perception.score.prices import price_detectors
    from ...stream.models.catalogue import Role

    check_folder(data)
    folders = _folders(models, data)
    sides = tuple(side or ())
    longest = max((960, *sides))
    tested = load_detector(find_network(Role.DETECTOR, network, folders), longest)
    yardstick = _yardstick(Role.DETECTOR, against or DETECTOR_YARDSTICK, folders, bool(against), longest)
    question = DetectorQuestion(data, every, sides_px=sides)
    if threshold is not None:
        question = DetectorQuestion(data, every, threshold, sides)
    with ExitStack() as kept:
        held = None if yardstick is None else kept.enter_context(remembering_detector(yardstick, memory))
        progress = kept.enter_context(progress_bar("looking at frames"))
        answer = evaluate_detector(question, tested, held, progress)
    results = dict(answer.figures)
    results["costs"] = price_detectors(data, tested, yardstick, without_costs)
    results["run"] = {
        "data": str(data), "every": every, "threshold": question.threshold, "network": _named(tested),
        "yardstick": _named(yardstick),
    }  # fmt: skip
    if pictures is not None:
        from ...lab.perception.score.detector_pictures import write_detector_pictures

        _tell_written(write_detector_pictures(pictures, question, answer))
    _show(results, json, "print_detector")


def pose(
    data: DataOption,
    network: NetworkOption = "",
    against: AgainstOption = "",
    models: ModelsOption = None,
    every: Annotated[int, typer.Option(min=1, help="Look at every so manieth frame.")] = 10,
    confident: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Confidence from which a keypoint counts.")
    ] = 0.3,
    pictures: PicturesOption = None,
    memory: MemoryOption = None,
    without_views: Annotated[
        bool, typer.Option("--without-views", help="Leave out the four calibrated views.")
    ] = False,
    without_costs: CostsOption = False,
    json: JsonOption = False,
) -> None:
    """A 2D pose network: distance to a yardstick's keypoints, sides exchanged, four views triangulated, costs."""
    from ...lab.perception.score.clips import check_folder
    from ...lab.perception.score.networks import DETECTOR_YARDSTICK
    from ...lab.perception.score.pose_report import PoseQuestion
    from ...lab.perception.score.prices import price_poses
    from ...stream.models.catalogue import Role

    check_folder(data)
    folders = _folders(models, data)
    contenders = _pose_contenders(network, against, folders)
    boxes = _yardstick(Role.DETECTOR, DETECTOR_YARDSTICK, folders, False, 960)
    question = PoseQuestion(data, every, confident)
    answer, results = _look_at_people(question, contenders, boxes, memory, without_views)
    results["costs"] = price_poses(data, contenders, boxes, without_costs)
    results["run"] = {
        "data": str(data), "every": every, "confident": confident, "boxes": _named(boxes),
        **{who: _named(contenders.get(who)) for who in ("network", "yardstick", "floor")},
    }  # fmt: skip
    if pictures is not None:
        from ...lab.perception.score.pose_pictures import write_pose_pictures

        _tell_written(write_pose_pictures(pictures, question, answer))
    _show(results, json, "print_pose")


def _pose_contenders(
    network: str, against: str, folders: tuple[Path, ...]
) -> dict[str, Contender[PoseEstimator]]:
    """By who: the network under test, and the yardstick and its smaller sister where they are there."""
    from ...lab.perception.score.networks import POSE_FLOOR, POSE_YARDSTICK, find_network, load_pose
    from ...stream.models.catalogue import Role

    contenders = {"network": load_pose(find_network(Role.POSE, network, folders))}
    floor = None if against else _yardstick(Role.POSE, POSE_FLOOR, folders, False)
    yardstick = _yardstick(Role.POSE, against or POSE_YARDSTICK, folders, bool(against))
    return contenders | {who: c for who, c in (("floor", floor), ("yardstick", yardstick)) if c is not None}


def _look_at_people(
    question: PoseQuestion,
    contenders: dict[str, Contender[PoseEstimator]],
    boxes: Contender[Detector] | None,
    memory: Path | None,
    without_views: bool,
) -> tuple[PoseAnswer, dict[str, Any]]:
    """The clips and the four views; all but the network under test may remember what it said."""
    from ...lab.perception.score.networks import remembering_detector, remembering_pose
    from ...lab.perception.score.pose_report import evaluate_pose
    from ...lab.perception.score.views import evaluate_views

    with ExitStack() as kept:
        held = {
            who: contender if who == "network" else kept.enter_context(remembering_pose(contender, memory))
            for who, contender in contenders.items()
        }
        finder = None if boxes is None else kept.enter_context(remembering_detector(boxes, memory))
        with progress_bar("looking at frames") as progress:
            answer = evaluate_pose(question, held, finder, progress)
        results = dict(answer.figures)
        if not without_views:
            with progress_bar("looking at four views") as progress:
                results["views"] = evaluate_views(question.data, held, finder, progress=progress)
    return answer, results


def _folders(models: Path | None, data: Path) -> tuple[Path, ...]:
    """Where names are looked up: the model folder, then the one beside the clips."""
    from ...stream.models.folder import default_folder

    return (models or default_folder(), data / "models")


def _yardstick(
    role: Role, wanted: str, folders: tuple[Path, ...], named: bool, longest_side_px: int = 960
) -> Any:
    """What a network is held against; None where it is not there and nobody asked for it."""
    from ...lab.perception.score.networks import find_network, load_detector, load_pose
    from ...stream.errors import ModelError

    try:
        model = find_network(role, wanted, folders)
    except ModelError as exc:
        if named:
            raise
        note.print(f"no yardstick: {exc}")
        return None
    return load_detector(model, longest_side_px) if role == "detector" else load_pose(model)


def _named(contender: Contender[Detector] | Contender[PoseEstimator] | None) -> dict[str, str] | None:
    return None if contender is None else {"name": contender.name, "why": contender.why}


def _tell_written(paths: list[Path]) -> None:
    if not paths:
        raise CrowdstreamError("nothing to draw: none of the clips could be scored; see the reasons above")
    note.print(f"pictures: {', '.join(str(path) for path in paths)}")


def _show(results: dict[str, Any], json: bool, how: str) -> None:
    if json:
        emit_json(results)
        return
    from rich.console import Console

    from ...lab.perception.score import table

    getattr(table, how)(results, Console())
