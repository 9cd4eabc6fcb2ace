"""The health report as a plain map (topic `health`, component `engine`), and back.

Reading is tolerant: what is missing or of another type takes its default, what is unknown is skipped, so that
a newer engine can be read by an older `crowdstream status` and the other way round.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TypeVar

from .histogram import BOUNDS_S, Counts
from .records import CameraHealth, HealthReport, StageHealth

COMPONENT = "engine"
"""Whose health it is; other components may speak on the same topic."""
MOST_ENTRIES = 4096
"""Entries read of any list or map of a report."""

T = TypeVar("T")


def report_map(report: HealthReport) -> dict[str, object]:
    """For `push_health`, and for JSON. (stage, cause) keys become nested maps."""
    drops: dict[str, dict[str, int]] = {}
    for (stage, cause), count in report.drops.items():
        drops.setdefault(stage, {})[cause] = count
    plain = {k: v for k, v in vars(report).items() if isinstance(v, str | int | float | None)}
    return {
        "component": COMPONENT,
        **plain,
        "cameras": [{**vars(camera), "dropped": dict(camera.dropped)} for camera in report.cameras],
        "stages": [dict(vars(stage)) for stage in report.stages],
        "drops": drops,
        "latency_ms": {tier: dict(values) for tier, values in report.latency_ms.items()},
        "latency": {tier: _counts_map(counts) for tier, counts in report.latency.items()},
        "window_work": {stage: _counts_map(counts) for stage, counts in report.window_work.items()},
        "networks": dict(report.networks),
    }


def report_from(plain: Mapping[str, object]) -> HealthReport | None:
    """The report of a message on `health`; None of another component's."""
    if plain.get("component") != COMPONENT:
        return None
    drops: dict[tuple[str, str], int] = {}
    for stage, causes in _entries(plain.get("drops")).items():
        for cause, count in _numbers(causes, int).items():
            drops[stage, cause] = count
    scalars = _scalars(HealthReport, plain)
    return HealthReport(
        **scalars,  # type: ignore[arg-type]
        cameras=_rows(plain.get("cameras"), _camera),
        stages=_rows(plain.get("stages"), _stage),
        drops=drops,
        latency_ms={t: _numbers(v, float) for t, v in _entries(plain.get("latency_ms")).items()},
        latency=_histograms(plain.get("latency")),
        window_work=_histograms(plain.get("window_work")),
        networks={k: v for k, v in _entries(plain.get("networks")).items() if isinstance(v, str)},
    )


def _camera(row: Mapping[str, object]) -> CameraHealth:
    return CameraHealth(**_scalars(CameraHealth, row), dropped=_numbers(row.get("dropped"), int))  # type: ignore[arg-type]


def _stage(row: Mapping[str, object]) -> StageHealth:
    return StageHealth(**_scalars(StageHealth, row))  # type: ignore[arg-type]


_REQUIRED: dict[str, object] = {
    "t_ns": 0,
    "sid": "",
    "uptime_s": 0.0,
    "ready": False,
    "name": "",
    "phase": "",
}
"""What fields without a default are where a message does not say."""


def _scalars(record: type, plain: Mapping[str, object]) -> dict[str, object]:
    """The record's fields of text, number or truth, each of its own type or its default."""
    kinds = {"str": str, "int": int, "float": float, "bool": bool, "float | None": float}
    out: dict[str, object] = {}
    for name, annotation in record.__annotations__.items():
        if annotation not in kinds:
            continue
        value = _as(kinds[annotation], plain.get(name))
        if value is not None:
            out[name] = value
        elif name in _REQUIRED:
            out[name] = _REQUIRED[name]
    return out


def _as(kind: type[T], value: object) -> T | None:
    """The value where it is of this type, else None; whole numbers are floats too, truths are no numbers."""
    if isinstance(value, bool) and kind is not bool:
        return None
    if kind is float and isinstance(value, int):
        value = float(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, kind) else None


def _entries(value: object) -> dict[str, object]:
    if not isinstance(value, Mapping):
        return {}
    return {k: v for k, v in list(value.items())[:MOST_ENTRIES] if isinstance(k, str)}


def _numbers(value: object, kind: type[T]) -> dict[str, T]:
    typed = {k: _as(kind, v) for k, v in _entries(value).items()}
    return {k: v for k, v in typed.items() if v is not None}


def _rows(value: object, make: Callable[[Mapping[str, object]], T]) -> tuple[T, ...]:
    rows = value[:MOST_ENTRIES] if isinstance(value, list) else []
    return tuple(make(row) for row in rows if isinstance(row, Mapping))


def _counts_map(counts: Counts) -> dict[str, object]:
    return {"buckets": list(counts.buckets), "sum_s": counts.sum_s}


def _histograms(value: object) -> dict[str, Counts]:
    """Those with our buckets; of others nothing can be said."""
    out = {}
    for name, plain in _entries(value).items():
        buckets = plain.get("buckets") if isinstance(plain, Mapping) else None
        if not isinstance(buckets, list) or len(buckets) != len(BOUNDS_S) + 1:
            continue
        whole = [number for number in buckets if isinstance(number, int) and number >= 0]
        if len(whole) == len(buckets):
            sum_s = _as(float, plain.get("sum_s")) if isinstance(plain, Mapping) else None
            out[name] = Counts(tuple(whole), sum_s or 0.0)
    return out
