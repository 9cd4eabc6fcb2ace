"""The health endpoints over HTTP: one thread, non-blocking sockets, everything bounded.

Built for a port that strangers may find: one request a connection, 8 KiB of head, five seconds for all of it,
sixteen connections at once. Whoever comes when all are taken takes the place of the oldest connection of the busiest
address, so that a flood from one place cannot lock out a probe from another. Nothing but the four pages is served.

    server = open_health_server(config, board, note)     # None where health.listen is empty
    ...
    server.stop()
"""

from __future__ import annotations

import contextlib
import errno
import os
import selectors
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus

from ..errors import PublishError
from ..wire.access import read_token_file
from ..wire.address import Address
from .board import HealthBoard
from .config import HealthConfig
from .http_request import MAX_HEAD_BYTES, Refusal, parse_head
from .pages import Pages, refused

READ_BYTES = 4096
BACKLOG = 64
"""Connections the kernel holds for us; as each is taken at once, it only fills while the thread is not run."""
LINGER_S = 0.5
"""How long unread input is thrown away after the answer: closing over it would make the peer lose the answer."""
LINGER_BYTES = 1 << 16
RETRY_S = 10.0
"""Between two tries at a port that is taken: by the engine before this one, which is about to end, or by another."""


@dataclass(frozen=True)
class HttpLimits:
    """What one server gives away at most."""

    connections: int = 16
    request_s: float = 5.0
    """From the connection to the last byte of the answer taken."""


@dataclass
class _Connection:
    sock: socket.socket
    peer: str
    deadline_s: float
    received: bytearray = field(default_factory=bytearray)
    sending: memoryview | None = None
    """What of the answer is still to be sent; None while the request comes in."""
    lingering: int = -1
    """Bytes thrown away since the answer went out; -1 before."""


def parse_listen(url: str) -> Address:
    """Host and port of `http://HOST:PORT`.

    Raises:
        PublishError: anything else.
    """
    scheme, _, rest = url.partition("://")
    try:
        if scheme == "http":
            return Address.parse("tcp://" + rest.rstrip("/"))
    except PublishError:
        pass
    raise PublishError(f"health.listen = {url.rpartition('@')[2]!r}: expected http://HOST:PORT")


def open_health_server(
    config: HealthConfig, board: HealthBoard, note: Callable[[str], None] = lambda text: None
) -> HealthServer | None:
    """Serve as configured. A port that is taken is noted and tried again: a second engine must still start.

    Raises:
        PublishError: an address beyond this machine without a token, a token file that cannot be used, or an address
            that cannot be had for another reason than that it is taken.
    """
    if not config.listen:
        return None
    token = config.token.get_secret_value()
    if config.token_file is not None:
        token = read_token_file(config.token_file, "health.token_file")
    server = HealthServer(parse_listen(config.listen), board, token)
    try:
        server.start()
    except OSError as exc:
        why = os.strerror(exc.errno) if exc.errno else str(exc)
        where = f"{config.listen}: {why.lower()}"
        if exc.errno != errno.EADDRINUSE:
            raise PublishError(f"cannot serve health on {where}; change health.listen") from exc
        note(
            f"no health endpoints on {where}; set a health.listen of its own for this engine, or '' for none"
        )
        server.start_later()
    return server


class HealthServer:
    """Serves the pages of one board. `start` returns once the address is bound, `stop` once it is free again."""

    def __init__(
        self, address: Address, board: HealthBoard, token: str = "", limits: HttpLimits | None = None
    ) -> None:
        """Raises PublishError for an address that other machines can reach, without a token."""
        if not address.is_local and not token:
            raise PublishError(
                f"health.listen: {address.host} can be reached from other machines; set health.token, "
                "or listen on 127.0.0.1"
            )
        self.address = address
        """Where it really listens (a port of 0 is replaced by the one given)."""
        self.limits = limits or HttpLimits()
        self.answered: Counter[int] = Counter()
        """Answers by status; 0 for connections that ended without one."""
        self._pages = Pages(board, token, local_names_only=address.is_local and not token)
        self._selector: selectors.BaseSelector = selectors.SelectSelector()
        self._connections: dict[int, _Connection] = {}
        self._listener: socket.socket | None = None
        self._wake: tuple[socket.socket, socket.socket] | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """For a browser, or `curl`."""
        return "http" + str(self.address).removeprefix("tcp")

    @property
    def serving(self) -> bool:
        """False while it waits for its port."""
        return self._listener is not None

    def start(self) -> Address:
        """Raises OSError where the address cannot be bound."""
        self._listener = self._bind()
        self._begin(0.0)
        return self.address

    def start_later(self, retry_s: float = RETRY_S) -> None:
        """Serve as soon as the address can be had."""
        self._begin(retry_s)

    def _bind(self) -> socket.socket:
        host, port = self.address.host, self.address.port
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
        listener.setblocking(False)
        self.address = Address("tcp", host, listener.getsockname()[1])
        return listener

    def _begin(self, retry_s: float) -> None:
        self._wake = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._wake[0], selectors.EVENT_READ)
        self._thread = threading.Thread(
            target=self._run, args=(retry_s,), name="crowdstream-health", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Cuts what is open and frees the address; a second call does nothing."""
        thread, self._thread = self._thread, None
        if thread is None or self._wake is None:
            return
        self._wake[1].send(b"x")
        thread.join(timeout=5.0)
        for end in self._wake:
            end.close()

    # --- the thread's side --------------------------------------------------------------------------------

    def _run(self, retry_s: float) -> None:
        try:
            if self._listener is None and not self._wait_for_port(retry_s):
                return
            assert self._listener is not None
            self._selector.register(self._listener, selectors.EVENT_READ)
            while self._serve():
                pass
        finally:
            for connection in list(self._connections.values()):
                self._close(connection)
            if self._listener is not None:
                self._listener.close()
            self._selector.close()

    def _wait_for_port(self, retry_s: float) -> bool:
        """False when it is asked to stop before."""
        while not self._selector.select(retry_s):
            with contextlib.suppress(OSError):
                self._listener = self._bind()
                return True
        return False

    def _serve(self) -> bool:
        """One turn: what has come, then what is overdue. False when asked to stop."""
        assert self._wake is not None
        for key, _ in self._selector.select(self._pause_s()):
            if key.fileobj is self._wake[0]:
                return False
            if key.fileobj is self._listener:
                self._accept()
            elif key.fd in self._connections:  # else another's turn has just ended it
                self._turn(self._connections[key.fd])
        now_s = time.monotonic()
        for late in [c for c in self._connections.values() if c.deadline_s <= now_s]:
            self._expire(late)
        return True

    def _pause_s(self) -> float | None:
        if not self._connections:
            return None
        soonest_s = min(connection.deadline_s for connection in self._connections.values())
        return max(0.0, soonest_s - time.monotonic())

    def _accept(self) -> None:
        assert self._listener is not None
        try:
            sock, peer = self._listener.accept()
        except OSError as exc:
            if exc.errno in (errno.EMFILE, errno.ENFILE, errno.ENOMEM):
                time.sleep(0.05)  # the connection stays in the backlog; without files left, do not spin
            return
        if len(self._connections) >= self.limits.connections:
            self._close(self._victim())
        sock.setblocking(False)
        connection = _Connection(sock, str(peer[0]), time.monotonic() + self.limits.request_s)
        self._connections[sock.fileno()] = connection
        self._selector.register(sock, selectors.EVENT_READ)

    def _victim(self) -> _Connection:
        """The oldest connection of the address that has most."""
        held = Counter(connection.peer for connection in self._connections.values())
        busiest = max(held.values())
        return next(c for c in self._connections.values() if held[c.peer] == busiest)

    def _turn(self, connection: _Connection) -> None:
        try:
            if connection.lingering >= 0:
                self._linger(connection)
            elif connection.sending is None:
                self._read(connection)
            else:
                self._write(connection)
        except BlockingIOError:
            pass
        except OSError:
            self._close(connection)

    def _read(self, connection: _Connection) -> None:
        data = connection.sock.recv(READ_BYTES)
        if not data:
            self._close(connection)
            return
        connection.received += data
        try:
            request = parse_head(bytes(connection.received[: MAX_HEAD_BYTES + READ_BYTES]))
        except Refusal as refusal:
            self._say(connection, refusal)
            return
        if request is None:
            return
        try:
            answer = self._pages.answer(request)
        except Exception:  # whatever a report holds, the endpoint itself goes on
            self._say(connection, Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "the figures could not be told"))
            return
        self._send(connection, answer.encode(formatdate(usegmt=True)), answer.status)

    def _say(self, connection: _Connection, refusal: Refusal) -> None:
        self._send(connection, refused(refusal).encode(formatdate(usegmt=True)), refusal.status)

    def _send(self, connection: _Connection, data: bytes, status: HTTPStatus) -> None:
        self.answered[status.value] += 1
        connection.sending = memoryview(data)
        self._selector.modify(connection.sock, selectors.EVENT_WRITE)
        self._write(connection)

    def _write(self, connection: _Connection) -> None:
        assert connection.sending is not None
        connection.sending = connection.sending[connection.sock.send(connection.sending) :]
        if not connection.sending:
            connection.sock.shutdown(socket.SHUT_WR)
            connection.lingering = 0
            connection.deadline_s = min(connection.deadline_s, time.monotonic() + LINGER_S)
            self._selector.modify(connection.sock, selectors.EVENT_READ)

    def _linger(self, connection: _Connection) -> None:
        data = connection.sock.recv(READ_BYTES)
        connection.lingering += len(data)
        if not data or connection.lingering > LINGER_BYTES:
            self._close(connection)

    def _expire(self, connection: _Connection) -> None:
        """Its time is over: told so, where it has not been answered."""
        if connection.sending is None and connection.received:
            late = refused(Refusal(HTTPStatus.REQUEST_TIMEOUT, "the request took too long"))
            with contextlib.suppress(OSError):
                connection.sock.send(late.encode(formatdate(usegmt=True)))
            self.answered[HTTPStatus.REQUEST_TIMEOUT.value] += 1
            connection.sending = memoryview(b"")
        self._close(connection)

    def _close(self, connection: _Connection) -> None:
        if connection.sending is None:
            self.answered[0] += 1
        self._selector.unregister(connection.sock)
        del self._connections[connection.sock.fileno()]
        connection.sock.close()
