"""One numbered stream as the hub holds it: its newest messages, what a subscriber who returns gets of it.

The ring is unbroken: a jump of the number empties it, so that a message is found by its number alone. Beside it
stands the newest message per key (camera, component, part of a window, track), which is the state a snapshot sends.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Protocol

from ..identity import MOST_TRACKS
from .messages import DURABLE, Message, Tier, tier_of


class History(Protocol):
    """Committed messages of the durable topics of this session: the log."""

    def first(self, sid: str, topic: str) -> int | None: ...

    def read(self, sid: str, topic: str, seq: int) -> bytes | None: ...


@dataclass(frozen=True)
class HubLimits:
    """Bounds of everything that waits."""

    live_items: int = 64
    """Live messages waiting for one subscriber; 2 s at 30 Hz."""
    live_bytes: int = 8 << 20
    late_items: int = 1024
    """Late messages waiting for one subscriber; three people of 10 s at 30 Hz come back at once. Bytes as live."""
    control_items: int = 64
    """Control, health and status messages waiting for one subscriber."""
    ring_items: int = 256
    """Newest messages of each topic kept in memory for resume."""
    ring_bytes: int = 64 << 20
    ring_logged_bytes: int = 4 << 20
    """The same of a topic whose messages stand in the log: the rest is read from there."""
    identity_tracks: int = MOST_TRACKS
    """Tracks whose newest identity event is kept for those who come late; some 30 MB. Beyond, the oldest is let go."""
    pulls: int = 64
    """Ranges one subscriber may have asked for and not yet got."""


@dataclass(frozen=True)
class Resume:
    """What a returning or new subscriber gets of one topic."""

    next_seq: int
    """First message to send as the stream goes."""
    gap: tuple[int, int, str] | None = None
    """first, last, cause of what is not sent."""
    snapshot: bool = False


def plan_resume(
    first_held: int | None,
    head: int,
    last: int | None,
    same_session: bool,
    durable: bool,
    want_snapshot: bool,
    adds_up: bool = False,
) -> Resume:
    """Replay where the messages are still held; else one gap with exact bounds, and the newest state.

    Args:
        first_held: oldest number still readable; None for nothing.
        head: newest number published; 0 for none.
        last: newest number the subscriber has; None for a first visit.
        same_session: `last` counts in this session.
        durable: the topic is never skipped silently: everything held is replayed.
        adds_up: its messages only make sense together: where one is gone the whole state is sent instead.
    """
    if last is not None and not same_session:
        return Resume(head + 1, (1, head, "session") if head else None, want_snapshot)
    if last is None:
        return Resume(head + 1, None, want_snapshot)
    if last >= head:
        return Resume(head + 1)
    if first_held is not None and first_held <= last + 1:
        return Resume(last + 1)
    if durable and first_held is not None and not adds_up:
        return Resume(first_held, (last + 1, first_held - 1, "not_held"))
    return Resume(head + 1, (last + 1, head, "not_held"), want_snapshot)


@dataclass
class Topic:
    """One numbered stream: its newest messages and the newest one per key."""

    name: str
    tier: Tier | None
    head: int = 0
    ring: deque[tuple[int, bytes]] = field(default_factory=deque)
    ring_bytes: int = 0
    latest: dict[Hashable, tuple[int, bytes]] = field(default_factory=dict)
    latest_window: tuple[int | None, int | None] = (None, None)

    @property
    def durable(self) -> bool:
        return self.tier in DURABLE

    @property
    def adds_up(self) -> bool:
        """The state is not the newest message but all of them: who every track is."""
        return self.tier is Tier.IDENTITY

    def add(self, message: Message, data: bytes, limits: HubLimits, logged: bool = False) -> None:
        """Takes in the newest message.

        Args:
            logged: it can be read from the log.
        """
        if self.head and message.seq != self.head + 1:  # an unbroken ring is what `at` counts on
            self.ring.clear()
            self.ring_bytes = 0
        self.head = message.seq
        self.ring.append((message.seq, data))
        self.ring_bytes += len(data)
        most_bytes = min(limits.ring_bytes, limits.ring_logged_bytes) if logged else limits.ring_bytes
        while len(self.ring) > limits.ring_items or (self.ring_bytes > most_bytes and len(self.ring) > 1):
            self.ring_bytes -= len(self.ring.popleft()[1])
        window = (message.window, message.rev)
        if self.durable and not self.adds_up and window != self.latest_window:
            self.latest.clear()
            self.latest_window = window
        key = state_key(message)
        self.latest.pop(key, None)  # so that the oldest stands first
        self.latest[key] = (message.seq, data)
        if len(self.latest) > limits.identity_tracks:
            del self.latest[next(iter(self.latest))]

    @property
    def ring_first(self) -> int:
        return self.ring[0][0] if self.ring else self.head + 1

    def at(self, seq: int) -> bytes | None:
        i = seq - self.ring_first
        return self.ring[i][1] if 0 <= i < len(self.ring) else None


def state_key(message: Message) -> Hashable:
    """What a newer message of a topic replaces: a camera's picture, a component's health, who a track is."""
    if message.window is not None:
        return message.part
    if tier_of(message.topic) is Tier.IDENTITY:
        track = message.body.get("track")
        return track if isinstance(track, int) else ""
    key = message.body.get("camera", message.body.get("component", ""))
    return key if isinstance(key, str) else ""
