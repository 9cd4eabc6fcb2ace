"""The health report, from what the supervisor sees anyway: no worker is waited for, so a stuck one does not hide it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..stream.health.camera_meter import CameraMeter
from ..stream.health.chronicle import Chronicle
from ..stream.health.logs import open_event_log
from ..stream.health.meter import ResidentMemory
from ..stream.health.records import CameraHealth, HealthReport, StageHealth
from ..stream.health.redact import redact
from ..stream.records import ClockOrigin, Frame
from ..stream.ring import SlotToken
from ..stream.sources.live.records import CameraPhase, CameraState
from ..stream.timing.buckets import Buckets
from ..stream.timing.pairing import CameraPairing
from .busy import Busy
from .crew import Crew
from .lane import Lane
from .place import Post

if TYPE_CHECKING:
    from .supervisor import Supervisor

_MOST_CAUSES = 64


class Overview:
    """Fills a report every few seconds, and whenever a camera changes."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._s = supervisor
        self._meters: dict[int, CameraMeter] = {}
        self._counted: dict[int, tuple[int, int]] = {}
        self._memory = ResidentMemory(supervisor.place.pids)
        self._busy = Busy(supervisor.place)
        self._began_s = time.monotonic()
        self._due_s = 0.0
        self._log = open_event_log(supervisor.plan.config.health)
        for entry in supervisor.plan.cameras:
            self._log.secrets.add_address(entry.source)
        self._chronicle = Chronicle(self._log)
        self.buckets = Buckets({})
        """Frames of the live cameras, paired by their times: how far apart the cameras are, and whether they drift."""
        self._pairings: Mapping[str, CameraPairing] = {}

    def pair(self, lane: Lane, frames: Sequence[Frame | SlotToken]) -> None:
        """Frames of one of several live cameras have come."""
        if not lane.live or len(self._s.lanes) < 2 or lane.info is None:
            return
        self.buckets.add(lane.name, lane.info.fps)
        for frame in frames:
            self.buckets.push(lane.name, frame.index, frame.t_capture_ns)
        for note in self.buckets.drain_notes():
            self._s.tell("clock", note)

    def hasten(self) -> None:
        """A camera has changed: the next turn reports."""
        self._due_s = 0.0

    def look(self) -> None:
        """Report if it is time."""
        now_s = time.monotonic()
        if now_s < self._due_s:
            return
        self._due_s = now_s + self._s.config.health_s
        if self._s.outbox.post is not None:
            self._busy.look(self._posts())
            report = self.report(now_s)
            self._chronicle.report(report)
            self._s.outbox.push("push_health", report)

    def tell(self, kind: str, text: str, camera: str = "") -> None:
        """For the log: something that the supervisor, or a camera's site, says."""
        self._chronicle.tell(kind, text, camera=camera)

    def close(self) -> None:
        """The log's last line."""
        self._chronicle.close()

    def report(self, now_s: float) -> HealthReport:
        """Everything at this moment."""
        s = self._s
        out = s.outbox.out
        self._pairings = self.buckets.report().cameras
        cameras = tuple(self._camera(lane, now_s) for lane in s.lanes)
        running = any(camera.phase == CameraPhase.RUNNING for camera in cameras)
        return HealthReport(
            t_ns=s.clock.now_ns(),
            sid=out.sid,
            uptime_s=round(now_s - self._began_s, 3),
            ready=running and bool(s.networks) and not s.stopping,
            cameras=cameras,
            stages=self._stages(),
            drops=self._drops(),
            latency_ms=out.latency_ms,
            windows=out.windows,
            person_frames=out.person_frames,
            people=sum(camera.people for camera in cameras),
            refine_lag_s=out.refine_lag_s,
            effort_level=s.pressing.effort.level,
            effort_why=s.pressing.why,
            subscribers=out.subscribers,
            subscriber_dropped=out.dropped,
            log_bytes=out.log_bytes,
            logs_laid_aside=out.logs.laid_aside,
            logs_removed=out.logs.removed,
            logs_refused=out.logs.refused,
            not_recorded=out.not_recorded,
            recording=s.plan.record is not None and out.recording,
            networks={role: f"{net['name']} on {net['rung']}" for role, net in s.networks.items()},
            resident_bytes=self._memory.total_bytes(now_s),
            version=__version__,
        )

    def _camera(self, lane: Lane, now_s: float) -> CameraHealth:
        meter = self._meters.get(id(lane))
        name = lane.name or lane.entry.name
        if meter is None:
            meter = self._meters[id(lane)] = CameraMeter(name, redact(lane.entry.source))
        meter.name = name
        state = lane.state or CameraState(name, _phase(lane), 0)
        if state is not meter.state:
            meter.change(state)
        frames, tracked = lane.received, lane.frames
        before = self._counted.get(id(lane), (0, 0))
        meter.came(max(0, frames - before[0]), now_s)
        meter.tracked(max(0, tracked - before[1]), lane.people, now_s)
        self._counted[id(lane)] = (frames, tracked)
        meter.calibrated = lane.calibration is not None or lane.entry.calibration is not None
        meter.reconnects = lane.reconnects + lane.reopened
        meter.dropped = Counter(lane.source_counts) + Counter(lane.drops)
        if lane.clock:
            meter.timed(ClockOrigin(lane.clock), lane.skew_ns, lane.drift_ppm)
        meter.tracks = lane.people_seen
        row = meter.health(now_s)
        pairing = self._pairings.get(name)
        return row if pairing is None else replace(row, offset_s=pairing.offset_s, slips=pairing.slips)

    def _stages(self) -> tuple[StageHealth, ...]:
        s = self._s
        rows = []
        lost = s.recovery.lost
        frames = sum(len(lane.batches) for lane in s.lanes)
        windows = sum(len(lane.solving) for lane in s.lanes)
        lanes = max(len(s.lanes), 1)
        queued = {"perception": frames, "tracking": frames, "solver": windows}
        limits = {
            "perception": s.config.batches_in_flight * lanes, "tracking": s.config.batches_in_flight * lanes,
            "solver": s.config.windows_in_flight * lanes,
        }  # fmt: skip
        busy = self._busy.seconds
        rows.append(StageHealth("camera", restarts=lost.get("camera", 0), busy_s=busy("camera")))
        for crew in s.crews:
            for stage in queued:
                name = self._name(crew, stage)
                lives = (crew.node[:12], crew.restarts[stage])
                rows.append(StageHealth(name, *lives, queued[stage], limits[stage], busy(name)))
        if s.refiner is not None:
            waiting = sum(lane.refining.waiting for lane in s.lanes if lane.refining is not None)
            restarts = sum(lane.refining.counts["restarts"] for lane in s.lanes if lane.refining is not None)
            limit = s.plan.config.refine.waiting * lanes
            rows.append(StageHealth("refiner", "", restarts, waiting, limit, busy("refiner")))
        waiting, limit = len(s.outbox), s.config.results_in_flight
        rows.append(StageHealth("publisher", "", lost.get("publisher", 0), waiting, limit, busy("publisher")))
        return tuple(rows)

    def _name(self, crew: Crew, stage: str) -> str:
        return stage if len(self._s.crews) == 1 else f"{stage}-{crew.number}"

    def _posts(self) -> dict[str, list[Post]]:
        """Everybody who works, by the stage they are shown under."""
        s = self._s
        posts = {"camera": [lane.camera for lane in s.lanes if lane.camera is not None]}
        for crew in s.crews:
            posts |= {self._name(crew, post.name): [post] for post in crew.posts()}
        posts["refiner"] = [s.refiner.post] if s.refiner is not None else []
        posts["publisher"] = [s.outbox.post] if s.outbox.post is not None else []
        return posts

    def _drops(self) -> dict[tuple[str, str], int]:
        drops: Counter[tuple[str, str]] = Counter()
        for lane in self._s.lanes:
            drops.update({("camera", cause): count for cause, count in lane.source_counts.items()})
            drops.update({("perception", cause): count for cause, count in lane.frame_drops.items()})
            drops.update({("engine", cause): count for cause, count in lane.drops.items()})
            if lane.refining is not None:
                drops.update({("refiner", cause): lane.refining.counts[cause] for cause in ("busy", "lost")})
        drops["publisher", "failed"] += self._s.outbox.lost
        found = [(key, count) for key, count in drops.items() if count]
        return dict(found[:_MOST_CAUSES])


def _phase(lane: Lane) -> CameraPhase:
    """Of a recording, which does not say."""
    if lane.ended:
        return CameraPhase.ENDED
    return CameraPhase.STARTING if lane.info is None else CameraPhase.RUNNING


def describe(report: HealthReport) -> dict[str, Any]:
    """A few figures of a report, for a reply."""
    return {
        "ready": report.ready,
        "people": report.people,
        "windows": report.windows,
        "effort_level": report.effort_level,
        "cameras": {camera.name: camera.phase for camera in report.cameras},
    }
