"""The 330 numbers of a moving person: the same wherever in the world, there and back, and what each part must be."""

from __future__ import annotations

import math
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from crowdstream.kernels.priors.motion_state import (
    BODY_JOINTS,
    GLOBAL,
    JOINTS,
    ROOT,
    ROOT_ROTATION,
    ROTATIONS,
    STATE_DIM,
    TRANSL,
    VELOCITY,
    assemble,
    motion_state,
    place_joints,
    segment_frame,
    state_mask,
)
from crowdstream.kernels.priors.occlusion_fill import bridge, bridge_state
from crowdstream.kernels.priors.projection import first_seen, into_segment
from crowdstream.kernels.rotation import rotvec_to_rotmat
from crowdstream.lab.motion.reference import REST_JOINTS_M
from crowdstream.lab.motion.windows import MotionWindows, WindowBank

sys.path.insert(0, str(Path(__file__).parents[1]))
from motion_clips import tracks

sys.path.pop(0)

REST = torch.tensor(REST_JOINTS_M[:22], dtype=torch.float32)
EXAMPLES = settings(max_examples=8, deadline=None)
FLOAT32 = 2e-5
"""Metres and sines at distances of tens of metres."""


@cache
def windows() -> MotionWindows:
    return WindowBank(tracks()).in_order(64).part(slice(0, 14, 4))


def state_at(w: MotionWindows, ground: float = 0.0, size: float = 1.0) -> Tensor:
    count = len(w)
    turned, path, _ = into_segment(
        w.rotmats,
        w.root_m,
        torch.full((count,), ground),
        torch.full((count,), size),
        torch.zeros(count, dtype=torch.long),
    )
    return motion_state(turned, path, REST)


def close(a: Tensor, b: Tensor, within: float = 1e-6) -> bool:
    return bool((a - b).abs().max() <= within)


def about_up(angle: float) -> Tensor:
    return rotvec_to_rotmat(torch.tensor([0.0, 0.0, angle]))


class TestFrame:
    @EXAMPLES
    @given(
        st.floats(-math.pi, math.pi),
        st.floats(-50, 50),
        st.floats(-50, 50),
        st.floats(-3, 3),
        st.floats(0.5, 1.5),
    )
    def test_state_does_not_know_where_in_the_world_nor_how_tall(
        self, angle: float, x: float, y: float, ground: float, size: float
    ) -> None:
        w = windows()
        turn = about_up(angle)
        rotmats = w.rotmats.clone()
        rotmats[:, :, 0] = turn @ rotmats[:, :, 0]
        root = (turn @ (size * w.root_m)[..., None]).squeeze(-1) + torch.tensor([x, y, ground])
        elsewhere = MotionWindows(rotmats, root, w.contact, w.contact_known, w.track)
        assert close(state_at(elsewhere, ground, size), state_at(w), 10 * FLOAT32)

    @EXAMPLES
    @given(st.integers(0, 2**31), st.floats(-2, 2))
    def test_there_and_back_again(self, seed: int, ground: float) -> None:
        g = torch.Generator().manual_seed(seed)
        rotmat = rotvec_to_rotmat(torch.randn(3, 5, 3, generator=g))
        place = 10 * torch.randn(3, 5, 3, generator=g)
        frame = segment_frame(rotmat[:, 0], place[:, 0], torch.full((3,), ground))
        again = frame.to_world(*frame.to_segment(rotmat, place))
        assert close(again[0], rotmat, FLOAT32)
        assert close(again[1], place, 5 * FLOAT32)

    def test_reference_slot_is_over_the_origin_with_its_right_along_x(self) -> None:
        w = windows()
        frame = segment_frame(w.rotmats[:, 7, 0], w.root_m[:, 7])
        turned, path = frame.to_segment(w.rotmats[:, :, 0], w.root_m)
        assert path[:, 7, :2].abs().max() < FLOAT32
        assert close(path[..., 2], w.root_m[..., 2], FLOAT32)  # heights stay
        right = -turned[:, 7, :, 0]
        assert (right[:, 0] > 0).all() and right[:, 1].abs().max() < FLOAT32
        assert frame.R_world_segment[:, 2, 2] == pytest.approx(1.0)

    def test_who_lies_on_a_side_gets_some_frame(self) -> None:
        # body's left straight down: the right hand has no direction on the ground
        rotmat = torch.tensor([[[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]]])
        frame = segment_frame(rotmat, torch.zeros(1, 3))
        turn = frame.R_world_segment
        assert close(turn @ turn.transpose(-1, -2), torch.eye(3)[None])

    def test_first_seen_is_the_first_slot_with_a_pelvis(self) -> None:
        seen = torch.zeros(3, 64, 22, dtype=torch.bool)
        seen[0, 9:, BODY_JOINTS] = True
        seen[1, 3, 0] = True  # a joint is not enough
        seen[1, 30, BODY_JOINTS] = True
        assert first_seen(seen).tolist() == [9, 30, 0]


class TestParts:
    def test_parts_are_what_they_say(self) -> None:
        w = windows()
        state = motion_state(w.rotmats, w.root_m, REST)
        joints, _ = place_joints(w.rotmats, w.root_m, REST)
        assert state.shape[-1] == STATE_DIM
        local = state[..., JOINTS].unflatten(-1, (BODY_JOINTS, 3))
        assert close(local[..., 2], joints[..., 1:, 2])  # height over the ground
        assert close(local[..., :2], joints[..., 1:, :2] - joints[..., :1, :2])
        assert close(state[..., ROTATIONS].unflatten(-1, (BODY_JOINTS, 3, 3)), w.rotmats[:, :, 1:])
        assert close(state[..., ROOT], w.root_m)
        assert close(state[..., TRANSL], w.root_m - REST[0])
        assert close(state[..., ROOT_ROTATION].unflatten(-1, (3, 3)), w.rotmats[:, :, 0])

    def test_velocities_add_up_to_the_way_each_joint_went(self) -> None:
        w = windows()
        state = motion_state(w.rotmats, w.root_m, REST)
        joints, _ = place_joints(w.rotmats, w.root_m, REST)
        velocity = state[..., VELOCITY].unflatten(-1, (BODY_JOINTS, 3))
        went = joints[:, -1, 1:] - joints[:, 0, 1:]
        assert close(velocity[:, :-1].sum(1), went, 1e-5)
        assert torch.equal(velocity[:, -1], velocity[:, -2])

    def test_pelvis_takes_all_joints_with_it(self) -> None:
        w = windows()
        moved = w.root_m + torch.tensor([1.0, -2.0, 0.25])
        again, _ = place_joints(w.rotmats, moved, REST)
        state = motion_state(w.rotmats, w.root_m, REST)
        shifted = assemble(again, w.rotmats, moved, REST)
        change = (shifted - state)[..., JOINTS].unflatten(-1, (BODY_JOINTS, 3))
        assert change[..., :2].abs().max() < 1e-5  # relative to the pelvis
        assert close(change[..., 2], torch.tensor(0.25), 1e-5)  # over the ground
        assert (shifted - state)[..., VELOCITY].abs().max() < 1e-5

    def test_mask_hides_a_group_wholly_and_nothing_else(self) -> None:
        for group in range(22):
            seen = torch.ones(1, 2, 22, dtype=torch.bool)
            seen[..., group] = False
            mask = state_mask(seen)[0, 0]
            hidden = (~mask).nonzero()[:, 0].tolist()
            if group == BODY_JOINTS:
                assert hidden == list(range(GLOBAL.start, STATE_DIM))
            else:
                assert hidden == [
                    *range(3 * group, 3 * group + 3),
                    *range(VELOCITY.start + 3 * group, VELOCITY.start + 3 * group + 3),
                    *range(ROTATIONS.start + 9 * group, ROTATIONS.start + 9 * group + 9),
                ]


def bridge_reference(values: np.ndarray, seen: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """`bridge` in plain loops."""
    out = values.astype(np.float64).copy()
    for b in range(values.shape[0]):
        for g in range(values.shape[2]):
            at = np.flatnonzero(seen[b, :, g])
            for d in range(values.shape[3]):
                if len(at) == 0:
                    out[b, :, g, d] = mean[g, d]
                else:
                    out[b, :, g, d] = np.interp(np.arange(values.shape[1]), at, values[b, at, g, d])
    return out


class TestBridge:
    @EXAMPLES
    @given(st.integers(0, 2**31), st.floats(0.0, 1.0), st.integers(1, 9))
    def test_as_plain_loops_have_it(self, seed: int, share: float, frames: int) -> None:
        random = np.random.default_rng(seed)
        values, mean = random.normal(size=(2, frames, 3, 2)), random.normal(size=(3, 2))
        seen = random.random((2, frames, 3)) < share
        got = bridge(torch.from_numpy(values), torch.from_numpy(seen), torch.from_numpy(mean))
        # the share of the way between two frames is a float32 quotient
        assert close(got, torch.from_numpy(bridge_reference(values, seen, mean)), 1e-6)

    def test_hidden_values_are_not_looked_at(self) -> None:
        g = torch.Generator().manual_seed(0)
        state, mean = torch.randn(2, 8, STATE_DIM, generator=g), torch.randn(STATE_DIM, generator=g)
        seen = torch.rand(2, 8, 22, generator=g) < 0.5
        spoilt = torch.where(state_mask(seen), state, torch.nan)
        filled = bridge_state(spoilt, seen, mean)
        assert torch.equal(filled, bridge_state(state, seen, mean))
        assert torch.equal(filled[state_mask(seen)], state[state_mask(seen)])

    def test_all_seen_is_untouched_and_none_seen_is_the_mean(self) -> None:
        g = torch.Generator().manual_seed(1)
        state, mean = torch.randn(1, 8, STATE_DIM, generator=g), torch.randn(STATE_DIM, generator=g)
        every = torch.ones(1, 8, 22, dtype=torch.bool)
        assert torch.equal(bridge_state(state, every, mean), state)
        assert torch.equal(bridge_state(state, ~every, mean), mean.expand(1, 8, -1))
