"""One site, one stage: observations in, tracked frames and window problems out; it calibrates itself.

    observation -> tracker -> tracked frame -> window assembler -> window problems
                \\-> calibration (until a ground stands) -> camera and ground for the other two

A first estimate that could be taken is held back for a while (`calibrate.settle_s`) unless it is sure already,
because the world must not move once bodies stand in it and more people make it better.

Before a ground stands, tracks live in the image and say so (positions are NaN) and windows are held back; once
it stands, the tracker lifts its tracks onto it under the ids they have, and the held windows come out. So a
recording loses nothing, and a live view starts at once.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

from ..kernels.calibration import Refusal
from ..kernels.solve.problem import WindowProblem
from .calibrate import CalibrateConfig, CalibrationStage
from .calibration_file import Calibration
from .checkpoint.frozen import freeze
from .checkpoint.thawed import thaw
from .errors import CheckpointError
from .identity import IdentityEvent
from .records import Observation, TrackedFrame
from .site_note import SiteNote
from .stitch.config import StitchConfig
from .stitch.stage import StitchStage
from .track import TrackingStage
from .track_config import TrackConfig
from .windows import WindowAssembler, WindowConfig

_WINDOW_DROPS = ("surplus", "late", "clock_jump", "overflow")
"""Counters of the window assembler that mean something was left out."""

_STATE = (
    "_stitcher", "stats", "calibration", "_tracker", "_windows", "_calibrator", "_candidate", "_last_refusal",
    "_last_ns", "_newest_ns", "_behind",
)  # fmt: skip
"""Attributes of a site that are its state."""


@dataclass(frozen=True)
class SiteOutput:
    """What one step gives, in the order in which it is to be published."""

    tracked: tuple[TrackedFrame, ...] = ()
    problems: tuple[WindowProblem, ...] = ()
    notes: tuple[SiteNote, ...] = ()
    late: tuple[TrackedFrame, ...] = ()
    """Rows of earlier frames that became known only now: births before their confirmation, bridged gaps."""
    identity: tuple[IdentityEvent, ...] = ()
    """Tracks that were joined, or taken apart again, in this step; in order."""
    calibration: Calibration | None = None
    """Set on the step on which a new calibration begins to hold."""


_MOST_RECENT = 2048
"""Ids are given in order and never again: whoever is older than so many and not in sight does not come back."""


@dataclass
class SiteStats:
    """What the site counted; only ever counts up."""

    frames: int = 0
    people_sum: int = 0
    people_max: int = 0
    tracks: int = 0
    """Confirmed ones, each once."""
    recent: set[int] = field(default_factory=set)
    """Ids of the newest of them; bounded, because months of a station are millions."""
    drops: Counter[str] = field(default_factory=Counter)
    stitches: Counter[str] = field(default_factory=Counter)
    """The stitcher's: joins, splits, refused (best pairs that stayed too doubtful), expired (lost for good)."""

    def count(self, tracked: TrackedFrame) -> None:
        present = int(tracked.confirmed.sum())
        self.frames += 1
        self.people_sum += present
        self.people_max = max(self.people_max, present)
        confirmed = set(tracked.person_ids[tracked.confirmed].tolist())
        self.tracks += len(confirmed - self.recent)
        self.recent |= confirmed
        if len(self.recent) > _MOST_RECENT:
            self.recent = confirmed | set(sorted(self.recent)[-_MOST_RECENT // 2 :])
        self.drops.update(tracked.drops)

    def as_dict(self) -> dict[str, Any]:
        """For the summary."""
        return {
            "frames": self.frames,
            "people_max": self.people_max,
            "people_mean": self.people_sum / self.frames if self.frames else 0.0,
            "tracks": self.tracks,
            "drops": dict(self.drops),
            "stitches": {
                name: int(self.stitches[name]) for name in ("joins", "splits", "refused", "expired")
            },
        }


class SiteStage:
    """Tracking, calibration and windows of one camera. Deterministic: no clock, no randomness."""

    def __init__(
        self,
        camera: str,
        size_px: tuple[int, int],
        track: TrackConfig,
        calibrate: CalibrateConfig,
        window: WindowConfig,
        calibration: Calibration | None = None,
        stitch: StitchConfig | None = None,
    ) -> None:
        self._stitcher = StitchStage(stitch or StitchConfig())
        self._settings = {"track": track, "calibrate": calibrate, "window": window}
        self._settings["stitch"] = self._stitcher.config
        self.stats = SiteStats(stitches=self._stitcher.counts)
        self._camera = camera
        self.calibration: Calibration | None = None
        self._tracker = TrackingStage(track, camera, size_px)
        self._windows = WindowAssembler(window, (camera,), site=camera)
        self._calibrator = CalibrationStage(calibrate, size_px)
        self._settle_ns = round(calibrate.settle_s * 1e9)
        self._candidate: tuple[int, Calibration] | None = None
        self._last_refusal = ""
        self._last_ns = 0
        self._newest_ns: int | None = None
        self._behind = 0
        if calibration is not None:
            self._hold(calibration)

    @property
    def calibration_text(self) -> str:
        """For the summary: the calibration that holds, or why there is none."""
        return (
            describe(self.calibration)
            if self.calibration
            else f"none: {self._last_refusal or 'not tried yet'}"
        )

    def step(self, observation: Observation) -> SiteOutput:
        """One frame further. Frames that agree that time has gone back begin a new timeline."""
        before = self.new_timeline() if self._has_gone_back(observation.t_capture_ns) else SiteOutput()
        after = self._step(observation)
        if not (before.problems or before.late or before.identity):
            return after
        return replace(
            after, problems=before.problems + after.problems, late=before.late + after.late,
            identity=before.identity + after.identity,
        )  # fmt: skip

    def _has_gone_back(self, t_ns: int) -> bool:
        """Whether this frame is the last one needed to believe it: one frame may be mad, several are not."""
        window = self._settings["window"]
        assert isinstance(window, WindowConfig)
        if self._newest_ns is None or t_ns >= self._newest_ns - window.jump_back_s * 1e9:
            self._newest_ns = t_ns if self._newest_ns is None else max(t_ns, self._newest_ns)
            self._behind = 0
            return False
        self._behind += 1
        return self._behind >= window.jump_frames

    def _step(self, observation: Observation) -> SiteOutput:
        self._last_ns = observation.t_capture_ns
        notes, fresh = self._calibrate(observation)
        tracked = self._tracker.step(observation)
        self.stats.count(tracked)
        self._windows.push(tracked)
        identity = self._stitcher.step(tracked, self._tracker.table)
        problems = tuple(self._windows.pop_ready())
        return SiteOutput((tracked,), problems, notes, self._late(), identity, calibration=fresh)

    def finish(self) -> SiteOutput:
        """The end of the stream: the last, partial windows; a last try to calibrate."""
        notes: tuple[SiteNote, ...] = ()
        fresh = None
        if self.calibration is None:
            notes, fresh = self._estimate(final=True)
        identity = self._stitcher.finish()
        problems = tuple(self._windows.flush())
        counted = self._windows.stats.as_dict()
        self.stats.drops.update({cause: counted[cause] for cause in _WINDOW_DROPS if counted.get(cause)})
        return SiteOutput((), problems, notes, self._late(), identity, calibration=fresh)

    def set_calibration(self, calibration: Calibration) -> None:
        """A camera and a ground that somebody knows hold from now on, for the windows that wait too."""
        self._candidate = None
        self._hold(calibration)

    def new_timeline(self) -> SiteOutput:
        """The clock stepped: what was open is given out, and nobody seen before is seen again; numbers go on."""
        identity = self._stitcher.finish()
        problems = tuple(self._windows.flush())
        output = SiteOutput((), problems, (), self._late(), identity)
        self.move_on(0, 0)
        return output

    def move_on(self, next_window: int, next_person: int) -> None:
        """The engine was away: a new timeline and new tracks, whatever was open is given up; the calibration stays.

        Args:
            next_window, next_person: smaller numbers are not used again.
        """
        self._tracker.begin_anew(next_person)
        self._windows.begin_anew(next_window)
        self._stitcher.begin_anew()
        self._calibrator.begin_anew()
        self._candidate = None
        self._newest_ns, self._behind = None, 0

    def snapshot(self) -> bytes:
        """Everything that shapes what comes out from now on, for `restore`."""
        state = {name: getattr(self, name) for name in _STATE}
        return freeze({"camera": self._camera, "size_px": self._tracker.size_px, **state}, self._settings)

    def restore(self, snapshot: bytes) -> None:
        """Go on from a snapshot as if nothing had happened; a stage with the same settings goes on to the same bytes.

        Raises:
            CheckpointError: damaged, of another version of the engine, or of another camera; nothing has changed then.
        """
        state = thaw(snapshot, self._settings)
        mine: dict[str, Any] = {"camera": self._camera, "size_px": self._tracker.size_px}
        if not isinstance(state, dict) or state.keys() != {*mine, *_STATE}:
            raise CheckpointError("a snapshot that is none of a site; it cannot be gone on from")
        theirs = {name: state.pop(name) for name in mine}
        if theirs != mine:
            raise CheckpointError(
                f"a snapshot of {_named(**theirs)}, expected one of {_named(**mine)}; the source has changed"
            )
        vars(self).update(state)

    def _late(self) -> tuple[TrackedFrame, ...]:
        """What became known by the tracker, then by the stitcher, which knows more."""
        self._tracker.drain_ended()  # the stitcher remembers for itself
        return (*self._tracker.drain_backfill(), *self._stitcher.drain_late())

    def _calibrate(self, observation: Observation) -> tuple[tuple[SiteNote, ...], Calibration | None]:
        if self.calibration is not None:
            return (), None
        self._calibrator.push(observation)
        if self._candidate is not None and self._last_ns - self._candidate[0] >= self._settle_ns:
            return self._accept(self._candidate[1])
        if not self._calibrator.ready():
            return (), None
        return self._estimate(final=False)

    def _estimate(self, final: bool) -> tuple[tuple[SiteNote, ...], Calibration | None]:
        result = self._calibrator.estimate()
        if isinstance(result, Refusal):
            if not final and result.reason == self._last_refusal:
                return (), None  # say it once, not every second
            self._last_refusal = result.reason
            if self._candidate is None or not final:
                return (SiteNote("uncalibrated", result.reason, self._last_ns),), None
            result = self._candidate[1]
        if final or self._calibrator.is_sure(result):
            return self._accept(result)
        since_ns = self._last_ns if self._candidate is None else self._candidate[0]
        self._candidate = (since_ns, result)
        return (SiteNote("calibrating", describe(result), self._last_ns),), None

    def _accept(self, found: Calibration) -> tuple[tuple[SiteNote, ...], Calibration]:
        self._candidate = None
        self._hold(found)
        return (SiteNote("calibrated", describe(found), self._last_ns),), found

    def _hold(self, calibration: Calibration) -> None:
        self.calibration = calibration
        self._tracker.set_geometry(calibration.camera, calibration.ground)
        self._stitcher.set_geometry(calibration.camera, calibration.ground)
        self._windows.set_geometry(self._camera, calibration.camera, calibration.ground)


def _named(camera: str, size_px: tuple[int, int]) -> str:
    return f"camera {camera!r} with pictures of {size_px}"


def describe(calibration: Calibration) -> str:
    """One line for people: how the camera sees and stands, and how sure that is."""
    focal_px = calibration.camera.K[0, 0]
    sure = "given" if calibration.confidence is None else str(calibration.confidence)
    return f"focal {focal_px:.0f} px, camera {calibration.camera_height_m:.2f} m above the ground ({sure})"
