"""Going on with a log: what is written beside it while a run lasts, and how the next engine takes it up.

A recording is checkpointed when nothing of it is on the way, so that the states, the next frame and the numbers of the
log all say the same; what the log has beyond that is worked out again, number by number, and not published twice. The
result is the log of an undisturbed run. A live camera has seen nothing of what went on meanwhile: its windows and
people get numbers above all in the log, on a new timeline, and its calibration stays. A recording that was stopped on
purpose goes on in the same way, as its open windows were solved with what there was.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..stream.checkpoint.file import CheckpointFile, config_hash
from ..stream.checkpoint.frozen import freeze
from ..stream.checkpoint.records import CameraCheckpoint, Checkpoint
from ..stream.checkpoint.thawed import thaw
from ..stream.errors import CheckpointError
from ..stream.wire.resume import ResumePoint, SiteResume, read_resume_point
from .lane import Lane, Stretch
from .perception import PerceptionMemory
from .place import WorkerLost
from .publisher import Published

if TYPE_CHECKING:
    from .supervisor import Supervisor


@dataclass(frozen=True)
class GoesOn:
    """What is taken up."""

    point: ResumePoint
    checkpoint: Checkpoint | None = None
    notes: tuple[str, ...] = field(default=())

    @property
    def stopped(self) -> bool:
        """The run before was ended on purpose, with its open windows solved."""
        return self.checkpoint is not None and bool(self.checkpoint.plan.get("stopped"))


class Checkpoints:
    """Of one run with a log."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._s = supervisor
        record = supervisor.plan.record
        self.file = CheckpointFile(record) if record is not None else None
        self._due_s = time.monotonic() + supervisor.config.checkpoint_s
        self.pausing = False
        """No new frames: everything on the way is being brought home."""

    # --- taking up ------------------------------------------------------------------------------------------

    def read(self) -> GoesOn | None:
        """What there is to go on with; None for a new log.

        Raises:
            LogError: there is no log, or it is none. CheckpointError: it was made with other settings.
        """
        record = self._s.plan.record
        if self.file is None or record is None:
            return None
        if not self._s.plan.resume:
            self.file.remove()
            return None
        point = read_resume_point(record)
        found = self.file.read(point.session, point.log_bytes)
        notes = [f"checkpoint left aside: {why}" for why in self.file.skipped]
        if point.health.describe():
            notes.append(f"log: {point.health.describe()}")
        if found is not None and found.config != self._config_hash():
            if not all(lane.live for lane in self._s.lanes):
                raise CheckpointError(
                    f"{record} was made with other settings, and a recording must go on with the same; start a new log"
                    " with --record, or give the settings of then"
                )
            notes.append("the settings are others than those the log was begun with")
        return GoesOn(point, found, tuple(notes))

    def published(self, goes_on: GoesOn) -> Published:
        """From which numbers on."""
        point, found = goes_on.point, goes_on.checkpoint
        seqs = dict(point.seqs)
        memories = {}
        for lane in self._s.lanes:
            if self._moves_on(lane, goes_on):
                continue
            for topic in [topic for topic in seqs if topic.partition(".")[2] == self._name(lane, goes_on)]:
                seqs[topic] = found.seqs.get(topic, 0) if found is not None else 0
            camera = self._camera(lane, goes_on)
            if camera is not None and "publisher" in camera.more:
                memories[self._name(lane, goes_on)] = thaw(camera.more["publisher"])
        return Published(sid=point.session, seq=seqs, sites=memories, log_bytes=point.log_bytes)

    def _moves_on(self, lane: Lane, goes_on: GoesOn) -> bool:
        """On a new timeline, with numbers above all in the log."""
        return lane.live or goes_on.stopped

    def _name(self, lane: Lane, goes_on: GoesOn) -> str:
        """A single recording is called after its file, which is known once it is open: it is the log's only site."""
        return lane.name or lane.entry.name or next(iter(goes_on.point.sites), "")

    def _camera(self, lane: Lane, goes_on: GoesOn) -> CameraCheckpoint | None:
        found = goes_on.checkpoint
        return found.cameras.get(self._name(lane, goes_on)) if found is not None else None

    def last_index(self, lane: Lane, goes_on: GoesOn) -> int:
        """Number of the last frame that need not be looked at again."""
        camera = self._camera(lane, goes_on)
        if self._moves_on(lane, goes_on):
            site = goes_on.point.sites.get(self._name(lane, goes_on), SiteResume())
            return max(site.next_index, camera.next_index if camera else 0) - 1
        return camera.next_index - 1 if camera is not None else -1

    def restore(self, lane: Lane, goes_on: GoesOn) -> None:
        """Tell the workers of a camera, which have just opened it, what was known of it."""
        crew, name = self._s.crews[lane.crew], lane.name
        camera = self._camera(lane, goes_on)
        site = goes_on.point.sites.get(name, SiteResume())
        asked = []
        if camera is not None and camera.site and not goes_on.stopped:
            lane.journal[0].snapshot = self._s.place.put(camera.site)
            asked.append(crew.ask("tracking", "restore", name, camera.site))
        if self._moves_on(lane, goes_on):
            self._move_on(lane, site)
        elif camera is not None:
            self._restore_recording(lane, camera)
        lane.opening += asked

    def _move_on(self, lane: Lane, site: SiteResume) -> None:
        if site.calibration is not None and lane.entry.calibration is None:
            lane.calibration = site.calibration
            lane.geometry = (site.calibration, lane.last_index + 1)
            self._s.tell_tracking(lane, "set_calibration", site.calibration)
            self._s.tell_perception(lane)
            self._s.outbox.push("push_calibration", lane.name, site.calibration)
        self._s.tell_tracking(lane, "move_on", site.next_window, site.next_person)
        lane.next_window, lane.people_seen = site.next_window, site.next_person
        if lane.refining is not None:
            lane.opening.append(lane.refining.tell("resume", site.identity, site.max_rev))

    def _restore_recording(self, lane: Lane, camera: CameraCheckpoint) -> None:
        crew, place, name = self._s.crews[lane.crew], self._s.place, lane.name
        kept: dict[str, Any] = thaw(camera.more["lane"]) if "lane" in camera.more else {}
        if camera.perception:
            memory = PerceptionMemory({key: dict(values) for key, values in camera.perception.items()})
            lane.memory = place.put(memory)
            lane.opening.append(crew.ask("perception", "recall", lane.memory))
        if kept.get("geometry") is not None:
            lane.geometry = kept["geometry"]
            lane.calibration = kept["geometry"][0]
            self._s.tell_perception(lane)
        if camera.solver:
            lane.solver_memory = place.put(camera.solver)
            lane.opening.append(crew.ask("solver", "recall", name, lane.solver_memory))
        if camera.refiner and lane.refining is not None:
            lane.opening.append(lane.refining.go_on_from(camera.refiner, kept.get("highest_rev", 0)))
        lane.identity = list(kept.get("identity", ()))
        lane.next_window, lane.people_seen = kept.get("next_window", 0), kept.get("people_seen", 0)

    # --- writing --------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Write a checkpoint if it is time; a recording is brought to rest for it first."""
        if self.file is None or self._s.stopping:
            self.pausing = False
            return
        if time.monotonic() < self._due_s:
            return
        if all(lane.live for lane in self._s.lanes):
            self.write()
            return
        self.pausing = True
        open_lanes = [lane for lane in self._s.lanes if not lane.finished]
        if all(self._at_rest(lane) for lane in open_lanes) and not len(self._s.outbox):
            self.write()
            self.pausing = False

    def _at_rest(self, lane: Lane) -> bool:
        if lane.live:
            return True
        refining = lane.refining.waiting if lane.refining is not None and lane.refining.on else 0
        return lane.idle and lane.starting is None and lane.camera is not None and not refining

    def write(self, stopped: bool = False) -> None:
        """What an engine that follows must know; a disk that refuses is said, and does not end the run."""
        if self.file is None:
            return
        s = self._s
        self._due_s = time.monotonic() + s.config.checkpoint_s
        try:
            s.place.take(s.outbox.ask("sync"))
            cameras = {
                lane.name: self._checkpoint(lane, stopped) for lane in s.lanes if lane.info is not None
            }
        except WorkerLost:
            return  # the next one will do
        out = s.outbox.out
        written = self.file.write(
            Checkpoint(
                __version__, self._config_hash(), out.sid, out.log_bytes, dict(out.seq), cameras,
                {"stopped": stopped}, time.time_ns(),
            )
        )  # fmt: skip
        if not written and self.file.stats.failed == 1:
            s.tell("not_checkpointed", self.file.stats.error)

    def _checkpoint(self, lane: Lane, stopped: bool) -> CameraCheckpoint:
        s = self._s
        plain = CameraCheckpoint(lane.last_index + 1, lane.last_ns or 0)
        if stopped:
            return plain
        if lane.live:
            return CameraCheckpoint(lane.last_index + 1, lane.last_ns or 0, site=self._newest_snapshot(lane))
        memory = s.place.take(lane.memory) if lane.memory is not None else None
        site = s.recovery.insist(lane, "snapshot", lane.name)
        solver = s.place.take(lane.solver_memory) if lane.solver_memory is not None else b""
        refiner = b""
        if lane.refining is not None and lane.refining.on:
            refiner = s.place.take(lane.refining.snapshot)
        lane.journal.clear()
        lane.journal.append(Stretch(s.place.put(site)))
        kept = {
            "geometry": lane.geometry, "identity": tuple(lane.identity), "next_window": lane.next_window,
            "people_seen": lane.people_seen,
            "highest_rev": lane.refining.highest_rev if lane.refining is not None else 0,
        }  # fmt: skip
        more = {"lane": freeze(kept)}
        if lane.name in s.outbox.out.sites:
            more["publisher"] = freeze(s.outbox.out.sites[lane.name])
        return CameraCheckpoint(
            lane.last_index + 1, lane.last_ns or 0, memory.stage if memory is not None else {}, site, solver,
            refiner, more,
        )  # fmt: skip

    def _newest_snapshot(self, lane: Lane) -> bytes:
        """Of a live site: what was true some seconds ago will do, as its timeline begins anew anyway."""
        for stretch in reversed(lane.journal):
            if stretch.snapshot is None or (stretch.whole and not self._s.place.ready([stretch.whole], 0)):
                continue
            return bytes(self._s.place.take(stretch.snapshot))
        return b""

    def _config_hash(self) -> str:
        """Of everything that shapes results; not of where they are published or how they are told."""
        config = self._s.plan.config
        return config_hash(
            config.source, config.perception, config.inference, config.calibrate, config.track, config.stitch,
            config.window, config.solve, config.refine,
        )  # fmt: skip
