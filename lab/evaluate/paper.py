"""The rows of the paper that our table stands beside: DyCrowd on its VirtualCrowd, authors' profile.

Source: DyCrowd (tables of the evaluation on VirtualCrowd and of the ablations) and the public re-runs that
hjlib prints for the same data. Placement scores are shares here (the paper prints percent), lengths
millimetres, ACCEL in the authors' own unit. That data set cannot be had, so **the data differ from ours**:
crowds, cameras, bodies and detectors are others, and a row above or below one of these proves nothing by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

DATA_DIFFER = (
    "The paper's rows were measured on its own VirtualCrowd, which is not public; ours on the virtual crowds of this "
    "project. Crowds, cameras, bodies and detectors differ, so the rows show the order of size, not who is better."
)

PAPER_METRICS = (
    "ppds",
    "pa_ppds",
    "pcod",
    "mpjpe_mm",
    "pa_mpjpe_mm",
    "wa_mpjpe_mm",
    "w_mpjpe_mm",
    "accel",
)


def _row(pa_ppds: float, pcod: float, *rest: float, ppds: float | None = None) -> Mapping[str, float]:
    values = {} if ppds is None else {"ppds": ppds / 100}
    values |= {"pa_ppds": pa_ppds / 100, "pcod": pcod / 100}
    return MappingProxyType(values | dict(zip(PAPER_METRICS[3:], rest, strict=False)))


PAPER_ROWS: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        "Crowd3D": _row(87.98, 91.11, 122.99, 73.70),
        "GroupRec": _row(75.04, 86.22, 89.04, 58.98, 82.20, 94.34, 165.50),
        "DyCrowd without C.G.M. (per-person fit)": _row(89.15, 92.18, 86.87, 61.27, 80.23, 88.57, 73.33),
        "DyCrowd without AMC": _row(89.12, 92.19, 70.22, 49.02, 69.41, 83.35, 15.08),
        "DyCrowd": _row(89.10, 92.20, 69.74, 48.57, 68.99, 83.39, 15.72),
        "SLAHMR-Large*": _row(87.95, 90.34, 106.35, 69.41, 90.10, 108.40, 12.25),
        "DyCrowd* (true tracks)": _row(91.23, 95.38, 68.81, 45.34, 65.91, 80.34, 15.53, ppds=84.66),
        "Crowd4D (hjlib)": _row(92.38, 95.57, 59.35, 44.36, 63.98, 73.32, 12.93, ppds=91.43),
    }
)
"""Everybody, author profile: name -> metric -> value; * as the paper stars it. PPDS only where a re-run gave it."""

PAPER_OCCLUDED: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        "DyCrowd, per-person fit": MappingProxyType({"mpjpe_mm": 73.01, "pa_mpjpe_mm": 60.20}),
        "DyCrowd, with the motion prior": MappingProxyType({"mpjpe_mm": 67.17, "pa_mpjpe_mm": 56.77}),
        "DyCrowd, with AMC": MappingProxyType({"mpjpe_mm": 66.09, "pa_mpjpe_mm": 56.21}),
    }
)
"""Occluded people, author profile."""

PAPER_SPEED: Mapping[str, tuple[float, str]] = MappingProxyType(
    {
        "DyCrowd": (1.4, "100 people x 200 frames in about 4 h, RTX 3090"),
        "SLAHMR-Large": (0.17, "25 people x 200 frames in about 8 h"),
    }
)
"""Person-frames a second and what was run, as the paper says."""
