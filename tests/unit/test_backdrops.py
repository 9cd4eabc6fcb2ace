"""Backdrops: camera, ground and picture agree; a bank gives back what was put in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from crowdstream.lab.perception.backdrop import (
    Backdrop,
    BackdropBank,
    render_backdrops,
    save_backdrops,
)
from crowdstream.lab.perception.backdrop_camera import draw_camera, looked_at
from crowdstream.lab.perception.backdrop_ground import INSIDE, OUTSIDE, draw_ground
from crowdstream.lab.perception.backdrop_paint import below_horizon, draw_abstract
from crowdstream.lab.perception.sprite import BankError

pytest.importorskip("embreex")


TOLD: list[tuple[int, int]] = []


@pytest.fixture(scope="module")
def some() -> list[Backdrop]:
    return list(render_backdrops(4, 11, lambda done, total: TOLD.append((done, total))))


def test_progress_counts_up(some: list[Backdrop]) -> None:
    assert TOLD == [(row + 1, len(some)) for row in range(len(some))]


def _ways(backdrop: Backdrop) -> np.ndarray:
    rows, columns = np.nonzero(backdrop.walkable)
    return backdrop.camera.rays_world(np.stack([columns, rows], -1).astype(float))


def test_same_seed_same_bytes(some: list[Backdrop]) -> None:
    again = next(render_backdrops(1, 11))
    assert again.bgr.tobytes() == some[0].bgr.tobytes()
    assert again.walkable.tobytes() == some[0].walkable.tobytes()
    assert len({backdrop.bgr.tobytes() for backdrop in some}) == len(some)


def test_walkable_lies_below_the_horizon(some: list[Backdrop]) -> None:
    for backdrop in some:
        assert (backdrop.walkable > 0).mean() > 0.05
        assert set(np.unique(backdrop.walkable)) <= {0, 255}
        assert (_ways(backdrop)[:, 2] < 0).all()


def test_camera_sees_the_ground_where_the_mask_says(some: list[Backdrop]) -> None:
    """Pixel -> ground -> pixel is the identity, in front of the lens."""
    for backdrop in some:
        rows, columns = np.nonzero(backdrop.walkable)
        pixels = np.stack([columns, rows], -1).astype(float)[:: max(1, len(rows) // 50)]
        points, good = looked_at(backdrop.camera, pixels)
        assert good.all()
        back = backdrop.camera.project(np.column_stack([points, np.zeros(len(points))]))
        np.testing.assert_allclose(back, pixels, atol=1e-5)
        assert 1.5 < backdrop.camera.centre_world_m[2] < 26.0


def test_sizes_agree(some: list[Backdrop]) -> None:
    for backdrop in some:
        width, height = backdrop.camera.size_px
        assert backdrop.bgr.shape == (height, width, 3) and backdrop.walkable.shape == (height, width)
        assert backdrop.bgr.dtype == backdrop.walkable.dtype == np.uint8
        assert np.linalg.norm(backdrop.to_sun) == pytest.approx(1.0) or not backdrop.to_sun.any()


def test_pictures_show_something(some: list[Backdrop]) -> None:
    assert all(backdrop.bgr.std() > 3 for backdrop in some)


def test_bank_round_trip(some: list[Backdrop], tmp_path: Path) -> None:
    assert save_backdrops(tmp_path / "bank", some) == len(some)
    bank = BackdropBank(tmp_path / "bank")
    assert len(bank) == len(some)
    for row in (0, 3, -1):
        kept, put = bank[row], some[row]
        assert kept.bgr.tobytes() == put.bgr.tobytes() and kept.walkable.tobytes() == put.walkable.tobytes()
        np.testing.assert_array_equal(kept.camera.K, put.camera.K)
        np.testing.assert_array_equal(kept.camera.t_cam_world_m, put.camera.t_cam_world_m)
        np.testing.assert_array_equal(kept.to_sun, put.to_sun)
    with pytest.raises(IndexError):
        bank[len(some)]


def test_bank_that_was_cut_short_is_refused(some: list[Backdrop], tmp_path: Path) -> None:
    folder = tmp_path / "bank"
    with pytest.raises(BankError, match="no bank"):
        BackdropBank(folder)
    save_backdrops(folder, some[:2])
    pixels = np.load(folder / "pixels.npy")
    np.save(folder / "pixels.npy", pixels[:-100])
    with pytest.raises(BankError, match="cut short"):
        BackdropBank(folder)
    (folder / "index.npz").write_bytes(b"PK")
    with pytest.raises(BankError, match="no bank"):
        BackdropBank(folder)


def test_bank_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BankError, match="no backdrops"):
        save_backdrops(tmp_path / "bank", [])


def test_a_bank_that_fails_half_way_leaves_no_index(some: list[Backdrop], tmp_path: Path) -> None:
    def broken():  # type: ignore[no-untyped-def]
        yield some[0]
        raise RuntimeError("stopped")

    save_backdrops(tmp_path / "bank", some[:1])
    with pytest.raises(RuntimeError):
        save_backdrops(tmp_path / "bank", broken())
    with pytest.raises(BankError):
        BackdropBank(tmp_path / "bank")


def test_cameras_are_of_the_stated_kind() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        camera = draw_camera(rng)
        assert 1.6 <= camera.centre_world_m[2] <= 25.0
        pitch = np.degrees(np.arcsin(-camera.R_cam_world[2, 2]))
        assert -2.1 <= pitch <= 75.1
        np.testing.assert_allclose(camera.R_cam_world @ camera.R_cam_world.T, np.eye(3), atol=1e-9)
        assert camera.R_cam_world[1, 2] < 0, "down in the picture is down in the world"


def test_abstract_pictures_have_a_horizon_too() -> None:
    rng = np.random.default_rng(4)
    bgr, camera = draw_abstract(rng)
    mask = below_horizon(camera, 100.0)
    assert mask.shape == bgr.shape[:2]
    rows, columns = np.nonzero(mask)
    ways = camera.rays_world(np.stack([columns, rows], -1).astype(float))
    reach = camera.centre_world_m[2] / -ways[:, 2]
    assert (reach > 0).all() and (reach < 100.0).all()


@pytest.mark.parametrize("inside", [False, True])
def test_ground_has_a_colour_everywhere(inside: bool) -> None:
    rng = np.random.default_rng(5)
    place = np.column_stack([rng.uniform(-80, 80, (3000, 2)), np.zeros(3000)]).astype(np.float32)
    for _ in range(6):
        albedo = draw_ground(rng, inside, np.zeros(2), 20.0).albedo(place, np.full(3000, 0.05, np.float32))
        assert np.isfinite(albedo).all() and albedo.min() >= 0 and albedo.max() < 4
    assert set(INSIDE) - set(OUTSIDE)
