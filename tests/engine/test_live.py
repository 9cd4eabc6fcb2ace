"""The engine on live cameras: it starts with what is there, a bad camera is its own trouble, operators are heard."""

from __future__ import annotations

import itertools
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from crowdstream.actors.engine import run_engine
from crowdstream.actors.plan import EnginePlan
from crowdstream.actors.runtime import Progress, RunHooks
from crowdstream.actors.workers import Workers
from crowdstream.configs.array import CameraEntry, CameraRole
from crowdstream.configs.load import load_config
from crowdstream.stream.control.client import ControlClient
from crowdstream.stream.health.records import HealthReport
from crowdstream.stream.health.wire import report_from
from crowdstream.stream.records import Observation
from crowdstream.stream.wire.client import subscribe
from crowdstream.stream.wire.log import LogReader
from crowdstream.stream.wire.messages import Message

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1]))
import crowd
from rig.h264_clip import make_clip
from rig.rtsp_stub import RtspStub

sys.path.pop(0)
sys.path.pop(0)

PATIENCE_S = 90.0
"""Of a noisy machine; the tests themselves need a fraction."""
QUICK = (
    "live.open_timeout_s=2", "live.stall_s=1", "live.backoff_first_s=0.1", "live.backoff_max_s=0.3",
    "live.slow_backoff_s=0.3", "live.max_age_s=5", "runtime.kind=inline", "runtime.health_s=0.2", "health.listen=''",
    "refine.enabled=false",
)  # fmt: skip


class PatientPerception(crowd.ScriptedPerception):
    """The scripted crowd, over and over: live cameras have no end."""

    def step(self, batch: Any) -> list[Observation]:
        out = []
        for item in batch:
            seen = crowd.seen_at(item.index % crowd.CROWD.frames)
            assert self._rings.view(item).image.size
            whose = {"camera": item.camera, "t_capture_ns": item.t_capture_ns}
            out.append(replace(seen, index=item.index, size_px=item.size_px, **whose))
        return out


WORKERS = Workers(perception=PatientPerception)


class Run:
    """An engine on a thread, watched through its own socket."""

    def __init__(self, folder: Path, cameras: tuple[CameraEntry, ...], *settings: str) -> None:
        self.log = folder / "run.cslog"
        self.stop_asked = threading.Event()
        self.notes: list[str] = []
        self.progress: list[Progress] = []
        self.address = ""
        self.figures: dict[str, Any] = {}
        self.failure: BaseException | None = None
        config = load_config("live", [*QUICK, "publish.listen=tcp://127.0.0.1:0", *settings])
        plan = EnginePlan("array", config, folder, record=self.log, array=cameras)
        self._thread = threading.Thread(target=self._run, args=(plan,))
        self._thread.start()

    def _run(self, plan: EnginePlan) -> None:
        hooks = RunHooks(
            started=lambda info, address, networks: setattr(self, "address", address),
            progress=self.progress.append,
            note=self.notes.append,
            stop_asked=self.stop_asked.is_set,
        )
        try:
            self.figures = run_engine(plan, hooks, WORKERS)
        except BaseException as exc:  # shown by whoever waits
            self.failure = exc

    def until(self, happened: Callable[[], bool], what: str) -> None:
        began_s = time.monotonic()
        while not happened():
            time.sleep(0.02)
            assert self.failure is None, self.failure
            assert time.monotonic() - began_s < PATIENCE_S, (what, self.notes)

    def stop(self) -> dict[str, Any]:
        self.stop_asked.set()
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive() and self.failure is None, self.failure
        return self.figures

    def messages(self) -> list[Message]:
        return list(LogReader(self.log).messages()) if self.log.exists() else []

    def noted(self, text: str) -> bool:
        return any(text in note for note in self.notes)


def first_reports(address: str, count: int) -> list[HealthReport]:
    """As a console sees them."""
    found: list[HealthReport] = []
    with closing(subscribe(address, topics=("health",))) as events:
        for event in events:
            if isinstance(event, Message) and event.topic == "health":
                report = report_from(event.body)
                assert report is not None
                found.append(report)
            if len(found) == count:
                return found
    return found


def again(client: ControlClient, url: str) -> bool:
    return client.request("add_camera", camera="b", source=url, role="tracks").ok


def frames_of(run: Run, camera: str) -> int:
    return sum(m.topic == f"live.{camera}" for m in run.messages())


def test_it_starts_with_what_is_there_and_a_flapping_camera_touches_nobody_else(tmp_path: Path) -> None:
    with RtspStub() as good, RtspStub() as bad:
        bad.refuse()
        run = Run(tmp_path, (CameraEntry("good", good.url), CameraEntry("bad", bad.url)))
        try:
            run.until(lambda: run.noted("bad reconnecting") and run.noted("good running"), "one of two")
            run.until(lambda: frames_of(run, "good") > 30, "frames of the good one")
            bad.listen()
            run.until(lambda: run.noted("bad running"), "the other one")
            run.until(lambda: frames_of(run, "bad") > 10, "frames of the other one")
            bad.cut()
            bad.refuse()
            seen = frames_of(run, "good")
            run.until(lambda: frames_of(run, "good") > seen + 40, "the good one goes on")
            bad.listen()
            before = frames_of(run, "bad")
            run.until(lambda: frames_of(run, "bad") > before + 10, "it comes back")
        finally:
            figures = run.stop()
    messages = run.messages()
    for camera in ("good", "bad"):
        live = [m for m in messages if m.topic == f"live.{camera}"]
        indices = [int(m.body["index"]) for m in live]  # type: ignore[call-overload]
        assert indices == sorted(set(indices))
        assert all(a.t_capture_ns < b.t_capture_ns for a, b in itertools.pairwise(live))
    said = [str(m.body["text"]) for m in messages if m.topic == "status" and m.body["event"] == "camera"]
    assert any("bad running" in text for text in said)
    assert figures["cameras"]["bad"]["reconnects"] >= 1 and figures["cameras"]["good"]["reconnects"] == 0
    assert not list(Path("/dev/shm").glob(f"crowdstream_{run._thread.ident}*"))


def test_operators_are_heard_and_health_is_told(tmp_path: Path) -> None:
    with RtspStub() as first, RtspStub() as second:
        run = Run(
            tmp_path, (CameraEntry("a", first.url),), "publish.control_loopback=true",
        )  # fmt: skip
        try:
            run.until(lambda: bool(run.address) and run.noted("a running"), "the engine is up")
            client = ControlClient(run.address)
            refused = client.request("pause_camera", camera="nobody")
            assert not refused.ok and "no camera 'nobody'" in refused.text
            assert client.request("add_camera", camera="b", source=second.url, role="tracks").ok
            run.until(lambda: run.noted("b running"), "the added camera runs")
            run.until(lambda: frames_of(run, "b") > 3, "frames of it")
            assert client.request("pause_camera", camera="a").ok
            run.until(lambda: run.noted("a paused"), "it pauses")
            paused = run.notes.index(next(note for note in run.notes if "a paused" in note))
            assert client.request("resume_camera", camera="a").ok
            run.until(lambda: any("a running" in n for n in run.notes[paused:]), "it goes on")
            assert client.request("set_option", key="perception.detect_stride", value=2).ok
            denied = client.request("set_option", key="track.forget_s", value=2)
            assert not denied.ok and "perception.detect_stride" in denied.text
            assert client.request("remove_camera", camera="b").ok
            assert not client.request("add_camera", camera="a", source=second.url).ok  # there is one
            before = frames_of(run, "b")
            run.until(lambda: again(client, second.url), "it is added again, once it has ended")
            run.until(lambda: frames_of(run, "b") > before + 3, "frames of it again")
            report = report_from(client.request("status").result)
            assert report is not None and {c.name for c in report.cameras} == {"a", "b"}
            told = first_reports(run.address, 3)
            assert all(found.sid == report.sid for found in told)
            worked = {stage.name: stage.busy_s for stage in told[-1].stages}
            assert all(worked[stage] > 0 for stage in ("camera", "perception", "tracking", "publisher"))
            assert client.request("stop").ok
            run.until(lambda: bool(run.figures), "it stops")
        finally:
            run.stop()
    topics = {m.topic for m in run.messages()}
    assert "live.b" in topics and "window.b" not in topics
    of_b = [m for m in run.messages() if m.topic == "live.b"]
    assert [m.seq for m in of_b] == list(range(1, len(of_b) + 1))
    indices = [int(m.body["index"]) for m in of_b]  # type: ignore[call-overload]
    assert indices == sorted(set(indices))  # numbers go on when it comes again


def test_a_camera_that_is_only_watched_is_timed_and_not_looked_at(tmp_path: Path) -> None:
    with RtspStub() as camera:
        run = Run(tmp_path, (CameraEntry("yard", camera.url, role=CameraRole.WATCH),))
        try:
            run.until(lambda: run.noted("yard running"), "it runs")
            time.sleep(0.5)
        finally:
            figures = run.stop()
    assert figures["cameras"]["yard"]["frames"] > 0 and figures["frames"] == 0
    assert not any(m.topic == "live.yard" for m in run.messages())


@pytest.mark.parametrize("runtime", ["inline"])
def test_pictures_of_another_size_begin_a_new_site_under_the_same_name(tmp_path: Path, runtime: str) -> None:
    with RtspStub() as camera:
        run = Run(tmp_path, (CameraEntry("gate", camera.url),), "publish.control_loopback=true")
        try:
            run.until(lambda: frames_of(run, "gate") > 20, "frames")
            camera.cut()
            camera.clip = make_clip((240, 240))
            run.until(lambda: run.noted("picture changed"), "it is told")
            assert ControlClient(run.address).request("resume_camera", camera="gate").ok
            run.until(lambda: run.noted("240x240 now"), "the new size is taken")
            before = frames_of(run, "gate")
            run.until(lambda: frames_of(run, "gate") > before + 10, "frames of the new size")
        finally:
            run.stop()
    ids = [
        (tuple(m.body["size_px"]), set(m.body["person_ids"].tolist()))  # type: ignore[arg-type, attr-defined]
        for m in run.messages() if m.topic == "live.gate"
    ]  # fmt: skip
    old = set().union(*(people for size, people in ids if size != (240, 240)))
    new = set().union(*(people for size, people in ids if size == (240, 240)))
    assert not old & new
