"""Bytes to state: `thaw`. Distrusts every byte; whatever is wrong with them is one `CheckpointError`.

Records are built without their constructors and filled field by field. A record whose fields are not those of its
class today is refused: state of another version is never half taken over.
"""

from __future__ import annotations

import zlib
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Mapping
from enum import Enum
from itertools import pairwise
from typing import Any

import msgpack
import numpy as np

from ...kernels.errors import CrowdstreamError
from ...kernels.settings import StageConfig
from ..errors import CheckpointError
from .cells import DTYPES, FACTORIES, HEAD, MAGIC, MAX_BYTES, MAX_DEPTH, MAX_OBJECTS, VERSION, Code, Kind, Tag
from .classes import blank, class_of, fields_of

_GENERATORS = {cls.__name__: cls for cls in (
    np.random.PCG64, np.random.PCG64DXSM, np.random.Philox, np.random.SFC64, np.random.MT19937,
)}  # fmt: skip
_EMPTY = {Kind.LIST: list, Kind.DICT: dict, Kind.SET: set, Kind.COUNTER: Counter, Kind.ORDERED: OrderedDict}
_FIRST = (Kind.RECORD, Kind.LIST, Kind.DEQUE)
"""Filled before maps and sets, whose keys may be records."""


def thaw(data: bytes, outside: Mapping[str, object] | None = None, max_bytes: int = MAX_BYTES) -> Any:
    """The value that was frozen.

    Args:
        outside: what `freeze` was told to leave outside, under the same names.
        max_bytes: longer data is refused unread.

    Raises:
        CheckpointError: damaged, too long, of another version, or with a class that is not known or not allowed.
    """
    payload = _payload(data, max_bytes)
    try:
        tables, arrays, root = msgpack.unpackb(
            payload, strict_map_key=True, max_map_len=0, max_ext_len=0, ext_hook=_refuse,
            max_bin_len=max_bytes, max_str_len=max_bytes, max_array_len=MAX_OBJECTS,
        )  # fmt: skip
        return _Reader(tables, arrays, outside or {}).read(root)
    except CheckpointError:
        raise
    except (CrowdstreamError, ArithmeticError, AttributeError, LookupError, MemoryError, RecursionError, TypeError,
            ValueError, AssertionError, msgpack.UnpackException) as exc:  # fmt: skip
        raise CheckpointError(
            f"frozen state makes no sense ({type(exc).__name__}: {exc}); it cannot be gone on from"
        ) from exc


def _payload(data: bytes, max_bytes: int) -> memoryview:
    if len(data) > max_bytes:
        raise CheckpointError(f"frozen state of {len(data)} bytes, expected at most {max_bytes}")
    if len(data) < HEAD.size or data[:4] != MAGIC:
        raise CheckpointError(f"{len(data)} bytes that are no frozen state")
    _, version, _, length, crc = HEAD.unpack_from(data)
    if version != VERSION:
        raise CheckpointError(f"frozen state of version {version}, this engine reads {VERSION}")
    payload = memoryview(data)[HEAD.size :]
    if len(payload) != length or zlib.crc32(payload) != crc:
        raise CheckpointError("frozen state is damaged: length or checksum do not fit")
    return payload


def _refuse(code: int, _data: bytes) -> Any:
    raise CheckpointError(f"frozen state with a msgpack extension ({code})")


class _Reader:
    """One call of `thaw`."""

    def __init__(self, tables: list[Any], arrays: list[Any], outside: Mapping[str, object]) -> None:
        if not (isinstance(tables, list) and isinstance(arrays, list) and len(arrays) == 5):
            raise CheckpointError("frozen state without its tables or columns")
        if sum(int(table[3]) for table in tables) > MAX_OBJECTS:
            raise CheckpointError(f"frozen state with more than {MAX_OBJECTS} objects")
        self._outside = outside
        self._tables = tables
        self._kinds = [Kind(table[0]) for table in tables]
        self._arrays = arrays
        self._made: list[list[Any]] = [self._shells(*table) for table in tables]

    def read(self, root: Any) -> Any:
        """The root, once every row of every table is filled."""
        late = []
        for place, kind in enumerate(self._kinds):
            if kind in _FIRST:
                self._fill(place)
            elif kind is not Kind.ARRAY:
                late.append(place)
        for place in sorted(
            late, key=lambda p: self._kinds[p] is Kind.GENERATOR
        ):  # their state stands in maps
            self._fill(place)
        return self._value(root)

    # --- tables -----------------------------------------------------------------------------------

    def _shells(self, kind: str, name: str, names: list[str], count: int, batches: list[Any]) -> list[Any]:
        """Rows without their contents."""
        match Kind(kind):
            case Kind.ARRAY:
                return _arrays(count, *self._arrays)
            case Kind.RECORD:
                cls = class_of(name)
                _check_fields(name, cls, names)
                return [blank(cls) for _ in range(count)]
            case Kind.DEQUE:
                return [deque(maxlen=row[0]) for row in _exactly(batches, count)]
            case Kind.DEFAULTS:
                return [defaultdict(FACTORIES[row[0]]) for row in _exactly(batches, count)]
            case Kind.GENERATOR:
                return [np.random.Generator(_GENERATORS[name](0)) for name, _ in _exactly(batches, count)]
            case plain:
                return [_EMPTY[plain]() for _ in _exactly(batches, count)]

    def _fill(self, place: int) -> None:
        kind, (_, name, names, count, batches) = self._kinds[place], self._tables[place]
        made = self._made[place]
        if kind is Kind.RECORD:
            start = 0
            for rows, *columns in batches:
                self._fill_records(made[start : start + rows], names, columns)
                start += rows
            if start != count:
                raise CheckpointError(f"frozen state holds {start} of {count} {name!r:.80}")
            return
        for own, stored in zip(made, batches, strict=True):
            if kind is Kind.GENERATOR:
                own.bit_generator.state = self._value(stored[1])
            elif kind is Kind.LIST:
                own.extend(self._column(stored))
            elif kind is Kind.DEQUE:
                own.extend(self._column(stored[1]))
            elif kind is Kind.SET:
                own.update(self._column(stored))
            else:
                keys, values = stored[-2:]
                for key, value in zip(self._column(keys), self._column(values), strict=True):
                    own[key] = value  # not `update`: a counter would add

    def _fill_records(self, made: list[Any], names: list[str], columns: list[Any]) -> None:
        values = [_exactly(self._column(column), len(made)) for column in _exactly(columns, len(names))]
        if made and hasattr(made[0], "__dict__"):
            for own, *row in zip(made, *values, strict=True):
                own.__dict__.update(zip(names, row, strict=True))
            return
        for own, *row in zip(made, *values, strict=True):
            for name, value in zip(names, row, strict=True):
                object.__setattr__(own, name, value)

    # --- columns and cells ------------------------------------------------------------------------

    def _column(self, column: list[Any]) -> list[Any]:
        code, count, stored = column
        match Code(code):
            case Code.CELLS:
                values = [self._value(cell) for cell in stored]
            case Code.INT:
                values = np.frombuffer(stored, "<i8").tolist()
            case Code.FLOAT:
                values = np.frombuffer(stored, "<f8").tolist()
            case Code.BOOL:
                values = [byte == 1 for byte in stored]
            case Code.ROWS:
                made, rows = self._made[_index(stored[0])], np.frombuffer(stored[1], "<i4")
                if len(rows) and rows.min() < 0:
                    raise CheckpointError("frozen state with a row number below 0")
                values = [made[row] for row in rows.tolist()]
            case Code.SAME:
                if not 0 <= count <= MAX_OBJECTS:
                    raise CheckpointError(f"frozen state with {count} equal values")
                values = [self._value(stored)] * count
        return _exactly(values, count)

    def _value(self, cell: Any, depth: int = 0) -> Any:
        if not isinstance(cell, list):
            return cell
        if depth > MAX_DEPTH + 1:
            raise CheckpointError(f"frozen state with tuples nested deeper than {MAX_DEPTH}")
        tag, *rest = cell
        match Tag(tag):
            case Tag.TUPLE:
                return tuple(self._value(each, depth + 1) for each in rest)
            case Tag.ROW:
                return self._made[_index(rest[0])][_index(rest[1])]
            case Tag.ENUM:
                members = class_of(rest[0])
                if not issubclass(members, Enum):
                    raise CheckpointError(f"frozen state takes {rest[0]!r:.80} for an enumeration")
                return members.__members__[rest[1]]
            case Tag.BIG:
                if len(rest[0]) > 4000:
                    raise CheckpointError(f"frozen state with a number of {len(rest[0])} digits")
                return int(rest[0])
            case Tag.SCALAR:
                return np.frombuffer(rest[1], DTYPES[_index(rest[0])])[0]
            case Tag.FROZENSET:
                return frozenset(self._value(each, depth + 1) for each in rest)
            case Tag.CONFIG:
                return self._config(*rest, depth=depth)
            case Tag.OUTSIDE:
                if rest[0] not in self._outside:
                    raise CheckpointError(f"frozen state rests on {rest[0]!r:.40}, which is not given here")
                return self._outside[rest[0]]

    def _config(self, name: str, names: list[str], *cells: Any, depth: int) -> StageConfig:
        cls = class_of(name)
        if not issubclass(cls, StageConfig):
            raise CheckpointError(f"frozen state takes {name!r:.80} for settings")
        _check_fields(name, cls, names)
        values = (self._value(cell, depth + 1) for cell in cells)
        return cls(**dict(zip(names, values, strict=True)))


def _check_fields(name: str, cls: type, names: list[str]) -> None:
    if tuple(names) != fields_of(cls):
        changed = sorted(set(names) ^ set(fields_of(cls))) or ["their order"]
        raise CheckpointError(
            f"frozen state is of another version of the engine: {name!r:.80} differs in {', '.join(changed):.200}"
        )


def _exactly(values: list[Any], count: int) -> list[Any]:
    if len(values) != count:
        raise CheckpointError(f"frozen state with {len(values)} values where there must be {count}")
    return values


def _index(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise CheckpointError(f"frozen state with a place {value!r:.40}")
    return value


def _arrays(
    count: int, kinds: bytes, dims: bytes, sizes: bytes, axes: bytes, blobs: list[bytes]
) -> list[np.ndarray]:
    """Every array, in memory of its own."""
    shapes = np.frombuffer(sizes, "<u4").tolist()
    ends = np.cumsum(np.frombuffer(dims, np.uint8), dtype=np.int64).tolist()
    spans = [(kind, *span) for kind, span in zip(kinds, pairwise([0, *ends]), strict=True)]
    at = [0] * len(blobs)
    out = []
    for kind, start, end in _exactly(spans, count):
        dtype, shape = DTYPES[kind], shapes[start:end]
        elements = 1
        for size in shape:
            elements *= size
        begin, at[kind] = at[kind], at[kind] + elements * dtype.itemsize
        if at[kind] > len(blobs[kind]) or len(shape) != end - start:
            raise CheckpointError("frozen state ends inside an array")
        array = np.frombuffer(blobs[kind], dtype, elements, begin)
        order = axes[start:end]
        if order == bytes(range(len(order))):
            out.append(array.reshape(shape).copy())
            continue
        stored = np.array([shape[axis] for axis in order])
        back = np.argsort(np.frombuffer(order, np.uint8), kind="stable")
        out.append(array.reshape(stored).copy().transpose(back))
    if [len(blob) for blob in blobs] != at:
        raise CheckpointError("frozen state with bytes that belong to no array")
    return out
