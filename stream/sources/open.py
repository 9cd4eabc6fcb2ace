"""The recording that a user names, opened."""

from __future__ import annotations

from pathlib import Path

from ..errors import SourceError
from .base import Source, SourceConfig
from .file import FileSource
from .folder import FolderSource


def open_source(spec: str, config: SourceConfig | None = None) -> Source:
    """The source that `spec` names: a video file or a folder of images.

    Raises:
        SourceError: nothing there, nothing usable in it, or a kind that this version does not read.
    """
    if spec.startswith("file://"):
        spec = spec.removeprefix("file://")
    elif "://" in spec or spec.startswith("device:"):
        kind = spec.split(":", 1)[0]
        raise SourceError(f"cannot read a '{kind}' source; expected a video file or a folder of images")
    path = Path(spec).expanduser()
    if path.is_dir():
        return FolderSource(path, config)
    return FileSource(path, config)
