"""HTTP out of distrusted bytes: read rightly or refused with the right status, and never anything else."""

from __future__ import annotations

import json
from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crowdstream.stream.clock import FakeClock
from crowdstream.stream.health.board import HealthBoard
from crowdstream.stream.health.http_request import MAX_HEAD_BYTES, HttpRequest, Refusal, parse_head
from crowdstream.stream.health.pages import PATHS, Pages, Response
from crowdstream.stream.health.records import CameraHealth, HealthReport

GET = b"GET /healthz HTTP/1.1\r\nHost: localhost:9108\r\nAccept: */*\r\n\r\n"
RUNS = HealthReport(1, "s", 90.0, True, (CameraHealth("gate", "running", skew_s=float("nan")),))


def status_of(data: bytes) -> int:
    try:
        return 200 if parse_head(data) else 0
    except Refusal as refusal:
        return refusal.status.value


def ask(pages: Pages, path: str, method: str = "GET", **headers: str) -> Response:
    return pages.answer(HttpRequest(method, path, {name.lower(): value for name, value in headers.items()}))


def test_a_request_is_read() -> None:
    request = parse_head(b"GET /metrics?x=1 HTTP/1.0\r\nHost: a\r\nX-Y:  v w \r\n\r\nrest")
    assert request == HttpRequest("GET", "/metrics", {"host": "a", "x-y": "v w"})
    absolute = parse_head(b"GET http://user:pw@a:1/metrics HTTP/1.1\r\n\r\n")
    assert absolute is not None and absolute.path == "/metrics"


@given(st.integers(0, len(GET) - 1))
def test_half_a_request_waits_for_its_rest(cut: int) -> None:
    assert parse_head(GET[:cut]) is None
    assert parse_head(GET) is not None


@pytest.mark.parametrize(("head", "status"), [
    (b"GET /\r\n\r\n", 400), (b"GET / HTTP/2.0\r\n\r\n", 505), (b"GET / HTTP/1.1 x\r\n\r\n", 400), (b"\r\n\r\n", 400),
    (b"GET x HTTP/1.1\r\n\r\n", 400), (b"G T / HTTP/1.1\r\n\r\n", 400), (b"GET /\xc3\xa9 HTTP/1.1\r\n\r\n", 400),
    (b"GET / HTTP/1.1\nHost: a\n\n", 400), (b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400), (b"\x16\x03\x01\x00\n", 400),
    (b"GET / HTTP/1.1\r\n folded: a\r\n\r\n", 400), (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\n", 413), (b"GET / HTTP/1.1\r\nContent-Length: 0\r\n\r\n", 200),
    (b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 413), (b"GET / HTTP/1.1\r\nA: \x00\r\n\r\n", 400),
    (b"GET /" + b"a" * 2000 + b" HTTP/1.1\r\n\r\n", 414), (b"a" * 2000, 414),
    (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 65 + b"\r\n", 431), (b"GET / HTTP/1.1\r\nA: " + b"b" * MAX_HEAD_BYTES, 431),
    (b"GET / HTTP/1.1\r\nA: " + b"b" * MAX_HEAD_BYTES + b"\r\n\r\n", 431),
])  # fmt: skip
def test_what_is_wrong_is_refused_with_the_status_that_says_so(head: bytes, status: int) -> None:
    assert status_of(head) == status


@given(st.binary(max_size=300) | st.lists(st.sampled_from(
    [b"GET ", b"/", b"\r\n", b"\n", b"HTTP/1.1", b":", b"\0", b" ", b"Host", b"http://[", b"*", b"a" * 1100, b"\xff"]
), max_size=30).map(b"".join))  # fmt: skip
def test_any_bytes_are_a_request_or_a_refusal(data: bytes) -> None:
    for ending in (b"", b"\r\n\r\n"):
        try:
            request = parse_head(data + ending)
        except Refusal as refusal:
            assert 400 <= refusal.status < 600
        else:
            assert ending == b"" or request is not None
            if request is not None:
                Pages(HealthBoard(clock=FakeClock())).answer(request)


# --- pages ------------------------------------------------------------------------------------------------


def test_probes_follow_the_engine() -> None:
    clock = FakeClock()
    board = HealthBoard(clock=clock)
    pages = Pages(board)
    assert (ask(pages, "/healthz").status, ask(pages, "/readyz").status) == (200, 503)
    board.push(RUNS)
    assert (ask(pages, "/healthz").status, ask(pages, "/readyz").status) == (200, 200)
    assert ask(pages, "/readyz").body == "ready: 1 of 1 cameras run\n"
    clock.advance(31.0)
    assert (ask(pages, "/healthz").status, ask(pages, "/readyz").status) == (503, 503)
    assert "hangs" in ask(pages, "/healthz").body
    board.push(HealthReport(2, "s", 91.0, False, (CameraHealth("gate", "failed", text="wrong\r\npassword"),)))
    assert ask(pages, "/healthz").status == 200
    assert ask(pages, "/readyz").body == "no camera runs: gate failed (wrong password)\n"


def test_figures_are_json_and_prometheus() -> None:
    board = HealthBoard(lambda: {"bytes": 7}, FakeClock())
    pages = Pages(board)
    assert json.loads(ask(pages, "/status.json").body)["ready"] is False
    board.push(RUNS)
    figures = json.loads(ask(pages, "/status.json").body)
    assert figures["cameras"][0]["name"] == "gate" and figures["cameras"][0]["skew_s"] is None
    metrics = ask(pages, "/metrics")
    assert "crowdstream_sent_bytes_total 7\n" in metrics.body and "0.0.4" in metrics.content_type
    modern = ask(pages, "/metrics", accept="application/openmetrics-text;version=1.0.0,text/plain;q=0.5")
    assert modern.body.endswith("# EOF\n") and "openmetrics" in modern.content_type


def test_what_is_not_there_or_not_allowed_is_said_so() -> None:
    pages = Pages(HealthBoard(clock=FakeClock()))
    for path in ("/", "/metrics/", "/../etc/passwd", "/%6detrics", "//metrics", "*"):
        assert ask(pages, path).status == HTTPStatus.NOT_FOUND
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "get"):
        response = ask(pages, "/metrics", method)
        assert response.status == HTTPStatus.METHOD_NOT_ALLOWED and "Allow: GET, HEAD" in response.headers


@pytest.mark.parametrize("path", PATHS)
def test_head_is_get_without_the_body(path: str) -> None:
    pages = Pages(HealthBoard(clock=FakeClock()))
    got, head = ask(pages, path).encode("now"), ask(pages, path, "HEAD").encode("now")
    assert got.startswith(head) and head.endswith(b"\r\n\r\n")
    assert f"Content-Length: {len(got) - len(head)}\r\n".encode() in head


def test_strangers_learn_one_word_and_no_figures() -> None:
    pages = Pages(HealthBoard(clock=FakeClock()), token="s3cret-é")
    pages.board.push(
        HealthReport(1, "s", 1.0, False, (CameraHealth("vault", "failed", text="wrong password"),))
    )
    known = {"authorization": "Bearer " + "s3cret-é".encode().decode("latin-1")}
    for wrong in ("", "Bearer s3cret", "Basic s3cret-é", "Bearer", "Bearer \udcff"):
        shown = {"authorization": wrong} if wrong else {}
        assert ask(pages, "/readyz", **shown).body == "not ready\n"
        assert ask(pages, "/healthz", **shown).body == "up\n"
        for path in ("/metrics", "/status.json", "/nowhere"):
            response = ask(pages, path, **shown)
            assert response.status == HTTPStatus.UNAUTHORIZED and "vault" not in response.body
            assert any(header.startswith("WWW-Authenticate: Bearer") for header in response.headers)
    assert "vault" in ask(pages, "/readyz", **known).body
    assert ask(pages, "/metrics", **known).status == 200
    assert "s3cret" not in repr(pages)


def test_a_web_page_elsewhere_cannot_read_a_local_engine() -> None:
    pages = Pages(HealthBoard(clock=FakeClock()), local_names_only=True)
    for host in ("localhost", "localhost:9108", "127.0.0.1:9108", "127.9.9.9", "[::1]:9108", "LOCALHOST:1"):
        assert ask(pages, "/metrics", host=host).status == 200
    for host in (
        "evil.example",
        "localhost.evil.example",
        "10.0.0.7:9108",
        "",
        "[::1",
        "127.0.0.1.evil.example:9108",
    ):
        assert ask(pages, "/metrics", host=host).status == HTTPStatus.MISDIRECTED_REQUEST


def test_no_answer_is_kept_or_taken_for_something_else() -> None:
    head = ask(Pages(HealthBoard(clock=FakeClock())), "/metrics").encode("now").partition(b"\r\n\r\n")[0]
    for line in (b"Cache-Control: no-store", b"X-Content-Type-Options: nosniff", b"Connection: close"):
        assert line in head.split(b"\r\n")
    assert b"Access-Control" not in head
