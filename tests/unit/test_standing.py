"""What of windows and revisions stands when tracks are joined and taken apart: seen people stay, nothing comes back.

A small timeline: windows of 16 slots every 4, segments are those that begin at 0, 16, 32. A revision is published
a metre away from what was solved, and its number times that, so that places tell which one stands.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crowdstream.kernels.solve.problem import Provenance, WindowSolution
from crowdstream.lab.bench.wire_cases import walkers_return, walkers_schema, walkers_window
from crowdstream.stream.export.merge import merge_windows
from crowdstream.stream.export.recording import Recording
from crowdstream.stream.export.standing import IdentityHistory, RevisedRow, Standing
from crowdstream.stream.identity import IdentityEvent, IdentityMap
from crowdstream.stream.refine.records import Revision
from crowdstream.stream.wire.publish import PublishConfig, PublisherStage

HOP, SLOTS, END = 4, 16, 48
Spans = dict[int, list[tuple[int, int]]]
"""Id -> slots [a, b) in which it is present."""
Found = dict[int, dict[int, int]]
"""Person -> slot -> revision."""


def slot_ns(slot: int) -> int:
    return round(slot * 1e9 / 30)


def window(slot0: int, spans: Spans, rev: int = 0) -> WindowSolution:
    """People with bodies in some slots; absent slots hold rubbish."""
    made = walkers_window(len(spans), slot0 // HOP, hop=HOP, frames=SLOTS, rev=rev, shift_m=float(rev))
    slots = slot0 + np.arange(SLOTS)
    present = np.array([[any(a <= s < b for a, b in cuts) for s in slots] for cuts in spans.values()], bool)
    state = np.where(present.reshape(-1, SLOTS), Provenance.OBSERVED, Provenance.ABSENT).astype(np.uint8)
    joints = np.where(state[..., None, None] > 0, made.joints_m, np.nan)
    return replace(made, person_ids=np.array([*spans], np.int64), provenance=state, joints_m=joints)


def solved(spans: Spans) -> list[WindowSolution]:
    """The windows of the whole timeline; people without a slot are not in one."""
    out = []
    for slot0 in range(0, END - SLOTS + 1, HOP):
        here = {i: c for i, c in spans.items() if any(a < slot0 + SLOTS and b > slot0 for a, b in c)}
        out.append(window(slot0, here))
    return out


def merge(track: int, previous: int, lost: int, split: bool = False) -> IdentityEvent:
    """A join (or its end) over the gap after slot `lost`."""
    event = walkers_return(track, previous, split=split)
    return replace(event, lost_ns=slot_ns(lost), found_ns=slot_ns(lost + 8))


@dataclass
class Log:
    """What was published, in order, without a file."""

    items: list[WindowSolution | IdentityEvent] = field(default_factory=list)

    def found(self, tracks: bool = False) -> Found:
        """Who stands where, as an export has it."""
        numbered = [*enumerate(self.items)]
        history = IdentityHistory((n, item) for n, item in numbered if isinstance(item, IdentityEvent))
        windows = [(n, item) for n, item in numbered if isinstance(item, WindowSolution)]
        rows = [
            RevisedRow(person, w.window, w.rev, n, w.slot0, w.provenance[row] > 0, slot_ns(w.slot0 + SLOTS - 1))
            for n, w in windows if w.rev
            for row, person in enumerate(w.person_ids.tolist())
        ]  # fmt: skip
        standing = Standing(rows, history, IdentityMap() if tracks else history.map())
        ordered = sorted(windows, key=lambda item: (item[1].slot0, item[1].rev, item[0]))
        left = [out for n, w in ordered if (out := standing.window(w, n)) is not None]
        return present_in(left)


def present_in(windows: list[WindowSolution]) -> Found:
    """Slot by slot the highest revision; `merge_windows` does the same at length."""
    found: Found = {}
    for w in windows:
        for person, state in zip(w.person_ids.tolist(), w.provenance, strict=True):
            at = found.setdefault(person, {})
            for slot in (w.slot0 + np.flatnonzero(state)).tolist():
                at[slot] = max(w.rev, at.get(slot, 0))
    return found


def merged(windows: list[WindowSolution]) -> Found:
    """The same by `merge_windows`."""
    found: Found = {}
    for chunk in merge_windows(windows):
        for row, person in enumerate(chunk.person_ids.tolist()):
            for f in np.flatnonzero(chunk.provenance[row]):
                found.setdefault(person, {})[chunk.slot0 + int(f)] = int(chunk.rev[row, f])
                assert np.isfinite(chunk.joints_m[row, f]).all()
    return found


def runs(found: Found, person: int) -> list[tuple[int, int, int]]:
    """(first, one past the last, revision) of each stretch."""
    out: list[tuple[int, int, int]] = []
    for slot, rev in sorted(found.get(person, {}).items()):
        if out and out[-1][1:] == (slot, rev):
            out[-1] = (out[-1][0], slot + 1, rev)
        else:
            out.append((slot, slot + 1, rev))
    return out


SEEN: Spans = {5: [(0, 12)], 17: [(24, 40)]}
"""Track 5 is lost after slot 11, track 17 begins in slot 24: it is the same person."""
JOINED = [window(0, {5: [(0, 16)]}, 1), window(16, {5: [(16, 32)]}, 1), window(32, {5: [(32, 40)]}, 1)]
"""What the refiner makes of it: the gap is filled."""
RETRACTED = [window(0, {5: [(0, 12)]}, 2), window(16, {5: []}, 2), window(32, {5: []}, 2)]
"""And what it says when the join is undone."""


def test_without_events_tracks_are_persons() -> None:
    found = Log([*solved(SEEN)]).found()
    assert {p: runs(found, p) for p in found} == {5: [(0, 12, 0)], 17: [(24, 40, 0)]}


@pytest.mark.parametrize("at", [0, 4, 9])
def test_a_join_makes_one_person_of_all_that_was_and_will_be_published(at: int) -> None:
    items = [*solved(SEEN)]
    found = Log([*items[:at], merge(17, 5, 11), *items[at:]]).found()
    assert {p: runs(found, p) for p in found} == {5: [(0, 12, 0), (24, 40, 0)]}


def test_revisions_of_the_person_take_the_place_of_all_tracks() -> None:
    found = Log([*solved(SEEN), merge(17, 5, 11), *JOINED]).found()
    assert {p: runs(found, p) for p in found} == {5: [(0, 40, 1)]}


def test_a_split_leaves_nothing_of_what_rested_on_the_join() -> None:
    """The engine may have ended before its refiner could take anything back."""
    found = Log([*solved(SEEN), merge(17, 5, 11), *JOINED, merge(17, 5, 11, split=True)]).found()
    assert {p: runs(found, p) for p in found} == {5: [(0, 12, 0)], 17: [(24, 40, 0)]}


def test_before_the_loss_a_revision_outlives_the_split() -> None:
    spans: Spans = {5: [(0, 20)], 17: [(32, 40)]}
    first = [window(0, {5: [(0, 16)]}, 1), window(16, {5: [(16, 32)]}, 1)]
    found = Log([*solved(spans), merge(17, 5, 19), *first, merge(17, 5, 19, split=True)]).found()
    assert runs(found, 5) == [(0, 16, 1), (16, 20, 0)] and runs(found, 17) == [(32, 40, 0)]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_retraction_resurrects_nothing_and_nobody_is_twice(count: int) -> None:
    """However many of its messages made it into the log."""
    items = [*solved(SEEN), merge(17, 5, 11), *JOINED, merge(17, 5, 11, split=True), *RETRACTED[:count]]
    found = Log(items).found()
    assert {*found} == {5, 17} and runs(found, 5) == [(0, 12, 2)] and runs(found, 17) == [(24, 40, 0)]


def test_after_the_split_both_are_refined_for_themselves() -> None:
    items = [*solved(SEEN), merge(17, 5, 11), *JOINED, merge(17, 5, 11, split=True), *RETRACTED]
    found = Log([*items, window(16, {17: [(24, 32)]}, 2), window(32, {17: [(32, 40)]}, 2)]).found()
    assert runs(found, 5) == [(0, 12, 2)] and runs(found, 17) == [(24, 40, 2)]


def test_joined_again_after_a_split() -> None:
    split = merge(17, 5, 11, split=True)
    again = [replace(w, rev=3) for w in JOINED]
    items = [*solved(SEEN), merge(17, 5, 11), *JOINED, split, *RETRACTED, merge(17, 5, 11), *again]
    assert runs(Log(items).found(), 5) == [(0, 40, 3)]


def test_a_person_wholly_absent_is_taken_back_in_all_windows_that_cover_the_slots() -> None:
    """Not only in the one the revision is keyed by: windows that overlap it hold the person, too."""
    spans: Spans = {1: [(0, 48)], 2: [(0, 48)]}
    found = Log([*solved(spans), window(16, {1: [(16, 32)]}, 1), window(16, {1: []}, 2)]).found()
    assert runs(found, 1) == [(0, 16, 0), (32, 48, 0)] and runs(found, 2) == [(0, 48, 0)]


def test_a_slot_taken_back_stays_so_beside_slots_that_stand() -> None:
    found = Log([*solved({1: [(0, 48)]}), window(16, {1: [(16, 20), (28, 32)]}, 1)]).found()
    assert runs(found, 1) == [(0, 16, 0), (16, 20, 1), (28, 32, 1), (32, 48, 0)]


def test_what_was_made_before_the_join_does_not_silence_the_joined_track() -> None:
    """A refiner is behind: its revision of 5 comes after the event and knows nothing of 17 yet."""
    spans: Spans = {5: [(0, 4)], 17: [(10, 16)]}
    for order in (0, 1):
        items: list[WindowSolution | IdentityEvent] = [merge(17, 5, 3), window(0, {5: [(0, 4)]}, 1)]
        found = Log([*solved(spans), *(items[::-1] if order else items)]).found()
        assert runs(found, 5) == [(0, 4, 1), (10, 16, 0)] and 17 not in found


def test_of_joined_revisions_the_one_published_for_the_person_counts() -> None:
    """Whatever its number: each track's revisions were counted for themselves."""
    alone = [window(16, {17: [(24, 32)]}, 4), window(32, {17: [(32, 40)]}, 5)]
    found = Log([*solved(SEEN), *alone, merge(17, 5, 11), *JOINED[:2]]).found()
    assert runs(found, 5) == [(0, 32, 1), (32, 40, 5)]


def test_a_chain_comes_apart_where_it_is_cut() -> None:
    spans: Spans = {5: [(0, 8)], 17: [(16, 24)], 40: [(32, 40)]}
    chain = [merge(40, 17, 23), merge(17, 5, 7)]
    found = Log([*solved(spans), *chain]).found()
    assert {p: runs(found, p) for p in found} == {5: [(0, 8, 0), (16, 24, 0), (32, 40, 0)]}
    found = Log([*solved(spans), *chain, merge(17, 5, 7, split=True)]).found()
    assert {p: runs(found, p) for p in found} == {5: [(0, 8, 0)], 17: [(16, 24, 0), (32, 40, 0)]}


def test_the_withdrawal_of_a_joined_track_withdraws_its_revisions_alone() -> None:
    """A refiner may say that 17 is nobody any more, before it says who 5 is now."""
    alone = [window(16, {17: [(20, 32)]}, 1), window(32, {17: [(32, 40)]}, 1)]
    nobody = [window(16, {17: []}, 2), window(32, {17: []}, 2)]
    items = [*solved(SEEN), *alone, merge(17, 5, 11), *nobody]
    assert runs(Log(items).found(), 5) == [(0, 12, 0), (24, 40, 0)]
    found = Log([*items, merge(17, 5, 11, split=True)]).found()
    assert runs(found, 5) == [(0, 12, 0)] and runs(found, 17) == [(20, 40, 1)]  # as it was before the join


def test_tracks_as_they_are_rest_on_no_join() -> None:
    found = Log([*solved(SEEN), merge(17, 5, 11), *JOINED]).found(tracks=True)
    assert {p: runs(found, p) for p in found} == {5: [(0, 12, 0)], 17: [(24, 40, 0)]}
    alone = window(16, {9: [(16, 32)]}, 1)
    found = Log([*solved({9: [(0, 48)]}), alone]).found(tracks=True)
    assert runs(found, 9) == [(0, 16, 0), (16, 32, 1), (32, 48, 0)]


THROUGHOUT = solved({1: [(0, 48)]})


@settings(max_examples=20, deadline=None)
@given(st.permutations([1, 2, 3]), st.lists(st.integers(0, 2), max_size=3))
def test_the_highest_revision_stands_in_whatever_order_and_number(order: list[int], again: list[int]) -> None:
    revisions = {rev: window(16, {1: [(16, 16 + 4 * rev)]}, rev) for rev in (1, 2, 3)}
    items = [revisions[rev] for rev in [*order, *(order[i] for i in again)]]
    found = Log([*THROUGHOUT, *items]).found()
    assert runs(found, 1) == [(0, 16, 0), (16, 28, 3), (32, 48, 0)]


# --- any story ----------------------------------------------------------------------------------------------

TRACKS: Spans = {1: [(0, 9)], 2: [(12, 20)], 3: [(23, 33)], 4: [(36, 47)]}


ALL_SOLVED = solved(TRACKS)


def refined(who: IdentityMap, rev: int) -> list[WindowSolution]:
    """All segments of all persons ever, as a refiner that knows `who` makes them: gaps filled, the rest taken back."""
    spans: Spans = {person: [] for person in TRACKS}
    for person in TRACKS:
        mine = [TRACKS[t][0] for t in TRACKS if who.person_of(t) == person]
        spans[person] = [(mine[0][0], mine[-1][1])] if mine else []
    return [window(slot0, spans, rev) for slot0 in range(0, END, SLOTS)]


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.integers(2, 4), st.integers(1, 3), st.booleans()).filter(lambda e: e[0] > e[1]), max_size=5),
    st.lists(st.booleans(), min_size=5, max_size=5), st.booleans(),
)  # fmt: skip
def test_seen_people_are_there_once_under_the_right_name(
    story: list[tuple[int, int, bool]], works: list[bool], finishes: bool
) -> None:
    """Whether the refiner kept up with every change, with some or with none."""
    items: list[WindowSolution | IdentityEvent] = [*ALL_SOLVED]
    who, rev = IdentityMap(), 0
    for (track, previous, split), awake in zip(story, works, strict=False):
        event = merge(track, previous, TRACKS[previous][0][1] - 1, split)
        who.apply(event)
        items.append(event)
        if awake or (finishes and len(items) == len(ALL_SOLVED) + len(story)):
            rev += 1
            items += refined(who, rev)
    if finishes:
        items += refined(who, rev + 1)
    found = Log(items).found()
    for track, ((a, b),) in TRACKS.items():
        assert {*range(a, b)} <= {*found.get(who.person_of(track), {})}
    assert {*found} == {who.person_of(track) for track in TRACKS}
    if finishes:
        for person in found:
            ends = [TRACKS[t][0] for t in TRACKS if who.person_of(t) == person]
            assert runs(found, person) == [(ends[0][0], ends[-1][1], rev + 1)]
    # nobody stands where none of their tracks was seen, but between two that were joined
    for person, slots in found.items():
        mine = [TRACKS[t][0] for t in TRACKS if who.person_of(t) == person]
        assert mine[0][0] <= min(slots) and max(slots) < mine[-1][1]


def test_the_recording_says_the_same(tmp_path: Path) -> None:
    """Through messages and a file."""
    schema = replace(walkers_schema(), hop=HOP, frames=SLOTS)
    publisher = PublisherStage(PublishConfig(listen=""), "hall", schema, tmp_path / "a")
    publisher.start()
    for each in solved(SEEN):
        publisher.push_window(each)
    publisher.push_identity(merge(17, 5, 11))
    for each in JOINED:
        publisher.push_revision(
            Revision(each, np.zeros(1, np.uint8), np.array([3]), np.array([0]), np.zeros(1))
        )
    joined = merged(list(Recording(tmp_path / "a").windows()))
    assert {p: runs(joined, p) for p in joined} == {5: [(0, 40, 1)]}
    assert [row.guide for row in Recording(tmp_path / "a").standing.guides(5)] == [3, 3, 3]
    publisher.push_identity(merge(17, 5, 11, split=True))
    for each in RETRACTED:
        nobody = np.full(1, -1)
        publisher.push_revision(Revision(each, np.full(1, 3, np.uint8), nobody, nobody, np.full(1, np.nan)))
    publisher.stop()
    recording = Recording(tmp_path / "a")
    apart = merged(list(recording.windows()))
    assert apart == present_in(list(recording.windows()))
    assert runs(apart, 5) == [(0, 12, 2)] and runs(apart, 17) == [(24, 40, 0)]
    assert list(recording.standing.guides(5)) == [] and len(recording.identity) == 2
    assert recording.num_windows == len(solved(SEEN))
