"""`live` against `paper` on the same windows: person-frames per second, pixels and millimetres of both.

Both start from the same first guess and run on the same cores. Compile and import time are kept out (one small
window is solved before the clock starts). Pixels are never reported without millimetres: an energy can be
minimised into a worse body.

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
from ...kernels.solve.gauss_newton import Bodies, LiveConfig, fused_body, fused_prior, fused_views, solve_live
from ...kernels.solve.initialise import FirstGuessConfig, initialise, make_templates
from ...kernels.solve.rmsprop import PaperConfig, solve_paper
from ...kernels.solve.weights import EnergyWeights
from ...stream.body_files import load_body
from ...stream.prior_files import load_pose_prior
from ...stream.reconstruct import ReconstructConfig, Reconstructor
from ..mocap import MocapClip, read_mocap
from .solve_cases import CaseConfig, SolveCase, cut, make_case
from .solve_scores import SolveScore, score


@dataclass(frozen=True)
class SolveRow:
    """One solver on one case."""

    case: str
    solver: str
    seconds: float
    """Wall time; `first guess` for itself, the solvers without it."""
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

    began = time.perf_counter()
    views = fused_views(problem, live)
    start = initialise(problem, views, templates, guess_config)
    add("first guess", time.perf_counter() - began, start)
    began = time.perf_counter()
    result = solve_live(problem, start, shape, gauss, live, views=views)
    add("live", time.perf_counter() - began, result.bodies)
    for solver, config in papers.items():
        began = time.perf_counter()
        found = solve_paper(problem, start.as_warm_start(problem.present), body, prior, config)
        seconds = time.perf_counter() - began
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
    """Compile (or load) the kernels on a small window; seconds it took."""
    began = time.perf_counter()
    case = make_case(clips, body, CaseConfig(people=2, frames=16))
    compare("warm-up", case, body, prior, live.model_copy(update={"outer": 1}), {})
    return time.perf_counter() - began


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
