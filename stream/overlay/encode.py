"""Pictures to an H.264 file that appears under its name only when it is whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from jaxtyping import UInt8

from .config import OverlayConfig, OverlayError

Array = np.ndarray

TICKS_PER_S = 90_000


class VideoFile:
    """An open video; frames carry their own times."""

    def __init__(self, container: Any, stream: Any) -> None:
        self._container, self._stream = container, stream
        self._last = -1

    def write(self, picture: UInt8[Array, "H W 3"], t_s: float) -> None:
        """A BGR picture at a time from the start; odd last row and column are left out, as 4:2:0 has none."""
        height, width = picture.shape[0] // 2 * 2, picture.shape[1] // 2 * 2
        even = np.ascontiguousarray(picture[:height, :width])
        yuv = cv2.cvtColor(even, cv2.COLOR_BGR2YUV_I420).astype(np.uint8, copy=False)
        frame = av.VideoFrame.from_ndarray(yuv, format="yuv420p")
        self._last = max(self._last + 1, round(t_s * TICKS_PER_S))
        frame.pts, frame.time_base = self._last, Fraction(1, TICKS_PER_S)
        self._container.mux(self._stream.encode(frame))

    def finish(self) -> None:
        """What the encoder still holds."""
        self._container.mux(self._stream.encode(None))


@contextmanager
def video_target(
    path: Path, size_px: tuple[int, int], fps: float, config: OverlayConfig
) -> Iterator[VideoFile]:
    """A video beside its final name until all of it is written.

    Raises:
        OverlayError: the place cannot be written, or there is no H.264 encoder.
    """
    part = path.with_name(f".{path.stem}.part.mp4")
    container = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        container = av.open(str(part), "w", format="mp4", options={"movflags": "+faststart"})
        file = VideoFile(container, _stream(container, size_px, fps, config))
        yield file
        file.finish()
        container.close()
        container = None
        part.replace(path)
    except (OSError, av.error.FFmpegError) as exc:
        reason = getattr(exc, "strerror", None) or str(exc)
        raise OverlayError(f"cannot write {path}: {reason}; name another file with -o") from exc
    finally:
        if container is not None:
            with suppress(OSError, av.error.FFmpegError):  # what went wrong first is what is told
                container.close()
        part.unlink(missing_ok=True)


def _stream(container: Any, size_px: tuple[int, int], fps: float, config: OverlayConfig) -> Any:
    rate = Fraction(fps if fps > 0 else 25.0).limit_denominator(1001)
    try:
        stream = container.add_stream("libx264", rate=rate)
    except (av.error.FFmpegError, ValueError) as exc:
        raise OverlayError(
            f"this PyAV has no libx264 encoder ({exc}); install the wheel from PyPI: pip install av"
        ) from exc
    stream.width, stream.height = size_px[0] // 2 * 2, size_px[1] // 2 * 2
    stream.pix_fmt = "yuv420p"
    stream.codec_context.time_base = stream.time_base = Fraction(1, TICKS_PER_S)
    stream.codec_context.thread_count = 1  # the same bytes on every machine
    stream.options = {"crf": str(config.crf), "preset": config.preset}
    return stream
