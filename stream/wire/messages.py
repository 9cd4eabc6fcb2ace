"""What a message is: the envelope of docs/protocol.md as records, before it becomes bytes.

`Message` carries results (kinds `data` and `schema`) and is numbered per (session, topic); `Control` carries
the conversation of one connection (hello, gap, snapshot, ping, pong, pull, request, reply, bye) and has no number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar

from ..errors import ProtocolError

T = TypeVar("T")

VERSION = (1, 2)
"""Major, minor. Same major: must read. Higher minor: unknown keys ignored. Other major: refused."""
MAX_MESSAGE_BYTES = 1 << 20
"""A larger message would hold back heartbeats and live results behind it on one connection."""
MAX_REQUEST_BYTES = 1 << 16
"""What a subscriber may send at once: hello, pull, pong and request are all small."""
MAX_NAME = 128
"""Characters of a topic or session name."""


class Kind(StrEnum):
    """What a message is for."""

    DATA = "data"
    SCHEMA = "schema"
    HELLO = "hello"
    SNAPSHOT = "snapshot"
    GAP = "gap"
    PING = "ping"
    PONG = "pong"
    PULL = "pull"
    REQUEST = "request"
    """Something is asked of the engine (1.2)."""
    REPLY = "reply"
    """Its answer (1.2)."""
    BYE = "bye"
    OTHER = "other"
    """A kind of a later minor version: skipped."""


NUMBERED = frozenset({Kind.DATA, Kind.SCHEMA})
"""Kinds that carry a sequence number."""


class Tier(StrEnum):
    """First word of a topic: what the message is about and what may be lost of it."""

    LIVE = "live"
    """At most once, in order; what is left out is announced."""
    LATE = "late"
    """Rows of earlier live frames that became known since; at most once, in order of publication."""
    WINDOW = "window"
    """At least once after commit to the log."""
    REFINED = "refined"
    """At least once after commit to the log."""
    IDENTITY = "identity"
    """Tracks joined, and taken apart again; at least once after commit, and whoever comes late gets all that hold."""
    SCHEMA = "schema"
    """Names, units, cameras, ground; the latest one holds."""
    HEALTH = "health"
    STATUS = "status"


DURABLE = frozenset({Tier.WINDOW, Tier.REFINED, Tier.IDENTITY})


def topic_of(tier: Tier, site: str) -> str:
    """`live.hall`; `health` and `status` stand alone."""
    return tier.value if tier in (Tier.HEALTH, Tier.STATUS) else f"{tier.value}.{site}"


def tier_of(topic: str) -> Tier | None:
    """The tier of a topic; None for a topic of a later minor version."""
    try:
        return Tier(topic.partition(".")[0])
    except ValueError:
        return None


def topic_matches(topic: str, patterns: tuple[str, ...]) -> bool:
    """`*` is everything, `live` or `live.*` every site, `live.hall` one; no patterns is everything."""
    if not patterns:
        return True
    head = topic.partition(".")[0]
    return any(p in ("*", topic, head, head + ".*") for p in patterns)


@dataclass(frozen=True)
class Message:
    """One numbered message; the wire's short key stands in brackets."""

    sid: str
    """Session, new at every engine start [sid]."""
    topic: str
    """[topic]"""
    seq: int
    """From 1, strictly +1 per (sid, topic) [seq]."""
    kind: Kind
    """`data` or `schema` [kind]."""
    t_capture_ns: int
    """Capture time of the newest thing inside [t_cap]."""
    clock: str
    """What the capture time rests on: file_pts, host, ntp_sr, manual [clk]."""
    t_publish_ns: int
    """Wall clock of the publisher; equals t_cap under the capture clock [t_pub]."""
    quality: Mapping[str, object] = field(default_factory=dict)
    """Drops by cause, people left out, whether the message is recorded [q]."""
    body: Mapping[str, object] = field(default_factory=dict)
    """Arrays (struct of arrays) and plain values [body]."""
    window: int | None = None
    """Window id, of window and refined messages [win]."""
    rev: int | None = None
    """Revision; 0 provisional, >= 1 refined [rev]."""
    part: int = 0
    """Which share of the people of the window this is [part]."""
    parts: int = 1
    """How many shares make the window [parts]."""
    skew_ns: int | None = None
    """Estimated error of the capture clock, where there is an estimate [skew_ns]."""
    version: tuple[int, int] = VERSION
    """Protocol of the sender [v]."""

    def __repr__(self) -> str:
        window = "" if self.window is None else f", win={self.window}r{self.rev} {self.part + 1}/{self.parts}"
        return f"Message({self.topic}#{self.seq}, {self.kind}{window}, body={list(self.body)})"


@dataclass(frozen=True)
class Control:
    """One message of the conversation; no number, never logged."""

    kind: Kind
    body: Mapping[str, object] = field(default_factory=dict)
    sid: str = ""
    """Session of the server; empty from a client."""
    t_publish_ns: int = 0
    version: tuple[int, int] = VERSION


@dataclass(frozen=True)
class Hello:
    """What a subscriber asks for."""

    token: str = ""
    topics: tuple[str, ...] = ()
    """Patterns; none is everything."""
    last_sid: str = ""
    """Session the numbers in `last` belong to; empty for a first visit."""
    last: Mapping[str, int] = field(default_factory=dict)
    """Newest sequence number held, per topic."""
    max_rate_hz: float = 0.0
    """At most so many live messages a second and topic; 0 for all."""
    want_snapshot: bool = True

    def control(self) -> Control:
        return Control(
            Kind.HELLO,
            {
                "token": self.token,
                "topics": list(self.topics),
                "last": {"sid": self.last_sid, "seqs": dict(self.last)},
                "max_rate": self.max_rate_hz,
                "want_snapshot": self.want_snapshot,
            },
        )

    @staticmethod
    def parse(control: Control) -> Hello:
        """Raises ProtocolError on a key of another type; missing keys take their defaults."""
        body = control.body
        last = _typed(body, "last", dict, {})
        seqs = _typed(last, "seqs", dict, {})
        topics = _typed(body, "topics", list, [])
        rate = body.get("max_rate", 0.0)
        if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 <= rate < 1e6:
            raise ProtocolError(f"hello.max_rate: got {rate!r:.40}, expected 0 <= messages per second < 1e6")
        if len(topics) > 64 or not all(isinstance(t, str) and len(t) <= MAX_NAME for t in topics):
            raise ProtocolError(f"hello.topics: expected at most 64 names of at most {MAX_NAME} characters")
        if not all(isinstance(s, int) and not isinstance(s, bool) and s >= 0 for s in seqs.values()):
            raise ProtocolError("hello.last.seqs: expected a non-negative number per topic")
        return Hello(
            _typed(body, "token", str, ""),
            tuple(topics),
            _typed(last, "sid", str, ""),
            seqs,
            float(rate),
            _typed(body, "want_snapshot", bool, True),
        )


@dataclass(frozen=True)
class Gap:
    """Messages `first..last` of a topic that this subscriber does not get now."""

    topic: str
    first: int
    last: int
    cause: str
    """slow, rate, session (a new one), not_held (older than what the server keeps)."""
    held: bool = False
    """True: a `pull` of this range will be answered from the log."""

    def control(self, sid: str, t_publish_ns: int) -> Control:
        body = {
            "topic": self.topic,
            "from": self.first,
            "to": self.last,
            "cause": self.cause,
            "held": self.held,
        }
        return Control(Kind.GAP, body, sid, t_publish_ns)

    @staticmethod
    def parse(control: Control) -> Gap:
        topic, first, last = parse_range(control)
        body = control.body
        return Gap(topic, first, last, _typed(body, "cause", str, ""), _typed(body, "held", bool, False))


def parse_range(control: Control) -> tuple[str, int, int]:
    """Topic, first and last number of a `gap` or `pull`."""
    body = control.body
    first, last = _typed(body, "from", int), _typed(body, "to", int)
    if not 0 < first <= last < 1 << 63:
        raise ProtocolError(f"{control.kind}: from {first} to {last} is no range of sequence numbers")
    return _typed(body, "topic", str), first, last


_REQUIRED = object()


def _typed(body: object, key: str, kind: type[T], default: Any = _REQUIRED) -> T:
    value: Any = body.get(key, default) if isinstance(body, Mapping) else default
    if value is _REQUIRED:
        raise ProtocolError(f"required key {key!r} is missing")
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise ProtocolError(f"key {key!r}: got {type(value).__name__}, expected {kind.__name__}")
    return value
