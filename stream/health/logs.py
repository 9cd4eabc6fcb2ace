"""The engine's own log: one event a line, for people or as JSON; redacted, bounded, and never in the way.

    log = open_event_log(config.health)
    log.event("camera_state", "gate reconnecting(3): refused", level="warning", camera="gate", attempt=3)

A kind of event may say so much of one camera in a minute (`log_burst`); what is beyond is counted, and the count is
told once the minute is over, so that a flapping camera fills no disk. Writing never raises.
"""

from __future__ import annotations

import json
import math
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, Protocol, TextIO

from ..clock import Clock, WallClock
from .config import HealthConfig
from .redact import HIDDEN, Secrets, is_secret_name, redact
from .rotating_file import RotatingFile

Level = Literal["debug", "info", "warning", "error"]
LEVELS: tuple[Level, ...] = ("debug", "info", "warning", "error")

MAX_TEXT = 1000
"""Characters of one text."""
LONGEST_READ = 4 * MAX_TEXT
"""What of a text is looked through at all."""
LONGEST_SECRET = 256
MAX_FIELDS = 32
MAX_DEPTH = 3
"""Of maps and lists inside a field."""
MAX_KEYS = 1024
"""Pairs of event and camera that are counted apart; beyond, they share one count."""


class Sink(Protocol):
    """Where lines go."""

    def write(self, line: str) -> None: ...

    def close(self) -> None: ...


class NoSink:
    """Lines to nowhere."""

    def write(self, line: str) -> None:
        pass

    def close(self) -> None:
        pass


class StreamSink:
    """Lines to a stream that somebody else owns (stderr)."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, line: str) -> None:
        try:
            self._stream.write(line + "\n")
            self._stream.flush()
        except (OSError, ValueError):
            pass  # a pipe that nobody reads any more

    def close(self) -> None:
        """The stream stays open."""


@dataclass
class _Window:
    """How often one event of one camera was said since `start_ns`."""

    start_ns: int
    said: int = 0
    held_back: int = 0


class EventLog:
    """Takes events from any thread."""

    def __init__(
        self,
        sink: Sink,
        as_json: bool = True,
        level: Level = "info",
        burst: int = 10,
        window_s: float = 60.0,
        clock: Clock | None = None,
        secrets: Secrets | None = None,
    ) -> None:
        self.secrets = secrets or Secrets()
        """Add to it whatever must never be written: tokens, passwords."""
        self._sink = sink
        self._as_json = as_json
        self._least = LEVELS.index(level)
        self._burst = burst
        self._window_ns = round(window_s * 1e9)
        self._clock = clock or WallClock()
        self._lock = threading.Lock()
        self._windows: dict[tuple[str, str], _Window] = {}

    def event(
        self,
        kind: str,
        text: str,
        *,
        level: Level = "info",
        camera: str = "",
        stage: str = "",
        **fields: object,
    ) -> None:
        """Writes one event.

        Args:
            kind: a word for machines (camera_state, worker_restarted, disk_refused ...).
            text: one line for people.
            fields: plain values; what is named like a secret is hidden.
        """
        if LEVELS.index(level) < self._least:
            return
        with self._lock:
            now_ns = self._clock.now_ns()
            if self._may_say(kind, camera, now_ns):
                self._write(now_ns, level, kind, camera, stage, text, fields)

    def tick(self) -> None:
        """Tells what was held back once its time is over; call every few seconds."""
        with self._lock:
            now_ns = self._clock.now_ns()
            for key, window in list(self._windows.items()):
                if now_ns - window.start_ns >= self._window_ns:
                    self._end(key, window, now_ns)

    def close(self) -> None:
        """Tells what is still held back, and closes the file."""
        with self._lock:
            now_ns = self._clock.now_ns()
            for key, window in list(self._windows.items()):
                self._end(key, window, now_ns)
            self._sink.close()

    def _may_say(self, kind: str, camera: str, now_ns: int) -> bool:
        key = (kind, camera)
        if key not in self._windows and len(self._windows) >= MAX_KEYS:
            key = ("", "")
        window = self._windows.get(key)
        if window is not None and now_ns - window.start_ns >= self._window_ns:
            self._end(key, window, now_ns)
            window = None
        if window is None:
            window = self._windows[key] = _Window(now_ns)
        if window.said >= self._burst:
            window.held_back += 1
            return False
        window.said += 1
        return True

    def _end(self, key: tuple[str, str], window: _Window, now_ns: int) -> None:
        del self._windows[key]
        if window.held_back:
            kind, camera = key
            seconds = (now_ns - window.start_ns) / 1e9
            text = f"{window.held_back} more {kind or 'event'} lines in {seconds:.0f} s were left out"
            fields = {"of": kind, "count": window.held_back}
            self._write(now_ns, "warning", "suppressed", camera, "", text, fields)

    def _write(
        self,
        now_ns: int,
        level: Level,
        kind: str,
        camera: str,
        stage: str,
        text: str,
        fields: Mapping[str, object],
    ) -> None:
        row: dict[str, object] = {"time": _time(now_ns), "level": level, "event": kind}
        row |= {name: value for name, value in (("camera", camera), ("stage", stage)) if value}
        row["text"] = text
        if fields:
            row["fields"] = dict(fields)
        safe = {name: self._safe(name, value, 0) for name, value in row.items()}
        self._sink.write(json.dumps(safe, ensure_ascii=False) if self._as_json else _human(safe))

    def _safe(self, name: str, value: object, depth: int) -> object:
        """Redacted, bounded, and fit for JSON."""
        if is_secret_name(name):
            return HIDDEN
        match value:
            case None | bool() | int():
                return value
            case float():
                return value if math.isfinite(value) else None
            case Mapping() if depth < MAX_DEPTH:
                some = list(value.items())[:MAX_FIELDS]
                return {self._text(str(k)): self._safe(str(k), v, depth + 1) for k, v in some}
            case list() | tuple() | set() | frozenset() if depth < MAX_DEPTH:
                return [self._safe("", item, depth + 1) for item in list(value)[:MAX_FIELDS]]
        return self._text(str(value))

    def _text(self, text: str) -> str:
        """Cut after redacting, so that no secret is cut in two; then made encodable."""
        whole = len(text) <= LONGEST_READ
        text = redact(text[:LONGEST_READ], self.secrets)
        if not whole:
            text = text[:-LONGEST_SECRET]  # the first cut may have gone through one
        if len(text) > MAX_TEXT:
            text = text[: MAX_TEXT - 1] + "…"
        return text.encode("utf-8", "replace").decode("utf-8")


def open_event_log(
    config: HealthConfig, clock: Clock | None = None, stderr: TextIO | None = None
) -> EventLog:
    """The log as configured.

    Raises:
        LogError: the file cannot be written.
    """
    sink: Sink
    if config.log_file:
        sink = RotatingFile(Path(config.log_file), round(config.log_max_mb * 1e6), config.log_keep)
    elif config.log_form == "auto":
        sink = NoSink()  # the command says what happens by itself
    else:
        sink = StreamSink(stderr or sys.stderr)
    as_json = config.log_form == "json" or (config.log_form == "auto" and bool(config.log_file))
    secrets = Secrets([config.token.get_secret_value()])
    return EventLog(sink, as_json, config.log_level, config.log_burst, config.log_window_s, clock, secrets)


def _time(now_ns: int) -> str:
    """RFC 3339 in UTC, to the millisecond."""
    return datetime.fromtimestamp(now_ns / 1e9, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _human(row: Mapping[str, object]) -> str:
    """A line for a terminal: no control characters, whatever a camera calls itself."""
    fields = row.get("fields")
    said = [str(row["time"]), f"{row['level']:<7}", str(row["event"])]
    said += [f"[{row[name]}]" for name in ("camera", "stage") if name in row]
    said.append(str(row["text"]))
    if isinstance(fields, Mapping):
        said += [f"{name}={value}" for name, value in fields.items()]
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in " ".join(said))
