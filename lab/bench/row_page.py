"""What each part of the method is worth: the paper's tables II and III of our rows, and the same person-frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..evaluate.paper import PAPER_OCCLUDED, PAPER_ROWS
from ..evaluate.same_frames import GROUPS
from ..evaluate.table import cell
from .markdown import markdown_table, means_of
from .suite import FULL, SuiteCase, same_frames

Columns = Sequence[tuple[str, str, float, int]]

_EVERYBODY: Columns = (
    ("author.pa_ppds", "PA-PPDS", 100.0, 1), ("author.pcod", "PCOD", 100.0, 1), ("author.mpjpe_mm", "MPJPE", 1.0, 1),
    ("author.pa_mpjpe_mm", "PA-MPJPE", 1.0, 1), ("author.wa_mpjpe_mm", "WA", 1.0, 1),
    ("author.w_mpjpe_mm", "W", 1.0, 1), ("author.accel", "ACCEL", 1.0, 1),
    ("corrected.recall", "recall", 100.0, 1), ("corrected.mpjpe_mm", "corrected MPJPE", 1.0, 1),
    ("identity.idf1", "IDF1", 1.0, 3), ("identity.hota", "HOTA", 1.0, 3),
    ("speed.solve_person_frames_per_s", "pf/s", 1.0, 0),
)  # fmt: skip
"""Path in a report, heading, factor, digits."""
_SEVERE: Columns = (
    ("occluded.author.mpjpe_mm", "MPJPE occ", 1.0, 1), ("occluded.author.pa_mpjpe_mm", "PA occ", 1.0, 1),
    ("occluded.corrected.recall", "recall occ", 100.0, 1),
    ("occluded.corrected.mpjpe_mm", "corrected MPJPE occ", 1.0, 1),
    ("occluded.corrected.root_mm", "root occ", 1.0, 0), ("hidden.corrected.recall", "recall hidden", 100.0, 1),
    ("hidden.corrected.mpjpe_mm", "corrected MPJPE hidden", 1.0, 1),
    ("hidden.corrected.root_mm", "root hidden", 1.0, 0),
)  # fmt: skip
_PAPER = (("DyCrowd", "DyCrowd, with AMC"), ("DyCrowd without AMC", "DyCrowd, with the motion prior"),
          ("DyCrowd without C.G.M. (per-person fit)", "DyCrowd, per-person fit"))  # fmt: skip
"""Rows of the paper's tables II and III that are of one setting."""
_WORDS = (
    "Means over the cameras. Author profile unless said otherwise; corrected: joints of everybody found, relative to\n"
    "the pelvis. Severely hidden, occ: at least half of the keypoints in the picture are hidden; hidden: under 5 % of\n"
    "the body is to be seen. Without amc or group gaps are filled all the same, without the help of who moves alike;\n"
    "without refine nothing is published again; without motion prior what is hidden is bridged by smoothness alone;\n"
    "without lifter first bodies are posed templates. pf/s: of the live solve."
)
_SAME_WORDS = (
    "The whole against each row on the person-frames that both have a body for, all cameras pooled (corrected\n"
    "profile): change of the mean error, below zero where the whole is better; in brackets both MPJPEs and how many\n"
    "person-frames. Rest: those not occluded. A row without bodies for the hidden is compared where it has them, so\n"
    "filled gaps that it lacks count on neither side."
)


def rows_section(rows: Mapping[str, Sequence[SuiteCase]]) -> str:
    """Three tables: everybody, the severely hidden, and the whole against each row on the same person-frames."""
    parts = [
        _table("what each part is worth, everybody", rows, _EVERYBODY, 0),
        _table("the same, severely hidden people", rows, _SEVERE, 1),
        _WORDS,
    ]
    if same := same_frames(rows):
        parts += [_same(same), _SAME_WORDS]
    return "\n\n".join(parts)


def _table(title: str, rows: Mapping[str, Sequence[SuiteCase]], columns: Columns, of_hidden: int) -> str:
    lines = []
    for name, cases in rows.items():
        mean = means_of(cases)
        lines.append([_plain(name), *(cell(mean(key), by, digits) for key, _, by, digits in columns)])
    for names in _PAPER:
        known = _paper(names, of_hidden)
        lines.append(
            [f"paper: {names[0]}", *(cell(known.get(key), by, digits) for key, _, by, digits in columns)]
        )
    return markdown_table([title, *(heading for _, heading, _, _ in columns)], lines)


def _paper(names: tuple[str, str], of_hidden: int) -> dict[str, float]:
    if of_hidden:
        return {f"occluded.author.{key}": value for key, value in PAPER_OCCLUDED[names[1]].items()}
    return {f"author.{key}": value for key, value in PAPER_ROWS[names[0]].items()}


def _same(same: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> str:
    heads = [f"{group}: {what}" for group in GROUPS for what in ("MPJPE", "PA", "root")]
    lines = []
    for name, groups in same.items():
        cells = []
        for group in GROUPS:
            f = groups[group]
            both = f"{cell(f['mpjpe_mm_ours'])} / {cell(f['mpjpe_mm_theirs'])}, {f['person_frames']:,}"
            cells.append(f"{_change(f['mpjpe_mm_change'])} ({both})")
            cells += [_change(f["pa_mpjpe_mm_change"]), _change(f["root_mm_change"])]
        lines.append([f"full against {_plain(name)}", *cells])
    return markdown_table(["on the same person-frames", *heads], lines)


def _change(value: float | None) -> str:
    return "-" if value is None else f"{100.0 * value:+.1f} %"


def _plain(name: str) -> str:
    return f"**{name}**" if name == FULL else name.replace("-", " ")
