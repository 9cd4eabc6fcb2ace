"""Writing and reading the append-only log; its bytes are those of `log_format`.

The writer cuts an unfinished tail when it goes on with a log, and answers for the durable messages it holds. It can
lay the log aside and go on in a new one (`ledger`), so that neither disk nor restart depends on how long it runs.
The reader never fails on damage inside a log: it counts and says what it left out.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from ..checkpoint.faults import reached
from ..errors import LogError, ProtocolError
from .codec import decode, glance
from .ledger import Ledger, before_of
from .log_file import LogFile, Places, drop_successor, finish_laying_aside, successor
from .log_format import (
    FILE_HEAD,
    MAGIC,
    RECORD_HEAD,
    VERSION,
    LogHealth,
    LogRecord,
    check_head,
    is_barely_begun,
    pack_record,
    scan,
)
from .messages import DURABLE, Kind, Message, tier_of

_CLOEXEC = getattr(os, "O_CLOEXEC", 0)
_HEAD = FILE_HEAD.pack(MAGIC, *VERSION, 0)

# --- writing ----------------------------------------------------------------------------------------------


class LogWriter:
    """Appends commits to one log; also answers `read(topic, seq)` for the durable topics of its own session.

    Raises LogError for everything the disk refuses; the file then ends where the last whole record ends,
    and the next append tries again.
    """

    def __init__(self, path: Path, append: bool = False) -> None:
        """Starts a new log (replacing an old *log* of that name), or goes on with an old one."""
        self.path = Path(path)
        self.health = LogHealth()
        self.last_seq: dict[tuple[str, str], int] = {}
        """Newest number per (session, topic) that the log held when it was opened."""
        self.last_state: bytes = b""
        """Packed warm-start state of the last commit that had one."""
        self.ledger = Ledger()
        """What the whole log adds up to, with those that were laid aside."""
        self._end = 0
        self._head_bytes = FILE_HEAD.size
        self._older: LogFile | None = None
        self._lock = threading.Lock()  # subscribers' threads read while files change their names
        if append:
            finish_laying_aside(self.path)
        else:
            drop_successor(self.path)
        exists = self.path.exists() and not is_barely_begun(self.path)
        if exists:
            check_head(self.path)  # whatever is not a log is not overwritten
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT | (0 if append and exists else os.O_TRUNC)
            self._file = LogFile(os.open(self.path, flags | _CLOEXEC, 0o644))
        except OSError as exc:
            raise LogError(f"cannot write {self.path}: {exc.strerror or exc}") from exc
        try:
            if append and exists:
                self._recover()
            else:
                self._write(_HEAD)
                self._sync_folder()
        except BaseException:
            self._file.close()
            raise

    def _recover(self) -> None:
        for record in scan(self.path, self.health):
            self._end = record.end
            if self.ledger.take_over(record):
                self.last_seq = {(self.ledger.sid, topic): seq for topic, seq in self.ledger.seqs.items()}
                self._note_head(record)
                self._head_bytes = record.end
                continue
            self.last_state = record.state or self.last_state
            for data, place in zip(record.messages, record.places, strict=True):
                message = glance(data)
                if isinstance(message, Message):
                    self.last_seq[message.sid, message.topic] = message.seq
                    self._note(message, data, place)
        self._end = max(self._end, FILE_HEAD.size)
        try:
            os.ftruncate(self._file.fd, self._end)
        except OSError as exc:
            raise LogError(f"cannot cut the unfinished tail of {self.path}: {exc.strerror or exc}") from exc

    def _note_head(self, record: LogRecord) -> None:
        """What was published before this log, and is in it so that it can be read by itself; not found by number."""
        for data in record.messages:
            with suppress(ProtocolError):
                message = glance(data)
                if isinstance(message, Message):
                    self.ledger.note(message, data)

    def _note(self, message: Message, data: bytes, place: int) -> None:
        if tier_of(message.topic) in DURABLE:
            places = self._file.places.setdefault((message.sid, message.topic), Places())
            places.add(message.seq, place, len(data))
        with suppress(ProtocolError):  # an event of a later version; its number was noted
            self.ledger.note(message, data)

    @property
    def num_bytes(self) -> int:
        """Length of the log with all that was laid aside, bytes."""
        return self.ledger.base_bytes + self._end

    @property
    def file_bytes(self) -> int:
        """What was committed to the file that is written to."""
        return self._end - self._head_bytes

    def append(self, messages: Sequence[Message], packed: Sequence[bytes], state: bytes = b"") -> None:
        """Commits messages in one record; it is in the operating system's hands, not yet on the disk (`sync`)."""
        record = pack_record(packed, state)
        start = self._end + RECORD_HEAD.size + 4
        self._write(record)
        for message, data in zip(messages, packed, strict=True):
            self._note(message, data, start + 4)
            start += 4 + len(data)
        reached("after_append")

    def sync(self) -> None:
        """Returns when everything appended is on the disk."""
        try:
            os.fdatasync(self._file.fd)
        except OSError as exc:
            raise LogError(f"cannot commit to {self.path}: {exc.strerror or exc}") from exc
        reached("after_sync")

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        written = 0
        try:
            if self._end:  # not the head
                reached("before_append")
            while written < len(data):
                written += os.pwrite(self._file.fd, view[written:], self._end + written)
        except OSError as exc:
            try:
                os.ftruncate(self._file.fd, self._end)
            except OSError:
                pass  # the half record is skipped by every reader, and overwritten by the next append
            raise LogError(f"cannot write {self.path}: {exc.strerror or exc}") from exc
        self._end += len(data)

    def _sync_folder(self) -> None:
        """A new file survives a power cut only once its folder is on the disk too."""
        try:
            fd = os.open(self.path.parent, os.O_RDONLY)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)
        except OSError:
            pass  # some file systems cannot; the records are still safe

    def lay_aside(self, name: Path) -> None:
        """Gives the log so far another name and goes on in a new one, whose first record says what came before.

        Raises:
            LogError: the disk refuses; everything stays as it was.
        """
        messages, state = self.ledger.head(self._end)
        data = _HEAD + pack_record(messages, state)
        self.sync()
        fd = self._begin_successor(data)
        try:
            self._rename(name)
        except OSError as exc:
            os.close(fd)
            drop_successor(self.path)
            raise LogError(f"cannot lay {self.path} aside: {exc.strerror or exc}") from exc
        self._sync_folder()
        with self._lock:
            if self._older is not None:
                self._older.close()
            self._older, self._file = self._file, LogFile(fd)
        self.ledger.base_bytes += self._end
        self._end = self._head_bytes = len(data)
        reached("after_log_rename")

    def _begin_successor(self, data: bytes) -> int:
        """Writes a log's first bytes beside it; an open file."""
        fd, view = -1, memoryview(data)
        try:
            fd = os.open(successor(self.path), os.O_RDWR | os.O_CREAT | os.O_TRUNC | _CLOEXEC, 0o644)
            while view:
                view = view[os.write(fd, view) :]
            os.fsync(fd)
        except OSError as exc:
            if fd >= 0:
                os.close(fd)
            drop_successor(self.path)
            raise LogError(f"cannot begin {successor(self.path)}: {exc.strerror or exc}") from exc
        return fd

    def _rename(self, name: Path) -> None:
        reached("before_log_rename")
        os.replace(self.path, name)
        try:
            reached("between_log_renames")
            os.replace(successor(self.path), self.path)
        except OSError:
            os.replace(name, self.path)
            raise

    def first(self, sid: str, topic: str) -> int | None:
        """The oldest number of a durable topic in the log, or in the one laid aside last."""
        with self._lock:
            files = [file for file in (self._older, self._file) if file is not None]
            return next((seq for file in files if (seq := file.first((sid, topic))) is not None), None)

    def read(self, sid: str, topic: str, seq: int) -> bytes | None:
        """A committed message of a durable topic; None where neither of both files holds it."""
        with self._lock:
            data = self._file.read((sid, topic), seq)
            return data if data is not None or self._older is None else self._older.read((sid, topic), seq)

    def close(self) -> None:
        """Syncs and closes; a second call does nothing."""
        if self._file.fd < 0:
            return
        try:
            self.sync()
        finally:
            with self._lock:
                self._file.close()
                if self._older is not None:
                    self._older.close()

    def __enter__(self) -> LogWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _e: BaseException | None, _t: TracebackType | None
    ) -> None:
        self.close()


# --- reading ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class LogIndex:
    """Where everything stands, after one pass."""

    first_seq: Mapping[tuple[str, str], int]
    """Per (session, topic)."""
    last_seq: Mapping[tuple[str, str], int]
    highest_rev: Mapping[tuple[str, int, int], int]
    """Per (session, window, person)."""
    sessions: tuple[str, ...]
    """In order of appearance."""
    places: Mapping[tuple[str, str], Places]
    health: LogHealth

    def holds(self, sid: str, topic: str, seq: int) -> bool:
        places = self.places.get((sid, topic))
        return places is not None and places.find(seq) is not None


class LogReader:
    """Reads a log that may still be written to, cut short or damaged."""

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise LogError(f"no log at {self.path}; give a file written by `crowdstream run --record`")
        check_head(self.path)
        self.health = LogHealth()
        """Of the last complete pass."""

    def records(self) -> Iterator[LogRecord]:
        """Every whole record in order of commit."""
        health = LogHealth()
        yield from scan(self.path, health)
        self.health = health

    def messages(self) -> Iterator[Message]:
        """Every readable message in order of commit; one that breaks the protocol counts as damage."""
        broken = 0
        for record in self.records():
            for data in record.messages:
                try:
                    message = decode(data)
                except ProtocolError:
                    broken += 1
                    continue
                if isinstance(message, Message):
                    yield message
        self.health.damaged_records += broken

    def schemas(self) -> Iterator[Message]:
        return (message for message in self.messages() if message.kind is Kind.SCHEMA)

    def last_state(self) -> dict[str, Any] | None:
        """The warm-start state of the last commit that had one."""
        last: LogRecord | None = None
        for record in self.records():
            last = record if record.state and before_of(record) is None else last
        return last.decode_state() if last else None

    def index(self) -> LogIndex:
        """One pass over the log."""
        first: dict[tuple[str, str], int] = {}
        last: dict[tuple[str, str], int] = {}
        revs: dict[tuple[str, int, int], int] = {}
        places: dict[tuple[str, str], Places] = {}
        for record in self.records():
            for data, place in zip(record.messages, record.places, strict=True):
                try:
                    message = decode(data)
                except ProtocolError:
                    continue
                if not isinstance(message, Message):
                    continue
                key = (message.sid, message.topic)
                first.setdefault(key, message.seq)
                last[key] = message.seq
                places.setdefault(key, Places()).add(message.seq, place, len(data))
                if message.window is not None and message.rev is not None:
                    for person in _people(message):
                        at = (message.sid, message.window, person)
                        revs[at] = max(message.rev, revs.get(at, 0))
        sessions = tuple(dict.fromkeys(sid for sid, _ in first))
        return LogIndex(first, last, revs, sessions, places, self.health)


class LogHistory:
    """A finished log as the hub's history: answers for every topic of every session in it."""

    def __init__(self, reader: LogReader) -> None:
        self.index = reader.index()
        self._file = reader.path.open("rb")

    def first(self, sid: str, topic: str) -> int | None:
        """The oldest number of a topic."""
        return self.index.first_seq.get((sid, topic))

    def read(self, sid: str, topic: str, seq: int) -> bytes | None:
        """One message by number; None where the log does not hold it."""
        places = self.index.places.get((sid, topic))
        found = places.find(seq) if places else None
        return None if found is None else os.pread(self._file.fileno(), found[1], found[0])

    def close(self) -> None:
        self._file.close()


def _people(message: Message) -> list[int]:
    ids = message.body.get("person_ids")
    return [int(i) for i in ids.ravel()] if isinstance(ids, np.ndarray) else []
