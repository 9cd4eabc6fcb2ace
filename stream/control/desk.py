"""Where requests wait for the engine and answers find their way back. Plain state; time is an argument.

    request of a connection -> checked -> queue -> engine (`take`) -> `settle` -> answer for that connection

Everything has a bound: requests of one connection that wait for an answer, requests of it per second, requests that
wait for the engine, and how long the engine may take.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from ..errors import ControlError, ProtocolError
from ..wire.allowance import Allowance
from .records import READ_VERBS, Permission, Reply, Request
from .validate import check_args, check_verb

MOST_TEXT = 1000
"""Characters of an answer's line."""


class Outcome(StrEnum):
    """What became of a request."""

    DONE = "done"
    FAILED = "failed"
    """The engine said no."""
    INVALID = "invalid"
    FORBIDDEN = "forbidden"
    BUSY = "busy"
    """Too many at once, of this connection or of all."""
    FLOOD = "flood"
    """Too many a second."""
    UNANSWERED = "unanswered"
    """The engine took too long."""


@dataclass(frozen=True)
class DeskLimits:
    """Bounds of what waits."""

    outstanding: int = 8
    """Requests of one connection without an answer yet."""
    per_s: float = 10.0
    """Requests of one connection a second."""
    burst: int = 20
    """Of them at once after a pause."""
    queue: int = 64
    """Requests of all connections that the engine has not taken yet."""
    unanswered: int = 512
    """Requests of all connections without an answer yet, those of connections that have gone with them."""
    answer_s: float = 10.0
    """How long the engine may take."""


@dataclass(frozen=True)
class Answer:
    """A reply on its way to a connection."""

    connection: int
    body: Mapping[str, object]
    """id, ok, text, result."""


@dataclass
class _Open:
    connection: int
    id: int
    due_s: float
    taken: bool = False


class Desk:
    """Requests of all connections. Not thread-safe: the server holds the lock."""

    def __init__(self, limits: DeskLimits | None = None) -> None:
        self.limits = limits or DeskLimits()
        self.outcomes: Counter[Outcome] = Counter()
        self._queue: dict[str, Request] = {}
        self._open: dict[str, _Open] = {}
        self._of: dict[int, set[int]] = {}
        self._pace: dict[int, Allowance] = {}
        self._count = 0

    @property
    def num_open(self) -> int:
        """Requests without an answer."""
        return len(self._open)

    def submit(
        self, connection: int, body: Mapping[str, object], permission: Permission, now_s: float
    ) -> Answer | None:
        """Queues a request, or returns the refusal.

        Raises:
            ProtocolError: without a number there is nothing to answer to.
        """
        number = body.get("id")
        if type(number) is not int or not 0 <= number < 1 << 63:
            raise ProtocolError("request.id: expected a whole number from 0 that the reply repeats")
        refusal = self._full(connection, number, now_s)
        if refusal is not None:
            self.outcomes[refusal[0]] += 1
            return _answer(connection, number, False, refusal[1])
        try:
            verb = check_verb(body.get("verb"))
            if permission is not Permission.CONTROL and verb not in READ_VERBS:
                self.outcomes[Outcome.FORBIDDEN] += 1
                return _answer(
                    connection, number, False,
                    f"{verb} needs control, this connection may only read; show the control token "
                    "(publish.control_token)",
                )  # fmt: skip
            args = check_args(verb, body.get("args", {}))
        except ControlError as exc:
            self.outcomes[Outcome.INVALID] += 1
            return _answer(connection, number, False, str(exc))
        self._count += 1
        ticket = f"{connection}-{self._count}"
        self._queue[ticket] = Request(ticket, verb, args)
        self._open[ticket] = _Open(connection, number, now_s + self.limits.answer_s)
        self._of.setdefault(connection, set()).add(number)
        return None

    def _full(self, connection: int, number: int, now_s: float) -> tuple[Outcome, str] | None:
        """Why nothing more is taken from this connection now."""
        limits = self.limits
        pace = self._pace.setdefault(connection, Allowance(limits.per_s, limits.burst))
        if not pace.try_take(1.0, now_s):
            return Outcome.FLOOD, f"more than {limits.per_s:g} requests a second; ask more slowly"
        waiting = self._of.get(connection, set())
        if number in waiting:
            return Outcome.INVALID, f"id {number} still waits for its answer; give every request its own"
        if len(waiting) >= limits.outstanding:
            return Outcome.BUSY, f"{limits.outstanding} requests wait for answers; wait for one of them"
        if len(self._queue) >= limits.queue or len(self._open) >= limits.unanswered:
            return Outcome.BUSY, "too many requests wait for the engine; try again later"
        return None

    def take(self) -> list[Request]:
        """Everything the engine has not seen yet, oldest first; each is given once."""
        out = list(self._queue.values())
        self._queue.clear()
        for request in out:
            if request.ticket in self._open:
                self._open[request.ticket].taken = True
        return out

    def settle(self, reply: Reply) -> Answer | None:
        """Where the engine's answer goes; None where nobody waits for it any more."""
        found = self._close(reply.ticket)
        if found is None:
            return None
        self.outcomes[Outcome.DONE if reply.ok else Outcome.FAILED] += 1
        return _answer(found.connection, found.id, reply.ok, reply.text, reply.result)

    def overdue(self, now_s: float) -> list[Answer]:
        """Answers in the engine's stead. What it has not taken by then it never gets."""
        out = []
        for ticket in [t for t, found in self._open.items() if found.due_s <= now_s]:
            found = self._close(ticket)
            if found is None:
                continue
            self.outcomes[Outcome.UNANSWERED] += 1
            rest = "it may still do it" if found.taken else "it will not do it"
            text = f"the engine did not answer within {self.limits.answer_s:g} s; {rest}"
            out.append(_answer(found.connection, found.id, False, text))
        return out

    def forget(self, connection: int) -> None:
        """A connection has gone. What it asked for stands: an accepted request is done."""
        self._of.pop(connection, None)
        self._pace.pop(connection, None)

    def _close(self, ticket: str) -> _Open | None:
        found = self._open.pop(ticket, None)
        self._queue.pop(ticket, None)
        if found is not None and found.connection in self._of:
            self._of[found.connection].discard(found.id)
        return found


def _answer(
    connection: int, number: int, ok: bool, text: str, result: Mapping[str, object] | None = None
) -> Answer:
    line = " ".join(text.split())[:MOST_TEXT]
    return Answer(connection, {"id": number, "ok": ok, "text": line, "result": dict(result or {})})
