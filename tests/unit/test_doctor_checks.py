"""What the doctor looks at: each finding is true, and whoever is in trouble is told what to do."""

from __future__ import annotations

import resource
import socket
from pathlib import Path

import pytest

from crowdstream.actors.commands import machine_checks
from crowdstream.actors.commands.machine_checks import (
    Finding,
    check_machine,
    clock,
    disk,
    memory,
    open_files,
    port,
    ray_home,
)
from crowdstream.actors.commands.source_checks import ADVICE, check_sources, ring_bytes
from crowdstream.stream.sources.live import probe as probing
from crowdstream.stream.sources.live.probe import Probe
from crowdstream.stream.sources.live.records import SourceFault

PLAZA = Path(__file__).resolve().parents[2] / "actors" / "demo_clip" / "plaza.mp4"


def test_few_open_files_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda which: (1024, 1024))
    assert "1024" in open_files().value and "LimitNOFILE=4096" in open_files().advice
    monkeypatch.setattr(resource, "getrlimit", lambda which: (resource.RLIM_INFINITY,) * 2)
    assert open_files() == Finding("open files", "unlimited")


@pytest.mark.parametrize(
    ("available_kb", "limit", "said", "short"),
    [(8_000_000, "max", "8.2 GB", False), (8_000_000, "1000000000", "1.0 GB in this container", True),
     (1_000_000, "9000000000", "1.0 GB", True), (8_000_000, None, "8.2 GB", False)],
)  # fmt: skip
def test_memory_is_what_this_process_may_have(
    tmp_path: Path, available_kb: int, limit: str | None, said: str, short: bool
) -> None:
    (tmp_path / "meminfo").write_text(f"MemTotal: 1 kB\nMemAvailable:  {available_kb} kB\n")
    if limit is not None:
        (tmp_path / "max").write_text(limit + "\n")
    found = memory(tmp_path / "meminfo", (str(tmp_path / "max"),))
    assert found.value == said and bool(found.advice) == short
    assert memory(tmp_path / "none").advice == ""


def test_a_home_that_ray_cannot_use_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert ray_home() == Finding("home", str(tmp_path))
    for home in ("", str(tmp_path / "none")):
        monkeypatch.setenv("HOME", home)
        assert "HOME" in ray_home().advice


def test_a_disk_is_looked_at_and_left_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "GB free, a commit takes" in disk(tmp_path / "not" / "yet" / "x.cslog").value
    assert list(tmp_path.iterdir()) == []
    assert "cannot be written" in disk(Path("/proc/x.cslog")).advice
    monkeypatch.setattr(machine_checks, "fsync_s", lambda folder: 0.2)
    monkeypatch.setattr(machine_checks, "MIN_FREE_BYTES", 0)
    assert "takes 200 ms" in disk(tmp_path / "x.cslog").advice
    monkeypatch.setattr(machine_checks, "MIN_FREE_BYTES", 1 << 62)
    assert disk(tmp_path / "x.cslog").advice.startswith("only ")


def test_a_clock_is_in_step_loose_or_let_run() -> None:
    assert clock(lambda: (True, 0.004)).advice == ""
    assert "nearer" in clock(lambda: (True, 0.3)).advice
    assert "chrony" in clock(lambda: (False, 16.0)).advice
    assert clock(lambda: None) == Finding("clock", "not told by this system")
    assert clock().name == "clock"


def test_a_port_is_free_or_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"127.0.0.1:{taken.getsockname()[1]}"
        assert "crowdstream status" in port("publish.listen", "tcp://" + url).advice
        assert "in use" in port("health.listen", "http://" + url).value
    assert port("publish.listen", "tcp://" + url).value.endswith("is free")
    assert "expected" in port("publish.listen", "nonsense://").advice
    assert port("publish.listen", "unix:///tmp/x").advice == ""


def test_all_checks_run_on_any_machine(tmp_path: Path) -> None:
    names = [
        found.name for found in check_machine(tmp_path / "x.cslog", {"health.listen": "http://127.0.0.1:0"})
    ]
    assert len(names) == len(set(names)) == 6


# --- sources ----------------------------------------------------------------------------------------------


def test_every_fault_has_an_advice() -> None:
    assert set(ADVICE) == {fault.value for fault in SourceFault}


def test_each_source_is_tried_and_none_gives_a_password_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def probe(spec: str, timeout_s: float, config: object) -> Probe:
        if "good" in spec:
            return Probe(
                "rtsp://***@good/1", True, "h264", (1920, 1080), 25.0, "ntp_sr", 0.8, text="h264 1920x1080"
            )
        return Probe("rtsp://***@bad/1", False, fault=SourceFault.AUTH_FAILED, text="refuses the credentials")

    monkeypatch.setattr(probing, "probe", probe)
    (tmp_path / "wrong.json").write_text("{}")
    (tmp_path / "array.yaml").write_text(
        "cameras:\n"
        "  - {name: one, source: 'rtsp://u:hunter2@good/1'}\n"
        "  - {name: two, source: 'rtsp://u:hunter2@bad/1'}\n"
        f"  - {{name: plaza, source: '{PLAZA}', calibration: '{PLAZA.with_suffix('.json')}'}}\n"
        f"  - {{name: askew, source: '{PLAZA}', calibration: wrong.json}}\n"
    )
    tried = check_sources(
        [str(tmp_path / "array.yaml"), "nowhere.mp4", "rtsp://u:hunter2@:bad:/", str(tmp_path / "none.yaml")],
        1.0,
    )
    assert [finding.ok for finding in tried] == [True, False, True, False, False, False, False]
    assert [finding.name for finding in tried[:4]] == ["one", "two", "plaza", "askew"]
    assert tried[1].advice == ADVICE["auth_failed"] and "%40" in tried[1].sentence()
    assert "calibrated by plaza.json" in tried[2].text and tried[2].size_px == (1280, 720)
    assert "hunter2" not in repr(tried) + "".join(finding.sentence() for finding in tried)
    assert ring_bytes(tried) == 48 * 3 * (1920 * 1080 + 1280 * 720) // 2
