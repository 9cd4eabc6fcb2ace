"""Rendered people: laws of the cut-outs, their keypoints and what is seen of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("embreex")

from crowdstream.kernels.skeleton import COCO_KEYPOINTS
from crowdstream.lab.motion.reference import REST_JOINTS_M
from crowdstream.lab.motion.track import MotionTrack
from crowdstream.lab.perception.people import render_people
from crowdstream.lab.perception.people_figure import Figure, Person, draw_person
from crowdstream.lab.perception.people_light import draw_light, vertex_colours
from crowdstream.lab.perception.people_looks import STYLES, draw_look
from crowdstream.lab.perception.people_poses import NoRecordingsError, Pose, PoseDeck
from crowdstream.lab.perception.people_shot import near_figure, shoot_sprite
from crowdstream.lab.perception.people_views import aim
from crowdstream.lab.perception.sprite import Sprite
from crowdstream.lab.virtualcrowd.render.lens import Lens
from crowdstream.lab.virtualcrowd.render.light import Light
from crowdstream.lab.virtualcrowd.render.template import template

UPRIGHT = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
"""y up to z up; the face then looks along -y."""
FRONT, BACK = -np.pi / 2, np.pi / 2
NOSE, EYES, EARS = 0, (1, 2), (3, 4)


def _standing() -> Pose:
    """Arms hanging."""
    rotmats = np.tile(np.eye(3), (24, 1, 1))
    rotmats[0] = UPRIGHT
    for joint, turn in ((16, -1.2), (17, 1.2)):
        c, s = np.cos(turn), np.sin(turn)
        rotmats[joint] = [[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]]
    return Pose(rotmats, float(-REST_JOINTS_M[10, 1] + 0.026), True, "idle_stand")


def _track(category: str = "walk", frames: int = 5) -> MotionTrack:
    quats = np.zeros((frames, 22, 4), np.float32)
    quats[..., 0] = 1.0
    quats[:, 0] = (np.sqrt(0.5), np.sqrt(0.5), 0.0, 0.0)
    quats[:, 16] = (np.cos(0.6), 0.0, 0.0, -np.sin(0.6))
    quats[:, 17] = (np.cos(0.6), 0.0, 0.0, np.sin(0.6))
    root = np.tile(np.array([0.0, 0.0, 0.96], np.float32), (frames, 1))
    return MotionTrack("made_up", "s", category, quats, root, np.ones((frames, 8), bool), True)


def _shot(figure: Figure, azimuth: float, elevation_deg: float, distance_m: float = 8.0) -> Sprite:
    camera = aim(figure, azimuth, np.radians(elevation_deg), distance_m, 0.0)
    return shoot_sprite(figure, camera, draw_light(np.random.default_rng(0)), np.radians(elevation_deg))


@pytest.fixture(scope="module")
def figure() -> Figure:
    return draw_person(np.random.default_rng(11)).posed(_standing(), np.random.default_rng(0))


@pytest.fixture(scope="module")
def drawn() -> list[Sprite]:
    return list(render_people([_track(), _track("sit_getup")], 12, seed=3))


def test_same_seed_same_bytes(drawn: list[Sprite]) -> None:
    again = list(render_people([_track(), _track("sit_getup")], 7, seed=3))
    other = list(render_people([_track(), _track("sit_getup")], 1, seed=4))
    for a, b in zip(drawn[:7], again, strict=True):
        assert a.colour.tobytes() == b.colour.tobytes() and a.alpha.tobytes() == b.alpha.tobytes()
        np.testing.assert_array_equal(a.keypoints_px, b.keypoints_px)
    assert other[0].colour.tobytes() != drawn[0].colour.tobytes()


def test_count_and_progress_are_exact() -> None:
    steps: list[tuple[int, int]] = []
    made = list(render_people([_track()], 8, 0, lambda done, total: steps.append((done, total))))
    assert len(made) == 8 and steps[-1] == (8, 8)


def test_no_recordings_is_an_error() -> None:
    with pytest.raises(NoRecordingsError, match="no recordings"):
        PoseDeck([])


def test_planes_agree(drawn: list[Sprite]) -> None:
    for sprite in drawn:
        assert sprite.colour.shape == (*sprite.alpha.shape, 3) and sprite.body.shape == sprite.alpha.shape
        assert (sprite.body <= sprite.alpha).all()
        assert sprite.alpha.max() == 255 and sprite.is_person
        border = np.concatenate([sprite.alpha[0], sprite.alpha[-1], sprite.alpha[:, 0], sprite.alpha[:, -1]])
        assert not border.any()
        soft = (sprite.alpha > 0) & (sprite.alpha < 255)
        assert soft.mean() > 0.005


def test_keypoints_lie_in_the_picture(drawn: list[Sprite]) -> None:
    for sprite in drawn:
        height, width = sprite.alpha.shape
        assert (sprite.keypoints_px >= 0).all() and (sprite.keypoints_px <= [width - 1, height - 1]).all()


def test_seen_joints_lie_on_the_body(figure: Figure) -> None:
    sprite = _shot(figure, FRONT, 10.0)
    x, y = np.round(sprite.keypoints_px[sprite.seen > 0]).astype(int).T
    assert (sprite.alpha[y, x] > 0).all()


def test_left_is_right_of_the_middle_from_the_front_and_left_from_behind(figure: Figure) -> None:
    lefts = [k for k, name in enumerate(COCO_KEYPOINTS) if name.startswith("left")]
    rights = [k for k, name in enumerate(COCO_KEYPOINTS) if name.startswith("right")]
    front, back = (_shot(figure, way, 5.0).keypoints_px[:, 0] for way in (FRONT, BACK))
    assert (front[lefts] > front[rights]).all()
    assert (back[lefts] < back[rights]).all()


def test_face_is_seen_from_the_front_only(figure: Figure) -> None:
    front, back = (_shot(figure, way, 0.0).seen for way in (FRONT, BACK))
    assert front[[NOSE, *EYES]].all()
    assert not back[[NOSE, *EYES]].any()


def test_one_side_hides_the_other() -> None:
    figure = draw_person(np.random.default_rng(5)).posed(_standing(), np.random.default_rng(0))
    for azimuth, far in ((0.0, "right"), (np.pi, "left")):
        seen = _shot(figure, azimuth, 0.0).seen
        for part in ("ear", "shoulder", "elbow", "wrist"):
            near = {"left": "right", "right": "left"}[far]
            assert seen[COCO_KEYPOINTS.index(f"{near}_{part}")] == 1, (near, part)
            assert seen[COCO_KEYPOINTS.index(f"{far}_{part}")] == 0, (far, part)


def test_head_is_above_the_foot_and_height_is_stature(figure: Figure) -> None:
    sprite = _shot(figure, 0.3, 0.0, 40.0)
    rows = np.nonzero(sprite.body.max(axis=1) > 127)[0]
    assert sprite.keypoints_px[NOSE, 1] < sprite.foot_px[1]
    height_m = np.ptp(rows) / sprite.px_per_m
    assert height_m == pytest.approx(figure.stature_m, rel=0.06)  # hair, and shoulders nearer than the pelvis
    assert sprite.foot_px[1] == pytest.approx(rows[-1], abs=6)


def test_steep_views_shorten(figure: Figure) -> None:
    level, steep = (np.ptp(_shot(figure, 0.0, e).keypoints_px[:, 1]) for e in (0.0, 80.0))
    assert steep < 0.5 * level


def test_nothing_drawn_is_passed_over() -> None:
    """The pixels that get rays hold all that rays through every pixel meet."""
    wide = {"skirt": 0.8, "coat": True, "load": "backpack"}
    for seed, figure in enumerate((_dressed(held="trolley"), _dressed(outfit=wide), _dressed(knot="afro"))):
        camera = aim(figure, seed, 0.5, 4.0, 0.0)
        width, height = camera.size_px
        y, x = np.mgrid[:height, :width].reshape(2, -1)
        lens = Lens(camera)
        met = figure.tracer.shoot(lens.eye_m, lens.directions(np.stack([x, y], 1))).face >= 0
        assert not (met.reshape(height, width) & ~near_figure(figure, camera)).any()


def test_colour_bleeds_outwards(figure: Figure) -> None:
    sprite = _shot(figure, 1.0, 20.0)
    drawn = sprite.colour[sprite.alpha > 0]
    outside = np.unique(sprite.colour[sprite.alpha == 0].reshape(-1, 3), axis=0)
    assert {tuple(c) for c in outside.tolist()} <= {tuple(c) for c in drawn.tolist()}


def test_carried_things_are_not_body() -> None:
    loaded = (
        draw_person(np.random.default_rng(seed)).posed(_standing(), np.random.default_rng(0))
        for seed in range(40)
    )
    figure = next(one for one in loaded if one.carried.any())
    covers = [_shot(figure, azimuth, 5.0) for azimuth in np.arange(4) * np.pi / 2]
    assert max(int(((s.alpha == 255) & (s.body == 0)).sum()) for s in covers) > 50


def test_a_third_wear_dark_and_all_styles_are_drawn() -> None:
    looks = [draw_look(np.random.default_rng(seed), False) for seed in range(400)]
    assert {look.style for look in looks} == set(STYLES)
    dark = [max(float(o.outfit.top.max()), float(o.outfit.bottom.max())) < 0.12 for o in looks]
    assert np.mean(dark) > 0.33


def _dressed(**wanted: Any) -> Figure:
    """A person in everyday clothes with something set."""
    rng = np.random.default_rng(2)
    plain = replace(draw_look(rng, False), held="none", wrap="none", knot="none")
    outfit = replace(plain.outfit, **({"load": "none", "skirt": 0.0} | wanted.pop("outfit", {})))
    return Person(1.75, replace(plain, outfit=outfit, **wanted), rng).posed(_standing(), rng)


def test_what_a_hand_holds_touches_it_and_not_the_ground_below() -> None:
    for held in ("bag", "case", "trolley"):
        figure = _dressed(held=held)
        things = figure.points_m[np.unique(figure.faces[figure.carried])]
        wrists = figure.keypoints_m[[9, 10]]
        off = np.linalg.norm(things[:, None] - wrists, axis=-1).min()
        assert off < 0.15, held
        assert things[:, 2].min() > -1e-3, held
    assert not _dressed().carried.any()


def test_knees_under_a_coat_count_as_seen_and_behind_a_bag_do_not() -> None:
    knees = [COCO_KEYPOINTS.index("left_knee"), COCO_KEYPOINTS.index("right_knee")]
    covered = _dressed(outfit={"coat": True, "skirt": 0.75})
    assert covered.loose.any() and _shot(covered, FRONT, 0.0).seen[knees].all()
    bagged = replace(covered, carried=covered.loose, loose=np.zeros_like(covered.loose))
    assert not _shot(bagged, FRONT, 0.0).seen[knees].any()


def test_armpits_see_less_of_the_sky_than_the_crown(figure: Figure) -> None:
    body = template().body
    crown = figure.open[: body.num_vertices][body.v_template[:, 1] > body.v_template[:, 1].max() - 0.03]
    between_legs = (np.abs(body.v_template[:, 0]) < 0.03) & (body.v_template[:, 1] < -0.1)
    assert crown.mean() > 0.9
    assert figure.open[: body.num_vertices][between_legs].mean() < 0.6


def test_shade_of_the_body_darkens() -> None:
    """With the sun overhead some of the feet lies in the shade of the legs, though it faces the sun."""
    figure = _dressed()
    sun = Light(np.array([0.0, 0.0, 1.0]), np.ones(3), np.zeros(3), np.zeros(3), np.ones(3))
    args = (figure.points_m, figure.normals, np.ones_like(figure.albedo), np.ones_like(figure.open))
    lit = vertex_colours(figure.tracer, *args, sun)[:, 0]
    up = figure.normals[:, 2] > 0.1
    low = figure.points_m[:, 2] < 0.1
    assert np.median(lit[up & ~low]) > 0
    shoes_under_the_body = up & low & (np.abs(figure.points_m[:, 1]) < 0.05)
    assert (lit[shoes_under_the_body] == 0).mean() > 0.3


def test_mirrored_poses_swap_sides() -> None:
    track = _track()
    bent = track.quats.copy()
    bent[:, 4] = (np.cos(0.5), np.sin(0.5), 0.0, 0.0)
    deck = PoseDeck([replace(track, quats=bent)])
    knees = set()
    for seed in range(12):
        rotmats = deck.draw(np.random.default_rng(seed)).rotmats
        angle = [np.degrees(np.arccos((np.trace(rotmats[k]) - 1) / 2)) for k in (4, 5)]
        assert max(angle) > 50 and min(angle) < 5
        knees.add(int(np.argmax(angle)))
    assert knees == {0, 1}
