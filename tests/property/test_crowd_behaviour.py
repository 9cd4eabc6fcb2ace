"""Curves, routes and walls under virtual crowds: laws for any input."""

from __future__ import annotations

from functools import cache

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from crowdstream.kernels.fused.walls import out_of_walls, sight_clear
from crowdstream.lab.virtualcrowd.behaviour.curves import spline
from crowdstream.lab.virtualcrowd.behaviour.errands import along
from crowdstream.lab.virtualcrowd.behaviour.routes import RouteMap, clearance_m
from crowdstream.lab.virtualcrowd.scenes import SCENES, build_scene

coordinate = st.floats(-50.0, 50.0)
points = st.integers(2, 25).flatmap(lambda n: arrays(np.float64, (n, 2), elements=coordinate))
place = st.tuples(st.floats(-28.0, 28.0), st.floats(-20.0, 20.0))


@cache
def route_map(name: str) -> RouteMap:
    return RouteMap(build_scene(name, 0), 0)


@given(points)
def test_spline_reversed_in_time(p: np.ndarray) -> None:
    assert np.allclose(spline(p[::-1]), spline(p)[::-1], atol=1e-9)


@given(points, coordinate, coordinate, st.floats(-3.0, 3.0))
def test_spline_moves_with_its_points(p: np.ndarray, x: float, y: float, turn: float) -> None:
    c, s = np.cos(turn), np.sin(turn)
    R = np.array([[c, -s], [s, c]])
    assert np.allclose(spline(p @ R.T + (x, y)), spline(p) @ R.T + (x, y), atol=1e-8)


@given(st.integers(2, 30), coordinate, st.floats(-3.0, 3.0))
def test_spline_keeps_steady_motion(n: int, start: float, speed: float) -> None:
    """Constant speed stays exactly that, up to the ends; standing is exactly standing."""
    line = start + speed * np.arange(n)[:, None]
    want = start + speed * 0.5 * np.arange(2 * n - 1)[:, None]
    assert np.allclose(spline(line), want, atol=1e-9)
    still = np.full((n, 1), start)
    assert np.allclose(spline(still), start, rtol=0, atol=1e-12)


@given(points)
def test_spline_never_overshoots(p: np.ndarray) -> None:
    inner = spline(p)[8:-8]
    if len(inner):
        assert np.all(inner >= p.min(axis=0) - 1e-9) and np.all(inner <= p.max(axis=0) + 1e-9)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(list(SCENES)), place, place, st.integers(0, 3))
def test_routes_keep_clear_of_obstacles(
    name: str, a: tuple[float, float], b: tuple[float, float], variant: int
) -> None:
    routes = route_map(name)
    ends = np.array([a, b])
    if clearance_m(routes.walls, ends).min() < 0.6:
        return
    way = routes.route(ends[0], ends[1], variant)
    assert way is not None and np.array_equal(way[-1], ends[1])
    whole = np.concatenate([ends[:1], way])
    steps = np.array([along(whole, share)[0] for share in np.linspace(0.0, 1.0, 200)])
    if np.linalg.norm(np.diff(whole, axis=0), axis=1).sum() > 0:
        assert clearance_m(routes.walls, steps).min() > 0.3


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(list(SCENES)), place, place)
def test_sight_is_mutual(name: str, a: tuple[float, float], b: tuple[float, float]) -> None:
    walls = route_map(name).walls
    if np.hypot(a[0] - b[0], a[1] - b[1]) > 1e-3:
        assert sight_clear(*a, *b, walls, 0.2) == sight_clear(*b, *a, walls, 0.2)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(list(SCENES)), place)
def test_walls_push_out(name: str, a: tuple[float, float]) -> None:
    """Whoever is in or near an obstacle is put outside it, and others are left alone."""
    walls = route_map(name).walls
    out = np.array(out_of_walls(*a, walls, 0.3, 0.25))
    before = clearance_m(walls, np.array([a]))[0]
    if before >= 0.3:
        assert np.array_equal(out, a)
    elif before > -0.1:
        assert clearance_m(walls, out[None])[0] > 0.2
