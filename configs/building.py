"""Settings records from plain values, with errors a person can act on."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from .errors import ConfigError

Record = TypeVar("Record", bound=BaseModel)


def build(record: type[Record], tree: Mapping[str, Any]) -> Record:
    """Validate a tree of plain values into the record, with errors a person can act on."""
    try:
        return record.model_validate(dict(tree))
    except ValidationError as exc:
        raise ConfigError("; ".join(_explain(record, dict(error)) for error in exc.errors())) from exc


def _explain(record: type[BaseModel], error: dict[str, Any]) -> str:
    loc = [str(part) for part in error["loc"]]
    where = ".".join(loc)
    if error["type"] != "extra_forbidden":
        return f"{where} = {error.get('input')!r}: {error['msg'].removeprefix('Value error, ')}"
    owner = _record_at(record, loc[:-1])
    names = sorted(owner.model_fields) if owner else []
    close = difflib.get_close_matches(loc[-1], names, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ";"
    group = ".".join(loc[:-1]) or "the configuration"
    return f"unknown key {where!r}{hint} keys of {group}: {', '.join(names)}"


def _record_at(record: type[BaseModel], path: list[str]) -> type[BaseModel] | None:
    for part in path:
        field = record.model_fields.get(part)
        kind = field.annotation if field else None
        if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
            return None
        record = kind
    return record
