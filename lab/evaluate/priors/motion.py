"""Scoring answers to the motion questions: per window, in the segment's frame, on the reference skeleton.

    e = mean over judged frames and joints of |(x_j - x_0) - (y_j - y_0)|      x found, y true, joint 0 the pelvis

Joints follow from the rotations an answer gives, so what it says elsewhere cannot flatter it. The pelvis's direction
counts and its place does not. Nothing of the true hidden frames reaches who answers: rotations and path are shown
with the hidden parts overwritten, and velocities follow from what is shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ....kernels.priors.attach import attach
from ....kernels.priors.motion_prior import MotionPrior
from ....kernels.priors.motion_state import BODY_JOINTS, motion_state, place_joints
from ....kernels.priors.projection import into_segment
from ...motion.reference import REST_JOINTS_M
from ...motion.windows import MotionWindows
from .contacts import ContactCounts, count_contacts, rule_contacts
from .questions import QUESTIONS, Hiding

Array = np.ndarray

BATCH = 64
REST_M = torch.from_numpy(REST_JOINTS_M[:22].astype(np.float32))


@dataclass(frozen=True)
class Segments:
    """B windows in their segments' frames."""

    rotmats: Float[Tensor, "B 64 22 3 3"]
    """Joint 0 in the segment's frame, the rest relative to their parents."""
    root_m: Float[Tensor, "B 64 3"]
    """Pelvis joint, metres."""

    def joints_m(self) -> Float[Tensor, "B 64 22 3"]:
        """Placed on the reference skeleton."""
        return place_joints(self.rotmats, self.root_m, REST_M)[0]

    def shown(self, seen: Bool[Tensor, "64 22"]) -> Segments:
        """With what is hidden overwritten: rotations by none, the path by the origin."""
        joint = torch.cat([seen[:, BODY_JOINTS:], seen[:, :BODY_JOINTS]], -1)
        rotmats = torch.where(joint[..., None, None], self.rotmats, torch.eye(3))
        root = torch.where(seen[:, BODY_JOINTS:], self.root_m, torch.zeros(3))
        return Segments(rotmats, root)


@dataclass(frozen=True)
class Answer:
    """All frames of B windows as somebody believes them to be."""

    motion: Segments
    contact: Bool[Tensor, "B 64 8"] | None = None
    """None from who says nothing about contact."""


class Answerer(Protocol):
    """Whoever can be asked."""

    def answer(self, shown: Segments, seen: Bool[Tensor, "64 22"]) -> Answer:
        """The whole motion from what is seen of it; hidden entries of `shown` hold nothing."""
        ...


@dataclass(frozen=True)
class MotionScores:
    """Of B windows."""

    mpjpe_mm: Mapping[str, Float[Array, "B"]]
    """Error by question (`recon`, `infill16`, ...), mm."""
    accel_mm: Mapping[str, Float[Array, "B"]]
    """Of the infilling questions: mean |D^2 x - D^2 y| of pelvis-relative joints around hidden frames, mm / frame^2."""
    contact: ContactCounts | None = None
    """Of the whole windows, from the answerer's own head."""
    rule_contact: ContactCounts | None = None
    """The same from height and speed of the answered motion (HuMoR's rule)."""

    def __len__(self) -> int:
        return len(next(iter(self.mpjpe_mm.values())))

    @classmethod
    def join(cls, parts: Sequence[MotionScores]) -> MotionScores:
        """Scores of windows one after the other."""
        return cls(
            {k: np.concatenate([p.mpjpe_mm[k] for p in parts]) for k in parts[0].mpjpe_mm},
            {k: np.concatenate([p.accel_mm[k] for p in parts]) for k in parts[0].accel_mm},
            _joined([p.contact for p in parts]),
            _joined([p.rule_contact for p in parts]),
        )


@dataclass(frozen=True)
class PriorAnswers:
    """The motion prior as it is used: the mean of the posterior, decoded, its hidden part tied to what was seen."""

    prior: MotionPrior

    def answer(self, shown: Segments, seen: Bool[Tensor, "64 22"]) -> Answer:
        """Encode what is seen, decode all of it."""
        batch = seen.expand(len(shown.root_m), *seen.shape)
        state = motion_state(shown.rotmats, shown.root_m, self.prior.rest_joints_m)
        z, _ = self.prior.encode(state, batch)
        told = self.prior.decode(z)
        motion = attach(told.rotmats, told.root_m, shown.rotmats, shown.root_m, batch)
        return Answer(Segments(*motion), told.contact_logits > 0.0)


def score_motion(
    prior: MotionPrior, windows: MotionWindows, questions: Sequence[Hiding] = QUESTIONS
) -> MotionScores:
    """A motion prior on windows it has not seen; the network's mode (training or not) stays as it was."""
    training = prior.training
    prior.eval()
    try:
        return score_answers(PriorAnswers(prior), windows, questions)
    finally:
        prior.train(training)


def score_answers(
    answerer: Answerer, windows: MotionWindows, questions: Sequence[Hiding] = QUESTIONS
) -> MotionScores:
    """Anybody on windows, in batches of 64, without gradients."""
    parts = []
    with torch.no_grad():
        for start in range(0, len(windows), BATCH):
            parts.append(_score_batch(answerer, windows.part(slice(start, start + BATCH)), questions))
    return MotionScores.join(parts)


def segments_of(windows: MotionWindows) -> Segments:
    """Windows in the frames their first slots set."""
    count = len(windows)
    zero, one = torch.zeros(count), torch.ones(count)
    first = torch.zeros(count, dtype=torch.long)
    rotmats, root, _ = into_segment(windows.rotmats, windows.root_m, zero, one, first)
    return Segments(rotmats, root)


def _score_batch(answerer: Answerer, windows: MotionWindows, questions: Sequence[Hiding]) -> MotionScores:
    true = segments_of(windows)
    target = _relative(true)
    errors, accels = {}, {}
    counts = rule = None
    for question in questions:
        answer = answerer.answer(true.shown(question.seen), question.seen)
        found = _relative(answer.motion)
        off = (found - target).norm(dim=-1)[:, question.frames][..., list(question.joints)]
        errors[question.name] = 1e3 * off.mean((1, 2)).double().numpy()
        if question.name.startswith("infill"):
            accels[question.name] = _accel_error(found, target, question)
        if question.whole and answer.contact is not None:
            counts = count_contacts(answer.contact, windows)
            rule = count_contacts(rule_contacts(answer.motion.joints_m()), windows)
    return MotionScores(errors, accels, counts, rule)


def _relative(motion: Segments) -> Float[Tensor, "B 64 22 3"]:
    joints = motion.joints_m()
    return joints - joints[..., :1, :]


def _accel_error(
    found: Float[Tensor, "B 64 22 3"], true: Float[Tensor, "B 64 22 3"], question: Hiding
) -> Float[Array, "B"]:
    """Second differences whose middle is hidden; the seams are in it, and beyond them stands what was seen."""
    off = (found - true)[:, question.frames.start - 1 : question.frames.stop + 1].clone()
    off[:, [0, -1]] = 0.0
    second = off[:, 2:] - 2 * off[:, 1:-1] + off[:, :-2]
    return np.asarray(1e3 * second.norm(dim=-1).mean((1, 2)).double().numpy())


def _joined(parts: Sequence[ContactCounts | None]) -> ContactCounts | None:
    given = [part for part in parts if part is not None]
    return ContactCounts.join(given) if given else None
