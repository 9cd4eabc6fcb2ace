"""`crowdstream evaluate detector|pose`: the networks that look at pictures, on real clips nothing was trained on."""

from __future__ import annotations

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
    without_costs: CostsOption = False,
    json: JsonOption = False,
) -> None:
    """A person detector: precision, recall and AP on annotated people, agreement with a yardstick, costs."""
    from ...lab.perception.score.clips import check_folder
    from ...lab.perception.score.detector_report import DetectorQuestion, evaluate_detector
    from ...lab.perception.score.networks import DETECTOR_YARDSTICK, find_network, load_detector
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
    with progress_bar("looking at frames") as progress:
        answer = evaluate_detector(question, tested, yardstick, progress)
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
    without_views: Annotated[
        bool, typer.Option("--without-views", help="Leave out the four calibrated views.")
    ] = False,
    without_costs: CostsOption = False,
    json: JsonOption = False,
) -> None:
    """A 2D pose network: distance to a yardstick's keypoints, sides exchanged, four views triangulated, costs."""
    from ...lab.perception.score.clips import check_folder
    from ...lab.perception.score.networks import (
        DETECTOR_YARDSTICK,
        POSE_FLOOR,
        POSE_YARDSTICK,
        find_network,
        load_pose,
    )
    from ...lab.perception.score.pose_report import PoseQuestion, evaluate_pose
    from ...lab.perception.score.prices import price_poses
    from ...lab.perception.score.views import evaluate_views
    from ...stream.models.catalogue import Role

    check_folder(data)
    folders = _folders(models, data)
    tested = load_pose(find_network(Role.POSE, network, folders))
    contenders = {"network": tested}
    yardstick = _yardstick(Role.POSE, against or POSE_YARDSTICK, folders, bool(against))
    floor = None if against else _yardstick(Role.POSE, POSE_FLOOR, folders, False)
    contenders |= {who: c for who, c in (("floor", floor), ("yardstick", yardstick)) if c is not None}
    boxes = _yardstick(Role.DETECTOR, DETECTOR_YARDSTICK, folders, False, 960)
    question = PoseQuestion(data, every, confident)
    with progress_bar("looking at frames") as progress:
        answer = evaluate_pose(question, contenders, boxes, progress)
    results = dict(answer.figures)
    if not without_views:
        with progress_bar("looking at four views") as progress:
            results["views"] = evaluate_views(data, contenders, boxes, progress=progress)
    results["costs"] = price_poses(data, contenders, boxes, without_costs)
    results["run"] = {
        "data": str(data), "every": every, "confident": confident, "network": _named(tested),
        "yardstick": _named(yardstick), "floor": _named(floor), "boxes": _named(boxes),
    }  # fmt: skip
    if pictures is not None:
        from ...lab.perception.score.pose_pictures import write_pose_pictures

        _tell_written(write_pose_pictures(pictures, question, answer))
    _show(results, json, "print_pose")


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
