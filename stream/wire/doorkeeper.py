"""Who is let in: how many connections there may be, of whom, and what became of those that were sent away.

Decisions as plain state; time is an argument. A connection first *knocks* (it has said nothing yet), then *enters*
(its hello was right), *parts* (a goodbye is on its way) and at last *leaves*. There is room for so many that have
entered; those on the doorstep have room of their own, and where it is full the one that has stood there longest goes:
peers that open connections and say nothing push each other out, and whoever says hello at once gets in.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from ..errors import ProtocolError


class Cause(StrEnum):
    """Why a connection was ended by the server."""

    FULL = "full"
    """So many connections already, of all or of this address."""
    CROWDED = "crowded"
    """Others knocked after it, and it had still said nothing."""
    LATE_HELLO = "late_hello"
    TLS = "tls"
    """The handshake failed, or took too long."""
    WRONG_TOKEN = "wrong_token"
    PROTOCOL = "protocol"
    """It broke a rule of the protocol."""
    SLOW = "slow"
    """It let control messages pile up."""
    SILENT = "silent"
    """It answered no ping."""


class Refused(ProtocolError):
    """A connection ended for a reason of its own; None where it has been counted already."""

    def __init__(self, cause: Cause | None, text: str) -> None:
        super().__init__(text)
        self.cause = cause


@dataclass(frozen=True)
class DoorLimits:
    """How many may be here at once."""

    connections: int = 64
    """That have said hello."""
    per_address: int = 48
    """Of them, of one address of another machine."""
    knocking: int = 128
    """On the doorstep: that have said nothing yet, or hear their goodbye."""
    addresses: int = 1024
    """Addresses whose wrong tokens are remembered."""
    first_wait_s: float = 0.25
    """Before the first wrong token of an address is answered; doubles with each."""
    longest_wait_s: float = 4.0
    forget_s: float = 300.0
    """After so long without a wrong token an address starts anew."""


class Doorkeeper:
    """Counts who is here and who was sent away. One thread."""

    def __init__(self, limits: DoorLimits | None = None) -> None:
        self.limits = limits or DoorLimits()
        self.refused: Counter[Cause] = Counter()
        self.accepted = 0
        """Connections so far."""
        self.throttled = 0
        """Times that a peer was read more slowly than it sent."""
        self._knocking: OrderedDict[int, str] = OrderedDict()
        self._inside: dict[int, str] = {}
        self._per_address: Counter[str] = Counter()
        self._wrong: OrderedDict[str, tuple[int, float]] = OrderedDict()

    @property
    def knocking(self) -> int:
        """Connections on the doorstep."""
        return len(self._knocking)

    @property
    def inside(self) -> int:
        """Connections that have said hello."""
        return len(self._inside)

    def knock(self, connection: int, address: str) -> list[int]:
        """A new connection; returns those that have to go for it.

        Args:
            address: whose it is; empty for this machine's own, which all its programs share and no limit stands on.
        """
        self.accepted += 1
        self._knocking[connection] = address
        out = []
        while len(self._knocking) > self.limits.knocking:
            oldest, _ = self._knocking.popitem(last=False)
            out.append(oldest)
        return out

    def enter(self, connection: int) -> None:
        """Its hello was right.

        Raises:
            Refused: no room.
        """
        address = self._knocking.pop(connection, "")
        limits = self.limits
        if len(self._inside) >= limits.connections:
            raise Refused(Cause.FULL, f"server full: {limits.connections} connections")
        if address and self._per_address[address] >= limits.per_address:
            raise Refused(Cause.FULL, f"server full: {limits.per_address} connections of one address")
        self._inside[connection] = address
        self._per_address[address] += 1

    def part(self, connection: int) -> None:
        """It is being closed: its place is free, and of those on the doorstep it is the first to go."""
        address = self._inside.pop(connection, None)
        if address is not None:
            self._per_address[address] -= 1
            if not self._per_address[address]:
                del self._per_address[address]
        self._knocking[connection] = address or ""
        self._knocking.move_to_end(connection, last=False)

    def leave(self, connection: int) -> None:
        """It has gone."""
        self._knocking.pop(connection, None)

    def wrong_token(self, address: str, now_s: float) -> float:
        """Seconds to let whoever showed a wrong token wait for the answer: guessing gets slower and slower.

        Who shows a right one never waits, whatever others at the same address have done.
        """
        limits = self.limits
        count, last_s = self._wrong.pop(address, (0, now_s))
        if now_s - last_s > limits.forget_s:
            count = 0
        self._wrong[address] = (count + 1, now_s)
        while len(self._wrong) > limits.addresses:
            self._wrong.popitem(last=False)
        return min(limits.longest_wait_s, limits.first_wait_s * 2.0 ** min(count, 16))

    def note(self, cause: Cause) -> None:
        """Counts a connection that the server ended."""
        self.refused[cause] += 1

    def causes(self) -> Mapping[str, int]:
        """Every cause with its count."""
        return {cause.value: self.refused[cause] for cause in Cause}
