"""A log as exporters read it: the frames of one session in order, and its windows at their highest revision.

The first pass only notes where windows and late rows stand; the second reads windows in the order of the
timeline, and frames with their late rows in place. So memory follows the number of messages, not their size,
and what came late takes its place all the same.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

import numpy as np

from ...kernels.solve.problem import WindowSolution
from ..errors import ExportError, ProtocolError
from ..records import TrackedFrame
from ..track_backfill import merge_backfill
from ..wire.codec import decode
from ..wire.log import LogReader
from ..wire.messages import Message, Tier, tier_of
from ..wire.schema import SiteSchema
from ..wire.tiers import live_record, window_record


@dataclass(frozen=True)
class Exported:
    """What an export wrote."""

    files: tuple[Path, ...]
    rows: int
    """Lines of text, or frames of motion."""
    notes: tuple[str, ...] = ()
    """What was left out and why, one line each."""


@dataclass(frozen=True)
class _WindowPlace:
    """Where one revision of one window stands in the file."""

    slot0: int
    window: int
    rev: int
    parts: tuple[tuple[int, int], ...]
    """(offset, length) of each part."""


class Recording:
    """One session of a log."""

    def __init__(self, path: Path, session: str = "") -> None:
        """Reads the log once.

        Args:
            session: which session to export; the last one by default.

        Raises:
            LogError: no log at the path, or not a log.
            ExportError: nothing was published in it, or no such session.
        """
        self.path = Path(path)
        self._reader = LogReader(self.path)
        self._schemas: dict[str, SiteSchema] = {}
        self._windows: dict[str, dict[tuple[int, int], list[tuple[int, int, int, int]]]] = {}
        self._highest: dict[str, dict[tuple[int, int], int]] = {}
        self.num_frames: dict[str, int] = {}
        """Live messages per session."""
        self._late: dict[tuple[str, str, int], list[tuple[int, int]]] = {}
        """(session, camera, frame index) -> (offset, length) of its late messages, in order."""
        for record in self._reader.records():
            for data, place in zip(record.messages, record.places, strict=True):
                self._note(data, place)
        sessions = list(dict.fromkeys([*self._schemas, *self.num_frames, *self._windows]))
        if not sessions:
            raise ExportError(
                f"{self.path} holds no published message; was the run ended before its first frame?"
            )
        if session and session not in sessions:
            raise ExportError(f"{self.path} has no session {session!r}; it has {', '.join(sessions)}")
        self.sessions = tuple(sessions)
        self.sid = session or sessions[-1]
        self.schema = self._schemas.get(self.sid)
        self.notes: tuple[str, ...] = tuple(
            note
            for note in (
                self._reader.health.describe(),
                f"session {self.sid} of {len(sessions)}" if len(sessions) > 1 else "",
            )
            if note
        )

    def _note(self, data: bytes, place: int) -> None:
        try:
            message = decode(data)
            if not isinstance(message, Message):
                return
            tier, sid = tier_of(message.topic), message.sid
            if tier is Tier.SCHEMA:
                self._schemas[sid] = SiteSchema.from_message(message)
            elif tier is Tier.LIVE:
                self.num_frames[sid] = self.num_frames.get(sid, 0) + 1
            elif tier is Tier.LATE:
                frame = (sid, str(message.body["camera"]), int(message.body["index"]))  # type: ignore[call-overload]
                self._late.setdefault(frame, []).append((place, len(data)))
            elif message.window is not None and message.rev is not None:
                at = (message.part, int(message.body["slot0"]), place, len(data))  # type: ignore[call-overload]
                places = self._windows.setdefault(sid, {}).setdefault((message.window, message.rev), [])
                places.append(at)
                highest = self._highest.setdefault(sid, {})
                for person in np.ravel(message.body["person_ids"]):  # type: ignore[call-overload]
                    key = (message.window, int(person))
                    highest[key] = max(message.rev, highest.get(key, 0))
        except (ProtocolError, KeyError, TypeError):
            self._reader.health.damaged_records += 1

    @property
    def num_windows(self) -> int:
        return len({window for window, _ in self._windows.get(self.sid, {})})

    def frames(self) -> Iterator[TrackedFrame]:
        """The live tier in order of publication, late rows put in; confirmed tracks only, rows by person id."""
        with self.path.open("rb") as file:
            for message in self._reader.messages():
                if message.sid != self.sid or tier_of(message.topic) is not Tier.LIVE:
                    continue
                try:
                    frame = live_record(message)
                except ProtocolError:
                    continue  # counted as damage by the first pass or a foreign minor version's extra
                for place in self._late.get((self.sid, frame.camera, frame.index), ()):
                    rows = _read_late(file, place)
                    frame = frame if rows is None else merge_backfill(frame, rows)
                yield frame

    def windows(self) -> Iterator[WindowSolution]:
        """In order of the timeline; of each person of a window only the row with the highest revision."""
        places = [
            _WindowPlace(parts[0][1], window, rev, tuple((offset, size) for _, _, offset, size in parts))
            for (window, rev), parts in self._windows.get(self.sid, {}).items()
        ]
        highest = self._highest.get(self.sid, {})
        with self.path.open("rb") as file:
            for place in sorted(places, key=lambda p: (p.slot0, p.window, p.rev)):
                solution = _read_window(file, place)
                if solution is None:
                    continue
                best = [
                    highest[solution.window, int(person)] == solution.rev for person in solution.person_ids
                ]
                if all(best):
                    yield solution
                elif any(best):
                    yield _take_rows(solution, np.flatnonzero(best))


def _read_late(file: IO[bytes], place: tuple[int, int]) -> TrackedFrame | None:
    """None for rows that are damaged."""
    try:
        message = decode(os.pread(file.fileno(), place[1], place[0]))
        return live_record(message) if isinstance(message, Message) else None
    except ProtocolError:
        return None


def _read_window(file: IO[bytes], place: _WindowPlace) -> WindowSolution | None:
    """None for a window that is not whole: a part of it was damaged."""
    parts: dict[int, Message] = {}
    for offset, size in place.parts:
        message = decode(os.pread(file.fileno(), size, offset))
        if isinstance(message, Message):
            parts[message.part] = message  # published twice after a restart: the same bytes
    try:
        return window_record(list(parts.values()))
    except ProtocolError:
        return None


def _take_rows(solution: WindowSolution, rows: np.ndarray) -> WindowSolution:
    fields: Mapping[str, Any] = {
        name: getattr(solution, name)[rows]
        for name in ("person_ids", "pose_rotvec", "betas", "transl_m", "joints_m", "ground_m", "confidence",
                     "provenance", "reprojection_px", "status")
    }  # fmt: skip
    return replace(solution, **fields)


# --- targets ----------------------------------------------------------------------------------------------


def make_folder(folder: Path) -> Path:
    """Raises ExportError where it cannot be made."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise ExportError(
            f"cannot write to {folder}: {exc.strerror or exc}; give another folder with -o"
        ) from exc
    return folder


@contextmanager
def text_target(path: Path) -> Iterator[IO[str]]:
    """A text file that appears under its name only when it is whole."""
    part = path.with_name(path.name + ".part")
    try:
        with part.open("w", encoding="utf-8", newline="\n") as file:
            yield file
        os.replace(part, path)
    except OSError as exc:
        part.unlink(missing_ok=True)
        raise ExportError(f"cannot write {path}: {exc.strerror or exc}") from exc


def file_stem(name: str) -> str:
    """A camera's name as a file name."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", name).strip("._") or "camera"
