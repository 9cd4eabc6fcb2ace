"""Augmentation: bodies stay bodies, feet that rest stay at rest, hands get where they are sent, batch k is batch k."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from crowdstream.kernels.priors.motion_state import place_joints
from crowdstream.kernels.rotation import geodesic_distance, rotvec_to_rotmat
from crowdstream.lab.motion import arms
from crowdstream.lab.motion.augment import CHANGES, AugmentConfig, Augmenter
from crowdstream.lab.motion.heading import SIDEWAYS_M_S2, bend, curves
from crowdstream.lab.motion.limbs import FULL_REACH, OFFSETS_M, blend, legs_of, reach
from crowdstream.lab.motion.manner import SPREAD_RAD, manners
from crowdstream.lab.motion.mix import measure_mix, mix_markdown
from crowdstream.lab.motion.recombine import UPPER, partners
from crowdstream.lab.motion.reference import REST_JOINTS_M
from crowdstream.lab.motion.standing import stand
from crowdstream.lab.motion.waves import drift, steps
from crowdstream.lab.motion.windows import MotionWindows, WindowBank

sys.path.insert(0, str(Path(__file__).parents[1]))
from motion_clips import tracks

sys.path.pop(0)

REST = torch.tensor(REST_JOINTS_M[:22], dtype=torch.float32)
LEGS = [1, 2, 4, 5, 7, 8, 10, 11]


@cache
def batch() -> MotionWindows:
    """8 windows of walking, 6 of standing."""
    return WindowBank(tracks()).in_order(64)


def random(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def only(name: str, windows: MotionWindows | None = None) -> tuple[MotionWindows, Tensor]:
    """One change made wherever it can be, and to which windows."""
    augmenter = Augmenter(AugmentConfig(**{**dict.fromkeys(CHANGES, 0.0), name: 1.0}), 1)
    return augmenter(windows or batch()), augmenter.done[name]


def placed(windows: MotionWindows) -> Tensor:
    return place_joints(windows.rotmats, windows.root_m, REST)[0]


def off(a: Tensor, b: Tensor) -> float:
    return float((a - b).abs().max())


class TestAugmenter:
    def test_batch_k_of_a_seed_is_the_same_whenever_it_is_drawn(self) -> None:
        augmenter = Augmenter(AugmentConfig(), 3)
        first, second = augmenter(batch()), augmenter(batch())
        augmenter.reseed(1)
        again = augmenter(batch())
        assert torch.equal(second.rotmats, again.rotmats) and torch.equal(second.root_m, again.root_m)
        assert torch.equal(second.contact, again.contact)
        assert not torch.equal(first.rotmats, second.rotmats)
        other = Augmenter(AugmentConfig(), 4)(batch())
        assert not torch.equal(first.rotmats, other.rotmats)

    def test_input_is_left_alone_and_rotations_stay_rotations(self) -> None:
        before = batch().rotmats.clone(), batch().root_m.clone(), batch().contact.clone()
        out = Augmenter(AugmentConfig(**dict.fromkeys(CHANGES, 1.0)), 0)(batch())
        assert all(
            torch.equal(a, b)
            for a, b in zip(before, (batch().rotmats, batch().root_m, batch().contact), strict=True)
        )
        assert off(out.rotmats @ out.rotmats.transpose(-1, -2), torch.eye(3)) < 1e-5
        assert (torch.linalg.det(out.rotmats) > 0.99).all()
        assert out.root_m.isfinite().all()

    @pytest.mark.parametrize("name", CHANGES)
    def test_a_change_is_made_where_it_says_and_nowhere_else(self, name: str) -> None:
        out, done = only(name)
        changed = ((out.rotmats - batch().rotmats).abs().amax((1, 2, 3, 4)) > 1e-6) | (
            (out.root_m - batch().root_m).abs().amax((1, 2)) > 1e-6
        )
        assert not (changed & ~done).any()
        assert done.any() and (name == "recombine" or changed[done].all())

    def test_no_chances_no_changes(self) -> None:
        out = Augmenter(AugmentConfig(**dict.fromkeys(CHANGES, 0.0)), 0)(batch())
        assert torch.equal(out.rotmats, batch().rotmats) and torch.equal(out.root_m, batch().root_m)

    @pytest.mark.parametrize("name", ("recombine", "hands", "heads"))
    def test_what_happens_above_leaves_the_feet_and_their_labels(self, name: str) -> None:
        out, _ = only(name)
        assert torch.equal(out.rotmats[:, :, [0, *LEGS]], batch().rotmats[:, :, [0, *LEGS]])
        assert torch.equal(out.contact, batch().contact) and torch.equal(out.root_m, batch().root_m)

    def test_the_ground_is_off_by_one_height_a_window(self) -> None:
        out, _ = only("ground")
        shift = out.root_m - batch().root_m
        assert off(shift, shift[:, :1]) < 1e-6 and off(shift[..., :2], torch.zeros(1)) == 0
        assert 0.002 < float(shift[:, 0, 2].std()) < 0.04

    def test_lying_bodies_get_no_phones(self) -> None:
        w = batch()
        lying = w.rotmats.clone()
        lying[:, :, 0] = rotvec_to_rotmat(torch.tensor([1.5, 0.0, 0.0])) @ lying[:, :, 0]
        augmenter = Augmenter(AugmentConfig(**dict.fromkeys(CHANGES, 1.0)), 0)
        augmenter(MotionWindows(lying, w.root_m, w.contact, w.contact_known, w.track))
        assert not any(
            augmenter.done[name].any() for name in ("standing", "recombine", "hands", "heads", "curve")
        )


class TestStanding:
    def test_feet_do_not_move_and_bodies_do(self) -> None:
        out, done = only("standing")
        joints = placed(out)[done]
        feet = joints[:, :, [7, 8, 10, 11]]
        assert off(feet, feet[:, :1]) < 1e-3
        assert float(joints[:, :, 15].std(1).max()) > 2e-3
        assert out.contact[done][..., :4].all() and not out.contact[done][..., 4:].any()

    def test_nobody_moves_faster_than_the_idle_do(self) -> None:
        out, done = only("standing")
        joints = placed(out)[done]
        speed = (joints[:, 1:] - joints[:, :-1]).norm(dim=-1) * 30
        assert float(speed[:, :, 0].max()) < 0.4

    def test_knees_bend_forward_and_the_pelvis_stays_over_the_feet(self) -> None:
        w = batch()
        lower = w.rotmats[8:, 0]
        rotmats, root = stand(lower, lower.flip(0), w.root_m[8:, 0], 64, random())
        legs = legs_of(rotmats, root)
        line = legs.ankle_m - legs.hip_m
        middle = legs.hip_m + 0.5 * line
        ahead = rotmats[:, :, None, 0, :, 2]
        assert (((legs.knee_m - middle) * ahead).sum(-1) > -0.02).all()
        assert float((root[..., :2] - legs.ankle_m.mean(2)[..., :2]).norm(dim=-1).max()) < 0.2


class TestHeading:
    def test_a_bent_path_is_a_rigid_motion_of_each_frame(self) -> None:
        w = batch().part(slice(0, 8))
        bent = bend(w.rotmats, w.root_m, torch.full((8, 63), 0.02))
        turn = bent.root_rotmat @ w.rotmats[:, :, 0].transpose(-1, -2)
        assert off(turn[..., 2, 2], torch.ones(1)) < 1e-5  # about up
        yaw = torch.atan2(turn[..., 1, 0], turn[..., 0, 0])
        assert off(yaw, bent.angle_rad) < 1e-4
        assert off(bent.root_m[..., 2], w.root_m[..., 2]) < 1e-6
        assert float(bent.angle_rad[:, -1].min()) > 0.2

    def test_a_foot_at_rest_stays_at_rest(self) -> None:
        """One foot fixed, the other in the air: the body turns about the first."""
        w = batch().part(slice(8, 10))
        rotmats = w.rotmats[:, :1].expand(-1, 64, -1, -1, -1).clone()
        swing = 0.5 * torch.sin(torch.arange(64) * 0.3)
        lift = rotvec_to_rotmat(torch.stack([-swing, 0 * swing, 0 * swing], -1))
        rotmats[:, :, 2] = rotmats[:, :, 2] @ lift
        root = w.root_m[:, :1].expand(-1, 64, -1).clone()
        bent = bend(rotmats, root, torch.full((2, 63), 0.03))
        rotmats[:, :, 0] = bent.root_rotmat
        legs = legs_of(rotmats, bent.root_m)
        foot = 0.5 * (legs.ankle_m + legs.foot_m)[:, :, 0]
        went = (foot - foot[:, :1]).norm(dim=-1)
        assert float(bent.angle_rad[:, -1].min()) > 0.8
        assert float(went.max()) < 0.03  # turned about the pelvis, it would have gone more than 0.1 m
        assert float((bent.root_m - root).norm(dim=-1).max()) > 0.02

    def test_who_stands_on_both_feet_hardly_turns(self) -> None:
        w = batch().part(slice(8, 14))
        free = bend(w.rotmats, w.root_m, torch.full((6, 63), 0.02)).angle_rad[:, -1]
        assert float(free.max()) < 0.3 * 63 * 0.02

    def test_no_turning_changes_nothing(self) -> None:
        w = batch()
        bent = bend(w.rotmats, w.root_m, torch.zeros(len(w), 63))
        assert off(bent.root_m, w.root_m) < 1e-6 and off(bent.slide_m, torch.zeros(1)) < 1e-7

    def test_fast_walkers_turn_wide(self) -> None:
        speed = torch.tensor([0.5, 1.4, 3.0]).repeat(50)
        turn = curves(speed, 64, random()).abs().amax(1) * 30
        assert (turn * speed <= SIDEWAYS_M_S2 + 1e-5).all()
        assert float(turn[:].max()) <= 1.2 + 1e-5

    def test_a_label_goes_where_the_foot_now_slides(self) -> None:
        out, done = only("curve")
        joints = placed(out)[done]
        feet = joints[:, :, [7, 8, 10, 11]]
        before = placed(batch())[done][:, :, [7, 8, 10, 11]]
        added = (feet[:, 1:] - feet[:, :-1]).norm(dim=-1) - (before[:, 1:] - before[:, :-1]).norm(dim=-1)
        label = out.contact[done][:, 1:, :4]
        assert float(added[label].max()) < 3.1e-3
        assert not (out.contact & ~batch().contact).any()


class TestArms:
    @pytest.mark.parametrize("hold", arms.HOLDS, ids=lambda hold: hold.name)
    def test_every_place_is_within_reach(self, hold: arms.Hold) -> None:
        longest = float(OFFSETS_M[18].norm() + OFFSETS_M[20].norm())
        for place in (hold.wrist, hold.both or hold.wrist):
            assert float((torch.tensor(place) - arms.SHOULDER_DOWN_M).norm()) < longest

    def test_wrists_get_where_they_are_sent(self, monkeypatch: pytest.MonkeyPatch) -> None:
        names = [hold.name for hold in arms.HOLDS]
        k = names.index("phone in both hands")
        weight = torch.zeros(len(names))
        weight[k] = 1.0
        monkeypatch.setattr(arms, "_WEIGHT", weight)
        monkeypatch.setattr(arms, "PLACE_SD_M", 0.0)
        monkeypatch.setattr(arms, "_MOVES", torch.zeros(len(names)))
        w = batch()
        held = arms.hold_things(w.rotmats, random(2))
        joints, axes = place_joints(held, w.root_m, REST)
        chest = axes[:, :, 9].transpose(-1, -2)
        collar_at_rest = geodesic_distance(w.rotmats[:, :, 13], torch.eye(3).expand_as(w.rotmats[:, :, 13]))
        assert float(collar_at_rest.max()) < 0.1
        off_m = []
        for side, mirror in ((0, 1.0), (1, -1.0)):
            local = (chest @ (joints[:, :, 20 + side] - joints[:, :, 9])[..., None]).squeeze(-1)
            local = local * torch.tensor([mirror, 1.0, 1.0])
            goals = torch.tensor([arms.HOLDS[k].wrist, arms.HOLDS[k].both])
            off_m.append((local[:, :, None] - goals).norm(dim=-1).amin(-1))
        # blended with what the arms did before by up to an eighth; some take up or put down
        assert float(torch.stack(off_m).median()) < 0.06

    def test_arms_reach_exactly(self) -> None:
        g = random()
        line = torch.nn.functional.normalize(torch.randn(200, 3, generator=g), dim=-1)
        line = line * (0.15 + 0.33 * torch.rand(200, 1, generator=g))
        normal = torch.randn(200, 3, generator=g)
        for upper, lower, hinge in (
            (OFFSETS_M[18], OFFSETS_M[20], torch.tensor([0.0, -1.0, 0.0])),
            (OFFSETS_M[4], OFFSETS_M[7], torch.tensor([1.0, 0.0, 0.0])),
        ):
            turn, bent = reach(line, normal, upper, lower, hinge)
            end = (turn @ (upper[:, None] + bent @ lower[:, None])).squeeze(-1)
            assert off(end, line) < 2e-4
            axis = (turn @ hinge[:, None]).squeeze(-1)
            assert ((axis * normal).sum(-1) > 0).float().mean() > 0.9

    def test_out_of_reach_is_approached_along_the_line(self) -> None:
        line = torch.tensor([[0.0, 0.0, 2.0]])
        turn, bent = reach(
            line,
            torch.tensor([[0.0, 1.0, 0.0]]),
            OFFSETS_M[18],
            OFFSETS_M[20],
            torch.tensor([0.0, -1.0, 0.0]),
        )
        end = (turn @ (OFFSETS_M[18][:, None] + bent @ OFFSETS_M[20][:, None])).squeeze(-1)
        assert off(end[:, :2], torch.zeros(1)) < 1e-5
        assert float(end[0, 2]) > 0.99 * FULL_REACH * float(OFFSETS_M[18].norm() + OFFSETS_M[20].norm())


class TestManners:
    def test_the_same_in_all_frames_and_as_wide_as_it_says(self) -> None:
        joints, turns = manners(400, random())
        assert joints.tolist() == sorted(SPREAD_RAD)
        angle = geodesic_distance(turns, torch.eye(3).expand_as(turns))
        assert float(angle.max()) < 1.0
        assert 0.05 < float(angle.mean()) < 0.35
        out, _ = only("manner")
        change = batch().rotmats.transpose(-1, -2) @ out.rotmats
        assert off(change, change[:, :1]) < 1e-5

    def test_ankles_stay_where_they_are(self) -> None:
        out, _ = only("manner")
        assert off(placed(out)[:, :, [1, 2, 4, 5, 7, 8]], placed(batch())[:, :, [1, 2, 4, 5, 7, 8]]) < 1e-5


class TestRecombination:
    def test_only_what_could_be_one_person(self) -> None:
        count = 400
        g = random()
        lean = 0.3 * torch.randn(count, 2, generator=g)
        upright = torch.rand(count, generator=g) < 0.7
        speed = 1.5 * torch.rand(count, generator=g)
        other, able = partners(lean, upright, speed, g)
        assert other.sort().values.tolist() == list(range(count))
        assert (upright[able] & upright[other[able]]).all()
        assert ((lean - lean[other])[able].norm(dim=-1) < 0.15).all()
        both_walk = (speed > 0.5) & (speed[other] > 0.5)
        assert float((able & both_walk).sum()) < 0.3 * float(able.sum())

    def test_the_upper_body_is_wholly_the_others(self) -> None:
        out, done = only("recombine")
        for row in done.nonzero()[:, 0].tolist():
            same = (batch().rotmats[:, :, UPPER] == out.rotmats[row][:, UPPER]).flatten(1).all(1)
            assert same.any()


class TestWaves:
    def test_drift_is_of_unit_size_and_slow(self) -> None:
        wave = drift(400, 64, 1, (2.0, 6.0), random())
        assert float(wave.std()) == pytest.approx(1.0, abs=0.1)
        assert float((wave[:, 1:] - wave[:, :-1]).abs().max()) < 0.3

    def test_steps_go_once_from_end_to_end(self) -> None:
        step = steps(200, 64, (0.5, 1.0), random())
        assert float(step.min()) >= -1e-6 and float(step.max()) <= 1 + 1e-6
        slope = step[:, 1:] - step[:, :-1]
        assert ((slope >= -1e-6).all(1) | (slope <= 1e-6).all(1)).all()

    def test_blend_meets_both_ends_and_stays_a_rotation(self) -> None:
        g = random()
        a, b = (rotvec_to_rotmat(0.8 * torch.randn(50, 3, generator=g)) for _ in range(2))
        assert off(blend(a, b, torch.zeros(50)), a) < 1e-5
        assert off(blend(a, b, torch.ones(50)), b) < 1e-5
        half = blend(a, b, torch.full((50,), 0.5))
        assert off(half @ half.transpose(-1, -2), torch.eye(3)) < 1e-5
        near = geodesic_distance(a, b) < 1.57
        uneven = (geodesic_distance(a, half) - geodesic_distance(half, b)).abs()
        assert near.sum() > 5 and float(uneven[near].max()) < 0.2


class TestMix:
    def test_minutes_add_up_however_they_are_told(self) -> None:
        mix = measure_mix(tracks(), Augmenter(AugmentConfig(), 0), 64)
        minutes = sum(track.num_frames for track in tracks()) / 1800
        for rows in (mix.by_category, mix.by_source, mix.by_licence):
            assert sum(row.recorded_min for row in rows) == pytest.approx(minutes)
            assert sum(row.drawn_min for row in rows) == pytest.approx(minutes)
            assert sum(row.clips for row in rows) == len(tracks())
        assert mix.subjects == 7
        assert 0 < mix.changed["manner"] < 1 and 0 < mix.untouched < 1

    def test_the_page_names_every_category_and_change(self) -> None:
        page = mix_markdown(measure_mix(tracks(), Augmenter(AugmentConfig(), 0), 32))
        for word in ("walk", "idle_stand", "drawn", "phones", "stairs", *CHANGES):
            assert word in page

    def test_nothing_augmented_nothing_changed(self) -> None:
        mix = measure_mix(tracks(), None, 32)
        assert mix.untouched == 1.0 and not any(mix.changed.values())
        assert np.isclose(mix.minutes, sum(track.num_frames for track in tracks()) / 1800)
