"""The demo as a newcomer meets it: what it writes, what it says, and what is left when something goes wrong."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from crowdstream.actors import inline
from crowdstream.actors.commands import demo as demo_command
from crowdstream.actors.main import main
from crowdstream.actors.summary import summarise
from crowdstream.stream.errors import ExportError

sys.path.insert(0, str(Path(__file__).parent))
from crowd import CROWD, SCRIPTED, write_calibration, write_video

sys.path.pop(0)

CLIP = "demo --video crowd.mp4 --calibration camera.json --out out".split()
REPORT = SimpleNamespace(frames=40, people=4, bodies=160, seconds=0.5, notes=("a note",))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("demo")
    write_video(root / "crowd.mp4", frames=40)
    write_calibration(root / "camera.json")
    return root


@pytest.fixture
def here(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of its own with the clip in it, and no networks asked for."""
    for name in ("crowd.mp4", "camera.json"):
        (tmp_path / name).symlink_to(folder / name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setattr(demo_command, "choose", lambda *_: SimpleNamespace(entry=None, role="", name=""))
    monkeypatch.setattr("crowdstream.actors.preflight.choose", lambda *_: SimpleNamespace(read=bytes))
    monkeypatch.setattr(demo_command, "compiling_ahead", lambda overlay: nullcontext())
    yield tmp_path


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Overlays that were asked for; none is drawn."""
    asked: list[tuple[Any, ...]] = []

    def draw(*arguments: Any) -> SimpleNamespace:
        asked.append(arguments[:3])
        return REPORT

    monkeypatch.setattr("crowdstream.stream.overlay.render_overlay", draw)
    return asked


def engine_says(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    """A run that is over at once."""
    figures = summarise({}, 1.0, 0.5, "inline", "") | {"frames": 40, "tracks": 3, "stopped": False} | changes
    monkeypatch.setattr(demo_command, "run_with_progress", lambda plan: figures)


def runs(arguments: list[str], code: int, capsys: pytest.CaptureFixture[str]) -> tuple[str, list[str]]:
    """Runs a command that must end with a code; what it said on stdout, and the lines on stderr."""
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    said = capsys.readouterr()
    assert (caught.value.code or 0) == code, said.err
    assert "Traceback" not in said.err
    return said.out, said.err.splitlines()


def test_it_records_draws_and_sums_up(
    here: Path, monkeypatch: pytest.MonkeyPatch, drawn: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(inline, "Workers", lambda: SCRIPTED)
    out, err = runs([*CLIP, "--set", "runtime.kind=inline", "--set", "runtime.speed=null"], 0, capsys)
    assert drawn == [(Path("out/crowd.cslog"), Path("crowd.mp4"), Path("out/crowd_overlay.mp4"))]
    told = json.loads((here / "out/summary.json").read_text())
    assert told["run"]["frames"] == 40 and told["run"]["tracks"] == CROWD.people
    assert told["tiers"]["live"] == 40 and told["tiers"]["window"] >= 1
    assert told["overlay"]["notes"] == ["a note"] and told["wall_s"]["engine"] > 0
    assert set(told["files"]) == {"recording", "summary", "page", "overlay"}
    assert "crowd_overlay.mp4" in (here / "out/summary.html").read_text()
    assert (here / "out/crowd.cslog").stat().st_size > 0
    assert "40 of 1.3 s of video" in out and "out/crowd.cslog" in out
    assert err[-1] == "overlay video: out/crowd_overlay.mp4"
    assert any("publishing on tcp://" in line and "crowdstream tail" in line for line in err)
    assert any("crowdstream replay out/crowd.cslog" in line for line in err)


def test_the_first_so_many_seconds(
    here: Path, monkeypatch: pytest.MonkeyPatch, drawn: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(inline, "Workers", lambda: SCRIPTED)
    options = ["--seconds", "0.5", "--no-overlay", "--json", "--set", "runtime.kind=inline"]
    out, _ = runs([*CLIP, *options], 0, capsys)
    told = json.loads(out)
    assert told["run"]["frames"] == 15 and told["overlay"] is None and drawn == []
    assert told == json.loads((here / "out/summary.json").read_text())


def test_nobody_in_the_clip_is_a_failure_that_leaves_its_figures(
    here: Path, monkeypatch: pytest.MonkeyPatch, drawn: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    engine_says(monkeypatch, tracks=0)
    _, err = runs(CLIP, 1, capsys)
    assert err[-1].startswith("crowdstream: no people found in 40 frames") and drawn == []
    assert json.loads((here / "out/summary.json").read_text())["run"]["tracks"] == 0


def test_a_run_that_was_stopped_names_what_it_recorded_and_draws_nothing(
    here: Path, monkeypatch: pytest.MonkeyPatch, drawn: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    engine_says(monkeypatch, stopped=True)
    _, err = runs(CLIP, 0, capsys)
    assert "stopped after 40 frames; what was seen so far is in out/crowd.cslog" in err and drawn == []


@pytest.mark.parametrize(
    ("trouble", "code", "said"),
    [
        (ExportError("the disk is full"), 1, "no overlay was drawn: the disk is full"),
        (KeyboardInterrupt(), 130, "crowdstream overlay out/crowd.cslog crowd.mp4 -o out/crowd_overlay.mp4"),
    ],
)
def test_without_its_overlay_the_recording_is_still_named(
    trouble: BaseException, code: int, said: str, here: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    def draw(*_: Any) -> None:
        raise trouble

    engine_says(monkeypatch)
    monkeypatch.setattr("crowdstream.stream.overlay.render_overlay", draw)
    _, err = runs(CLIP, code, capsys)
    assert said in err[-1] and any("out/crowd.cslog" in line for line in err)


def test_a_folder_of_images_has_no_overlay(
    here: Path, monkeypatch: pytest.MonkeyPatch, drawn: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "pictures").mkdir()
    engine_says(monkeypatch)
    monkeypatch.setattr(demo_command, "look_at", lambda source: None)
    _, err = runs(["demo", "--video", "pictures"], 1, capsys)
    assert "folder of images" in err[-1] and drawn == []
    runs(["demo", "--video", "pictures", "--no-overlay"], 0, capsys)


def test_beside_another_engine_it_takes_a_free_port() -> None:
    def taken(port: int) -> Callable[[tuple[str, int]], Any]:
        def serve(address: tuple[str, int]) -> Any:
            if address[1] == port:
                raise OSError("in use")
            return SimpleNamespace(close=lambda: None)

        return serve

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "create_server", taken(7447))
        assert demo_command._address() == ("publish.listen='tcp://127.0.0.1:0'",)
        patch.setattr(socket, "create_server", taken(1))
        assert demo_command._address() == ()


@pytest.mark.parametrize(
    ("options", "cause"),
    [
        ("--calibration nowhere.json", "no calibration file nowhere.json"),
        ("--set stage.key=1", "unknown key 'stage'"),
        ("--out crowd.mp4", "cannot write --out"),
        ("--out .  --video nowhere.mp4", "no file 'nowhere.mp4'"),
    ],
)
def test_mistakes_are_one_line(
    options: str, cause: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, err = runs([*CLIP, *options.split()], 1, capsys)
    assert out == "" and len(err) == 1 and cause in err[0]


def test_no_seconds_is_usage(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs([*CLIP, "--seconds", "0"], 2, capsys)
