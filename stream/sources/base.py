"""What every source of frames offers, and the settings that all of them share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Protocol, Self

from pydantic import Field

from ...kernels.settings import StageConfig
from ..records import Frame


class SourceConfig(StageConfig):
    """How a source is read."""

    camera: str = Field(default="", max_length=64)
    """Name of the camera; empty: the file's or folder's own name."""
    start_ns: int = Field(default=0, ge=0)
    """Declared capture time of presentation time zero, nanoseconds since the Unix epoch."""
    fps: float = Field(default=25.0, gt=0.0, le=1000.0)
    """Rate of image folders, and of videos that do not state one."""
    decode_threads: int = Field(default=0, ge=0, le=64)
    """Threads of one decoder; 0: the decoder's own choice."""
    seconds: float | None = Field(default=None, gt=0.0)
    """Only so much of a recording, seconds of capture time from its first frame; null: all of it."""


@dataclass
class SourceStats:
    """What became of the frames of one source; only ever counts up."""

    decoded: int = 0
    """Frames decoded and of the right size: handed out, unless paced out (`skipped`)."""
    broken: int = 0
    """Packets or images that could not be decoded."""
    damaged: int = 0
    """Frames handed out although the decoder had to patch them."""
    skipped: int = 0
    """Left out: of another picture size than the first, or too old when paced."""
    missing_pts: int = 0
    """Frames without a presentation time; theirs was interpolated."""
    non_monotonic: int = 0
    """Frames whose presentation time is not after the one before; theirs was put right."""
    truncated: bool = False
    """The source ended before the end it announced."""
    cause: str = ""
    """The first thing that went wrong, in words; empty if nothing did."""

    def blame(self, cause: str) -> None:
        """Keeps the first cause: the later ones are mostly its consequences."""
        if not self.cause:
            self.cause = cause

    @property
    def complete(self) -> bool:
        """Every frame that was announced has been handed out unharmed."""
        return not (self.broken or self.damaged or self.skipped or self.truncated)

    def as_dict(self) -> dict[str, int | bool | str]:
        """For summaries and health messages."""
        return asdict(self)


class Source(Protocol):
    """An iterator of the frames of one camera, to be read once, from one thread."""

    @property
    def camera(self) -> str: ...

    @property
    def size_px(self) -> tuple[int, int]:
        """(width, height) of every frame."""
        ...

    @property
    def fps(self) -> float:
        """Stated or estimated mean rate."""
        ...

    @property
    def start_ns(self) -> int:
        """Capture time of the first frame."""
        ...

    @property
    def num_frames(self) -> int | None:
        """How many frames are expected, or None (live, or not known)."""
        ...

    @property
    def stats(self) -> SourceStats: ...

    def __iter__(self) -> Iterator[Frame]: ...

    def __next__(self) -> Frame: ...

    def close(self) -> None:
        """Frees decoder and files; iteration ends. May be called twice."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class ReadAhead:
    """What sources that decode in this process share: the first frame is read on opening, the rest on demand."""

    _stats: SourceStats
    _size_px: tuple[int, int] | None
    _frames: Iterator[Frame]
    _first: Frame | None
    """The frame that opening has read already, until it is handed out."""

    @property
    def size_px(self) -> tuple[int, int]:
        assert self._size_px is not None
        return self._size_px

    @property
    def stats(self) -> SourceStats:
        return self._stats

    def __iter__(self) -> Iterator[Frame]:
        return self

    def __next__(self) -> Frame:
        if self._first is not None:
            first, self._first = self._first, None
            return first
        return next(self._frames)

    def close(self) -> None:
        """Ends the iteration; a source that holds more frees it too."""
        self._first = None
        self._frames = iter(())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
