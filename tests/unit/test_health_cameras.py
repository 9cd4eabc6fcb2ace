"""The row of a camera: what it counted, how fast, how old, and in which state; and what that comes to in words."""

from __future__ import annotations

import pytest

from crowdstream.stream.health.camera_meter import CameraMeter
from crowdstream.stream.health.records import BAD_PHASES, PHASES, CameraHealth, HealthReport, StageHealth
from crowdstream.stream.health.verdict import alive, ready, span, troubles
from crowdstream.stream.records import ClockOrigin
from crowdstream.stream.sources.live.records import CameraPhase, CameraState, SourceFault


def state(phase: CameraPhase, attempt: int = 0, fault: SourceFault | None = None) -> CameraState:
    return CameraState("gate", phase, 0, fault, attempt=attempt)


def report(*cameras: CameraHealth, is_ready: bool = True, **fields: object) -> HealthReport:
    return HealthReport(0, "s", 90.0, is_ready, cameras, **fields)  # type: ignore[arg-type]


def test_a_report_knows_every_phase() -> None:
    assert sorted(PHASES) == sorted(phase.value for phase in CameraPhase)
    assert set(BAD_PHASES) == {CameraPhase.FAILED, CameraPhase.RECONNECTING, CameraPhase.STALLED}


def test_a_camera_that_runs_has_its_rates_and_its_age() -> None:
    meter = CameraMeter("gate", "rtsp://10.0.0.7/1")
    meter.change(state(CameraPhase.RUNNING))
    for i in range(251):
        meter.came(1, i / 25)
        if i % 2:
            meter.tracked(1, 7, i / 25)
    meter.drop({"stale": 125})
    meter.timed(ClockOrigin.NTP_SR, 2_000_000)
    row = meter.health(10.2)
    assert (row.phase, row.frames, row.dropped, row.people) == ("running", 251, {"stale": 125}, 7)
    assert row.fps_in == pytest.approx(25, rel=0.1) and row.fps_out == pytest.approx(12.5, rel=0.1)
    assert row.frame_age_s == pytest.approx(0.2)
    assert (row.clock, row.skew_s) == ("ntp_sr", 0.002)


def test_a_lost_camera_counts_once_however_often_it_is_tried() -> None:
    meter = CameraMeter("gate")
    meter.change(state(CameraPhase.RUNNING))
    for _ in range(2):
        meter.change(state(CameraPhase.STALLED, fault=SourceFault.SILENT))
        for attempt in range(1, 6):
            meter.change(state(CameraPhase.RECONNECTING, attempt, SourceFault.REFUSED))
        assert meter.health(0.0).fault == "refused"
        meter.change(state(CameraPhase.RUNNING))
    assert meter.health(0.0).reconnects == 2


def test_nobody_is_seen_by_a_camera_that_gives_nothing() -> None:
    meter = CameraMeter("gate")
    meter.change(state(CameraPhase.RUNNING))
    meter.tracked(1, 12, 1.0)
    assert meter.health(1.0).people == 12
    meter.change(state(CameraPhase.RECONNECTING, 1))
    assert meter.health(2.0).people == 0
    assert CameraMeter("new").health(5.0).frame_age_s is None


# --- verdicts ---------------------------------------------------------------------------------------------


RUNS = CameraHealth("gate", "running")
LOST = CameraHealth("hall", "reconnecting", "auth_failed")


def test_an_engine_is_up_until_it_goes_quiet() -> None:
    assert alive(None, 0.0) == (True, "starting")
    assert alive(report(RUNS), 5.0)[0]
    assert alive(report(RUNS), 31.0)[0] is False
    assert alive(report(RUNS), 31.0, stale_s=60.0)[0]


def test_an_engine_is_ready_with_one_camera_and_says_what_is_missing() -> None:
    assert ready(report(RUNS, LOST), 1.0) == (True, "ready: 1 of 2 cameras run")
    assert ready(None, 0.0)[0] is False
    assert ready(report(RUNS), 31.0)[0] is False
    assert ready(report(LOST, is_ready=False), 1.0) == (
        False,
        "no camera runs: hall reconnecting (auth failed)",
    )
    assert "networks" in ready(report(RUNS, is_ready=False), 1.0)[1]
    assert "no cameras" in ready(report(is_ready=False), 1.0)[1]
    many = tuple(CameraHealth(f"c{i}", "failed") for i in range(100))
    assert ready(report(*many, is_ready=False), 1.0)[1].endswith("and 92 more")


def test_what_an_operator_must_know_is_said_and_nothing_else() -> None:
    assert troubles(report(RUNS, CameraHealth("b", "paused"), CameraHealth("c", "ended"))) == []
    said = troubles(report(
        RUNS, LOST, not_recorded=3, effort_level=2, effort_why="frames wait", drops={("a", "b"): 1},
        stages=(StageHealth("solver", restarts=1, queued=8, queue_limit=8), StageHealth("publisher")),
    ))  # fmt: skip
    assert len(said) == 5
    for part in (
        "hall reconnecting (auth failed)",
        "3 commits",
        "rung 2: frames wait",
        "replaced once",
        "8 wait",
    ):
        assert any(part in line for line in said)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.4, "0 s"), (59.0, "59 s"), (61.0, "1 min"), (7260.0, "2 h 1 min"), (1e6, "11 d 13 h")],
)
def test_a_stretch_of_time_is_said_as_people_do(seconds: float, said: str) -> None:
    assert span(seconds) == said
