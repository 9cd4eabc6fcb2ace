"""What ends a run before its sources do."""

from ..kernels.errors import CrowdstreamError


class EngineFault(CrowdstreamError):
    """A worker process died, again and again, or could not be reached."""


class StoppedEarly(CrowdstreamError):
    """Asked to stop before the first frame."""


class RayUnavailable(CrowdstreamError):
    """Ray could not be started, or the cluster could not be joined."""
