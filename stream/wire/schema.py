"""What a subscriber must know once to read every later message: names, units, axes, cameras, ground."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...kernels.camera import CameraModel
from ...kernels.errors import CrowdstreamError
from ...kernels.ground import Ground, GroundPlane
from ...kernels.skeleton import COCO_KEYPOINTS, PARENTS, SMPL_JOINTS
from ...kernels.solve.problem import MODEL_RATE_HZ, WINDOW_FRAMES
from ..errors import ProtocolError
from .codec import pack_map
from .messages import Message

UNITS = {"length": "m", "angle": "rad", "time": "ns", "image": "px", "velocity": "m/s"}
AXES = {
    "world": "right-handed, z up, ground near z = 0",
    "camera": "x right, y down, z forward; x_cam = R x_world + t",
    "image": "x right, y down, origin at the centre of the top left pixel",
}
UP = (0.0, 0.0, 1.0)


@dataclass(frozen=True)
class CameraInfo:
    """One camera as a subscriber sees it."""

    name: str
    size_px: tuple[int, int]
    """(width, height)."""
    fps: float = 0.0
    """Nominal rate of the source; 0 where there is none."""
    model: CameraModel | None = None
    """None until the camera is calibrated."""


@dataclass(frozen=True)
class SiteSchema:
    """The fixed facts of a site; a change (a calibration that now stands) is a new schema message."""

    site: str
    cameras: tuple[CameraInfo, ...]
    ground: Ground | None = None
    """None until there is one."""
    body: str = "smpl"
    """Name of the body model the poses and betas belong to."""
    hop: int = 16
    """Slots between the starts of two windows."""
    joints: tuple[str, ...] = SMPL_JOINTS
    parents: tuple[int, ...] = field(default_factory=lambda: tuple(int(p) for p in PARENTS))
    keypoints: tuple[str, ...] = COCO_KEYPOINTS
    frames: int = WINDOW_FRAMES
    rate_hz: float = MODEL_RATE_HZ

    def to_body(self) -> dict[str, Any]:
        """The body of a `schema` message, its own hash included."""
        body = self._facts()
        return body | {"hash": schema_hash(body)}

    def _facts(self) -> dict[str, Any]:
        return {
            "site": self.site,
            "body": self.body,
            "joints": list(self.joints),
            "parents": np.array(self.parents, np.int32),
            "keypoints": list(self.keypoints),
            "frames": self.frames,
            "hop": self.hop,
            "rate_hz": self.rate_hz,
            "units": UNITS,
            "axes": AXES,
            "up": list(UP),
            "cameras": [_camera_body(camera) for camera in self.cameras],
            "ground": None if self.ground is None else [_plane_body(plane) for plane in self.ground.planes],
        }

    @staticmethod
    def from_body(body: Mapping[str, Any]) -> SiteSchema:
        """Raises ProtocolError on a missing or ill-typed key."""
        try:
            ground = body["ground"]
            return SiteSchema(
                site=str(body["site"]),
                cameras=tuple(_camera(c) for c in body["cameras"]),
                ground=None if ground is None else Ground(tuple(_plane(p) for p in ground)),
                body=str(body["body"]),
                hop=int(body["hop"]),
                joints=tuple(str(name) for name in body["joints"]),
                parents=tuple(int(p) for p in body["parents"]),
                keypoints=tuple(str(name) for name in body["keypoints"]),
                frames=int(body["frames"]),
                rate_hz=float(body["rate_hz"]),
            )
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as exc:
            raise ProtocolError(
                f"schema: {type(exc).__name__} {exc}; expected the keys of docs/protocol.md"
            ) from exc
        except CrowdstreamError as exc:
            raise ProtocolError(f"schema: {exc}") from exc

    @staticmethod
    def from_message(message: Message) -> SiteSchema:
        return SiteSchema.from_body(message.body)


def schema_hash(facts: Mapping[str, Any]) -> str:
    """16 hex digits over the packed facts (key order as written, so equal facts give equal hashes)."""
    return hashlib.sha256(pack_map({k: v for k, v in facts.items() if k != "hash"})).hexdigest()[:16]


def _camera_body(camera: CameraInfo) -> dict[str, Any]:
    body: dict[str, Any] = {
        "name": camera.name,
        "size_px": list(camera.size_px),
        "fps": camera.fps,
        "model": None,
    }
    if camera.model is not None:
        model = camera.model
        body["model"] = {
            "K": model.K,
            "R_cam_world": model.R_cam_world,
            "t_cam_world_m": model.t_cam_world_m,
            "size_px": list(model.size_px),
            "dist": model.dist,
        }
    return body


def _camera(body: Mapping[str, Any]) -> CameraInfo:
    raw = body["model"]
    model = None
    if raw is not None:
        width, height = raw["size_px"]
        model = CameraModel(
            K=_finite(raw["K"], (3, 3)),
            R_cam_world=_finite(raw["R_cam_world"], (3, 3)),
            t_cam_world_m=_finite(raw["t_cam_world_m"], (3,)),
            size_px=(int(width), int(height)),
            dist=_finite(raw["dist"], (len(raw["dist"]),)),
        )
    width, height = body["size_px"]
    return CameraInfo(str(body["name"]), (int(width), int(height)), float(body["fps"]), model)


def _plane_body(plane: GroundPlane) -> dict[str, Any]:
    return {
        "normal": plane.normal,
        "offset_m": float(plane.offset_m),
        "outline_m": plane.outline_m,
        "covariance": plane.covariance,
    }


def _plane(body: Mapping[str, Any]) -> GroundPlane:
    outline = body["outline_m"]
    return GroundPlane(
        normal=_finite(body["normal"], (3,)),
        offset_m=float(body["offset_m"]),
        outline_m=None if outline is None else _finite(outline, (len(outline), 2)),
        covariance=_finite(body["covariance"], (3, 3)),
    )


def _finite(array: object, shape: tuple[int, ...]) -> np.ndarray:
    if not isinstance(array, np.ndarray) or array.shape != shape or not np.isfinite(array).all():
        got = array.shape if isinstance(array, np.ndarray) else type(array).__name__
        raise ProtocolError(f"schema array is {got}, expected {shape} of finite numbers")
    return array
