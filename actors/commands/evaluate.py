"""`crowdstream evaluate`: a result against the truth (virtual crowd, recorded log, MOT text), or what was learned."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from ...kernels.errors import CrowdstreamError
from ...stream.models.folder import default_folder
from .console_output import emit_json, note
from .evaluate_perception import detector, pose
from .evaluate_priors import lifter, prior
from .progress_bar import progress_bar
from .targets import check_target

if TYPE_CHECKING:
    from ...lab.evaluate.question import Question
    from ...lab.virtualcrowd.store import Crowd
    from ...stream.records import Observation


LEARNED = ("prior", "lifter", "detector", "pose")
"""Targets that are no path; a folder of such a name is given as ./prior."""
_PATH = "path"


class Targets(TyperGroup):
    """What was learned has options of its own; any other target is a path."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """A path goes to the command for paths, which nobody names."""
        if args and args[0] not in LEARNED:
            args = [_PATH, *args]
        return super().parse_args(ctx, args or [_PATH])

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Its name is left out of the usage line."""
        name, command, rest = super().resolve_command(ctx, args)
        return ("" if name == _PATH else name), command, rest


app = typer.Typer(
    cls=Targets,
    add_completion=False,
    help="Score a result against exact truth, the learned priors on recordings, or the networks on real clips.",
)
app.command("prior")(prior)
app.command("lifter")(lifter)
app.command("detector")(detector)
app.command("pose")(pose)


@app.command(_PATH)
def evaluate(
    target: Annotated[
        Path, typer.Argument(help="Folder of a virtual crowd, or MOT text with the truth of a clip.")
    ],
    config: Annotated[str, typer.Option(help="Preset (live, paper, replay, edge) or YAML file.")] = "live",
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="STAGE.KEY=VALUE", help="Change one setting; may be repeated."),
    ] = None,
    camera: Annotated[str | None, typer.Option(help="Camera of the crowd; the first one by default.")] = None,
    observations: Annotated[
        str,
        typer.Option(help="What the engine is given: simulated, rendered, perfect; truth: no engine at all."),
    ] = "simulated",
    self_calibrate: Annotated[
        bool, typer.Option("--self-calibrate", help="Do not give the engine camera and ground.")
    ] = False,
    without: Annotated[
        list[str] | None,
        typer.Option(help="Leave out: motion-prior, lifter, group, amc, stitching, refine; may be repeated."),
    ] = None,
    without_energy: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Leave out an energy term; may be repeated.")
    ] = None,
    seconds: Annotated[float | None, typer.Option(min=0.1, help="Only the first so many seconds.")] = None,
    result: Annotated[
        Path | None, typer.Option(help="MOT text to be scored, instead of running the engine.")
    ] = None,
    log: Annotated[Path | None, typer.Option(help="Recorded log to be scored, instead of running.")] = None,
    calibration: Annotated[
        Path | None, typer.Option(help="Camera file of a MOT clip: adds scores on the ground.")
    ] = None,
    models: Annotated[Path | None, typer.Option(help="Model folder, for --observations rendered.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write a report with plots.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Score a result against exact truth: placement, pose, motion, identity, and what a live consumer gets.

    The learned priors: crowdstream evaluate prior, crowdstream evaluate lifter (each with --mocap and --help).
    The networks that look at pictures: crowdstream evaluate detector, crowdstream evaluate pose (--data, --help).
    """
    from ...lab.evaluate.errors import SwitchError
    from ...lab.evaluate.question import OBSERVATIONS, Question

    if observations not in OBSERVATIONS:
        _usage(f"no observations {observations!r}; expected one of {', '.join(OBSERVATIONS)}")
    if result is not None and log is not None:
        _usage("--result and --log are both given; give one of them")
    if html is not None:
        check_target(html, "--html", (target, result, log, calibration))
    try:
        question = Question(
            config, tuple(set_ or ()), observations, self_calibrate, tuple(without or ()),
            tuple(without_energy or ()), seconds,
        )  # fmt: skip
        question.config()
    except SwitchError as exc:
        _usage(str(exc))
    if target.is_dir() or not target.exists():
        results = _crowd(target, camera, question, result, log, models or default_folder())
    else:
        results = _mot(target, result, log, calibration)
    results["about"] = _about(target, results)
    if html is not None:
        from ...lab.evaluate.html import write_report

        write_report(html, results)
        note.print(f"report: {html}")
    if json:
        emit_json({key: value for key, value in results.items() if key not in ("plots", "about")})
    else:
        from rich.console import Console

        from ...lab.evaluate.table import print_tables

        print_tables(results, Console())


def _crowd(
    folder: Path,
    camera: str | None,
    question: Question,
    result: Path | None,
    log: Path | None,
    models: Path,
) -> dict[str, Any]:
    from ...lab.evaluate.question import Seen, evaluate, report
    from ...lab.evaluate.recorded import on_clip, published_in
    from ...lab.virtualcrowd.store import load_crowd

    crowd = load_crowd(folder)
    name = _camera_of(crowd, camera)
    view = crowd.view(name)
    if result is not None:
        return _boxes_of_crowd(crowd, view, result)
    if log is not None:
        published = on_clip(published_in(log), view.t_ns, view.camera.size_px, str(log))
        with progress_bar(f"{folder.name}, {name}: scoring"):
            results = report(question, Seen(crowd.motion, view), published)
        of_crowd = ("scene", "seed", "camera", "size_px", "people_in_scene", "seconds")
        results["run"] = {key: results["run"][key] for key in of_crowd} | {"log": str(log)}
        return results
    if question.observations == "rendered":
        seen = Seen(crowd.motion, view, observations=_look(crowd, name, question, models))
    elif question.observations == "simulated":
        seen = Seen(crowd.motion, view, crowd.sightings(name))
    else:
        seen = Seen(crowd.motion, view)
    if question.config().solve.preset == "live" and question.observations != "truth":
        from ..solver import compile_in_another_process

        compile_in_another_process()
    with progress_bar(f"{folder.name}, {name}", "scoring") as progress:
        return evaluate(question, seen, progress)


def _boxes_of_crowd(crowd: Crowd, view: Any, result: Path) -> dict[str, Any]:
    from ...kernels.metrics.track_rows import TrackRows
    from ...lab.evaluate.camera_frames import identity_of, mot_rows, truth_rows
    from ...lab.evaluate.errors import EvaluateError

    found = mot_rows(result)
    last = int(found.frame.max()) if len(found.frame) else 0
    if last > view.num_frames:
        raise EvaluateError(
            f"{result} goes to frame {last}, the clip of camera {view.name!r} has {view.num_frames}; "
            "it is of another clip"
        )
    rows, ignored = truth_rows(crowd.motion, view, view.num_frames)
    found = TrackRows(found.frame - 1, found.person_ids, found.box_px, found.ground_m)
    return {
        "identity": identity_of(found, rows, ignored),
        "counts": {
            "frames": view.num_frames,
            "person_frames": int((~ignored).sum()),
            "ignored_person_frames": int(ignored.sum()),
            "predicted_person_frames": len(found.frame),
        },
        "result": str(result),
    }


def _mot(truth: Path, result: Path | None, log: Path | None, calibration: Path | None) -> dict[str, Any]:
    from ...lab.evaluate.camera_frames import mot_rows
    from ...lab.evaluate.mot import rows_of_file, rows_of_log, score_mot

    if result is None and log is None:
        _usage(f"{truth} is a file: MOT truth needs a result; give --result MOT.txt or --log run.cslog")
    found = rows_of_log(log) if log is not None else rows_of_file(result)  # type: ignore[arg-type]
    return score_mot(mot_rows(truth), found, calibration) | {"result": str(log or result)}


def _camera_of(crowd: Crowd, camera: str | None) -> str:
    names = crowd.camera_names
    if camera is None:
        if not names:
            raise CrowdstreamError(f"{crowd.folder} has no camera; make it again with --view high or low")
        if len(names) > 1:
            note.print(f"cameras {', '.join(names)}: evaluating {names[0]}; choose with --camera")
        return names[0]
    if camera not in names:
        raise CrowdstreamError(
            f"{crowd.folder} has no camera {camera!r}; it has {', '.join(names) or 'none'}"
        )
    return camera


def _look(crowd: Crowd, name: str, question: Question, models: Path) -> Iterator[Observation]:
    """What the engine's networks see in the camera's video, frame by frame."""
    from ..camera import CameraWorker, open_recording
    from ..perception import PerceptionWorker
    from ..plan import EnginePlan

    video = crowd.video(name)
    if video is None:
        raise CrowdstreamError(
            f"camera {name!r} of {crowd.folder} has no video; make it with `crowdstream virtualcrowd make --render`"
        )
    given = None if question.self_calibrate else crowd.calibration(name)
    config = question.config()
    config = config.model_copy(
        update={
            "runtime": config.runtime.model_copy(update={"speed": None, "drop_late": False, "kind": "inline"})
        }
    )
    plan = EnginePlan(str(video), config, models, given)
    source, perception = CameraWorker(plan), PerceptionWorker(plan)
    try:
        perception.start()
        perception.open(open_recording(source))
        ended = False
        while not ended:
            batch = source.next_batch(config.perception.threads)
            yield from perception.step(batch.frames)
            ended = batch.ended
    finally:
        perception.stop()
        source.stop()


def _about(target: Path, results: dict[str, Any]) -> dict[str, Any]:
    """The head of the report: what, when, on what."""
    import datetime
    import importlib.metadata
    import os
    import platform

    from ...lab.evaluate.paper import DATA_DIFFER

    run, counts = results.get("run") or {}, results.get("counts") or {}
    title = (
        f"{run['scene']}, {run['camera']} view" if run else f"{target.name} against {results.get('result')}"
    )
    facts = {key: value for key, value in {**run, **counts}.items() if isinstance(value, str | int | float)}
    notes = [DATA_DIFFER] if "author" in results else []
    return {
        "title": title,
        "date": datetime.date.today().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "version": importlib.metadata.version("crowdstream"),
        "facts": facts,
        "notes": notes,
    }


def _usage(message: str) -> NoReturn:
    """A mistake in the command line: exit code 2."""
    raise typer.BadParameter(message)
