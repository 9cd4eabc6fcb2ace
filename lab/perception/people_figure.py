"""A dressed person in a pose: triangles, what each belongs to, and the keypoints of the engine's body.

Skinning, clothes and what hangs on them are the virtual crowd's (`virtualcrowd.render`); here each corner also keeps
the joints it hangs on, so that a ray's first hit can say which part of whom it met.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from ...kernels.body.keypoints import coco_keypoints_np
from ...kernels.body.kinematics import kinematics_of_rotmats
from ..virtualcrowd.behaviour.people import ADULT_M, CHILD_M, MEN_M, WOMEN_M
from ..virtualcrowd.motion.shapes import betas_of_stature
from ..virtualcrowd.render.carried import Extra, extras
from ..virtualcrowd.render.figures import CHILD_STATURE_M, skin
from ..virtualcrowd.render.tailor import dress
from ..virtualcrowd.render.template import Template, normals, template
from ..virtualcrowd.render.tracer import Tracer
from .people_hung import hair_knots, held_things
from .people_light import openness
from .people_looks import Look, bag_colour, draw_look
from .people_paint import paint
from .people_poses import Pose

Array = np.ndarray

CHILDREN = 0.12
"""Share of people who are children."""
_FLOAT_M = 0.08
"""Soles this near to the floor rest on it; heights of recordings are no better."""


@dataclass(frozen=True)
class Figure:
    """Somebody in a pose, floor at z = 0, pelvis above the origin."""

    points_m: Float[Array, "M 3"]
    """float32, world."""
    normals: Float[Array, "M 3"]
    albedo: Float[Array, "M 3"]
    """Linear BGR."""
    open: Float[Array, "M"]
    """Share of the sky that the own body leaves free."""
    weights: Float[Array, "M 24"]
    """Skinning weights."""
    faces: Int[Array, "F 3"]
    carried: Bool[Array, "F"]
    """Faces of bags: neither body nor clothes."""
    loose: Bool[Array, "F"]
    """Faces of what hangs free of the skin and is no load: skirts, coat tails, hair."""
    keypoints_m: Float[Array, "17 3"]
    pelvis_m: Float[Array, "3"]
    face_way: Float[Array, "3"]
    """Unit: where the face looks."""
    stature_m: float
    kind: str
    tracer: Tracer
    """Of all faces."""


@dataclass(frozen=True)
class _Part:
    """One mesh of a figure."""

    points_m: Float[Array, "v 3"]
    normals: Float[Array, "v 3"]
    albedo: Float[Array, "v 3"]
    weights: Float[Array, "v 24"]
    faces: Int[Array, "f 3"]
    carried: bool


class Person:
    """One shape in one set of clothes, ready to be posed."""

    def __init__(self, stature_m: float, look: Look, rng: np.random.Generator) -> None:
        self.body: Template = template()
        data = self.body.body
        self.stature_m, self.look = stature_m, look
        self._size = self.stature_m / _mean_stature_m()
        betas = betas_of_stature(self.stature_m, rng, data)
        clothes = paint(self.body, self.look, dress(self.body, self.look.outfit))
        self._joints_rest_m = data.joints_m(betas)
        rest = data.vertices_m(betas).astype(np.float32)
        rest += clothes.puff_m[:, None] * normals(rest, data.faces)
        self._rest, self._normals = rest, normals(rest, data.faces).astype(np.float32)
        self._albedo = clothes.albedo
        self._extras = _hung(self.body, self.look, rest, self._joints_rest_m, self._size)
        self._held_colour = bag_colour(rng)

    def posed(self, pose: Pose, rng: np.random.Generator) -> Figure:
        """The person in a pose, feet on the floor unless they are in the air; `rng` is the light's."""
        data = self.body.body
        chain = kinematics_of_rotmats(
            torch.from_numpy(pose.rotmats), torch.from_numpy(self._joints_rest_m), torch.zeros(3, dtype=torch.float64)
        )  # fmt: skip
        world, joints = chain.rotmats_world.numpy(), chain.joints_m.numpy()
        shift = joints - np.einsum("jCc,jc->jC", world, self._joints_rest_m)
        bones = np.concatenate([world, shift[..., None]], axis=-1).astype(np.float32)[None]
        turns = (pose.rotmats[1:] - np.eye(3)).reshape(-1).astype(np.float32)
        rest = (self._rest + (data.posedirs.reshape(-1, len(turns)) @ turns).reshape(-1, 3)).astype(
            np.float32
        )
        weights = data.weights.astype(np.float32)
        points, up = skin(rest[None], self._normals[None], weights, bones)
        parts = [_Part(points[0], up[0], self._albedo, weights, data.faces, False)]
        for extra, carried in self._extras:
            points, up = skin(extra.rest_m[None], extra.normals[None], extra.weights, bones)
            parts.append(_Part(points[0], up[0], extra.albedo, extra.weights, extra.faces, carried))
        lift = self._lift(parts[0].points_m, joints[0], pose)
        for held in held_things(self.look, joints, world, -lift, self._size, self._held_colour):
            none = np.zeros((len(held.points_m), 24), np.float32)
            parts.append(_Part(held.points_m, held.normals, held.albedo, none, held.faces, True))
        return self._figure(
            parts, np.array([-joints[0, 0], -joints[0, 1], lift]), joints, world, pose.kind, rng
        )

    def _lift(self, points_m: Float[Array, "V 3"], pelvis_m: Float[Array, "3"], pose: Pose) -> float:
        """How far up the body must go: the recording's pelvis in this body's size, soles not in the floor."""
        up = pose.pelvis_m * self._size - float(pelvis_m[2])
        low = float(points_m[:, 2].min())
        return -low if pose.grounded or low + up < _FLOAT_M else up

    def _figure(
        self, parts: list[_Part], place_m: Float[Array, "3"], joints_m: Float[Array, "24 3"],
        world: Float[Array, "24 3 3"], kind: str, rng: np.random.Generator,
    ) -> Figure:  # fmt: skip
        counts = np.array([len(part.points_m) for part in parts])
        starts = np.cumsum(counts) - counts
        points = (np.concatenate([part.points_m for part in parts]) + place_m).astype(np.float32)
        up = np.concatenate([part.normals for part in parts]).astype(np.float32)
        faces = np.concatenate([part.faces + start for part, start in zip(parts, starts, strict=True)])
        tracer = Tracer(points, faces.astype(np.int32))
        free = openness(tracer, points, up, rng)
        free[: counts[0]] = self.body.spread @ (self.body.spread @ free[: counts[0]])
        return Figure(
            points_m=points, normals=up, albedo=np.concatenate([part.albedo for part in parts]).astype(np.float32),
            open=free, weights=np.concatenate([part.weights for part in parts]).astype(np.float32),
            faces=faces.astype(np.int32),
            carried=np.concatenate([np.full(len(part.faces), part.carried) for part in parts]),
            loose=np.concatenate([np.full(len(p.faces), k > 0 and not p.carried) for k, p in enumerate(parts)]),
            keypoints_m=coco_keypoints_np(joints_m, world) + place_m, pelvis_m=joints_m[0] + place_m,
            face_way=world[15, :, 2].copy(), stature_m=self.stature_m, kind=kind, tracer=tracer,
        )  # fmt: skip


def draw_person(rng: np.random.Generator) -> Person:
    """Anybody."""
    stature = _stature(rng)
    return Person(stature, draw_look(rng, stature < CHILD_STATURE_M), rng)


@cache
def _mean_stature_m() -> float:
    return template().body.stature_m(np.zeros(10))


def _hung(
    body: Template, look: Look, rest_m: Float[Array, "V 3"], joints_m: Float[Array, "24 3"], size: float
) -> list[tuple[Extra, bool]]:
    """What hangs on the person, and whether it is carried: `extras` puts clothes and hair first and the load last."""
    hung = extras(body, look.outfit, rest_m, joints_m)
    loads = 0 if look.outfit.load == "none" else 1
    knots = [(extra, False) for extra in hair_knots(look, joints_m, size)]
    return knots + [(extra, row >= len(hung) - loads) for row, extra in enumerate(hung)]


def _stature(rng: np.random.Generator) -> float:
    if rng.random() < CHILDREN:
        return float(rng.uniform(*CHILD_M))
    mean, spread = WOMEN_M if rng.random() < 0.5 else MEN_M
    return float(np.clip(rng.normal(mean, spread), *ADULT_M))
