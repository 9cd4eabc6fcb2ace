"""Files of plain arrays and JSON, written whole or not at all: same content, same bytes; no pickle either way."""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO
from zipfile import BadZipFile

import numpy as np

from ...kernels.errors import CrowdstreamError

Array = np.ndarray


class CrowdFolderError(CrowdstreamError):
    """A crowd folder that is missing, damaged, foreign or in the way."""


def write_arrays(path: Path, arrays: Mapping[str, Array]) -> None:
    """An npz, compressed, with fixed dates inside.

    Raises:
        CrowdFolderError: the file cannot be written.
    """
    plain = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    for name, array in plain.items():
        if array.dtype.hasobject or array.dtype.kind not in "biuf":
            raise CrowdFolderError(f"{path}: '{name}' has type {array.dtype}, expected plain numbers")
    write_whole(path, lambda file: np.savez_compressed(file, allow_pickle=False, **plain))


def read_arrays(path: Path, names: tuple[str, ...]) -> dict[str, Array]:
    """The named arrays of an npz.

    Raises:
        CrowdFolderError: no such file, damaged, or without one of the arrays.
    """
    try:
        # opened here: numpy leaves a file open that it finds damaged
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            missing = [name for name in names if name not in file.files]
            if missing:
                raise CrowdFolderError(f"{path} lacks {', '.join(missing)}; was it made by something else?")
            return {name: file[name] for name in names}
    except FileNotFoundError as error:
        raise CrowdFolderError(f"{path} is missing; make the crowd again") from error
    except (
        BadZipFile,
        EOFError,
        OSError,
        ValueError,
        KeyError,
        zlib.error,
        AttributeError,
        TypeError,
    ) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CrowdFolderError(f"{path} is damaged ({first}); make the crowd again") from error


def write_json(path: Path, document: Mapping[str, Any]) -> None:
    """Indented JSON; keys in the given order; numbers with every digit."""
    text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    write_whole(path, lambda file: file.write(text.encode()))


def read_json(path: Path) -> dict[str, Any]:
    """An object.

    Raises:
        CrowdFolderError: no such file, not JSON, or not an object.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CrowdFolderError(f"cannot read {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise CrowdFolderError(f"{path} is not JSON ({error}); make the crowd again") from error
    if not isinstance(document, dict):
        raise CrowdFolderError(f"{path} holds a {type(document).__name__}, expected an object")
    return document


def write_whole(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Writes beside the place and renames: readers find the old file or the new one, never half of one."""
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            write(file)
        os.replace(part, path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise CrowdFolderError(f"cannot write {path}: {error.strerror or error}") from error
