"""What a live consumer gets, and when: error against delay, revisions, latency, share of what is guessed.

An engine that publishes early and corrects itself later has no one error: it has an error for every patience. For a
true person-frame captured at time c, and a delay d, the newest version is the one a consumer holds at c + d (see
`newest`). Over all true person-frames, for each d:

    coverage(d)  share that has any version by then; coverage_bodies(d): whose newest version has a body
    ground(d)    mean and median distance of its ground point to the true one, over those covered
    mpjpe(d)     mean error of its joints relative to the pelvis, over those covered with a body
    placed(d)    share whose newest version lies within 0.3 m of the truth: error and coverage in one figure

A mean over the covered alone can fall by leaving the hard ones out; `placed` cannot. A later version that is perfect
makes none of them worse; what a later version takes back is covered no longer, from then on.

Memory is bounded: a frame is kept for `horizon_s` after its capture and then only counted; percentiles come from
`LogHistogram` (0.5 %). Cost per pushed row: a few hundred bytes copied and two distances of 24 joints.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, Int

from ..errors import CrowdstreamError, ShapeError
from ..solve.problem import Provenance
from .log_histogram import LogHistogram
from .newest import Arrivals, NewestVersions, Revisions, distance_mm, pose_error_mm
from .people import People
from .streaming_scores import DelayCurve, RevisionScores, StreamingScores
from .versions import NOBODY, TIER_RANK, Versions

Array = np.ndarray

DELAYS_S = tuple(float(d) for d in np.round(np.geomspace(0.1, 10.0, 25), 4))
"""Equal ratios, 12 a decade; 0.1, 1 and 10 s among them."""
PLACED_MM = 300.0
"""Near enough to tell who stands where: a shoulder's breadth."""


class StreamingScorer:
    """Takes the truth first, then versions in order of availability.

    One person, one frame captured at 0 s. A live row at 0.2 s, 0.4 m off; a window at 1 s, 0.1 m off:

    >>> body = np.zeros((1, 1, 24, 3))
    >>> one = np.zeros(1, np.int64)
    >>> truth = People(30.0, one, np.ones((1, 1), bool), body, np.zeros((1, 1, 3)), np.array([1.0, 0, 0]), np.zeros(3),
    ...                np.zeros((1, 1, 4)), np.zeros((1, 1, 17, 2)))
    >>> scorer = StreamingScorer(truth, np.zeros(1, np.int64), delays_s=(0.1, 0.2, 1.0))
    >>> scorer.push(Versions("live", 200_000_000, one, one, one, np.array([[0.4, 0, 0]])))
    >>> scorer.push(Versions("window", 1_000_000_000, one, one, one, np.array([[0.1, 0, 0]]), body[0] + 0.1))
    >>> s = scorer.finish()
    >>> s.curve.coverage.tolist(), s.curve.placed.tolist(), np.round(s.curve.ground_mm).tolist()
    ([0.0, 1.0, 1.0], [0.0, 0.0, 1.0], [nan, 400.0, 100.0])
    >>> round(s.revisions.step_ground.quantile(0.5)), s.revisions.revised  # from 400 mm to 100 mm
    (300, 1.0)
    """

    def __init__(
        self,
        truth: People,
        t_capture_ns: Int[Array, "F"],
        delays_s: Sequence[float] = DELAYS_S,
        horizon_s: float = 60.0,
    ) -> None:
        """Args:
            t_capture_ns: of each frame of the truth, ascending; same clock as `Versions.t_available_ns`.
            horizon_s: versions that come longer after capture than this are counted, not scored.

        Raises:
            ShapeError: times do not fit the truth, or the delays do not ascend or go beyond the horizon.
        """
        frames = truth.present.shape[1]
        if t_capture_ns.shape != (frames,) or (np.diff(t_capture_ns) < 0).any():
            raise ShapeError(f"t_capture_ns: got {t_capture_ns.shape}, expected ({frames},), ascending")
        self.delays_ns = np.round(np.asarray(delays_s, np.float64) * 1e9).astype(np.int64)
        if (np.diff(self.delays_ns) <= 0).any() or self.delays_ns[-1] > horizon_s * 1e9:
            raise ShapeError(f"delays_s: got {list(delays_s)}, expected ascending and up to {horizon_s} s")
        self.truth, self.t_capture_ns = truth, t_capture_ns
        self.horizon_ns = round(horizon_s * 1e9)
        self.late_versions = 0
        self.false_versions = 0
        self.retracted = 0
        self._open: OrderedDict[int, NewestVersions] = OrderedDict()
        self._first_open = 0
        self._t_ns = -(1 << 62)
        self._sums = _Sums(len(self.delays_ns))
        self._frames = (0, 0)

    def count_frames(self, captured: int, dropped: int) -> None:
        """Adds to the frames that the cameras gave and those of them that the engine left out."""
        self._frames = (self._frames[0] + captured, self._frames[1] + dropped)

    def push(self, versions: Versions) -> None:
        """Takes what became available next.

        Raises:
            CrowdstreamError: it became available before what was pushed before, or a slot is beyond the truth.
        """
        if versions.t_available_ns < self._t_ns:
            raise CrowdstreamError(
                f"versions came out of order: {versions.t_available_ns} ns after {self._t_ns} ns; push them in order "
                "of t_available_ns"
            )
        told = np.concatenate([versions.slot, versions.gone_slot])
        if len(told) and not (0 <= told.min() and told.max() < len(self.t_capture_ns)):
            raise CrowdstreamError(
                f"versions of frames {told.min()}..{told.max()}, but the truth has "
                f"0..{len(self.t_capture_ns) - 1}; cut them to the truth first"
            )
        self._t_ns = versions.t_available_ns
        self._close(int(np.searchsorted(self.t_capture_ns, self._t_ns - self.horizon_ns)))
        if len(told):
            self._sums.message(versions.tier, self._t_ns - int(self.t_capture_ns[told.max()]))
        self._take_back(versions)
        good = np.isfinite(versions.ground_m).all(axis=1) & (versions.slot >= self._first_open)
        self.late_versions += int((versions.slot < self._first_open).sum())
        order = np.flatnonzero(good)[np.argsort(versions.slot[good], kind="stable")]
        slots, starts = np.unique(versions.slot[order], return_index=True)
        for slot, rows in zip(slots, np.split(order, starts[1:]), strict=len(slots) > 0):
            self._put(int(slot), versions, rows)

    def finish(self) -> StreamingScores:
        """Closes every frame and gives the scores; nothing can be pushed after it."""
        self._close(len(self.t_capture_ns))
        return self._sums.scores(self.delays_ns, self._frames, self._counts())

    def _counts(self) -> dict[str, int]:
        return {
            "late_versions": self.late_versions, "false_versions": self.false_versions, "retracted": self.retracted,
        }  # fmt: skip

    def _take_back(self, versions: Versions) -> None:
        for slot in np.unique(versions.gone_slot[versions.gone_slot >= self._first_open]).tolist():
            people = versions.gone_person_ids[versions.gone_slot == slot]
            delay = np.searchsorted(self.delays_ns, versions.t_available_ns - int(self.t_capture_ns[slot]))
            self.retracted += self._slot(slot).take_back(TIER_RANK[versions.tier], people, int(delay))

    def _put(self, slot: int, versions: Versions, rows: Int[Array, "R"]) -> None:
        bodies, known = len(versions.joints_m) > 0, len(versions.provenance) > 0
        true_row = versions.true_row[rows]
        there = (true_row != NOBODY) & self.truth.present[true_row, slot]
        new = Arrivals(
            TIER_RANK[versions.tier],
            versions.person_ids[rows].astype(np.int64),
            np.where(there, true_row, NOBODY),
            versions.ground_m[rows].astype(np.float32),
            (versions.joints_m[rows] if bodies else np.full((len(rows), 24, 3), np.nan)).astype(np.float32),
            versions.provenance[rows] if known else np.full(len(rows), Provenance.OBSERVED, np.uint8),
        )
        lag_ns = versions.t_available_ns - int(self.t_capture_ns[slot])
        newest = self._slot(slot)
        accepted, revisions = newest.put(new, int(np.searchsorted(self.delays_ns, lag_ns)))
        self.false_versions += int((~there).sum())
        self._sums.revisions(revisions)
        self._sums.first(versions.tier, newest.count_first(versions.tier, new.true_row[accepted]), lag_ns)

    def _slot(self, slot: int) -> NewestVersions:
        if slot not in self._open:
            self._open[slot] = NewestVersions(
                self.truth.ground_m[:, slot], self.truth.joints_m[:, slot], len(self.delays_ns)
            )
        return self._open[slot]

    def _close(self, end: int) -> None:
        """Counts the frames before `end` and lets them go."""
        for slot in range(self._first_open, end):
            self._sums.frame(self._open.pop(slot, None), self.truth.present[:, slot])
        self._first_open = max(self._first_open, end)


class _Sums:
    """Everything that stays of closed frames."""

    def __init__(self, num_delays: int) -> None:
        self.person_frames = self.versions = self.several = self.moved = self.renamed = 0
        self.covered, self.bodies, self.placed = (np.zeros(num_delays, np.int64) for _ in range(3))
        self.ground_mm, self.joints_mm = np.zeros(num_delays), np.zeros(num_delays)
        self.ground_sizes = [LogHistogram() for _ in range(num_delays)]
        self.provenance = np.zeros(len(Provenance), np.int64)
        self.final_covered = self.final_bodies = 0
        self.final_ground_mm = self.final_mpjpe_mm = 0.0
        self.step = (LogHistogram(), LogHistogram())
        self.whole = (LogHistogram(), LogHistogram())
        self.latency: dict[str, LogHistogram] = {}
        self.first_latency: dict[str, LogHistogram] = {}

    def message(self, tier: str, lag_ns: int) -> None:
        self.latency.setdefault(tier, LogHistogram()).add(np.array([lag_ns / 1e6]))

    def first(self, tier: str, count: int, lag_ns: int) -> None:
        """Person-frames that the tier had not given before, and how long after capture they came."""
        self.first_latency.setdefault(tier, LogHistogram()).add(np.full(count, lag_ns / 1e6))

    def revisions(self, revisions: Revisions) -> None:
        self.step[0].add(revisions.ground_mm)
        self.step[1].add(revisions.joints_mm)
        self.renamed += int(revisions.renamed.sum())

    def frame(self, newest: NewestVersions | None, present: Array) -> None:
        """A frame that no version will change any more."""
        self.person_frames += int(present.sum())
        if newest is None:
            return
        ground, joints = newest.ground_error_mm[present], newest.joint_error_mm[present]
        self.covered += np.isfinite(ground).sum(axis=0)
        self.bodies += np.isfinite(joints).sum(axis=0)
        self.placed += (ground <= PLACED_MM).sum(axis=0)  # NaN compares False
        self.ground_mm += np.nansum(ground, axis=0, dtype=np.float64)
        self.joints_mm += np.nansum(joints, axis=0, dtype=np.float64)
        for sizes, errors in zip(self.ground_sizes, ground.T, strict=True):
            sizes.add(errors)
        self._final(newest)
        several = newest.num_versions > 1
        self.versions += int(newest.num_versions.sum())
        self.several += int(several.sum())
        self.moved += int(newest.moved.sum())
        self.whole[0].add(distance_mm(newest.ground_m, newest.first_ground_m)[several])
        self.whole[1].add(distance_mm(newest.joints_m, newest.first_joints_m).mean(axis=-1)[several])

    def _final(self, newest: NewestVersions) -> None:
        held = newest.held
        ground = distance_mm(newest.ground_m, newest.true_ground_m)[held]
        joints = pose_error_mm(newest.joints_m, newest.true_joints_m)[held]
        body = np.isfinite(joints)
        self.final_covered += len(ground)
        self.final_bodies += int(body.sum())
        self.final_ground_mm += float(ground.sum())
        self.final_mpjpe_mm += float(joints[body].sum())
        self.provenance += np.bincount(newest.provenance[held][body], minlength=len(Provenance))

    def scores(
        self, delays_ns: Int[Array, "K"], frames: tuple[int, int], counts: Mapping[str, int]
    ) -> StreamingScores:
        bodies = self.final_bodies
        guessed = self.provenance / bodies if bodies else np.full(len(Provenance), np.nan)
        return StreamingScores(
            curve=DelayCurve(
                t_ms=delays_ns / 1e6,
                coverage=_ratio(self.covered, self.person_frames),
                coverage_bodies=_ratio(self.bodies, self.person_frames),
                placed=_ratio(self.placed, self.person_frames),
                ground_mm=_ratio(self.ground_mm, self.covered),
                ground_median_mm=np.array([sizes.quantile(0.5) for sizes in self.ground_sizes]),
                mpjpe_mm=_ratio(self.joints_mm, self.bodies),
            ),
            revisions=RevisionScores(
                step_ground=self.step[0],
                step_joints=self.step[1],
                whole_ground=self.whole[0],
                whole_joints=self.whole[1],
                revised=_share(self.moved, self.several),
                versions_per_person_frame=_share(self.versions, self.final_covered),
                identity_changes=self.renamed,
            ),
            latency=self.latency,
            first_latency=self.first_latency,
            person_frames=self.person_frames,
            coverage=_share(self.final_covered, self.person_frames),
            coverage_bodies=_share(bodies, self.person_frames),
            ground_mm=_share(self.final_ground_mm, self.final_covered),
            mpjpe_mm=_share(self.final_mpjpe_mm, bodies),
            interpolated=float(guessed[Provenance.INTERPOLATED]),
            infilled=float(guessed[Provenance.INFILLED]),
            guided=float(guessed[Provenance.GUIDED]),
            dropped_frames=_share(frames[1], frames[0]),
            **counts,
        )


def _ratio(part: Float[Array, "K"] | Int[Array, "K"], whole: Int[Array, "K"] | int) -> Float[Array, "K"]:
    """part / whole, NaN where the whole is nothing."""
    counts = np.broadcast_to(np.asarray(whole, np.float64), part.shape)
    return np.asarray(np.divide(part, counts, out=np.full(part.shape, np.nan), where=counts > 0))


def _share(part: float | int, whole: int) -> float:
    return part / whole if whole else float("nan")
