"""Capture times of a live camera: never back, evenly spaced, on the camera's own clock where that can be believed."""

from __future__ import annotations

import pickle
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from crowdstream.stream.records import ClockOrigin
from crowdstream.stream.timing.capture import CaptureClock
from crowdstream.stream.timing.config import TimingConfig
from crowdstream.stream.timing.records import SenderReport
from crowdstream.stream.windows import WindowConfig

sys.path.insert(0, str(Path(__file__).parents[1]))
from rig.timed_camera import EPOCH_NS, S, Shot, TimedCamera, errors_s, moved, rises, spacing_off, stamps_of

sys.path.pop(0)

SLEW = TimingConfig().slew_rate
EVEN = 1e-3
"""Interval of frames may be off by this share where nothing is slewed."""


# --- arrival ----------------------------------------------------------------------------------------------


def test_a_burst_keeps_its_spacing() -> None:
    """An I-frame pause of half a second, then 15 frames at once (streaming tests 9)."""
    camera = TimedCamera(fps=30, seconds=40, pauses=((20.0, 0.5),), first_report_s=None)
    shots = camera.shots()
    stamps = stamps_of(shots)
    first = next(k for k, shot in enumerate(shots) if shot.true_ns >= EPOCH_NS + 20 * S)
    arrivals = np.diff([shot.arrival_ns for shot in shots[first - 1 : first + 15]])
    assert arrivals.max() > 0.4 * S and np.median(arrivals) < 0.005 * S  # there was a burst
    assert np.abs(spacing_off(shots, stamps))[first - 5 : first + 20].max() < 0.02
    assert {s.origin for s in stamps} == {ClockOrigin.HOST}
    assert not any(s.new_timeline for s in stamps)


def test_jitter_of_a_long_tailed_network_is_smoothed_away() -> None:
    shots = TimedCamera(seconds=120, ppm=40, first_report_s=None, pauses=((50.0, 0.5), (90.0, 1.5))).shots()
    stamps = stamps_of(shots)
    arrival = np.array([(s.arrival_ns - s.true_ns) / 1e9 for s in shots])[1000:]
    stamped = errors_s(shots, stamps)[1000:]
    assert arrival.std() > 0.05
    assert stamped.std() < 0.001 < arrival.std() / 50
    assert abs(stamped.mean() - 0.08) < 0.005  # what is left is the shortest delay


def test_time_follows_a_media_clock_that_drifts() -> None:
    """A hundred ppm are 0.36 s in an hour, 60 ms in these ten minutes; the stamps do not know of it."""
    shots = TimedCamera(fps=5, seconds=600, ppm=100, first_report_s=None).shots()
    clock = CaptureClock()
    off = errors_s(shots, stamps_of(shots, clock))
    assert abs(off[-500:].mean() - off[500:1000].mean()) < 0.005
    drift = clock.quality.drift_ppm
    assert drift is not None and abs(drift + 100) < 40


def test_a_stamp_does_not_lie_after_its_arrival_for_long() -> None:
    """A server that sends its last two seconds at once on connecting."""
    shots = TimedCamera(seconds=20, first_report_s=None, pauses=((0.0, 2.0),)).shots()
    stamps = stamps_of(shots)
    ahead = np.array([(b.t_capture_ns - a.arrival_ns) / 1e9 for a, b in zip(shots, stamps, strict=True)])
    assert ahead.max() < 1.1
    assert ahead[100:].max() <= 0.001  # two seconds later it is over
    assert rises(stamps)


def test_frames_without_presentation_times_follow_their_arrival() -> None:
    shots = [replace(s, pts_s=None) for s in TimedCamera(seconds=20, pauses=((10.0, 0.5),)).shots()]
    stamps = stamps_of(shots)
    late = np.array([(b.t_capture_ns - a.arrival_ns) / 1e9 for a, b in zip(shots, stamps, strict=True)])
    assert rises(stamps)
    assert late.max() < 0.6 and abs(late[-1]) < 0.05
    assert {(s.origin, s.skew_ns) for s in stamps} == {(ClockOrigin.HOST, None)}


def test_a_missing_presentation_time_costs_nothing() -> None:
    """RTSP's first frame has none; some decoders lose one now and then."""
    shots = TimedCamera(seconds=20, first_report_s=None, tail_s=0.002).shots()
    holes = [replace(s, pts_s=None) if k in (0, 200, 300, 301) else s for k, s in enumerate(shots)]
    stamps, whole = stamps_of(holes), stamps_of(shots)
    assert rises(stamps)
    off = [abs(a.t_capture_ns - b.t_capture_ns) for a, b in zip(stamps, whole, strict=True)]
    assert max(off[100:]) < 0.02 * S
    assert np.median(off) < 0.002 * S


# --- sender reports ---------------------------------------------------------------------------------------


def test_with_reports_the_time_is_the_cameras() -> None:
    shots = TimedCamera(ppm=60, ahead_s=0.3, seconds=90).shots()
    clock = CaptureClock()
    stamps = stamps_of(shots, clock)
    off = errors_s(shots, stamps) - 0.3
    assert np.abs(off[1000:]).max() < 0.002
    assert stamps[-1].origin is ClockOrigin.NTP_SR
    # 80 ms of delay that nobody can tell from a clock that is behind, and 300 ms that it is ahead
    assert stamps[-1].skew_ns == pytest.approx((0.08 - 0.3) * S, abs=0.005 * S)
    quality = clock.quality
    assert quality.drift_ppm is not None and quality.drift_ppm < -20
    assert (quality.clock_error_ns, quality.timelines) == (None, 1)


def test_before_the_first_report_time_is_the_hosts_and_then_it_does_not_leap() -> None:
    shots = TimedCamera(seconds=60, first_report_s=8.0, ahead_s=-0.4).shots()
    stamps = stamps_of(shots)
    origins = [s.origin for s in stamps]
    change = origins.index(ClockOrigin.NTP_SR)
    assert change > 190 and set(origins[change:]) == {ClockOrigin.NTP_SR}
    assert not any(s.new_timeline for s in stamps)
    assert np.abs(spacing_off(shots, stamps)[change - 20 :]).max() <= SLEW + EVEN
    assert abs(errors_s(shots, stamps)[-1] + 0.4) < 0.002


def test_without_reports_nothing_waits_for_them() -> None:
    shots = TimedCamera(seconds=10, first_report_s=None).shots()
    assert len(stamps_of(shots)) == len(shots)
    assert {s.origin for s in stamps_of(shots)} == {ClockOrigin.HOST}


def test_reports_that_stop_leave_time_where_it_was() -> None:
    """38 minutes of drift were seen elsewhere when reports were missed."""
    shots = TimedCamera(fps=5, seconds=600, ppm=100, ahead_s=1.5).shots()
    last = next(s.report for s in shots[200:] if s.report)
    shots = [replace(s, report=s.report if k < 500 else last) for k, s in enumerate(shots)]
    stamps = stamps_of(shots)
    assert stamps[-1].origin is ClockOrigin.HOST
    assert not any(s.new_timeline for s in stamps)
    assert np.abs(errors_s(shots, stamps)[400:] - 1.5).max() < 0.01
    assert stamps[-1].skew_ns == pytest.approx((0.08 - 1.5) * S, abs=0.01 * S)


@pytest.mark.parametrize("ahead_s", [-EPOCH_NS / S, -20.0, 11.0, 3.2e8])
def test_an_absurd_clock_is_not_believed_and_said(ahead_s: float) -> None:
    shots = TimedCamera(seconds=20, ahead_s=ahead_s).shots()
    clock = CaptureClock()
    stamps = stamps_of(shots, clock)
    assert {s.origin for s in stamps} == {ClockOrigin.HOST}
    assert np.abs(errors_s(shots, stamps)[250:] - 0.08).max() < 0.01
    assert clock.quality.clock_error_ns == pytest.approx(-ahead_s * S, abs=0.03 * S)
    assert ("ahead" if ahead_s > 0 else "behind") in str(clock.quality)


def test_reports_can_be_switched_off() -> None:
    clock = CaptureClock(TimingConfig(sender_reports=False))
    assert {s.origin for s in stamps_of(TimedCamera(seconds=10).shots(), clock)} == {ClockOrigin.HOST}


def test_one_mad_report_moves_nothing() -> None:
    shots = TimedCamera(seconds=60).shots()
    mad = [
        replace(s, report=replace(s.report, ntp_ns=s.report.ntp_ns + 3 * S))
        if s.report and 30 * S < s.report.arrival_ns - EPOCH_NS < 35 * S
        else s
        for s in shots
    ]
    assert mad != shots
    off = [
        abs(a.t_capture_ns - b.t_capture_ns) for a, b in zip(stamps_of(mad), stamps_of(shots), strict=True)
    ]
    assert max(off) < 0.002 * S


# --- clocks that step -------------------------------------------------------------------------------------


@pytest.mark.parametrize("step_s", [-5.0, -1.0, 1.0, 5.0])
def test_a_step_of_the_cameras_clock_is_slewed(step_s: float) -> None:
    """Back or forth: stamps rise, and neighbouring frames stay as far apart as they were taken."""
    shots = TimedCamera(seconds=200, ahead_later=((40.0, step_s),)).shots()
    stamps = stamps_of(shots)
    assert rises(stamps)
    assert not any(s.new_timeline for s in stamps)
    assert np.abs(spacing_off(shots, stamps)[250:]).max() <= SLEW + EVEN
    assert abs(errors_s(shots, stamps)[-1] - step_s) < 0.002


def test_a_larger_step_forward_leaps_once() -> None:
    shots = TimedCamera(seconds=80, ahead_later=((40.0, 8.0),)).shots()
    stamps = stamps_of(shots)
    leaps = [k for k, s in enumerate(stamps) if s.new_timeline]
    assert len(leaps) == 1
    assert stamps[leaps[0]].t_capture_ns - stamps[leaps[0] - 1].t_capture_ns > 5.1 * S
    assert abs(errors_s(shots, stamps)[-1] - 8.0) < 0.002


def test_a_larger_step_back_goes_on_after_the_last_stamp() -> None:
    shots = TimedCamera(seconds=250, ahead_later=((40.0, -8.0),)).shots()
    stamps = stamps_of(shots)
    assert rises(stamps)
    assert sum(s.new_timeline for s in stamps) == 1
    off = spacing_off(shots, stamps)[250:]
    assert (
        off.max() <= SLEW + EVEN and np.sort(off)[1] >= -SLEW - EVEN
    )  # one interval, the first, may be half
    assert abs(errors_s(shots, stamps)[-1] + 8.0) < 0.002


@pytest.mark.parametrize("step_s", [-5.0, -3600.0, 5.0, 3600.0])
def test_a_step_of_the_media_clock_begins_a_timeline_at_arrival(step_s: float) -> None:
    shots = TimedCamera(seconds=60, first_report_s=None).shots()
    shots = shots[:800] + moved(shots[800:], pts_s=step_s)
    stamps = stamps_of(shots)
    assert rises(stamps)
    assert [k for k, s in enumerate(stamps) if s.new_timeline] == [801]
    off = errors_s(shots, stamps)
    assert np.abs(off[850:] - 0.08).max() < 0.02 and off[795:850].max() < 0.5


@pytest.mark.parametrize("bits", [32, 33])
def test_a_wrapped_counter_is_no_event(bits: int) -> None:
    wrap_s = 2**bits / 90_000
    shots = TimedCamera(seconds=40, pts0_s=wrap_s - 20).shots()
    wrapped = [
        replace(
            s,
            pts_s=None if s.pts_s is None else s.pts_s % wrap_s,
            report=s.report and replace(s.report, rtp_s=s.report.rtp_s % wrap_s),
        )
        for s in shots
    ]
    assert wrapped != shots
    a, b = stamps_of(wrapped), stamps_of(shots)
    assert max(abs(x.t_capture_ns - y.t_capture_ns) for x, y in zip(a, b, strict=True)) < 1000
    assert not any(s.new_timeline for s in a)


@pytest.mark.parametrize("step_s", [-5.0, 5.0])
def test_a_step_of_this_machines_clock_never_turns_time_back(step_s: float) -> None:
    shots = TimedCamera(seconds=90, first_report_s=None).shots()
    shots = shots[:1000] + moved(shots[1000:], arrival_s=step_s)
    stamps = stamps_of(shots)
    assert rises(stamps)
    assert sum(s.new_timeline for s in stamps) <= 1
    off = errors_s(moved(shots, true_s=step_s), stamps) - 0.08
    assert abs(off[-1]) < 5.0 - 0.04 * (90 - 40 - TimingConfig().step_hold_s - 3)  # on its way, by the slew
    assert np.abs(spacing_off(shots, stamps)[1005:]).max() <= SLEW + EVEN


def test_a_stream_held_for_long_leaps_to_the_present() -> None:
    """20 s without a frame, then the presentation times go on as if nothing had been."""
    shots = TimedCamera(seconds=60, first_report_s=None).shots()
    shots = shots[:500] + moved(shots[500:], true_s=20.0, arrival_s=20.0)
    stamps = stamps_of(shots)
    leaps = [k for k, s in enumerate(stamps) if s.new_timeline]
    assert len(leaps) == 1 and 500 < leaps[0] < 500 + 8 * 25
    assert rises(stamps)
    assert np.abs(errors_s(shots, stamps)[leaps[0] + 50 :] - 0.08).max() < 0.02


def test_a_black_out_is_a_gap_and_no_new_timeline() -> None:
    shots = [s for s in TimedCamera(seconds=60).shots() if not 20 < (s.true_ns - EPOCH_NS) / S < 40]
    stamps = stamps_of(shots)
    assert not any(s.new_timeline for s in stamps)
    gaps = np.diff([s.t_capture_ns for s in stamps])
    assert gaps.max() == pytest.approx(20 * S, abs=0.5 * S)
    assert np.abs(errors_s(shots, stamps)[-400:]).max() < 0.005


# --- reconnecting -----------------------------------------------------------------------------------------


def test_a_clock_after_another_goes_on_behind_it() -> None:
    """The camera was set back by 8 s while it was away, and its presentation times begin anew."""
    before = TimedCamera(seconds=20, ahead_s=0.5).shots()
    last = stamps_of(before)[-1].t_capture_ns
    shots = moved(TimedCamera(seconds=200, pts0_s=0.0, seed=2).shots(), true_s=20.2, arrival_s=20.2)
    shots = [
        replace(s, report=s.report and SenderReport(
            s.report.ntp_ns + round(12.2 * S), s.report.rtp_s, s.report.arrival_ns + round(20.2 * S)))
        for s in shots
    ]  # fmt: skip
    stamps = stamps_of(shots, CaptureClock(after_ns=last))
    assert stamps[0].new_timeline and stamps[0].t_capture_ns > last
    assert rises(stamps)
    assert stamps[-1].origin is ClockOrigin.NTP_SR
    assert abs(errors_s(shots, stamps)[-1] + 8.0) < 0.005


def test_the_very_first_stamp_of_a_camera_begins_nothing() -> None:
    assert not stamps_of(TimedCamera(seconds=1).shots())[0].new_timeline


# --- what windows rest on ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "camera",
    [
        TimedCamera(ahead_later=((20.0, -5.0),)),
        TimedCamera(ahead_later=((20.0, 5.0),)),
        TimedCamera(ahead_later=((20.0, 8.0),)),
        TimedCamera(ahead_later=((20.0, -8.0),)),
        TimedCamera(first_report_s=15.0, ahead_s=4.0, pauses=((30.0, 0.5),)),
        TimedCamera(first_report_s=15.0, ahead_s=-9.0),
    ],
)
def test_frames_that_may_share_a_window_were_taken_that_far_apart(camera: TimedCamera) -> None:
    """Whatever the clocks do: stamps either lie as far apart as the frames, or too far for one timeline of windows."""
    window = WindowConfig()
    shots = camera.shots()
    stamps = stamps_of(shots)
    apart = round(window.frames / window.rate_hz * camera.fps)
    broken = 0
    for a, b in zip(range(200, len(shots) - apart), range(200 + apart, len(shots)), strict=True):
        times = [s.t_capture_ns for s in stamps[a : b + 1]]
        if max(y - x for x, y in pairwise(times)) > window.jump_ahead_s * S:
            broken += 1  # the windows begin anew there
            continue
        off_s = ((times[-1] - times[0]) - (shots[b].true_ns - shots[a].true_ns)) / S
        assert abs(off_s) <= SLEW * apart / camera.fps + 1 / camera.fps
    assert broken <= apart


# --- itself -----------------------------------------------------------------------------------------------


def test_equal_inputs_give_equal_stamps() -> None:
    shots = TimedCamera(seconds=30, ppm=30, pauses=((10.0, 0.7),)).shots()
    assert stamps_of(shots) == stamps_of(shots)


def test_memory_does_not_grow() -> None:
    clock = CaptureClock()
    shots = TimedCamera(fps=10, seconds=300, report_every_s=1.0).shots()
    sizes = []
    for k, shot in enumerate(shots):
        clock.stamp(shot.pts_s, shot.arrival_ns, shot.report)
        if k % 500 == 499:
            sizes.append(len(pickle.dumps(clock)))
    assert max(sizes[1:]) < 1.05 * sizes[1] < 20_000


def test_an_array_of_cameras_comes_to_one_clock() -> None:
    """Three cameras, taken at the same moments, over networks of 20, 80 and 300 ms: reports make them agree."""
    networks = ((0.02, 0.002), (0.08, 0.01), (0.3, 0.05))
    runs: list[list[Shot]] = [
        TimedCamera(seconds=60, ppm=20 * k, shortest_s=a, tail_s=b, seed=k).shots()
        for k, (a, b) in enumerate(networks)
    ]
    times = np.array([[s.t_capture_ns for s in stamps_of(shots)] for shots in runs])[:, 800:]
    assert np.ptp(times, axis=0).max() < 0.003 * S
    arrivals = np.array([[s.arrival_ns for s in shots] for shots in runs])[:, 800:]
    assert np.ptp(arrivals, axis=0).mean() > 0.25 * S
    assert all(a < b for row in times.tolist() for a, b in pairwise(row))
