"""`crowdstream run`: a recording in, bodies out: published, recorded, summed up."""

from __future__ import annotations

import json as jsonlib
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from ...configs.load import load_config
from ...kernels.errors import CrowdstreamError
from ...stream.models.folder import default_folder
from ..engine import run_engine
from ..plan import EnginePlan, SourceInfo
from ..runtime import Progress as RunProgress
from ..runtime import RunHooks
from ..summary import one_line
from .console_output import emit_json, note


class NothingFound(CrowdstreamError):
    """The run went through and saw nobody."""


def run(
    source: Annotated[str, typer.Argument(help="Video file or folder of images.")],
    config: Annotated[str, typer.Option(help="Preset (live, replay, paper, edge) or YAML file.")] = "replay",
    set_: Annotated[list[str] | None, typer.Option("--set", help="stage.key=value; may be repeated.")] = None,
    calibration: Annotated[
        Path | None, typer.Option(help="Camera file; without it the engine calibrates itself.")
    ] = None,
    models: Annotated[Path | None, typer.Option(help="Model folder; default $CROWDSTREAM_MODELS.")] = None,
    body: Annotated[
        Path | None, typer.Option(help="Your SMPL file (.npz or .pkl) instead of the body that ships.")
    ] = None,
    runtime: Annotated[str | None, typer.Option(help="ray or inline.")] = None,
    pace: Annotated[str | None, typer.Option(help="max, or a speed such as 1.0.")] = None,
    record: Annotated[Path | None, typer.Option(help="Window log to write (.cslog).")] = None,
    summary: Annotated[Path | None, typer.Option(help="Write the figures of the run as JSON.")] = None,
    listen: Annotated[str | None, typer.Option(help="tcp://HOST:PORT, unix:///PATH, or none.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Reconstruct the crowd of a recording while it plays."""
    overrides = list(set_ or [])
    if runtime is not None:
        overrides.append(f"runtime.kind={runtime}")
    if pace is not None:
        overrides.append(f"runtime.speed={'null' if pace == 'max' else pace}")
    if listen is not None:
        overrides.append(f"publish.listen={'' if listen == 'none' else listen!r}")
    plan = EnginePlan(
        source=source,
        config=load_config(config, overrides),
        models=models or default_folder(),
        calibration=calibration,
        record=record,
        body=body,
    )
    figures = run_with_progress(plan)
    if summary is not None:
        summary.write_text(jsonlib.dumps(figures, indent=2, sort_keys=True) + "\n")
    if json:
        emit_json(figures)
    note.print(one_line(figures))
    if figures["tracks"] == 0:
        raise NothingFound(
            f"no people found in {figures['frames']} frames of {source}; "
            "is anybody in the picture, and larger than some 20 px?"
        )


def run_with_progress(plan: EnginePlan) -> dict[str, Any]:
    """Run a plan with a line that moves; returns the summary."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=note, transient=True) as bars:
        task = bars.add_task("opening", total=None)

        def started(info: SourceInfo, address: str, networks: dict[str, Any]) -> None:
            bars.update(task, description=info.camera, total=info.num_frames)
            for role, network in networks.items():
                bars.print(f"{role}: {network['name']} on {network['rung']}")
            if address:
                bars.print(f"publishing on {address}; follow it with: crowdstream tail {address}")

        def progress(now: RunProgress) -> None:
            bars.update(
                task,
                completed=now.frames,
                description=f"{now.people} people, {now.windows} windows",
                total=now.num_frames,
            )

        return run_engine(plan, RunHooks(started=started, progress=progress, note=bars.print))
