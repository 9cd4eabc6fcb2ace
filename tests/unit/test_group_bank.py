"""The bank of segments: bounded, classes of its own for who stands, walks and runs, sorted whatever the order."""

import numpy as np
import pytest

from crowdstream.kernels.errors import ShapeError
from crowdstream.kernels.grouping.bank import GroupBank
from crowdstream.kernels.grouping.bank_config import GroupConfig

ALL = np.ones(64, bool)
T_S = np.arange(64) / 30.0


def walk(speed_mps: float, heading_rad: float = 0.0, curve: float = 0.0, seed: int = 0) -> np.ndarray:
    angle = heading_rad + curve * T_S
    steps = speed_mps / 30.0 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return np.cumsum(steps, axis=0) + np.random.default_rng(seed).normal(0, 0.005, (64, 2))


def bank_of(ways: dict[tuple[int, int], np.ndarray], **settings: object) -> GroupBank:
    bank = GroupBank(GroupConfig.model_validate(settings))
    for key, way in ways.items():
        bank.add(key, way, ALL)
    return bank


def label(bank: GroupBank, *persons: int) -> list[int]:
    groups = bank.groups()
    return [int(groups.labels[groups.keys.index((person, 0))]) for person in persons]


def test_walkers_of_any_direction_are_one_group_and_runners_another() -> None:
    walkers = {(p, 0): walk(1.3, heading_rad=p, seed=p) for p in range(6)}
    runners = {(p, 0): walk(3.0, heading_rad=p, seed=p) for p in range(6, 12)}
    bank = bank_of(walkers | runners)
    assert set(label(bank, *range(6))) == {0}
    assert set(label(bank, *range(6, 12))) == {1}
    near = [key for key, _ in bank.nearest((0, 0), 20)]
    assert sorted(near) == [(p, 0) for p in range(1, 6)]  # no runner guides a walker


def test_sspd_alone_takes_a_runner_for_a_near_neighbour() -> None:
    """Why speed is asked at all: a curve walked in half the length lies on the same curve."""
    slow, fast = walk(1.0, curve=0.0), walk(1.6, curve=0.0)
    close = bank_of({(1, 0): slow, (2, 0): fast}, max_speed_ratio=9.0).nearest((1, 0), 1)
    assert close[0][1] < 0.3
    assert bank_of({(1, 0): slow, (2, 0): fast}).nearest((1, 0), 1) == []


def test_two_of_one_group_never_differ_more_in_speed_than_the_ratio() -> None:
    speeds = np.geomspace(0.8, 2.4, 24)
    bank = bank_of({(p, 0): walk(v, seed=p) for p, v in enumerate(speeds)}, max_distance_m=5.0)
    labels = np.array(label(bank, *range(24)))
    assert labels.max() >= 2
    for group in range(labels.max() + 1):
        ours = speeds[labels == group]
        assert ours.max() / ours.min() < 1.35 * 1.02  # noise of the ways


def test_who_stands_is_of_no_group_and_is_no_walkers_neighbour() -> None:
    ways = {(p, 0): walk(1.3, seed=p) for p in range(3)} | {(p, 0): walk(0.0, seed=p) for p in range(3, 6)}
    bank = bank_of(ways)
    assert bank.groups().standing.tolist() == [False] * 3 + [True] * 3
    assert label(bank, 3, 4, 5) == [-1] * 3
    assert {key for key, _ in bank.nearest((0, 0), 9)} == {(1, 0), (2, 0)}
    assert {key for key, _ in bank.nearest((3, 0), 9)} == {(4, 0), (5, 0)}


def test_left_and_right_curves_are_told_apart_by_shape_or_heading() -> None:
    ways = {(p, 0): walk(1.3, curve=1.5 * (-1) ** p, seed=p) for p in range(8)}
    labels = label(bank_of(ways), *range(8))
    assert set(labels[::2]).isdisjoint(labels[1::2])


def test_nearest_is_sorted_bounded_and_excludes_oneself() -> None:
    bank = bank_of({(p, 0): walk(1.3, curve=0.1 * p, seed=p) for p in range(6)})
    found = bank.nearest((0, 0), 3)
    assert len(found) == 3
    assert [d for _, d in found] == sorted(d for _, d in found)
    assert (0, 0) not in [key for key, _ in found]
    with pytest.raises(ShapeError, match=r"no segment \(9, 9\)"):
        bank.nearest((9, 9), 1)


def test_the_oldest_go_when_the_bank_is_full() -> None:
    bank = GroupBank(GroupConfig(max_segments=3))
    for slot0, person in ((0, 7), (0, 2), (64, 1), (128, 1)):
        bank.add((person, slot0), walk(1.3), ALL)
    assert len(bank) == 3
    assert (2, 0) not in bank  # of the same age the lower person
    assert (1, 128) in bank and (7, 0) in bank


def test_a_segment_is_replaced_under_its_key_and_discarded_once() -> None:
    bank = bank_of({(1, 0): walk(0.0), (2, 0): walk(1.3), (3, 0): walk(1.3, seed=3)})
    bank.add((1, 0), walk(1.3, seed=5), ALL)
    assert len(bank) == 3
    assert not bank.groups().standing.any()
    bank.discard((1, 0))
    bank.discard((1, 0))
    assert len(bank) == 2 and (1, 0) not in bank


def test_a_path_that_cannot_be_one_leaves_the_bank_as_it_was() -> None:
    bank = bank_of({(1, 0): walk(1.3)})
    with pytest.raises(ShapeError):
        bank.add((1, 0), walk(1.3), np.zeros(64, bool))
    assert (1, 0) in bank


def test_an_empty_bank_has_no_groups() -> None:
    groups = GroupBank(GroupConfig()).groups()
    assert groups.keys == () and groups.labels.shape == (0,) and groups.converged
