"""What Prometheus is told: a health report, and what the sockets counted, as metric families.

Labels are bounded: cameras, stages, topics and causes, never people or clients. Of more than `MOST_CAMERAS` cameras the
rest is one row `other`: counts and rates added up, ages and offsets at their worst. Seconds, bytes and whole counts
throughout. docs/operations.md lists every name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from .exposition import Family, MetricKind, render
from .records import PHASES, CameraHealth, HealthReport, StageHealth

MOST_CAMERAS = 64
MOST_CAUSES = 64
"""Pairs of stage and cause."""
MOST_TOPICS = 256
OTHER = "other"

C, G, H = MetricKind.COUNTER, MetricKind.GAUGE, MetricKind.HISTOGRAM


def metrics_text(
    report: HealthReport | None,
    wire: Mapping[str, object] | None = None,
    age_s: float = 0.0,
    openmetrics: bool = False,
) -> str:
    """The page for /metrics.

    Args:
        report: the newest; None before the first: then only `up` is told.
        wire: what the sockets counted: the fields of `WireStats`, and `topics` (topic -> messages published).
        age_s: since the report was made.
    """
    return render(families(report, wire or {}, age_s), openmetrics)


def families(report: HealthReport | None, wire: Mapping[str, object], age_s: float) -> list[Family]:
    """Everything exported, in the order of the page."""
    up = Family("up", G, "1 once the engine reports figures, 0 while it starts.")
    up.set(int(report is not None))
    if report is None:
        return [up]
    return [
        up,
        *_engine(report, age_s),
        *_cameras(report.cameras),
        *_stages(report.stages),
        _drops(report.drops),
        *_timings(report),
        *_publishing(report),
        *_wire(wire),
    ]


def _engine(report: HealthReport, age_s: float) -> list[Family]:
    build = Family("build_info", G, "Version of the engine; always 1.")
    build.set(1, version=report.version)
    session = Family("session_info", G, "Session id, new at every start without --resume; always 1.")
    session.set(1, sid=report.sid)
    backends = Family(
        "backend_info", G, "Network in use for each role, and the backend it runs on; always 1."
    )
    for role, text in list(report.networks.items())[:MOST_CAUSES]:
        name, on, rung = text.rpartition(" on ")
        backends.set(1, role=role, network=name if on else text, backend=rung if on else "")
    return [
        build,
        session,
        backends,
        _one("ready", "1 while at least one camera runs and the networks are loaded.", int(report.ready)),
        _one("uptime_seconds", "Since the engine started.", report.uptime_s),
        _one("report_age_seconds", "Since these figures were made; they come every 2 s.", max(0.0, age_s)),
        _one(
            "resident_memory_bytes", "Physical memory of all processes of the engine.", report.resident_bytes
        ),
        _one("effort_level", "Rung of the degradation ladder; 0 is everything.", report.effort_level),
        _one("people", "People in the newest frames of all cameras.", report.people),
    ]


def _cameras(cameras: Sequence[CameraHealth]) -> list[Family]:
    frames = Family("frames_total", C, "Frames of a camera by what became of them: used, or why left out.")
    phases = Family("camera_phase", G, "1 for the phase that a camera is in, 0 for the others.")
    faults = Family("camera_fault", G, "1 for the fault that keeps a camera from giving frames.")
    skew = Family(
        "clock_skew_seconds", G, "Of a camera's clock against this machine's, by where its time comes from."
    )
    for name, group in _groups(cameras):
        frames_by = Counter({"used": sum(camera.frames for camera in group)})
        for camera in group:
            frames_by.update(camera.dropped)
        for result, count in _bounded(frames_by.items()):
            frames.set(count, camera=name, result=result)
        for phase in PHASES:
            phases.set(sum(camera.phase == phase for camera in group), camera=name, phase=phase)
        for camera in group:
            if camera.fault:
                faults.set(1, camera=name, fault=camera.fault)
            if camera.skew_s is not None:
                skew.set(camera.skew_s, camera=name, origin=camera.clock)
    gauges = [_per_camera(cameras, *spec) for spec in CAMERA_GAUGES]
    reconnects = _per_camera(
        cameras,
        "reconnects_total",
        "Times a camera was lost and opened again.",
        lambda c: c.reconnects,
        sum,
        C,
    )
    tracks = _per_camera(cameras, "tracks_total", "People begun to be followed.", lambda c: c.tracks, sum, C)
    slips = _per_camera(
        cameras,
        "frame_slips_total",
        "Frames slipped against the reference camera.",
        lambda c: c.slips,
        sum,
        C,
    )
    return [phases, faults, frames, reconnects, tracks, slips, skew, *gauges]


_Read = Callable[[CameraHealth], float | None]
_Together = Callable[[list[float]], float]


def _worst(values: list[float]) -> float:
    return max(values, key=abs)


CAMERA_GAUGES: tuple[tuple[str, str, _Read, _Together], ...] = (
    ("frame_age_seconds", "Since the newest frame of a camera came.", lambda c: c.frame_age_s, max),
    ("frames_in_per_second", "Frames that a camera gave, over the last seconds.", lambda c: c.fps_in, sum),
    ("frames_out_per_second", "Frames of a camera that were tracked.", lambda c: c.fps_out, sum),
    ("camera_people", "People in the newest frame of a camera.", lambda c: c.people, sum),
    ("camera_calibrated", "1 once camera and ground stand.", lambda c: int(c.calibrated), min),
    ("clock_drift_ppm", "Of a camera's clock against this machine's.", lambda c: c.drift_ppm, _worst),
    ("frame_offset_seconds", "Of its frames against the reference camera's.", lambda c: c.offset_s, _worst),
)


def _per_camera(
    cameras: Sequence[CameraHealth],
    name: str,
    text: str,
    read: _Read,
    together: _Together,
    kind: MetricKind = G,
) -> Family:
    family = Family(name, kind, text)
    for camera, group in _groups(cameras):
        values = [value for value in map(read, group) if value is not None]
        if values:
            family.set(together(values), camera=camera)
    return family


def _groups(cameras: Sequence[CameraHealth]) -> list[tuple[str, Sequence[CameraHealth]]]:
    """Every camera by itself, those beyond the bound together. The order is the array's, so nobody changes place."""
    single = [(camera.name, (camera,)) for camera in cameras[:MOST_CAMERAS]]
    rest = cameras[MOST_CAMERAS:]
    return [*single, (OTHER, rest)] if rest else list(single)


def _bounded(counts: Iterable[tuple[str, int]], most: int = MOST_CAUSES) -> list[tuple[str, int]]:
    """The first `most`, and the sum of the rest as `other`."""
    rows = list(counts)
    rest = sum(count for _, count in rows[most:])
    return [*rows[:most], (OTHER, rest)] if rest else rows[:most]


def _stages(stages: Sequence[StageHealth]) -> list[Family]:
    """Workers of one stage on several nodes count together: the fullest queue, the sum of the rest."""
    depth = Family("queue_depth", G, "What waits for a stage.")
    limit = Family("queue_limit", G, "What may wait for a stage before its bound holds.")
    restarts = Family("worker_restarts_total", C, "Workers of a stage that died and were replaced.")
    busy = Family("stage_busy_seconds_total", C, "Processor seconds of the workers of a stage.")
    workers = Family("workers", G, "Workers of a stage.")
    by_name: dict[str, list[StageHealth]] = {}
    for stage in stages:
        by_name.setdefault(stage.name if len(by_name) < MOST_CAUSES else OTHER, []).append(stage)
    for name, group in by_name.items():
        depth.set(max(stage.queued for stage in group), stage=name)
        limit.set(max(stage.queue_limit for stage in group), stage=name)
        restarts.set(sum(stage.restarts for stage in group), stage=name)
        busy.set(sum(stage.busy_s for stage in group), stage=name)
        workers.set(len(group), stage=name)
    return [depth, limit, restarts, busy, workers]


def _drops(drops: Mapping[tuple[str, str], int]) -> Family:
    family = Family("drops_total", C, "What was left out, by stage and cause.")
    rows = list(drops.items())
    for (stage, cause), count in rows[:MOST_CAUSES]:
        family.set(count, stage=stage, cause=cause)
    rest = sum(count for _, count in rows[MOST_CAUSES:])
    if rest:
        family.set(rest, stage=OTHER, cause=OTHER)
    return family


def _timings(report: HealthReport) -> list[Family]:
    latency = Family("latency_seconds", H, "From a frame's arrival to the publication of what came of it.")
    for tier, counts in list(report.latency.items())[:MOST_CAUSES]:
        latency.set(counts, tier=tier)
    recent = Family("latency_recent_seconds", G, "The same over the last minutes, as percentiles.")
    for tier, values in list(report.latency_ms.items())[:MOST_CAUSES]:
        for name, value_ms in values.items():
            if name[:1] == "p" and name[1:].isdigit():
                recent.set(value_ms / 1e3, tier=tier, p=f"0.{name[1:]}")
    work = Family("window_seconds", H, "Seconds of work that one window took, by stage.")
    for stage, counts in list(report.window_work.items())[:MOST_CAUSES]:
        work.set(counts, stage=stage)
    lag = Family("refine_lag_seconds", G, "From the end of a segment to its refinement, newest.")
    if report.refine_lag_s is not None:
        lag.set(report.refine_lag_s)
    return [latency, recent, work, lag]


def _publishing(report: HealthReport) -> list[Family]:
    dropped = Family("subscriber_dropped_total", C, "Messages dropped for slow subscribers, all together.")
    dropped.set(report.subscriber_dropped)
    return [
        _one("windows_committed_total", "Windows committed.", report.windows, C),
        _one("person_frames_total", "People in slots of the timeline, each once.", report.person_frames, C),
        _one("subscribers", "Connected now.", report.subscribers),
        dropped,
        _one("recording", "1 while a log is written and the newest commit is in it.", int(report.recording)),
        _one("log_bytes", "Length of the window log, with all that was laid aside.", report.log_bytes),
        _one("logs_laid_aside_total", "Logs laid aside by size or age.", report.logs_laid_aside, C),
        _one("logs_removed_total", "Logs removed, as the settings ask.", report.logs_removed, C),
        _one("logs_refused_total", "Times the disk refused that.", report.logs_refused, C),
        _one("not_recorded_total", "Commits that the disk refused.", report.not_recorded, C),
    ]


def _wire(wire: Mapping[str, object]) -> list[Family]:
    """Of `WireStats`, and of `topics`: what each topic has published."""
    out = []
    for key, (name, text, kind, label) in WIRE_COUNTS.items():
        family, value = Family(name, kind, text), wire.get(key)
        if not label and isinstance(value, int):
            family.set(value)
        elif label and isinstance(value, Mapping):
            counts = [(str(name), count) for name, count in value.items() if isinstance(count, int)]
            for row, count in _bounded(counts, MOST_TOPICS):
                family.set(count, **{label: row})
        out.append(family)
    return out


WIRE_COUNTS = {
    "topics": ("published_total", "Messages published, by topic.", C, "topic"),
    "connections": ("connections", "Open connections, those that have not said hello too.", G, ""),
    "accepted": ("accepted_total", "Connections accepted.", C, ""),
    "refused": ("refused_total", "Connections that the server ended, by cause.", C, "cause"),
    "requests": (
        "control_requests_total",
        "Requests over the control protocol, by what became of them.",
        C,
        "result",
    ),
    "messages": ("sent_messages_total", "Messages given to sockets, of all subscribers.", C, ""),
    "bytes": ("sent_bytes_total", "Bytes given to sockets, of all subscribers.", C, ""),
    "throttled": ("throttled_total", "Times that a peer was read more slowly than it sent.", C, ""),
}
"""Key of the sockets' figures -> metric, help, kind, and the label of those that are maps."""


def _one(name: str, text: str, value: float, kind: MetricKind = G) -> Family:
    family = Family(name, kind, text)
    family.set(value)
    return family
