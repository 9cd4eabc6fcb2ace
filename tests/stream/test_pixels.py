"""Pixels: the way through I420 and back, and a converted region equals that part of the whole."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crowdstream.kernels.errors import ShapeError
from crowdstream.stream.pixels import bgr_to_i420, frame_bgr, frame_region_bgr
from crowdstream.stream.records import ClockOrigin, Frame, PixelFormat

WIDTH, HEIGHT = 46, 30


def _frame(image: np.ndarray, fmt: PixelFormat, size: tuple[int, int] = (WIDTH, HEIGHT)) -> Frame:
    return Frame("cam", 0, 0, ClockOrigin.MANUAL, image, fmt, size)


def _noise() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (HEIGHT * 3 // 2, WIDTH), dtype=np.uint8)


def test_smooth_colours_survive_the_way_through_i420() -> None:
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    image[:, :20] = (200, 40, 90)
    image[:, 20:] = (10, 120, 230)
    back = frame_bgr(_frame(bgr_to_i420(image), PixelFormat.I420))
    assert np.abs(back.astype(int) - image.astype(int)).max() <= 4  # 8-bit limited range rounds


def test_bgr_is_handed_on_without_a_copy() -> None:
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    assert frame_bgr(_frame(image, PixelFormat.BGR)) is image


@given(st.integers(0, WIDTH - 1), st.integers(0, HEIGHT - 1), st.integers(1, WIDTH), st.integers(1, HEIGHT))
def test_a_region_equals_that_part_of_the_whole(x: int, y: int, w: int, h: int) -> None:
    frame = _frame(_noise(), PixelFormat.I420)
    x2, y2 = min(WIDTH, x + w), min(HEIGHT, y + h)
    np.testing.assert_array_equal(frame_region_bgr(frame, (x, y, x2, y2)), frame_bgr(frame)[y:y2, x:x2])


@pytest.mark.parametrize("region", [(0, 0, 0, 5), (-1, 0, 5, 5), (0, 0, WIDTH + 1, 5)])
def test_a_region_outside_is_refused(region: tuple[int, int, int, int]) -> None:
    with pytest.raises(ShapeError, match="does not lie in a picture of 46x30"):
        frame_region_bgr(_frame(_noise(), PixelFormat.I420), region)


def test_bytes_of_another_size_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"expected uint8 \[45, 46\]"):
        frame_bgr(_frame(np.zeros((44, 46), np.uint8), PixelFormat.I420))
    with pytest.raises(ShapeError, match="even sides"):
        frame_bgr(_frame(np.zeros((45, 45), np.uint8), PixelFormat.I420, (45, 30)))
