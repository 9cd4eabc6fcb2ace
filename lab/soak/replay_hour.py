"""A long replay: memory, files, threads and shared memory of the engine must stand still.

One engine on one recording of the asked length, played as it was filmed, and told to stop when that time is over;
where the machine is slower than the recording it is not at its end by then. The warm-up is the first sixth, ten
minutes at most.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from .engine import Engine
from .figures import Figure, Figures
from .meter import Meter
from .process_tree import Held, Holdings
from .recording import EASY, Recording, has_grown_to, looped
from .slope import slope

MOST_MB_H = 1.0
"""Growth that is no growth (streaming test 19)."""
_WARM_UP_S = 600.0
_MIN_HOUR = 1200.0
"""Below twenty minutes a slope in megabytes an hour says little, whatever it is; it is told, and held to no goal."""


def run(seconds: float, out: Path, recording: Recording | None = None) -> Figures:
    """One run for so many seconds."""
    begin_s = time.monotonic()
    played = looped(replace(recording or Recording(settings=EASY), pace="1.0"), seconds, out)
    log = out / "long.cslog"
    with Engine(played.arguments(log), out, "long") as engine:
        engine.wait_for(has_grown_to(log, 20_000), played.patience_s, "the first commits")
        with Meter(engine.tree, 2.0 if seconds > 300 else 0.5) as meter:
            until_s = time.monotonic() + seconds
            while engine.runs and time.monotonic() < until_s:
                time.sleep(0.5)
        if engine.runs:
            engine.terminate()
        summary = engine.finish(60.0)
        time.sleep(2.0)
        left, segments = engine.tree.left_over(), engine.tree.segments_left()
    # the last samples are of an engine that ends; the first ones of one that has just begun
    meter.samples = [s for s in meter.samples if s.t_s < meter.samples[-1].t_s - 5.0]
    warm_up_s = min(_WARM_UP_S, seconds / 6)
    figures = (*holding_figures(meter, warm_up_s, seconds), *_after(left, segments))
    details: dict[str, object] = {
        "summary": summary,
        "log_bytes": log.stat().st_size,
        "holdings": series(meter),
    }
    details["growth_by_process"] = slopes_by_process(meter, warm_up_s)
    log.unlink()
    return Figures("replay_hour", time.monotonic() - begin_s, figures, details=details)


def holding_figures(meter: Meter, warm_up_s: float, seconds: float) -> tuple[Figure, ...]:
    """Slopes and steps of what a tree held after its warm-up."""
    after = meter.after(warm_up_s)
    goal = MOST_MB_H if seconds >= _MIN_HOUR else None
    rows = []
    for field, words in (("own_mb", "memory"), ("pss_mb", "memory, with libraries and other files")):
        found = meter.growth(field, warm_up_s)
        rows.append(
            Figure(f"{words}, slope", None if found is None else found.per_h, "MB/h",
                   at_most=goal if field == "own_mb" else None,
                   error=None if found is None else found.error_per_h)
        )  # fmt: skip
    late = meter.growth("own_mb", max(warm_up_s, meter.samples[-1].t_s / 2)) if meter.samples else None
    rows.append(
        Figure("memory, slope over the second half", None if late is None else late.per_h, "MB/h", at_most=goal,
               error=None if late is None else late.error_per_h)
    )  # fmt: skip
    staying = meter.staying(warm_up_s)
    whole = slope([t for t, _ in staying], [held.own_mb for _, held in staying])
    rows.append(
        Figure("memory of the processes that stay, slope", None if whole is None else whole.per_h, "MB/h", at_most=goal,
               error=None if whole is None else whole.error_per_h)
    )  # fmt: skip
    rows.append(Figure("memory at the end", after[-1].pss_mb if after else None, "MB"))
    strict = 0.0 if goal is not None else None
    for field, words in (("fds", "open files"), ("threads", "threads"), ("processes", "processes")):
        rows.append(Figure(f"{words}, growth", grown(after, field), at_most=strict))
    return (
        *rows,
        Figure("shared memory segments, growth", _step([len(h.segments) for h in after]), at_most=0),
    )


def grown(holdings: Sequence[Holdings] | Sequence[Held], field: str) -> float | None:
    """The last fifth less the first: what each holds in nine of ten samples at most.

    Not their medians: a camera that comes and goes may be there in a little more than half of one and a little less
    than half of the other.
    """
    return _step([getattr(h, field) for h in holdings])


def _step(values: Sequence[float]) -> float | None:
    fifth = len(values) // 5
    if not fifth:
        return None
    first, last = sorted(values[:fifth]), sorted(values[-fifth:])
    at = fifth * 9 // 10
    return float(last[at] - first[at])


def series(meter: Meter) -> dict[str, list[float]]:
    """Some hundred samples, for a chart."""
    step = max(1, len(meter.samples) // 300)
    kept = meter.samples[::step]
    names = ("own_mb", "pss_mb", "rss_mb", "fds", "threads", "processes", "cpu_s")
    found = {name: [round(float(getattr(s.holds, name)), 2) for s in kept] for name in names}
    return {"t_s": [round(s.t_s, 1) for s in kept], **found}


def slopes_by_process(meter: Meter, warm_up_s: float) -> dict[str, str]:
    """Growth of what each process holds itself, of those seen throughout: where to look when the whole grows."""
    found = {}
    for who in meter.samples[-1].holds.of if meter.samples else ():
        seen = [(s.t_s, s.holds.of[who].own_mb) for s in meter.samples if who in s.holds.of]
        one = slope([t for t, _ in seen], [mb for _, mb in seen], warm_up_s)
        if one is not None:
            last = meter.samples[-1].holds.of[who]
            held = [s.holds.of[who] for s in meter.samples if who in s.holds.of and s.t_s >= warm_up_s]
            steps = f"threads {grown(held, 'threads')}, files {grown(held, 'fds')}"
            found[f"{who.pid} {meter.tree.known[who][:60]}"] = (
                f"{one} MB, {last.own_mb:.1f} MB at the end; {steps}"
            )
    return found


def _after(left: Sequence[str], segments: Sequence[str]) -> tuple[Figure, ...]:
    return (
        Figure("processes left after the end", len(left), at_most=0),
        Figure("shared memory left after the end", len(segments), at_most=0),
    )
