"""The priors' figures as people read them on a terminal: each beside what a plain baseline reaches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from ..table import cell
from .questions import GAPS

Numbers = Mapping[str, Any]

_QUESTIONS = (
    ("whole window", "recon", "pca384", None),
    *((f"{n} hidden frames", f"infill{n}", f"ppca_infill{n}", f"interp{n}") for n in GAPS),
    ("hidden legs", "lowerbody", "ppca_lowerbody", "still_lowerbody"),
)
"""Words, and the keys of the prior, of the linear model and of the plainest answer."""
_LIFTER = (
    ("pa_mpjpe_mm", "pa_mpjpe_p90_mm", 0),
    ("mpjpe_mm", "mpjpe_p90_mm", 0),
    ("root_m", "root_p90_m", 2),
)
"""Key, key of its 90th percentile, digits."""


def print_prior(results: Numbers, console: Console) -> None:
    """The motion prior question by question, then everything by category."""
    console.print(_motion(results["motion"]))
    console.print(_others(results))
    console.print(_by_category(results))
    console.print(_told(results), style="italic", soft_wrap=True)


def print_lifter(results: Numbers, console: Console) -> None:
    """The lifter beside one average pose, for all and by category."""
    table = _plain("lifter/one average pose, upright")
    table.add_column("", no_wrap=True)
    for heading in ("count", "PA, mm", "p90", "MPJPE, mm", "p90", "root, m", "p90"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, part in {"all": results, **results["by_category"]}.items():
        cells = []
        for key, p90, digits in _LIFTER:
            lifter = part["lifter"]
            cells.append(f"{cell(lifter[key], 1.0, digits)}/{cell(lifter[f'mean_pose_{key}'], 1.0, digits)}")
            cells.append(cell(lifter[p90], 1.0, digits))
        table.add_row(name, str(part["windows"]), *cells)
    console.print(table)
    console.print(_told(results), style="italic", soft_wrap=True)


def _motion(motion: Numbers) -> Table:
    table = _plain("motion prior: joints relative to the pelvis, mm")
    for heading in ("", "prior", "p90", "linear", "plain"):
        table.add_column(heading, justify="right" if heading else "left", no_wrap=True)
    for words, ours, linear, plain in _QUESTIONS:
        table.add_row(
            words,
            cell(motion.get(f"{ours}_mpjpe_mm")),
            cell(motion.get(f"{ours}_p90_mm")),
            cell(motion.get(f"{linear}_mpjpe_mm")),
            cell(motion.get(f"{plain}_mpjpe_mm") if plain else None),
        )
    for n in GAPS:
        values = (motion.get(f"{name}{n}_accel_mm") for name in ("infill", "ppca_infill", "interp"))
        ours_, linear_, plain_ = (cell(value, 1.0, 2) for value in values)
        table.add_row(f"acceleration, {n}, mm/frame2", ours_, "", linear_, plain_)
    return table


def _others(results: Numbers) -> Table:
    pose, contact = results["pose"], results["contact"]
    table = _plain("pose prior and contacts")
    for heading in ("", "prior", "baseline"):
        table.add_column(heading, justify="right" if heading else "left", no_wrap=True)
    table.add_row("pose, mm", cell(pose["recon_mpjpe_mm"]), cell(pose["pca32_mpjpe_mm"]))
    table.add_row("pose p90, mm", cell(pose["recon_p90_mm"]), cell(pose["pca32_p90_mm"]))
    for key in ("f1", "precision", "recall"):
        table.add_row(f"contact {key}", cell(contact[key], 1.0, 3), cell(contact[f"rule_{key}"], 1.0, 3))
    return table


def _by_category(results: Numbers) -> Table:
    table = _plain("by category: prior/best baseline; contacts alone")
    table.add_column("", no_wrap=True, max_width=11, overflow="ellipsis")
    for heading in ("n", "whole", *(f"{n}" for n in GAPS), "legs", "pose", "F1"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, part in {"all": results, **results["by_category"]}.items():
        motion, pose, contact = part["motion"], part["pose"], part["contact"]
        cells = [_pair(motion, ours, linear, plain) for _, ours, linear, plain in _QUESTIONS]
        cells.append(f"{cell(pose['recon_mpjpe_mm'])}/{cell(pose['pca32_mpjpe_mm'])}")
        cells.append(cell(contact["f1"], 1.0, 2))
        table.add_row(name, str(part["windows"]), *cells)
    return table


def _pair(motion: Numbers, ours: str, *baselines: str | None) -> str:
    values = [motion.get(f"{name}_mpjpe_mm") for name in baselines if name]
    given = [value for value in values if value is not None]
    return f"{cell(motion.get(f'{ours}_mpjpe_mm'), 1.0, 0)}/{cell(min(given, default=None), 1.0, 0)}"


def _told(results: Numbers) -> str:
    run = results["run"]
    words = [f"{run['clips']} recordings of {len(run['subjects'])} subjects in {run['mocap']}"]
    if run["learned_clips"]:
        words.append(
            f"{run['learned_clips']} more of {run['learned_subjects']} subjects left out: learned from them"
        )
    if run["short_clips"]:
        words.append(f"{run['short_clips']} of them shorter than a window")
    return "; ".join([*words, *results.get("notes", ())]) + "."


def _plain(title: str) -> Table:
    return Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
