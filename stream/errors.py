"""What can go wrong at the borders of the engine: sources, files, models, the wire."""

from ..kernels.errors import CrowdstreamError


class SourceError(CrowdstreamError):
    """A video, folder or camera that cannot be opened or gives nothing usable."""


class ModelError(CrowdstreamError):
    """A network or body file that is missing, damaged or of another contract."""


class LogError(CrowdstreamError):
    """A window log that cannot be read or written."""


class ProtocolError(CrowdstreamError):
    """Bytes on a socket that break the protocol of docs/protocol.md."""


class PublishError(CrowdstreamError):
    """An address that cannot be served or reached, or may not be."""


class RefineError(CrowdstreamError):
    """Settings or windows that the refiner cannot work with."""


class ExportError(CrowdstreamError):
    """A log that holds nothing of what an export needs, or a target that cannot be written."""


class CheckpointError(CrowdstreamError):
    """State that cannot be kept, or a checkpoint that is damaged, of another version or of another run."""


class ControlError(CrowdstreamError):
    """A request to a running engine that cannot be understood, or may not be made."""
