"""`crowdstream virtualcrowd`: crowds with exact truth: make them, look at them, check the truth itself."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .console_output import emit_json, note

if TYPE_CHECKING:
    from ...lab.virtualcrowd.make import Progress
    from ...lab.virtualcrowd.motion import MotionLibrary

app = typer.Typer(no_args_is_help=True, help="Virtual crowds with exact truth.")

JsonOption = Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")]


@app.command("make")
def make(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to write.")],
    scene: Annotated[str, typer.Option(help="Place; `virtualcrowd scenes` lists them.")] = "plaza",
    people: Annotated[int, typer.Option(min=1, max=2000, help="People present at a time.")] = 100,
    seconds: Annotated[float, typer.Option(min=0.5, max=3600.0)] = 20.0,
    view: Annotated[str, typer.Option(help="Camera: high, low, or both.")] = "high",
    size: Annotated[str, typer.Option(help="Picture: 720p, 1080p, 4k or 8k.")] = "1080p",
    fps: Annotated[str, typer.Option(help="Frames a second, or 'variable'.")] = "30",
    seed: Annotated[int, typer.Option(min=0, help="The same seed makes the same crowd.")] = 0,
    mocap: Annotated[
        list[Path] | None,
        typer.Option(
            help="Folder of motion capture (index.csv or AMASS npz); may be repeated; none: drawn gaits."
        ),
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Crowd setting.")
    ] = None,
    detector: Annotated[
        str, typer.Option(help="Whose mistakes to simulate: tinypose_128, tinypose_256, or perfect.")
    ] = "tinypose_128",
    render: Annotated[bool, typer.Option("--render", help="Also a video of each camera.")] = False,
    json: JsonOption = False,
) -> None:
    """Make a crowd: who walks where, their bodies, what cameras see, and what detectors would say."""
    from ...configs.load import fill
    from ...lab.virtualcrowd.config import CrowdConfig
    from ...lab.virtualcrowd.detector_model import SightingModel
    from ...lab.virtualcrowd.make import ViewRequest, make_crowd, render_crowd

    config = fill(
        CrowdConfig, {"scene": scene, "people": people, "seconds": seconds, "seed": seed}, set_ or []
    )
    names = ("high", "low") if view == "both" else (view,)
    requests = [ViewRequest(name, size, fps) for name in names]
    if render:  # the library is missed before the work, not after it
        from ...lab.virtualcrowd.render.tracer import load_embree

        load_embree()
    model = SightingModel() if detector == "perfect" else SightingModel.fitted(detector)
    library = library_of(mocap)
    with progress_bars() as tell:
        report = make_crowd(config, output, library, requests, model, tell)
        if render:
            render_crowd(output, report, progress=tell)
    if json:
        emit_json(report.as_dict())
    else:
        for line in report.lines():
            note.print(line)


@app.command("scenes")
def scenes() -> None:
    """List the places."""
    from ...lab.virtualcrowd.scenes import SCENES, build_scene

    for name in SCENES:
        scene = build_scene(name, 0)
        print(
            f"{name:10s} {scene.area_m2:6.0f} m2, {len(scene.obstacles)} obstacles, {len(scene.gates)} gates"
        )


@app.command("check")
def check(
    folder: Annotated[Path, typer.Argument(help="Crowd folder.")],
    draw: Annotated[Path | None, typer.Option(help="Folder for pictures of joints by visibility.")] = None,
    json: JsonOption = False,
) -> None:
    """How good the truth itself is: foot sliding, penetration, visibility; with pictures to look at."""
    from ...lab.virtualcrowd.check import check_crowd
    from ...lab.virtualcrowd.draw import draw_crowd

    figures: dict[str, Any] = dict(check_crowd(folder))
    if draw is not None:
        figures["pictures"] = [str(path) for path in draw_crowd(folder, draw)]
    if json:
        emit_json(figures)
    else:
        for key, value in figures.items():
            print(f"{key:36s} {value:.4g}" if isinstance(value, float) else f"{key:36s} {value}")


def library_of(folders: list[Path] | None) -> MotionLibrary:
    """Motion capture that was named, or of $CROWDSTREAM_MOCAP; says so where there is none."""
    from ...lab.virtualcrowd.motion import MotionLibrary

    named = os.environ.get("CROWDSTREAM_MOCAP")
    chosen = folders or ([Path(named)] if named else [])
    if not chosen:
        note.print("no motion capture given (--mocap DIR): everybody moves by a drawn gait")
    return MotionLibrary.load(chosen)


@contextmanager
def progress_bars() -> Iterator[Progress]:
    """A bar a step, on stderr, gone when it is done."""
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description:24s}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Bars(*columns, console=note, transient=True, disable=not note.is_terminal) as bars:
        tasks: dict[str, Any] = {}

        def tell(step: str, done: int, total: int) -> None:
            if step not in tasks:
                tasks[step] = bars.add_task(step, total=total)
            bars.update(tasks[step], completed=done, total=total)

        yield tell
