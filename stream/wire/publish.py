"""The publisher stage of one site: records become messages, numbered and committed by an outlet (`outlet.py`)."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ...kernels.solve.problem import WindowSolution
from ..health.histogram import Histogram
from ..identity import IdentityChange, IdentityEvent
from ..records import ClockOrigin, TrackedFrame
from ..refine.records import Revision, RevisionCause
from .codec import plain
from .identity import identity_message
from .log import LogWriter
from .log_format import pack_state
from .messages import Kind, Message, Tier, topic_of
from .outlet import Outlet
from .publish_config import PublishConfig
from .revision import revision_messages
from .schema import SiteSchema
from .server import WireServer
from .tiers import live_message, window_messages

__all__ = ["LATENCY_SAMPLES", "PublishConfig", "PublishStats", "PublisherStage"]

LATENCY_SAMPLES = 1 << 12
"""Newest latencies kept for the percentiles; two minutes at 30 Hz."""


@dataclass(frozen=True)
class PublishStats:
    """What has been published since the start."""

    messages: Mapping[str, int]
    """Per topic."""
    bytes: int
    log_bytes: int
    """Length of the log; 0 without one."""
    not_recorded: int
    """Commits the disk refused."""
    failed_people: int
    """People of windows left out because their solve failed."""
    dropped: int
    """Live and late messages dropped for slow subscribers, all together."""
    subscribers: int
    latency_ms: Mapping[str, Mapping[str, float]]
    """live, window -> p50, p95 of publish time less arrival; a tier without samples is missing."""


@dataclass(frozen=True)
class SiteMemory:
    """What a stage that follows must know to give the same bytes."""

    t_capture_ns: int = 0
    """Of the newest frame published."""
    clock: ClockOrigin = ClockOrigin.FILE_PTS
    failed_people: int = 0
    changes: Mapping[str, int] = field(default_factory=dict)


class PublisherStage:
    """Commits and publishes the results of one site. Not thread-safe: one stage, one caller."""

    def __init__(
        self,
        config: PublishConfig,
        site: str,
        schema: SiteSchema,
        log_path: Path | None = None,
        wall_ns: Callable[[], int] = time.time_ns,
        outlet: Outlet | None = None,
    ) -> None:
        """
        Args:
            log_path, wall_ns: of an outlet of its own; left out where `outlet` is given.
            outlet: of several sites, started and stopped by its owner.
        """
        self.site = site
        self.schema = schema
        self.outlet = outlet or Outlet(config, log_path, wall_ns)
        self._owns = outlet is None
        self._clock = ClockOrigin.FILE_PTS
        self._t_capture_ns = 0
        self._failed_people = 0
        self._changes: Counter[str] = Counter()
        self._latency_ms: dict[str, deque[float]] = {}
        self.histograms: dict[str, Histogram] = {}
        """The same latencies since the start, by tier, for the health report."""

    # --- life ---------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Opens log and server where they are its own, and publishes the schema, unless the log has it already.

        Raises:
            LogError: the log cannot be written, or is something else than a log.
            PublishError: the address cannot be bound, or may not without a token.
        """
        if self._owns:
            self.outlet.start([self.site])
        else:
            self.outlet.declare(self.site)
        out_already = self.outlet.goes_on and self.outlet.seq.get(topic_of(Tier.SCHEMA, self.site), 0) > 0
        if not out_already:
            self.push_schema(self.schema)

    def memory(self) -> SiteMemory:
        """What a stage that follows must know."""
        return SiteMemory(self._t_capture_ns, self._clock, self._failed_people, dict(self._changes))

    def recall(self, memory: SiteMemory) -> None:
        """Go on from what another stage of this site remembered, before `start`."""
        self._t_capture_ns, self._clock = memory.t_capture_ns, memory.clock
        self._failed_people, self._changes = memory.failed_people, Counter(memory.changes)

    @property
    def failed_people(self) -> int:
        """People of windows left out because their solve failed."""
        return self._failed_people

    @property
    def changes(self) -> Mapping[str, int]:
        """Joins, splits, revisions, and people in those by cause."""
        return dict(self._changes)

    @property
    def latencies(self) -> Mapping[str, Sequence[float]]:
        """live, window -> the newest publish times less arrivals, ms."""
        return self._latency_ms

    @property
    def config(self) -> PublishConfig:
        return self.outlet.config

    @property
    def sid(self) -> str:
        return self.outlet.sid

    @property
    def log(self) -> LogWriter | None:
        return self.outlet.log

    @property
    def server(self) -> WireServer | None:
        return self.outlet.server

    @server.setter
    def server(self, server: WireServer) -> None:
        self.outlet.server = server

    @property
    def last_error(self) -> str:
        """The newest refusal of the disk, in words."""
        return self.outlet.last_error

    @property
    def address(self) -> str:
        """Where subscribers find the stream; empty without a server."""
        return self.outlet.address

    @property
    def num_subscribers(self) -> int:
        return self.outlet.num_subscribers

    def stop(self, reason: str = "end", drain_s: float = 1.0) -> None:
        """Gives subscribers a moment to take the rest, says goodbye, and closes the log, where they are its own."""
        if self._owns:
            self.outlet.stop(reason, drain_s)

    # --- pushing ------------------------------------------------------------------------------------------

    def push_schema(self, schema: SiteSchema) -> None:
        """Publishes the facts of the site; again whenever they change (a calibration that now stands)."""
        self.schema = schema
        self._push_plain(topic_of(Tier.SCHEMA, self.site), Kind.SCHEMA, schema.to_body(), log=True)

    def push_live(self, frame: TrackedFrame, t_arrival_ns: int | None = None) -> None:
        """Publishes one frame of the live tier.

        Args:
            t_arrival_ns: wall clock when the frame entered the engine, for the latency figures.
        """
        self._clock = frame.clock
        self._t_capture_ns = max(self._t_capture_ns, frame.t_capture_ns)
        stamp = self.outlet.stamp(topic_of(Tier.LIVE, self.site), frame.t_capture_ns)
        self.outlet.commit([live_message(frame, self.site, stamp)], log=True)
        self._note_latency("live", t_arrival_ns)

    def push_late(self, rows: TrackedFrame) -> None:
        """Publishes rows of an earlier frame that became known since: new people's first frames, bridged gaps.

        Each replaces the row of the same camera, frame and person, if there was one. Under the capture clock
        they are published at the newest frame's time, as they could not have been known before.
        """
        topic = topic_of(Tier.LATE, self.site)
        stamp = self.outlet.stamp(topic, max(self._t_capture_ns, rows.t_capture_ns))
        self.outlet.commit([live_message(rows, self.site, stamp, Tier.LATE)], log=True)

    def push_window(
        self,
        solution: WindowSolution,
        state: Mapping[str, object] | None = None,
        t_arrival_ns: int | None = None,
        quality: Mapping[str, object] | None = None,
    ) -> None:
        """Commits one window with its warm-start state, then publishes it (or its revision).

        Args:
            state: arrays and plain values the solver needs to go on from here; logged, not published.
            t_arrival_ns: wall clock when the window's last frame entered the engine.
            quality: further counters for `q` (drops by cause, cameras used and expected).
        """
        tier = Tier.WINDOW if solution.rev == 0 else Tier.REFINED
        stamp = self.outlet.stamp(topic_of(tier, self.site), 0)
        messages = window_messages(solution, self.site, stamp, self._clock, quality)
        self._commit_window(messages, pack_state(state))
        self._note_latency("window", t_arrival_ns)

    def push_revision(self, revision: Revision) -> None:
        """Commits bodies that are known better now, with the reason for each person, then publishes them.

        Raises:
            PublishError: revision 0, or slots that are no window's.
        """
        stamp = self.outlet.stamp(topic_of(Tier.REFINED, self.site), 0)
        self._commit_window(revision_messages(revision, self.site, stamp, self.schema.hop, self._clock))
        self._changes["revisions"] += 1
        self._changes.update(RevisionCause(int(cause)).name.lower() for cause in revision.cause)

    def _commit_window(self, messages: list[Message], state: bytes = b"") -> None:
        if self.outlet.config.clock == "capture":
            messages = [replace(m, t_publish_ns=m.t_capture_ns) for m in messages]
        self._failed_people += int(messages[0].quality["failed"])  # type: ignore[call-overload]
        self.outlet.commit(messages, log=True, state=state)

    def push_identity(self, event: IdentityEvent) -> None:
        """Commits that a track was joined to an earlier person, or taken apart again, then publishes it."""
        stamp = self.outlet.stamp(topic_of(Tier.IDENTITY, self.site), event.t_capture_ns)
        self.outlet.commit([identity_message(event, self.site, stamp, self._clock.value)], log=True)
        self._changes[event.change.value] += 1

    def push_status(self, status: Mapping[str, object]) -> None:
        """Publishes an event an operator should know of (a camera lost, a calibration found); recorded."""
        self._push_plain(Tier.STATUS.value, Kind.DATA, status, log=True)

    def push_health(self, health: Mapping[str, object]) -> None:
        """Publishes figures of the moment (`component` names whose); not recorded, as they hold wall times."""
        self._push_plain(Tier.HEALTH.value, Kind.DATA, health, log=False)

    def _push_plain(self, topic: str, kind: Kind, body: Mapping[str, object], log: bool) -> None:
        values = body if kind is Kind.SCHEMA else {key: plain(value) for key, value in body.items()}
        self.outlet.push_plain(topic, kind, values, self._t_capture_ns, self._clock.value, log)

    # --- figures ------------------------------------------------------------------------------------------

    def _note_latency(self, tier: str, t_arrival_ns: int | None) -> None:
        if t_arrival_ns is not None:
            samples = self._latency_ms.setdefault(tier, deque(maxlen=LATENCY_SAMPLES))
            samples.append((self.outlet.wall_ns() - t_arrival_ns) / 1e6)
            self.histograms.setdefault(tier, Histogram()).observe(samples[-1] / 1e3)

    def stats(self) -> PublishStats:
        """The figures so far; also after `stop`."""
        latency = percentiles([self._latency_ms])
        outlet = self.outlet
        return PublishStats(
            messages=dict(outlet.count),
            bytes=outlet.num_bytes,
            log_bytes=outlet.log_bytes,
            not_recorded=outlet.not_recorded,
            failed_people=self._failed_people,
            dropped=outlet.dropped,
            subscribers=outlet.num_subscribers,
            latency_ms=latency,
        )

    def summary(self) -> dict[str, Any]:
        """The figures as one map for a summary file."""
        stats = self.stats()
        return {
            **changes_in_words(self._changes),
            "messages": dict(stats.messages),
            "bytes": stats.bytes,
            "log_bytes": stats.log_bytes,
            "not_recorded": stats.not_recorded,
            "dropped": stats.dropped,
            "latency_ms": {tier: dict(values) for tier, values in stats.latency_ms.items()},
        }


def changes_in_words(changes: Mapping[str, int]) -> dict[str, dict[str, int]]:
    """Joins and revisions as the summary has them: every name is there."""
    known = Counter(changes)
    causes = {cause.name.lower(): known[cause.name.lower()] for cause in RevisionCause}
    return {
        "identity": {change.value: known[change.value] for change in IdentityChange},
        "refined": {"revisions": known["revisions"], **causes},
    }


def percentiles(parts: Sequence[Mapping[str, Sequence[float]]]) -> dict[str, dict[str, float]]:
    """p50 and p95 of every tier that has samples, ms, all parts together."""
    found: dict[str, dict[str, float]] = {}
    for tier in sorted({tier for part in parts for tier in part}):
        samples = np.concatenate([np.asarray(part.get(tier, ()), np.float64) for part in parts])
        if len(samples):
            p50, p95 = np.percentile(samples, [50, 95])
            found[tier] = {"p50": float(p50), "p95": float(p95)}
    return found
