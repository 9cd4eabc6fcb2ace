"""What a checkpoint holds: enough for the next engine to go on where this one was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class CameraCheckpoint:
    """One camera. The bytes are the stages' own snapshots, and mean nothing here."""

    next_index: int = 0
    """Every frame before this one is in the states; a recording goes on with it."""
    t_capture_ns: int = 0
    """Of the newest frame before it."""
    perception: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Of `PerceptionStage.memory`."""
    site: bytes = b""
    """Of `SiteStage`; empty before the first."""
    solver: bytes = b""
    """Of `Reconstructor`."""
    refiner: bytes = b""
    """Of `RefineStage`; empty: it begins with what the log holds."""
    more: Mapping[str, bytes] = field(default_factory=dict)
    """What the engine keeps of its own."""


@dataclass(frozen=True)
class Checkpoint:
    """The engine at one moment, between two frames."""

    engine: str
    """Version of the engine that wrote it."""
    config: str
    """Hash of the settings that shape results (`config_hash`)."""
    session: str
    log_bytes: int
    """Length of the log then: everything before is on the disk, and may go beyond what the states know."""
    seqs: Mapping[str, int]
    """Last number of each topic then."""
    cameras: Mapping[str, CameraCheckpoint]
    plan: Mapping[str, object] = field(default_factory=dict)
    """Facts of the run as plain values: sources without credentials, pace, rate."""
    written_ns: int = 0
    """Wall clock, ns since 1970."""
