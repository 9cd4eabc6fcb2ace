"""Scenes and cameras of virtual crowds: what they promise whatever the seed."""

from __future__ import annotations

import numpy as np
import pytest

from crowdstream.kernels.errors import CrowdstreamError
from crowdstream.lab.virtualcrowd.behaviour.routes import clearance_m, walls_of
from crowdstream.lab.virtualcrowd.cameras import place_camera
from crowdstream.lab.virtualcrowd.config import CrowdConfig
from crowdstream.lab.virtualcrowd.scene import Scene, surface_height_m
from crowdstream.lab.virtualcrowd.scenes import SCENES, build_scene

NAMES = list(SCENES)
SEEDS = (0, 1, 7)


def _cross(shape: np.ndarray) -> np.ndarray:
    edge = np.roll(shape, -1, axis=0) - shape
    following = np.roll(edge, -1, axis=0)
    return edge[:, 0] * following[:, 1] - edge[:, 1] * following[:, 0]


def _same(a: Scene, b: Scene) -> bool:
    return (
        np.array_equal(a.outline_m, b.outline_m)
        and len(a.obstacles) == len(b.obstacles)
        and all(
            np.array_equal(p.outline_m, q.outline_m) and (p.base_m, p.height_m) == (q.base_m, q.height_m)
            for p, q in zip(a.obstacles, b.obstacles, strict=True)
        )
        and all(np.array_equal(p.ends_m, q.ends_m) for p, q in zip(a.gates, b.gates, strict=True))
        and all(
            np.array_equal(p.normal, q.normal) and p.offset_m == q.offset_m
            for p, q in zip(a.ground.planes, b.ground.planes, strict=True)
        )
    )


def _grid(scene: Scene, step: float) -> np.ndarray:
    low, high = scene.outline_m.min(axis=0), scene.outline_m.max(axis=0)
    x, y = np.meshgrid(np.arange(low[0], high[0], step), np.arange(low[1], high[1], step))
    return np.stack([x.ravel(), y.ravel()], axis=1)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", NAMES)
def test_scene_is_large_and_well_formed(name: str, seed: int) -> None:
    scene = build_scene(name, seed)
    assert scene.area_m2 >= 2500.0
    assert np.all(_cross(scene.outline_m) > 0)
    for thing in scene.obstacles:
        assert np.all(_cross(thing.outline_m) > 0), thing.name
        assert thing.height_m > 0.4
    names = [o.name for o in scene.obstacles]
    assert len(set(names)) == len(names)
    kinds = {o.kind for o in scene.obstacles}
    assert {"kiosk", "bench", "planter", "wall"} <= kinds <= {"kiosk", "bench", "planter", "wall", "pillar"}
    on_outline = clearance_m(walls_of(scene), np.concatenate([g.ends_m for g in scene.gates]))
    assert np.all(np.abs(on_outline) < 1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_same_seed_same_scene(name: str) -> None:
    assert _same(build_scene(name, 3), build_scene(name, 3))
    assert not _same(build_scene(name, 3), build_scene(name, 4))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", NAMES)
def test_obstacles_stand_in_the_ground(name: str, seed: int) -> None:
    """No gap under an obstacle, and its top is the stated height above the highest ground it stands on."""
    scene = build_scene(name, seed)
    for thing in scene.obstacles:
        ground = surface_height_m(scene.ground, 0.98 * thing.outline_m + 0.02 * thing.outline_m.mean(axis=0))
        assert thing.base_m <= ground.min() + 1e-2
        if thing.kind == "kiosk":  # taller than people wherever they stand beside it
            assert thing.base_m + thing.height_m >= ground.max() + 2.5


def test_slopes_of_the_hillside() -> None:
    for seed in SEEDS:
        planes = build_scene("hillside", seed).ground.planes
        slopes = np.degrees([np.arccos(p.normal[2]) for p in planes])
        assert slopes == pytest.approx([4.0, 6.0], abs=1e-6)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", NAMES)
def test_ground_steps_only_under_walls(name: str, seed: int) -> None:
    """Where the ground is not continuous, an obstacle stands: nobody can walk over a level's edge."""
    scene = build_scene(name, seed)
    walls = walls_of(scene)
    places = _grid(scene, 0.25)
    places = places[clearance_m(walls, places) > 0.2]
    height = surface_height_m(scene.ground, places)
    for way in ([0.15, 0.0], [0.0, 0.15]):
        step = np.abs(surface_height_m(scene.ground, places + np.array(way)) - height)
        assert step.max() < 0.03, places[step.argmax()]


def test_terrace_has_two_levels_and_ramps_between() -> None:
    scene = build_scene("terrace", 0)
    height = surface_height_m(scene.ground, _grid(scene, 0.5))
    assert height.min() == pytest.approx(0.0) and height.max() == pytest.approx(1.2)
    slopes = np.degrees([np.arccos(p.normal[2]) for p in scene.ground.planes])
    assert (slopes > 5.0).sum() == 2 and slopes.max() < 8.0


@pytest.mark.parametrize("seed", SEEDS)
def test_colonnade_hides_whoever_walks_behind_its_screens(seed: int) -> None:
    """From the high camera too: the head of a tall person 1.5 m behind the middle of a screen lies in its shadow."""
    scene = build_scene("colonnade", seed)
    screens = [o for o in scene.obstacles if o.kind == "wall"]
    assert len(screens) >= 5
    eye = place_camera(scene, "high", (1920, 1080), seed).centre_world_m
    for screen in screens:
        along = screen.outline_m[1] - screen.outline_m[0]
        assert np.linalg.norm(along) > 3.0, "a walk of some seconds"
        head = np.array([*screen.outline_m.mean(axis=0), 1.85]) + np.array([0.0, 1.5, 0.0])
        share = (screen.outline_m[:, 1].mean() - head[1]) / (
            eye[1] - head[1]
        )  # where the ray meets the screen
        assert head[2] + share * (eye[2] - head[2]) < screen.base_m + screen.height_m


def test_unknown_names_are_told_apart() -> None:
    with pytest.raises(CrowdstreamError, match="plaza, station, hillside, terrace"):
        build_scene("moon", 0)
    with pytest.raises(ValueError, match="plaza, station, hillside, terrace"):
        CrowdConfig(scene="moon")
    with pytest.raises(CrowdstreamError, match="high, low"):
        place_camera(build_scene("plaza", 0), "side", (1920, 1080), 0)


def test_shares_must_fit() -> None:
    with pytest.raises(ValueError, match=r"1\.\d\d, expected at most 1"):
        CrowdConfig(grouped=0.9)
    assert sum(CrowdConfig().shares().values()) < 1.0


@pytest.mark.parametrize("view", ["high", "low"])
@pytest.mark.parametrize("name", NAMES)
def test_camera_stands_and_looks_as_its_view_says(name: str, view: str) -> None:
    scene = build_scene(name, 0)
    camera = place_camera(scene, view, (1920, 1080), 0)
    centre = camera.centre_world_m
    above = centre[2] - surface_height_m(scene.ground, centre[:2])
    down = np.degrees(np.arcsin(-camera.R_cam_world[2, 2]))
    heights, pitches = {"high": ((12, 20), (24, 45)), "low": ((3, 5), (8, 15))}[view]
    assert heights[0] - 1e-6 <= above <= heights[1] + 1e-6 and pitches[0] - 1e-6 <= down <= pitches[1] + 1e-6
    assert camera.R_cam_world[0, 2] == pytest.approx(0.0, abs=1e-12)  # no roll
    assert not camera.has_distortion
    assert camera.R_cam_world[2, 1] > 0.5  # looks from the front, along +y


def test_pictures_of_all_sizes_see_the_same() -> None:
    scene = build_scene("plaza", 0)
    small, large = (place_camera(scene, "low", size, 5) for size in ((1920, 1080), (7680, 4320)))
    points = np.array([[0.0, 0.0, 1.0], [5.0, 3.0, 0.0], [-7.0, 10.0, 1.7]])
    assert np.allclose(4.0 * small.project(points), large.project(points))
    again = place_camera(scene, "low", (1920, 1080), 5)
    assert np.array_equal(small.R_cam_world, again.R_cam_world)
    other = place_camera(scene, "low", (1920, 1080), 6)
    assert not np.allclose(small.t_cam_world_m, other.t_cam_world_m)


def test_distortion_is_small_and_asked_for() -> None:
    scene = build_scene("plaza", 0)
    camera = place_camera(scene, "high", (1920, 1080), 0, distorted=True)
    ideal = place_camera(scene, "high", (1920, 1080), 0)
    places = np.concatenate([_grid(scene, 4.0), np.zeros((len(_grid(scene, 4.0)), 1))], axis=1)
    straight = ideal.project(places)
    inside = np.all((straight > 0) & (straight < (1920, 1080)), axis=1)
    shift = np.linalg.norm(camera.project(places) - straight, axis=1)[inside]
    assert 5.0 < shift.max() < 100.0
