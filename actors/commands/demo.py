"""`crowdstream demo`: the main job on a clip, in one command."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Annotated

import typer

from ...kernels.errors import CrowdstreamError
from ...stream.models.catalogue import Role
from ...stream.models.folder import MODELS_VARIABLE, choose, default_folder
from .console_output import emit_json, note
from .run import complain_if_empty, look_at, run_with_progress
from .targets import check_target


class DemoNeeds(CrowdstreamError):
    """Something the demo cannot do without is missing."""


def demo(
    video: Annotated[
        Path | None, typer.Option(help="Any clip with people; the shipped one by default.")
    ] = None,
    models: Annotated[Path | None, typer.Option(help="Model folder; default $CROWDSTREAM_MODELS.")] = None,
    out: Annotated[Path, typer.Option(help="Where the recording goes.")] = Path("out"),
    json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Reconstruct a clip end to end, record it, and say what to try next."""
    folder = models or default_folder()
    _check_networks(folder)
    calibration = None
    if video is None:
        video, calibration = shipped_clip()
    look_at(str(video))
    from ...configs.load import load_config
    from ..plan import EnginePlan
    from ..summary import one_line

    log = out / f"{video.stem}.cslog"
    check_target(log, "--out", (video,))
    plan = EnginePlan(str(video), load_config("replay"), folder, calibration, record=log)
    figures = run_with_progress(plan)
    if json:
        emit_json(figures)
    note.print(one_line(figures))
    complain_if_empty(figures, str(video))
    note.print(f"recorded to {log}; next, try")
    for command, what in (
        (f"crowdstream export {log} --format mot -o {out}/mot", "boxes and ground positions per frame"),
        (f"crowdstream export {log} --format amass -o {out}/amass", "one SMPL motion per person"),
        (f"crowdstream replay {log}", "publish it again; in another terminal: crowdstream tail"),
    ):
        note.print(f"  {command}    {what}")


def shipped_clip() -> tuple[Path, Path]:
    """The rendered clip of the package, and its camera."""
    folder = Path(str(resources.files("crowdstream.actors") / "demo_clip"))
    return folder / "plaza.mp4", folder / "plaza.json"


def _check_networks(folder: Path) -> None:
    try:
        for role in (Role.DETECTOR, Role.POSE):
            choose(folder, role)
    except CrowdstreamError as exc:
        missing = str(exc).partition(";")[0]  # its advice is part of ours
        raise DemoNeeds(
            "no networks ship with this install: get a set with `crowdstream models pull rtmdet-nano-person-dynamic "
            f"rtmpose-t`, or name a folder that has them: make demo MODELS=folder (or {MODELS_VARIABLE}); {missing}"
        ) from exc
