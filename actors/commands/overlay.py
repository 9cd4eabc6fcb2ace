"""`crowdstream overlay`: what a log says, drawn over the video it was made from."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...stream.overlay.config import Colouring, OverlayConfig
from ...stream.wire.log import LogReader
from .console_output import emit_json, note
from .progress_bar import progress_bar
from .run import look_at
from .targets import check_target

if TYPE_CHECKING:
    from ...stream.overlay.render import OverlayReport


def overlay(
    log: Annotated[Path, typer.Argument(help="Written by `crowdstream run --record`.")],
    video: Annotated[Path, typer.Argument(help="The video it was made from.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The .mp4 to write.")],
    colour: Annotated[Colouring, typer.Option(help="What a colour stands for.")] = Colouring.TRACK,
    inset: Annotated[bool, typer.Option("--inset/--no-inset", help="Bird's-eye view.")] = True,
    labels: Annotated[bool, typer.Option("--labels/--no-labels", help="Ids over heads.")] = True,
    opacity: Annotated[float, typer.Option(min=0.05, max=1.0, help="Of the bodies.")] = 0.78,
    max_frames: Annotated[int, typer.Option(min=0, help="Only so many frames; 0 for all.")] = 0,
    camera: Annotated[
        str, typer.Option(help="Camera of the log; by default the one named as the video, else the only one.")
    ] = "",
    session: Annotated[str, typer.Option(help="Which session of the log; the last by default.")] = "",
    body: Annotated[
        Path | None, typer.Option(help="The SMPL file the run was given (.npz or .pkl), if any.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="What was drawn, as JSON.")] = False,
) -> None:
    """Draw the bodies of a recorded log over its video, with the crowd from above."""
    check_target(output, "-o", (log, video))
    LogReader(log)  # what can be refused is refused before anything large is loaded
    look_at(str(video))
    from ...stream.overlay.render import render_overlay

    config = OverlayConfig(
        colour=colour, inset=inset, labels=labels, opacity=opacity, max_frames=max_frames, camera=camera,
        session=session, body=body,
    )  # fmt: skip
    with progress_bar("drawing") as progress:
        report = render_overlay(log, video, output, config, progress)
    for line in report.notes:
        note.print(f"note: {line}")
    if as_json:
        emit_json(figures_of(report))
    else:
        note.print(one_line(report))


def figures_of(report: OverlayReport) -> dict[str, Any]:
    """The report as plain values."""
    return {
        **asdict(report),
        "path": str(report.path),
        "frames_per_s": round(report.frames / max(report.seconds, 1e-9), 2),
    }


def one_line(report: OverlayReport) -> str:
    """What a person wants to know when the video is written."""
    width, height = report.size_px
    return (
        f"{report.frames} frames of {width}x{height}, {report.people} people, {report.bodies} bodies drawn in "
        f"{report.seconds:.1f} s of processor time; {report.path}, {report.num_bytes / 1e6:.1f} MB"
    )
