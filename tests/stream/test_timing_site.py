"""A site whose camera's time leaps: windows and tracks of one timeline never reach into another, none is lost."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest

from crowdstream.kernels.solve.problem import WindowProblem
from crowdstream.lab.scripted_crowd import ScriptedCrowd
from crowdstream.stream.calibrate import CalibrateConfig
from crowdstream.stream.calibration_file import Calibration
from crowdstream.stream.records import ClockOrigin, Frame, PixelFormat, TrackedFrame
from crowdstream.stream.ring import FrameRing, RingReader
from crowdstream.stream.site import SiteOutput, SiteStage
from crowdstream.stream.stitch.config import StitchConfig
from crowdstream.stream.track import TrackingStage
from crowdstream.stream.track_config import TrackConfig
from crowdstream.stream.windows import WindowConfig
from crowdstream.stream.wire.tiers import Stamp, live_message, live_record

S = 1_000_000_000
EPOCH_NS = 1_700_000_000 * S
RATE = 10
FRAMES = 100
CROWD = ScriptedCrowd(people=3, frames=FRAMES, fps=RATE)
HALF = FRAMES // 2
SEEN = [CROWD.observation(k, "cam", 0) for k in range(FRAMES)]


@lru_cache
def _run(times_ns: tuple[int, ...]) -> list[SiteOutput]:
    """The scripted crowd, its frames stamped like this."""
    calibration = Calibration(CROWD.camera, CROWD.ground, "file")
    site = SiteStage(
        "cam", CROWD.size_px, TrackConfig(), CalibrateConfig(), WindowConfig(), calibration, StitchConfig()
    )
    steps = [site.step(replace(seen, t_capture_ns=t)) for seen, t in zip(SEEN, times_ns, strict=False)]
    return [*steps, site.finish()]


def _leaping(step_s: float) -> tuple[int, ...]:
    """Frames at 10 Hz; from the middle on, their times are off by step_s."""
    return tuple(EPOCH_NS + k * S // RATE + (round(step_s * S) if k >= HALF else 0) for k in range(FRAMES))


def _timelines(outputs: list[SiteOutput]) -> list[list[WindowProblem]]:
    """Windows that lie side by side; a new timeline begins some numbers later."""
    groups: list[list[WindowProblem]] = []
    for problem in (p for output in outputs for p in output.problems):
        if groups and problem.window == groups[-1][-1].window + 1:
            groups[-1].append(problem)
        else:
            groups.append([problem])
    return groups


def _seen_ns(problem: WindowProblem) -> tuple[int, int]:
    """Times of the first and of the last slot in which somebody was seen."""
    seen = np.flatnonzero((problem.confidence > 0).any(axis=(0, 1, 3)))
    first, last = (problem.t0_ns + round(int(slot) * S / 30) for slot in (seen[0], seen[-1]))
    return first, last


@pytest.mark.parametrize("step_s", [-3600.0, -5.0, 5.0, 20.0, 3600.0])
def test_no_window_reaches_from_one_timeline_into_another(step_s: float) -> None:
    half_slot = S // 60 + 1
    end_ns = EPOCH_NS + (HALF - 1) * S // RATE
    begin_ns = EPOCH_NS + HALF * S // RATE + round(step_s * S)
    before, after = _timelines(_run(_leaping(step_s)))
    assert all(EPOCH_NS - half_slot <= t <= end_ns + half_slot for p in before for t in _seen_ns(p))
    over_ns = begin_ns + (HALF - 1) * S // RATE
    assert all(begin_ns - half_slot <= t <= over_ns + half_slot for p in after for t in _seen_ns(p))
    # all that was seen stands in a window; of a step back, what came before it was believed does not
    assert max(_seen_ns(p)[1] for p in before) >= end_ns - half_slot
    assert min(_seen_ns(p)[0] for p in after) <= begin_ns + (0.2 * S if step_s < 0 else 0) + half_slot
    assert max(_seen_ns(p)[1] for p in after) >= over_ns - half_slot


@pytest.mark.parametrize("step_s", [-3600.0, -5.0, 5.0, 3600.0])
def test_windows_before_a_leap_are_those_of_a_stream_that_ended_there(step_s: float) -> None:
    leapt = _timelines(_run(_leaping(step_s)))[0]
    ended = _timelines(_run(_leaping(0.0)[:HALF]))[0]
    assert [(p.window, p.slot0, p.t0_ns) for p in leapt] == [(p.window, p.slot0, p.t0_ns) for p in ended]
    for a, b in zip(leapt, ended, strict=True):
        assert np.array_equal(a.person_ids, b.person_ids)
        assert np.array_equal(a.keypoints_px, b.keypoints_px)
        assert np.array_equal(a.present, b.present)


@pytest.mark.parametrize("step_s", [-3600.0, -5.0, 20.0, 3600.0])
def test_nobody_is_carried_from_one_timeline_into_another(step_s: float) -> None:
    before, after = _timelines(_run(_leaping(step_s)))
    ids = [{int(i) for p in group for i in p.person_ids} for group in (before, after)]
    assert ids[0] and ids[1] and not ids[0] & ids[1]


@pytest.mark.parametrize("step_s", [-5.0, 0.0, 1.5, 5.0, 20.0])
def test_tracks_do_not_teleport(step_s: float) -> None:
    last: dict[int, TrackedFrame] = {}
    for frame in (f for output in _run(_leaping(step_s)) for f in output.tracked):
        for row in np.flatnonzero(frame.seen).tolist():
            person = int(frame.person_ids[row])
            if person in last:
                old = last[person]
                (k,) = np.flatnonzero(old.person_ids == person)
                apart_m = np.linalg.norm(frame.position_m[row, :2] - old.position_m[k, :2])
                passed_s = (frame.t_capture_ns - old.t_capture_ns) / S
                assert 0 < passed_s < TrackConfig().wait_s
                assert apart_m < 0.3 + 2.5 * min(passed_s, 1.0)
            last[person] = frame


def test_one_mad_stamp_back_costs_one_frame() -> None:
    """Nobody is lost, no window is cut."""
    times = list(_leaping(0.0))
    times[HALF] -= 3600 * S
    (mad,), (whole,) = _timelines(_run(tuple(times))), _timelines(_run(_leaping(0.0)))
    assert [(p.window, p.t0_ns) for p in mad] == [(p.window, p.t0_ns) for p in whole]
    assert all(np.array_equal(a.person_ids, b.person_ids) for a, b in zip(mad, whole, strict=True))


def test_every_message_says_how_far_its_clock_may_be_off() -> None:
    seen = replace(CROWD.observation(0, "cam", EPOCH_NS), skew_ns=-12_345, clock=ClockOrigin.NTP_SR)
    tracker = TrackingStage(TrackConfig(), "cam", CROWD.size_px)
    message = live_message(tracker.step(seen), "cam", Stamp("s", 1, EPOCH_NS, False))
    assert (message.skew_ns, message.clock) == (-12_345, "ntp_sr")
    assert live_record(message).skew_ns == -12_345
    unknown = live_message(
        tracker.step(CROWD.observation(1, "cam", EPOCH_NS + S)), "cam", Stamp("s", 2, EPOCH_NS, False)
    )
    assert unknown.skew_ns is None


def test_the_ring_hands_the_skew_on() -> None:
    image = np.zeros((6, 4), np.uint8)
    frame = Frame("cam", 0, EPOCH_NS, ClockOrigin.HOST, image, PixelFormat.I420, (4, 4), skew_ns=77)
    reader = RingReader()
    with FrameRing(image.nbytes, 1) as ring:
        token = ring.write(frame)
        assert token is not None and token.skew_ns == 77
        with reader.frame(token) as again:
            assert again.skew_ns == 77
            del again
        reader.close()
