"""The networks that ship with the package: small, trained by this project on its own rendered crowds.

They stand below every network of the catalogue: whoever pulled or brought one wants it used. Their cards
(`detector.md`, `pose.md` beside them) say what they were trained on, how good they are and where they fail.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from .catalogue import CatalogueEntry, Role

SHIPPED: tuple[CatalogueEntry, ...] = (
    CatalogueEntry(
        "crowdstream-detector", Role.DETECTOR, "yolox", "detector.onnx", None, "Apache-2.0", 0,
        note="any H x W, one class; trained on rendered crowds only",
    ),
    CatalogueEntry(
        "crowdstream-pose", Role.POSE, "heatmap", "pose.onnx", None, "Apache-2.0", 0,
        note="128x96; trained on rendered crowds only",
    ),
)  # fmt: skip
"""No sum: they come with the code that reads them and change only with it. No address: never downloaded."""


def shipped_folder() -> Path:
    """Where the package keeps its weights."""
    return Path(str(resources.files("crowdstream.kernels") / "weights"))


def shipped_entry(role: Role) -> CatalogueEntry | None:
    """What ships for a role; None for roles that nothing ships for."""
    return next((entry for entry in SHIPPED if entry.role == role), None)
