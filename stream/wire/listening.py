"""Sockets that listen: bound before anybody can connect, private where they are files."""

from __future__ import annotations

import contextlib
import os
import socket
import stat

from ..errors import PublishError
from .address import Address

BACKLOG = 128
"""Connections that the kernel keeps until they are accepted."""


def open_listening(address: Address) -> list[socket.socket]:
    """One socket for each of the host's addresses; a port of 0 becomes the same free one for all.

    Raises:
        OSError: an address that cannot be bound.
        PublishError: a unix path that is in use, or no socket.
    """
    if address.scheme == "unix":
        return [_open_unix(address.path)]
    found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    opened: list[socket.socket] = []
    port = address.port
    try:
        for family, _, _, _, where in dict.fromkeys(found):
            sock = socket.socket(family, socket.SOCK_STREAM)
            opened.append(sock)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind((where[0], port, *where[2:]))
            port = sock.getsockname()[1]
            sock.listen(BACKLOG)
            sock.setblocking(False)
    except BaseException:
        for sock in opened:
            sock.close()
        raise
    return opened


def _open_unix(path: str) -> socket.socket:
    clear_stale_socket(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.bind(path)
        os.chmod(path, 0o600)  # before it listens: nobody can have connected yet
        sock.listen(BACKLOG)
        sock.setblocking(False)
    except BaseException:
        sock.close()
        raise
    return sock


def close_listening(address: Address, sockets: list[socket.socket]) -> None:
    """Frees the address."""
    for sock in sockets:
        sock.close()
    if address.scheme == "unix":
        with contextlib.suppress(OSError):
            os.unlink(address.path)


def clear_stale_socket(path: str) -> None:
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
