"""The detector as a file: the engine reads it by the adapter it has, and finds what torch finds."""

from __future__ import annotations

import builtins
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from crowdstream.kernels.inference.onnx import OnnxBackend
from crowdstream.kernels.perception.adapters import AdapterKind, adapter_for, build_detector
from crowdstream.kernels.perception.nms import nms
from crowdstream.kernels.perception.yolox import decode_grid
from crowdstream.lab.perception.detector.network import DetectorConfig, PersonDetector
from crowdstream.lab.perception.detector.recipe import DetectorRecipe
from crowdstream.lab.perception.onnx_export import ExportError, export_onnx

onnx = pytest.importorskip("onnx")
SMALL = DetectorConfig(stem=8, widths=(8, 16, 16, 16), convs=(1, 2, 0, 0), neck=16)


class NoPictures:
    def picture(self, rng: np.random.Generator, size_px: tuple[int, int]) -> Any:
        raise AssertionError("an export draws nothing")


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[PersonDetector, Path]:
    """A network whose statistics and scores are not those of the start."""
    recipe = DetectorRecipe(NoPictures(), NoPictures(), 3, SMALL)
    network = recipe.network
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.copy_(0.2 * torch.randn(module.num_features, generator=generator))
                module.running_var.copy_(0.5 + torch.rand(module.num_features, generator=generator))
                module.weight.copy_(0.5 + torch.rand(module.num_features, generator=generator))
        network.head.predict.weight.mul_(30)
        network.head.bias[4] += 3.0
    return network.eval(), recipe.export(tmp_path_factory.mktemp("detector"), "person_detector", "# card\n")


def test_the_adapter_knows_it_and_finds_what_torch_finds(exported: tuple[PersonDetector, Path]) -> None:
    network, path = exported
    backend = OnnxBackend(path.read_bytes(), threads=1)
    assert adapter_for(backend) is AdapterKind.YOLOX
    detector = build_detector(backend, max_side_px=160, score_threshold=0.02)
    rng = np.random.default_rng(0)
    for height, width in ((96, 160), (64, 64), (128, 96)):
        image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        [(boxes, scores)] = detector.detect([image])
        with torch.no_grad():
            raw = network(torch.from_numpy(image).permute(2, 0, 1)[None].float())[0].numpy()
        rows = decode_grid(raw, (width, height), 0.02)
        rows = rows[nms(rows[:, :4], rows[:, 4], 0.5)]
        whole = np.clip(rows[:, :4], 0, [width, height, width, height])
        kept = (whole[:, 2] > whole[:, 0]) & (whole[:, 3] > whole[:, 1])
        assert len(boxes) == kept.sum() > 0
        np.testing.assert_allclose(scores, rows[kept, 4], atol=1e-4)
        np.testing.assert_allclose(boxes, whole[kept], rtol=1e-3, atol=1e-2)


def test_a_graph_that_any_runtime_reads(exported: tuple[PersonDetector, Path]) -> None:
    model = onnx.load(str(exported[1]))
    kinds = {node.op_type for node in model.graph.node}
    assert not kinds & {
        "NonZero",
        "BatchNormalization",
        "If",
        "Loop",
        "Where",
        "Range",
        "ScatterND",
        "Expand",
    }
    assert [entry.version for entry in model.opset_import if entry.domain == ""] == [17]
    assert {entry.key: entry.value for entry in model.metadata_props}["adapter"] == "yolox"
    shapes = [[d.dim_param or d.dim_value for d in t.type.tensor_type.shape.dim] for t in model.graph.output]
    assert shapes == [["batch", "cells", 6]]
    assert (exported[1].parent / "person_detector.md").read_text() == "# card\n"
    assert not list(exported[1].parent.glob(".*"))


def test_the_same_network_gives_the_same_bytes(exported: tuple[PersonDetector, Path], tmp_path: Path) -> None:
    network, path = exported
    again = DetectorRecipe(NoPictures(), NoPictures(), 3, SMALL)
    again.network.load_state_dict(network.state_dict())
    assert again.export(tmp_path, "person_detector", "").read_bytes() == path.read_bytes()


class Untraceable(nn.Module):
    """Gives other numbers whenever it is asked."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + float(np.random.default_rng().random())


def test_a_file_with_other_numbers_is_not_kept(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"other numbers than torch .* the file was not kept"):
        export_onnx(Untraceable(), tmp_path / "odd.onnx", torch.zeros(1, 4), ("x",), ("y",), {})
    assert not list(tmp_path.iterdir())


def test_without_the_onnx_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = builtins.__import__

    def refuse(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "onnx":
            raise ModuleNotFoundError("No module named 'onnx'")
        return plain(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(ExportError, match=r"pip install 'crowdstream\[train\]'"):
        export_onnx(nn.Identity(), tmp_path / "x.onnx", torch.zeros(1, 4), ("x",), ("y",), {})
