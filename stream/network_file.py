"""Trained networks as files: safetensors with a kind, a version and the sizes of the network in its metadata.

    metadata  kind (motion_prior, lifter, pose_vae), version, config (JSON of the network's config record)
    tensors   weights as float16; buffers (means, scales, skeletons) as they are: few, and some of them small numbers

The same weights give the same bytes. Nothing in such a file is run when it is read.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import TypeVar

import torch
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from ..kernels.errors import CrowdstreamError
from ..kernels.settings import StageConfig
from .errors import ModelError

VERSION = "1"
Network = TypeVar("Network", bound=nn.Module)
Config = TypeVar("Config", bound=StageConfig)


def save_network(path: Path, network: nn.Module, kind: str, card_text: str | None = None) -> None:
    """Write a trained network, and its model card beside it (same name, .md).

    Args:
        path: of the safetensors file; its folder is made.
        network: with its sizes in `config`.
        kind: motion_prior, lifter or pose_vae; who loads it asks for that.
        card_text: Markdown; None writes no card.

    Raises:
        ModelError: a weight is not finite or too large for float16, the network has no config, or the disk refuses.
    """
    config = getattr(network, "config", None)
    if not isinstance(config, StageConfig):
        raise ModelError(
            f"{kind}: the network has no config record; give it one, so that its file can be read again"
        )
    weights = {name for name, _ in network.named_parameters()}
    tensors = {key: _stored(kind, key, t, key in weights) for key, t in network.state_dict().items()}
    metadata = {"kind": kind, "version": VERSION, "config": config.model_dump_json()}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(path, _in_order(save(tensors, metadata)))
        if card_text is not None:
            _write(path.with_suffix(".md"), card_text.encode())
    except OSError as exc:
        raise ModelError(f"cannot write {path}: {exc.strerror or exc}; name another file") from exc


def load_network(
    path: Path | None,
    kind: str,
    config_of: type[Config],
    build: Callable[[Config], Network],
    train: str,
) -> Network:
    """A network on the CPU: float32, in evaluation mode, its weights without gradients.

    Args:
        path: file of `save_network`; None takes the shipped one, kernels/weights/<kind>.safetensors.
        kind: what it must be.
        config_of: record of its sizes.
        build: the network of such sizes.
        train: word of `crowdstream train` that makes such a file, for messages.

    Raises:
        ModelError: missing or damaged file, another kind or version, unknown config, or tensors of another shape.
    """
    advice = f"train one with crowdstream train {train} --mocap DIR -o FOLDER"
    if path is None:
        with resources.as_file(
            resources.files("crowdstream.kernels") / "weights" / f"{kind}.safetensors"
        ) as file:
            return _load(file, kind, config_of, build, advice)
    return _load(Path(path), kind, config_of, build, advice)


def _load(
    path: Path, kind: str, config_of: type[Config], build: Callable[[Config], Network], advice: str
) -> Network:
    metadata, tensors = _read(path, kind, advice)
    got = metadata.get("kind")
    if got != kind:
        raise ModelError(f"{path} is of kind {got!r}, expected {kind!r}; {advice}")
    if metadata.get("version") != VERSION:
        raise ModelError(
            f"{path} is of version {metadata.get('version')!r}, this build reads version {VERSION!r}; "
            f"update crowdstream, or {advice}"
        )
    try:
        config = config_of.model_validate_json(metadata.get("config", ""))
        with torch.random.fork_rng(devices=[]):  # a network's first weights are drawn, and thrown away here
            network = build(config)
    except ValidationError as exc:
        raise ModelError(f"{path}: sizes this build does not know ({_first(exc)}); {advice}") from exc
    except (CrowdstreamError, ValueError, RuntimeError) as exc:
        raise ModelError(f"{path}: no network of its sizes can be built ({exc}); {advice}") from exc
    _check(path, network, tensors, advice)
    network.float().load_state_dict(tensors)  # copies into float32
    return network.eval().requires_grad_(False)


def _read(path: Path, kind: str, advice: str) -> tuple[dict[str, str], dict[str, Tensor]]:
    if not path.is_file():
        raise ModelError(f"no {kind} at {path}: expected a safetensors file; {advice}")
    try:
        with safe_open(path, framework="pt") as file:
            return dict(file.metadata() or {}), {key: file.get_tensor(key) for key in file.keys()}
    except (OSError, SafetensorError, ValueError) as exc:
        raise ModelError(f"{path} is no safetensors file, or a damaged one ({exc}); {advice}") from exc


def _check(path: Path, network: nn.Module, tensors: dict[str, Tensor], advice: str) -> None:
    own = network.state_dict()
    for key, value in own.items():
        if key not in tensors:
            raise ModelError(f"{path} has no tensor {key!r} ({len(tensors)} others); {advice}")
        got = tensors[key]
        if got.shape != value.shape:
            raise ModelError(
                f"{path}: {key} has shape {tuple(got.shape)}, expected {tuple(value.shape)}; {advice}"
            )
        if got.is_floating_point() != value.is_floating_point():
            raise ModelError(f"{path}: {key} holds {got.dtype}, expected {value.dtype}; {advice}")
        if not torch.isfinite(got).all():
            raise ModelError(f"{path}: {key} holds numbers that are not finite; {advice}")
    odd = sorted(set(tensors) - set(own))
    if odd:
        raise ModelError(f"{path} has tensor {odd[0]!r}, which its kind of network has not; {advice}")


def _stored(kind: str, key: str, tensor: Tensor, weight: bool) -> Tensor:
    """As it goes into the file; a clone, since tensors that share memory are refused."""
    plain = tensor.detach().cpu().contiguous().clone()
    if not plain.is_floating_point():
        return plain
    plain = plain.to(torch.float16 if weight else torch.float32)
    if not torch.isfinite(plain).all():
        most = tensor.detach().abs().max().item()
        raise ModelError(
            f"{kind}: {key} reaches {most:g}, expected finite numbers below 65,504; train it again"
        )
    return plain


def _in_order(data: bytes) -> bytes:
    """The same file with the keys of its header sorted: the library writes metadata in an order drawn each time."""
    (length,) = struct.unpack("<Q", data[:8])
    header = json.dumps(json.loads(data[8 : 8 + length]), sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)  # tensors begin at multiples of 8 bytes
    return struct.pack("<Q", len(header)) + header + data[8 + length :]


def _write(path: Path, data: bytes) -> None:
    """The whole file or what was there before."""
    part = path.with_name(path.name + ".part")
    try:
        part.write_bytes(data)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _first(error: ValidationError) -> str:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}" if where else str(first["msg"])
