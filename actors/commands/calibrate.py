"""`crowdstream calibrate`: watch people walk for a while, write camera and ground to a file."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from ...configs.load import load_config
from ...configs.schema import EngineConfig
from ...kernels.calibration import Refusal
from ...kernels.errors import CalibrationError
from ...kernels.perception.adapters import build_detector, build_pose
from ...stream.calibrate import CalibrateConfig, CalibrationStage
from ...stream.calibration_file import Calibration, save_calibration
from ...stream.inference.ladder import open_network
from ...stream.models.catalogue import Role
from ...stream.models.folder import choose, default_folder
from ...stream.observe import PerceptionStage
from ...stream.sources import open_source
from .console_output import emit_json, note

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
    config = load_config()
    known = {"focal_px": focal, "fov_deg": fov, "camera_height_m": camera_height, "stature_m": stature}
    given = {name: value for name, value in known.items() if value is not None}
    settings = CalibrateConfig.model_validate(config.calibrate.model_dump() | given)
    stage = watch(source, config, settings, models or default_folder(), seconds)
    if stage is None:
        raise CalibrationError(f"{source} holds no picture that can be read")
    found = stage.estimate()
    if isinstance(found, Refusal):
        raise CalibrationError(f"{found}; give it more --seconds, or --focal, --fov, --camera-height")
    save_calibration(found, output, camera_name=Path(source).stem)
    if json:
        emit_json(figures_of(found) | {"file": str(output)})
    note.print(f"{found.confidence}; camera {found.camera_height_m:.2f} m up; written to {output}")


def watch(
    source: str, config: EngineConfig, settings: CalibrateConfig, models: Path, seconds: float
) -> CalibrationStage | None:
    """Show the first seconds of a source to a calibration stage; None if there is no picture."""
    networks = [
        open_network(choose(models, role, wanted), config.inference)
        for role, wanted in ((Role.DETECTOR, config.inference.detector), (Role.POSE, config.inference.pose))
    ]
    pose = build_pose(networks[1].backend, config.perception.threads)
    detector = build_detector(networks[0].backend, config.perception.detector_long_side_px)
    perception = PerceptionStage(config.perception, detector, pose)
    stage: CalibrationStage | None = None
    columns = (
        TextColumn("watching people"),
        BarColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
    )
    try:
        with (
            open_source(source, config.source) as frames,
            Progress(*columns, console=note, transient=True) as bars,
        ):
            task = bars.add_task("", total=seconds)
            first_ns = due_ns = -1
            for frame in frames:
                first_ns = frame.t_capture_ns if stage is None else first_ns
                passed_s = (frame.t_capture_ns - first_ns) / 1e9
                if passed_s >= seconds:
                    break
                if stage is not None and frame.t_capture_ns < due_ns:
                    continue
                stage = stage or CalibrationStage(settings, frame.size_px)
                due_ns = frame.t_capture_ns + int(0.9e9 / _LOOKS_PER_S)
                stage.push(perception.step(frame))
                bars.update(task, completed=passed_s, description=f"{stage.uprights} uprights")
    finally:
        perception.close()
        pose.close()
        for network in networks:
            network.backend.close()
    return stage


def figures_of(found: Calibration) -> dict[str, Any]:
    """What a calibration says, for `--json`."""
    camera, up = found.camera, found.camera.R_cam_world[:, 2]
    return {
        "focal_px": float(camera.K[0, 0]),
        "fov_deg": float(np.degrees(2.0 * np.arctan(0.5 * camera.size_px[0] / camera.K[0, 0]))),
        "camera_height_m": found.camera_height_m,
        "pitch_deg": float(np.degrees(np.arcsin(-up[2]))),
        "roll_deg": float(np.degrees(np.arctan2(up[0], -up[1]))),
        "confidence": None if found.confidence is None else asdict(found.confidence),
    }
