"""Tracked frames -> windows of 64 slots every 16, by capture time.

Each frame goes to the nearest slot of the timeline. Window k covers slots [16 k, 16 k + 64) and is closed once
every camera has gone far enough beyond its end that a frame out of order can no longer fall into it, or once
the first camera is so far ahead that the others are not waited for. A closed window keeps the rows it had: what
it holds depends on the frames, not on when it is asked for. Problems are built when it is taken, as soon as
camera and ground are known.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from pydantic import Field

from ..kernels.camera import CameraModel
from ..kernels.errors import ShapeError
from ..kernels.ground import Ground
from ..kernels.settings import StageConfig
from ..kernels.solve.problem import MODEL_RATE_HZ, WINDOW_FRAMES, WindowProblem
from .records import TrackedFrame
from .timeline import Timeline
from .window_problem import ProblemOptions, WindowRows, build_problem


class WindowConfig(StageConfig):
    """How tracked frames become windows."""

    frames: int = Field(default=WINDOW_FRAMES, ge=8, le=256)
    """Slots of a window."""
    rate_hz: float = Field(default=MODEL_RATE_HZ, gt=0.0, le=240.0)
    """Rate of the model's timeline."""
    hop: int = Field(default=16, ge=1, le=256)
    """Slots from one window to the next; at most `frames`."""
    lateness: int = Field(default=2, ge=0, le=256)
    """By how many slots a frame may be overtaken by a later one of its camera and still be sure of its place."""
    camera_lag_s: float = Field(default=0.5, ge=0.0, le=60.0)
    """How long a window waits for the cameras behind the first."""
    jump_ahead_s: float = Field(default=5.0, gt=0.0)
    """A capture time this far ahead of all before starts a new timeline."""
    jump_back_s: float = Field(default=1.0, gt=0.0)
    """The same for a time this far before the camera's latest."""
    jump_frames: int = Field(default=3, ge=1, le=100)
    """Frames in a row that must agree before a jump is believed."""
    max_hold: int | None = Field(default=None, ge=1)
    """Closed windows that wait for a calibration or for a slow consumer; beyond, the oldest goes. None: all."""
    min_confidence: float = Field(default=0.2, ge=0.0, le=1.0)
    """Keypoints below count as not seen."""
    min_person_slots: int = Field(default=3, ge=1, le=256)
    """People with fewer sightings in a window are left to the next one."""
    accel_sigma_mps2: float = Field(default=1.0, gt=0.0)
    """How hard people accelerate: the stiffness of their smoothed ground paths."""


@dataclass
class WindowStats:
    """What became of the tracked frames; only ever counts up."""

    frames: int = 0
    """Frames pushed."""
    placed: int = 0
    """Frames that have a slot to themselves."""
    surplus: int = 0
    """Frames that shared a slot with one nearer to its centre, or that came twice."""
    late: int = 0
    """Frames that came when their last window was closed."""
    clock_jump: int = 0
    """Frames with a capture time that no other frame confirmed."""
    epochs: int = 0
    """Timelines begun: 1 + clock jumps."""
    windows: int = 0
    """Windows closed with someone in them."""
    empty: int = 0
    """Windows closed with nobody to solve."""
    overflow: int = 0
    """Windows given up because too many were waiting."""

    def as_dict(self) -> dict[str, int]:
        return asdict(self)


class WindowAssembler:
    """Collects the tracked frames of one site and hands out its window problems.

    Raises:
        ShapeError: a hop longer than a window, or a frame of a camera that was not announced.
    """

    def __init__(self, config: WindowConfig, cameras: Sequence[str], site: str = "") -> None:
        self.site = site
        """Written on every problem."""
        if config.hop > config.frames:
            raise ShapeError(f"hop {config.hop} is longer than a window of {config.frames} slots")
        if not cameras or len(set(cameras)) != len(cameras):
            raise ShapeError(f"expected at least one camera and each once, got {list(cameras)}")
        self.stats = WindowStats()
        self._config = config
        self._place = {name: i for i, name in enumerate(cameras)}
        self._models: list[CameraModel | None] = [None] * len(cameras)
        self._ground: Ground | None = None
        self._options = ProblemOptions(
            num_slots=config.frames,
            rate_hz=config.rate_hz,
            min_confidence=config.min_confidence,
            min_seen_slots=config.min_person_slots,
            accel_sigma_mps2=config.accel_sigma_mps2,
        )
        self._timeline: Timeline | None = None
        self._opening: list[TrackedFrame] = []  # frames before the timeline has its anchor
        self._strays: list[TrackedFrame] = []  # frames off the timeline, in a row
        self._slots: list[dict[int, TrackedFrame]] = [{} for _ in cameras]
        self._newest: list[int | None] = [None] * len(cameras)
        self._confirmed: dict[int, int] = {}  # person -> first slot in which they were confirmed
        self._last_row: dict[int, int] = {}  # person -> last slot with a row
        self._first_window = self._next_window = 0
        self._closed: deque[WindowRows] = deque()

    @property
    def num_waiting(self) -> int:
        """Closed windows not yet taken."""
        return len(self._closed)

    @property
    def has_geometry(self) -> bool:
        return self._ground is not None and all(model is not None for model in self._models)

    def set_geometry(self, camera: str, model: CameraModel, ground: Ground) -> None:
        """Camera and ground from now on, for the windows that wait too."""
        self._models[self._index_of(camera)] = model
        self._ground = ground

    def push(self, tracked: TrackedFrame) -> None:
        """Takes the next frame of one camera; whatever its time, this never fails."""
        self._index_of(tracked.camera)
        self.stats.frames += 1
        if self._timeline is not None:
            self._accept(tracked)
            return
        config, t_ns = self._config, tracked.t_capture_ns
        times = [f.t_capture_ns for f in self._opening] or [t_ns]
        if not max(times) - config.jump_back_s * 1e9 <= t_ns <= max(times) + config.jump_ahead_s * 1e9:
            self._open_timeline()  # without this one, whose clock jumped
            self._accept(tracked)
            return
        self._opening.append(tracked)
        if (max(*times, t_ns) - min(*times, t_ns)) * config.rate_hz > (config.lateness + 1) * 1e9:
            self._open_timeline()

    def pop_ready(self, limit: int | None = None) -> list[WindowProblem]:
        """Problems of the closed windows, oldest first; none before camera and ground are known."""
        if not self.has_geometry:
            return []
        assert self._ground is not None
        cameras = tuple(model for model in self._models if model is not None)
        problems: list[WindowProblem] = []
        while self._closed and (limit is None or len(problems) < limit):
            problem = build_problem(self._closed.popleft(), cameras, self._ground, self._options, self.site)
            if problem.num_people:
                problems.append(problem)
            else:
                self.stats.windows -= 1
                self.stats.empty += 1
        return problems

    def flush(self) -> list[WindowProblem]:
        """The end of the input: closes what is open, the last window filled or not, and hands out all."""
        self._end_epoch()
        if self._strays:  # too few to be believed on the way, but nothing came to contradict them
            self._opening, self._strays = self._strays, []
            self._end_epoch()
        return self.pop_ready()

    def begin_anew(self, next_window: int) -> None:
        """Forgets every open window, and closed ones numbered below; goes on with a segment from `next_window` on."""
        config = self._config
        kept = deque(rows for rows in self._closed if rows.window >= next_window)
        self.stats.overflow += len(self._closed) - len(kept)
        self._closed = kept
        self._opening.clear()
        self._strays.clear()
        covered = (
            self._next_window * config.hop
        )  # of windows that were closed, here or by who was here before
        if self._timeline is not None:
            covered += config.frames
        if next_window > 0:
            covered = max(covered, (next_window - 1) * config.hop + config.frames)
        self._leave_timeline(covered)

    def _index_of(self, camera: str) -> int:
        if camera not in self._place:
            raise ShapeError(f"unknown camera '{camera}'; this site has {', '.join(self._place)}")
        return self._place[camera]

    def _open_timeline(self) -> None:
        """Anchors a new epoch at its earliest frame and takes the frames that waited for that."""
        config = self._config
        opening, self._opening = self._opening, []
        anchor_ns = min(f.t_capture_ns for f in opening)
        base = self._next_window * config.hop
        self._first_window = self._next_window
        self._timeline = Timeline(anchor_ns, base, config.rate_hz)
        self._newest = [None] * len(self._newest)
        self.stats.epochs += 1
        for frame in sorted(opening, key=lambda f: (f.t_capture_ns, f.camera, f.index)):
            self._accept(frame)

    def _end_epoch(self) -> None:
        """Closes the windows that cover what has come, and forgets the timeline."""
        if self._timeline is None and self._opening:
            self._open_timeline()
        if self._timeline is None:
            return
        config = self._config
        end = max((slot for slot in self._newest if slot is not None), default=self._timeline.base - 1) + 1
        covered = self._timeline.base
        if self._next_window > self._first_window:
            covered = (self._next_window - 1) * config.hop + config.frames
        while covered < end:
            covered = self._next_window * config.hop + config.frames
            self._close_window()
        self._leave_timeline(covered)

    def _leave_timeline(self, covered: int) -> None:
        """Slots of the next epoch begin behind those that the windows of this one cover, and with a segment."""
        step = math.lcm(self._config.hop, self._config.frames)
        self._next_window = -(-covered // step) * step // self._config.hop
        self._timeline = None
        self._newest = [None] * len(self._newest)
        self._slots = [{} for _ in self._slots]
        self._confirmed.clear()
        self._last_row.clear()

    def _accept(self, frame: TrackedFrame) -> None:
        assert self._timeline is not None
        config, camera = self._config, self._index_of(frame.camera)
        slot = self._timeline.slot_of(frame.t_capture_ns)
        if self._is_stray(camera, slot):
            self._hold_stray(frame)
            return
        self.stats.clock_jump += len(self._strays)
        self._strays.clear()
        newest = self._newest[camera]
        if slot < self._next_window * config.hop:
            self.stats.late += 1
        elif self._claims(camera, slot, frame):
            self._put(camera, slot, frame)
        if newest is None or slot > newest:
            self._newest[camera] = slot
        while self._is_complete(self._next_window):
            self._close_window()

    def _is_stray(self, camera: int, slot: int) -> bool:
        """The capture time does not belong to this timeline, as far as one frame can tell."""
        newest = [s for s in self._newest if s is not None]
        own = self._newest[camera]
        if not newest:
            return False
        ahead = slot > max(newest) + self._config.jump_ahead_s * self._config.rate_hz
        behind = own is not None and slot < own - self._config.jump_back_s * self._config.rate_hz
        return ahead or behind

    def _hold_stray(self, frame: TrackedFrame) -> None:
        """Remembers a stray; enough of them in a row that agree begin a new epoch."""
        limit_ns = self._config.jump_back_s * 1e9
        if self._strays and abs(frame.t_capture_ns - self._strays[-1].t_capture_ns) > limit_ns:
            self.stats.clock_jump += len(self._strays)
            self._strays.clear()
        self._strays.append(frame)
        if len(self._strays) >= self._config.jump_frames:
            strays, self._strays = self._strays, []
            self._end_epoch()
            self._opening = strays
            self._open_timeline()

    def _claims(self, camera: int, slot: int, frame: TrackedFrame) -> bool:
        """Whether the frame gets the slot: the nearest to its centre does, the earlier of equals."""
        other = self._slots[camera].get(slot)
        if other is None:
            return True
        assert self._timeline is not None
        self.stats.surplus += 1
        newest = self._newest[camera]
        if newest is not None and slot < newest - self._config.lateness:
            return False  # a camera that stepped back a little must not mix into what it has said
        key = (self._timeline.off_ns(frame.t_capture_ns), frame.t_capture_ns, frame.index)
        other_key = (self._timeline.off_ns(other.t_capture_ns), other.t_capture_ns, other.index)
        if key < other_key:
            self.stats.placed -= 1
            return True
        return False

    def _put(self, camera: int, slot: int, frame: TrackedFrame) -> None:
        self._slots[camera][slot] = frame
        self.stats.placed += 1
        for person, confirmed in zip(frame.person_ids.tolist(), frame.confirmed.tolist(), strict=True):
            self._last_row[person] = max(slot, self._last_row.get(person, slot))
            if confirmed:
                self._confirmed[person] = min(slot, self._confirmed.get(person, slot))

    def _is_complete(self, window: int) -> bool:
        """Nothing that is still allowed to come can belong to the window."""
        config = self._config
        end = window * config.hop + config.frames + config.lateness
        newest = [-1 if s is None else s for s in self._newest]
        return min(newest) >= end or max(newest) >= end + config.camera_lag_s * config.rate_hz

    def _close_window(self) -> None:
        """Snapshots the rows of the next window and forgets those that no later one needs."""
        assert self._timeline is not None
        config, window = self._config, self._next_window
        slot0 = window * config.hop
        end = slot0 + config.frames
        frames = tuple(
            tuple((slot, slots[slot]) for slot in sorted(slots) if slot0 <= slot < end)
            for slots in self._slots
        )
        inside = [f.person_ids for camera in frames for _, f in camera]
        ids = np.unique(np.concatenate(inside)) if inside else np.zeros(0, np.int64)
        known = np.array([self._confirmed.get(person, end) < end for person in ids.tolist()], bool)
        self._next_window += 1
        self._forget(self._next_window * config.hop)
        if not known.any():
            self.stats.empty += 1
            return
        self.stats.windows += 1
        t0_ns = self._timeline.time_ns(slot0)
        self._closed.append(WindowRows(window, slot0, t0_ns, frames, ids[known]))
        if config.max_hold is not None and len(self._closed) > config.max_hold:
            self._closed.popleft()
            self.stats.overflow += 1

    def _forget(self, before: int) -> None:
        for slots in self._slots:
            for slot in [s for s in slots if s < before]:
                del slots[slot]
        for person in [p for p, slot in self._last_row.items() if slot < before]:
            del self._last_row[person]
            self._confirmed.pop(person, None)
