"""Fetch a catalogue network: bounded download, sum checked before the file appears, atomic.

Only https addresses of the catalogue are opened. A zip is read in memory for its one member; nothing is unpacked.
"""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable
from pathlib import Path

from ..errors import ModelError
from .catalogue import CatalogueEntry

MAX_BYTES = 1 << 30
"""More than any network of the catalogue; a longer download is cut off."""
_CHUNK_BYTES = 1 << 18

Progress = Callable[[int, int | None], None]
"""Called with (bytes so far, total or None)."""


def open_url(url: str) -> io.BufferedIOBase:
    """The body of a GET, with a time limit."""
    return urllib.request.urlopen(url, timeout=30)  # type: ignore[no-any-return]


def pull(
    entry: CatalogueEntry,
    folder: Path,
    progress: Progress = lambda done, total: None,
    opener: Callable[[str], io.BufferedIOBase] = open_url,
) -> Path:
    """Download an entry into the folder; returns the file's path.

    Raises:
        ModelError: no public address, network failure, wrong sum, no such member, folder not writable.
    """
    if entry.url is None:
        raise ModelError(
            f"{entry.name} has no stable public address ({entry.note}); bring {entry.file} yourself"
        )
    if not entry.url.startswith("https://"):
        raise ModelError(f"{entry.name}: refusing {entry.url}: not https")
    content = _fetch(entry, progress, opener)
    if entry.member is not None:
        content = _member(entry, content)
    digest = hashlib.sha256(content).hexdigest()
    if entry.sha256 is not None and digest != entry.sha256:
        raise ModelError(
            f"{entry.name}: got sha256 {digest}, the catalogue says {entry.sha256}; nothing was stored"
        )
    return _store(folder, entry.file, content)


def _fetch(entry: CatalogueEntry, progress: Progress, opener: Callable[[str], io.BufferedIOBase]) -> bytes:
    assert entry.url is not None
    parts: list[bytes] = []
    done = 0
    try:
        with opener(entry.url) as body:
            while chunk := body.read(_CHUNK_BYTES):
                done += len(chunk)
                if done > MAX_BYTES:
                    raise ModelError(
                        f"{entry.name}: more than {MAX_BYTES >> 20} MiB came; not a network of ours"
                    )
                parts.append(chunk)
                progress(done, entry.size_bytes)
    except (urllib.error.URLError, OSError) as exc:
        reason = getattr(exc, "reason", exc)
        raise ModelError(f"cannot fetch {entry.name} from {entry.url}: {reason}") from exc
    return b"".join(parts)


def _member(entry: CatalogueEntry, archive: bytes) -> bytes:
    assert entry.member is not None
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as bundle:
            hits = [i for i in bundle.infolist() if i.filename.endswith(entry.member)]
            if not hits:
                raise ModelError(f"{entry.name}: the download has no {entry.member}")
            if hits[0].file_size > MAX_BYTES:
                raise ModelError(
                    f"{entry.name}: {entry.member} unpacks to {hits[0].file_size} bytes; refused"
                )
            return bundle.read(hits[0])
    except zipfile.BadZipFile as exc:
        raise ModelError(f"{entry.name}: the download is not a zip") from exc


def _store(folder: Path, name: str, content: bytes) -> Path:
    target = folder / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        fd, temp = tempfile.mkstemp(dir=folder, prefix=f".{name}.")
        with os.fdopen(fd, "wb") as handle:
            handle.write(content)
            handle.flush()
            os.fsync(handle.fileno())
        os.chmod(temp, 0o644)
        os.replace(temp, target)
    except OSError as exc:
        raise ModelError(f"cannot store {target}: {exc.strerror or exc}") from exc
    return target
