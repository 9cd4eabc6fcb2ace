"""MOT text, one file a camera: `frame,id,left,top,width,height,conf,x,y,z`, a row per frame and person.

frame   number of the frame in its source, from 1
box     the tracked box, pixels (origin 0, 0 at the top left), two decimals
conf    detector score; 0 where the box is a prediction (nobody seen in this frame)
x,y,z   foot point of the box in the world, metres: the place of the solved body where a window covers the
        capture time, else of the track; -1,-1,-1 where there is no ground yet

A row is about a box, and the bottom of a box meets the ground nearer to the camera than the body's vertical
does: half a stride and the toes. Places of tracks and bodies lie under the torso everywhere else in crowdstream;
here, and only here, they are moved `BOX_LEAD_M` towards the camera, as annotated boxes have it.

A track that nobody sees any more is followed for a while; the rows after its last sighting are known, now,
to be vain and are left out (`coasting="inside"`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from ...kernels.camera import CameraModel
from ...kernels.ground import Ground
from ...kernels.hvip import BOX_LEAD_M, shift_from_camera
from ..errors import ExportError
from ..records import TrackedFrame
from .merge import merge_windows
from .recording import Exported, Recording, file_stem, make_folder, text_target

Coasting = Literal["all", "inside", "none"]
"""Which predicted boxes are rows: all, those before the person is seen again, or none."""
MAX_BRIDGE_NS = 100_000_000
"""Bodies further apart than three slots are not interpolated between."""


class GroundTracks:
    """Ground positions of solved bodies, interpolated to any capture time."""

    def __init__(self, recording: Recording) -> None:
        times: dict[int, list[np.ndarray]] = {}
        places: dict[int, list[np.ndarray]] = {}
        for chunk in merge_windows(recording.windows(), ground_only=True):
            for row, person in enumerate(chunk.person_ids):
                there = np.isfinite(chunk.ground_m[row, :, 0])
                times.setdefault(int(person), []).append(chunk.t_ns[there])
                places.setdefault(int(person), []).append(chunk.ground_m[row, there])
        self._tracks: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        for person, pieces in times.items():
            t_ns, first = np.unique(np.concatenate(pieces), return_index=True)
            self._tracks[person] = (t_ns, np.concatenate(places[person])[first])

    def at(self, person: int, t_ns: int) -> np.ndarray | None:
        """(3,) metres; None where no window has the person at that time."""
        if person not in self._tracks:
            return None
        times, places = self._tracks[person]
        i = int(np.searchsorted(times, t_ns))
        if i < len(times) and times[i] == t_ns:
            return np.asarray(places[i])
        if i == 0 or i == len(times) or times[i] - times[i - 1] > MAX_BRIDGE_NS:
            return None
        share = (t_ns - times[i - 1]) / (times[i] - times[i - 1])
        return np.asarray(places[i - 1] + share * (places[i] - places[i - 1]))


def export_mot(recording: Recording, folder: Path, coasting: Coasting = "inside") -> Exported:
    """Writes `CAMERA.txt` for each camera.

    Raises:
        ExportError: no frame in the log, or the folder cannot be written.
    """
    last_seen: dict[tuple[str, int], int] = {}
    cameras: dict[str, None] = {}
    for frame in recording.frames():
        cameras[frame.camera] = None
        last_seen.update(((frame.camera, int(p)), frame.index) for p in frame.person_ids[frame.seen])
    if not cameras:
        raise ExportError(
            f"{recording.path} holds no live frame; MOT needs the tracked boxes of a recorded run"
        )
    make_folder(folder)
    solved = GroundTracks(recording)
    paths = _paths(folder, list(cameras))
    rows = 0
    for camera, path in paths.items():
        geometry = _geometry(recording, camera)
        with text_target(path) as file:
            for frame in recording.frames():
                if frame.camera == camera:
                    lines = _rows(frame, _places(frame, solved, geometry), last_seen, coasting)
                    file.writelines(lines)
                    rows += len(lines)
    return Exported(tuple(paths.values()), rows, recording.notes)


def _geometry(recording: Recording, camera: str) -> tuple[CameraModel, Ground] | None:
    """Camera and ground as the session's last schema has them; None while it had none."""
    if recording.schema is None or recording.schema.ground is None:
        return None
    model = next((c.model for c in recording.schema.cameras if c.name == camera), None)
    return None if model is None else (model, recording.schema.ground)


def _places(
    frame: TrackedFrame, solved: GroundTracks, geometry: tuple[CameraModel, Ground] | None
) -> np.ndarray:
    """(M,3) foot points of the boxes of a frame, metres; NaN where there is no ground."""
    under = np.array(frame.position_m, np.float64).reshape(-1, 3)
    for row, person in enumerate(frame.person_ids):
        body = solved.at(int(person), frame.t_capture_ns)
        if body is not None:
            under[row] = body
    return under if geometry is None else shift_from_camera(*geometry, under, -BOX_LEAD_M)


def _rows(
    frame: TrackedFrame, places: np.ndarray, last_seen: dict[tuple[str, int], int], coasting: Coasting
) -> list[str]:
    lines = []
    for row in np.argsort(frame.person_ids, kind="stable"):
        person = int(frame.person_ids[row])
        if not frame.seen[row]:
            again = frame.index < last_seen.get((frame.camera, person), -1)
            if coasting == "none" or (coasting == "inside" and not again):
                continue
        x1, y1, x2, y2 = (float(v) for v in frame.boxes_px[row])
        where = ",".join(f"{v:.4f}" for v in places[row]) if np.isfinite(places[row]).all() else "-1,-1,-1"
        conf = float(frame.scores[row]) if frame.seen[row] else 0.0
        lines.append(
            f"{frame.index + 1},{person},{x1:.2f},{y1:.2f},{x2 - x1:.2f},{y2 - y1:.2f},{conf:.4f},{where}\n"
        )
    return lines


def _paths(folder: Path, cameras: list[str]) -> dict[str, Path]:
    """A file a camera; names that would fall together get a number."""
    out: dict[str, Path] = {}
    for camera in cameras:
        stem = file_stem(camera)
        name, k = stem, 2
        while folder / f"{name}.txt" in out.values():
            name, k = f"{stem}_{k}", k + 1
        out[camera] = folder / f"{name}.txt"
    return out
