"""Lessons of the lifter: noise with a memory, what hides what, geometry, the start, and the same in pixels."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch

from crowdstream.kernels.lifter.lift import _features, fill_track
from crowdstream.kernels.lifter.lifter import Lifter, LifterConfig
from crowdstream.kernels.lifter.rays import BOX, CONFIDENCE, PLACE, POINTS, SPEED, person_frames
from crowdstream.kernels.skeleton import COCO_TO_SMPL
from crowdstream.lab.lifter.bodies import BodyPool, body_pool, pose_people
from crowdstream.lab.lifter.chains import chain, mixed, switches
from crowdstream.lab.lifter.hiding import OCCLUDED, OUTSIDE, SELF_OCCLUDED, HidingConfig, hide
from crowdstream.lab.lifter.lesson import Lesson, LessonConfig, make_lesson
from crowdstream.lab.lifter.linear_start import linear_start
from crowdstream.lab.lifter.loss import LiftLossConfig, lift_loss
from crowdstream.lab.lifter.problems import problem_of
from crowdstream.lab.lifter.recipe import LifterRecipe, LifterRecipeConfig
from crowdstream.lab.lifter.sightings import SightingLaw
from crowdstream.lab.lifter.views import Cameras, ViewConfig, true_view
from crowdstream.lab.motion.windows import MotionWindows, WindowBank
from crowdstream.lab.virtualcrowd.sighting_model import SightingModel
from crowdstream.stream.body_files import load_body
from tests.motion_clips import tracks

QUIET = ViewConfig(
    picture_sigma_m=0, torso_sigma_m=0, lateral_sigma_m=0, depth_share=0, ground_sigma_m=0, tilt_sigma_deg=0
)


@cache
def pool() -> BodyPool:
    return body_pool(load_body(), 12, 0)


@cache
def windows() -> MotionWindows:
    return WindowBank(tracks()).in_order(24)


def lesson(config: LessonConfig, law: SightingModel | None = None, seed: int = 0) -> Lesson:
    law = law or SightingModel.fitted("tinypose_256")
    return make_lesson(windows(), pool(), [SightingLaw(law)], config, torch.Generator().manual_seed(seed))


def test_chains_have_unit_variance_and_their_memory() -> None:
    x = chain(torch.Generator().manual_seed(0), 3000, 20, 2, 30.0, 0.4)
    assert float(x.var()) == pytest.approx(1.0, abs=0.03)
    for lag in (1, 6):
        assert float((x[:, lag:] * x[:, :-lag]).mean()) == pytest.approx(np.exp(-lag / 12.0), abs=0.03)
    y = mixed(torch.Generator().manual_seed(0), 3000, 20, 2, 30.0, 0.4, 0.3)
    assert float((y[:, 1:] * y[:, :-1]).mean()) == pytest.approx(0.7 * np.exp(-1 / 12.0), abs=0.03)


def test_switches_are_on_as_often_and_as_long_as_asked() -> None:
    on = switches(torch.Generator().manual_seed(0), torch.full((4000, 64), 0.2), 30.0, 0.2)
    assert float(on.float().mean()) == pytest.approx(0.2, abs=0.01)
    leave = (on[:, :-1] & ~on[:, 1:]).sum() / on[:, :-1].sum()
    assert float(leave) == pytest.approx(1 - np.exp(-1 / 6), abs=0.01)


def test_bodies_are_of_all_sizes_and_stand_on_the_floor() -> None:
    many = pool()
    assert float(many.leg_ratio.min()) > 0.4 and float(many.leg_ratio.max()) < 1.35
    people = pose_people(windows(), many, torch.arange(len(windows())) % len(many))
    lowest = people.joints_m[..., [10, 11], 2].amin((1, 2))
    assert float(lowest.min()) > -0.05 and float(lowest.max()) < 0.12
    still = people.joints_m[:, 1:, [10, 11]] - people.joints_m[:, :-1, [10, 11]]
    foot_step = still.norm(dim=-1).amin(-1)  # one foot rests while somebody walks, on any legs
    assert float(foot_step.median()) < 0.01


@pytest.mark.parametrize(("way", "hidden"), [(1.0, False), (-1.0, True)])
def test_the_back_of_the_head_hides_the_face(way: float, hidden: bool) -> None:
    walker = windows().part(slice(0, 1))
    people = pose_people(walker, pool(), torch.zeros(1, dtype=torch.long))
    ahead = people.rotmats[0, 32, 0] @ torch.tensor([0.0, 0.0, 1.0])
    centre = 12.0 * way * ahead + torch.tensor([0.0, 0.0, 1.5])
    one = torch.ones(1)
    view = true_view(people, Cameras(centre[None], 100 * one, 0 * one, 12 * one))
    state = hide(view, HidingConfig.none(), torch.Generator().manual_seed(0)).state
    face = (state[0, :, :3] == SELF_OCCLUDED).float().mean()
    assert float(face) > 0.9 if hidden else float(face) < 0.1
    assert (state[0, :, 5:7] == 0).float().mean() > 0.9  # shoulders show from both sides


def test_hiding_comes_in_its_shares() -> None:
    def shares(config: LessonConfig) -> tuple[float, float]:
        generator = torch.Generator().manual_seed(0)
        people = pose_people(windows(), pool(), torch.zeros(len(windows()), dtype=torch.long))
        one = torch.ones(len(people))
        centre = torch.tensor([0.0, -10.0, 4.0]).expand(len(people), 3)
        state = hide(true_view(people, Cameras(centre, one, one, one)), config.hiding, generator).state
        return float((state == OCCLUDED).float().mean()), float((state == OUTSIDE).float().mean())

    assert shares(LessonConfig(hiding=HidingConfig.none())) == (0.0, 0.0)
    only = HidingConfig(lower=0.0, pillar=0.0, stretch=1.0, neighbour=0.0, border=0.0)
    assert shares(LessonConfig(hiding=only))[0] > 0.3
    border = HidingConfig(lower=0.0, pillar=0.0, stretch=0.0, neighbour=0.0, border=1.0)
    assert shares(LessonConfig(hiding=border))[1] > 0.1


def test_a_lesson_is_the_same_again() -> None:
    a, b, c = lesson(LessonConfig()), lesson(LessonConfig()), lesson(LessonConfig(), seed=1)
    assert torch.equal(a.features, b.features) and torch.equal(a.joints_m, b.joints_m)
    assert not torch.equal(a.features, c.features)


def test_without_noise_the_features_are_the_truths_projection() -> None:
    told = lesson(replace_view(LessonConfig.in_view(), QUIET), SightingModel())
    frames = told.frames
    world = frames.reference_m[:, :, None] + told.joints_m @ frames.R_world_upright.transpose(-1, -2)
    rays = (world - told.cameras.centre_m[:, None, None]) @ frames.axes_world_ray
    flat = frames.distance_m[..., None, None] * rays[..., :2] / rays[..., 2:]
    points = told.features[..., POINTS].unflatten(-1, (17, 2))
    limbs = list(range(5, 17))
    torch.testing.assert_close(points[:, :, limbs], flat[:, :, COCO_TO_SMPL[limbs]], atol=2e-4, rtol=0)
    assert told.seen.all() and (told.features[..., CONFIDENCE] == 1).all()


def replace_view(config: LessonConfig, view: ViewConfig) -> LessonConfig:
    return config.model_copy(update={"view": view})


@pytest.mark.parametrize(("scale", "roll"), [(1.0, 0.0), (2.7, 0.4)])
def test_lift_reads_off_pixels_what_the_lesson_says(scale: float, roll: float) -> None:
    told = lesson(LessonConfig(view=ViewConfig(tilt_sigma_deg=0)))
    for row in (0, 3):
        problem = problem_of(told, row, scale, roll)
        track = torch.from_numpy(fill_track(problem.track_m, problem.present))
        frames = person_frames(torch.from_numpy(problem.cameras[0].centre_world_m), track)
        found = _features(problem, 0, np.array([0]), track, frames)[0]
        for part in (POINTS, CONFIDENCE, PLACE, SPEED):
            torch.testing.assert_close(found[:, part], told.features[row][:, part], atol=2e-3, rtol=1e-3)
        if roll == 0.0:
            assert float((found[:, BOX] - told.features[row][:, BOX]).abs().median()) < 0.03


def test_newcomers_have_only_a_part_of_the_window() -> None:
    told = lesson(LessonConfig(newcomer_share=1.0, rates_hz=(30.0,), lost_share=0.0))
    assert not told.present.all(1).all() and told.present.any(1).all()
    assert not (told.seen & ~told.present).any()
    ten = lesson(LessonConfig.in_view().model_copy(update={"rates_hz": (10.0,)}), SightingModel())
    assert ten.seen.sum(1).tolist() == pytest.approx([64 / 3] * len(ten), abs=1.0)


def test_the_linear_start_beats_one_pose_for_all() -> None:
    told = lesson(LessonConfig.in_view())
    torch.manual_seed(0)
    network = Lifter(LifterConfig(width=16, heads=2, layers=1))
    body = load_body()
    network.joint_template_m.copy_(torch.from_numpy(body.joint_template_m))
    network.joint_shapedirs_m.copy_(torch.from_numpy(body.joint_shapedirs_m))
    slots = slice(0, None, 4)

    def turned() -> float:
        with torch.no_grad():
            said = network(told.features, slots)
            return float(lift_loss(network, said, told, LiftLossConfig(), slots)["turned"])

    before = turned()
    linear_start(network, told)
    assert turned() < 0.3 * before


def test_the_truth_costs_nothing() -> None:
    told = lesson(LessonConfig.in_view())
    network = Lifter(LifterConfig(width=16, heads=2, layers=1))
    body = load_body()
    network.joint_template_m.copy_(torch.from_numpy(body.joint_template_m))
    network.joint_shapedirs_m.copy_(torch.from_numpy(body.joint_shapedirs_m))
    slots = slice(1, None, 4)
    said = network(told.features, slots)
    truth = replace(said, rotmats=told.rotmats[:, slots], root_m=told.joints_m[:, slots, 0], betas=told.betas)
    parts = lift_loss(network, truth, told, LiftLossConfig(), slots)
    for name in ("local", "turned", "angles", "smooth", "shape"):
        assert float(parts[name]) < 1e-4, name
    assert float(parts["root"]) < 1e-3


def test_a_step_depends_on_its_number_alone() -> None:
    config = LifterRecipeConfig(batch=4, bodies=6, start_windows=100)
    size = LifterConfig(width=16, heads=2, layers=1)
    first, second = (LifterRecipe(tracks(), (), 0, size, config) for _ in range(2))
    with torch.no_grad():
        first.loss(0)
        first.loss(40)
        assert float(first.loss(9)["total"]) == float(second.loss(9)["total"])
        assert float(first.loss(9)["total"]) != float(second.loss(13)["total"])
