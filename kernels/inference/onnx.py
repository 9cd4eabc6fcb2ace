"""ONNX Runtime behind the `InferenceBackend` door: CPU everywhere, CUDA where its build is installed.

Takes the network as bytes, because kernels open no files. Thread counts are explicit and idle threads sleep
instead of spinning: on shared cores a spinning pool slows everything else down, and itself.

`run` is thread-safe, as `InferenceSession.Run` is. With `threads=1` several callers run side by side, one
core each, which for batches of small crops beats one caller with a pool.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnxruntime as ort

from ..errors import InferenceError
from .backend import TensorSpec

CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"

_RUNGS = {CPU: "onnxruntime-cpu", CUDA: "onnxruntime-cuda"}
_DTYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(double)": "float64",
    "tensor(int64)": "int64",
    "tensor(int32)": "int32",
    "tensor(uint8)": "uint8",
    "tensor(bool)": "bool",
}


class OnnxBackend:
    """One loaded network; implements `InferenceBackend` and may be called from several threads."""

    def __init__(
        self, model: bytes, threads: int = 1, providers: Sequence[str] = (CPU,), name: str = "network"
    ) -> None:
        """Load a graph.

        Args:
            model: the bytes of an `.onnx` file.
            threads: cores one call may use, at least 1.
            providers: execution providers, best first; CPU is always the last resort.
            name: how error messages call the network.

        Raises:
            InferenceError: the bytes are not a network this runtime can run, or a provider is not there.
        """
        if threads < 1:
            raise InferenceError(f"{name}: got threads={threads}, expected at least 1")
        self._name = name
        self._session: ort.InferenceSession | None = _open(model, threads, tuple(providers), name)
        self._rung = _RUNGS.get(self._session.get_providers()[0], "onnxruntime")
        self._inputs = tuple(_spec(arg) for arg in self._session.get_inputs())
        self._outputs = tuple(_spec(arg) for arg in self._session.get_outputs())

    @property
    def rung(self) -> str:
        """The step of the ladder that really runs (the runtime may fall back from CUDA to the CPU)."""
        return self._rung

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        return self._inputs

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        return self._outputs

    def run(self, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """One forward pass; feeds and results by tensor name.

        Raises:
            InferenceError: feeds of another name, type or shape than the network takes, or a closed network.
        """
        session = self._session
        if session is None:
            raise InferenceError(f"{self._name}: run after close; load the network again")
        self._check(feeds)
        try:
            values = session.run(None, dict(feeds))
        except Exception as exc:
            shapes = {key: value.shape for key, value in feeds.items()}
            raise InferenceError(
                f"{self._name}: the runtime refused feeds {shapes}; expected {_describe(self._inputs)}: "
                f"{_first_line(exc)}"
            ) from exc
        return {spec.name: np.asarray(value) for spec, value in zip(self._outputs, values, strict=True)}

    def close(self) -> None:
        """Free the network; calling it twice is fine."""
        self._session = None

    def _check(self, feeds: Mapping[str, np.ndarray]) -> None:
        if feeds.keys() != {spec.name for spec in self._inputs}:
            raise InferenceError(
                f"{self._name}: got feeds {sorted(feeds)}, expected {_describe(self._inputs)}; "
                "check that the adapter belongs to this network"
            )
        for spec in self._inputs:
            value = feeds[spec.name]
            fits = len(value.shape) == len(spec.shape) and all(
                want is None or want == got for want, got in zip(spec.shape, value.shape, strict=True)
            )
            if not fits or str(value.dtype) != spec.dtype:
                raise InferenceError(
                    f"{self._name}: input {spec.name!r} got {value.dtype} {list(value.shape)}, "
                    f"expected {_describe((spec,))}; check the input size in the configuration"
                )


def _open(model: bytes, threads: int, providers: tuple[str, ...], name: str) -> ort.InferenceSession:
    known = ort.get_available_providers()
    absent = [p for p in providers if p not in known]
    if absent:
        raise InferenceError(
            f"{name}: execution provider {absent[0]} is not in this onnxruntime; available: {', '.join(known)}; "
            "choose one of them or install the build that has it"
        )
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3  # errors come as exceptions; warnings about graph clean-up help nobody
    order = list(providers) if CPU in providers else [*providers, CPU]
    try:
        return ort.InferenceSession(model, sess_options=options, providers=order)
    except Exception as exc:
        raise InferenceError(
            f"{name}: {len(model)} bytes are not a network ONNX Runtime {ort.__version__} can load "
            f"({_first_line(exc)}); expected an ONNX file, check its sha256 or pull it again"
        ) from exc


def _spec(arg: ort.NodeArg) -> TensorSpec:
    shape = tuple(size if isinstance(size, int) and size > 0 else None for size in arg.shape)
    return TensorSpec(arg.name, shape, _DTYPES.get(arg.type, arg.type))


def _describe(specs: Sequence[TensorSpec]) -> str:
    return ", ".join(
        f"{s.name} {s.dtype} [{', '.join('?' if d is None else str(d) for d in s.shape)}]" for s in specs
    )


def _first_line(exc: Exception) -> str:
    text = str(exc).strip()
    return text.splitlines()[0][:200] if text else type(exc).__name__
