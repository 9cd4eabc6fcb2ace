"""`crowdstream train`: learn the priors and the lifter from motion capture, detector and pose from rendered crowds."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from .console_output import emit_json, note

if TYPE_CHECKING:
    from ...lab.training.loop import FitResult, StepReport
    from ...lab.training.recipe import Recipe
    from ...lab.training.run_file import RunRequest

KINDS = "pose-prior, motion-prior, lifter, detector, pose"


def train(
    kind: Annotated[str, typer.Argument(help=f"What to train: {KINDS}.")],
    mocap: Annotated[
        list[Path] | None,
        typer.Option(help="Folder of motion capture (index.csv or AMASS npz); may be repeated."),
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="New folder for the results.")] = None,
    minutes: Annotated[
        float | None, typer.Option(min=0.01, help="Budget of wall time; the recipe's own if none is given.")
    ] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Budget in steps.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Everything random follows from it.")] = None,
    size: Annotated[str | None, typer.Option(help="small (runs on a CPU) or large.")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="A setting of the fit or the recipe; may be repeated."
        ),
    ] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Of the CPU.")] = None,
    resume: Annotated[Path | None, typer.Option(help="Go on with the training of this folder.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Train one of the networks: checkpoints, log, weights and a model card in a folder."""
    from ...lab.training.recipes import KINDS as KNOWN
    from ...lab.training.recipes import SIZES
    from ...lab.training.run_file import RunRequest, read_request, write_request

    if kind not in KNOWN:
        _usage(f"nothing called {kind!r} can be trained; expected one of {', '.join(KNOWN)}")
    if size is not None and size not in SIZES:
        _usage(f"no size {size!r}; expected {' or '.join(SIZES)}")
    if resume is not None:
        folder = _resumed_folder(resume, output, seed, size)
        request = read_request(folder, kind).changed(mocap, steps, minutes, threads, set_)
    else:
        folder = _new_folder(output)
        request = RunRequest(
            kind, _mocap(mocap), size or "small", seed or 0, tuple(set_ or ()), steps, minutes, threads
        )
    summary = _train(request, folder, resume is not None, write_request)
    if json:
        emit_json(summary)
    else:
        _show(summary)


def _train(
    request: RunRequest, folder: Path, resume: bool, keep: Callable[[Path, RunRequest], None]
) -> dict[str, Any]:
    """The fit, the export, and what came of them."""
    from ...lab.training.export import export
    from ...lab.training.loop import fit
    from ...lab.training.recipes import KINDS, fit_config, prepare

    config = fit_config(request.kind, request.given(), request.overrides)
    with note.status("reading recordings, rendering what is missing") if note.is_terminal else nullcontext():
        prepared = prepare(request.kind, request.mocap, request.size, request.seed, request.overrides)
    recipe = prepared.recipe
    keep(folder, request)
    weights = sum(p.numel() for p in recipe.network.parameters()) / 1e6
    note.print(str(prepared.recordings))
    note.print(
        f"{request.kind}, {request.size}: {weights:.2f} million weights; log and checkpoints in {folder}"
    )
    with _bar(request.kind) as progress:
        result = fit(recipe, config, folder, resume, progress, note.print)
    if result.interrupted:
        again = shlex.join(["crowdstream", "train", request.kind, "--resume", str(folder)])
        note.print(f"stopped after {result.steps:,} steps; go on with: {again}")
        raise typer.Exit(130)
    file = KINDS[request.kind].file
    path = export(prepared, config, result, folder, file, request.command())
    return _summary(request, recipe, result, path)


def _summary(request: RunRequest, recipe: Recipe, result: FitResult, path: Path) -> dict[str, Any]:
    from ...lab.training.recipe import HasBaselines

    baselines = dict(recipe.baselines()) if isinstance(recipe, HasBaselines) else {}
    return {
        "kind": request.kind,
        **{key: value for key, value in asdict(result).items() if key != "interrupted"},
        "baselines": baselines,
        "file": str(path),
        "card": str(path.with_suffix(".md")),
        "bytes": path.stat().st_size,
    }


def _show(summary: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, markup=False, soft_wrap=True)
    minutes = summary["seconds"] / 60
    console.print(f"{summary['steps']:,} steps in {minutes:.1f} minutes")
    if summary["loss"]:  # none where a finished training was resumed
        console.print("loss: " + ", ".join(f"{key} {value:.4g}" for key, value in summary["loss"].items()))
    if summary["skipped"]:
        console.print(f"{summary['skipped']} steps skipped: loss or gradient was not finite")
    metrics, baselines = summary["validation"], summary["baselines"]
    if metrics:
        table = Table("held back", "value", *(["baseline"] if baselines else []))
        for key, value in metrics.items():
            row = [key, f"{value:.4g}"]
            if baselines:
                row.append(f"{baselines[key]:.4g}" if key in baselines else "")
            table.add_row(*row)
        console.print(table)
    path = Path(summary["file"])
    console.print(f"{path} ({summary['bytes'] / 1e6:.2f} MB) and its card {Path(summary['card']).name}")
    console.print(f"to ship them, put both into kernels/weights/ of the source tree (as {path.name})")


def _resumed_folder(resume: Path, output: Path | None, seed: int | None, size: str | None) -> Path:
    if output is not None and output.resolve() != resume.resolve():
        _usage(f"--resume {resume} goes on in its own folder; leave --output out")
    fixed = [name for name, value in (("--seed", seed), ("--size", size)) if value is not None]
    if fixed:
        _usage(f"{' and '.join(fixed)} cannot change when a training is resumed; leave it out")
    return resume


def _new_folder(output: Path | None) -> Path:
    from ...lab.training.errors import TrainingError

    if output is None:
        _usage("no folder for the results; give --output FOLDER, or --resume FOLDER")
    if output.exists() and not output.is_dir():
        raise TrainingError(f"{output} is a file; name a new folder")
    if output.is_dir() and any(output.iterdir()):
        raise TrainingError(
            f"{output} is not empty; name a new folder, or go on there with --resume {output}"
        )
    return output


def _mocap(folders: list[Path] | None) -> tuple[Path, ...]:
    named = os.environ.get("CROWDSTREAM_MOCAP")
    chosen = folders or ([Path(named)] if named else [])
    if not chosen:
        _usage("no motion capture; give --mocap DIR or set CROWDSTREAM_MOCAP")
    return tuple(folder.resolve() for folder in chosen)


@contextmanager
def _bar(label: str) -> Iterator[Callable[[StepReport], None]]:
    """A bar of the budget on stderr, with step and loss; without a terminal a line a minute."""
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    loss: float | None = None
    said_s = 0.0
    with Progress(*columns, console=note, transient=True, disable=not note.is_terminal) as bars:
        task = bars.add_task(label, total=1.0)

        def progress(report: StepReport) -> None:
            nonlocal loss, said_s
            if report.loss == report.loss:  # a skipped step has none
                loss = report.loss if loss is None else 0.98 * loss + 0.02 * report.loss
            text = f"{label}: step {report.step:,}, loss {loss if loss is not None else float('nan'):.4g}"
            bars.update(task, completed=report.share, description=text)
            if not note.is_terminal and report.seconds - said_s >= 60.0:
                said_s = report.seconds
                note.print(f"{text}, {100 * report.share:.0f} %")

        yield progress


def _usage(message: str) -> NoReturn:
    """A mistake in the command line: exit code 2."""
    raise typer.BadParameter(message)
