"""Frames of several cameras by moment: paired within half a frame, waited for within bounds, every frame counted."""

from __future__ import annotations

import pickle
from itertools import pairwise

import numpy as np
import pytest

from crowdstream.kernels.errors import ShapeError
from crowdstream.stream.timing.buckets import Buckets
from crowdstream.stream.timing.pairing import Bucket

S = 1_000_000_000
EPOCH_NS = 1_700_000_000 * S
Events = list[tuple[float, str, int, float]]
"""(arrival s, camera, index, capture time s)"""


def _camera(
    name: str, fps: float = 30.0, seconds: float = 20.0, phase_s: float = 0.0, ppm: float = 0.0,
    delay_s: float = 0.05, tail_s: float = 0.01, start_s: float = 0.0, seed: int = 0,
) -> Events:  # fmt: skip
    """Frames of one camera; its times run fast by ppm, its network has a long tail."""
    rng = np.random.default_rng([seed, len(name), ord(name[-1])])
    taken = start_s + phase_s + np.arange(int(seconds * fps)) / (fps * (1 + ppm * 1e-6))
    arrival = np.maximum.accumulate(taken + delay_s + rng.exponential(tail_s, len(taken)))
    return [
        (a + 1e-9 * k, name, k, t)
        for k, (a, t) in enumerate(zip(arrival.tolist(), taken.tolist(), strict=True))
    ]


def _feed(buckets: Buckets, *streams: Events) -> list[Bucket]:
    out: list[Bucket] = []
    for _, name, index, t_s in sorted(event for stream in streams for event in stream):
        out += buckets.push(name, index, EPOCH_NS + round(t_s * S))
    return out


def _open(*names: str, **options: float) -> Buckets:
    return Buckets(dict.fromkeys(names), **options)


def _all_counted(buckets: Buckets) -> bool:
    """Every frame is paired, alone, late or still waits (some hundred at most)."""
    left = [c.frames - c.paired - c.alone - c.late for c in buckets.report().cameras.values()]
    return all(0 <= n <= 256 for n in left)


def test_three_cameras_off_by_7_13_and_29_ms() -> None:
    """Streaming tests 8: the pairing error is at most half a frame; 29 ms late is 4.3 ms early."""
    buckets = _open("a", "b", "c")
    out = _feed(
        buckets, _camera("a", phase_s=0.007), _camera("b", phase_s=0.013), _camera("c", phase_s=0.029)
    )
    report = buckets.report()
    assert max(b.error_ns for b in out) <= 0.5 / 30 * S
    assert report.complete >= len(out) - 3 and len(out) >= 595
    offsets = sorted((c.offset_s or 0.0) for c in report.cameras.values())
    assert np.ptp(offsets) <= 0.0225
    assert sum(c.slips for c in report.cameras.values()) == 0
    assert _all_counted(buckets)


def test_a_free_running_camera_slips_a_frame_in_80_s() -> None:
    """Streaming tests 8: it is counted, said once, and pairs stay within half a frame throughout."""
    buckets = _open("a", "b")
    ppm = 1e6 / (80 * 30)
    out = _feed(buckets, _camera("a", seconds=250), _camera("b", seconds=250, ppm=-ppm, phase_s=0.001))
    report = buckets.report()
    runner = report.cameras["b" if report.reference == "a" else "a"]
    assert max(b.error_ns for b in out) <= 0.5 / 30 * S * 1.001
    assert runner.slips == 3
    assert runner.drift_ppm is not None and runner.drift_se_ppm is not None
    assert abs(abs(runner.drift_ppm) - ppm) < 5 > 3 * runner.drift_se_ppm
    assert runner.paired >= runner.frames - 5
    notes = buckets.drain_notes()
    assert len(notes) == 1 and "80 s" in notes[0]
    assert buckets.drain_notes() == []


def test_jitter_at_the_turn_is_no_slip() -> None:
    """Half a frame off, the nearest frame changes from one to the next; the camera does not run away."""
    rng = np.random.default_rng(0)
    jittered = [(a, n, k, t + float(rng.normal(0, 0.003))) for a, n, k, t in _camera("b", phase_s=0.5 / 30)]
    buckets = _open("a", "b")
    out = _feed(buckets, _camera("a"), jittered)
    assert max(b.error_ns for b in out) <= 0.5 / 30 * S * 1.001
    assert buckets.report().cameras["b"].slips == 0


def test_each_frame_is_given_once_and_in_order() -> None:
    buckets = _open("a", "b", "c")
    out = _feed(
        buckets, _camera("a", fps=30), _camera("b", fps=25, phase_s=0.003), _camera("c", fps=50, ppm=300)
    )
    for name in ("a", "b", "c"):
        given = [b.frames[name] for b in out if name in b.frames and len(b.frames) > 1]
        assert all(x < y for x, y in pairwise(given))
        assert len(given) == buckets.report().cameras[name].paired
    assert all(a.t_ns < b.t_ns and a.number + 1 == b.number for a, b in pairwise(out))


def test_the_slowest_camera_is_the_reference_and_gives_the_tolerance() -> None:
    buckets = _open("fast", "slow")
    out = _feed(buckets, _camera("fast", fps=50), _camera("slow", fps=12.5, start_s=1.0))
    report = buckets.report()
    assert report.reference == "slow"
    assert report.tolerance_s == pytest.approx(0.04, rel=0.01)
    last = [b for b in out if b.t_ns > EPOCH_NS + 5 * S and b.t_ns < EPOCH_NS + 19 * S]
    assert last and not any(b.missing for b in last)
    assert (
        max(b.error_ns for b in last) <= 0.01 * S + 1
    )  # half a frame of the fast one: the nearest was taken
    assert report.cameras["fast"].alone > 500


def test_a_camera_that_is_gone_does_not_hold_the_others() -> None:
    buckets = _open("a", "b", "c")
    first = [_camera(n, seconds=5.0) for n in "abc"]
    second = [_camera(n, seconds=10.0, start_s=5.0) for n in "bc"]
    _feed(buckets, *first)
    out = _feed(buckets, *second)
    report = buckets.report()
    assert report.cameras["a"].gone and not report.cameras["b"].gone
    assert report.reference in ("b", "c")
    assert len(out) > 270  # of 300
    later = [b for b in out if b.t_ns > EPOCH_NS + 8 * S]
    assert later and all(set(b.frames) == {"b", "c"} and not b.missing for b in later)
    back = _feed(buckets, *[_camera(n, seconds=5.0, start_s=15.0) for n in "abc"])
    assert set(back[-1].frames) == {"a", "b", "c"}
    assert not buckets.report().cameras["a"].gone


def test_a_late_camera_is_waited_for_within_bounds() -> None:
    """0.3 s behind: waited for. 0.8 s behind: the buckets go on without it, and its frames are late, not lost."""
    for delay_s, patient in ((0.3, True), (0.8, False)):
        buckets = _open("a", "b", wait_s=0.5)
        out = _feed(buckets, _camera("a", delay_s=0.02), _camera("b", delay_s=delay_s))
        pairing = buckets.report().cameras["b" if buckets.report().reference == "a" else "a"]
        assert (pairing.paired > 550) == patient
        assert (pairing.late > 550) == (not patient)
        assert len(out) > 570
        assert _all_counted(buckets)


def test_a_camera_whose_clock_is_off_is_no_reference() -> None:
    """One of three says times of an hour ago: the two others are paired as if it were not there."""
    buckets = _open("a", "b", "c")
    mad = [(arrival, n, k, t - 3600) for arrival, n, k, t in _camera("a")]
    out = _feed(buckets, mad, _camera("b"), _camera("c", phase_s=0.01))
    report = buckets.report()
    assert report.reference in ("b", "c")
    assert sum({"b", "c"} <= set(b.frames) for b in out) > 150
    assert _all_counted(buckets)


def test_a_timeline_that_leaps_is_taken_as_it_comes() -> None:
    buckets = _open("a", "b")
    leaps = [(a, n, k, t + (8.0 if t > 10 else 0.0)) for a, n, k, t in _camera("a", seconds=40)]
    out = _feed(buckets, leaps, _camera("b", seconds=40))
    assert all(x.t_ns < y.t_ns for x, y in pairwise(out[:250]))
    assert len(out) > 500
    assert _all_counted(buckets)


def test_lost_frames_are_no_slips() -> None:
    """A network that loses one frame in twenty: the partner is missing, the camera does not run away."""
    rng = np.random.default_rng(2)
    lossy = [e for e in _camera("b", seconds=60, phase_s=0.004) if rng.random() > 0.05]
    buckets = _open("a", "b")
    out = _feed(buckets, _camera("a", seconds=60), lossy)
    assert sum(bool(b.missing) for b in out) > 15
    assert buckets.report().cameras["b"].slips == buckets.report().cameras["a"].slips == 0


def test_one_camera_has_buckets_of_its_own() -> None:
    buckets = _open("a")
    assert len(_feed(buckets, _camera("a", seconds=2))) == 60


def test_cameras_come_and_go_by_hand() -> None:
    buckets = _open("a")
    with pytest.raises(ShapeError, match="unknown camera 'b'"):
        buckets.push("b", 0, EPOCH_NS)
    buckets.add("b")
    _feed(buckets, _camera("a", seconds=3), _camera("b", seconds=3))
    assert buckets.report().complete > 80
    buckets.remove(buckets.report().reference or "")
    (left,) = buckets.report().cameras
    assert _feed(buckets, _camera(left, seconds=3, start_s=3))
    buckets.remove("never there")


def test_memory_does_not_grow() -> None:
    buckets = _open("a", "b", "c")
    streams = [
        _camera("a", fps=10, seconds=200),
        _camera("b", fps=10, seconds=3),
        _camera("c", fps=10, seconds=200, ppm=400),
    ]
    sizes = []
    for k, (_, name, index, t_s) in enumerate(sorted(e for s in streams for e in s)):
        buckets.push(name, index, EPOCH_NS + round(t_s * S))
        if k % 1000 == 999:
            sizes.append(len(pickle.dumps(buckets)))
    assert max(sizes[2:]) < 1.1 * sizes[2] < 40_000
