"""One camera's way through the engine, as the supervisor keeps it: what is on the way, and what may be needed again.

    camera -> [batches] -> perception -> tracking -> results
                               |             |
                             memory       journal: a snapshot, and what was observed since

A batch stays until its results are delivered; what was observed stays until a newer snapshot of the site is whole. So
whoever is lost can be followed by somebody who knows as much, and is asked again only what was not answered.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

from ..configs.array import CameraEntry
from ..stream.calibration_file import Calibration
from ..stream.identity import IdentityEvent
from ..stream.records import Frame
from ..stream.ring import SlotToken
from ..stream.sources.live.records import CameraPhase, CameraState
from .arrivals import Arrivals
from .place import Post, Ticket
from .plan import SourceInfo
from .refining import Refining


class Closing(Enum):
    """What has been asked of a camera that has ended."""

    NO = auto()
    TRACKED = auto()
    """Its last windows."""
    REFINED = auto()
    """What the refiner still has."""


@dataclass
class Batch:
    """Frames on their way; tickets change when somebody is asked again."""

    frames: tuple[Frame | SlotToken, ...]
    late_s: float
    asked_s: float
    """When it was asked first, monotonic."""
    observed: Ticket = None
    memory: Ticket = None
    """Of perception, after this batch."""
    seen: Ticket = None
    """That perception is done with it."""
    outputs: Ticket = None
    delivered: bool = False


@dataclass(frozen=True)
class Entry:
    """Something that shaped a site: observations of a batch, or a word of an operator."""

    verb: str
    args: tuple[Any, ...] = ()
    batch: Batch | None = None


@dataclass
class Stretch:
    """A snapshot of a site, and what came after it."""

    snapshot: Ticket = None
    """None: the site as it is when it is opened."""
    whole: Ticket = None
    """That the snapshot is made."""
    entries: list[Entry] = field(default_factory=list)
    frames: int = 0


@dataclass
class Unsolved:
    """A window at the solver."""

    problem: Ticket
    arrival_ns: int
    people: int
    identity: tuple[IdentityEvent, ...]
    """Events since the window before."""
    asked_s: float
    solved: Ticket = None
    memory: Ticket = None
    done: Ticket = None


@dataclass
class Lane:
    """One camera. State only: the supervisor decides."""

    entry: CameraEntry
    live: bool
    """What is late is left out; else it waits."""
    crew: int = 0
    name: str = ""
    """Of its site; known once it is open."""
    info: SourceInfo | None = None
    camera: Post | None = None
    starting: Ticket = None
    fetch: Ticket = None
    fetch_asked_s: float = 0.0
    batches: deque[Batch] = field(default_factory=deque)
    journal: deque[Stretch] = field(default_factory=lambda: deque([Stretch()]))
    again: list[Ticket] = field(default_factory=list)
    """Answers that were delivered before, asked for once more; only that they came is of interest."""
    memory: Ticket = None
    """Of perception, after the last delivered batch."""
    geometry: tuple[Calibration, int] | None = None
    """What perception was told of the ground, and from which frame on."""
    calibration: Calibration | None = None
    solving: deque[Unsolved] = field(default_factory=deque)
    solver_memory: Ticket = None
    solver_known: bool = False
    done: list[Frame | SlotToken] = field(default_factory=list)
    """Frames nobody looks at again; the camera is told with the next question."""
    last_index: int = -1
    """Of the newest frame that came."""
    delivered_index: int = -1
    """Of the newest frame whose results are out."""
    arrivals: Arrivals = field(default_factory=Arrivals)
    refining: Refining | None = None
    identity: list[IdentityEvent] = field(default_factory=list)
    revised: deque[tuple[Any, int]] = field(default_factory=deque)
    ended: bool = False
    """The camera has no more frames."""
    closing: Closing = Closing.NO
    """How far its end is."""
    finished: bool = False
    """All results are out."""
    removed: bool = False
    """By an operator."""
    opening: list[Ticket] = field(default_factory=list)
    """That its site has been made."""
    next_window: int = 0
    """Windows so far are below."""
    reopen_at_s: float | None = None
    """The camera's worker was lost: when the next one is opened."""
    reopened: int = 0
    raised: Counter[str] = field(default_factory=Counter)
    """Questions in a row that a stage could not answer."""
    drops: Counter[str] = field(default_factory=Counter)
    """By cause, of the supervisor's own."""
    frame_drops: Counter[str] = field(default_factory=Counter)
    """By cause, as the frames' own records say."""
    source_counts: dict[str, int] = field(default_factory=dict)
    received: int = 0
    reconnects: int = 0
    frames: int = 0
    """Delivered."""
    windows: int = 0
    people: int = 0
    """In the newest frame."""
    people_seen: int = 0
    """Highest id so far, plus one."""
    first_ns: int | None = None
    last_ns: int | None = None
    newest_arrival_ns: int = 0
    clock: str = ""
    skew_ns: int | None = None
    drift_ppm: float | None = None
    waiting: float = 0.0
    """How full the camera's buffer is."""
    age_s: float = 0.0
    """Of the oldest frame in it."""
    late_s: float = 0.0
    state: CameraState | None = None

    @property
    def runs(self) -> bool:
        """Frames come."""
        if self.ended:
            return False
        return self.state is None or self.state.phase is CameraPhase.RUNNING

    @property
    def idle(self) -> bool:
        """Nothing of it is on the way."""
        return not (self.batches or self.solving or self.revised or self.fetch is not None)
