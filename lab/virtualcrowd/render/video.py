"""Frames to an H.264 file, each with its own presentation time.

The time base is 1/90000 s and times are rounded to it once, from the capture times themselves, so irregular cameras
keep their irregularity and nothing drifts.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from jaxtyping import Int

from ....kernels.camera import CameraModel
from ....kernels.errors import CrowdstreamError
from ..timing import nominal_rate_hz
from ..truth import CrowdMotion
from .config import RenderConfig
from .picture import Progress, frames

Array = np.ndarray

TICKS_PER_S = 90_000


@dataclass(frozen=True)
class RenderReport:
    """What was written and what it cost."""

    path: Path
    num_frames: int
    size_px: tuple[int, int]
    num_bytes: int
    setup_s: float
    """Processor time until the first frame."""
    render_s: float
    """Processor time of all frames after the first, encoding included."""

    @property
    def frames_per_s(self) -> float:
        """Of processor time, without the setting up."""
        return (self.num_frames - 1) / max(self.render_s, 1e-9)


def render_video(
    motion: CrowdMotion, camera: CameraModel, t_ns: Int[Array, "F"], out: Path, style: RenderConfig,
    progress: Progress | None = None,
) -> RenderReport:  # fmt: skip
    """Write what a camera records of a crowd.

    Args:
        motion: the people.
        camera: even width and height.
        t_ns: capture times, rising, nanoseconds; 0 is slot 0 of the motion. The file starts at the first.
        out: an .mp4 or .mkv file; replaced only when the new one is complete.
        style: looks and faults.
        progress: called with (frames done, frames in all).

    Raises:
        RendererMissingError: embreex is not installed.
        CrowdstreamError: no frames, times that do not rise, an odd picture size, or no H.264 encoder.
    """
    _check(camera, t_ns)
    unfinished = out.with_name(f".{out.stem}.part{out.suffix}")
    start = time.process_time()
    first = start
    try:
        with av.open(str(unfinished), "w") as container:
            stream = _stream(container, camera, t_ns, style)
            ticks = np.round((t_ns - t_ns[0]).astype(np.float64) * (TICKS_PER_S / 1e9)).astype(np.int64)
            for index, picture in enumerate(frames(motion, camera, t_ns, style)):
                yuv = cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420).astype(np.uint8, copy=False)
                frame = av.VideoFrame.from_ndarray(yuv, format="yuv420p")
                frame.pts, frame.time_base = int(ticks[index]), Fraction(1, TICKS_PER_S)
                container.mux(stream.encode(frame))
                if index == 0:
                    first = time.process_time()
                if progress is not None:
                    progress(index + 1, len(t_ns))
            container.mux(stream.encode(None))
        unfinished.replace(out)
    finally:
        unfinished.unlink(missing_ok=True)
    return RenderReport(
        path=out, num_frames=len(t_ns), size_px=camera.size_px, num_bytes=out.stat().st_size,
        setup_s=first - start, render_s=time.process_time() - first,
    )  # fmt: skip


def _check(camera: CameraModel, t_ns: Int[Array, "F"]) -> None:
    if len(t_ns) == 0:
        raise CrowdstreamError(
            "no frames to render: got an empty list of capture times, expected at least one"
        )
    if (np.diff(t_ns) < 1e9 / TICKS_PER_S).any():
        raise CrowdstreamError("capture times must rise by at least 1/90000 s from frame to frame; sort them")
    if camera.size_px[0] % 2 or camera.size_px[1] % 2:
        raise CrowdstreamError(
            f"picture of {camera.size_px[0]}x{camera.size_px[1]} px: H.264 needs even sides; change the camera's size"
        )


def _stream(
    container: av.container.OutputContainer, camera: CameraModel, t_ns: Int[Array, "F"], style: RenderConfig
) -> av.VideoStream:
    rate = Fraction(nominal_rate_hz(t_ns)).limit_denominator(1001)
    try:
        stream = container.add_stream("libx264", rate=rate)
    except (av.error.FFmpegError, ValueError) as error:
        raise CrowdstreamError(
            f"this PyAV has no libx264 encoder ({error}); install the wheel from PyPI: pip install av"
        ) from error
    stream.width, stream.height = camera.size_px
    stream.pix_fmt = "yuv420p"
    stream.codec_context.time_base = Fraction(1, TICKS_PER_S)
    stream.time_base = Fraction(1, TICKS_PER_S)
    # one thread: the same bytes on every machine
    stream.codec_context.thread_count = 1
    stream.options = {"crf": str(style.crf), "preset": style.preset}
    return stream
