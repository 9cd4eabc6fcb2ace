"""Who may do what: tokens, the peer's own identity, and what they allow.

| the server has          | no token shown           | read token | control token | anything else |
|-------------------------|--------------------------|------------|---------------|---------------|
| no token                | read; control, see below | -          | -             | refused       |
| a read token            | refused                  | read, see below | -        | refused       |
| a control token         | read                     | -          | control       | refused       |
| both                    | refused                  | read       | control       | refused       |

Without a control token control is for this machine alone: over a unix socket for the user who runs the engine, over
loopback only where `control_loopback` says so, as every user and every browser of a machine reaches its loopback.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import os
import socket
import stat
import struct
from dataclasses import dataclass, field
from pathlib import Path

from ..control.records import Permission
from ..errors import PublishError
from .address import is_loopback

TOKEN_FILE_BYTES = 4096
MOST_TOKEN_CHARACTERS = 1024


@dataclass(frozen=True)
class Peer:
    """Who is at the other end, as far as the machine itself can tell."""

    name: str
    """Address without port; `unix` for a unix socket."""
    loopback: bool = False
    uid: int | None = None
    """User of a unix socket's peer; None where the system does not say."""

    @property
    def machine(self) -> str:
        """Address of another machine, of IPv6 the /64 it may choose from; empty for this machine."""
        if self.loopback or self.name == "unix":
            return ""
        if ":" not in self.name:
            return self.name
        try:
            return str(ipaddress.IPv6Network((self.name.partition("%")[0], 64), strict=False))
        except ValueError:
            return self.name

    @staticmethod
    def of(sock: socket.socket) -> Peer:
        """The peer of a connected socket."""
        if sock.family == socket.AF_UNIX:
            return Peer("unix", uid=_peer_uid(sock))
        try:
            host = str(sock.getpeername()[0])
        except OSError:  # gone already
            return Peer("gone")
        return Peer(host, loopback=is_loopback(host))


def _peer_uid(sock: socket.socket) -> int | None:
    option = getattr(socket, "SO_PEERCRED", None)  # Linux
    if option is None:
        return None
    try:
        _, uid, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, option, struct.calcsize("3i")))
    except OSError:
        return None
    return int(uid)


@dataclass(frozen=True)
class Access:
    """The rule of one server."""

    token: str = field(default="", repr=False)
    """Reads; empty: reading is free."""
    control_token: str = field(default="", repr=False)
    """Reads and controls; empty: this machine's own alone may control."""
    control_loopback: bool = False
    """Without a control token, loopback may control, too."""

    def __post_init__(self) -> None:
        for name, token in (("token", self.token), ("control_token", self.control_token)):
            if len(token) > MOST_TOKEN_CHARACTERS or not token.isprintable():
                raise PublishError(
                    f"publish.{name}: expected at most {MOST_TOKEN_CHARACTERS} printable characters"
                )
        if self.token and self.token == self.control_token:
            raise PublishError(
                "publish.token and publish.control_token are the same; whoever reads could control: choose two"
            )

    def permission(self, shown: str, peer: Peer) -> Permission | None:
        """What the token allows this peer; None for a wrong one.

        Both comparisons are always made, on digests of one length: how long it takes says nothing of either token.
        """
        got = hashlib.sha256(shown.encode(errors="surrogatepass")).digest()
        reads = hmac.compare_digest(got, hashlib.sha256(self.token.encode()).digest())
        controls = hmac.compare_digest(got, hashlib.sha256(self.control_token.encode()).digest())
        if controls and self.control_token:
            return Permission.CONTROL
        if not reads:
            return None
        own = not self.control_token and self._is_own(peer)
        return Permission.CONTROL if own else Permission.READ

    def _is_own(self, peer: Peer) -> bool:
        if peer.uid is not None:
            return peer.uid == os.geteuid()
        return peer.loopback and self.control_loopback


def read_token_file(path: Path, name: str = "publish.token_file") -> str:
    """The token in a file that nobody else may read: its first line.

    Raises:
        PublishError: absent, empty, too long, or open to others.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a named pipe must not hold the engine up
        with open(handle, "rb") as file:
            found = os.fstat(handle)
            if not stat.S_ISREG(found.st_mode):
                raise PublishError(f"{name} {path} is no file; expected one line of text")
            if found.st_mode & (stat.S_IROTH | stat.S_IWOTH | stat.S_IWGRP):
                raise PublishError(
                    f"{name} {path} has mode {stat.S_IMODE(found.st_mode):04o}: others can read or change it; "
                    f"chmod 600 {path}"
                )
            data = file.read(TOKEN_FILE_BYTES + 1)
    except OSError as exc:
        raise PublishError(f"cannot read {name} {path}: {exc.strerror or exc}") from exc
    if len(data) > TOKEN_FILE_BYTES:
        raise PublishError(f"{name} {path} holds more than {TOKEN_FILE_BYTES} bytes; expected one line")
    try:
        token = data.decode().partition("\n")[0].strip()
    except UnicodeDecodeError as exc:
        raise PublishError(f"{name} {path} is no text; expected one line") from exc
    if not token:
        raise PublishError(f"{name} {path} is empty; expected the token on its first line")
    return token
