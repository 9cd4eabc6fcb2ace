"""What a demo tells: the line that moves, the table, the page, the files."""

from __future__ import annotations

from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from crowdstream.actors.commands.demo_page import page
from crowdstream.actors.commands.demo_summary import DemoFiles, rows_of, summary_of
from crowdstream.actors.commands.moment import SPAN_S, Moment
from crowdstream.actors.summary import summarise


@dataclass(frozen=True)
class Progress:
    """As `actors.runtime` has it; that one would bring the whole engine."""

    frames: int
    num_frames: int | None
    people: int
    windows: int
    latency_s: float = 0.0


NETWORK = {"name": "crowdstream-detector", "why": "ships with crowdstream; no model folder x", "rung": "cpu"}


def figures(elapsed_s: float = 20.0, captured_s: float = 10.0) -> dict[str, Any]:
    """Of a run of 100 frames."""
    published = {
        "messages": {"live.a.b": 100, "late.a.b": 7, "window.a.b": 5, "schema.a.b": 1},
        "latency_ms": {"live": {"p50": 400.0, "p95": 900.0}, "window": {"p50": 1e3, "p95": 2e3}},
    }
    reports = {
        "tracking": [{"sites": {"a": {"frames": 100, "people_mean": 3.25, "people_max": 5, "tracks": 6}}}],
        "publisher": [{"published": published, "windows": 5, "person_frames": 321}],
        "perception": [{"networks": {"detector": NETWORK}}],
    }
    return summarise(reports, elapsed_s, captured_s, "inline", "") | {"stopped": False}


def told(video: str = "clip.mp4", drawn: dict[str, Any] | None = None, **run: float) -> dict[str, Any]:
    files = DemoFiles.of(Path("out"), Path(video), overlay=True)
    return summary_of(figures(**run), Path(video), files, drawn, 25.0, 40.0)


# --- the line ---------------------------------------------------------------------------------------------


def test_rate_and_latency_are_those_of_now() -> None:
    now_s = 0.0
    moment = Moment(lambda: now_s)
    for frame in range(1, 201):  # ten a second, then a hundred
        now_s += 0.1 if frame <= 100 else 0.01
        moment.push(Progress(frame, 200, frame % 7, 0, latency_s=2.0 if frame <= 100 else 0.5))
    assert 10 < moment.rate_hz < 100  # one of the four seconds was the fast one
    for frame in range(201, 801):
        now_s += 0.01
        moment.push(Progress(frame, None, 4, 3, latency_s=0.5))
    assert moment.rate_hz == pytest.approx(100, rel=0.02)
    assert moment.latency_s == 0.5
    assert moment.text() == "4 people now, 3 windows, 100.0 frames/s, latency 0.5 s"


def test_the_line_is_right_from_the_first_frame_and_remembers_a_bounded_span() -> None:
    now_s = 0.0
    moment = Moment(lambda: now_s)
    assert moment.text() == "waiting for the first frame" and moment.rate_hz == moment.latency_s == 0.0
    now_s = 0.5
    moment.push(Progress(1, None, 1, 0, latency_s=0.25))
    assert moment.rate_hz == pytest.approx(2.0)
    for frame in range(2, 1000):
        now_s += 1.0
        moment.push(Progress(frame, None, 1, 0))
    assert moment.rate_hz == pytest.approx(1.0)
    assert len(moment._recent) <= SPAN_S + 2


def test_no_time_between_frames_is_no_division_by_zero() -> None:
    moment = Moment(lambda: 1.0)
    moment.push(Progress(1, None, 1, 0))
    moment.push(Progress(2, None, 1, 0))
    assert moment.rate_hz > 0


# --- table and page -----------------------------------------------------------------------------------------


def test_the_table_tells_people_rate_latency_tiers_networks_and_files() -> None:
    rows = dict(rows_of(told(drawn={"frames": 100})))
    assert rows["people"].startswith("3.2 a frame, most 5, 6 tracks") and rows["frames"].startswith(
        "100 of 10.0 s"
    )
    assert rows["rate"].startswith("5.0 frames/s, 2.0 times slower")
    assert rows["latency, live"] == "0.40 s median, 0.90 s p95"
    assert (
        rows["messages, live: tracks of a frame"] == "100"
        and rows["messages, window: bodies of 64 frames"] == "5"
    )
    assert "ships with crowdstream" in rows["detector"]
    assert rows["file, overlay"] == "out/clip_overlay.mp4" and rows["file, recording"] == "out/clip.cslog"


def test_a_file_that_was_not_drawn_is_not_named() -> None:
    for drawn in (None, {"failed": "no room"}):
        assert "overlay" not in told(drawn=drawn)["files"]


def test_a_paced_run_that_keeps_up_says_so_and_one_of_nothing_does_not_divide() -> None:
    assert "as it was filmed" in dict(rows_of(told(elapsed_s=10.1)))["rate"]
    assert dict(rows_of(told(elapsed_s=0.0, captured_s=0.0)))["rate"].endswith("none")


def test_it_claims_no_whole_clip_where_frames_were_left_out() -> None:
    assert "no frame left out" in dict(rows_of(told()))["rate"]
    summary = told()
    summary["run"]["drops"] = {"stale": 3}
    assert "no frame left out" not in dict(rows_of(summary))["rate"]


def test_start_engine_and_overlay_add_up() -> None:
    wall = told()["wall_s"]
    assert wall["start"] + wall["engine"] + wall["overlay"] == pytest.approx(wall["total"])


class _Page(HTMLParser):
    """Text and video addresses of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""
        self.videos: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag == "video":
            self.videos.append(dict(attrs)["src"] or "")

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_shows_every_row_and_names_the_video_beside_it() -> None:
    summary = told("it's <b> clip.mp4", {"frames": 100})
    read = _Page()
    read.feed(page(summary))
    assert read.videos == ["it%27s%20%3Cb%3E%20clip_overlay.mp4"]
    assert "b" not in read.tags  # names are text, whatever they hold
    for name, value in rows_of(summary):
        assert name in read.text and value in read.text


def test_without_an_overlay_the_page_has_no_video() -> None:
    read = _Page()
    read.feed(page(told()))
    assert not read.videos and "clip.mp4" in read.text


# --- files --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("video", ["clip.mp4", "deep/clip.avi", "pictures", "."])
def test_files_lie_in_the_folder_and_never_on_each_other(video: str) -> None:
    files = DemoFiles.of(Path("o"), Path(video), overlay=True).written()
    assert len(set(files)) == len(files) == 4
    assert all(path.parent == Path("o") and path.name[0] not in "._" for path in files)
    assert DemoFiles.of(Path("o"), Path(video), overlay=False).overlay is None
