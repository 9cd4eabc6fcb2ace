"""Appearance codes: what they say of people, and what they must not be fooled by."""

from __future__ import annotations

import numpy as np
import pytest

from crowdstream.kernels.perception.appearance import colour_codes, is_grey
from crowdstream.kernels.perception.appearance_code import (
    BRIGHTNESS_BINS,
    COLOUR_SIZE,
    CodeKind,
    blend_codes,
    compare_codes,
    known_blocks,
)

Array = np.ndarray
RED_BLUE = ((40, 40, 200), (160, 60, 30))
GREEN_DARK = ((50, 160, 60), (35, 30, 30))


def _person(clothes: tuple[tuple[int, int, int], ...], at: float = 100.0, light: float = 1.0) -> Array:
    """A picture 400x300 with one person of these torso and leg colours (BGR) 120 px tall, feet at y = 220."""
    rng = np.random.default_rng(int(at))
    image = np.full((300, 400, 3), (150, 170, 160), np.float64)
    x1, x2 = int(at - 20), int(at + 20)
    image[100:160, x1:x2], image[160:220, x1:x2] = clothes
    return np.clip(image * light + rng.normal(0, 4, image.shape), 0, 255).astype(np.uint8)


def _pose(at: float = 100.0) -> tuple[Array, Array, Array]:
    """Box, keypoints and confidence that fit it."""
    keypoints = np.zeros((17, 2))
    for pair, half, y in ((5, 12, 118), (11, 8, 160), (13, 8, 188), (15, 8, 215)):
        keypoints[pair], keypoints[pair + 1] = (at + half, y), (at - half, y)
    return np.array([[at - 22, 95.0, at + 22, 222.0]]), keypoints[None], np.full((1, 17), 0.9)


def _code(clothes: tuple[tuple[int, int, int], ...], at: float = 100.0, light: float = 1.0) -> Array:
    return colour_codes(_person(clothes, at, light), *_pose(at)).astype(np.float64)


def _distance(a: Array, b: Array) -> float:
    return float(compare_codes(a, b)[0][0])


def test_a_code_is_a_unit_row_of_float32() -> None:
    code = colour_codes(_person(RED_BLUE), *_pose())
    assert code.shape == (1, COLOUR_SIZE)
    assert code.dtype == np.float32
    assert np.linalg.norm(code) == pytest.approx(1.0, abs=1e-5)


def test_the_same_clothes_elsewhere_are_nearer_than_other_clothes() -> None:
    assert _distance(_code(RED_BLUE), _code(RED_BLUE, at=250)) < 0.02
    assert _distance(_code(RED_BLUE), _code(GREEN_DARK)) > 0.2


def test_shade_changes_a_code_less_than_other_clothes_do() -> None:
    sun = _code(RED_BLUE)
    assert _distance(sun, _code(RED_BLUE, light=0.7)) < 0.5 * _distance(sun, _code(GREEN_DARK))


def test_without_a_pose_the_box_places_the_regions() -> None:
    box, keypoints, confidence = _pose()
    blind = colour_codes(_person(RED_BLUE), box, keypoints, np.zeros_like(confidence)).astype(np.float64)
    assert _distance(blind, _code(RED_BLUE)) < 0.1


def test_a_grey_camera_gives_codes_of_brightness_that_still_tell_people_apart() -> None:
    def grey(clothes: tuple[tuple[int, int, int], ...]) -> Array:
        image = np.repeat(_person(clothes).mean(axis=-1, keepdims=True), 3, axis=-1).astype(np.uint8)
        assert is_grey(image)
        return colour_codes(image, *_pose()).astype(np.float64)

    dark, light = grey(((30, 30, 30), (40, 40, 40))), grey(((200, 200, 200), (40, 40, 40)))
    assert known_blocks(dark).tolist() == [[True, False, True, False]]
    assert np.linalg.norm(dark) == pytest.approx(1.0, abs=1e-5)
    assert _distance(dark, light) > 0.2
    assert compare_codes(dark, _code(RED_BLUE))[1][0] == CodeKind.GREY


def test_a_colour_picture_is_not_grey_for_one_person_in_black() -> None:
    assert not is_grey(_person(RED_BLUE))


def test_somebody_in_front_hides_and_is_not_taken_for_the_person() -> None:
    image = _person(RED_BLUE)
    box, keypoints, confidence = _pose()
    boxes = np.concatenate([box, box + np.array([[-10.0, 10.0, 10.0, 40.0]])])
    two = colour_codes(image, boxes, np.repeat(keypoints, 2, 0), np.repeat(confidence, 2, 0), np.array([0]))
    assert not two.any()
    legs = np.concatenate([box, np.array([[60.0, 158.0, 140.0, 290.0]])])
    top = colour_codes(image, legs, np.repeat(keypoints, 2, 0), np.repeat(confidence, 2, 0), np.array([0]))
    assert known_blocks(top.astype(np.float64)).tolist() == [[True, True, False, False]]
    assert _distance(top.astype(np.float64), _code(RED_BLUE)) < 0.02


def test_people_outside_the_picture_have_no_code() -> None:
    box, keypoints, confidence = _pose()
    away = colour_codes(_person(RED_BLUE), box + 1000.0, keypoints + 1000.0, confidence)
    assert not away.any()


def test_a_code_does_not_depend_on_who_else_is_asked_for() -> None:
    image = np.maximum(_person(RED_BLUE, 100), _person(GREEN_DARK, 300))
    parts = [_pose(100), _pose(300)]
    boxes, keypoints, confidence = (np.concatenate(p) for p in zip(*parts, strict=True))
    both = colour_codes(image, boxes, keypoints, confidence)
    alone = colour_codes(image, boxes, keypoints, confidence, np.array([1]))
    np.testing.assert_allclose(both[1:], alone, atol=1e-6)


def test_halves_that_only_one_side_knows_do_not_count() -> None:
    whole = _code(RED_BLUE)
    top = whole.copy()
    top[:, COLOUR_SIZE // 2 :] = 0.0
    distance, _, share = compare_codes(whole, top / np.linalg.norm(top))
    assert distance[0] == pytest.approx(0.0, abs=1e-9)
    assert share[0] == pytest.approx(0.5)
    legs = whole - top
    nothing = compare_codes(top, legs)
    assert np.isnan(nothing[0][0])
    assert nothing[1][0] == CodeKind.NONE


def test_blending_keeps_unit_rows_and_takes_missing_halves_from_the_side_that_knows() -> None:
    red, green = _code(RED_BLUE), _code(GREEN_DARK)
    top = red.copy()
    top[:, COLOUR_SIZE // 2 :] = 0.0
    mean = blend_codes(top / np.linalg.norm(top), green, np.array([0.1]))
    assert np.linalg.norm(mean) == pytest.approx(1.0)
    legs = np.zeros_like(green)
    legs[:, COLOUR_SIZE // 2 :] = green[:, COLOUR_SIZE // 2 :]
    assert _distance(mean, legs) == pytest.approx(0.0, abs=1e-9)
    np.testing.assert_allclose(blend_codes(np.zeros_like(red), red, np.array([0.05])), red, atol=1e-6)
    np.testing.assert_allclose(blend_codes(red, np.zeros_like(red), np.array([0.5])), red, atol=1e-6)


def test_embeddings_compare_by_their_plain_cosine() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 5, 256))
    a, b = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (a, b))
    distance, kind, share = compare_codes(a, b)
    np.testing.assert_allclose(distance, 1.0 - (a * b).sum(axis=1))
    assert (kind == CodeKind.EMBEDDING).all()
    assert (share == 1.0).all()


def test_a_brighter_torso_moves_only_the_torso_half() -> None:
    one, other = _code(RED_BLUE), _code(((120, 120, 220), RED_BLUE[1]))
    half = COLOUR_SIZE // 2
    assert np.abs(one - other)[:, :BRIGHTNESS_BINS].max() > 0.05
    assert np.abs(one - other)[:, half + 4 :].max() < 0.05
