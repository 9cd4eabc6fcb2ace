"""What the benches of the wire find in minutes instead of seconds: many subscribers, and a listener under attack."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from .engine import Engine, SoakFault
from .figures import Figure, Figures


def run_subscribers(seconds: float, out: Path) -> Figures:
    """50 subscribers, one of them stuck, 200 people 30 times a second (streaming test 13)."""
    found = _bench("subscribers", max(30.0, seconds), out)
    mb = found.get("rss_mb", 0.0)
    # fewer than 5 % within the run, said as a slope of the run's length
    slope = found.get("rss_slope_mb_h")
    grown = None if slope is None or not mb else slope * found["took_s"] / 3600 / mb
    figures = (
        Figure("publish to receive, p95", found.get("age_p95_ms"), "ms", at_most=50.0),
        Figure("publish to receive, p99", found.get("age_p99_ms"), "ms"),
        Figure("messages missed by those who read", found.get("missed"), at_most=0),
        Figure("messages a second received", found.get("messages_s"), "1/s"),
        Figure("server's memory, growth over the run", grown, "of itself", at_most=0.05),
        Figure("gaps of the stuck one that nobody told it of", found.get("stuck.unannounced"), at_most=0),
        Figure("who never reads is let go", found.get("deaf.let_go"), at_least=1),
    )
    return Figures("subscribers", found["took_s"], figures, details=found)


def run_fuzz(seconds: float, out: Path) -> Figures:
    """Attacks on a listener with well-behaved subscribers beside (streaming test 14)."""
    found = _bench("fuzz", max(5.0, seconds), out)
    figures = (
        Figure("attacks", found.get("attacks"), at_least=1),
        Figure("alive at the end", found.get("alive"), at_least=1),
        Figure("memory, most above the start", found.get("rss_growth_mb"), "MB", at_most=50.0),
        Figure("messages missed by subscribers beside", found.get("good.missed"), at_most=0),
        Figure("subscribers beside that were cut off", found.get("good.cut_off"), at_most=0),
        Figure("longest silence of a subscriber beside", found.get("good.longest_silence_s"), "s"),
    )
    return Figures("fuzz", found["took_s"], figures, details=found)


def _bench(name: str, seconds: float, out: Path) -> dict[str, float]:
    """`crowdstream bench NAME --json`; figures by the last part of their names."""
    begin_s = time.monotonic()
    with Engine(["bench", name, "--seconds", f"{seconds:g}", "--json"], out, name) as engine:
        told = engine.finish(seconds + 600.0)
    rows: Sequence[Mapping[str, object]] = told.get("metrics", ())
    if not rows:
        raise SoakFault(f"bench {name} gave no figures")
    found: dict[str, float] = {"took_s": time.monotonic() - begin_s}
    keys = [str(row["key"]) for row in rows]
    prefix = _common(keys)
    for key, row in zip(keys, rows, strict=True):
        found[key.removeprefix(prefix)] = float(str(row["value"]))
    return found


def _common(keys: Sequence[str]) -> str:
    """The words that all names begin with, with the dot behind."""
    words = [key.split(".") for key in keys]
    shared = []
    for column in zip(*words, strict=False):
        if len(set(column)) > 1:
            break
        shared.append(column[0])
    return "".join(word + "." for word in shared)
