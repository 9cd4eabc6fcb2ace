"""The server on real sockets: clients that come late, go, lie, stall, or are cut off in the middle of a message."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from crowdstream.lab.bench.wire_cases import walkers_frame, walkers_schema, walkers_window
from crowdstream.stream.errors import ProtocolError, PublishError
from crowdstream.stream.wire.client import Reconnect, subscribe, subscribe_async
from crowdstream.stream.wire.codec import Deframer, decode, encode, framed
from crowdstream.stream.wire.conversation import Bye, Conversation, Event, Welcome
from crowdstream.stream.wire.messages import Control, Gap, Hello, Kind, Message
from crowdstream.stream.wire.publish import PublishConfig, PublisherStage
from crowdstream.stream.wire.server import Address, ServerSettings
from crowdstream.stream.wire.tiers import WindowAssembler, live_record

GOLDEN = Path(__file__).parent.parent / "golden" / "wire_1_0"
LIMIT_S = 40.0
"""A test that waits longer has failed."""
QUICK = Reconnect(first_s=0.01, longest_s=0.05, give_up_s=LIMIT_S, first_visit_s=LIMIT_S)


def stage(log: Path | None = None, listen: str = "tcp://127.0.0.1:0", **settings: object) -> PublisherStage:
    config = PublishConfig(listen=listen, **settings)  # type: ignore[arg-type]
    made = PublisherStage(config, "hall", walkers_schema(), log)
    made.start()
    return made


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[PublisherStage]:
    made = stage(tmp_path / "a.cslog", hello_timeout_s=0.3)
    yield made
    made.stop(drain_s=0.0)


def wait_for(condition: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < deadline_s, "waited too long"
        time.sleep(0.002)


class Follower(threading.Thread):
    """A subscriber that collects events until goodbye."""

    def __init__(self, url: str, count: int = 0, **settings: object) -> None:
        super().__init__(daemon=True)
        self.events: list[Event] = []
        self.failure: Exception | None = None
        self._count = count
        self._source = subscribe(url, reconnect=QUICK, **settings)  # type: ignore[arg-type]
        self.start()

    def run(self) -> None:
        try:
            for event in self._source:
                self.events.append(event)
                if self._count and len(self.seqs("window.hall")) >= self._count:
                    return
        except Exception as exc:
            self.failure = exc
        finally:
            self._source.close()  # type: ignore[attr-defined]

    def welcomed(self) -> bool:
        return any(isinstance(e, Welcome) for e in self.events)

    def seqs(self, topic: str) -> list[int]:
        return [e.seq for e in self.events if isinstance(e, Message) and e.topic == topic]

    def finish(self) -> None:
        self.join(LIMIT_S)
        assert not self.is_alive()
        if self.failure is not None:
            raise self.failure


def connect(engine: PublisherStage) -> socket.socket:
    address = Address.parse(engine.address)
    return socket.create_connection((address.host, address.port), timeout=LIMIT_S)


def hello(**settings: object) -> bytes:
    return framed(encode(Hello(**settings).control()))  # type: ignore[arg-type]


def goodbye(sock: socket.socket) -> str:
    """Reads to the end; the reason of the goodbye, empty where there was none."""
    deframer, reason = Deframer(), ""
    with contextlib.suppress(ConnectionError):
        while data := sock.recv(1 << 16):
            for item in deframer.feed(data):
                message = decode(item)
                if isinstance(message, Control) and message.kind is Kind.BYE:
                    reason = str(message.body["reason"])
    return reason


def assert_alive(engine: PublisherStage) -> None:
    """A well-behaved subscriber is still served."""
    follower = Follower(engine.address)
    wait_for(follower.welcomed)
    wait_for(lambda: engine.num_subscribers > 0)
    before = len(follower.seqs("live.hall"))
    engine.push_live(walkers_frame(2, 5))
    wait_for(lambda: len(follower.seqs("live.hall")) > before)


# --- the way it should go ---------------------------------------------------------------------------------


def test_everything_published_arrives_in_order_and_whole(engine: PublisherStage) -> None:
    follower = Follower(engine.address)
    wait_for(lambda: engine.num_subscribers == 1)
    for i in range(20):
        engine.push_live(walkers_frame(3, i))
    for window in range(3):
        engine.push_window(walkers_window(40, window), state={"n": window})
    engine.push_status({"event": "camera_ended", "load": float("nan")})
    engine.stop()
    follower.finish()
    assert follower.seqs("live.hall") == [*range(1, 21)]
    assert follower.seqs("window.hall") == [*range(1, 7)]
    messages = [e for e in follower.events if isinstance(e, Message)]
    assert live_record(next(m for m in messages if m.topic == "live.hall")).person_ids.tolist() == [1, 2, 3]
    assembler = WindowAssembler()
    windows = [w for m in messages if (w := assembler.push(m)) is not None]
    assert [(w.window, len(w.person_ids)) for w in windows] == [(0, 40), (1, 40), (2, 40)]
    assert next(m for m in messages if m.topic == "status").body == {"event": "camera_ended", "load": None}
    assert "state" not in {key for m in messages for key in m.body}
    assert follower.events[-1] == Bye("end")


def test_asyncio_client_sees_the_same(engine: PublisherStage) -> None:
    async def follow() -> list[Event]:
        events: list[Event] = []
        async for event in subscribe_async(engine.address, topics=("window",), reconnect=QUICK):
            events.append(event)
            if isinstance(event, Welcome):
                engine.push_window(walkers_window(2, 0))
            if isinstance(event, Message) and event.window == 0:
                engine.stop()
        return events

    events = asyncio.run(asyncio.wait_for(follow(), LIMIT_S))
    assert [e.topic for e in events if isinstance(e, Message)] == ["schema.hall", "window.hall"]
    assert events[-1] == Bye("end")


def test_late_joiner_has_the_scene_within_a_second(engine: PublisherStage) -> None:
    for i in range(50):
        engine.push_live(walkers_frame(40, i))
    engine.push_window(walkers_window(40, 0))
    begin_s = time.monotonic()
    follower = Follower(engine.address, count=2)
    follower.finish()
    assert time.monotonic() - begin_s < 1.0
    assert follower.seqs("schema.hall") == [1]
    assert follower.seqs("live.hall") == [50]
    assert follower.seqs("window.hall") == [1, 2]


def test_killed_subscriber_resumes_and_nothing_committed_is_lost(engine: PublisherStage) -> None:
    conversation = Conversation(topics=("window",))
    first = Follower(engine.address, count=2, conversation=conversation)
    wait_for(lambda: engine.num_subscribers == 1)
    engine.push_window(walkers_window(1, 0))
    engine.push_window(walkers_window(1, 1))
    first.finish()
    wait_for(lambda: engine.num_subscribers == 0)
    for window in range(2, 7):
        engine.push_window(walkers_window(1, window))
    second = Follower(engine.address, count=6, conversation=conversation)
    wait_for(lambda: engine.num_subscribers == 1)
    engine.push_window(walkers_window(1, 7))
    second.finish()
    assert first.seqs("window.hall") + second.seqs("window.hall") == [*range(1, 9)]
    assert not any(isinstance(e, Gap) for e in second.events)


def test_client_survives_the_restart_of_an_engine_and_is_told_of_the_new_session(tmp_path: Path) -> None:
    old = stage(tmp_path / "a.cslog")
    follower = Follower(old.address, topics=("window",))
    wait_for(lambda: old.num_subscribers == 1)
    old.push_window(walkers_window(1, 0))
    wait_for(lambda: follower.seqs("window.hall") == [1])
    listen = old.address
    old.stop(reason="restart", drain_s=0.0)
    new = stage(tmp_path / "a.cslog", listen=listen, append=True)  # the address is free again at once
    wait_for(lambda: new.num_subscribers == 1)
    new.push_window(walkers_window(1, 1))
    new.stop()
    follower.finish()
    assert [(e.sid, e.new_session) for e in follower.events if isinstance(e, Welcome)] == [
        (old.sid, True),
        (new.sid, True),
    ]
    assert follower.seqs("window.hall") == [1, 1]


# --- slow and silent ones ---------------------------------------------------------------------------------


def test_deaf_subscriber_is_let_go_with_a_reason_and_others_notice_nothing() -> None:
    engine = stage(control_messages=16, queue_messages=4)
    try:
        deaf = socket.socket()
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 12)
        deaf.settimeout(LIMIT_S)
        address = Address.parse(engine.address)
        deaf.connect((address.host, address.port))
        deaf.sendall(hello())
        follower = Follower(engine.address)
        wait_for(lambda: engine.num_subscribers == 2)
        for i in range(60):  # fills the kernel's buffers of the deaf one
            engine.push_live(walkers_frame(200, i))
            engine.push_status({"n": i, "text": "x" * 2000})
            wait_for(lambda i=i: len(follower.seqs("status")) == i + 1)  # type: ignore[misc]
            if engine.num_subscribers == 1:
                break
        assert engine.num_subscribers == 1
        assert follower.seqs("live.hall") == [*range(1, i + 2)]
        goodbye(deaf)
        deaf.close()
        engine.stop()
        follower.finish()
        assert not any(isinstance(e, Gap) for e in follower.events)
    finally:
        engine.stop()


def test_slow_reader_gets_gaps_with_exact_bounds_and_every_window(tmp_path: Path) -> None:
    engine = stage(tmp_path / "a.cslog", queue_messages=4, ring_messages=4)
    try:
        with connect(engine) as sock:
            conversation = Conversation()
            sock.sendall(conversation.open())
            wait_for(lambda: engine.num_subscribers == 1)
            for i in range(200):
                engine.push_live(walkers_frame(200, i))
                if i % 10 == 0:
                    engine.push_window(walkers_window(4, i // 10))
            events: list[Event] = []
            deadline_s = time.monotonic() + LIMIT_S

            def seqs(topic: str) -> list[int]:
                return [e.seq for e in events if isinstance(e, Message) and e.topic == topic]

            while len(seqs("window.hall")) < 20 or 200 not in seqs("live.hall"):
                assert time.monotonic() < deadline_s
                events += conversation.feed(sock.recv(1 << 16))
                sock.sendall(conversation.outgoing())
        told = [
            n
            for e in events
            if isinstance(e, Gap) and e.topic == "live.hall"
            for n in range(e.first, e.last + 1)
        ]
        assert told, "the queue was never too short: the test shows nothing"
        assert sorted(told + seqs("live.hall")) == [*range(1, 201)]
        assert sorted(seqs("window.hall")) == [*range(1, 21)]
    finally:
        engine.stop(drain_s=0.0)


def test_silent_peer_is_dead_after_three_pings_and_an_answering_one_lives() -> None:
    engine = stage(ping_interval_s=0.05)
    try:
        with connect(engine) as silent:
            silent.sendall(hello())
            follower = Follower(engine.address)  # answers its pings
            wait_for(follower.welcomed)
            assert goodbye(silent) == "no answer to 3 pings"
        assert engine.num_subscribers == 1
    finally:
        engine.stop()


def test_hello_that_never_ends_is_cut_off_in_time(engine: PublisherStage) -> None:
    begin_s = time.monotonic()
    with connect(engine) as loris:
        for byte in hello()[:3]:  # a byte at a time, as if there were no end of time
            loris.sendall(bytes([byte]))
            time.sleep(0.02)
        assert goodbye(loris) == "no hello within 0.3 s"
    assert 0.2 < time.monotonic() - begin_s < 2.0
    assert_alive(engine)


def test_connections_are_capped() -> None:
    engine = stage(max_clients=2)
    try:
        with connect(engine) as a, connect(engine) as b:
            a.sendall(hello())
            b.sendall(hello())
            wait_for(lambda: engine.num_subscribers == 2)
            with connect(engine) as third:
                third.sendall(hello())
                assert goodbye(third) == "server full: 2 connections"
        wait_for(lambda: engine.num_subscribers == 0)
        assert_alive(engine)
    finally:
        engine.stop()


# --- hostile bytes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (struct.pack(">I", 0), "length prefix 0"),
        (struct.pack(">I", 2**32 - 1), "length prefix 4294967295"),
        (struct.pack(">I", 5_000_000) + b"\x80" * 1000, "length prefix 5000000"),
        (framed(b"\xc1"), "not one well-formed msgpack map"),
        (framed(b"GET / HTTP/1.1\r\n\r\n"), "not one well-formed msgpack map"),
        (framed((GOLDEN / "live.msg").read_bytes()), "expected hello"),
        (framed((GOLDEN / "ping.msg").read_bytes()), "expected hello"),
        (hello() + framed((GOLDEN / "bye.msg").read_bytes()[:-2]), "not one well-formed msgpack map"),
        (hello() + framed((GOLDEN / "live.msg").read_bytes()), "nothing a subscriber may send"),
        (hello() + struct.pack(">I", 1 << 17), "length prefix 131072"),
    ],
)
def test_broken_protocol_ends_that_connection_with_a_reason(
    engine: PublisherStage, sent: bytes, reason: str
) -> None:
    with connect(engine) as sock:
        sock.sendall(sent)
        assert reason in goodbye(sock)
    assert_alive(engine)


def test_random_bytes_and_cut_messages_never_hurt_the_server(engine: PublisherStage) -> None:
    rng = random.Random(14)
    golden = [file.read_bytes() for file in sorted(GOLDEN.glob("*.msg"))]
    attacks = [rng.randbytes(rng.randrange(1, 300)) for _ in range(20)]
    attacks += [hello() + rng.randbytes(rng.randrange(1, 300)) for _ in range(20)]
    attacks += [framed(m)[: rng.randrange(1, len(m))] for m in golden]
    for attack in attacks:
        with connect(engine) as sock, contextlib.suppress(ConnectionError):
            sock.sendall(attack)
            sock.shutdown(socket.SHUT_WR)
    assert_alive(engine)


@pytest.mark.parametrize("file", sorted(GOLDEN.glob("*.msg")), ids=lambda f: f.stem)
def test_every_truncation_of_every_golden_message_is_refused(file: Path) -> None:
    data = file.read_bytes()
    for length in range(len(data)):
        with pytest.raises(ProtocolError):
            decode(data[:length])
    with pytest.raises(ProtocolError):
        decode(data + b"\x00")


def test_random_changes_of_golden_messages_are_read_or_refused() -> None:
    rng = random.Random(15)
    golden = [file.read_bytes() for file in sorted(GOLDEN.glob("*.msg"))]
    refused = 0
    for _ in range(1500):
        data = bytearray(rng.choice(golden))
        for _ in range(rng.randrange(1, 4)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        try:
            decode(bytes(data))
        except ProtocolError:
            refused += 1
    assert refused > 0


BOMB = """
import resource, sys, time
from crowdstream.stream.errors import ProtocolError
from crowdstream.stream.wire.codec import decode
import msgpack
size, shape = 5_000_000, sys.argv[1]
wide = b"\\xdd" + size.to_bytes(4, "big") + b"\\x80" * size             # one array of empty maps
tree = b"\\xdc\\x10\\x00" + (b"\\xdc\\x04\\x00" + b"\\x80" * 1024) * 4096  # nested, each within its own limit
data = {"wide": wide, "tree": tree, "deep": b"\\x91" * size, "maps": b"\\x81\\xa1a" * (size // 3)}[shape]
before, begin = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
try:
    decode(data, 16 << 20)
except ProtocolError:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, time.perf_counter() - begin)
"""


@pytest.mark.parametrize("shape", ["wide", "tree", "deep", "maps"])
def test_bomb_of_empty_maps_costs_nearly_nothing(shape: str, tmp_path: Path) -> None:
    out = subprocess.run(
        [sys.executable, "-c", BOMB, shape], capture_output=True, text=True, check=True, cwd=tmp_path
    ).stdout.split()
    grown_kib, seconds = int(out[0]), float(out[1])
    assert grown_kib < 50 * 1024
    assert seconds < 0.1


# --- cut lines --------------------------------------------------------------------------------------------


class CuttingProxy(threading.Thread):
    """Hands on a server's bytes and cuts each connection after a number of them."""

    def __init__(self, target: str, cuts: list[int]) -> None:
        super().__init__(daemon=True)
        self._target = Address.parse(target)
        self._cuts = cuts
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"tcp://127.0.0.1:{self._listener.getsockname()[1]}"
        self.start()

    def run(self) -> None:
        for cut in [*self._cuts, 1 << 62]:
            down, _ = self._listener.accept()
            up = socket.create_connection((self._target.host, self._target.port))
            threading.Thread(target=self._pump, args=(down, up, 1 << 62), daemon=True).start()
            self._pump(up, down, cut)
        self._listener.close()

    @staticmethod
    def _pump(source: socket.socket, sink: socket.socket, budget: int) -> None:
        with contextlib.suppress(OSError):
            while budget > 0 and (data := source.recv(min(1 << 14, budget))):
                sink.sendall(data)
                budget -= len(data)
        for sock in (source, sink):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()


def test_lines_cut_at_any_byte_never_deliver_half_a_message_nor_lose_a_window(engine: PublisherStage) -> None:
    rng = random.Random(16)
    proxy = CuttingProxy(engine.address, [rng.randrange(1, 60_000) for _ in range(12)] + [1, 2, 3, 4, 5])
    want = {}
    conversation = Conversation(topics=("window",), want_snapshot=True)
    follower = Follower(proxy.url, count=25, conversation=conversation)
    wait_for(follower.welcomed)
    for window in range(25):
        solution = walkers_window(1, window)
        want[window] = solution.joints_m.tobytes()
        engine.push_window(solution)
    follower.finish()
    engine.stop(drain_s=0.0)
    assembler = WindowAssembler()
    got = [w for e in follower.events if isinstance(e, Message) and (w := assembler.push(e)) is not None]
    assert follower.seqs("window.hall") == [*range(1, 26)]
    assert {w.window: w.joints_m.tobytes() for w in got} == want
    assert sum(isinstance(e, Welcome) for e in follower.events) > 3


# --- who may listen, where --------------------------------------------------------------------------------


def test_wrong_token_is_refused_and_the_right_one_served() -> None:
    engine = stage(token="open sesame")
    try:
        with pytest.raises(PublishError, match="refuses: wrong token"):
            Follower(engine.address, token="guess").finish()
        good = Follower(engine.address, token="open sesame")
        wait_for(good.welcomed)
    finally:
        engine.stop()
    assert "sesame" not in repr(engine.config)


@pytest.mark.parametrize(
    "listen", ["tcp://0.0.0.0:0", "tcp://[::]:0", "tcp://192.0.2.1:7447", "tcp://example.org:1"]
)
def test_address_others_can_reach_needs_a_token(listen: str) -> None:
    with pytest.raises(PublishError, match=r"set publish\.token"):
        ServerSettings(Address.parse(listen))
    with pytest.raises(PublishError, match=r"publish\.allow_plain"):
        ServerSettings(Address.parse(listen), token="x")
    assert ServerSettings(Address.parse(listen), token="x", allow_plain=True).token == "x"


@pytest.mark.parametrize("url", ["ftp://a:1", "tcp://a", "tcp://a:99999", "unix://", "tcp://:1", ""])
def test_addresses_that_are_none(url: str) -> None:
    with pytest.raises(PublishError, match="expected tcp://HOST:PORT"):
        Address.parse(url)


def test_credentials_in_an_address_are_not_repeated() -> None:
    with pytest.raises(PublishError) as caught:
        Address.parse("ftp://user:hunter2@host:1")
    assert "hunter2" not in str(caught.value)


def test_unix_socket_is_private_and_gone_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "engine.sock"
    with socket.socket(socket.AF_UNIX) as crashed:  # an engine that did not clean up
        crashed.bind(str(path))
    engine = stage(listen=f"unix://{path}")
    assert path.stat().st_mode & 0o777 == 0o600
    follower = Follower(engine.address)
    wait_for(follower.welcomed)
    with pytest.raises(PublishError, match="in use by another engine"):
        stage(listen=f"unix://{path}")
    engine.stop()
    follower.finish()
    assert not path.exists()
    path.write_text("a file of mine")
    with pytest.raises(PublishError, match="is no socket"):
        stage(listen=f"unix://{path}")
    assert path.read_text() == "a file of mine"


def test_taken_port_and_absent_engine_are_said_in_one_line() -> None:
    engine = stage()
    with pytest.raises(PublishError, match="cannot listen on"):
        stage(listen=engine.address)
    engine.stop()
    with pytest.raises(PublishError, match="no engine answers at"):
        list(subscribe(engine.address, reconnect=Reconnect()))


def test_tls_carries_the_same_protocol(tmp_path: Path) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    made = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(cert)],
        capture_output=True,
    )  # fmt: skip
    if made.returncode:
        pytest.skip("no openssl to make a certificate with")
    engine = stage(listen="tls://localhost:0", tls_cert=cert, tls_key=key)
    follower = Follower(engine.address, tls=ssl.create_default_context(cafile=str(cert)))
    wait_for(follower.welcomed)
    engine.push_window(walkers_window(1, 0))
    engine.stop()
    follower.finish()
    assert follower.seqs("window.hall") == [1]


def test_no_thread_is_left_after_stop() -> None:
    engine = stage()
    with connect(engine) as sock:
        sock.sendall(hello())
        wait_for(lambda: engine.num_subscribers == 1)
        engine.stop(drain_s=0.0)
        assert goodbye(sock) == "end"
    assert "crowdstream-wire" not in {thread.name for thread in threading.enumerate()}
