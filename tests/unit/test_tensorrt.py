"""The TensorRT adapter as far as a machine without a GPU can go: names, versions, building, refusals.

Running a plan needs a GPU and is not covered here. Where NVIDIA's bindings wheel is unpacked (it installs without
CUDA; TENSORRT_BINDINGS names its folder), every name the adapter uses is looked up in it.
"""

from __future__ import annotations

import ast
import inspect
import os
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from crowdstream.kernels.errors import InferenceError
from crowdstream.kernels.inference import tensorrt as adapter

NAMES = {
    "Builder", "BuilderFlag", "IOutputAllocator", "Logger", "MemoryPoolType", "NetworkDefinitionCreationFlag",
    "OnnxParser", "Runtime", "STRONGLY_TYPED", "TensorIOMode", "INPUT", "WARNING", "WORKSPACE", "__version__",
    "add_optimization_profile", "build_serialized_network", "create_builder_config", "create_execution_context",
    "create_network", "create_optimization_profile", "deserialize_cuda_engine", "execute_async_v3", "get_error",
    "get_tensor_dtype", "get_tensor_mode", "get_tensor_name", "get_tensor_shape", "notify_shape", "nptype",
    "num_errors", "num_io_tensors", "parse", "reallocate_output_async", "set_input_shape",
    "set_memory_pool_limit", "set_output_allocator", "set_shape", "set_tensor_address",
}  # fmt: skip
"""What the adapter uses of TensorRT; checked by hand and below against tensorrt_cu13_bindings 11.4.0."""


def _used() -> set[str]:
    """Attributes read off TensorRT objects in the adapter's source."""
    roots = {"trt", "builder", "network", "parser", "config", "profile"}
    own = {"_trt", "_runtime", "_engine", "_context"}
    found = set()
    for node in ast.walk(ast.parse(inspect.getsource(adapter))):
        if not isinstance(node, ast.Attribute):
            continue
        inner = node.value
        if isinstance(inner, ast.Name) and inner.id in roots:
            found.add(node.attr)
        if isinstance(inner, ast.Attribute) and (
            inner.attr in own or (inner.attr[:1].isupper() and inner.attr != "Stream")
        ):
            found.add(node.attr)
    return {name for name in found if name not in {"Tensor", "device", "__init__"}}


def test_the_list_of_names_is_complete() -> None:
    assert _used() <= NAMES, f"used but not listed: {_used() - NAMES}"


def test_every_name_is_in_the_published_bindings() -> None:
    folder = os.environ.get("TENSORRT_BINDINGS")
    if not folder:
        pytest.skip("TENSORRT_BINDINGS does not name an unpacked tensorrt_cu13_bindings wheel")
    blob = b"".join(p.read_bytes() for p in Path(folder).rglob("*") if p.suffix in {".so", ".py"})
    missing = sorted(name for name in NAMES if name.encode() not in blob)
    assert not missing


class _Recorder:
    """Stands in for any TensorRT object: every call is written down."""

    def __init__(self, calls: list[tuple[str, tuple[Any, ...]]], answers: dict[str, Any]) -> None:
        self._calls, self._answers = calls, answers

    def __getattr__(self, name: str) -> Any:
        if name in self._answers and not callable(self._answers[name]):
            return self._answers[name]

        def call(*args: Any) -> Any:
            self._calls.append((name, args))
            answer = self._answers.get(name)
            return answer(*args) if callable(answer) else _Recorder(self._calls, self._answers)

        return call


def _fake(
    monkeypatch: pytest.MonkeyPatch, version: str, answers: dict[str, Any]
) -> list[tuple[str, tuple[Any, ...]]]:
    calls: list[tuple[str, tuple[Any, ...]]] = []
    fake = types.ModuleType("tensorrt")
    fake.__version__ = version  # type: ignore[attr-defined]
    logger = type("Logger", (), {"WARNING": 2, "__init__": lambda self, level: None})
    fake.Logger = logger  # type: ignore[attr-defined]
    fake.NetworkDefinitionCreationFlag = types.SimpleNamespace(STRONGLY_TYPED=1)  # type: ignore[attr-defined]
    fake.MemoryPoolType = types.SimpleNamespace(WORKSPACE="workspace")  # type: ignore[attr-defined]
    fake.Builder = lambda _: _Recorder(calls, answers)  # type: ignore[attr-defined]
    fake.OnnxParser = lambda *_: _Recorder(calls, answers)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tensorrt", fake)
    return calls


PROFILE = adapter.ShapeProfile("images", (1, 3, 8, 8), (8, 3, 8, 8), (32, 3, 8, 8))


@pytest.mark.parametrize("version", ["10.9.0", "11.4.0.106"])
def test_a_plan_is_strongly_typed_and_has_the_profile(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    calls = _fake(
        monkeypatch, version, {"parse": lambda _: True, "build_serialized_network": lambda *_: b"plan"}
    )
    assert adapter.build_plan(b"onnx", [PROFILE], 1 << 20) == b"plan"
    done = dict(calls)
    assert done["create_network"] == (1 << 1,)
    assert done["set_shape"] == ("images", (1, 3, 8, 8), (8, 3, 8, 8), (32, 3, 8, 8))
    assert done["set_memory_pool_limit"] == ("workspace", 1 << 20)


def test_a_graph_that_does_not_parse_is_an_error_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    _fake(
        monkeypatch, "11.4.0", {"parse": lambda _: False, "num_errors": 1, "get_error": lambda _: "no op Foo"}
    )
    with pytest.raises(InferenceError, match="no op Foo"):
        adapter.build_plan(b"onnx", [PROFILE], 1)


def test_no_plan_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    _fake(monkeypatch, "11.4.0", {"parse": lambda _: True, "build_serialized_network": lambda *_: None})
    with pytest.raises(InferenceError, match="no plan"):
        adapter.build_plan(b"onnx", [PROFILE], 1)


@pytest.mark.parametrize("version", ["8.6.1", "9.0", "12.0.0"])
def test_another_major_is_refused(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    _fake(monkeypatch, version, {})
    with pytest.raises(InferenceError, match="expected >= 10, < 12"):
        adapter.import_tensorrt()


def test_absent_says_how_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    with pytest.raises(InferenceError, match=r"crowdstream\[tensorrt\]"):
        adapter.import_tensorrt()
