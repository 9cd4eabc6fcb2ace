"""The ladder of networks: which one a run uses for a role, and why.

    what the user names  >  the best-ranked catalogue file in the model folder  >  what ships with the package

A name is a path, a file in the model folder, or a name of the catalogue or of a shipped network. A file under a
catalogue name is checked against its sum; an unknown `.onnx` is used only when named. A damaged file is an error
and never a reason to take the next rung: whoever pulled a network should learn that it is not being used.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from ..errors import ModelError
from .catalogue import CATALOGUE, CatalogueEntry, Role, entry_by_name
from .shipped import SHIPPED, shipped_entry, shipped_folder

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

    @property
    def ships(self) -> bool:
        """Whether it came with the package."""
        return self.entry in SHIPPED

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


def choose(folder: Path, role: Role, wanted: str = "", shipped: Path | None = None) -> ModelFile:
    """The network of a role.

    Args:
        folder: the model folder; it need not exist.
        role: what it is for.
        wanted: path, file name in the folder, or name of a catalogue or shipped network; "" for the best there is.
        shipped: folder of the shipped networks; None: the package's own.

    Raises:
        ModelError: nothing fits; says how to get one.
    """
    own = shipped_folder() if shipped is None else shipped
    if wanted:
        return _named(folder, role, wanted, own)
    present = [e for e in CATALOGUE if e.role == role and (folder / e.file).is_file()]
    if present:
        best = max(present, key=lambda entry: entry.rank)
        count = f"best of {len(present)}" if len(present) > 1 else f"the only {role} of the catalogue"
        return ModelFile(folder / best.file, role, best, f"{count} in {folder}")
    ships = shipped_entry(role)
    if ships is not None and (own / ships.file).is_file():
        why = f"no stronger {role} in {folder}" if folder.is_dir() else f"no model folder {folder}"
        return ModelFile(own / ships.file, role, ships, f"ships with crowdstream; {why}")
    if not folder.is_dir():
        raise ModelError(f"no model folder {folder}; {how_to_get(role)}")
    raise ModelError(f"no {role} network in {folder}; {how_to_get(role)}")


def _named(folder: Path, role: Role, wanted: str, shipped: Path) -> ModelFile:
    ships = next((e for e in SHIPPED if e.name == wanted), None)
    entry = ships or entry_by_name(wanted)
    candidates = [Path(wanted), folder / wanted]
    if entry is not None:
        candidates.append((shipped if ships else folder) / entry.file)
    for path in candidates:
        if path.is_file():
            known = entry or next((e for e in CATALOGUE if e.file == path.name), None)
            if known is not None and known.role != role:
                raise ModelError(f"{wanted!r} is a {known.role} network; expected a {role}: {_names(role)}")
            return ModelFile(path, role, known, "named by the user")
    if ships is not None:
        raise ModelError(f"{ships.name} does not ship with this install; {how_to_get(role)}")
    if entry is not None:
        raise ModelError(
            f"{entry.name} is not in {folder}; fetch it with `crowdstream models pull {entry.name}`"
        )
    raise ModelError(f"no {role} network {wanted!r}: neither a file nor one of {_names(role)}")


def _names(role: Role) -> str:
    return ", ".join(e.name for e in (*SHIPPED, *CATALOGUE) if e.role == role)


def how_to_get(role: Role) -> str:
    """One line on how to come by a network of a role."""
    pullable = [e.name for e in sorted(CATALOGUE, key=lambda e: -e.rank) if e.role == role and e.url]
    example = pullable[-1] if role == Role.POSE else (pullable[0] if pullable else "")
    pull = f"`crowdstream models pull {example}`, or " if example else ""
    return f"get one with {pull}point --models (or {MODELS_VARIABLE}) at a folder that has one"
