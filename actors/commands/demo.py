"""`crowdstream demo`: the main job on a clip, in one command: reconstruct, publish, record, draw, sum up."""

from __future__ import annotations

import json as jsonlib
import socket
import time
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

import typer

from ...kernels.errors import CrowdstreamError
from ...stream.models.folder import MODELS_VARIABLE, ModelFile, choose, default_folder
from ..first_run import compiling_ahead
from .console_output import emit_json, note
from .demo_page import page
from .demo_summary import DemoFiles, print_summary, summary_of
from .network_advice import RUN_ROLES, advise, gpu_driver_present
from .progress_bar import progress_bar
from .run import complain_if_empty, look_at
from .targets import check_target, write_text
from .watched_run import run_with_progress

_AS_IF_LIVE = ("runtime.speed=1.0", "runtime.batch_frames=2", "runtime.batches_in_flight=2")
"""Over preset `replay`: never faster than it was filmed, small batches for a short way from frame to answer; but a
machine that cannot keep up falls behind instead of leaving frames out, and the summary says by how much."""


class DemoNeeds(CrowdstreamError):
    """Something the demo cannot do without is missing."""


class NothingDrawn(CrowdstreamError):
    """The run went through, the overlay did not."""


@dataclass(frozen=True)
class _Job:
    """What is asked for."""

    video: Path
    calibration: Path | None
    models: Path
    files: DemoFiles
    settings: tuple[str, ...]
    overlay: bool


def demo(
    video: Annotated[
        Path | None, typer.Option(help="Any clip with people; the shipped one by default.")
    ] = None,
    calibration: Annotated[
        Path | None, typer.Option(help="Camera file of the clip; without it the engine calibrates itself.")
    ] = None,
    models: Annotated[Path | None, typer.Option(help="Model folder; default $CROWDSTREAM_MODELS.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for recording, overlay video and summary.")] = Path("out"),
    seconds: Annotated[float | None, typer.Option(min=0.1, help="Only the first so many seconds.")] = None,
    overlay: Annotated[bool, typer.Option(help="Draw the bodies over the video afterwards.")] = True,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="STAGE.KEY=VALUE", help="Change one setting; may be repeated."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Reconstruct a clip as if it were live, record it, draw the bodies over it, and sum up."""
    folder = models or default_folder()
    networks = _networks(folder)
    if video is None:
        video, shipped = shipped_clip()
        calibration = calibration or shipped
    look_at(str(video))
    files = DemoFiles.of(out, video, overlay)
    for path in files.written():
        check_target(path, "--out", (video, calibration))
    settings = (*_AS_IF_LIVE, *_address(), *_length(seconds), *(set_ or ()))
    summary = _play(_Job(video, calibration, folder, files, settings, overlay))
    write_text(files.page, page(summary))
    summary["next"] = _next(
        files, [item.sentence() for item in advise(networks, models, gpu_driver_present())]
    )
    write_text(files.summary, jsonlib.dumps(summary, indent=2, sort_keys=True, allow_nan=False) + "\n")
    if json:
        emit_json(summary)
    else:
        print_summary(summary)
    complain_if_empty(summary["run"], str(video))
    note.print("next, try")
    for line in summary["next"]:
        note.print(f"  {line}")
    drawn = summary["overlay"] or {}
    if "failed" in drawn:
        raise NothingDrawn(f"the run is in {files.log}, but no overlay was drawn: {drawn['failed']}")
    if drawn:
        note.print(f"overlay video: {files.overlay}")


def _play(job: _Job) -> dict[str, Any]:
    """The engine, then the overlay; Ctrl-C in either leaves what is there, and says where."""
    began_s = time.perf_counter()
    with compiling_ahead(job.overlay):
        from ...configs.load import load_config
        from ..plan import EnginePlan

        config = load_config("replay", job.settings)
        plan = EnginePlan(str(job.video), config, job.models, job.calibration, record=job.files.log)
        figures = run_with_progress(plan)
    engine_s = time.perf_counter() - began_s
    drawn = None
    if figures["stopped"]:
        note.print(f"stopped after {figures['frames']} frames; what was seen so far is in {job.files.log}")
    elif job.overlay and figures["tracks"]:
        drawn = _draw(job)
    return summary_of(figures, job.video, job.files, drawn, engine_s, time.perf_counter() - began_s)


def _draw(job: _Job) -> dict[str, Any]:
    """Bodies over the frames that were processed; what was drawn, or why nothing was."""
    from ...stream.overlay import OverlayConfig, render_overlay

    assert job.files.overlay is not None
    if job.video.is_dir():
        return {"failed": f"{job.video} is a folder of images; an overlay is drawn over a video file"}
    began_s = time.perf_counter()
    try:
        with progress_bar("drawing the overlay") as progress:
            report = render_overlay(job.files.log, job.video, job.files.overlay, OverlayConfig(), progress)
    except CrowdstreamError as exc:
        return {"failed": str(exc)}
    except KeyboardInterrupt:
        note.print(f"stopped; the recording is in {job.files.log}; draw it later with")
        note.print(f"  crowdstream overlay {job.files.log} {job.video} -o {job.files.overlay}")
        raise typer.Exit(130) from None
    seconds = round(time.perf_counter() - began_s, 2)
    return {
        "frames": report.frames,
        "people": report.people,
        "bodies": report.bodies,
        "seconds": seconds,
        "processor_s": round(report.seconds, 2),
        "notes": list(report.notes),
    }


def shipped_clip() -> tuple[Path, Path]:
    """The rendered clip of the package, and its camera."""
    folder = Path(str(resources.files("crowdstream.actors") / "demo_clip"))
    return folder / "plaza.mp4", folder / "plaza.json"


def _networks(folder: Path) -> list[ModelFile]:
    """What the run will use.

    Raises:
        DemoNeeds: none at all, which takes an install stripped of what ships.
    """
    try:
        return [choose(folder, role) for role in RUN_ROLES]
    except CrowdstreamError as exc:
        missing = str(exc).partition(";")[0]  # its advice is part of ours
        raise DemoNeeds(
            "no networks ship with this install: get a set with `crowdstream models pull rtmdet-nano-person-dynamic "
            f"rtmpose-t`, or name a folder that has them: make demo MODELS=folder (or {MODELS_VARIABLE}); {missing}"
        ) from exc


def _address() -> tuple[str, ...]:
    """The usual address where it is free, any other where an engine is already up."""
    from ...stream.wire.client import DEFAULT_URL

    host, _, port = DEFAULT_URL.removeprefix("tcp://").rpartition(":")
    try:
        socket.create_server((host, int(port))).close()
    except OSError:
        return (f"publish.listen='tcp://{host}:0'",)
    return ()


def _length(seconds: float | None) -> tuple[str, ...]:
    return () if seconds is None else (f"source.seconds={seconds}",)


def _next(files: DemoFiles, stronger: list[str]) -> list[str]:
    """What a newcomer would like to do now."""
    out = files.log.parent
    lines = [f"open {files.page}    the summary" + (" with the overlay video" if files.overlay else "")]
    lines += [
        "crowdstream demo --video YOUR.mp4    the same on a clip of yours",
        f"crowdstream replay {files.log}    publish it again; in another terminal: crowdstream tail",
        f"crowdstream export {files.log} --format amass -o {out}/amass    one SMPL motion per person",
        f"crowdstream export {files.log} --format mot -o {out}/mot    boxes and ground positions per frame",
    ]
    return lines + stronger
