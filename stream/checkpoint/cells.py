"""The layout of frozen state; `frozen` writes it, `thawed` reads it.

    bytes   =  magic (4)  version u16  zero u16  length u32  crc32 u32  payload      big-endian, crc over the payload
    payload =  msgpack of [tables, arrays, root cell]

Everything with an identity is a row of a table, one table a class, so shared references and cycles cost nothing:

    table   =  [kind, name, fields, count, batches]
    batch   =  of records: [rows, column a field]; of containers: a row a container (`CONTAINERS`)
    column  =  [code, count, values]: whole numbers, numbers and row numbers as arrays, anything else as cells
    cell    =  nil, bool, int, float, text, bytes as they are; else [tag, ...]

Records are stored by columns because state is many rows of few classes: that is ten times faster than one by one.
Arrays of one element type lie behind one another. No map, no extension type, no name of anything to be called.
"""

from __future__ import annotations

import struct
from collections import Counter, OrderedDict, deque
from enum import IntEnum, StrEnum

import numpy as np

MAGIC = b"\x89CSF"
VERSION = 1
HEAD = struct.Struct(">4sHHII")

MAX_BYTES = 1 << 28
"""Frozen state of a stage; a refiner with 1,000 people stays below."""
MAX_OBJECTS = 4_000_000
"""Rows of all tables together: a few bytes may claim many equal rows."""
MAX_DEPTH = 32
"""Of tuples in tuples; all else is flat."""

DTYPES: tuple[np.dtype, ...] = tuple(
    np.dtype(name) for name in
    ("?", "u1", "<u2", "<u4", "<u8", "i1", "<i2", "<i4", "<i8", "<f2", "<f4", "<f8", "<c8", "<c16")
)  # fmt: skip
"""Element types of arrays; an array's is named by its place here."""


class Kind(StrEnum):
    """What the rows of a table are."""

    RECORD = "record"
    ARRAY = "array"
    GENERATOR = "generator"
    LIST = "list"
    DICT = "dict"
    SET = "set"
    DEQUE = "deque"
    COUNTER = "counter"
    ORDERED = "ordered"
    DEFAULTS = "defaults"


CONTAINERS: dict[type, Kind] = {
    list: Kind.LIST, dict: Kind.DICT, set: Kind.SET, deque: Kind.DEQUE, Counter: Kind.COUNTER,
    OrderedDict: Kind.ORDERED,
}  # fmt: skip
"""Besides `defaultdict`, whose row begins with its factory's name."""
FACTORIES: dict[str, type] = {
    "int": int, "float": float, "list": list, "dict": dict, "set": set, "deque": deque, "Counter": Counter,
    "tuple": tuple, "str": str, "bool": bool,
}  # fmt: skip
"""What a `defaultdict` may make."""


class Tag(IntEnum):
    """First entry of a cell that is no plain value."""

    TUPLE = 0
    ROW = 1
    """Table, row."""
    ENUM = 2
    """Class, member."""
    BIG = 3
    """A whole number beyond 64 bits, in text."""
    SCALAR = 4
    """A numpy scalar: element type, bytes."""
    FROZENSET = 5
    CONFIG = 6
    """A settings record: class, fields, a cell a field."""
    OUTSIDE = 7
    """Something that whoever thaws has already, by name."""


class Code(IntEnum):
    """How a column stands."""

    CELLS = 0
    INT = 1
    FLOAT = 2
    BOOL = 3
    ROWS = 4
    """Rows of one table: [table, row numbers]."""
    SAME = 5
    """One cell for all."""
