"""The append-only log (.cslog): what was committed, as it was published. Recording, recovery, replay, export.

    file    =  magic (8)  major u16  minor u16  zero u32                      16 bytes
    record  =  sync (8)   length u32  crc32 u32  payload                      big-endian, crc over length + payload
    payload =  count u32  count x (length u32, message bytes)  state bytes    state: one msgpack map, or nothing

One record is one commit: all parts of a window, with the warm-start state that belongs to it, stand or fall
together, so no second file can disagree with the log. On opening for append a tail that is no whole record is
cut off. A damaged record in the middle costs that record only: the sync mark finds the next one.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import LogError
from .codec import pack_map, unpack_map

MAGIC = b"\x89CSLOG\r\n"
"""Not text, and damaged by anything that translates line ends."""
VERSION = (1, 0)
SYNC = bytes.fromhex("c5fe10d3a79b4e62")
"""Starts every record; drawn at random, so that data looks like it once in 2**64 places."""
MAX_RECORD_BYTES = 1 << 28
"""A window of 1,000 people with its state is some 90 MB; more is taken for damage."""
FILE_HEAD = struct.Struct(">8sHHI")
RECORD_HEAD = struct.Struct(">8sII")
_U32 = struct.Struct(">I")


@dataclass(frozen=True)
class LogRecord:
    """One commit."""

    offset: int
    """Where the record starts in the file, bytes."""
    end: int
    """Where the next one starts."""
    messages: tuple[bytes, ...]
    """The messages as published, without length."""
    places: tuple[int, ...]
    """Where each message starts in the file, bytes."""
    state: bytes
    """The packed warm-start state; empty for none."""

    def decode_state(self) -> dict[str, Any] | None:
        """The warm-start state; None where there is none."""
        return unpack_map(self.state, MAX_RECORD_BYTES) if self.state else None


@dataclass
class LogHealth:
    """What a pass over a log found besides whole records."""

    records: int = 0
    damaged_records: int = 0
    """Stretches between whole records that could not be read; as a rule one record each."""
    damaged_bytes: int = 0
    tail_bytes: int = 0
    """Unfinished bytes at the end: a commit that was cut short."""

    def describe(self) -> str:
        """One line; empty for a sound log."""
        parts = []
        if self.damaged_records:
            parts.append(f"{self.damaged_records} damaged record(s), {self.damaged_bytes} bytes, left out")
        if self.tail_bytes:
            parts.append(f"{self.tail_bytes} bytes of an unfinished record at the end left out")
        return "; ".join(parts)


# --- records <-> bytes ------------------------------------------------------------------------------------


def pack_record(messages: Sequence[bytes], state: bytes = b"") -> bytes:
    """The bytes of one commit."""
    payload = [_U32.pack(len(messages))]
    for message in messages:
        payload += (_U32.pack(len(message)), message)
    payload.append(state)
    length = sum(map(len, payload))
    if length > MAX_RECORD_BYTES:
        raise LogError(
            f"a record of {length} bytes is over the limit of {MAX_RECORD_BYTES}; publish smaller windows"
        )
    packed = _U32.pack(length)
    crc = zlib.crc32(packed)
    for piece in payload:
        crc = zlib.crc32(piece, crc)
    return b"".join((SYNC, packed, _U32.pack(crc), *payload))


def unpack_record(data: memoryview, offset: int = 0) -> LogRecord | None:
    """The whole record at a place of the file's bytes; None where there is none."""
    if len(data) - offset < RECORD_HEAD.size:
        return None
    sync, length, crc = RECORD_HEAD.unpack_from(data, offset)
    start = offset + RECORD_HEAD.size
    if sync != SYNC or length > MAX_RECORD_BYTES or length < 4 or length > len(data) - start:
        return None
    payload = data[start : start + length]
    if zlib.crc32(payload, zlib.crc32(_U32.pack(length))) != crc:
        return None
    (count,) = _U32.unpack_from(payload)
    at = 4
    messages, places = [], []
    for _ in range(count):
        if length - at < 4:
            return None
        (size,) = _U32.unpack_from(payload, at)
        at += 4
        if size > length - at:
            return None
        messages.append(bytes(payload[at : at + size]))
        places.append(start + at)
        at += size
    return LogRecord(offset, start + length, tuple(messages), tuple(places), bytes(payload[at:]))


def scan(path: Path, health: LogHealth, start: int = FILE_HEAD.size) -> Iterator[LogRecord]:
    """Every whole record from a place on, past any damage; fills `health` as it goes."""
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            yield from _scan_window(file.fileno(), size, start, health)
    except OSError as exc:
        raise LogError(f"cannot read {path}: {exc.strerror or exc}") from exc


def _scan_window(fd: int, size: int, offset: int, health: LogHealth) -> Iterator[LogRecord]:
    """Reads one record at a time, so memory follows the largest record and not the file."""
    good_end = offset
    while offset < size:
        record = _read_record(fd, offset, size)
        if record is None:
            offset = _find_sync(fd, offset + 1, size)
            continue
        if offset > good_end:
            health.damaged_records += 1
            health.damaged_bytes += offset - good_end
        health.records += 1
        yield record
        offset = good_end = record.end
    health.tail_bytes = size - good_end


def _read_record(fd: int, offset: int, size: int) -> LogRecord | None:
    head = os.pread(fd, RECORD_HEAD.size, offset)
    if len(head) < RECORD_HEAD.size or head[:8] != SYNC:
        return None
    _, length, _ = RECORD_HEAD.unpack(head)
    if length > min(MAX_RECORD_BYTES, size - offset - RECORD_HEAD.size):
        return None
    record = unpack_record(memoryview(head + os.pread(fd, length, offset + RECORD_HEAD.size)))
    if record is None:
        return None
    places = tuple(offset + place for place in record.places)
    return LogRecord(offset, offset + record.end, record.messages, places, record.state)


def _find_sync(fd: int, offset: int, size: int) -> int:
    """The next place that looks like the start of a record; `size` where there is none."""
    step = 1 << 20
    while offset < size:
        block = os.pread(fd, step + len(SYNC) - 1, offset)
        found = block.find(SYNC)
        if found >= 0:
            return offset + found
        offset += step
    return size


def is_barely_begun(path: Path) -> bool:
    """A log that was cut inside its head, or is empty: nothing was committed to it, so it is as good as none."""
    try:
        with path.open("rb") as file:
            head = file.read(FILE_HEAD.size)
    except OSError as exc:
        raise LogError(f"cannot read {path}: {exc.strerror or exc}") from exc
    return len(head) < FILE_HEAD.size and FILE_HEAD.pack(MAGIC, *VERSION, 0).startswith(head)


def check_head(path: Path) -> None:
    """Raises LogError unless the file is a log of a version this code reads."""
    try:
        with path.open("rb") as file:
            head = file.read(FILE_HEAD.size + len(SYNC))
    except OSError as exc:
        raise LogError(f"cannot read {path}: {exc.strerror or exc}") from exc
    if not head:
        raise LogError(f"{path} is empty; expected a log written by `crowdstream run --record`")
    whole = len(head) >= FILE_HEAD.size
    magic, major, minor, _ = FILE_HEAD.unpack_from(head) if whole else (head[:8], 0, 0, 0)
    if magic == MAGIC and whole and major == VERSION[0]:
        return
    if head[FILE_HEAD.size :] == SYNC:  # the head is damaged, the records are ours
        return
    if magic == MAGIC[: len(magic)] and not whole:
        raise LogError(f"{path} ends inside its header; nothing was committed to it")
    if magic == MAGIC:
        raise LogError(
            f"{path} is a log of version {major}.{minor}, expected {VERSION[0]}.x; use the matching release"
        )
    raise LogError(f"{path} is not a crowdstream log; expected a file written by `crowdstream run --record`")


def pack_state(state: Mapping[str, object] | None) -> bytes:
    """The warm-start state as it rides in a window's record."""
    return b"" if state is None else pack_map(state)
