"""The evaluation as people read it on a terminal: our row over the paper's, and what else was counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from .paper import DATA_DIFFER, PAPER_OCCLUDED, PAPER_ROWS

COLUMNS = (
    ("ppds", "PPDS", 100.0, 1),
    ("pa_ppds", "PA-PP", 100.0, 1),
    ("pcod", "PCOD", 100.0, 1),
    ("mpjpe_mm", "MPJPE", 1.0, 1),
    ("pa_mpjpe_mm", "PA", 1.0, 1),
    ("wa_mpjpe_mm", "WA", 1.0, 1),
    ("w_mpjpe_mm", "W", 1.0, 1),
    ("accel", "ACCEL", 1.0, 1),
)
"""Key, heading, factor (shares are shown as percent), digits; lengths in mm."""
CORRECTED_ROWS = (
    ("recall", "recall, %", 100.0, 1),
    ("precision", "precision, %", 100.0, 1),
    ("ppds", "PPDS, %", 100.0, 1),
    ("pa_ppds", "PA-PPDS, %", 100.0, 1),
    ("pcod", "PCOD (3 classes), %", 100.0, 1),
    ("oks", "OKS, visible keypoints, %", 100.0, 1),
    ("mpjpe_mm", "MPJPE, mm", 1.0, 1),
    ("pa_mpjpe_mm", "PA-MPJPE, mm", 1.0, 1),
    ("wa_mpjpe_mm", "WA-MPJPE, 100 frames, world, mm", 1.0, 1),
    ("w_mpjpe_mm", "W-MPJPE, 100 frames, world, mm", 1.0, 1),
    ("world_mpjpe_mm", "joints in the world, mm", 1.0, 1),
    ("root_mm", "root in the world, mm", 1.0, 1),
    ("ground_m", "ground point, m", 1.0, 3),
    ("rte_percent", "RTE, %", 1.0, 2),
    ("accel", "ACCEL, mm/frame2", 1.0, 2),
    ("jitter", "jitter, 10 m/s3", 1.0, 2),
    ("jitter_true", "jitter of the truth, 10 m/s3", 1.0, 2),
    ("foot_sliding_mm", "foot sliding, mm", 1.0, 1),
)
"""Key, words, factor, digits."""
_NAME_WIDTH = 22
"""What eight columns of numbers leave of a terminal of 80."""

Numbers = Mapping[str, Any]
Columns = Sequence[tuple[str, str, float, int]]


def print_tables(results: Mapping[str, Any], console: Console) -> None:
    """Everything a person asks first; the rest is in --json and --html."""
    if "author" in results:
        hidden = results.get("occluded") or {}
        console.print(_profile("author profile", {"crowdstream": results["author"]}, PAPER_ROWS, COLUMNS))
        console.print(
            _profile("author profile, occluded people", {"crowdstream": hidden.get("author") or {}},
                     PAPER_OCCLUDED, COLUMNS[3:5])
        )  # fmt: skip
        console.print(DATA_DIFFER, style="italic", soft_wrap=True)
        ours = {"all": results["corrected"], "occluded": hidden.get("corrected") or {}}
        if results.get("corrected_aligned"):
            ours["all, world aligned"] = results["corrected_aligned"]
        console.print(_corrected(ours))
    console.print(_pairs("identity", _identity(results.get("identity") or {})))
    if results.get("streaming"):
        console.print(_pairs("streaming", _streaming(results["streaming"])))
    if (results.get("long_occlusions") or {}).get("gaps"):
        console.print(_pairs("hidden for 2 to 6 s", _gaps(results["long_occlusions"])))
    if (results.get("refined") or {}).get("revisions"):
        console.print(_pairs("refined", _refined(results["refined"])))
    if results.get("ground"):
        console.print(_pairs("ground", {f"error {k}": f"{v:.3f} m" for k, v in results["ground"].items()
                                        if k != "count"}))  # fmt: skip
    console.print(_pairs("counted", _counted(results)))


def cell(value: Any, factor: float = 1.0, digits: int = 1) -> str:
    """A number as text; a dash for none."""
    return "-" if not isinstance(value, int | float) else f"{factor * value:.{digits}f}"


def _profile(
    title: str, ours: Mapping[str, Numbers], others: Mapping[str, Numbers], columns: Columns
) -> Table:
    table = _table(title)
    table.add_column("", no_wrap=True, max_width=_NAME_WIDTH, overflow="ellipsis")
    for _, heading, _, _ in columns:
        table.add_column(heading, justify="right", no_wrap=True, min_width=max(len(heading), 5))
    for name, row in ours.items():
        table.add_row(name, *(cell(row.get(key), by, n) for key, _, by, n in columns), style="bold")
    for name, row in others.items():
        table.add_row(name, *(cell(row.get(key), by, n) for key, _, by, n in columns))
    return table


def _corrected(ours: Mapping[str, Numbers]) -> Table:
    table = Table(
        title="corrected profile", title_justify="left", box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0)
    )
    table.add_column("", no_wrap=True)
    for name in ours:
        table.add_column(name, justify="right", no_wrap=True)
    for key, words, by, digits in CORRECTED_ROWS:
        table.add_row(words, *(cell(row.get(key), by, digits) for row in ours.values()))
    return table


def _table(title: str, header: bool = True) -> Table:
    return Table(
        title=title, title_justify="left", show_header=header, box=SIMPLE_HEAD, pad_edge=False,
        padding=(0, 1, 0, 0),
    )  # fmt: skip


def _pairs(title: str, rows: Mapping[str, str]) -> Table:
    table = Table(
        title=title,
        title_justify="left",
        show_header=False,
        box=SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    for name, value in rows.items():
        table.add_row(name, value)
    return table


def _identity(identity: Numbers) -> dict[str, str]:
    out = {}
    parts = (("tracks, in the picture", identity), ("on the ground (1 m)", identity.get("ground") or {}),
             ("live rows alone", identity.get("live") or {}))  # fmt: skip
    for name, part in parts:
        if part:
            out[name] = (
                f"IDF1 {cell(part.get('idf1'), 1, 3)}  MOTA {cell(part.get('mota'), 1, 3)}  "
                f"HOTA {cell(part.get('hota'), 1, 3)}  switches {part.get('switches')}"
            )
    return out


def _streaming(streaming: Numbers) -> dict[str, str]:
    out = {}
    for delay, at in (streaming.get("at_delay") or {}).items():
        out[f"after {delay}"] = (
            f"known {cell(at.get('coverage'), 100, 0)} %  body {cell(at.get('coverage_bodies'), 100, 0)} %  "
            f"ground {cell(at.get('ground_mm'), 1, 0)} mm  MPJPE {cell(at.get('mpjpe_mm'), 1, 0)} mm"
        )
    for tier, lag in (streaming.get("latency_ms") or {}).items():
        out[f"latency of {tier}"] = "  ".join(f"{name} {cell(value, 1, 0)} ms" for name, value in lag.items())
    revisions = streaming.get("revisions") or {}
    out["revisions, joints"] = (
        f"median {cell(revisions.get('step_joints_median_mm'))} mm  p95 {cell(revisions.get('step_joints_p95_mm'))} mm"
    )
    out["infilled, guided"] = (
        f"{cell(streaming.get('infilled'), 100)} %, {cell(streaming.get('guided'), 100)} %"
    )
    return out


def _gaps(found: Numbers) -> dict[str, str]:
    rejoined = f"{cell(found.get('rejoined_share'), 100, 0)} % of {found['tracked']} people who were followed"
    out = {"the same person again": rejoined}
    for name, words in (("stitched", "joins"), ("bridged", "taken up by the tracker")):
        out[words] = f"{found[name]}, wrong {cell(found.get(f'{name}_wrong_share'), 100)} %"
    out["with a body meanwhile"] = f"{cell(found.get('with_body'), 100, 0)} %"
    for key, words in (("root_mm", "root"), ("mpjpe_mm", "MPJPE")):
        out[words] = (
            f"{cell(found.get(key), 1, 0)} mm, going straight {cell(found.get(f'straight_{key}'), 1, 0)} mm"
        )
    return out


def _refined(refined: Numbers) -> dict[str, str]:
    out = {"bodies revised": f"{cell(refined.get('bodies_revised'), 100)} %"}
    for cause, row in (refined.get("by_cause") or {}).items():
        if row["person_segments"]:
            out[cause.replace("_", " ")] = (
                f"{row['person_segments']} person-segments, moved by {cell(row['changed_mm'], 1, 0)} mm"
            )
    out["tracks joined, taken apart"] = f"{refined['merges']}, {refined['splits']}"
    return out


def _counted(results: Mapping[str, Any]) -> dict[str, str]:
    counts, speed = results.get("counts") or {}, results.get("speed") or {}
    out = {str(key).replace("_", " "): str(value) for key, value in counts.items() if key != "drops"}
    if speed.get("person_frames_per_s"):
        out["person-frames a processor second"] = (
            f"{speed['person_frames_per_s']:.0f} (solve alone {speed['solve_person_frames_per_s']:.0f})"
        )
    for key, value in (results.get("calibration") or {}).items():
        out[f"calibration {key}"] = value if isinstance(value, str) else f"{value:.4f}"
    return out
