"""The decoder process of one live camera: `python -P -m crowdstream.stream.sources.live.decoder FD`.

    main thread      opens the camera, decodes, stamps, writes pictures into the ring, tells the parent
    watch thread     beats every second; ends the process when the parent is gone or hangs up, whatever the
                     main thread is doing (FFmpeg can hang on a dead camera, even in closing)

The ring belongs to this process and goes with it. Nothing but the socket's number stands on the command line.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import socket
import sys
import threading
import time
from contextlib import suppress
from multiprocessing import shared_memory
from typing import Any

import cv2
import numpy as np

from ...clock import WallClock
from ...records import Frame, PixelFormat
from ...ring import FrameRing
from ...timing.capture import CaptureClock
from ..planes import native_planes
from .address import parse_address
from .config import LiveConfig
from .faults import NoFrames
from .messages import Beat, Came, Ended, Inbox, Job, Lost, Opened, Outbox, job_of
from .reader import Picture, StreamReader
from .records import SourceFault

Array = np.ndarray

_BEAT_S = 1.0
_PR_SET_PDEATHSIG = 1


class LiveDecoder:
    """Decodes one camera into a ring until it is lost."""

    def __init__(self, job: Job, out: Outbox) -> None:
        self._job, self._out = job, out
        self.stopping = threading.Event()
        """Set by any thread: leave before the next picture."""
        self._config = LiveConfig.model_validate(job.config)
        self._clock = WallClock()
        self._stamps = CaptureClock(self._config.timing, job.after_ns)
        self._ring: FrameRing | None = None
        self._size_px = job.size_px
        self._next_index = job.first_index
        self._last_frame_ns: int | None = None
        self._reader: StreamReader | None = None
        self._counts = {"decoded": 0, "ring_full": 0, "rescaled": 0, "damaged": 0, "missing_pts": 0}

    def run(self) -> Lost | Ended:
        """Until there are no more frames; the reason."""
        try:
            address = parse_address(self._job.url)
            self._reader = StreamReader(address, self._config, self._clock)
            facts = self._reader.facts
            self._out.send(Opened(facts.codec, facts.size_px, facts.fps))
            for picture in self._reader.pictures():
                if self.stopping.is_set():
                    break
                self._hand_on(picture)
            return Ended()
        except NoFrames as lost:
            return Lost(lost.fault, lost.text)

    @property
    def grace_s(self) -> float:
        return self._config.kill_grace_s

    def beat(self) -> Beat:
        """Any thread."""
        counts = dict(self._counts)
        if self._reader is not None:
            counts["broken"] = self._reader.counts.broken
        quality = self._stamps.quality
        return Beat(
            time.monotonic_ns(),
            self._last_frame_ns,
            self._next_index,
            counts,
            quality.drift_ppm,
            str(quality),
        )

    def leave(self) -> None:
        """Gives the ring back, then the camera, which may take its time. The thread of `run` alone."""
        if self._ring is not None:
            self._ring.close()
        if self._reader is not None:
            self._reader.close()

    def unlink(self) -> None:
        """What must not stay behind, even if the rest hangs. Any thread."""
        if self._ring is not None:
            with suppress(OSError):
                os.unlink(f"/dev/shm/{self._ring.name}")

    def _hand_on(self, picture: Picture) -> None:
        """One picture: stamped, brought to the camera's size, and into the ring."""
        stamp = self._stamps.stamp(picture.pts_s, picture.arrival_ns, picture.report)
        self._counts["missing_pts"] += picture.pts_s is None
        index, self._next_index = self._next_index, self._next_index + 1
        image, pixels, size = native_planes(picture.frame)
        if self._size_px is None:
            self._size_px = size
        if size != self._size_px:
            image, pixels = fitted(image, pixels, size, self._size_px)
            self._counts["rescaled"] += 1
        arrival_ns = time.monotonic_ns()
        self._last_frame_ns = arrival_ns
        self._counts["decoded"] += 1
        self._counts["damaged"] += bool(picture.frame.is_corrupt)
        if self._ring is None:
            self._ring = FrameRing(image.nbytes, self._config.ring_slots)
        frame = Frame(
            self._job.camera,
            index,
            stamp.t_capture_ns,
            stamp.origin,
            image,
            pixels,
            self._size_px,
            stamp.skew_ns,
        )
        token = self._ring.write(frame)
        if token is None:
            self._counts["ring_full"] += 1
            return
        self._out.send(Came(token, arrival_ns))


def fitted(
    image: Array, pixels: PixelFormat, size_px: tuple[int, int], wanted_px: tuple[int, int]
) -> tuple[Array, PixelFormat]:
    """A picture brought to another size of the same shape, as it was asked for first.

    Raises:
        NoFrames: the shape differs; what is known of the camera does not hold for it.
    """
    (width, height), (w, h) = size_px, wanted_px
    if abs(width * h - height * w) > 0.01 * width * h:
        text = f"the picture changed from {w}x{h} to {width}x{height}; set the camera back, or pause and resume it"
        raise NoFrames(SourceFault.RESOLUTION_CHANGED, text)
    if pixels is PixelFormat.BGR or w % 2 or h % 2:
        bgr = image if pixels is PixelFormat.BGR else cv2.cvtColor(image, cv2.COLOR_YUV2BGR_I420)
        return np.asarray(cv2.resize(bgr, (w, h), interpolation=cv2.INTER_AREA)), PixelFormat.BGR
    flat, luma, chroma = image.reshape(-1), width * height, width * height // 4
    planes = [
        cv2.resize(plane, to, interpolation=cv2.INTER_AREA).reshape(-1)
        for plane, to in (
            (flat[:luma].reshape(height, width), (w, h)),
            (flat[luma : luma + chroma].reshape(height // 2, width // 2), (w // 2, h // 2)),
            (flat[luma + chroma :].reshape(height // 2, width // 2), (w // 2, h // 2)),
        )
    ]
    return np.concatenate(planes).reshape(h * 3 // 2, w), PixelFormat.I420


def main(fd: int) -> int:
    """The process; its exit status says nothing, the last message does."""
    # Ctrl-C goes to the whole group; the parent ends us in order
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _own_the_ring()
    cv2.setNumThreads(1)
    link = socket.socket(fileno=fd)
    job = _receive_job(link)
    wakeup = _on_sigterm(job)
    out = Outbox(link)
    decoder = LiveDecoder(job, out)
    done = threading.Event()
    arguments = (decoder, out, link, wakeup, job.parent, done)
    threading.Thread(target=_watch, args=arguments, daemon=True).start()
    with suppress(OSError):  # the parent is gone: nobody to tell
        try:
            last: Lost | Ended = decoder.run()
        except (OSError, KeyboardInterrupt):
            raise
        except Exception as exc:  # whatever it is, the parent is told and starts a fresh process
            last = Lost(SourceFault.DECODER_DIED, f"the decoder failed: {type(exc).__name__}: {exc}"[:300])
        out.send(decoder.beat())
        out.send(last)
    decoder.leave()
    done.set()
    return 0


def _watch(
    decoder: LiveDecoder,
    out: Outbox,
    link: socket.socket,
    wakeup: socket.socket,
    parent: int,
    done: threading.Event,
) -> None:
    """Beats, and ends the process when it is not wanted any more."""
    due_s = 0.0
    while True:
        now_s = time.monotonic()
        if now_s >= due_s:
            due_s = now_s + _BEAT_S
            try:
                out.send(decoder.beat())
            except OSError:
                break
        ready, _, _ = select.select([link, wakeup], [], [], max(0.0, due_s - time.monotonic()))
        if ready or os.getppid() != parent:  # the parent sends nothing after the job: this is the end
            break
    decoder.stopping.set()
    done.wait(decoder.grace_s / 2)  # politeness to the camera has a limit: the parent kills us soon
    decoder.unlink()
    os._exit(0)


def _receive_job(link: socket.socket) -> Job:
    inbox = Inbox()
    while True:
        data = link.recv(65536)
        if not data:
            sys.exit(0)
        for message in inbox.feed(data):
            message.pop("is")
            return job_of(message)


def _on_sigterm(job: Job) -> socket.socket:
    """A socket that becomes readable on SIGTERM, even while the main thread is inside FFmpeg."""
    reading, writing = socket.socketpair()
    writing.setblocking(False)
    signal.signal(signal.SIGTERM, _no_more)
    signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)
    writing.detach()  # stays open as long as the process
    if job.die_with_parent and sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    return reading


def _no_more(number: int, stack: Any) -> None:
    """The watch thread does what is to be done."""


def _own_the_ring() -> None:
    """Python 3.11 starts a process beside each that makes shared memory, to unlink it should it die.

    `ring.sweep` does that here, by a lock; a second process a camera would cost 10 MB each.
    """
    tracker: Any = shared_memory.resource_tracker  # type: ignore[attr-defined]
    tracker.register = tracker.unregister = lambda name, kind: None


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
