"""`tail`, `replay` and `export` as commands: what they print, and how they end."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from crowdstream.actors.commands.export import export
from crowdstream.actors.commands.replay import replay
from crowdstream.actors.commands.tail import _line, tail
from crowdstream.kernels.errors import CrowdstreamError
from crowdstream.lab.bench.wire_cases import (
    walkers_frame,
    walkers_return,
    walkers_revision,
    walkers_schema,
    walkers_window,
)
from crowdstream.stream.wire.client import Reconnect, subscribe
from crowdstream.stream.wire.conversation import Bye, Gap
from crowdstream.stream.wire.log import LogReader
from crowdstream.stream.wire.messages import Message
from crowdstream.stream.wire.publish import PublishConfig, PublisherStage
from crowdstream.stream.wire.replay import Replay
from crowdstream.stream.wire.server import Address, ServerSettings

app = typer.Typer()
for name, command in (("tail", tail), ("replay", replay), ("export", export)):
    app.command(name)(command)


def invoke(*args: object) -> Result:
    return CliRunner().invoke(app, [str(arg) for arg in args])


@pytest.fixture
def log_path(tmp_path: Path) -> Path:
    path = tmp_path / "a.cslog"
    publisher = PublisherStage(PublishConfig(listen="", clock="capture"), "hall", walkers_schema(), path)
    publisher.start()
    for i in range(90):
        publisher.push_live(walkers_frame(2, i, unseen=1))
    publisher.push_window(walkers_window(2, 0))
    publisher.push_status({"event": "camera_ended"})
    publisher.stop()
    return path


def test_replay_gives_the_recorded_messages_again_in_order(log_path: Path) -> None:
    player = Replay(log_path, ServerSettings(Address.parse("tcp://127.0.0.1:0")))
    url = player.start()
    got: list[Message] = []
    events: list[object] = []

    def follow() -> None:
        for event in subscribe(url, reconnect=Reconnect()):
            (got if isinstance(event, Message) else events).append(event)  # type: ignore[attr-defined]

    thread = threading.Thread(target=follow)
    thread.start()
    player.wait_for_subscriber()
    done = player.run(speed=0)
    player.stop()
    thread.join(10)
    want = list(LogReader(log_path).messages())
    assert done.messages == len(want) == 93
    for topic in ("live.hall", "window.hall", "status", "schema.hall"):
        assert [repr(m) for m in got if m.topic == topic] == [repr(m) for m in want if m.topic == topic]
    assert events[-1] == Bye("end") and not any(isinstance(e, Gap) for e in events)


def test_replay_keeps_the_time_of_the_recording(log_path: Path) -> None:
    player = Replay(log_path, ServerSettings(Address.parse("tcp://127.0.0.1:0")))
    player.start()
    done = player.run(speed=20.0)
    player.stop(drain_s=0.0)
    assert done.recorded_s == pytest.approx(3.56)  # 90 frames at 25 Hz
    assert done.elapsed_s >= 3.56 / 20


@pytest.mark.parametrize("as_json", [False, True])
def test_tail_prints_a_line_per_message_and_ends_at_goodbye(log_path: Path, as_json: bool) -> None:
    player = Replay(log_path, ServerSettings(Address.parse("tcp://127.0.0.1:0")))
    url = player.start()

    def play() -> None:
        player.wait_for_subscriber()
        player.run(speed=0)
        player.stop()

    thread = threading.Thread(target=play)
    thread.start()
    result = invoke("tail", url, *(["--json"] if as_json else []))
    thread.join(10)
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    if as_json:
        rows = [json.loads(line) for line in lines]
        live = [row for row in rows if row.get("topic") == "live.hall"]
        assert len(live) == 90 and live[0]["body"]["person_ids"] == [1, 2]
        assert rows[-1] == {"event": "bye", "reason": "end"}
    else:
        assert (
            "live.hall #90  cam0 frame 89  t=3.560 s  2 people, 1 seen  left out: {'pose_budget': 2}" in lines
        )
        assert "window.hall #1  window 0 rev 0  2 people, 128 person-frames, 128 observed" in lines
        assert lines[-1] == "-- goodbye: end"


def test_tail_counts_and_says_when_nobody_is_there(log_path: Path) -> None:
    player = Replay(log_path, ServerSettings(Address.parse("tcp://127.0.0.1:0")))
    url = player.start()
    player.run(speed=0)
    result = invoke("tail", url, "--topics", "status,window", "--count", 3)
    assert result.exit_code == 0 and result.output.splitlines()[-1].startswith("window.hall #1")
    player.stop(drain_s=0.0)
    result = invoke("tail", url)
    assert isinstance(result.exception, CrowdstreamError) and "no engine answers at" in str(result.exception)


def test_tail_explains_who_came_back_and_why_bodies_changed(tmp_path: Path) -> None:
    path = tmp_path / "a.cslog"
    publisher = PublisherStage(PublishConfig(listen="", clock="capture"), "hall", walkers_schema(), path)
    publisher.start()
    publisher.push_identity(walkers_return(17, 5))
    publisher.push_identity(
        replace(walkers_return(23, 17, person=5), evidence={}, reason="nobody else was near")
    )
    publisher.push_revision(walkers_revision(2, 0, guide=12))
    publisher.push_revision(walkers_revision(9, 4))
    publisher.push_identity(walkers_return(17, 5, split=True))
    publisher.stop()
    player = Replay(path, ServerSettings(Address.parse("tcp://127.0.0.1:0")))
    url = player.start()
    player.run(speed=0)
    late = invoke("tail", url, "--topics", "identity", "--count", 3).output.splitlines()
    assert (
        late[2] == "-- identity.hall: state at #3, 2 message(s)"
    )  # whoever comes late: the newest of each track
    identity = [
        "identity.hall #2  person 23 is person 5 again: hidden 3.2 s, p 0.94: nobody else was near",
        "identity.hall #3  person 17 is not person 5 after all: p 0.06 (motion -3.5, appearance +1.2)",
    ]
    assert late[3:] == identity
    player.stop(drain_s=0.0)
    lines = tail_of(path)
    assert lines[1:] == [
        "identity.hall #1  person 17 is person 5 again: hidden 3.2 s, p 0.94 (motion +2.1, appearance +1.2)",
        identity[0],
        "refined.hall #1  window 0 rev 1  2 people, 128 person-frames, 128 observed: "
        "1 gap filled; 2 guided by 12, moved 0.12 m",
        "refined.hall #2  window 4 rev 1  9 people, 576 person-frames, 576 observed: "
        "1 gap filled; 2 guided, moved 0.12 m; 3 guided, moved 0.12 m; 4 guided, moved 0.12 m; "
        "5 guided, moved 0.12 m; 6 guided, moved 0.12 m; and 3 more",
        identity[1],
    ]


def tail_of(path: Path) -> list[str]:
    """What `tail` says of each recorded message, in order of commit."""
    return [_line(message) for message in LogReader(path).messages()]


@pytest.mark.parametrize(("format", "files"), [("mot", 1), ("csv", 2), ("amass", 2)])
def test_export_writes_and_reports(log_path: Path, tmp_path: Path, format: str, files: int) -> None:
    result = invoke("export", log_path, "--format", format, "-o", tmp_path / "out", "--json")
    assert result.exit_code == 0, result.output
    done = json.loads(result.stdout)
    assert len(done["files"]) == files and all(Path(file).stat().st_size for file in done["files"])
    assert done["rows"] > 0 and done["notes"] == []


@pytest.mark.parametrize(
    "args", [("export", "x", "--format", "glb", "-o", "y"), ("replay", "x", "--speed", "-1")]
)
def test_wrong_usage_ends_with_2(args: tuple[str, ...]) -> None:
    assert invoke(*args).exit_code == 2


@pytest.mark.parametrize(
    "args", [("export", "none.cslog", "--format", "mot", "-o", "y"), ("replay", "none.cslog")]
)
def test_missing_log_is_one_line(args: tuple[str, ...]) -> None:
    result = invoke(*args)
    assert isinstance(result.exception, CrowdstreamError) and "no log at none.cslog" in str(result.exception)
