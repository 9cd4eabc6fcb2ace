"""Posed skins as the rasteriser takes them: as many triangles as a person's size in the picture deserves."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np
from jaxtyping import Float, Int

from ...kernels.body.data import BodyData
from ...kernels.fused.zbuffer import Lens, Skin, pose_skin
from ...kernels.skeleton import PARENTS

Array = np.ndarray

SHIPPED = "body_levels.npz"
LEVEL_UP_TO_PX = (70.0, 220.0)
"""People up to this tall are drawn with the first and second level, taller ones with the whole skin."""
BONES = 4


@dataclass(frozen=True)
class Level:
    """Some vertices of a body."""

    template: Float[Array, "v 3"]
    shapedirs: Float[Array, "v 3 10"]
    posedirs: Float[Array, "v3 207"]
    """Rows are vertices times axes."""
    bones: Int[Array, "v 4"]
    shares: Float[Array, "v 4"]
    faces: Int[Array, "f 3"]


@dataclass(frozen=True)
class Pose:
    """Joints of N bodies."""

    joints_m: Float[Array, "N 24 3"]
    R_world: Float[Array, "N 24 3 3"]
    joints_rest_m: Float[Array, "N 24 3"]


class Skins:
    """The drawn skins of one body model."""

    def __init__(self, body: BodyData) -> None:
        self._body = body
        self._levels = tuple(_level(body, *chosen) for chosen in _chosen(body))

    def pose(
        self, rotmats: Float[Array, "N 24 3 3"], betas: Float[Array, "N 10"], transl_m: Float[Array, "N 3"]
    ) -> Pose:
        """Forward kinematics from local rotation matrices (`kernels.body.kinematics`, numpy)."""
        rest = self._body.joints_m(betas)
        joints, world = np.empty((len(rest), 24, 3)), np.empty((len(rest), 24, 3, 3))
        world[:, 0], joints[:, 0] = rotmats[:, 0], rest[:, 0] + transl_m
        for joint, parent in enumerate(PARENTS[1:].tolist(), start=1):
            offset = rest[:, joint] - rest[:, parent]
            joints[:, joint] = joints[:, parent] + np.einsum("ncd,nd->nc", world[:, parent], offset)
            world[:, joint] = world[:, parent] @ rotmats[:, joint]
        return Pose(joints, world, rest)

    def level_of(self, height_px: float) -> Level:
        """Enough triangles for a person of a height in the picture."""
        for level, limit in zip(self._levels, LEVEL_UP_TO_PX, strict=False):
            if height_px <= limit:
                return level
        return self._levels[-1]

    @staticmethod
    def in_camera(
        level: Level,
        lens: Lens,
        pose: Pose,
        row: int,
        rotmats: Float[Array, "24 3 3"],
        betas: Float[Array, "10"],
    ) -> Float[Array, "v 3"]:
        """Vertices of one person in camera axes, metres, float32."""
        bend = (rotmats[1:] - np.eye(3)).reshape(-1).astype(np.float32)
        rest = level.template + level.shapedirs @ betas.astype(np.float32)
        rest += (level.posedirs @ bend).reshape(rest.shape)
        skin = Skin(
            rest[None], pose.joints_rest_m[row : row + 1].astype(np.float32), level.bones, level.shares,
            level.faces, level.bones[:, 0],
        )  # fmt: skip
        out = np.empty_like(rest)
        pose_skin(skin, 0, lens, pose.R_world[row], pose.joints_m[row], out)
        return np.asarray(out)


@cache
def _shipped_levels() -> tuple[str, tuple[tuple[Array, Array], ...]]:
    """Name of the body they belong to, and vertices and faces of each, smallest first."""
    entry = resources.files("crowdstream.kernels") / "weights" / SHIPPED
    with resources.as_file(entry) as path, np.load(path, allow_pickle=False) as file:
        count = sum(name.startswith("faces_") for name in file.files)
        levels = tuple(
            (file[f"vertices_{k}"].astype(np.int64), file[f"faces_{k}"].astype(np.int64))
            for k in range(count)
        )
        return str(file["body"]), levels


def _chosen(body: BodyData) -> list[tuple[Array, Array]]:
    """Levels by rising detail; a foreign body has only its whole skin."""
    name, levels = _shipped_levels()
    whole = (np.arange(body.num_vertices), body.faces)
    return [*levels, whole] if body.name == name else [whole]


def _level(body: BodyData, vertices: Int[Array, "v"], faces: Int[Array, "f 3"]) -> Level:
    weights = body.weights[vertices]
    bones = np.argsort(-weights, axis=1, kind="stable")[:, :BONES]
    shares = np.take_along_axis(weights, bones, axis=1).astype(np.float32)
    return Level(
        template=body.v_template[vertices].astype(np.float32),
        shapedirs=np.ascontiguousarray(body.shapedirs[vertices], np.float32),
        posedirs=np.ascontiguousarray(body.posedirs[vertices].reshape(3 * len(vertices), -1), np.float32),
        bones=np.ascontiguousarray(bones, np.int64),
        shares=np.ascontiguousarray(shares / shares.sum(axis=1, keepdims=True)),
        faces=np.ascontiguousarray(faces, np.int64),
    )
