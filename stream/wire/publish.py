"""The publisher stage: number a result, commit it to the log, then publish it.

    record -> message(s) -> log record -> fsync (windows) -> subscribers

The numbers go on from the log, so a restart never gives one twice. When the disk refuses, the stream goes on
flagged `recorded: false`, is counted, and every later commit tries again.
"""

from __future__ import annotations

import secrets
import ssl
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field, SecretStr

from ...kernels.settings import StageConfig
from ...kernels.solve.problem import WindowSolution
from ..errors import LogError, PublishError
from ..identity import IdentityChange, IdentityEvent
from ..records import ClockOrigin, TrackedFrame
from ..refine.records import Revision, RevisionCause
from .codec import decode, encode, plain
from .hub import Hub, HubLimits
from .identity import identity_message
from .log import LogWriter
from .log_format import pack_state
from .messages import DURABLE, Kind, Message, Tier, tier_of, topic_of
from .revision import revision_messages
from .schema import SiteSchema
from .server import Address, ServerSettings, WireServer
from .tiers import Stamp, live_message, window_messages

LATENCY_SAMPLES = 1 << 15
"""Newest latencies kept for the percentiles; 18 minutes at 30 Hz."""


class PublishConfig(StageConfig):
    """How results leave the engine."""

    listen: str = "tcp://127.0.0.1:7447"
    """tcp://HOST:PORT, tls://HOST:PORT or unix:///PATH; port 0 takes a free one; empty for no server."""
    token: SecretStr = SecretStr("")
    """Subscribers must show it; required for any address other machines can reach."""
    tls_cert: Path | None = None
    """PEM certificate chain for tls://."""
    tls_key: Path | None = None
    """PEM private key for tls://."""
    session: str = Field(default="", max_length=64, pattern=r"^[A-Za-z0-9_.-]*$")
    """Fixed session id (replays that must give the same bytes); empty for a random one."""
    clock: Literal["wall", "capture"] = "wall"
    """Publish time: the wall clock, or the capture time itself (same replay, same bytes)."""
    fsync: Literal["never", "window", "always"] = "window"
    """When a commit waits for the disk: never, for windows and refinements, or for every message."""
    append: bool = False
    """Go on with an existing log instead of starting it anew."""
    hello_timeout_s: float = Field(default=5.0, gt=0, le=60)
    """A connection that has not said hello by then is closed."""
    ping_interval_s: float = Field(default=5.0, gt=0, le=60)
    """Between pings; three unanswered ones end a connection."""
    max_clients: int = Field(default=64, ge=1, le=4096)
    """Connections at once."""
    queue_messages: int = Field(default=64, ge=1, le=65536)
    """Live messages waiting for one subscriber before the oldest is dropped."""
    queue_mb: float = Field(default=8.0, gt=0, le=1024)
    """The same in megabytes."""
    late_messages: int = Field(default=1024, ge=1, le=65536)
    """Late messages waiting for one subscriber; in megabytes as many as live ones."""
    control_messages: int = Field(default=64, ge=1, le=4096)
    """Health, status and control messages waiting for one subscriber before it is let go."""
    ring_messages: int = Field(default=256, ge=1, le=65536)
    """Newest messages of each topic kept in memory for those who come back."""
    ring_mb: float = Field(default=64.0, gt=0, le=4096)
    """The same in megabytes."""


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


class PublisherStage:
    """Commits and publishes the results of one site. Not thread-safe: one stage, one caller."""

    def __init__(
        self,
        config: PublishConfig,
        site: str,
        schema: SiteSchema,
        log_path: Path | None = None,
        wall_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.config = config
        self.site = site
        self.schema = schema
        self.log_path = log_path
        self.wall_ns = wall_ns
        self.sid = config.session or secrets.token_hex(8)
        self.log: LogWriter | None = None
        self.server: WireServer | None = None
        self.last_error = ""
        """The newest refusal of the disk, in words."""
        self._hub: Hub | None = None
        self._seq: dict[str, int] = {}
        self._clock = ClockOrigin.FILE_PTS
        self._t_capture_ns = 0
        self._count: dict[str, int] = {}
        self._bytes = 0
        self._not_recorded = 0
        self._failed_people = 0
        self._changes: Counter[str] = Counter()
        self._latency_ms: dict[str, deque[float]] = {}

    # --- life ---------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Opens the log, binds the address and publishes the schema.

        Raises:
            LogError: the log cannot be written, or is something else than a log.
            PublishError: the address cannot be bound, or may not without a token.
        """
        if self.log_path is not None:
            self.log = LogWriter(self.log_path, append=self.config.append)
            self._seq = {topic: seq for (sid, topic), seq in self.log.last_seq.items() if sid == self.sid}
        try:
            self._hub = Hub(self.sid, self._limits(), self.log, self.wall_ns)
            self._restore_identity(self._hub)
            for tier in (Tier.LIVE, Tier.LATE, Tier.IDENTITY, Tier.WINDOW, Tier.REFINED):
                topic = topic_of(tier, self.site)
                self._hub.declare(topic, self._seq.get(topic, 0))
            if self.config.listen:
                self.server = WireServer(self._hub, self._server_settings())
                self.server.start()
        except BaseException:
            if self.log is not None:
                self.log.close()
            raise
        self.push_schema(self.schema)

    def _restore_identity(self, hub: Hub) -> None:
        """Who the tracks are survives a restart of the session: whoever comes late gets all joins, old ones too."""
        topic = topic_of(Tier.IDENTITY, self.site)
        for seq in range(1, self._seq.get(topic, 0) + 1):
            data = self.log.read(self.sid, topic, seq) if self.log is not None else None
            message = decode(data) if data is not None else None
            if data is not None and isinstance(message, Message):
                hub.restore(message, data)

    @property
    def address(self) -> str:
        """Where subscribers find the stream; empty without a server."""
        return str(self.server.address) if self.server else ""

    @property
    def num_subscribers(self) -> int:
        return self.server.num_subscribers if self.server else 0

    def stop(self, reason: str = "end", drain_s: float = 1.0) -> None:
        """Gives subscribers a moment to take the rest, says goodbye, and closes the log."""
        try:
            if self.server is not None:
                self.server.stop(reason, drain_s)
        finally:
            if self.log is not None:
                log, self.log = self.log, None
                self._log_bytes_at_end = log.num_bytes
                try:
                    log.close()
                except LogError as exc:
                    self.last_error = str(exc)

    _log_bytes_at_end = 0

    def _limits(self) -> HubLimits:
        config = self.config
        return HubLimits(
            live_items=config.queue_messages,
            live_bytes=round(config.queue_mb * 1e6),
            late_items=config.late_messages,
            control_items=config.control_messages,
            ring_items=config.ring_messages,
            ring_bytes=round(config.ring_mb * 1e6),
        )

    def _server_settings(self) -> ServerSettings:
        config = self.config
        tls = None
        if config.tls_cert is not None:
            try:
                tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
                tls.load_cert_chain(config.tls_cert, config.tls_key)
            except (OSError, ssl.SSLError) as exc:
                raise PublishError(f"cannot use the certificate {config.tls_cert}: {exc}") from exc
        return ServerSettings(
            Address.parse(config.listen), config.token.get_secret_value(), config.hello_timeout_s,
            config.ping_interval_s, config.max_clients, tls,
        )  # fmt: skip

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
        stamp = self._stamp(topic_of(Tier.LIVE, self.site), frame.t_capture_ns)
        self._commit([live_message(frame, self.site, stamp)], log=True)
        self._note_latency("live", t_arrival_ns)

    def push_late(self, rows: TrackedFrame) -> None:
        """Publishes rows of an earlier frame that became known since: new people's first frames, bridged gaps.

        Each replaces the row of the same camera, frame and person, if there was one. Under the capture clock
        they are published at the newest frame's time, as they could not have been known before.
        """
        topic = topic_of(Tier.LATE, self.site)
        stamp = self._stamp(topic, max(self._t_capture_ns, rows.t_capture_ns))
        self._commit([live_message(rows, self.site, stamp, Tier.LATE)], log=True)

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
        stamp = self._stamp(topic_of(tier, self.site), 0)
        messages = window_messages(solution, self.site, stamp, self._clock, quality)
        self._commit_window(messages, pack_state(state))
        self._note_latency("window", t_arrival_ns)

    def push_revision(self, revision: Revision) -> None:
        """Commits bodies that are known better now, with the reason for each person, then publishes them.

        Raises:
            PublishError: revision 0, or slots that are no window's.
        """
        stamp = self._stamp(topic_of(Tier.REFINED, self.site), 0)
        self._commit_window(revision_messages(revision, self.site, stamp, self.schema.hop, self._clock))
        self._changes["revisions"] += 1
        self._changes.update(RevisionCause(int(cause)).name.lower() for cause in revision.cause)

    def _commit_window(self, messages: list[Message], state: bytes = b"") -> None:
        if self.config.clock == "capture":
            messages = [replace(m, t_publish_ns=m.t_capture_ns) for m in messages]
        self._failed_people += int(messages[0].quality["failed"])  # type: ignore[call-overload]
        self._commit(messages, log=True, state=state)

    def push_identity(self, event: IdentityEvent) -> None:
        """Commits that a track was joined to an earlier person, or taken apart again, then publishes it."""
        stamp = self._stamp(topic_of(Tier.IDENTITY, self.site), event.t_capture_ns)
        self._commit([identity_message(event, self.site, stamp, self._clock.value)], log=True)
        self._changes[event.change.value] += 1

    def push_status(self, status: Mapping[str, object]) -> None:
        """Publishes an event an operator should know of (a camera lost, a calibration found); recorded."""
        self._push_plain(Tier.STATUS.value, Kind.DATA, status, log=True)

    def push_health(self, health: Mapping[str, object]) -> None:
        """Publishes figures of the moment (`component` names whose); not recorded, as they hold wall times."""
        self._push_plain(Tier.HEALTH.value, Kind.DATA, health, log=False)

    def _push_plain(self, topic: str, kind: Kind, body: Mapping[str, object], log: bool) -> None:
        stamp = self._stamp(topic, self._t_capture_ns)
        values = body if kind is Kind.SCHEMA else {key: plain(value) for key, value in body.items()}
        message = Message(
            stamp.sid, topic, stamp.seq, kind, self._t_capture_ns, self._clock.value, stamp.t_publish_ns,
            {"recorded": stamp.recorded and log}, values,
        )  # fmt: skip
        self._commit([message], log)

    def _stamp(self, topic: str, t_capture_ns: int) -> Stamp:
        t_publish_ns = t_capture_ns if self.config.clock == "capture" else self.wall_ns()
        return Stamp(self.sid, self._seq.get(topic, 0) + 1, t_publish_ns, self.log is not None)

    def _commit(self, messages: Sequence[Message], log: bool, state: bytes = b"") -> None:
        """Log record, then fsync, then publish; a number is used up only here."""
        if self._hub is None:
            raise PublishError("the publisher has not been started; call start() first")
        packed = [encode(message) for message in messages]
        topic = messages[0].topic
        if log and self.log is not None:
            try:
                self.log.append(messages, packed, state)
                if self.config.fsync == "always" or (
                    self.config.fsync == "window" and tier_of(topic) in DURABLE
                ):
                    self.log.sync()
            except LogError as exc:
                self.last_error = str(exc)
                self._not_recorded += 1
                messages = [replace(m, quality={**m.quality, "recorded": False}) for m in messages]
                packed = [encode(message) for message in messages]
        self._seq[topic] = messages[-1].seq
        self._count[topic] = self._count.get(topic, 0) + len(messages)
        self._bytes += sum(map(len, packed))
        for message, data in zip(messages, packed, strict=True):
            if self.server is not None:
                self.server.publish(message, data)

    # --- figures ------------------------------------------------------------------------------------------

    def _note_latency(self, tier: str, t_arrival_ns: int | None) -> None:
        if t_arrival_ns is not None:
            samples = self._latency_ms.setdefault(tier, deque(maxlen=LATENCY_SAMPLES))
            samples.append((self.wall_ns() - t_arrival_ns) / 1e6)

    def stats(self) -> PublishStats:
        """The figures so far; also after `stop`."""
        latency: dict[str, dict[str, float]] = {}
        for tier, samples in self._latency_ms.items():
            p50, p95 = np.percentile(samples, [50, 95])
            latency[tier] = {"p50": float(p50), "p95": float(p95)}
        return PublishStats(
            messages=dict(self._count),
            bytes=self._bytes,
            log_bytes=self.log.num_bytes if self.log else self._log_bytes_at_end,
            not_recorded=self._not_recorded,
            failed_people=self._failed_people,
            dropped=self._hub.dropped if self._hub else 0,
            subscribers=self.num_subscribers,
            latency_ms=latency,
        )

    def summary(self) -> dict[str, Any]:
        """The figures as one map for a summary file."""
        stats = self.stats()
        return {
            "messages": dict(stats.messages),
            "bytes": stats.bytes,
            "log_bytes": stats.log_bytes,
            "not_recorded": stats.not_recorded,
            "dropped": stats.dropped,
            "identity": {change.value: self._changes[change.value] for change in IdentityChange},
            "refined": {"revisions": self._changes["revisions"]}
            | {cause.name.lower(): self._changes[cause.name.lower()] for cause in RevisionCause},
            "latency_ms": {tier: dict(values) for tier, values in stats.latency_ms.items()},
        }
