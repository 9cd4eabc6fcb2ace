"""A scene as plain JSON values and back, with every digit."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...kernels.ground import Ground, GroundPlane
from .scene import Gate, Obstacle, Scene


def scene_to_json(scene: Scene) -> dict[str, Any]:
    """Lists, numbers and texts only; metres."""
    return {
        "name": scene.name,
        "outline_m": _floats(scene.outline_m),
        "ground": {
            "planes": [
                {
                    "normal": _floats(plane.normal),
                    "offset_m": float(plane.offset_m),
                    "outline_m": None if plane.outline_m is None else _floats(plane.outline_m),
                    "covariance": _floats(plane.covariance),
                }
                for plane in scene.ground.planes
            ]
        },
        "obstacles": [
            {
                "name": thing.name,
                "kind": thing.kind,
                "outline_m": _floats(thing.outline_m),
                "base_m": float(thing.base_m),
                "height_m": float(thing.height_m),
            }
            for thing in scene.obstacles
        ],
        "gates": [{"name": gate.name, "ends_m": _floats(gate.ends_m)} for gate in scene.gates],
    }


def scene_from_json(entry: dict[str, Any]) -> Scene:
    """Raises KeyError, TypeError or ValueError where the entry is not a scene; the reader says which file."""
    planes = tuple(
        GroundPlane(
            normal=_array(plane["normal"]),
            offset_m=float(plane["offset_m"]),
            outline_m=None if plane["outline_m"] is None else _array(plane["outline_m"]),
            covariance=_array(plane["covariance"]),
        )
        for plane in entry["ground"]["planes"]
    )
    things = tuple(
        Obstacle(
            name=str(thing["name"]),
            kind=str(thing["kind"]),
            outline_m=_array(thing["outline_m"]),
            base_m=float(thing["base_m"]),
            height_m=float(thing["height_m"]),
        )
        for thing in entry["obstacles"]
    )
    gates = tuple(Gate(str(gate["name"]), _array(gate["ends_m"])) for gate in entry["gates"])
    return Scene(str(entry["name"]), _array(entry["outline_m"]), Ground(planes), things, gates)


def _floats(array: np.ndarray) -> Any:
    return np.asarray(array, np.float64).tolist()


def _array(value: Any) -> np.ndarray:
    return np.array(value, dtype=np.float64)
