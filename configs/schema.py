"""The whole configuration: one frozen record a stage, declared beside the stage, put together here."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ..kernels.settings import StageConfig
from ..stream.calibrate import CalibrateConfig
from ..stream.health.config import HealthConfig
from ..stream.inference.ladder_config import InferenceConfig
from ..stream.observe_config import PerceptionConfig
from ..stream.pressure.config import PressureConfig
from ..stream.reconstruct_config import ReconstructConfig
from ..stream.refine.config import RefineConfig
from ..stream.sources.base import SourceConfig
from ..stream.sources.live.config import LiveConfig
from ..stream.stitch.config import StitchConfig
from ..stream.track_config import TrackConfig
from ..stream.windows import WindowConfig
from ..stream.wire.publish import PublishConfig


class RuntimeConfig(StageConfig):
    """Where stages run and how much may be on the way between them."""

    kind: Literal["inline", "ray"] = "ray"
    """inline: one process. ray: one process a stage, on this machine or a cluster."""
    speed: float | None = Field(default=None, gt=0.0, le=100.0)
    """Pace of a recording: 1.0 plays it as it was captured, null as fast as it goes."""
    drop_late: bool = False
    """Drop frames that are older than `max_age_s` when their turn comes (paced sources only)."""
    max_age_s: float = Field(default=0.5, gt=0.0, le=60.0)
    """Staleness a live view accepts."""
    batch_frames: int = Field(default=8, ge=1, le=64)
    """Frames per call between actors: fewer for latency, more for throughput."""
    batches_in_flight: int = Field(default=3, ge=1, le=16)
    """Batches between camera and tracker at a time."""
    windows_in_flight: int = Field(default=8, ge=1, le=256)
    """Unsolved windows; beyond, a recording waits and a live view (`drop_late`) leaves windows out, counted."""
    results_in_flight: int = Field(default=64, ge=1, le=4096)
    """Unpublished results before the supervisor waits."""
    ring_slots: int = Field(default=32, ge=2, le=512)
    """Frames of the shared-memory ring; at least batch_frames * batches_in_flight."""
    worker_threads: int = Field(default=2, ge=1, le=64)
    """Threads a library may use inside one worker process."""
    object_store_mb: int = Field(default=256, ge=80, le=1 << 20)
    """Ray's shared store; results pass through it, frames never do."""
    ray_address: str = ""
    """Join a running Ray cluster instead of starting one."""
    crews: int = Field(default=0, ge=0, le=256)
    """Sets of perception, tracking and solver, each on one node for its share of the cameras; 0: one a node."""
    restarts: int = Field(default=5, ge=0, le=1000)
    """Workers of a stage that may be replaced within `restarts_within_s` before the run ends."""
    restarts_within_s: float = Field(default=60.0, gt=0.0, le=86_400.0)
    """See `restarts`."""
    stuck_s: float = Field(default=120.0, ge=1.0, le=3600.0)
    """A worker that has not answered one question for so long is replaced."""
    snapshot_frames: int = Field(default=150, ge=1, le=10_000)
    """Frames of a camera between two snapshots of its site: what a tracker that follows another starts from."""
    health_s: float = Field(default=2.0, gt=0.0, le=60.0)
    """Between two health reports."""
    checkpoint_s: float = Field(default=20.0, gt=0.0, le=3600.0)
    """Between two checkpoints of a recorded run."""

    def model_post_init(self, context: object) -> None:
        if self.ring_slots < self.batch_frames * self.batches_in_flight:
            raise ValueError(
                f"ring_slots = {self.ring_slots} is too small: expected at least batch_frames * batches_in_flight "
                f"= {self.batch_frames * self.batches_in_flight}"
            )


class EngineConfig(StageConfig):
    """Everything that can be set."""

    source: SourceConfig = SourceConfig()
    live: LiveConfig = LiveConfig()
    perception: PerceptionConfig = PerceptionConfig()
    inference: InferenceConfig = InferenceConfig()
    calibrate: CalibrateConfig = CalibrateConfig()
    track: TrackConfig = TrackConfig()
    stitch: StitchConfig = StitchConfig()
    window: WindowConfig = WindowConfig()
    solve: ReconstructConfig = ReconstructConfig()
    refine: RefineConfig = RefineConfig()
    publish: PublishConfig = PublishConfig()
    runtime: RuntimeConfig = RuntimeConfig()
    health: HealthConfig = HealthConfig()
    pressure: PressureConfig = PressureConfig()
