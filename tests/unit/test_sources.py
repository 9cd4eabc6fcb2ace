"""Sources: true times, honest counts, one clear line for what cannot be read."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from crowdstream.stream.clock import FakeClock
from crowdstream.stream.errors import SourceError
from crowdstream.stream.records import PixelFormat
from crowdstream.stream.sources.base import SourceConfig
from crowdstream.stream.sources.file import FileSource
from crowdstream.stream.sources.folder import FolderSource, natural_key
from crowdstream.stream.sources.open import open_source
from crowdstream.stream.sources.pace import DropStale, paced

SIZE = (64, 48)


def write_video(
    path: Path,
    pts_ms: Sequence[int],
    *,
    pixels: str = "yuv420p",
    size: tuple[int, int] = SIZE,
    options: dict[str, str] | None = None,
) -> Path:
    """A small H.264 clip; the brightness of frame i is 40 + 5 i."""
    with av.open(str(path), "w", options=options or {}) as container:
        stream = container.add_stream("libx264", rate=25, options={"preset": "ultrafast", "g": "8"})
        stream.width, stream.height = size
        stream.pix_fmt = pixels
        stream.codec_context.time_base = Fraction(1, 1000)
        for i, pts in enumerate(pts_ms):
            picture = np.full((size[1], size[0], 3), min(40 + 5 * i, 255), np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
            frame.pts, frame.time_base = pts, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def write_images(folder: Path, names: Sequence[str], size: tuple[int, int] = SIZE) -> Path:
    folder.mkdir(exist_ok=True)
    for i, name in enumerate(names):
        cv2.imwrite(str(folder / name), np.full((size[1], size[0], 3), 10 * i, np.uint8))
    return folder


def test_variable_rate_times_are_those_of_the_file(tmp_path: Path) -> None:
    pts = [0, 40, 80, 200, 210, 500, 540]
    with open_source(str(write_video(tmp_path / "a.mp4", pts)), SourceConfig(start_ns=7)) as source:
        frames = list(source)
    assert [f.t_capture_ns for f in frames] == [7 + p * 1_000_000 for p in pts]
    assert [f.index for f in frames] == list(range(7))
    assert source.stats.complete and source.stats.decoded == 7


def test_frames_are_the_decoders_own_planes(tmp_path: Path) -> None:
    with FileSource(write_video(tmp_path / "a.mp4", range(0, 400, 40))) as source:
        assert (source.camera, source.size_px, source.num_frames) == ("a", SIZE, 10)
        assert source.fps == pytest.approx(25)
        for i, frame in enumerate(source):
            assert frame.format is PixelFormat.I420 and frame.image.shape == (72, 64)
            bgr = cv2.cvtColor(frame.image, cv2.COLOR_YUV2BGR_I420)
            assert bgr.mean() == pytest.approx(40 + 5 * i, abs=3)


@pytest.mark.parametrize(
    ("pixels", "size", "expected"),
    [
        ("yuvj420p", SIZE, PixelFormat.I420),
        ("yuv444p", SIZE, PixelFormat.BGR),
        ("yuv444p", (63, 47), PixelFormat.BGR),
    ],
)
def test_other_layouts_keep_their_brightness(
    tmp_path: Path, pixels: str, size: tuple[int, int], expected: PixelFormat
) -> None:
    with FileSource(write_video(tmp_path / "a.mp4", range(0, 400, 40), pixels=pixels, size=size)) as source:
        frame = list(source)[8]
    assert frame.format is expected and frame.size_px == size
    is_planar = frame.format is PixelFormat.I420
    bgr = cv2.cvtColor(frame.image, cv2.COLOR_YUV2BGR_I420) if is_planar else frame.image
    assert bgr.shape == (size[1], size[0], 3)
    assert bgr.mean() == pytest.approx(80, abs=4)


def test_a_cut_file_gives_what_it_has_and_says_so(tmp_path: Path) -> None:
    whole = write_video(tmp_path / "a.mp4", range(0, 4000, 40), options={"movflags": "faststart"})
    data = whole.read_bytes()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(data[: len(data) * 3 // 4])
    with FileSource(cut) as source:
        frames = list(source)
    assert 0 < len(frames) < 100
    assert source.stats.truncated and "announces 100 frames" in source.stats.cause
    assert len(frames) == source.stats.decoded


def test_damaged_packets_are_counted_and_the_rest_is_used(tmp_path: Path) -> None:
    whole = write_video(tmp_path / "a.mkv", range(0, 4000, 40))
    data = bytearray(whole.read_bytes())
    middle = len(data) // 2
    data[middle : middle + len(data) // 10] = bytes(len(data) // 10)
    bad = tmp_path / "bad.mkv"
    bad.write_bytes(data)
    with FileSource(bad) as source:
        frames = list(source)
    assert 50 < len(frames) <= 100
    assert not source.stats.complete or len(frames) == 100
    times = [f.t_capture_ns for f in frames]
    assert times == sorted(set(times))
    assert times[-1] == 3_960_000_000  # goes on behind the hole, at the file's own times


class Picture:
    """What `_capture_ns` reads of a decoded frame."""

    def __init__(self, pts_ms: int | None) -> None:
        self.pts, self.time_base = pts_ms, Fraction(1, 1000)


@pytest.mark.parametrize(
    ("rest_ms", "expected_ms"),
    [
        ([None, None, 120], [40, 80, 120]),  # interpolated
        ([0, 0, 0], [40, 80, 120]),  # stands still
        ([5000, 0, 40], [5000, 5040, 5080]),  # a cut: time goes on from there
    ],
)
def test_bad_presentation_times_never_go_back(
    tmp_path: Path, rest_ms: list[int | None], expected_ms: list[int]
) -> None:
    with FileSource(write_video(tmp_path / "a.mp4", [0, 40])) as source:
        got = [source._capture_ns(Picture(pts)) for pts in rest_ms]
    assert [t / 1e6 for t in got] == pytest.approx(expected_ms)
    assert source.stats.missing_pts + source.stats.non_monotonic > 0


def test_a_small_step_back_does_not_shift_what_follows(tmp_path: Path) -> None:
    with FileSource(write_video(tmp_path / "a.mp4", [0, 40])) as source:
        got = [source._capture_ns(Picture(pts)) for pts in (80, 60, 120, 160)]
    assert got == sorted(set(got))
    assert got[0] == 80_000_000 and got[2:] == [120_000_000, 160_000_000]


def test_what_is_no_video_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "text.txt").write_text("frames?\n" * 50)
    (tmp_path / "junk.mp4").write_bytes(bytes(range(256)) * 40)
    whole = write_video(tmp_path / "a.mp4", range(0, 4000, 40)).read_bytes()
    (tmp_path / "no_index.mp4").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "folder").mkdir()
    for name in ("missing.mp4", "empty.mp4", "text.txt", "junk.mp4", "no_index.mp4", "folder"):
        with pytest.raises(SourceError) as caught:
            open_source(str(tmp_path / name))
        message = str(caught.value)
        assert name in message and "expected" in message and "\n" not in message
    with pytest.raises(SourceError, match="rtsp"):
        open_source("rtsp://camera/1")


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.wav"), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        sound.sample_rate = 8000
        container.mux(stream.encode(sound))
    with pytest.raises(SourceError, match="only audio"):
        open_source(str(tmp_path / "a.wav"))


def test_folder_in_natural_order_at_the_given_rate(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "cam", ["f1.png", "f2.png", "f10.png"])
    (folder / "notes.txt").write_text("not an image")
    with open_source(str(folder), SourceConfig(fps=10, start_ns=5)) as source:
        frames = list(source)
    assert [int(f.image[0, 0, 0]) for f in frames] == [0, 10, 20]
    assert [f.t_capture_ns for f in frames] == [5, 100_000_005, 200_000_005]
    assert (source.camera, source.size_px, source.num_frames) == ("cam", SIZE, 3)


def test_unreadable_image_keeps_its_place(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "cam", ["0.png", "1.png", "2.png"])
    (folder / "1.png").write_bytes(b"no image")
    with FolderSource(folder) as source:
        assert [f.index for f in source] == [0, 2]
    assert source.stats.broken == 1 and "1.png" in source.stats.cause
    for name in ("0.png", "2.png"):
        (folder / name).write_bytes(b"")
    with pytest.raises(SourceError, match="none of the 3 images"):
        FolderSource(folder)


def test_mixed_sizes_name_the_file(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "cam", ["0.png"])
    write_images(folder, ["1.png"], size=(32, 32))
    with FolderSource(folder) as source, pytest.raises(SourceError, match=r"1\.png.*32x32"):
        list(source)


def test_natural_order_ignores_case_and_counts_numbers() -> None:
    names = ["b1", "A10", "a9", "a010b", "a2"]
    assert sorted(names, key=natural_key) == ["a2", "a9", "A10", "a010b", "b1"]


def test_a_closed_source_ends(tmp_path: Path) -> None:
    source = FileSource(write_video(tmp_path / "a.mp4", range(0, 400, 40)))
    next(source)
    source.close()
    source.close()
    assert list(source) == []


def test_pace_waits_for_capture_time(tmp_path: Path) -> None:
    pts = [0, 100, 150, 1000]
    clock = FakeClock(start_ns=10**18)
    with paced(FileSource(write_video(tmp_path / "a.mp4", pts)), 2.0, clock) as source:
        arrivals = [(clock.now_ns() - 10**18) / 1e6 for _ in source]
    assert arrivals == pytest.approx([p / 2 for p in pts])


def test_pace_max_neither_waits_nor_drops(tmp_path: Path) -> None:
    clock, late = FakeClock(), DropStale(0.0)
    with paced(FileSource(write_video(tmp_path / "a.mp4", range(0, 400, 40))), None, clock, late) as source:
        for _ in source:
            clock.advance(10.0)
    assert clock.slept_s == [] and late.dropped == 0 and source.stats.decoded == 10


def test_live_pace_drops_the_oldest_and_counts_them(tmp_path: Path) -> None:
    clock, late = FakeClock(), DropStale(max_age_s=0.1)
    with paced(FileSource(write_video(tmp_path / "a.mp4", range(0, 4000, 40))), 1.0, clock, late) as source:
        seen = []
        for frame in source:
            assert clock.now_ns() - frame.t_capture_ns <= 100_000_000  # never older than the budget
            seen.append(frame.index)
            clock.advance(0.2)  # the consumer takes five frame times
    assert late.dropped == source.stats.skipped == 100 - len(seen) > 50
    assert source.stats.decoded == 100 and not source.stats.complete


def test_late_frames_of_a_recording_all_come(tmp_path: Path) -> None:
    clock = FakeClock()
    with paced(FileSource(write_video(tmp_path / "a.mp4", range(0, 400, 40))), 1.0, clock) as source:
        for _ in source:
            clock.advance(1.0)
    assert source.stats.decoded == 10


@pytest.mark.parametrize("speed", [0.0, -1.0, float("nan")])
def test_pace_must_be_positive(tmp_path: Path, speed: float) -> None:
    with (
        FileSource(write_video(tmp_path / "a.mp4", [0, 40])) as source,
        pytest.raises(ValueError, match="pace"),
    ):
        paced(source, speed, FakeClock())


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "frames", "fps"),
    [("hall_overhead_1280x720.mp4", 341, 25), ("pets09_s2l1_a_480x360.mp4", 400, 10)],
)
def test_real_clips_come_whole(data_dir: Path, name: str, frames: int, fps: float) -> None:
    with open_source(str(data_dir / "video" / name)) as source:
        times = [f.t_capture_ns for f in source]
    assert len(times) == frames and source.fps == fps
    assert times[-1] == pytest.approx((frames - 1) / fps * 1e9)
