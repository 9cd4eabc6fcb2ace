"""Which networks, and how they are run."""

from __future__ import annotations

from pydantic import Field

from ...kernels.settings import StageConfig


class InferenceConfig(StageConfig):
    """Which networks, and how they are run."""

    detector: str = ""
    """Detector: catalogue name, file in the model folder, or path; "" for the best that is there."""
    pose: str = ""
    """2D pose network, the same way."""
    reid: str = ""
    """Re-id network, the same way; only used with `perception.appearance=reid`."""
    ladder: tuple[str, ...] = ("tensorrt", "onnxruntime-cuda", "onnxruntime-cpu")
    """Rungs to try, best first."""
    threads: int = Field(default=1, ge=1, le=64)
    """Threads inside one call of ONNX Runtime. More than the free cores makes it slower, not faster."""
    device: int = Field(default=0, ge=0)
    """GPU number."""
    cache_dir: str = ""
    """Folder of built plans; "" for the user's cache folder."""
    cache_max_mb: int = Field(default=5120, ge=64)
    """Size of that folder; the plans used longest ago go first."""
    workspace_mb: int = Field(default=1024, ge=64)
    """Scratch memory a TensorRT build may use."""
    probe_timeout_s: float = Field(default=60.0, gt=0)
    """How long another process may take to say whether TensorRT works here."""
