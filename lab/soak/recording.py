"""The replay that scenarios disturb: the shipped clip, as often as a run is to be long; and its undisturbed log."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.video.stream import VideoStream

from .engine import Engine
from .same_log import LogDigest, digest

ROOT = Path(__file__).resolve().parents[2]
CLIP = ROOT / "actors" / "demo_clip" / "plaza.mp4"
CALIBRATION = CLIP.with_suffix(".json")
CLIP_SECONDS = 10.0
START_S = 600.0
"""The first run on a machine compiles for minutes before its first frame."""
SLOWEST = 40.0
"""No machine takes longer than so many times the length of the recording."""

EASY = (
    "perception.detect_stride=5", "perception.pose_rate_hz=5", "perception.pose_budget=8", "window.hop=64",
)  # fmt: skip
"""What two cores play as it was filmed, with something to spare."""


@dataclass(frozen=True)
class Recording:
    """How the clip is replayed."""

    video: Path = CLIP
    seconds: float = CLIP_SECONDS
    runtime: str = "ray"
    pace: str = "max"
    settings: tuple[str, ...] = ()
    """Of --set, beside those that make logs comparable."""

    def arguments(self, log: Path | None, *more: str, listen: str = "none") -> list[str]:
        """Of `crowdstream`, for a run whose bytes depend on nothing but the recording."""
        settings = (
            "publish.clock=capture",
            "publish.session=soak",
            "health.listen=''",
            *self.settings,
        )
        found = ["run", str(self.video), "--calibration", str(CALIBRATION), "--config", "replay"]
        found += ["--runtime", self.runtime, "--pace", self.pace, "--listen", listen, "--json"]
        for setting in settings:
            found += ["--set", setting]
        return found + (["--record", str(log)] if log is not None else []) + list(more)

    @property
    def patience_s(self) -> float:
        return START_S + SLOWEST * self.seconds


@dataclass(frozen=True)
class Undisturbed:
    """What the disturbed runs are held against."""

    log: LogDigest
    bytes: int
    summary: dict[str, Any]


def record_undisturbed(recording: Recording, out: Path) -> Undisturbed:
    """One run from beginning to end.

    Raises:
        SoakFault: it fails by itself.
    """
    log = out / "undisturbed.cslog"
    with Engine(recording.arguments(log), out, "undisturbed") as engine:
        summary = engine.finish(recording.patience_s)
    return Undisturbed(digest(log), log.stat().st_size, summary)


def looped(recording: Recording, seconds: float, out: Path) -> Recording:
    """The same with a video of at least so many seconds: the clip's packets again and again, nothing encoded.

    People jump back where the clip begins anew; to the engine that is a crowd that left, and another.
    """
    times = max(1, -(-int(seconds) // int(recording.seconds)))
    if times == 1:
        return recording
    target = out / f"{recording.video.stem}-{times}.mp4"
    with av.open(str(recording.video)) as source, av.open(str(target), "w") as sink:
        stream: VideoStream = source.streams.video[0]
        copy = sink.add_stream_from_template(stream)
        rate = stream.average_rate or Fraction(25)
        tick = stream.time_base or Fraction(1, 12800)
        length = round(stream.frames / rate / tick)
        for turn in range(times):
            source.seek(0)
            for packet in source.demux(stream):
                if packet.dts is None or packet.pts is None:
                    continue
                packet.pts += turn * length
                packet.dts += turn * length
                packet.stream = copy
                sink.mux(packet)
    return replace(recording, video=target, seconds=times * recording.seconds)


def size_of(path: Path) -> int:
    """Bytes of a log that may not be there yet."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def has_grown_to(path: Path, size: float) -> Callable[[], bool]:
    """Whether a log has so many bytes, asked whenever it is called."""
    return lambda: size_of(path) >= size


def summary_in(text: str) -> dict[str, Any]:
    """The JSON a run printed; empty where it printed none."""
    try:
        return dict(json.loads(text))
    except ValueError:
        return {}
