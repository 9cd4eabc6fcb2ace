"""What a decoder process and its parent tell each other: length-prefixed msgpack over a socket pair, plain values only.

    parent -> child   Job, then nothing, or the end of the stream: leave
    child -> parent   Opened, Came (a frame's token) ..., Beat (every second), Lost or Ended

Times in messages are of the monotonic counter, which all processes of a machine share.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import msgpack

from ....kernels.errors import CrowdstreamError
from ...records import ClockOrigin, PixelFormat
from ...ring import SlotToken
from .records import SourceFault

_MAX_BYTES = 1 << 16
_HEAD_BYTES = 4


class ChannelError(CrowdstreamError):
    """Bytes between a decoder and its parent that make no sense: one of them is broken."""


@dataclass(frozen=True)
class Job:
    """What a decoder process is to do. Holds credentials: sent over the socket, never on a command line."""

    url: str = field(repr=False)
    camera: str
    first_index: int
    """Number of the first frame; those of a camera never repeat over reconnects."""
    after_ns: int | None
    """Capture time of the camera's last frame, if there was one."""
    size_px: tuple[int, int] | None
    """Of the frames before; None: what comes."""
    config: dict[str, Any]
    """`LiveConfig`, as plain values."""
    parent: int
    """Process id."""
    die_with_parent: bool
    """Ask the kernel to end this process with the thread that started it."""


@dataclass(frozen=True)
class Opened:
    """The camera answered and described its stream."""

    codec: str
    size_px: tuple[int, int] | None
    fps: float | None
    """As stated."""


@dataclass(frozen=True)
class Came:
    """One frame lies in the ring."""

    token: SlotToken
    arrival_ns: int


@dataclass(frozen=True)
class Beat:
    """Sign of life, with the counters so far."""

    sent_ns: int
    last_frame_ns: int | None
    """When a frame last came, whether or not the ring took it."""
    next_index: int
    counts: dict[str, int]
    """decoded, ring_full, rescaled, broken, damaged, missing_pts."""
    drift_ppm: float | None
    clock: str
    """Of the stamps, in words."""


@dataclass(frozen=True)
class Lost:
    """No more frames come, and why. The last message of a decoder."""

    fault: SourceFault
    text: str
    """Without secrets."""


@dataclass(frozen=True)
class Ended:
    """A recording behind an address came to its end. The last message of a decoder."""


Message = Opened | Came | Beat | Lost | Ended


def job_of(data: dict[str, Any]) -> Job:
    size = data["size_px"]
    return Job(**{**data, "size_px": None if size is None else (size[0], size[1])})


def pack(message: Job | Message) -> bytes:
    """With its length in front."""
    body = {"is": type(message).__name__, **asdict(message)}
    data: bytes = msgpack.packb(body, use_bin_type=True)
    if len(data) > _MAX_BYTES:
        raise ChannelError(
            f"a message of {len(data)} bytes between decoder and parent; expected {_MAX_BYTES} at most"
        )
    return len(data).to_bytes(_HEAD_BYTES, "big") + data


def message_of(data: dict[str, Any]) -> Message:
    """One message of a child.

    Raises:
        ChannelError: nothing a decoder says.
    """
    try:
        kind = data.pop("is")
        if kind == "Came":
            token = data["token"]
            token |= {
                "shape": tuple(token["shape"]), "size_px": tuple(token["size_px"]),
                "format": PixelFormat(token["format"]), "clock": ClockOrigin(token["clock"]),
            }  # fmt: skip
            return Came(SlotToken(**token), data["arrival_ns"])
        if kind == "Beat":
            return Beat(**{**data, "counts": {"decoded": 0, **data["counts"]}})
        if kind == "Opened":
            size = data["size_px"]
            return Opened(data["codec"], None if size is None else (size[0], size[1]), data["fps"])
        if kind == "Lost":
            return Lost(SourceFault(data["fault"]), str(data["text"]))
        if kind == "Ended":
            return Ended()
    except (KeyError, TypeError, ValueError) as exc:
        raise ChannelError(
            f"a decoder said something unknown ({type(exc).__name__}); start it again"
        ) from exc
    raise ChannelError(f"a decoder sent '{kind}', which is no message; start it again")


class Inbox:
    """Cuts a byte stream into messages; holds at most one unfinished message."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[dict[str, Any]]:
        """The messages that are whole by now.

        Raises:
            ChannelError: a length or content that cannot be; the stream is of no use from here on.
        """
        self._buffer += data
        while len(self._buffer) >= _HEAD_BYTES:
            size = int.from_bytes(self._buffer[:_HEAD_BYTES], "big")
            if size > _MAX_BYTES:
                raise ChannelError(
                    f"a decoder announced {size} bytes; expected {_MAX_BYTES} at most; start it again"
                )
            if len(self._buffer) < _HEAD_BYTES + size:
                return
            body = bytes(self._buffer[_HEAD_BYTES : _HEAD_BYTES + size])
            del self._buffer[: _HEAD_BYTES + size]
            try:
                message = msgpack.unpackb(body, raw=False, strict_map_key=True, max_ext_len=0)
            except (ValueError, msgpack.UnpackException) as exc:
                raise ChannelError(
                    f"a decoder sent no msgpack ({type(exc).__name__}); start it again"
                ) from exc
            if not isinstance(message, dict):
                raise ChannelError("a decoder sent no map; start it again")
            yield message


class Outbox:
    """The child's way to its parent; several threads may use it."""

    def __init__(self, link: socket.socket) -> None:
        self._link = link
        self._lock = threading.Lock()

    def send(self, message: Message) -> None:
        """Waits until the parent's buffer takes it.

        Raises:
            OSError: the parent is gone.
        """
        data = pack(message)
        with self._lock:
            self._link.sendall(data)
