"""MOT text, one file a camera: `frame,id,left,top,width,height,conf,x,y,z`, a row per frame and person.

frame   number of the frame in its source, from 1
box     the tracked box, pixels (origin 0, 0 at the top left), two decimals
conf    detector score; 0 where the box is a prediction (nobody seen in this frame)
x,y,z   foot point of the box in the world, metres: of the track smoothed over the whole recording (paths.py);
        -1,-1,-1 where no ground was found

A row is about a box, and the bottom of a box meets the ground nearer to the camera than the body's vertical
does: half a stride and the toes. Places of tracks and bodies lie under the torso everywhere else in crowdstream;
here, and only here, they are moved `BOX_LEAD_M` towards the camera, as annotated boxes have it.

A track that nobody sees any more is followed for a while; the rows after the person's last sighting are known,
now, to be vain and are left out (`coasting="inside"`). Of joined tracks the last sighting is that of the last one, so
the gap between them stays.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np

from ...kernels.camera import CameraModel
from ...kernels.ground import Ground
from ...kernels.hvip import BOX_LEAD_M, shift_from_camera
from ..errors import ExportError
from ..records import TrackedFrame
from .paths import smoothed_places
from .recording import Exported, Recording, file_stem, make_folder, text_target

Coasting = Literal["all", "inside", "none"]
"""Which predicted boxes are rows: all, those between two sightings of the person, or none."""


def export_mot(recording: Recording, folder: Path, coasting: Coasting = "inside") -> Exported:
    """Writes `CAMERA.txt` for each camera.

    Raises:
        ExportError: no frame in the log, or the folder cannot be written.
    """
    sighted: dict[tuple[str, int], tuple[int, int]] = {}
    cameras: dict[str, None] = {}
    for frame in recording.frames():
        cameras[frame.camera] = None
        for person in frame.person_ids[frame.seen].tolist():
            first, last = sighted.get((frame.camera, person), (frame.index, frame.index))
            sighted[frame.camera, person] = (min(first, frame.index), max(last, frame.index))
    if not cameras:
        raise ExportError(
            f"{recording.path} holds no live frame; MOT needs the tracked boxes of a recorded run"
        )
    make_folder(folder)
    paths = _paths(folder, list(cameras))
    rows = 0
    for camera, path in paths.items():
        with text_target(path) as file:
            for frame, places in _placed(recording, camera):
                lines = _rows(frame, places, sighted, coasting)
                file.writelines(lines)
                rows += len(lines)
    return Exported(tuple(paths.values()), rows, recording.notes)


def _geometry(recording: Recording, camera: str) -> tuple[CameraModel, Ground] | None:
    """Camera and ground as the session's last schema has them; None while it had none."""
    if recording.schema is None or recording.schema.ground is None:
        return None
    model = next((c.model for c in recording.schema.cameras if c.name == camera), None)
    return None if model is None else (model, recording.schema.ground)


def _placed(recording: Recording, camera: str) -> Iterator[tuple[TrackedFrame, np.ndarray]]:
    """The frames of a camera with (M,3) foot points of their boxes, metres; NaN where there is no ground."""
    frames = (frame for frame in recording.frames() if frame.camera == camera)
    geometry = _geometry(recording, camera)
    if geometry is None:
        yield from ((frame, np.asarray(frame.position_m)) for frame in frames)
        return
    for frame, under in smoothed_places(frames, *geometry):
        lost = ~np.isfinite(under).all(axis=1)  # never seen on the ground: what the tracker says
        under[lost] = frame.position_m[lost]
        yield frame, shift_from_camera(*geometry, under, -BOX_LEAD_M)


def _rows(
    frame: TrackedFrame,
    places: np.ndarray,
    sighted: dict[tuple[str, int], tuple[int, int]],
    coasting: Coasting,
) -> list[str]:
    lines = []
    for row in np.argsort(frame.person_ids, kind="stable"):
        person = int(frame.person_ids[row])
        if not frame.seen[row]:
            first, last = sighted.get((frame.camera, person), (0, -1))
            if coasting == "none" or (coasting == "inside" and not first < frame.index < last):
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
