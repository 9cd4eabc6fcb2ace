"""What can be wrong with a question to the evaluator."""

from __future__ import annotations

from ...kernels.errors import CrowdstreamError


class EvaluateError(CrowdstreamError):
    """Truth and result do not belong together, or one of them is not there."""


class SwitchError(CrowdstreamError):
    """A name that is no component and no energy term: a mistake of usage, not of data."""
