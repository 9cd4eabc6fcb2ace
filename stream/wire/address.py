"""Where a server listens and a subscriber connects, as one line of text."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from ..errors import PublishError


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
        return self.scheme == "unix" or is_loopback(self.host)

    def __str__(self) -> str:
        if self.scheme == "unix":
            return f"unix://{self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


def is_loopback(host: str) -> bool:
    """A name or number that stays on this machine."""
    if host == "localhost":
        return True
    try:
        number = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(number, "ipv4_mapped", None)
    return bool((mapped or number).is_loopback)
