"""What a server needs to know before it listens, and what it refuses to do."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field

from ..control.desk import DeskLimits
from ..errors import PublishError
from .access import Access, read_token_file
from .address import Address
from .doorkeeper import DoorLimits
from .publish_config import PublishConfig
from .tls import server_context


@dataclass(frozen=True)
class ServerSettings:
    """What the shell needs to know.

    Raises:
        PublishError: an address that may not be served like this.
    """

    address: Address
    token: str = field(default="", repr=False)
    """Reads; empty: reading is free."""
    hello_timeout_s: float = 5.0
    """From the connection to the hello, the TLS handshake included."""
    ping_interval_s: float = 5.0
    max_clients: int = 64
    """Connections that have said hello."""
    tls: ssl.SSLContext | None = None
    control_token: str = field(default="", repr=False)
    """Reads and controls."""
    control_loopback: bool = False
    """Without a control token, loopback may control."""
    allow_plain: bool = False
    """Serve other machines without TLS."""
    max_clients_per_address: int = 0
    """Of one other machine; 0: three quarters of all, so that one machine never keeps the others out."""
    bytes_per_s: float = 32_768.0
    """A subscriber may send so much; who sends more is read more slowly."""
    messages_per_s: float = 50.0
    desk: DeskLimits = field(default_factory=DeskLimits)

    def __post_init__(self) -> None:
        where = self.address
        if not where.is_local and not self.token:
            raise PublishError(
                f"{where} can be reached from other machines; set publish.token, or listen on 127.0.0.1"
            )
        if where.scheme == "tls" and self.tls is None:
            raise PublishError("tls:// needs publish.tls_cert and publish.tls_key")
        if not where.is_local and where.scheme != "tls" and not self.allow_plain:
            raise PublishError(
                f"{where} would send tokens and people in the clear to other machines; listen on tls://, or say "
                "publish.allow_plain=true where the network is trusted"
            )
        self.access  # noqa: B018 - its own checks

    @property
    def access(self) -> Access:
        return Access(self.token, self.control_token, self.control_loopback)

    @property
    def door(self) -> DoorLimits:
        return DoorLimits(self.max_clients, self.max_clients_per_address or max(1, self.max_clients * 3 // 4))


def server_settings(config: PublishConfig) -> ServerSettings:
    """Settings out of the configuration; reads the files it names.

    Raises:
        PublishError: a file that cannot be used, or an address that may not be served like this.
    """
    return ServerSettings(
        Address.parse(config.listen),
        _token(config, "token"),
        config.hello_timeout_s,
        config.ping_interval_s,
        config.max_clients,
        None if config.tls_cert is None else server_context(config.tls_cert, config.tls_key),
        _token(config, "control_token"),
        config.control_loopback,
        config.allow_plain,
        config.max_clients_per_address,
        desk=DeskLimits(answer_s=config.answer_s),
    )


def _token(config: PublishConfig, name: str) -> str:
    given = str(getattr(config, name).get_secret_value())
    path = getattr(config, f"{name}_file")
    if path is None:
        return given
    if given:
        raise PublishError(f"publish.{name} and publish.{name}_file are both set; leave one out")
    return read_token_file(path, f"publish.{name}_file")
