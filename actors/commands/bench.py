"""`crowdstream bench`: figures with a unit and a direction, held against a committed baseline.

Ratios are taken within one run, because machines are shared and noisy; plain durations are reported, never gated.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from importlib import resources
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import numpy as np
import typer

from ...kernels.errors import CrowdstreamError
from ...lab.bench.metric import Metric, load_baseline, regressions, save_baseline
from .console_output import emit_json, note

app = typer.Typer(no_args_is_help=True, help="Benchmarks against the committed baseline.")

JsonOption = Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")]
GateOption = Annotated[bool, typer.Option("--gate", help="Exit 1 when a figure is worse than the baseline.")]
UpdateOption = Annotated[bool, typer.Option("--update-baseline", help="Make these figures the baseline.")]
ModelsOption = Annotated[Path | None, typer.Option("--models", help="Model folder.")]
DataOption = Annotated[Path | None, typer.Option("--data", help="Folder with video/ and mocap/.")]


class Regression(CrowdstreamError):
    """A figure got worse than its tolerance allows."""


@app.command("solve")
def solve(
    data: DataOption = None, json: JsonOption = False, gate: GateOption = False, update: UpdateOption = False
) -> None:
    """live against paper on the same windows: speed, re-projection and joint error of both."""
    from ...lab.bench.solve import run_solve

    _finish(run_solve(_mocap(data)), json, gate, update)


@app.command("wire")
def wire(json: JsonOption = False, gate: GateOption = False, update: UpdateOption = False) -> None:
    """Packing, log and loopback."""
    from ...lab.bench.wire import run_wire

    _finish(run_wire(), json, gate, update)


@app.command("subscribers")
def subscribers(
    seconds: Annotated[float, typer.Option(min=30.0, help="Length of the run.")] = 60.0,
    count: Annotated[int, typer.Option("--subscribers", min=1, max=1000)] = 50,
    people: Annotated[int, typer.Option(min=1, max=1000)] = 200,
    rate: Annotated[float, typer.Option(min=1.0, max=240.0, help="Frames a second.")] = 30.0,
    processes: Annotated[int, typer.Option(min=1, max=64, help="That the subscribers share.")] = 2,
    json: JsonOption = False,
    gate: GateOption = False,
    update: UpdateOption = False,
) -> None:
    """Many subscribers of one server, one of them stuck: age of messages where they are read, memory."""
    from ...lab.bench.subscribers import run_subscribers

    _finish(run_subscribers(seconds, count, people, rate, processes, note.print), json, gate, update)


@app.command("fuzz")
def fuzz(
    seconds: Annotated[float, typer.Option(min=1.0, help="Length of the attack.")] = 30.0,
    seed: Annotated[int, typer.Option(help="The same seed makes the same attacks.")] = 0,
    json: JsonOption = False,
) -> None:
    """Attack a listening server, well-behaved subscribers beside; exit 1 where one of them was harmed."""
    from ...lab.bench.fuzz_listener import fuzz_metrics, run_fuzz

    found = run_fuzz(seconds, seed, note.print)
    _finish(fuzz_metrics(found), json, gate=False, update=False)
    if found.faults():
        raise Regression("; ".join(found.faults()))


@app.command("refine")
def refine(
    seconds: Annotated[float, typer.Option(min=8.0, help="Length of one run.")] = 24.0,
    rounds: Annotated[int, typer.Option(min=1, help="Pairs of runs, without and with.")] = 2,
    json: JsonOption = False,
    gate: GateOption = False,
    update: UpdateOption = False,
) -> None:
    """What refining costs the live path: window latency with and without it, in turns."""
    from ...configs.load import load_config
    from ...lab.bench.refine import ScriptedEyes, run_refine, write_inputs
    from ..engine import run_engine
    from ..plan import EnginePlan
    from ..runtime import RunHooks
    from ..workers import Workers

    with TemporaryDirectory(prefix="crowdstream-refine-") as held:
        folder = Path(held)
        clip, camera = write_inputs(folder, seconds)

        def run(refined: bool) -> Mapping[str, Any]:
            settings = [f"source.seconds={seconds}", "publish.listen=''", f"refine.enabled={refined}"]
            config = load_config("live", settings)
            plan = EnginePlan(str(clip), config, folder, camera, folder / "run.cslog")
            return run_engine(plan, RunHooks(note=note.print), Workers(perception=ScriptedEyes))

        _finish(run_refine(run, rounds, note.print), json, gate, update)


@app.command("group")
def group(json: JsonOption = False, gate: GateOption = False, update: UpdateOption = False) -> None:
    """Kernels of the refiner: soft-DTW beside pysdtw (where installed) and plain torch; SSPD and groups."""
    from ...lab.bench.grouping import run_grouping
    from ...lab.bench.soft_dtw import run_soft_dtw

    _finish([*run_soft_dtw(), *run_grouping()], json, gate, update)


@app.command("perception")
def perception(
    data: DataOption = None,
    models: ModelsOption = None,
    detector: Annotated[str, typer.Option(help="File or catalogue name; by default what is in use.")] = "",
    pose: Annotated[str, typer.Option(help="The same for the pose network.")] = "",
    json: JsonOption = False,
    gate: GateOption = False,
    update: UpdateOption = False,
) -> None:
    """The networks in use beside RTMDet-nano and PP-TinyPose: processor time per frame and per crop."""
    from ...lab.bench.perception import run_perception
    from ...stream.models.folder import default_folder

    figures = run_perception(_data(data), models or default_folder(), detector, pose, note.print)
    _finish(figures, json, gate, update)


@app.command("suite")
def suite(
    smoke: Annotated[bool, typer.Option("--smoke", help="One tiny crowd, without motion capture.")] = False,
    data: DataOption = None,
    cache: Annotated[
        Path | None, typer.Option(help="Folder that keeps the crowds; else a passing one.")
    ] = None,
    paper: Annotated[
        float | None, typer.Option(min=1.0, help="Also both presets on the first so many seconds (slow).")
    ] = None,
    rows: Annotated[
        list[str] | None,
        typer.Option(
            help="Also rows without a part: without-amc, -group, -refine, -stitching, -motion-prior, -lifter, "
            "-both (prior and lifter), or all."
        ),
    ] = None,
    docs: Annotated[Path | None, typer.Option(help="Page to write the suite's section into.")] = None,
    json: JsonOption = False,
    gate: GateOption = False,
    update: UpdateOption = False,
) -> None:
    """The standing suite of virtual crowds: accuracy, identity and streaming of the engine as it is."""
    from ...lab.bench.markdown import write_section
    from ...lab.bench.suite import (
        FULL,
        ROWS,
        SuiteCase,
        row_metrics,
        run_rows,
        run_smoke,
        run_suite,
        suite_metrics,
    )
    from ...lab.bench.suite_page import BEGIN, END, section
    from ...lab.evaluate.question import Question
    from ..solver import compile_in_another_process
    from .targets import check_target

    names = [FULL, *(ROWS if "all" in (rows or ()) else rows or ())]
    if unknown := sorted(set(names) - set(ROWS)):
        raise typer.BadParameter(f"no row {unknown[0]!r}; expected {', '.join(ROWS)} or all")
    if docs is not None:
        check_target(docs, "--docs")
    compile_in_another_process()
    with ExitStack() as held:
        folder = cache or Path(held.enter_context(TemporaryDirectory(prefix="crowdstream-suite-")))
        short: list[SuiteCase] = []
        shorter: list[SuiteCase] = []
        if smoke:
            found = run_rows(lambda question: run_smoke(folder, question), names)
        else:
            mocap = _mocap(data)
            found = run_rows(lambda question: run_suite(folder, mocap, question, progress=note.print), names)
            if paper is not None:
                short = run_suite(folder, mocap, Question("paper", seconds=paper), progress=note.print)
                shorter = run_suite(folder, mocap, Question("live", seconds=paper), progress=note.print)
    if docs is not None:
        cpu = machine()
        where = f"{cpu['cores']} cores, {cpu['cpu']}"
        write_section(docs, section(found[FULL], where, short, shorter, found), (BEGIN, END))
        note.print(f"written: {docs}")
    prefix = "smoke" if smoke else "suite"
    _finish([*suite_metrics(found[FULL], prefix), *row_metrics(found, prefix)], json, gate, update)


@app.command("occlusions")
def occlusions(
    data: DataOption = None,
    cache: Annotated[
        Path | None, typer.Option(help="Folder that keeps the crowds; else a passing one.")
    ] = None,
    rows: Annotated[
        list[str] | None,
        typer.Option(help="Also rows: without-stitching, without-amc, without-refine, or all."),
    ] = None,
    docs: Annotated[Path | None, typer.Option(help="Page to write the section into.")] = None,
    json: JsonOption = False,
    gate: GateOption = False,
    update: UpdateOption = False,
) -> None:
    """People out of sight for seconds: who comes back as the same person, and their bodies meanwhile."""
    from ...lab.bench import occlusions as bench
    from ...lab.bench.markdown import write_section
    from ...lab.bench.suite import run_rows, run_suite
    from ..solver import compile_in_another_process
    from .targets import check_target

    names = [bench.ROWS[0], *(bench.ROWS if "all" in (rows or ()) else rows or ())]
    if unknown := sorted(set(names) - set(bench.ROWS)):
        raise typer.BadParameter(f"no row {unknown[0]!r}; expected {', '.join(bench.ROWS)} or all")
    if docs is not None:
        check_target(docs, "--docs")
    compile_in_another_process()
    mocap = _mocap(data)
    with ExitStack() as held:
        folder = cache or Path(held.enter_context(TemporaryDirectory(prefix="crowdstream-occlusions-")))
        found = run_rows(
            lambda question: run_suite(folder, mocap, question, bench.OCCLUSIONS, progress=note.print), names
        )
    if docs is not None:
        cpu = machine()
        text = bench.section(found, f"{cpu['cores']} cores, {cpu['cpu']}")
        write_section(docs, text, (bench.BEGIN, bench.END))
        note.print(f"written: {docs}")
    _finish(bench.occlusion_metrics(found), json, gate, update)


@app.command("all")
def everything(
    data: DataOption = None, json: JsonOption = False, gate: GateOption = False, update: UpdateOption = False
) -> None:
    """Every suite that needs no result of a run: solve and wire."""
    from ...lab.bench.solve import run_solve
    from ...lab.bench.wire import run_wire

    _finish([*run_wire(), *run_solve(_mocap(data))], json, gate, update)


@app.command("identity")
def identity(
    result: Annotated[Path, typer.Argument(help="MOT text file of a run (crowdstream export --format mot).")],
    truth: Annotated[Path, typer.Argument(help="MOT text file with the truth.")],
    calibration: Annotated[Path | None, typer.Option(help="Camera file: adds the ground error.")] = None,
    detections: Annotated[
        Path | None, typer.Option(help="Of `bench detections`: public trackers run on them.")
    ] = None,
    json: JsonOption = False,
    gate: GateOption = False,
    update: UpdateOption = False,
) -> None:
    """IDF1, MOTA, HOTA and ground error of a result against truth, public trackers beside it."""
    from ...lab.bench.identity import run_identity

    _finish(run_identity(result, truth, calibration, detections), json, gate, update)


@app.command("detections")
def detections(
    source: Annotated[str, typer.Argument(help="Video file or folder of images.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="MOT text file to write.")],
    models: ModelsOption = None,
    calibration: Annotated[Path | None, typer.Option(help="Camera file, as given to `run`.")] = None,
    config: Annotated[str, typer.Option(help="Preset or YAML file, as given to `run`.")] = "replay",
    set_: Annotated[list[str] | None, typer.Option("--set", metavar="STAGE.KEY=VALUE")] = None,
) -> None:
    """The boxes that a run of this source gives its tracker, for public trackers to run on."""
    from ...configs.load import load_config
    from ...lab.bench.identity import detection_rows, write_mot
    from ...stream.models.folder import default_folder
    from ..camera import CameraWorker, open_recording
    from ..perception import PerceptionWorker
    from ..plan import EnginePlan

    plan = EnginePlan(source, load_config(config, set_ or []), models or default_folder(), calibration)
    camera, perception = CameraWorker(plan), PerceptionWorker(plan)
    try:
        perception.start()
        perception.open(open_recording(camera))
        parts, frames, ended = [], 0, False
        while not ended:
            batch = camera.next_batch(plan.config.perception.threads)
            parts.append(detection_rows(perception.step(batch.frames)))
            frames += len(batch.frames)
            ended = batch.ended
    finally:
        perception.stop()
        camera.stop()
    written = write_mot(output, np.concatenate(parts))
    note.print(f"{sum(map(len, parts))} boxes of {frames} frames in {written}")


def _data(data: Path | None) -> Path:
    return data or Path(os.environ.get("CROWDSTREAM_TEST_DATA", "../shared/data"))


def _mocap(data: Path | None) -> Path:
    folder = _data(data) / "mocap"
    if not folder.is_dir():
        raise CrowdstreamError(f"no motion capture at {folder}; name its parent with --data")
    return folder


def _finish(metrics: Sequence[Metric], json: bool, gate: bool, update: bool) -> None:
    path = Path(str(resources.files("crowdstream.lab.bench") / "baseline.json"))
    baseline = load_baseline(path)
    worse = regressions(metrics, baseline)
    if json:
        emit_json({"metrics": [vars(m) for m in metrics], "regressions": worse, "machine": machine()})
    else:
        _print(metrics, baseline)
    for line in worse:
        note.print(f"worse: {line}")
    if update:
        save_baseline(path, metrics, machine())
        note.print(f"baseline written: {path}")
    elif gate and worse:
        raise Regression(f"{len(worse)} of {len(metrics)} figures are worse than the baseline")


def machine() -> dict[str, object]:
    """What the figures were measured on."""
    return {
        "cpu": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
    }


def _print(metrics: Sequence[Metric], baseline: dict[str, float]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table()
    for heading, justify in (("figure", "left"), ("value", "right"), ("unit", "left"), ("baseline", "right")):
        table.add_column(heading, justify=justify)  # type: ignore[arg-type]
    for m in metrics:
        held = f"{baseline[m.key]:.4g}" if m.key in baseline else "-"
        table.add_row(m.key, f"{m.value:.4g}", m.unit, held)
    Console().print(table)


Suite = Callable[[], Sequence[Metric]]
