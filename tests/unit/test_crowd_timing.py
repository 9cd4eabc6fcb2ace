"""When a camera takes its pictures."""

from __future__ import annotations

import numpy as np
import pytest

from crowdstream.kernels.errors import CrowdstreamError
from crowdstream.lab.virtualcrowd.timing import VARIABLE_RATES_HZ, frame_times, nominal_rate_hz


@pytest.mark.parametrize(("rate", "frames"), [("30", 60), ("25", 50), ("10", 20), ("29.97", 60)])
def test_steady_rates_do_not_drift(rate: str, frames: int) -> None:
    t_ns = frame_times(2.0, rate, seed=0)
    assert len(t_ns) == frames
    assert np.abs(t_ns - np.arange(frames) / float(rate) * 1e9).max() <= 0.5
    assert nominal_rate_hz(t_ns) == pytest.approx(float(rate), rel=1e-6)


def test_a_variable_camera_wanders_and_loses_pictures() -> None:
    t_ns = frame_times(120.0, "variable", seed=3)
    steps_s = np.diff(t_ns) / 1e9
    low, high = VARIABLE_RATES_HZ
    assert (steps_s > 0).all() and t_ns[-1] < 120e9
    assert 1 / high - 1e-9 <= steps_s.min() < 1.1 / high
    assert steps_s.max() > 1.2 / low or steps_s.max() > 1.9 * np.median(steps_s)
    assert np.array_equal(t_ns, frame_times(120.0, "variable", seed=3))
    assert not np.array_equal(t_ns, frame_times(120.0, "variable", seed=4))


@pytest.mark.parametrize("rate", ["", "fast", "0", "-30", "1000", "nan"])
def test_other_rates_are_refused_by_name(rate: str) -> None:
    with pytest.raises(CrowdstreamError, match="expected a number from 1 to 120, or 'variable'"):
        frame_times(1.0, rate, seed=0)


def test_one_picture_has_the_model_rate() -> None:
    assert nominal_rate_hz(np.zeros(1, np.int64)) == 30.0
