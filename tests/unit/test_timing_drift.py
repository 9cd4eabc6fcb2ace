"""The robust line between two clocks: right on clean data, unmoved by outliers, modest where it knows little."""

from __future__ import annotations

import numpy as np
import pytest

from crowdstream.stream.timing.drift import CRYSTAL_PPM, DriftFit, fit_line

S = 1_000_000_000
EPOCH_NS = 1_700_000_000 * S


def _points(
    ppm: float, offset_ns: int, count: int, noise_s: float, rng: np.random.Generator
) -> list[tuple[int, int]]:
    return [
        (EPOCH_NS + k * S, offset_ns + round((ppm * 1e-6 * k + rng.normal(0, noise_s)) * 1e9))
        for k in range(count)
    ]


@pytest.mark.parametrize("ppm", [-80.0, 0.0, 40.0])
def test_drift_is_found_within_its_error(ppm: float) -> None:
    rng = np.random.default_rng(3)
    off = []
    for _ in range(40):
        line = fit_line(_points(ppm, 5 * S, 60, 0.002, rng), 0.0005, CRYSTAL_PPM * 1e-6)
        off.append((line.ppm - ppm) / line.ppm_se)
    assert np.sqrt(np.mean(np.square(off))) < 1.6  # the stated error is neither boast
    assert np.sqrt(np.mean(np.square(off))) > 0.5  # nor modesty


def test_nothing_is_lost_to_the_size_of_nanoseconds_since_1970() -> None:
    points = [(EPOCH_NS + k * S, EPOCH_NS + 12_345 + 7 * k) for k in range(20)]
    line = fit_line(points, 1e-6, 1e-3)
    assert abs(line.at(points[-1][0]) - points[-1][1]) <= 2


def test_a_third_of_mad_points_moves_nothing() -> None:
    rng = np.random.default_rng(1)
    points = _points(20.0, 0, 60, 0.001, rng)
    clean = fit_line(points, 0.0005, 1e-4)
    mad = [(x, y + (S if k % 3 == 0 else 0)) for k, (x, y) in enumerate(points)]
    spoilt = fit_line(mad, 0.0005, 1e-4)
    assert abs(spoilt.at(points[-1][0]) - clean.at(points[-1][0])) < 3_000_000
    plain = np.polyfit([k for k in range(60)], [y for _, y in mad], 1)
    assert abs(np.polyval(plain, 59) - clean.at(points[-1][0])) > 100_000_000  # what it protects from


def test_one_point_is_flat_and_two_are_nearly_so() -> None:
    fit = DriftFit(noise_s=0.002)
    line = fit.push(EPOCH_NS, 7)
    assert (line.slope, line.at(EPOCH_NS + 3600 * S)) == (0.0, 7)
    line = fit.push(EPOCH_NS + S, 7 + 10_000_000)  # 10 ms in a second: 10,000 ppm, which no crystal does
    assert 0 < line.ppm < CRYSTAL_PPM


def test_the_order_of_points_does_not_matter() -> None:
    points = _points(30.0, 100, 20, 0.003, np.random.default_rng(0))
    assert fit_line(points, 1e-3, 1e-4).at(EPOCH_NS) == pytest.approx(
        fit_line(points[::-1], 1e-3, 1e-4).at(EPOCH_NS), abs=1
    )


def test_memory_is_bounded_and_old_points_are_forgotten() -> None:
    fit = DriftFit(max_points=8)
    for k in range(100):
        fit.push(EPOCH_NS + k * S, 0 if k < 50 else S)
    assert len(fit) == 8
    assert fit.line is not None
    assert fit.line.at(EPOCH_NS + 99 * S) == S
    fit.clear()
    assert (len(fit), fit.line) == (0, None)
