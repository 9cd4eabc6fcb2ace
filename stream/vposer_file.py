"""A user's own VPoser v2 as pose prior. Its weights need a licence from their authors and are never shipped.

Read from any of

    the folder as published (V02_05: snapshots/*.ckpt), the last snapshot of it
    one snapshot (.ckpt, .pt, .pth)
    its state dict as .safetensors or .npz

A snapshot is a pickle: torch's loader of plain weights reads it, which builds tensors and containers only. What else
a snapshot names (its trainer's callbacks and settings) becomes an inert stand-in, so no code of the file or of another
package is ever looked up.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from torch.serialization import get_unsafe_globals_in_checkpoint, safe_globals

from ..kernels.priors.pose_prior import PosePrior
from ..kernels.priors.vposer import VPoser
from .errors import ModelError

SNAPSHOTS = (".ckpt", ".pt", ".pth")
ENDINGS = (*SNAPSHOTS, ".safetensors", ".npz")
MARK = "encoder_net."
_ADVICE = (
    "expected VPoser v2 (V02_05): its folder, a snapshot .ckpt, or its state dict as .safetensors or .npz"
)


class _Inert:
    """Stands for whatever a snapshot holds besides tensors; keeps nothing."""

    def __init__(self, *args: Any, **kwargs: Any) -> None: ...

    def __setstate__(self, state: Any) -> None: ...


def load_vposer(path: Path) -> PosePrior:
    """VPoser v2 from a user's file or folder: float32 on the CPU, weights without gradients.

    Raises:
        ModelError: nothing there, not readable, or not VPoser v2.
    """
    file = _snapshot_of(Path(path))
    state = _state_of(read_tensors(file))
    with torch.random.fork_rng(devices=[]):  # the first weights are drawn, and thrown away here
        network = VPoser()
    _check(file, network, state)
    network.load_state_dict(state, strict=False)
    return network.requires_grad_(False)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Every named tensor of a file of weights.

    Raises:
        ModelError: missing, damaged, or of an unknown kind.
    """
    if not path.is_file():
        raise ModelError(f"no file {path}; {_ADVICE}")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as arrays:
                return {name: torch.from_numpy(np.array(arrays[name])) for name in arrays.files}
        if path.suffix in SNAPSHOTS:
            return _read_snapshot(path)
    except (OSError, ValueError, EOFError, BadZipFile, SafetensorError, RuntimeError, TypeError) as exc:
        raise ModelError(f"{path} cannot be read as weights ({_line(exc)}); {_ADVICE}") from exc
    except pickle.UnpicklingError as exc:
        raise ModelError(
            f"{path} holds more than weights ({_line(exc)}) and is not run; save its state dict as .safetensors"
        ) from exc
    raise ModelError(f"{path} ends in {path.suffix!r}; {_ADVICE}")


def _read_snapshot(path: Path) -> dict[str, Tensor]:
    foreign: list[Callable[..., Any] | tuple[Callable[..., Any], str]]
    foreign = [(_Inert, name) for name in get_unsafe_globals_in_checkpoint(str(path))]
    with safe_globals(foreign):
        held = torch.load(path, map_location="cpu", weights_only=True)
    if isinstance(held, dict) and isinstance(held.get("state_dict"), dict):
        held = held["state_dict"]
    if not isinstance(held, dict):
        raise ModelError(f"{path} holds a {type(held).__name__}, expected a state dict; {_ADVICE}")
    return {str(name): value for name, value in held.items() if isinstance(value, Tensor)}


def _snapshot_of(path: Path) -> Path:
    """The file to read: the one given, or the last snapshot of a published folder."""
    if not path.is_dir():
        return path
    inside = path / "snapshots" if (path / "snapshots").is_dir() else path
    found = sorted(file for file in inside.iterdir() if file.suffix in ENDINGS)
    if not found:
        raise ModelError(f"{path} holds no snapshot; {_ADVICE}")
    return max(found, key=_epoch)


def _epoch(file: Path) -> tuple[int, str]:
    """Number after `epoch=` in a snapshot's name; -1 where there is none."""
    _, _, rest = file.stem.partition("epoch=")
    digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
    return (int(digits) if digits else -1, file.name)


def _state_of(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Tensors of encoder and decoder under their bare names; a trainer's prefix (vp_model.) is taken off."""
    state = {}
    for name, value in tensors.items():
        for part in (MARK, "decoder_net."):
            at = name.find(part)
            if at == 0 or (at > 0 and name[at - 1] == "."):
                state[name[at:]] = value
    return state


def _check(path: Path, network: VPoser, state: dict[str, Tensor]) -> None:
    if not state:
        raise ModelError(f"{path} holds no encoder_net and decoder_net; {_ADVICE}")
    for name, own in network.state_dict().items():
        if name.endswith("num_batches_tracked"):
            continue
        if name not in state:
            raise ModelError(f"{path} has no tensor {name}; {_ADVICE} (v1 has another shape)")
        if state[name].shape != own.shape:
            got, want = tuple(state[name].shape), tuple(own.shape)
            raise ModelError(f"{path}: {name} has shape {got}, expected {want}; {_ADVICE}")
        if not state[name].is_floating_point() or not torch.isfinite(state[name]).all():
            raise ModelError(f"{path}: {name} holds no finite floating-point numbers; get the file again")
    odd = sorted(set(state) - set(network.state_dict()))
    if odd:
        raise ModelError(f"{path} has tensor {odd[0]}, which VPoser v2 has not; {_ADVICE}")


def _line(error: BaseException) -> str:
    """The first line of a message: torch explains itself at length."""
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0][:160]
