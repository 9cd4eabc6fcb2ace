"""`crowdstream calibrate`: watch people walk for a while, write camera and ground to a file."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...kernels.errors import CalibrationError
from ...stream.models.folder import default_folder
from .console_output import emit_json, note
from .run import look_at
from .targets import check_target

if TYPE_CHECKING:
    from ...stream.calibrate import CalibrationStage
    from ...stream.calibration_file import Calibration
    from ..plan import EnginePlan, SourceInfo

_LOOKS_PER_S = 12.0  # people must still overlap themselves from look to look: that tells them apart


def calibrate(
    source: Annotated[
        str, typer.Argument(help="Video file or folder of images; the camera must stand still.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Calibration file to write (JSON).")],
    models: Annotated[Path | None, typer.Option(help="Model folder; default $CROWDSTREAM_MODELS.")] = None,
    focal: Annotated[float | None, typer.Option(help="Focal length where known, pixels.")] = None,
    fov: Annotated[float | None, typer.Option(help="Horizontal field of view where known, degrees.")] = None,
    camera_height: Annotated[float | None, typer.Option(help="Camera height where known, metres.")] = None,
    stature: Annotated[float | None, typer.Option(help="Mean stature of the people, metres (1.70).")] = None,
    seconds: Annotated[float, typer.Option(min=0.5, help="Seconds of video to watch.")] = 60.0,
    json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Estimate camera and ground from people who stand and walk upright."""
    if focal is not None and fov is not None:
        raise typer.BadParameter("both say the same; give one of them", param_hint="--focal and --fov")
    look_at(source)
    from ...configs.load import load_config
    from ...kernels.calibration import Refusal
    from ...stream.calibration_file import save_calibration
    from ..plan import EnginePlan
    from ..preflight import check

    known = {"focal_px": focal, "fov_deg": fov, "camera_height_m": camera_height, "stature_m": stature}
    settings = [f"calibrate.{name}={value}" for name, value in known.items() if value is not None]
    plan = EnginePlan(source, load_config("replay", settings), models or default_folder())
    check_target(output, "--output", (source,))
    infos = check(plan)
    if not infos:
        raise typer.BadParameter("expected a recording; record some minutes of the camera first")
    stage = watch(plan, infos[0], seconds)
    found = stage.estimate()
    if isinstance(found, Refusal):
        raise CalibrationError(f"{found}; give it more --seconds, or --focal, --fov, --camera-height")
    save_calibration(found, output, camera_name=Path(source).stem)
    if json:
        emit_json(figures_of(found) | {"file": str(output)})
    note.print(f"{found.confidence}; camera {found.camera_height_m:.2f} m up; written to {output}")


def watch(plan: EnginePlan, info: SourceInfo, seconds: float) -> CalibrationStage:
    """Show the first seconds of a source to a calibration stage."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from ...stream.calibrate import CalibrationStage
    from ...stream.sources.open import open_source
    from ..perception import PerceptionWorker

    columns = (
        TextColumn("watching people"),
        BarColumn(),
        TextColumn("{task.description}", markup=False),
        TimeElapsedColumn(),
    )
    stage = CalibrationStage(plan.config.calibrate, info.size_px)
    perception = PerceptionWorker(plan)
    try:
        perception.start()
        perception.open(info)
        with (
            open_source(plan.source, plan.config.source) as frames,
            Progress(*columns, console=note, transient=True, disable=not note.is_terminal) as bars,
        ):
            task = bars.add_task("", total=seconds)
            due_ns = info.start_ns
            for frame in frames:
                passed_s = (frame.t_capture_ns - info.start_ns) / 1e9
                if passed_s >= seconds:
                    break
                if frame.t_capture_ns < due_ns:
                    continue
                due_ns = frame.t_capture_ns + int(0.9e9 / _LOOKS_PER_S)
                for observation in perception.step((frame,)):
                    stage.push(observation)
                bars.update(task, completed=passed_s, description=f"{stage.uprights} uprights")
    finally:
        perception.stop()
    return stage


def figures_of(found: Calibration) -> dict[str, Any]:
    """What a calibration says, for `--json`."""
    import numpy as np

    camera, up = found.camera, found.camera.R_cam_world[:, 2]
    return {
        "focal_px": float(camera.K[0, 0]),
        "fov_deg": float(np.degrees(2.0 * np.arctan(0.5 * camera.size_px[0] / camera.K[0, 0]))),
        "camera_height_m": found.camera_height_m,
        "pitch_deg": float(np.degrees(np.arcsin(-up[2]))),
        "roll_deg": float(np.degrees(np.arctan2(up[0], -up[1]))),
        "confidence": None if found.confidence is None else asdict(found.confidence),
    }
