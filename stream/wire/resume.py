"""Where a log ends: everything that an engine which goes on with it must know, in one pass over the log alone.

What a checkpoint knows is newer and more; this is what is there when the checkpoint is lost, and what tells how far
the log goes beyond it. Works on logs that are cut anywhere and on logs with damage inside; what could not be read is
counted in `health`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ...kernels.errors import CrowdstreamError
from ...kernels.solve.problem import WindowSolution
from ..calibration_file import Calibration
from ..errors import LogError, ProtocolError
from ..identity import IdentityEvent
from ..warm_state import PersonState, people_of
from .codec import decode
from .identity import identity_record
from .log_format import FILE_HEAD, LogHealth, LogRecord, check_head, is_barely_begun, scan
from .messages import Kind, Message, Tier, tier_of
from .schema import SiteSchema
from .tiers import window_record

_WINDOWS = 8
"""Windows kept for the solver; it forgets people after `forget_windows`, 2 as a rule."""


@dataclass(frozen=True)
class SiteResume:
    """What the log says of one site. Numbers are over all sessions in it, the rest of its last one."""

    next_index: int = 0
    """The frame after the newest live message."""
    t_capture_ns: int = 0
    """Newest capture time of a live message."""
    next_window: int = 0
    next_person: int = 0
    """Above every number in the log."""
    max_rev: int = 0
    """Highest revision that was published."""
    windows: int = 0
    """Windows committed."""
    identity: tuple[IdentityEvent, ...] = ()
    """Who the tracks are, in order."""
    solver: Mapping[int, PersonState] = field(default_factory=dict)
    """What the solver remembered after the last window."""
    calibration: Calibration | None = None
    """Camera and ground of the last schema; their confidence is not in a log."""


@dataclass(frozen=True)
class ResumePoint:
    """The end of a log."""

    session: str = ""
    """The last one; empty for a log without messages."""
    sessions: tuple[str, ...] = ()
    seqs: Mapping[str, int] = field(default_factory=dict)
    """Newest number of each topic of the last session."""
    sites: Mapping[str, SiteResume] = field(default_factory=dict)
    log_bytes: int = 0
    """Up to the end of the last whole record."""
    t_publish_ns: int = 0
    """Of the newest message."""
    health: LogHealth = field(default_factory=LogHealth)


def read_resume_point(log_path: Path) -> ResumePoint:
    """Read a log to its end.

    Raises:
        LogError: there is no log, or it is something else than one.
    """
    if not log_path.is_file():
        raise LogError(
            f"no log at {log_path} to go on with; give a file written by `crowdstream run --record`"
        )
    if is_barely_begun(log_path):
        return ResumePoint(health=LogHealth(tail_bytes=log_path.stat().st_size))
    check_head(log_path)
    reader = _Pass()
    for record in scan(log_path, reader.health):
        reader.take(record)
    return reader.point()


class _Site:
    """What is being learnt of one site."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.identity: list[IdentityEvent] = []
        self.records: deque[tuple[WindowSolution, Mapping[str, object]]] = deque(maxlen=_WINDOWS)

    def least(self, name: str, value: int) -> None:
        self.values[name] = max(self.values.get(name, 0), value)

    def new_session(self) -> None:
        self.identity.clear()
        self.records.clear()

    def result(self) -> SiteResume:
        return SiteResume(identity=tuple(self.identity), solver=people_of(self.records), **self.values)


class _Pass:
    """One pass over a log."""

    def __init__(self) -> None:
        self.health = LogHealth()
        self._sid = ""
        self._sessions: dict[str, None] = {}
        self._seqs: dict[str, int] = {}
        self._sites: dict[str, _Site] = {}
        self._end = FILE_HEAD.size
        self._t_publish_ns = 0
        self._broken = 0

    def take(self, record: LogRecord) -> None:
        """Takes one commit; a message in it that makes no sense is counted and left out."""
        self._end = record.end
        parts: list[Message] = []
        for data in record.messages:
            try:
                message = decode(data)
                if isinstance(message, Message):
                    self._note(message, parts)
            except CrowdstreamError:
                self._broken += 1
        if parts:
            try:
                self._window(window_record(parts), record, self._site(parts[0].topic))
            except CrowdstreamError:
                self._broken += 1

    def point(self) -> ResumePoint:
        """What was found."""
        self.health.damaged_records += self._broken
        return ResumePoint(
            session=self._sid,
            sessions=tuple(self._sessions),
            seqs=dict(self._seqs),
            sites={name: site.result() for name, site in self._sites.items()},
            log_bytes=self._end,
            t_publish_ns=self._t_publish_ns,
            health=self.health,
        )

    def _note(self, message: Message, parts: list[Message]) -> None:
        if message.sid != self._sid:  # numbers begin anew, and so do the people
            self._sid, self._seqs = message.sid, {}
            self._sessions[message.sid] = None
            for each in self._sites.values():
                each.new_session()
        self._seqs[message.topic] = max(message.seq, self._seqs.get(message.topic, 0))
        self._t_publish_ns = max(self._t_publish_ns, message.t_publish_ns)
        tier = tier_of(message.topic)
        if tier in (None, Tier.STATUS, Tier.HEALTH):
            return
        site = self._site(message.topic)
        people = message.body.get("person_ids")
        if isinstance(people, np.ndarray) and people.size and people.dtype.kind in "iu":
            site.least("next_person", int(people.max()) + 1)
        if message.kind is Kind.SCHEMA:
            site.values["calibration"] = _calibration(SiteSchema.from_message(message))
        elif tier is Tier.LIVE:
            index = message.body.get("index")
            site.least("next_index", index + 1 if isinstance(index, int) else 0)
            site.least("t_capture_ns", message.t_capture_ns)
        elif tier is Tier.IDENTITY:
            event = identity_record(message)
            if event is not None:
                site.identity.append(event)
                site.least("next_person", max(event.track, event.previous, event.person) + 1)
        elif message.window is not None and message.rev is not None:
            site.least("next_window", message.window + 1)
            site.least("max_rev", message.rev)
            if message.rev == 0:
                parts.append(message)

    def _window(self, solution: WindowSolution, record: LogRecord, site: _Site) -> None:
        site.least("windows", site.values.get("windows", 0) + 1)
        try:
            state = record.decode_state() or {}
        except ProtocolError:
            state = {}
            self._broken += 1
        site.records.append((solution, state))

    def _site(self, topic: str) -> _Site:
        return self._sites.setdefault(topic.partition(".")[2], _Site())


def _calibration(schema: SiteSchema) -> Calibration | None:
    model = schema.cameras[0].model if schema.cameras else None
    return None if model is None or schema.ground is None else Calibration(model, schema.ground, "file")
