"""The media clock: what is undone, what is ignored, and what begins anew."""

from __future__ import annotations

from fractions import Fraction

import pytest

from crowdstream.stream.timing.media import WRAPS_NS, MediaClock, Reading

S = 1_000_000_000
FRAME = 40_000_000


def _read(
    clock: MediaClock, pts: list[int | None], shortest: int | None = 0, start: int = 0
) -> list[Reading]:
    """Frames of 25 Hz that arrive on time, with these presentation times in ns."""
    readings = []
    for k, p in enumerate(pts):
        readings.append(clock.read(None if p is None else Fraction(p, S), start + k * FRAME, shortest))
        shortest = None if readings[-1].restarted else shortest
    return readings


@pytest.mark.parametrize("wrap_ns", WRAPS_NS)
def test_a_wrapped_counter_goes_on(wrap_ns: int) -> None:
    clock = MediaClock(S)
    true = [wrap_ns - 3 * FRAME + k * FRAME for k in range(8)]
    readings = _read(clock, [t % wrap_ns for t in true], None)
    assert [r.media_ns for r in readings] == pytest.approx(true, abs=8)
    assert clock.wraps == 1
    assert not any(r.restarted for r in readings)


def test_two_wraps_and_a_report_of_before_the_last() -> None:
    clock, wrap = MediaClock(S), WRAPS_NS[0]
    for k in range(0, 3 * wrap // (FRAME * 1000)):
        reading = clock.read(Fraction((k * FRAME * 1000) % wrap, S), k * FRAME * 1000, None)
        assert reading.media_ns is not None and not reading.restarted
    assert clock.wraps == 2
    clock = MediaClock(S)
    _read(clock, [wrap - FRAME, 0, FRAME], None)
    assert clock.on_line(Fraction(wrap - 5 * S, S)) == pytest.approx(wrap - 5 * S, abs=8)  # handed on late
    assert clock.on_line(Fraction(3 * FRAME, S)) == pytest.approx(wrap + 3 * FRAME, abs=8)
    early = MediaClock(S)
    _read(early, [wrap - FRAME], None)
    assert early.on_line(Fraction(FRAME, S)) == pytest.approx(wrap + FRAME, abs=8)  # the report wraps first


@pytest.mark.parametrize("odd", [0, 40_000_000, 3600 * S, 12 * S])
def test_one_mad_stamp_is_ignored(odd: int) -> None:
    clock = MediaClock(S)
    pts: list[int | None] = [10 * S + k * FRAME for k in range(6)]
    pts[3] = odd
    readings = _read(clock, pts, 0, start=10 * S)
    assert [r.media_ns for r in readings] == [p if k != 3 else None for k, p in enumerate(pts)]
    assert not any(r.restarted for r in readings)
    assert clock.unusable == 1


@pytest.mark.parametrize("step_s", [-5, -3600, 5, 86400])
def test_a_step_begins_a_new_line_at_the_second_frame(step_s: int) -> None:
    clock = MediaClock(S)
    start = 10_000 * S
    pts: list[int | None] = [start + k * FRAME + (step_s * S if k >= 4 else 0) for k in range(8)]
    readings = _read(clock, pts, 0, start=start)
    assert [r.restarted for r in readings] == [False] * 5 + [True] + [False] * 2
    assert readings[4].media_ns is None
    assert [r.media_ns for r in readings[5:]] == pts[5:]


def test_a_burst_is_no_step() -> None:
    clock = MediaClock(S)
    readings = [clock.read(k / 25, 0 if k == 0 else 20 * S, 0) for k in range(500)]
    assert all(r.media_ns is not None for r in readings)


@pytest.mark.parametrize("pts", [[None] * 9, [0] * 9, [5 * S, S, 9 * S, 4 * S, 2 * S, 8 * S, 3 * S]])
def test_a_mad_clock_begins_nothing(pts: list[int | None]) -> None:
    readings = _read(MediaClock(S), pts, 0)
    assert not any(r.restarted for r in readings)
    assert sum(r.media_ns is not None for r in readings) <= 1


def test_frames_that_overtake_each_other_keep_the_line() -> None:
    clock = MediaClock(S)
    order = [0, 1, 3, 2, 4, 6, 5, 7, 8]
    readings = _read(clock, [k * FRAME for k in order], -S)
    assert [r.media_ns for r in readings] == [None if k in (2, 5) else k * FRAME for k in order]
