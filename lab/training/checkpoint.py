"""Where a fit can be taken up again: tensors in safetensors, everything else in JSON, no pickle.

    checkpoint-00001200.safetensors   network/..., mean/..., moments/...
    checkpoint.json                   step, seconds, names of the tensors' file and of what is trained

The JSON is replaced last, in one move, and names the tensors' file: whatever a crash interrupts, the pair on disk is
a whole one.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from .average import WeightAverage
from .errors import CheckpointError
from .optimiser import Optimiser

CHECKPOINT = "checkpoint.json"
VERSION = 1


@dataclass
class Progress:
    """How far a fit is."""

    step: int = 0
    """Steps behind it, skipped ones included."""
    seconds: float = 0.0
    """Wall time spent in it, over all sittings."""
    skipped: int = 0
    """Steps not taken because loss or gradient was not finite."""
    skipped_in_row: int = 0


def has_checkpoint(folder: Path) -> bool:
    """Whether a fit can be resumed there."""
    return (folder / CHECKPOINT).is_file()


def write_checkpoint(
    folder: Path, name: str, network: nn.Module, mean: WeightAverage, optimiser: Optimiser, progress: Progress
) -> None:
    """Store everything the next step depends on.

    Raises:
        CheckpointError: the disk refuses.
    """
    tensors = {f"network/{key}": value for key, value in network.state_dict().items()}
    tensors |= {f"mean/{key}": value for key, value in mean.mean.items()}
    tensors |= {f"moments/{key}": value for key, value in optimiser.moments()}
    file = f"checkpoint-{progress.step:08d}.safetensors"
    facts = {"version": VERSION, "name": name, "tensors": file, **asdict(progress)}
    # clones: a tensor that shares memory with another would be refused
    plain = {key: value.detach().cpu().contiguous().clone() for key, value in tensors.items()}
    try:
        write_whole(folder / file, save(plain))
        write_whole(folder / CHECKPOINT, (json.dumps(facts, indent=1) + "\n").encode())
        for old in folder.glob("checkpoint-*.safetensors"):
            if old.name != file:
                old.unlink()
    except OSError as exc:
        raise CheckpointError(f"cannot write a checkpoint to {folder}: {exc.strerror or exc}") from exc


def read_checkpoint(
    folder: Path, name: str, network: nn.Module, mean: WeightAverage, optimiser: Optimiser
) -> Progress:
    """Take up the fit of a folder; network, mean and optimiser are changed in place.

    Raises:
        CheckpointError: none there, damaged, or of another network or optimiser.
    """
    facts = _facts(folder)
    if facts["name"] != name:
        raise CheckpointError(
            f"{folder} holds a fit of {facts['name']}, expected {name}; name another folder"
        )
    tensors = _tensors(folder / str(facts["tensors"]))
    _restore_network(folder, network, tensors)
    for key, value in mean.mean.items():
        stored = tensors.get(f"mean/{key}")
        if stored is None or stored.shape != value.shape:
            raise CheckpointError(f"{folder / CHECKPOINT} has no mean of weight {key}; begin in a new folder")
        value.copy_(stored)
    moments = {key.removeprefix("moments/"): v for key, v in tensors.items() if key.startswith("moments/")}
    optimiser.restore(moments)
    try:
        return Progress(**{field.name: facts[field.name] for field in fields(Progress)})  # type: ignore[arg-type]
    except KeyError as exc:
        raise CheckpointError(f"{folder / CHECKPOINT} has no {exc}; begin in a new folder") from exc


def write_whole(path: Path, data: bytes) -> None:
    """The whole file or what was there before, even if the machine stops."""
    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _facts(folder: Path) -> dict[str, object]:
    path = folder / CHECKPOINT
    if not path.is_file():
        raise CheckpointError(
            f"no checkpoint in {folder}: expected {CHECKPOINT} there; train without --resume"
        )
    try:
        facts = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as exc:
        raise CheckpointError(f"{path} cannot be read ({exc}); begin in a new folder") from exc
    if (
        not isinstance(facts, dict)
        or facts.get("version") != VERSION
        or not {"name", "tensors"} <= set(facts)
    ):
        raise CheckpointError(f"{path} is no checkpoint of version {VERSION}; begin in a new folder")
    return facts


def _tensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (OSError, SafetensorError) as exc:
        raise CheckpointError(f"{path} is missing or damaged ({exc}); begin in a new folder") from exc


def _restore_network(folder: Path, network: nn.Module, tensors: dict[str, Tensor]) -> None:
    stored = {key.removeprefix("network/"): v for key, v in tensors.items() if key.startswith("network/")}
    own = network.state_dict()
    odd = sorted(set(own) ^ set(stored)) or [key for key in own if own[key].shape != stored[key].shape]
    if odd:
        raise CheckpointError(
            f"{folder} holds a network of another size or kind ({len(odd)} tensors differ, first {odd[0]}); "
            "resume with the settings it was begun with"
        )
    with torch.no_grad():
        network.load_state_dict(stored)
