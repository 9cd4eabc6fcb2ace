"""Hostile bytes: whatever comes is understood or refused, costs little, and ends one connection at most."""

from __future__ import annotations

import socket
import struct
import sys
import time
from dataclasses import replace
from pathlib import Path
from random import Random

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crowdstream.lab.bench.fuzz_attacks import ATTACKS, SPECIMENS, bomb
from crowdstream.lab.bench.fuzz_listener import FuzzFigures, fuzz
from crowdstream.lab.bench.wire_host import HostPlan, WireHost
from crowdstream.stream.errors import ProtocolError
from crowdstream.stream.wire.address import Address
from crowdstream.stream.wire.codec import Deframer, decode, encode, framed
from crowdstream.stream.wire.conversation import Conversation
from crowdstream.stream.wire.messages import MAX_REQUEST_BYTES, VERSION, Control, Kind, Message

sys.path.insert(0, str(Path(__file__).parent.parent / "rig"))
from wire_server import goodbye, hello, serving

sys.path.pop(0)

GOLDEN = Path(__file__).parent.parent / "golden" / "wire_{}_{}".format(*VERSION)
SMALL = [file for file in sorted(GOLDEN.glob("*.msg")) if file.stat().st_size < 600]
QUICK = settings(max_examples=60, deadline=None)


def understood(data: bytes) -> Message | Control | None:
    """None: refused, and nothing but ProtocolError was raised."""
    try:
        return decode(data, MAX_REQUEST_BYTES)
    except ProtocolError as exc:
        assert len(str(exc)) < 500  # a refusal never repeats what was sent
        return None


@QUICK
@given(st.binary(max_size=300))
def test_random_bytes_are_refused(data: bytes) -> None:
    assert understood(data) is None


@QUICK
@given(st.lists(st.binary(max_size=60), max_size=12))
def test_random_bytes_in_any_pieces_never_pile_up(pieces: list[bytes]) -> None:
    deframer = Deframer(MAX_REQUEST_BYTES)
    try:
        for piece in pieces:
            for data in deframer.feed(piece):
                understood(data)
            assert len(deframer._buffer) <= MAX_REQUEST_BYTES + 4
    except ProtocolError:
        pass


@pytest.mark.parametrize("file", SMALL, ids=lambda f: f.stem)
def test_every_truncation_is_refused_and_every_flipped_byte_refused_or_read(file: Path) -> None:
    data, rng = file.read_bytes(), Random(14)
    for length in range(len(data)):
        assert understood(data[:length]) is None
    for at in range(len(data)):
        for bits in (1 << rng.randrange(8), rng.randrange(1, 256)):
            understood(data[:at] + bytes([data[at] ^ bits]) + data[at + 1 :])


@QUICK
@given(st.sampled_from(sorted(ATTACKS)), st.integers(0, 2**32))
def test_a_client_that_hears_an_attack_drops_the_line_and_nothing_else(kind: str, seed: int) -> None:
    """The same bytes, sent by a server: subscribers distrust theirs as much."""
    talk = Conversation()
    talk.open()
    try:
        talk.feed(ATTACKS[kind](Random(seed)))
    except ProtocolError:
        pass
    assert len(talk.outgoing()) < 1 << 16


@pytest.mark.parametrize(
    "value", [msgpack.ExtType(1, b"x"), msgpack.Timestamp(1), float("nan"), float("inf"), b"raw"]
)
@pytest.mark.parametrize("where", ["body", "deep", "envelope"])
def test_values_outside_the_protocol_are_refused_wherever_they_stand(value: object, where: str) -> None:
    message = {"v": list(VERSION), "sid": "", "kind": "pong", "t_pub": 0, "body": {"n": 1}}
    assert understood(msgpack.packb(message)) is not None
    match where:
        case "body":
            message["body"] = {"n": value}
        case "deep":
            message["body"] = {"n": [{"a": [value]}]}
        case "envelope":
            message["other"] = value
    assert understood(msgpack.packb(message)) is None


def test_nesting_has_an_end() -> None:
    def nested(depth: int) -> bytes:
        inner: object = 1
        for _ in range(depth):
            inner = [inner]
        return msgpack.packb(
            {"v": list(VERSION), "sid": "", "kind": "pong", "t_pub": 0, "body": {"n": inner}}
        )

    assert understood(nested(10)) is not None
    for depth in (11, 20, 100, 2000):
        assert understood(nested(depth) if depth < 500 else b"\x81\xa1a" * depth + b"\xc0") is None


@pytest.mark.parametrize("length", [0, MAX_REQUEST_BYTES + 1, 1 << 20, 5_000_000, 1 << 31, (1 << 32) - 1])
@pytest.mark.parametrize("after", [False, True])
def test_a_length_that_may_not_be_ends_the_connection_at_once(length: int, after: bool) -> None:
    with serving() as server, server.connect() as sock:
        sock.sendall((hello() if after else b"") + struct.pack(">I", length))
        assert f"length prefix {length}" in goodbye(sock)
        assert server.wire.stats().refused["protocol"] == 1
        server.assert_alive()


def test_a_message_of_every_kind_is_answered_by_the_rules() -> None:
    """Pulls, pongs, requests and goodbyes are a subscriber's; anything else ends the connection with its name."""
    allowed = {"pull", "pong", "request", "bye"}
    with serving() as server:
        for kind, data in SPECIMENS.items():
            with server.connect() as sock:
                sock.sendall(hello() + framed(data) + framed(encode(Control(Kind.BYE, {}))))
                reason = goodbye(sock)
            assert ("is nothing a subscriber may send" in reason) == (kind not in allowed), kind
        server.assert_alive()


def test_bombs_cost_the_server_next_to_nothing() -> None:
    """Each would be hundreds of megabytes, were it unpacked; the server stands in a process of its own."""
    plan = HostPlan(people=2, rate_hz=20.0, ring_messages=8)
    with WireHost(plan) as host:
        where = Address.parse(host.url)
        before = host.figures()
        slowest_s = 0.0
        for seed in range(16):
            with socket.create_connection((where.host, where.port), 20.0) as sock:
                begin_s = time.monotonic()
                try:
                    sock.sendall((hello() if seed % 2 else b"") + bomb(Random(seed)))
                    goodbye(sock)
                except ConnectionError:
                    pass
                slowest_s = max(slowest_s, time.monotonic() - begin_s)
        after = host.figures()
        assert after.resident_bytes - before.resident_bytes < 50e6
        assert after.stats.refused["protocol"] == 16
        assert slowest_s < 5.0  # 0.1 s on a quiet machine
        assert host.alive and after.published > before.published


@pytest.mark.parametrize("seed", [1])
def test_everything_at_once_leaves_the_server_alive_and_its_subscribers_whole(seed: int) -> None:
    plan = HostPlan(people=4, rate_hz=20.0, token="r", control_token="c", ring_messages=16)
    with WireHost(plan) as host:
        found = fuzz(host.url, 2.0, seed, "r", "c")
        after = host.figures()
    assert found.alive and found.num_attacks > 5
    assert found.unannounced == found.cut_off == 0 and found.received > 0
    assert not [
        fault for fault in found.faults() if "missed" not in fault
    ]  # a stall of a busy machine may cost frames
    assert sum(after.stats.refused.values()) > 0


def test_every_harm_done_is_a_fault_of_its_own() -> None:
    fine = FuzzFigures(
        1.0, {"noise": 5}, True, 50, 0, 0, 0, 0.1, 3, 0, resident_bytes=(90, 95, 91), files=(9, 9)
    )
    assert fine.faults() == [] and fine.num_attacks == 5
    harms = [{"alive": False}, {"missed": 1}, {"unannounced": 1}, {"cut_off": 1}, {"unanswered": 1}, {"received": 0},
             {"resident_bytes": (0, 60_000_000, 0)}, {"files": (9, 12)}]  # fmt: skip
    assert [len(replace(fine, **harm).faults()) for harm in harms] == [1] * len(harms)  # type: ignore[arg-type]
