"""The model of a busy machine: who waits, and for how long."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from crowdstream.lab.evaluate.server_clock import Server, StageMeter

MS = 1_000_000


def test_an_idle_server_takes_what_the_work_takes() -> None:
    server = Server()
    assert server.done_ns(0, 0.010) == 10 * MS
    assert server.done_ns(100 * MS, 0.010) == 110 * MS


def test_a_busy_server_lets_wait() -> None:
    server = Server()
    server.done_ns(0, 0.050)
    assert server.done_ns(10 * MS, 0.020) == 70 * MS


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 80)), min_size=1, max_size=30))
def test_lindley(jobs: list[tuple[int, int]]) -> None:
    """Done in order, never before come + cost, and the server is never idle while somebody waits."""
    server, come, before = Server(), 0, 0
    for gap_ms, cost_ms in jobs:
        come += gap_ms * MS
        done = server.done_ns(come, cost_ms / 1e3)
        assert done == max(come, before) + cost_ms * MS
        before = done


def test_costs_are_processor_time_over_threads_or_nothing() -> None:
    free, one = StageMeter(1, "none"), StageMeter(1, "processor")
    with free.measure(), one.measure():
        np.linalg.svd(np.random.default_rng(0).normal(size=(120, 120)))
    assert free.last_s == 0.0 < free.seconds
    assert one.last_s == one.seconds > 0.0
