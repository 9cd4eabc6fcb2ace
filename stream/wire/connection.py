"""One connection on the event loop: TLS, a hello in time, then three jobs side by side (write, read, ping), a goodbye.

Nothing of a peer is trusted and nothing of it is unbounded: what it may send a second, what may wait for it, how long
it may take for its hello and for reading its goodbye.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from dataclasses import dataclass

from ..control.desk import Desk
from ..control.records import Permission
from ..errors import ProtocolError
from .access import Access, Peer
from .allowance import Allowance
from .codec import Deframer, decode, framed, framed_all
from .doorkeeper import Cause, Doorkeeper, Refused
from .hub import Hub
from .messages import MAX_REQUEST_BYTES, Control, Hello, Kind, Message, parse_range
from .server_settings import ServerSettings
from .subscriber import Subscriber

FAREWELL_S = 1.0
"""How long a goodbye may take before the connection is cut."""
MISSED_PINGS = 3
"""So many ping intervals without a word mean that the peer is gone."""
BLOCKED_WRITE_S = 0.05
"""A write that waited longer shows, by ending, that the peer still reads."""
SEND_BUFFER_BYTES = 1 << 18
"""Of the socket: what waits in the kernel cannot be dropped any more, so it is kept short."""
READ_BYTES = 1 << 14
BURST_BYTES = 1 << 17
BURST_MESSAGES = 128
LONGEST_PAUSE_S = 1.0
"""Of reading; the peer's allowance fills meanwhile."""


@dataclass
class House:
    """What all connections of a server share."""

    hub: Hub
    desk: Desk
    door: Doorkeeper
    settings: ServerSettings
    access: Access
    lock: threading.Lock
    """Held for hub and desk, which the engine's threads use too."""
    subscribers: dict[int, Subscriber]
    """By connection; under the lock."""
    stopping: asyncio.Event
    reason: str = "end"
    """Of the last goodbye."""


class Connection:
    """One peer. `run` is the whole of it; the server wakes it by `ready` and `closing`."""

    def __init__(self, number: int, sock: socket.socket, house: House) -> None:
        self.number = number
        self.ready = asyncio.Event()
        """Something may wait for this peer."""
        self.closing = asyncio.Event()
        """It is to be let go."""
        self.peer = Peer.of(sock)
        self._sock = sock
        self._house = house
        self._task: asyncio.Task[None] | None = None
        self._parting = False
        self._cut: tuple[Cause | None, str] | None = None
        self._in_handshake = house.settings.tls is not None
        self._reader = asyncio.StreamReader(limit=READ_BYTES)
        self._writer: asyncio.StreamWriter | None = None
        self._deframer = Deframer(MAX_REQUEST_BYTES)
        self._alive_s = 0.0
        """When the peer was last heard of, or took something."""
        self._bytes = Allowance(house.settings.bytes_per_s, BURST_BYTES)
        self._messages = Allowance(house.settings.messages_per_s, BURST_MESSAGES)

    def evict(self) -> None:
        """Ends it at once, even in the middle of its goodbye: others need its place on the doorstep."""
        self._end(Cause.CROWDED, "too many connections without a hello")

    def dismiss(self, reason: str) -> None:
        """Ends it before it has said hello; one that hears its goodbye already may hear it out."""
        if not self._parting:
            self._end(None, reason)

    def _end(self, cause: Cause | None, reason: str) -> None:
        self._cut = cause, reason
        if self._task is not None:
            self._task.cancel()

    async def run(self) -> None:
        """From the accepted socket to its end; raises nothing that the peer is to blame for."""
        self._task = asyncio.current_task()
        door, sub, reason = self._house.door, None, ""
        try:
            if self._cut is not None:
                raise asyncio.CancelledError
            hello, permission, rest = await self._arrive()
            door.enter(self.number)
            sub = self._join(hello, permission)
            reason = await self._converse(sub, rest)
        except asyncio.CancelledError:
            if self._cut is None:
                raise
            cause, reason = self._cut
            if cause is not None:
                door.note(cause)
        except ProtocolError as exc:
            cause, reason = exc.cause if isinstance(exc, Refused) else Cause.PROTOCOL, str(exc)
            if cause is not None:
                door.note(cause)
        except OSError:
            if self._in_handshake:
                door.note(Cause.TLS)
        finally:
            if sub is not None:
                self._leave(sub)
            door.part(self.number)
            self._parting = True
            with contextlib.suppress(asyncio.CancelledError):
                await self._part(reason)
            door.leave(self.number)

    # --- hello --------------------------------------------------------------------------------------------

    async def _arrive(self) -> tuple[Hello, Permission, list[bytes]]:
        """The hello of this peer and what it may do; also what it sent after it.

        Raises:
            Refused: too late, or with a wrong token.
            ProtocolError: something else than a hello.
        """
        limit_s = self._house.settings.hello_timeout_s
        try:
            async with asyncio.timeout(limit_s):  # of all together: a byte now and then does not prolong it
                await self._open()
                hello, rest = await self._hello()
        except TimeoutError:
            if self._in_handshake:
                raise Refused(Cause.TLS, f"no TLS handshake within {limit_s:g} s") from None
            raise Refused(Cause.LATE_HELLO, f"no hello within {limit_s:g} s") from None
        permission = self._house.access.permission(hello.token, self.peer)
        if permission is None:
            self._house.door.note(Cause.WRONG_TOKEN)  # at once: it may be gone before it has its answer
            wait_s = self._house.door.wrong_token(self.peer.machine, time.monotonic())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._house.stopping.wait()
            raise Refused(None, "wrong token")
        return hello, permission, rest

    async def _open(self) -> None:
        """The transport; with TLS after the handshake."""
        loop = asyncio.get_running_loop()
        protocol = asyncio.StreamReaderProtocol(self._reader)
        _tune(self._sock)
        settings = self._house.settings
        limit_s = settings.hello_timeout_s if settings.tls is not None else None
        transport, _ = await loop.connect_accepted_socket(
            lambda: protocol, self._sock, ssl=settings.tls, ssl_handshake_timeout=limit_s
        )
        transport.set_write_buffer_limits(high=SEND_BUFFER_BYTES)
        self._writer = asyncio.StreamWriter(transport, protocol, self._reader, loop)
        self._in_handshake = False

    async def _hello(self) -> tuple[Hello, list[bytes]]:
        messages: list[bytes] = []
        while not messages:
            data = await self._reader.read(READ_BYTES)
            if not data:
                raise ConnectionResetError
            messages = self._deframer.feed(data)
        control = decode(messages[0], MAX_REQUEST_BYTES)
        if not isinstance(control, Control) or control.kind is not Kind.HELLO:
            raise ProtocolError(f"first message is {control.kind}, expected hello")
        return Hello.parse(control), messages[1:]

    def _join(self, hello: Hello, permission: Permission) -> Subscriber:
        house = self._house
        with house.lock:
            sub = house.hub.join(hello, self.peer.name, permission)
            house.subscribers[self.number] = sub
        return sub

    def _leave(self, sub: Subscriber) -> None:
        house = self._house
        with house.lock:
            house.hub.leave(sub)
            house.desk.forget(self.number)
            house.subscribers.pop(self.number, None)

    # --- conversation -------------------------------------------------------------------------------------

    async def _converse(self, sub: Subscriber, rest: list[bytes]) -> str:
        """Runs until one side has enough; the reason, empty where the peer has gone."""
        self._alive_s = time.monotonic()
        if self._house.stopping.is_set():
            self.closing.set()
        jobs = [
            asyncio.ensure_future(self._write(sub)),
            asyncio.ensure_future(self._read(sub, rest)),
            asyncio.ensure_future(self._ping(sub)),
            asyncio.ensure_future(self.closing.wait()),
        ]
        try:
            await asyncio.wait(jobs, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for job in jobs:
                job.cancel()
            results = await asyncio.gather(*jobs, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                raise result
        if sub.closing == "slow consumer":
            self._house.door.note(Cause.SLOW)
        return sub.closing or (self._house.reason if self.closing.is_set() else "")

    async def _write(self, sub: Subscriber) -> None:
        house, writer = self._house, self._writer
        assert writer is not None
        while True:
            self.ready.clear()
            while True:
                with house.lock:
                    batch = house.hub.take(sub)
                if not batch:
                    break
                writer.write(framed_all(batch))
                before_s = time.monotonic()
                await writer.drain()
                now_s = time.monotonic()
                if now_s - before_s > BLOCKED_WRITE_S:
                    self._alive_s = now_s
                else:
                    await asyncio.sleep(0)  # others have their turn
            await self.ready.wait()

    async def _read(self, sub: Subscriber, messages: list[bytes]) -> None:
        while True:
            for data in messages:
                await self._pace(self._messages, 1.0)
                if not self._heard(sub, decode(data, MAX_REQUEST_BYTES)):
                    return
            received = await self._reader.read(READ_BYTES)
            if not received:
                return
            self._alive_s = time.monotonic()
            await self._pace(self._bytes, len(received))
            messages = self._deframer.feed(received)

    async def _pace(self, allowance: Allowance, amount: float) -> None:
        """Who sends more than is allowed is read more slowly: TCP makes the peer wait, nothing piles up here."""
        wait_s = allowance.take(amount, time.monotonic())
        if wait_s > 0:
            self._house.door.throttled += 1
            await asyncio.sleep(min(wait_s, LONGEST_PAUSE_S))

    def _heard(self, sub: Subscriber, said: Message | Control) -> bool:
        """Acts on one message of the peer; False: it has said goodbye.

        Raises:
            ProtocolError: nothing that a subscriber may send.
        """
        house = self._house
        if said.kind is Kind.BYE:
            return False
        if isinstance(said, Control) and said.kind in (Kind.PULL, Kind.REQUEST):
            with house.lock:
                if said.kind is Kind.PULL:
                    house.hub.pull(sub, *parse_range(said))
                else:
                    answer = house.desk.submit(self.number, said.body, sub.permission, time.monotonic())
                    if answer is not None:
                        house.hub.say(sub, Kind.REPLY, dict(answer.body))
            self.ready.set()
            if sub.closing:
                self.closing.set()
        elif said.kind not in (Kind.PONG, Kind.OTHER):
            raise ProtocolError(
                f"{said.kind} is nothing a subscriber may send; expected pong, pull, request or bye"
            )
        return True

    async def _ping(self, sub: Subscriber) -> None:
        interval_s, count = self._house.settings.ping_interval_s, 0
        while True:
            await asyncio.sleep(interval_s)
            if time.monotonic() - self._alive_s > MISSED_PINGS * interval_s:
                sub.closing = sub.closing or f"no answer to {MISSED_PINGS} pings"
                self._house.door.note(Cause.SILENT)
                return
            count += 1
            with self._house.lock:
                self._house.hub.say(sub, Kind.PING, {"n": count})
            if sub.closing:
                return
            self.ready.set()

    async def _part(self, reason: str) -> None:
        """Says why, waits a little for it to be read, and closes whatever happens."""
        writer = self._writer
        if writer is None:  # no transport: the handshake failed, or it never began
            self._sock.close()
            return
        try:
            with contextlib.suppress(OSError):
                async with asyncio.timeout(FAREWELL_S):
                    if reason and not writer.is_closing():
                        writer.write(framed(self._house.hub.farewell(reason)))
                        await writer.drain()
                writer.close()
                async with asyncio.timeout(FAREWELL_S):
                    await writer.wait_closed()
        finally:
            writer.transport.abort()


def _tune(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
