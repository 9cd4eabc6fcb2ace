"""The one door to every network: numpy arrays in, numpy arrays out.

Adapters (RTMDet, YOLOX, heatmap and SimCC pose, re-id) know tensors' meaning; backends know how to run them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np


@dataclass(frozen=True)
class TensorSpec:
    """Name, shape and type of one input or output of a network."""

    name: str
    shape: tuple[int | None, ...]
    """None for a free dimension."""
    dtype: str
    """numpy's name of the element type, e.g. float32."""


@dataclass(frozen=True)
class ShapeProfile:
    """Smallest, usual and largest shape of one input of the plan."""

    tensor: str
    smallest: tuple[int, ...]
    usual: tuple[int, ...]
    largest: tuple[int, ...]


@runtime_checkable  # shape checks of the tests look at arguments of this type
class InferenceBackend(Protocol):
    """A loaded network. Not thread-safe unless the implementation says so."""

    @property
    def rung(self) -> str:
        """Which step of the ladder runs: tensorrt, onnxruntime-cuda, onnxruntime-cpu, ..."""
        ...

    @property
    def inputs(self) -> tuple[TensorSpec, ...]: ...

    @property
    def outputs(self) -> tuple[TensorSpec, ...]: ...

    def run(self, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """One forward pass; feeds and results by tensor name."""
        ...

    def close(self) -> None: ...
