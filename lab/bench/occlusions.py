"""Long occlusions: crowds made for them, and what the engine makes of those who are gone for seconds.

Forty people who mostly walk, for 24 s, along and around the tall screens of a `colonnade`, seen from above and along
the ground: some hundred times somebody who stays in the picture is out of sight for two to six seconds. Figures are
pooled over the cameras (a gap is a gap, whatever the camera), identity is the mean over them. Nothing was tuned on
these seeds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..evaluate.long_occlusions import ERRORS
from ..evaluate.table import cell
from ..virtualcrowd.config import CrowdConfig
from .markdown import markdown_table, means_of
from .metric import Direction, Metric
from .suite import FULL, SuiteCase

OCCLUSIONS = tuple(
    CrowdConfig.model_validate(
        {
            "scene": "colonnade", "people": 40, "seconds": 24.0, "seed": seed, "children": 0.05, "grouped": 0.25,
            "talkers": 0.03, "queuers": 0.0, "waiting": 0.02, "returners": 0.3,
        }
    )
    for seed in (41, 42, 43)
)  # fmt: skip
"""Three crowds, six cameras."""
ROWS = (FULL, "without-stitching", "without-amc", "without-refine")
"""Rows of the suite that say something about long occlusions."""
BEGIN, END = "<!-- occlusions:begin -->", "<!-- occlusions:end -->"
HIGHER, LOWER, NEITHER = Direction.HIGHER, Direction.LOWER, Direction.NEITHER

_FIGURES: Mapping[str, tuple[str, Direction, float, float]] = {
    "gaps": ("count", NEITHER, 0.0, 0.0),
    "tracked": ("count", NEITHER, 0.0, 0.0),
    "rejoined_share": ("share", HIGHER, 0.0, 0.03),
    "stitched": ("count", NEITHER, 0.0, 0.0),
    "stitched_wrong_share": ("share", LOWER, 0.0, 0.01),
    "bridged": ("count", NEITHER, 0.0, 0.0),
    "bridged_wrong_share": ("share", NEITHER, 0.0, 0.0),
    "with_body": ("share", HIGHER, 0.0, 0.03),
    "compared": ("count", NEITHER, 0.0, 0.0),
    **{name: ("mm", LOWER, 0.05, 0.0) for name in ERRORS},
    **{f"straight_{name}": ("mm", NEITHER, 0.05, 0.0) for name in ERRORS},
}
"""Name -> unit, direction, tolerances (relative, absolute)."""
_IDENTITY = ("identity.idf1", "identity.hota", "identity.ground.idf1", "identity.ground.hota")
_COUNTS = ("gaps", "tracked", "rejoined", "person_frames", "compared", "stitched", "stitched_nobody",
           "stitched_wrong", "bridged", "bridged_nobody", "bridged_wrong")  # fmt: skip


def pooled(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One part `long_occlusions` of several cameras: counts added, means weighted by what they are means of."""
    out: dict[str, Any] = {
        name: sum(int(part[name]) for part in parts)
        for name in _COUNTS
        if all(name in part for part in parts)
    }
    out["rejoined_share"] = _share(out["rejoined"], out["tracked"])
    for name in ("stitched", "bridged"):
        if name in out:
            out[f"{name}_wrong_share"] = _share(out[f"{name}_wrong"], out[name] - out[f"{name}_nobody"])
    out["with_body"] = _mean(parts, "with_body", "person_frames")
    for name in (*ERRORS, *(f"straight_{name}" for name in ERRORS)):
        out[name] = _mean(parts, name, "compared")
    lengths = [part["by_length"] for part in parts if "by_length" in part]
    if lengths:
        out["by_length"] = {key: pooled([each[key] for each in lengths]) for key in lengths[0]}
    return out


def occlusion_metrics(rows: Mapping[str, Sequence[SuiteCase]], prefix: str = "occlusions") -> list[Metric]:
    """Of every row; only the whole is gated."""
    out = []
    for name, cases in rows.items():
        whole = pooled([case.report["long_occlusions"] for case in cases])
        for key, (unit, direction, relative, absolute) in _FIGURES.items():
            if whole.get(key) is not None:
                towards = direction if name == FULL else NEITHER
                out.append(
                    Metric(f"{prefix}.{name}.{key}", float(whole[key]), unit, towards, relative, absolute)
                )
        mean = means_of(cases)
        for key in _IDENTITY:
            value = mean(key)
            if value is not None:
                towards = HIGHER if name == FULL else NEITHER
                out.append(Metric(f"{prefix}.{name}.{key}", value, "share", towards, 0.0, 0.01))
    return out


def section(rows: Mapping[str, Sequence[SuiteCase]], machine: str) -> str:
    """Markdown of all rows, and of the whole by length of the gap."""
    full = pooled([case.report["long_occlusions"] for case in rows[FULL]])
    words = (
        f"Written by `crowdstream bench occlusions --docs docs/results.md`; {machine}. {len(rows[FULL])} cameras of\n"
        "a colonnade, 40 people each for 24 s. A gap: a person in the picture is sighted for a second, then not for 2\n"
        f"to 6 s, then for a second again; {full['gaps']} gaps, {full['tracked']} of people who were followed on both\n"
        "sides. Rejoined: under the same identity after as before. Wrong: joins of two different people, of those\n"
        "whose both sides are somebody; stitched: joins of the stitcher, bridged: tracks that the tracker itself\n"
        "took up again after a second or more. Goals: 85 % rejoined at 3 % wrong joins."
    )
    about_errors = (
        "Errors are those of published bodies inside rejoined gaps; straight: on the same person-frames, the root\n"
        "straight and each joint evenly from the engine's own last body to its first one after."
    )
    return "\n\n".join(("## Long occlusions", words, _rows(rows), _lengths(full), about_errors))


def _rows(rows: Mapping[str, Sequence[SuiteCase]]) -> str:
    heads = ["", "rejoined %", "stitched", "wrong %", "bridged", "wrong %", "IDF1", "HOTA", "IDF1 ground",
             "HOTA ground", "with body %", "root mm", "MPJPE mm", "world mm"]  # fmt: skip
    lines = []
    for name, cases in rows.items():
        p, mean = pooled([case.report["long_occlusions"] for case in cases]), means_of(cases)
        lines.append([
            name.replace("-", " "), cell(p["rejoined_share"], 100.0), str(p["stitched"]),
            cell(p["stitched_wrong_share"], 100.0), str(p["bridged"]), cell(p["bridged_wrong_share"], 100.0),
            *(cell(mean(key), 1.0, 3) for key in _IDENTITY), cell(p["with_body"], 100.0),
            *(cell(p[key], 1.0, 0) for key in ERRORS),
        ])  # fmt: skip
    return markdown_table(heads, lines)


def _lengths(full: Mapping[str, Any]) -> str:
    heads = ["length of the gap", "gaps", "followed", "rejoined %", "with body %", "compared",
             *(f"{what} mm, straight" for what in ("root", "MPJPE", "world"))]  # fmt: skip
    lines = []
    for name, p in {**full["by_length"], "**2-6 s**": full}.items():
        both = (f"{cell(p[key], 1.0, 0)}, {cell(p[f'straight_{key}'], 1.0, 0)}" for key in ERRORS)
        lines.append([
            name, str(p["gaps"]), str(p["tracked"]), cell(p["rejoined_share"], 100.0), cell(p["with_body"], 100.0),
            str(p["compared"]), *both,
        ])  # fmt: skip
    return markdown_table(heads, lines)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _mean(parts: Sequence[Mapping[str, Any]], name: str, weight: str) -> float | None:
    known = [
        (float(part[name]), int(part[weight])) for part in parts if part[name] is not None and part[weight]
    ]
    total = sum(w for _, w in known)
    return sum(value * w for value, w in known) / total if total else None
