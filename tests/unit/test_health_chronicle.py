"""From reports to events: every change is told once, and nothing that did not change."""

from __future__ import annotations

import json
from dataclasses import replace

from crowdstream.stream.clock import FakeClock
from crowdstream.stream.health.chronicle import FIGURES_S, Chronicle
from crowdstream.stream.health.logs import EventLog
from crowdstream.stream.health.records import CameraHealth, HealthReport, StageHealth

GATE, HALL = CameraHealth("gate", "running"), CameraHealth("hall", "starting")
WELL = HealthReport(0, "s", 10.0, True, (GATE, HALL), (StageHealth("solver"),), recording=True)


class Told:
    """A sink, and what came to it since it was last asked."""

    def __init__(self) -> None:
        self.rows: list[dict[str, object]] = []

    def write(self, line: str) -> None:
        self.rows.append(json.loads(line))

    def close(self) -> None:
        pass

    def since(self) -> list[tuple[object, object]]:
        said = [(row["event"], row["level"]) for row in self.rows]
        self.rows.clear()
        return said


def begun() -> tuple[Chronicle, Told]:
    told = Told()
    chronicle = Chronicle(EventLog(told, burst=1000, clock=FakeClock(10**18)))
    chronicle.report(WELL)
    assert told.since() == [("camera_state", "info")] * 2 + [("ready", "info"), ("figures", "info")]
    return chronicle, told


def test_what_stays_is_not_told_again() -> None:
    chronicle, told = begun()
    for i in range(100):
        chronicle.report(replace(WELL, uptime_s=11.0 + i, windows=i, people=i % 5))
    assert told.since() == []


def test_a_camera_is_told_of_when_its_state_changes() -> None:
    chronicle, told = begun()
    lost = replace(
        GATE, phase="reconnecting", fault="refused", text="nobody listens at rtsp://u:hunter2@10.0.0.7/1"
    )
    for camera in (lost, replace(lost, text="next try in 4 s"), replace(lost, fault="auth_failed")):
        chronicle.report(replace(WELL, cameras=(camera, HALL)))
    assert "hunter2" not in json.dumps(told.rows) and "nobody listens" in str(told.rows[0]["text"])
    assert told.since() == [("camera_state", "warning")] * 2
    chronicle.report(replace(WELL, cameras=(replace(GATE, reconnects=1), replace(HALL, phase="failed"))))
    assert told.rows[0]["fields"] == {"phase": "running", "reconnects": 1}
    assert told.since() == [("camera_state", "info"), ("camera_state", "error")]


def test_workers_effort_disk_and_readiness_are_told_of() -> None:
    chronicle, told = begun()
    worse = replace(
        WELL, ready=False, effort_level=2, effort_why="frames wait", not_recorded=3, recording=False,
        stages=(StageHealth("solver", restarts=2),),
    )  # fmt: skip
    chronicle.report(worse)
    assert told.rows[-1]["fields"] == {"count": 2} and told.rows[-1]["stage"] == "solver"
    assert told.since() == [
        ("not_ready", "warning"), ("effort", "info"), ("not_recorded", "error"), ("worker_replaced", "warning"),
    ]  # fmt: skip
    chronicle.report(worse)
    assert told.since() == []
    chronicle.report(replace(worse, ready=True, effort_level=0, recording=True))
    assert told.since() == [("ready", "info"), ("effort", "info"), ("recorded_again", "info")]


def test_logs_laid_aside_removed_and_refused_are_told_of() -> None:
    chronicle, told = begun()
    once = replace(WELL, logs_laid_aside=WELL.logs_laid_aside + 1, logs_removed=WELL.logs_removed + 2)
    chronicle.report(once)
    assert told.rows[-1]["fields"] == {"laid_aside": 1, "removed": 2}
    chronicle.report(once)
    chronicle.report(replace(once, logs_refused=1))
    assert told.since() == [("log_laid_aside", "info"), ("log_refused", "error")]


def test_figures_come_now_and_then_and_at_the_end() -> None:
    chronicle, told = begun()
    for i in range(1, 31):
        chronicle.report(replace(WELL, uptime_s=10.0 + i * FIGURES_S / 10))
    assert told.since() == [("figures", "info")] * 3
    chronicle.close()
    assert told.since() == [("figures", "info")]


def test_what_the_supervisor_says_is_as_grave_as_it_sounds() -> None:
    chronicle, told = begun()
    chronicle.tell("control", "gate is paused")
    chronicle.tell("solve_failed", "gate: lost")
    chronicle.tell("not_checkpointed", "no space")
    assert told.since() == [("control", "info"), ("solve_failed", "warning"), ("not_checkpointed", "warning")]


def test_what_was_said_in_words_is_not_said_again() -> None:
    chronicle, told = begun()
    chronicle.tell("effort", "rung 1: no refinement")
    chronicle.report(replace(WELL, effort_level=1))
    assert told.since() == [("effort", "info")]
    chronicle.report(replace(WELL, effort_level=2))
    assert told.since() == [("effort", "info")]
