"""The pose network as a file: the engine reads it by the adapter it has, and finds what torch finds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from crowdstream.kernels.inference.onnx import OnnxBackend
from crowdstream.kernels.perception.adapters import AdapterKind, adapter_for
from crowdstream.kernels.perception.crop import crop_maps, cut
from crowdstream.kernels.perception.heatmap_pose import HeatmapPose
from crowdstream.kernels.perception.pose import BOX_PADDING
from crowdstream.lab.perception.pose.batches import Batch
from crowdstream.lab.perception.pose.network import PoseNet, PoseNetConfig
from crowdstream.lab.perception.pose.recipe import PoseRecipe

onnx = pytest.importorskip("onnx")
WIDTH, HEIGHT = 64, 96
SMALL = PoseNetConfig(
    crop_wh=(WIDTH, HEIGHT), stem=8, widths=(8, 16, 16, 16), down=(1, 1, 0, 0), up=(1, 0, 0)
)


class NoCrops:
    def crop(self, rng: np.random.Generator, crop_wh: tuple[int, int], padding: float) -> Any:
        raise AssertionError("an export draws nothing")


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[PoseNet, Path]:
    """A network whose statistics and answers are not those of the start."""
    recipe = PoseRecipe(NoCrops(), NoCrops(), 3, SMALL)
    network = recipe.network
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.copy_(0.2 * torch.randn(module.num_features, generator=generator))
                module.running_var.copy_(0.5 + torch.rand(module.num_features, generator=generator))
                module.weight.copy_(0.5 + torch.rand(module.num_features, generator=generator))
        network.predict.weight.mul_(30)
        network.sure.fill_(0.2)  # else trust in answers to noise is nothing, and there is nothing to compare
    return network.eval(), recipe.export(tmp_path_factory.mktemp("pose"), "person_pose", "# card\n")


@pytest.mark.parametrize("count", [1, 3, 8])
def test_any_number_of_crops_gives_the_numbers_of_torch(exported: tuple[PoseNet, Path], count: int) -> None:
    network, path = exported
    image = np.random.default_rng(count).normal(size=(count, 3, HEIGHT, WIDTH)).astype(np.float32)
    given = OnnxBackend(path.read_bytes(), threads=1).run({"image": image})["heatmaps"]
    with torch.no_grad():
        asked = network(torch.from_numpy(image)).numpy()
    assert given.shape == (count, 17, HEIGHT // 4, WIDTH // 4)
    np.testing.assert_allclose(given, asked, atol=1e-5)


def test_the_engine_finds_what_training_measured(exported: tuple[PoseNet, Path]) -> None:
    network, path = exported
    backend = OnnxBackend(path.read_bytes(), threads=1)
    assert adapter_for(backend) is AdapterKind.HEATMAP
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (150, 200, 3), dtype=np.uint8)
    boxes = np.array([[20.0, 10.0, 60.0, 110.0], [90.0, 30.0, 140.0, 140.0], [150.0, 100.0, 220.0, 160.0]])
    points, confidence = HeatmapPose(backend).estimate(image, boxes)
    maps = crop_maps(boxes, (WIDTH, HEIGHT), BOX_PADDING)
    crops = cut(image, maps)
    truth = np.zeros((3, 17, 2), np.float32)
    batch = Batch(crops, truth, np.zeros((3, 17), np.uint8), np.ones(3, np.float32))
    placed = PoseRecipe.placed(network, batch)
    np.testing.assert_allclose(points, maps.to_image(placed.keypoints_px), atol=0.02)
    np.testing.assert_allclose(confidence, placed.confidence, atol=1e-5)
    assert confidence.std() > 0.01


def test_its_graph_is_plain_and_its_card_lies_beside(exported: tuple[PoseNet, Path]) -> None:
    _, path = exported
    graph = onnx.load(str(path)).graph
    kinds = {node.op_type for node in graph.node}
    assert "BatchNormalization" not in kinds and not kinds & {"Loop", "If", "Scan", "NonZero"}
    assert path.with_suffix(".md").read_text("utf-8") == "# card\n"


def test_a_side_that_is_no_multiple_of_32_is_exported_too(tmp_path: Path) -> None:
    tiny = PoseNetConfig(crop_wh=(48, 96), stem=4, widths=(4, 4, 4, 4), down=(0, 0, 0, 0), up=(0, 0, 0))
    path = PoseRecipe(NoCrops(), NoCrops(), 0, tiny).export(tmp_path, "odd", "# card\n")
    given = OnnxBackend(path.read_bytes(), threads=1).run({"image": np.zeros((3, 3, 96, 48), np.float32)})
    assert given["heatmaps"].shape == (3, 17, 24, 12)
