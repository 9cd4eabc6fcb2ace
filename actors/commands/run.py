"""`crowdstream run`: a recording in, bodies out: published, recorded, summed up."""

from __future__ import annotations

import json as jsonlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...kernels.errors import CrowdstreamError
from ...stream.models.folder import default_folder
from ...stream.sources.live.address import is_live
from .console_output import emit_json, note
from .targets import check_target, write_text
from .watched_run import run_with_progress

if TYPE_CHECKING:
    from ...configs.array import CameraEntry


class NothingFound(CrowdstreamError):
    """The run went through and saw nobody."""


def run(
    source: Annotated[
        str,
        typer.Argument(
            help="Video file, folder of images, live camera (rtsp://, http://, device:0) or array.yaml."
        ),
    ],
    config: Annotated[
        str | None,
        typer.Option(help="Preset (live, replay, paper, edge) or YAML file; live for cameras, else replay."),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="STAGE.KEY=VALUE", help="Change one setting; may be repeated."),
    ] = None,
    calibration: Annotated[
        Path | None, typer.Option(help="Camera file; without it the engine calibrates itself.")
    ] = None,
    models: Annotated[Path | None, typer.Option(help="Model folder; default $CROWDSTREAM_MODELS.")] = None,
    body: Annotated[
        Path | None, typer.Option(help="Your SMPL file (.npz or .pkl) instead of the body that ships.")
    ] = None,
    runtime: Annotated[
        str | None, typer.Option(help="ray: a process a stage (default); inline: one process.")
    ] = None,
    pace: Annotated[
        str | None, typer.Option(help="max (default): as fast as it goes; 1.0: as it was filmed.")
    ] = None,
    record: Annotated[Path | None, typer.Option(help="Window log to write (.cslog).")] = None,
    summary: Annotated[Path | None, typer.Option(help="Write the figures of the run as JSON.")] = None,
    resume: Annotated[
        Path | None,
        typer.Option(help="Go on with this log where an engine broke off; it is written on."),
    ] = None,
    ray_address: Annotated[
        str | None, typer.Option(help="Join this Ray cluster (HOST:PORT, or auto) instead of a private one.")
    ] = None,
    listen: Annotated[
        str | None, typer.Option(help="Where to publish: tcp://HOST:PORT, unix:///PATH, or none.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Reconstruct the crowd of a recording while it plays, or of live cameras: publish, record, sum up."""
    look_at(source)
    from ...configs.load import load_config
    from ..plan import EnginePlan
    from ..summary import one_line, refine_line

    array = cameras_of(source, calibration)
    live = any(is_live(entry.source) for entry in array)
    settings = _options_as_settings(runtime, pace, listen)
    settings += [f"runtime.ray_address={ray_address!r}"] if ray_address else []
    plan = EnginePlan(
        source=source,
        config=load_config(config or ("live" if live else "replay"), [*(set_ or []), *settings]),
        models=models or default_folder(),
        calibration=calibration,
        record=resume or record,
        body=body,
        array=array,
        resume=resume is not None,
    )
    inputs = (source, calibration, body)
    if record is not None:
        if resume is not None:
            raise typer.BadParameter("--resume goes on with its own log; leave --record away")
        check_target(record, "--record", inputs)
    if summary is not None:
        check_target(summary, "--summary", (*inputs, plan.record))
    figures = run_with_progress(plan)
    if summary is not None:
        write_text(summary, jsonlib.dumps(figures, indent=2, sort_keys=True, allow_nan=False) + "\n")
    if json:
        emit_json(figures)
    for line in (one_line(figures), refine_line(figures)):
        if line:
            note.print(line)
    if not live:
        complain_if_empty(figures, source)


def cameras_of(source: str, calibration: Path | None) -> tuple[CameraEntry, ...]:
    """The cameras of an array or a live source; empty for one recording, which is called after its file.

    Raises:
        ConfigError: an array file that cannot be taken. SourceError: an address that cannot be one.
    """
    from ...configs.array import entries_of

    if not is_live(source) and Path(source).suffix.lower() not in (".yaml", ".yml"):
        return ()
    entries = entries_of(source)
    if calibration is None:
        return entries
    if len(entries) > 1:
        raise typer.BadParameter("--calibration is for one camera; an array says it for each of its cameras")
    return (replace(entries[0], calibration=calibration),)


def look_at(source: str) -> None:
    """Open and close a recording, before importing an engine that a mistyped path would only wait for.

    Raises:
        SourceError: nothing there, or nothing that can be decoded. ConfigError: an array that cannot be taken.
    """
    from ...stream.sources.open import open_source

    if not is_live(source) and Path(source).suffix.lower() not in (".yaml", ".yml"):
        open_source(source).close()


def _options_as_settings(runtime: str | None, pace: str | None, listen: str | None) -> list[str]:
    """The options that are short for a `--set`."""
    settings = []
    if runtime is not None:
        settings.append(f"runtime.kind={runtime}")
    if pace is not None:
        settings.append(f"runtime.speed={'null' if pace == 'max' else pace}")
    if listen is not None:
        settings.append(f"publish.listen={'' if listen == 'none' else listen!r}")
    return settings


def complain_if_empty(figures: dict[str, Any], source: str) -> None:
    """A run without a single person is a failure: nothing anybody wanted came of it.

    Raises:
        NothingFound: no track was confirmed.
    """
    if figures["tracks"] == 0:
        raise NothingFound(
            f"no people found in {figures['frames']} frames of {source}; "
            "is anybody in the picture, and larger than some 20 px?"
        )
