"""Preset `paper` of the refiner: equations 15 to 18 as printed, on the segments of one stretch of the timeline.

    c (eq. 15) -> groups -> roles (eq. 16) -> E_group over the latents of poor segments (eqs 17, 18)

The yardstick beside `guided`; hundreds of times slower. Which segments are poor, and who guides, is the paper's rule
with the cases it leaves out (`grouping.roles`); gaps are filled as in `live`: the paper's people have a body in every
slot.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from jaxtyping import Int

from ...kernels.body.data import BodyData
from ...kernels.body.kinematics import forward_kinematics_np
from ...kernels.grouping.confidence import SegmentConfidenceConfig, segment_confidence
from ...kernels.grouping.roles import RoleConfig, assign_guides
from ...kernels.priors.motion_prior import MotionPrior
from ...kernels.priors.pose_prior import PosePrior
from ...kernels.solve.group import solve_group
from ...kernels.solve.problem import WarmStart, WindowProblem
from ...kernels.solve.rmsprop_config import PaperConfig
from .guides import GuideBank, Key
from .records import RevisionCause
from .revision import Revised, moved_m
from .timeline import Block

Array = np.ndarray

_PROBLEMS = 12
"""Windows whose observations are kept until their segment is complete."""


class PrintedGuidance:
    """Guides poor segments of complete stretches, all people of a stretch at once."""

    def __init__(
        self,
        body: BodyData,
        frames: int,
        bank: GuideBank,
        solver: PaperConfig,
        pose_prior: PosePrior,
        motion_prior: MotionPrior,
    ) -> None:
        self._body, self._frames, self._bank = body, frames, bank
        self._solver, self._pose_prior, self._motion_prior = solver, pose_prior, motion_prior
        self._problems: OrderedDict[int, WindowProblem] = OrderedDict()
        self._confidence: dict[Key, float] = {}

    def see(self, problem: WindowProblem) -> None:
        """Keeps a window's observations when it covers a segment."""
        if problem.slot0 % self._frames == 0:
            self._problems[problem.slot0] = problem
            while len(self._problems) > _PROBLEMS:
                self._problems.popitem(last=False)

    def guide(self, segment: int, blocks: Mapping[int, Block], persons: Mapping[int, int]) -> list[Revised]:
        """Rows of the poor people of one segment who have a guide.

        Args:
            blocks: bodies so far of everybody in the segment, by person.
            persons: who each track is.
        """
        problem = self._problems.get(segment * self._frames)
        if problem is None:
            return []
        who = np.array([persons.get(track, track) for track in problem.person_ids.tolist()], np.int64)
        self._weigh(problem, who)
        guides = self._guides_of(segment, who)
        rows = np.array([k for k, p in enumerate(who.tolist()) if p in guides and p in blocks], np.int64)
        if len(rows) == 0:
            return []
        asked = _take(problem, rows, [blocks[int(who[k])] for k in rows])
        found = solve_group(
            asked, _start(asked, [blocks[int(who[k])] for k in rows]),
            [self._bank.guide(guides[int(who[k])]).rotmats for k in rows],
            self._body, self._pose_prior, self._motion_prior, self._solver,
        )  # fmt: skip
        betas = found.bodies.betas_of_people(asked)
        return [
            self._row(
                int(who[k]), segment, blocks[int(who[k])], found.bodies.pose_rotvec[n],
                found.bodies.transl_m[n], betas[n], guides[int(who[k])],
            )
            for n, k in enumerate(rows.tolist())
        ]  # fmt: skip

    def _weigh(self, problem: WindowProblem, who: Int[Array, "N"]) -> None:
        """Equation 15 for everybody in the window."""
        seen = segment_confidence(problem.confidence.max(axis=0), problem.present, SegmentConfidenceConfig())
        for person, value in zip(who.tolist(), seen.tolist(), strict=True):
            self._confidence[(person, problem.slot0)] = value

    def _guides_of(self, segment: int, who: Int[Array, "N"]) -> dict[int, Key]:
        """Equation 16: person of this segment -> the segment that guides them."""
        groups = self._bank.groups()
        self._confidence = {
            k: c for k, c in self._confidence.items() if k in self._bank or k[1] >= segment * self._frames
        }
        confidence = np.array([self._confidence.get(key, 0.0) for key in groups.keys])
        # who is not held as a motion cannot guide, however well they were seen
        confidence = np.where(
            [self._bank.has_guide(key) or c == 0.0 for key, c in zip(groups.keys, confidence, strict=True)],
            confidence,
            1e-6,
        )
        found = assign_guides(groups.keys, groups.labels, confidence, RoleConfig())
        here = {(int(person), segment * self._frames) for person in who}
        return {
            key[0]: guide.key
            for key, guide in zip(groups.keys, found, strict=True)
            if guide is not None and key in here and self._bank.has_guide(guide.key)
        }

    def _row(
        self, person: int, segment: int, before: Block, pose: Array, transl: Array, betas: Array, guide: Key
    ) -> Revised:
        there = before.provenance != 0
        joints, _ = forward_kinematics_np(
            pose.astype(np.float64), np.broadcast_to(betas, (len(pose), len(betas))).astype(np.float64),
            transl.astype(np.float64), self._body.joint_template_m, self._body.joint_shapedirs_m,
        )  # fmt: skip
        f = np.float32
        after = replace_block(
            before,
            pose_rotvec=np.where(there[:, None, None], pose, 0.0).astype(f),
            transl_m=np.where(there[:, None], transl, 0.0).astype(f),
            joints_m=np.where(there[:, None, None], joints, 0.0).astype(f),
            betas=betas.astype(f),
        )
        return Revised(
            person, segment, after, RevisionCause.GUIDED, False, 1.0, moved_m(before, after), guide,
            self._bank.group_of((person, segment * self._frames)),
        )  # fmt: skip


def replace_block(block: Block, **columns: Array) -> Block:
    """The block with some of its arrays replaced."""
    return replace(block.copy(), **columns)


def _take(problem: WindowProblem, rows: Int[Array, "R"], blocks: list[Block]) -> WindowProblem:
    """The problem of some people, present wherever they have a body."""
    present = np.stack([block.provenance != 0 for block in blocks])
    track = np.stack([block.ground_m for block in blocks])
    per_camera = ("keypoints_px", "confidence", "box_px", "hvip_px", "hvip_sigma_px")
    return replace(
        problem, person_ids=problem.person_ids[rows], present=present, track_m=track.astype(np.float32), warm=None,
        **{name: getattr(problem, name)[:, rows] for name in per_camera},
    )  # fmt: skip


def _start(problem: WindowProblem, blocks: list[Block]) -> WarmStart:
    return WarmStart(
        problem.present, np.stack([b.pose_rotvec for b in blocks]), np.stack([b.transl_m for b in blocks]),
        np.stack([b.betas for b in blocks]), np.ones(len(blocks), np.float32),
    )  # fmt: skip
