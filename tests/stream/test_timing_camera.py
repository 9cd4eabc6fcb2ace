"""Capture times of a real stream: FFmpeg's presentation times and sender reports over a real RTSP server."""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path

import pytest

from crowdstream.stream.clock import WallClock
from crowdstream.stream.records import ClockOrigin
from crowdstream.stream.sources.live.address import parse_address
from crowdstream.stream.sources.live.config import LiveConfig
from crowdstream.stream.sources.live.reader import Picture, StreamReader
from crowdstream.stream.timing.capture import CaptureClock
from crowdstream.stream.timing.records import Stamp

sys.path.insert(0, str(Path(__file__).parents[1]))
from rig.rtsp_stub import RtspStub

sys.path.pop(0)

S = 1_000_000_000
COUNT = 30
CONFIG = LiveConfig(open_timeout_s=20.0, stall_s=20.0)


def _read(camera: RtspStub) -> list[Picture]:
    reader = StreamReader(parse_address(camera.url), CONFIG, WallClock())
    try:
        pictures: list[Picture] = []
        for picture in reader.pictures():
            pictures.append(picture)
            if len(pictures) == COUNT:
                break
        return pictures
    finally:
        reader.close()


def _stamps(pictures: list[Picture], skip: int) -> list[Stamp]:
    """As if the last report had been there from the first frame on: nothing is left to be slewed."""
    clock = CaptureClock()
    return [clock.stamp(p.pts_s, p.arrival_ns, pictures[-1].report) for p in pictures[skip:]]


@pytest.mark.parametrize("ahead_s", [0.0, 3.0, -3.0])
def test_with_reports_stamps_are_the_cameras_own_times(ahead_s: float) -> None:
    with RtspStub(fps=50) as camera:
        camera.ntp_offset_s = ahead_s
        pictures = _read(camera)
        truth = list(camera.truth)
    skip = next(k for k, p in enumerate(pictures) if p.pts_s is not None)
    stamps = _stamps(pictures, skip)
    assert {s.origin for s in stamps} == {ClockOrigin.NTP_SR}
    began_ns, began_media_s, _ = truth[0]
    for k, stamp in enumerate(stamps, start=skip):
        taken_s = truth[k][1] - began_media_s  # by the camera's own clock, whenever it came to send it
        assert (
            abs(stamp.t_capture_ns - began_ns - (taken_s + ahead_s) * S) < 0.5 * S
        )  # a busy machine sends late
        apart_s = truth[k][1] - truth[skip][1]
        assert abs(stamp.t_capture_ns - stamps[0].t_capture_ns - apart_s * S) < 0.003 * S
    assert all(a.t_capture_ns < b.t_capture_ns for a, b in pairwise(stamps))
    assert stamps[-1].skew_ns is not None
    assert abs(stamps[-1].skew_ns / S + ahead_s) < 2.5  # a busy machine takes its time to decode


def test_without_reports_stamps_are_this_machines() -> None:
    with RtspStub(fps=50, reports=False) as camera:
        pictures = _read(camera)
        truth = list(camera.truth)
    clock = CaptureClock()
    stamps = [clock.stamp(p.pts_s, p.arrival_ns, p.report) for p in pictures]
    assert {s.origin for s in stamps} == {ClockOrigin.HOST}
    assert all(a.t_capture_ns < b.t_capture_ns for a, b in pairwise(stamps))
    assert truth[0][0] < stamps[0].t_capture_ns <= pictures[0].arrival_ns
    ahead_s = [(s.t_capture_ns - p.arrival_ns) / S for s, p in zip(stamps, pictures, strict=True)]
    assert max(ahead_s) < 1.1
