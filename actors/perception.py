"""The perception worker: networks on a ladder, frames in, observations out."""

from __future__ import annotations

import itertools
from contextlib import ExitStack

from ..kernels.perception.adapters import build_detector, build_pose, build_reid
from ..kernels.perception.appearance_coder import AppearanceCoder, ColourCoder
from ..kernels.perception.pose import PoseEstimator
from ..stream.calibration_file import Calibration
from ..stream.inference.ladder import OpenedNetwork, open_network
from ..stream.models.folder import choose
from ..stream.observe import AppearanceSource, PerceptionStage
from ..stream.records import Frame, Observation
from ..stream.ring import RingReader, SlotToken
from .plan import EnginePlan, SourceInfo
from .stopwatch import Stopwatch


class PerceptionWorker:
    """start -> step ... -> stop."""

    def __init__(self, plan: EnginePlan) -> None:
        self._plan = plan
        self._stage: PerceptionStage | None = None
        self._pose: PoseEstimator | None = None
        self._networks: dict[str, OpenedNetwork] = {}
        self._networks_described: dict[str, object] = {}
        self._rings = RingReader()
        self._geometry: tuple[int, Calibration] | None = None
        self.watch = Stopwatch()

    def start(self, info: SourceInfo) -> dict[str, object]:
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
        given = self._plan.calibration_of(info)
        if given is not None:
            self._stage.set_geometry(given.camera, given.ground)
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

    def set_geometry(self, calibration: Calibration, from_index: int) -> None:
        """Tiles follow this ground from a frame on: a stated frame, so that every runtime does the same."""
        self._geometry = (from_index, calibration)

    def step(self, batch: tuple[Frame | SlotToken, ...]) -> list[Observation]:
        """Look at every frame of a batch, in order, and free its slots."""
        assert self._stage is not None
        observations: list[Observation] = []
        for part in self._parts(batch):
            if self._geometry is not None and part[0].index >= self._geometry[0]:
                self._stage.set_geometry(self._geometry[1].camera, self._geometry[1].ground)
                self._geometry = None
            with self.watch.measure("perception"), ExitStack() as held:
                frames = [
                    held.enter_context(self._rings.frame(item)) if isinstance(item, SlotToken) else item
                    for item in part
                ]
                observations.extend(self._stage.step_many(frames))
        return observations

    def _parts(self, batch: tuple[Frame | SlotToken, ...]) -> list[tuple[Frame | SlotToken, ...]]:
        """The batch in runs of as many frames as there are lanes, cut where a geometry begins to hold."""
        cut = len(batch) if self._geometry is None else sum(item.index < self._geometry[0] for item in batch)
        lanes = self._plan.config.perception.threads
        bounds = sorted({*range(0, cut, lanes), *range(cut, len(batch), lanes), len(batch)})
        return [batch[a:b] for a, b in itertools.pairwise(bounds)]

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
