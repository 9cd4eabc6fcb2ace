"""`live` against `paper` on the same windows: person-frames per second, pixels and millimetres of both.

Both start from the same first guess and run on the same cores. Compile and import time are kept out (one small
window is solved by both before the clock starts). Pixels are never reported without millimetres: an energy can
be minimised into a worse body. `run_solve` is the suite behind `crowdstream bench solve`; the module itself
compares more cases in a table:

    python -m crowdstream.lab.bench.solve --mocap DIR [--people 40] [--threads 2] [--json]
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from ...kernels.body.data import BodyData
from ...kernels.priors.gaussian_pose import GaussianPosePrior
from ...kernels.solve.gauss_newton import Bodies, fused_body, fused_prior, fused_views, solve_live
from ...kernels.solve.gauss_newton_config import LiveConfig
from ...kernels.solve.initialise import initialise, make_templates
from ...kernels.solve.initialise_config import FirstGuessConfig
from ...kernels.solve.rmsprop import solve_paper
from ...kernels.solve.rmsprop_config import PaperConfig
from ...kernels.solve.weights import EnergyWeights
from ...stream.body_files import load_body
from ...stream.prior_files import load_lifter, load_motion_prior, load_pose_prior
from ...stream.reconstruct import Reconstructor
from ...stream.reconstruct_config import ReconstructConfig
from ..mocap import MocapClip, read_mocap
from .metric import Direction, Metric
from .solve_cases import CaseConfig, SolveCase, cut, make_case
from .solve_full import Networks, full_run
from .solve_scores import SolveScore, score

REPEATS = 3
"""Timings of the live solver; the middle one counts. One is a fraction of a second, paper's is half a minute."""

CLOSE = {
    "reprojection_sigma": 0.02,
    "joint_acceleration_sigma_m": 0.04,
    "translation_acceleration_sigma_m": 0.03,
    "pose_weight": 0.1,
}
"""`live` drawn as close to the noisy keypoints as `paper` is: nothing is worse than `paper`, yet bodies are worse
than with the defaults, which trust one frame's keypoints less."""

FIGURES = {
    "px_observed": "px",
    "px_true": "px",
    "mpjpe_mm": "mm",
    "pa_mpjpe_mm": "mm",
    "root_m": "m",
    "accel_mm": "mm/frame2",
}
"""Errors that become metrics, with their units."""


@dataclass(frozen=True)
class SolveRow:
    """One solver on one case."""

    case: str
    solver: str
    seconds: float
    """Processor time in `compare`, wall time in `slide`; `first guess` for itself, the solvers without it."""
    person_frames_per_s: float
    """Present person-frames of the window over `seconds`."""
    score: SolveScore

    def __str__(self) -> str:
        return f"{self.case:12s} {self.solver:15s} {self.person_frames_per_s:9.0f} pf/s  {self.score}"


def compare(
    name: str,
    case: SolveCase,
    body: BodyData,
    prior: GaussianPosePrior,
    live: LiveConfig,
    papers: dict[str, PaperConfig],
) -> list[SolveRow]:
    """First guess, live and every paper configuration on one window."""
    problem = case.problem
    pf = int(problem.present.sum())
    shape, gauss = fused_body(body), fused_prior(prior)
    guess_config = FirstGuessConfig()
    templates = make_templates(body, prior, guess_config)
    rows = []

    def add(solver: str, seconds: float, found: Bodies) -> None:
        figures = score(case, body, found.pose_rotvec, found.transl_m, found.betas)
        rows.append(SolveRow(name, solver, seconds, pf / seconds, figures))

    began = time.process_time()
    views = fused_views(problem, live)
    start = initialise(problem, views, templates, guess_config)
    add("first guess", time.process_time() - began, start)
    durations = []
    for _ in range(REPEATS):
        began = time.process_time()
        result = solve_live(problem, start, shape, gauss, live, views=views)
        durations.append(time.process_time() - began)
    add("live", float(np.median(durations)), result.bodies)
    for solver, config in papers.items():
        began = time.process_time()
        found = solve_paper(problem, start.as_warm_start(problem.present), body, prior, config)
        seconds = time.process_time() - began
        add(solver, seconds, Bodies(found.pose_rotvec, found.transl_m, found.betas_of_people(problem)))
    return rows


def slide(
    name: str,
    case: SolveCase,
    body: BodyData,
    prior: GaussianPosePrior,
    config: ReconstructConfig,
    hop: int = 16,
) -> list[SolveRow]:
    """Windows of a long case in order, warm started and cold; means over all but the first."""
    rows = []
    windows = (case.problem.num_frames - 64) // hop + 1
    for solver, warm in (("live, cold", False), ("live, warm", True)):
        reconstructor = Reconstructor(config.model_copy(update={"warm_start": warm}), body, prior)
        seconds, pf, figures = 0.0, 0, []
        for index in range(windows):
            part = cut(case, index, hop)
            began = time.perf_counter()
            solution = reconstructor.solve(part.problem)
            if index > 0:
                seconds += time.perf_counter() - began
                pf += int(part.problem.present.sum())
                figures.append(score(part, body, solution.pose_rotvec, solution.transl_m, solution.betas))
        reconstructor.close()
        mean = {k: float(np.nanmean([asdict(f)[k] for f in figures])) for k in asdict(figures[0])}
        rows.append(SolveRow(name, solver, seconds, pf / seconds, SolveScore(**mean)))
    return rows


def standard_cases(clips: list[MocapClip], body: BodyData, people: int) -> dict[str, SolveCase]:
    """High and low camera at 30 Hz, low at 10 Hz, two cameras; noise as the small networks make it."""
    base = CaseConfig(people=people, noise_share=0.03)
    wanted = {
        "high 30 Hz": base.model_copy(update={"seed": 101}),
        "low 30 Hz": base.model_copy(update={"seed": 102, "view": "low"}),
        "low 10 Hz": base.model_copy(update={"seed": 103, "view": "low", "observe_every": 3}),
        "high, 2 cams": base.model_copy(update={"seed": 104, "cameras": 2}),
    }
    return {name: make_case(clips, body, config) for name, config in wanted.items()}


def warm_up(clips: list[MocapClip], body: BodyData, prior: GaussianPosePrior, live: LiveConfig) -> float:
    """Compile (or load) the kernels, and let torch settle, on a small window; seconds it took."""
    began = time.perf_counter()
    case = make_case(clips, body, CaseConfig(people=2, frames=16))
    short = PaperConfig(root_iterations=3, smpl_iterations=3)
    compare("warm-up", case, body, prior, live.model_copy(update={"outer": 1}), {"paper": short})
    return time.perf_counter() - began


def run_solve(mocap: Path, people: int = 20) -> list[Metric]:
    """The suite: `live` against `paper` as printed, seen from above and along the ground, then one person alone.

    Args:
        mocap: folder with index.csv and shards.
        people: N of the windows.

    Ratios are of processor time with one thread each: on a shared machine torch's threads wait for each other,
    which would flatter `live`. The slide is wall time on two threads, the whole stage as it runs, without networks;
    `solve.full` is the same with lifter and motion prior, every person-frame counted once.
    Errors of `live` and the speed ratios are held against the baseline; figures of `paper` and plain
    person-frames per second are reported only. Seeds are fixed, so errors repeat to rounding.
    """
    torch.set_num_threads(1)
    clips, body, prior = read_mocap(mocap), load_body(), load_pose_prior()
    live, papers = LiveConfig(threads=1), {"paper": PaperConfig()}
    metrics = [Metric("solve.ready_s", warm_up(clips, body, prior, live), "s")]
    base = CaseConfig(people=people, noise_share=0.03)
    for name, view in (("high", {"seed": 101}), ("low", {"seed": 102, "view": "low"})):
        case = make_case(clips, body, base.model_copy(update=view))
        rows = {row.solver: row for row in compare(name, case, body, prior, live, papers)}
        rows["live_close"] = compare(name, case, body, prior, live.model_copy(update=CLOSE), {})[-1]
        metrics += _errors(name, rows) + _speeds(name, rows)
    alone = make_case(clips, body, base.model_copy(update={"seed": 104, "people": 1}))
    rows = {row.solver: row for row in compare("alone", alone, body, prior, live, papers)}
    metrics += _speeds("alone", rows)
    long = make_case(clips, body, base.model_copy(update={"seed": 105, "frames": 128}))
    bare = ReconstructConfig(live=LiveConfig(threads=2), motion_prior=False, lifter=False)
    for row in slide("slide", long, body, prior, bare):
        solver = row.solver.replace(", ", "_")
        metrics.append(Metric(f"solve.slide.{solver}.stage_pf_per_s", row.person_frames_per_s, "pf/s"))
        metrics.append(
            Metric(f"solve.slide.{solver}.mpjpe_mm", row.score.mpjpe_mm, "mm", Direction.LOWER, rel_tol=0.05)
        )
    networks = Networks(prior, load_motion_prior(), load_lifter())
    full = ReconstructConfig(live=LiveConfig(threads=2), motion_prior=True, lifter=True)
    metrics += full_run(long, body, networks, full).metrics("solve.full")
    solo = make_case(clips, body, base.model_copy(update={"seed": 106, "frames": 128, "people": 1}))
    return metrics + full_run(solo, body, networks, full).metrics("solve.full.alone")


def _errors(name: str, rows: dict[str, SolveRow]) -> list[Metric]:
    """Errors of the solvers; those of `live` are gated."""
    return [
        Metric(
            f"solve.{name}.{solver}.{figure}",
            getattr(rows[solver].score, figure),
            unit,
            Direction.LOWER if solver == "live" else Direction.NEITHER,
            rel_tol=0.05,
        )
        for solver in ("live", "live_close", "paper")
        for figure, unit in FIGURES.items()
    ]


def _speeds(name: str, rows: dict[str, SolveRow]) -> list[Metric]:
    """Person-frames per processor second of both, and their ratio: gated, with room for a noisy machine."""
    fast, slow = rows["live"].person_frames_per_s, rows["paper"].person_frames_per_s
    return [
        Metric(f"solve.{name}.live.pf_per_s", fast, "pf/s"),
        Metric(f"solve.{name}.paper.pf_per_s", slow, "pf/s"),
        Metric(f"solve.{name}.speed_ratio", fast / slow, "x", Direction.HIGHER, rel_tol=0.5),
    ]


def main() -> None:
    """Run the comparison and print a table (or JSON)."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--mocap", type=Path, required=True, help="folder with index.csv and shards")
    parser.add_argument("--people", type=int, default=40)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--no-paper", action="store_true", help="live only")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    clips, body, prior = read_mocap(args.mocap), load_body(), load_pose_prior()
    live = LiveConfig(threads=args.threads)
    mended = PaperConfig(weights=EnergyWeights.mended(), shape_per="person", schedule="cosine")
    papers = {} if args.no_paper else {"paper": PaperConfig(), "paper, mended": mended}
    compiled_s = warm_up(clips, body, prior, live)
    rows = []
    for name, case in standard_cases(clips, body, args.people).items():
        rows += compare(name, case, body, prior, live, papers)
    long = make_case(clips, body, CaseConfig(seed=105, people=args.people, noise_share=0.03, frames=128))
    rows += slide("high, slide", long, body, prior, ReconstructConfig(live=live))
    if args.json:
        print(json.dumps({"compile_s": compiled_s, "rows": [asdict(row) for row in rows]}, indent=1))
    else:
        print(f"kernels ready after {compiled_s:.1f} s; {args.people} people, {args.threads} threads")
        print("\n".join(str(row) for row in rows))


if __name__ == "__main__":
    main()
