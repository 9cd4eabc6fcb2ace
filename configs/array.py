"""`array.yaml`: the cameras of one engine, each with a name, an address and what is known of it.

cameras:
  - name: gate
    source: rtsp://user:${GATE_PASSWORD}@10.0.0.7/stream1
    calibration: gate.json          # beside this file; optional
    role: bodies                    # bodies (default) | tracks | watch
    source_options: {...}           # any of the settings `source`
    live: {transport: udp}          # any of the settings `live`
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any


class CameraRole(StrEnum):
    """What a camera is for."""

    BODIES = "bodies"
    """Everything: tracks, windows, bodies, refinement."""
    TRACKS = "tracks"
    """Who is where, without bodies: the live tier alone."""
    WATCH = "watch"
    """Decoded and timed, not looked at: its health is published, nobody in it."""


@dataclass(frozen=True)
class CameraEntry:
    """One camera of an array. Its name is the name of its site: of the topics `live.<name>` and so on."""

    name: str
    source: str = field(repr=False)
    """As `crowdstream run` takes it; may hold credentials, so it is never printed as it is."""
    calibration: Path | None = None
    role: CameraRole = CameraRole.BODIES
    source_options: dict[str, Any] = field(default_factory=dict)
    """Changes of `source` settings for this camera."""
    live: dict[str, Any] = field(default_factory=dict)
    """Changes of `live` settings for this camera."""
