"""A place for a log that is full when a scenario says so, and has space again when it says so.

A tmpfs of its own where mounting is allowed (root, or a container that may): the disk is really full then. Else a
limit on the size of files that the kernel holds one process to (RLIMIT_FSIZE), which answers "file too large"
instead; good for the inline runtime alone, because it holds for every file of the process.
"""

from __future__ import annotations

import resource
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

_BYTES = 96 << 20
_CHUNK = bytes(1 << 16)


class SmallDisk:
    """`with` it; `fill` and `clear` while an engine writes into `folder`."""

    def __init__(self, out: Path) -> None:
        self.folder = out / "small-disk"
        self.folder.mkdir(parents=True, exist_ok=True)
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={_BYTES}", "crowdstream-soak", str(self.folder)],
            capture_output=True,
            check=False,
        )
        self.real = mounted.returncode == 0
        """A file system of its own."""

    @property
    def before(self) -> Callable[[], None] | None:
        """What the engine's process does first, where the limit stands for the disk."""
        return None if self.real else _outlive_the_limit

    def fill(self, pid: int, log: Path, left: int) -> None:
        """Leave so many bytes for the log, and then none."""
        if not self.real:
            _limit(pid, log.stat().st_size + left)
            return
        free = shutil.disk_usage(self.folder).free - left
        with (self.folder / "ballast").open("ab") as ballast:
            while free > 0:
                free -= ballast.write(_CHUNK[: min(free, len(_CHUNK))])

    def clear(self, pid: int) -> None:
        """Space again."""
        if self.real:
            (self.folder / "ballast").unlink(missing_ok=True)
        else:
            _limit(pid, resource.RLIM_INFINITY)

    def close(self) -> None:
        if self.real:
            subprocess.run(["umount", "-l", str(self.folder)], capture_output=True, check=False)
            self.real = False

    def __enter__(self) -> SmallDisk:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _e: BaseException | None, _t: TracebackType | None
    ) -> None:
        self.close()


def _outlive_the_limit() -> None:
    """A write beyond the limit fails, it does not kill."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)


def _limit(pid: int, size: int) -> None:
    hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)[1]
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, hard))
