"""Every way a camera can go wrong, on a real socket: each has its own name, and no text shows a secret."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from crowdstream.stream.clock import WallClock
from crowdstream.stream.sources.live.address import parse_address
from crowdstream.stream.sources.live.config import LiveConfig
from crowdstream.stream.sources.live.faults import NoFrames
from crowdstream.stream.sources.live.reader import Picture, StreamReader
from crowdstream.stream.sources.live.records import SourceFault

sys.path.insert(0, str(Path(__file__).parents[1]))
from rig.http_stub import HttpStub
from rig.rtsp_stub import Auth, Fault, RtspStub

sys.path.pop(0)

F = SourceFault
QUICK = LiveConfig(open_timeout_s=1.0, stall_s=1.0)


def read(url: str, count: int, config: LiveConfig = QUICK) -> list[Picture]:
    """The first `count` pictures, in this process."""
    reader = StreamReader(parse_address(url), config, WallClock())
    try:
        pictures: list[Picture] = []
        for picture in reader.pictures():
            pictures.append(picture)
            if len(pictures) == count:
                break
        return pictures
    finally:
        reader.close()


def fault_of(url: str, config: LiveConfig = QUICK) -> SourceFault:
    with pytest.raises(NoFrames) as caught:
        read(url, 10_000, config)
    text = caught.value.text
    assert "geheim" not in text and "\n" not in text and len(text) < 300
    return caught.value.fault


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault.NOT_FOUND, F.NOT_FOUND),
        (Fault.BUSY, F.BUSY),
        (Fault.WRONG_CODEC, F.CODEC_UNSUPPORTED),
        (Fault.NO_VIDEO, F.NO_VIDEO),
        (Fault.GARBAGE, F.BROKEN),
        (Fault.NOT_RTSP, F.BROKEN),
    ],
)
def test_what_a_camera_answers(fault: Fault, expected: SourceFault) -> None:
    with RtspStub(fault=fault, fps=100) as camera:
        assert fault_of(camera.url_with("admin", "geheim")) is expected


@pytest.mark.parametrize("fault", [Fault.SILENT, Fault.SILENT_PLAY])
def test_silence_is_told_from_nonsense_by_its_time(fault: Fault) -> None:
    began_s = time.monotonic()
    with RtspStub(fault=fault) as camera:
        assert fault_of(camera.url) in (F.TIMEOUT, F.SILENT)
    assert time.monotonic() - began_s >= 0.8


@pytest.mark.parametrize("scheme", ["basic", "digest"])
def test_credentials(scheme: str) -> None:
    with RtspStub(auth=Auth("admin", "geheim", scheme)) as camera:
        assert fault_of(camera.url) is F.AUTH_FAILED
        assert fault_of(camera.url_with("geheim", "wrong")) is F.AUTH_FAILED
        assert len(read(camera.url_with("admin", "geheim"), 3)) == 3


def test_nobody_there() -> None:
    with RtspStub() as camera:
        camera.refuse()
        began_s = time.monotonic()
        assert fault_of(camera.url_with("u", "geheim")) is F.REFUSED
        assert fault_of(camera.url.replace("rtsp", "rtsps")) is F.REFUSED
        assert time.monotonic() - began_s < 1.0
    assert fault_of("rtsp://u:geheim@no-such-host.invalid/x") is F.NOT_FOUND
    assert fault_of("device:987") is F.NOT_FOUND


def test_plain_where_tls_is_expected_is_a_tls_fault() -> None:
    with RtspStub(fault=Fault.NOT_RTSP) as camera:
        assert fault_of(camera.url.replace("rtsp", "rtsps")) is F.TLS


def test_a_connection_that_is_cut() -> None:
    with RtspStub(fps=50) as camera:
        reader = StreamReader(parse_address(camera.url), QUICK, WallClock())
        with pytest.raises(NoFrames) as caught:
            for i, _ in enumerate(reader.pictures()):
                if i == 5:
                    camera.cut()
        reader.close()
    assert caught.value.fault is F.CLOSED


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_sender_reports_reach_the_pictures(transport: str) -> None:
    config = QUICK.model_copy(update={"transport": transport})
    with RtspStub(fps=50) as camera:
        camera.ntp_offset_s = 3.0
        pictures = read(camera.url, 20, config)
    assert pictures[0].pts_s is None  # as FFmpeg has it; the clock copes
    picture = pictures[-1]
    assert picture.report is not None and picture.pts_s is not None
    # the camera's wall clock, three seconds ahead, carried to this picture
    wall_ns = picture.report.ntp_ns + (float(picture.pts_s) - picture.report.rtp_s) * 1e9
    assert wall_ns - time.time_ns() == pytest.approx(3e9, abs=0.7e9)
    assert {p.report for p in pictures[2:]} == {picture.report}  # one report so far, given again and again


def test_a_camera_without_reports_gives_none() -> None:
    with RtspStub(reports=False, fps=50) as camera:
        pictures = read(camera.url, 10)
    assert all(p.report is None for p in pictures) and pictures[-1].pts_s is not None


def test_each_report_is_handed_on_once_it_is_there() -> None:
    with RtspStub(fps=50, report_every_s=0.1) as camera:
        reports = {p.report for p in read(camera.url, 40) if p.report}
    assert len(reports) >= 4


def test_over_http() -> None:
    with HttpStub() as camera:
        pictures = read(f"{camera.url}/mjpeg", 5)
        assert all(p.pts_s is None for p in pictures)  # FFmpeg makes up times; they mean nothing
        assert fault_of(f"{camera.url}/nothing") is F.NOT_FOUND
        camera.status = 401
        assert fault_of(f"{camera.url}/mjpeg?token=geheim") is F.AUTH_FAILED
        camera.status = 503
        assert fault_of(f"{camera.url}/mjpeg") is F.BUSY


@pytest.mark.parametrize("path", ["clip.ts", "live.m3u8"])
def test_a_recording_behind_an_address_is_paced_and_ends(path: str) -> None:
    with HttpStub() as camera:
        began_s = time.monotonic()
        pictures = read(f"{camera.url}/{path}", 10_000)
        assert len(pictures) == 50
        assert time.monotonic() - began_s >= 1.8  # its own two seconds, however fast the line


def test_a_playlist_cannot_make_the_engine_read_files() -> None:
    with HttpStub() as camera:
        assert fault_of(f"{camera.url}/evil.m3u8") in (F.BROKEN, F.NOT_FOUND)
        assert camera.served == ["/evil.m3u8"]
