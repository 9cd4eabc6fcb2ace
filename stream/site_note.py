"""A word of a site to its operator."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SiteNote:
    """Something an operator wants to know: a calibration that stands, or why there is none."""

    kind: str
    """uncalibrated (why not) | calibrating (could be taken, gets better with more people) | calibrated"""
    text: str
    t_capture_ns: int
