"""Four cameras live, one of them flapping: the others' rate, what is told and when, and that nothing grows.

A real RTSP server sends what encoders send. The flapping camera is on for ten seconds and off for five to twenty: in
turns unplugged (its port refuses) and frozen (its connection stays, no picture comes; off for ten seconds longer,
so that there is something to notice). The ten seconds begin when the engine has it back: a camera that is gone again
before anybody tried it says nothing of how soon it is found. Rates are counted against what the server sent, camera by
camera: what came in, and what of it was tracked, which is all that was not left out and counted.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from ...stream.calibration_file import load_calibration, save_calibration
from .camera_clip import write_clip
from .engine import Engine, SoakFault, free_port
from .figures import Figure, Figures
from .meter import Meter
from .recording import CALIBRATION, CLIP, START_S
from .replay_hour import holding_figures, series, slopes_by_process
from .rtsp import RtspCameras
from .watcher import Watcher, first_change

STEADY = ("gate", "hall", "stairs")
FLAPPING = "yard"
ROLES = {"gate": "bodies", "hall": "tracks", "stairs": "tracks", "yard": "tracks"}
"""What two cores carry: bodies of one camera, tracks of the others."""
SIZE = (640, 360)
FPS = 8
"""What two cores carry of four cameras with 20 people each; the ladder and the bounds are for what is beyond."""
SETTINGS = ("perception.detect_stride=2", "perception.pose_rate_hz=4", "perception.pose_budget=8")
"""As a user of a small machine sets them."""
AWAY = ("stalled", "reconnecting", "failed")
ON_S, OFF_S, FROZEN_MORE_S = 10.0, (5.0, 20.0), 10.0
_WARM_UP_S = 900.0
"""Until the publisher's rings of windows are full, which are the slowest to fill."""
_RETURN_S = 30.0
"""Twice what a return may take: so long it stays on for whoever is late."""
SETTLE_S = 10.0
"""After the first picture of every camera, before anything is counted."""


@dataclass(frozen=True)
class Outage:
    """One time that the flapping camera was away; monotonic seconds."""

    kind: str
    """drop or silence."""
    lost_s: float
    back_s: float


@dataclass(frozen=True)
class Counted:
    """What a server had sent, and what became of it, at one moment."""

    sent: float
    came: int
    tracked: int


def run(seconds: float, out: Path, seed: int = 4, settings: tuple[str, ...] = ()) -> Figures:
    """Live for so many seconds."""
    begin_s = time.monotonic()
    array, port = out / "array.yaml", free_port()
    with RtspCameras(_clips(out)) as cameras:
        _write_array(array, cameras)
        arguments = ["run", str(array), "--config", "live", "--record", str(out / "live.cslog"), "--json"]
        arguments += ["--listen", f"tcp://127.0.0.1:{port}", "--set", "health.listen=''"]
        for setting in (*SETTINGS, *settings):
            arguments += ["--set", setting]
        with Watcher(f"tcp://127.0.0.1:{port}") as watcher, Engine(arguments, out, "live") as engine:
            engine.wait_for(lambda: _all_run(watcher), START_S, "every camera runs")
            time.sleep(SETTLE_S)
            with Meter(engine.tree, 2.0) as meter:
                live = _Live(cameras, watcher, engine)
                outages = live.flap(seconds, np.random.default_rng(seed))
            engine.terminate()
            told_s = time.monotonic()
            unclean = ""
            try:
                summary = engine.finish(60.0)
            except SoakFault as exc:  # the minutes before still count
                summary, unclean = {}, str(exc)
            end_s = time.monotonic() - told_s
            time.sleep(1.0)
            left, segments = engine.tree.left_over(), engine.tree.segments_left()
    warm_up_s = min(_WARM_UP_S, seconds / 2)
    figures = (
        *live.rates(),
        *_told(watcher, outages),
        *holding_figures(meter, warm_up_s, seconds),
        Figure("end after SIGTERM", end_s, "s", at_most=5.0),
        Figure("ends that were not clean", float(bool(unclean)), at_most=0),
        Figure("processes left after the end", len(left), at_most=0),
        Figure("shared memory left after the end", len(segments), at_most=0),
    )
    levels = [heard.report.effort_level for heard in watcher.heard]
    newest = watcher.newest()
    details = {
        "summary": summary,
        "unclean": unclean,
        "holdings": series(meter),
        "growth_by_process": slopes_by_process(meter, warm_up_s),
        "outages": [vars(outage) for outage in outages],
        "phases": [vars(change) for change in watcher.phases(FLAPPING)],
        "effort_levels": {str(level): levels.count(level) for level in sorted(set(levels))},
        "cameras": []
        if newest is None
        else [{**vars(c), "dropped": dict(c.dropped)} for c in newest.cameras],
    }
    return Figures("cameras", time.monotonic() - begin_s, figures, details=details, notes=_notes(levels))


class _Live:
    """The minutes that count: the flapping goes on, what was sent is sampled beside."""

    def __init__(self, cameras: RtspCameras, watcher: Watcher, engine: Engine) -> None:
        self._cameras, self._watcher, self._engine = cameras, watcher, engine
        self._sent: list[tuple[float, dict[str, int]]] = []
        self._begin_s = self._end_s = 0.0

    def flap(self, seconds: float, rng: np.random.Generator) -> list[Outage]:
        """On and off until the time is up; it ends with the camera on."""
        outages: list[Outage] = []
        self._begin_s = time.monotonic()
        while time.monotonic() - self._begin_s < seconds:
            self._wait(ON_S)
            kind = "silence" if len(outages) % 2 else "drop"
            self._cameras.tell(f"{kind} {FLAPPING}")
            lost_s = time.monotonic()
            self._wait(float(rng.uniform(*OFF_S)) + (FROZEN_MORE_S if kind == "silence" else 0.0))
            self._cameras.tell(f"{'speak' if kind == 'silence' else 'restore'} {FLAPPING}")
            outages.append(Outage(kind, lost_s, time.monotonic()))
            self._wait(_RETURN_S, self._returned)
        self._end_s = time.monotonic()
        return outages

    def _returned(self, since_s: float) -> bool:
        return first_change(self._watcher.phases(FLAPPING), since_s, ("running",)) is not None

    def _wait(self, seconds: float, enough: Callable[[float], bool] = lambda since_s: False) -> None:
        begin_s = time.monotonic()

        def over() -> bool:
            self._sent.append((time.monotonic(), self._cameras.sent()))
            return time.monotonic() >= begin_s + seconds or enough(begin_s)

        self._engine.wait_for(over, seconds + 60.0, "the minutes that count", look_s=0.5)

    def rates(self) -> tuple[Figure, ...]:
        """Of the steady cameras."""
        rows = []
        for name in STEADY:
            first, last = self._at(name, self._begin_s), self._at(name, self._end_s)
            sent = last.sent - first.sent
            came, tracked = (
                ((last.came - first.came) / sent, (last.tracked - first.tracked) / sent)
                if sent > 0
                else (None,) * 2
            )
            rows.append(Figure(f"{name}: came in, of what was sent", came, at_least=0.95))
            rows.append(
                Figure(f"{name}: tracked, of what was sent", tracked, at_least=0.95, note=ROLES[name])
            )
        return tuple(rows)

    def _at(self, name: str, at_s: float) -> Counted:
        """At the health report that is nearest to a moment; what was sent by then, between two samples of it."""
        heard = min(self._watcher.heard, key=lambda h: abs(h.at_s - at_s))
        camera = heard.camera(name)
        assert camera is not None
        times = [t for t, _ in self._sent]
        counts = [float(sent[name]) for _, sent in self._sent]
        tracked = camera.frames - sum(camera.dropped.values())
        return Counted(float(np.interp(heard.at_s, times, counts)), camera.frames, tracked)


def _told(watcher: Watcher, outages: list[Outage]) -> tuple[Figure, ...]:
    """When the engine said that the camera was away, and that it was back."""
    changes = watcher.phases(FLAPPING)
    away: dict[str, list[float]] = {"drop": [], "silence": []}
    back: list[float] = []
    never = 0
    for outage in outages:
        lost = first_change(changes, outage.lost_s, AWAY)
        if lost is None or outage.lost_s + lost > outage.back_s:
            never += 1
        else:
            away[outage.kind].append(lost)
            found = first_change(changes, outage.back_s, ("running",))
            back.append(float("inf") if found is None else found)
    words = {"drop": "unplugged", "silence": "frozen"}
    rows = [
        Figure(f"from {words[kind]} to told, longest", max(took) if took else None, "s", at_most=20.0)
        for kind, took in away.items()
    ]
    return (
        Figure("outages", len(outages), at_least=1),
        *rows,
        Figure("from back to running, longest", max(back) if back else None, "s", at_most=15.0),
        Figure("from back to running, median", float(np.median(back)) if back else None, "s"),
        Figure("outages over before they were told of", never),
    )


def _clips(out: Path) -> dict[str, Path]:
    """The shipped clip, every camera two seconds further on in it."""
    found = {}
    for i, name in enumerate((*STEADY, FLAPPING)):
        found[name] = out / f"{name}.au"
        write_clip(
            CLIP,
            found[name],
            width=SIZE[0],
            height=SIZE[1],
            fps=FPS,
            seconds=10.0 - 2 * i,
            skip_s=2.0 * i,
            every=3,
        )
    return found


def _write_array(path: Path, cameras: RtspCameras) -> None:
    """`array.yaml` as a user writes it, and the calibration of the smaller picture beside it."""
    save_calibration(load_calibration(CALIBRATION, size_px=SIZE), path.with_name("camera.json"))
    rows = [
        {"name": name, "source": cameras.url(name), "calibration": "camera.json", "role": ROLES[name]}
        for name in cameras.ports
    ]
    path.write_text(yaml.safe_dump({"cameras": rows}, sort_keys=False), "utf-8")


def _all_run(watcher: Watcher) -> bool:
    newest = watcher.newest()
    return (
        newest is not None
        and len(newest.cameras) == len(ROLES)
        and all(camera.phase == "running" and camera.frames > 0 for camera in newest.cameras)
    )


def _notes(levels: list[int]) -> tuple[str, ...]:
    if not levels:
        return ()
    return (f"rung of the ladder: {np.mean(levels):.1f} on the mean, {max(levels)} at most",)
