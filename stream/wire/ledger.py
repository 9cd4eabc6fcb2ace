"""What must not be forgotten when a log is laid aside and another goes on: the first record of the new one.

    record  =  newest schema of every site, newest identity event of every track     as they were published
               state: {"before": {bytes, sid, sids, seqs, sites, t_pub}}             what the logs before add up to

So every log is read, exported and gone on with by itself. All of it is known while messages are committed; nothing
is read back for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from ...kernels.errors import CrowdstreamError
from ..identity import MOST_TRACKS
from .codec import pack_map
from .identity import identity_record
from .log_format import FILE_HEAD, LogRecord
from .messages import Kind, Message, Tier, tier_of

MAX_SESSIONS = 64
_KEY = "before"


@dataclass
class SiteNumbers:
    """The next of everything that is numbered at one site, over all sessions."""

    next_index: int = 0
    """The frame after the newest live message."""
    t_capture_ns: int = 0
    """Newest capture time of a live message."""
    next_window: int = 0
    next_person: int = 0
    max_rev: int = 0
    """Highest revision that was published."""

    def least(self, name: str, value: int) -> None:
        setattr(self, name, max(getattr(self, name), value))

    def note(self, message: Message, tier: Tier) -> None:
        """Takes in one result.

        Raises:
            ProtocolError: an identity event that breaks the protocol.
        """
        people = message.body.get("person_ids")
        if isinstance(people, np.ndarray) and people.size and people.dtype.kind in "iu":
            self.least("next_person", int(people.max()) + 1)
        if tier is Tier.LIVE:
            index = message.body.get("index")
            self.least("next_index", index + 1 if isinstance(index, int) else 0)
            self.least("t_capture_ns", message.t_capture_ns)
        elif tier is Tier.IDENTITY:
            event = identity_record(message)
            if event is not None:
                self.least("next_person", max(event.track, event.previous, event.person) + 1)
        elif message.window is not None and message.rev is not None:
            self.least("next_window", message.window + 1)
            self.least("max_rev", message.rev)


class Ledger:
    """Kept up to date message by message, in order of commit."""

    def __init__(self) -> None:
        self.sid = ""
        """The last session."""
        self.sids: dict[str, None] = {}
        """All of them in order, the newest `MAX_SESSIONS`."""
        self.seqs: dict[str, int] = {}
        """Newest number of each topic of the last session."""
        self.sites: dict[str, SiteNumbers] = {}
        self.t_publish_ns = 0
        """Of the newest message."""
        self.base_bytes = 0
        """Length of all logs before this one."""
        self.schemas: dict[str, bytes] = {}
        """Newest schema of the last session by topic, as published."""
        self.identity: dict[str, dict[int, tuple[int, bytes]]] = {}
        """topic -> track -> number and bytes of its newest event in the last session."""

    def note(self, message: Message, data: bytes) -> None:
        """Takes in one message.

        Args:
            data: the same as published.

        Raises:
            ProtocolError: an identity event that breaks the protocol; its number is noted all the same.
        """
        if message.sid != self.sid:  # numbers begin anew, and so do the people
            self._begin(message.sid)
        self.seqs[message.topic] = max(message.seq, self.seqs.get(message.topic, 0))
        self.t_publish_ns = max(self.t_publish_ns, message.t_publish_ns)
        tier = tier_of(message.topic)
        if tier in (None, Tier.STATUS, Tier.HEALTH):
            return
        if message.kind is Kind.SCHEMA:
            self.schemas[message.topic] = data
        elif tier is Tier.IDENTITY:
            self._note_identity(message, data)
        self.site(message.topic).note(message, tier)

    def _begin(self, sid: str) -> None:
        self.sid, self.seqs, self.schemas, self.identity = sid, {}, {}, {}
        self.sids.pop(sid, None)
        self.sids[sid] = None
        while len(self.sids) > MAX_SESSIONS:
            del self.sids[next(iter(self.sids))]

    def _note_identity(self, message: Message, data: bytes) -> None:
        track = message.body.get("track")
        if type(track) is not int:
            return
        tracks = self.identity.setdefault(message.topic, {})
        tracks.pop(track, None)  # so that the oldest stands first
        tracks[track] = (message.seq, data)
        if len(tracks) > MOST_TRACKS:
            del tracks[next(iter(tracks))]

    def site(self, topic: str) -> SiteNumbers:
        """Of the site that a topic is about."""
        return self.sites.setdefault(topic.partition(".")[2], SiteNumbers())

    # --- from one log to the next ---------------------------------------------------------------------------

    def head(self, log_bytes: int) -> tuple[list[bytes], bytes]:
        """Messages and state of the record with which the next log begins.

        Args:
            log_bytes: length of the log that is laid aside.
        """
        messages = list(self.schemas.values())
        for tracks in self.identity.values():
            messages += [data for _, data in sorted(tracks.values(), key=lambda event: event[0])]
        before: dict[str, object] = {
            "bytes": self.base_bytes + log_bytes, "sid": self.sid, "sids": list(self.sids), "seqs": dict(self.seqs),
            "sites": {name: asdict(numbers) for name, numbers in self.sites.items()}, "t_pub": self.t_publish_ns,
        }  # fmt: skip
        return messages, pack_map({_KEY: before})

    def take_over(self, record: LogRecord) -> bool:
        """Takes in what the head of a log says of those before it; False where the record is none.

        What makes no sense in it is left out: numbers then begin where the messages of this log begin.
        """
        before = before_of(record)
        if before is None:
            return False
        self.base_bytes = max(0, _whole(before.get("bytes")))
        self.t_publish_ns = _whole(before.get("t_pub"))
        for sid in _list(before.get("sids")):
            if isinstance(sid, str):
                self.sids[sid] = None
        sid = before.get("sid")
        self.sid = sid if isinstance(sid, str) else ""
        self.seqs = {topic: _whole(seq) for topic, seq in _map(before.get("seqs")).items()}
        for name, numbers in _map(before.get("sites")).items():
            known = {f.name: _whole(_map(numbers).get(f.name)) for f in fields(SiteNumbers)}
            self.sites[name] = SiteNumbers(**known)
        return True


def before_of(record: LogRecord) -> Mapping[str, Any] | None:
    """What a record says of the logs before its own; None for all but the first record of a log that goes on."""
    if record.offset != FILE_HEAD.size or not record.state:
        return None
    try:
        state = record.decode_state() or {}
    except CrowdstreamError:
        return None
    before = state.get(_KEY)
    return before if isinstance(before, Mapping) else None


def _whole(value: object) -> int:
    return value if type(value) is int else 0


def _map(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else []
