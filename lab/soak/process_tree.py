"""What a process and all it started hold, read from /proc: memory, files, threads, shared memory.

Children whose parent was killed are taken up by another; they stay in the tree, because whoever was seen once is
known by number and start time. Linux only, as the whole of the soak is.
"""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

PROC = Path("/proc")
SHARED = Path("/dev/shm")
_CLOCK_HZ = os.sysconf("SC_CLK_TCK")
_SEGMENT = re.compile(r" (/dev/shm/\S+)$", re.MULTILINE)


@dataclass(frozen=True)
class Member:
    """One process, told from a later one of the same number by its start."""

    pid: int
    started: int
    """Clock ticks since the machine came up."""


@dataclass(frozen=True)
class Held:
    """What one process holds at one moment."""

    own_mb: float
    """As in `Holdings`."""
    fds: int
    threads: int


@dataclass(frozen=True)
class Holdings:
    """A tree of processes at one moment."""

    rss_mb: float
    """Resident, shared pages counted once for each process."""
    pss_mb: float
    """Resident, shared pages shared out between the processes: what the machine really gives. It also moves when
    somebody else on the machine begins or ends to use the same libraries."""
    own_mb: float
    """Of that, what is no file's: heaps, stacks and shared memory, in swap too. Nobody outside the tree moves it."""
    fds: int
    threads: int
    processes: int
    segments: tuple[str, ...]
    """Named shared memory that is mapped."""
    cpu_s: float
    """Processor time of those that live."""
    of: Mapping[Member, Held] = field(default_factory=dict)
    """What each process holds."""


class ProcessTree:
    """A process and its descendants; asked now and then, so that nobody gets out of sight."""

    def __init__(self, root: int) -> None:
        self.root = root
        self.known: dict[Member, str] = {}
        """Whoever was ever seen, and its title."""
        self.segments: set[str] = set()
        """Named shared memory ever seen mapped."""
        self.look()

    def look(self) -> list[Member]:
        """Who lives."""
        table = {pid: row for pid in _pids() if (row := _stat(pid)) is not None}
        children: dict[int, list[int]] = {}
        for pid, row in table.items():
            children.setdefault(row[0], []).append(pid)
        known = {m.pid for m in self.known if m.pid in table and table[m.pid][1] == m.started}
        wanted, todo = set[int](), [self.root, *known]
        while todo:
            pid = todo.pop()
            if pid in table and pid not in wanted:
                wanted.add(pid)
                todo += children.get(pid, ())
        alive = [Member(pid, table[pid][1]) for pid in sorted(wanted) if table[pid][2] != "Z"]
        for member in alive:
            self.known[member] = title(member.pid) or self.known.get(member, "")
        return alive

    def holdings(self) -> Holdings:
        """What they hold together; of those that end meanwhile, what was read."""
        alive = self.look()
        rss = pss = cpu = 0.0
        of: dict[Member, Held] = {}
        mapped: set[str] = set()
        for member in alive:
            folder = PROC / str(member.pid)
            own_mb, fds, threads = 0.0, 0, 0
            with suppress(OSError):
                roll = (folder / "smaps_rollup").read_text()
                rss += _kilobytes(roll, "Rss:") / 1024
                pss += _kilobytes(roll, "Pss:") / 1024
                own_mb = _own_kilobytes(roll) / 1024
            with suppress(OSError):
                fds = len(os.listdir(folder / "fd"))
            with suppress(OSError):
                mapped |= set(_SEGMENT.findall((folder / "maps").read_text()))
            row = _stat(member.pid)
            if row is not None:
                threads = row[3]
                cpu += row[4]
            of[member] = Held(own_mb, fds, threads)
        self.segments |= mapped
        own_mb = sum(held.own_mb for held in of.values())
        fds, threads = sum(held.fds for held in of.values()), sum(held.threads for held in of.values())
        return Holdings(rss, pss, own_mb, fds, threads, len(alive), tuple(sorted(mapped)), cpu, of)

    def named(self, pattern: str) -> list[int]:
        """Members that live and whose title matches, oldest first."""
        return [
            m.pid for m in sorted(self.look(), key=lambda m: m.started) if re.search(pattern, self.known[m])
        ]

    def left_over(self) -> list[str]:
        """Titles of members that still live."""
        return [f"{member.pid} {self.known[member]}" for member in self.look()]

    def segments_left(self) -> list[str]:
        """Shared memory that was mapped once and still has a name."""
        return sorted(path for path in self.segments if os.path.exists(path))

    def kill(self) -> None:
        """End whoever lives, those that know nothing of an end first."""
        for member in self.look():
            with suppress(ProcessLookupError):
                os.kill(member.pid, signal.SIGKILL)


def title(pid: int) -> str:
    """The command line, or what the process calls itself; short."""
    try:
        words = (PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
    except OSError:
        return ""
    return words.strip()[:200]


def _pids() -> Iterable[int]:
    return (int(name) for name in os.listdir(PROC) if name.isdigit())


def _stat(pid: int) -> tuple[int, int, str, int, float] | None:
    """Parent, start, state, threads, processor seconds."""
    try:
        text = (PROC / str(pid) / "stat").read_text()
    except OSError:
        return None
    fields: Sequence[str] = text.rpartition(")")[2].split()  # the name before may hold anything
    cpu_s = (int(fields[11]) + int(fields[12])) / _CLOCK_HZ
    return int(fields[1]), int(fields[19]), fields[0], int(fields[17]), cpu_s


def _own_kilobytes(roll: str) -> int:
    """Anonymous and shared memory; kernels before 5.15 do not tell it apart, and all of it is taken then."""
    if "Pss_Anon:" not in roll:
        return _kilobytes(roll, "Pss:")
    return sum(_kilobytes(roll, key) for key in ("Pss_Anon:", "Pss_Shmem:", "SwapPss:"))


def _kilobytes(text: str, key: str) -> int:
    found = re.search(rf"^{key}\s+(\d+) kB", text, re.MULTILINE)
    return int(found.group(1)) if found else 0
