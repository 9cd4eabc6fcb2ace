"""Which classes may stand in frozen state, and what their fields are.

Dataclasses, settings records and enumerations of `crowdstream.stream` and `crowdstream.kernels`; plain classes only
where they are named below. What is read is looked up among the classes this process has imported already: bytes never
decide what is imported, and nothing of a class is called but what a frozen record's hash is made of.

A plain class holds its state in what `__init__` assigns. What is no state (a thread pool, an open file) it names in
`_TRANSIENT`; such attributes come back as None.
"""

from __future__ import annotations

import dis
import inspect
import sys
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any, TypeVar

from ...kernels.settings import StageConfig
from ..errors import CheckpointError

C = TypeVar("C", bound=type)

_ROOT = __name__.removesuffix(".stream.checkpoint.classes")
_PACKAGES = (f"{_ROOT}.stream.", f"{_ROOT}.kernels.")

_PLAIN = {
    "stream.calibrate": ("CalibrationStage",),
    "stream.export.merge": ("WindowMerger",),
    "stream.identity": ("IdentityMap",),
    "stream.refine.guides": ("GuideBank",),
    "stream.refine.persons": ("PersonReviser",),
    "stream.refine.printed": ("PrintedGuidance",),
    "stream.refine.timeline": ("Timelines",),
    "stream.stitch.scene": ("SceneMemory",),
    "stream.stitch.stage": ("StitchStage",),
    "stream.track": ("TrackingStage",),
    "stream.track_backfill": ("Backfill",),
    "stream.windows": ("WindowAssembler",),
    "kernels.grouping.bank": ("GroupBank",),
}
"""Plain classes that are state, by module."""

_registered: dict[str, type] = {}


def register(cls: C) -> C:
    """Allows one more class, of any package; as a decorator."""
    _registered[_name(cls)] = cls
    return cls


@cache
def name_of(cls: type) -> str:
    """The name a class is frozen under.

    Raises:
        CheckpointError: instances of the class cannot be frozen.
    """
    name = _name(cls)
    if not _is_allowed(cls, name):
        raise CheckpointError(f"a {cls.__qualname__} of {cls.__module__}")
    return name


def class_of(name: str) -> type:
    """The class of a name.

    Raises:
        CheckpointError: unknown here, or not allowed.
    """
    if name in _registered:
        return _registered[name]
    module, _, qualname = name.partition(":")
    found: object = sys.modules.get(f"{_ROOT}.{module}")
    for part in qualname.split("."):
        found = vars(found).get(part) if found is not None and hasattr(found, "__dict__") else None
    if not isinstance(found, type) or _name(found) != name or not _is_allowed(found, name):
        raise CheckpointError(f"frozen state holds a {name!r:.80}, which this engine does not know")
    return found


@cache
def fields_of(cls: type) -> tuple[str, ...]:
    """Names of the attributes that are state, in a fixed order."""
    if issubclass(cls, StageConfig):
        return tuple(cls.model_fields)
    if is_dataclass(cls):
        return tuple(field.name for field in fields(cls))
    transient = getattr(cls, "_TRANSIENT", ())
    return tuple(name for name in _assigned(cls) if name not in transient)


def transient_of(cls: type) -> tuple[str, ...]:
    """Names of the attributes that are not."""
    return tuple(getattr(cls, "_TRANSIENT", ()))


def blank(cls: Any) -> Any:
    """An instance without any of its fields; no constructor runs."""
    made = object.__new__(cls)
    for name in transient_of(cls):
        object.__setattr__(made, name, None)
    return made


def _name(cls: type) -> str:
    return f"{cls.__module__.removeprefix(_ROOT + '.')}:{cls.__qualname__}"


def _is_allowed(cls: type, name: str) -> bool:
    if cls.__qualname__ != cls.__qualname__.replace("<locals>", "") or hasattr(cls, "__del__"):
        return name in _registered  # who cleans up after itself would do so with attributes out of a file
    if name in _registered:
        return True
    if not cls.__module__.startswith(_PACKAGES):
        return False
    module, _, qualname = name.partition(":")
    return is_dataclass(cls) or issubclass(cls, StageConfig | Enum) or qualname in _PLAIN.get(module, ())


def _assigned(cls: type) -> tuple[str, ...]:
    """Names that the constructors of a class and its bases store, in their order."""
    names: dict[str, None] = {}
    for base in reversed(cls.__mro__):
        if inspect.isfunction(init := vars(base).get("__init__")):
            code = inspect.unwrap(init).__code__
            names |= {str(op.argval): None for op in dis.get_instructions(code) if op.opname == "STORE_ATTR"}
    return tuple(names)
