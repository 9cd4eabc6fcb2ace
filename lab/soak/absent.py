"""A thousand tries of cameras that are not there: what each try leaves behind.

Four cameras on ports where nobody listens, one engine, next to no pause between two tries (`live.backoff_max_s`), so
that hours of a camera that is gone pass in minutes. Every try is a decoder process that comes and goes: growth is
that of the processes that stay.
"""

from __future__ import annotations

import re
import time
from pathlib import Path

import numpy as np
import yaml

from .engine import Engine, free_port
from .figures import Figure, Figures
from .meter import Meter
from .recording import START_S
from .replay_hour import grown
from .slope import slope
from .watcher import Watcher

TRIES = 1000
"""Streaming test 7."""
MOST_KB = 10.0
"""A try, of memory that stays; what was reported of others was 10 MB in a thousand tries."""
NAMES = ("gate", "hall", "stairs", "yard")
SETTINGS = ("live.backoff_first_s=0.05", "live.backoff_max_s=0.05", "health.listen=''")
_FULL_S = 600.0
"""From here on the tries have to be so many."""
_TRY = re.compile(r"(\w+) reconnecting\((\d+)\)")


def run(seconds: float, out: Path) -> Figures:
    """Until so many tries were made, or the time is over."""
    begin_s = time.monotonic()
    array, port = out / "array.yaml", free_port()
    rows = [{"name": name, "source": f"rtsp://127.0.0.1:{free_port()}/{name}"} for name in NAMES]
    array.write_text(yaml.safe_dump({"cameras": rows}, sort_keys=False), "utf-8")
    arguments = ["run", str(array), "--config", "live", "--listen", f"tcp://127.0.0.1:{port}", "--json"]
    for setting in SETTINGS:
        arguments += ["--set", setting]
    with Watcher(f"tcp://127.0.0.1:{port}") as watcher, Engine(arguments, out, "absent") as engine:
        engine.wait_for(lambda: all(n in tries(watcher) for n in NAMES), START_S, "every camera was tried")
        with Meter(engine.tree, 1.0) as meter:
            until_s = time.monotonic() + seconds
            while engine.runs and time.monotonic() < until_s and sum(tries(watcher).values()) < TRIES:
                time.sleep(0.5)
        engine.terminate()
        told_s = time.monotonic()
        engine.wait(60.0)
        end_s = time.monotonic() - told_s
        left, segments = engine.tree.left_over(), engine.tree.segments_left()
    figures = (
        Figure("tries", sum(tries(watcher).values()), at_least=TRIES if seconds >= _FULL_S else 1),
        *_growth(meter, watcher, seconds / 10),
        Figure("end after SIGTERM", end_s, "s", at_most=5.0),
        Figure("processes left after the end", len(left), at_most=0),
        Figure("shared memory left after the end", len(segments), at_most=0),
    )
    details = {"tries": tries(watcher), "seconds": round(meter.samples[-1].t_s, 1)}
    return Figures("absent", time.monotonic() - begin_s, figures, details=details)


def tries(watcher: Watcher) -> dict[str, int]:
    """Of each camera, as told on `status`."""
    return counted([text for _, event, text in watcher.events if event == "camera"])


def counted(told: list[str]) -> dict[str, int]:
    """The highest count that was told of each camera."""
    found: dict[str, int] = {}
    for text in told:
        if match := _TRY.match(text):
            found[match[1]] = max(found.get(match[1], 0), int(match[2]))
    return found


def _growth(meter: Meter, watcher: Watcher, warm_up_s: float) -> tuple[Figure, ...]:
    staying = meter.staying(warm_up_s)
    held = [of for _, of in staying]
    told_s = [t for t, event, text in watcher.events if event == "camera" and _TRY.match(text)]
    made = np.searchsorted(told_s, [meter.begin_s + t for t, _ in staying], side="right")
    found = slope(list(made), [1024.0 * of.own_mb for of in held])
    return (
        Figure(
            "memory that stays, a try", None if found is None else found.per_s, "kB", at_most=MOST_KB,
            error=None if found is None else (found.high_per_s - found.low_per_s) / 2,
        ),
        Figure("open files, growth", grown(held, "fds"), at_most=0),
        Figure("threads, growth", grown(held, "threads"), at_most=0),
    )  # fmt: skip
