"""Subscribers in Python: `subscribe` blocks, `subscribe_async` awaits; both come back by themselves.

    for event in subscribe("tcp://127.0.0.1:7447", topics=("window",)):
        ...                                            # Message, Welcome, Snapshot, Gap or Bye

Windows come in parts: give the messages to a `WindowAssembler`, and its windows to `HighestRevision`. Ids of `live`
and `window` are tracks; give every event to `Persons` (identity.py) as well, and its map says who they are.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import ssl
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

from ..errors import ProtocolError, PublishError
from .address import Address
from .conversation import Bye, Conversation, Event, Welcome
from .tls import Trust

DEFAULT_URL = "tcp://127.0.0.1:7447"
READ_BYTES = 1 << 18
CONNECT_S = 10.0
"""For the connection and, with TLS, for each turn of the handshake."""


@dataclass(frozen=True)
class Reconnect:
    """How a subscriber comes back."""

    first_s: float = 0.2
    longest_s: float = 5.0
    give_up_s: float = 60.0
    """Without a connection for so long, the last failure is raised; 0 never comes back."""
    first_visit_s: float = 0.0
    """How long to wait for an engine that was never there."""

    def pause_s(self, tries: int) -> float:
        """Doubling, with jitter so that many subscribers do not come back in step."""
        return min(self.longest_s, self.first_s * 2.0 ** min(tries, 20)) * (0.5 + random.random() / 2)


def subscribe(
    url: str = DEFAULT_URL,
    topics: tuple[str, ...] = (),
    token: str = "",
    max_rate_hz: float = 0.0,
    want_snapshot: bool = True,
    reconnect: Reconnect | None = None,
    tls: ssl.SSLContext | Trust | None = None,
    conversation: Conversation | None = None,
) -> Iterator[Event]:
    """Events of a server, until it says goodbye for good or stays away too long.

    Args:
        tls: whom to believe of a tls:// address; by default the system's authorities.
        conversation: give one to keep (and resume from) the numbers received.

    Raises:
        PublishError: nobody answers at the address, or the server refuses this subscriber.
    """
    talk = conversation or Conversation(topics, token, max_rate_hz, want_snapshot)
    retry = _Retry(url, reconnect or Reconnect())
    while True:
        try:
            with connect(Address.parse(url), tls) as sock:
                sock.sendall(talk.open())
                while data := sock.recv(READ_BYTES):
                    for event in talk.feed(data):
                        if retry.note(event):
                            yield event
                            return
                        yield event
                    if out := talk.outgoing():
                        sock.sendall(out)
            failure: Exception = ConnectionResetError("connection closed")
        except (OSError, ProtocolError) as exc:
            failure = exc
        time.sleep(retry.after(failure))


async def subscribe_async(
    url: str = DEFAULT_URL,
    topics: tuple[str, ...] = (),
    token: str = "",
    max_rate_hz: float = 0.0,
    want_snapshot: bool = True,
    reconnect: Reconnect | None = None,
    tls: ssl.SSLContext | Trust | None = None,
    conversation: Conversation | None = None,
) -> AsyncIterator[Event]:
    """As `subscribe`, for an event loop."""
    talk = conversation or Conversation(topics, token, max_rate_hz, want_snapshot)
    retry = _Retry(url, reconnect or Reconnect())
    while True:
        writer: asyncio.StreamWriter | None = None
        try:
            reader, writer = await connect_async(Address.parse(url), tls)
            writer.write(talk.open())
            while data := await reader.read(READ_BYTES):
                for event in talk.feed(data):
                    last = retry.note(event)
                    yield event
                    if last:
                        return
                if out := talk.outgoing():
                    writer.write(out)
                    await writer.drain()
            failure: Exception = ConnectionResetError("connection closed")
        except (OSError, ProtocolError) as exc:
            failure = exc
        finally:
            if writer is not None:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
        await asyncio.sleep(retry.after(failure))


class _Retry:
    """When to come back and when to give up; the clock is read here only."""

    FINAL = ("end",)
    """Goodbyes after which there is nothing to come back for (a new session is something)."""
    REFUSALS = ("wrong token", "protocol ")
    """Starts of goodbyes that will not change by asking again."""

    def __init__(self, url: str, policy: Reconnect) -> None:
        self.url = url.rpartition("@")[2]
        self.policy = policy
        self.tries = 0
        self.welcomed = False
        self.lost_s = time.monotonic()

    def note(self, event: Event) -> bool:
        """True: this was the last event."""
        if isinstance(event, Welcome):
            self.welcomed, self.tries = True, 0
        self.lost_s = time.monotonic()
        if not isinstance(event, Bye):
            return False
        if event.reason.startswith(self.REFUSALS):
            raise PublishError(f"{self.url} refuses: {event.reason}")
        return event.reason in self.FINAL

    def after(self, failure: Exception) -> float:
        """Seconds to wait; raises PublishError once it is time to give up."""
        patience_s = self.policy.give_up_s if self.welcomed else self.policy.first_visit_s
        if time.monotonic() - self.lost_s >= patience_s:
            cause = getattr(failure, "strerror", None) or str(failure)
            what = "lost" if self.welcomed else "no engine answers at"
            raise PublishError(
                f"{what} {self.url}: {cause}; is `crowdstream run` or `replay` up?"
            ) from failure
        self.tries += 1
        return self.policy.pause_s(self.tries - 1)


def connect(
    address: Address, tls: ssl.SSLContext | Trust | None, timeout_s: float = CONNECT_S
) -> socket.socket:
    """A connected socket without a time limit; of tls:// its server's certificate has been checked.

    Raises:
        OSError: nobody answers, or nobody that is believed.
        PublishError: another certificate than the pinned one.
    """
    family = socket.AF_UNIX if address.scheme == "unix" else None
    sock = (
        socket.socket(family, socket.SOCK_STREAM)
        if family is not None
        else socket.create_connection((address.host, address.port), timeout=timeout_s)
    )
    try:
        sock.settimeout(timeout_s)
        if address.scheme == "unix":
            sock.connect(address.path)
        else:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if address.scheme == "tls":
            sock = _context(tls).wrap_socket(sock, server_hostname=address.host)
            if isinstance(tls, Trust):
                tls.check(sock.getpeercert(binary_form=True))
        sock.settimeout(None)
    except ssl.SSLCertVerificationError as exc:
        sock.close()
        raise _not_believed(address, exc) from exc
    except BaseException:
        sock.close()
        raise
    return sock


def _not_believed(address: Address, exc: ssl.SSLCertVerificationError) -> PublishError:
    return PublishError(
        f"{address} is not believed: {exc.verify_message}; name its authority with --ca FILE, or its certificate "
        "with --fingerprint HEX"
    )


def _context(tls: ssl.SSLContext | Trust | None) -> ssl.SSLContext:
    if isinstance(tls, ssl.SSLContext):
        return tls
    return (tls or Trust()).context()


async def connect_async(
    address: Address, tls: ssl.SSLContext | Trust | None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """As `connect`, for an event loop."""
    if address.scheme == "unix":
        return await asyncio.open_unix_connection(address.path)
    if address.scheme != "tls":
        return await asyncio.open_connection(address.host, address.port)
    try:
        reader, writer = await asyncio.open_connection(address.host, address.port, ssl=_context(tls))
    except ssl.SSLCertVerificationError as exc:
        raise _not_believed(address, exc) from exc
    try:
        if isinstance(tls, Trust):
            tls.check(writer.get_extra_info("ssl_object").getpeercert(binary_form=True))
    except PublishError:
        writer.transport.abort()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        raise
    return reader, writer
