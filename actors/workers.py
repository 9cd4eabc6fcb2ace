"""Who does the work of a run. Tests put a scripted worker in one place and leave the rest as shipped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from .camera import CameraWorker
from .perception import PerceptionWorker
from .plan import EnginePlan
from .publisher import PublisherWorker
from .refiner import RefinerWorker
from .solver import SolverWorker
from .tracking import TrackingWorker

WorkerClass = Callable[[EnginePlan], Any]
"""Cheap to construct from a plan; expensive in `start`."""


@dataclass(frozen=True)
class Workers:
    """One class a stage."""

    camera: WorkerClass = CameraWorker
    perception: WorkerClass = PerceptionWorker
    tracking: WorkerClass = TrackingWorker
    solver: WorkerClass = SolverWorker
    refiner: WorkerClass = RefinerWorker
    """Left out altogether where `refine.enabled` is false."""
    publisher: WorkerClass = PublisherWorker

    def camera_for(self, name: str) -> WorkerClass:
        """What makes the worker of one camera of an array."""
        return partial(self.camera, camera=name) if name and self.camera is CameraWorker else self.camera
