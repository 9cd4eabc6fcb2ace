"""Baseline: the engine's first bodies without a lifter (`kernels.solve.initialise`), on the same lessons.

Each window becomes a `WindowProblem` of its own, with pixels and a camera; a dozen milliseconds each.
"""

from __future__ import annotations

import numpy as np
import torch

from ...kernels.body.data import BodyData
from ...kernels.lifter.lifter import LiftedFrames
from ...kernels.priors.gaussian_pose import GaussianPosePrior
from ...kernels.rotation import rotvec_to_rotmat
from ...kernels.solve.gauss_newton import Bodies, fused_views
from ...kernels.solve.gauss_newton_config import LiveConfig
from ...kernels.solve.initialise import initialise, make_templates
from ...kernels.solve.initialise_config import FirstGuessConfig
from .lesson import Lesson
from .problems import problem_of
from .score import Answer


def first_guess_answer(body: BodyData, prior: GaussianPosePrior) -> Answer:
    """Bodies by reprojection of a few posed templates."""
    config, live = FirstGuessConfig(), LiveConfig(threads=1)
    templates = make_templates(body, prior, config)

    def answer(lesson: Lesson) -> LiftedFrames:
        problems = [problem_of(lesson, row) for row in range(len(lesson))]
        guesses = [initialise(each, fused_views(each, live), templates, config) for each in problems]
        return _in_frames(guesses, lesson, body)

    return answer


def _in_frames(guesses: list[Bodies], lesson: Lesson, body: BodyData) -> LiftedFrames:
    """World bodies as the network would say them."""
    pose = torch.from_numpy(np.concatenate([each.pose_rotvec for each in guesses])).float()
    betas = np.concatenate([each.betas for each in guesses])
    transl = np.concatenate([each.transl_m for each in guesses])
    root = torch.from_numpy(transl + body.joints_m(betas)[:, None, 0]).float()
    turn = lesson.frames.R_world_upright
    rotmats = rotvec_to_rotmat(pose[:, :, :22])
    facing = turn.transpose(-1, -2) @ rotmats[:, :, 0]
    place = ((root - lesson.frames.reference_m)[..., None, :] @ turn).squeeze(-2)
    return LiftedFrames(
        rotmats=torch.cat([facing[:, :, None], rotmats[:, :, 1:]], 2),
        root_m=place,
        betas=torch.from_numpy(np.asarray(betas, np.float32)),
        log_sigma=torch.zeros(*pose.shape[:2], 23),
    )
