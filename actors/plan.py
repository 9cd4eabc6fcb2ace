"""What one run is: everything a worker needs to build its stage, small and picklable."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..configs.schema import EngineConfig
from ..stream.calibration_file import Calibration, load_calibration
from ..stream.models.catalogue import Role
from ..stream.observe import AppearanceSource


@dataclass(frozen=True)
class EnginePlan:
    """A run, before anything is opened."""

    source: str
    """Video file or folder of images."""
    config: EngineConfig
    models: Path
    """Model folder."""
    calibration: Path | None = None
    """File with camera and ground; None: the engine calibrates itself."""
    record: Path | None = None
    """Window log to write."""
    body: Path | None = None
    """A user's SMPL file; None: the body that ships."""

    def networks(self) -> tuple[tuple[Role, str], ...]:
        """The networks that the run needs: role, and what the user wants for it ("": the best there is)."""
        inference = self.config.inference
        needed = ((Role.DETECTOR, inference.detector), (Role.POSE, inference.pose))
        if self.config.perception.appearance is AppearanceSource.REID:
            return (*needed, (Role.REID, inference.reid))
        return needed

    def calibration_of(self, info: SourceInfo) -> Calibration | None:
        """The given calibration, for pictures of the source's size.

        Raises:
            CalibrationError: the file cannot be read, makes no sense, or is of another picture.
        """
        if self.calibration is None:
            return None
        return load_calibration(self.calibration, self.config.source.camera or None, info.size_px)


@dataclass(frozen=True)
class SourceInfo:
    """What is known of a source once it is open."""

    camera: str
    size_px: tuple[int, int]
    fps: float
    start_ns: int
    num_frames: int | None
