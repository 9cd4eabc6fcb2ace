"""What a report comes to: is the engine up, is it ready, and what is wrong, each in one line."""

from __future__ import annotations

from .records import BAD_PHASES, RUNNING, CameraHealth, HealthReport

STALE_S = 30.0
"""A report comes every 2 s; without one for so long the supervisor hangs."""
MOST_NAMED = 8
"""Cameras that one line names."""


def alive(report: HealthReport | None, age_s: float, stale_s: float = STALE_S) -> tuple[bool, str]:
    """Whether the process does its work, and how it is said. True while it starts."""
    if report is None:
        return True, "starting"
    if age_s > stale_s:
        return False, f"no report for {age_s:.0f} s: the supervisor hangs"
    return True, f"up for {span(report.uptime_s)}"


def ready(report: HealthReport | None, age_s: float, stale_s: float = STALE_S) -> tuple[bool, str]:
    """Whether at least one camera runs and the networks are loaded, and what is missing."""
    if report is None:
        return False, "starting: no figures yet"
    up, said = alive(report, age_s, stale_s)
    if not up:
        return False, said
    running = sum(camera.phase == RUNNING for camera in report.cameras)
    if report.ready:
        return True, f"ready: {running} of {len(report.cameras)} cameras run"
    if not report.cameras:
        return False, "no cameras"
    if running:
        return False, "the networks are not loaded yet"
    return False, "no camera runs: " + named(report.cameras)


def troubles(report: HealthReport) -> list[str]:
    """What an operator should know of, worst first; empty when all is well."""
    out = []
    out += [_camera_line(c) for c in report.cameras if c.phase in BAD_PHASES]
    if report.not_recorded:
        still = "" if report.recording else ", and the newest is not in the log"
        out.append(
            f"{report.not_recorded} commits were refused by the disk{still}: free space where the log is"
        )
    if report.effort_level:
        why = f": {report.effort_why}" if report.effort_why else ""
        out.append(f"working at reduced effort, rung {report.effort_level}{why}")
    for stage in report.stages:
        if stage.restarts:
            times = "once" if stage.restarts == 1 else f"{stage.restarts} times"
            out.append(f"{stage.name} was replaced {times}")
        if stage.queue_limit and stage.queued >= stage.queue_limit:
            out.append(f"{stage.name} is behind: {stage.queued} wait, as many as may")
    return out


def named(cameras: tuple[CameraHealth, ...]) -> str:
    """Name, phase and cause of each, as many as a line takes."""
    said = "; ".join(_camera_line(camera) for camera in cameras[:MOST_NAMED])
    rest = len(cameras) - MOST_NAMED
    return said + (f"; and {rest} more" if rest > 0 else "")


def _camera_line(camera: CameraHealth) -> str:
    why = camera.text or camera.fault.replace("_", " ")
    return f"{camera.name} {camera.phase}" + (f" ({why})" if why else "")


def span(seconds: float) -> str:
    """A stretch of time for people: 42 s, 3 min, 5 h 12 min, 12 d 3 h."""
    minutes, hours = int(seconds // 60), int(seconds // 3600)
    if seconds < 60:
        return f"{seconds:.0f} s"
    if minutes < 60:
        return f"{minutes} min"
    if hours < 24:
        return f"{hours} h {minutes % 60} min"
    return f"{hours // 24} d {hours % 24} h"
