"""The standing suite: a few small virtual crowds, always the same, evaluated as `crowdstream evaluate` does.

Four scenes seen from above and along the ground, with the sightings of simulated networks; minutes on two cores. The
smoke version is one tiny crowd that needs no motion capture; seconds. Crowds are made from fixed seeds, so everything
but times repeats to rounding. A crowd is kept under a name that follows from all that decides it: its settings, the
recordings and the code that makes it.

Means over the cases are held against the baseline, and of each case the few figures that would show what broke.

Rows show what the parts of the method are worth: the same cameras and sightings once more without one of them. Whether
the whole is better than a row is judged on the person-frames that both have a body for (`same_frames`).
"""

from __future__ import annotations

import hashlib
import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ...kernels.errors import CrowdstreamError
from ..evaluate.question import Question, Seen, evaluate
from ..evaluate.same_frames import FrameErrors, frame_errors, on_same_frames
from ..evaluate.score import Comparison
from ..virtualcrowd.config import CrowdConfig
from ..virtualcrowd.make import ViewRequest, make_crowd
from ..virtualcrowd.motion import MotionLibrary
from ..virtualcrowd.store import Crowd, load_crowd
from .metric import Direction, Metric

VIEWS = ("high", "low")
_SCENES = ("plaza", "station", "hillside", "terrace")
SUITE = tuple(
    CrowdConfig.model_validate({"scene": scene, "people": 40, "seconds": 10.0, "seed": 31 + k})
    for k, scene in enumerate(_SCENES)
)
"""40 people for 10 s in each place: 12,000 person-frames a case, some 96,000 in all."""
SMOKE = (
    CrowdConfig.model_validate({"scene": "plaza", "people": 8, "seconds": 4.0, "seed": 7, "warm_up_s": 5.0}),
)
"""One tiny crowd of drawn motion, seen from above."""

FULL = "full"
ROWS: Mapping[str, tuple[str, ...]] = {
    FULL: (),
    "without-amc": ("amc",),
    "without-group": ("group",),
    "without-refine": ("refine",),
    "without-stitching": ("stitching",),
    "without-motion-prior": ("motion-prior",),
    "without-lifter": ("lifter",),
    "without-both": ("motion-prior", "lifter"),
}
"""Name of a row -> components it does without."""

Progress = Callable[[str], None]
Report = Mapping[str, Any]

_ROW_PARTS = ("author", "corrected", "occluded", "hidden", "identity")
"""Parts of a report that rows are told by."""
HIGHER, LOWER, NEITHER = Direction.HIGHER, Direction.LOWER, Direction.NEITHER
_SHARE = (0.0, 0.01)
"""Tolerances (relative, absolute) of shares: crowds repeat, so only a change of code moves them."""
_ERROR = (0.03, 0.0)


@dataclass(frozen=True)
class Figure:
    """One number of a report that the suite follows."""

    path: tuple[str, ...]
    unit: str
    direction: Direction
    tolerances: tuple[float, float]
    each: bool = False
    """Followed in every case, too, with three times the tolerance."""

    @property
    def name(self) -> str:
        return ".".join(self.path)

    def of(self, report: Report) -> float | None:
        """The number; None where there is none."""
        value: Any = report
        for key in self.path:
            value = value.get(key) if isinstance(value, Mapping) else None
        return float(value) if isinstance(value, int | float) else None


def _figure(
    name: str, unit: str, direction: Direction, tolerances: tuple[float, float], each: bool = False
) -> Figure:
    return Figure(tuple(name.split(".")), unit, direction, tolerances, each)


FIGURES = (
    _figure("author.pa_ppds", "share", HIGHER, _SHARE),
    _figure("author.ppds", "share", HIGHER, _SHARE),
    _figure("author.pcod", "share", HIGHER, _SHARE),
    _figure("author.mpjpe_mm", "mm", LOWER, _ERROR, each=True),
    _figure("author.pa_mpjpe_mm", "mm", LOWER, _ERROR),
    _figure("author.wa_mpjpe_mm", "mm", LOWER, _ERROR),
    _figure("author.w_mpjpe_mm", "mm", LOWER, _ERROR),
    _figure("author.accel", "authors' unit", LOWER, _ERROR),
    _figure("occluded.author.mpjpe_mm", "mm", LOWER, _ERROR),
    _figure("occluded.author.pa_mpjpe_mm", "mm", LOWER, _ERROR),
    _figure("corrected.ppds", "share", HIGHER, _SHARE),
    _figure("corrected.recall", "share", HIGHER, _SHARE, each=True),
    _figure("corrected.precision", "share", HIGHER, _SHARE, each=True),
    _figure("corrected.oks", "share", HIGHER, _SHARE),
    _figure("corrected.mpjpe_mm", "mm", LOWER, _ERROR, each=True),
    _figure("corrected.pa_mpjpe_mm", "mm", LOWER, _ERROR),
    _figure("corrected.world_mpjpe_mm", "mm", LOWER, _ERROR),
    _figure("corrected.wa_mpjpe_mm", "mm", LOWER, _ERROR),
    _figure("corrected.w_mpjpe_mm", "mm", LOWER, _ERROR),
    _figure("corrected.root_mm", "mm", LOWER, _ERROR, each=True),
    _figure("corrected.ground_m", "m", LOWER, _ERROR),
    _figure("corrected.accel", "mm/frame2", LOWER, _ERROR),
    _figure("corrected.jitter", "10 m/s3", NEITHER, _ERROR),
    _figure("corrected.foot_sliding_mm", "mm", LOWER, _ERROR),
    _figure("occluded.corrected.recall", "share", HIGHER, _SHARE),
    _figure("occluded.corrected.mpjpe_mm", "mm", LOWER, _ERROR),
    _figure("occluded.corrected.pa_mpjpe_mm", "mm", LOWER, _ERROR),
    _figure("occluded.corrected.root_mm", "mm", LOWER, _ERROR),
    _figure("hidden.corrected.recall", "share", HIGHER, _SHARE),
    _figure("hidden.corrected.mpjpe_mm", "mm", LOWER, _ERROR),
    _figure("hidden.corrected.root_mm", "mm", LOWER, _ERROR),
    _figure("hidden.author.mpjpe_mm", "mm", LOWER, _ERROR),
    _figure("identity.idf1", "share", HIGHER, _SHARE, each=True),
    _figure("identity.mota", "share", HIGHER, _SHARE),
    _figure("identity.hota", "share", HIGHER, _SHARE),
    _figure("identity.ground.idf1", "share", HIGHER, _SHARE),
    _figure("identity.ground.hota", "share", HIGHER, _SHARE),
    _figure("streaming.coverage", "share", HIGHER, _SHARE),
    _figure("streaming.coverage_bodies", "share", HIGHER, _SHARE),
    _figure("streaming.infilled", "share", NEITHER, _SHARE),
    _figure("streaming.guided", "share", NEITHER, _SHARE),
    _figure("refined.bodies_revised", "share", NEITHER, _SHARE),
    _figure("streaming.revisions.step_joints_median_mm", "mm", NEITHER, _ERROR),
    _figure("streaming.revisions.step_joints_p95_mm", "mm", NEITHER, _ERROR),
    _figure("streaming.latency_ms.live.p95", "ms", NEITHER, _ERROR),
    _figure("streaming.latency_ms.window.p95", "ms", NEITHER, _ERROR),
    _figure("streaming.first_ms.refined.p50", "ms", NEITHER, _ERROR),
    _figure("speed.person_frames_per_s", "pf/s", NEITHER, _ERROR),
    _figure("speed.solve_person_frames_per_s", "pf/s", NEITHER, _ERROR),
)
"""What is kept of a report. Times and speeds are of the machine, so they are never gated."""


@dataclass(frozen=True)
class SuiteCase:
    """One camera of one crowd, evaluated."""

    name: str
    """`plaza_high`"""
    report: Report
    errors: tuple[FrameErrors, ...] = field(default=(), repr=False)
    """Of every true person-frame; one record, or none where runs are not to be compared."""


def run_suite(
    cache: Path,
    mocap: Path | None,
    question: Question | None = None,
    crowds: Sequence[CrowdConfig] = SUITE,
    views: Sequence[str] = VIEWS,
    progress: Progress | None = None,
) -> list[SuiteCase]:
    """Makes what is not in the cache yet, and evaluates every camera.

    Args:
        cache: folder for the crowds.
        mocap: folder of recordings; None for drawn motion alone.
        question: how to evaluate; the `live` preset on simulated sightings by default.
        progress: told what is done now.
    """
    tell = progress or (lambda text: None)
    cases = []
    for config in crowds:
        crowd = _crowd(cache, mocap, config, views, tell)
        for name in views:
            tell(f"{config.scene} {name}: evaluating")
            seen = Seen(crowd.motion, crowd.view(name), crowd.sightings(name))
            sides: list[Comparison] = []
            report = evaluate(question or Question(), seen, keep=sides.append)
            kept = {k: v for k, v in report.items() if k != "plots"}
            errors = tuple(frame_errors(compared) for compared in sides)
            cases.append(SuiteCase(case_name(config, name), kept, errors))
    return cases


def case_name(config: CrowdConfig, view: str) -> str:
    """`plaza_high`; with the seed where crowds of one scene differ by it alone."""
    several = config.scene not in _SCENES
    return f"{config.scene}{config.seed}_{view}" if several else f"{config.scene}_{view}"


def run_smoke(cache: Path, question: Question | None = None) -> list[SuiteCase]:
    """The tiny crowd alone."""
    return run_suite(cache, None, question, SMOKE, ("high",))


def run_rows(
    run: Callable[[Question], list[SuiteCase]], names: Sequence[str], question: Question | None = None
) -> dict[str, list[SuiteCase]]:
    """The suite once for each row, in the order of `ROWS`.

    Args:
        run: evaluates all cameras, e.g. `run_suite` with its cache and recordings.
        names: of `ROWS`.
        question: of the full row; what it does without, all rows do.

    Raises:
        CrowdstreamError: a name that is no row.
    """
    unknown = sorted(set(names) - set(ROWS))
    if unknown:
        raise CrowdstreamError(f"no row {unknown[0]!r} in the suite; it has {', '.join(ROWS)}")
    asked = question or Question()
    return {
        name: run(replace(asked, without=tuple(dict.fromkeys((*asked.without, *parts)))))
        for name, parts in ROWS.items()
        if name in names
    }


def row_metrics(rows: Mapping[str, Sequence[SuiteCase]], prefix: str = "suite") -> list[Metric]:
    """Means of the rows that do without something, and the whole against each on the same person-frames; not gated."""
    means = [
        Metric(f"{prefix}.{name}.{f.name}", mean, f.unit, NEITHER)
        for name, cases in rows.items()
        if name != FULL
        for f in FIGURES
        if f.path[0] in _ROW_PARTS and (mean := mean_of(cases, f)) is not None
    ]
    changes = [
        Metric(f"{prefix}.{name}.same.{group}.{key}", value, "share", NEITHER)
        for name, groups in same_frames(rows).items()
        for group, figures in groups.items()
        for key, value in figures.items()
        if key.endswith("_change") and value is not None
    ]
    return means + changes


def same_frames(rows: Mapping[str, Sequence[SuiteCase]]) -> dict[str, dict[str, dict[str, Any]]]:
    """Row -> group -> the whole (`ours`) against the row (`theirs`) on the person-frames that both have."""
    ours = [e for case in rows.get(FULL, ()) for e in case.errors]
    theirs = {
        name: [e for case in cases for e in case.errors] for name, cases in rows.items() if name != FULL
    }
    return {name: on_same_frames(ours, each) for name, each in theirs.items() if ours and each}


def suite_metrics(cases: Sequence[SuiteCase], prefix: str = "suite") -> list[Metric]:
    """Means over the cases, then what is followed in each."""
    out = [
        Metric(f"{prefix}.all.{f.name}", mean, f.unit, f.direction, *f.tolerances)
        for f in FIGURES
        if (mean := mean_of(cases, f)) is not None
    ]
    for case in cases if len(cases) > 1 else ():  # of one case the means are the figures
        for f in FIGURES:
            value = f.of(case.report)
            if f.each and value is not None:
                relative, absolute = (3.0 * t for t in f.tolerances)
                out.append(
                    Metric(f"{prefix}.{case.name}.{f.name}", value, f.unit, f.direction, relative, absolute)
                )
    return out


def mean_of(cases: Sequence[SuiteCase], figure: Figure) -> float | None:
    """Plain mean over the cases that have it: each camera counts alike."""
    values = [
        value for case in cases if (value := figure.of(case.report)) is not None and math.isfinite(value)
    ]
    return sum(values) / len(values) if values else None


def _crowd(
    cache: Path, mocap: Path | None, config: CrowdConfig, views: Sequence[str], tell: Progress
) -> Crowd:
    folder = cache / f"{config.scene}-{_fingerprint(config, mocap, views)}"
    if folder.is_dir():
        return load_crowd(folder)
    tell(f"{config.scene}: making {config.people} people for {config.seconds:g} s")
    part = folder.with_name(folder.name + ".part")
    library = MotionLibrary.load([] if mocap is None else [mocap])
    try:
        cache.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(part, ignore_errors=True)  # of a run that was cut short
        make_crowd(config, part, library, [ViewRequest(name) for name in views])
        part.rename(folder)
    except OSError as exc:
        raise CrowdstreamError(
            f"cannot keep crowds in {cache}: {exc.strerror or exc}; name another folder with --cache"
        ) from exc
    return load_crowd(folder)


def _fingerprint(config: CrowdConfig, mocap: Path | None, views: Sequence[str]) -> str:
    """Of everything that a crowd follows from."""
    digest = hashlib.sha256(config.model_dump_json().encode())
    digest.update(",".join(views).encode())
    if mocap is not None and (mocap / "index.csv").is_file():
        digest.update((mocap / "index.csv").read_bytes())
    package = Path(__file__).resolve().parents[2]
    makers = [*(package / "lab" / "virtualcrowd").rglob("*"), package / "kernels" / "weights" / "body.npz",
              package / "kernels" / "fused" / "zbuffer.py", package / "lab" / "mocap.py"]  # fmt: skip
    for path in sorted(makers):
        if path.suffix in (".py", ".json", ".npz") and path.is_file():
            digest.update(path.name.encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
