"""A live camera as the engine sees it: frames when there are any, and never an exception because of a camera.

    decoder process --tokens--> buffer (short, oldest dropped) --poll--> engine --release--> ring slot is free

Frames that were dropped or lost are counted by cause:
    stale        waited longer than `max_age_s` to be asked for
    buffer_full  more than `buffer_frames` waited
    ring_full    every slot of the ring was in use; the newest frame is dropped by the decoder
    reconnect    waited in the ring of a decoder that is gone
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from ....kernels.errors import CrowdstreamError
from ...clock import Clock, WallClock
from ...pressure.policies import fullness
from ...records import ClockOrigin
from ...ring import RingError, RingReader, SlotToken, sweep
from ..base import SourceConfig, SourceStats
from .address import parse_address, redacted
from .child import Child, DecoderProcess, job_for_process
from .config import LiveConfig
from .machine import Act, CameraMachine
from .messages import Beat, Came, ChannelError, Ended, Job, Lost, Message, Opened
from .rate import FrameRate
from .records import CameraPhase, CameraState, SourceFault

_PUMP_S = 0.25
"""Longest wait without a look at the clock."""


@dataclass(frozen=True)
class LiveInfo:
    """What is known of a camera since its first frame."""

    size_px: tuple[int, int]
    fps: float
    """As counted; as stated by the stream until that can be trusted."""
    start_ns: int
    """Capture time of the first frame."""
    codec: str


class LiveSource:
    """One camera. To be used from one thread, and polled steadily: all progress is made in `poll`."""

    def __init__(
        self,
        spec: str,
        name: str,
        config: LiveConfig | None = None,
        source_config: SourceConfig | None = None,
        clock: Clock | None = None,
        *,
        first_index: int = 0,
        start_child: Callable[[Job], Child] = DecoderProcess,
    ) -> None:
        """
        Args:
            spec: address as `crowdstream run` takes it; credentials stay in here.
            first_index: number of the first frame.
            start_child: how decoder processes are started; tests have their own.
        """
        self.camera, self._spec = name, spec
        self.shown = redacted(spec)
        """The address without its secrets."""
        self.config = config or LiveConfig()
        self._assumed_fps = (source_config or SourceConfig()).fps
        self._clock = clock or WallClock()
        self._start_child = start_child
        self._machine = CameraMachine(name, self.config, self._clock.now_ns())
        self._child: Child | None = None
        self._ring: str | None = None
        self._rings = RingReader()
        self._buffer: deque[tuple[SlotToken, int]] = deque()
        self._next_index, self._after_ns = first_index, None
        self._first_index = first_index
        """Of the decoder that is there."""
        self._info: LiveInfo | None = None
        self._codec, self._stated_fps = "", None
        self._rate = FrameRate()
        self._arrival_ns: int | None = None
        self._drops = {"stale": 0, "buffer_full": 0, "ring_full": 0, "reconnect": 0}
        self._done: dict[str, int] = {}  # counters of decoders that are gone
        self._now: dict[str, int] = {}  # of the one that is there
        self._clock_words, self._drift_ppm = "", None
        self._origin, self._skew_ns = None, None
        self._closed = False
        try:
            parse_address(spec)
        except CrowdstreamError as exc:
            self._machine.fail(self._now_s(), SourceFault.NOT_FOUND, str(exc))

    _after_ns: int | None
    _stated_fps: float | None
    _drift_ppm: float | None
    _origin: ClockOrigin | None
    _skew_ns: int | None

    @property
    def state(self) -> CameraState:
        """What holds now."""
        return self._machine.state

    def changes(self) -> list[CameraState]:
        """What has changed since last asked, oldest first."""
        return self._machine.changes()

    @property
    def ended(self) -> bool:
        """No frame will ever come again."""
        return self.state.phase is CameraPhase.ENDED and not self._buffer

    @property
    def info(self) -> LiveInfo | None:
        """None before the first frame."""
        if self._info is None:
            return None
        return LiveInfo(self._info.size_px, self.fps, self._info.start_ns, self._codec)

    @property
    def fps(self) -> float:
        """Counted; else as stated; else as configured."""
        return self._rate.fps or self._stated_fps or self._assumed_fps

    @property
    def received(self) -> int:
        """Frames that came and were decoded, whatever became of them."""
        return self._count("decoded")

    @property
    def counts(self) -> dict[str, int]:
        """Frames left out so far, by cause; only those there were."""
        drops = {**self._drops, "ring_full": self._count("ring_full")}
        return {cause: count for cause, count in drops.items() if count}

    @property
    def stats(self) -> SourceStats:
        """What became of the frames, as other sources tell it."""
        return SourceStats(
            decoded=self.received, broken=self._count("broken"), damaged=self._count("damaged"),
            skipped=sum(self.counts.values()), missing_pts=self._count("missing_pts"),
            cause=self.state.text,
        )  # fmt: skip

    @property
    def rescaled(self) -> int:
        """Frames that came in another size and were brought to the first one's."""
        return self._count("rescaled")

    @property
    def reconnects(self) -> int:
        """Times that frames came again after they had been lost."""
        return self._machine.reconnects

    @property
    def fullness(self) -> float:
        """Of the buffer, by count or by the age of its oldest frame, 0..1; 1: frames are being dropped."""
        return fullness(
            len(self._buffer), self.config.buffer_frames, self.oldest_age_s, self.config.max_age_s
        )

    @property
    def oldest_age_s(self) -> float:
        """Since the oldest frame came that waits to be asked for; 0 if none does."""
        return (self._clock.now_ns() - self._buffer[0][1]) / 1e9 if self._buffer else 0.0

    @property
    def frame_age_s(self) -> float | None:
        """Since the newest frame came; None before the first."""
        return None if self._arrival_ns is None else (self._clock.now_ns() - self._arrival_ns) / 1e9

    @property
    def clock_origin(self) -> ClockOrigin | None:
        return self._origin

    @property
    def skew_ns(self) -> int | None:
        return self._skew_ns

    @property
    def drift_ppm(self) -> float | None:
        return self._drift_ppm

    @property
    def clock_words(self) -> str:
        """What capture times rest on, for people."""
        return self._clock_words

    def poll(self, count: int, wait_s: float = 0.0) -> list[SlotToken]:
        """Up to `count` frames, oldest first, as soon as there is one; none after `wait_s`.

        Each token holds a slot of the ring until it is given back by `release`.
        """
        until_s = self._now_s() + wait_s
        while True:
            rest_s = until_s - self._now_s()
            self._pump(0.0 if self._buffer else max(0.0, min(rest_s, _PUMP_S)))
            self._drop_stale()
            if (count > 0 and self._buffer) or self._now_s() >= until_s or self.ended:
                return [self._buffer.popleft()[0] for _ in range(min(count, len(self._buffer)))]

    def release(self, token: SlotToken) -> bool:
        """Nobody looks at this frame again; False if its ring is gone, or took the slot back."""
        return token.ring == self._ring and self._rings.release(token)

    def pause(self) -> None:
        """Closes the connection and stays away until `resume`."""
        self._act(self._machine.pause(self._now_s()))

    def resume(self) -> None:
        """Opens the camera at once, whatever it waited for, and takes the picture size it has now."""
        if self.state.phase is not CameraPhase.RUNNING:
            self._info = None
        self._machine.resume(self._now_s())

    def close(self) -> None:
        """Ends the decoder process and waits for it, `kill_grace_s` at most. Twice is fine."""
        if self._closed:
            return
        self._closed = True
        self._act(self._machine.close(self._now_s()))
        if self._child is not None:
            if not self._child.wait(self.config.kill_grace_s):
                self._child.kill()
            self._take_all(self._child)
            self._bury()
        self._buffer.clear()
        self._rings.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _now_s(self) -> float:
        return self._clock.now_ns() / 1e9

    def _count(self, name: str) -> int:
        return self._done.get(name, 0) + self._now.get(name, 0)

    def _pump(self, wait_s: float) -> None:
        """Hears the child out, then does what there is to do."""
        child = self._child
        if child is None:
            wake_s = self._machine.wake_s
            rest_s = wait_s if wake_s is None else min(wait_s, wake_s - self._now_s())
            if rest_s > 0:
                self._clock.sleep(rest_s)
        else:
            how = child.exited  # first: what it said before it left is heard below
            self._hear(child, 0.0 if how else wait_s)
            if how is not None:
                self._take_all(child)
                self._bury()
                self._machine.on_exit(self._now_s(), how)
        while (act := self._machine.tick(self._now_s())) is not None:
            self._act(act)

    def _hear(self, child: Child, wait_s: float) -> int:
        """How many messages there were."""
        try:
            messages = child.receive(wait_s)
        except ChannelError as exc:
            self._machine.on_lost(self._now_s(), SourceFault.DECODER_DIED, str(exc))
            child.kill()
            return 0
        for message in messages:
            self._take(message)
        return len(messages)

    def _take_all(self, child: Child) -> None:
        while self._hear(child, 0.0):
            pass

    def _take(self, message: Message) -> None:
        now_s = self._now_s()
        if isinstance(message, Came):
            self._take_frame(message)
        elif isinstance(message, Beat):
            self._now = {
                **message.counts,
                "decoded": max(message.counts["decoded"], self._now.get("decoded", 0)),
            }
            self._next_index = max(self._next_index, message.next_index)
            self._drift_ppm, self._clock_words = message.drift_ppm, message.clock
            self._machine.on_beat(self._host_ns(message.sent_ns) / 1e9, message.counts.get("broken", 0))
            if message.last_frame_ns is not None:  # also those that the ring did not take
                self._note_arrival(self._host_ns(message.last_frame_ns))
        elif isinstance(message, Opened):
            self._codec, self._stated_fps = message.codec, message.fps
            self._machine.on_opened(now_s)
        elif isinstance(message, Lost):
            self._machine.on_lost(now_s, message.fault, message.text)
        elif isinstance(message, Ended):
            self._machine.on_ended(now_s)

    def _take_frame(self, came: Came) -> None:
        token, arrival_ns = came.token, self._host_ns(came.arrival_ns)
        if token.ring != self._ring:
            try:
                self._rings.view(token)  # maps the ring, so that slots can be freed from here
            except RingError:  # its decoder has left already
                self._drops["reconnect"] += 1
                return
            self._ring = token.ring
        self._next_index = max(self._next_index, token.index + 1)
        self._now["decoded"] = max(self._now.get("decoded", 0), token.index + 1 - self._first_index)
        self._after_ns, self._origin, self._skew_ns = token.t_capture_ns, token.clock, token.skew_ns
        if self._info is None:
            self._info = LiveInfo(token.size_px, self.fps, token.t_capture_ns, self._codec)
        self._rate.push(arrival_ns)
        self._note_arrival(arrival_ns)
        self._buffer.append((token, arrival_ns))
        if len(self._buffer) > self.config.buffer_frames:
            self._drop_oldest("buffer_full")

    def _note_arrival(self, arrival_ns: int) -> None:
        self._arrival_ns = max(self._arrival_ns or 0, arrival_ns)
        self._machine.on_frame(arrival_ns / 1e9)

    def _host_ns(self, monotonic_ns: int) -> int:
        """A moment of the machine's monotonic counter on this source's clock."""
        return self._clock.now_ns() - (time.monotonic_ns() - monotonic_ns)

    def _drop_stale(self) -> None:
        oldest_ns = self._clock.now_ns() - round(self.config.max_age_s * 1e9)
        while self._buffer and self._buffer[0][1] < oldest_ns:
            self._drop_oldest("stale")

    def _drop_oldest(self, cause: str) -> None:
        token, _ = self._buffer.popleft()
        self._drops[cause] += 1
        self.release(token)

    def _act(self, act: Act | None) -> None:
        if act is Act.START:
            self._start()
        elif act is Act.END and self._child is not None:
            self._child.end()
        elif act is Act.KILL and self._child is not None:
            self._child.kill()

    def _start(self) -> None:
        size_px = None if self._info is None else self._info.size_px
        plain = self.config.model_dump(mode="json")
        self._first_index = self._next_index
        job = job_for_process(self._spec, self.camera, self._next_index, self._after_ns, size_px, plain)
        try:
            self._child = self._start_child(job)
        except OSError as exc:
            self._machine.on_exit(self._now_s(), f"cannot be started ({exc.strerror})")

    def _bury(self) -> None:
        """The child is gone: so are its ring, what waited in it, and its counters' growth."""
        assert self._child is not None
        self._child.close()
        self._child = None
        self._drops["reconnect"] += len(self._buffer)
        self._buffer.clear()
        if self._ring is not None:
            self._rings.forget(self._ring)
            self._ring = None
        sweep()  # a decoder that was killed left its ring behind
        self._done = {name: self._count(name) for name in {*self._done, *self._now}}
        self._now = {}
        self._rate.clear()


__all__: Sequence[str] = ["LiveInfo", "LiveSource"]
