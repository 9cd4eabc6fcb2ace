"""The Ray runtime: every worker an actor, frames in shared memory, results through Ray's store."""

from __future__ import annotations

from typing import Any

from .faults import EngineFault, StoppedEarly
from .place_ray import Cluster
from .plan import EnginePlan
from .runtime import RunHooks
from .supervisor import Supervisor
from .workers import Workers

__all__ = ["EngineFault", "StoppedEarly", "run_ray"]


def run_ray(plan: EnginePlan, hooks: RunHooks, workers: Workers | None = None) -> dict[str, Any]:
    """Run a plan on Ray: starts a private one-machine cluster, or joins `runtime.ray_address`."""
    cluster = Cluster(plan.config.runtime)
    try:
        return Supervisor(plan, hooks, workers or Workers(), cluster).run()
    finally:
        cluster.close()
