"""A crowd's folder: written by `save_crowd`, `save_view` and `save_sightings`, read by `load_crowd`.

    crowd.json                      what it is: format, version, settings, seed, scene, people, recordings
    motion.npz                      bodies in the world on the 30 Hz timeline (`truth.CrowdMotion`)
    cameras/NAME/calibration.json   the engine's own form: `crowdstream run --calibration`
    cameras/NAME/view.npz           what the camera could see (`truth.View`)
    cameras/NAME/gt.txt             boxes and identities as MOT text
    cameras/NAME/sightings.npz      simulated detections (`sightings.Sightings`)
    cameras/NAME/video.mp4          the picture, when it was rendered

docs/virtualcrowd.md describes every array. Files are written whole or not at all, the same crowd gives the same
bytes, and nothing is ever unpickled.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from ...kernels.camera import CameraModel
from ...kernels.errors import CrowdstreamError
from ...stream.calibration_file import Calibration, save_calibration
from .arrays_file import CrowdFolderError, read_arrays, read_json, write_arrays, write_json
from .mot import save_mot
from .plan import PLAN_RATE_HZ
from .scene import Scene
from .scene_file import scene_from_json, scene_to_json
from .sightings import Sightings
from .truth import CrowdMotion, View

Array = np.ndarray

FORMAT = "crowdstream-virtual-crowd"
VERSION = 1

MANIFEST, MOTION, CAMERAS = "crowd.json", "motion.npz", "cameras"
CALIBRATION, VIEW, SIGHTINGS, MOT, VIDEO = (
    "calibration.json",
    "view.npz",
    "sightings.npz",
    "gt.txt",
    "video.mp4",
)

_MOTION_ARRAYS = (
    "person_ids", "group", "stature_m", "activity", "present", "pose_rotvec", "betas", "transl_m", "joints_m",
    "ground_m", "contact", "source", "clip",
)  # fmt: skip
_VIEW_ARRAYS = (
    "t_ns", "person_ids", "present", "keypoints_px", "visibility", "joint_visibility", "box_px", "seen_share",
)  # fmt: skip
_CAMERA_ARRAYS = ("K", "R_cam_world", "t_cam_world_m", "size_px", "dist")
_SIGHTING_ARRAYS = ("t_ns", "frame", "boxes_px", "scores", "keypoints_px", "confidence", "person")
_CAMERA_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


def save_crowd(
    folder: Path, motion: CrowdMotion, config: Mapping[str, Any], licences: Mapping[str, str] | None = None
) -> None:
    """Write a new crowd, without cameras yet; an older crowd in the folder is replaced, cameras and all.

    Args:
        config: the settings that made it, as plain JSON values.
        licences: of the recordings in use, by name, where known.

    Raises:
        CrowdFolderError: the folder holds something else, or cannot be written.
    """
    folder = Path(folder)
    _make_room(folder)
    write_arrays(folder / MOTION, {name: getattr(motion, name) for name in _MOTION_ARRAYS})
    people = [
        {
            "id": int(motion.person_ids[n]),
            "group": int(motion.group[n]),
            "role": motion.role[n],
            "stature_m": float(motion.stature_m[n]),
            "betas": motion.betas[n].astype(np.float64).tolist(),
        }
        for n in range(len(motion.person_ids))
    ]
    known = licences or {}
    try:
        write_json(
            folder / MANIFEST,
            {
                "format": FORMAT,
                "version": VERSION,
                "config": dict(config),
                "seed": int(motion.seed),
                "rate_hz": PLAN_RATE_HZ,
                "slots": int(motion.present.shape[1]),
                "scene": scene_to_json(motion.scene),
                "people": people,
                "clips": [{"name": name, "licence": known.get(name)} for name in motion.clips],
            },
        )
    except (TypeError, ValueError) as error:
        raise CrowdFolderError(f"the crowd's settings are not plain JSON values: {error}") from error


def save_view(folder: Path, view: View) -> None:
    """Write one camera of a crowd: calibration, view and MOT text.

    Raises:
        CrowdFolderError: no crowd there, another crowd's view, a name unfit for a folder, or it cannot be written.
    """
    place = _camera_folder(folder, view.name, view.person_ids)
    place.mkdir(parents=True, exist_ok=True)
    camera = view.camera
    try:
        part = place / (CALIBRATION + ".part")
        save_calibration(Calibration(camera, view.ground, "file"), part, view.name)
        part.replace(place / CALIBRATION)
    except (CrowdstreamError, OSError) as error:
        raise CrowdFolderError(f"cannot write {place / CALIBRATION}: {error}") from error
    save_mot(place / MOT, view)
    arrays = {name: getattr(view, name) for name in _VIEW_ARRAYS}
    arrays |= {
        "K": camera.K,
        "R_cam_world": camera.R_cam_world,
        "t_cam_world_m": camera.t_cam_world_m,
        "size_px": np.array(camera.size_px, np.int64),
        "dist": camera.dist,
    }
    write_arrays(place / VIEW, arrays)


def save_sightings(folder: Path, name: str, sightings: Sightings) -> None:
    """Write what a (simulated) detector saw through one camera.

    Raises:
        CrowdFolderError: no crowd there, a name unfit for a folder, or it cannot be written.
    """
    place = _camera_folder(folder, name, None)
    arrays = {field: getattr(sightings, field) for field in _SIGHTING_ARRAYS}
    write_arrays(place / SIGHTINGS, arrays | {"size_px": np.array(sightings.size_px, np.int64)})


@dataclass(frozen=True)
class Crowd:
    """A crowd on disk. Arrays are read when they are asked for."""

    folder: Path
    config: Mapping[str, Any]
    """The settings that made it."""
    scene: Scene
    seed: int
    person_ids: Int[Array, "N"]
    role: tuple[str, ...]
    clips: tuple[str, ...]
    licences: Mapping[str, str | None]
    """Of the recordings, by name."""

    @cached_property
    def motion(self) -> CrowdMotion:
        """Bodies in the world."""
        path = self.folder / MOTION
        arrays = read_arrays(path, _MOTION_ARRAYS)
        try:
            motion = CrowdMotion(scene=self.scene, seed=self.seed, role=self.role, clips=self.clips, **arrays)
        except CrowdstreamError as error:
            raise CrowdFolderError(f"{path}: {error}") from error
        self._check_people(path, motion.person_ids)
        return motion

    @property
    def camera_names(self) -> tuple[str, ...]:
        """Cameras with a view, in alphabetical order."""
        return tuple(sorted(path.parent.name for path in (self.folder / CAMERAS).glob(f"*/{VIEW}")))

    def view(self, name: str) -> View:
        """What one camera could see."""
        path = self._file(name, VIEW)
        arrays = read_arrays(path, (*_VIEW_ARRAYS, *_CAMERA_ARRAYS))
        try:
            camera = CameraModel(
                arrays["K"],
                arrays["R_cam_world"],
                arrays["t_cam_world_m"],
                _size(arrays["size_px"]),
                arrays["dist"],
            )
            fields = {key: arrays[key] for key in _VIEW_ARRAYS}
            view = View(name=name, camera=camera, ground=self.scene.ground, **fields)
        except (CrowdstreamError, ValueError, TypeError, IndexError) as error:
            raise CrowdFolderError(f"{path}: {error}") from error
        self._check_people(path, view.person_ids)
        return view

    def sightings(self, name: str) -> Sightings:
        """What a detector saw through one camera."""
        path = self._file(name, SIGHTINGS)
        if not path.is_file():
            raise CrowdFolderError(
                f"camera {name!r} of {self.folder} has no simulated sightings; make them first"
            )
        arrays = read_arrays(path, (*_SIGHTING_ARRAYS, "size_px"))
        try:
            return Sightings(size_px=_size(arrays.pop("size_px")), **arrays)
        except (CrowdstreamError, ValueError, TypeError, IndexError) as error:
            raise CrowdFolderError(f"{path}: {error}") from error

    def calibration(self, name: str) -> Path:
        """The camera's calibration file."""
        return self._file(name, CALIBRATION)

    def video(self, name: str) -> Path | None:
        """The camera's video, None where it was not rendered."""
        path = self._file(name, VIDEO)
        return path if path.is_file() else None

    def video_path(self, name: str) -> Path:
        """Where the camera's video belongs, rendered or not."""
        return self._file(name, VIDEO)

    def _file(self, name: str, file: str) -> Path:
        if name not in self.camera_names:
            known = ", ".join(self.camera_names) or "none"
            raise CrowdFolderError(f"{self.folder} has no camera {name!r}; it has {known}")
        return self.folder / CAMERAS / name / file

    def _check_people(self, path: Path, person_ids: Int[Array, "N"]) -> None:
        if not np.array_equal(person_ids, self.person_ids):
            raise CrowdFolderError(
                f"{path} holds other people than {MANIFEST} ({len(person_ids)} against {len(self.person_ids)}); "
                "the folder mixes two crowds, make it again"
            )

    def __repr__(self) -> str:
        cameras = ", ".join(self.camera_names) or "none"
        return f"Crowd({str(self.folder)!r}, N={len(self.person_ids)}, cameras={cameras})"


def load_crowd(folder: Path | str) -> Crowd:
    """Open a crowd's folder.

    Raises:
        CrowdFolderError: missing, foreign, damaged, or of a newer version.
    """
    folder = Path(folder)
    manifest = folder / MANIFEST
    if not manifest.is_file():
        what = "is not there" if not folder.exists() else f"has no {MANIFEST}"
        raise CrowdFolderError(
            f"no virtual crowd at {folder}: it {what}; make one with `crowdstream virtualcrowd make`"
        )
    document = read_json(manifest)
    if document.get("format") != FORMAT:
        raise CrowdFolderError(
            f"{manifest} has format {document.get('format')!r}, expected {FORMAT!r}: not a crowd"
        )
    version = document.get("version")
    if version != VERSION:
        newer = isinstance(version, int) and version > VERSION
        advice = "update crowdstream" if newer else "make the crowd again"
        raise CrowdFolderError(
            f"{manifest} has version {version!r}, this crowdstream reads {VERSION}; {advice}"
        )
    try:
        people, clips = document["people"], document["clips"]
        return Crowd(
            folder=folder,
            config=dict(document["config"]),
            scene=scene_from_json(document["scene"]),
            seed=int(document["seed"]),
            person_ids=np.array([person["id"] for person in people], np.int64),
            role=tuple(str(person["role"]) for person in people),
            clips=tuple(str(clip["name"]) for clip in clips),
            licences={str(clip["name"]): clip.get("licence") for clip in clips},
        )
    except (KeyError, TypeError, ValueError, AttributeError, CrowdstreamError) as error:
        raise CrowdFolderError(f"{manifest} is damaged: {error!r}; make the crowd again") from error


def _size(values: Array) -> tuple[int, int]:
    return int(values[0]), int(values[1])


def _camera_folder(folder: Path, name: str, person_ids: Int[Array, "N"] | None) -> Path:
    """Where a camera's files go, once the crowd and the name are found fit."""
    crowd = load_crowd(folder)
    if not _CAMERA_NAME.fullmatch(name):
        raise CrowdFolderError(f"camera name {name!r} does not make a folder; use letters, digits, - _ .")
    if person_ids is not None:
        crowd._check_people(Path(name), person_ids)
    return crowd.folder / CAMERAS / name


def check_room(folder: Path) -> None:
    """A new or empty folder, or an older crowd that may be replaced; anything else is somebody's.

    Raises:
        CrowdFolderError: the folder holds something else, or is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise CrowdFolderError(f"{folder} is a file; give a folder")
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    manifest = folder / MANIFEST
    if not manifest.is_file() or read_json(manifest).get("format") != FORMAT:
        raise CrowdFolderError(
            f"{folder} holds files that are no virtual crowd; give an empty or a new folder"
        )


def _make_room(folder: Path) -> None:
    """Clears an older crowd away."""
    check_room(folder)
    manifest = folder / MANIFEST
    if not manifest.is_file():
        return
    manifest.unlink()  # first, so that a half-cleared folder is never taken for a crowd
    (folder / MOTION).unlink(missing_ok=True)
    for place in sorted((folder / CAMERAS).glob("*")):
        for name in (CALIBRATION, VIEW, SIGHTINGS, MOT, VIDEO):
            (place / name).unlink(missing_ok=True)
        if place.is_dir() and not any(place.iterdir()):
            place.rmdir()
