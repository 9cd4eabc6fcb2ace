"""The perception worker: networks on a ladder, frames of several cameras in, observations out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..kernels.perception.adapters import build_detector, build_pose, build_reid
from ..kernels.perception.appearance_coder import AppearanceCoder, ColourCoder
from ..kernels.perception.pose import PoseEstimator
from ..stream.calibration_file import Calibration
from ..stream.inference.ladder import OpenedNetwork, open_network
from ..stream.models.folder import choose
from ..stream.observe import PerceptionMemory as StageMemory
from ..stream.observe import PerceptionStage
from ..stream.observe_config import AppearanceSource
from ..stream.pressure.records import FULL_EFFORT, Effort
from ..stream.records import Frame, Observation
from ..stream.ring import RingError, RingReader, SlotToken
from .plan import EnginePlan, SourceInfo
from .stopwatch import Stopwatch


@dataclass(frozen=True)
class PerceptionMemory:
    """What a perception that follows must know to go on: small, sent with every batch."""

    stage: StageMemory
    """Of `PerceptionStage.memory`, of the cameras of that batch."""


class PerceptionWorker:
    """start -> open, step ... -> stop. A step may hold frames of several cameras, of each in order."""

    def __init__(self, plan: EnginePlan) -> None:
        self._plan = plan
        self._stage: PerceptionStage | None = None
        self._pose: PoseEstimator | None = None
        self._networks: dict[str, OpenedNetwork] = {}
        self._networks_described: dict[str, object] = {}
        self._rings = RingReader()
        self._geometry: dict[str, tuple[int, Calibration]] = {}
        self._seen: list[str] = []
        self._live: set[str] = set()
        self.watch = Stopwatch()

    def start(self) -> dict[str, object]:
        """Load the networks; says which, on which rung, and why not better."""
        config = self._plan.config
        settings = config.perception
        for role, wanted in self._plan.networks():
            model = choose(self._plan.models, role, wanted)
            self._networks[role.value] = open_network(model, config.inference)
        detector = build_detector(
            self._networks["detector"].backend,
            settings.detector_long_side_px,
            settings.score_threshold,
            self._contract("detector"),
        )
        self._pose = build_pose(self._networks["pose"].backend, settings.threads, kind=self._contract("pose"))
        self._stage = PerceptionStage(settings, detector, self._pose, self._coder(settings.appearance))
        self._networks_described = {role: network.describe() for role, network in self._networks.items()}
        return dict(self._networks_described)

    def _coder(self, source: AppearanceSource) -> AppearanceCoder | None:
        """What people are recognised by."""
        if source is AppearanceSource.REID:
            return build_reid(self._networks["reid"].backend, self._contract("reid"))
        return ColourCoder() if source is AppearanceSource.COLOUR else None

    def _contract(self, role: str) -> str | None:
        """What the catalogue says of a network's tensors; None: read off them."""
        entry = self._networks[role].model.entry
        return entry.contract if entry else None

    def open(self, info: SourceInfo) -> None:
        """Frames of one more camera will come."""
        assert self._stage is not None
        if info.live:
            self._live.add(info.camera)
        given = self._plan.calibration_of(info)
        if given is not None:
            self._stage.set_geometry(given.camera, given.ground, info.camera)

    def set_geometry(self, camera: str, calibration: Calibration, from_index: int) -> None:
        """Tiles follow this ground from a frame on: a stated frame, so that every runtime does the same."""
        self._geometry[camera] = (from_index, calibration)

    def set_effort(self, effort: Effort = FULL_EFFORT) -> None:
        """How much is spent from the next frame on."""
        assert self._stage is not None
        self._stage.set_effort(effort)

    def set_options(self, options: Mapping[str, object]) -> None:
        """Settings of perception that may change while it runs."""
        assert self._stage is not None
        self._stage.set_options(options)

    def memory(self) -> PerceptionMemory:
        """What a successor must know to go on from the last step; the ground it is told anyway."""
        assert self._stage is not None
        return PerceptionMemory(self._stage.memory(self._seen))

    def recall(self, memory: PerceptionMemory) -> None:
        """Go on from what another perception remembered."""
        assert self._stage is not None
        self._stage.recall(memory.stage)

    def step(self, batch: Sequence[Frame | SlotToken]) -> list[Observation]:
        """Look at every frame of a batch, in order; slots of a ring stay taken."""
        assert self._stage is not None
        observations: list[Observation] = []
        self._seen = sorted({item.camera for item in batch})
        for part in self._parts(batch):
            self._begin_geometry(part[0])
            with self.watch.measure("perception"):
                frames = [self._view(item) for item in part]
                seen = iter(self._stage.step_many([frame for frame in frames if frame is not None]))
            for item, frame in zip(part, frames, strict=True):
                observations.append(_lost(item) if frame is None else next(seen))
        return observations

    def _view(self, item: Frame | SlotToken) -> Frame | None:
        """None: the decoder of a live camera died before anybody could look, and took the picture with it."""
        if isinstance(item, Frame):
            return item
        try:
            return self._rings.view(item)
        except RingError:
            if item.camera not in self._live:  # frames of a recording are decoded again, never left out
                raise
            return None

    def forget(self, camera: str) -> None:
        """No more frames of a camera will come."""
        self._rings.forget_camera(camera)
        self._live.discard(camera)
        self._geometry.pop(camera, None)

    def _begin_geometry(self, first: Frame | SlotToken) -> None:
        waiting = self._geometry.get(first.camera)
        if waiting is not None and first.index >= waiting[0]:
            assert self._stage is not None
            self._stage.set_geometry(waiting[1].camera, waiting[1].ground, first.camera)
            del self._geometry[first.camera]

    def _parts(self, batch: Sequence[Frame | SlotToken]) -> list[Sequence[Frame | SlotToken]]:
        """The batch in runs of as many frames as there are lanes, of one camera each, cut where a geometry begins."""
        lanes = self._plan.config.perception.threads
        parts: list[Sequence[Frame | SlotToken]] = []
        at = 0
        while at < len(batch):
            camera = batch[at].camera
            from_index = self._geometry[camera][0] if camera in self._geometry else None
            waits = from_index is not None and batch[at].index < from_index
            end = at + 1
            while (
                end < len(batch)
                and end - at < lanes
                and batch[end].camera == camera
                and not (waits and from_index is not None and batch[end].index >= from_index)
            ):
                end += 1
            parts.append(batch[at:end])
            at = end
        return parts

    def stop(self) -> dict[str, object]:
        """Let go of networks and rings; the seconds spent."""
        if self._stage is not None:
            self._stage.close()
        if self._pose is not None:
            self._pose.close()
        for network in self._networks.values():
            network.backend.close()
        self._networks.clear()
        self._rings.close()
        return {"seconds": dict(self.watch.seconds), "networks": self._networks_described}


def _lost(item: Frame | SlotToken) -> Observation:
    return Observation.not_looked_at(
        item.camera, item.index, item.t_capture_ns, item.clock, item.size_px, "ring_gone", item.skew_ns
    )
