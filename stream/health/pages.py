"""What the health endpoints answer: from a request and the board to a response; no socket in here.

    /healthz      200 while the engine reports, 503 when it hangs; one line
    /readyz       200 while a camera runs and the networks are loaded, else 503; one line
    /metrics      for Prometheus
    /status.json  the newest report

With a token, the last two need `Authorization: Bearer TOKEN`; the first two then answer strangers in one word, so that
an orchestrator's probe needs no secret.
"""

from __future__ import annotations

import hmac
import json
import math
from dataclasses import dataclass, field
from http import HTTPStatus

from ..wire.address import is_loopback
from .board import HealthBoard
from .exposition import OPENMETRICS, TEXT
from .http_request import HttpRequest, Refusal
from .prometheus import metrics_text
from .verdict import alive, ready
from .wire import report_map

PLAIN = "text/plain; charset=utf-8"
OPEN_PATHS = ("/healthz", "/readyz")
PATHS = (*OPEN_PATHS, "/metrics", "/status.json")

SECURITY_HEADERS = (
    "Cache-Control: no-store",
    "X-Content-Type-Options: nosniff",
    "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy: no-referrer",
    "Cross-Origin-Resource-Policy: same-origin",
)


@dataclass(frozen=True)
class Response:
    """One answer; the connection ends with it."""

    status: HTTPStatus
    body: str
    content_type: str = PLAIN
    headers: tuple[str, ...] = ()
    with_body: bool = True
    """False for HEAD: the same head, nothing after it."""

    def encode(self, date: str) -> bytes:
        """Bytes for the socket. `date`: as HTTP writes it."""
        body = self.body.encode("utf-8", "replace")
        lines = [
            f"HTTP/1.1 {self.status.value} {self.status.phrase}",
            f"Date: {date}",
            f"Content-Type: {self.content_type}",
            f"Content-Length: {len(body)}",
            "Connection: close",
            *SECURITY_HEADERS,
            *self.headers,
        ]
        return "\r\n".join([*lines, "", ""]).encode("ascii") + (body if self.with_body else b"")


@dataclass(frozen=True)
class Pages:
    """Answers requests from one board."""

    board: HealthBoard
    token: str = field(default="", repr=False)
    local_names_only: bool = False
    """Answer only requests that name this machine: a web page elsewhere that lets its own name point to 127.0.0.1
    cannot read what is meant for this machine alone."""

    def answer(self, request: HttpRequest) -> Response:
        """The response to a request; errors of our own are raised."""
        try:
            response = self._answer(request)
        except Refusal as refusal:
            response = refused(refusal)
        if request.method == "HEAD":
            response = Response(
                response.status, response.body, response.content_type, response.headers, with_body=False
            )
        return response

    def _answer(self, request: HttpRequest) -> Response:
        if request.method not in ("GET", "HEAD"):
            raise Refusal(HTTPStatus.METHOD_NOT_ALLOWED, "GET and HEAD only")
        if self.local_names_only and not _names_this_machine(request.headers.get("host", "localhost")):
            raise Refusal(HTTPStatus.MISDIRECTED_REQUEST, "this address answers to localhost only")
        known = self._knows(request)
        if request.path not in OPEN_PATHS and not known:
            raise Refusal(HTTPStatus.UNAUTHORIZED, "expected Authorization: Bearer TOKEN")
        report, age_s = self.board.read()
        match request.path:
            case "/healthz":
                return _probe(*alive(report, age_s, self.board.stale_s), "up", "hangs", known)
            case "/readyz":
                return _probe(*ready(report, age_s, self.board.stale_s), "ready", "not ready", known)
            case "/metrics":
                modern = "application/openmetrics-text" in request.headers.get("accept", "")
                text = metrics_text(report, self.board.wire(), age_s, modern)
                return Response(HTTPStatus.OK, text, OPENMETRICS if modern else TEXT)
            case "/status.json":
                return self._status()
        raise Refusal(HTTPStatus.NOT_FOUND, "there are " + ", ".join(PATHS))

    def _status(self) -> Response:
        report, age_s = self.board.read()
        is_ready, said = ready(report, age_s, self.board.stale_s)
        figures: dict[str, object] = {"ready": is_ready, "text": said, "age_s": round(age_s, 3)}
        if report is not None:
            figures = {**report_map(report), **figures}
        text = json.dumps(_finite(figures), ensure_ascii=False, allow_nan=False) + "\n"
        return Response(HTTPStatus.OK, text, "application/json")

    def _knows(self, request: HttpRequest) -> bool:
        """Whether the token was shown; compared in constant time."""
        if not self.token:
            return True
        scheme, _, shown = request.headers.get("authorization", "").partition(" ")
        same = hmac.compare_digest(shown.strip().encode("latin-1", "replace"), self.token.encode("utf-8"))
        return same and scheme.lower() == "bearer"


def refused(refusal: Refusal) -> Response:
    """The answer to a request that cannot be served."""
    headers: tuple[str, ...] = ()
    if refusal.status is HTTPStatus.METHOD_NOT_ALLOWED:
        headers = ("Allow: GET, HEAD",)
    elif refusal.status is HTTPStatus.UNAUTHORIZED:
        headers = ('WWW-Authenticate: Bearer realm="crowdstream"',)
    return Response(refusal.status, refusal.why + "\n", headers=headers)


def _probe(good: bool, said: str, word: str, bad_word: str, known: bool) -> Response:
    status = HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE
    one_line = " ".join(said.split()) if known else (word if good else bad_word)
    return Response(status, one_line + "\n")


def _names_this_machine(host: str) -> bool:
    """`localhost` or a loopback address, with or without a port."""
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    return is_loopback(name.strip("[]").lower())


def _finite(value: object) -> object:
    """JSON knows no NaN: null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return value
