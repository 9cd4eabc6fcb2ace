"""The asyncio shell around the hub: listens, asks for a hello in time, feeds each subscriber, and lets go.

It runs on a thread of its own, so that a synchronous engine can publish; `publish` only takes a lock for as
long as some appends take, and never waits for a socket.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import ipaddress
import os
import socket
import ssl
import stat
import threading
import time
import weakref
from dataclasses import dataclass
from urllib.parse import urlsplit

from ..errors import ProtocolError, PublishError
from .codec import Deframer, decode, framed
from .hub import Hub, Subscriber
from .messages import MAX_REQUEST_BYTES, Control, Hello, Kind, Message, parse_range

FAREWELL_S = 1.0
"""How long a goodbye may take before the connection is cut."""
MISSED_PINGS = 3
"""So many ping intervals without a word mean that the peer is gone."""
BLOCKED_WRITE_S = 0.05
"""A write that waited longer shows, by ending, that the peer still reads."""
LOOP_TURNS = 32
"""Accepting takes four turns of the event loop (accept, transport, protocol, task), closing two."""
SEND_BUFFER_BYTES = 1 << 18
"""Of the socket: what waits in the kernel cannot be dropped any more, so it is kept short."""


@dataclass(frozen=True)
class Address:
    """Where a server listens: `tcp://host:port`, `tls://host:port` or `unix:///path`."""

    scheme: str
    host: str = ""
    port: int = 0
    path: str = ""

    @staticmethod
    def parse(url: str) -> Address:
        """Raises PublishError on anything else."""
        try:
            parts = urlsplit(url if "://" in url else "tcp://" + url)
            if parts.scheme == "unix" and parts.path:
                return Address("unix", path=parts.netloc + parts.path)
            if parts.scheme in ("tcp", "tls") and parts.hostname and parts.port is not None:
                return Address(parts.scheme, parts.hostname, parts.port)
        except ValueError:
            pass
        shown = url.rpartition("@")[2]  # never repeat credentials
        raise PublishError(f"address {shown!r}: expected tcp://HOST:PORT, tls://HOST:PORT or unix:///PATH")

    @property
    def is_local(self) -> bool:
        """Only this machine can reach it."""
        if self.scheme == "unix" or self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        if self.scheme == "unix":
            return f"unix://{self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


@dataclass(frozen=True)
class ServerSettings:
    """What the shell needs to know."""

    address: Address
    token: str = ""
    hello_timeout_s: float = 5.0
    ping_interval_s: float = 5.0
    max_clients: int = 64
    tls: ssl.SSLContext | None = None

    def __post_init__(self) -> None:
        if not self.address.is_local and not self.token:
            raise PublishError(
                f"{self.address} can be reached from other machines; set publish.token, or listen on 127.0.0.1"
            )
        if self.address.scheme == "tls" and self.tls is None:
            raise PublishError("tls:// needs publish.tls_cert and publish.tls_key")


class WireServer:
    """Serves one hub. `start` returns once the address is bound; `stop` once it is free again."""

    def __init__(self, hub: Hub, settings: ServerSettings) -> None:
        self.hub = hub
        self.settings = settings
        self.address = settings.address
        """Where it really listens (a port of 0 is replaced by the one given)."""
        self.refused = 0
        """Connections ended for breaking the protocol, a wrong token or a late hello."""
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._wake_pending = False
        self._ready: dict[int, asyncio.Event] = {}
        self._closing: dict[int, asyncio.Event] = {}
        self._reason = "end"
        self._failure: Exception | None = None
        self._connections = 0

    # --- the engine's side --------------------------------------------------------------------------------

    def start(self) -> Address:
        """Raises PublishError where the address cannot be bound."""
        bound = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(bound,), name="crowdstream-wire", daemon=True)
        self._thread.start()
        bound.wait()
        if self._failure is not None:
            self._thread.join()
            raise PublishError(
                f"cannot listen on {self.settings.address}: {self._failure}"
            ) from self._failure
        return self.address

    def publish(self, message: Message, data: bytes) -> None:
        """Hands a committed message to the subscribers; from any thread, in order of commit."""
        with self._lock:
            self.hub.publish(message, data, time.monotonic())
            wake = not self._wake_pending and self.hub.num_subscribers > 0
            self._wake_pending |= wake
        if wake and self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has just ended
                self._loop.call_soon_threadsafe(self._wake_all)

    def idle(self) -> bool:
        """Every subscriber has been given everything."""
        with self._lock:
            return self.hub.idle()

    def backlog(self) -> float:
        """How full the fullest live queue is, 0..1."""
        with self._lock:
            return self.hub.backlog()

    @property
    def num_subscribers(self) -> int:
        with self._lock:
            return self.hub.num_subscribers

    def stop(self, reason: str = "end", drain_s: float = 0.0) -> None:
        """Says goodbye to everybody, frees the address and ends the thread; a second call does nothing."""
        thread, loop = self._thread, self._loop
        if thread is None or loop is None:
            return
        deadline = time.monotonic() + drain_s
        while time.monotonic() < deadline and not self.idle():
            time.sleep(0.005)
        self._reason = reason
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(self._stop_now)
        thread.join(timeout=FAREWELL_S + 4.0)
        self._thread = None

    # --- the thread's side --------------------------------------------------------------------------------

    def _run(self, bound: threading.Event) -> None:
        try:
            asyncio.run(self._main(bound))
        except Exception as exc:  # handed to whoever waits in start()
            self._failure = exc
        finally:
            bound.set()

    async def _main(self, bound: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        address = self.settings.address
        tasks: set[asyncio.Task[None]] = set()
        writers: weakref.WeakSet[asyncio.StreamWriter] = weakref.WeakSet()

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            tasks.add(task)
            writers.add(writer)
            try:
                await self._serve(reader, writer)
            finally:
                tasks.discard(task)

        if address.scheme == "unix":
            _clear_stale_socket(address.path)
            server = await asyncio.start_unix_server(accept, address.path, limit=MAX_REQUEST_BYTES)
            os.chmod(address.path, 0o600)
        else:
            server = await asyncio.start_server(
                accept, address.host, address.port, limit=MAX_REQUEST_BYTES, ssl=self.settings.tls
            )
            self.address = Address(address.scheme, address.host, server.sockets[0].getsockname()[1])
        bound.set()
        try:
            await self._stopping.wait()
        finally:
            # A server that is closed between the accept of a connection and the making of its transport drops
            # that connection unclosed (asyncio asserts in Server._attach): first stop accepting, then close.
            for listening in server.sockets:
                self._loop.remove_reader(listening.fileno())
            await _let_callbacks_run()
            server.close()
            self._wake_all()
            if tasks:
                _, late = await asyncio.wait(tasks, timeout=FAREWELL_S + 1.0)
                for task in late:
                    task.cancel()
                await asyncio.gather(*late, return_exceptions=True)
            for writer in list(writers):
                writer.transport.abort()  # whatever state a farewell was broken off in
            await _let_callbacks_run()  # transports close their sockets in a callback of their own
            if address.scheme == "unix":
                with contextlib.suppress(OSError):
                    os.unlink(address.path)

    def _stop_now(self) -> None:
        if self._stopping is not None:
            self._stopping.set()

    def _wake_all(self) -> None:
        with self._lock:
            self._wake_pending = False
            closing = {id(sub) for sub in self.hub.closing()}
        stop = self._stopping is not None and self._stopping.is_set()
        for key, event in self._ready.items():
            event.set()
            if stop or key in closing:
                self._closing[key].set()

    # --- one connection -----------------------------------------------------------------------------------

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _tune(writer)
        sub: Subscriber | None = None
        reason = ""
        deframer = Deframer(MAX_REQUEST_BYTES)
        self._connections += 1
        try:
            if self._connections > self.settings.max_clients:
                raise ProtocolError(f"server full: {self.settings.max_clients} connections")
            hello, rest = await asyncio.wait_for(self._hello(reader, deframer), self.settings.hello_timeout_s)
            with self._lock:
                sub = self.hub.join(hello, str(writer.get_extra_info("peername") or "unix"))
            reason = await self._converse(sub, reader, writer, deframer, rest)
        except TimeoutError:
            reason = f"no hello within {self.settings.hello_timeout_s:g} s"
            self.refused += 1
        except ProtocolError as exc:
            reason = str(exc)
            self.refused += 1
        except (ConnectionError, OSError):
            pass
        finally:
            self._connections -= 1
            if sub is not None:
                with self._lock:
                    self.hub.leave(sub)
            await self._part(writer, reason)

    async def _hello(self, reader: asyncio.StreamReader, deframer: Deframer) -> tuple[Hello, list[bytes]]:
        messages: list[bytes] = []
        while not messages:
            data = await reader.read(MAX_REQUEST_BYTES)
            if not data:
                raise ConnectionResetError
            messages = deframer.feed(data)
        control = decode(messages[0], MAX_REQUEST_BYTES)
        if not isinstance(control, Control) or control.kind is not Kind.HELLO:
            raise ProtocolError(f"first message is {control.kind}, expected hello")
        hello = Hello.parse(control)
        if not hmac.compare_digest(hello.token.encode(), self.settings.token.encode()):
            raise ProtocolError("wrong token")
        return hello, messages[1:]

    async def _converse(
        self,
        sub: Subscriber,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        deframer: Deframer,
        rest: list[bytes],
    ) -> str:
        """Runs until one side has enough; the reason, empty where the peer has gone."""
        ready, closing = asyncio.Event(), asyncio.Event()
        self._ready[id(sub)], self._closing[id(sub)] = ready, closing
        alive = [time.monotonic()]
        if self._stopping is not None and self._stopping.is_set():
            closing.set()
        jobs = [
            asyncio.ensure_future(self._write(sub, writer, ready, alive)),
            asyncio.ensure_future(self._read(sub, reader, deframer, rest, ready, alive)),
            asyncio.ensure_future(self._ping(sub, ready, alive)),
            asyncio.ensure_future(closing.wait()),
        ]
        try:
            await asyncio.wait(jobs, return_when=asyncio.FIRST_COMPLETED)
        finally:
            del self._ready[id(sub)], self._closing[id(sub)]
            for job in jobs:
                job.cancel()
            results = await asyncio.gather(*jobs, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                raise result
        if closing.is_set():
            return sub.closing or self._reason
        return sub.closing

    async def _write(
        self, sub: Subscriber, writer: asyncio.StreamWriter, ready: asyncio.Event, alive: list[float]
    ) -> None:
        while True:
            ready.clear()
            while True:
                with self._lock:
                    batch = self.hub.take(sub)
                if not batch:
                    break
                writer.write(b"".join(framed(data) for data in batch))
                before = time.monotonic()
                await writer.drain()
                now = time.monotonic()
                if now - before > BLOCKED_WRITE_S:
                    alive[0] = now
                else:
                    await asyncio.sleep(0)  # others have their turn
            await ready.wait()

    async def _read(
        self,
        sub: Subscriber,
        reader: asyncio.StreamReader,
        deframer: Deframer,
        rest: list[bytes],
        ready: asyncio.Event,
        alive: list[float],
    ) -> None:
        messages = rest
        while True:
            for data in messages:
                request = decode(data, MAX_REQUEST_BYTES)
                if request.kind is Kind.PULL and isinstance(request, Control):
                    with self._lock:
                        self.hub.pull(sub, *parse_range(request))
                    ready.set()
                elif request.kind is Kind.BYE:
                    return
                elif request.kind not in (Kind.PONG, Kind.OTHER):
                    raise ProtocolError(
                        f"{request.kind} is nothing a subscriber may send; expected pong, pull or bye"
                    )
            received = await reader.read(MAX_REQUEST_BYTES)
            if not received:
                return
            alive[0] = time.monotonic()
            messages = deframer.feed(received)

    async def _ping(self, sub: Subscriber, ready: asyncio.Event, alive: list[float]) -> None:
        count = 0
        while True:
            await asyncio.sleep(self.settings.ping_interval_s)
            if time.monotonic() - alive[0] > MISSED_PINGS * self.settings.ping_interval_s:
                sub.closing = sub.closing or f"no answer to {MISSED_PINGS} pings"
                return
            count += 1
            with self._lock:
                self.hub.say(sub, Kind.PING, {"n": count})
            if sub.closing:
                return
            ready.set()

    async def _part(self, writer: asyncio.StreamWriter, reason: str) -> None:
        """Says why, waits a little for it to be read, and closes whatever happens."""
        with contextlib.suppress(ConnectionError, OSError, TimeoutError):
            if reason and not writer.is_closing():
                writer.write(framed(self.hub.farewell(reason)))
                await asyncio.wait_for(writer.drain(), FAREWELL_S)
            writer.close()
            await asyncio.wait_for(writer.wait_closed(), FAREWELL_S)
        writer.transport.abort()


async def _let_callbacks_run() -> None:
    """Some turns of the loop: accepting and closing a connection are chains of scheduled callbacks.

    Counted in turns, not in time: on a busy machine a short sleep may be over after a single turn, and a
    connection that was accepted but has no task yet would be left to the garbage collector.
    """
    for _ in range(LOOP_TURNS):
        await asyncio.sleep(0)


def _tune(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    if sock is not None:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
            if sock.family != socket.AF_UNIX:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    writer.transport.set_write_buffer_limits(high=SEND_BUFFER_BYTES)


def _clear_stale_socket(path: str) -> None:
    """Removes the socket of an engine that is no more; never a file, never a socket somebody listens on."""
    try:
        if not stat.S_ISSOCK(os.stat(path).st_mode):
            raise PublishError(f"{path} exists and is no socket; choose another path")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except OSError:
            os.unlink(path)
            return
    raise PublishError(f"{path} is in use by another engine")
