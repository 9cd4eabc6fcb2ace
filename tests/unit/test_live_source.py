"""A live camera on a clock of its own: what is handed out, what is dropped and why, and nothing left behind."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from crowdstream.stream.clock import FakeClock
from crowdstream.stream.records import ClockOrigin, Frame, PixelFormat
from crowdstream.stream.ring import FrameRing
from crowdstream.stream.sources.live.config import LiveConfig
from crowdstream.stream.sources.live.messages import Beat, Came, Job, Lost, Message, Opened
from crowdstream.stream.sources.live.records import CameraPhase, SourceFault
from crowdstream.stream.sources.live.source import LiveSource

SIZE = (16, 12)


class MadeUpChild:
    """A decoder process that is none: says what the test makes it say."""

    def __init__(self, job: Job, slots: int = 8) -> None:
        self.job = job
        self.ring = FrameRing(SIZE[0] * SIZE[1] * 3 // 2, slots)
        self.said: list[Message] = []
        self.exited: str | None = None
        self.index = job.first_index

    def frame(self, age_s: float = 0.0) -> bool:
        """One frame that came `age_s` ago; False: the ring was full."""
        image = np.zeros((SIZE[1] * 3 // 2, SIZE[0]), np.uint8)
        frame = Frame(
            self.job.camera, self.index, self.index, ClockOrigin.HOST, image, PixelFormat.I420, SIZE
        )
        self.index += 1
        token = self.ring.write(frame)
        if token is not None:
            self.said.append(Came(token, time.monotonic_ns() - round(age_s * 1e9)))
        return token is not None

    def beat(self) -> None:
        now_ns = time.monotonic_ns()
        counts = {"decoded": self.index - self.job.first_index, "ring_full": self.ring.stats.full}
        self.said.append(Beat(now_ns, now_ns, self.index, counts, None, "host"))

    def lose(self, fault: SourceFault) -> None:
        self.said.append(Lost(fault, "made up"))
        self.exited = "ended with status 0"

    def receive(self, wait_s: float) -> list[Message]:
        said, self.said = self.said, []
        return said

    def end(self) -> None:
        self.exited = "ended with status 0"

    kill = end

    def wait(self, seconds: float) -> bool:
        return self.exited is not None

    def close(self) -> None:
        self.ring.close()


class Camera:
    """A `LiveSource` over made-up children, on a fake clock."""

    def __init__(self, on_start: Callable[[MadeUpChild], None] | None = None, **settings: object) -> None:
        self.clock = FakeClock(10**18)
        self.children: list[MadeUpChild] = []
        self.on_start = on_start
        config = LiveConfig.model_validate({"buffer_frames": 4, **settings})
        self.source = LiveSource("rtsp://u:p@h/x", "gate", config, clock=self.clock, start_child=self._start)
        self.source.poll(0)

    def _start(self, job: Job) -> MadeUpChild:
        child = MadeUpChild(job)
        self.children.append(child)
        if self.on_start:
            self.on_start(child)
        return child

    @property
    def child(self) -> MadeUpChild:
        return self.children[-1]

    def __enter__(self) -> Camera:
        return self

    def __exit__(self, *error: object) -> None:
        self.source.close()
        for child in self.children:
            child.ring.close()


def test_frames_come_oldest_first_and_their_slots_come_back() -> None:
    with Camera() as camera:
        assert camera.source.info is None
        for _ in range(3):
            camera.child.frame()
        first = camera.source.poll(2)
        assert [t.index for t in first] == [0, 1]
        assert camera.source.state.phase is CameraPhase.RUNNING
        assert camera.child.ring.in_use == 3
        assert all(camera.source.release(token) for token in first)
        assert camera.child.ring.in_use == 1
        assert not camera.source.release(first[0])  # twice is refused
        assert [t.index for t in camera.source.poll(9)] == [2] and camera.source.counts == {}


def test_more_than_the_buffer_holds_drops_the_oldest_and_frees_them() -> None:
    with Camera() as camera:
        for _ in range(7):
            camera.child.frame()
        assert [t.index for t in camera.source.poll(9)] == [3, 4, 5, 6]
        assert camera.source.counts == {"buffer_full": 3} and camera.child.ring.in_use == 4


def test_what_is_too_old_is_dropped_and_counted() -> None:
    with Camera(max_age_s=0.5) as camera:
        for age_s in (2.0, 0.9, 0.1, 0.0):
            camera.child.frame(age_s)
        assert [t.index for t in camera.source.poll(9)] == [2, 3]
        assert camera.source.counts == {"stale": 2}


def test_every_frame_is_accounted_for() -> None:
    with Camera() as camera:
        out = 0
        for i in range(200):
            camera.child.frame(age_s=1.0 if i % 7 == 0 else 0.0)
            if i % 5 == 0:
                tokens = camera.source.poll(2)
                out += len(tokens)
                for token in tokens[: i % 3]:
                    camera.source.release(token)  # some readers never give theirs back
        camera.child.beat()
        out += len(camera.source.poll(99))
        assert camera.source.received == 200
        assert out + sum(camera.source.counts.values()) == 200
        assert set(camera.source.counts) == {"stale", "buffer_full", "ring_full"}


def test_an_empty_camera_waits_no_longer_than_asked() -> None:
    with Camera() as camera:
        camera.child.exited = "was killed (SIGKILL)"
        camera.source.poll(0)
        before_ns = camera.clock.now_ns()
        assert camera.source.poll(4, wait_s=0.3) == []
        assert camera.clock.now_ns() - before_ns == pytest.approx(0.3e9, rel=0.01)


def test_numbers_and_times_go_on_over_reconnects() -> None:
    with Camera() as camera:
        seen: list[int] = []
        for _ in range(4):
            for _ in range(3):
                camera.child.frame()
            seen += [t.index for t in camera.source.poll(9)]
            camera.child.frame()  # one that will be lost with its ring
            camera.child.lose(SourceFault.CLOSED)
            camera.source.poll(0)
            camera.clock.advance(40.0)
            camera.source.poll(0)
        assert len(camera.children) == 5 and seen == sorted(set(seen))
        assert camera.source.counts == {"reconnect": 4} and camera.source.reconnects == 3
        assert camera.child.job.after_ns == 15 and camera.child.job.size_px == SIZE


def test_a_process_that_dies_is_replaced_and_the_cause_is_said() -> None:
    with Camera() as camera:
        camera.child.frame()
        (token,) = camera.source.poll(1)
        camera.child.exited = "was killed (SIGKILL)"
        camera.source.poll(0)
        state = camera.source.state
        assert (state.phase, state.fault) == (CameraPhase.RECONNECTING, SourceFault.DECODER_DIED)
        assert "SIGKILL" in state.text and not camera.source.release(token)
        camera.clock.advance(2.0)
        camera.source.poll(0)
        camera.child.frame()
        assert [t.index for t in camera.source.poll(1)] == [1]


def test_bursts_are_not_late_and_the_rate_is_that_of_the_frames() -> None:
    with Camera(buffer_frames=16) as camera:
        for beat in range(6):  # a picture group: a pause of half a second, then 15 frames at once
            for _ in range(8):
                camera.child.frame(age_s=0.001)
                camera.clock.advance(1 / 30)
            tokens = camera.source.poll(16)
            assert len(tokens) == 8, beat
            for token in tokens:
                camera.source.release(token)
        assert camera.source.counts == {}


def test_an_engine_that_was_busy_does_not_take_a_camera_for_stalled() -> None:
    with Camera() as camera:
        camera.child.frame()
        camera.source.poll(1)
        for _ in range(3):  # the ring is full; only the signs of life tell of frames
            camera.clock.advance(30.0)
            camera.child.beat()
            camera.source.poll(1)
            assert camera.source.state.phase is CameraPhase.RUNNING
        camera.clock.advance(30.0)
        camera.source.poll(1)
        assert camera.source.state.phase is CameraPhase.RECONNECTING


def test_an_address_that_cannot_be_fails_without_raising() -> None:
    source = LiveSource("rtsp://admin:geheim@host:port/x", "gate")
    assert source.poll(4) == [] and source.state.phase is CameraPhase.FAILED
    assert "geheim" not in str(source.state)
    source.close()


def test_closed_it_has_ended() -> None:
    with Camera() as camera:
        camera.child.frame()
        camera.source.poll(1)
        camera.source.close()
        camera.source.close()
        assert camera.source.ended and camera.source.poll(4) == []
        assert [s.phase for s in camera.source.changes()] == ["starting", "running", "ended"]


def test_a_thousand_tries_at_an_absent_camera_leave_nothing_behind() -> None:
    def refuse(child: MadeUpChild) -> None:
        child.said.append(Opened("h264", SIZE, None))
        child.lose(SourceFault.REFUSED)

    def held() -> tuple[int, int, list[str]]:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        rings = [name for name in os.listdir("/dev/shm") if f"_{os.getpid()}_" in name]
        return len(os.listdir("/proc/self/fd")), pages * 4096, rings

    with Camera(refuse) as camera:

        def try_until(attempt: int) -> None:
            while camera.source.state.attempt < attempt:
                camera.clock.advance(camera.source.state.next_try_s)
                camera.source.poll(0)
                del camera.children[:-1]
                camera.source.changes()

        try_until(100)
        fds, resident, _ = held()
        try_until(1100)
        fds_after, resident_after, rings = held()
        assert fds_after == fds and len(rings) <= 1
        assert (resident_after - resident) / 1000 < 10_000  # bytes a try
