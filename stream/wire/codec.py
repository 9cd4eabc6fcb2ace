"""Messages to bytes and back, and bytes to frames of a stream; everything that comes in is distrusted.

One message is one msgpack map. Arrays travel as `{dtype, shape, data}`: raw little-endian bytes in C order, so
packing copies memory and formats nothing. On a socket a message follows its length (4 bytes, big-endian).

Every decode uses a fresh Unpacker, thrown away with any error (GHSA-6v7p-g79w-8964). Sizes of containers are
limited one by one by msgpack and in sum by the hooks below: limits per container alone would let a few
megabytes of nested empty maps become hundreds.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Mapping
from typing import NoReturn, TypeVar

import msgpack
import numpy as np

from ..errors import ProtocolError
from .messages import MAX_MESSAGE_BYTES, MAX_NAME, NUMBERED, VERSION, Control, Kind, Message

T = TypeVar("T")

DTYPES: dict[str, np.dtype] = {
    name: np.dtype("<" + name)
    for name in ("b1", "u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8")
}
"""The element types of the protocol: kind and bytes, always little-endian; b1 holds 0 or 1."""
_NAME_OF = {dtype: name for name, dtype in DTYPES.items()}

MAX_CONTAINERS = 4096
"""Maps and lists in one message together: a schema of 1,000 cameras stays below it."""
MAX_ITEMS = 65_536
"""Entries of one map or list."""
MAX_DEPTH = 12
MAX_DIMENSIONS = 8
_LENGTH = struct.Struct(">I")


# --- arrays -----------------------------------------------------------------------------------------------


def pack_array(array: np.ndarray) -> dict[str, object]:
    """The wire form of an array; raises ProtocolError for an element type outside `DTYPES`."""
    name = _NAME_OF.get(array.dtype.newbyteorder("<"))
    if name is None:
        raise ProtocolError(f"array of {array.dtype} has no wire type; expected one of {sorted(DTYPES)}")
    return {"dtype": name, "shape": array.shape, "data": array.astype(DTYPES[name], copy=False).tobytes()}


def unpack_array(packed: Mapping[str, object]) -> np.ndarray:
    """A read-only view of the message's own bytes."""
    name, shape, data = packed.get("dtype"), packed.get("shape"), packed.get("data")
    dtype = DTYPES.get(name) if isinstance(name, str) else None
    if dtype is None:
        raise ProtocolError(f"array dtype {name!r:.40} is not one of {sorted(DTYPES)}")
    if not isinstance(shape, list) or len(shape) > MAX_DIMENSIONS:
        raise ProtocolError(f"array shape: expected a list of at most {MAX_DIMENSIONS} sizes")
    if not all(type(size) is int and 0 <= size <= 0xFFFF_FFFF for size in shape):
        raise ProtocolError(f"array shape {shape!r:.60} holds something that is no size")
    if not isinstance(data, bytes) or len(data) != math.prod(shape) * dtype.itemsize:
        got = len(data) if isinstance(data, bytes) else type(data).__name__
        raise ProtocolError(
            f"array {name}{shape}: data is {got}, expected {math.prod(shape)} x {dtype.itemsize} bytes"
        )
    if name == "b1" and data.strip(b"\x00\x01"):
        raise ProtocolError("array of b1 holds a byte that is neither 0 nor 1")
    return np.frombuffer(data, dtype).reshape(shape)


# --- maps -------------------------------------------------------------------------------------------------


def pack_map(value: Mapping[str, object]) -> bytes:
    """One msgpack map; numpy arrays and numbers inside it are translated."""
    try:
        packed: bytes = msgpack.packb(value, default=_pack_other)
    except (TypeError, ValueError, OverflowError) as exc:
        raise ProtocolError(f"cannot be packed: {exc}") from exc
    return packed


def _pack_other(value: object) -> object:
    if isinstance(value, np.ndarray):
        return pack_array(value)
    if isinstance(value, np.generic):
        return value.item()
    raise ProtocolError(
        f"{type(value).__name__} has no wire form; expected arrays, numbers, text, lists or maps"
    )


def plain(value: object) -> object:
    """A status or health value made fit for the wire: numbers that are not finite become None."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def unpack_map(data: bytes, max_bytes: int = MAX_MESSAGE_BYTES) -> dict[str, object]:
    """One map out of distrusted bytes; arrays inside are unpacked and checked.

    Raises:
        ProtocolError: anything but exactly one well-formed map inside the limits.
    """
    if len(data) > max_bytes:
        raise ProtocolError(f"message of {len(data)} bytes, expected at most {max_bytes}")
    containers = 0

    def count(entries: int) -> None:
        nonlocal containers
        containers += 1
        if containers > MAX_CONTAINERS or entries > MAX_ITEMS:
            raise ProtocolError(f"more than {MAX_CONTAINERS} maps and lists, or {MAX_ITEMS} entries in one")

    def take_map(pairs: list[tuple[object, object]]) -> object:
        count(len(pairs))
        made = dict(pairs)
        if len(made) != len(pairs):
            raise ProtocolError("a map names the same key twice")
        for key in made:
            if type(key) is not str:
                raise ProtocolError(f"map key of type {type(key).__name__}, expected text")
        return unpack_array(made) if "dtype" in made and "data" in made else made  # type: ignore[arg-type]

    def take_list(items: list[object]) -> list[object]:
        count(len(items))
        return items

    try:
        value = msgpack.unpackb(
            data,
            object_pairs_hook=take_map,
            list_hook=take_list,
            ext_hook=_refuse_ext,
            max_str_len=max_bytes,
            max_bin_len=max_bytes,
            max_array_len=MAX_ITEMS,
            max_map_len=MAX_ITEMS,
            max_ext_len=0,
        )
    except (ValueError, TypeError, OverflowError, RecursionError, msgpack.UnpackException) as exc:
        raise ProtocolError(f"not one well-formed msgpack map: {str(exc) or type(exc).__name__}") from exc
    if not isinstance(value, dict):
        raise ProtocolError(f"message is a {type(value).__name__}, expected a map")
    _check_values(value, MAX_DEPTH)
    return value


def _refuse_ext(code: int, _data: bytes) -> NoReturn:
    raise ProtocolError(f"msgpack extension type {code} is not part of the protocol")


def _check_values(value: object, depth: int) -> None:
    """Only nil, bool, int, finite float, text, list, map and checked arrays."""
    kind = type(value)
    if kind is str or kind is int or kind is bool or value is None or kind is np.ndarray:
        return
    if kind is float:
        if not math.isfinite(value):  # type: ignore[arg-type]
            raise ProtocolError("a plain number is not finite")
    elif kind is dict or kind is list:
        if depth == 0:
            raise ProtocolError(f"nested deeper than {MAX_DEPTH}")
        items: Iterable[object] = value.values() if isinstance(value, dict) else value  # type: ignore[assignment]
        for item in items:
            _check_values(item, depth - 1)
    else:
        raise ProtocolError(f"a value of type {kind.__name__} is not part of the protocol")


# --- messages ---------------------------------------------------------------------------------------------


def encode(message: Message | Control) -> bytes:
    """The bytes of a message, without the length.

    Raises:
        ProtocolError: larger than `MAX_MESSAGE_BYTES`, or a body with something that has no wire form.
    """
    out: dict[str, object] = {"v": message.version, "sid": message.sid}
    if isinstance(message, Message):
        out |= {"topic": message.topic, "seq": message.seq}
    out["kind"] = message.kind.value
    if isinstance(message, Message):
        if message.window is not None:
            out |= {"win": message.window, "rev": message.rev, "part": message.part, "parts": message.parts}
        out |= {"t_cap": message.t_capture_ns, "clk": message.clock}
        if message.skew_ns is not None:
            out["skew_ns"] = message.skew_ns
    out["t_pub"] = message.t_publish_ns
    if isinstance(message, Message):
        out["q"] = message.quality
    out["body"] = message.body
    data = pack_map(out)
    if len(data) > MAX_MESSAGE_BYTES:
        raise ProtocolError(
            f"message of {len(data)} bytes, expected at most {MAX_MESSAGE_BYTES}; send it in parts"
        )
    return data


def decode(data: bytes, max_bytes: int = MAX_MESSAGE_BYTES) -> Message | Control:
    """A checked message out of distrusted bytes; arrays are read-only views of them.

    Raises:
        ProtocolError: malformed, over a limit, another major version, or a required key missing.
    """
    return _message(unpack_map(data, max_bytes))


def glance(data: bytes) -> Message | Control:
    """What `decode` gives of bytes that this program wrote and a checksum guards, in half the time.

    Arrays but those of ids stay packed (maps), and values are not checked one by one: for what looks through a whole
    log for its numbers.

    Raises:
        ProtocolError: no map, another major version, or a required key missing.
    """
    try:
        raw = msgpack.unpackb(data, ext_hook=_refuse_ext)
    except (ValueError, TypeError, OverflowError, RecursionError, msgpack.UnpackException) as exc:
        raise ProtocolError(f"not one well-formed msgpack map: {str(exc) or type(exc).__name__}") from exc
    if not isinstance(raw, dict):
        raise ProtocolError(f"message is a {type(raw).__name__}, expected a map")
    body = raw.get("body")
    if isinstance(body, dict) and isinstance(ids := body.get("person_ids"), dict):
        body["person_ids"] = unpack_array(ids)
    return _message(raw)


def _message(raw: Mapping[str, object]) -> Message | Control:
    version = _version(raw.get("v"))
    kind = _kind(raw.get("kind"), newer=version[1] > VERSION[1])
    body = _get(raw, "body", dict)
    sid = _get(raw, "sid", str)
    if len(sid) > MAX_NAME:
        raise ProtocolError(f"sid of {len(sid)} characters, expected at most {MAX_NAME}")
    t_publish_ns = _get(raw, "t_pub", int)
    if kind not in NUMBERED:
        return Control(kind, body, sid, t_publish_ns, version)
    topic = _get(raw, "topic", str)
    if not 0 < len(topic) <= MAX_NAME:
        raise ProtocolError(f"topic of {len(topic)} characters, expected 1 to {MAX_NAME}")
    window, rev = raw.get("win"), raw.get("rev")
    if window is not None:
        window, rev = _get(raw, "win", int), _within(raw, "rev", 0, 1 << 31)
    parts = _within(raw, "parts", 1, 65_536) if "parts" in raw else 1
    part = _within(raw, "part", 0, parts - 1) if "part" in raw else 0
    skew = _get(raw, "skew_ns", int) if "skew_ns" in raw else None
    return Message(
        sid, topic, _within(raw, "seq", 1, (1 << 63) - 1), kind, _get(raw, "t_cap", int), _get(raw, "clk", str),
        t_publish_ns, _get(raw, "q", dict), body, window, rev, part, parts, skew, version,  # type: ignore[arg-type]
    )  # fmt: skip


def _get(raw: Mapping[str, object], key: str, kind: type[T]) -> T:
    if key not in raw:
        raise ProtocolError(f"required key {key!r} is missing")
    value = raw[key]
    if type(value) is not kind:
        raise ProtocolError(f"key {key!r}: got {type(value).__name__}, expected {kind.__name__}")
    return value


def _within(raw: Mapping[str, object], key: str, low: int, high: int) -> int:
    value = _get(raw, key, int)
    if not low <= value <= high:
        raise ProtocolError(f"key {key!r}: got {value}, expected {low} to {high}")
    return value


def _version(value: object) -> tuple[int, int]:
    match value:
        case [int(major), int(minor)] if minor >= 0:
            pass
        case _:
            raise ProtocolError(f"key 'v': got {value!r:.40}, expected [major, minor]")
    if major != VERSION[0]:
        raise ProtocolError(
            f"protocol {major}.{minor}, expected {VERSION[0]}.x; use a client and a server of the same major version"
        )
    return major, minor


def _kind(value: object, newer: bool) -> Kind:
    try:
        return Kind(value)  # type: ignore[arg-type]
    except ValueError:
        if newer and isinstance(value, str):
            return Kind.OTHER
        raise ProtocolError(f"kind {value!r:.40} is not one of {[k.value for k in Kind]}") from None


# --- the stream -------------------------------------------------------------------------------------------


def framed(data: bytes) -> bytes:
    """A message as it stands on a socket."""
    return _LENGTH.pack(len(data)) + data


def framed_all(messages: Iterable[bytes]) -> bytes:
    """Messages as they stand on a socket, one after the other; each is copied once."""
    return b"".join([piece for data in messages for piece in (_LENGTH.pack(len(data)), data)])


class Deframer:
    """Bytes in any cuts -> whole messages. Holds one partial message and never more than `max_bytes` of it."""

    def __init__(self, max_bytes: int = MAX_MESSAGE_BYTES) -> None:
        self.max_bytes = max_bytes
        self._buffer = bytearray()

    @property
    def partial(self) -> bool:
        """Some bytes of the next message are here, not all."""
        return bool(self._buffer)

    def feed(self, data: bytes) -> list[bytes]:
        """The messages completed by these bytes; raises ProtocolError on a length of 0 or over the limit."""
        self._buffer += data
        out: list[bytes] = []
        at = 0
        while len(self._buffer) - at >= 4:
            (length,) = _LENGTH.unpack_from(self._buffer, at)
            if not 0 < length <= self.max_bytes:
                raise ProtocolError(f"length prefix {length}, expected 1 to {self.max_bytes}")
            if len(self._buffer) - at - 4 < length:
                break
            out.append(bytes(memoryview(self._buffer)[at + 4 : at + 4 + length]))
            at += 4 + length
        del self._buffer[:at]
        return out
