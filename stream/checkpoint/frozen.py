"""State to bytes: `freeze`. The same state gives the same bytes, whatever its history; never pickle.

What can be frozen: plain values, numbers of any size, bytes, lists, tuples, maps, sets, deques, counters, default
maps, enumeration members, numpy arrays, scalars and generators, and the records of `classes`. A reference that is
shared stays shared, and cycles stay cycles; an array that was a view of another becomes one of its own.
Anything else (a function, a lock, a network) is refused with the path to it.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from enum import Enum
from operator import attrgetter, itemgetter
from typing import Any

import msgpack
import numpy as np

from ...kernels.settings import StageConfig
from ..errors import CheckpointError
from .cells import CONTAINERS, DTYPES, FACTORIES, HEAD, MAGIC, MAX_DEPTH, VERSION, Code, Kind, Tag
from .classes import fields_of, name_of, transient_of

Array = np.ndarray
Cell = Any
"""Of `cells`: a plain value, or a list that begins with a tag."""

_PLAIN = frozenset({type(None), bool, float, str, bytes})
_FEW = 6
"""Columns shorter than this are not worth an array."""
_DTYPE_AT = {dtype: place for place, dtype in enumerate(DTYPES)}
_IN_ORDER = bytes(range(64))
"""Axes of an array in C order; numpy has at most 64."""


def freeze(value: object, outside: Mapping[str, object] | None = None) -> bytes:
    """The bytes of a value.

    Args:
        outside: what is not frozen but only named, because whoever thaws it has the same: settings, networks, bodies.

    Raises:
        CheckpointError: something in it cannot be frozen; the message says where it stands.
    """
    writer = _Writer(outside or {})
    try:
        payload = msgpack.packb(writer.write(value))
    except _Refused as exc:
        raise CheckpointError(
            f"{_path_to(exc.culprit, value)} cannot be frozen: {exc}; name it in _TRANSIENT, or hand it in as `outside`"
        ) from None
    return HEAD.pack(MAGIC, VERSION, 0, len(payload), zlib.crc32(payload)) + bytes(payload)


class _Refused(Exception):
    def __init__(self, culprit: object, why: str) -> None:
        super().__init__(why)
        self.culprit = culprit


class _Table:
    """Everything of one class, in order of discovery."""

    def __init__(self, kind: Kind, cls: type) -> None:
        self.kind = kind
        self.name = name_of(cls) if kind is Kind.RECORD else ""
        self.fields = fields_of(cls) if kind is Kind.RECORD else ()
        self.rows: list[Any] = []
        self.done = 0
        """Rows that are encoded."""
        self.batches: list[Any] = []


class _Writer:
    """One call of `freeze`."""

    def __init__(self, outside: Mapping[str, object]) -> None:
        self._outside = {id(value): name for name, value in outside.items() if value is not None}
        self._outside_types = {type(value) for value in outside.values() if value is not None}
        self._tables: list[_Table] = []
        self._place: dict[type, int] = {}
        self._row: dict[int, int] = {}  # id -> row; the table follows from the type

    def write(self, value: object) -> list[Any]:
        """The payload: whatever a batch brings to light is encoded in the next one."""
        root = self._cell(value, 0)
        waiting = True
        while waiting:
            waiting = False
            for table in self._tables:  # grows meanwhile
                if table.kind is not Kind.ARRAY and table.done < len(table.rows):
                    rows, table.done = table.rows[table.done :], len(table.rows)
                    self._encode(table, rows)
                    waiting = True
        arrays = next((t.rows for t in self._tables if t.kind is Kind.ARRAY), [])
        tables = [[t.kind.value, t.name, list(t.fields), len(t.rows), t.batches] for t in self._tables]
        return [tables, _arrays(arrays), root]

    # --- tables -----------------------------------------------------------------------------------

    def _table_of(self, cls: type, value: object) -> int:
        place = self._place.get(cls)
        if place is None:
            kind = _kind_of(cls)
            try:
                self._tables.append(_Table(kind, cls))
            except CheckpointError as exc:
                raise _Refused(value, str(exc)) from None
            place = self._place[cls] = len(self._tables) - 1
        return place

    def _rows(self, table: int, values: Sequence[object]) -> bytes:
        """Row numbers of values of one class; those never seen get new ones."""
        known, rows, out = self._row, self._tables[table].rows, []
        for value in values:
            row = known.get(id(value))
            if row is None:
                row = known[id(value)] = len(rows)
                rows.append(value)
            out.append(row)
        return np.array(out, "<i4").tobytes()

    def _encode(self, table: _Table, rows: list[Any]) -> None:
        if table.kind is Kind.RECORD:
            columns = [self._column(values) for values in _columns(rows, table.fields)]
            table.batches.append([len(rows), *columns])
        else:
            table.batches += [self._container(table.kind, row) for row in rows]

    def _container(self, kind: Kind, row: Any) -> Cell:
        if kind is Kind.GENERATOR:
            return [type(row.bit_generator).__name__, self._cell(row.bit_generator.state, 0)]
        if kind is Kind.LIST:
            return self._column(row)
        if kind is Kind.DEQUE:
            return [row.maxlen, self._column(list(row))]
        if kind is Kind.SET:
            return self._column(self._ordered(row))
        entries = [self._column(list(row)), self._column(list(row.values()))]
        if kind is not Kind.DEFAULTS:
            return entries
        name = next((name for name, made in FACTORIES.items() if made is row.default_factory), None)
        if name is None:
            raise _Refused(row, f"a defaultdict of {row.default_factory!r}")
        return [name, *entries]

    def _ordered(self, values: set[Any] | frozenset[Any]) -> list[Any]:
        """A set in an order that follows from its members alone."""
        if all(type(value) is int for value in values):
            return sorted(values)
        cells = [self._cell(value, 0) if type(value) in (tuple, str) else None for value in values]
        if any(cell is None or _refers(cell) for cell in cells):
            return sorted(values, key=freeze)
        return [
            value
            for _, value in sorted(zip(map(msgpack.packb, cells), values, strict=True), key=itemgetter(0))
        ]

    # --- columns and cells ------------------------------------------------------------------------

    def _column(self, values: Sequence[Any]) -> list[Any]:
        n = len(values)
        kinds = set(map(type, values))
        if len(kinds) == 1 and (n >= _FEW or not kinds <= {int, float, bool}):
            cls = next(iter(kinds))
            if cls is float:
                return [Code.FLOAT, n, np.array(values, "<f8").tobytes()]
            if cls is bool:
                return [Code.BOOL, n, bytes(values)]
            if cls is int:
                try:
                    return [Code.INT, n, np.array(values, "<i8").tobytes()]
                except OverflowError:
                    pass
            elif cls is str or cls is type(None) or issubclass(cls, Enum):
                if n > 1 and all(value is values[0] for value in values):
                    return [Code.SAME, n, self._cell(values[0], 0)]
            elif _has_identity(cls) and cls not in self._outside_types:
                table = self._table_of(cls, values[0])
                return [Code.ROWS, n, [table, self._rows(table, values)]]
        return [Code.CELLS, n, [self._cell(value, 0) for value in values]]

    def _cell(self, value: Any, depth: int) -> Cell:
        cls = type(value)
        if cls in _PLAIN:
            return value
        if id(value) in self._outside:
            return [Tag.OUTSIDE, self._outside[id(value)]]
        if cls is int:
            return value if -(1 << 63) <= value < 1 << 63 else [Tag.BIG, str(value)]
        if depth > MAX_DEPTH:
            raise _Refused(value, f"tuples nested deeper than {MAX_DEPTH}")
        if cls is tuple:
            return [Tag.TUPLE, *(self._cell(each, depth + 1) for each in value)]
        if cls is frozenset:
            return [Tag.FROZENSET, *(self._flat(each, depth + 1) for each in self._ordered(value))]
        if issubclass(cls, Enum):
            return [Tag.ENUM, self._named(cls, value), value.name]
        if issubclass(cls, np.generic):
            return [Tag.SCALAR, self._dtype(np.asarray(value)), value.tobytes()]
        if issubclass(cls, StageConfig):
            names = list(fields_of(cls))
            cells = [self._flat(getattr(value, name), depth + 1) for name in names]
            return [Tag.CONFIG, self._named(cls, value), names, *cells]
        if not _has_identity(cls):
            raise _Refused(value, _describe(value))
        table = self._table_of(cls, value)
        return [Tag.ROW, table, int(np.frombuffer(self._rows(table, [value]), "<i4")[0])]

    def _flat(self, value: object, depth: int) -> Cell:
        """A cell that needs no table: what must be whole before anything else is."""
        cell = self._cell(value, depth)
        if _refers(cell):
            raise _Refused(value, f"{_describe(value)} inside a frozenset or a settings record")
        return cell

    def _named(self, cls: type, value: object) -> str:
        try:
            return name_of(cls)
        except CheckpointError as exc:
            raise _Refused(value, str(exc)) from None

    def _dtype(self, array: Array) -> int:
        place = _DTYPE_AT.get(array.dtype.newbyteorder("<"))
        if place is None:
            raise _Refused(array, f"an array of {array.dtype}")
        return place


def _kind_of(cls: type) -> Kind:
    if cls is np.ndarray:
        return Kind.ARRAY
    if cls is np.random.Generator:
        return Kind.GENERATOR
    if cls is defaultdict:
        return Kind.DEFAULTS
    return CONTAINERS.get(cls, Kind.RECORD)


def _has_identity(cls: type) -> bool:
    """Stands in a table, if it can be frozen at all."""
    return not (
        cls in (tuple, frozenset, int, *_PLAIN) or issubclass(cls, Enum | np.generic | StageConfig | type)
    )


def _refers(cell: Cell) -> bool:
    if not isinstance(cell, list):
        return False
    return cell[0] in (Tag.ROW, Tag.OUTSIDE) or any(map(_refers, cell[1:]))


def _columns(rows: list[Any], names: Sequence[str]) -> list[list[Any]]:
    """The fields of records of one class; a record with other attributes is refused."""
    out = []
    for name in names:
        try:
            out.append(list(map(attrgetter(name), rows)))
        except AttributeError:
            culprit = next(row for row in rows if not hasattr(row, name))
            raise _Refused(culprit, f"{_describe(culprit)} without its field {name!r}") from None
    plain = {*names, *transient_of(type(rows[0]))}
    if not hasattr(type(rows[0]), "__dataclass_fields__"):
        for row in rows:
            if not plain.issuperset(vars(row)):
                more = sorted(set(vars(row)) - plain)
                raise _Refused(
                    row, f"{_describe(row)} with {', '.join(more)}, which its constructor does not set"
                )
    return out


def _arrays(arrays: list[Array]) -> list[Any]:
    """[element types, dimensions, sizes, axes, a blob an element type]; an array lies in C order of its `axes`."""
    kinds, dims, axes = bytearray(), bytearray(), bytearray()
    sizes: list[int] = []
    blobs: list[list[bytes]] = [[] for _ in DTYPES]
    for array in arrays:
        place, shape = _DTYPE_AT.get(array.dtype), array.shape
        if place is None:
            place = _DTYPE_AT.get(array.dtype.newbyteorder("<"))
            if place is None:
                raise _Refused(array, f"an array of {array.dtype}")
            array = array.astype(DTYPES[place])
        kinds.append(place)
        dims.append(len(shape))
        sizes += shape
        if array.size == 0 or array.flags.c_contiguous:
            axes += _IN_ORDER[: len(shape)]
        else:  # sums round by the order in memory, so it is kept
            steps = [
                abs(step) if size > 1 else np.inf for size, step in zip(shape, array.strides, strict=True)
            ]
            order = np.argsort(np.negative(steps), kind="stable")
            axes += bytes(order.tolist())
            array = array.transpose(order)
        if array.size:
            blobs[place].append(array.tobytes())
    return [
        bytes(kinds), bytes(dims), np.array(sizes, "<u4").tobytes(), bytes(axes),
        [b"".join(blob) for blob in blobs],
    ]  # fmt: skip


# --- where something stands -------------------------------------------------------------------------------


def _describe(value: object) -> str:
    if callable(value) and hasattr(value, "__qualname__"):
        return f"a function ({value.__qualname__})"
    return f"a {type(value).__qualname__}"


def _path_to(culprit: object, root: object) -> str:
    """How one gets from the root to a value: `SiteStage._tracker._past[3]`."""
    waiting: list[tuple[object, str]] = [(root, type(root).__name__)]
    seen = {id(root)}
    while waiting:
        value, path = waiting.pop(0)
        if value is culprit:
            return path
        for inner, step in _steps(value):
            if id(inner) not in seen:
                seen.add(id(inner))
                waiting.append((inner, path + step))
    return type(root).__name__


def _steps(value: object) -> list[tuple[object, str]]:
    if isinstance(value, Mapping):
        return [(key, f"[key {key!r:.30}]") for key in value] + [
            (v, f"[{k!r:.30}]") for k, v in value.items()
        ]
    if isinstance(value, Sequence | set | frozenset) and not isinstance(value, str | bytes):
        return [(each, f"[{k}]") for k, each in enumerate(value)]
    if hasattr(value, "__dataclass_fields__"):
        return [(getattr(value, n, None), f".{n}") for n in value.__dataclass_fields__]
    if (
        isinstance(value, np.ndarray | np.generic)
        or not hasattr(value, "__dict__")
        or isinstance(value, type)
    ):
        return []
    return [(each, f".{name}") for name, each in vars(value).items()]
