"""Rendered things: the laws every cut-out must keep, whatever it shows."""

from __future__ import annotations

import numpy as np
import pytest

from crowdstream.lab.perception.sprite import SpriteBank, save_bank
from crowdstream.lab.perception.things import KINDS, LONG_SIDE_PX, fill_outward, render_thing, render_things
from crowdstream.lab.perception.things_look import PATTERNS, paint
from crowdstream.lab.perception.things_mesh import ball, box, put_together, tube
from crowdstream.lab.perception.things_noise import noise

pytest.importorskip("embreex")


def test_same_seed_same_bytes() -> None:
    told: list[tuple[int, int]] = []
    first = list(render_things(3, 5, lambda done, total: told.append((done, total))))
    again, other = list(render_things(3, 5)), list(render_things(3, 6))
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert len({sprite.kind for sprite in first}) == 3, "the kinds come in turn"
    for a, b in zip(first, again, strict=True):
        assert a.kind == b.kind
        assert a.colour.tobytes() == b.colour.tobytes() and a.alpha.tobytes() == b.alpha.tobytes()
    assert any(a.colour.tobytes() != b.colour.tobytes() for a, b in zip(first, other, strict=True))


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_cut_out_keeps_its_laws(kind: str) -> None:
    sprite = render_thing(kind, np.random.default_rng(3))
    height, width = sprite.alpha.shape
    assert sprite.colour.shape == (height, width, 3) and not sprite.is_person
    assert not sprite.body.any() and not sprite.seen.any()
    assert LONG_SIDE_PX[0] <= max(height, width) <= LONG_SIDE_PX[1] + 8
    assert (sprite.alpha == 255).any(), "something must be drawn in full"
    border = np.concatenate([sprite.alpha[0], sprite.alpha[-1], sprite.alpha[:, 0], sprite.alpha[:, -1]])
    assert not border.any(), "the window must hold all of the thing"
    assert 0 <= sprite.elevation_rad <= np.radians(80) and sprite.px_per_m > 0


@pytest.mark.parametrize("kind", ["lamp", "car", "flat"])
def test_size_is_in_metres(kind: str) -> None:
    """Height (or the flat extent) over pixels per metre lands near what the mesh measures."""
    rng = np.random.default_rng(8)
    mesh = KINDS[kind](np.random.default_rng(8))
    sprite = render_thing(kind, rng)
    diagonal = float(np.linalg.norm(np.ptp(mesh.vertices_m, axis=0)))
    drawn = np.hypot(*sprite.alpha.shape) / sprite.px_per_m
    assert 0.15 * diagonal < drawn < 1.6 * diagonal


def test_foot_is_below_what_stands_on_it() -> None:
    sprite = render_thing("bollard", np.random.default_rng(1))
    rows, columns = np.nonzero(sprite.alpha > 0)
    assert sprite.foot_px[1] > rows.mean()
    assert columns.min() < sprite.foot_px[0] < columns.max()


def test_bank_keeps_things(tmp_path) -> None:  # type: ignore[no-untyped-def]
    sprites = list(render_things(2, 4))
    save_bank(tmp_path / "bank", sprites)
    again = SpriteBank(tmp_path / "bank")[1]
    assert again.colour.tobytes() == sprites[1].colour.tobytes() and not again.is_person


def test_colour_grows_from_the_nearest_drawn_pixel() -> None:
    colour = np.zeros((5, 9, 3), np.uint8)
    colour[2, 1], colour[2, 7] = 40, 200
    drawn = colour[..., 0] > 0
    filled = fill_outward(colour, drawn)
    assert (filled[:, :4] == 40).all() and (filled[:, 5:] == 200).all()


@pytest.mark.parametrize("pattern", sorted(PATTERNS))
def test_albedo_is_a_colour(pattern: str) -> None:
    """Never negative, never not a number, never brighter than what lies between its colours allows."""
    rng = np.random.default_rng(2)
    look = paint(rng, "any", pattern, 0.3, "pale")
    place = rng.uniform(-20, 20, (500, 3)).astype(np.float32)
    albedo = look.albedo(place, np.full(500, 0.02, np.float32))
    assert np.isfinite(albedo).all() and albedo.min() >= 0
    bare = paint(np.random.default_rng(2), "any", pattern, 0.3, "pale", dirt=0.0)
    clean = bare.albedo(place, np.full(500, 0.02, np.float32))
    assert (clean <= np.maximum(bare.first, bare.second) + 1e-5).all()
    assert (clean >= np.minimum(bare.first, bare.second) - 1e-5).all()


def test_noise_is_the_same_at_the_same_place_whatever_is_asked_with_it() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.uniform(-50, 50, (2, 2000)).astype(np.float32)
    whole = noise(x, y, 2.0, 1, 7)
    np.testing.assert_allclose(noise(x[700:900], y[700:900], 2.0, 1, 7), whole[700:900], atol=1e-6)
    assert 0.3 < whole.std() < 2.0 and abs(float(whole.mean())) < 0.5
    assert np.abs(noise(x, y, 2.0, 1, 8) - whole).max() > 0.5
    assert noise(x[:0], y[:0], 2.0, 1, 7).shape == (0,)
    assert not noise(x, y, 2.0, 1, 7, np.full(2000, 9.0, np.float32)).any(), "finer than a sample fades out"


def test_parts_keep_their_looks_and_unit_normals() -> None:
    rng = np.random.default_rng(1)
    a, b = paint(rng, "dark"), paint(rng, "pale")
    mesh = put_together(
        [box(a, (1, 2, 3), (0, 0, 1.5)), tube(b, [[0, 0, 0], [0, 0, 2]], 0.1), ball(a, (1, 1, 1), (0, 0, 1))]
    )
    assert mesh.faces.max() < len(mesh.vertices_m) and set(mesh.look.tolist()) == {0, 1, 2}
    np.testing.assert_allclose(np.linalg.norm(mesh.normals, axis=1), 1, atol=1e-5)
    moved = mesh.moved(0.7, (3, -2, 0), 2.0)
    np.testing.assert_allclose(
        np.linalg.norm(np.diff(moved.vertices_m[mesh.faces[:, :2]], axis=1)),
        2 * np.linalg.norm(np.diff(mesh.vertices_m[mesh.faces[:, :2]], axis=1)), rtol=1e-4,
    )  # fmt: skip
    assert moved.place_m is mesh.place_m
