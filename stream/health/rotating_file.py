"""A text file that is put aside when it is full: FILE, FILE.1 (newest of the old ones), FILE.2 ...; bounded in all.

It never raises while writing: a log must not stop what it tells of. What a full disk refused is counted.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import BinaryIO

from ..errors import LogError


class RotatingFile:
    """Lines to a file of mode 0600. One process writes it; the caller holds the lock."""

    def __init__(self, path: Path, max_bytes: int, keep: int) -> None:
        """Goes on with what is there.

        Args:
            max_bytes: size at which the file is put aside.
            keep: how many are kept aside; 0 starts the file anew.

        Raises:
            LogError: the file cannot be written.
        """
        self.path = path
        self.lost = 0
        """Lines the disk refused."""
        self._max_bytes = max_bytes
        self._keep = keep
        self._file: BinaryIO | None = None
        self._size = 0
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._open()
        except OSError as exc:
            raise LogError(
                f"cannot write the log {path}: {exc.strerror or exc}; change health.log_file"
            ) from exc

    def write(self, line: str) -> None:
        """One line, without its end."""
        data = line.encode("utf-8", "replace") + b"\n"
        try:
            if self._size and self._size + len(data) > self._max_bytes:
                self._put_aside()
            if self._file is None:
                self._open()
            assert self._file is not None
            self._file.write(data)
            self._size += len(data)
        except OSError:
            self.lost += 1

    def close(self) -> None:
        """A second call does nothing."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None

    def _open(self) -> None:
        handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._file = os.fdopen(handle, "wb", buffering=0)
        self._size = os.fstat(handle).st_size

    def _put_aside(self) -> None:
        self.close()
        if self._keep == 0:
            self.path.unlink(missing_ok=True)
        for number in range(self._keep - 1, 0, -1):
            with contextlib.suppress(FileNotFoundError):
                os.replace(self._aside(number), self._aside(number + 1))
        if self._keep:
            with contextlib.suppress(FileNotFoundError):
                os.replace(self.path, self._aside(1))
        self._size = 0

    def _aside(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}")
