"""The figures of a run, as `--summary` writes them and the last line tells them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .lane import Lane

STAGES = ("decode", "perception", "tracking", "solve", "refine", "publish")
TIERS = ("live", "window")
PERCENTILES = ("p50", "p95")
CHANGES = ("merge", "split")
REVISED = ("revisions", "gap_filled", "guided", "refined", "retracted")
"""Messages, and people in them by `RevisionCause`."""
WORDS = {
    "gap_filled": "given a body while hidden", "guided": "guided by others", "refined": "solved again",
    "retracted": "taken back",
}  # fmt: skip


def summarise(
    reports: Mapping[str, Sequence[Mapping[str, Any]]],
    elapsed_s: float,
    captured_s: float,
    runtime: str,
    address: str,
    lanes: Sequence[Lane] = (),
    lost: Mapping[str, int] | None = None,
) -> dict[str, Any]:
    """One flat tree of numbers from what the workers counted; every key is always there, and finite.

    Args:
        reports: what the workers' `stop` gave, by stage; nothing from one that did not answer.
        elapsed_s: wall time from the first frame asked for to the last message sent.
        captured_s: length of the recording that was processed, seconds of capture time.
        runtime: inline or ray.
        address: where subscribers could connect.
        lanes: the cameras, as the supervisor kept them.
        lost: workers that were lost and replaced, by stage.
    """
    sites = {
        name: site for report in reports.get("tracking", ()) for name, site in report.get("sites", {}).items()
    }
    publisher = next(iter(reports.get("publisher", ())), {})
    published = publisher.get("published", {})
    seconds: Counter[str] = Counter(dict.fromkeys(STAGES, 0.0))
    for report in (report for several in reports.values() for report in several):
        seconds.update(report.get("seconds", {}))
    cameras = reports.get("camera", ())
    frames = sum(int(site.get("frames", 0)) for site in sites.values())
    people = sum(site.get("people_mean", 0.0) * site.get("frames", 0) for site in sites.values())
    first: Mapping[str, Any] = next(iter(sites.values()), {})
    return {
        "frames": frames,
        "people_max": max((int(site.get("people_max", 0)) for site in sites.values()), default=0),
        "people_mean": round(_finite(people / frames if frames else 0.0), 3),
        "tracks": sum(int(site.get("tracks", 0)) for site in sites.values()),
        "windows": int(publisher.get("windows", 0)),
        "person_frames": int(publisher.get("person_frames", 0)),
        "elapsed_s": round(elapsed_s, 3),
        "captured_s": round(captured_s, 3),
        "realtime_factor": round(captured_s / elapsed_s, 4) if elapsed_s > 0 else 0.0,
        "stage_seconds": {name: round(value, 3) for name, value in sorted(seconds.items())},
        "drops": _drops(sites.values(), published, cameras, lanes),
        "identity": {change: int(published.get("identity", {}).get(change, 0)) for change in CHANGES},
        "refine": _refine(reports, published, lanes),
        "latency_ms": {
            tier: {
                p: round(_finite(published.get("latency_ms", {}).get(tier, {}).get(p, 0.0)), 3)
                for p in PERCENTILES
            }
            for tier in TIERS
        },
        "source": cameras[0].get("source", {}) if len(cameras) == 1 else {},
        "calibration": first.get("calibration", "") if len(sites) == 1 else "",
        "networks": next((r["networks"] for r in reports.get("perception", ()) if r.get("networks")), {}),
        "messages": published.get("messages", {}),
        "runtime": runtime,
        "address": address,
        "cameras": {lane.name: _camera(lane, sites.get(lane.name, {})) for lane in lanes},
        "replaced": {stage: int(count) for stage, count in sorted((lost or {}).items())},
    }


def _camera(lane: Lane, site: Mapping[str, Any]) -> dict[str, Any]:
    """One camera of the run."""
    return {
        "frames": int(lane.frames),
        "received": int(lane.received),
        "reconnects": int(lane.reconnects + lane.reopened),
        "state": "" if lane.state is None else str(lane.state),
        "tracks": int(site.get("tracks", 0)),
        "windows": int(lane.windows),
        "calibration": str(site.get("calibration", "")),
        "left_out": {cause: int(count) for cause, count in sorted(lane.source_counts.items()) if count},
    }


def _drops(
    sites: Iterable[Mapping[str, Any]],
    published: Mapping[str, Any],
    cameras: Sequence[Mapping[str, Any]],
    lanes: Sequence[Lane],
) -> dict[str, int]:
    """What was left out, by cause; a cause that never struck is not named."""
    drops: Counter[str] = Counter()
    for site in sites:
        drops.update(site.get("drops", {}))
    drops["slow_subscriber"] += int(published.get("dropped", 0))
    drops["not_recorded"] += int(published.get("not_recorded", 0))
    for lane in lanes:
        drops.update(lane.drops)
        if lane.refining is not None:
            drops["refine_busy"] += int(lane.refining.counts["busy"])
            drops["refine_lost"] += int(lane.refining.counts["lost"])
    for camera in cameras:
        stale = int(camera.get("stale", 0))
        source = camera.get("source", {})
        drops["stale"] += stale
        drops["source_broken"] += int(source.get("broken", 0))
        # a paced source counts stale ones there too
        drops["source_skipped"] += int(source.get("skipped", 0)) - stale
        drops.update(camera.get("left_out", {}))
    return {name: int(count) for name, count in sorted(drops.items()) if count}


def _refine(
    reports: Mapping[str, Sequence[Mapping[str, Any]]], published: Mapping[str, Any], lanes: Sequence[Lane]
) -> dict[str, Any]:
    """What the refiner did; all zeros where it was left out."""
    refiner = next(iter(reports.get("refiner", ())), {})
    refining: Counter[str] = Counter()
    for lane in lanes:
        refining.update(lane.refining.counts if lane.refining is not None else {})
    revised = published.get("refined", {})
    return {
        "windows": int(refining.get("answered", 0)),
        "restarts": int(refining.get("restarts", 0)),
        **{name: int(revised.get(name, 0)) for name in REVISED},
        "counts": {name: int(count) for name, count in sorted(refiner.get("counts", {}).items())},
        "seconds": {
            name: round(_finite(value), 3)
            for name, value in sorted(refiner.get("refine_seconds", {}).items())
        },
    }


def _finite(value: float) -> float:
    """JSON knows no NaN; what was never measured is 0."""
    return float(value) if math.isfinite(value) else 0.0


def one_line(summary: Mapping[str, Any]) -> str:
    """What a person wants to know when a run ends."""
    factor = summary["realtime_factor"]
    speed = (
        f"{factor:.2f} x real time"
        if factor >= 1 or not factor
        else f"{1 / factor:.1f} times slower than real time"
    )
    return (
        f"{summary['frames']} frames, {summary['people_mean']:.1f} people a frame (most {summary['people_max']}), "
        f"{summary['tracks']} tracks, {summary['windows']} windows, {summary['person_frames']} person-frames "
        f"in {summary['elapsed_s']:.1f} s ({speed})"
    )


def refine_line(summary: Mapping[str, Any]) -> str:
    """What became of it afterwards; empty where nothing did."""
    joined, refine = summary["identity"], summary["refine"]
    parts = []
    if any(joined.values()):
        undone = f" ({joined['split']} undone)" if joined["split"] else ""
        parts.append(f"{joined['merge']} tracks joined{undone}")
    if refine["revisions"]:
        causes = [f"{refine[name]} {word}" for name, word in WORDS.items() if refine[name]]
        parts.append(f"{refine['revisions']} revisions: {', '.join(causes)}")
    if refine["restarts"]:
        parts.append(f"refiner replaced {refine['restarts']} times")
    return "; ".join(parts)
