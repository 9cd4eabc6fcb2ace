"""How results leave the engine: the settings of log, sockets and queues."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr

from ...kernels.settings import StageConfig


class PublishConfig(StageConfig):
    """How results leave the engine."""

    listen: str = "tcp://127.0.0.1:7447"
    """tcp://HOST:PORT, tls://HOST:PORT or unix:///PATH; port 0 takes a free one; empty for no server."""
    token: SecretStr = SecretStr("")
    """Subscribers must show it; required for any address other machines can reach."""
    token_file: Path | None = None
    """A file with that token on its first line, which nobody else may read."""
    control_token: SecretStr = SecretStr("")
    """Who shows it may control the engine, too; without one only the same user may, over a unix socket."""
    control_token_file: Path | None = None
    """A file with the control token on its first line."""
    control_loopback: bool = False
    """Without a control token, anybody on this machine may control over loopback."""
    answer_s: float = Field(default=10.0, gt=0, le=600)
    """How long the engine may take to answer a request."""
    allow_plain: bool = False
    """Serve other machines without TLS: tokens and people go over the network in the clear."""
    tls_cert: Path | None = None
    """PEM certificate chain for tls://."""
    tls_key: Path | None = None
    """PEM private key for tls://."""
    session: str = Field(default="", max_length=64, pattern=r"^[A-Za-z0-9_.-]*$")
    """Fixed session id (replays that must give the same bytes); empty for a random one."""
    clock: Literal["wall", "capture"] = "wall"
    """Publish time: the wall clock, or the capture time itself (same replay, same bytes)."""
    fsync: Literal["never", "window", "always"] = "window"
    """When a commit waits for the disk: never, for windows and refinements, or for every message."""
    append: bool = False
    """Go on with an existing log instead of starting it anew."""
    log_file_mb: float = Field(default=0.0, ge=0, le=1_000_000)
    """A log of this length is laid aside under a number (x-000001.cslog), and a new one goes on from it; 0: never."""
    log_file_hours: float = Field(default=0.0, ge=0, le=100_000)
    """So is one of this age."""
    log_keep_gb: float = Field(default=0.0, ge=0, le=1_000_000)
    """Logs that were laid aside are kept up to this size together, the oldest are removed; 0: all of them."""
    log_keep_hours: float = Field(default=0.0, ge=0, le=1_000_000)
    """Logs that were laid aside are removed so long after their last commit; 0: never."""
    hello_timeout_s: float = Field(default=5.0, gt=0, le=60)
    """A connection that has not said hello by then is closed."""
    ping_interval_s: float = Field(default=5.0, gt=0, le=60)
    """Between pings; three unanswered ones end a connection."""
    max_clients: int = Field(default=64, ge=1, le=4096)
    """Connections at once."""
    max_clients_per_address: int = Field(default=0, ge=0, le=4096)
    """Of one other machine; 0: three quarters of all, so that one machine never keeps the others out."""
    queue_messages: int = Field(default=64, ge=1, le=65536)
    """Live messages waiting for one subscriber before the oldest is dropped."""
    queue_mb: float = Field(default=8.0, gt=0, le=1024)
    """The same in megabytes."""
    late_messages: int = Field(default=1024, ge=1, le=65536)
    """Late messages waiting for one subscriber; in megabytes as many as live ones."""
    control_messages: int = Field(default=64, ge=1, le=4096)
    """Health, status and control messages waiting for one subscriber before it is let go."""
    ring_messages: int = Field(default=256, ge=1, le=65536)
    """Newest messages of each topic kept in memory for those who come back."""
    ring_mb: float = Field(default=64.0, gt=0, le=4096)
    """The same in megabytes."""
    ring_logged_mb: float = Field(default=4.0, gt=0, le=4096)
    """The same of windows, refinements and identity events that stand in the log: older ones are read from there."""
