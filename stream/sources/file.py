"""Video files through PyAV: native planes, true presentation times, what is broken is counted.

The decoder's own yuv420p is handed on untouched: converting here would cost 1.0-1.9 ms per 1080p frame
for every frame, and most consumers want a crop or a smaller picture. Full-range video is brought to the
limited range first, so that I420 means one thing wherever it is converted.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from ..errors import SourceError
from ..records import ClockOrigin, Frame
from .base import ReadAhead, SourceConfig, SourceStats
from .planes import native_planes

_TEXT_CODECS = frozenset({"ansi", "bintext", "idf", "xbin"})
"""FFmpeg renders text files as pictures of a terminal; nobody means that by "video"."""

_GIVE_UP_AFTER = 200
"""Decoder errors in a row after which the rest of a file is taken as lost."""

_CUT_S = 1
"""A step back of presentation time by this many seconds is a cut; a smaller one is a wrong time stamp."""

_PLAUSIBLE_FPS = (0.1, 300.0)
"""Rates outside come from broken headers (a file whose times stand still states thousands)."""


class FileSource(ReadAhead):
    """Frames of one video file, in presentation order. The first one is decoded on opening.

    Raises:
        SourceError: no such file, not a video, or not one frame that can be decoded.
    """

    def __init__(self, path: Path, config: SourceConfig | None = None) -> None:
        self._config = config or SourceConfig()
        self._path = path
        self._stats = SourceStats()
        self._index = 0
        self._last_pts_s: Fraction | None = None
        self._last_s: Fraction | None = None
        self._shift_s = Fraction(0)
        self._container = _open(path)
        try:
            self._stream = _video_stream(self._container, path)
            self._stream.thread_type = "AUTO"
            if self._config.decode_threads:
                self._stream.codec_context.thread_count = self._config.decode_threads
            self._fps = _rate(self._stream) or self._config.fps
            self._size_px: tuple[int, int] | None = None
            self._frames = self._decode()
            self._first = next(self._frames, None)
        except BaseException:
            self._container.close()
            raise
        if self._first is None:
            self.close()
            raise SourceError(
                f"no frame of '{path}' could be decoded ({self._stats.cause or 'empty video stream'}); "
                "expected a playable video; try it in a player or copy it again"
            )
        self._start_ns = self._first.t_capture_ns

    @property
    def camera(self) -> str:
        return self._config.camera or self._path.stem

    @property
    def fps(self) -> float:
        return self._fps

    @property
    def start_ns(self) -> int:
        return self._start_ns

    @property
    def num_frames(self) -> int | None:
        if self._stream.frames:
            return int(self._stream.frames)
        if self._stream.duration and self._stream.time_base:
            return max(1, round(float(self._stream.duration * self._stream.time_base) * self._fps))
        if self._container.duration:
            return max(1, round(float(self._container.duration) / av.time_base * self._fps))
        return None

    def close(self) -> None:
        super().close()
        self._container.close()

    def _decode(self) -> Iterator[Frame]:
        """Every frame that decodes; errors are counted and never end the file before its time."""
        errors_in_row = 0
        for packet in self._packets():
            try:
                pictures = packet.decode()
            except av.error.EOFError:
                break
            except (av.error.FFmpegError, ValueError) as exc:
                self._stats.broken += 1
                self._stats.blame(f"packet {self._index}: {_words(exc)}")
                self._index += 1
                errors_in_row += 1
                if errors_in_row >= _GIVE_UP_AFTER:
                    self._stats.truncated = True
                    break
                continue
            for picture in pictures:
                errors_in_row = 0
                frame = self._frame(picture)
                self._index += 1
                if frame is not None:
                    yield frame
        self._note_end()

    def _packets(self) -> Iterator[Any]:
        """Packets of the video stream; a file that cannot be read on ends here, with its cause."""
        try:
            yield from self._container.demux(self._stream)
        except (av.error.FFmpegError, OSError) as exc:
            self._stats.truncated = True
            self._stats.blame(f"reading stopped: {_words(exc)}")
            yield from self._flush()

    def _flush(self) -> Iterator[Any]:
        yield _Flush(self._stream)

    def _note_end(self) -> None:
        """What was announced and did not come: cut off if the end is missing, else lost on the way."""
        announced, duration = int(self._stream.frames), self._stream.duration
        lost = announced - self._index
        if lost <= 0:
            return
        end_s = duration * self._stream.time_base if duration else None
        if end_s is None or self._last_s is None or self._last_s + Fraction(2 / self._fps) < end_s:
            self._stats.truncated = True
        else:
            self._stats.broken += lost
        self._stats.blame(f"the file announces {announced} frames and ends after {self._index}")

    def _frame(self, picture: Any) -> Frame | None:
        """One decoded picture as a record, or None if it has to be left out."""
        t_ns = self._capture_ns(picture)
        try:
            image, pixel_format, size = native_planes(picture)
        except (av.error.FFmpegError, ValueError, AssertionError) as exc:
            self._stats.broken += 1
            self._stats.blame(f"frame {self._index}: {_words(exc)}")
            return None
        if self._size_px is None:
            self._size_px = size
        if size != self._size_px:
            self._stats.skipped += 1
            self._stats.blame(f"frame {self._index} is {size[0]}x{size[1]}, the first was {self._size_px}")
            return None
        if picture.is_corrupt:
            self._stats.damaged += 1
            self._stats.blame(f"frame {self._index} is damaged and was patched by the decoder")
        self._stats.decoded += 1
        return Frame(self.camera, self._index, t_ns, ClockOrigin.FILE_PTS, image, pixel_format, size)

    def _capture_ns(self, picture: Any) -> int:
        """Declared start + presentation time, made strictly increasing.

        A time that is missing, or stands still (files muxed without times), follows the last frame at the
        stated rate; one that goes back far is a cut in the recording, and time goes on from there.
        """
        step_s, last_s = 1 / Fraction(self._fps).limit_denominator(100_000), self._last_s
        pts_s = Fraction(picture.pts) * picture.time_base if picture.pts is not None else None
        if pts_s is None:
            self._stats.missing_pts += 1
            self._stats.blame(f"frame {self._index} has no presentation time; taken at {self._fps:g} fps")
            out_s = Fraction(0) if last_s is None else last_s + step_s
        elif last_s is None or pts_s + self._shift_s > last_s:
            out_s = pts_s + self._shift_s
        else:
            self._stats.non_monotonic += 1
            stands, jump_s = pts_s == self._last_pts_s, last_s - pts_s - self._shift_s
            how = "stands still" if stands else f"goes back by {float(jump_s):.3f} s"
            self._stats.blame(f"presentation time {how} at frame {self._index}; taken at {self._fps:g} fps")
            out_s = last_s + (step_s if stands or jump_s >= _CUT_S else step_s / 100)
            if not stands and jump_s >= _CUT_S:
                self._shift_s = out_s - pts_s
        self._last_pts_s, self._last_s = pts_s, out_s
        return self._config.start_ns + round(out_s * 1_000_000_000)


class _Flush:
    """Stands for the packet that tells a decoder to give what it still holds."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def decode(self) -> list[Any]:
        return list(self._stream.codec_context.decode(None))


def _open(path: Path) -> Any:
    if not path.exists():
        raise SourceError(f"no file '{path}'; expected a video file or a folder of images")
    if path.stat().st_size == 0:
        raise SourceError(f"'{path}' is empty (0 bytes); expected a video file")
    try:
        # a playlist must not make the engine fetch from elsewhere
        options = {"protocol_whitelist": "file"}
        return av.open(f"file:{path.absolute()}", options=options, metadata_errors="ignore")
    except (av.error.FFmpegError, OSError, ValueError) as exc:
        raise SourceError(
            f"cannot read '{path}' as a video ({_words(exc)}); expected e.g. MP4, MKV, TS or AVI; an MP4 cut "
            "before its index at the end cannot be opened at all: record fragmented MP4, MKV or TS"
        ) from exc


def _video_stream(container: Any, path: Path) -> Any:
    for stream in container.streams.video:
        name = stream.codec_context.name if stream.codec_context else ""
        if name not in _TEXT_CODECS and not _is_cover(stream):
            return stream
    kinds = sorted({stream.type for stream in container.streams if stream.type != "video"})
    found = f"only {', '.join(kinds)}" if kinds else "nothing that is one"
    raise SourceError(f"no video stream in '{path}', {found}; expected a video file")


def _rate(stream: Any) -> float | None:
    """The stated mean rate, else the one the codec was told; None if neither can be believed."""
    low, high = _PLAUSIBLE_FPS
    for rate in (stream.average_rate, stream.guessed_rate):
        if rate and low <= rate <= high:
            return float(rate)
    return None


def _is_cover(stream: Any) -> bool:
    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def _words(exc: BaseException) -> str:
    """FFmpeg's own sentence, without the path and numbers that PyAV adds."""
    text = getattr(exc, "strerror", None) or str(exc) or type(exc).__name__
    return str(text).rstrip(".")
