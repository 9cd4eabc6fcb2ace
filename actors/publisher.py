"""The publisher worker: log first, then sockets; owns sequence numbers, the schema and the latency figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..kernels.solve.problem import WindowSolution
from ..stream.calibration_file import Calibration
from ..stream.identity import IdentityEvent
from ..stream.records import TrackedFrame
from ..stream.refine.records import Revision
from ..stream.site import SiteNote
from ..stream.wire.publish import PublisherStage
from ..stream.wire.schema import CameraInfo, SiteSchema
from .plan import EnginePlan, SourceInfo
from .solver import SolvedWindow
from .stopwatch import Stopwatch


class PublisherWorker:
    """start -> push ... -> stop."""

    def __init__(self, plan: EnginePlan) -> None:
        self._plan = plan
        self._stage: PublisherStage | None = None
        self._info: SourceInfo | None = None
        self._counted_to: dict[int, int] = {}
        self._person_frames = 0
        self._windows = 0
        self.watch = Stopwatch()

    def start(self, info: SourceInfo) -> str:
        """Open log and sockets; the address subscribers may use ("" for none)."""
        self._info = info
        schema = self._schema(self._plan.calibration_of(info))
        self._stage = PublisherStage(self._plan.config.publish, info.camera, schema, self._plan.record)
        self._stage.start()
        return self._stage.address

    def push_live(self, tracked: TrackedFrame, arrival_ns: int) -> None:
        """Publish one frame's tracks."""
        assert self._stage is not None
        with self.watch.measure("publish"):
            self._stage.push_live(tracked, arrival_ns)

    def push_late(self, late: tuple[TrackedFrame, ...]) -> None:
        """Publish the rows of earlier frames that one step has settled."""
        assert self._stage is not None
        with self.watch.measure("publish"):
            for rows in late:
                self._stage.push_late(rows)

    def push_window(self, solved: SolvedWindow, arrival_ns: int) -> None:
        """Commit one window with its warm-start state, then publish it."""
        assert self._stage is not None
        with self.watch.measure("publish"):
            self._stage.push_window(solved.solution, solved.state, arrival_ns)
        self._windows += 1
        self._count(solved.solution)

    def push_identity(self, events: Sequence[IdentityEvent]) -> None:
        """Publish that tracks were joined, or taken apart again."""
        assert self._stage is not None
        with self.watch.measure("publish"):
            for event in events:
                self._stage.push_identity(event)

    def push_revision(self, revisions: Sequence[Revision], which: int) -> None:
        """Commit one of the refiner's revisions, then publish it. Its person-frames were counted with their windows."""
        assert self._stage is not None
        with self.watch.measure("publish"):
            self._stage.push_revision(revisions[which])

    def push_note(self, note: SiteNote) -> None:
        """Tell subscribers what the site has to say."""
        assert self._stage is not None
        self._stage.push_status({"event": note.kind, "text": note.text, "t_capture_ns": note.t_capture_ns})

    def push_calibration(self, calibration: Calibration) -> None:
        """A camera and a ground now stand: a new schema."""
        assert self._stage is not None
        self._stage.push_schema(self._schema(calibration))

    def stop(self) -> dict[str, Any]:
        """Say goodbye, close the log; what was published and how late."""
        published: dict[str, Any] = {}
        if self._stage is not None:
            self._stage.stop()
            published = self._stage.summary()
            self._stage = None
        return {
            "published": published,
            "windows": self._windows,
            "person_frames": self._person_frames,
            "seconds": dict(self.watch.seconds),
        }

    def _schema(self, calibration: Calibration | None) -> SiteSchema:
        assert self._info is not None
        camera = CameraInfo(
            self._info.camera,
            self._info.size_px,
            self._info.fps,
            None if calibration is None else calibration.camera,
        )
        return SiteSchema(
            site=self._info.camera,
            cameras=(camera,),
            ground=None if calibration is None else calibration.ground,
            hop=self._plan.config.window.hop,
        )

    def _count(self, solution: WindowSolution) -> None:
        """Each person in each slot once, however many windows solve it."""
        for row, person in enumerate(solution.person_ids.tolist()):
            slots = solution.provenance[row].nonzero()[0] + solution.slot0
            done = self._counted_to.get(person, -1)
            fresh = slots[slots > done]
            if len(fresh):
                self._person_frames += len(fresh)
                self._counted_to[person] = int(fresh[-1])
        if len(self._counted_to) > 10_000:  # people long gone
            oldest = sorted(self._counted_to, key=lambda p: self._counted_to[p])[:5_000]
            for person in oldest:
                del self._counted_to[person]
