"""The refine stage: solved windows in, revisions of completed segments out. Runs without Ray, sockets or clocks.

    window -> merged slots -> timelines of tracks -> persons -> gaps filled -> poor segments guided -> revisions

Whenever a segment is complete (or somebody turned out to be somebody else), every person is looked at anew: gaps that
have closed are filled, fills that no longer stand are taken back, badly seen segments listen to their guides, and
segments that changed are given out again. Deterministic: what comes out depends on what went in, in its order,
never on how long anything took. Memory is bounded by `max_gap_s` and the bank.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ...kernels.body.data import BodyData
from ...kernels.ground import Ground
from ...kernels.priors.motion_prior import MotionPrior
from ...kernels.priors.pose_prior import PosePrior
from ...kernels.solve.problem import MODEL_RATE_HZ, SolveStatus, WindowSolution
from ..checkpoint.frozen import freeze
from ..checkpoint.thawed import thaw
from ..errors import CheckpointError, RefineError
from ..export.merge import WindowMerger
from ..identity import MOST_TRACKS, IdentityEvent, IdentityMap
from ..prior_files import load_motion_prior
from ..reconstruct import paper_pose_prior
from ..reconstruct_config import ReconstructConfig
from ..windows import WindowConfig
from .config import RefineConfig
from .guides import GuideBank
from .persons import Looked, Person, PersonReviser
from .printed import PrintedGuidance
from .records import RefineInput, RefineReport, Revision
from .revision import Revised, revision_of
from .timeline import Timelines, stretch_of

Array = np.ndarray

_STATE = (
    "_identity", "_timelines", "_merger", "_bank", "_reviser", "_printed", "_people", "_ground", "_done", "_rev",
    "_min_rev", "_counts", "_seconds",
)  # fmt: skip
"""Attributes of the stage that are its state."""
_HORIZON_SEGMENTS = 4
"""Segments kept beyond the longest gap: context before it, and joins that come late."""


class RefineStage:
    """Refines the people of one site."""

    def __init__(
        self,
        config: RefineConfig,
        solve: ReconstructConfig,
        body: BodyData,
        window: WindowConfig,
        motion_prior: MotionPrior | None = None,
        pose_prior: PosePrior | None = None,
    ) -> None:
        """
        Args:
            solve: how windows are solved.
            window: how windows are cut.
            motion_prior: None: hidden bodies are held from the nearer side.
            pose_prior: of preset `paper`, which needs both.

        Raises:
            RefineError: windows that segments cannot be cut from.
        """
        if window.frames % window.hop:
            raise RefineError(
                f"window.hop = {window.hop} does not divide window.frames = {window.frames}, so no window covers a "
                "segment; set window.hop to a divisor, or refine.enabled to false"
            )
        self.config = config
        self._body, self._window = body, window
        self._outside = {
            "config": config, "groups": config.groups, "paper": solve.paper, "body": body,
            "motion_prior": motion_prior, "pose_prior": pose_prior,
        }  # fmt: skip
        self._identity = IdentityMap(most=MOST_TRACKS)
        self._timelines = Timelines(window.frames)
        self._merger = WindowMerger()
        self._bank = GuideBank(config.groups)
        self._reviser = PersonReviser(config, body, window.frames, self._bank, motion_prior)
        self._printed: PrintedGuidance | None = None
        if config.preset == "paper" and config.amc and motion_prior is not None and pose_prior is not None:
            self._printed = PrintedGuidance(
                body, window.frames, self._bank, solve.paper, pose_prior, motion_prior
            )
        self._people: dict[int, Person] = {}
        self._ground: Ground | None = None
        self._done = 0
        """Segments before this one were complete when last looked at."""
        self._rev: dict[int, int] = {}
        """Highest revision given out of each segment that is held."""
        self._min_rev = 0
        self._counts: Counter[str] = Counter()
        self._seconds = 0.0

    def step(self, given: RefineInput) -> list[Revision]:
        """Takes the next solved window; returns what can be said better now."""
        began = time.process_time()
        moved = self._apply(given.identity)
        self._ground = given.problem.ground
        self._timelines.see(given.problem)
        if self._printed is not None:
            self._printed.see(given.problem)
        for chunk in self._merger.push(_without_failed(given.solution)):
            self._timelines.take(chunk)
        found: list[Revision] = []
        if moved or self._timelines.known_until // self._window.frames > self._done:
            found = self._revise(ended=False)
        self._seconds += time.process_time() - began
        return found

    def finish(self, identity: Sequence[IdentityEvent] = ()) -> list[Revision]:
        """The end of the input: everything that still waited.

        Args:
            identity: events that no window came after.
        """
        began = time.process_time()
        self._apply(identity)
        for chunk in self._merger.flush():
            self._timelines.take(chunk)
        found = self._revise(ended=True) if self._ground is not None else []
        self._seconds += time.process_time() - began
        return found

    def resume(self, identity: Sequence[IdentityEvent], min_rev: int) -> None:
        """Takes over from a stage that is gone, before the first `step`; some of its inputs will be given again.

        Args:
            identity: who the tracks are: the events up to the first input that is given again, in order.
            min_rev: the highest revision that was published; those from now on are above it.
        """
        self._apply(identity)
        self._min_rev = max(self._min_rev, min_rev)

    def snapshot(self) -> bytes:
        """Everything that shapes what comes out from now on, for `restore`."""
        return freeze({name: getattr(self, name) for name in _STATE}, self._outside)

    def restore(self, snapshot: bytes) -> None:
        """Go on from a snapshot as if nothing had happened; settings and networks must be the same.

        Raises:
            CheckpointError: damaged, or of another version of the engine; nothing has changed then.
        """
        state = thaw(snapshot, self._outside)
        if not isinstance(state, dict) or state.keys() != {*_STATE}:
            raise CheckpointError("a snapshot that is none of a refiner; it cannot be gone on from")
        vars(self).update(state)

    def report(self) -> RefineReport:
        """What was done, skipped and left out so far."""
        held = {"held_segments": len(self._timelines), "guides": len(self._bank)}
        return RefineReport({**self._counts, **held}, {"refine": self._seconds})

    def close(self) -> None:
        """Nothing is held open."""

    def _apply(self, events: Sequence[IdentityEvent]) -> bool:
        for event in events:
            self._identity.apply(event)
            self._bank.withdraw(event.track)
        return bool(events)

    def _revise(self, ended: bool) -> list[Revision]:
        frames = self._window.frames
        known = self._timelines.known_until
        done = -(-known // frames) if ended else known // frames
        fresh = range(self._done, done)
        self._done = max(self._done, done)
        ground = self._ground
        assert ground is not None
        people = self._tracks_of_people()
        for person in [p for p in self._people if p not in people]:
            del self._people[person]  # merged into somebody, or beyond the horizon
        looked: dict[int, Looked] = {}
        for person, tracks in sorted(people.items()):
            stretch = stretch_of(self._timelines, tracks)
            if stretch is not None:
                memory = self._people.setdefault(person, Person())
                looked[person] = self._reviser.look(person, stretch, memory, fresh, known, ended, ground)
        revised = [row for p, each in looked.items() for row in self._reviser.rows(each, self._people[p])]
        if self._printed is not None:
            for segment in fresh:
                revised = self._guide_as_printed(self._printed, segment, people, revised)
        found = self._number(self._within_budget(revised))
        self._forget(done)
        return found

    def _guide_as_printed(
        self, printed: PrintedGuidance, segment: int, people: dict[int, list[int]], revised: list[Revised]
    ) -> list[Revised]:
        """Rows of a segment with those of poor people replaced by what their guides made of them."""
        blocks = {
            person: block
            for person, tracks in people.items()
            if (block := self._timelines.block(tracks, segment)) is not None
        }
        blocks |= {r.person: r.block for r in revised if r.segment == segment}
        persons = {track: person for person, tracks in people.items() for track in tracks}
        guided = {r.person: r for r in printed.guide(segment, blocks, persons)}
        kept = [r for r in revised if r.segment != segment or r.person not in guided]
        needed = {r.person for r in revised if r.segment == segment and r.needed}
        return kept + [replace(row, needed=person in needed) for person, row in guided.items()]

    def _tracks_of_people(self) -> dict[int, list[int]]:
        people: dict[int, list[int]] = {}
        for track in self._timelines.tracks():
            people.setdefault(self._identity.person_of(track), []).append(track)
        return people

    def _within_budget(self, revised: list[Revised]) -> list[Revised]:
        """At most `max_poor` rows that are only better; what was filled or taken back is always given out."""
        needed = [r for r in revised if r.needed]
        rest = sorted((r for r in revised if not r.needed), key=lambda r: (-r.hidden, r.segment, r.person))
        room = max(self.config.max_poor - len(needed), 0)
        self._counts["skipped"] += len(rest[room:])
        return needed + rest[:room]

    def _number(self, revised: list[Revised]) -> list[Revision]:
        """One revision a segment, numbered above all before it."""
        out = []
        for segment in sorted({r.segment for r in revised}):
            rows = sorted((r for r in revised if r.segment == segment), key=lambda r: r.person)
            rev = max(self._rev.get(segment, 0), self._min_rev) + 1
            self._rev[segment] = rev
            slot0 = segment * self._window.frames
            out.append(
                revision_of(rows, slot0 // self._window.hop, slot0, self._timelines.t0_ns[segment], rev)
            )
            for row in rows:
                self._people[row.person].published[segment] = row.block
            self._counts.update(row.cause.name.lower() for row in rows)
            self._counts["revisions"] += 1
            self._counts["rows"] += len(rows)
        return out

    def _forget(self, done: int) -> None:
        span = round(self.config.max_gap_s * MODEL_RATE_HZ) // self._window.frames + 1
        before = done - span - _HORIZON_SEGMENTS
        self._timelines.forget(before)
        self._rev = {segment: rev for segment, rev in self._rev.items() if segment >= before}
        for memory in self._people.values():
            memory.forget(before, self._window.frames)


def _without_failed(solution: WindowSolution) -> WindowSolution:
    good = solution.status != SolveStatus.FAILED
    if good.all():
        return solution
    names = ("person_ids", "pose_rotvec", "betas", "transl_m", "joints_m", "ground_m", "confidence",
             "provenance", "reprojection_px", "status")  # fmt: skip
    return replace(solution, **{name: getattr(solution, name)[good] for name in names})


def make_refiner(
    config: RefineConfig, solve: ReconstructConfig, body: BodyData, window: WindowConfig
) -> RefineStage:
    """A refiner with the networks that ship.

    Raises:
        RefineError: windows that segments cannot be cut from. ModelError: a shipped file is missing or damaged.
    """
    prior = load_motion_prior() if solve.motion_prior else None
    pose_prior = paper_pose_prior(solve.pose_prior) if config.preset == "paper" else None
    return RefineStage(config, solve, body, window, prior, pose_prior)
