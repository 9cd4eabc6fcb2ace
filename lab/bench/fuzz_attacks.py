"""What a hostile or broken peer may send, as bytes: pure, and the same for the same random generator.

Every attack is built from well-formed messages, so that it gets as far as possible before it goes wrong.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Mapping
from random import Random

import msgpack

from ...stream.wire.codec import encode, framed
from ...stream.wire.messages import MAX_REQUEST_BYTES, VERSION, Control, Gap, Hello, Kind
from ...stream.wire.tiers import Stamp, live_message
from .wire_cases import walkers_frame

LENGTH = struct.Struct(">I")
BOMB_BYTES = 5_000_000
SPECIMENS: Mapping[str, bytes] = {
    "hello": encode(Hello(topics=("live",), last_sid="s", last={"live.hall": 3}).control()),
    "pull": encode(Control(Kind.PULL, {"topic": "window.hall", "from": 1, "to": 9})),
    "pong": encode(Control(Kind.PONG, {"n": 1})),
    "request": encode(Control(Kind.REQUEST, {"id": 1, "verb": "status", "args": {}})),
    "bye": encode(Control(Kind.BYE, {})),
    "gap": encode(Gap("live.hall", 4, 9, "slow").control("s", 7)),
    "live": encode(live_message(walkers_frame(3, 2), "hall", Stamp("s", 1, 0, True))),
}
"""One message of every kind that could be sent to a server."""


def hello(token: str = "") -> bytes:
    """What a well-behaved subscriber says first, framed."""
    return framed(encode(Hello(token, ("live",)).control()))


def noise(rng: Random, most: int = 4096) -> bytes:
    return rng.randbytes(rng.randrange(1, most))


def cut(rng: Random) -> bytes:
    """A message that ends early; the length says that it does not, or that it does."""
    data = rng.choice(list(SPECIMENS.values()))
    short = data[: rng.randrange(len(data))]
    return framed(short) if short and rng.random() < 0.5 else framed(data)[: 4 + len(short)]


def flipped(rng: Random) -> bytes:
    """A message with a few bits changed, its length among them at times."""
    data = bytearray(framed(rng.choice(list(SPECIMENS.values()))))
    for _ in range(rng.randrange(1, 6)):
        at = rng.randrange(0 if rng.random() < 0.2 else 4, len(data))
        data[at] ^= 1 << rng.randrange(8)
    return bytes(data)


def lengths(rng: Random) -> bytes:
    """A length that may not be, with something behind it."""
    length = rng.choice([0, MAX_REQUEST_BYTES + 1, 1 << 20, BOMB_BYTES, 1 << 31, (1 << 32) - 1])
    return LENGTH.pack(length) + noise(rng, 256)


def bomb(rng: Random) -> bytes:
    """Little on the wire that would be much in memory: empty maps, or depth; within the limit or far over it."""
    size = rng.choice([MAX_REQUEST_BYTES, BOMB_BYTES]) - 8
    shape = rng.randrange(4)
    if shape == 0:
        data = b"\xdd" + LENGTH.pack(size) + b"\x80" * size
    elif shape == 1:
        data = b"\x91" * size
    elif shape == 2:
        data = b"\x81\xa1a" * (size // 3)
    else:
        data = (b"\xdc\x04\x00" + b"\x80" * 1024) * (size // 1027)
    return framed(data[: size + 8])


def wrong_types(rng: Random) -> bytes:
    """A well-formed map that is no message, or one with values that no message has."""
    kind = rng.choice(["hello", "pull", "request", "pong"])
    odd = rng.choice(
        [None, True, -1, 1 << 63, math.nan, math.inf, "x" * 5000, b"raw", [], {}, [[[]]], {"a": {"a": {}}},
         msgpack.ExtType(5, b"x"), msgpack.Timestamp(1), ["live"] * 100, {str(i): i for i in range(200)}]
    )  # fmt: skip
    message = msgpack.unpackb(SPECIMENS[kind])
    body = message["body"]
    where = rng.randrange(3)
    if where == 0 and body:
        body[rng.choice(list(body))] = odd
    elif where == 1:
        message[rng.choice(list(message))] = odd
    else:
        body[str(odd)[:20]] = odd
    return framed(msgpack.packb(message, strict_types=False))


def doubled_keys(rng: Random) -> bytes:
    """The same key twice: of two readers each might believe another value."""
    pairs = [
        ("v", list(VERSION)),
        ("sid", ""),
        ("kind", "hello"),
        ("kind", "bye"),
        ("t_pub", 0),
        ("body", {}),
    ]
    rng.shuffle(pairs)
    packed = b"".join(msgpack.packb(key) + msgpack.packb(value) for key, value in pairs)
    return framed(b"\x86" + packed)


def other_version(rng: Random) -> bytes:
    message = msgpack.unpackb(SPECIMENS["hello"])
    message["v"] = [rng.choice([0, 2, 99, -1]), rng.randrange(5)]
    return framed(msgpack.packb(message))


def flood(rng: Random) -> bytes:
    """Good messages, far too many of them."""
    data = framed(SPECIMENS[rng.choice(["pull", "pong", "request"])])
    return data * rng.randrange(50, 2000)


def requests(rng: Random) -> bytes:
    """Requests that nobody may make, or that make no sense."""
    out = b""
    for number in range(rng.randrange(1, 30)):
        args: dict[str, object] = {
            rng.choice(["camera", "source", "key", "x"]): rng.choice([1, "../..", "a", [1]])
        }
        verb = rng.choice(["stop", "add_camera", "set_option", "status", "", "__class__", "x" * 300])
        out += framed(encode(Control(Kind.REQUEST, {"id": number, "verb": verb, "args": args})))
    return out


def http(rng: Random) -> bytes:
    """A browser, or a scanner."""
    return rng.choice(
        [b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + noise(rng, 400),
         b"SSH-2.0-OpenSSH_9\r\n", b"\x00" * 64]
    )  # fmt: skip


ATTACKS: Mapping[str, Callable[[Random], bytes]] = {
    attack.__name__: attack
    for attack in (
        noise, cut, flipped, lengths, bomb, wrong_types, doubled_keys, other_version, flood, requests, http,
    )
}  # fmt: skip
"""Each made before a hello, and after a good one."""
