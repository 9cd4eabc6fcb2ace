"""Scoring of motion priors: what is true costs nothing, what is hidden stays hidden."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from jaxtyping import Bool
from torch import Tensor

from crowdstream.kernels.priors.motion_prior import MotionPrior, MotionPriorConfig
from crowdstream.kernels.priors.motion_state import motion_state
from crowdstream.kernels.priors.velocity_hold import hold_velocity
from crowdstream.kernels.rotation import rotvec_to_rotmat
from crowdstream.lab.evaluate.priors import motion
from crowdstream.lab.evaluate.priors.interpolate import SlerpAnswers
from crowdstream.lab.evaluate.priors.motion import (
    REST_M,
    Answer,
    PriorAnswers,
    Segments,
    score_answers,
    score_motion,
    segments_of,
)
from crowdstream.lab.evaluate.priors.questions import INFILLS, LEGS, LOWERBODY, QUESTIONS, RECON
from crowdstream.lab.evaluate.priors.window_pca import PcaAnswers, fit_window_pca
from crowdstream.lab.motion.track import MotionTrack
from crowdstream.lab.motion.windows import MotionWindows, WindowBank


def _track(seed: int, frames: int = 80, wobble: float = 0.3) -> MotionTrack:
    """A body that swings every joint smoothly while it walks along a line."""
    random = np.random.default_rng(seed)
    t = np.arange(frames)[:, None, None] / 30.0
    phase, pace = random.uniform(0, 6, (22, 3)), random.uniform(1.0, 4.0, (22, 3))
    rotvec = wobble * np.sin(pace * t + phase)
    angle = np.linalg.norm(rotvec, axis=-1, keepdims=True)
    quats = np.concatenate([np.cos(angle / 2), rotvec * np.sinc(angle / (2 * np.pi)) / 2], -1)
    root = np.concatenate([1.2 * t[:, 0] + [[0.0]], 0 * t[:, 0], 0 * t[:, 0] + 0.9], -1)
    contact = random.random((frames, 8)) < 0.5
    return MotionTrack(
        f"c{seed}", "s", "walk", quats.astype(np.float32), root.astype(np.float32), contact, True
    )


def _windows(count: int = 2) -> MotionWindows:
    return WindowBank([_track(seed, 64) for seed in range(count)]).in_order()


@pytest.fixture(scope="module")
def prior() -> MotionPrior:
    torch.manual_seed(0)
    small = MotionPriorConfig(width=32, heads=2, encoder_layers=1, decoder_layers=1, global_width=16, patch=8)
    network = MotionPrior(small)
    network.rest_joints_m.copy_(REST_M)
    for parameter in network.parameters():
        parameter.data.add_(0.02 * torch.randn_like(parameter))
    return network


@dataclass(frozen=True)
class _Oracle:
    """Knows the truth, and may turn all of it rigidly or move single joints."""

    true: Segments
    contact: Bool[Tensor, "B 64 8"] | None = None

    def answer(self, shown: Segments, seen: Bool[Tensor, "64 22"]) -> Answer:
        return Answer(self.true, self.contact)


def test_truth_costs_nothing_and_its_place_does_not_matter() -> None:
    windows = _windows()
    true = segments_of(windows)
    for told in (true, replace(true, root_m=true.root_m + 3.0)):
        scores = score_answers(_Oracle(told, windows.contact), windows)
        for question in QUESTIONS:
            assert np.abs(scores.mpjpe_mm[question.name]).max() < 1e-2, question.name
        assert scores.contact is not None
        assert scores.contact.scores(np.ones(2, bool)) == (1.0, 1.0, 1.0)


def test_the_pelvis_direction_counts() -> None:
    windows = _windows()
    true = segments_of(windows)
    turn = rotvec_to_rotmat(torch.tensor([0.0, 0.0, 0.3]))
    rotmats = true.rotmats.clone()
    rotmats[:, :, 0] = turn @ rotmats[:, :, 0]
    scores = score_answers(_Oracle(replace(true, rotmats=rotmats)), windows, [RECON])
    joints = true.joints_m() - true.joints_m()[..., :1, :]
    level = joints[..., :2].norm(dim=-1).mean((1, 2)).numpy()
    np.testing.assert_allclose(scores.mpjpe_mm["recon"], 1e3 * level * 2 * np.sin(0.15), rtol=1e-4)


def test_errors_are_judged_where_it_was_hidden_and_nowhere_else() -> None:
    windows = _windows()
    true = segments_of(windows)
    rotmats = true.rotmats.clone()
    rotmats[:, 24:40, 16] = rotmats[:, 24:40, 16] @ rotvec_to_rotmat(torch.tensor([0.0, 0.0, 1.0]))
    scores = score_answers(_Oracle(replace(true, rotmats=rotmats)), windows)
    inside = scores.mpjpe_mm["infill16"]
    assert (inside > 10.0).all()
    np.testing.assert_allclose(scores.mpjpe_mm["infill32"], inside / 2, rtol=1e-4)
    np.testing.assert_allclose(scores.mpjpe_mm["recon"], inside / 4, rtol=1e-4)
    assert np.abs(scores.mpjpe_mm["lowerbody"]).max() < 1e-2  # an arm is no leg
    assert (scores.accel_mm["infill32"] > 1.0).all()


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda q: q.name)
def test_what_is_hidden_never_reaches_who_answers(prior: MotionPrior, question) -> None:
    windows = _windows()
    other = windows.rotmats.clone()
    root = windows.root_m.clone()
    groups = ~question.seen
    spin = rotvec_to_rotmat(torch.tensor([0.4, -0.7, 1.1]))
    for joint in range(22):
        hidden = groups[:, joint - 1] if joint else groups[:, 21]
        other[:, hidden, joint] = other[:, hidden, joint] @ spin
    root[:, groups[:, 21]] += 0.7
    changed = replace(windows, rotmats=other, root_m=root)
    pca = fit_window_pca(WindowBank([_track(9, 70)]), stride=4, components=4)
    for answerer in (PriorAnswers(prior), SlerpAnswers(), PcaAnswers(pca)):
        with torch.no_grad():
            a, b = (
                answerer.answer(segments_of(w).shown(question.seen), question.seen).motion.rotmats
                for w in (windows, changed)
            )
        assert torch.equal(a, b), type(answerer).__name__


def test_held_velocities_tell_nothing_and_holding_twice_changes_nothing() -> None:
    true = segments_of(_windows())
    for question in (*INFILLS, LOWERBODY):
        seen = question.seen.expand(2, 64, 22)
        state = motion_state(true.rotmats, true.root_m, REST_M)
        once = hold_velocity(state, seen)
        assert torch.equal(hold_velocity(once, seen), once)
        edge = question.frames.start - 1
        if edge >= 0:
            assert torch.equal(once[:, edge, 63:126], state[:, edge - 1, 63:126])
            assert torch.equal(once[:, :edge], state[:, :edge])
    whole = torch.ones(2, 64, 22, dtype=torch.bool)
    assert torch.equal(hold_velocity(state, whole), state)


def test_a_steady_turn_is_interpolated_exactly() -> None:
    t = torch.arange(64.0)
    turn = rotvec_to_rotmat(t[:, None, None] * torch.linspace(-0.02, 0.02, 66).reshape(22, 3))
    root = t[:, None] * torch.tensor([0.03, 0.01, 0.0]) + torch.tensor([0.0, 0.0, 0.9])
    track = _track(0, 64)
    windows = replace(WindowBank([track]).in_order(), rotmats=turn[None], root_m=root[None])
    scores = score_answers(SlerpAnswers(), windows)
    for question in INFILLS:
        assert scores.mpjpe_mm[question.name][0] < 0.05, question.name
        assert scores.accel_mm[question.name][0] < 0.05
    assert scores.mpjpe_mm["recon"][0] < 1e-3
    assert scores.contact is None


def test_legs_nobody_sees_stand_straight() -> None:
    windows = _windows()
    true = segments_of(windows)
    answer = SlerpAnswers().answer(true.shown(LOWERBODY.seen), LOWERBODY.seen).motion
    assert torch.equal(answer.rotmats[:, :, list(LEGS)], torch.eye(3).expand(2, 64, len(LEGS), 3, 3))
    arms = [13, 16, 18, 20]
    assert torch.equal(answer.rotmats[:, :, arms], true.rotmats[:, :, arms])


def test_windows_in_the_span_are_reproduced() -> None:
    bank = WindowBank([_track(seed, 64) for seed in range(6)])
    pca = fit_window_pca(bank, components=384)
    assert pca.components.shape[0] == 11  # six windows, their mirror images, less the mean
    inside = score_answers(PcaAnswers(pca), bank.in_order(), [RECON]).mpjpe_mm["recon"]
    outside = score_answers(PcaAnswers(pca), WindowBank([_track(50, 64)]).in_order(), [RECON])
    assert inside.max() < 0.1 < outside.mpjpe_mm["recon"][0]


def test_conditional_mean_beats_the_mean_on_its_own_kind() -> None:
    """Windows of one low-dimensional family: seven eighths hidden, the rest tells them."""
    track = _track(3, 160)
    pca = fit_window_pca(WindowBank([track]), stride=2, components=30)
    windows = WindowBank([track]).in_order(48)
    told = score_answers(PcaAnswers(pca), windows)
    assert (
        told.mpjpe_mm["infill48"].mean()
        < 0.2 * score_answers(SlerpAnswers(), windows).mpjpe_mm["infill48"].mean()
    )
    assert told.mpjpe_mm["lowerbody"].mean() < 30.0


def test_batches_do_not_matter_and_the_mode_is_kept(
    prior: MotionPrior, monkeypatch: pytest.MonkeyPatch
) -> None:
    windows = WindowBank([_track(seed, 64 + 2 * seed) for seed in range(3)]).in_order(1)
    assert len(windows) == 9
    monkeypatch.setattr(motion, "BATCH", 4)
    prior.train()
    whole = score_motion(prior, windows)
    assert prior.training
    single = score_motion(prior, windows.part(slice(6, 7)))
    for name, values in whole.mpjpe_mm.items():
        np.testing.assert_allclose(single.mpjpe_mm[name], values[6:7], rtol=1e-3)
    assert whole.contact is not None and len(whole.contact.found) == len(windows) == len(whole)


def test_contacts_are_pooled_and_uneven_floors_count_nothing() -> None:
    windows = _windows(3)
    told = windows.contact.clone()
    told[0, :, 0] = ~told[0, :, 0]
    known = torch.tensor([True, True, False])
    windows = replace(windows, contact_known=known)
    counts = score_answers(_Oracle(segments_of(windows), told), windows, [RECON]).contact
    assert counts is not None
    assert counts.found[2] == counts.false[2] == counts.missed[2] == 0
    assert counts.false[0] + counts.missed[0] == 64
    f1, precision, recall = counts.scores(np.ones(3, bool))
    assert f1 is not None and precision is not None and recall is not None
    assert f1 == pytest.approx(2 * precision * recall / (precision + recall))
    assert counts.scores(np.array([False, False, True])) == (None, None, None)
