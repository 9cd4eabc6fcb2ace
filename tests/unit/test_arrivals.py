"""Latencies are counted from the newest frame that went into a result."""

from __future__ import annotations

from crowdstream.actors.arrivals import Arrivals


def test_the_last_frame_up_to_a_time_counts() -> None:
    arrivals = Arrivals()
    for k in range(5):
        arrivals.add(k * 100, 1000 + k)
    assert arrivals.at(250) == 1002
    assert arrivals.at(300) == 1003
    assert arrivals.at(-5) == 1000
    assert arrivals.at(10_000) == 1004


def test_a_frame_out_of_order_is_put_in_its_place() -> None:
    arrivals = Arrivals()
    for captured, arrived in ((100, 1), (300, 3), (200, 2)):
        arrivals.add(captured, arrived)
    assert arrivals.at(250) == 2 and arrivals.at(999) == 3


def test_memory_is_bounded() -> None:
    arrivals = Arrivals()
    for k in range(50_000):
        arrivals.add(k, k)
    assert arrivals.at(49_999) == 49_999
    assert arrivals.span_ns[0] > 40_000
