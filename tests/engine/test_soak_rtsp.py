"""The real RTSP server of the soak plays as a camera does, and breaks as it is told."""

from __future__ import annotations

import sys
import time
from itertools import pairwise
from pathlib import Path

import av
import pytest

from crowdstream.lab.soak.rtsp import NoRtspServer, RtspCameras

sys.path.insert(0, str(Path(__file__).parents[1]))
from rig.gst_rtsp_server import camera_clip, needs_gstreamer

pytestmark = needs_gstreamer
TCP = {"rtsp_transport": "tcp", "timeout": "3000000"}


def test_it_plays_in_real_time_with_sender_reports(tmp_path: Path) -> None:
    with (
        RtspCameras({"gate": camera_clip(tmp_path, "gate")}) as cameras,
        av.open(cameras.url("gate"), options=TCP) as camera,
    ):
        seconds: list[float] = []
        reports = False
        for packet in camera.demux(video=0):
            reports = reports or packet.has_sidedata("rtcp_sr")
            if packet.pts is not None:
                seconds.append(float(packet.pts * packet.time_base))
            # the first report comes 1.25 to 3.75 s after the start (RFC 3550, 6.2: half of five seconds, drawn)
            if len(seconds) >= 60 and (reports or len(seconds) >= 240):
                break
        sent = cameras.sent()["gate"]
    # 25 pictures a second, by the server's own stamps: no burst, none left out
    assert seconds[59] - seconds[0] == pytest.approx(59 / 25, rel=0.25)
    assert all(later > earlier for earlier, later in pairwise(seconds))
    assert sent >= 60 and reports


def test_dropped_it_ends_and_refuses_and_comes_back_on_its_port(tmp_path: Path) -> None:
    with RtspCameras({"gate": camera_clip(tmp_path, "gate")}) as cameras:
        with av.open(cameras.url("gate"), options=TCP) as camera:
            frames = camera.decode(video=0)
            next(frames)
            cameras.tell("drop gate")
            assert sum(1 for _ in frames) < 250  # it ends, with what was on the way
        with pytest.raises(OSError):
            av.open(cameras.url("gate"), options=TCP)
        cameras.tell("restore gate")
        with av.open(cameras.url("gate"), options=TCP) as camera:
            assert next(camera.decode(video=0)).width == 160


def test_silenced_it_keeps_the_connection_and_sends_nothing(tmp_path: Path) -> None:
    with RtspCameras({"gate": camera_clip(tmp_path, "gate")}) as cameras:
        with av.open(cameras.url("gate"), options=TCP) as camera:
            next(camera.decode(video=0))
            before = cameras.tell("silence gate")["gate"]
            time.sleep(0.3)
            assert cameras.sent()["gate"] <= before + 1  # one may have been on its way
            after = cameras.tell("speak gate")["gate"]
            deadline_s = time.monotonic() + 10.0
            while cameras.sent()["gate"] <= after and time.monotonic() < deadline_s:
                time.sleep(0.05)
            assert cameras.sent()["gate"] > after


def test_switched_it_goes_on_with_another_size_in_the_same_stream(tmp_path: Path) -> None:
    small = camera_clip(tmp_path, "small", (96, 80))
    with (
        RtspCameras({"gate": camera_clip(tmp_path, "gate")}) as cameras,
        av.open(cameras.url("gate"), options=TCP) as camera,
    ):
        sizes = []
        for frame in camera.decode(video=0):
            sizes.append((frame.width, frame.height))
            if len(sizes) == 5:
                cameras.tell(f"switch gate {small}")
            if sizes[-1] == (96, 80) or len(sizes) > 300:
                break
    assert sizes[0] == (160, 120) and sizes[-1] == (96, 80)


@pytest.mark.parametrize("kind", ["basic", "digest"])
def test_only_with_user_and_password(tmp_path: Path, kind: str) -> None:
    with RtspCameras({"gate": camera_clip(tmp_path, "gate")}, "watcher", "secret", kind) as cameras:
        for access in ("", "watcher:wrong@"):
            with pytest.raises(av.error.HTTPUnauthorizedError):
                av.open(cameras.url("gate", access), options=TCP)
        with av.open(cameras.url("gate", "watcher:secret@"), options=TCP) as camera:
            assert next(camera.decode(video=0)).width == 160


def test_an_order_nobody_knows_is_answered_with_those_that_are(tmp_path: Path) -> None:
    with RtspCameras({"gate": camera_clip(tmp_path, "gate")}) as cameras:
        with pytest.raises(NoRtspServer, match="drop, restore, silence"):
            cameras.tell("explode gate")
        with pytest.raises(NoRtspServer, match="no such camera: attic; there are gate"):
            cameras.tell("drop attic")
