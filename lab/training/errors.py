"""What can go wrong while a network is trained."""

from __future__ import annotations

from ...kernels.errors import CrowdstreamError


class TrainingError(CrowdstreamError):
    """A run that cannot begin, continue or go on learning."""


class CheckpointError(TrainingError):
    """A folder without a checkpoint, or one of another network or optimiser."""
