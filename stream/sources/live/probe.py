"""One look at a live camera, for people who want to know whether it works and how."""

from __future__ import annotations

from dataclasses import dataclass

from ...clock import Clock, WallClock
from ...errors import SourceError
from .address import parse_address, redacted
from .config import LiveConfig
from .records import SourceFault
from .source import LiveSource

_WATCH_S = 3.0
"""After the first frame: long enough for a rate and a sender report."""


@dataclass(frozen=True)
class Probe:
    """What was found."""

    source: str
    """Without secrets."""
    ok: bool
    codec: str = ""
    size_px: tuple[int, int] | None = None
    fps: float | None = None
    """As counted, where there were enough frames."""
    clock: str = ""
    """What capture times rest on, in words."""
    first_frame_s: float | None = None
    """From the start of the decoder to the first frame."""
    fault: SourceFault | None = None
    text: str = ""
    """The fault in words, or what was found."""

    def __str__(self) -> str:
        return f"{self.source}: {self.text}" if self.text.find(self.source) < 0 else self.text


def probe(
    spec: str, timeout_s: float = 15.0, config: LiveConfig | None = None, clock: Clock | None = None
) -> Probe:
    """Opens the camera once, watches it for a few seconds, and closes it. Returns within some `timeout_s`.

    Raises:
        SourceError: no live camera's address.
    """
    address = parse_address(spec)
    clock = clock or WallClock()
    limit_s = min(timeout_s, (config or LiveConfig()).open_timeout_s)
    settings = (config or LiveConfig()).model_copy(
        update={
            "give_up_after": 1,
            "open_timeout_s": limit_s,
            "backoff_first_s": 3600.0,
            "backoff_max_s": 3600.0,
        }
    )
    began_ns = clock.now_ns()
    first_frame_s, until_s = None, timeout_s
    with LiveSource(spec, "probe", settings, clock=clock) as source:
        while (now_s := (clock.now_ns() - began_ns) / 1e9) < until_s:
            for token in source.poll(8, 0.1):
                source.release(token)
            if source.state.fault is not None or source.ended:
                break
            if source.info is not None and first_frame_s is None:
                first_frame_s = now_s
                until_s = min(timeout_s, now_s + _WATCH_S)
        state, info = source.state, source.info
        if info is None:
            fault = state.fault or SourceFault.TIMEOUT
            text = state.text or f"no frame within {timeout_s:.0f} s"
            return Probe(address.shown, False, fault=fault, text=redacted(text))
        width, height = info.size_px
        clock_words = source.clock_words or str(source.clock_origin)
        text = f"{info.codec} {width}x{height}, {info.fps:.1f} fps, times: {clock_words}"
        return Probe(
            address.shown, state.fault is None, info.codec, info.size_px, info.fps, clock_words, first_frame_s,
            state.fault, state.text or text,
        )  # fmt: skip


__all__ = ["Probe", "SourceError", "probe"]
