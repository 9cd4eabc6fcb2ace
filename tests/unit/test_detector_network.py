"""The network's tensors: as many cells as the engine's decoder expects, the same boxes, and any size of picture."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from crowdstream.kernels.perception.yolox import decode_grid
from crowdstream.lab.perception.detector.grid import boxes_of, cells
from crowdstream.lab.perception.detector.network import DetectorConfig, PersonDetector

SMALL = DetectorConfig(stem=8, widths=(8, 16, 16, 16), neck=16)


@pytest.mark.parametrize("size", [(64, 64), (160, 96), (96, 224)])
def test_boxes_are_those_that_the_engine_reads(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    network = PersonDetector(SMALL).eval()
    image = torch.rand(2, 3, size[1], size[0]) * 255
    with torch.no_grad():
        out, raw = network(image), network.raw(image)
    assert out.shape == (2, len(cells(size, torch.device("cpu")).corner), 6)
    engine = decode_grid(out[1].numpy(), size, 0.0)
    np.testing.assert_allclose(
        boxes_of(raw, cells(size, torch.device("cpu")))[1], engine[:, :4], rtol=1e-5, atol=1e-4
    )
    np.testing.assert_allclose(raw[1, :, 4].sigmoid(), engine[:, 4], rtol=1e-5)


def test_the_shipped_size_is_within_its_budget() -> None:
    network = PersonDetector()
    assert sum(p.numel() for p in network.parameters()) < 1.25e6


def test_begins_unsure_and_with_people_sized_boxes() -> None:
    network = PersonDetector(SMALL).eval()
    with torch.no_grad():
        out = network(torch.full((1, 3, 96, 96), 114.0))[0]
    assert out[:, 5].max() < 0.03
    torch.testing.assert_close(out[:, 2:4].exp().mean(0), torch.tensor([2.0, 5.0]), rtol=0.1, atol=0.0)


def test_pictures_of_a_batch_do_not_see_each_other() -> None:
    torch.manual_seed(1)
    network = PersonDetector(SMALL).eval()
    images = torch.rand(3, 3, 64, 96) * 255
    with torch.no_grad():
        together, alone = network(images), network(images[1:2])
    torch.testing.assert_close(together[1:2], alone, rtol=1e-4, atol=1e-5)


def test_grey_around_a_picture_is_no_border() -> None:
    """Convolutions pad with what stands for the letterbox's grey, so an empty picture looks alike everywhere."""
    torch.manual_seed(2)
    network = PersonDetector(SMALL).eval()
    with torch.no_grad():
        first = network.stem[0]((torch.full((1, 3, 32, 32), 114.0) - 114) / 57.0)
        moved = network.stem[0]((torch.full((1, 3, 32, 32), 150.0) - 114) / 57.0)
    assert first.abs().max() == 0.0 and moved.std(dim=(2, 3)).max() > 0.0
