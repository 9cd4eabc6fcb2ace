"""Asking a running engine for something, from Python: one connection per request, an answer or an error in time.

    engine = ControlClient("unix:///run/crowd.sock")
    reply = engine.request("pause_camera", camera="gate")

A request is made once and never again by itself: where the connection breaks off before the answer, nobody knows
whether it was done, and that is what the error says.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import Iterable

from ..errors import ControlError, ProtocolError, PublishError
from ..wire.address import Address
from ..wire.client import DEFAULT_URL, READ_BYTES, connect, connect_async
from ..wire.conversation import Bye, Conversation, Event, Welcome
from ..wire.tls import Trust
from .records import Permission, Reply
from .validate import check_args, check_verb

NO_TOPIC = "-"
"""A pattern that no topic matches: only answers are wanted."""
TIMEOUT_S = 15.0
"""A little longer than an engine may take."""
FOR_NOW = ("too many connections", "session ended")
"""Starts of goodbyes that another try may not hear."""
AGAIN_S = 0.1


class _Asking:
    """The course of one request, without a socket."""

    def __init__(self, shown: str, token: str, verb: str, args: dict[str, object]) -> None:
        self.shown = shown
        self.verb = check_verb(verb)
        self.args = check_args(self.verb, args)
        self.talk = Conversation((NO_TOPIC,), token, want_snapshot=False)
        self.ticket = ""
        self.permission: Permission | None = None

    def step(self, events: Iterable[Event]) -> Reply | None:
        """The answer, once it is there.

        Raises:
            PublishError: the server refuses this connection, or cannot be asked for anything.
        """
        for event in events:
            match event:
                case Welcome(permission=None):
                    raise PublishError(f"{self.shown} is older than protocol 1.2 and takes no requests")
                case Welcome():
                    self.permission = event.permission
                    self.ticket = self.talk.ask(self.verb, self.args)
                case Reply() if event.ticket == self.ticket:
                    return event
                case Bye() if self.ticket:
                    raise self.lost(f"goodbye: {event.reason}")
                case Bye() if event.reason.startswith(FOR_NOW):
                    raise ConnectionResetError(event.reason)
                case Bye():
                    raise PublishError(f"{self.shown} refuses: {event.reason}")
        return None

    def lost(self, cause: object) -> PublishError:
        said = getattr(cause, "strerror", None) or str(cause)
        if not self.ticket:
            return PublishError(f"no engine answers at {self.shown}: {said}; is `crowdstream run` up?")
        return PublishError(
            f"{self.shown} was lost before it answered ({said}); {self.verb} may have been done: ask for status"
        )

    def may_try_again(self, cause: Exception) -> bool:
        """Somebody is there, and nothing has been asked yet."""
        return not self.ticket and isinstance(cause, ConnectionResetError | BrokenPipeError)

    def late(self, timeout_s: float) -> PublishError:
        return self.lost(f"nothing within {timeout_s:g} s")


class ControlClient:
    """Makes requests of one engine."""

    def __init__(
        self,
        url: str = DEFAULT_URL,
        token: str = "",
        tls: ssl.SSLContext | Trust | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self.address = Address.parse(url)
        self.timeout_s = timeout_s
        self.permission: Permission | None = None
        """What the newest connection was allowed."""
        self._token = token
        self._tls = tls

    def request(self, verb: str, **args: object) -> Reply:
        """Asks, and waits for the answer.

        Raises:
            ControlError: a verb or an argument that there is not.
            PublishError: no engine, a refusal of the connection, or no answer in time.
        """
        asking = _Asking(str(self.address), self._token, verb, args)
        until_s = time.monotonic() + self.timeout_s
        while True:
            try:
                with connect(self.address, self._tls, self.timeout_s) as sock:
                    reply = self._exchange(sock, asking, until_s)
                break
            except TimeoutError:
                raise asking.late(self.timeout_s) from None
            except (OSError, ProtocolError) as exc:
                if not asking.may_try_again(exc) or time.monotonic() + AGAIN_S > until_s:
                    raise asking.lost(exc) from exc
            time.sleep(AGAIN_S)
        self.permission = asking.permission
        return reply

    def _exchange(self, sock: socket.socket, asking: _Asking, until_s: float) -> Reply:
        sock.sendall(asking.talk.open())
        while True:
            left_s = until_s - time.monotonic()
            if left_s <= 0:
                raise TimeoutError
            sock.settimeout(left_s)
            data = sock.recv(READ_BYTES)
            if not data:
                raise ConnectionResetError("connection closed")
            reply = asking.step(asking.talk.feed(data))
            if reply is not None:
                return reply
            if out := asking.talk.outgoing():
                sock.sendall(out)

    async def request_async(self, verb: str, **args: object) -> Reply:
        """As `request`, for an event loop."""
        asking = _Asking(str(self.address), self._token, verb, args)
        try:
            async with asyncio.timeout(self.timeout_s):
                while True:
                    try:
                        reply = await self._exchange_async(asking)
                        break
                    except ConnectionError as exc:
                        if not asking.may_try_again(exc):
                            raise
                    await asyncio.sleep(AGAIN_S)
        except TimeoutError:
            raise asking.late(self.timeout_s) from None
        except (OSError, ProtocolError) as exc:
            raise asking.lost(exc) from exc
        self.permission = asking.permission
        return reply

    async def _exchange_async(self, asking: _Asking) -> Reply:
        reader, writer = await connect_async(self.address, self._tls)
        try:
            writer.write(asking.talk.open())
            while True:
                data = await reader.read(READ_BYTES)
                if not data:
                    raise ConnectionResetError("connection closed")
                reply = asking.step(asking.talk.feed(data))
                if reply is not None:
                    return reply
                writer.write(asking.talk.outgoing())
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


def require(reply: Reply) -> Reply:
    """The reply where it says yes; raises ControlError with its text where it says no."""
    if not reply.ok:
        raise ControlError(reply.text or "the engine refused, and said nothing else")
    return reply
