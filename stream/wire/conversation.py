"""The subscriber's side of the protocol without a socket: bytes in, events out, bytes to send.

Both clients (blocking and asyncio) are shells around it, and tests feed it bytes in any cuts. It keeps the
newest number of every topic, so that a new connection resumes where the last one broke off.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ..control.records import Permission, Reply
from ..errors import ProtocolError
from .codec import Deframer, decode, encode, framed
from .messages import DURABLE, Control, Gap, Hello, Kind, Message, tier_of, topic_matches


@dataclass(frozen=True)
class Welcome:
    """The server's answer to a hello."""

    sid: str
    new_session: bool
    """State kept from before belongs to another session: forget it."""
    topics: Mapping[str, object]
    """First and last number held, per topic."""
    permission: Permission | None = None
    """What this connection may do; None of a server older than 1.2, which cannot be asked for anything."""


@dataclass(frozen=True)
class Snapshot:
    """The next `count` messages of the topic are its state at number `seq`, not its next ones."""

    topic: str
    seq: int
    count: int


@dataclass(frozen=True)
class Bye:
    """The server ends the connection."""

    reason: str


Event = Message | Welcome | Snapshot | Gap | Bye | Reply


@dataclass
class Conversation:
    """One subscriber over any number of connections."""

    topics: tuple[str, ...] = ()
    token: str = ""
    max_rate_hz: float = 0.0
    want_snapshot: bool = True
    auto_pull: bool = True
    """Ask at once for window, refined and identity messages that were skipped but are held in the log."""
    sid: str = ""
    last: dict[str, int] = field(default_factory=dict)
    """Newest number received, per topic."""
    missed: int = 0
    """Messages announced as gaps, less those pulled since."""
    _pulled: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    _snapshot: tuple[str, int, int] = ("", 0, 0)
    """Topic, messages still to come, and the number the topic then stands at."""
    _asked: int = 0
    _out: bytearray = field(default_factory=bytearray)
    _deframer: Deframer = field(default_factory=Deframer)

    def open(self) -> bytes:
        """Starts a connection; the bytes to send first."""
        self._deframer = Deframer()
        self._out.clear()
        self._snapshot = ("", 0, 0)
        last = dict(self.last)
        for topic, ranges in self._pulled.items():  # asked for and never got: resume before them
            last[topic] = min([first - 1 for first, _ in ranges] + [last.get(topic, 0)])
        self.last = last
        self._pulled.clear()
        hello = Hello(self.token, self.topics, self.sid, last, self.max_rate_hz, self.want_snapshot)
        return framed(encode(hello.control()))

    def outgoing(self) -> bytes:
        """What is to be sent now: pongs and pulls."""
        out = bytes(self._out)
        self._out.clear()
        return out

    def ask(self, verb: str, args: Mapping[str, object] | None = None) -> str:
        """Asks something of the engine, with the next `outgoing`; the ticket that its `Reply` carries.

        A connection that breaks off takes its requests with it: they are never made again by themselves, as nobody
        knows whether they were done.
        """
        self._asked += 1
        self._say(Kind.REQUEST, {"id": self._asked, "verb": str(verb), "args": dict(args or {})})
        return str(self._asked)

    def feed(self, data: bytes) -> list[Event]:
        """The events of some received bytes; half a message waits for its rest.

        Raises:
            ProtocolError: the server broke the protocol; the connection is to be dropped.
        """
        events: list[Event] = []
        for packed in self._deframer.feed(data):
            message = decode(packed)
            if isinstance(message, Control):
                events += self._control(message)
            else:
                events += self._message(message)
        return events

    def _control(self, control: Control) -> list[Event]:
        match control.kind:
            case Kind.HELLO:
                new = control.sid != self.sid
                if new:
                    self.sid, self.last, self.missed = control.sid, {}, 0
                    self._pulled.clear()
                topics = control.body.get("topics")
                topics = topics if isinstance(topics, dict) else {}
                self._start_counting(topics)
                return [Welcome(control.sid, new, topics, _permission(control.body.get("permission")))]
            case Kind.PING:
                self._say(Kind.PONG, {"n": control.body.get("n", 0)})
            case Kind.GAP:
                return [self._gap(Gap.parse(control))]
            case Kind.SNAPSHOT:
                topic, seq, count = (control.body.get(key) for key in ("topic", "seq", "count"))
                if not (isinstance(topic, str) and isinstance(seq, int) and isinstance(count, int)):
                    raise ProtocolError("snapshot: expected topic, seq and count")
                self._snapshot = (topic, count, seq)
                if count == 0:
                    self.last[topic] = seq
                return [Snapshot(topic, seq, count)]
            case Kind.REPLY:
                return [_reply(control.body)]
            case Kind.BYE:
                reason = control.body.get("reason", "")
                return [Bye(reason if isinstance(reason, str) else "")]
        return []

    def _start_counting(self, topics: Mapping[str, object]) -> None:
        """Topics that begin now count from here, so that a cut before their first message loses nothing."""
        for topic, held in topics.items():
            newest = held.get("last") if isinstance(held, Mapping) else None
            if not isinstance(newest, int) or not topic_matches(topic, self.topics):
                continue
            if newest == 0 or not self.want_snapshot:  # else the snapshot says where the topic stands
                self.last.setdefault(topic, newest)

    def _gap(self, gap: Gap) -> Gap:
        known = self.last.get(gap.topic, 0)
        if not any(
            first <= gap.first and gap.last <= last for first, last in self._pulled.get(gap.topic, [])
        ):
            self.missed += gap.last - gap.first + 1
        if gap.last > known:
            self.last[gap.topic] = gap.last
        if gap.held and self.auto_pull:
            self._pulled.setdefault(gap.topic, []).append((gap.first, gap.last))
            self._say(Kind.PULL, {"topic": gap.topic, "from": gap.first, "to": gap.last})
        elif not gap.held:
            self._settle(gap.topic, gap.first, gap.last)
        return gap

    def _message(self, message: Message) -> list[Event]:
        topic, seq = message.topic, message.seq
        if message.kind is Kind.SCHEMA:
            self.last[topic] = max(seq, self.last.get(topic, 0))
            return [message]
        if self._snapshot[1] and topic == self._snapshot[0]:
            _, count, at = self._snapshot
            self._snapshot = (topic, count - 1, at)
            if count == 1:  # not before: a snapshot cut short is asked for again
                self.last[topic] = at
            return [message]
        if any(first <= seq <= last for first, last in self._pulled.get(topic, [])):
            self._settle(topic, seq, seq)
            self.missed -= 1
            return [message]
        known = self.last.get(topic)
        if known is not None and seq <= known:
            return []  # a repeat
        self.last[topic] = seq
        if known is not None and seq > known + 1 and tier_of(topic) in DURABLE:
            raise ProtocolError(f"{topic}: number {seq} after {known}, and no gap was announced")
        if known is not None and seq > known + 1:
            self.missed += seq - known - 1
            return [Gap(topic, known + 1, seq - 1, "unannounced"), message]
        return [message]

    def _settle(self, topic: str, first: int, last: int) -> None:
        """Numbers `first..last` of a pulled range have been answered."""
        rest: list[tuple[int, int]] = []
        for a, b in self._pulled.get(topic, []):
            rest += [(x, y) for x, y in ((a, min(b, first - 1)), (max(a, last + 1), b)) if x <= y]
        if rest:
            self._pulled[topic] = rest
        else:
            self._pulled.pop(topic, None)

    def _say(self, kind: Kind, body: dict[str, object]) -> None:
        self._out += framed(encode(replace(Control(kind), body=body)))


def _permission(value: object) -> Permission | None:
    """One of a later version is as good as reading."""
    if not isinstance(value, str):
        return None
    return Permission.CONTROL if value == Permission.CONTROL else Permission.READ


def _reply(body: Mapping[str, object]) -> Reply:
    number, ok, text, result = (body.get(key) for key in ("id", "ok", "text", "result"))
    if type(number) is not int or not isinstance(ok, bool):
        raise ProtocolError("reply: expected id and ok")
    return Reply(
        str(number), ok, text if isinstance(text, str) else "", result if isinstance(result, dict) else {}
    )
