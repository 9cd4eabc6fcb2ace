"""When a log is laid aside, and how long those that were are kept.

A log that is one file for ever fills the disk, and whoever goes on with it has to read all of it. With a bound, every
file is small enough to be read in seconds. Who may keep where people were only for so long says so in hours.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import LogError
from .log import LogWriter
from .log_file import laid_aside, next_aside

_LOOK_S = 60.0
"""Between two looks at the folder, and after a refusal."""


@dataclass(frozen=True)
class ShelfLimits:
    """0 everywhere: one file, for ever."""

    file_bytes: int = 0
    """A log of this length is laid aside."""
    file_s: float = 0.0
    """So is one of this age."""
    keep_bytes: int = 0
    """Of all that was laid aside; beyond, the oldest are removed."""
    keep_s: float = 0.0
    """Since the last commit to a log that was laid aside; it is removed then."""


@dataclass(frozen=True)
class LogCounts:
    """What was done, and not."""

    laid_aside: int = 0
    removed: int = 0
    refused: int = 0
    """Times the disk would not let a log be laid aside or removed; it is tried again."""

    def plus(self, other: LogCounts) -> LogCounts:
        """Both together."""
        return LogCounts(
            self.laid_aside + other.laid_aside, self.removed + other.removed, self.refused + other.refused
        )


@dataclass
class LogShelf:
    """Of one log."""

    path: Path
    limits: ShelfLimits
    wall_ns: Callable[[], int] = time.time_ns
    counts: LogCounts = field(default_factory=LogCounts)
    error: str = ""
    """The newest refusal in words."""
    _look_ns: int = field(default=0, repr=False)
    _begun_ns: int | None = field(default=None, repr=False)
    """When the file that is written to was begun, or first seen."""

    def tend(self, log: LogWriter) -> list[str]:
        """Does what is due, which is mostly nothing; what was done, a line each."""
        limits, now_ns = self.limits, self.wall_ns()
        if limits == ShelfLimits() or (self.error and now_ns < self._look_ns):
            return []
        self._begun_ns = now_ns if self._begun_ns is None else self._begun_ns
        done: list[str] = []
        try:
            if self._is_full(log, now_ns):
                aside = next_aside(self.path)
                log.lay_aside(aside)
                self._begun_ns = now_ns
                self.counts = self.counts.plus(LogCounts(laid_aside=1))
                done.append(f"{aside.name} is laid aside; {self.path.name} goes on from it")
            if done or now_ns >= self._look_ns:
                self._look_ns = now_ns + round(_LOOK_S * 1e9)
                self._remove(now_ns, done)
            self.error = ""
        except LogError as exc:
            self._look_ns = now_ns + round(_LOOK_S * 1e9)
            self.counts = self.counts.plus(LogCounts(refused=1))
            if not self.error:
                done.append(f"{exc}; it is tried again every minute")
            self.error = str(exc)
        return done

    def _is_full(self, log: LogWriter, now_ns: int) -> bool:
        limits, begun_ns = self.limits, now_ns if self._begun_ns is None else self._begun_ns
        too_long = 0 < limits.file_bytes <= log.file_bytes
        return too_long or 0 < limits.file_s <= (now_ns - begun_ns) / 1e9

    def _remove(self, now_ns: int, done: list[str]) -> None:
        """Logs that need not or may not be kept; a line of each into `done`, also where a later one is refused.

        Raises:
            LogError: the disk refuses.
        """
        limits = self.limits
        if not limits.keep_bytes and not limits.keep_s:
            return
        total = 0
        for path in reversed(laid_aside(self.path)):
            try:
                found = path.stat()
                total += found.st_size
                old = 0 < limits.keep_s <= now_ns / 1e9 - found.st_mtime
                if old or 0 < limits.keep_bytes < total:
                    os.unlink(path)
                    self.counts = self.counts.plus(LogCounts(removed=1))
                    why = f"older than {limits.keep_s / 3600:g} h" if old else "beyond what is kept"
                    done.append(f"{path.name} is removed: {why}")
            except FileNotFoundError:
                continue
            except OSError as exc:
                raise LogError(f"cannot remove {path}: {exc.strerror or exc}") from exc
