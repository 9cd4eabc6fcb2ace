"""`crowdstream evaluate prior|lifter`: the learned priors on recordings of human motion."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...kernels.errors import CrowdstreamError
from .console_output import emit_json, note
from .progress_bar import progress_bar
from .targets import check_target

if TYPE_CHECKING:
    from ...lab.evaluate.priors.baselines import Baselines
    from ...lab.evaluate.priors.recordings import Chosen, Learned

MocapOption = Annotated[
    Path, typer.Option("--mocap", help="Folder of recordings: index.csv and npz shards, or AMASS.")
]
StrideOption = Annotated[int, typer.Option(min=1, help="Frames between the starts of two windows.")]
LimitOption = Annotated[int | None, typer.Option(min=1, help="At most so many windows, drawn evenly.")]
SeedOption = Annotated[int, typer.Option(min=0, help="Of everything that is drawn.")]
FitOption = Annotated[
    Path | None,
    typer.Option(help="Fit the baselines on this folder's training split, or take a file of --save-fit."),
]
WithoutOption = Annotated[
    bool, typer.Option("--without-baselines", help="No fitted baselines: their figures are null.")
]
AllOption = Annotated[
    bool, typer.Option("--all-subjects", help="Score also the recordings that the priors learned from.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print everything as JSON.")]


def prior(
    mocap: MocapOption,
    motion_prior: Annotated[Path | None, typer.Option(help="Other weights than the shipped ones.")] = None,
    pose_vae: Annotated[Path | None, typer.Option(help="Other weights than the shipped ones.")] = None,
    stride: StrideOption = 16,
    limit: LimitOption = None,
    seed: SeedOption = 0,
    fit: FitOption = None,
    save_fit: Annotated[Path | None, typer.Option(help="Keep the baselines in this file.")] = None,
    without_baselines: WithoutOption = False,
    all_subjects: AllOption = False,
    json: JsonOption = False,
) -> None:
    """The motion prior and the pose prior on recordings they have not learned from, baselines beside them."""
    import torch

    from ...lab.evaluate.priors.baselines import save_baselines
    from ...lab.evaluate.priors.prior_report import Sampling, evaluate_prior
    from ...stream.prior_files import load_motion_prior, load_pose_vae

    if without_baselines and (fit is not None or save_fit is not None):
        raise typer.BadParameter(
            "--without-baselines together with --fit or --save-fit; leave one of them out"
        )
    if save_fit is not None:
        check_target(save_fit, "--save-fit", (motion_prior, pose_vae, fit))
    torch.set_num_threads(1)  # windows are small: a second thread costs more than it gives
    networks = load_motion_prior(motion_prior), load_pose_vae(pose_vae)
    chosen = _choose(mocap, motion_prior is not None or pose_vae is not None, all_subjects)
    baselines = None if without_baselines else _baselines(fit, seed)
    if save_fit is not None and baselines is not None:
        save_baselines(save_fit, baselines)
        note.print(f"baselines: {save_fit}")
    with progress_bar("scoring windows") as progress:
        results = evaluate_prior(chosen, *networks, baselines, Sampling(stride, limit, seed), progress)
    weights = {"motion_prior": _weights(motion_prior), "pose_vae": _weights(pose_vae)}
    results["run"] = _run(chosen, weights, stride, limit, seed, fit, baselines)
    results["notes"] = _notes(baselines)
    _show(results, json, "print_prior")


def lifter(
    mocap: MocapOption,
    lifter: Annotated[Path | None, typer.Option(help="Other weights than the shipped ones.")] = None,
    stride: StrideOption = 16,
    limit: LimitOption = None,
    seed: SeedOption = 0,
    fit: FitOption = None,
    without_baselines: WithoutOption = False,
    all_subjects: AllOption = False,
    json: JsonOption = False,
) -> None:
    """The lifter on synthetic views of recordings it has not learned from, with the measured noise of networks."""
    import torch

    from ...lab.evaluate.priors.lifter_report import evaluate_lifter
    from ...lab.evaluate.priors.prior_report import Sampling
    from ...stream.prior_files import load_lifter

    if without_baselines and fit is not None:
        raise typer.BadParameter("--without-baselines together with --fit; leave one of them out")
    torch.set_num_threads(1)
    network = load_lifter(lifter)
    chosen = _choose(mocap, lifter is not None, all_subjects)
    baselines = None if without_baselines else _baselines(fit, seed)
    with progress_bar("scoring windows") as progress:
        results = evaluate_lifter(chosen, network, baselines, Sampling(stride, limit, seed), progress)
    results["run"] = _run(chosen, {"lifter": _weights(lifter)}, stride, limit, seed, fit, baselines)
    results["notes"] = _notes(baselines)
    _show(results, json, "print_lifter")


def _choose(mocap: Path, own_weights: bool, everybody: bool) -> Chosen:
    from ...lab.evaluate.priors.baselines import learned_clips
    from ...lab.evaluate.priors.recordings import (
        choose,
        learned_by_shipped,
        learned_by_split,
        read_recordings,
    )

    clips = read_recordings(mocap)
    learned: Learned | None = None
    if not everybody:
        learned = learned_by_split if own_weights else learned_by_shipped(learned_clips())
    chosen = choose(mocap, clips, learned)
    if chosen.learned_clips:
        note.print(
            f"{len(chosen.clips)} recordings of {len(chosen.subjects)} subjects are scored; {chosen.learned_clips} of "
            f"{chosen.learned_subjects} subjects are left out, the priors learned from them (--all-subjects)"
        )
    if chosen.short:
        note.print(f"{chosen.short} recordings are shorter than a window of 64 frames: no windows of them")
    return chosen


def _baselines(fit: Path | None, seed: int) -> Baselines:
    from ...lab.evaluate.priors.baselines import fit_baselines, load_baselines
    from ...lab.evaluate.priors.recordings import learned_by_split, read_recordings

    if fit is None or fit.is_file():
        return load_baselines(fit)
    clips = [clip for clip in read_recordings(fit) if learned_by_split(clip)]
    if not clips:
        raise CrowdstreamError(
            f"all subjects of {fit} are held back, so there is nothing to fit the baselines on; name another folder"
        )
    with progress_bar("fitting the linear baselines") as progress:
        return fit_baselines(clips, seed=seed, progress=progress)


def _run(
    chosen: Chosen,
    weights: dict[str, str],
    stride: int,
    limit: int | None,
    seed: int,
    fit: Path | None,
    baselines: Baselines | None,
) -> dict[str, Any]:
    return {
        "mocap": str(chosen.folder), "weights": weights, "stride": stride, "limit": limit, "seed": seed,
        "clips": len(chosen.clips), "subjects": list(chosen.subjects), "short_clips": chosen.short,
        "learned_clips": chosen.learned_clips, "learned_subjects": chosen.learned_subjects,
        "baselines": None if baselines is None else str(fit or "shipped"),
        "baseline_windows": None if baselines is None else baselines.motion.windows,
    }  # fmt: skip


def _notes(baselines: Baselines | None) -> list[str]:
    """What of the figures is missing, and why."""
    return ["baselines that are fitted are null: --without-baselines"] if baselines is None else []


def _weights(path: Path | None) -> str:
    return "shipped" if path is None else str(path)


def _show(results: dict[str, Any], json: bool, how: str) -> None:
    if json:
        emit_json(results)
        return
    from rich.console import Console

    from ...lab.evaluate.priors import table

    getattr(table, how)(results, Console())
