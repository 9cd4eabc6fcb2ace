"""The figures of `streaming` as records, and as the plain tables that a report shows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from .log_histogram import LogHistogram

Array = np.ndarray
Figures = dict[str, float | int | None]

PERCENTILES = (50, 95, 99)
TOLD_DELAYS_S = (0.1, 0.3, 1.0, 3.0, 10.0)
"""Delays shown in the table; the whole curve is drawn."""


@dataclass(frozen=True)
class DelayCurve:
    """Figures of the newest version by delay after capture (see `streaming`); NaN where nothing is held yet."""

    t_ms: Float[Array, "K"]
    coverage: Float[Array, "K"]
    coverage_bodies: Float[Array, "K"]
    placed: Float[Array, "K"]
    ground_mm: Float[Array, "K"]
    ground_median_mm: Float[Array, "K"]
    mpjpe_mm: Float[Array, "K"]

    def as_dict(self) -> dict[str, list[float | None]]:
        """For the drawing `error_by_latency` of a report."""
        names = ("t_ms", "ground_mm", "ground_median_mm", "mpjpe_mm", "coverage", "coverage_bodies", "placed")
        return {name: [_plain(float(v)) for v in getattr(self, name)] for name in names}


@dataclass(frozen=True)
class RevisionScores:
    """What later versions changed. Distances of joints are means over the 24, in the world, mm."""

    step_ground: LogHistogram
    """From each version held to the one that replaced it: the ground point."""
    step_joints: LogHistogram
    """The same of the body, where both have one."""
    whole_ground: LogHistogram
    """From the first version to the last, of person-frames with several."""
    whole_joints: LogHistogram
    revised: float
    """Share of the person-frames with several versions of which one moved by more than 1 mm."""
    versions_per_person_frame: float
    identity_changes: int
    """Versions that gave a true person-frame another identity than the version before."""

    def as_dict(self) -> Figures:
        sizes = {
            "step_ground": self.step_ground, "step_joints": self.step_joints,
            "whole_ground": self.whole_ground, "whole_joints": self.whole_joints,
        }  # fmt: skip
        out: Figures = {
            "revised": _plain(self.revised),
            "versions_per_person_frame": _plain(self.versions_per_person_frame),
            "identity_changes": self.identity_changes,
        }
        for name, sizes_mm in sizes.items():
            out[f"{name}_median_mm"] = _plain(sizes_mm.quantile(0.5))
            out[f"{name}_p95_mm"] = _plain(sizes_mm.quantile(0.95))
        return out


@dataclass(frozen=True)
class StreamingScores:
    """Everything `StreamingScorer` counted. Ratios 0..1; NaN where there was nothing to count."""

    curve: DelayCurve
    revisions: RevisionScores
    latency: Mapping[str, LogHistogram]
    """Tier -> capture of the newest frame in a message to its availability, ms; each message once."""
    first_latency: Mapping[str, LogHistogram]
    """Tier -> capture to the first version of that tier, ms; each true person-frame once."""
    person_frames: int
    """Of the truth."""
    coverage: float
    """Share of them with a version in the end."""
    coverage_bodies: float
    ground_mm: float
    """Of the last versions."""
    mpjpe_mm: float
    interpolated: float
    """Share of last versions with a body whose slot had no observation of its own (`Provenance.INTERPOLATED`)."""
    infilled: float
    """Filled by the prior."""
    guided: float
    """Filled with the help of another segment."""
    dropped_frames: float
    late_versions: int
    """Rows that came after the horizon: counted, not scored."""
    false_versions: int
    """Rows that are nobody in truth."""
    retracted: int
    """Person-frames that were held when they were taken back."""

    def as_dict(self) -> dict[str, object]:
        """The part `streaming` of the results: figures, then tables."""
        names = (
            "person_frames", "coverage", "coverage_bodies", "ground_mm", "mpjpe_mm", "interpolated", "infilled",
            "guided", "dropped_frames", "late_versions", "false_versions", "retracted",
        )  # fmt: skip
        return {
            **{name: _plain(getattr(self, name)) for name in names},
            "at_delay": {f"{d:g} s": self._at(d) for d in TOLD_DELAYS_S},
            "revisions": self.revisions.as_dict(),
            "latency_ms": {tier: _percentiles(h) for tier, h in self.latency.items()},
            "first_ms": {tier: _percentiles(h) for tier, h in self.first_latency.items()},
        }

    def plots(self) -> dict[str, object]:
        """The drawings `error_by_latency` and `revision_mm` of a report."""
        edges, counts = self.revisions.step_joints.coarse()
        return {
            "error_by_latency": self.curve.as_dict(),
            "revision_mm": {"edges": edges.tolist(), "counts": counts.tolist()},
        }

    def _at(self, delay_s: float) -> Figures:
        """The curve at the largest of its delays that is not beyond the one asked for."""
        k = int(np.searchsorted(self.curve.t_ms, delay_s * 1e3 * (1 + 1e-9), side="right")) - 1
        names = ("coverage", "coverage_bodies", "placed", "ground_mm", "ground_median_mm", "mpjpe_mm")
        return {name: _plain(float(getattr(self.curve, name)[k])) if k >= 0 else None for name in names}


def _percentiles(histogram: LogHistogram) -> Figures:
    return {f"p{p}": _plain(histogram.quantile(p / 100)) for p in PERCENTILES}


def _plain(value: float | int) -> float | int | None:
    """As JSON has it: None for what is not a number."""
    return value if math.isfinite(value) else None
