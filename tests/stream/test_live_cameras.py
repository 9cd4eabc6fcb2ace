"""Live cameras with their decoder processes, against a real server that fails: they come back, and nothing is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from crowdstream.stream.records import ClockOrigin
from crowdstream.stream.ring import RingReader, SlotToken
from crowdstream.stream.sources.live.child import DecoderProcess
from crowdstream.stream.sources.live.config import LiveConfig
from crowdstream.stream.sources.live.probe import probe
from crowdstream.stream.sources.live.records import CameraPhase, CameraState, SourceFault
from crowdstream.stream.sources.live.source import LiveSource

sys.path.insert(0, str(Path(__file__).parents[1]))
from rig.h264_clip import make_clip
from rig.rtsp_stub import Fault, RtspStub

sys.path.pop(0)

P, F = CameraPhase, SourceFault
QUICK = LiveConfig(
    open_timeout_s=5.0, stall_s=10.0, backoff_first_s=0.1, backoff_max_s=0.3, kill_grace_s=1.0,
    slow_backoff_s=0.3, max_age_s=5.0,
)  # fmt: skip
PATIENCE_S = 120.0
"""Of a noisy machine; the tests themselves need a fraction."""


@dataclass
class Watched:
    """A camera, and all that it gave and said."""

    source: LiveSource
    tokens: list[SlotToken] = field(default_factory=list)
    states: list[CameraState] = field(default_factory=list)

    def look(self, wait_s: float = 0.05) -> None:
        for token in self.source.poll(8, wait_s):
            self.tokens.append(token)
            self.source.release(token)
        self.states += self.source.changes()

    def until(self, happened: Callable[[], bool]) -> float:
        """Seconds until it happened."""
        began_s = time.monotonic()
        while not happened():
            self.look()
            assert time.monotonic() - began_s < PATIENCE_S, (self.source.state, self.source.counts)
        return time.monotonic() - began_s

    def until_frames(self, count: int) -> float:
        wanted = len(self.tokens) + count
        return self.until(lambda: len(self.tokens) >= wanted)

    def until_phase(self, phase: CameraPhase) -> float:
        return self.until(lambda: self.source.state.phase is phase)

    @property
    def faults(self) -> set[SourceFault]:
        return {state.fault for state in self.states if state.fault}

    @property
    def process(self) -> DecoderProcess:
        assert isinstance(self.source._child, DecoderProcess)
        return self.source._child

    def never_went_back(self) -> bool:
        numbers = [token.index for token in self.tokens]
        times = [token.t_capture_ns for token in self.tokens]
        return numbers == sorted(set(numbers)) and times == sorted(set(times))


def open_camera(stub: RtspStub, config: LiveConfig = QUICK, name: str = "gate") -> Watched:
    return Watched(LiveSource(stub.url, name, config))


def held() -> tuple[int, int, list[str]]:
    """Open files, threads, and children of this process."""
    listed = Path(f"/proc/self/task/{os.getpid()}/children")
    children = listed.read_text().split() if listed.exists() else []
    return len(os.listdir("/proc/self/fd")), threading.active_count(), children


def rings() -> list[str]:
    return sorted(name for name in os.listdir("/dev/shm") if name.startswith("crowdstream_"))


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """No file, thread or process outlives a test, nor a ring of its own decoders."""
    make_clip()
    before = held()
    yield
    assert held() == before


def test_frames_with_their_pictures_and_times() -> None:
    with RtspStub(fps=20) as stub:
        camera = open_camera(stub)
        with camera.source:
            camera.until_frames(1)
            reader = RingReader()
            camera.until(lambda: any(_looks_grey(reader, token) for token in camera.source.poll(1, 0.1)))
            reader.close()
            camera.until(lambda: camera.source.clock_origin is ClockOrigin.NTP_SR)
            camera.until_frames(30)
            info = camera.source.info
            assert info is not None and (info.size_px, info.codec) == ((160, 120), "h264")
            assert 10 < info.fps < 40  # twenty, on a machine that may be busy
            assert camera.source.frame_age_s is not None
            ring = camera.tokens[-1].ring
        assert camera.never_went_back() and [s.phase for s in camera.states[:2]] == [P.STARTING, P.RUNNING]
        assert ring not in rings()
        camera.look()
        assert camera.source.ended


def _looks_grey(reader: RingReader, token: SlotToken) -> bool:
    image = reader.view(token).image
    assert image.shape == (180, 160) and 30 < image[:120].mean() < 240
    assert np.abs(image[120:].astype(int) - 128).max() <= 3
    return reader.release(token)


def test_cut_in_the_midst_of_a_picture_it_comes_back() -> None:
    with RtspStub() as stub:
        camera = open_camera(stub)
        with camera.source:
            camera.until_frames(5)
            stub.cut()
            camera.until_phase(P.RECONNECTING)
            camera.until_frames(5)
            assert camera.faults == {F.CLOSED} and camera.source.reconnects == 1
            assert camera.never_went_back()


def test_gone_for_a_while_it_is_tried_again_until_it_is_back() -> None:
    with RtspStub() as stub:
        camera = open_camera(stub)
        with camera.source:
            camera.until_frames(3)
            stub.refuse()
            camera.until(lambda: F.REFUSED in camera.faults)
            stub.listen()
            camera.until_frames(3)
            assert camera.faults == {F.CLOSED, F.REFUSED} and camera.never_went_back()


def test_a_black_out_is_a_stall_and_ends_with_the_light() -> None:
    with RtspStub() as stub:
        camera = open_camera(stub, QUICK.model_copy(update={"open_timeout_s": 1.0, "stall_s": 1.0}))
        with camera.source:
            camera.until_frames(3)
            stub.dark = True
            camera.until(lambda: any(s.phase is P.STALLED for s in camera.states))
            age_s = camera.source.frame_age_s
            assert age_s is not None and age_s >= 1.0
            camera.until(lambda: F.TIMEOUT in camera.faults)  # connects, and nothing comes
            stub.dark = False
            camera.until_frames(3)
            assert F.SILENT in camera.faults
            assert camera.never_went_back()


def test_a_burst_after_a_pause_is_not_late() -> None:
    with RtspStub() as stub:
        camera = open_camera(stub, LiveConfig(max_age_s=0.5))
        with camera.source:
            camera.until_frames(3)
            stub.held = True
            time.sleep(0.5)
            first, stub.held = camera.source.received, False
            camera.until(lambda: camera.source.received >= first + 15)
            camera.look()
            assert camera.faults == set()
            assert camera.source.received == len(camera.tokens) + sum(camera.source.counts.values())


def test_another_size_of_the_same_shape_is_brought_to_the_first() -> None:
    with RtspStub() as stub:
        camera = open_camera(stub)
        with camera.source:
            camera.until_frames(3)
            stub.clip = make_clip((320, 240))
            camera.until(lambda: camera.source.rescaled > 3)
            assert {token.size_px for token in camera.tokens} == {(160, 120)} and camera.faults == set()


def test_another_shape_is_a_fault_in_words_until_it_is_set_back_or_taken() -> None:
    with RtspStub() as stub:
        camera = open_camera(stub)
        with camera.source:
            camera.until_frames(3)
            first, stub.clip = stub.clip, make_clip((160, 160))
            camera.until_phase(P.RECONNECTING)
            assert camera.faults == {F.RESOLUTION_CHANGED}
            assert "from 160x120 to 160x160" in camera.source.state.text
            stub.clip = first
            camera.until_frames(3)
            stub.clip = make_clip((160, 160))
            camera.until_phase(P.RECONNECTING)
            camera.source.pause()
            camera.source.resume()  # an operator says that this is how it is now
            camera.until_frames(3)
            assert camera.tokens[-1].size_px == (160, 160)


def test_paused_it_lets_go_of_the_camera() -> None:
    with RtspStub() as stub:
        camera = open_camera(stub)
        with camera.source:
            camera.until_frames(3)
            camera.source.pause()
            camera.until(lambda: stub.open_connections == 0)
            camera.look(0.3)
            frames = len(camera.tokens)
            camera.look(0.3)
            assert len(camera.tokens) == frames and camera.source.state.phase is P.PAUSED
            camera.source.resume()
            camera.until_frames(3)
            assert camera.never_went_back()


def test_a_killed_decoder_is_replaced_and_its_ring_is_swept() -> None:
    with RtspStub() as stub:
        camera = open_camera(stub)
        with camera.source:
            camera.until_frames(3)
            ring = camera.tokens[-1].ring
            camera.process.kill()
            camera.until_phase(P.RECONNECTING)
            assert camera.source.state.fault is F.DECODER_DIED and "SIGKILL" in camera.source.state.text
            assert ring not in rings()
            camera.until_frames(3)
            assert camera.never_went_back()


def test_a_stopped_decoder_is_killed_and_replaced() -> None:
    with RtspStub() as stub:
        camera = open_camera(stub, QUICK.model_copy(update={"stuck_s": 2.5, "stall_s": 30.0}))
        with camera.source:
            camera.until_frames(3)
            os.kill(camera.process.pid, signal.SIGSTOP)
            camera.until_phase(P.RECONNECTING)
            assert camera.source.state.fault is F.DECODER_DIED and "sign of life" in camera.source.state.text
            camera.until_frames(3)


def test_closing_a_stopped_decoder_takes_no_longer_than_its_grace() -> None:
    with RtspStub() as stub:
        camera = open_camera(stub)
        with camera.source:
            camera.until_frames(1)
            os.kill(camera.process.pid, signal.SIGSTOP)
            began_s = time.monotonic()
        assert time.monotonic() - began_s < 5.0


_PARENT = """
import sys, time
from crowdstream.stream.sources.live.source import LiveSource
with LiveSource(sys.argv[1], "gate") as source:
    while not (tokens := source.poll(1, 1.0)):
        pass
    print(source._child.pid, tokens[0].ring, flush=True)
    time.sleep(60)
"""


def test_a_decoder_does_not_outlive_its_parent() -> None:
    with RtspStub() as stub:
        with subprocess.Popen(
            [sys.executable, "-P", "-c", _PARENT, stub.url], stdout=subprocess.PIPE, text=True
        ) as parent:
            assert parent.stdout is not None
            pid, ring = parent.stdout.readline().split()
            assert ring in rings()
            parent.kill()
        until_s = time.monotonic() + PATIENCE_S
        while (Path(f"/proc/{pid}").exists() and not _is_zombie(pid)) or ring in rings():
            assert time.monotonic() < until_s, f"decoder {pid} or its ring {ring} is still there"
            time.sleep(0.02)
        while stub.open_connections:
            assert time.monotonic() < until_s
            time.sleep(0.02)


def _is_zombie(pid: str) -> bool:
    """Where nobody reaps orphans, as in a container without init."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


def test_tries_in_real_processes_leave_no_files_open() -> None:
    with RtspStub() as stub:
        stub.refuse()
        camera = open_camera(stub, QUICK.model_copy(update={"backoff_first_s": 0.01, "backoff_max_s": 0.01}))
        with camera.source:
            camera.until(lambda: camera.source.state.attempt >= 1)
            fds, _, _ = held()
            camera.until(lambda: camera.source.state.attempt >= 3)
            assert abs(held()[0] - fds) <= 1  # with or without a process at this moment
            assert camera.faults == {F.REFUSED}


def test_a_bad_camera_does_not_touch_the_others() -> None:
    with RtspStub() as good, RtspStub() as bad:
        well, ill = open_camera(good, name="well"), open_camera(bad, name="ill")
        with well.source, ill.source:
            well.until_frames(5)
            ill.until_frames(5)
            first, began = well.source.received, good.frames_sent
            for trouble in (bad.cut, bad.refuse, bad.listen, bad.cut):
                trouble()
                until_s = time.monotonic() + 0.7
                while time.monotonic() < until_s:
                    well.look(0.02)
                    ill.look(0.02)
            well.until(lambda: well.source.received - first >= 0.95 * (good.frames_sent - began))
            assert well.faults == set() and well.source.reconnects == 0 and ill.faults


def test_a_probe_tells_what_is_there_and_what_is_not() -> None:
    with RtspStub() as stub:
        found = probe(stub.url.replace("//", "//admin:geheim@"), timeout_s=PATIENCE_S)
        assert found.ok and (found.codec, found.size_px) == ("h264", (160, 120)) and found.fault is None
        assert "160x120" in str(found) and "geheim" not in str(found)
        stub.fault = Fault.NOT_FOUND
        lost = probe(stub.url, timeout_s=PATIENCE_S)
    assert not lost.ok and lost.fault is F.NOT_FOUND and "404" in lost.text
