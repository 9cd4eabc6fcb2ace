"""Boxes across tiles: one person stays one, halves go, a child before an adult stays, order does not matter."""

from __future__ import annotations

import numpy as np

from crowdstream.kernels.perception.detector import Boxes
from crowdstream.kernels.perception.merge import merge_tiles
from crowdstream.kernels.perception.tiling import Tile, boxes_to_frame

SIZE = (300, 100)
LEFT = Tile((0, 0, 180, 100), 1.0)
RIGHT = Tile((120, 0, 300, 100), 2.0)


def _boxes(tile: Tile, *rows: tuple[float, float, float, float, float]) -> Boxes:
    """Frame-pixel boxes with scores, as the tile's detector would give them."""
    raw = np.array(rows, np.float32).reshape(-1, 5)
    x1, y1, _, _ = tile.region_px
    return (raw[:, :4] - np.array([x1, y1, x1, y1], np.float32)) * np.float32(tile.scale), raw[:, 4]


def test_tile_pixels_come_back_to_the_frame() -> None:
    boxes, _ = _boxes(RIGHT, (130, 10, 150, 60, 0.9))
    np.testing.assert_allclose(boxes_to_frame(boxes, RIGHT), [[130, 10, 150, 60]])


def test_a_person_in_the_overlap_is_one() -> None:
    found = [_boxes(LEFT, (140, 10, 160, 60, 0.6)), _boxes(RIGHT, (141, 10, 161, 60, 0.9))]
    boxes, scores = merge_tiles(found, (LEFT, RIGHT), SIZE)
    assert scores.tolist() == [np.float32(0.9)]
    np.testing.assert_allclose(boxes, [[141, 10, 161, 60]])


def test_the_half_cut_by_a_border_goes_even_with_a_higher_score() -> None:
    whole, half = (160, 10, 200, 90, 0.5), (161, 12, 180, 90, 0.95)
    boxes, _ = merge_tiles([_boxes(LEFT, half), _boxes(RIGHT, whole)], (LEFT, RIGHT), SIZE)
    np.testing.assert_allclose(boxes, [whole[:4]], atol=1e-4)


def test_a_child_before_an_adult_stays() -> None:
    adult, child = (130, 5, 165, 95, 0.9), (140, 50, 155, 92, 0.8)
    found = [_boxes(LEFT, adult, child), _boxes(RIGHT, adult, child)]
    boxes, _ = merge_tiles(found, (LEFT, RIGHT), SIZE)
    np.testing.assert_allclose(boxes, [adult[:4], child[:4]], atol=1e-4)


def test_the_border_of_the_picture_cuts_nobody_off() -> None:
    at_edge = (0, 40, 30, 100, 0.7)
    boxes, _ = merge_tiles([_boxes(LEFT, at_edge), _boxes(RIGHT)], (LEFT, RIGHT), SIZE)
    np.testing.assert_allclose(boxes, [at_edge[:4]])


def test_boxes_of_one_tile_are_never_merged() -> None:
    found = [_boxes(LEFT, (10, 10, 40, 90, 0.9), (11, 10, 41, 90, 0.8)), _boxes(RIGHT)]
    assert len(merge_tiles(found, (LEFT, RIGHT), SIZE)[1]) == 2


def test_the_order_of_tiles_does_not_matter() -> None:
    rng = np.random.default_rng(3)
    low = rng.uniform([0, 0], [250, 50], (40, 2))
    raw = np.concatenate([low, low + rng.uniform(10, 50, (40, 2)), rng.uniform(0.1, 1, (40, 1))], axis=1)

    def inside(tile: Tile) -> Boxes:
        x1, _, x2, _ = tile.region_px
        rows = raw[(raw[:, 0] < x2) & (raw[:, 2] > x1)].copy()
        rows[:, [0, 2]] = rows[:, [0, 2]].clip(x1, x2)
        rows[:, 4] += 1e-3 * tile.scale  # scores differ between tiles: no ties
        return _boxes(tile, *map(tuple, rows))

    one = merge_tiles([inside(LEFT), inside(RIGHT)], (LEFT, RIGHT), SIZE)
    two = merge_tiles([inside(RIGHT), inside(LEFT)], (RIGHT, LEFT), SIZE)
    np.testing.assert_array_equal(one[0], two[0])
    np.testing.assert_array_equal(one[1], two[1])
    assert len(one[1]) < len(inside(LEFT)[1]) + len(inside(RIGHT)[1])
