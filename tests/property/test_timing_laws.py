"""Laws of capture time, whatever presentation times, arrivals and sender reports do."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from crowdstream.stream.records import ClockOrigin
from crowdstream.stream.timing.buckets import Buckets
from crowdstream.stream.timing.capture import CaptureClock
from crowdstream.stream.timing.config import TimingConfig
from crowdstream.stream.timing.records import SenderReport, Stamp

S = 1_000_000_000
EPOCH_NS = 1_700_000_000 * S
CONFIG = TimingConfig()


@dataclass(frozen=True)
class Step:
    """Some frames during which one thing happens."""

    frames: int
    interval_s: float
    pts_gain_s: float = 0.0
    """A leap of the media clock before these frames."""
    pts_rate: float = 1.0
    has_pts: bool = True
    pause_s: float = 0.0
    """Time in which nothing was taken."""
    held_s: float = 0.0
    """The first frame comes late by this, the next ones as fast as they can."""
    report_off_s: float | None = None
    """A report, with the camera's wall clock off by this."""
    host_gain_s: float = 0.0
    """This machine's clock is set by this much before these frames."""


steps = st.lists(
    st.builds(
        Step,
        frames=st.integers(1, 60),
        interval_s=st.sampled_from([0.01, 1 / 30, 0.04, 0.5]),
        pts_gain_s=st.sampled_from(
            [0.0] * 6 + [-5.0, 5.0, -1e4, 1e4, -0.04, 0.3, 2**32 / 9e4, -(2**32) / 9e4]
        ),
        pts_rate=st.sampled_from([1.0] * 6 + [0.0, 0.5, 4.0, -1.0]),
        has_pts=st.sampled_from([True, True, True, False]),
        pause_s=st.sampled_from([0.0] * 4 + [0.5, 20.0]),
        held_s=st.sampled_from([0.0] * 3 + [0.5, 5.0]),
        report_off_s=st.sampled_from([None, None, 0.0, 0.0, 0.2, 5.0, -5.0, 9.0, -9.0, -1.7e9]),
        host_gain_s=st.sampled_from([0.0] * 8 + [5.0, -5.0]),
    ),
    min_size=1,
    max_size=12,
)


def _play(script: list[Step], clock: CaptureClock) -> list[tuple[int, Stamp]]:
    """(arrival ns, stamp) of every frame."""
    true_s = pts_s = host_s = 0.0
    busy_s = 0.0
    report, out = None, []
    for step in script:
        true_s += step.pause_s
        pts_s += step.pause_s + step.pts_gain_s
        host_s += step.host_gain_s
        for k in range(step.frames):
            true_s += step.interval_s
            pts_s += step.interval_s * step.pts_rate
            busy_s = max(busy_s, true_s + 0.05 + (step.held_s if k == 0 else 0.0))
            arrival_ns = EPOCH_NS + round((busy_s + host_s) * S)
            if step.report_off_s is not None and k == step.frames // 2:
                ntp_ns = EPOCH_NS + round((true_s + host_s + step.report_off_s) * S)
                report = SenderReport(ntp_ns, pts_s, arrival_ns)
            out.append((arrival_ns, clock.stamp(pts_s if step.has_pts else None, arrival_ns, report)))
    return out


@settings(max_examples=40, deadline=None)
@given(steps)
def test_stamps_rise_whatever_happens(script: list[Step]) -> None:
    stamps = [s for _, s in _play(script, CaptureClock(CONFIG))]
    assert all(a.t_capture_ns < b.t_capture_ns for a, b in pairwise(stamps))
    assert not stamps[0].new_timeline


@settings(max_examples=40, deadline=None)
@given(steps)
def test_stamps_stay_near_this_machines_time(script: list[Step]) -> None:
    """Never further ahead than the clocks may differ, what is slewed and what the machine's own clock was set back."""
    latest = 0
    for arrival_ns, stamp in _play(script, CaptureClock(CONFIG)):
        latest = max(latest, arrival_ns)
        ahead_s = (stamp.t_capture_ns - latest) / S
        assert ahead_s < 3 * CONFIG.max_clock_error_s
        if stamp.skew_ns is not None:
            assert abs(stamp.skew_ns) < 60 * S


@settings(max_examples=40, deadline=None)
@given(steps)
def test_frames_stay_as_far_apart_as_they_were_taken(script: list[Step]) -> None:
    """Bursts, pauses, late and wrong reports: with sound presentation times no interval is ever longer than it was by
    more than the slew, nor, as long as no burst is a second long, shorter than half."""
    script = [
        replace(
            s, pts_gain_s=0.0, pts_rate=1.0, has_pts=True, host_gain_s=0.0, interval_s=script[0].interval_s
        )
        for s in script
    ]
    taken_s = np.cumsum([s.interval_s + s.pause_s * (k == 0) for s in script for k in range(s.frames)])
    stamps = [s for _, s in _play(script, CaptureClock(CONFIG))]
    hurried = any(s.held_s > 0.5 for s in script)
    for k in range(1, len(stamps)):
        if not stamps[k].new_timeline:
            share = (stamps[k].t_capture_ns - stamps[k - 1].t_capture_ns) / S / (taken_s[k] - taken_s[k - 1])
            assert share <= 1 + CONFIG.slew_rate + 1e-3
            assert hurried or share >= 0.5 - 1e-3


@settings(max_examples=40, deadline=None)
@given(steps, steps)
def test_a_clock_after_another_goes_on_behind_it(before: list[Step], after: list[Step]) -> None:
    last = _play(before, CaptureClock(CONFIG))[-1][1].t_capture_ns
    stamps = [s for _, s in _play(after, CaptureClock(CONFIG, after_ns=last))]
    assert stamps[0].t_capture_ns > last and stamps[0].new_timeline
    assert all(a.t_capture_ns < b.t_capture_ns for a, b in pairwise(stamps))


@settings(max_examples=40, deadline=None)
@given(steps)
def test_equal_inputs_give_equal_stamps(script: list[Step]) -> None:
    assert _play(script, CaptureClock(CONFIG)) == _play(script, CaptureClock(CONFIG))


@settings(max_examples=40, deadline=None)
@given(steps)
def test_what_rests_on_reports_had_some(script: list[Step]) -> None:
    stamps = [s for _, s in _play(script, CaptureClock(CONFIG))]
    believable = any(s.report_off_s is not None and abs(s.report_off_s) <= 10 for s in script)
    assert believable or all(s.origin is ClockOrigin.HOST for s in stamps)


frames = st.lists(
    st.tuples(st.integers(0, 2), st.floats(-0.02, 0.2) | st.sampled_from([-5.0, 5.0, 40.0])),
    min_size=1, max_size=300,
)  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(frames)
def test_buckets_count_every_frame_and_pair_within_tolerance(events: list[tuple[int, float]]) -> None:
    """Any camera at any time, backward too."""
    buckets = Buckets({"a": 25.0, "b": 25.0, "c": None})
    times, index, given_out = [0.0, 0.0, 0.0], [0, 0, 0], set()
    for which, step_s in events:
        times[which] += step_s
        name = "abc"[which]
        for bucket in buckets.push(name, index[which], EPOCH_NS + round(times[which] * S)):
            for camera, frame in bucket.frames.items():
                assert (camera, frame[0]) not in given_out  # each frame once
                given_out.add((camera, frame[0]))
            assert bucket.error_ns <= 0.1 * S
        index[which] += 1
    report = buckets.report()
    for k, name in enumerate("abc"):
        pairing = report.cameras[name]
        assert pairing.frames == index[k]
        assert 0 <= pairing.frames - pairing.paired - pairing.alone - pairing.late <= 256
