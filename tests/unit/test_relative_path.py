"""Relative paths: what is forgotten of a way, and what is not."""

import numpy as np
import pytest

from crowdstream.kernels.errors import ShapeError
from crowdstream.kernels.grouping.relative_path import heading_agreement, relative_path
from crowdstream.kernels.grouping.standing import stands

ALL = np.ones(64, bool)
T_S = np.arange(64) / 30.0


def straight(speed_mps: float, heading_rad: float = 0.0) -> np.ndarray:
    return speed_mps * T_S[:, None] * np.array([np.cos(heading_rad), np.sin(heading_rad)])


def circle(turn: float) -> np.ndarray:
    """Once around, beginning at the origin and going along x."""
    angle = 2 * np.pi * T_S / T_S[-1]
    return np.stack([np.sin(angle), turn * (1 - np.cos(angle))], axis=1)


def test_speed_and_length_are_those_of_the_way() -> None:
    path = relative_path(straight(1.5) + 7.0, ALL, 12, turned=False)
    assert path.speed_mps == pytest.approx(1.5, rel=1e-6)
    assert path.length_m == pytest.approx(1.5 * path.seconds, rel=1e-6)
    assert path.points_m[0].tolist() == [0.0, 0.0]


def test_noise_of_single_slots_does_not_make_somebody_fast() -> None:
    noise = np.random.default_rng(0).normal(0, 0.03, (64, 2))
    as_it_is = np.linalg.norm(np.diff(straight(0.0) + noise, axis=0), axis=1).sum() / T_S[-1]
    assert as_it_is > 1.0  # the slots alone say walking pace
    assert relative_path(straight(0.0) + noise, ALL, 12, turned=True).speed_mps < 0.35


def test_turned_paths_do_not_know_north() -> None:
    east, north = (relative_path(straight(1.3, h), ALL, 12, turned=True).points_m for h in (0.0, np.pi / 2))
    assert np.abs(east - north).max() < 1e-9
    kept = relative_path(straight(1.3, np.pi / 2), ALL, 12, turned=False).points_m
    assert np.abs(kept - east).max() > 1.0


def test_a_gap_is_bridged_by_a_straight_line_whatever_stands_there() -> None:
    ground, present = straight(1.3), ALL.copy()
    present[20:40] = False
    ground[20:40] = np.nan
    holed = relative_path(ground, present, 12, turned=True)
    assert np.abs(holed.points_m - relative_path(straight(1.3), ALL, 12, turned=True).points_m).max() < 1e-9


def test_who_came_late_is_as_fast_as_who_was_always_there() -> None:
    late = ALL.copy()
    late[:40] = False
    assert relative_path(straight(1.3), late, 12, turned=True).speed_mps == pytest.approx(1.3, rel=1e-6)


def test_a_glimpse_has_as_many_points() -> None:
    glimpse = np.zeros(64, bool)
    glimpse[10:13] = True
    path = relative_path(straight(1.3), glimpse, 12, turned=True)
    assert path.points_m.shape == (12, 2)
    assert path.speed_mps == pytest.approx(1.3, rel=1e-6)


@pytest.mark.parametrize("slots", [0, 1])
def test_one_slot_is_no_path(slots: int) -> None:
    present = np.arange(64) < slots
    with pytest.raises(ShapeError, match=f"got {slots} slots"):
        relative_path(straight(1.0), present, 12, turned=True)


def test_a_circle_walked_the_other_way_is_told_apart() -> None:
    """Its picture is the same (SSPD 0 when laid on it), its direction is not."""
    there = relative_path(circle(1.0), ALL, 16, turned=False).points_m
    agreement = heading_agreement(there[None], np.stack([there, there[::-1], -there]))[0]
    assert agreement[0] == pytest.approx(1.0)
    assert abs(agreement[1]) < 0.1  # along at two places, against at two others
    assert agreement[2] == pytest.approx(-1.0)


def test_standing_is_neither_walking_slowly_nor_turning_about() -> None:
    def way(ground_m: np.ndarray) -> bool:
        return stands(relative_path(ground_m, ALL, 12, turned=True), 0.4, 0.35)

    sway = 0.05 * np.stack([np.sin(3 * T_S), np.cos(2 * T_S)], axis=1)
    to_and_fro = 0.3 * np.stack([np.sin(4 * T_S), 0 * T_S], axis=1)
    assert way(sway)
    assert not way(straight(0.3))  # gets 0.6 m away
    assert not way(to_and_fro)  # gets nowhere, at a metre a second
