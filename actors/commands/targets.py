"""Files a command will write at its end: refused at its beginning, where refusing costs nothing."""

from __future__ import annotations

import os
from pathlib import Path

from ...kernels.errors import CrowdstreamError


class TargetError(CrowdstreamError):
    """A file that cannot be written, or must not be."""


def check_target(path: Path, option: str, keep: tuple[str | Path | None, ...] = ()) -> None:
    """Make the folder of a file to come, and see that it can be written.

    Args:
        option: how the user named it, for the message.
        keep: files the command reads or writes too; the target may be none of them.

    Raises:
        TargetError: a folder, a file of `keep`, or nothing this process may write.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise TargetError(f"{option} {path} is a folder; name a file in it")
        if any(other is not None and path.resolve() == Path(other).resolve() for other in keep):
            raise TargetError(
                f"{option} {path} is a file this command needs for something else; name another"
            )
        _try_to_write(path)
    except OSError as exc:
        raise TargetError(f"cannot write {option} {path}: {exc.strerror or exc}; name another file") from exc


def _try_to_write(path: Path) -> None:
    """Permissions alone do not tell: folders may be read-only, full, or of a kind that takes no files."""
    if path.exists():
        path.open("ab").close()
    else:
        path.touch()
        path.unlink()


def write_text(path: Path, text: str) -> None:
    """The whole text or, with an error, what was there before.

    Raises:
        TargetError: the disk refuses.
    """
    if path.exists() and not path.is_file():  # a pipe or a device
        path.write_text(text, encoding="utf-8")
        return
    part = path.with_name(path.name + ".part")
    try:
        part.write_text(text, encoding="utf-8")
        os.replace(part, path)
    except OSError as exc:
        part.unlink(missing_ok=True)
        raise TargetError(f"cannot write {path}: {exc.strerror or exc}") from exc
