"""What a stronger network would bring, and the command that fetches it; for `models list`, `doctor` and the demo."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ...kernels.errors import CrowdstreamError
from ...stream.models.catalogue import CatalogueEntry, Role
from ...stream.models.figures import figures_of, stronger
from ...stream.models.folder import ModelFile, choose

RUN_ROLES = (Role.DETECTOR, Role.POSE)
"""What a run needs a network for."""


def appearance_in_words(folder: Path) -> str:
    """What people are recognised by, and the network that could do it instead."""
    try:
        model = choose(folder, Role.REID)
    except CrowdstreamError:
        return "colours of clothes (perception.appearance=colour); no re-id network in the model folder"
    return (
        f"colours of clothes (perception.appearance=colour); {model.name} is there for perception.appearance=reid "
        f"({figures_of(model.name).sentence()})"
    )


@dataclass(frozen=True)
class Advice:
    """One step up for one role."""

    role: Role
    used: str
    """Name of what a run takes now."""
    better: CatalogueEntry
    command: str
    """Fetches it."""

    def sentence(self) -> str:
        """For a person."""
        now, then = figures_of(self.used), figures_of(self.better.name)
        return (
            f"a stronger {self.role} network: {self.better.name} ({then.sentence()}) instead of {self.used} "
            f"({now.sentence()}): {self.command}"
        )

    def as_dict(self) -> dict[str, str]:
        """For JSON."""
        then = figures_of(self.better.name)
        return {
            "name": self.better.name,
            "accuracy": then.accuracy,
            "cost": then.cost,
            "instead_of": self.used,
            "command": self.command,
        }


def advise(used: Iterable[ModelFile], models: Path | None, gpu: bool) -> list[Advice]:
    """The next step up of each network in use; nothing for those that are as good as is known.

    Args:
        models: folder the user named, to be repeated in the command; None: the default one.
        gpu: whether networks can run on one here.
    """
    where = f" --models {models}" if models is not None else ""
    found = []
    for model in used:
        better = stronger(model, gpu)
        if better is not None:
            command = f"crowdstream models pull {better.name}{where}"
            found.append(Advice(model.role, model.name, better, command))
    return found


def gpu_driver_present() -> bool:
    """A quick look, for commands that must not wait for a probe."""
    return Path("/proc/driver/nvidia/version").exists()
