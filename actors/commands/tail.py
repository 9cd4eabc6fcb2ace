"""`crowdstream tail`: a subscriber; a line per message, or JSON."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
import typer

from ...kernels.solve.problem import Provenance
from ...stream.control.records import Reply
from ...stream.errors import ProtocolError
from ...stream.identity import IdentityChange
from ...stream.refine.records import RevisionCause
from ...stream.wire.client import DEFAULT_URL, Reconnect, subscribe
from ...stream.wire.conversation import Bye, Event, Snapshot, Welcome
from ...stream.wire.identity import identity_record
from ...stream.wire.messages import Gap, Kind, Message, Tier, tier_of
from ...stream.wire.revision import WHY_ROWS
from ...stream.wire.tiers import typed_rows
from .server_options import CaOption, FingerprintOption, InsecureOption, TokenFileOption, token_of, trust_of

MOST_NAMED = 6
"""People of a revision that one line says more of."""
_WHY = ("person_ids", "cause", "guide_person", "changed_m")


def tail(
    url: Annotated[
        str, typer.Argument(help="tcp://HOST:PORT, tls://HOST:PORT or unix:///PATH")
    ] = DEFAULT_URL,
    topics: Annotated[
        str, typer.Option("--topics", help="Comma-separated: live, window.hall, status ...; empty for all")
    ] = "",
    token: Annotated[str, typer.Option(help="What the server asks for", envvar="CROWDSTREAM_TOKEN")] = "",
    count: Annotated[int, typer.Option(min=0, help="End after so many messages; 0: never")] = 0,
    max_rate: Annotated[float, typer.Option(min=0, help="Live messages a second at most; 0 for all")] = 0.0,
    wait: Annotated[
        float, typer.Option(min=0, help="Seconds to wait for an engine that is not up yet")
    ] = 0.0,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object per message, arrays in full")
    ] = False,
    token_file: TokenFileOption = None,
    ca: CaOption = None,
    fingerprint: FingerprintOption = "",
    insecure: InsecureOption = False,
) -> None:
    """Follow a running engine or a replay: a line per message."""
    wanted = tuple(topic.strip() for topic in topics.split(",") if topic.strip())
    seen = 0
    token, tls = token_of(token, token_file), trust_of(ca, fingerprint, insecure)
    try:
        for event in subscribe(
            url, wanted, token, max_rate, reconnect=Reconnect(first_visit_s=wait), tls=tls
        ):
            print(json.dumps(_as_json(event)) if as_json else _line(event), flush=True)
            seen += isinstance(event, Message)
            if count and seen >= count:
                return
    except KeyboardInterrupt:
        return
    except BrokenPipeError:  # `tail | head` has had enough
        sys.stderr.close()


def _line(event: Event) -> str:
    match event:
        case Message(kind=Kind.SCHEMA):
            cameras = ", ".join(
                str(c["name"]) + ("" if c["model"] else " (not calibrated)") for c in _cameras(event)
            )
            return f"{event.topic} #{event.seq}  cameras: {cameras}"
        case Message():
            return f"{event.topic} #{event.seq}  {_describe(event)}"
        case Welcome():
            return f"-- session {event.sid}" + (", new" if event.new_session else ", resumed")
        case Snapshot():
            return f"-- {event.topic}: state at #{event.seq}, {event.count} message(s)"
        case Gap():
            held = ", asked for again" if event.held else ""
            return f"-- {event.topic}: #{event.first}..{event.last} left out ({event.cause}{held})"
        case Reply():
            return f"-- answer: {event.text}"
        case Bye():
            return f"-- goodbye: {event.reason}"


def _cameras(message: Message) -> list[Mapping[str, Any]]:
    cameras = message.body.get("cameras")
    return cameras if isinstance(cameras, list) else []


def _describe(message: Message) -> str:
    body, late_ms = message.body, (message.t_publish_ns - message.t_capture_ns) / 1e6
    people = _length(body.get("person_ids"))
    flags = "" if message.quality.get("recorded", True) else "  NOT RECORDED"
    if message.clock != "file_pts":  # of a file, the difference is no latency
        flags = f"  {late_ms:.0f} ms after capture" + flags
    match tier_of(message.topic):
        case Tier.LIVE | Tier.LATE:
            seen = int(np.count_nonzero(body["seen"])) if "seen" in body else 0  # type: ignore[call-overload]
            dropped = message.quality.get("drops")
            drops = f"  left out: {dropped}" if dropped else ""
            where = f"{body.get('camera')} frame {body.get('index')}"
            return (
                f"{where}  t={message.t_capture_ns / 1e9:.3f} s  {people} people, {seen} seen{drops}{flags}"
            )
        case Tier.WINDOW | Tier.REFINED:
            states = np.ravel(np.asarray(body.get("provenance", [])))
            observed = int((states == Provenance.OBSERVED).sum())
            frames = int((states != Provenance.ABSENT).sum())
            part = f" part {message.part + 1}/{message.parts}" if message.parts > 1 else ""
            head = f"window {message.window} rev {message.rev}{part}"
            return (
                f"{head}  {people} people, {frames} person-frames, {observed} observed{_why(message)}{flags}"
            )
        case Tier.IDENTITY:
            return _identity(message) + flags
        case _:
            shown = {k: v for k, v in body.items() if not isinstance(v, Mapping | list | np.ndarray)}
            return "  ".join(f"{key}={value}" for key, value in shown.items()) + flags


def _identity(message: Message) -> str:
    """Who somebody is from now on, and what spoke for it."""
    try:
        event = identity_record(message)
    except ProtocolError as exc:
        return str(exc)
    if event is None:
        return f"track {message.body.get('track')}: {message.body.get('change')}"
    cues = ", ".join(f"{cue} {ratio:+.1f}" for cue, ratio in event.evidence.items())
    sure = f"p {event.probability:.2f}" + (f" ({cues})" if cues else "")
    said = f": {event.reason}" if event.reason and not cues else ""
    if event.change is IdentityChange.MERGE:
        gap = f"hidden {event.gap_s:.1f} s"
        return f"person {event.track} is person {event.person} again: {gap}, {sure}{said}"
    return f"person {event.track} is not person {event.previous} after all: {sure}{said}"


def _why(message: Message) -> str:
    """What a revision has done to whom; nothing of one that does not say."""
    try:
        rows = typed_rows(message.body, {"person_ids": (), **WHY_ROWS}, frames=0)
    except ProtocolError:
        return ""
    said = []
    for person, why, guide, moved_m in zip(*(rows[name].tolist() for name in _WHY), strict=True):
        known = why in RevisionCause.__members__.values()
        word = RevisionCause(why).name.lower().replace("_", " ") if known else f"cause {why}"
        helped = f" by {guide}" if guide >= 0 else ""
        said.append(
            f"{person} {word}{helped}" + (f", moved {moved_m:.2f} m" if math.isfinite(moved_m) else "")
        )
    more = f"; and {len(said) - MOST_NAMED} more" if len(said) > MOST_NAMED else ""
    return ": " + "; ".join(said[:MOST_NAMED]) + more if said else ""


def _length(value: object) -> int:
    return len(value) if isinstance(value, np.ndarray) else 0


def _as_json(event: Event) -> dict[str, object]:
    """The event's fields by name, arrays as lists; numbers that are not finite are null."""
    if not isinstance(event, Message):
        return {"event": type(event).__name__.lower(), **{k: _value(v) for k, v in vars(event).items()}}
    return {k: _value(v) for k, v in vars(event).items()}


def _value(value: object) -> object:
    if isinstance(value, np.ndarray):
        return _value(value.tolist())
    if isinstance(value, Mapping):
        return {str(k): _value(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_value(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
