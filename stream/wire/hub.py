"""Who gets what: the publishing decisions as plain state and functions. No socket, thread or clock in here.

Three ways out for a subscriber, one per rule of loss:

- control (hello, schema, health, status, ping): a small queue; its overflow ends the connection;
- live: a bounded queue that drops the oldest; what was dropped is announced before the next message. Late rows
  wait in a queue of their own behind it, as they come in bursts that must not push out what is new;
- identity, window and refined: a cursor into the numbered stream, read from the ring or the log at the subscriber's
  own speed. Who falls out of the ring is told the gap, jumps to the newest (of identity: gets the whole state), and
  may pull the range from the log.
"""

from __future__ import annotations

from collections.abc import Callable

from ..control.records import Permission
from .codec import encode
from .messages import VERSION, Control, Gap, Hello, Kind, Message, Tier, tier_of
from .subscriber import Cursor, DropOldest, Subscriber, Waiting
from .topic_ring import History, HubLimits, Resume, Topic, plan_resume, state_key

__all__ = ["BATCH_BYTES", "DropOldest", "History", "Hub", "HubLimits", "Resume", "Subscriber", "plan_resume"]

BATCH_BYTES = 1 << 18
"""Bytes handed to a socket at once: enough to be quick, little enough that a heartbeat is never far behind."""


class Hub:
    """The streams of one session and their subscribers. Not thread-safe: the server holds the lock."""

    def __init__(
        self,
        sid: str,
        limits: HubLimits | None = None,
        history: History | None = None,
        wall_ns: Callable[[], int] = lambda: 0,
    ) -> None:
        self.sid = sid
        self.limits = limits or HubLimits()
        self.history = history
        self.wall_ns = wall_ns
        self.topics: dict[str, Topic] = {}
        self._durable: list[Topic] = []
        """Those read by cursor; who is who goes before bodies."""
        self._subs: list[Subscriber] = []
        self.dropped = 0
        self.sent_messages = 0
        self.sent_bytes = 0

    # --- publishing ---------------------------------------------------------------------------------------

    def declare(self, name: str, head: int = 0) -> Topic:
        """Names a topic before its first message, so that a subscriber who is cut off by then resumes from there."""
        topic = self.topics.get(name)
        if topic is None:
            topic = self.topics[name] = Topic(name, tier_of(name), head)
            if topic.durable:
                self._durable = sorted([*self._durable, topic], key=lambda t: not t.adds_up)
                for sub in self._subs:
                    if sub.wants(name):
                        sub.cursors[name] = Cursor(head + 1, caught_up=True)
        return topic

    def publish(self, message: Message, data: bytes, now_s: float) -> None:
        """Hands one message, already committed, to everybody it concerns. O(subscribers)."""
        if message.sid != self.sid:  # a replayed log goes from one session to the next
            self.sid = message.sid
            self.topics.clear()
            self._durable.clear()
            for sub in self._subs:
                sub.closing = sub.closing or "session ended"
        topic = self.declare(message.topic, message.seq - 1)
        logged = self.history is not None and topic.durable and message.quality.get("recorded") is True
        topic.add(message, data, self.limits, logged)
        for sub in self._subs:
            if topic.durable or sub.closing:
                continue  # read by cursor
            if topic.tier in (Tier.HEALTH, Tier.STATUS, Tier.SCHEMA):
                if topic.tier is Tier.SCHEMA or sub.wants(topic.name):
                    self.control(sub, data)
            elif sub.wants(topic.name):
                self._queue(sub, topic, message, data, now_s)

    def _queue(self, sub: Subscriber, topic: Topic, message: Message, data: bytes, now_s: float) -> None:
        if topic.name not in sub.sent:
            sub.sent[topic.name] = message.seq - 1
        late = topic.tier is Tier.LATE
        if sub.max_rate_hz > 0 and not late:
            key = (topic.name, state_key(message))
            if now_s - sub.accepted_s.get(key, -1e9) < (1.0 - 1e-3) / sub.max_rate_hz:
                sub.thinned.add(topic.name)
                return
            sub.accepted_s[key] = now_s
        cause = "rate" if topic.name in sub.thinned else "slow"
        sub.thinned.discard(topic.name)
        for old in (sub.late if late else sub.live).push(Waiting(topic.name, message.seq, data, cause)):
            sub.overrun.add(old.topic)
            sub.dropped += 1
            self.dropped += 1

    def control(self, sub: Subscriber, data: bytes) -> None:
        """Queues a control message; who lets them pile up is not reading and is let go."""
        if len(sub.control) >= self.limits.control_items:
            sub.closing = sub.closing or "slow consumer"
        else:
            sub.control.append(data)

    def restore(self, message: Message, data: bytes) -> None:
        """Takes in what an earlier run of this session has published: nobody is listening yet."""
        self.declare(message.topic).add(message, data, self.limits)

    # --- joining ------------------------------------------------------------------------------------------

    def join(self, hello: Hello, name: str = "", permission: Permission = Permission.READ) -> Subscriber:
        """A new subscriber with everything that must reach it first."""
        limits = self.limits
        sub = Subscriber(
            name, hello.topics, hello.max_rate_hz,
            live=DropOldest(limits.live_items, limits.live_bytes),
            late=DropOldest(limits.late_items, limits.live_bytes), permission=permission,
        )  # fmt: skip
        sub.first.append(self._say(Kind.HELLO, {**self.welcome(), "permission": permission.value}))
        for topic in self.topics.values():
            if topic.tier is Tier.SCHEMA:
                sub.first.extend(data for _, data in sorted(topic.latest.values()))
        for name_, topic in sorted(self.topics.items()):
            if topic.tier is not Tier.SCHEMA and sub.wants(name_):
                self._join_topic(sub, topic, hello)
        self._subs.append(sub)
        return sub

    def _join_topic(self, sub: Subscriber, topic: Topic, hello: Hello) -> None:
        plan = plan_resume(
            self.first_held(topic), topic.head, hello.last.get(topic.name), hello.last_sid == self.sid,
            topic.durable, hello.want_snapshot, topic.adds_up,
        )  # fmt: skip
        if plan.gap:
            gap = Gap(topic.name, *plan.gap)
            sub.first.append(encode(gap.control(self.sid, self.wall_ns())))
        if plan.snapshot and topic.head and topic.tier is not Tier.LATE:  # late rows are no state
            sub.first.extend(self._snapshot(topic))
        if topic.durable:
            sub.cursors[topic.name] = Cursor(plan.next_seq, plan.next_seq > topic.head)
            return
        sub.first.extend(data for seq, data in topic.ring if seq >= plan.next_seq)
        sub.sent[topic.name] = topic.head

    def welcome(self) -> dict[str, object]:
        """Body of the hello answer: limits, and first and last number held of every topic."""
        schema = [t for t in self.topics.values() if t.tier is Tier.SCHEMA]
        return {
            "server": "crowdstream",
            "protocol": list(VERSION),
            "schemas": {t.name: t.head for t in schema},
            "limits": {
                "live_items": self.limits.live_items,
                "live_bytes": self.limits.live_bytes,
                "late_items": self.limits.late_items,
            },
            "topics": {
                t.name: {"first": self.first_held(t) or 0, "last": t.head} for t in self.topics.values()
            },
        }

    def first_held(self, topic: Topic) -> int | None:
        """The oldest number that can still be read."""
        ring = topic.ring_first if topic.ring else None
        logged = self.history.first(self.sid, topic.name) if self.history and topic.durable else None
        return min((seq for seq in (ring, logged) if seq is not None), default=None)

    def _first_in_turn(self, topic: Topic) -> int:
        """Who has to read further back than this lags behind; nearer, what memory does not hold the log does."""
        if self.history is None:
            return topic.ring_first
        return min(topic.ring_first, topic.head - self.limits.ring_items + 1)

    def leave(self, sub: Subscriber) -> None:
        if sub in self._subs:
            self._subs = [other for other in self._subs if other is not sub]

    @property
    def num_subscribers(self) -> int:
        return len(self._subs)

    def closing(self) -> list[Subscriber]:
        """Who is to be let go."""
        return [sub for sub in self._subs if sub.closing]

    def backlog(self) -> float:
        """How full the fullest queue that drops is, 0..1; a replay waits for its readers, a live stream does not."""
        return max(
            (len(queue) / queue.max_items for sub in self._subs for queue in (sub.live, sub.late)),
            default=0.0,
        )

    def idle(self) -> bool:
        """Nothing waits for anybody."""
        return not any(self.waiting(sub) for sub in self._subs)

    # --- sending ------------------------------------------------------------------------------------------

    def pull(self, sub: Subscriber, topic: str, first: int, last: int) -> None:
        """Notes a range of a durable topic to be sent after everything newer."""
        known = self.topics.get(topic)
        if known is None or not known.durable or len(sub.pulls) >= self.limits.pulls:
            return
        sub.pulls.append((topic, first, min(last, known.head)))

    def waiting(self, sub: Subscriber) -> bool:
        """Something can be sent now."""
        if sub.first or sub.control or sub.live or sub.late or sub.pulls:
            return True
        return any(self._next_durable(sub, topic) for topic in self._durable)

    def _next_durable(self, sub: Subscriber, topic: Topic) -> Cursor | None:
        cursor = sub.cursors.get(topic.name)  # of topics it has asked for
        return cursor if cursor is not None and cursor.next_seq <= topic.head else None

    def take(self, sub: Subscriber) -> list[bytes]:
        """The next messages for a socket, some `BATCH_BYTES` of them; empty when nothing waits.

        Control first, then live, then late, then one durable message, then one pulled one: a large window
        never holds back what is newer and smaller for longer than one message takes.
        """
        out: list[bytes] = []
        size = 0
        while sub.first and size < BATCH_BYTES:
            out.append(sub.first.popleft())
            size += len(out[-1])
        if sub.first:
            return self._count(sub, out)
        while sub.control:
            out.append(sub.control.popleft())
        for queue in (sub.live, sub.late):
            while queue and size < BATCH_BYTES:
                message = queue.pop()
                out += self._with_gap(sub, message)
                size += len(message.data)
        if size < BATCH_BYTES:
            durable = self._take_durable(sub)
            out += durable or self._take_pull(sub)
        return self._count(sub, out)

    def _with_gap(self, sub: Subscriber, message: Waiting) -> list[bytes]:
        """The message, and before it what of its topic was left out."""
        name, seq = message.topic, message.seq
        expected = sub.sent.get(name, seq - 1) + 1
        cause = "slow" if name in sub.overrun else message.cause
        sub.overrun.discard(name)
        sub.sent[name] = seq
        hole = [self._gap(name, expected, seq - 1, cause, held=False)] if seq > expected else []
        return [*hole, message.data]

    def _snapshot(self, topic: Topic) -> list[bytes]:
        items = sorted(topic.latest.values())
        body: dict[str, object] = {"topic": topic.name, "seq": topic.head, "count": len(items)}
        return [self._say(Kind.SNAPSHOT, body), *(data for _, data in items)]

    def _take_durable(self, sub: Subscriber) -> list[bytes]:
        for topic in self._durable:
            cursor = self._next_durable(sub, topic)
            if cursor is None:
                continue
            out = []
            if cursor.caught_up and cursor.next_seq < self._first_in_turn(topic):
                # lagging: newest first, the rest by pull
                first = self.first_held(topic) or 0
                held = self.history is not None and first <= cursor.next_seq
                newest = topic.head + 1 if topic.adds_up else topic.head
                out.append(self._gap(topic.name, cursor.next_seq, newest - 1, "slow", held))
                sub.dropped += newest - cursor.next_seq
                cursor.next_seq = newest
                if topic.adds_up:
                    return out + self._snapshot(topic)
            data = self._read(topic, cursor.next_seq)
            if data is None:  # committed to no log and gone from the ring
                last = cursor.next_seq if self.history is not None else topic.ring_first - 1
                out.append(self._gap(topic.name, cursor.next_seq, last, "not_held", held=False))
                cursor.next_seq = last + 1
                return out
            out.append(data)
            cursor.next_seq += 1
            cursor.caught_up |= cursor.next_seq > topic.head
            return out
        return []

    def _take_pull(self, sub: Subscriber) -> list[bytes]:
        while sub.pulls:
            name, first, last = sub.pulls.popleft()
            if first > last:
                continue
            if first < last:
                sub.pulls.appendleft((name, first + 1, last))
            data = self._read(self.topics[name], first) if name in self.topics else None
            return [data if data is not None else self._gap(name, first, first, "not_held", held=False)]
        return []

    def _read(self, topic: Topic, seq: int) -> bytes | None:
        data = topic.at(seq)
        if data is None and self.history is not None:
            data = self.history.read(self.sid, topic.name, seq)
        return data

    def _gap(self, topic: str, first: int, last: int, cause: str, held: bool) -> bytes:
        return encode(Gap(topic, first, last, cause, held).control(self.sid, self.wall_ns()))

    def _say(self, kind: Kind, body: dict[str, object]) -> bytes:
        return encode(Control(kind, body, self.sid, self.wall_ns()))

    def _count(self, sub: Subscriber, out: list[bytes]) -> list[bytes]:
        size = sum(map(len, out))
        sub.messages += len(out)
        sub.bytes += size
        self.sent_messages += len(out)
        self.sent_bytes += size
        return out

    def say(self, sub: Subscriber, kind: Kind, body: dict[str, object]) -> None:
        """Queues one control message of our own."""
        self.control(sub, self._say(kind, body))

    def farewell(self, reason: str) -> bytes:
        """The last message of a connection."""
        return self._say(Kind.BYE, {"reason": reason})
