"""The way through a gap: straight for who walks straight, joined to both ends, deaf to one wild last place."""

from __future__ import annotations

import numpy as np

from crowdstream.kernels.solve.gap_path import gap_path, speed_change, way


def straight(slots: int = 200, speed: float = 1.2) -> np.ndarray:
    return np.stack([np.arange(slots) / 30.0 * speed, np.full(slots, 2.0)], -1)


def test_a_straight_walk_goes_on_straight() -> None:
    xy, known = straight(), np.ones(200, bool)
    known[80:140] = False
    assert np.abs(gap_path(xy, known, 79, 140) - xy[80:140]).max() < 0.02


def test_what_lies_in_the_gap_is_not_looked_at() -> None:
    xy, known = straight(), np.ones(200, bool)
    wild = xy.copy()
    wild[80:140] = np.nan
    known[80:140] = False
    assert np.array_equal(gap_path(wild, known, 79, 140), gap_path(xy, known, 79, 140))


def test_it_meets_both_ends() -> None:
    rng = np.random.default_rng(3)
    xy, known = straight() + rng.normal(0, 0.05, (200, 2)), np.ones(200, bool)
    known[80:140] = False
    path = gap_path(xy, known, 79, 140)
    steps = np.linalg.norm(np.diff(np.concatenate([xy[79:80], path, xy[140:141]]), axis=0), axis=1)
    assert steps.max() < 0.12  # a step of 0.04 and what is left of the noise


def test_one_wrong_last_place_bends_the_ends_and_not_the_middle() -> None:
    xy, known = straight(), np.ones(200, bool)
    known[80:140] = False
    wrong = xy.copy()
    wrong[79] += (0.0, 1.0)
    path = gap_path(wrong, known, 79, 140)
    assert np.abs(path[25:] - xy[105:140]).max() < 0.1
    assert abs(path[0, 1] - wrong[79, 1]) < 0.3


def test_speed_change_tells_who_cannot_have_come_from_there() -> None:
    xy, known = straight(), np.ones(200, bool)
    known[80:140] = False
    assert speed_change(xy, known, 79, 140) < 0.05
    away = xy.copy()
    away[140:] += (6.0, 0.0)
    assert speed_change(away, known, 79, 140) > 2.0


def test_the_direction_of_a_way() -> None:
    heading, speed = way(straight()[:, ::-1])
    assert np.allclose(heading, np.pi / 2, atol=1e-6) and np.allclose(speed, 1.2, atol=1e-6)
    heading, speed = way(np.zeros((3, 2)))
    assert len(heading) == 3 and np.allclose(speed, 0.0)
