"""Every person on the ground whom the picture shows large enough lies whole in a tile, at a wanted size."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crowdstream.kernels.camera import CameraModel
from crowdstream.kernels.errors import InferenceError
from crowdstream.kernels.ground import Ground, GroundPlane
from crowdstream.kernels.perception.tiling import TileConfig, cut_tile, plan_tiles

SIZE_8K = (7680, 4320)


def _camera(height_m: float, pitch_deg: float, focal_px: float, roll_deg: float = 0.0) -> CameraModel:
    """At (0, 0, height), looking along +y and down by the pitch."""
    p, r = np.radians(pitch_deg), np.radians(roll_deg)
    forward = np.array([0.0, np.cos(p), -np.sin(p)])
    right = np.array([1.0, 0.0, 0.0])
    down = np.cross(forward, right)
    right, down = np.cos(r) * right + np.sin(r) * down, np.cos(r) * down - np.sin(r) * right
    R = np.stack([right, down, forward])
    K = np.array([[focal_px, 0, SIZE_8K[0] / 2], [0, focal_px, SIZE_8K[1] / 2], [0, 0, 1.0]])
    return CameraModel(K, R, -R @ np.array([0.0, 0.0, height_m]), SIZE_8K)


@settings(max_examples=15, deadline=None)
@given(
    height=st.floats(4.0, 25.0),
    pitch=st.floats(8.0, 50.0),
    focal=st.floats(4000.0, 9000.0),
    roll=st.floats(-3.0, 3.0),
    slope=st.floats(-0.08, 0.08),
    side=st.sampled_from([640, 960, 1280]),
)
def test_everyone_falls_whole_into_a_tile(
    height: float, pitch: float, focal: float, roll: float, slope: float, side: int
) -> None:
    camera = _camera(height, pitch, focal, roll)
    normal = np.array([0.0, -slope, 1.0]) / np.hypot(slope, 1.0)
    ground = Ground((GroundPlane(normal=normal),))
    config = TileConfig(min_stature_m=0.6, max_stature_m=2.0, min_person_px=24.0, max_tiles=512)
    tiles = plan_tiles(SIZE_8K, camera, ground, config, side)
    boxes = _people(camera, slope, np.random.default_rng(5))
    tall = boxes[:, 3] - boxes[:, 1]
    boxes, tall = boxes[tall >= config.min_person_px], tall[tall >= config.min_person_px]
    assert len(boxes) > 20
    regions = np.array([t.region_px for t in tiles], float)
    scales = np.array([t.scale for t in tiles])
    inside = (boxes[:, None, :2] >= regions[None, :, :2]).all(-1) & (
        boxes[:, None, 2:] <= regions[None, :, 2:]
    ).all(-1)
    shown = tall[:, None] * scales[None]
    # people larger than the wanted share even in the coarsest view are shown in it all the same
    largest = np.maximum(config.max_person_share * side, tall * side / max(SIZE_8K))
    wanted = (shown >= 0.999 * config.min_person_px) & (shown <= 1.02 * largest[:, None])
    missed = ~(inside & wanted).any(axis=1)
    assert not missed.any(), boxes[missed][:3]


def _people(camera: CameraModel, slope: float, rng: np.random.Generator) -> np.ndarray:
    """Boxes (P,4) of upright people of 0.6 to 2 m that lie whole in the picture."""
    pixels = rng.uniform([0, 0], SIZE_8K, (3000, 2))
    origin, rays = camera.centre_world_m, camera.rays_world(pixels)
    along = (slope * origin[1] - origin[2]) / (rays[:, 2] - slope * rays[:, 1])  # meets z = slope y
    feet = (origin + along[:, None] * rays)[along > 0]
    stature = rng.uniform(0.6, 2.0, len(feet))
    foot = camera.project(feet)
    head = camera.project(feet + stature[:, None] * np.array([0.0, 0.0, 1.0]))
    half = 0.25 * (foot[:, 1] - head[:, 1])
    x = np.stack([foot[:, 0], head[:, 0]])
    boxes = np.stack([x.min(0) - half, head[:, 1], x.max(0) + half, foot[:, 1]], axis=1)
    whole = (boxes[:, :2] >= 0).all(1) & (boxes[:, 2:] <= SIZE_8K).all(1) & (foot[:, 1] > head[:, 1])
    return boxes[whole & np.isfinite(boxes).all(1)]


def test_tiles_fit_the_input_and_the_picture() -> None:
    tiles = plan_tiles(SIZE_8K, _camera(10, 20, 6000), Ground(), TileConfig(max_tiles=512), 960)
    assert len(tiles) > 8
    for tile in tiles:
        x1, y1, x2, y2 = tile.region_px
        assert 0 <= x1 < x2 <= SIZE_8K[0] and 0 <= y1 < y2 <= SIZE_8K[1]
        assert max(tile.input_wh) <= 960


def test_far_rows_are_finer_than_near_ones() -> None:
    tiles = plan_tiles(SIZE_8K, _camera(10, 20, 6000), Ground(), TileConfig(max_tiles=512), 960)
    scales = [t.scale for t in sorted(tiles, key=lambda t: t.region_px[3])]
    assert scales == sorted(scales, reverse=True) and scales[0] > 1.5 * scales[-1]


@pytest.mark.parametrize("limit", [1, 4, 20])
def test_the_bound_on_tiles_holds(limit: int) -> None:
    config = TileConfig(max_tiles=limit)
    assert len(plan_tiles(SIZE_8K, _camera(10, 20, 6000), Ground(), config, 960)) <= limit
    assert len(plan_tiles(SIZE_8K, None, None, config, 960)) <= limit


def test_one_pass_where_it_is_enough() -> None:
    config = TileConfig()
    assert [t.region_px for t in plan_tiles((1280, 720), None, None, config, 960)] == [(0, 0, 1280, 720)]
    close = _camera(3.0, 45.0, 6000)  # people fill the picture: they are large in a single pass too
    assert len(plan_tiles(SIZE_8K, close, Ground(), config, 960)) == 1


def test_uniform_tiles_cover_every_pixel() -> None:
    covered = np.zeros(SIZE_8K[::-1], bool)
    tiles = plan_tiles(SIZE_8K, None, None, TileConfig(max_tiles=200), 1280)
    for tile in tiles[:-1]:  # the last is the whole picture
        x1, y1, x2, y2 = tile.region_px
        covered[y1:y2, x1:x2] = True
    assert covered.all()


def test_a_calibration_of_another_size_is_refused() -> None:
    with pytest.raises(InferenceError, match="7680x4320, frames are 3840x2160"):
        plan_tiles((3840, 2160), _camera(10, 20, 6000), Ground(), TileConfig(), 960)


def test_a_tile_is_cut_and_scaled_as_it_says() -> None:
    tiles = plan_tiles((1280, 720), None, None, TileConfig(), 640)
    image = np.zeros((720, 1280, 3), np.uint8)
    assert cut_tile(image, tiles[0]).shape[1::-1] == tiles[0].input_wh
