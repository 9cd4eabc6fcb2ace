"""The publisher worker: log first, then sockets; owns numbers, schemas and latency figures of all sites."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from ..kernels.solve.problem import MODEL_RATE_HZ, WindowSolution
from ..stream.calibration_file import Calibration
from ..stream.control.records import Reply, Request
from ..stream.errors import LogError
from ..stream.health.board import HealthBoard
from ..stream.health.histogram import Counts, Histogram, merged
from ..stream.health.http import HealthServer, open_health_server
from ..stream.health.records import HealthReport
from ..stream.health.wire import report_map
from ..stream.identity import IdentityEvent
from ..stream.records import TrackedFrame
from ..stream.refine.records import Revision
from ..stream.site_note import SiteNote
from ..stream.wire.codec import plain
from ..stream.wire.log_shelf import LogCounts
from ..stream.wire.messages import Kind, Tier, topic_of
from ..stream.wire.outlet import Outlet
from ..stream.wire.publish import PublisherStage, SiteMemory, changes_in_words, percentiles
from ..stream.wire.schema import CameraInfo, SiteSchema
from .plan import EnginePlan, SourceInfo
from .solved import SolvedWindow
from .stopwatch import Stopwatch


@dataclass(frozen=True)
class Published:
    """What is out, and certainly so: what a publisher that follows goes on from."""

    sid: str = ""
    seq: Mapping[str, int] = field(default_factory=dict)
    """Newest number, by topic."""
    sites: Mapping[str, SiteMemory] = field(default_factory=dict)
    windows: int = 0
    person_frames: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)
    """Messages by topic."""
    num_bytes: int = 0
    log_bytes: int = 0
    not_recorded: int = 0
    failed_people: int = 0
    dropped: int = 0
    """For slow subscribers."""
    subscribers: int = 0
    recording: bool = False
    """The newest commit is in the log."""
    latency_ms: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Of the last minutes, as of the last health report."""
    refine_lag_s: float | None = None
    """From the end of the segment refined last to its refinement, in capture time."""
    logs: LogCounts = field(default_factory=LogCounts)


class PublisherWorker:
    """start -> open, push ... -> stop. Every push answers with what is out by then."""

    def __init__(self, plan: EnginePlan) -> None:
        self._plan = plan
        self._outlet: Outlet | None = None
        self._sites: dict[str, PublisherStage] = {}
        self._infos: dict[str, SourceInfo] = {}
        self._before = Published()
        self._counted_to: dict[str, dict[int, int]] = {}
        """site -> person -> the last slot that was counted, of those that the next window may hold."""
        self._person_frames = 0
        self._windows = 0
        self._latency_ms: dict[str, dict[str, float]] = {}
        self._refine_lag_s: float | None = None
        self._work = Histogram()
        self._board = HealthBoard(self._wire_figures, stale_s=plan.config.health.stale_s)
        self._health: HealthServer | None = None
        self._notes: list[str] = []
        self.watch = Stopwatch()

    def _wire_figures(self) -> dict[str, object]:
        outlet = self._outlet
        if outlet is None or outlet.server is None:
            return {}
        return {**vars(outlet.server.stats()), "topics": dict(outlet.count)}

    def start(self, sid: str = "", after: Published | None = None, address: str = "") -> str:
        """Open log and sockets; the address subscribers may use ("" for none).

        Args:
            sid: session; empty for what the settings say, or a new one.
            after: what another publisher of this session had out for certain; what comes now may have been out, too.
            address: where the other one listened, so that subscribers find this one; empty: as the settings say.
        """
        config = self._plan.config.publish
        changes: dict[str, Any] = {"session": sid} if sid else {}
        if after is not None:
            changes["append"] = True
            self._before = after
        if address:
            changes["listen"] = address
        self._outlet = Outlet(
            config.model_copy(update=changes), self._plan.record, goes_on_from=after.seq if after else None
        )
        self._outlet.start(())
        self._health = open_health_server(self._plan.config.health, self._board, self._notes.append)
        return self._outlet.address

    def notes(self) -> list[str]:
        """What there is to say of the start."""
        return list(self._notes)

    @property
    def _open(self) -> Outlet:
        assert self._outlet is not None
        return self._outlet

    def open(self, info: SourceInfo, calibration: Calibration | None = None) -> Published:
        """One more site: its topics, and its schema."""
        self._infos[info.camera] = info
        known = calibration or self._plan.calibration_of(info)
        stage = PublisherStage(
            self._plan.config.publish, info.camera, self._schema(info, known), outlet=self._open
        )
        memory = self._before.sites.get(info.camera)
        if memory is not None:
            stage.recall(memory)
        stage.start()
        self._sites[info.camera] = stage
        return self.out()

    def push_live(self, tracked: TrackedFrame, arrival_ns: int) -> Published:
        """Publish one frame's tracks."""
        with self.watch.measure("publish"):
            self._sites[tracked.camera].push_live(tracked, arrival_ns)
        return self.out()

    def push_late(self, late: Sequence[TrackedFrame]) -> Published:
        """Publish the rows of earlier frames that one step has settled."""
        with self.watch.measure("publish"):
            for rows in late:
                self._sites[rows.camera].push_late(rows)
        return self.out()

    def push_window(self, solved: SolvedWindow, arrival_ns: int) -> Published:
        """Commit one window with its warm-start state, then publish it."""
        with self.watch.measure("publish"):
            self._sites[solved.site].push_window(solved.solution, solved.state, arrival_ns)
        self._windows += 1
        self._work.observe(solved.seconds)
        self._count(solved.site, solved.solution)
        return self.out()

    def push_identity(self, camera: str, events: Sequence[IdentityEvent]) -> Published:
        """Publish that tracks were joined, or taken apart again."""
        with self.watch.measure("publish"):
            for event in events:
                self._sites[camera].push_identity(event)
        return self.out()

    def push_revision(self, camera: str, revisions: Sequence[Revision], which: int) -> Published:
        """Commit one of the refiner's revisions, then publish it. Its person-frames were counted with their windows."""
        with self.watch.measure("publish"):
            self._sites[camera].push_revision(revisions[which])
        solution = revisions[which].solution
        slots = solution.provenance.shape[1]
        end_ns = solution.t0_ns + round((slots - 1) * 1e9 / MODEL_RATE_HZ)
        self._refine_lag_s = max(0.0, (self._sites[camera].memory().t_capture_ns - end_ns) / 1e9)
        return self.out()

    def push_note(self, note: SiteNote, camera: str = "") -> Published:
        """Tell subscribers what a site, or the engine, has to say."""
        body: dict[str, object] = {"event": note.kind, "text": note.text, "t_capture_ns": note.t_capture_ns}
        if camera:
            body["camera"] = camera
        self._say(Tier.STATUS, body, camera, log=True)
        return self.out()

    def push_health(self, report: HealthReport) -> Published:
        """Figures of the moment, for subscribers and scrapers."""
        self._latency_ms = self.latency_ms()
        report = replace(report, latency=self._histograms(), window_work={"solver": self._work.counts()})
        self._board.push(report)
        self._say(Tier.HEALTH, report_map(report), "", log=False)
        return self.out()

    def _histograms(self) -> dict[str, Counts]:
        """Latencies since this publisher's start, by tier, all sites together."""
        found: dict[str, list[Counts]] = {}
        for stage in self._sites.values():
            for tier, histogram in stage.histograms.items():
                found.setdefault(tier, []).append(histogram.counts())
        return {tier: merged(parts) for tier, parts in found.items()}

    def _say(self, tier: Tier, body: Mapping[str, object], camera: str, log: bool) -> None:
        """On a topic that all sites share; stamped with the newest frame of the site, or of all."""
        newest = [stage.memory() for site, stage in self._sites.items() if camera in ("", site)] or [
            SiteMemory()
        ]
        memory = max(newest, key=lambda m: m.t_capture_ns)
        values = {key: plain(value) for key, value in body.items()}
        self._open.push_plain(
            topic_of(tier, camera), Kind.DATA, values, memory.t_capture_ns, memory.clock.value, log
        )

    def push_calibration(self, camera: str, calibration: Calibration) -> Published:
        """A camera and a ground now stand: a new schema."""
        self._sites[camera].push_schema(self._schema(self._infos[camera], calibration))
        return self.out()

    def sync(self) -> None:
        """Returns when all that is published is on the disk."""
        if self._open.log is not None:
            with suppress(LogError):  # said, and counted, with the next commit
                self._open.log.sync()

    def requests(self) -> list[Request]:
        """What operators ask of the engine."""
        server = self._open.server
        return server.take_requests() if server is not None else []

    def answer(self, reply: Reply) -> None:
        """To the one who asked, if still there."""
        server = self._open.server
        if server is not None:
            server.reply(reply)

    def out(self) -> Published:
        """What is out for certain."""
        outlet, before = self._open, self._before
        counts = Counter(before.counts)
        counts.update(outlet.count)
        return Published(
            outlet.sid, dict(outlet.seq), {site: stage.memory() for site, stage in self._sites.items()},
            before.windows + self._windows, before.person_frames + self._person_frames, dict(counts),
            before.num_bytes + outlet.num_bytes, outlet.log_bytes, before.not_recorded + outlet.not_recorded,
            sum(stage.failed_people for stage in self._sites.values()), before.dropped + outlet.dropped,
            outlet.num_subscribers, outlet.recording, self._latency_ms, self._refine_lag_s,
            before.logs.plus(outlet.logs),
        )  # fmt: skip

    def latency_ms(self) -> dict[str, dict[str, float]]:
        """Of publishing after arrival, all sites together."""
        return percentiles([stage.latencies for stage in self._sites.values()])

    def stop(self, reason: str = "end") -> dict[str, Any]:
        """Say goodbye, close the log; what was published and how late."""
        report: dict[str, Any] = {"seconds": dict(self.watch.seconds)}
        if self._outlet is None:
            return report
        out = self.out()
        if self._health is not None:
            self._health.stop()
            self._health = None
        self._outlet.stop(reason)
        changes: Counter[str] = Counter()
        for stage in self._sites.values():
            changes.update(stage.changes)
        published = {
            "messages": dict(out.counts), "bytes": out.num_bytes, "log_bytes": self._outlet.log_bytes,
            "not_recorded": out.not_recorded, "dropped": out.dropped, **changes_in_words(changes),
            "latency_ms": self.latency_ms(),
        }  # fmt: skip
        self._outlet = None
        return report | {"published": published, "windows": out.windows, "person_frames": out.person_frames}

    def _schema(self, info: SourceInfo, calibration: Calibration | None) -> SiteSchema:
        camera = CameraInfo(
            info.camera, info.size_px, info.fps, None if calibration is None else calibration.camera
        )
        ground = None if calibration is None else calibration.ground
        return SiteSchema(info.camera, (camera,), ground=ground, hop=self._plan.config.window.hop)

    def _count(self, site: str, solution: WindowSolution) -> None:
        """Each person in each slot once, however many windows solve it."""
        # windows of a site come in order: what was counted before this one begins is never asked for again
        known = self._counted_to.get(site, {}).items()
        counted = {person: slot for person, slot in known if slot >= solution.slot0}
        for row, person in enumerate(solution.person_ids.tolist()):
            slots = solution.provenance[row].nonzero()[0] + solution.slot0
            fresh = slots[slots > counted.get(person, -1)]
            if len(fresh):
                self._person_frames += len(fresh)
                counted[person] = int(fresh[-1])
        self._counted_to[site] = counted
