"""The group stage of preset `paper`: a hidden leg follows the guide's, the rest stays; without guide nothing is new."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from motion_priors import still_prior

sys.path.pop(0)

from crowdstream.kernels.errors import SolveError
from crowdstream.kernels.rotation import geodesic_distance, rotvec_to_rotmat_np
from crowdstream.kernels.skeleton import COCO_KEYPOINTS, SMPL_JOINTS
from crowdstream.kernels.solve.group import GroupSolution, solve_group
from crowdstream.kernels.solve.problem import WarmStart, WindowProblem
from crowdstream.kernels.solve.rmsprop_config import PaperConfig
from crowdstream.kernels.solve.weights import EnergyWeights
from crowdstream.lab.bench.solve_cases import CaseConfig, SolveCase, make_case
from crowdstream.lab.mocap import MocapClip
from crowdstream.stream.body_files import load_body
from crowdstream.stream.prior_files import load_pose_prior

BODY, PRIOR = load_body(), load_pose_prior()
MOTION = still_prior(BODY)
T = 12
KNEE, OTHER_KNEE, ELBOW, HEAD = (
    SMPL_JOINTS.index(name) for name in ("left_knee", "right_knee", "left_elbow", "head")
)
HIDDEN = [COCO_KEYPOINTS.index(f"left_{name}") for name in ("knee", "ankle")]
BEND = 0.9
WEIGHTS = EnergyWeights.mended().model_copy(update={"amc": 10.0, "vae": 0.0})
"""So strong that a few steps show it. The small prior's latents are no standard normal, so they are not held to it."""
CONFIG = PaperConfig(group_iterations=25, learning_rate=0.1, weights=WEIGHTS)


def standing() -> tuple[SolveCase, WindowProblem, WarmStart]:
    """Two people whose left shin nobody sees, and their bodies as they are."""
    pose = np.zeros((T, 24, 3), np.float32)
    pose[:, 1:22] = PRIOR.mean.numpy().reshape(21, 3)
    clip = MocapClip("stand", "idle_stand", pose, np.tile(np.float32([0, 0.93, 0]), (T, 1)), True)
    rates = dict.fromkeys(("partial_rate", "hidden_rate", "legs_hidden_rate", "miss_rate", "swap_rate"), 0.0)
    case = make_case([clip], BODY, CaseConfig(people=2, frames=T, **rates))  # type: ignore[arg-type]
    confidence = case.problem.confidence.copy()
    confidence[..., HIDDEN] = 0
    f, truth = np.float32, case.truth
    start = WarmStart(
        case.problem.present, truth.pose_rotvec.astype(f), truth.transl_m.astype(f), truth.betas.astype(f),
        np.zeros(2, f),
    )  # fmt: skip
    return case, replace(case.problem, confidence=confidence), start


CASE, PROBLEM, START = standing()


def bent(slots: int = 9) -> np.ndarray:
    """The guide: the same stance on bent knees, with another head, facing elsewhere."""
    pose = START.pose_rotvec[0, :1].repeat(slots, 0).astype(np.float64)
    pose[:, [KNEE, OTHER_KNEE], 0] += BEND
    pose[:, HEAD, 1] += 1.0
    pose[:, 0, 2] += 2.0
    return rotvec_to_rotmat_np(pose)


def solve(*guides: np.ndarray | None, config: PaperConfig = CONFIG) -> GroupSolution:
    return solve_group(PROBLEM, START, guides, BODY, PRIOR, MOTION, config)


@pytest.fixture(scope="module")
def guided() -> GroupSolution:
    return solve(bent(), None)


@pytest.fixture(scope="module")
def alone() -> GroupSolution:
    return solve(None, None)


def turned(found: GroupSolution, other: GroupSolution, joint: int, person: int = 0) -> float:
    """Mean angle between a joint's rotations in two answers, radians."""
    import torch

    a, b = (
        torch.tensor(rotvec_to_rotmat_np(each.bodies.pose_rotvec[person, :, joint]))
        for each in (found, other)
    )
    return float(geodesic_distance(a, b).mean())


def test_the_hidden_leg_follows_the_guide_and_what_is_seen_stays(
    guided: GroupSolution, alone: GroupSolution
) -> None:
    assert turned(guided, alone, KNEE) > 0.12
    bend = guided.bodies.pose_rotvec[0, :, KNEE, 0] - alone.bodies.pose_rotvec[0, :, KNEE, 0]
    assert 0.08 < bend.mean() < BEND
    assert turned(guided, alone, OTHER_KNEE) < 0.6 * turned(guided, alone, KNEE)
    for joint in (HEAD, ELBOW, 0):
        assert turned(guided, alone, joint) < 0.1
    moved = np.abs(guided.bodies.transl_m[0] - alone.bodies.transl_m[0]).max()
    assert moved < 0.05


def test_the_energy_of_the_guide_falls_and_is_part_of_the_whole(
    guided: GroupSolution, alone: GroupSolution
) -> None:
    assert 0 < guided.amc_after[0] < 0.96 * guided.amc_before[0]
    assert not alone.amc_before.any() and guided.amc_before[1] == guided.amc_after[1] == 0
    first = guided.bodies.trace.energy[0] - alone.bodies.trace.energy[0]
    assert first == pytest.approx(guided.amc_before.sum(), rel=1e-3)


def test_people_without_a_guide_do_not_feel_those_who_have_one(
    guided: GroupSolution, alone: GroupSolution
) -> None:
    np.testing.assert_allclose(guided.bodies.pose_rotvec[1], alone.bodies.pose_rotvec[1], atol=1e-4)
    np.testing.assert_allclose(guided.bodies.transl_m[1], alone.bodies.transl_m[1], atol=1e-4)


def test_without_guides_it_is_the_motion_stage_continued(alone: GroupSolution) -> None:
    """E_group is E_motion then: it falls, and its terms are those of the trace; no step leaves the bodies as given."""
    energy, terms = alone.bodies.trace.energy, alone.bodies.trace.motion_terms
    assert len(energy) == CONFIG.group_iterations and terms is not None
    assert float(terms.total.sum()) < energy[0]
    still = solve(None, None, config=CONFIG.model_copy(update={"group_iterations": 0}))
    np.testing.assert_allclose(still.bodies.transl_m, START.transl_m, atol=1e-3)
    np.testing.assert_allclose(still.bodies.pose_rotvec[:, :, 1:22], START.pose_rotvec[:, :, 1:22], atol=1e-3)


@pytest.mark.parametrize(
    ("guides", "match"),
    [
        ((None,), "1 guides for 2 rows"),
        ((None, np.zeros((0, 22, 3, 3))), "guide of row 1"),
        ((np.zeros((4, 21, 3, 3)), None), "guide of row 0"),
        ((np.full((4, 22, 3, 3), np.nan), None), "guide of row 0"),
    ],
)
def test_guides_that_do_not_fit_are_refused(guides: tuple[np.ndarray | None, ...], match: str) -> None:
    with pytest.raises(SolveError, match=match):
        solve(*guides)
