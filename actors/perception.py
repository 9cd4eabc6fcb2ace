"""The perception worker: networks on a ladder, frames in, observations out."""

from __future__ import annotations

from ..stream.calibration_file import Calibration
from ..stream.inference.ladder import OpenedNetwork, open_network
from ..stream.models.catalogue import Role
from ..stream.models.folder import choose
from ..stream.observe import PerceptionStage, make_detector, make_pose_estimator
from ..stream.records import Frame, Observation
from ..stream.ring import RingReader, SlotToken
from .plan import EnginePlan
from .stopwatch import Stopwatch


class PerceptionWorker:
    """start -> step ... -> stop."""

    def __init__(self, plan: EnginePlan) -> None:
        self._plan = plan
        self._stage: PerceptionStage | None = None
        self._networks: dict[str, OpenedNetwork] = {}
        self._networks_described: dict[str, object] = {}
        self._rings = RingReader()
        self._geometry: tuple[int, Calibration] | None = None
        self.watch = Stopwatch()

    def start(self) -> dict[str, object]:
        """Load the networks; says which, on which rung, and why not better."""
        config = self._plan.config
        for role, wanted in ((Role.DETECTOR, config.perception.detector), (Role.POSE, config.perception.pose)):
            model = choose(self._plan.models, role, wanted)
            self._networks[role.value] = open_network(model, config.inference)
        detector = make_detector(self._networks["detector"].backend, config.perception)
        pose = make_pose_estimator(self._networks["pose"].backend, config.perception)
        self._stage = PerceptionStage(config.perception, detector, pose)
        if self._plan.calibration is not None:
            self._stage.set_geometry(self._plan.calibration.camera, self._plan.calibration.ground)
        self._networks_described = {role: network.describe() for role, network in self._networks.items()}
        return dict(self._networks_described)

    def set_geometry(self, calibration: Calibration, from_index: int) -> None:
        """Tiles follow this ground from a frame on: a stated frame, so that every runtime does the same."""
        self._geometry = (from_index, calibration)

    def step(self, batch: tuple[Frame | SlotToken, ...]) -> list[Observation]:
        """Look at every frame of a batch, in order, and free its slots."""
        assert self._stage is not None
        observations = []
        for item in batch:
            if self._geometry is not None and item.index >= self._geometry[0]:
                self._stage.set_geometry(self._geometry[1].camera, self._geometry[1].ground)
                self._geometry = None
            with self.watch.measure("perception"):
                if isinstance(item, SlotToken):
                    with self._rings.frame(item) as frame:
                        observations.append(self._stage.step(frame))
                else:
                    observations.append(self._stage.step(item))
        return observations

    def stop(self) -> dict[str, object]:
        """Let go of networks and rings; the seconds spent."""
        if self._stage is not None:
            self._stage.close()
        for network in self._networks.values():
            network.backend.close()
        self._networks.clear()
        self._rings.close()
        return {"seconds": dict(self.watch.seconds), "networks": self._networks_described}
