"""Who does the work of a run. Tests put a scripted worker in one place and leave the rest as shipped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any

from .plan import EnginePlan

WorkerClass = Callable[[EnginePlan], Any]
"""Cheap to construct from a plan; expensive in `start`."""


@dataclass(frozen=True)
class Shipped:
    """A worker of this package by name: it is imported where it works, and nowhere else."""

    module: str
    """Beside this one."""
    name: str
    """Of the class."""

    def __call__(self, plan: EnginePlan, **options: Any) -> Any:
        return getattr(import_module(f".{self.module}", __package__), self.name)(plan, **options)

    @property
    def __name__(self) -> str:
        return self.name


CAMERA = Shipped("camera", "CameraWorker")


@dataclass(frozen=True)
class Workers:
    """One maker a stage."""

    camera: WorkerClass = CAMERA
    perception: WorkerClass = Shipped("perception", "PerceptionWorker")
    tracking: WorkerClass = Shipped("tracking", "TrackingWorker")
    solver: WorkerClass = Shipped("solver", "SolverWorker")
    refiner: WorkerClass = Shipped("refiner", "RefinerWorker")
    """Left out altogether where `refine.enabled` is false."""
    publisher: WorkerClass = Shipped("publisher", "PublisherWorker")

    def camera_for(self, name: str) -> WorkerClass:
        """What makes the worker of one camera of an array."""
        return partial(self.camera, camera=name) if name and self.camera == CAMERA else self.camera
