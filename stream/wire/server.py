"""The asyncio shell around hub and desk: listens, runs the connections, and lets the engine publish and answer.

It runs on a thread of its own, so that a synchronous engine can publish; `publish` only takes a lock for as
long as some appends take, and never waits for a socket.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from ..control.desk import Answer, Desk
from ..control.records import Reply, Request
from ..errors import ProtocolError, PublishError
from .address import Address
from .codec import plain
from .connection import FAREWELL_S, Connection, House
from .doorkeeper import Cause, Doorkeeper
from .hub import Hub
from .listening import close_listening, open_listening
from .messages import Kind, Message
from .server_settings import ServerSettings
from .subscriber import Subscriber

__all__ = ["Address", "ServerSettings", "WireServer", "WireStats"]

LOOP_TURNS = 32
"""Closing a connection is a chain of scheduled callbacks."""
ACCEPT_AT_ONCE = 64
OUT_OF_FILES_S = 0.5
"""Without a free file handle accepting rests for so long; what is connected goes on."""
HOUSEKEEPING_S = 0.25
"""How often overdue requests are looked for."""
_OUT_OF_FILES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


@dataclass(frozen=True)
class WireStats:
    """What the server has done since its start."""

    connections: int
    """Now, those without a hello too."""
    subscribers: int
    accepted: int
    """Connections so far."""
    refused: Mapping[str, int]
    """Connections ended by the server, by cause (`doorkeeper.Cause`)."""
    requests: Mapping[str, int]
    """By what became of them (`desk.Outcome`)."""
    messages: int
    """Given to sockets."""
    bytes: int
    dropped: int
    """Live and late messages dropped for slow subscribers."""
    throttled: int
    """Times that a peer was read more slowly than it sent."""


class WireServer:
    """Serves one hub. `start` returns once the address is bound; `stop` once it is free again."""

    def __init__(self, hub: Hub, settings: ServerSettings) -> None:
        self.hub = hub
        self.settings = settings
        self.address = settings.address
        """Where it really listens (a port of 0 is replaced by the one given)."""
        self.desk = Desk(settings.desk)
        self.door = Doorkeeper(settings.door)
        self._lock = threading.Lock()
        self._subscribers: dict[int, Subscriber] = {}
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._house: House | None = None
        self._connections: dict[int, Connection] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._count = 0
        self._wake_pending = False
        self._failure: Exception | None = None

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
        if wake:
            self._wake()

    def take_requests(self) -> list[Request]:
        """What subscribers ask of the engine, oldest first, each once; from any thread."""
        with self._lock:
            return self.desk.take()

    def reply(self, reply: Reply) -> None:
        """Answers a request; from any thread. Of a connection that has gone, or too late, it goes nowhere."""
        with self._lock:
            answer = self.desk.settle(reply)
            if answer is not None:
                self._deliver(answer)
        self._wake()

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

    @property
    def refused(self) -> int:
        """Connections that the server ended, whatever the cause."""
        return sum(self.door.causes().values())

    def stats(self) -> WireStats:
        """The figures so far; from any thread, also after `stop`."""
        with self._lock:
            hub, outcomes = self.hub, dict(self.desk.outcomes)
            return WireStats(
                connections=self.door.knocking + self.door.inside,
                subscribers=hub.num_subscribers,
                accepted=self.door.accepted,
                refused=self.door.causes(),
                requests={outcome.value: count for outcome, count in outcomes.items()},
                messages=hub.sent_messages,
                bytes=hub.sent_bytes,
                dropped=hub.dropped,
                throttled=self.door.throttled,
            )

    def stop(self, reason: str = "end", drain_s: float = 0.0) -> None:
        """Says goodbye to everybody, frees the address and ends the thread; a second call does nothing."""
        thread, loop, house = self._thread, self._loop, self._house
        if thread is None or loop is None or house is None:
            return
        deadline_s = time.monotonic() + drain_s
        while time.monotonic() < deadline_s and not self.idle():
            time.sleep(0.005)
        house.reason = reason
        with contextlib.suppress(RuntimeError):  # the loop has ended by itself
            loop.call_soon_threadsafe(house.stopping.set)
        thread.join(timeout=FAREWELL_S + 4.0)
        self._thread = None

    def _wake(self) -> None:
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has just ended
                self._loop.call_soon_threadsafe(self._wake_all)

    def _deliver(self, answer: Answer) -> None:
        """Queues an answer for its connection, if that is still there; under the lock."""
        sub = self._subscribers.get(answer.connection)
        if sub is None:
            return
        body = {key: plain(value) for key, value in answer.body.items()}
        try:
            self.hub.say(sub, Kind.REPLY, body)
        except ProtocolError as exc:
            self.hub.say(sub, Kind.REPLY, {**body, "result": {}, "text": f"{body['text']} ({exc})"})

    # --- the thread's side --------------------------------------------------------------------------------

    def _run(self, bound: threading.Event) -> None:
        try:
            asyncio.run(self._main(bound))
        except Exception as exc:  # handed to whoever waits in start()
            self._failure = exc
        finally:
            bound.set()

    async def _main(self, bound: threading.Event) -> None:
        settings = self.settings
        sockets = open_listening(settings.address)
        if settings.address.scheme != "unix":
            self.address = replace(settings.address, port=sockets[0].getsockname()[1])
        house = self._house = House(
            self.hub, self.desk, self.door, settings, settings.access, self._lock, self._subscribers,
            asyncio.Event(),
        )  # fmt: skip
        self._loop = asyncio.get_running_loop()
        for sock in sockets:
            self._loop.add_reader(sock, self._accept, sock)
        keeper = asyncio.ensure_future(self._keep_house())
        bound.set()
        try:
            await house.stopping.wait()
        finally:
            for sock in sockets:
                self._loop.remove_reader(sock)
            close_listening(settings.address, sockets)
            keeper.cancel()
            await asyncio.gather(keeper, return_exceptions=True)
            await self._see_off()

    async def _see_off(self) -> None:
        """Everybody hears why; who does not take it in time is cut off."""
        await _let_callbacks_run()  # connections accepted just now get their tasks
        self._wake_all()
        for number, connection in list(self._connections.items()):
            if number not in self._subscribers:
                connection.dismiss(self._house.reason if self._house else "")
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=2 * FAREWELL_S + 0.5)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await _let_callbacks_run()  # transports close their sockets in a callback of their own

    def _accept(self, listening: socket.socket) -> None:
        """Takes what the kernel holds; who stood on the doorstep longest goes where there is no room."""
        for _ in range(ACCEPT_AT_ONCE):
            try:
                sock, _ = listening.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as exc:
                if exc.errno in _OUT_OF_FILES:
                    self._rest(listening)
                    return
                continue  # gone before it was accepted
            sock.setblocking(False)
            self._receive(sock)

    def _receive(self, sock: socket.socket) -> None:
        house = self._house
        assert house is not None
        self._count += 1
        number = self._count
        connection = self._connections[number] = Connection(number, sock, house)
        for other in self.door.knock(number, connection.peer.machine):
            if other in self._connections:
                self._connections[other].evict()
        task = asyncio.ensure_future(connection.run())
        self._tasks.add(task)

        def gone(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            self._connections.pop(number, None)
            if not task.cancelled() and task.exception() is not None:
                sock.close()

        task.add_done_callback(gone)

    def _rest(self, listening: socket.socket) -> None:
        """Without file handles, accepting would fail again and again at full speed."""
        loop, house = self._loop, self._house
        assert loop is not None and house is not None
        self.door.note(Cause.FULL)
        loop.remove_reader(listening)

        def go_on() -> None:
            if not house.stopping.is_set():
                loop.add_reader(listening, self._accept, listening)

        loop.call_later(OUT_OF_FILES_S, go_on)

    async def _keep_house(self) -> None:
        """Requests that the engine leaves lying are answered in its stead."""
        while True:
            await asyncio.sleep(min(HOUSEKEEPING_S, self.settings.desk.answer_s / 4))
            with self._lock:
                overdue = self.desk.overdue(time.monotonic())
                for answer in overdue:
                    self._deliver(answer)
            if overdue:
                self._wake_all()

    def _wake_all(self) -> None:
        with self._lock:
            self._wake_pending = False
            closing = {id(sub) for sub in self.hub.closing()}
            ending = {n for n, sub in self._subscribers.items() if id(sub) in closing}
        stop = self._house is not None and self._house.stopping.is_set()
        for number, connection in self._connections.items():
            connection.ready.set()
            if stop or number in ending:
                connection.closing.set()


async def _let_callbacks_run() -> None:
    """Some turns of the loop, counted in turns and not in time: a short sleep may be over after a single one."""
    for _ in range(LOOP_TURNS):
        await asyncio.sleep(0)
