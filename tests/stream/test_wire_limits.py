"""What a peer cannot do to a server: stay silent, drip, crowd, flood, guess, or never read."""

from __future__ import annotations

import contextlib
import os
import resource
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from crowdstream.stream.wire.codec import encode, framed
from crowdstream.stream.wire.conversation import Conversation
from crowdstream.stream.wire.doorkeeper import DoorLimits
from crowdstream.stream.wire.hub import HubLimits
from crowdstream.stream.wire.messages import Control, Kind, Message

sys.path.insert(0, str(Path(__file__).parent.parent / "rig"))
from wire_server import LIMIT_S, TestServer, goodbye, hello, serving, wait_for

sys.path.pop(0)


@pytest.fixture
def server() -> Iterator[TestServer]:
    with serving(hello_timeout_s=0.3) as made:
        yield made


def drip(sock: socket.socket, data: bytes, pause_s: float) -> None:
    with contextlib.suppress(OSError):
        for byte in data:
            sock.sendall(bytes([byte]))
            time.sleep(pause_s)


def test_a_hello_a_byte_at_a_time_is_cut_off_though_bytes_still_come(server: TestServer) -> None:
    begin_s = time.monotonic()
    with server.connect() as loris:
        dripping = threading.Thread(target=drip, args=(loris, hello(), 0.02))
        dripping.start()
        assert goodbye(loris) == "no hello within 0.3 s"
        lasted_s = time.monotonic() - begin_s
        dripping.join(LIMIT_S)
    assert 0.25 < lasted_s < 3.0  # the whole hello would have taken longer
    assert len(hello()) * 0.02 > 1.0
    assert server.wire.stats().refused["late_hello"] == 1
    server.assert_alive()


def test_those_who_say_nothing_do_not_keep_anybody_out(server: TestServer) -> None:
    """More silent connections than there is room for: the oldest go, whoever says hello is served."""
    server.wire.door.limits = DoorLimits(knocking=8)
    with contextlib.ExitStack() as stack:
        silent = [stack.enter_context(server.connect()) for _ in range(30)]
        # on a busy machine some have been silent for too long before they are too many
        wait_for(lambda: sum(server.wire.stats().refused[c] for c in ("crowded", "late_hello")) >= 22)
        wait_for(lambda: server.wire.stats().connections <= 9)
        server.assert_alive()
        crowded, late = "too many connections without a hello", "no hello within 0.3 s"
        told = [goodbye(sock) for sock in silent]
        # a reason is told if the peer takes it in time, which a busy machine may not
        assert set(told) <= {crowded, late, ""} and crowded in told
    wait_for(lambda: server.wire.stats().connections == 0)
    counts = server.wire.stats().refused
    assert counts["crowded"] + counts["late_hello"] >= 30


def test_of_another_machine_there_is_room_for_fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(max_clients=8, max_clients_per_address=2) as server:
        monkeypatch.setattr("crowdstream.stream.wire.access.is_loopback", lambda host: host != "127.0.0.2")
        with contextlib.ExitStack() as stack:
            for _ in range(2):
                stack.enter_context(server.connect("127.0.0.2")).sendall(hello())
            wait_for(lambda: server.wire.num_subscribers == 2)
            with server.connect("127.0.0.2") as third:
                third.sendall(hello())
                assert goodbye(third) == "server full: 2 connections of one address"
            for _ in range(3):  # of others, and of this machine, there may be more
                stack.enter_context(server.connect()).sendall(hello())
            wait_for(lambda: server.wire.num_subscribers == 5)
        assert server.wire.stats().refused["full"] == 1


def test_guessing_tokens_gets_slower_and_slower_and_the_right_one_never_waits() -> None:
    with serving(token="open sesame") as server:
        server.wire.door.limits = DoorLimits(first_wait_s=0.05, longest_wait_s=1.0)
        waited = []
        for guess in range(4):
            begin_s = time.monotonic()
            with server.connect() as sock:
                sock.sendall(hello(token=f"guess {guess}"))
                assert goodbye(sock) == "wrong token"
            waited.append(time.monotonic() - begin_s)
        assert all(took >= 0.05 * 2**n for n, took in enumerate(waited))
        server.assert_alive("open sesame")
        assert server.wire.stats().refused["wrong_token"] == 4


def test_a_flood_of_good_messages_is_read_slowly_and_costs_others_nothing() -> None:
    """TCP makes the flooder wait; what it sends piles up on its own side."""
    with serving(messages_per_s=100.0, bytes_per_s=4096.0) as server, server.connect() as flooder:
        flooder.sendall(hello(topics=("status",)))
        wait_for(lambda: server.wire.num_subscribers == 1)
        pong = framed(encode(Control(Kind.PONG, {"n": 1})))
        flooder.settimeout(0.2)
        sent, until_s = 0, time.monotonic() + 1.0
        while time.monotonic() < until_s:
            with contextlib.suppress(TimeoutError):
                sent += flooder.send(pong * 1000)
        server.assert_alive()
        assert server.wire.stats().throttled > 0
        assert server.wire.num_subscribers >= 1  # it breaks no rule
        heard = (1 << 17) + 4096.0 * (time.monotonic() - until_s + 2.0)
        assert sent > heard  # it would have sent far more than was taken


def test_a_peer_that_never_reads_costs_a_bounded_amount(tmp_path: Path) -> None:
    limits = HubLimits(live_items=8, live_bytes=1 << 20, ring_items=8)
    with serving(limits=limits, ping_interval_s=5.0) as server:
        deaf = socket.socket()
        with deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 12)
            deaf.connect((server.address.host, server.address.port))
            deaf.sendall(hello(topics=("live",)))
            wait_for(lambda: server.wire.num_subscribers == 1)
            for _ in range(60):
                server.live(100)
            before = _resident_bytes()
            for _ in range(300):  # 8 MB
                server.live(100)
            assert _resident_bytes() - before < 4e6
            stats = server.wire.stats()
            assert stats.dropped > 250
        server.assert_alive()


def test_what_was_left_out_for_a_stuck_reader_is_told_to_the_number() -> None:
    """It reads nothing, then everything: what came and what it was told are all that was published."""
    with serving(limits=HubLimits(live_items=4)) as server, server.connect() as stuck:
        talk = Conversation(topics=("live",))
        stuck.sendall(talk.open())
        wait_for(lambda: server.wire.num_subscribers == 1)
        for _ in range(300):
            server.live(100)
        numbers: list[int] = []
        while talk.last.get("live.hall", 0) < 300:
            events = talk.feed(stuck.recv(1 << 16))
            numbers += [
                event.seq for event in events if isinstance(event, Message) and event.kind is Kind.DATA
            ]
        assert talk.missed > 0 and len(numbers) + talk.missed == 300
        assert numbers == sorted(set(numbers))


def test_connections_that_come_and_go_leave_nothing_behind(server: TestServer) -> None:
    def churn(count: int) -> None:
        for number in range(count):
            with server.connect() as sock:
                if number % 3:
                    sock.sendall(hello() if number % 2 else b"\x00\x00\x00\x00")
                if number % 5 == 0:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        wait_for(lambda: server.wire.stats().connections == 0)

    churn(60)
    files = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").is_dir() else 0
    before = _resident_bytes()
    churn(240)
    assert _resident_bytes() - before < 3e6
    if files:
        assert len(os.listdir("/proc/self/fd")) <= files
    assert not server.wire._connections and not server.wire._subscribers
    server.assert_alive()


def test_without_file_handles_accepting_rests_and_goes_on(server: TestServer) -> None:
    """What is connected goes on meanwhile, and nothing spins."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with server.connect() as good, contextlib.ExitStack() as stack:
        good.sendall(hello(topics=("live",)))
        wait_for(lambda: server.wire.num_subscribers == 1)
        waiting = stack.enter_context(socket.socket())
        waiting.settimeout(LIMIT_S)
        taken = (
            max(int(name) for name in os.listdir("/proc/self/fd")) if Path("/proc/self/fd").is_dir() else 0
        )
        if not taken:
            pytest.skip("this system does not say which handles are in use")
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (taken + 1, hard))
            holes = [stack.enter_context(socket.socket()) for _ in range(_free_below(taken + 1))]
            waiting.connect((server.address.host, server.address.port))
            waiting.sendall(hello(topics=("live",)))
            wait_for(lambda: server.wire.stats().refused["full"] > 0)
            rests = server.wire.stats().refused["full"]
            time.sleep(0.2)
            assert server.wire.stats().refused["full"] <= rests + 1
            server.live()
            assert good.recv(1 << 16)
            for sock in holes:
                sock.close()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        wait_for(lambda: server.wire.num_subscribers == 2)


def _free_below(limit: int) -> int:
    used = {int(name) for name in os.listdir("/proc/self/fd")}
    return max(0, limit - len({n for n in used if n < limit}))


def test_stopping_does_not_wait_for_those_who_have_said_nothing() -> None:
    with serving() as server, contextlib.ExitStack() as stack:
        silent = [stack.enter_context(server.connect()) for _ in range(5)]
        wait_for(lambda: server.wire.stats().connections == 5)
        begin_s = time.monotonic()
        server.wire.stop("going home")
        assert time.monotonic() - begin_s < 2.0
        assert {goodbye(sock) for sock in silent} == {"going home"}


def _resident_bytes() -> int:
    statm = Path("/proc/self/statm")
    if not statm.is_file():
        pytest.skip("this system does not tell how much memory is in use")
    return int(statm.read_text().split()[1]) * resource.getpagesize()
