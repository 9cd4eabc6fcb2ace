"""A ring of shared-memory slots that carries native frames from a decoder to perception.

    decoder  --write(frame)-->  slot        token: who, when, which slot, which generation (some 200 bytes)
    perception  --view(token)-->  Frame      a read-only view of the slot's bytes, no copy
                --release(token)-->          the slot is free again

One writer; each slot in use has one reader, the holder of its token. The writer never takes a slot that is in
use: if all are, `write` returns None and the frame is the caller's to drop and count. A slot's generation grows
with each use, so a token that has outlived its slot (its reader was declared dead and `reclaim` took the slots
back) is refused instead of showing another frame.

Layout: 64 bytes of header (magic, slots, slot bytes), two int64 a slot (state, generation), then the slots, on
page borders. The two numbers are aligned words, written by one side at a time; whatever carries the token
from process to process (a pipe, a queue, a Ray call) orders the memory around it.

The creator owns the segment and unlinks it; readers only map it. Python 3.11 would register a mapping
with the reader's resource tracker, which would unlink the ring when that reader ends, so readers map
the segment without `SharedMemory`. A segment whose creator was killed is found by `sweep` through its lost lock.
"""

from __future__ import annotations

import _posixshmem  # type: ignore[import-not-found]  # what SharedMemory itself opens with
import fcntl
import mmap
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import shared_memory
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from ..kernels.errors import CrowdstreamError
from .records import ClockOrigin, Frame, PixelFormat

Array = np.ndarray

PREFIX = "crowdstream_"
_MAGIC = 0x31474E4952535243  # "CRSRING1"
_PAGE = 4096
_FREE, _IN_USE = 0, 1
_SHM_FOLDER = Path("/dev/shm")


class RingError(CrowdstreamError):
    """A ring that is gone, or a token that does not fit it."""


@dataclass(frozen=True)
class SlotToken:
    """All that travels in a frame's stead; plain values, cheap to pickle or to pack."""

    ring: str
    """Name of the shared-memory segment."""
    slot: int
    generation: int
    shape: tuple[int, ...]
    format: PixelFormat
    camera: str
    index: int
    t_capture_ns: int
    clock: ClockOrigin
    size_px: tuple[int, int]
    skew_ns: int | None = None


@dataclass
class RingStats:
    """Counters of one writer; only ever count up."""

    written: int = 0
    full: int = 0
    """Frames not taken because every slot was in use."""
    oversize: int = 0
    """Frames larger than a slot."""
    reclaimed: int = 0
    """Slots taken back from readers that never released them."""


class FrameRing:
    """The writer's side, and the owner of the segment."""

    def __init__(self, slot_bytes: int, num_slots: int = 8) -> None:
        if slot_bytes < 1 or num_slots < 1:
            raise RingError(f"a ring needs a slot of some size, got {num_slots} slots of {slot_bytes} bytes")
        self.stats = RingStats()
        self._stride = -(-slot_bytes // _PAGE) * _PAGE
        self._slot_bytes, self._num_slots = slot_bytes, num_slots
        head = _head_bytes(num_slots)
        name = f"{PREFIX}{os.getpid()}_{secrets.token_hex(6)}"
        try:
            self._memory = shared_memory.SharedMemory(name, create=True, size=head + num_slots * self._stride)
        except OSError as exc:
            raise RingError(
                f"cannot get {num_slots} x {slot_bytes / 1e6:.1f} MB of shared memory ({exc.strerror}); "
                "free some, or give the container a larger --shm-size"
            ) from exc
        self._lock_fd = _take_lock(name)
        self._bytes: Array = np.frombuffer(self._memory.buf or b"", np.uint8)
        self._state = _slot_words(self._bytes.data, num_slots)
        # the magic number last, and under the lock: `sweep` leaves alone what does not have it yet
        self._bytes[:24].view(np.int64)[::-1] = (slot_bytes, num_slots, _MAGIC)
        self._next = 0
        self._closed = False

    @property
    def name(self) -> str:
        return self._memory.name

    @property
    def num_slots(self) -> int:
        return self._num_slots

    @property
    def in_use(self) -> int:
        """Slots that a reader holds or has yet to open."""
        return 0 if self._closed else int((self._state[:, 0] == _IN_USE).sum())

    def write(self, frame: Frame) -> SlotToken | None:
        """Copies a frame into a free slot; None (and a count) if there is none or it is too small."""
        if self._closed:
            raise RingError(f"ring {self.name} is closed; nothing can be written any more")
        image = frame.image
        if image.nbytes > self._slot_bytes:
            self.stats.oversize += 1
            return None
        slot = self._free_slot()
        if slot is None:
            self.stats.full += 1
            return None
        self._state[slot, 1] += 1
        start = _head_bytes(self._num_slots) + slot * self._stride
        np.copyto(self._bytes[start : start + image.nbytes].reshape(image.shape), image)
        self._state[slot, 0] = _IN_USE
        self._next = (slot + 1) % self._num_slots
        self.stats.written += 1
        return SlotToken(
            ring=self.name,
            slot=slot,
            generation=int(self._state[slot, 1]),
            shape=tuple(image.shape),
            format=frame.format,
            camera=frame.camera,
            index=frame.index,
            t_capture_ns=frame.t_capture_ns,
            clock=frame.clock,
            size_px=frame.size_px,
            skew_ns=frame.skew_ns,
        )

    def free(self, token: SlotToken) -> bool:
        """Takes back one slot on its reader's behalf; False if it carries another frame by now, or is free."""
        if self._closed or token.ring != self.name:
            return False
        state, generation = self._state[token.slot].tolist()
        if state != _IN_USE or generation != token.generation:
            return False
        self._state[token.slot, 0] = _FREE
        return True

    def reclaim(self) -> int:
        """Takes back every slot, after the reader is known to be dead; its tokens are stale from now on."""
        held = np.flatnonzero(self._state[:, 0] == _IN_USE)
        self._state[held, 1] += 1
        self._state[held, 0] = _FREE
        self.stats.reclaimed += len(held)
        return len(held)

    def close(self) -> None:
        """Unlinks the segment; frames that readers still look at stay valid until they let go. Twice is fine."""
        if self._closed:
            return
        self._closed = True
        self._bytes, self._state = np.zeros(0, np.uint8), np.zeros((0, 2), np.int64)  # let go of the buffer
        with suppress(FileNotFoundError):
            self._memory.unlink()
        self._memory.close()
        if self._lock_fd is not None:
            os.close(self._lock_fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _free_slot(self) -> int | None:
        """The free slot that was used longest ago, nearly: the next one round the ring."""
        for step in range(self._num_slots):
            slot = (self._next + step) % self._num_slots
            if self._state[slot, 0] == _FREE:
                return slot
        return None


@dataclass(frozen=True)
class _Mapping:
    memory: mmap.mmap
    state: Array
    num_slots: int
    stride: int
    slot_bytes: int


class RingReader:
    """The reader's side: maps rings as their tokens come. One per process is enough for all cameras.

    A camera has one ring at a time: with the first token of the next one, a decoder's that follows another, the ring
    before it is let go, and with it the memory that only this mapping still held.
    """

    def __init__(self) -> None:
        self._mappings: dict[str, _Mapping] = {}
        self._ring_of: dict[str, str] = {}

    @property
    def mapped(self) -> list[str]:
        """Names of the rings that are mapped."""
        return sorted(self._mappings)

    def view(self, token: SlotToken) -> Frame:
        """The frame in the slot, without a copy, read-only; valid until `release`.

        Raises:
            RingError: the ring is gone, or its slot carries another frame by now.
        """
        mapping = self._mapping(token.ring)
        before = self._ring_of.get(token.camera, token.ring)
        if before != token.ring:
            self.forget(before)
        self._ring_of[token.camera] = token.ring
        size = int(np.prod(token.shape))
        if not (0 <= token.slot < mapping.num_slots and size <= mapping.slot_bytes):
            raise RingError(f"slot {token.slot} of {size} bytes is not in ring {token.ring}")
        if not self._is_current(mapping, token):
            raise RingError(
                f"slot {token.slot} of ring {token.ring} was taken back: frame {token.camera}#{token.index} "
                "is lost; drop it and count it"
            )
        start = _head_bytes(mapping.num_slots) + token.slot * mapping.stride
        image: Array = np.frombuffer(mapping.memory, np.uint8, size, start).reshape(token.shape)
        image.flags.writeable = False
        return Frame(
            token.camera, token.index, token.t_capture_ns, token.clock, image, token.format, token.size_px,
            token.skew_ns,
        )  # fmt: skip

    def release(self, token: SlotToken) -> bool:
        """Frees the slot. False if it had been taken back: what was seen through the view may be two frames."""
        mapping = self._mappings.get(token.ring)
        if mapping is None or not self._is_current(mapping, token):
            return False
        mapping.state[token.slot, 0] = _FREE
        return True

    @contextmanager
    def frame(self, token: SlotToken) -> Iterator[Frame]:
        """`view` and, whatever happens, `release`."""
        frame = self.view(token)
        try:
            yield frame
        finally:
            self.release(token)

    def forget(self, ring: str) -> None:
        """Lets go of a ring whose camera has ended; its memory is freed with the last view."""
        self._mappings.pop(ring, None)

    def forget_camera(self, camera: str) -> None:
        """The same by the camera's name."""
        self.forget(self._ring_of.pop(camera, ""))

    def close(self) -> None:
        self._mappings.clear()
        self._ring_of.clear()

    def _mapping(self, name: str) -> _Mapping:
        if name not in self._mappings:
            self._mappings[name] = _attach(name)
        return self._mappings[name]

    @staticmethod
    def _is_current(mapping: _Mapping, token: SlotToken) -> bool:
        state, generation = mapping.state[token.slot].tolist()
        return bool(state == _IN_USE and generation == token.generation)


def sweep() -> list[str]:
    """Unlinks the rings of creators that were killed; returns their names. Harmless to those alive."""
    removed = []
    for path in sorted(_SHM_FOLDER.glob(f"{PREFIX}*")) if _SHM_FOLDER.is_dir() else []:
        with suppress(OSError):  # alive, another user's, or gone meanwhile
            fd = os.open(path, os.O_RDWR)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if int.from_bytes(os.read(fd, 8), "little") == _MAGIC:
                    path.unlink()
                    removed.append(path.name)
            finally:
                os.close(fd)
    return removed


def _attach(name: str) -> _Mapping:
    try:
        fd = _posixshmem.shm_open(f"/{name}", os.O_RDWR, mode=0o600)
    except (OSError, ValueError) as exc:
        raise RingError(f"ring {name} is gone ({exc}); its camera has ended or died") from exc
    try:
        memory = mmap.mmap(fd, os.fstat(fd).st_size)
    finally:
        os.close(fd)
    magic, num_slots, slot_bytes = np.frombuffer(memory, np.int64, 3).tolist()
    if magic != _MAGIC:
        raise RingError(f"shared memory '{name}' is not a ring of frames")
    stride = -(-slot_bytes // _PAGE) * _PAGE
    return _Mapping(memory, _slot_words(memory, num_slots), num_slots, stride, slot_bytes)


def _head_bytes(num_slots: int) -> int:
    return -(-(64 + 16 * num_slots) // _PAGE) * _PAGE


def _slot_words(buffer: memoryview | mmap.mmap, num_slots: int) -> Array:
    """(slots, 2) int64: state and generation."""
    return np.frombuffer(buffer, np.int64, 2 * num_slots, 64).reshape(num_slots, 2)


def _take_lock(name: str) -> int | None:
    """A lock that the kernel drops with the process: how `sweep` tells the living from the dead."""
    try:
        fd = os.open(_SHM_FOLDER / name, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None  # no /dev/shm here (macOS): nothing is swept either
    fcntl.flock(fd, fcntl.LOCK_EX)  # at most for the moment in which `sweep` looks at it
    return fd
