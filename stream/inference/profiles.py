"""The shapes a TensorRT plan shall be ready for: free dimensions of a network filled in from the work to come."""

from __future__ import annotations

from dataclasses import dataclass

from ...kernels.errors import InferenceError
from ...kernels.inference.backend import ShapeProfile, TensorSpec

Span = tuple[int, int, int]
"""Smallest, usual, largest."""


@dataclass(frozen=True)
class ShapeHints:
    """What will be fed: images as (batch, channels, height, width)."""

    batch: Span = (1, 8, 32)
    height: Span = (320, 640, 1280)
    width: Span = (320, 960, 1280)


def profiles_for(inputs: tuple[TensorSpec, ...], hints: ShapeHints) -> tuple[ShapeProfile, ...]:
    """One profile per input with a free dimension; none for networks whose shapes are all fixed.

    Raises:
        InferenceError: a free dimension that is neither batch, height nor width.
    """
    spans = {0: hints.batch, 2: hints.height, 3: hints.width}
    profiles = []
    for spec in inputs:
        free = [axis for axis, size in enumerate(spec.shape) if size is None]
        if not free:
            continue
        if any(axis not in spans for axis in free):
            raise InferenceError(f"input {spec.name} {spec.shape}: only batch, height and width may be free")
        shapes = [
            tuple(spans[axis][k] if size is None else size for axis, size in enumerate(spec.shape))
            for k in range(3)
        ]
        profiles.append(ShapeProfile(spec.name, *shapes))
    return tuple(profiles)
