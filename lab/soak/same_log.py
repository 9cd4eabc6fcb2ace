"""Two logs of one recording, message by message: what is lost, what is twice, what differs.

With `publish.clock=capture` and a fixed `publish.session` an engine writes the same bytes per topic whenever it sees
the same frames; across topics the order may differ. A number (`seq`) is a message's place in its topic.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path

from ...stream.wire.codec import decode
from ...stream.wire.log import LogReader
from ...stream.wire.messages import DURABLE, Message, Tier, tier_of

WindowKey = tuple[str, int, int, int]
"""Topic, window, revision, part."""


@dataclass(frozen=True)
class LogDigest:
    """What a log says, short enough to keep many."""

    topics: Mapping[str, Mapping[int, bytes]]
    """Topic -> seq -> digest of the message's bytes; of a number that is there twice, the last."""
    windows: Mapping[WindowKey, int]
    """How often each share of each window is there."""
    repeated: Mapping[str, int]
    """Topic -> numbers that were there before."""
    disordered: Mapping[str, int]
    """Topic -> messages with a number no higher than the one before."""
    damaged: int
    """Records that could not be read."""
    messages: int
    sessions: tuple[str, ...] = ()


def digest(path: Path) -> LogDigest:
    """Read a whole log.

    Raises:
        LogError: no log there.
    """
    topics: dict[str, dict[int, bytes]] = {}
    windows: Counter[WindowKey] = Counter()
    repeated: Counter[str] = Counter()
    disordered: Counter[str] = Counter()
    newest: dict[str, int] = {}
    sessions: dict[str, None] = {}
    reader = LogReader(path)
    count = 0
    for record in reader.records():
        for data in record.messages:
            message = decode(data)
            if not isinstance(message, Message):
                continue
            count += 1
            sessions[message.sid] = None
            seen = topics.setdefault(message.topic, {})
            repeated[message.topic] += message.seq in seen
            disordered[message.topic] += message.seq <= newest.get(message.topic, 0)
            newest[message.topic] = message.seq
            seen[message.seq] = blake2b(data, digest_size=12).digest()
            if tier_of(message.topic) in (Tier.WINDOW, Tier.REFINED) and message.window is not None:
                windows[message.topic, message.window, message.rev or 0, message.part] += 1
    damaged = reader.health.damaged_records
    return LogDigest(topics, windows, +repeated, +disordered, damaged, count, tuple(sessions))


@dataclass(frozen=True)
class Difference:
    """A log against the undisturbed one."""

    lost_windows: int
    """Shares of windows and refinements that are missing."""
    surplus_windows: int
    """Those that the undisturbed log does not have."""
    duplicate_windows: int
    """Those that are there more than once."""
    different: Mapping[str, int] = field(default_factory=dict)
    """Topic -> messages whose bytes differ, or that only one of the two has."""
    order: int = 0
    """Numbers that are not above the one before, in any topic."""

    @property
    def durable_different(self) -> int:
        """The same for the topics that are never lost."""
        return sum(count for topic, count in self.different.items() if tier_of(topic) in DURABLE)

    @property
    def equal(self) -> bool:
        """Per topic byte for byte the same."""
        return not self.different and not self.order and not self.duplicate_windows


def compare(undisturbed: LogDigest, other: LogDigest) -> Difference:
    """What a disturbance changed; `status` and `health` tell of it and are left out."""
    different: Counter[str] = Counter()
    for topic in sorted({*undisturbed.topics, *other.topics}):
        if tier_of(topic) in (Tier.STATUS, Tier.HEALTH):
            continue
        ours, theirs = undisturbed.topics.get(topic, {}), other.topics.get(topic, {})
        different[topic] = sum(ours.get(seq) != theirs.get(seq) for seq in {*ours, *theirs})
    return Difference(
        lost_windows=len(undisturbed.windows.keys() - other.windows.keys()),
        surplus_windows=len(other.windows.keys() - undisturbed.windows.keys()),
        duplicate_windows=sum(count - 1 for count in other.windows.values()),
        different=+different,
        order=sum(other.disordered.values()),
    )
