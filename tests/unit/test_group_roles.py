"""Roles (eq. 16): who guides whom, and when nobody does."""

import numpy as np
import pytest

from crowdstream.kernels.errors import ShapeError
from crowdstream.kernels.grouping.roles import BEST, NEITHER, POOR, RoleConfig, assign_guides, roles

CONFIG = RoleConfig()


def guides(
    keys: list[tuple[int, int]], labels: list[int], confidence: list[float], config: RoleConfig = CONFIG
) -> list[tuple[int, int] | None]:
    found = assign_guides(keys, np.array(labels), np.array(confidence), config)
    return [None if guide is None else guide.key for guide in found]


def test_the_best_guides_the_poor_and_the_rest_are_left_alone() -> None:
    keys = [(1, 0), (2, 0), (3, 0), (4, 0)]
    assert roles(np.zeros(4, int), np.array([0.9, 0.0, 0.7, 0.0])).tolist() == [BEST, POOR, NEITHER, POOR]
    assert guides(keys, [0] * 4, [0.9, 0.0, 0.7, 0.0]) == [None, (1, 0), None, (1, 0)]


def test_all_poor_have_no_guide() -> None:
    assert roles(np.zeros(2, int), np.zeros(2)).tolist() == [POOR, POOR]  # none is best at once
    assert guides([(1, 0), (2, 0)], [0, 0], [0.0, 0.0]) == [None, None]


def test_singles_neither_guide_nor_are_guided() -> None:
    assert guides([(1, 0), (2, 0)], [-1, -1], [0.9, 0.0]) == [None, None]
    assert roles(np.array([-1]), np.array([0.9])).tolist() == [NEITHER]


def test_groups_do_not_mix() -> None:
    keys = [(1, 0), (2, 0), (3, 0), (4, 0)]
    assert guides(keys, [0, 0, 1, 1], [0.9, 0.0, 0.8, 0.0]) == [None, (1, 0), None, (3, 0)]


def test_ones_own_good_segment_goes_before_a_better_one_of_somebody_else() -> None:
    keys = [(1, 0), (2, 0), (1, 64)]
    assert guides(keys, [0] * 3, [0.0, 0.95, 0.7])[0] == (1, 64)
    assert guides(keys, [0] * 3, [0.0, 0.95, 0.7], RoleConfig(in_sequence_first=False))[0] == (2, 0)
    assert guides(keys, [0] * 3, [0.0, 0.95, 0.4])[0] == (2, 0)  # not good enough to guide


def test_of_ones_own_the_nearest_in_time() -> None:
    keys = [(1, 0), (1, 64), (1, 128), (1, 192), (1, 256)]
    assert guides(keys, [0] * 5, [0.9, 0.8, 0.0, 0.9, 0.9])[2] == (1, 64)  # of two as near the earlier


def test_who_is_badly_seen_guides_nobody_even_as_the_best() -> None:
    assert guides([(1, 0), (2, 0)], [0, 0], [0.5, 0.0]) == [None, None]


def test_ties_are_broken_by_key_not_by_place() -> None:
    keys = [(5, 0), (3, 0), (4, 0), (9, 0)]
    confidence = [0.9, 0.9, 0.9, 0.0]
    assert guides(keys, [0] * 4, confidence)[3] == (3, 0)
    assert guides(keys[::-1], [0] * 4, confidence[::-1])[0] == (3, 0)


def test_a_guide_says_where_it_stands_and_whose_it_is() -> None:
    guide = assign_guides([(1, 0), (1, 64)], np.array([0, 0]), np.array([0.0, 0.9]), CONFIG)[0]
    assert guide is not None and guide.row == 1 and guide.in_sequence


def test_lists_of_different_lengths_are_refused() -> None:
    with pytest.raises(ShapeError, match="1 keys, 2 labels"):
        assign_guides([(1, 0)], np.array([0, 0]), np.array([0.9, 0.0]), CONFIG)
