"""Settings of live cameras."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from ....kernels.settings import StageConfig
from ...timing.config import TimingConfig


class LiveConfig(StageConfig):
    """How a live camera is opened, watched and opened again."""

    transport: Literal["tcp", "udp"] = "tcp"
    """Of RTSP. udp: less delay, lost packets show."""
    open_timeout_s: float = Field(default=10.0, gt=0.0, le=300.0)
    """How long a camera may take to answer and to describe its stream."""
    stall_s: float = Field(default=10.0, gt=0.0, le=3600.0)
    """Without a frame for so long a camera is stalled, and opened again."""
    stuck_s: float = Field(default=5.0, gt=0.0, le=300.0)
    """A decoder that gives no sign of life for so long is killed, and another one started."""
    backoff_first_s: float = Field(default=1.0, gt=0.0, le=3600.0)
    """Wait before the first try again; doubles with each."""
    backoff_max_s: float = Field(default=10.0, gt=0.0, le=86_400.0)
    """Longest wait between tries, from the beginning of one to that of the next: so soon a camera is back that was
    away for an hour. A try at one that is absent is a process and a connection."""
    backoff_jitter: float = Field(default=0.2, ge=0.0, lt=1.0)
    """Share by which waits are spread, so that cameras lost together do not come back together."""
    backoff_reset_s: float = Field(default=30.0, ge=0.0, le=86_400.0)
    """After frames have come for so long, the next loss starts from the first wait again."""
    slow_backoff_s: float = Field(default=60.0, gt=0.0, le=86_400.0)
    """Wait where trying often does no good: refused credentials, unknown path, unknown codec."""
    give_up_after: int | None = Field(default=None, ge=1)
    """Tries in a row without a frame after which the camera has failed; null: never."""
    kill_grace_s: float = Field(default=2.0, gt=0.0, le=60.0)
    """How long a decoder may take to leave before it is killed."""
    buffer_frames: int = Field(default=16, ge=1, le=1024)
    """Frames that wait to be asked for; beyond, the oldest are dropped."""
    max_age_s: float = Field(default=0.5, gt=0.0, le=60.0)
    """Frames that came longer ago are dropped instead of being handed out."""
    ring_slots: int = Field(default=48, ge=2, le=1024)
    """Frames of the camera's shared-memory ring: those that wait, and those being looked at."""
    decode_threads: int = Field(default=1, ge=1, le=16)
    """Threads of one decoder."""
    low_delay: bool = True
    """Hand each picture out as soon as it is decoded, unless the stream says that its pictures come out of order."""
    tls_verify: bool = True
    """Of rtsps and https: refuse a camera whose certificate is not known. Many cameras sign their own: give it as
    `tls_ca_file`, or say false, and anyone on the way can read and change what comes."""
    tls_ca_file: str = Field(default="", max_length=4096)
    """Certificates to be trusted (PEM); empty: the system's."""
    max_delay_s: float = Field(default=0.5, ge=0.0, le=10.0)
    """How long UDP packets out of order are waited for."""
    device_format: str = Field(default="", max_length=32, pattern=r"^[a-z0-9_]*$")
    """Pixel format asked of a local device, e.g. mjpeg or yuyv422; empty: the device's choice."""
    device_size: str = Field(default="", max_length=16, pattern=r"^(\d+x\d+)?$")
    """Picture size asked of a local device, e.g. 1280x720."""
    device_fps: float | None = Field(default=None, gt=0.0, le=1000.0)
    """Rate asked of a local device."""
    timing: TimingConfig = TimingConfig()
    """When frames were taken."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.ring_slots <= self.buffer_frames:
            raise ValueError(
                f"ring_slots = {self.ring_slots} is too small: expected more than buffer_frames = {self.buffer_frames}"
            )
        return self
