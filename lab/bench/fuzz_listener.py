"""Attack a listening server for as long as one likes, with well-behaved subscribers beside, and see how it is.

    fuzz(address, seconds, seed)    attacks a server that is already there
    run_fuzz(seconds, seed)         starts one in a process of its own, and measures that process

Attacks: everything of `fuzz_attacks`, before a hello and after one; wrong tokens; hellos a byte at a time;
connections that say nothing, reset themselves, or never read; more of them at once than there is room for.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from random import Random

from ...kernels.errors import CrowdstreamError
from ...stream.control.client import ControlClient
from ...stream.wire.address import Address
from ...stream.wire.client import Reconnect, subscribe
from ...stream.wire.messages import Message, Tier, tier_of
from .fuzz_attacks import ATTACKS, hello, noise
from .metric import Direction, Metric
from .subscribers import note_event
from .wire_host import HostFigures, HostPlan, WireHost

HARD_RESET = struct.pack("ii", 1, 0)
HELD = 40
"""Connections that say nothing, drip or never read, held open at once."""
CROWD = 150
"""Connections opened at once: more than there is room for on the doorstep."""
CROWD_SHARE = 0.004
"""Of the attacks; more often, and nobody would stand on the doorstep long enough to be late with a hello."""
LISTENING_S = 0.02
"""How long an attacker waits for an answer before it goes on."""
TOKENS = ("reader of the bench", "controller of the bench")
GOOD = 2
"""Well-behaved subscribers beside the attacks."""
MOST_GROWTH_BYTES = 50_000_000
FILES_AT_REST = 2
"""More of them open after the attacks than before: a subscriber or an asker that is just leaving."""
SETTLE_S = 6.0
"""After the attacks: hellos that never came have run out by then."""


@dataclass(frozen=True)
class FuzzFigures:
    """What was done to a server, and how it and its well-behaved subscribers took it."""

    seconds: float
    attacks: Mapping[str, int]
    """By kind."""
    alive: bool
    """It still welcomes and serves a new subscriber."""
    received: int
    """Live messages of the well-behaved ones."""
    missed: int
    """Numbers they were told they miss."""
    unannounced: int
    """Numbers they miss and were told nothing of."""
    cut_off: int
    """Times that one of them had to connect again."""
    longest_silence_s: float
    """Between two messages of one of them."""
    answers: int
    """Requests of a well-behaved controller that were answered."""
    unanswered: int
    refused: Mapping[str, int] = field(default_factory=dict)
    """Connections that the server ended, by cause."""
    requests: Mapping[str, int] = field(default_factory=dict)
    resident_bytes: tuple[int, int, int] = (0, 0, 0)
    """Of the server's process: at the start, at most, at the end."""
    files: tuple[int, int] = (0, 0)
    """Open in the server's process: at the start, at the end."""
    late_frame_ms: float = 0.0
    """The longest that the publisher was held up."""

    @property
    def num_attacks(self) -> int:
        return sum(self.attacks.values())

    def faults(self) -> list[str]:
        """What should not have happened, a line each; these have no tolerance and need no baseline."""
        start, most, _ = self.resident_bytes
        broken = {
            "the server serves no new subscriber any more": not self.alive,
            f"its memory grew by {(most - start) / 1e6:.0f} MB": most - start > MOST_GROWTH_BYTES,
            f"{self.files[1] - self.files[0]} files were left open": self.files[1] - self.files[0]
            > FILES_AT_REST,
            f"well-behaved subscribers missed {self.missed + self.unannounced} frames": bool(
                self.missed + self.unannounced
            ),
            f"well-behaved subscribers were cut off {self.cut_off} times": bool(self.cut_off),
            f"{self.unanswered} good requests were not answered": bool(self.unanswered),
            "well-behaved subscribers got nothing": not self.received,
        }
        return [line for line, wrong in broken.items() if wrong]


def fuzz(
    address: str,
    seconds: float,
    seed: int = 0,
    token: str = "",
    control_token: str = "",
    watch: Callable[[], None] = lambda: None,
) -> FuzzFigures:
    """Attacks a server; the same seed makes the same attacks in the same order.

    Args:
        token: for the well-behaved subscribers, and for attacks after a good hello.
        control_token: for requests beside; none are made without any permission.
        watch: called about once a second.
    """
    where, rng = Address.parse(address), Random(seed)
    good = [_Good(address, token) for _ in range(GOOD)]
    asker = _Asker(address, control_token or token)
    attacks: Counter[str] = Counter()
    begin_s = seen_s = time.monotonic()
    with contextlib.ExitStack() as held_open:
        held = _Held(held_open)
        try:
            while (now_s := time.monotonic()) - begin_s < seconds:
                kind = _attack(where, rng, token, held)
                attacks[kind] += 1
                if now_s - seen_s > 1.0:
                    seen_s = now_s
                    watch()
        finally:
            asker.finish()
    lasted_s = time.monotonic() - begin_s
    alive = _is_alive(address, token)
    for subscriber in good:
        subscriber.finish()
    return FuzzFigures(
        lasted_s,
        dict(attacks),
        alive,
        received=sum(g.tally["messages"] for g in good),
        missed=sum(g.tally["gaps"] for g in good),
        unannounced=sum(g.tally["unannounced"] for g in good),
        cut_off=sum(g.tally["welcomes"] - 1 for g in good),
        longest_silence_s=max(g.silence_s for g in good),
        answers=asker.answers,
        unanswered=asker.unanswered,
    )


def run_fuzz(
    seconds: float = 30.0, seed: int = 0, note: Callable[[str], None] = lambda line: None
) -> FuzzFigures:
    """Starts a server in a child process, attacks it from this one, and looks at the child from inside.

    Raises:
        CrowdstreamError: the server's process died.
    """
    plan = HostPlan(20, token=TOKENS[0], control_token=TOKENS[1], window_every_s=0.5, ring_messages=32)
    with WireHost(plan) as host:
        samples: list[HostFigures] = []
        time.sleep(2.0)  # imports and rings of the first seconds are no growth
        samples.append(host.figures())
        note(f"attacking {host.url} for {seconds:g} s, seed {seed}")
        found = fuzz(host.url, seconds, seed, *TOKENS, watch=lambda: samples.append(host.figures()))
        time.sleep(SETTLE_S)
        samples.append(host.figures())
        if not host.alive:
            raise CrowdstreamError("the server's process died under attack")
    sizes = [sample.resident_bytes for sample in samples]
    return replace(
        found,
        refused=samples[-1].stats.refused,
        requests=samples[-1].stats.requests,
        resident_bytes=(sizes[0], max(sizes), sizes[-1]),
        files=(samples[0].files, samples[-1].files),
        late_frame_ms=max(sample.late_ms for sample in samples[1:]),
    )


def fuzz_metrics(found: FuzzFigures) -> list[Metric]:
    """The figures as metrics."""
    exact = {"rel_tol": 0.0}
    lower, higher, key = Direction.LOWER, Direction.HIGHER, "wire.fuzz"
    start, most, end = (size / 1e6 for size in found.resident_bytes)
    return [
        Metric(f"{key}.alive", float(found.alive), "", higher, **exact),
        Metric(f"{key}.attacks", float(found.num_attacks), ""),
        Metric(f"{key}.attacks_s", found.num_attacks / found.seconds, "1/s"),
        *(Metric(f"{key}.attack.{kind}", float(n), "") for kind, n in sorted(found.attacks.items())),
        *(Metric(f"{key}.refused.{cause}", float(n), "") for cause, n in sorted(found.refused.items())),
        *(Metric(f"{key}.request.{what}", float(n), "") for what, n in sorted(found.requests.items())),
        Metric(f"{key}.rss_start_mb", start, "MB"),
        Metric(f"{key}.rss_growth_mb", most - start, "MB", lower, rel_tol=0.0, abs_tol=50.0),
        Metric(f"{key}.rss_end_mb", end, "MB"),
        Metric(
            f"{key}.files_left", float(found.files[1] - found.files[0]), "", lower, rel_tol=0.0, abs_tol=2.0
        ),
        Metric(f"{key}.good.received", float(found.received), ""),
        Metric(f"{key}.good.missed", float(found.missed), "", lower, **exact),
        Metric(f"{key}.good.unannounced", float(found.unannounced), "", lower, **exact),
        Metric(f"{key}.good.cut_off", float(found.cut_off), "", lower, **exact),
        Metric(f"{key}.good.longest_silence_s", found.longest_silence_s, "s"),
        Metric(f"{key}.good.answers", float(found.answers), ""),
        Metric(f"{key}.good.unanswered", float(found.unanswered), "", lower, **exact),
        Metric(f"{key}.late_frame_ms", found.late_frame_ms, "ms"),
    ]


# --- attacks ----------------------------------------------------------------------------------------------


class _Held:
    """Connections that stay open; the oldest is let go where there are too many."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self._open: list[socket.socket] = []
        stack.callback(self._close)

    def keep(self, sock: socket.socket) -> None:
        self._open.append(sock)
        if len(self._open) > HELD:
            self._open.pop(0).close()

    def drip(self) -> None:
        """A byte more on each: a hello that never ends."""
        for sock in self._open:
            with contextlib.suppress(OSError):
                sock.send(b"\x00")

    def _close(self) -> None:
        for sock in self._open:
            sock.close()


def _attack(where: Address, rng: Random, token: str, held: _Held) -> str:
    """One attack; its name."""
    kind = rng.choice([*ATTACKS, *ATTACKS, "wrong_token", "reset", "silent", "drip", "deaf"])
    if rng.random() < CROWD_SHARE:
        kind = "crowd"
    try:
        if kind in ATTACKS:
            after = rng.random() < 0.5
            _say(where, (hello(token) if after else b"") + ATTACKS[kind](rng), rng)
            return f"{kind}_after_hello" if after else kind
        _behave_badly(kind, where, rng, token, held)
    except OSError:
        pass  # refused, reset, or cut off while it was talking: the server's good right
    return kind


def _behave_badly(kind: str, where: Address, rng: Random, token: str, held: _Held) -> None:
    match kind:
        case "wrong_token":
            _say(where, hello(f"guess {rng.random()}"), rng)
        case "reset":
            with _connect(where) as sock:
                sock.sendall(hello(token)[: rng.randrange(1, 60)] if rng.random() < 0.5 else hello(token))
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, HARD_RESET)
        case "silent":
            held.keep(_connect(where))
        case "drip":
            sock = _connect(where)
            held.keep(sock)
            sock.send(b"\x00\x00\x01\x00")
            held.drip()
        case "deaf":
            sock = _connect(where, small=True)
            held.keep(sock)
            sock.sendall(hello(token))
        case "crowd":
            with contextlib.ExitStack() as stack:
                for _ in range(CROWD):
                    stack.enter_context(_connect(where))


def _connect(where: Address, small: bool = False) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX if where.scheme == "unix" else socket.AF_INET, socket.SOCK_STREAM)
    try:
        if small:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 12)
        sock.settimeout(5.0)
        sock.connect(where.path if where.scheme == "unix" else (where.host, where.port))
        sock.settimeout(1.0)
    except BaseException:
        sock.close()
        raise
    return sock


def _say(where: Address, data: bytes, rng: Random) -> None:
    """Sends it, whole or in pieces, and listens a moment."""
    with _connect(where) as sock:
        if rng.random() < 0.2:
            at = rng.randrange(len(data))
            sock.sendall(data[:at])
            time.sleep(0.001)
            data = data[at:] + noise(rng, 16)
        sock.sendall(data)
        if rng.random() < 0.5:
            sock.shutdown(socket.SHUT_WR)
        sock.settimeout(LISTENING_S)
        sock.recv(1 << 16)


# --- the others -------------------------------------------------------------------------------------------


class _Good(threading.Thread):
    """A subscriber that behaves; nothing may happen to it."""

    def __init__(self, url: str, token: str) -> None:
        super().__init__(daemon=True)
        self.tally: Counter[str] = Counter()
        self.silence_s = 0.0
        self._done = threading.Event()
        self._events = subscribe(url, ("live", "window"), token, reconnect=Reconnect(first_visit_s=10.0))
        self.start()

    def run(self) -> None:
        last_s = 0.0
        with contextlib.closing(self._events), contextlib.suppress(CrowdstreamError):  # type: ignore[type-var]
            for event in self._events:
                now_s = time.monotonic()
                if isinstance(event, Message) and tier_of(event.topic) is Tier.LIVE:
                    self.silence_s = max(self.silence_s, now_s - last_s if last_s else 0.0)
                    last_s = now_s
                    self.tally["messages"] += 1
                else:
                    note_event(event, self.tally)
                if self._done.is_set():
                    return

    def finish(self) -> None:
        self._done.set()
        self.join(10.0)


class _Asker(threading.Thread):
    """A controller that behaves: it asks for the status every half second and must be answered."""

    def __init__(self, url: str, token: str) -> None:
        super().__init__(daemon=True)
        self.answers = 0
        self.unanswered = 0
        self._client = ControlClient(url, token)
        self._done = threading.Event()
        self.start()

    def run(self) -> None:
        while not self._done.wait(0.5):
            try:
                self.answers += self._client.request("status").ok
            except CrowdstreamError:
                self.unanswered += 1

    def finish(self) -> None:
        self._done.set()
        self.join(20.0)


def _is_alive(url: str, token: str) -> bool:
    """A new subscriber is welcomed and served."""
    try:
        events = subscribe(url, ("live",), token, reconnect=Reconnect(first_visit_s=5.0, give_up_s=5.0))
        with contextlib.closing(events):  # type: ignore[type-var]
            return any(isinstance(event, Message) and tier_of(event.topic) is Tier.LIVE for event in events)
    except CrowdstreamError:
        return False
