"""The model folder: which network a run uses for a role, and why.

Order: a file or catalogue name the user gives > the best-ranked catalogue file that lies in the folder. A file
under a catalogue name is checked against its sum; an unknown `.onnx` is used only when named.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from ..errors import ModelError
from .catalogue import CATALOGUE, CatalogueEntry, Role, entry_by_name

MODELS_VARIABLE = "CROWDSTREAM_MODELS"


@dataclass(frozen=True)
class ModelFile:
    """A network on disk that is about to be used."""

    path: Path
    role: Role
    entry: CatalogueEntry | None
    """None: not of the catalogue; its adapter is read off its tensors."""
    why: str
    """One phrase for health and `models list`."""

    @property
    def name(self) -> str:
        return self.entry.name if self.entry else self.path.name

    def read(self) -> bytes:
        """The bytes of the network, checked against the catalogue.

        Raises:
            ModelError: unreadable, or not the file the catalogue means.
        """
        try:
            content = self.path.read_bytes()
        except OSError as exc:
            raise ModelError(f"cannot read the network {self.path}: {exc.strerror or exc}") from exc
        wanted = self.entry.sha256 if self.entry else None
        if wanted and hashlib.sha256(content).hexdigest() != wanted:
            raise ModelError(
                f"{self.path} is not {self.name}: its sha256 differs from the catalogue; fetch it again with "
                f"`crowdstream models pull {self.name}`, or give it another file name to use it as it is"
            )
        return content


def default_folder() -> Path:
    """Where `models pull` puts files: $CROWDSTREAM_MODELS, else the user's data folder."""
    given = os.environ.get(MODELS_VARIABLE)
    if given:
        return Path(given)
    base = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(base) / "crowdstream" / "models"


def choose(folder: Path, role: Role, wanted: str = "") -> ModelFile:
    """The network of a role.

    Args:
        folder: the model folder.
        role: what it is for.
        wanted: path, file name in the folder, or catalogue name; "" for the best there is.

    Raises:
        ModelError: nothing fits; says how to get one.
    """
    if wanted:
        return _named(folder, role, wanted)
    if not folder.is_dir():
        raise ModelError(f"no model folder {folder}; {how_to_get(role)}")
    present = [e for e in CATALOGUE if e.role == role and (folder / e.file).is_file()]
    if not present:
        raise ModelError(f"no {role} network in {folder}; {how_to_get(role)}")
    best = max(present, key=lambda entry: entry.rank)
    return ModelFile(folder / best.file, role, best, f"best of {len(present)} in {folder}")


def _named(folder: Path, role: Role, wanted: str) -> ModelFile:
    entry = entry_by_name(wanted)
    candidates = [Path(wanted), folder / wanted] + ([folder / entry.file] if entry else [])
    for path in candidates:
        if path.is_file():
            known = entry or next((e for e in CATALOGUE if e.file == path.name), None)
            return ModelFile(path, role, known, "named by the user")
    if entry:
        raise ModelError(
            f"{entry.name} is not in {folder}; fetch it with `crowdstream models pull {entry.name}`"
        )
    names = ", ".join(e.name for e in CATALOGUE if e.role == role)
    raise ModelError(f"no {role} network {wanted!r}: neither a file nor one of {names}")


def how_to_get(role: Role) -> str:
    """One line on how to come by a network of a role."""
    pullable = [e.name for e in sorted(CATALOGUE, key=lambda e: -e.rank) if e.role == role and e.url]
    example = pullable[-1] if role == Role.POSE else (pullable[0] if pullable else "")
    pull = f"`crowdstream models pull {example}`, or " if example else ""
    return f"get one with {pull}point --models (or {MODELS_VARIABLE}) at a folder that has one"
