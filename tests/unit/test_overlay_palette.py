"""Colours of people: stable, apart from each other, within what a screen shows."""

from __future__ import annotations

import numpy as np

from crowdstream.stream.overlay.config import Colouring
from crowdstream.stream.overlay.palette import body_bgr, oklch_to_bgr, track_bgr


def test_a_colour_depends_on_the_id_alone() -> None:
    ids = np.array([3, 900, 17, 3])
    colours = track_bgr(ids)
    np.testing.assert_array_equal(colours[0], colours[3])
    np.testing.assert_array_equal(colours[1:2], track_bgr(np.array([900])))


def test_people_who_came_one_after_another_look_different() -> None:
    colours = track_bgr(np.arange(400)).astype(np.float64)
    for gap in range(1, 22):
        assert np.linalg.norm(colours[gap:] - colours[:-gap], axis=1).min() > 20, gap
    for gap, apart in ((1, 60), (2, 60), (3, 40)):
        assert np.linalg.norm(colours[gap:] - colours[:-gap], axis=1).min() > apart, gap


def test_equal_hues_differ_in_lightness() -> None:
    luma = track_bgr(np.arange(200)) @ np.array([0.0722, 0.7152, 0.2126])
    for gap in (8, 13, 21):  # the golden angle brings hues together after Fibonacci numbers
        assert np.abs(luma[gap:] - luma[:-gap]).mean() > 12, gap


def test_colours_can_be_shown_and_seen() -> None:
    colours = track_bgr(np.arange(1000))
    assert colours.min() >= 0 and colours.max() <= 255
    assert (colours.max(axis=1) - colours.min(axis=1)).min() > 40  # none is grey
    assert colours.mean(axis=1).min() > 70  # none is lost on dark ground


def test_oklab_knows_white_and_black() -> None:
    zero = np.zeros(2)
    np.testing.assert_allclose(oklch_to_bgr(np.array([0.0, 1.0]), zero, zero), [[0] * 3, [255] * 3], atol=0.2)


def test_tiers_have_three_colours() -> None:
    colours = body_bgr(Colouring.TIER, np.arange(4), np.array([-1, 0, 1, 5]))
    assert len({tuple(c) for c in colours.tolist()}) == 3
    np.testing.assert_array_equal(colours[2], colours[3])  # refined once or five times
    np.testing.assert_array_equal(
        body_bgr(Colouring.TRACK, np.arange(4), np.array([-1, 0, 1, 5])), track_bgr(np.arange(4))
    )
