"""What waits for one subscriber: bounded queues for what may be dropped, cursors into what may not.

State only: the hub decides what goes in and what comes out next.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass, field

from ..control.records import Permission
from .messages import topic_matches


@dataclass
class Cursor:
    next_seq: int
    caught_up: bool = False
    """Reached the newest once: from then on, falling out of the ring is lagging, not catching up."""


@dataclass(frozen=True)
class Waiting:
    """A message in a queue that may drop it."""

    topic: str
    seq: int
    data: bytes
    cause: str
    """Why numbers before it may be missing."""


@dataclass
class DropOldest:
    """A bounded queue that gives up its oldest messages first."""

    max_items: int
    max_bytes: int
    items: deque[Waiting] = field(default_factory=deque)
    num_bytes: int = 0

    def __len__(self) -> int:
        return len(self.items)

    def push(self, message: Waiting) -> list[Waiting]:
        """Appends; returns what had to go for it."""
        self.items.append(message)
        self.num_bytes += len(message.data)
        dropped = []
        while len(self.items) > self.max_items or (self.num_bytes > self.max_bytes and len(self.items) > 1):
            dropped.append(self.pop())
        return dropped

    def pop(self) -> Waiting:
        """The oldest."""
        oldest = self.items.popleft()
        self.num_bytes -= len(oldest.data)
        return oldest


@dataclass
class Subscriber:
    """Everything that waits for one connection."""

    name: str
    topics: tuple[str, ...]
    max_rate_hz: float
    live: DropOldest
    late: DropOldest
    first: deque[bytes] = field(default_factory=deque)
    """What joining brought: hello, schema, gaps, snapshots, replayed live messages. Sent before all else."""
    control: deque[bytes] = field(default_factory=deque)
    sent: dict[str, int] = field(default_factory=dict)
    """Newest number of each live and late topic given to the socket; a jump is a gap to announce."""
    thinned: set[str] = field(default_factory=set)
    """Topics of which a message was left out for the rate since the newest in the queue."""
    overrun: set[str] = field(default_factory=set)
    """Topics of which the oldest in the queue was dropped since the newest sent."""
    cursors: dict[str, Cursor] = field(default_factory=dict)
    pulls: deque[tuple[str, int, int]] = field(default_factory=deque)
    accepted_s: dict[tuple[str, Hashable], float] = field(default_factory=dict)
    permission: Permission = Permission.READ
    closing: str = ""
    """Reason, once the connection is to end."""
    messages: int = 0
    bytes: int = 0
    dropped: int = 0
    _wants: dict[str, bool] = field(default_factory=dict)

    def wants(self, topic: str) -> bool:
        """Its patterns name this topic; asked for every message, so remembered."""
        wanted = self._wants.get(topic)
        if wanted is None:
            wanted = self._wants[topic] = topic_matches(topic, self.topics)
        return wanted
