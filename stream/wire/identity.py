"""Who a track is, as messages and for subscribers: `IdentityEvent` <-> `identity`, and the map they make.

    persons = Persons()
    for event in subscribe(topics=("identity", "window")):
        if change := persons.push(event):
            print(f"{change.track} is {change.person} again, unseen for {change.gap_s:.1f} s")
        ...                                             # persons.map.frame(...), persons.map.window(...)

Events of a topic are numbered, and of a track the one with the highest number holds: so repeats, events pulled
after newer ones and the state that whoever comes late is given may come in any order.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ..errors import ProtocolError
from ..identity import IdentityChange, IdentityEvent, IdentityMap
from .conversation import Event, Welcome
from .messages import Kind, Message, Tier, tier_of, topic_of
from .tiers import Stamp

MAX_REASON = 500
"""Characters of the line for people."""
MAX_CUES = 64
_NUMBERS = ("track", "person", "previous", "t_capture_ns", "lost_ns", "found_ns")


def identity_message(event: IdentityEvent, site: str, stamp: Stamp, clock: str) -> Message:
    """One change of who a track is; a cue whose ratio is not finite is left out.

    Raises:
        ProtocolError: a probability outside of 0..1.
    """
    if not 0.0 <= event.probability <= 1.0:
        raise ProtocolError(
            f"identity of track {event.track}: probability {event.probability}, expected 0 to 1"
        )
    evidence = {str(cue): float(ratio) for cue, ratio in event.evidence.items() if math.isfinite(ratio)}
    body: dict[str, object] = {"change": event.change.value}
    body |= {name: int(getattr(event, name)) for name in _NUMBERS}
    body |= {
        "probability": float(event.probability),
        "evidence": evidence,
        "reason": event.reason[:MAX_REASON],
    }
    return Message(
        stamp.sid, topic_of(Tier.IDENTITY, site), stamp.seq, Kind.DATA, event.t_capture_ns, clock,
        stamp.t_publish_ns, {"recorded": stamp.recorded}, body,
    )  # fmt: skip


def identity_record(message: Message) -> IdentityEvent | None:
    """The event of an `identity` message; None for a change that a later minor version knows.

    Raises:
        ProtocolError: a key missing, or of another type.
    """
    body = message.body
    change = body.get("change")
    if not isinstance(change, str):
        raise ProtocolError(
            f"identity: change is {change!r:.40}, expected one of {[*map(str, IdentityChange)]}"
        )
    numbers: dict[str, Any] = {name: body.get(name) for name in _NUMBERS}
    for name, value in numbers.items():
        if type(value) is not int or not -(1 << 63) <= value < 1 << 63:
            raise ProtocolError(f"identity: {name} is {value!r:.40}, expected a whole number")
    probability, reason = body.get("probability"), body.get("reason")
    if type(probability) is not float or not 0.0 <= probability <= 1.0 or type(reason) is not str:
        raise ProtocolError(
            f"identity: got probability {probability!r:.20} and reason {reason!r:.40}, expected 0.0 to 1.0 and text"
        )
    if change not in [known.value for known in IdentityChange]:
        return None
    return IdentityEvent(
        IdentityChange(change), probability=probability, evidence=_evidence(body), reason=reason, **numbers
    )


def _evidence(body: Mapping[str, object]) -> dict[str, float]:
    cues = body.get("evidence")
    if not isinstance(cues, Mapping) or len(cues) > MAX_CUES:
        raise ProtocolError(f"identity: expected evidence, a map of at most {MAX_CUES} cues")
    for cue, ratio in cues.items():
        if type(ratio) not in (int, float):
            raise ProtocolError(f"identity: evidence {cue!r:.40} is {ratio!r:.40}, expected a number")
    return {str(cue): float(ratio) for cue, ratio in cues.items()}


class Persons:
    """Who the tracks of one site are, kept up to date from a subscriber's events. One session at a time."""

    def __init__(self) -> None:
        self.map = IdentityMap()
        """Applies to frames and windows of this session."""
        self.sid = ""
        self._seq: dict[int, int] = {}
        """Number of the newest event of each track."""

    def push(self, event: Event) -> IdentityEvent | None:
        """What this event changes; None for all that changes nobody: other topics, repeats, what newer events undid.

        Raises:
            ProtocolError: an `identity` message that breaks the protocol.
        """
        if isinstance(event, Welcome | Message) and event.sid != self.sid:  # ids begin anew
            self.sid, self.map, self._seq = event.sid, IdentityMap(), {}
        if not isinstance(event, Message) or tier_of(event.topic) is not Tier.IDENTITY:
            return None
        change = identity_record(event)
        if change is None or self._seq.get(change.track, 0) >= event.seq:
            return None
        self._seq[change.track] = event.seq
        self.map.apply(change)
        return change
