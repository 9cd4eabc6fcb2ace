"""Calibration files: JSON in OpenCV's form, one camera or many, and the form this engine saves.

Every form holds cameras with the same keys:

    K (3x3, px)  R (3x3, world -> camera)  t (3, metres)  image_size [w, h]
    dist_k1k2p1p2 or dist (4 to 14 numbers, optional)  name, unit (optional)

either as the file's one object or as a list under `cameras`. The saved form adds, at the top,

    format "crowdstream-calibration"   version 1   origin "file" | "self"
    ground {planes: [{normal, offset_m, outline_m | null, covariance}]}     (default: z = 0)
    confidence {uprights, people, focal_share, normal_deg, height_share, samples} | null
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from ..kernels.calibration import CalibrationConfidence
from ..kernels.camera import CameraModel
from ..kernels.errors import CalibrationError
from ..kernels.ground import Ground, GroundPlane

Array = np.ndarray

FORMAT = "crowdstream-calibration"
VERSION = 1

_CAMERA_KEYS = ("K", "R", "t", "image_size")
_METRES = ("metre", "meter", "metres", "meters", "m")
_ASPECT_TOLERANCE = 0.01  # 480x360 against 720x576 differs by 6 %; encoders round by less than 1 %
_ROTATION_TOLERANCE = 1e-3  # matrices printed with four digits pass


@dataclass(frozen=True)
class Calibration:
    """A camera over its ground, and where that knowledge comes from."""

    camera: CameraModel
    ground: Ground
    origin: Literal["file", "self"]
    """Given, or estimated from people."""
    confidence: CalibrationConfidence | None = None
    """Of a self-calibration."""

    @property
    def camera_height_m(self) -> float:
        """Of the optical centre over the first plane."""
        return float(self.ground.planes[0].height_m(self.camera.centre_world_m))


def load_calibration(
    path: str | Path, camera_name: str | None = None, size_px: tuple[int, int] | None = None
) -> Calibration:
    """Read a calibration and check that it makes sense.

    Args:
        camera_name: which of several cameras.
        size_px: (width, height) of the video; the intrinsics are scaled to it (same aspect only).

    Raises:
        CalibrationError: missing, not JSON, wrong keys, no rotation, under the ground, blind to it, wrong aspect.
    """
    path = Path(path)
    document = _read(path)
    entry = _pick(document, camera_name, path)
    camera = _camera(entry, path)
    if size_px is not None:
        camera = scale_to(camera, size_px)
    ground = _ground(document.get("ground"), path)
    check_sees_ground(camera, ground)
    origin: Literal["file", "self"] = "self" if document.get("origin") == "self" else "file"
    confidence = document.get("confidence")
    try:
        known = CalibrationConfidence(**confidence) if isinstance(confidence, Mapping) else None
    except TypeError as exc:
        raise CalibrationError(f"{path}: confidence has other fields than expected: {exc}") from exc
    return Calibration(camera, ground, origin, known)


def save_calibration(calibration: Calibration, path: str | Path, camera_name: str = "camera") -> None:
    """Write the form of the module's head.

    Raises:
        CalibrationError: the file cannot be written.
    """
    camera = calibration.camera
    document = {
        "format": FORMAT,
        "version": VERSION,
        "origin": calibration.origin,
        "model": "pinhole, x_cam = R X_world + t, OpenCV axes; world z up, metres",
        "cameras": [
            {
                "name": camera_name,
                "image_size": list(camera.size_px),
                "K": camera.K.tolist(),
                "R": camera.R_cam_world.tolist(),
                "t": camera.t_cam_world_m.tolist(),
                "dist": camera.dist.tolist(),
                "unit": "metre",
            }
        ],
        "ground": {
            "planes": [
                {
                    "normal": plane.normal.tolist(),
                    "offset_m": plane.offset_m,
                    "outline_m": None if plane.outline_m is None else plane.outline_m.tolist(),
                    "covariance": plane.covariance.tolist(),
                }
                for plane in calibration.ground.planes
            ]
        },
        "confidence": None if calibration.confidence is None else asdict(calibration.confidence),
    }
    try:
        Path(path).write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    except OSError as exc:
        raise CalibrationError(f"cannot write the calibration to {path}: {exc.strerror or exc}") from exc


def scale_to(camera: CameraModel, size_px: tuple[int, int]) -> CameraModel:
    """The same camera delivering another image size of the same aspect.

    Raises:
        CalibrationError: the aspects differ (a crop, or another camera's file).
    """
    (w0, h0), (w, h) = camera.size_px, size_px
    if (w0, h0) == (w, h):
        return camera
    sx, sy = w / w0, h / h0
    if abs(sx / sy - 1.0) > _ASPECT_TOLERANCE:
        raise CalibrationError(
            f"the calibration is for {w0}x{h0} pictures, the video has {w}x{h}, which is another aspect "
            f"({w / h:.3f} against {w0 / h0:.3f}); give the calibration of this very video, or re-calibrate"
        )
    scale = np.diag([sx, sy, 1.0])
    K = scale @ camera.K
    # pixel centres lie on whole numbers, so the corner at -0.5 is what stays in place
    K[0, 2] += 0.5 * (sx - 1.0)
    K[1, 2] += 0.5 * (sy - 1.0)
    return replace(camera, K=K, size_px=(w, h))


def check_sees_ground(camera: CameraModel, ground: Ground) -> None:
    """Raise `CalibrationError` unless the camera stands above the ground and looks at some of it."""
    plane = ground.planes[0]
    height = float(plane.height_m(camera.centre_world_m))
    if height <= 0.0:
        raise CalibrationError(
            f"the camera stands {-height:.2f} m under the ground; expected it above: check that R and t map "
            "world to camera (x_cam = R X + t, not the camera's own position) and that z points up"
        )
    w, h = camera.size_px
    u, v = np.meshgrid(np.linspace(0, w - 1, 9), np.linspace(0, h - 1, 9))
    rays = camera.rays_world(np.stack([u.ravel(), v.ravel()], axis=-1))
    if not np.any(rays @ plane.normal < -1e-3):
        raise CalibrationError(
            f"the camera ({height:.2f} m up) does not look at the ground: no pixel's ray goes down; check R "
            "(OpenCV axes: x right, y down, z forward)"
        )


def _read(path: Path) -> Mapping[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as exc:
        raise CalibrationError(f"there is no calibration file {path}") from exc
    except OSError as exc:
        raise CalibrationError(f"cannot read the calibration {path}: {exc.strerror or exc}") from exc
    except ValueError as exc:  # JSON and UTF-8 errors
        raise CalibrationError(f"{path} is not JSON: {exc}") from exc
    if not isinstance(document, Mapping):
        raise CalibrationError(f"{path} holds a {type(document).__name__}, expected an object with {_keys()}")
    if document.get("format") == FORMAT and document.get("version") != VERSION:
        raise CalibrationError(
            f"{path} has version {document.get('version')!r} of the calibration form, this engine reads "
            f"{VERSION}; calibrate again with it"
        )
    return document


def _pick(document: Mapping[str, Any], name: str | None, path: Path) -> Mapping[str, Any]:
    cameras = document.get("cameras")
    if cameras is None:
        return document
    if not isinstance(cameras, list) or not cameras or not all(isinstance(c, Mapping) for c in cameras):
        raise CalibrationError(f"{path}: 'cameras' must be a list of objects with {_keys()}")
    names = [str(entry.get("name", i)) for i, entry in enumerate(cameras)]
    if name in names:
        return cameras[names.index(name)]  # type: ignore[no-any-return]
    if len(cameras) == 1 and (name is None or document.get("format") == FORMAT):
        return cameras[0]  # type: ignore[no-any-return]
    asked = "no camera was named" if name is None else f"there is no camera {name!r}"
    raise CalibrationError(f"{path} holds the cameras {', '.join(names)}, and {asked}; name one of them")


def _camera(entry: Mapping[str, Any], path: Path) -> CameraModel:
    missing = [key for key in _CAMERA_KEYS if key not in entry]
    if missing:
        raise CalibrationError(
            f"{path} lacks {', '.join(missing)}; expected {_keys()}, got {', '.join(map(str, entry)) or 'nothing'}"
        )
    unit = entry.get("unit", "metre")
    if unit not in _METRES:
        raise CalibrationError(f"{path}: lengths are in {unit!r}, expected metres; divide t and set the unit")
    K = _numbers(entry["K"], (3, 3), "K", path)
    R = _numbers(entry["R"], (3, 3), "R", path)
    t = _numbers(entry["t"], (3,), "t", path)
    size = _numbers(entry["image_size"], (2,), "image_size", path)
    if np.any(size < 1) or np.any(size != np.round(size)):
        raise CalibrationError(f"{path}: image_size is {size.tolist()}, expected whole [width, height]")
    if not np.allclose(K[[1, 2, 2], [0, 0, 1]], 0.0) or abs(K[2, 2] - 1.0) > 1e-6:
        raise CalibrationError(f"{path}: K is not an intrinsic matrix [[fx, s, cx], [0, fy, cy], [0, 0, 1]]")
    off = float(np.abs(R @ R.T - np.eye(3)).max())
    if off > _ROTATION_TOLERANCE:
        raise CalibrationError(
            f"{path}: R is not a rotation: R R^T is off the identity by {off:.3g} (at most "
            f"{_ROTATION_TOLERANCE:g}); give a 3x3 rotation world -> camera"
        )
    u, _, vt = np.linalg.svd(R)
    if np.linalg.det(R) > 0.0:
        R = u @ vt  # printed digits cleaned up; a reflection is left for CameraModel to refuse
    return CameraModel(K, R, t, (int(size[0]), int(size[1])), _distortion(entry, path))


def _distortion(entry: Mapping[str, Any], path: Path) -> Float[Array, "D"]:
    for key in ("dist_k1k2p1p2", "dist"):
        if entry.get(key) is not None:
            values = np.asarray(entry[key], dtype=object).ravel()
            if not 4 <= len(values) <= 5:
                raise CalibrationError(
                    f"{path}: {key} has {len(values)} numbers, expected k1 k2 p1 p2 and perhaps k3"
                )
            return _numbers(entry[key], (len(values),), key, path)
    return np.zeros(4)


def _ground(entry: object, path: Path) -> Ground:
    if entry is None:
        return Ground()
    planes = entry.get("planes") if isinstance(entry, Mapping) else None
    if not isinstance(planes, list) or not planes or not all(isinstance(p, Mapping) for p in planes):
        raise CalibrationError(f"{path}: 'ground' must hold a list 'planes' of objects with normal, offset_m")
    return Ground(tuple(_plane(plane, path) for plane in planes))


def _plane(entry: Mapping[str, Any], path: Path) -> GroundPlane:
    normal = _numbers(entry.get("normal"), (3,), "normal", path)
    length = float(np.linalg.norm(normal))
    if abs(length - 1.0) > 1e-3:
        raise CalibrationError(f"{path}: a ground normal has length {length:.4f}, expected 1")
    offset = float(_numbers(entry.get("offset_m"), (), "offset_m", path))
    covariance = entry.get("covariance")
    outline = entry.get("outline_m")
    if outline is not None and (not isinstance(outline, list) or len(outline) < 3):
        raise CalibrationError(f"{path}: outline_m needs three or more corners [x, y], or null")
    return GroundPlane(
        normal=normal / length,
        offset_m=offset,
        outline_m=None if outline is None else _numbers(outline, (len(outline), 2), "outline_m", path),
        covariance=np.zeros((3, 3))
        if covariance is None
        else _numbers(covariance, (3, 3), "covariance", path),
    )


def _numbers(value: object, shape: tuple[int, ...], key: str, path: Path) -> Float[Array, "..."]:
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError) as exc:
        raise CalibrationError(f"{path}: {key} is not numbers of shape {shape}") from exc
    if array.shape != shape and array.size == int(np.prod(shape)) and key in ("t", "dist"):
        array = array.reshape(shape)  # OpenCV writes columns
    if array.shape != shape:
        raise CalibrationError(f"{path}: {key} has shape {array.shape}, expected {shape}")
    if not np.all(np.isfinite(array)):
        raise CalibrationError(f"{path}: {key} holds a value that is not finite; expected plain numbers")
    return array


def _keys() -> str:
    return "K, R, t, image_size and dist_k1k2p1p2 (or dist)"
