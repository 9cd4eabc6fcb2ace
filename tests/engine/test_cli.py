"""The command line as its user meets it: quick, one line for what is wrong, and the exit code that scripts read."""

from __future__ import annotations

import json
import math
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from crowdstream.actors import inline
from crowdstream.actors.commands import run as run_command
from crowdstream.actors.main import COMMANDS, main
from crowdstream.actors.summary import summarise
from crowdstream.configs.load import load_config
from crowdstream.lab.scripted_crowd import ScriptedCrowd
from crowdstream.stream.calibration_file import Calibration, save_calibration
from crowdstream.stream.models.catalogue import CATALOGUE, Role

sys.path.insert(0, str(Path(__file__).parent))
from crowd import CROWD, SCRIPTED, ScriptedPerception, write_calibration, write_video

sys.path.pop(0)

HEAVY = ("torch", "numba", "ray", "onnxruntime", "smplx", "sklearn")


class EmptyStreet(ScriptedPerception):
    """Nobody, ever."""

    def step(self, batch):  # type: ignore[no-untyped-def]
        return [ScriptedCrowd(people=0).observation(f.index, f.camera, f.t_capture_ns) for f in batch]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip, its calibration, and files of every wrong kind."""
    root = tmp_path_factory.mktemp("cli")
    write_video(root / "crowd.mp4", frames=40)
    write_calibration(root / "camera.json")
    (root / "text.mp4").write_text("these are no pictures\n")
    (root / "empty.mp4").touch()
    (root / "nothing").mkdir()
    (root / "notes.json").write_text("not json")
    (root / "keys.json").write_text('{"focal": 3}')
    given = json.loads((root / "camera.json").read_text())
    given["cameras"][0]["image_size"][1] //= 2
    (root / "aspect.json").write_text(json.dumps(given))
    given = json.loads((root / "camera.json").read_text())
    given["cameras"][0]["t"] = [-v for v in given["cameras"][0]["t"]]
    (root / "buried.json").write_text(json.dumps(given))
    (root / "binary.yaml").write_bytes(b"\xff\xfe\x00stage")
    for name in ("models", "damaged"):
        (root / name).mkdir()
    for role in (Role.DETECTOR, Role.POSE):
        entry = next(e for e in CATALOGUE if e.role == role and e.sha256)
        (root / "damaged" / entry.file).write_bytes(b"half a network")
    return root


@pytest.fixture
def here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """In the folder of the files, with a scripted crowd in place of networks."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("CROWDSTREAM_MODELS", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(folder / "no-data-home"))
    # an install stripped of its networks: what a user reads who has none at all
    monkeypatch.setattr("crowdstream.stream.models.folder.shipped_folder", lambda: folder / "models")
    yield folder


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks are neither looked for nor run."""
    monkeypatch.setattr("crowdstream.actors.preflight.choose", lambda *_: SimpleNamespace(read=bytes))
    monkeypatch.setattr(inline, "Workers", lambda: SCRIPTED)


def fails(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Runs a command that must fail with code 1 and one line; the line."""
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    said = capsys.readouterr()
    assert caught.value.code == 1
    assert said.out == ""
    lines = said.err.splitlines()
    assert len(lines) == 1, lines
    assert lines[0].startswith("crowdstream: ")
    return lines[0]


@pytest.mark.parametrize(
    ("arguments", "cause"),
    [
        ("nowhere.mp4", "no file 'nowhere.mp4'"),
        ("text.mp4", "cannot read 'text.mp4' as a video"),
        ("empty.mp4", "'empty.mp4' is empty"),
        ("nothing", "no images in 'nothing'"),
        ("nonsense://user:secret@host/x", "nonsense"),
        ("crowd.mp4 --calibration nowhere.json", "no calibration file nowhere.json"),
        ("crowd.mp4 --calibration notes.json", "notes.json is not JSON"),
        ("crowd.mp4 --calibration keys.json", "keys.json lacks K, R, t, image_size"),
        ("crowd.mp4 --calibration aspect.json", "another aspect"),
        ("crowd.mp4 --calibration buried.json", "under the ground"),
        ("crowd.mp4 --calibration nothing", "cannot read the calibration nothing"),
        ("crowd.mp4 --models nowhere", "no model folder nowhere"),
        ("crowd.mp4 --models models", "no detector network in models"),
        ("crowd.mp4 --models damaged", "its sha256 differs from the catalogue"),
        ("crowd.mp4", "no model folder"),
        ("crowd.mp4 --config nowhere", "the presets are edge, live, paper, replay"),
        ("crowd.mp4 --config text.mp4", "expected a map of stages"),
        ("crowd.mp4 --config binary.yaml", "is no text"),
        ("crowd.mp4 --set stage.key=1", "unknown key 'stage'; keys of the configuration: calibrate, "),
        ("crowd.mp4 --set window.hopp=1", "unknown key 'window.hopp'; did you mean 'hop'?"),
        ("crowd.mp4 --set window.hop=-1", "window.hop = -1"),
        ("crowd.mp4 --set window", "expected stage.key=value"),
        ("crowd.mp4 --runtime cloud", "runtime.kind = 'cloud'"),
        ("crowd.mp4 --pace slowly", "runtime.speed = 'slowly'"),
        ("crowd.mp4 --record nothing", "--record nothing is a folder"),
        ("crowd.mp4 --record text.mp4/x/a.cslog", "cannot write --record"),
        ("crowd.mp4 --summary nothing", "--summary nothing is a folder"),
        ("crowd.mp4 --summary empty.mp4/a.json", "cannot write --summary"),
        ("crowd.mp4 --summary crowd.mp4", "needs for something else"),
        ("crowd.mp4 --record a.cslog --summary a.cslog", "needs for something else"),
    ],
)
def test_what_a_user_can_mend_is_one_line_before_anything_starts(
    arguments: str, cause: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = fails(["run", *arguments.split()], capsys)
    assert cause in line
    assert "secret" not in line


@pytest.mark.usefixtures("scripted")
@pytest.mark.parametrize(
    ("arguments", "cause"),
    [
        ("--record text.mp4", "text.mp4 is not a crowdstream log"),
        ("--listen tcp://0.0.0.0:7400", "set publish.token"),
        ("--listen tls://127.0.0.1:7400", "publish.tls_cert"),
        ("--listen somewhere", "expected tcp://HOST:PORT"),
        ("--body nowhere.npz", "no body file at nowhere.npz"),
        ("--body text.mp4", "expected .npz or .pkl"),
    ],
)
@pytest.mark.parametrize("runtime", ["inline", "ray"])
def test_it_is_the_same_line_under_both_runtimes(
    runtime: str, arguments: str, cause: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cause in fails(["run", "crowd.mp4", "--runtime", runtime, *arguments.split()], capsys)
    assert (here / "text.mp4").read_text() == "these are no pictures\n"


@pytest.mark.usefixtures("scripted")
def test_a_port_in_use(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        line = fails(["run", "crowd.mp4", "--listen", f"tcp://127.0.0.1:{held.getsockname()[1]}"], capsys)
    assert "in use" in line and "--listen" in line


@pytest.mark.parametrize(
    ("arguments", "cause"),
    [
        ("export nowhere -f mot -o x", "no log at nowhere"),
        ("export empty.mp4 -f mot -o x", "empty.mp4 is empty"),
        ("export text.mp4 -f mot -o x", "is not a crowdstream log"),
        ("replay nowhere", "no log at nowhere"),
        ("replay empty.mp4", "empty.mp4 is empty"),
        ("replay text.mp4", "is not a crowdstream log"),
        ("tail tcp://127.0.0.1:9", "no engine answers at tcp://127.0.0.1:9"),
        ("tail unix://nowhere/x.sock", "no engine answers"),
        ("tail somewhere", "expected tcp://HOST:PORT"),
        ("demo", "no networks ship with this install"),
        ("demo --models damaged", "sha256 differs"),
        ("demo --models damaged --video nowhere.mp4", "no file 'nowhere.mp4'"),
        ("demo --models damaged --video crowd.mp4", "sha256 differs"),
        ("calibrate nowhere.mp4 -o c.json", "no file 'nowhere.mp4'"),
        ("calibrate crowd.mp4 -o nothing", "--output nothing is a folder"),
        ("calibrate crowd.mp4 -o crowd.mp4", "needs for something else"),
        ("calibrate crowd.mp4 -o c.json --models models", "no detector network"),
        ("calibrate crowd.mp4 -o c.json --focal -3", "calibrate.focal_px = -3"),
        ("models pull nonesuch", "no network 'nonesuch'"),
        ("models build --models models", "no detector network"),
    ],
)
def test_the_other_commands_say_it_in_one_line_too(
    arguments: str, cause: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cause in fails(arguments.split(), capsys)
    assert not (here / "c.json").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        "rnu",
        "run",
        "export x -f bvh -o y",
        "run a --nonsense",
        "replay x --speed -1",
        "calibrate a",
        "calibrate a -o b --focal 900 --fov 50",
    ],
)
def test_usage_is_code_two(arguments: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments.split())
    assert caught.value.code == 2
    assert "Traceback" not in capsys.readouterr().err


# --- runs -------------------------------------------------------------------------------------------------


def numbers(tree: object) -> list[float]:
    """Every number of a summary."""
    if isinstance(tree, dict):
        return [n for value in tree.values() for n in numbers(value)]
    return [float(tree)] if isinstance(tree, int | float) else []


def check_summary(found: dict) -> None:  # type: ignore[type-arg]
    """Every promised key, every number finite."""
    for key in ("frames", "people_max", "people_mean", "tracks", "windows", "person_frames", "elapsed_s"):
        assert found[key] >= 0
    assert found["realtime_factor"] >= 0
    assert {"decode", "perception", "tracking", "solve", "publish"} <= set(found["stage_seconds"])
    assert isinstance(found["drops"], dict)
    assert {tier: set(values) for tier, values in found["latency_ms"].items()} == {
        "live": {"p50", "p95"},
        "window": {"p50", "p95"},
    }
    assert all(math.isfinite(n) for n in numbers(found))


@pytest.mark.usefixtures("scripted")
def test_a_run_makes_the_folders_of_its_files_and_an_export_reads_them(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main("run crowd.mp4 --runtime inline --listen none --calibration camera.json --json "
             "--record new/a.cslog --summary new/too/a.json".split())  # fmt: skip
    assert caught.value.code == 0
    found = json.loads((here / "new/too/a.json").read_text())
    assert json.loads(capsys.readouterr().out) == found
    check_summary(found)
    assert (
        found["tracks"] == CROWD.people and found["windows"] > 0 and found["latency_ms"]["window"]["p95"] > 0
    )
    with pytest.raises(SystemExit) as caught:
        main("export new/a.cslog -f mot -o new/mot".split())
    assert caught.value.code == 0
    assert len(list((here / "new/mot").glob("*.txt"))) == 1


@pytest.mark.usefixtures("scripted")
def test_nobody_in_the_picture_writes_the_summary_and_fails(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from crowdstream.actors.workers import Workers

    monkeypatch.setattr(inline, "Workers", lambda: Workers(perception=EmptyStreet))
    with pytest.raises(SystemExit) as caught:
        main("run crowd.mp4 --runtime inline --listen none --summary none.json".split())
    assert caught.value.code == 1
    assert capsys.readouterr().err.splitlines()[-1].startswith("crowdstream: no people found in 40 frames")
    found = json.loads((here / "none.json").read_text())
    check_summary(found)
    assert found["frames"] == 40 and found["tracks"] == found["windows"] == found["person_frames"] == 0
    assert found["latency_ms"]["window"] == {"p50": 0.0, "p95": 0.0}


def test_a_summary_of_workers_that_never_answered_has_every_key() -> None:
    check_summary(summarise({}, 0.0, 0.0, "ray", ""))
    site = {"people_mean": float("nan")}
    latency = {"live": {"p50": float("nan")}}
    reports = {"tracking": [{"sites": {"a": site}}], "publisher": [{"published": {"latency_ms": latency}}]}
    check_summary(summarise(reports, 1.0, 0.0, "inline", ""))


def test_options_are_settings_by_another_name() -> None:
    config = load_config("live", run_command._options_as_settings("inline", "max", "none"))
    assert (config.runtime.kind, config.runtime.speed, config.publish.listen) == ("inline", None, "")
    config = load_config("replay", run_command._options_as_settings(None, "2.5", "unix:///tmp/a b.sock"))
    assert (config.runtime.speed, config.publish.listen) == (2.5, "unix:///tmp/a b.sock")


@pytest.mark.data
def test_a_clip_of_nothing_with_real_networks(
    here: Path, models_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["run", "crowd.mp4", "--models", str(models_dir), "--summary", "grey.json",
              "--runtime", "inline", "--listen", "none"])  # fmt: skip
    assert caught.value.code == 1
    assert "no people found" in capsys.readouterr().err.splitlines()[-1]
    check_summary(json.loads((here / "grey.json").read_text()))


# --- start ------------------------------------------------------------------------------------------------


LIGHT = {
    "--help": "", "tail": "--help", "export": "nowhere -f mot -o x", "models": "list --models nowhere",
    "replay": "nowhere", "run": "--help", "calibrate": "--help", "doctor": "--help", "bench": "--help",
    "demo": "--video nowhere.mp4", "overlay": "nowhere nowhere.mp4 -o x.mp4",
}  # fmt: skip


def test_a_command_imports_only_what_it_needs(tmp_path: Path) -> None:
    """All in one process: what one of them imported, the list at the end would show."""
    code = f"""
import contextlib, io, sys
from crowdstream.actors.main import main
for words in {[f"{name} {rest}".split() for name, rest in LIGHT.items()]!r}:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        try:
            main(words)
        except SystemExit:
            pass
    heavy = [name for name in {HEAVY!r} if name in sys.modules]
    if heavy:
        sys.exit(f"crowdstream {{' '.join(words)}} imported {{', '.join(heavy)}}")
"""
    environment = {**os.environ, "XDG_DATA_HOME": str(tmp_path), "CROWDSTREAM_MODELS": ""}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


def test_every_command_has_a_line_of_help(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    said = capsys.readouterr().out
    for name in COMMANDS:
        line = next(row for row in said.splitlines() if row.strip("│ ").startswith(name + " "))
        assert len(line.strip("│ ").split()) > 3, line


def test_a_saved_calibration_goes_back_in(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_calibration(Calibration(CROWD.camera, CROWD.ground, "self"), "saved.json", camera_name="elsewhere")
    line = fails(["run", "crowd.mp4", "--calibration", "saved.json", "--models", "models"], capsys)
    assert "no detector network" in line  # the calibration was taken; the networks come after it
