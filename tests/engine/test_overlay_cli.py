"""`crowdstream overlay`: a log and a video in, a video out, and one line for what is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from crowdstream.actors.main import main
from crowdstream.lab.bench.wire_cases import walkers_frame, walkers_schema, walkers_window
from crowdstream.stream.wire.publish import PublishConfig, PublisherStage
from crowdstream.stream.wire.schema import SiteSchema

FRAMES = 12


def write_video(path: Path, frames: int = FRAMES, size: tuple[int, int] = (1280, 720), fps: int = 25) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=Fraction(fps))
        stream.width, stream.height, stream.pix_fmt = (*size, "yuv420p")
        grey = np.full((size[1], size[0], 3), 128, np.uint8)
        for _ in range(frames):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="bgr24")))
        container.mux(stream.encode(None))
    return path


def write_log(path: Path, schema: SiteSchema, fill: Callable[[PublisherStage], None]) -> Path:
    publisher = PublisherStage(PublishConfig(listen="", session="s", append=True), "hall", schema, path)
    publisher.start()
    fill(publisher)
    publisher.stop()
    return path


def walk(publisher: PublisherStage) -> None:
    """Three people with bodies, a fourth with a place only."""
    for i in range(FRAMES):
        publisher.push_live(walkers_frame(4, i))
    publisher.push_window(walkers_window(3, 0))


def stand_empty(publisher: PublisherStage) -> None:
    for i in range(FRAMES):
        publisher.push_live(walkers_frame(0, i))


def walk_without_ground(publisher: PublisherStage) -> None:
    for i in range(FRAMES):
        publisher.push_live(walkers_frame(4 if i else 0, i, ground=False))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("overlay")
    write_video(root / "cam0.mp4")
    write_video(root / "small.mp4", size=(640, 360))
    write_video(root / "short.mp4", frames=5)
    write_video(root / "slow.mp4", fps=5)
    (root / "text.cslog").write_text("these are no records\n")
    (root / "folder").mkdir()
    both = walkers_schema()
    one = replace(both, cameras=both.cameras[:1])
    flat = replace(one, cameras=(replace(one.cameras[0], model=None),), ground=None)
    write_log(root / "walk.cslog", one, walk)
    write_log(root / "two.cslog", both, walk)
    write_log(root / "empty.cslog", one, stand_empty)
    write_log(root / "flat.cslog", flat, walk_without_ground)
    return root


@pytest.fixture
def here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(folder)
    return folder


def pictures(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]


def times(path: Path) -> list[float]:
    with av.open(str(path)) as container:
        return [round(float(frame.pts * frame.time_base), 6) for frame in container.decode(video=0)]


def run(arguments: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main(["overlay", *arguments.split()])
    return int(caught.value.code or 0)


def test_every_frame_is_kept_at_its_time_and_people_are_counted(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("walk.cslog cam0.mp4 -o out.mp4 --json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["frames"] == FRAMES and found["people"] == 4 and found["frames_without_people"] == 0
    assert found["bodies"] == 3 * FRAMES and found["person_frames"] == 4 * FRAMES
    assert found["num_bytes"] == (here / "out.mp4").stat().st_size
    assert times(here / "out.mp4") == times(here / "cam0.mp4")
    drawn = pictures(here / "out.mp4")
    assert drawn[0].shape == (720, 1280, 3)
    colourful = (
        np.ptp(drawn[6].astype(int), axis=2) > 50
    )  # over a grey video, whatever has a colour was drawn
    assert colourful.sum() > 500
    assert not list(here.glob(".*part*"))


def test_options_take_things_away(here: Path) -> None:
    def ink(options: str) -> int:
        assert run(f"walk.cslog cam0.mp4 -o thing.mp4 --max-frames 1 {options}") == 0
        (picture,) = pictures(here / "thing.mp4")
        return int((np.abs(picture.astype(int) - 128).max(axis=2) > 12).sum())

    everything, bare = ink(""), ink("--no-inset --no-labels")
    assert bare < ink("--no-inset") < everything
    assert bare > 0


def test_without_a_calibration_boxes_are_drawn_and_it_is_said(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("flat.cslog cam0.mp4 -o flat.mp4 --json") == 0
    said = capsys.readouterr()
    found = json.loads(said.out)
    assert found["bodies"] == 0 and found["person_frames"] == 4 * (FRAMES - 1)
    assert found["frames_without_people"] == 1 and "no calibration" in said.err
    box = walkers_frame(4, 6).boxes_px[1].round().astype(int)
    picture = pictures(here / "flat.mp4")[6].astype(int)
    corner = picture[box[1] - 2 : box[1] + 3, box[0] - 2 : box[0] + 3]
    assert np.abs(corner - 128).max() > 30


@pytest.mark.parametrize(
    ("arguments", "causes"),
    [
        ("nowhere.cslog cam0.mp4 -o x.mp4", ("no log at nowhere.cslog",)),
        ("text.cslog cam0.mp4 -o x.mp4", ("not a crowdstream log",)),
        ("walk.cslog nowhere.mp4 -o x.mp4", ("no file 'nowhere.mp4'",)),
        ("walk.cslog text.cslog -o x.mp4", ("text.cslog",)),
        ("empty.cslog cam0.mp4 -o x.mp4", ("holds nobody", "12 frames")),
        ("walk.cslog small.mp4 -o x.mp4", ("640x360", "1280x720")),
        ("walk.cslog short.mp4 -o x.mp4", ("5 frames", "12")),
        ("walk.cslog slow.mp4 -o x.mp4", ("5 frames/s", "25")),
        ("walk.cslog cam0.mp4 -o folder", ("folder is a folder",)),
        ("walk.cslog cam0.mp4 -o cam0.mp4", ("needs for something else",)),
        ("walk.cslog cam0.mp4 -o walk.cslog", ("needs for something else",)),
        ("walk.cslog cam0.mp4 -o cam0.mp4/x.mp4", ("cannot write",)),
        ("two.cslog small.mp4 -o x.mp4", ("cam0, cam1", "--camera")),
        ("two.cslog cam0.mp4 -o x.mp4 --camera roof", ("'roof'", "cam0, cam1")),
        ("walk.cslog cam0.mp4 -o x.mp4 --session nope", ("'nope'",)),
        ("walk.cslog cam0.mp4 -o x.mp4 --body nobody.npz", ("nobody.npz",)),
    ],
)
def test_what_a_user_can_mend_is_one_line(
    arguments: str, causes: tuple[str, ...], here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (here / "cam0.mp4").read_bytes()
    assert run(arguments) == 1
    said = capsys.readouterr().err.strip()
    assert said.startswith("crowdstream: ") and "\n" not in said
    assert all(cause in said for cause in causes), said
    assert not (here / "x.mp4").exists() and (here / "cam0.mp4").read_bytes() == before


def test_a_camera_is_found_by_the_name_of_its_video(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("two.cslog cam0.mp4 -o two.mp4 --max-frames 2 --json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["camera"] == "cam0" and found["frames"] == 2
