"""Laws of the slope that says whether something grows."""

from __future__ import annotations

import numpy as np
import pytest

from crowdstream.lab.soak.process_tree import Held
from crowdstream.lab.soak.replay_hour import grown
from crowdstream.lab.soak.slope import MOST_BINS, slope

T = np.arange(0.0, 600.0, 5.0)


def test_a_line_has_its_own_slope_and_no_doubt() -> None:
    found = slope(T, 100.0 + 0.25 * T)
    assert found is not None
    assert found.per_s == pytest.approx(0.25) and found.error_per_h == pytest.approx(0.0, abs=1e-6)
    assert found.per_h == pytest.approx(900.0)


def test_a_fifth_of_wild_samples_does_not_move_it() -> None:
    values = 100.0 + 0.25 * T
    values[::5] += 1000.0
    found = slope(T, values)
    assert found is not None and found.per_s == pytest.approx(0.25, abs=0.02)


def test_the_bounds_hold_the_true_slope_most_of_the_time() -> None:
    held = 0
    for seed in range(60):
        noise = np.random.default_rng(seed).standard_normal(len(T))
        found = slope(T, 0.01 * T + noise)
        assert found is not None
        held += found.low_per_s <= 0.01 <= found.high_per_s
    assert held >= 51  # 95 of 100 are promised; fewer than 51 of 60 would happen once in a thousand


def test_it_turns_with_the_values_and_does_not_mind_their_level() -> None:
    values = np.random.default_rng(0).standard_normal(len(T)).cumsum()
    up, down, high = slope(T, values), slope(T, -values), slope(T, values + 1e4)
    assert up is not None and down is not None and high is not None
    assert down.per_s == pytest.approx(-up.per_s) and high.per_s == pytest.approx(up.per_s, abs=1e-9)
    assert (down.low_per_s, down.high_per_s) == pytest.approx((-up.high_per_s, -up.low_per_s), abs=1e-9)


def test_the_warm_up_does_not_count() -> None:
    values = np.where(T < 100.0, 5.0 * T, 500.0)
    found = slope(T, values, warm_up_s=100.0)
    assert found is not None and found.per_s == 0.0


def test_many_samples_are_put_into_bins_and_few_are_none() -> None:
    many = slope(np.arange(5000.0), np.arange(5000.0))
    assert many is not None and many.samples == MOST_BINS and many.per_s == pytest.approx(1.0)
    assert slope([0.0, 1.0, 2.0], [1.0, 2.0, 3.0]) is None
    assert slope(T, T, warm_up_s=1e6) is None


@pytest.mark.parametrize("share", [(0.4, 0.6), (0.6, 0.4), (0.5, 0.5)])
@pytest.mark.parametrize("leaked", [0, 1, 7])
def test_what_comes_and_goes_is_no_growth_and_what_stays_is(share: tuple[float, float], leaked: int) -> None:
    fifth = 50
    first = [10 + 4 * (i % 10 < 10 * share[0]) for i in range(fifth)]
    last = [10 + 4 * (i % 10 < 10 * share[1]) + leaked for i in range(fifth)]
    held = [Held(0.0, fds, 1) for fds in [*first, *[12] * (3 * fifth), *last]]
    assert grown(held, "fds") == leaked


def test_of_too_few_samples_nothing_is_said() -> None:
    assert grown([Held(0.0, 1, 1)] * 4, "fds") is None
