"""What happened, told from one health report to the next: changes only, and the figures now and then.

chronicle = Chronicle(open_event_log(config.health))
chronicle.tell("control", "gate is paused")        # what the supervisor says itself
chronicle.report(report)                           # every few seconds
chronicle.close()
"""

from __future__ import annotations

from .logs import EventLog, Level
from .records import BAD_PHASES, RUNNING, CameraHealth, HealthReport
from .verdict import ready, span

FIGURES_S = 600.0
"""Between two lines of figures."""
GRAVE = ("failed", "lost", "refused", "not_", "publish_failed")
"""Parts of the kind of a note that make it a warning."""


class Chronicle:
    """Writes to one event log; knows no clock but the reports' own uptime."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._last: HealthReport | None = None
        self._cameras: dict[str, CameraHealth] = {}
        self._told_s = 0.0
        self._told: set[str] = set()
        """Kinds told since the last report: what was said in words is not said again in figures."""

    def tell(self, kind: str, text: str, **fields: object) -> None:
        """An event of the supervisor's own."""
        self._told.add(kind)
        grave = any(part in kind for part in GRAVE)
        self._log.event(kind, text, level="warning" if grave else "info", **fields)  # type: ignore[arg-type]

    def report(self, report: HealthReport) -> None:
        """Tells what has changed since the report before, then what was held back and is due."""
        last = self._last
        for camera in report.cameras:
            self._camera(camera)
        if last is None or last.ready != report.ready:
            is_ready, said = ready(report, 0.0)
            self._log.event(
                "ready" if is_ready else "not_ready", said, level="info" if is_ready else "warning"
            )
        if last is not None:
            self._changes(last, report)
        if last is None or report.uptime_s - self._told_s >= FIGURES_S:
            self._told_s = report.uptime_s
            self._figures(report)
        self._last = report
        self._told.clear()
        self._log.tick()

    def close(self) -> None:
        """The last figures; the log is closed."""
        if self._last is not None:
            self._figures(self._last)
        self._log.close()

    def _camera(self, camera: CameraHealth) -> None:
        before = self._cameras.get(camera.name)
        self._cameras[camera.name] = camera
        if before is not None and (before.phase, before.fault) == (camera.phase, camera.fault):
            return
        level: Level = "info"
        if camera.phase in BAD_PHASES:
            level = "error" if camera.phase == "failed" else "warning"
        text = f"{camera.name} {camera.phase}" + (f": {camera.text}" if camera.text else "")
        fields: dict[str, object] = {"phase": camera.phase}
        if camera.fault:
            fields["fault"] = camera.fault
        if camera.phase == RUNNING and camera.reconnects:
            fields["reconnects"] = camera.reconnects
        self._log.event("camera_state", text, level=level, camera=camera.name, **fields)  # type: ignore[arg-type]

    def _changes(self, last: HealthReport, report: HealthReport) -> None:
        if report.effort_level != last.effort_level and "effort" not in self._told:
            way = "less" if report.effort_level > last.effort_level else "more"
            why = f": {report.effort_why}" if report.effort_why else ""
            self._log.event(
                "effort", f"{way} effort, rung {report.effort_level}{why}", rung=report.effort_level
            )
        refused = report.not_recorded - last.not_recorded
        if refused > 0:
            text = f"the disk refused {refused} commits; results go out and are not kept"
            self._log.event("not_recorded", text, level="error", count=refused)
        elif report.recording and not last.recording and last.not_recorded:
            self._log.event("recorded_again", "the disk takes commits again")
        self._logs(last, report)
        before = {(stage.name, stage.place): stage.restarts for stage in last.stages}
        for stage in report.stages:
            lost = stage.restarts - before.get((stage.name, stage.place), 0)
            if lost > 0 and "worker_replaced" not in self._told:
                text = f"a worker of {stage.name} was lost and is replaced"
                self._log.event("worker_replaced", text, level="warning", stage=stage.name, count=lost)

    def _logs(self, last: HealthReport, report: HealthReport) -> None:
        aside, gone = report.logs_laid_aside - last.logs_laid_aside, report.logs_removed - last.logs_removed
        if aside > 0 or gone > 0:
            text = f"{max(aside, 0)} logs laid aside, {max(gone, 0)} of the old ones removed"
            self._log.event("log_laid_aside", text, laid_aside=max(aside, 0), removed=max(gone, 0))
        refused = report.logs_refused - last.logs_refused
        if refused > 0:
            text = "the disk does not let a log be laid aside or removed; it grows on, and is tried again"
            self._log.event("log_refused", text, level="error", count=refused)

    def _figures(self, report: HealthReport) -> None:
        running = sum(camera.phase == RUNNING for camera in report.cameras)
        live = report.latency_ms.get("live", {}).get("p95")
        text = (
            f"up {span(report.uptime_s)}, {running} of {len(report.cameras)} cameras run, {report.people} people, "
            f"{report.windows} windows" + (f", live p95 {live:.0f} ms" if live is not None else "")
        )
        self._log.event(
            "figures", text, windows=report.windows, person_frames=report.person_frames, people=report.people,
            dropped=sum(report.drops.values()), log_bytes=report.log_bytes, resident_bytes=report.resident_bytes,
            subscribers=report.subscribers,
        )  # fmt: skip
