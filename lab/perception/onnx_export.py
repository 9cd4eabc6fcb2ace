"""Networks as ONNX files: folded, checked, and the same numbers as before.

The traced exporter is used, since its graphs are plain: convolutions with their normalisation folded in, resizes by
constant factors and reshapes, which TensorRT and OpenVINO read as they are. Every file is run before it is kept.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ...kernels.errors import CrowdstreamError

OPSET = 17
TOLERANCE = 1e-4
"""Largest difference from torch's numbers, relative where they are larger than 1."""


class ExportError(CrowdstreamError):
    """A network that cannot be written as ONNX, or comes out different."""


def export_onnx(
    network: nn.Module,
    path: Path,
    example: Tensor,
    input_names: Sequence[str],
    output_names: Sequence[str],
    dynamic_axes: Mapping[str, Mapping[int, str]],
    metadata: Mapping[str, str] | None = None,
) -> Path:
    """Write a network of one input as ONNX.

    Args:
        network: in evaluation mode afterwards; its weights stay.
        path: of the file; replaced only when the new one has proved right.
        example: an input; values are of no account, the type is, and sizes of axes that are not dynamic.
        input_names: one.
        output_names: one for each output.
        dynamic_axes: by tensor, names of the axes that may have any size.
        metadata: stored inside, for whoever opens the file.

    Raises:
        ExportError: the onnx package is missing, the graph is not valid, or gives other numbers than torch.
    """
    onnx = _onnx()
    network.eval()
    part = path.with_name(f".{path.name}.part")
    try:
        with warnings.catch_warnings(), torch.no_grad():
            # the traced exporter announces its successor, whose graphs are less plain; tracing remarks on constants
            warnings.simplefilter("ignore")
            torch.onnx.export(
                network, (example,), str(part), dynamo=False, opset_version=OPSET, do_constant_folding=True,
                input_names=list(input_names), output_names=list(output_names),
                dynamic_axes={key: dict(axes) for key, axes in dynamic_axes.items()},
            )  # fmt: skip
            given = network(example)
        model = onnx.load(str(part))
        _label(model, metadata or {})
        _fix_sizes(model, given, dynamic_axes)
        onnx.checker.check_model(model, full_check=True)
        onnx.save(model, str(part))
        for shown in _examples(example, dynamic_axes.get(input_names[0], {})):
            _compare(network, part, shown, path.name)
        os.replace(part, path)
    except onnx.checker.ValidationError as exc:
        raise ExportError(f"{path.name} is not valid ONNX: {_first_line(exc)}") from exc
    except torch.onnx.errors.OnnxExporterError as exc:
        raise ExportError(
            f"{path.name}: torch cannot write this network as ONNX: {_first_line(exc)}"
        ) from exc
    except OSError as exc:
        raise ExportError(f"cannot write {path}: {exc.strerror or exc}") from exc
    finally:
        part.unlink(missing_ok=True)
    return path


def _onnx() -> ModuleType:
    try:
        import onnx
    except ModuleNotFoundError as exc:
        raise ExportError(
            "writing ONNX files needs the onnx package, which is not installed: pip install 'crowdstream[train]'"
        ) from exc
    import onnx.checker

    return onnx


def _label(model: Any, metadata: Mapping[str, str]) -> None:
    """Metadata in, traces of the machine out."""
    model.producer_name, model.producer_version, model.doc_string = "crowdstream", "", ""
    for key, value in sorted(metadata.items()):
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    for node in model.graph.node:
        node.doc_string = ""


def _fix_sizes(
    model: Any, given: Tensor | tuple[Tensor, ...], dynamic_axes: Mapping[str, Mapping[int, str]]
) -> None:
    """Sizes of outputs that are not dynamic: the exporter loses them behind reshapes, and readers go by them."""
    for output, tensor in zip(model.graph.output, _several(given), strict=True):
        free = dynamic_axes.get(output.name, {})
        for axis, size in enumerate(tensor.shape):
            if axis not in free:
                output.type.tensor_type.shape.dim[axis].dim_value = size


def _several(given: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return given if isinstance(given, tuple) else (given,)


def _examples(example: Tensor, free: Mapping[int, str]) -> list[Tensor]:
    """Noise of the example's size, and of twice the size along every free axis."""
    random = np.random.default_rng(0)
    larger = [size * 2 if axis in free else size for axis, size in enumerate(example.shape)]
    shapes = [list(example.shape), larger] if free else [list(example.shape)]
    return [torch.from_numpy(random.uniform(0.0, 255.0, s)).to(example.dtype) for s in shapes]


def _compare(network: nn.Module, path: Path, shown: Tensor, name: str) -> None:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    given = session.run(None, {session.get_inputs()[0].name: shown.numpy()})
    with torch.no_grad():
        asked = network(shown)
    for ours, tensor in zip(given, _several(asked), strict=True):
        theirs = tensor.numpy()
        if ours.shape != theirs.shape:
            raise ExportError(
                f"{name} gives {list(ours.shape)}, torch {list(theirs.shape)}; the file was not kept"
            )
        worst = float((np.abs(ours - theirs) / np.maximum(1.0, np.abs(theirs))).max())
        if not worst <= TOLERANCE:
            raise ExportError(
                f"{name} gives other numbers than torch for an input of {list(shown.shape)}: {worst:.1e} apart, "
                f"expected at most {TOLERANCE:g}; the file was not kept"
            )


def _first_line(exc: BaseException) -> str:
    return (str(exc).strip().splitlines() or [type(exc).__name__])[0]
