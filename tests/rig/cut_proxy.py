"""A bad line between a subscriber and a server: pieces of odd sizes, late, and cut off after any byte, either way.

Loss itself is invisible in TCP; what it looks like from above is this.
"""

from __future__ import annotations

import contextlib
import random
import socket
import threading
import time
from collections.abc import Iterable
from types import TracebackType

WHOLE = 1 << 62
"""No cut."""


class CutProxy(threading.Thread):
    """Hands on the bytes of a server at `host:port`, one connection after the other.

    Each connection is cut after the next number of `down` (bytes of the server) or of `up` (bytes of the
    subscriber), whichever comes first; when the numbers have run out the line is good.
    """

    def __init__(
        self,
        host: str,
        port: int,
        down: Iterable[int] = (),
        up: Iterable[int] = (),
        largest_piece: int = 1 << 14,
        jitter_s: float = 0.0,
        seed: int = 0,
    ) -> None:
        super().__init__(daemon=True)
        self._target = (host, port)
        self._down, self._up = iter(down), iter(up)
        self._largest, self._jitter_s = largest_piece, jitter_s
        self._rng = random.Random(seed)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.1)
        self._ended = threading.Event()
        self._open: list[socket.socket] = []
        self.url = f"tcp://127.0.0.1:{self._listener.getsockname()[1]}"
        self.connections = 0

    def __enter__(self) -> CutProxy:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        for sock in self._open:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        self.join(5.0)
        self._listener.close()

    def run(self) -> None:
        while not self._ended.is_set():
            try:
                near, _ = self._listener.accept()
            except TimeoutError:
                continue
            self.connections += 1
            try:
                far = socket.create_connection(self._target, 5.0)
            except OSError:
                near.close()
                continue
            self._open = [near, far]
            far.settimeout(None)  # accepted sockets have no limit either; the end shuts both down
            back = threading.Thread(
                target=self._pump, args=(near, far, next(self._up, WHOLE), self._rng.random()), daemon=True
            )
            back.start()
            self._pump(far, near, next(self._down, WHOLE), self._rng.random())
            back.join(5.0)
            for sock in (near, far):
                sock.close()

    def _pump(self, source: socket.socket, sink: socket.socket, budget: int, seed: float) -> None:
        rng = random.Random(seed)
        with contextlib.suppress(OSError):
            while budget > 0:
                data = source.recv(min(rng.randrange(1, self._largest + 1), budget))
                if not data:
                    break
                if self._jitter_s:
                    time.sleep(rng.random() * self._jitter_s)
                sink.sendall(data)
                budget -= len(data)
        for sock in (source, sink):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
