"""What the metrics are called, their units, what they mean in a line, and in which order they are read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SHARES = frozenset(
    {
        "ppds", "pa_ppds", "pcod", "pcod_sign_or_near", "pcdr", "oks", "oks_all", "ss", "rp", "score",
        "precision", "recall", "f1", "idf1", "idp", "idr", "mota", "motp", "hota", "deta", "assa", "loca",
        "coverage", "coverage_bodies", "placed", "revised", "interpolated", "infilled", "guided", "dropped_frames",
        "focal_error_share", "height_error_share", "rejoined_share", "stitched_wrong_share", "bridged_wrong_share",
        "with_body", "bodies_revised",
    }
)  # fmt: skip
"""Kept as shares, shown as percent."""

_NAMES = {
    "ppds": "PPDS", "pa_ppds": "PA-PPDS", "ss": "SS", "pcod": "PCOD", "pcod_sign_or_near": "PCOD, sign or near",
    "pcdr": "PCDR(0.2)", "oks": "OKS", "oks_all": "OKS, hidden too", "rp": "RP", "score": "score", "f1": "F1",
    "mpjpe_mm": "MPJPE", "rt_mpjpe_mm": "RT-MPJPE", "pa_mpjpe_mm": "PA-MPJPE", "gmpjpe_mm": "GMPJPE",
    "world_mpjpe_mm": "MPJPE-world", "wa_mpjpe_mm": "WA-MPJPE", "w_mpjpe_mm": "W-MPJPE",
    "wa_track_mpjpe_mm": "WA-MPJPE, track", "w_track_mpjpe_mm": "W-MPJPE, track",
    "seq_t_mpjpe_mm": "SEQ-T-MPJPE", "seq_rt_mpjpe_mm": "SEQ-RT-MPJPE", "seq_pa_mpjpe_mm": "SEQ-PA-MPJPE",
    "accel": "ACCEL", "accel_m_s2": "ACCEL", "accel_root": "ACCEL, root", "jerk": "JERK", "jerk_root": "JERK, root",
    "rte_percent": "RTE", "rte_mm": "RTE", "idf1": "IDF1", "idp": "IDP", "idr": "IDR", "mota": "MOTA", "motp": "MOTP",
    "hota": "HOTA", "deta": "DetA", "assa": "AssA", "loca": "LocA", "root_mm": "root", "ground_mm": "ground point",
    "ground_median_mm": "ground point, median",
    "ground_m": "ground point", "ground_median_m": "ground point, median", "velocity_m_s": "velocity",
    "velocity_root_m_s": "velocity, root", "jitter_true": "jitter of the truth",
    "num_true": "true person-frames", "num_predicted": "found person-frames", "num_matched": "matched",
    "person_frames_per_s": "person-frames a second", "coverage": "any version", "coverage_bodies": "with a body",
    "placed": "within 0.3 m", "switches": "IDSW", "fragments": "Frag", "misses": "FN", "false_positives": "FP",
    "mostly_tracked": "MT", "mostly_lost": "ML", "false_versions": "rows that are nobody",
    "late_versions": "rows too late to score", "retracted": "person-frames taken back",
    "gaps": "long gaps", "tracked": "of them followed on both sides", "rejoined": "of these rejoined",
    "rejoined_share": "rejoined", "with_body": "person-frames in gaps with a body",
    "compared": "person-frames compared", "stitched": "joins", "stitched_nobody": "joins with a false track",
    "stitched_wrong": "wrong joins", "stitched_wrong_share": "wrong joins",
    "bridged": "tracks taken up again by the tracker", "bridged_nobody": "of them false tracks",
    "bridged_wrong": "of them wrong", "bridged_wrong_share": "wrong of those",
    "straight_root_mm": "root, going straight", "straight_mpjpe_mm": "MPJPE, going straight",
    "world_mm": "joints in the world", "straight_world_mm": "joints in the world, going straight",
    "bodies_revised": "bodies that are a revision's", "changed_mm": "joints moved", "revised": "person-frames revised",
    "step_ground_median_mm": "ground point, each step, median", "step_ground_p95_mm": "ground point, each step, p95",
    "step_joints_median_mm": "joints, each step, median", "step_joints_p95_mm": "joints, each step, p95",
    "whole_ground_median_mm": "ground point, first to last, median",
    "whole_ground_p95_mm": "ground point, first to last, p95",
    "whole_joints_median_mm": "joints, first to last, median", "whole_joints_p95_mm": "joints, first to last, p95",
}  # fmt: skip

_UNITS = {
    "rte_percent": "%", "accel_m_s2": "m/s²", "jitter": "10 m/s³", "jitter_true": "10 m/s³",
    "velocity_m_s": "m/s", "velocity_root_m_s": "m/s",
}  # fmt: skip
_ENDINGS = {"_mm": "mm", "_ms": "ms", "_m": "m", "_s": "s", "_px": "px", "_deg": "°"}

GROUPS: Mapping[str, tuple[str, ...]] = {
    "Found": ("precision", "recall", "f1", "rp"),
    "Placement": ("ppds", "pa_ppds", "ss", "pcod", "pcod_sign_or_near", "pcdr", "oks", "oks_all", "score"),
    "In the world": (
        "ground_m", "ground_median_m", "root_mm", "world_mpjpe_mm", "gmpjpe_mm", "wa_mpjpe_mm", "w_mpjpe_mm",
        "wa_track_mpjpe_mm", "w_track_mpjpe_mm", "rte_percent", "rte_mm",
    ),
    "Pose": ("mpjpe_mm", "rt_mpjpe_mm", "pa_mpjpe_mm", "seq_t_mpjpe_mm", "seq_rt_mpjpe_mm", "seq_pa_mpjpe_mm"),
    "Motion": (
        "accel", "accel_root", "accel_m_s2", "jerk", "jerk_root", "velocity_m_s", "velocity_root_m_s", "jitter",
        "jitter_true", "foot_sliding_mm",
    ),
}  # fmt: skip
"""The order in which the many figures of a profile are read; others come last."""

MEANINGS: Mapping[str, str] = {
    "recall": "true person-frames that were found",
    "precision": "found person-frames that are true",
    "ppds": "distances between people, pair by pair",
    "pa_ppds": "the same after the best similarity: hides a wrong scale",
    "pcod": "pairs in the right order of depth",
    "oks": "keypoints in the picture",
    "ground_m": "where people stand, mean",
    "ground_median_m": "half of them are nearer than this",
    "world_mpjpe_mm": "joints where they stand",
    "wa_mpjpe_mm": "joints, whole stretches aligned at once",
    "w_mpjpe_mm": "joints, aligned on the first two samples only",
    "rte_percent": "the root's way, of its length",
    "mpjpe_mm": "joints, pelvises put together",
    "pa_mpjpe_mm": "joints, after the best similarity of each body",
    "accel": "second differences of joints",
    "jitter": "of the result alone; compare with that of the truth",
    "jitter_true": "",
    "foot_sliding_mm": "a frame, while the true foot stands",
}
"""The chief figures in a line each; the others are shown on demand."""


def name_of(key: str) -> str:
    """What to call a metric: its custom name, or its key in plain words without the unit."""
    if key in _NAMES:
        return _NAMES[key]
    end = _ending(key)
    return plain(key[: -len(end)] if end else key)


def unit_of(key: str, profile: str = "") -> str:
    """Its unit, or nothing. ACCEL and JERK have units by profile; the authors' ACCEL has one of its own."""
    if key in SHARES:
        return "%"
    if profile == "corrected" and key in ("accel", "accel_root"):
        return "mm/frame²"
    if profile == "corrected" and key in ("jerk", "jerk_root"):
        return "mm/frame³"
    return _UNITS.get(key) or _ENDINGS.get(_ending(key), "")


def plain(key: Any) -> str:
    """A key in plain words."""
    return str(key).replace("_", " ")


def in_order(keys: list[str]) -> dict[str, list[str]]:
    """The keys by group, in the order of `GROUPS`; those of no group last."""
    out = {group: [k for k in members if k in keys] for group, members in GROUPS.items()}
    known = {k for members in out.values() for k in members}
    out["Counted"] = [k for k in keys if k not in known]
    return {group: members for group, members in out.items() if members}


def _ending(key: str) -> str:
    if key.endswith("_per_s"):
        return ""
    return next((end for end in _ENDINGS if key.endswith(end)), "")
