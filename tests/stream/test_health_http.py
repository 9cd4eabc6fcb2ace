"""The health endpoints on real sockets: bounded in connections, time and size, and gone without a trace."""

from __future__ import annotations

import http.client
import random
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from crowdstream.stream.errors import PublishError
from crowdstream.stream.health.board import HealthBoard
from crowdstream.stream.health.config import HealthConfig
from crowdstream.stream.health.http import HealthServer, HttpLimits, open_health_server, parse_listen
from crowdstream.stream.health.records import CameraHealth, HealthReport

REPORT = HealthReport(1, "s", 90.0, True, tuple(CameraHealth(f"camera{i}", "running") for i in range(30)))
LIMITS = HttpLimits(connections=4, request_s=1.0)


@pytest.fixture
def server() -> Iterator[HealthServer]:
    board = HealthBoard()
    board.push(REPORT)
    server = HealthServer(parse_listen("http://127.0.0.1:0"), board, limits=LIMITS)
    server.start()
    yield server
    server.stop()


def ask(server: HealthServer, path: str, method: str = "GET", **headers: str) -> tuple[int, bytes]:
    with closing(
        http.client.HTTPConnection(server.address.host, server.address.port, timeout=10)
    ) as connection:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read()


def connect(server: HealthServer) -> socket.socket:
    return socket.create_connection((server.address.host, server.address.port), timeout=10)


def rest_of(sock: socket.socket) -> bytes:
    out = b""
    try:
        while data := sock.recv(1 << 16):
            out += data
    except ConnectionResetError:
        pass
    return out


def test_a_client_gets_the_whole_page(server: HealthServer) -> None:
    assert ask(server, "/healthz") == (200, b"up for 1 min\n")
    status, page = ask(server, "/metrics")
    assert status == 200 and page.endswith(b"\n") and page.count(b'camera="camera29"') > 5
    assert ask(server, "/metrics", "HEAD") == (200, b"")
    assert ask(server, "/nowhere")[0] == 404
    assert ask(server, "/metrics", Host="evil.example")[0] == 421


def test_a_second_request_on_a_connection_is_not_served(server: HealthServer) -> None:
    one = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with connect(server) as sock:
        sock.sendall(one * 3)
        assert rest_of(sock).count(b"HTTP/1.1 200") == 1


def test_an_answer_comes_through_over_what_nobody_reads(server: HealthServer) -> None:
    """A body that is sent all the same must not make the peer lose the refusal."""
    with connect(server) as sock:
        sock.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 20000\r\n\r\n" + b"x" * 20000)
        assert rest_of(sock).startswith(b"HTTP/1.1 413 ")


def test_who_says_nothing_is_let_go_in_time(server: HealthServer) -> None:
    with connect(server) as silent, connect(server) as slow:
        slow.sendall(b"GET /heal")
        start_s = time.monotonic()
        assert rest_of(slow).startswith(b"HTTP/1.1 408 ")
        assert rest_of(silent) == b""
        assert time.monotonic() - start_s < 5 * LIMITS.request_s
    assert ask(server, "/healthz")[0] == 200


def test_who_never_reads_holds_nobody_up(server: HealthServer) -> None:
    with connect(server) as stuck:
        stuck.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        for _ in range(5):
            assert ask(server, "/metrics")[0] == 200


def test_a_flood_of_idle_connections_locks_nobody_out(server: HealthServer) -> None:
    held = [connect(server) for _ in range(5 * LIMITS.connections)]
    try:
        assert ask(server, "/healthz")[0] == 200
        assert len(server._connections) <= LIMITS.connections
    finally:
        for sock in held:
            sock.close()


def test_rubbish_ends_nothing(server: HealthServer) -> None:
    """Each seed is a connection: random bytes, and pieces of requests cut and joined anywhere."""
    pieces = [
        b"GET ",
        b"/metrics",
        b" HTTP/1.1",
        b"\r\n",
        b"Host: localhost",
        b"\n",
        b"\0",
        b"x" * 3000,
        b": ",
        b"\xff",
    ]
    for seed in range(60):
        chance = random.Random(seed)
        data = (
            chance.randbytes(chance.randrange(1, 3000))
            if seed % 2
            else b"".join(chance.choices(pieces, k=12))
        )
        with connect(server) as sock:
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
            answer = rest_of(sock)
        assert not answer or answer.startswith(b"HTTP/1.1 ")
    assert ask(server, "/healthz")[0] == 200
    assert sum(server.answered.values()) >= 60


def test_a_report_that_cannot_be_told_is_an_error_of_ours_only() -> None:
    def broken() -> dict[str, object]:
        raise RuntimeError("secret cause")

    server = HealthServer(parse_listen("http://127.0.0.1:0"), HealthBoard(broken))
    server.start()
    try:
        status, body = ask(server, "/metrics")
        assert status == 500 and b"secret" not in body
        assert ask(server, "/healthz")[0] == 200
    finally:
        server.stop()


def test_nothing_is_left_when_it_stops(server: HealthServer) -> None:
    files = len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").is_dir() else 0
    other = HealthServer(parse_listen("http://127.0.0.1:0"), HealthBoard())
    address = other.start()
    with connect(other) as open_one:
        other.stop()
        other.stop()
        assert rest_of(open_one) == b""
    socket.create_server((address.host, address.port)).close()
    assert not [
        t for t in threading.enumerate() if t.name == "crowdstream-health" and t is not server._thread
    ]
    if files:
        assert len(list(Path("/proc/self/fd").iterdir())) == files


# --- where it listens -------------------------------------------------------------------------------------


def test_a_second_engine_starts_says_so_and_serves_once_the_first_has_gone(
    server: HealthServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(HealthServer.start_later, "__defaults__", (0.05,))
    second = open_health_server(HealthConfig(listen=server.url), HealthBoard(), said.append)
    assert second is not None
    try:
        assert len(said) == 1 and server.url in said[0] and "health.listen" in said[0]
        assert not second.serving and ask(server, "/readyz")[0] == 200
        server.stop()
        deadline_s = time.monotonic() + 10
        while not second.serving and time.monotonic() < deadline_s:
            time.sleep(0.01)
        assert ask(second, "/readyz") == (503, b"starting: no figures yet\n")
    finally:
        second.stop()


def test_one_that_waits_for_its_port_can_be_stopped(server: HealthServer) -> None:
    waiting = open_health_server(HealthConfig(listen=server.url), HealthBoard())
    assert waiting is not None
    waiting.stop()
    assert not waiting.serving


def test_no_address_is_no_server() -> None:
    said: list[str] = []
    assert open_health_server(HealthConfig(listen=""), HealthBoard(), said.append) is None
    assert not said


def test_other_machines_need_a_token() -> None:
    for url in ("http://0.0.0.0:0", "http://[::]:0", "http://10.1.2.3:0"):
        with pytest.raises(PublishError, match=r"health\.token"):
            open_health_server(HealthConfig(listen=url), HealthBoard())
    config = HealthConfig.model_validate({"listen": "http://0.0.0.0:0", "token": "s3cret"})
    server = open_health_server(config, HealthBoard())
    assert server is not None
    try:
        assert ask(server, "/metrics")[0] == 401
        assert ask(server, "/metrics", Authorization="Bearer s3cret")[0] == 200
        assert ask(server, "/healthz", Host="anything.example")[0] == 200
    finally:
        server.stop()


def test_the_token_may_stand_in_a_file_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("s3cret-in-a-file\n")
    config = HealthConfig.model_validate({"listen": "http://127.0.0.1:0", "token_file": str(path)})
    path.chmod(0o644)
    with pytest.raises(PublishError, match="chmod 600"):
        open_health_server(config, HealthBoard())
    path.chmod(0o600)
    server = open_health_server(config, HealthBoard())
    assert server is not None
    try:
        assert ask(server, "/metrics")[0] == 401
        assert ask(server, "/metrics", Authorization="Bearer s3cret-in-a-file")[0] == 200
    finally:
        server.stop()


def test_an_address_that_is_none_is_said_without_its_password() -> None:
    for url in (
        "https://127.0.0.1:1",
        "127.0.0.1:9108",
        "http://127.0.0.1",
        "http://:1",
        "http://u:hunter2@:x",
    ):
        with pytest.raises(PublishError, match="http://HOST:PORT") as caught:
            parse_listen(url)
        assert "hunter2" not in str(caught.value)
