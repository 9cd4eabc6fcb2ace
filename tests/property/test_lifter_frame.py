"""Laws of the lifter's input: nothing of the camera's make, roll or place in the world is in it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from crowdstream.kernels.camera import CameraModel
from crowdstream.kernels.lifter.rays import (
    CONFIDENCE,
    FEATURES,
    POINTS,
    REFERENCE_HEIGHT_M,
    assemble_features,
    directions_world,
    person_frames,
    plane_points,
    track_speed,
)

angles = st.floats(-np.pi, np.pi)
elevations = st.floats(np.deg2rad(-5.0), np.deg2rad(70.0))
distances = st.floats(4.0, 120.0)
focals = st.floats(300.0, 8000.0)


def turn_z(angle: float) -> np.ndarray:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def camera(
    place: np.ndarray, at: np.ndarray, focal: float, roll: float = 0.0, dist: tuple[float, ...] = (0.0,) * 4
) -> CameraModel:
    """Looks from a place at a point."""
    away = (at - place) / np.linalg.norm(at - place)
    right = np.cross(away, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    R = turn_z(roll) @ np.stack([right, np.cross(away, right), away])
    K = np.array([[focal, 0.0, 500.0], [0.0, 1.1 * focal, 300.0], [0.0, 0.0, 1.0]])
    return CameraModel(K, R, -R @ place, (1000, 600), np.array(dist))


def seen(view: CameraModel, body: np.ndarray, ground: np.ndarray, distorted: bool = False) -> np.ndarray:
    """(u, v) of points through the pixels of a camera."""
    frames = person_frames(torch.from_numpy(view.centre_world_m), torch.from_numpy(ground))
    rays = directions_world(view, view.project(body), distorted)
    return plane_points(torch.from_numpy(rays), frames)[0].numpy()


def place_of(azimuth: float, elevation: float, distance: float, at: np.ndarray) -> np.ndarray:
    level = np.cos(elevation)
    way = np.array([level * np.cos(azimuth), level * np.sin(azimuth), np.sin(elevation)])
    return at + distance * way


@pytest.fixture(scope="module")
def body() -> np.ndarray:
    """Seventeen points about a pelvis at (2, 3, 0.9)."""
    return np.array([2.0, 3.0, 0.9]) + np.random.default_rng(3).uniform(-0.8, 0.8, (17, 3))


GROUND = np.array([2.0, 3.0, 0.0])
REFERENCE = GROUND + np.array([0.0, 0.0, REFERENCE_HEIGHT_M])


@settings(max_examples=40, deadline=None)
@given(angles, elevations, distances, focals, focals, angles)
def test_two_lenses_and_a_roll_tell_the_same(
    body: np.ndarray, azimuth: float, elevation: float, distance: float, one: float, other: float, roll: float
) -> None:
    place = place_of(azimuth, elevation, distance, REFERENCE)
    looks_elsewhere = REFERENCE + 0.1 * distance * np.array([0.3, -0.2, 0.1])
    a = seen(camera(place, REFERENCE, one), body, GROUND)
    b = seen(camera(place, looks_elsewhere, other, roll), body, GROUND)
    np.testing.assert_allclose(a, b, atol=1e-7)


def test_a_distorted_picture_tells_the_same(body: np.ndarray) -> None:
    place = place_of(0.4, 0.5, 6.0, REFERENCE)
    straight = seen(camera(place, REFERENCE, 900.0), body, GROUND)
    bent = seen(camera(place, REFERENCE, 900.0, dist=(-0.2, 0.05, 1e-3, -1e-3)), body, GROUND, distorted=True)
    np.testing.assert_allclose(bent, straight, atol=2e-4)


@settings(max_examples=40, deadline=None)
@given(angles, elevations, distances, angles, st.floats(-500, 500), st.floats(-5, 5))
def test_the_world_may_be_turned_about_up_and_shifted(
    body: np.ndarray, azimuth: float, elevation: float, distance: float, turn: float, far: float, high: float
) -> None:
    place = place_of(azimuth, elevation, distance, REFERENCE)
    shift, R = np.array([far, -far, high]), turn_z(turn)
    a = seen(camera(place, REFERENCE, 1000.0), body, GROUND)
    b = seen(camera(R @ place + shift, R @ REFERENCE + shift, 1000.0), body @ R.T + shift, R @ GROUND + shift)
    np.testing.assert_allclose(a, b, atol=1e-7)


@settings(max_examples=30, deadline=None)
@given(angles, st.floats(np.deg2rad(-89.99), np.deg2rad(89.99)), distances)
def test_axes_are_orthonormal_at_any_elevation(azimuth: float, elevation: float, distance: float) -> None:
    place = place_of(azimuth, elevation, distance, REFERENCE)
    frames = person_frames(torch.from_numpy(place), torch.from_numpy(GROUND))
    for turn, hand in ((frames.axes_world_ray.numpy(), -1.0), (frames.R_world_upright.numpy(), 1.0)):
        np.testing.assert_allclose(turn.T @ turn, np.eye(3), atol=1e-9)
        assert np.linalg.det(turn) == pytest.approx(hand)
    assert frames.R_world_upright[2, 2] == 1.0
    assert float(frames.sin_elevation) == pytest.approx(np.sin(elevation), abs=1e-3)


def test_points_on_the_plane_are_where_they_stand() -> None:
    place = place_of(1.0, 0.7, 10.0, REFERENCE)
    frames = person_frames(torch.from_numpy(place), torch.from_numpy(GROUND))
    uv = torch.tensor([[0.3, -0.8], [0.0, 0.0], [-0.4, 0.75]], dtype=torch.float64)
    world = frames.reference_m + uv @ frames.axes_world_ray[:, :2].T
    found, ahead = plane_points(world - torch.from_numpy(place), frames)
    torch.testing.assert_close(found, uv)
    torch.testing.assert_close(ahead, torch.full((3,), 10.0, dtype=torch.float64))


def test_up_in_the_picture_is_up_and_left_of_a_facing_person_is_right(body: np.ndarray) -> None:
    place = place_of(0.0, 0.3, 8.0, REFERENCE)  # the camera stands in +x and looks along -x
    points = REFERENCE + np.array([[0.0, 0.0, 0.5], [0.0, 0.5, 0.0]])
    head, north = seen(camera(place, REFERENCE, 900.0), points, GROUND)
    assert head[1] > 0.4 and abs(head[0]) < 1e-9
    assert north[0] == pytest.approx(0.5, abs=0.02)


def test_speed_is_told_right_and_away_and_stops_at_gaps() -> None:
    track = torch.zeros(1, 6, 3, dtype=torch.float64)
    track[0, :, 1] = torch.arange(6) / 30.0  # 1 m/s along +y
    track[0, :, 0] = 2 * torch.arange(6) / 30.0
    frames = person_frames(torch.tensor([0.0, -1e6, 1e5], dtype=torch.float64), track)
    present = torch.tensor([[True, True, True, False, True, True]])
    speed = track_speed(track, present, frames)[0].numpy()
    np.testing.assert_allclose(speed[[0, 1, 2, 4, 5]], np.tile([2.0, 1.0], (5, 1)), atol=1e-4)
    assert not speed[3].any()


def test_what_is_not_known_is_not_in_the_features() -> None:
    random = np.random.default_rng(0)
    points = torch.from_numpy(random.normal(size=(2, 4, 17, 2)).astype(np.float32))
    confidence = torch.from_numpy(random.uniform(0.2, 1.0, (2, 4, 17)).astype(np.float32))
    confidence[0, 1, 3], confidence[1, 2] = 0.0, 0.0
    rest = (torch.rand(2, 4, 4), torch.zeros(2, 4), torch.full((2, 4), 9.0), torch.zeros(2, 4, 2))
    told = assemble_features(points, confidence, *rest)
    assert told.shape == (2, 4, FEATURES)
    other = points.clone()
    other[0, 1, 3], other[1, 2] = torch.nan, 1e9
    torch.testing.assert_close(assemble_features(other, confidence, *rest), told)
    assert not told[1, 2, POINTS].any() and not told[1, 2, CONFIDENCE].any() and told[1, 1, POINTS].all()
