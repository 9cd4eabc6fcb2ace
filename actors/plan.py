"""What one run is: everything a worker needs to build its stage, small and picklable."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from ..configs.array import CameraEntry, CameraRole
from ..configs.schema import EngineConfig
from ..stream.calibration_file import Calibration, load_calibration
from ..stream.models.catalogue import Role
from ..stream.observe_config import AppearanceSource


@dataclass(frozen=True)
class EnginePlan:
    """A run, before anything is opened."""

    source: str = field(repr=False)
    """Video file, folder of images, or live camera; of an array its file. May hold credentials: never printed."""
    config: EngineConfig
    models: Path
    """Model folder."""
    calibration: Path | None = None
    """File with camera and ground; None: the engine calibrates itself."""
    record: Path | None = None
    """Window log to write."""
    body: Path | None = None
    """A user's SMPL file; None: the body that ships."""
    array: tuple[CameraEntry, ...] = ()
    """The cameras; empty: the one that `source` names."""
    resume: bool = False
    """Go on with the log `record` and its checkpoint where an engine broke off."""

    @property
    def cameras(self) -> tuple[CameraEntry, ...]:
        """Every camera of the run; the name of a single recording may be empty: it is called after its file."""
        return self.array or (CameraEntry(self.config.source.camera, self.source, self.calibration),)

    def entry(self, camera: str) -> CameraEntry:
        """What is known of a camera before it is open."""
        entries = self.cameras
        return next((entry for entry in entries if entry.name == camera), entries[0])

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
        path = self.entry(info.camera).calibration
        if path is None:
            return None
        wanted = info.camera if self.array else self.config.source.camera
        return load_calibration(path, wanted or None, info.size_px)


@dataclass(frozen=True)
class SourceInfo:
    """What is known of a source once it is open."""

    camera: str
    size_px: tuple[int, int]
    fps: float
    start_ns: int
    num_frames: int | None
    role: CameraRole = CameraRole.BODIES
    live: bool = False
    """It has no end, and what is late is left out."""
