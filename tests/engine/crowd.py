"""A run on a scripted crowd: a real video file, real workers, and perception that knows what it should see."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from crowdstream.actors.plan import EnginePlan, SourceInfo
from crowdstream.actors.solved import SolvedWindow
from crowdstream.actors.tracking import TrackingWorker
from crowdstream.actors.workers import Workers
from crowdstream.configs.load import load_config
from crowdstream.kernels.solve.problem import WindowProblem, WindowSolution
from crowdstream.lab.scripted_crowd import ScriptedCrowd
from crowdstream.stream.calibration_file import Calibration, save_calibration
from crowdstream.stream.identity import IdentityChange, IdentityEvent
from crowdstream.stream.pressure.records import Effort
from crowdstream.stream.records import Frame, Observation
from crowdstream.stream.refine.records import Revision, RevisionCause
from crowdstream.stream.ring import RingReader, SlotToken
from crowdstream.stream.site import SiteOutput

CROWD = ScriptedCrowd()


_SEEN: dict[int, Observation] = {}


def seen_at(index: int) -> Observation:
    """What the script says of a frame; many runs ask for the same."""
    if index not in _SEEN:
        _SEEN[index] = CROWD.observation(index, "crowd", 0)
    return _SEEN[index]


class ScriptedPerception:
    """Stands where the networks stand: same calls, observations from the script."""

    def __init__(self, plan: EnginePlan) -> None:
        self._rings = RingReader()

    def start(self) -> dict[str, object]:
        return {}

    def open(self, info: SourceInfo) -> None: ...

    def set_geometry(self, camera: str, calibration: Calibration, from_index: int) -> None: ...

    def set_effort(self, effort: Effort) -> None: ...

    def recall(self, memory: object) -> None: ...

    def step(self, batch: Sequence[Frame | SlotToken]) -> list[Observation]:
        out = []
        for item in batch:
            out.append(replace(seen_at(item.index), camera=item.camera, t_capture_ns=item.t_capture_ns))
            if isinstance(item, SlotToken):
                assert self._rings.view(item).image.size
        return out

    def stop(self) -> dict[str, Any]:
        self._rings.close()
        return {"seconds": {}, "networks": {}}


class HidingPerception(ScriptedPerception):
    """Two of the walkers are behind something for a second."""

    HIDDEN, FRAMES = (2, 7), range(45, 76)

    def step(self, batch: Sequence[Frame | SlotToken]) -> list[Observation]:
        return [self._hide(observation) for observation in super().step(batch)]

    def _hide(self, observation: Observation) -> Observation:
        if observation.index not in self.FRAMES:
            return observation
        seen = ~np.isin(np.arange(CROWD.people), self.HIDDEN)
        rows = ("boxes_px", "scores", "keypoints_px", "confidence", "posed")
        return replace(observation, **{name: getattr(observation, name)[seen] for name in rows})


class EventfulTracking(TrackingWorker):
    """The real tracker, and somebody who says at stated frames that two of its tracks are one person, or are not."""

    EVENTS = ((20, "merge"), (50, "split"), (90, "merge"), (100, "split"))

    def step(self, observations: Sequence[Observation]) -> list[SiteOutput]:
        return [self._with_events(output) for output in super().step(observations)]

    def _with_events(self, output: SiteOutput) -> SiteOutput:
        frame = output.tracked[0]
        said = [IdentityChange(change) for index, change in self.EVENTS if index == frame.index]
        t_ns = frame.t_capture_ns
        return replace(
            output, identity=tuple(IdentityEvent(change, 3, 2, 2, t_ns, 0, t_ns, 0.9) for change in said)
        )


class EagerRefiner:
    """Knows better every fourth window, and writes into it how many events it has heard."""

    def __init__(self, plan: EnginePlan) -> None:
        self.plan = plan
        self.rev, self.heard = 0, 0

    def start(self, own_process: bool = False) -> None: ...

    def resume(self, site: str, identity: Sequence[IdentityEvent], min_rev: int) -> None:
        self.rev, self.heard = min_rev, len(identity)

    def step(
        self, site: str, problem: WindowProblem, solved: SolvedWindow, identity: Sequence[IdentityEvent] = ()
    ) -> list[Revision]:
        self.heard += len(identity)
        return [self._better(solved.solution)] if problem.slot0 % 64 == 0 else []

    def finish(self, site: str, identity: Sequence[IdentityEvent] = ()) -> list[Revision]:
        self.heard += len(identity)
        return [self._better(self.last), self._better(self.last)]

    def _better(self, solution: WindowSolution) -> Revision:
        self.rev += 1
        self.last = solution
        n = len(solution.person_ids)
        return Revision(
            replace(solution, rev=self.rev), np.full(n, RevisionCause.GUIDED, np.uint8),
            np.full(n, self.heard), np.full(n, 64), np.full(n, 0.1),
        )  # fmt: skip

    def stop(self) -> dict[str, Any]:
        return {"counts": {"segments": 7}, "seconds": {"refine": 0.5}}


SCRIPTED = Workers(perception=ScriptedPerception)
HIDING = replace(SCRIPTED, perception=HidingPerception)
FORGETFUL = ("track.forget_s=0.4", "track.bridge_s=0", "track.coast_s=0.1")
"""A tracker that leaves it to others to know people again."""
REVISED = replace(SCRIPTED, tracking=EventfulTracking, refiner=EagerRefiner)
"""With identities that change and bodies that get better."""


def mortal(worker: type, verb: str, at: int) -> type:
    """A worker whose process is killed, once in a run, when it is asked something for the n-th time."""

    class Mortal(worker):  # type: ignore[misc, valid-type]
        def __init__(self, plan: EnginePlan, *args: Any, **kwargs: Any) -> None:
            super().__init__(plan, *args, **kwargs)
            self._asked = 0
            self._been_here = plan.record.with_suffix(f".{worker.__name__}")  # type: ignore[union-attr]

        def _count(self) -> None:
            self._asked += 1
            if self._asked == at and not self._been_here.exists():
                self._been_here.touch()
                os.kill(os.getpid(), signal.SIGKILL)

    def asked(self: Any, *args: Any, **kwargs: Any) -> Any:
        self._count()
        return getattr(super(Mortal, self), verb)(*args, **kwargs)

    setattr(Mortal, verb, asked)
    Mortal.__name__ = f"Mortal{worker.__name__}"
    return Mortal


def write_video(path: Path, frames: int = CROWD.frames, fps: int = 30) -> Path:
    """A grey clip of the crowd's size; its pixels do not matter, its times do."""
    width, height = CROWD.size_px
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=Fraction(fps))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        grey = np.full((height, width, 3), 128, np.uint8)
        for _ in range(frames):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="bgr24")))
        container.mux(stream.encode(None))
    return path


def write_calibration(path: Path) -> Path:
    """The true camera of the crowd."""
    save_calibration(Calibration(CROWD.camera, CROWD.ground, "file"), path)
    return path


def make_plan(
    folder: Path, kind: str, *settings: str, log: str = "run.cslog", calibrated: bool = True
) -> EnginePlan:
    """A run over the crowd: fixed session and capture clock, so that two runs can be compared byte by byte."""
    video = folder / "crowd.mp4"
    if not video.exists():
        write_video(video)
    fixed = [
        f"runtime.kind={kind}",
        "publish.session=test",
        "publish.clock=capture",
        "publish.listen=''",
        "health.listen=''",
    ]
    return EnginePlan(
        source=str(video),
        config=load_config("replay", [*fixed, *settings]),
        models=folder,
        calibration=write_calibration(folder / "camera.json") if calibrated else None,
        record=folder / log,
    )
