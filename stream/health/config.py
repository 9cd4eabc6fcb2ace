"""How the engine tells how it is."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr

from ...kernels.settings import StageConfig


class HealthConfig(StageConfig):
    """Health endpoints and the engine's own log."""

    listen: str = "http://127.0.0.1:9108"
    """http://HOST:PORT of /healthz, /readyz, /metrics and /status.json; port 0 takes a free one; empty for none.
    While the port is taken (a second engine), the engine runs without, says so, and tries again."""
    token: SecretStr = SecretStr("")
    """Must be shown as `Authorization: Bearer`; required for any address that other machines can reach."""
    token_file: Path | None = None
    """A file with that token on its first line, which nobody else may read."""
    stale_s: float = Field(default=30.0, ge=5.0, le=600.0)
    """Without a report for so long, /healthz says that the engine hangs."""
    log_file: str = ""
    """Structured log; "" for stderr, see `log_form`."""
    log_form: Literal["auto", "text", "json"] = "auto"
    """text: for people; json: a JSON object a line; auto: json for a file, and nothing on stderr beside what the
    command says by itself."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """What is less grave is left out."""
    log_max_mb: float = Field(default=20.0, gt=0.0, le=4096.0)
    """Size of one log file; then it is put aside as FILE.1, and so on."""
    log_keep: int = Field(default=5, ge=0, le=100)
    """Files put aside; the oldest goes."""
    log_burst: int = Field(default=10, ge=1, le=10_000)
    """Lines of one kind and camera in `log_window_s`; the rest is counted, and the count is told."""
    log_window_s: float = Field(default=60.0, gt=0.0, le=3600.0)
    """See `log_burst`."""
