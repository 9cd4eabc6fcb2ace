"""Where all sites of an engine publish: one log, one hub, one server, and the numbers of every topic.

    messages of one commit -> log record -> fsync (durable topics) -> subscribers

The numbers go on from the log, so a restart never gives one twice. An outlet that goes on where another broke off
(`goes_on_from`) numbers from what was acknowledged then; what the log holds already is neither written nor sent again,
so the same results given twice are published once. When the disk refuses, the stream goes on flagged
`recorded: false`, is counted, and every later commit tries again.
"""

from __future__ import annotations

import secrets
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ..checkpoint.faults import reached
from ..errors import LogError, PublishError
from .codec import decode, encode
from .hub import Hub, HubLimits
from .ledger import Ledger
from .log import LogWriter
from .log_shelf import LogCounts, LogShelf, ShelfLimits
from .messages import DURABLE, Kind, Message, Tier, tier_of, topic_of
from .publish_config import PublishConfig
from .server import WireServer
from .server_settings import server_settings
from .tiers import Stamp

SITE_TIERS = (Tier.LIVE, Tier.LATE, Tier.IDENTITY, Tier.WINDOW, Tier.REFINED)
NEVER_REPEATED = (Tier.STATUS, Tier.HEALTH)
"""Events and figures of the moment: those of a second try are others, so they are numbered after all before."""


class Outlet:
    """Commits and publishes. Not thread-safe: one caller."""

    def __init__(
        self,
        config: PublishConfig,
        log_path: Path | None = None,
        wall_ns: Callable[[], int] = time.time_ns,
        goes_on_from: Mapping[str, int] | None = None,
    ) -> None:
        """
        Args:
            log_path: window log; None to publish without one.
            goes_on_from: newest number of each topic that is known to be out; what comes after may come again.
        """
        self.config = config
        self.log_path = log_path
        self.wall_ns = wall_ns
        self.sid = config.session or secrets.token_hex(8)
        self.log: LogWriter | None = None
        self.server: WireServer | None = None
        self.hub: Hub | None = None
        self.last_error = ""
        """The newest refusal of the disk, in words."""
        self.seq: dict[str, int] = {}
        """Newest number given, by topic."""
        self.count: Counter[str] = Counter()
        """Messages by topic."""
        self.num_bytes = 0
        self.not_recorded = 0
        self.repeated = 0
        """Messages that the log held already."""
        self.shelf: LogShelf | None = None
        """What becomes of a log that has grown long."""
        self._goes_on_from = None if goes_on_from is None else dict(goes_on_from)
        self._logged: dict[str, int] = {}
        self._log_bytes_at_end = 0
        self._recorded = True
        self._tending = False

    # --- life ---------------------------------------------------------------------------------------------

    def start(self, sites: Sequence[str]) -> None:
        """Opens the log, names the topics of the sites and binds the address.

        Raises:
            LogError: the log cannot be written, or is something else than a log.
            PublishError: the address cannot be bound, or may not without a token.
        """
        if self.log_path is not None:
            self.log = LogWriter(self.log_path, append=self.config.append)
            self._logged = {topic: seq for (sid, topic), seq in self.log.last_seq.items() if sid == self.sid}
            self.shelf = LogShelf(self.log_path, self._shelf_limits(), self.wall_ns)
        self.seq = dict(self._logged if self._goes_on_from is None else self._goes_on_from)
        for topic, seq in self._logged.items():
            if tier_of(topic) in NEVER_REPEATED:
                self.seq[topic] = max(seq, self.seq.get(topic, 0))
        try:
            self.hub = Hub(self.sid, self._limits(), self.log, self.wall_ns)
            for site in sites:
                self.declare(site)
            if self.config.listen:
                self.server = WireServer(self.hub, server_settings(self.config))
                self.server.start()
        except BaseException:
            if self.log is not None:
                self.log.close()
            raise

    def declare(self, site: str) -> None:
        """Names the topics of a site before their first messages."""
        hub = self._open_hub()
        self._restore_identity(hub, site)
        self._restore_schema(hub, site)
        for tier in SITE_TIERS:
            topic = topic_of(tier, site)
            hub.declare(topic, max(self.seq.get(topic, 0), self._logged.get(topic, 0)))

    def _restore_identity(self, hub: Hub, site: str) -> None:
        """Who the tracks are survives a restart of the session: whoever comes late gets all joins, old ones too."""
        tracks = self._ledger.identity.get(topic_of(Tier.IDENTITY, site), {})
        for _, data in sorted(tracks.values(), key=lambda event: event[0]):
            message = decode(data)
            if isinstance(message, Message):
                hub.restore(message, data)

    def _restore_schema(self, hub: Hub, site: str) -> None:
        data = self._ledger.schemas.get(topic_of(Tier.SCHEMA, site))
        message = decode(data) if data is not None else None
        if data is not None and isinstance(message, Message):
            hub.restore(message, data)

    @property
    def _ledger(self) -> Ledger:
        """Of the log, if it ends with this session."""
        if self.log is None or self.log.ledger.sid != self.sid:
            return Ledger()
        return self.log.ledger

    @property
    def goes_on(self) -> bool:
        """Another outlet's work is gone on with."""
        return self._goes_on_from is not None

    @property
    def address(self) -> str:
        """Where subscribers find the streams; empty without a server."""
        return str(self.server.address) if self.server else ""

    @property
    def num_subscribers(self) -> int:
        return self.server.num_subscribers if self.server else 0

    @property
    def dropped(self) -> int:
        """Live and late messages dropped for slow subscribers, all together."""
        return self.hub.dropped if self.hub else 0

    @property
    def recording(self) -> bool:
        """There is a log, and the newest commit is in it."""
        return self.log is not None and self._recorded

    @property
    def logs(self) -> LogCounts:
        """What became of logs that had grown long."""
        return self.shelf.counts if self.shelf is not None else LogCounts()

    @property
    def log_bytes(self) -> int:
        """Length of the log with all that was laid aside; 0 without one."""
        return self.log.num_bytes if self.log else self._log_bytes_at_end

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

    def _limits(self) -> HubLimits:
        config = self.config
        return HubLimits(
            live_items=config.queue_messages,
            live_bytes=round(config.queue_mb * 1e6),
            late_items=config.late_messages,
            control_items=config.control_messages,
            ring_items=config.ring_messages,
            ring_bytes=round(config.ring_mb * 1e6),
            ring_logged_bytes=round(config.ring_logged_mb * 1e6),
        )

    def _shelf_limits(self) -> ShelfLimits:
        config = self.config
        return ShelfLimits(
            round(config.log_file_mb * 1e6), 3600.0 * config.log_file_hours, round(config.log_keep_gb * 1e9),
            3600.0 * config.log_keep_hours,
        )  # fmt: skip

    # --- commits ------------------------------------------------------------------------------------------

    def stamp(self, topic: str, t_capture_ns: int) -> Stamp:
        """What the next message of a topic carries."""
        t_publish_ns = t_capture_ns if self.config.clock == "capture" else self.wall_ns()
        return Stamp(self.sid, self.seq.get(topic, 0) + 1, t_publish_ns, self.log is not None)

    def commit(self, messages: Sequence[Message], log: bool, state: bytes = b"") -> None:
        """Log record, then fsync, then publish; a number is used up only here.

        Args:
            messages: of one topic, with numbers in a row.
            log: whether they are recorded.
            state: goes into the record beside them, and to nobody else.
        """
        self._open_hub()
        topic, newest = messages[0].topic, messages[-1].seq
        if newest <= self._logged.get(topic, 0) and tier_of(topic) not in NEVER_REPEATED:
            self.seq[topic] = newest
            self.repeated += len(messages)
            return
        packed = [encode(message) for message in messages]
        if log and self.log is not None:
            try:
                self.log.append(messages, packed, state)
                self._sync(topic)
                self._recorded = True
            except LogError as exc:
                self.last_error = str(exc)
                self.not_recorded += 1
                self._recorded = False
                messages = [replace(m, quality={**m.quality, "recorded": False}) for m in messages]
                packed = [encode(message) for message in messages]
        self.seq[topic] = newest
        self.count[topic] += len(messages)
        self.num_bytes += sum(map(len, packed))
        reached("before_publish")
        for message, data in zip(messages, packed, strict=True):
            if self.server is not None:
                self.server.publish(message, data)
        reached("after_publish")
        self._tend_shelf(messages[-1])

    def _tend_shelf(self, newest: Message) -> None:
        """A log that has grown long is laid aside, old ones are removed; subscribers are told."""
        if self.log is None or self.shelf is None or self._tending:
            return
        self._tending = True  # what is said of it is a commit, too
        try:
            for text in self.shelf.tend(self.log):
                self._say_of_log(text, newest)
        finally:
            self._tending = False

    def _say_of_log(self, text: str, newest: Message) -> None:
        body = {"event": "log", "text": text, "t_capture_ns": newest.t_capture_ns}
        self.push_plain(
            topic_of(Tier.STATUS, ""), Kind.DATA, body, newest.t_capture_ns, newest.clock, log=True
        )

    def _sync(self, topic: str) -> None:
        fsync = self.config.fsync
        if self.log is not None and (fsync == "always" or (fsync == "window" and tier_of(topic) in DURABLE)):
            self.log.sync()

    def push_plain(
        self, topic: str, kind: Kind, body: Mapping[str, object], t_capture_ns: int, clock: str, log: bool
    ) -> None:
        """One message that is no result: a schema, an event, figures."""
        stamp = self.stamp(topic, t_capture_ns)
        message = Message(
            stamp.sid, topic, stamp.seq, kind, t_capture_ns, clock, stamp.t_publish_ns,
            {"recorded": stamp.recorded and log}, body,
        )  # fmt: skip
        self.commit([message], log)

    def _open_hub(self) -> Hub:
        if self.hub is None:
            raise PublishError("the publisher has not been started; call start() first")
        return self.hub
