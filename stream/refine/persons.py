"""What is revised of one person: gaps filled or taken back, segments guided.

A person's memory holds which gaps are filled and what was given out of each segment. The fills themselves are made anew
whenever a segment is given out again: they follow from the timeline alone, and cost little.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ...kernels.body.data import BodyData
from ...kernels.ground import Ground
from ...kernels.priors.motion_prior import MotionPrior
from ...kernels.solve.problem import MODEL_RATE_HZ
from .config import RefineConfig
from .filler import Gap, credible, fill, gaps_of, is_bridged
from .guided import hidden_joints, hidden_share, listen, take_in
from .guides import GuideBank
from .motion import PersonMotion, joints_of, measure_blind, motion_of, through
from .records import RevisionCause
from .revision import NOBODY, Revised, moved_m
from .timeline import Block, PersonStretch

Array = np.ndarray

_AFTER = 48
"""Slots after a gap that must be final before it is filled: who comes out of it, and how they move."""
_BRIDGE_S = 0.2
"""Slots without a picture that a slow camera or a pose budget leaves between two sightings."""
_LEAST_PRESENT = 30
"""Slots of a segment in which a person must be present for it to be guided or to guide."""


@dataclass
class Person:
    """What was done for one person."""

    filled: set[Gap] = field(default_factory=set)
    published: dict[int, Block] = field(default_factory=dict)
    """Newest row given out, by segment."""

    def forget(self, before: int, frames: int) -> None:
        """Drops what lies in segments before this one."""
        self.filled = {gap for gap in self.filled if gap.first >= before * frames}
        self.published = {k: block for k, block in self.published.items() if k >= before}


@dataclass(frozen=True)
class Looked:
    """A person, looked at anew: gaps are filled, nobody has been listened to yet."""

    stretch: PersonStretch
    motion: PersonMotion
    todo: tuple[int, ...]
    """Segments of which a row may be given out."""
    touched: frozenset[int]
    """Of these: what was given out is wrong or missing."""
    refilled: frozenset[int]
    """Of these: some of their slots were filled."""


class PersonReviser:
    """Makes the rows of one person that have changed: `look` at everybody first, then ask for their `rows`."""

    def __init__(
        self,
        config: RefineConfig,
        body: BodyData,
        frames: int,
        bank: GuideBank,
        prior: MotionPrior | None,
    ) -> None:
        self._config, self._body, self._frames = config, body, frames
        self._bank, self._prior = bank, prior
        self._shortest = round(config.min_gap_s * MODEL_RATE_HZ)
        self._longest = round(config.max_gap_s * MODEL_RATE_HZ)
        self._bridge = round(_BRIDGE_S * MODEL_RATE_HZ)

    def look(
        self,
        person: int,
        stretch: PersonStretch,
        memory: Person,
        fresh: range,
        known: int,
        ended: bool,
        ground: Ground,
    ) -> Looked:
        """Fills gaps that have closed, and puts complete segments into the bank.

        Args:
            fresh: segments that are complete since the last time.
            known: slots before this one are final.
            ended: nothing more will come.
        """
        motion = motion_of(person, stretch, self._body, self._config.seen_confidence)
        gaps = self._closed(motion, known, ended)
        changed = memory.filled ^ set(gaps)
        memory.filled = set(gaps)
        for gap in gaps:
            if not is_bridged(motion, gap, self._frames):
                fill(motion, gap, self._prior, self._body, ground)
        measure_blind(motion)
        touched = {k for gap in changed for k in self._segments(gap)}
        touched |= {k for k, block in memory.published.items() if self._lost(motion, k, block)}
        held = {k for k in [*touched, *fresh] if self._holds(motion, k)}
        todo = sorted(held | {k for k in touched if k in memory.published})
        self._note(motion, fresh)
        refilled = frozenset(k for gap in gaps for k in self._segments(gap))
        return Looked(stretch, motion, tuple(todo), frozenset(touched), refilled)

    def rows(self, looked: Looked, memory: Person) -> list[Revised]:
        """The rows that are new or other than before."""
        made = (self._row(looked, memory, segment) for segment in looked.todo)
        return [row for row in made if row is not None]

    def _closed(self, motion: PersonMotion, known: int, ended: bool) -> list[Gap]:
        if not self._config.fill:
            return []
        config = self._config
        return [
            gap
            for gap in gaps_of(motion, self._shortest, self._longest)
            if (ended or gap.first + _AFTER <= known)
            and credible(motion, gap, config.min_sightings, config.max_speed_change_mps)
        ]

    def _segments(self, gap: Gap) -> range:
        return range((gap.last + 1) // self._frames, (gap.first - 1) // self._frames + 1)

    def _lost(self, motion: PersonMotion, segment: int, published: Block) -> bool:
        """Slots were given out in which the person no longer is: a join was undone."""
        slots = self._slots(motion, segment)
        there = np.zeros(self._frames, bool)
        there[: slots.stop - slots.start] = motion.present[slots] if self._inside(motion, slots) else False
        return bool(((published.provenance != 0) & ~there).any())

    def _inside(self, motion: PersonMotion, slots: slice) -> bool:
        return bool(slots.stop - slots.start == self._frames and slots.stop <= len(motion.present))

    def _holds(self, motion: PersonMotion, segment: int) -> bool:
        return bool(motion.present[self._slots(motion, segment)].any())

    def _slots(self, motion: PersonMotion, segment: int) -> slice:
        start = segment * self._frames - motion.slot0
        return slice(max(start, 0), max(start + self._frames, 0))

    def _note(self, motion: PersonMotion, fresh: range) -> None:
        """Puts new segments into the bank: their way, and, where they were well seen, their motion."""
        hidden = hidden_joints(motion, self._bridge)
        xy = through(motion)[0] if motion.present.any() else None
        for segment in fresh:
            slots = self._slots(motion, segment)
            present = motion.present[slots]
            if xy is None or present.sum() < _LEAST_PRESENT:
                continue
            key = (motion.person, segment * self._frames)
            self._bank.place(key, xy[slots], present)
            if present.all() and hidden_share(hidden, motion.present, slots) <= self._config.guide_share:
                self._bank.offer(key, motion, slots, xy)

    def _row(self, looked: Looked, memory: Person, segment: int) -> Revised | None:
        """The row of one segment; None where nothing is to be said."""
        motion, stretch = looked.motion, looked.stretch
        touched, refilled = segment in looked.touched, segment in looked.refilled
        slots = self._slots(motion, segment)
        if not self._inside(motion, slots):
            return Revised(
                motion.person,
                segment,
                Block.empty(self._frames),
                RevisionCause.RETRACTED,
                True,
                0.0,
                float("nan"),
            )
        hidden = hidden_joints(motion, 0)
        share = hidden_share(hidden, motion.present, slots)
        key = (motion.person, segment * self._frames)
        guide, guided = (NOBODY, NOBODY), False
        poor = share >= self._config.poor_share and motion.present[slots].sum() >= _LEAST_PRESENT
        if self._config.amc and self._config.preset == "live" and poor:
            candidates = self._bank.candidates(key, not self._config.group, self._config.candidates)
            told = listen(motion, slots, candidates, self._config.align, self._config.told)
            if told is not None:
                take_in(motion, slots, told, hidden, self._config.facing)
                guide, guided = told.shares[0][0], True
        if not (touched or guided):
            return None
        block = self._block(motion, stretch, slots)
        before = memory.published.get(segment)
        cause = RevisionCause.GUIDED if guided else RevisionCause.GAP_FILLED
        if touched and not refilled and not guided:
            cause = RevisionCause.RETRACTED
        elif touched and refilled:
            cause = RevisionCause.GAP_FILLED
        return Revised(
            person=motion.person, segment=segment, block=block, cause=cause, needed=touched, hidden=share,
            changed_m=moved_m(before or _base(stretch, slots), block), guide=guide,
            group=self._bank.group_of(key) if self._config.group else NOBODY,
        )  # fmt: skip

    def _block(self, motion: PersonMotion, stretch: PersonStretch, slots: slice) -> Block:
        """The segment of a worked-on motion."""
        there = motion.present[slots]
        pose = np.where(there[:, None, None], motion.pose_rotvec(slots), 0.0)
        joints, transl = joints_of(pose, motion.root_m[slots], motion, self._body)
        f = np.float32
        return Block(
            provenance=motion.provenance[slots].copy(),
            pose_rotvec=pose.astype(f),
            transl_m=np.where(there[:, None], transl, 0.0).astype(f),
            joints_m=np.where(there[:, None, None], joints, 0.0).astype(f),
            ground_m=np.where(there[:, None], motion.ground_m[slots], 0.0).astype(f),
            confidence=np.where(there, motion.confidence[slots], 0.0).astype(f),
            keypoints=stretch.keypoints[slots],
            betas=motion.betas.astype(f),
        )


def _base(stretch: PersonStretch, slots: slice) -> Block:
    """What the windows say of a segment."""
    return Block(
        stretch.provenance[slots], stretch.pose_rotvec[slots], stretch.transl_m[slots], stretch.joints_m[slots],
        stretch.ground_m[slots], stretch.confidence[slots], stretch.keypoints[slots], stretch.betas,
    )  # fmt: skip
