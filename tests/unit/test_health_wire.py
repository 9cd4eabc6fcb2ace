"""A report survives the wire, whatever is in it; half a report is read as far as it goes."""

from __future__ import annotations

import json
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from crowdstream.stream.health.histogram import Histogram
from crowdstream.stream.health.records import CameraHealth, HealthReport, StageHealth
from crowdstream.stream.health.wire import report_from, report_map
from crowdstream.stream.wire.codec import pack_map, plain, unpack_map

LATENCY = Histogram()
for _value in (0.02, 0.2, 2.0, 20.0):
    LATENCY.observe(_value)

GATE = CameraHealth(
    "gate", "reconnecting", "refused", "refused by 10.0.0.7", "rtsp://10.0.0.7/1", 1000, {"stale": 3, "late": 1},
    24.9, 12.4, 0.04, 2, "ntp_sr", 0.012, -3.5, True, 7, 40, 0.004, 3,
)  # fmt: skip
FULL = HealthReport(
    t_ns=1_790_000_000_000_000_000, sid="s1", uptime_s=3600.5, ready=True,
    cameras=(GATE, CameraHealth("hall", "starting")),
    stages=(StageHealth("solver", "node-2", 1, 3, 8, 12.5), StageHealth("publisher")),
    drops={("tracking", "late"): 4, ("tracking", "surplus"): 9, ("solver", "solver_busy"): 1},
    latency_ms={"live": {"p50": 40.0, "p95": 210.0}}, latency={"live": LATENCY.counts()},
    window_work={"solver": LATENCY.counts()}, windows=55, person_frames=12345, people=9, effort_level=2,
    effort_why="frames wait 0.4 s", refine_lag_s=3.25, subscribers=4, subscriber_dropped=17, log_bytes=1 << 33,
    logs_laid_aside=5, logs_removed=3, logs_refused=1, not_recorded=2, recording=True,
    networks={"detector": "yolox-tiny on onnxruntime-cpu"}, resident_bytes=1 << 31,
    version="0.1.0",
)  # fmt: skip
"""Every field differs from its default."""


def test_nothing_is_lost_on_the_wire() -> None:
    assert report_from(unpack_map(pack_map(plain(report_map(FULL))))) == FULL  # type: ignore[arg-type]
    assert report_from(json.loads(json.dumps(report_map(FULL)))) == FULL


def test_the_example_shows_every_field() -> None:
    empty = HealthReport(0, "", 0.0, False)
    same = [name for name in vars(FULL) if getattr(FULL, name) == getattr(empty, name)]
    assert not same, "give new fields a value in FULL, or the test above proves nothing of them"
    bare = CameraHealth("", "")
    assert not [name for name in vars(GATE) if getattr(GATE, name) == getattr(bare, name)]


def test_another_components_health_is_not_ours() -> None:
    assert report_from({**report_map(FULL), "component": "refiner"}) is None
    assert report_from({}) is None


def test_unknown_keys_are_skipped_and_missing_ones_take_their_defaults() -> None:
    told = {**report_map(FULL), "from_the_future": {"a": 1}}
    assert report_from(told) == FULL
    bare = report_from({"component": "engine"})
    assert bare == HealthReport(0, "", 0.0, False)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=10,
)


@given(st.sampled_from(sorted(report_map(FULL))), JSON)
def test_a_field_of_another_type_costs_no_more_than_itself(key: str, value: object) -> None:
    if key == "component":
        return
    read = report_from({**report_map(FULL), key: value})
    assert read is not None
    assert replace(read, **{key: getattr(FULL, key)}) == FULL


@given(JSON)
def test_rows_of_any_form_are_read(value: object) -> None:
    for key in ("cameras", "stages"):
        read = report_from({"component": "engine", key: [value, {"name": value}]})
        assert read is not None and isinstance(read.cameras, tuple)
