"""Long occlusions, revisions and retractions through the evaluation, on walkers whose truth is given as a result."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crowdstream.kernels.solve.problem import Provenance, WindowSolution
from crowdstream.lab.evaluate.long_occlusions import long_occlusions
from crowdstream.lab.evaluate.perfect import published_truth
from crowdstream.lab.evaluate.published import LiveVersion, Published, WindowVersion
from crowdstream.lab.evaluate.refinement import refined_of
from crowdstream.lab.evaluate.score import compare
from crowdstream.lab.evaluate.versions import streaming_of
from crowdstream.stream.body_files import load_body
from crowdstream.stream.identity import IdentityChange, IdentityEvent
from crowdstream.stream.records import TrackedFrame
from crowdstream.stream.refine.records import Revision, RevisionCause
from crowdstream.stream.track_backfill import take_rows

sys.path.insert(0, str(Path(__file__).parent))
from walkers import make_walkers

sys.path.pop(0)

CROWD = make_walkers(people=2, slots=192)
BODY = load_body()
LOST, FOUND = 60, 135
"""Nobody sees the first person in between: 2.5 s from the last sighting to the first."""
BACK = 101
"""The first person's track after the gap."""
HIDDEN = np.zeros(CROWD.view.present.shape, bool)
HIDDEN[0, LOST + 1 : FOUND] = True
VIEW = replace(CROWD.view, seen_share=np.where(HIDDEN, 0.0, CROWD.view.seen_share).astype(np.float32))


def _event(change: IdentityChange, previous: int, t_slot: int = FOUND + 20) -> IdentityEvent:
    times = (int(VIEW.t_ns[slot]) for slot in (t_slot, LOST, FOUND))
    person = previous if change is IdentityChange.MERGE else BACK
    return IdentityEvent(change, BACK, person, previous, *times, probability=0.9)


def _tracked(frame: TrackedFrame) -> TrackedFrame:
    """The first person is lost, and comes back as another track."""
    ids = frame.person_ids.copy()
    ids[(ids == 1) & (frame.index >= FOUND)] = BACK
    frame = replace(frame, person_ids=ids)
    return take_rows(frame, np.flatnonzero(ids != 1)) if LOST < frame.index < FOUND else frame


def _published(*events: IdentityEvent) -> Published:
    """Tracks as above; bodies are the truth's, all the time."""
    true = published_truth(CROWD.motion, VIEW)
    live = tuple(LiveVersion(_tracked(v.tracked), v.ready_ns) for v in true.live)
    return replace(true, live=live, identity=events)


def _figures(published: Published) -> dict[str, Any]:
    compared = compare(published, CROWD.motion, VIEW, BODY)
    return long_occlusions(published, VIEW, compared.truth, compared.predicted, BODY)


def test_who_comes_back_as_the_same_person_is_rejoined() -> None:
    got = _figures(_published(_event(IdentityChange.MERGE, previous=1)))
    assert (got["gaps"], got["tracked"], got["rejoined"]) == (1, 1, 1)
    assert (got["stitched"], got["stitched_wrong"], got["bridged"]) == (1, 0, 0)
    assert got["with_body"] == 1.0 and got["compared"] == got["person_frames"] == FOUND - LOST - 1
    assert got["root_mm"] == pytest.approx(0.0, abs=0.01) and got["mpjpe_mm"] == pytest.approx(0.0, abs=0.01)
    # a walker's root does go straight, but legs that turn evenly from one step to another do not walk
    assert got["straight_root_mm"] < 60.0 and got["straight_mpjpe_mm"] > 20.0
    assert got["by_length"]["2-3 s"]["rejoined"] == 1 and got["by_length"]["3-4 s"]["gaps"] == 0


@pytest.mark.parametrize("undone", [False, True])
def test_who_comes_back_as_somebody_new_is_not(undone: bool) -> None:
    events = [_event(IdentityChange.MERGE, 1), _event(IdentityChange.SPLIT, 1, FOUND + 30)] if undone else []
    got = _figures(_published(*events))
    assert (got["tracked"], got["rejoined"], got["stitched"], got["compared"]) == (1, 0, 0, 0)
    assert got["root_mm"] is None


def test_a_join_with_somebody_else_is_wrong() -> None:
    frames = [v.tracked for v in _published().live]
    gone = [take_rows(f, np.flatnonzero(f.person_ids != 2)) if f.index > LOST else f for f in frames]
    lost = replace(_published(), live=tuple(LiveVersion(f, f.t_capture_ns) for f in gone))
    got = _figures(replace(lost, identity=(_event(IdentityChange.MERGE, previous=2),)))
    assert (got["stitched"], got["stitched_wrong"], got["rejoined"]) == (1, 1, 0)


def test_the_trackers_own_bridge_is_told_apart() -> None:
    frames = [v.tracked for v in _published().live]
    same = [replace(f, person_ids=np.where(f.person_ids == BACK, 1, f.person_ids)) for f in frames]
    got = _figures(replace(_published(), live=tuple(LiveVersion(f, f.t_capture_ns) for f in same)))
    assert (got["rejoined"], got["stitched"], got["bridged"], got["bridged_wrong"]) == (1, 0, 1, 0)


def test_rows_that_led_over_a_gap_go_with_the_join() -> None:
    inside = published_truth(CROWD.motion, VIEW).live[LOST + 10].tracked
    row = take_rows(inside, np.flatnonzero(inside.person_ids == 1))
    late = LiveVersion(replace(row, seen=np.zeros(1, bool)), int(VIEW.t_ns[FOUND + 20]), known_events=1)
    merge, split = _event(IdentityChange.MERGE, 1), _event(IdentityChange.SPLIT, 1, FOUND + 30)
    for events, people in (((merge,), [1, 2]), ((merge, split), [2])):
        published = replace(_published(*events), late=(late,))
        assert published.final_frames()[LOST + 10].person_ids.tolist() == people
        assert published.final_tracks()[LOST + 10].person_ids.tolist() == [2], (
            "nothing of it is the tracker's own"
        )


# --- revisions --------------------------------------------------------------------------------------------


def _revised(window: WindowSolution, rev: int, absent: slice | None) -> WindowSolution:
    """The first person's row alone, some slots taken back."""
    kept = {name: getattr(window, name)[:1] for name in ("person_ids", "pose_rotvec", "betas", "transl_m", "joints_m",
            "ground_m", "confidence", "provenance", "reprojection_px", "status")}  # fmt: skip
    provenance = np.full_like(kept["provenance"], Provenance.GUIDED)
    if absent is not None:
        provenance[:, absent] = Provenance.ABSENT
    return replace(window, **{**kept, "provenance": provenance, "rev": rev})


def _with_revisions(*absent: slice | None) -> Published:
    true = published_truth(CROWD.motion, VIEW)
    first = true.windows[0]
    versions = []
    for rev, gone in enumerate(absent, start=1):
        solution = _revised(first.solution, rev, gone)
        one, none = np.ones(1), np.full(1, -1)
        cause = np.array([RevisionCause.GUIDED if gone is None else RevisionCause.RETRACTED], np.uint8)
        why = Revision(solution, cause, np.array([2]) if gone is None else none, none, 0.04 * one)
        versions.append(WindowVersion(solution, first.ready_ns + rev * 10**9, why))
    return replace(true, windows=(*true.windows, *versions))


def _streaming(published: Published) -> dict[str, Any]:
    compared = compare(published, CROWD.motion, VIEW, BODY)
    frames = CROWD.view.num_frames
    return streaming_of(published, compared.truth, compared.predicted, compared.matches, None, frames)[0]


def test_what_a_revision_takes_back_is_gone_and_stays_gone() -> None:
    published = _with_revisions(None, slice(10, 30))
    predicted = compare(published, CROWD.motion, VIEW, BODY).predicted
    row = predicted.person_ids.tolist().index(1)
    assert np.flatnonzero(~predicted.present[row]).tolist() == list(range(10, 30))
    assert set(predicted.provenance[row, :10].tolist()) == {Provenance.GUIDED}
    got = _streaming(published)
    assert got["retracted"] == 20
    assert got["coverage_bodies"] == pytest.approx(1.0 - 20 / (2 * 192))
    assert got["guided"] == pytest.approx(44 / (2 * 192 - 20))
    assert got["latency_ms"]["refined"]["p50"] > 1000.0


def test_a_revision_is_told_with_its_cause() -> None:
    got = refined_of(_with_revisions(None, slice(10, 30)))
    assert got["revisions"] == got["revised_person_segments"] == 2
    assert got["by_cause"]["guided"] == {
        "person_segments": 1,
        "with_guide": 1,
        "changed_mm": pytest.approx(40.0),
    }
    assert got["by_cause"]["retracted"]["person_segments"] == 1
    assert got["bodies_revised"] == pytest.approx(44 / (2 * 192 - 20))
    assert refined_of(_published(_event(IdentityChange.MERGE, 1)))["joined_tracks"] == 1


def test_a_join_that_consumers_are_told_of_is_no_change_of_identity() -> None:
    true = published_truth(CROWD.motion, VIEW)

    def renamed(window: WindowSolution) -> WindowSolution:
        late = window.slot0 >= 128
        return replace(window, person_ids=np.where(late & (window.person_ids == 1), BACK, window.person_ids))

    windows = tuple(WindowVersion(renamed(v.solution), v.ready_ns) for v in true.windows)
    joined = replace(_published(_event(IdentityChange.MERGE, 1)), windows=windows)
    assert _streaming(joined)["revisions"]["identity_changes"] == 0
    assert compare(joined, CROWD.motion, VIEW, BODY).predicted.person_ids.tolist() == [1, 2]
    apart = replace(joined, identity=())
    assert compare(apart, CROWD.motion, VIEW, BODY).predicted.person_ids.tolist() == [1, 2, BACK]
