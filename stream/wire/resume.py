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

from ...kernels.errors import CrowdstreamError
from ...kernels.solve.problem import WindowSolution
from ..calibration_file import Calibration
from ..errors import LogError, ProtocolError
from ..identity import IdentityEvent
from ..warm_state import PersonState, people_of
from .codec import decode, glance
from .identity import identity_record
from .ledger import Ledger
from .log_file import finish_laying_aside
from .log_format import FILE_HEAD, LogHealth, LogRecord, check_head, is_barely_begun, scan
from .messages import Kind, Message, Tier, tier_of
from .schema import SiteSchema
from .tiers import window_record

_READ = (Tier.WINDOW, Tier.REFINED, Tier.IDENTITY, Tier.SCHEMA)
"""What is read whole; of the rest, which are most, only the numbers count."""
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
    """Windows committed to this log."""
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
    """Up to the end of the last whole record, with all logs that were laid aside before."""
    t_publish_ns: int = 0
    """Of the newest message."""
    health: LogHealth = field(default_factory=LogHealth)


def read_resume_point(log_path: Path) -> ResumePoint:
    """Read a log to its end.

    Raises:
        LogError: there is no log, or it is something else than one.
    """
    finish_laying_aside(log_path)
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
    """What is being learnt of one site beside its numbers."""

    def __init__(self) -> None:
        self.windows = 0
        self.calibration: Calibration | None = None
        self.identity: list[IdentityEvent] = []
        self.records: deque[tuple[WindowSolution, Mapping[str, object]]] = deque(maxlen=_WINDOWS)

    def new_session(self) -> None:
        self.identity.clear()
        self.records.clear()


class _Pass:
    """One pass over a log."""

    def __init__(self) -> None:
        self.health = LogHealth()
        self._ledger = Ledger()
        self._sites: dict[str, _Site] = {}
        self._end = FILE_HEAD.size
        self._broken = 0

    def take(self, record: LogRecord) -> None:
        """Takes one commit; a message in it that makes no sense is counted and left out."""
        self._end = record.end
        self._ledger.take_over(record)
        parts: list[Message] = []
        for data in record.messages:
            try:
                message = glance(data)
                if isinstance(message, Message) and tier_of(message.topic) in _READ:
                    message = decode(data)
                if isinstance(message, Message):
                    self._note(message, data, parts)
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
        ledger = self._ledger
        return ResumePoint(
            session=ledger.sid,
            sessions=tuple(ledger.sids),
            seqs=dict(ledger.seqs),
            sites={name: self._result(name) for name in ledger.sites},
            log_bytes=ledger.base_bytes + self._end,
            t_publish_ns=ledger.t_publish_ns,
            health=self.health,
        )

    def _result(self, name: str) -> SiteResume:
        site, numbers = self._sites.get(name, _Site()), self._ledger.sites[name]
        return SiteResume(
            identity=tuple(site.identity), solver=people_of(site.records), windows=site.windows,
            calibration=site.calibration, **vars(numbers),
        )  # fmt: skip

    def _note(self, message: Message, data: bytes, parts: list[Message]) -> None:
        if message.sid != self._ledger.sid:
            for each in self._sites.values():
                each.new_session()
        self._ledger.note(message, data)
        tier = tier_of(message.topic)
        if message.kind is Kind.SCHEMA:
            self._site(message.topic).calibration = _calibration(SiteSchema.from_message(message))
        elif tier is Tier.IDENTITY:
            event = identity_record(message)
            if event is not None:
                self._site(message.topic).identity.append(event)
        elif tier in (Tier.WINDOW, Tier.REFINED) and message.window is not None and message.rev == 0:
            parts.append(message)

    def _window(self, solution: WindowSolution, record: LogRecord, site: _Site) -> None:
        site.windows += 1
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
