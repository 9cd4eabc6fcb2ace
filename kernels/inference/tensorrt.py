"""TensorRT (>= 10, < 12): build a strongly typed plan from ONNX, run it with dynamic shapes.

One code path serves both major versions: precision comes from the ONNX graph (strong typing; on 11 there is
nothing else), I/O goes by tensor name (`set_tensor_address`, `execute_async_v3`), and outputs whose size is
known only after the run (a detector with NMS inside) go through an output allocator. Buffers are torch CUDA
tensors, so no CUDA binding of its own is needed.

The module imports without TensorRT; the calls raise `InferenceError`. Whether TensorRT works on a machine must
be probed in another process first (`stream.inference.probe`): a missing driver can abort the interpreter.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from ..errors import InferenceError
from .backend import ShapeProfile, TensorSpec

SUPPORTED_MAJORS = (10, 11)


def import_tensorrt() -> Any:
    """The `tensorrt` module, checked for version.

    Raises:
        InferenceError: not installed, or another major version.
    """
    try:
        trt = importlib.import_module("tensorrt")
    except ImportError as exc:
        raise InferenceError(
            "TensorRT is not installed; on a machine with an NVIDIA GPU: pip install 'crowdstream[tensorrt]'"
        ) from exc
    major = int(str(trt.__version__).split(".")[0])
    if major not in SUPPORTED_MAJORS:
        raise InferenceError(f"TensorRT {trt.__version__} is not supported; expected >= 10, < 12")
    return trt


def build_plan(onnx: bytes, profiles: Sequence[ShapeProfile], workspace_bytes: int) -> bytes:
    """Compile an ONNX graph into a plan for this GPU. Minutes; run it in the background.

    Raises:
        InferenceError: the graph does not parse, or no plan could be built.
    """
    trt = import_tensorrt()
    logger = trt.Logger(trt.Logger.WARNING)
    builder = trt.Builder(logger)
    flag = 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
    network = builder.create_network(flag)
    parser = trt.OnnxParser(network, logger)
    if not parser.parse(onnx):
        first = parser.get_error(0) if parser.num_errors else "no reason given"
        raise InferenceError(f"TensorRT cannot parse the network: {first}")
    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, workspace_bytes)
    profile = builder.create_optimization_profile()
    for shape in profiles:
        profile.set_shape(shape.tensor, shape.smallest, shape.usual, shape.largest)
    config.add_optimization_profile(profile)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise InferenceError("TensorRT built no plan; its log above says why")
    return bytes(plan)


class TensorRtBackend:
    """A plan on one GPU. One execution context: one thread at a time."""

    def __init__(self, plan: bytes, device: int = 0) -> None:
        """
        Raises:
            InferenceError: the plan belongs to another GPU or version, or does not fit in memory.
        """
        trt = import_tensorrt()
        self._trt = trt
        self._device = torch.device("cuda", device)
        torch.cuda.set_device(self._device)
        self._runtime = trt.Runtime(trt.Logger(trt.Logger.WARNING))
        self._engine = self._runtime.deserialize_cuda_engine(plan)
        if self._engine is None:
            raise InferenceError("TensorRT refused the plan: built for another GPU or version; rebuild it")
        self._context = self._engine.create_execution_context()
        if self._context is None:
            raise InferenceError("TensorRT has no memory for an execution context")
        self._stream = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]
        names = [self._engine.get_tensor_name(i) for i in range(self._engine.num_io_tensors)]
        self.inputs = tuple(self._spec(n) for n in names if self._is_input(n))
        self.outputs = tuple(self._spec(n) for n in names if not self._is_input(n))
        self._allocator = _output_allocator(trt, self._device)

    @property
    def rung(self) -> str:
        return "tensorrt"

    def run(self, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        with torch.cuda.stream(self._stream):
            kept = [self._bind_input(spec, feeds) for spec in self.inputs]
            fixed = {spec.name: self._bind_output(spec) for spec in self.outputs}
            if not self._context.execute_async_v3(self._stream.cuda_stream):
                raise InferenceError("TensorRT execution failed; its log says why")
            self._stream.synchronize()
            del kept
            return {name: self._fetch(name, tensor) for name, tensor in fixed.items()}

    def close(self) -> None:
        self._context = self._engine = self._runtime = None

    def _is_input(self, name: str) -> bool:
        return bool(self._engine.get_tensor_mode(name) == self._trt.TensorIOMode.INPUT)

    def _spec(self, name: str) -> TensorSpec:
        shape = tuple(int(d) if int(d) >= 0 else None for d in self._engine.get_tensor_shape(name))
        dtype = np.dtype(self._trt.nptype(self._engine.get_tensor_dtype(name))).name
        return TensorSpec(name, shape, dtype)

    def _bind_input(self, spec: TensorSpec, feeds: Mapping[str, np.ndarray]) -> torch.Tensor:
        array = np.ascontiguousarray(feeds[spec.name], dtype=spec.dtype)
        tensor = torch.from_numpy(array).to(self._device, non_blocking=True)
        if not self._context.set_input_shape(spec.name, tuple(array.shape)):
            raise InferenceError(f"{spec.name}: shape {array.shape} is outside the plan's profile")
        self._context.set_tensor_address(spec.name, tensor.data_ptr())
        return tensor

    def _bind_output(self, spec: TensorSpec) -> torch.Tensor | None:
        shape = tuple(int(d) for d in self._context.get_tensor_shape(spec.name))
        if any(d < 0 for d in shape):  # known only after the run
            self._context.set_output_allocator(spec.name, self._allocator)
            return None
        tensor = torch.empty(shape, dtype=_torch_dtype(spec.dtype), device=self._device)
        self._context.set_tensor_address(spec.name, tensor.data_ptr())
        return tensor

    def _fetch(self, name: str, tensor: torch.Tensor | None) -> np.ndarray:
        if tensor is not None:
            return np.asarray(tensor.cpu().numpy())
        spec = next(s for s in self.outputs if s.name == name)
        buffer, shape = self._allocator.buffers[name], self._allocator.shapes[name]
        count = int(np.prod(shape)) * np.dtype(spec.dtype).itemsize
        flat = buffer[:count].view(_torch_dtype(spec.dtype))
        return np.asarray(flat.reshape(shape).cpu().numpy())


def _torch_dtype(name: str) -> torch.dtype:
    return torch.from_numpy(np.zeros(1, dtype=name)).dtype


def _output_allocator(trt: Any, device: torch.device) -> Any:
    """An allocator that grows one byte buffer per output; its class needs the imported module as base."""

    class Allocator(trt.IOutputAllocator):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.IOutputAllocator.__init__(self)
            self.buffers: dict[str, torch.Tensor] = {}
            self.shapes: dict[str, tuple[int, ...]] = {}

        def reallocate_output_async(
            self, name: str, memory: int, size: int, alignment: int, stream: int
        ) -> int:
            held = self.buffers.get(name)
            if held is None or held.numel() < size:
                self.buffers[name] = held = torch.empty(max(size, 1), dtype=torch.uint8, device=device)
            return held.data_ptr()

        def notify_shape(self, name: str, shape: Any) -> None:
            self.shapes[name] = tuple(int(d) for d in shape)

    return Allocator()
