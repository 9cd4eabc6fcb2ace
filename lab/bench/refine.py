"""What refining costs the live path: the latency of windows with the refiner and without it, in turns, in one run.

A live view, paced as filmed, of a scripted crowd half of which walks behind pillars for two to three seconds, one
after the other, so that there is something to join, to fill and to guide. Everything is as shipped but perception: its
networks alone fill two cores, and a machine that cannot keep up measures its queues, not its refiner. The script tells
what they would have seen. Who runs the engine is the caller's business, as this folder knows no runtime.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool

from ...stream.calibration_file import Calibration, save_calibration
from ...stream.records import Frame, Observation
from ...stream.ring import SlotToken
from ..scripted_crowd import ScriptedCrowd
from .metric import Direction, Metric

Array = np.ndarray

FPS = 30
_ROWS = ("boxes_px", "scores", "keypoints_px", "confidence", "posed")


@dataclass(frozen=True)
class PillarCrowd:
    """Walkers in lanes; every other one passes a pillar that hides them from the camera."""

    people: int = 10
    seconds: float = 24.0
    speed_mps: float = 0.6
    pillar_m: float = 1.5
    """Width as the walker crosses it: 2.5 s at the walkers' pace."""

    @property
    def walkers(self) -> ScriptedCrowd:
        """All of them, hidden or not; at the middle of the run each is near x = 0."""
        return ScriptedCrowd(self.people, round(self.seconds * FPS), FPS, speed_mps=self.speed_mps)

    def seen(self, walkers: ScriptedCrowd, index: int) -> Bool[Array, "N"]:
        """In the picture, and not behind a pillar."""
        position_m = walkers.position_m(index)
        n = np.arange(self.people)
        pillar_x_m = 0.35 * self.speed_mps * self.seconds * np.sin(2.4 * n)  # each lane at another time
        hidden = (n % 2 == 1) & (np.abs(position_m[:, 0] - pillar_x_m) < self.pillar_m / 2)
        px = walkers.camera.project(position_m)
        width = walkers.size_px[0]
        return np.asarray((px[:, 0] > 8) & (px[:, 0] < width - 8) & ~hidden)

    def observation(self, walkers: ScriptedCrowd, index: int, camera: str, t_capture_ns: int) -> Observation:
        """What perception would say about one frame."""
        whole = walkers.observation(index, camera, t_capture_ns)
        seen = self.seen(walkers, index)
        rows: dict[str, Any] = {name: getattr(whole, name)[seen] for name in _ROWS}
        return replace(whole, **rows)


class ScriptedEyes:
    """Stands where perception's worker stands."""

    def __init__(self, plan: Any) -> None:
        self._crowd = PillarCrowd(seconds=float(plan.config.source.seconds))
        self._walkers = self._crowd.walkers

    def start(self) -> dict[str, object]:
        self._crowd.observation(self._walkers, 0, "", 0)  # loads the body
        return {}

    def open(self, info: Any) -> None: ...

    def set_geometry(self, camera: str, calibration: Calibration, from_index: int) -> None: ...

    def set_effort(self, effort: Any) -> None: ...

    def step(self, batch: Sequence[Frame | SlotToken]) -> list[Observation]:
        found = []
        for item in batch:
            found.append(self._crowd.observation(self._walkers, item.index, item.camera, item.t_capture_ns))
        return found

    def stop(self) -> dict[str, Any]:
        return {"seconds": {}, "networks": {}}


def write_inputs(folder: Path, seconds: float) -> tuple[Path, Path]:
    """A clip whose pictures do not matter but whose times do, and the true camera."""
    import av

    walkers = PillarCrowd(seconds=seconds).walkers
    clip, camera = folder / "pillars.mp4", folder / "pillars.json"
    width, height = walkers.size_px
    grey = np.full((height, width, 3), 128, np.uint8)
    with av.open(str(clip), "w") as container:
        stream = container.add_stream("mpeg4", rate=Fraction(FPS))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for _ in range(walkers.frames):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="bgr24")))
        container.mux(stream.encode(None))
    save_calibration(Calibration(walkers.camera, walkers.ground, "file"), camera)
    return clip, camera


def run_refine(
    run: Callable[[bool], Mapping[str, Any]], rounds: int, note: Callable[[str], None] = lambda line: None
) -> list[Metric]:
    """Runs in turns without and with the refiner.

    Args:
        run: one paced run, refined or not; its summary.
        rounds: pairs of runs; every other pair the other way round, as the machine changes while it is measured.
        note: told of every run.
    """
    figures: dict[bool, list[Mapping[str, Any]]] = {False: [], True: []}
    for turn in range(rounds):
        for refined in (False, True) if turn % 2 == 0 else (True, False):
            found = run(refined)
            figures[refined].append(found)
            late = found["latency_ms"]["window"]
            note(
                f"{'with' if refined else 'without'} refiner: window p50 {late['p50']:.0f} ms, "
                f"p95 {late['p95']:.0f} ms, {found['windows']} windows, {found['refine']['revisions']} revisions, "
                f"left out: {found['drops'] or 'nothing'}"
            )
    if any(found["drops"].get("solver_busy") for found in figures[False]):
        note(
            "this machine cannot keep up without the refiner either: the figures tell of its queues, not of refining"
        )
    return _metrics(figures[False], figures[True])


def _metrics(without: Sequence[Mapping[str, Any]], refined: Sequence[Mapping[str, Any]]) -> list[Metric]:
    metrics = []
    for tier in ("live", "window"):
        for p in ("p50", "p95"):
            off, on = (
                float(np.mean([r["latency_ms"][tier][p] for r in runs])) for runs in (without, refined)
            )
            name = f"refine.{tier}_{p}"
            metrics += [Metric(f"{name}_without_ms", off, "ms"), Metric(f"{name}_with_ms", on, "ms")]
            held = Direction.LOWER if (tier, p) == ("window", "p95") else Direction.NEITHER
            metrics.append(Metric(f"{name}_ratio", on / max(off, 1e-9), "", held, rel_tol=0.1))
    windows = sum(r["windows"] for r in refined)
    answered = sum(r["refine"]["windows"] for r in refined)
    busy_s = sum(r["stage_seconds"]["refine"] for r in refined)
    return [
        *metrics,
        Metric("refine.windows_refined_share", answered / max(windows, 1), ""),
        Metric("refine.revisions", sum(r["refine"]["revisions"] for r in refined) / max(len(refined), 1), ""),
        Metric("refine.busy_share", busy_s / max(sum(r["elapsed_s"] for r in refined), 1e-9), ""),
        *(
            Metric(
                f"refine.solver_busy_{name}", float(sum(r["drops"].get("solver_busy", 0) for r in runs)), ""
            )
            for name, runs in (("without", without), ("with", refined))
        ),
    ]
