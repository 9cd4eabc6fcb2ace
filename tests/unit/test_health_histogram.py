"""Histograms count everything once, add up, and read off sensible percentiles; meters measure what was noted."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crowdstream.stream.health.histogram import BOUNDS_S, NOTHING, Counts, Histogram, merged
from crowdstream.stream.health.meter import Percentiles, Rate, ResidentMemory

VALUES = st.lists(st.floats(min_value=0.0, max_value=20.0, allow_nan=False), max_size=50)


def counts_of(values: list[float]) -> Counts:
    histogram = Histogram()
    for value in values:
        histogram.observe(value)
    return histogram.counts()


@given(VALUES, VALUES)
def test_two_workers_together_are_one_that_saw_both(first: list[float], second: list[float]) -> None:
    both, one = merged([counts_of(first), counts_of(second)]), counts_of(first + second)
    assert both.buckets == one.buckets
    assert both.sum_s == pytest.approx(one.sum_s)


@given(VALUES)
def test_a_bucket_holds_what_is_at_most_its_bound(values: list[float]) -> None:
    counts = counts_of(values)
    for bound_s, total in counts.cumulative():
        assert total == sum(value <= bound_s for value in values)
    assert counts.count == len(values)


@given(VALUES.filter(bool), st.floats(min_value=0.01, max_value=1.0))
def test_a_percentile_lies_in_the_bucket_of_the_true_one(values: list[float], share: float) -> None:
    true = sorted(values)[math.ceil(share * len(values)) - 1]
    said = counts_of(values).quantile(share)
    edges = (0.0, *BOUNDS_S)
    low = max(edge for edge in edges if edge < true or edge == 0.0)
    high = next((edge for edge in edges[1:] if edge >= true), BOUNDS_S[-1])
    assert min(low, BOUNDS_S[-1]) - 1e-9 <= said <= high + 1e-9


def test_what_is_no_number_is_left_out_and_a_stepped_clock_counts_as_nothing() -> None:
    counts = counts_of([math.nan, math.inf, -3.0])
    assert counts.count == 1 and counts.buckets[0] == 1 and counts.sum_s == 0.0
    assert math.isnan(NOTHING.quantile(0.5))


def test_a_histogram_goes_on_from_where_another_ended() -> None:
    again = Histogram(counts_of([0.3]))
    again.observe(0.4)
    assert again.counts() == counts_of([0.3, 0.4])


def test_counts_of_other_bounds_are_refused() -> None:
    with pytest.raises(ValueError, match="expected"):
        Counts((1, 2))


# --- meters -----------------------------------------------------------------------------------------------


@given(st.floats(min_value=0.5, max_value=200.0))
def test_a_steady_count_has_its_rate(rate_hz: float) -> None:
    rate, now_s = Rate(), 100.0
    for i in range(1000):
        now_s = 100.0 + i / rate_hz
        rate.note(i, now_s)
    assert rate.per_s(now_s) == pytest.approx(rate_hz, rel=0.05)


def test_a_rate_falls_to_nothing_when_nothing_comes() -> None:
    rate = Rate(span_s=5.0)
    for i in range(100):
        rate.note(i, i / 25)
    assert rate.per_s(4.0) == pytest.approx(25, rel=0.05)
    falling = [rate.per_s(4.0 + i) for i in range(8)]
    assert falling == sorted(falling, reverse=True)
    assert falling[-1] == 0.0


def test_frames_after_a_long_silence_are_not_spread_over_it() -> None:
    rate = Rate(span_s=5.0)
    rate.note(100, 0.0)
    for i in range(126):
        rate.note(100 + i, 1000.0 + i / 25)
    assert rate.per_s(1005.0) == pytest.approx(25, rel=0.05)


def test_a_worker_that_counts_anew_begins_a_new_rate() -> None:
    rate = Rate()
    rate.note(1_000_000, 0.0)
    rate.note(0, 1.0)
    rate.note(10, 2.0)
    assert rate.per_s(2.0) == pytest.approx(10)


def test_a_rate_is_bounded_whatever_is_noted() -> None:
    rate = Rate(span_s=5.0)
    for i in range(100_000):
        rate.note(i, i * 1e-4)
    assert len(rate._samples) <= 66
    assert rate.per_s(10.0) == pytest.approx(1e4, rel=0.05)


def test_percentiles_are_of_the_last_minutes_only() -> None:
    percentiles = Percentiles(span_s=60.0)
    for _ in range(100):
        percentiles.push(1000.0, 0.0)
    for value in range(1, 101):
        percentiles.push(float(value), 30.0)
    assert percentiles.at(0.5, 0.95, 1.0, now_s=70.0) == (50.0, 95.0, 100.0)
    assert percentiles.p50_p95(70.0) == {"p50": 50.0, "p95": 95.0}
    assert percentiles.p50_p95(1000.0) == {}


@pytest.mark.skipif(not Path("/proc/self/statm").is_file(), reason="no /proc")
def test_memory_is_that_of_this_process_and_its_children() -> None:
    code = "import sys; held = bytearray(b'x') * (64 << 20); print('up', flush=True); sys.stdin.read()"
    before = ResidentMemory().total_bytes(0.0)
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None and child.stdout.readline() == b"up\n"
        memory = ResidentMemory()
        assert memory.total_bytes(0.0) > before + (56 << 20)
        assert os.getpid() in memory._family and child.pid in memory._family
        child.kill()
    assert memory.total_bytes(1.0) < before + (56 << 20)  # a child that has gone counts nothing


def test_without_proc_memory_is_unknown(tmp_path: Path) -> None:
    assert ResidentMemory(proc=tmp_path / "none").total_bytes(0.0) == 0
