"""The stage that learns camera and ground from the people it is shown.

It keeps a bounded, spread-out set of upright people: each person at most every `person_gap_s`, each cell of the
picture at most `uprights_per_cell` (older ones give way at random, seeded). People are told apart by overlap of
their boxes from frame to frame: good enough to know whose stature is whose, no tracking is needed.
`push` every observation; ask `ready()` about once a second of video; then `estimate()`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int
from pydantic import Field

from ..kernels.calibration import (
    Known,
    Limits,
    Refusal,
    UprightRules,
    Uprights,
    calibrate_from_uprights,
    find_uprights,
)
from ..kernels.errors import CalibrationError
from ..kernels.hvip import STATURE_M
from ..kernels.settings import StageConfig
from .calibration_file import Calibration
from .records import Observation

Array = np.ndarray


class CalibrateConfig(StageConfig):
    """Self-calibration from upright people."""

    focal_px: float | None = Field(default=None, gt=10.0)
    """Focal length where it is known, pixels; null: estimated."""
    fov_deg: float | None = Field(default=None, gt=1.0, lt=170.0)
    """Horizontal field of view where it is known (instead of focal_px), degrees."""
    camera_height_m: float | None = Field(default=None, gt=0.3, lt=1000.0)
    """Height of the camera over the ground where it is known, metres; it then sets the scale."""
    stature_m: float = Field(default=STATURE_M, ge=0.8, le=2.2)
    """Mean stature of the people in view, metres; it sets the scale unless the camera height is given."""
    min_uprights: int = Field(default=60, ge=8)
    """Upright observations before a first estimate."""
    min_people: int = Field(default=8, ge=3)
    """Different people (or places) they must come from."""
    min_confidence: float = Field(default=0.4, ge=0.0, le=1.0)
    """Of every shoulder, hip, knee and ankle of an upright person."""
    min_score: float = Field(default=0.4, ge=0.0, le=1.0)
    """Of the box an upright person is taken from."""
    max_focal_share: float = Field(default=0.12, gt=0.0)
    """Refuse while the focal length's sigma is a larger share of it."""
    max_normal_deg: float = Field(default=3.0, gt=0.0)
    """Refuse while the normal's sigma is larger, degrees."""
    max_height_share: float = Field(default=0.15, gt=0.0)
    """Refuse while the camera height's sigma is a larger share of it."""
    settle_s: float = Field(default=15.0, ge=0.0)
    """How long to go on collecting after a first estimate that could be taken: people make it better."""
    sure_focal_share: float = Field(default=0.03, ge=0.0)
    """With all three sigmas this small an estimate is taken at once: of the focal length, as a share of it,"""
    sure_normal_deg: float = Field(default=0.7, ge=0.0)
    """of the normal, degrees,"""
    sure_height_share: float = Field(default=0.04, ge=0.0)
    """and of the camera height, as a share of it."""
    bootstrap_samples: int = Field(default=40, ge=8, le=1000)
    """Resamples of the people behind the confidence."""
    person_gap_s: float = Field(default=0.4, ge=0.0)
    """One person gives an upright at most this often, seconds."""
    uprights_per_cell: int = Field(default=24, ge=1)
    """Uprights kept in each of the picture's 16 x 16 cells."""
    seed: int = Field(default=0, ge=0)
    """Of the resampling; the same input and seed give the same calibration."""


_CELLS = 16
_SAME_PERSON_IOU = 0.3
_FORGET_NS = 1_000_000_000  # a box unseen for a second starts a new person
_GROWTH = 1.25  # a refused estimate is tried again with this many times the uprights


@dataclass
class _Seen:
    """Boxes of the last second, for telling people apart."""

    boxes: Float[Array, "M 4"] = field(default_factory=lambda: np.zeros((0, 4)))
    ids: Int[Array, "M"] = field(default_factory=lambda: np.zeros(0, np.int64))
    last_ns: Int[Array, "M"] = field(default_factory=lambda: np.zeros(0, np.int64))
    kept_ns: Int[Array, "M"] = field(default_factory=lambda: np.zeros(0, np.int64))
    """When the person last gave an upright."""


class CalibrationStage:
    """Accumulates uprights of one camera and turns them into a calibration."""

    def __init__(self, config: CalibrateConfig, size_px: tuple[int, int]) -> None:
        if config.focal_px is not None and config.fov_deg is not None:
            raise CalibrationError("focal_px and fov_deg are both given; give one of them")
        self.config = config
        self.size_px = size_px
        self._rules = UprightRules(min_confidence=config.min_confidence)
        self._rng = np.random.default_rng(config.seed)
        self._cells: dict[tuple[int, int], list[tuple[Array, Array, int]]] = {}
        self._offered: dict[tuple[int, int], int] = {}
        self._seen = _Seen()
        self._next_id = 0
        self._tried_at = 0

    @property
    def uprights(self) -> int:
        """How many are held."""
        return sum(map(len, self._cells.values()))

    def push(self, observation: Observation) -> None:
        """Take the upright people out of one frame.

        Raises:
            CalibrationError: the frame has another size than this stage was made for.
        """
        if observation.size_px != self.size_px:
            raise CalibrationError(
                f"calibrating {self.size_px[0]}x{self.size_px[1]} pictures, got one of "
                f"{observation.size_px[0]}x{observation.size_px[1]}; one stage serves one camera"
            )
        # low boxes are often second ones of the same person: they would take identities over
        rows = np.flatnonzero(np.asarray(observation.scores) >= self.config.min_score)
        if not observation.detected or len(rows) == 0:
            return
        now_ns = observation.t_capture_ns
        boxes = np.asarray(observation.boxes_px, np.float64)[rows]
        ids, due = self._identify(boxes, now_ns)
        top, bottom, upright = find_uprights(
            observation.keypoints_px[rows], observation.confidence[rows], self._rules
        )
        use = upright & observation.posed[rows] & due & self._whole(boxes)
        for row in np.flatnonzero(use):
            self._keep(top[row], bottom[row], int(ids[row]))
        self._seen.kept_ns[np.isin(self._seen.ids, ids[use])] = now_ns

    def begin_anew(self) -> None:
        """Whoever is seen now is somebody else, and time may go back; the uprights stay, and are tried again."""
        self._seen = _Seen()
        self._tried_at = 0

    def ready(self) -> bool:
        """Whether an estimate is worth its time: enough uprights, and clearly more than at the last try."""
        return self.uprights >= max(self.config.min_uprights, int(_GROWTH * self._tried_at))

    def estimate(self) -> Calibration | Refusal:
        """The camera and its ground from what is held, or why not."""
        c = self.config
        self._tried_at = self.uprights
        focal = c.focal_px
        if c.fov_deg is not None:
            focal = 0.5 * self.size_px[0] / np.tan(np.radians(0.5 * c.fov_deg))
        found = calibrate_from_uprights(
            self.collected(),
            self.size_px,
            np.random.default_rng(c.seed),
            Known(focal, c.camera_height_m, c.stature_m),
            Limits(
                min_uprights=c.min_uprights,
                min_people=c.min_people,
                max_focal_share=c.max_focal_share,
                max_normal_deg=c.max_normal_deg,
                max_height_share=c.max_height_share,
                samples=c.bootstrap_samples,
            ),
        )
        if isinstance(found, Refusal):
            return found
        return Calibration(found.camera, found.ground, "self", found.confidence)

    def is_sure(self, found: Calibration) -> bool:
        """Good enough to be taken without waiting for more people."""
        c, seen = self.config, found.confidence
        return seen is None or (
            seen.focal_share <= c.sure_focal_share
            and seen.normal_deg <= c.sure_normal_deg
            and seen.height_share <= c.sure_height_share
        )

    def collected(self) -> Uprights:
        """The uprights held, in a fixed order."""
        rows = [rod for key in sorted(self._cells) for rod in self._cells[key]]
        return Uprights(
            np.array([row[0] for row in rows]).reshape(-1, 2),
            np.array([row[1] for row in rows]).reshape(-1, 2),
            np.array([row[2] for row in rows], np.int64),
        )

    def _whole(self, boxes_px: Float[Array, "N 4"]) -> Array:
        """Boxes that do not touch the picture's border: nobody cut off stands on their ankles."""
        w, h = self.size_px
        low, high = boxes_px[:, :2] > 1.0, boxes_px[:, 2:] < np.array([w - 2.0, h - 2.0])
        return np.asarray(low.all(axis=1) & high.all(axis=1))

    def _keep(self, top: Array, bottom: Array, person: int) -> None:
        w, h = self.size_px
        key = (int(bottom[0] * _CELLS / w), int(bottom[1] * _CELLS / h))
        cell = self._cells.setdefault(key, [])
        self._offered[key] = self._offered.get(key, 0) + 1
        if len(cell) < self.config.uprights_per_cell:
            cell.append((top, bottom, person))
            return
        # reservoir sampling: each rod ever offered is held with equal probability
        place = int(self._rng.integers(self._offered[key]))
        if place < len(cell):
            cell[place] = (top, bottom, person)

    def _identify(self, boxes: Float[Array, "N 4"], now_ns: int) -> tuple[Int[Array, "N"], Array]:
        """Identities by greedy overlap with the last second, and who may give an upright again."""
        seen = self._seen
        ids = np.full(len(boxes), -1, np.int64)
        kept = np.full(len(boxes), -(10**18), np.int64)
        free = np.ones(len(seen.ids), bool)
        overlap = _iou(boxes, seen.boxes)
        for flat in np.argsort(-overlap, axis=None, kind="stable"):
            row, old = divmod(int(flat), max(1, len(seen.ids)))
            if overlap[row, old] < _SAME_PERSON_IOU:
                break
            if ids[row] < 0 and free[old]:
                ids[row], kept[row], free[old] = seen.ids[old], seen.kept_ns[old], False
        fresh = np.flatnonzero(ids < 0)
        ids[fresh] = self._next_id + np.arange(len(fresh))
        self._next_id += len(fresh)
        stay = free & (now_ns - seen.last_ns < _FORGET_NS)
        self._seen = _Seen(
            np.concatenate([boxes, seen.boxes[stay]]),
            np.concatenate([ids, seen.ids[stay]]),
            np.concatenate([np.full(len(boxes), now_ns, np.int64), seen.last_ns[stay]]),
            np.concatenate([kept, seen.kept_ns[stay]]),
        )
        return ids, now_ns - kept >= int(self.config.person_gap_s * 1e9)


def _iou(a: Float[Array, "N 4"], b: Float[Array, "M 4"]) -> Float[Array, "N M"]:
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    common = np.clip(high - low, 0.0, None).prod(axis=-1)
    area_a, area_b = (a[:, 2:] - a[:, :2]).prod(axis=-1), (b[:, 2:] - b[:, :2]).prod(axis=-1)
    return np.asarray(common / np.maximum(area_a[:, None] + area_b[None] - common, 1e-9))
