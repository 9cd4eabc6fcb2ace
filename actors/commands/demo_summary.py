"""What a demo reached, as one map for `summary.json` and as a table for the terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...stream.models.figures import figures_of
from ..summary import refine_line

TIER_WORDS = {
    "live": "live: tracks of a frame",
    "late": "late: rows of earlier frames",
    "window": "window: bodies of 64 frames",
    "refined": "refined: bodies bettered later",
}


@dataclass(frozen=True)
class DemoFiles:
    """What a demo writes."""

    log: Path
    overlay: Path | None
    """None: not asked for."""
    summary: Path
    page: Path

    @classmethod
    def of(cls, out: Path, video: Path, overlay: bool) -> DemoFiles:
        """In the folder `out`, named by the clip."""
        stem = video.stem or video.resolve().name  # a folder of images may be "."
        drawn = out / f"{stem}_overlay.mp4" if overlay else None
        return cls(out / f"{stem}.cslog", drawn, out / "summary.json", out / "summary.html")

    def written(self) -> tuple[Path, ...]:
        """All of them."""
        files = (self.log, self.overlay, self.summary, self.page)
        return tuple(path for path in files if path is not None)


def summary_of(
    figures: dict[str, Any],
    video: Path,
    files: DemoFiles,
    drawn: Mapping[str, Any] | None,
    engine_s: float,
    total_s: float,
) -> dict[str, Any]:
    """Everything there is to tell.

    Args:
        figures: of the run, as `crowdstream run --summary` writes them.
        drawn: of the overlay; None where there is none, "failed" with the cause where it went wrong.
        engine_s: wall time of the run with its start.
        total_s: the same with the overlay.
    """
    there = {"recording": files.log, "summary": files.summary, "page": files.page}
    if drawn is not None and "failed" not in drawn and files.overlay is not None:
        there["overlay"] = files.overlay
    return {
        "video": str(video),
        "run": figures,
        "tiers": _tiers(figures["messages"]),
        "networks": {role: _network(network) for role, network in figures["networks"].items()},
        "overlay": dict(drawn) if drawn is not None else None,
        "files": {name: str(path) for name, path in there.items()},
        "wall_s": {
            "start": round(max(engine_s - figures["elapsed_s"], 0.0), 2),
            "engine": round(figures["elapsed_s"], 2),
            "overlay": round(total_s - engine_s, 2),
            "total": round(total_s, 2),
        },
    }


def _tiers(messages: Mapping[str, int]) -> dict[str, int]:
    """Messages by tier, over all sites."""
    counts: Counter[str] = Counter()
    for topic, count in messages.items():
        tier = topic.partition(".")[0]
        if tier in TIER_WORDS:
            counts[tier] += count
    return {tier: counts[tier] for tier in TIER_WORDS if counts[tier]}


def _network(network: Mapping[str, Any]) -> dict[str, str]:
    figures = figures_of(network["name"])
    return {
        "name": network["name"],
        "why": network["why"],
        "rung": network["rung"],
        "accuracy": figures.accuracy,
        "cost": figures.cost,
    }


def rows_of(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The summary as lines of two columns, for the terminal and for the page."""
    run, wall = summary["run"], summary["wall_s"]
    frames, elapsed_s = run["frames"], max(run["elapsed_s"], 1e-9)
    rows = [
        (
            "people",
            f"{run['people_mean']:.1f} a frame, most {run['people_max']}, {run['tracks']} tracks in all",
        ),
        ("frames", f"{frames} of {run['captured_s']:.1f} s of video; {run['person_frames']} bodies solved"),
        ("rate", f"{frames / elapsed_s:.1f} frames/s, {_pace(run)}"),
    ]
    for tier, latency in run["latency_ms"].items():
        rows.append(
            (f"latency, {tier}", f"{latency['p50'] / 1e3:.2f} s median, {latency['p95'] / 1e3:.2f} s p95")
        )
    rows += [(f"messages, {TIER_WORDS[tier]}", str(count)) for tier, count in summary["tiers"].items()]
    refined = refine_line(run)
    rows += [("refined", refined)] if refined else []
    rows += [(f"left out, {cause}", str(count)) for cause, count in run["drops"].items()]
    rows.append(("camera", run["calibration"] or "not calibrated"))
    for role, network in summary["networks"].items():
        rows.append((role, f"{network['name']} on {network['rung']} ({network['why']})"))
    drawn = f", overlay {wall['overlay']:.0f} s" if summary["overlay"] else ""
    rows.append(("time", f"start {wall['start']:.0f} s, engine {wall['engine']:.0f} s{drawn}"))
    rows += [(f"file, {name}", path) for name, path in summary["files"].items()]
    return rows


def _pace(run: Mapping[str, Any]) -> str:
    """A recording loses no frame: a machine that cannot keep up is slower than life, and says so."""
    factor = run["realtime_factor"]
    if factor >= 0.97:  # paced: never faster than it was filmed
        return "as it was filmed"
    if factor <= 0:
        return "none"
    whole = not any(run["drops"].get(cause) for cause in ("stale", "source_skipped", "source_broken"))
    return f"{1 / factor:.1f} times slower than it was filmed" + (" (no frame left out)" if whole else "")


def print_summary(summary: Mapping[str, Any]) -> None:
    """The table, on stdout."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=f"{Path(summary['video']).name}", show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows_of(summary):
        table.add_row(Text(name), Text(value))
    Console(highlight=False).print(table)
