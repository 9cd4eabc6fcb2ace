"""Two tables for spreadsheets and data frames: `tracks.csv` (live tier) and `joints.csv` (merged windows).

tracks.csv   camera,frame,t_capture_ns,person,seen,left,top,width,height,score,x_m,y_m,z_m,vx_mps,vy_mps
             frame counts from 1; places are empty until there is a ground
             person is who the track turned out to be
joints.csv   slot,t_ns,person,joint,x_m,y_m,z_m,confidence,provenance,rev
             long form: 24 rows a body and slot of the 30 Hz timeline; joint by name, provenance by word
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...kernels.skeleton import SMPL_JOINTS
from ...kernels.solve.problem import Provenance
from ..errors import ExportError
from .merge import MotionChunk, merge_windows
from .recording import Exported, Recording, make_folder, text_target

TRACKS_HEAD = "camera,frame,t_capture_ns,person,seen,left,top,width,height,score,x_m,y_m,z_m,vx_mps,vy_mps\n"
JOINTS_HEAD = "slot,t_ns,person,joint,x_m,y_m,z_m,confidence,provenance,rev\n"


def export_csv(recording: Recording, folder: Path) -> Exported:
    """Writes both tables; one without rows has only its head.

    Raises:
        ExportError: neither a frame nor a window in the log, or the folder cannot be written.
    """
    if not recording.num_frames.get(recording.sid) and not recording.num_windows:
        raise ExportError(
            f"{recording.path} holds neither frames nor windows; there is nothing to put in a table"
        )
    make_folder(folder)
    tracks, joints = folder / "tracks.csv", folder / "joints.csv"
    rows = _write_tracks(recording, tracks)
    with text_target(joints) as file:
        file.write(JOINTS_HEAD)
        for chunk in merge_windows(recording.windows()):
            lines = _joint_rows(chunk)
            file.writelines(lines)
            rows += len(lines)
    return Exported((tracks, joints), rows, recording.notes)


def _write_tracks(recording: Recording, path: Path) -> int:
    rows = 0
    with text_target(path) as file:
        file.write(TRACKS_HEAD)
        for frame in recording.frames():
            camera = (
                '"' + frame.camera.replace('"', '""') + '"'
                if set(frame.camera) & set(',"\n\r')
                else frame.camera
            )
            for row in np.argsort(frame.person_ids, kind="stable"):
                x1, y1, x2, y2 = (float(v) for v in frame.boxes_px[row])
                box = f"{x1:.2f},{y1:.2f},{x2 - x1:.2f},{y2 - y1:.2f}"
                place = ",".join(_number(v) for v in (*frame.position_m[row], *frame.velocity_mps[row]))
                file.write(
                    f"{camera},{frame.index + 1},{frame.t_capture_ns},{int(frame.person_ids[row])},"
                    f"{int(frame.seen[row])},{box},{float(frame.scores[row]):.4f},{place}\n"
                )
                rows += 1
    return rows


def _joint_rows(chunk: MotionChunk) -> list[str]:
    lines = []
    there = chunk.provenance != Provenance.ABSENT
    for i, t_ns in enumerate(chunk.t_ns):
        for row in np.flatnonzero(there[:, i]):
            word = Provenance(int(chunk.provenance[row, i])).name.lower()
            head = f"{chunk.slot0 + i},{t_ns},{int(chunk.person_ids[row])}"
            tail = f"{chunk.confidence[row, i]:.3f},{word},{chunk.rev[row, i]}\n"
            lines += [
                f"{head},{name},{x:.4f},{y:.4f},{z:.4f},{tail}"
                for name, (x, y, z) in zip(SMPL_JOINTS, chunk.joints_m[row, i].tolist(), strict=True)
            ]
    return lines


def _number(value: float) -> str:
    return f"{value:.4f}" if np.isfinite(value) else ""
