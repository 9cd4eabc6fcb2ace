"""The checkpoint beside a log: `<log>.checkpoint`, and the one before it as `<log>.checkpoint.1`.

    write:  <log>.checkpoint.new  ->  fsync  ->  .checkpoint to .checkpoint.1  ->  .new to .checkpoint  ->  fsync folder

At every moment one whole checkpoint stands under one of the three names; `read` takes the newest that is whole. The
log is the truth: a checkpoint older than it only means that some frames are worked on again.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ...kernels.settings import StageConfig
from ..errors import CheckpointError
from .cells import MAX_BYTES
from .faults import reached
from .frozen import freeze
from .records import Checkpoint
from .thawed import thaw

SUFFIX = ".checkpoint"
MAX_FILE_BYTES = 4 * MAX_BYTES
"""Many cameras with their refiners."""


@dataclass
class CheckpointStats:
    """What became of the checkpoints; only ever counts up, but for the last two."""

    written: int = 0
    failed: int = 0
    """The disk refused; the run goes on, and goes back further after a crash."""
    bytes: int = 0
    """Length of the newest."""
    error: str = ""
    """The newest refusal, in words; empty once one was written again."""


class CheckpointFile:
    """Writes and reads the checkpoints of one log."""

    def __init__(self, log_path: Path) -> None:
        self.path = log_path.with_name(log_path.name + SUFFIX)
        self.stats = CheckpointStats()
        self.skipped: list[str] = []
        """Why files were passed over by the last `read`, a line each."""

    @property
    def previous(self) -> Path:
        """The checkpoint before the newest."""
        return self.path.with_name(self.path.name + ".1")

    @property
    def unfinished(self) -> Path:
        """Being written."""
        return self.path.with_name(self.path.name + ".new")

    def write(self, checkpoint: Checkpoint) -> bool:
        """Replaces the checkpoint; False where the disk refuses, which is counted. Never raises for the disk.

        Raises:
            CheckpointError: something in it that cannot be frozen.
        """
        data = freeze(checkpoint)
        try:
            self._replace(data)
        except OSError as exc:
            self.stats.failed += 1
            self.stats.error = f"cannot write {self.path}: {exc.strerror or exc}"
            with suppress(OSError):
                self.unfinished.unlink(missing_ok=True)
            return False
        self.stats.written += 1
        self.stats.bytes, self.stats.error = len(data), ""
        return True

    def _replace(self, data: bytes) -> None:
        fd = os.open(
            self.unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_CLOEXEC", 0), 0o600
        )
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(fd, view) :]
            reached("before_checkpoint_sync")
            os.fsync(fd)
        finally:
            os.close(fd)
        reached("before_checkpoint_rename")
        with suppress(FileNotFoundError):
            os.replace(self.path, self.previous)
        reached("between_checkpoint_renames")
        os.replace(self.unfinished, self.path)
        reached("after_checkpoint_rename")
        with suppress(OSError):  # some file systems cannot; the renames are then as safe as they get
            folder = os.open(self.path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def read(self, session: str | None = None, log_bytes: int | None = None) -> Checkpoint | None:
        """The newest checkpoint that is whole and goes with the log; None where there is none (`skipped` says why).

        Args:
            session: the log's last one; a checkpoint of another one is about another log. None: not asked.
            log_bytes: to where the log can be read; a checkpoint beyond knows results that the log has lost.
        """
        self.skipped = []
        for path in (self.path, self.unfinished, self.previous):
            try:
                found = self._read(path)
                if session is not None and found.session != session:
                    raise CheckpointError(
                        f"is of session {found.session!r:.40}, the log ends with {session!r:.40}"
                    )
                if log_bytes is not None and found.log_bytes > log_bytes:
                    raise CheckpointError(f"knows {found.log_bytes} bytes of a log that has {log_bytes}")
                return found
            except FileNotFoundError:
                continue
            except OSError as exc:
                self.skipped.append(f"{path.name}: {exc.strerror or exc}")
            except CheckpointError as exc:
                self.skipped.append(f"{path.name}: {exc}")
        return None

    def _read(self, path: Path) -> Checkpoint:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > MAX_FILE_BYTES:
                raise CheckpointError(f"{size} bytes, expected at most {MAX_FILE_BYTES}")
            found = thaw(file.read(), max_bytes=MAX_FILE_BYTES)
        if not isinstance(found, Checkpoint):
            raise CheckpointError(f"holds a {type(found).__name__}, expected a Checkpoint")
        return found

    def remove(self) -> None:
        """A new log begins: what was beside the old one of its name is not about it."""
        for path in (self.path, self.unfinished, self.previous):
            with suppress(OSError):
                path.unlink(missing_ok=True)


def config_hash(*records: StageConfig) -> str:
    """16 hex digits of settings: equal for equal values, whatever their order in a file."""
    digest = hashlib.sha256()
    for record in records:
        digest.update(f"{type(record).__qualname__} {record.model_dump_json()}\n".encode())
    return digest.hexdigest()[:16]
