"""One file of a log that is held open: where its messages stand, and the names it goes through.

x.cslog           is written to
x.cslog.next      its successor, until it takes its place
x-000007.cslog    the seventh that was laid aside
"""

from __future__ import annotations

import os
import re
from array import array
from bisect import bisect_left
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import LogError

_NUMBER = re.compile(r"-(\d{6,})$")


@dataclass
class Places:
    """Where the messages of one topic stand, by number; compact, as it grows with the stream."""

    seqs: array[int] = field(default_factory=lambda: array("q"))
    offsets: array[int] = field(default_factory=lambda: array("q"))
    lengths: array[int] = field(default_factory=lambda: array("q"))

    def add(self, seq: int, offset: int, length: int) -> None:
        self.offsets.append(offset)
        self.lengths.append(length)
        self.seqs.append(seq)  # last: a reader in another thread sees only complete rows

    def find(self, seq: int) -> tuple[int, int] | None:
        """Offset and length."""
        i = bisect_left(self.seqs, seq)
        if i < len(self.seqs) and self.seqs[i] == seq:
            return self.offsets[i], self.lengths[i]
        return None


@dataclass
class LogFile:
    """An open file and where everything in it stands, by session and topic."""

    fd: int
    places: dict[tuple[str, str], Places] = field(default_factory=dict)

    def first(self, key: tuple[str, str]) -> int | None:
        """The oldest number of a topic."""
        places = self.places.get(key)
        return places.seqs[0] if places else None

    def read(self, key: tuple[str, str], seq: int) -> bytes | None:
        """One message; None where the file does not hold it, or cannot be read."""
        places = self.places.get(key)
        found = places.find(seq) if places else None
        if found is None:
            return None
        try:
            data = os.pread(self.fd, found[1], found[0])
        except OSError:
            return None
        return data if len(data) == found[1] else None

    def close(self) -> None:
        """A second call does nothing."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


# --- names ------------------------------------------------------------------------------------------------


def successor(path: Path) -> Path:
    """What a log's successor is called until it takes its place."""
    return path.with_name(path.name + ".next")


def laid_aside(path: Path) -> list[Path]:
    """Logs of this name that were laid aside, oldest first.

    Raises:
        LogError: the folder cannot be read.
    """
    try:
        names = [entry.name for entry in os.scandir(path.parent)]
    except FileNotFoundError:
        return []
    except OSError as exc:
        raise LogError(f"cannot read {path.parent}: {exc.strerror or exc}") from exc
    found = [(number, path.with_name(name)) for name in names if (number := _number(path, name)) is not None]
    return [name for _, name in sorted(found)]


def next_aside(path: Path) -> Path:
    """The name under which a log is laid aside next."""
    taken = laid_aside(path)
    number = (_number(path, taken[-1].name) or 0) + 1 if taken else 1
    return path.with_name(f"{path.stem}-{number:06d}{path.suffix}")


def finish_laying_aside(path: Path) -> None:
    """Where an engine died between two names: the successor, which is whole by then, takes its place.

    Raises:
        LogError: the disk refuses.
    """
    if not path.exists() and successor(path).exists():
        try:
            os.replace(successor(path), path)
        except OSError as exc:
            raise LogError(f"cannot go on in {successor(path)}: {exc.strerror or exc}") from exc


def drop_successor(path: Path) -> None:
    """What is left of one that never took its place."""
    with suppress(OSError):
        successor(path).unlink(missing_ok=True)


def _number(path: Path, name: str) -> int | None:
    stem, suffix = os.path.splitext(name)
    found = _NUMBER.search(stem)
    if suffix != path.suffix or found is None or stem[: found.start()] != path.stem:
        return None
    return int(found[1])
