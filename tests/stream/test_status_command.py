"""`crowdstream status` against a real server: what it shows, and the exit code a script can act on."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from crowdstream.actors.commands.status_view import PHASES, view
from crowdstream.actors.main import main
from crowdstream.stream.health.records import CameraHealth, HealthReport, StageHealth
from crowdstream.stream.health.wire import report_map
from crowdstream.stream.sources.live.records import CameraPhase
from crowdstream.stream.wire.address import Address
from crowdstream.stream.wire.codec import encode, plain
from crowdstream.stream.wire.hub import Hub
from crowdstream.stream.wire.messages import Kind, Message
from crowdstream.stream.wire.server import ServerSettings, WireServer

GATE = CameraHealth(
    "gate", "running", frames=100, fps_in=25.0, fps_out=12.5, frame_age_s=0.2, people=7, calibrated=True
)
HALL = CameraHealth("hall", "reconnecting", "auth_failed", "wrong user or password", reconnects=3)
REPORT = HealthReport(
    0, "s1", 7260.0, True, (GATE, HALL), (StageHealth("solver", queued=3, queue_limit=8),),
    {("camera", "stale"): 15}, {"live": {"p50": 120.0, "p95": 214.0}}, windows=55, people=7, version="0.1.0",
)  # fmt: skip


@pytest.fixture
def server() -> Iterator[WireServer]:
    server = WireServer(
        Hub("s1"), ServerSettings(Address.parse("tcp://127.0.0.1:0"), token="t0ken-for-tests")
    )
    server.start()
    yield server
    server.stop()


def publish(server: WireServer, body: dict[str, object], seq: int = 1) -> None:
    message = Message("s1", "health", seq, Kind.DATA, 0, "host", time.time_ns(), {}, plain(body))  # type: ignore[arg-type]
    server.publish(message, encode(message))


def status(server: WireServer, capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as caught:
        main(["status", str(server.address), "--timeout", "0.5", *options])
    said = capsys.readouterr()
    return int(str(caught.value.code or 0)), said.out, said.err


TOKEN = ("--token", "t0ken-for-tests")


def test_a_ready_engine_is_shown_and_is_no_failure(
    server: WireServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    publish(server, report_map(replace(REPORT, t_ns=time.time_ns())))
    code, out, _ = status(server, capsys, *TOKEN)
    assert code == 0
    for part in ("1 of 2 cameras run", "● running", "↻ reconnecting", "wrong user or password", "55 windows", "3 of 8",
                 "stale 15", "120 ms (p95 214 ms)"):  # fmt: skip
        assert part in out, out


def test_figures_come_as_json_too(
    server: WireServer, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    publish(server, report_map(replace(REPORT, t_ns=time.time_ns())))
    (tmp_path / "token").write_text("t0ken-for-tests\n")
    (tmp_path / "token").chmod(0o600)
    code, out, _ = status(server, capsys, "--json", "--token-file", str(tmp_path / "token"))
    figures = json.loads(out)
    assert code == 0 and figures["ready"] is True and figures["cameras"][1]["fault"] == "auth_failed"


@pytest.mark.parametrize("json_too", [False, True])
def test_an_engine_without_cameras_is_a_failure_that_says_why(
    server: WireServer, capsys: pytest.CaptureFixture[str], json_too: bool
) -> None:
    publish(server, report_map(replace(REPORT, t_ns=time.time_ns(), ready=False, cameras=(HALL,))))
    code, out, err = status(server, capsys, *TOKEN, *(["--json"] if json_too else []))
    assert code == 1 and "no camera runs: hall reconnecting (wrong user or password)" in err
    assert out


def test_an_engine_that_hangs_is_a_failure(server: WireServer, capsys: pytest.CaptureFixture[str]) -> None:
    publish(server, report_map(replace(REPORT, t_ns=time.time_ns() - 60 * 10**9)))
    code, _, err = status(server, capsys, *TOKEN)
    assert code == 1 and "hangs" in err


def test_who_tells_no_figures_is_waited_for_and_then_named(
    server: WireServer, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(server, {"component": "refiner", "ready": True})
    code, _, err = status(server, capsys, *TOKEN)
    assert code == 1 and "tells no figures within 0.5 s" in err


def test_a_wrong_token_and_an_empty_port_are_one_line_each(
    server: WireServer, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = status(server, capsys, "--token", "wrong-one")
    assert code == 1 and "wrong token" in err
    server.stop()
    code, _, err = status(server, capsys)
    assert code == 1 and "no engine answers" in err and err.count("\n") == 1


def test_asking_how_it_is_loads_no_engine() -> None:
    code = (
        "import sys, crowdstream.actors.commands.status, crowdstream.stream.health.http; print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "ray", "av", "cv2", "numba", "onnxruntime"} & set(done.stdout.split())


# --- how it looks -----------------------------------------------------------------------------------------


def drawn(report: HealthReport, age_s: float = 0.0, width: int = 120) -> str:
    console = Console(width=width, record=True, file=open("/dev/null", "w"), color_system=None)
    try:
        console.print(view(report, age_s))
        return console.export_text()
    finally:
        console.file.close()


def test_every_phase_has_a_shape_of_its_own() -> None:
    assert set(PHASES) == {phase.value for phase in CameraPhase}
    assert len({symbol for symbol, _ in PHASES.values()}) == len(PHASES)


def test_old_figures_are_said_to_be_old() -> None:
    assert "old" not in drawn(REPORT, 2.0)
    assert "figures are 15 s old" in drawn(REPORT, 15.0)


def test_no_camera_steers_the_terminal() -> None:
    evil = CameraHealth("\x1b[2Jgate\n", "\x07odd", text="\x1b]0;owned\x07")
    said = drawn(
        replace(REPORT, cameras=(evil,), drops={("\x1b", "\r"): 1}, networks={"\x1b": "\x1b"}, sid="\x1b")
    )
    assert not set("\x1b\x07\r") & set(said)


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_any_width_and_any_number_of_cameras_fit(width: int) -> None:
    many = tuple(CameraHealth(f"camera-number-{i}", "failed", text="why " * 30) for i in range(500))
    said = drawn(replace(REPORT, cameras=many), width=width)
    assert all(len(line) <= width for line in said.splitlines())
    assert "and 436 more" in said and len(said.splitlines()) < 200
