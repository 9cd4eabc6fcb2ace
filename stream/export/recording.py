"""A log as exporters read it: the frames of one session in order, and what stands of its windows, by person.

The first pass only notes where windows and late rows stand, who is who, and which slots were revised; the second
reads windows in the order of the timeline, and frames with their late rows in place. So memory follows the number of
messages, not their size, and what came late takes its place all the same.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import numpy as np

from ...kernels.solve.problem import MODEL_RATE_HZ, Provenance, WindowSolution
from ..errors import ExportError, ProtocolError
from ..identity import IdentityChange, IdentityEvent, IdentityMap
from ..records import TrackedFrame
from ..track_backfill import merge_backfill, take_rows
from ..wire.codec import decode
from ..wire.identity import identity_record
from ..wire.log import LogReader
from ..wire.messages import Message, Tier, tier_of
from ..wire.schema import SiteSchema
from ..wire.tiers import live_record, window_record
from .standing import IdentityHistory, RevisedRow, Standing


@dataclass(frozen=True)
class Exported:
    """What an export wrote."""

    files: tuple[Path, ...]
    rows: int
    """Lines of text, or frames of motion."""
    notes: tuple[str, ...] = ()
    """What was left out and why, one line each."""


@dataclass
class _Publication:
    """Where one window or revision stands in the file."""

    slot0: int
    window: int
    rev: int
    order: int
    """Of its commit: the offset in the file."""
    parts: list[tuple[int, int]] = field(default_factory=list)
    """(offset, length) of each part."""


@dataclass
class _Session:
    """What the first pass notes of one session."""

    schema: SiteSchema | None = None
    num_frames: int = 0
    windows: dict[tuple[int, int, int], _Publication] = field(default_factory=dict)
    """(window, revision, number of the first part) -> place. A revision may come in several, of different people."""
    newest: dict[int, tuple[int, int, int]] = field(default_factory=dict)
    """Window -> the key of its solution."""
    revised: list[RevisedRow] = field(default_factory=list)
    late: dict[tuple[str, int], list[tuple[int, int]]] = field(default_factory=dict)
    """(camera, frame index) -> (offset, length) of its late messages, in order."""
    identity: IdentityHistory = field(default_factory=IdentityHistory)

    def note(self, message: Message, order: int, place: int, length: int) -> None:
        """Raises ProtocolError, KeyError or TypeError for a message that breaks the protocol."""
        tier = tier_of(message.topic)
        if tier is Tier.SCHEMA:
            self.schema = SiteSchema.from_message(message)
        elif tier is Tier.LIVE:
            self.num_frames += 1
        elif tier is Tier.LATE:
            frame = (str(message.body["camera"]), int(message.body["index"]))  # type: ignore[call-overload]
            self.late.setdefault(frame, []).append((place, length))
        elif tier is Tier.IDENTITY:
            event = identity_record(message)
            if event is not None:
                self.identity.apply(order, event)
        elif message.window is not None and message.rev is not None:
            key = (message.window, message.rev, message.seq - message.part)
            if message.rev == 0:  # published twice after a restart: the later one counts
                last = self.newest.setdefault(message.window, key)
                if last != key:
                    self.windows.pop(last, None)
                    self.newest[message.window] = key
            slot0 = int(message.body["slot0"])  # type: ignore[call-overload]
            at = self.windows.setdefault(key, _Publication(slot0, message.window, message.rev, order))
            at.parts.append((place, length))
            if message.rev:
                self.revised += list(_revised_rows(message, at))  # all or none


def _revised_rows(message: Message, at: _Publication) -> Iterator[RevisedRow]:
    body = message.body
    present = np.asarray(body["provenance"]) != Provenance.ABSENT
    slots = present.shape[1]
    end_ns = int(body["t0_ns"]) + round((slots - 1) * 1e9 / MODEL_RATE_HZ)  # type: ignore[call-overload]
    guides = body.get("guide_person")
    for row, person in enumerate(np.ravel(body["person_ids"]).tolist()):  # type: ignore[call-overload]
        guide = int(guides[row]) if isinstance(guides, np.ndarray) else -1
        yield RevisedRow(
            person, at.window, at.rev, at.order, at.slot0, present[row].copy(), end_ns, guide
        )  # a copy: the message is let go


class Recording:
    """One session of a log."""

    def __init__(self, path: Path, session: str = "", tracks: bool = False) -> None:
        """Reads the log once.

        Args:
            session: which session to export; the last one by default.
            tracks: ids are the tracker's own: no track is joined to another, and nothing that rests on a join counts.

        Raises:
            LogError: no log at the path, or not a log.
            ExportError: nothing was published in it, or no such session.
        """
        self.path = Path(path)
        self._reader = LogReader(self.path)
        noted: dict[str, _Session] = {}
        for record in self._reader.records():
            for data, place in zip(record.messages, record.places, strict=True):
                self._note(noted, data, record.places[0], place)
        sessions = [sid for sid, found in noted.items() if found.schema or found.num_frames or found.windows]
        if not sessions:
            raise ExportError(
                f"{self.path} holds no published message; was the run ended before its first frame?"
            )
        if session and session not in sessions:
            raise ExportError(f"{self.path} has no session {session!r}; it has {', '.join(sessions)}")
        self.sessions = tuple(sessions)
        self.sid = session or sessions[-1]
        self._noted = noted[self.sid]
        self.num_frames = {sid: noted[sid].num_frames for sid in sessions if noted[sid].num_frames}
        """Live messages per session."""
        self.schema = self._noted.schema
        history = self._noted.identity
        self.persons = IdentityMap() if tracks else history.map()
        """Who every track is in the end; of `tracks` nobody but itself."""
        self.standing = Standing(self._noted.revised, history, self.persons)
        self._noted.revised = []
        self._undone = undone_gaps(history, self.persons)
        self.notes: tuple[str, ...] = tuple(
            note
            for note in (
                self._reader.health.describe(),
                f"session {self.sid} of {len(sessions)}" if len(sessions) > 1 else "",
                _in_words(len(self.persons)),
            )
            if note
        )

    def _note(self, noted: dict[str, _Session], data: bytes, order: int, place: int) -> None:
        try:
            message = decode(data)
            if isinstance(message, Message):
                noted.setdefault(message.sid, _Session()).note(message, order, place, len(data))
        except (ProtocolError, KeyError, TypeError, IndexError, ValueError):
            self._reader.health.damaged_records += 1

    @property
    def identity(self) -> tuple[IdentityEvent, ...]:
        """Tracks joined, and taken apart again, in order of publication."""
        return tuple(event for _, event in self._noted.identity.events)

    @property
    def num_windows(self) -> int:
        return len({window for window, _, _ in self._noted.windows})

    def frames(self) -> Iterator[TrackedFrame]:
        """The live tier in order of publication, late rows put in, by person; confirmed tracks only, rows by id."""
        with self.path.open("rb") as file:
            for message in self._reader.messages():
                if message.sid != self.sid or tier_of(message.topic) is not Tier.LIVE:
                    continue
                try:
                    frame = live_record(message)
                except ProtocolError:
                    continue  # counted as damage by the first pass or a foreign minor version's extra
                for place in self._noted.late.get((frame.camera, frame.index), ()):
                    rows = _read_late(file, place)
                    if rows is not None:
                        frame = merge_backfill(frame, self._without_undone(rows, place[0]))
                yield self.persons.frame(frame)

    def _without_undone(self, rows: TrackedFrame, order: int) -> TrackedFrame:
        """Late rows less those that led from one tracklet to another that is somebody else."""
        vain = [
            not seen and any(gap.holds(rows.t_capture_ns, order) for gap in self._undone.get(track, ()))
            for track, seen in zip(rows.person_ids.tolist(), rows.seen.tolist(), strict=True)
        ]
        return take_rows(rows, np.flatnonzero(~np.array(vain, bool))) if any(vain) else rows

    def windows(self) -> Iterator[WindowSolution]:
        """In order of the timeline, by person, what stands of each (`standing.py`)."""
        places = self._noted.windows.values()
        with self.path.open("rb") as file:
            for place in sorted(places, key=lambda p: (p.slot0, p.window, p.rev, p.order)):
                solution = _read_window(file, place)
                left = None if solution is None else self.standing.window(solution, place.order)
                if left is not None:
                    yield left


def _in_words(joined: int) -> str:
    match joined:
        case 0:
            return ""
        case 1:
            return "1 track is somebody who came back"
        case _:
            return f"{joined} tracks are people who came back"


@dataclass(frozen=True)
class UndoneGap:
    """The gap of a join that holds no longer, and while which of the log's points it held."""

    lost_ns: int
    found_ns: int
    since: int
    until: float

    def holds(self, t_capture_ns: int, order: int) -> bool:
        """A row of this time, published then, was put into the gap."""
        return self.lost_ns < t_capture_ns < self.found_ns and self.since < order < self.until


def undone_gaps(history: IdentityHistory, who: IdentityMap) -> dict[int, list[UndoneGap]]:
    """Of each track the gaps over which it was joined and is not any more."""
    gaps: dict[int, list[UndoneGap]] = {}
    until: dict[int, float] = {}
    for order, event in reversed(history.events):
        if event.change is IdentityChange.MERGE and who.person_of(event.track) != who.person_of(
            event.previous
        ):
            gap = UndoneGap(event.lost_ns, event.found_ns, order, until.get(event.track, np.inf))
            for track in {event.track, event.previous, event.person}:
                gaps.setdefault(track, []).append(gap)
        until[event.track] = order
    return gaps


def _read_late(file: IO[bytes], place: tuple[int, int]) -> TrackedFrame | None:
    """None for rows that are damaged."""
    try:
        message = decode(os.pread(file.fileno(), place[1], place[0]))
        return live_record(message) if isinstance(message, Message) else None
    except ProtocolError:
        return None


def _read_window(file: IO[bytes], place: _Publication) -> WindowSolution | None:
    """None for a window that is not whole: a part of it was damaged."""
    try:
        parts = [decode(os.pread(file.fileno(), size, offset)) for offset, size in place.parts]
        return window_record([part for part in parts if isinstance(part, Message)])
    except ProtocolError:
        return None


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
