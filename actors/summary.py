"""The figures of a run, as `--summary` writes them and the last line tells them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any


def summarise(
    reports: Mapping[str, Mapping[str, Any]], elapsed_s: float, captured_s: float, runtime: str, address: str
) -> dict[str, Any]:
    """One flat tree of numbers from what the workers counted.

    Args:
        reports: what each worker's `stop` gave, by worker.
        elapsed_s: wall time from the first frame asked for to the last message sent.
        captured_s: length of the recording that was processed, seconds of capture time.
        runtime: inline or ray.
        address: where subscribers could connect.
    """
    site = reports["tracking"]["site"]
    published = reports["publisher"]["published"]
    drops: Counter[str] = Counter(site.get("drops", {}))
    drops["slow_subscriber"] += int(published.get("dropped", 0))
    drops["not_recorded"] += int(published.get("not_recorded", 0))
    if reports["camera"].get("stale"):
        drops["stale"] += int(reports["camera"]["stale"])
    source = reports["camera"].get("source", {})
    for cause in ("broken", "skipped"):
        if source.get(cause):
            drops[f"source_{cause}"] += int(source[cause])
    seconds: Counter[str] = Counter()
    for report in reports.values():
        seconds.update(report.get("seconds", {}))
    person_frames = int(reports["publisher"]["person_frames"])
    return {
        "frames": int(site.get("frames", 0)),
        "people_max": int(site.get("people_max", 0)),
        "people_mean": round(float(site.get("people_mean", 0.0)), 3),
        "tracks": int(site.get("tracks", 0)),
        "windows": int(reports["publisher"]["windows"]),
        "person_frames": person_frames,
        "elapsed_s": round(elapsed_s, 3),
        "captured_s": round(captured_s, 3),
        "realtime_factor": round(captured_s / elapsed_s, 4) if elapsed_s > 0 else 0.0,
        "stage_seconds": {name: round(value, 3) for name, value in sorted(seconds.items())},
        "drops": {name: int(count) for name, count in sorted(drops.items()) if count},
        "latency_ms": published.get("latency_ms", {}),
        "source": source,
        "calibration": reports["tracking"].get("calibration", ""),
        "networks": reports["perception"].get("networks", {}),
        "messages": published.get("messages", {}),
        "runtime": runtime,
        "address": address,
    }


def one_line(summary: Mapping[str, Any]) -> str:
    """What a person wants to know when a run ends."""
    factor = summary["realtime_factor"]
    speed = (
        f"{factor:.2f} x real time"
        if factor >= 1
        else f"{1 / factor:.1f} times slower than real time"
        if factor
        else ""
    )
    return (
        f"{summary['frames']} frames, {summary['people_mean']:.1f} people a frame (most {summary['people_max']}), "
        f"{summary['tracks']} tracks, {summary['windows']} windows, {summary['person_frames']} person-frames "
        f"in {summary['elapsed_s']:.1f} s ({speed})"
    )
