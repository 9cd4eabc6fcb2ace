"""Settings that cannot be taken."""

from ..kernels.errors import CrowdstreamError


class ConfigError(CrowdstreamError):
    """An unknown key, a value out of range, or a preset that does not exist."""
