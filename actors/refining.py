"""The refiner as the others see it: takes solved windows, gives revisions, may be slow, may die, and holds up nobody.

    solved window + identity events --> [at most `refine.waiting`] --> refiner --> revisions, in order

Where it lives is a `Place`: a process of its own, or this one. A recording waits when too many windows are unanswered,
so that what comes out never depends on how long anything took; a live view leaves windows unrefined and counts them.
Identity events are never left out: they ride with the next window.

A refiner that is lost is replaced, a few times in a while. The new one goes on from the last snapshot, is given the
windows since then again with their answers thrown away, and goes on with those that waited. Where there is no snapshot,
it is told who the tracks are and which revisions are out instead. The window at which one was lost is tried once more;
who loses two refiners is left out, as it may be the cause.
"""

from __future__ import annotations

import math
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Any, Protocol

from ..kernels.errors import CrowdstreamError
from ..stream.identity import MOST_TRACKS, IdentityEvent
from ..stream.refine.config import RefineConfig
from ..stream.refine.records import Revision
from ..stream.windows import WindowConfig

_RESTARTS = 3
"""Refiners that may follow a lost one ..."""
_RESTARTS_WITHIN_S = 600.0
"""... within this time; more, and there is something that a new one does not mend."""
_PEOPLE_REMEMBERED = 2000
"""Rows of windows, all together, that are kept for a refiner to come: some 54 kB each, 108 MB."""


_SNAPSHOT_WINDOWS = 8
"""Windows between two snapshots of the refiner."""


class RefinerLost(CrowdstreamError):
    """The refiner died, or could not go on."""


class Place(Protocol):
    """Where the refiner lives, and how it is asked. A ticket stands for an answer that may still be on its way."""

    def open(self) -> Any:
        """Place and start a new refiner; the ticket of its start."""

    def ask(self, verb: str, *args: Any) -> Any:
        """Call the refiner that was opened last; calls keep their order. The ticket of the answer."""

    def ready(self, ticket: Any, wait: bool) -> bool:
        """Whether an answer has come, or the news that there will be none."""

    def take(self, ticket: Any) -> Any:
        """The answer.

        Raises:
            RefinerLost: there is none; says why.
        """

    def close(self) -> None:
        """End the refiner that was opened last, whatever it is doing."""

    def vouch(self, value: Any) -> None:
        """Raise what went wrong with a value that was handed on unseen, if it never came to be."""


@dataclass(frozen=True)
class Given:
    """A solved window for the refiner. The values, or what the place hands on in their stead."""

    problem: Any
    """Of a `WindowProblem`."""
    solved: Any
    """Of a `SolvedWindow`."""
    people: int
    """In the window: what remembering it costs."""
    identity: tuple[IdentityEvent, ...] = ()
    """Events since the window before, in order."""


@dataclass(frozen=True)
class Revised:
    """The answer to one window. `ticket` stands for the same revisions, for those who can be handed it unseen."""

    ticket: Any
    revisions: Sequence[Revision]


class _Kind(Enum):
    OPENING = auto()
    AGAIN = auto()
    """A window that a refiner has answered that is gone: the new answer is thrown away."""
    WINDOW = auto()
    SNAPSHOT = auto()
    FINISH = auto()


@dataclass(frozen=True)
class _Call:
    """One question to the refiner that has not been answered."""

    kind: _Kind
    ticket: Any
    given: Given | None = None
    """Of the end: only its events count."""
    tried: int = 0
    """Refiners that were lost at it."""

    @property
    def counts(self) -> bool:
        """An answer to it is wanted."""
        return self.kind in (_Kind.WINDOW, _Kind.FINISH)


class RestartBudget:
    """A few restarts in a while."""

    def __init__(self, most: int = _RESTARTS, within_s: float = _RESTARTS_WITHIN_S) -> None:
        self._most, self._within_s = most, within_s
        self._at_s: deque[float] = deque()

    def take(self, now_s: float) -> bool:
        """Whether one more is allowed now; if so, it counts."""
        while self._at_s and now_s - self._at_s[0] > self._within_s:
            self._at_s.popleft()
        if len(self._at_s) >= self._most:
            return False
        self._at_s.append(now_s)
        return True


_NO_EVIDENCE: Mapping[str, float] = {}


class Recollection:
    """What a refiner to come must be told: the last windows, and who was who before them."""

    def __init__(
        self, most_windows: int, most_people: int = _PEOPLE_REMEMBERED, most_tracks: int = MOST_TRACKS
    ) -> None:
        self._most_windows, self._most_people, self._most_tracks = most_windows, most_people, most_tracks
        self._windows: deque[Given] = deque()
        self._people = 0
        self._identity: dict[int, IdentityEvent] = {}

    def add(self, given: Given) -> None:
        """An answered window; the oldest are forgotten but for their events."""
        self._windows.append(given)
        self._people += given.people
        while len(self._windows) > self._most_windows or self._people > self._most_people:
            old = self._windows.popleft()
            self._people -= old.people
            # the last event of a track says all there is to say; why, nobody asks any more
            for event in old.identity:
                self._identity.pop(event.track, None)
                self._identity[event.track] = replace(event, evidence=_NO_EVIDENCE, reason="")
        while len(self._identity) > self._most_tracks:
            del self._identity[next(iter(self._identity))]

    @property
    def identity(self) -> tuple[IdentityEvent, ...]:
        """Events up to the first window that is remembered, one a track, in the order in which they were decided."""
        return tuple(self._identity.values())

    def take_windows(self) -> list[Given]:
        """The windows, which are to be given again; they count as answered when they are."""
        windows = list(self._windows)
        self._windows.clear()
        self._people = 0
        return windows


class Refining:
    """Feeds the refiner and minds it. Not thread-safe: one caller."""

    def __init__(
        self,
        place: Place,
        config: RefineConfig,
        window: WindowConfig,
        waits: bool,
        tell: Callable[[str, str], None],
        most_people: int = _PEOPLE_REMEMBERED,
        now_s: Callable[[], float] = time.monotonic,
        snapshots: bool = False,
    ) -> None:
        """
        Args:
            place: with a refiner that has been opened and has started.
            waits: a recording: wait instead of leaving windows out.
            tell: takes (kind, text) of what an operator should know.
            most_people: rows of windows kept for a refiner to come, all together.
            now_s: for the budget of restarts.
            snapshots: the refiner gives snapshots, so that a new one knows all that the old one did.
        """
        self.counts: Counter[str] = Counter()
        """Windows answered, busy, lost; restarts."""
        self.on = True
        self._place, self._waits, self._tell, self._now_s = place, waits, tell, now_s
        self._most_waiting = config.waiting
        self._budget = RestartBudget()
        self._recollection = Recollection(windows_to_know(config, window), most_people)
        self._calls: deque[_Call] = deque()
        self._unsent: tuple[IdentityEvent, ...] = ()
        self._highest_rev = 0
        self._snapshots, self._since = snapshots, 0
        self._snapshot: Any = None
        """Ticket of the newest one that was made."""

    @property
    def snapshot(self) -> Any:
        """Ask for one, after everything that was given; its ticket."""
        return self._place.ask("snapshot")

    @property
    def highest_rev(self) -> int:
        """Of the revisions so far."""
        return self._highest_rev

    def tell(self, verb: str, *args: Any) -> Any:
        """Something a refiner must know before its first window; the ticket of its answer."""
        return self._place.ask(verb, *args)

    def go_on_from(self, snapshot: Any, highest_rev: int) -> Any:
        """Take up what another engine's refiner has known; the ticket of its answer."""
        self._snapshot, self._highest_rev = snapshot, highest_rev
        return self._place.ask("restore", snapshot)

    @property
    def waiting(self) -> int:
        """Windows without an answer; those that are given again do not count."""
        return sum(call.counts for call in self._calls)

    def give(self, given: Given, busy: bool = False) -> None:
        """The next solved window, in order.

        Args:
            busy: a live view has no time for this one.
        """
        if not self.on:
            self.counts["lost"] += 1
            return
        events, self._unsent = (*self._unsent, *given.identity), ()
        if not self._waits and (busy or self.waiting >= self._most_waiting):
            self._unsent = events
            self.counts["busy"] += 1
            return
        self._ask(_Kind.WINDOW, replace(given, identity=events))
        self._since += 1
        if self._snapshots and self._since >= _SNAPSHOT_WINDOWS:
            self._since = 0
            self._calls.append(_Call(_Kind.SNAPSHOT, self.snapshot))

    def take(self, everything: bool = False) -> list[Revised]:
        """The answers that have come, in order; a recording waits here while too many windows are unanswered.

        Args:
            everything: wait for all of them.
        """
        found: list[Revised] = []
        while self._calls:
            wait = everything or (self._waits and self.waiting > self._most_waiting)
            if not self._place.ready(self._calls[0].ticket, wait):
                break
            call = self._calls.popleft()
            try:
                answer = self._place.take(call.ticket)
            except RefinerLost as lost:
                self._replace(call, lost)
                continue
            if call.kind is _Kind.SNAPSHOT:
                self._snapshot = call.ticket
                self._recollection.take_windows()
            elif call.given is not None and call.kind is not _Kind.FINISH:
                self._recollection.add(call.given)
            if call.counts:
                self.counts["answered"] += call.kind is _Kind.WINDOW
                self._highest_rev = max([self._highest_rev, *(r.solution.rev for r in answer)])
                found.append(Revised(call.ticket, answer))
        return found

    def end(self, identity: Sequence[IdentityEvent] = ()) -> None:
        """No more windows come; what the refiner still has can be taken until it is `settled`.

        Args:
            identity: events that no window came after.
        """
        if self.on:
            events, self._unsent = (*self._unsent, *identity), ()
            self._ask(_Kind.FINISH, Given(None, None, 0, events))

    @property
    def settled(self) -> bool:
        """Everything is answered, or never will be."""
        return not self._calls

    def abandon(self) -> None:
        """Somebody waits for the end: windows without an answer stand as they were solved, and are counted."""
        self.counts["lost"] += sum(call.counts and call.kind is _Kind.WINDOW for call in self._calls)
        self._calls.clear()
        self.on = False

    def finish(self, identity: Sequence[IdentityEvent] = ()) -> list[Revised]:
        """The same, waited for."""
        self.end(identity)
        return self.take(everything=True)

    def _ask(self, kind: _Kind, given: Given, tried: int = 0) -> None:
        if kind is _Kind.FINISH:
            ticket = self._place.ask("finish", given.identity)
        else:
            ticket = self._place.ask("step", given.problem, given.solved, given.identity)
        self._calls.append(_Call(kind, ticket, given, tried))

    def _replace(self, call: _Call, lost: RefinerLost) -> None:
        """Open a new refiner and tell it all again but the call at which this one was lost; or give up, and say so."""
        if call.given is not None:
            self._place.vouch(
                call.given.solved
            )  # a window that the solver never gave is not the refiner's fault
        self._place.close()
        open_calls = [c for c in self._calls if c.given is not None]
        self._calls.clear()
        again = self._snapshots and call.given is not None and call.tried == 0
        self.counts["lost"] += call.counts and not again
        if not self._budget.take(self._now_s()):
            self.on = False
            self.counts["lost"] += sum(c.counts for c in open_calls) + (call.counts and again)
            self._tell("refiner_off", f"refining is off for the rest of this run: {lost}")
            return
        self.counts["restarts"] += 1
        self._tell("refiner_restarted", f"the refiner was lost and is replaced: {lost}")
        self._calls.append(_Call(_Kind.OPENING, self._place.open()))
        if self._snapshot is not None:
            told = self._place.ask("restore", self._snapshot)
        else:
            told = self._place.ask("resume", self._recollection.identity, self._highest_rev)
        self._calls.append(_Call(_Kind.OPENING, told))
        for given in self._recollection.take_windows():
            self._ask(_Kind.AGAIN, given)
        if again:
            assert call.given is not None
            self._ask(call.kind, call.given, call.tried + 1)
        spared = call.given.identity if call.given is not None and not again else ()
        for later in open_calls:  # the first of them takes on the events of the call that is left out
            assert later.given is not None
            given = replace(later.given, identity=(*spared, *later.given.identity))
            self._ask(later.kind, given, later.tried)
            spared = ()
        self._unsent = (*spared, *self._unsent)


def windows_to_know(config: RefineConfig, window: WindowConfig) -> int:
    """Windows that a gap and a segment on either side of it span: what a newcomer needs to fill it."""
    slots = config.max_gap_s * window.rate_hz + 2 * window.frames
    return math.ceil(slots / window.hop)
