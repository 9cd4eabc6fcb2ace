"""The shipped lifter on drawn motion that no recording is behind: the right way round, and better than one pose."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from crowdstream.kernels.lifter.lifter import Lifter
from crowdstream.lab.lifter.lesson import LessonConfig
from crowdstream.lab.lifter.score import mean_pose_answer, score_answers, score_lessons, score_lifter
from crowdstream.stream.prior_files import load_lifter, load_pose_prior
from tests.motion_clips import tracks


@pytest.fixture(scope="module")
def lifter() -> Lifter:
    return load_lifter()


def test_nobody_who_is_in_view_faces_the_wrong_way(lifter: Lifter) -> None:
    told = score_lessons(tracks(), 5, LessonConfig.in_view(), 32)
    for _, lesson in told:
        with torch.inference_mode():
            said = lifter(lesson.features)
        faced = said.rotmats[:, :, 0, :, 2] * lesson.rotmats[:, :, 0, :, 2]
        cosine = faced.sum(-1).mean(1).numpy()
        assert np.median(cosine) > np.cos(np.deg2rad(25.0))
        assert (cosine > 0.0).mean() > 0.95


def test_walkers_and_standing_people_are_near_the_truth(lifter: Lifter) -> None:
    score = score_lifter(lifter, tracks(), 5)
    base = score_answers(mean_pose_answer(load_pose_prior().mean), tracks(), 5)
    assert score.pa_mpjpe_mm.mean() < 60.0 and score.mpjpe_mm.mean() < 100.0
    assert score.mpjpe_mm.mean() < 0.7 * base.mpjpe_mm.mean()
    assert score.root_m.mean() < base.root_m.mean()


def test_its_deviations_are_those_of_its_errors(lifter: Lifter) -> None:
    """Within a factor of two over all angles: the solver weighs by them."""
    for _, lesson in score_lessons(tracks(), 6, LessonConfig(), 32):
        with torch.inference_mode():
            said = lifter(lesson.features)
        chord = (said.rotmats - lesson.rotmats).square().sum((-1, -2))
        angle = 2 * (chord / 8).clamp(0, 1).sqrt().asin()
        ratio = (angle.square() / 3 / (2 * said.log_sigma[..., :22]).exp())[lesson.present]
        assert 0.25 < float(ratio.mean()) < 4.0


def test_hidden_people_are_less_sure(lifter: Lifter) -> None:
    (_, lesson), *_ = score_lessons(tracks(), 7, LessonConfig.in_view(), 32)
    blind = lesson.features.clone()
    blind[:, :, :56] = 0.0
    with torch.inference_mode():
        seen, unseen = lifter(lesson.features), lifter(blind)
    assert float((unseen.log_sigma - seen.log_sigma).mean()) > 0.2
