"""The root of every error this project raises on purpose.

A message says what was got, what was expected and what to do next; the command line prints it as one
line and exits with code 1. Each folder derives its own few classes from here.
"""


class CrowdstreamError(Exception):
    """Something a user or an operator can act on; never a bug in the engine."""


class ShapeError(CrowdstreamError, ValueError):
    """Arrays whose sizes do not agree with one another or with the contract."""


class CalibrationError(CrowdstreamError):
    """A camera or a ground could not be estimated, or a given one makes no sense."""


class SolveError(CrowdstreamError):
    """A window problem that cannot be posed (not one that failed to converge: that is a status)."""


class InferenceError(CrowdstreamError):
    """A network could not be loaded, or gave tensors of another contract than its adapter's."""
