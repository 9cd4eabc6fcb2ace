"""Pictures that show whether a body is well made: views, a face, poses, and what each coefficient does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8

from ...kernels.body.data import BodyData
from ...kernels.body.model import BodyModel
from ...kernels.skeleton import SMPL_JOINTS
from .preview import render

Array = np.ndarray
Pose = Mapping[str, tuple[float, float, float]]

ARMS_DOWN: Pose = {"left_shoulder": (0, 0, -1.25), "right_shoulder": (0, 0, 1.25)}
WALK: Pose = {
    "left_hip": (-0.55, 0, 0), "right_hip": (0.35, 0, 0), "left_knee": (0.25, 0, 0), "right_knee": (0.55, 0, 0),
    "left_ankle": (0.1, 0, 0), "right_ankle": (0.35, 0, 0), "right_foot": (-0.3, 0, 0),
    "left_shoulder": (0.5, 0, -1.25), "right_shoulder": (-0.5, 0, 1.25),
    "left_elbow": (0, -0.35, 0), "right_elbow": (0, 0.5, 0), "spine2": (0.05, 0.12, 0),
}  # fmt: skip
CROUCH: Pose = {
    "pelvis": (0.3, 0, 0), "left_hip": (-1.7, 0.1, 0.15), "right_hip": (-1.7, -0.1, -0.15), "left_knee": (2.0, 0, 0),
    "right_knee": (2.0, 0, 0), "left_ankle": (-0.5, 0, 0), "right_ankle": (-0.5, 0, 0), "spine1": (0.3, 0, 0),
    "left_shoulder": (0, -0.9, -0.7), "right_shoulder": (0, 0.9, 0.7), "left_elbow": (0, -1.5, 0),
    "right_elbow": (0, 1.5, 0),
}  # fmt: skip
WAVE: Pose = {
    "left_shoulder": (0, 0, 0.9), "left_elbow": (0, 0, 0.7), "right_shoulder": (0, 0, 1.25),
    "head": (0, 0.6, 0), "spine3": (0, 0.2, 0), "right_elbow": (0, 0.9, 0),
}  # fmt: skip
PEOPLE: Mapping[str, Mapping[int, float]] = {
    "mean": {},
    "child": {0: -7.5, 6: 0.5},
    "short": {0: -3.0},
    "tall": {0: 3.0},
    "heavy": {1: 3.0, 5: 3.0},
    "slim": {1: -2.5, 7: -1.0},
    "broad": {3: 2.5, 7: 2.0},
    "hips": {3: -2.0, 8: 2.0},
}


def pose_of(turns: Pose) -> Float[Array, "24 3"]:
    """Axis-angle pose from a few named joints."""
    pose = np.zeros((len(SMPL_JOINTS), 3))
    for name, turn in turns.items():
        pose[SMPL_JOINTS.index(name)] = turn
    return pose


def write_gallery(body: BodyData, folder: Path) -> Iterator[Path]:
    """Write the sheets as PNG, yielding each path."""
    folder.mkdir(parents=True, exist_ok=True)
    model = BodyModel(body)

    def mesh(pose: Pose, betas: Mapping[int, float]) -> Float[Array, "V 3"]:
        values = np.zeros(10)
        values[list(betas)] = list(betas.values())
        out = model(
            torch.tensor(pose_of(pose), dtype=torch.float32),
            torch.tensor(values, dtype=torch.float32),
            torch.zeros(3),
        )
        vertices: Array = out.vertices_m.detach().numpy().astype(np.float64)
        standing: Array = vertices - (0.0, vertices[:, 1].min(), 0.0)
        return standing

    def shot(vertices: Array, turn: float, half: float, low: float, high: float) -> UInt8[Array, "H W 3"]:
        return render(vertices, body.faces, turn, (-half, low), (half, high), 520)

    rest = mesh({}, {})
    sheets = {
        "views": [shot(rest, 0, 0.95, -0.05, 1.8), shot(rest, 90, 0.3, -0.05, 1.8), shot(rest, 150, 0.95, -0.05, 1.8)],
        "head": [shot(rest, turn, 0.19, 1.4, 1.74) for turn in (0, 40, 90, 150)],
        "poses": [shot(mesh(p, {}), t, 0.55, -0.05, 1.95) for p, t in
                  ((ARMS_DOWN, 0), (WALK, 60), (WALK, -20), (CROUCH, 65), (WAVE, 10))],
        "people": [shot(mesh(ARMS_DOWN, betas), 20, 0.42, -0.05, 2.0) for betas in PEOPLE.values()],
        "minus": [shot(mesh(ARMS_DOWN, {k: -2.5}), 35, 0.40, -0.05, 2.0) for k in range(10)],
        "plus": [shot(mesh(ARMS_DOWN, {k: 2.5}), 35, 0.40, -0.05, 2.0) for k in range(10)],
    }  # fmt: skip
    for name, shots in sheets.items():
        path = folder / f"{name}.png"
        cv2.imwrite(str(path), np.hstack(shots))
        yield path
