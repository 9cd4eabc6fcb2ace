"""What a machine must have to run cameras for months: looked at, said in words, with what to do about it.

Each check gives one finding and never raises: what cannot be looked at here (another system, no rights) is said so.
"""

from __future__ import annotations

import ctypes
import os
import resource
import shutil
import socket
import struct
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ...stream.errors import PublishError
from ...stream.health.http import parse_listen
from ...stream.wire.address import Address

MIN_FILES = 4096
"""Sixty-four subscribers, a ring and a pipe a camera, and some hundreds that a Ray node takes."""
MIN_FREE_BYTES = 5_000_000_000
MIN_MEMORY_BYTES = 2_000_000_000
"""Networks, a process a stage, and 650 MB that Ray takes by itself."""
SLOW_FSYNC_S = 0.05
"""Each window waits for the disk; at two a second and camera, this would be a tenth of the time."""
LOOSE_CLOCK_S = 0.05
"""More than a frame: cameras that are paired by this machine's clock would be paired wrongly."""
MEMORY_FILES = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


@dataclass(frozen=True)
class Finding:
    """One thing looked at."""

    name: str
    value: str
    """As it is."""
    advice: str = ""
    """What to do; empty where nothing is wrong."""


def check_machine(record: Path | None, listen: Mapping[str, str], uses_ray: bool = True) -> list[Finding]:
    """Everything in a second or so.

    Args:
        record: where a window log would be written; None: no log.
        listen: setting -> address that an engine would listen on.
    """
    checks: list[Callable[[], Finding]] = [open_files, memory, clock]
    if uses_ray:
        checks.append(ray_home)
    if record is not None:
        checks.append(lambda: disk(record))
    for setting, url in listen.items():
        checks.append(lambda setting=setting, url=url: port(setting, url))  # type: ignore[misc]
    return [check() for check in checks]


def open_files() -> Finding:
    """How many files one process may have open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= MIN_FILES:
        return Finding("open files", "unlimited" if soft == resource.RLIM_INFINITY else str(soft))
    may = "" if hard == resource.RLIM_INFINITY or hard >= MIN_FILES else " (the hard limit must rise first)"
    advice = f"a process may open {soft} files only; ulimit -n {MIN_FILES}{may}, or LimitNOFILE={MIN_FILES} in the unit"
    return Finding("open files", str(soft), advice)


def memory(meminfo: Path = Path("/proc/meminfo"), limits: tuple[str, ...] = MEMORY_FILES) -> Finding:
    """What can still be had, of the machine or of the container's share, whichever is less."""
    available = _meminfo(meminfo)
    limit = min((value for value in map(_limit, limits) if value is not None), default=None)
    if available is None:
        return Finding("memory", "not told by this system")
    free = available if limit is None else min(available, limit)
    value = f"{free / 1e9:.1f} GB" + (" in this container" if limit is not None and limit < available else "")
    if free >= MIN_MEMORY_BYTES:
        return Finding("memory", value)
    return Finding(
        "memory", value, f"{value} of memory is little; --runtime inline takes some 0.7 GB less than Ray"
    )


def _meminfo(path: Path) -> int | None:
    try:
        rows = dict(line.split(":", 1) for line in path.read_text().splitlines() if ":" in line)
        return int(rows["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError, IndexError):
        return None


def _limit(path: str) -> int | None:
    try:
        text = Path(path).read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdigit() and int(text) < 1 << 60 else None


def ray_home() -> Finding:
    """Ray keeps a token in the home folder and fails without one."""
    home = os.environ.get("HOME", "")
    if home and os.access(home, os.W_OK):
        return Finding("home", home)
    state = f"{home} cannot be written" if home else "HOME is not set"
    return Finding("home", state, f"{state}: Ray keeps its token there; set HOME, or --runtime inline")


def disk(record: Path) -> Finding:
    """Space and speed where a log would be written."""
    folder = record.expanduser().absolute().parent
    while not folder.exists():
        folder = folder.parent
    name = f"disk at {folder}"
    try:
        usage = shutil.disk_usage(folder)
        sync_s = fsync_s(folder)
    except OSError as exc:
        why = exc.strerror or str(exc)
        return Finding(name, why, f"a log cannot be written to {folder}: {why}; choose another --record")
    value = f"{usage.free / 1e9:.1f} GB free, a commit takes {sync_s * 1e3:.1f} ms"
    if usage.free < MIN_FREE_BYTES:
        return Finding(
            name, value, f"only {usage.free / 1e9:.1f} GB at {folder}; when it is full, nothing is recorded"
        )
    if sync_s > SLOW_FSYNC_S:
        return Finding(
            name,
            value,
            f"a commit to {folder} takes {sync_s * 1e3:.0f} ms; use a faster disk, or fsync=never",
        )
    return Finding(name, value)


def fsync_s(folder: Path, times: int = 5) -> float:
    """Median time of a small write that waits for the disk, s. Raises OSError."""
    path = folder / f".crowdstream-doctor-{os.getpid()}"
    took = []
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        for _ in range(times):
            begin_s = time.perf_counter()
            os.write(handle, b"\0" * 16384)
            os.fsync(handle)
            took.append(time.perf_counter() - begin_s)
    finally:
        os.close(handle)
        path.unlink(missing_ok=True)
    return sorted(took)[times // 2]


def clock(read: Callable[[], tuple[bool, float] | None] | None = None) -> Finding:
    """Whether something keeps this machine's time right."""
    state = (read or _kernel_clock)()
    if state is None:
        return Finding("clock", "not told by this system")
    in_step, error_s = state
    value = f"{'kept in step' if in_step else 'not kept in step'}, off by at most {error_s * 1e3:.0f} ms"
    if not in_step:
        advice = (
            "nothing keeps the clock in step (or this container is not told); run chrony or systemd-timesyncd"
        )
        return Finding("clock", "not kept in step", advice)
    if error_s > LOOSE_CLOCK_S:
        return Finding(
            "clock", value, f"the clock may be off by {error_s * 1e3:.0f} ms; use a nearer time server"
        )
    return Finding("clock", value)


_TIMEX = struct.Struct("@I4lilll2lllli")
"""Head of struct timex (adjtimex(2)): modes, offset, freq, maxerror, esterror, status, constant ..."""
_STA_UNSYNC = 0x0040


def _kernel_clock() -> tuple[bool, float] | None:
    """(in step, greatest error in s) by adjtimex, which only reads here; None where there is none."""
    buffer = ctypes.create_string_buffer(512)
    try:
        state = ctypes.CDLL(None, use_errno=True).adjtimex(buffer)
    except (OSError, AttributeError):
        return None
    if state < 0:
        return None
    fields = _TIMEX.unpack_from(buffer.raw)
    max_error_us, status = fields[3], fields[5]
    return not status & _STA_UNSYNC, max_error_us / 1e6


def port(setting: str, url: str) -> Finding:
    """Whether an engine could listen there."""
    try:
        address = parse_listen(url) if url.startswith("http") else Address.parse(url)
    except PublishError as exc:
        return Finding(setting, url, str(exc))
    if address.scheme == "unix" or not address.port:
        return Finding(setting, url)
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        socket.create_server((address.host, address.port), family=family).close()
    except OSError as exc:
        why = os.strerror(exc.errno).lower() if exc.errno else str(exc)
        advice = f"{setting}: cannot listen on {url} ({why}); is an engine up? See crowdstream status, or set another"
        return Finding(setting, f"{url}: {why}", advice)
    return Finding(setting, f"{url} is free")
