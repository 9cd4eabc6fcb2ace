"""Segments: complete, disjoint, every slot from its most central window, never changed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crowdstream.kernels.solve.problem import Provenance, SolveStatus, WindowSolution
from crowdstream.stream.segments import Segment, SegmentCollector

FRAMES, HOP = 64, 16
SLOT_NS = 1e9 / 30


def solution(
    window: int,
    people: dict[int, tuple[int, int]],
    *,
    rev: int = 0,
    status: SolveStatus = SolveStatus.BUDGET,
) -> WindowSolution:
    """People by the slots [from, to) in which they exist; transl = (slot, window, rev)."""
    slot0 = window * HOP
    slots = slot0 + np.arange(FRAMES)
    here = {p: span for p, span in people.items() if span[0] < slot0 + FRAMES and span[1] > slot0}
    n = len(here)
    inside = np.array([(slots >= a) & (slots < b) for a, b in here.values()]).reshape(n, FRAMES)
    transl = np.zeros((n, FRAMES, 3), np.float32)
    transl[:] = np.stack([slots, np.full(FRAMES, window), np.full(FRAMES, rev)], axis=-1)
    return WindowSolution(
        window=window,
        slot0=slot0,
        t0_ns=round(slot0 * SLOT_NS),
        rev=rev,
        person_ids=np.array(list(here), np.int64),
        pose_rotvec=np.zeros((n, FRAMES, 24, 3), np.float32),
        betas=np.full((n, 10), window, np.float32),
        transl_m=transl,
        joints_m=np.zeros((n, FRAMES, 24, 3), np.float32),
        ground_m=np.zeros((n, FRAMES, 3), np.float32),
        confidence=inside.astype(np.float32),
        provenance=np.where(inside, Provenance.OBSERVED, Provenance.ABSENT).astype(np.uint8),
        reprojection_px=np.zeros(n, np.float32),
        status=np.full(n, status, np.uint8),
    )


def windows_until(end: int) -> range:
    return range(max(0, -(-(end - FRAMES) // HOP)) + 1)


def collect(people: dict[int, tuple[int, int]], end: int) -> list[Segment]:
    collector, out = SegmentCollector(), []
    for window in windows_until(end):
        out += collector.push(solution(window, people))
    return out + collector.flush()


spans = st.tuples(st.integers(0, 300), st.integers(1, 300)).map(lambda s: (s[0], s[0] + s[1]))


@given(st.dictionaries(st.integers(1, 9), spans, max_size=4))
@settings(max_examples=60, deadline=None)
def test_segments_partition_every_persons_life(people: dict[int, tuple[int, int]]) -> None:
    end = max((b for _, b in people.values()), default=1)
    segments = collect(people, end)
    assert len({(s.person, s.index) for s in segments}) == len(segments)
    covered: dict[int, list[int]] = {p: [] for p in people}
    for s in segments:
        assert s.slot0 == s.index * FRAMES and len(s.provenance) == FRAMES
        assert s.t0_ns == pytest.approx(s.slot0 * SLOT_NS, abs=2)
        covered[s.person] += (s.slot0 + np.flatnonzero(s.provenance != Provenance.ABSENT)).tolist()
    assert {p: sorted(c) for p, c in covered.items()} == {p: list(range(*span)) for p, span in people.items()}


@given(st.integers(1, 400))
@settings(max_examples=30, deadline=None)
def test_each_slot_comes_from_its_most_central_window(end: int) -> None:
    last = windows_until(end)[-1]
    for s in collect({1: (0, end)}, end):
        for t in np.flatnonzero(s.provenance):
            slot = s.slot0 + int(t)
            over = [w for w in range(last + 1) if 0 <= slot - w * HOP < FRAMES]
            best = min(over, key=lambda w: (abs(2 * (slot - w * HOP) + 1 - FRAMES), -w))
            assert s.window[t] == best
            assert s.transl_m[t].tolist() == [slot, best, 0]
        assert s.betas[0] == s.window.max()


def test_a_segment_is_handed_out_as_soon_as_nothing_can_improve_it() -> None:
    collector = SegmentCollector()
    came = {w: [s.index for s in collector.push(solution(w, {1: (0, 10_000)}))] for w in range(12)}
    # the last slot of segment 0 is most central in window 2 (slots 32..95)
    assert came == {w: [] for w in range(12)} | {2: [0], 6: [1], 10: [2]}


def test_a_higher_revision_replaces_until_then_and_not_after() -> None:
    collector = SegmentCollector()
    collector.push(solution(0, {1: (0, 64)}))
    collector.push(solution(0, {1: (0, 64)}, rev=1))
    (done,) = collector.push(solution(2, {1: (0, 64)}))
    assert set(done.transl_m[done.window == 0, 2]) == {1.0}
    assert collector.push(solution(0, {1: (0, 64)}, rev=2)) == []
    assert collector.stats.late == 1 and collector.flush() == []


def test_a_track_that_had_ended_leaves_no_ghost() -> None:
    collector = SegmentCollector()
    collector.push(solution(0, {1: (0, 64)}))  # still held at the end of the first window
    collector.push(solution(1, {1: (0, 40)}))  # ... but the next one knows better
    (segment,) = collector.flush()
    assert np.flatnonzero(segment.provenance).tolist() == list(range(40))
    assert not segment.transl_m[40:].any() and (segment.window[40:] == -1).all()


def test_failed_people_are_left_out() -> None:
    collector = SegmentCollector()
    collector.push(solution(0, {1: (0, 64)}, status=SolveStatus.FAILED))
    assert collector.flush() == []


def test_segments_cannot_be_changed() -> None:
    (segment,) = collect({1: (0, 64)}, 64)
    with pytest.raises(ValueError, match="read-only"):
        segment.transl_m[0] = 1.0


def test_memory_is_flat() -> None:
    collector, most = SegmentCollector(), 0
    for window in range(600):
        people = {p: (p * 100, p * 100 + 250) for p in range(window * HOP // 100 + 2)}
        collector.push(solution(window, people))
        most = max(most, collector.num_open)
    assert most <= 10 and collector.stats.completed > 300
