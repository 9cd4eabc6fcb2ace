"""The refiner's keeper: nobody waits who must not, nobody's identity is forgotten, a lost refiner is replaced.

The place here is a list: a refiner that answers when the test says so, dies when the test says so, and writes down
what it was asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from crowdstream.actors.place_here import Here
from crowdstream.actors.plan import EnginePlan
from crowdstream.actors.refiner_place import RefinerOfSite, RefinerPost
from crowdstream.actors.refining import (
    Given,
    Recollection,
    RefinerLost,
    Refining,
    RestartBudget,
    windows_to_know,
)
from crowdstream.configs.load import load_config
from crowdstream.kernels.solve.problem import WindowSolution
from crowdstream.stream.identity import IdentityChange, IdentityEvent, IdentityMap
from crowdstream.stream.refine.config import RefineConfig
from crowdstream.stream.refine.records import Revision
from crowdstream.stream.windows import WindowConfig


def merge(track: int, previous: int, change: IdentityChange = IdentityChange.MERGE) -> IdentityEvent:
    person = previous if change is IdentityChange.MERGE else track
    return IdentityEvent(change, track, person, previous, 0, 0, 0, 0.9)


def split(track: int) -> IdentityEvent:
    return merge(track, track, IdentityChange.SPLIT)


def revision(window: int, rev: int) -> Revision:
    """Nobody in it: only the numbers count here."""
    none = np.zeros(0, np.int64)
    rows = {"pose_rotvec": (24, 3), "transl_m": (3,), "joints_m": (24, 3), "ground_m": (3,), "confidence": ()}
    solution = WindowSolution(
        window=window, slot0=0, t0_ns=0, rev=rev, person_ids=none, betas=np.zeros((0, 10)),
        provenance=np.zeros((0, 64), np.uint8), reprojection_px=np.zeros(0), status=np.zeros(0, np.uint8),
        **{name: np.zeros((0, 64, *row)) for name, row in rows.items()},
    )  # fmt: skip
    return Revision(solution, np.zeros(0, np.uint8), none, none, np.zeros(0))


@dataclass
class Ticket:
    """An answer on its way."""

    answer: Any = None
    come: bool = False
    lost: bool = False


@dataclass
class Script:
    """A place that answers when told to. `refiners` holds what each refiner in turn was asked."""

    refiners: list[list[tuple[Any, ...]]] = field(default_factory=lambda: [[]])
    tickets: list[Ticket] = field(default_factory=list)
    waited: int = 0
    closed: int = 0
    dies_at: Sequence[int] = ()
    """Windows at which a refiner dies when it is made to answer."""
    broken: Sequence[int] = ()
    """Windows that the solver never gave."""

    def open(self) -> Ticket:
        self.refiners.append([])
        return self._ticket(None)

    def ask(self, verb: str, *args: Any) -> Ticket:
        self.refiners[-1].append((verb, *args))
        if verb == "step" and args[0] in self.dies_at:
            return self._ticket(RefinerLost(f"died at {args[0]}"))
        return self._ticket([revision(args[0], 1 + args[0])] if verb == "step" else [])

    def _ticket(self, answer: Any) -> Ticket:
        self.tickets.append(Ticket(answer))
        return self.tickets[-1]

    def answer(self, count: int = 1000) -> None:
        """The next answers arrive."""
        for ticket in [t for t in self.tickets if not t.come][:count]:
            ticket.come = True

    def ready(self, ticket: Ticket, wait: bool) -> bool:
        self.waited += wait and not ticket.come
        ticket.come |= wait
        return ticket.come

    def take(self, ticket: Ticket) -> Any:
        if isinstance(ticket.answer, RefinerLost):
            raise ticket.answer
        return ticket.answer

    def close(self) -> None:
        self.closed += 1

    def vouch(self, value: Any) -> None:
        if value in self.broken:
            raise OSError("the solver died")

    def windows(self, refiner: int = -1) -> list[int]:
        """That a refiner was given."""
        return [call[1] for call in self.refiners[refiner] if call[0] == "step"]

    def heard(self, refiner: int = -1) -> list[IdentityEvent]:
        """Events it was told, in order, however they came."""
        return [event for call in self.refiners[refiner] for event in call[3 if call[0] == "step" else 1]]


def keeper(place: Script, waits: bool = False, waiting: int = 2, **kwargs: Any) -> tuple[Refining, list[str]]:
    told: list[str] = []
    config = RefineConfig(waiting=waiting)
    return Refining(
        place, config, WindowConfig(), waits, lambda kind, text: told.append(kind), **kwargs
    ), told


def given(window: int, *identity: IdentityEvent, people: int = 3) -> Given:
    return Given(window, window, people, identity)


def taken(refining: Refining, everything: bool = False) -> list[int]:
    return [r.solution.window for answer in refining.take(everything) for r in answer.revisions]


def test_answers_come_in_order_and_only_when_they_have_come() -> None:
    place = Script()
    refining, _ = keeper(place, waiting=9)
    for window in range(4):
        refining.give(given(window))
        assert taken(refining) == []
    place.answer(3)
    assert taken(refining) == [0, 1, 2]
    assert refining.waiting == 1 and place.waited == 0


def test_a_live_view_leaves_windows_out_and_counts_them_but_never_their_events() -> None:
    place = Script()
    refining, _ = keeper(place, waiting=2)
    for window in range(5):
        refining.give(given(window, merge(10 + window, 1)))
    assert place.windows() == [0, 1] and refining.counts["busy"] == 3
    place.answer()
    taken(refining)
    refining.give(given(5, merge(15, 1)))
    assert place.windows() == [0, 1, 5]
    assert [event.track for event in place.heard()] == [10, 11, 12, 13, 14, 15]
    assert place.waited == 0


def test_a_window_for_which_there_is_no_time_is_left_out() -> None:
    refining, _ = keeper(place := Script())
    refining.give(given(0), busy=True)
    assert place.windows() == [] and refining.counts["busy"] == 1


def test_a_recording_waits_and_leaves_nothing_out() -> None:
    place = Script()
    refining, _ = keeper(place, waits=True, waiting=2)
    found = []
    for window in range(6):
        refining.give(given(window), busy=True)
        found += taken(refining)
        assert refining.waiting <= 2
    assert place.windows() == list(range(6)) and refining.counts["busy"] == 0
    assert found == [0, 1, 2, 3] and place.waited == 4


def test_the_end_waits_for_everything_and_takes_the_last_events_along() -> None:
    place = Script()
    refining, _ = keeper(place, waiting=1)
    refining.give(given(0, merge(5, 1)))
    refining.give(given(1, merge(6, 1)))  # left out
    found = refining.finish([merge(7, 1)])
    assert [r.solution.window for answer in found for r in answer.revisions] == [0]
    assert place.refiners[0][-1][0] == "finish"
    assert [event.track for event in place.heard()] == [5, 6, 7]
    assert refining.counts["answered"] == 1


def test_who_is_told_to_hurry_leaves_what_is_unanswered_and_counts_it() -> None:
    refining, _ = keeper(place := Script(), waiting=4)
    for window in range(3):
        refining.give(given(window))
    place.answer(1)
    assert taken(refining) == [0]
    refining.end()
    assert not refining.settled
    refining.abandon()
    assert refining.settled and refining.waiting == 0 and refining.counts["lost"] == 2
    place.answer()
    assert taken(refining) == [] and place.waited == 0
    refining.abandon()
    assert refining.counts["lost"] == 2


def test_a_lost_refiner_is_replaced_and_only_the_window_it_died_at_is_lost() -> None:
    place = Script(dies_at=(3,))
    refining, told = keeper(place, waiting=9)
    found = []
    for window in range(6):
        refining.give(given(window, merge(20 + window, 1)))
        if window == 2:
            place.answer()
            found += taken(refining)
    place.answer()  # 3 never comes; 4 and 5 were behind it
    found += taken(refining)
    assert place.closed == 1 and told == ["refiner_restarted"]
    assert place.refiners[1][0] == ("resume", (), 3)  # the highest revision that came
    assert place.windows(1) == [0, 1, 2, 4, 5]
    assert [event.track for event in place.heard(1)] == [20, 21, 22, 23, 24, 25]
    place.answer()
    found += taken(refining)
    assert found == [0, 1, 2, 4, 5]  # those given again answered once
    assert refining.counts == {"answered": 5, "lost": 1, "restarts": 1}


def test_windows_that_are_given_again_do_not_count_as_waiting() -> None:
    place = Script(dies_at=(3,))
    refining, _ = keeper(place, waiting=2)
    for window in range(4):
        refining.give(given(window))
        place.answer()
        taken(refining)
    assert place.windows(1) == [0, 1, 2] and refining.waiting == 0
    refining.give(given(4))
    assert place.windows(1)[-1] == 4


def test_one_that_is_lost_again_while_it_learns_keeps_who_is_who() -> None:
    """The window that kills is given up at once, and what was said with it goes to the one behind it."""
    place = Script()
    refining, _ = keeper(place, waiting=9)
    events = {0: merge(7, 1), 1: merge(8, 7), 2: split(8)}
    for window in range(3):
        refining.give(given(window, events[window]))
    place.answer()
    taken(refining)
    place.dies_at = (1, 3)
    refining.give(given(3))
    for _ in range(3):
        place.answer()
        taken(refining)
    assert refining.counts["restarts"] == 2 and refining.counts["lost"] == 1
    assert place.windows(2) == [0, 2]
    assert IdentityMap(place.heard(2)).persons_of(np.array([7, 8])).tolist() == [1, 8]


def test_too_many_losses_and_it_is_off_said_once_everything_counted() -> None:
    place = Script(dies_at=range(100))
    refining, told = keeper(place, waits=True, waiting=1)
    for window in range(10):
        refining.give(given(window))
        taken(refining)
    refining.finish()
    assert told == ["refiner_restarted"] * 3 + ["refiner_off"]
    assert not refining.on and refining.counts["lost"] == 10 and refining.counts["restarts"] == 3
    assert len(place.refiners) == 4


def test_losses_far_apart_are_all_mended() -> None:
    now_s = 0.0
    place = Script(dies_at=range(100))
    refining, told = keeper(place, now_s=lambda: now_s)
    for window in range(10):
        refining.give(given(window))
        place.answer()
        taken(refining)
        now_s += 201.0
    assert refining.on and set(told) == {"refiner_restarted"} and len(told) == 10


def test_a_window_that_the_solver_never_gave_is_not_blamed_on_the_refiner() -> None:
    refining, told = keeper(Script(dies_at=(0,), broken=(0,)))
    refining.give(given(0))
    with pytest.raises(OSError, match="solver"):
        refining.take(everything=True)
    assert told == []


def test_what_is_remembered_is_bounded_by_windows_and_by_people() -> None:
    many = Recollection(most_windows=4, most_people=1000)
    crowded = Recollection(most_windows=1000, most_people=10)
    for window in range(50):
        for memory in (many, crowded):
            memory.add(given(window, merge(100 + window % 5, window), people=3))
    assert [g.problem for g in many.take_windows()] == [46, 47, 48, 49]
    assert [g.problem for g in crowded.take_windows()] == [47, 48, 49]
    assert len(many.identity) == 5  # one a track, however often it was decided


def test_after_months_the_joins_decided_longest_ago_are_let_go() -> None:
    memory = Recollection(most_windows=1, most_tracks=3)
    said = [merge(11, 1), merge(12, 2), merge(13, 3), merge(11, 2), merge(14, 4)]
    for window, event in enumerate([*said, merge(99, 9)]):
        memory.add(given(window, event))
    assert [event.track for event in memory.identity] == [13, 11, 14]
    kept, every = IdentityMap(said, most=3), IdentityMap(said)
    assert [kept.person_of(track) for track in (12, 13, 11, 14)] == [12, 3, 2, 4]
    assert len(kept) == 3 and len(every) == 4 and every.person_of(12) == 2


def test_the_newest_word_on_a_track_is_what_a_newcomer_is_told() -> None:
    memory = Recollection(most_windows=1)
    said = [merge(7, 1), merge(8, 7), split(7), merge(9, 8), merge(7, 2)]
    for window, event in enumerate(said):
        memory.add(given(window, event))
    memory.add(given(99))
    tracks = np.array([7, 8, 9])
    assert (
        IdentityMap(memory.identity).persons_of(tracks).tolist()
        == IdentityMap(said).persons_of(tracks).tolist()
    )


def test_enough_windows_are_known_again_to_fill_the_longest_gap() -> None:
    config, window = RefineConfig(max_gap_s=10.0), WindowConfig(hop=16)
    covered = (windows_to_know(config, window) - 1) * window.hop + window.frames
    assert covered >= 300 + 64


def test_a_budget_is_taken_and_comes_back() -> None:
    budget = RestartBudget(most=2, within_s=10.0)
    assert [budget.take(t) for t in (0.0, 1.0, 2.0, 10.5, 10.6, 11.5)] == [
        True,
        True,
        False,
        True,
        False,
        True,
    ]


class Clumsy:
    """Stumbles over one window."""

    min_rev: ClassVar[int] = 0

    def __init__(self, plan: Any) -> None: ...

    def start(self, own_process: bool) -> None: ...

    def resume(self, site: str, identity: Sequence[IdentityEvent], min_rev: int) -> None:
        Clumsy.min_rev = min_rev

    def step(self, site: str, problem: int, solved: int, identity: Sequence[IdentityEvent]) -> list[Revision]:
        if problem == 1:
            raise ValueError("one line\nand another")
        return [revision(problem, 1)]


def test_in_this_process_a_fault_costs_one_window_and_says_why_in_one_line() -> None:
    plan = EnginePlan("clip.mp4", load_config("replay"), Path("models"))
    shared = RefinerPost(Here(), Clumsy, plan)
    shared.start()
    place = RefinerOfSite(shared, "hall")
    told: list[str] = []
    refining = Refining(place, RefineConfig(), WindowConfig(), True, lambda kind, text: told.append(text))
    found = []
    for window in range(3):
        refining.give(given(window))
        found += taken(refining)
    assert found == [0, 2] and refining.counts["restarts"] == 1
    (said,) = told
    assert said.startswith(
        "the refiner was lost and is replaced: the refiner worker failed: ValueError: one line and another "
        "(test_refining.py:"
    )
    assert Clumsy.min_rev == 1
