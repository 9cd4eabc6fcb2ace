"""Laws of distances between ways, and of groups: invariances, and independence of the order in which people come."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from crowdstream.kernels.fused.sspd import sspd_rows
from crowdstream.kernels.grouping.bank import GroupBank, Groups
from crowdstream.kernels.grouping.bank_config import GroupConfig
from crowdstream.kernels.grouping.relative_path import relative_path

seeds = st.integers(0, 2**31)
quickly = settings(max_examples=40, deadline=None)
ALL = np.ones(64, bool)


def ways(seed: int, count: int, points: int = 12) -> np.ndarray:
    """Wandering paths of some metres."""
    rng = np.random.default_rng(seed)
    return np.cumsum(rng.normal(0.15, 0.15, (count, points, 2)), axis=1)


def apart(one: np.ndarray, two: np.ndarray) -> float:
    return float(sspd_rows(one[None], two[None])[0, 0])


def turned(path: np.ndarray, angle: float) -> np.ndarray:
    c, s = np.cos(angle), np.sin(angle)
    return np.asarray(path @ np.array([[c, s], [-s, c]]))


@quickly
@given(seeds, st.integers(2, 20), st.integers(2, 20))
def test_symmetric_never_negative_zero_on_itself(seed: int, p: int, q: int) -> None:
    one, two = ways(seed, 1, p)[0], ways(seed + 1, 1, q)[0]
    assert apart(one, two) == apart(two, one) >= 0.0
    assert apart(one, one) < 1e-6


@quickly
@given(seeds, st.floats(-3, 3), st.floats(-3, 3), st.floats(-3.2, 3.2))
def test_moved_and_turned_together_nothing_changes(seed: int, dx: float, dy: float, angle: float) -> None:
    one, two = ways(seed, 2)
    by = np.array([dx, dy])
    moved = apart(turned(one, angle) + by, turned(two, angle) + by)
    assert abs(moved - apart(one, two)) < 1e-5


@quickly
@given(seeds)
def test_backwards_is_as_near_as_forwards(seed: int) -> None:
    one, two = ways(seed, 2)
    assert abs(apart(one[::-1].copy(), two) - apart(one, two)) < 1e-5


@quickly
@given(seeds, st.floats(-50, 50), st.floats(-50, 50), st.floats(-3.2, 3.2))
def test_a_relative_path_forgets_place_and_direction(seed: int, dx: float, dy: float, angle: float) -> None:
    ground = ways(seed, 1, 64)[0] / 5
    here = relative_path(ground, ALL, 12, turned=True)
    there = relative_path(turned(ground, angle) + np.array([dx, dy]), ALL, 12, turned=True)
    assert np.abs(here.points_m - there.points_m).max() < 1e-6
    assert abs(here.speed_mps - there.speed_mps) < 1e-6


def crowd(seed: int, count: int = 14) -> dict[tuple[int, int], np.ndarray]:
    """Walkers, runners and standing people."""
    rng = np.random.default_rng(seed)
    t_s = np.arange(64) / 30
    out = {}
    for person in range(count):
        angle = rng.uniform(0, 6.3) + rng.choice([0.0, 0.8]) * t_s
        steps = rng.choice([0.0, 1.2, 1.25, 2.8]) / 30 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        out[person // 2, 64 * (person % 2)] = np.cumsum(steps, axis=0) + rng.normal(0, 0.01, (64, 2))
    return out


def same(one: Groups, two: Groups) -> bool:
    return (
        one.keys == two.keys
        and np.array_equal(one.labels, two.labels)
        and np.array_equal(one.standing, two.standing)
        and one.converged == two.converged
    )


@settings(max_examples=8, deadline=None)
@given(seeds, st.permutations(range(14)), st.sets(st.integers(0, 13), max_size=5))
def test_groups_do_not_depend_on_who_came_first_or_went(seed: int, order: list[int], gone: set[int]) -> None:
    people = crowd(seed)
    keys = sorted(people)
    straight = GroupBank(GroupConfig(max_segments=20))
    for key in keys:
        if keys.index(key) not in gone:
            straight.add(key, people[key], ALL)
    shuffled = GroupBank(GroupConfig(max_segments=20))
    for at in order:
        shuffled.add(keys[at], people[keys[at]], ALL)
    for at in sorted(gone, reverse=True):
        shuffled.discard(keys[at])
    assert same(straight.groups(), shuffled.groups())
    for key in straight.groups().keys:
        assert straight.nearest(key, 5) == shuffled.nearest(key, 5)
