"""From a network file to something that runs: the best rung that works, and why the better ones did not.

TensorRT -> ONNX Runtime on CUDA -> ONNX Runtime on the CPU. A rung says no by raising `InferenceError`; the
reason is kept and shown in health, so nobody wonders why a GPU is idle.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ...kernels.errors import InferenceError
from ...kernels.inference.backend import InferenceBackend, ShapeProfile
from ...kernels.inference.onnx import OnnxBackend
from ..models.folder import ModelFile
from .engine_cache import EngineCache, EngineKey
from .ladder_config import InferenceConfig
from .probe import ProbeVerdict, probe_tensorrt
from .profiles import ShapeHints, profiles_for


@dataclass(frozen=True)
class OpenedNetwork:
    """A running network and how it came to run there."""

    backend: InferenceBackend
    model: ModelFile
    refused: tuple[tuple[str, str], ...]
    """(rung, reason) of the better rungs that did not work."""

    def describe(self) -> dict[str, object]:
        """For health and the summary."""
        return {
            "name": self.model.name,
            "why": self.model.why,
            "rung": self.backend.rung,
            "refused": {rung: reason for rung, reason in self.refused},
        }


RungOpener = Callable[[bytes, InferenceConfig, ShapeHints], InferenceBackend]


def open_network(
    model: ModelFile,
    config: InferenceConfig,
    hints: ShapeHints | None = None,
    rungs: Mapping[str, RungOpener] | None = None,
) -> OpenedNetwork:
    """Load a network on the best rung that works.

    Args:
        model: the file; its sum is checked here.
        config: which rungs, threads, caches.
        hints: sizes a plan shall be ready for where the network leaves them free.
        rungs: openers by name; a seam for tests.

    Raises:
        ModelError: the file is damaged. InferenceError: no rung works; lists every reason.
    """
    openers = RUNGS if rungs is None else rungs
    content = model.read()
    refused: list[tuple[str, str]] = []
    for rung in config.ladder:
        opener = openers.get(rung)
        if opener is None:
            raise InferenceError(
                f"unknown rung {rung!r} in inference.ladder; known: {', '.join(sorted(openers))}"
            )
        try:
            return OpenedNetwork(opener(content, config, hints or ShapeHints()), model, tuple(refused))
        except InferenceError as exc:
            refused.append((rung, str(exc)))
    reasons = "; ".join(f"{rung}: {reason}" for rung, reason in refused)
    raise InferenceError(f"{model.name} runs on no rung of the ladder ({reasons})")


def _open_onnx_cpu(content: bytes, config: InferenceConfig, hints: ShapeHints) -> InferenceBackend:
    return OnnxBackend(content, threads=config.threads, providers=("CPUExecutionProvider",))


def _open_onnx_cuda(content: bytes, config: InferenceConfig, hints: ShapeHints) -> InferenceBackend:
    return OnnxBackend(content, threads=config.threads, providers=("CUDAExecutionProvider",))


def _open_tensorrt(content: bytes, config: InferenceConfig, hints: ShapeHints) -> InferenceBackend:
    verdict = probe_tensorrt(config.probe_timeout_s)
    if not verdict.usable:
        raise InferenceError(verdict.reason)
    # here, because it brings torch: a second or two and 200 MB that no other rung needs
    from ...kernels.inference.tensorrt import TensorRtBackend, build_plan

    reader = OnnxBackend(content, threads=1, providers=("CPUExecutionProvider",))
    profiles = profiles_for(reader.inputs, hints)
    reader.close()
    workspace = config.workspace_mb << 20
    cache = EngineCache(_cache_folder(config), config.cache_max_mb << 20)
    key = engine_key(content, verdict, profiles, workspace)
    plan = cache.get_or_build(key, lambda: build_plan(content, profiles, workspace))
    return TensorRtBackend(plan, config.device)


def engine_key(
    content: bytes, verdict: ProbeVerdict, profiles: tuple[ShapeProfile, ...], workspace_bytes: int
) -> EngineKey:
    """The cache key of a plan for this network on this machine."""
    return EngineKey(
        onnx_sha256=hashlib.sha256(content).hexdigest(),
        tensorrt_version=verdict.tensorrt,
        cuda_version=verdict.cuda,
        gpu_name=verdict.gpu,
        compute_capability=verdict.capability,
        driver_major=_driver_major(),
        typing="strong",
        profiles=tuple((p.tensor, p.smallest, p.usual, p.largest) for p in profiles),
        workspace_bytes=workspace_bytes,
    )


def _driver_major() -> str:
    try:
        text = Path("/proc/driver/nvidia/version").read_text()
    except OSError:
        return ""
    words = [w for w in text.split() if w.count(".") >= 1 and w[0].isdigit()]
    return words[0].split(".")[0] if words else ""


def _cache_folder(config: InferenceConfig) -> Path:
    if config.cache_dir:
        return Path(config.cache_dir)
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "crowdstream" / "engines"


RUNGS: dict[str, RungOpener] = {
    "tensorrt": _open_tensorrt,
    "onnxruntime-cuda": _open_onnx_cuda,
    "onnxruntime-cpu": _open_onnx_cpu,
}
