"""The pose network's contract: sizes, where cells lie, and what its peaks say."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from crowdstream.lab.perception.pose.network import PoseNet, PoseNetConfig

TINY = {"stem": 4, "widths": (8, 8, 8, 8), "down": (1, 0, 0, 0), "up": (0, 0, 0)}


def small(crop_wh: tuple[int, int] = (96, 128)) -> PoseNet:
    torch.manual_seed(0)
    network = PoseNet(PoseNetConfig(crop_wh=crop_wh, **TINY)).eval()
    nn.init.normal_(network.predict.weight, std=1.0)
    return network


@pytest.mark.parametrize("crop_wh", [(96, 128), (144, 192), (192, 256)])
def test_a_cell_for_every_four_pixels(crop_wh: tuple[int, int]) -> None:
    network = small(crop_wh)
    with torch.no_grad():
        maps = network(torch.randn(2, 3, crop_wh[1], crop_wh[0]))
    assert maps.shape == (2, 17, crop_wh[1] // 4, crop_wh[0] // 4)
    assert network.cells_wh == (crop_wh[0] // 4, crop_wh[1] // 4)


def test_it_fits_into_five_megabytes() -> None:
    assert sum(p.numel() for p in PoseNet().parameters()) <= 1_250_000


def test_the_peak_of_a_map_is_the_trust() -> None:
    network = small()
    image = torch.randn(3, 3, 128, 96)
    with torch.no_grad():
        maps = network(image)
        trust = torch.sigmoid(network.trust_logit(*network.raw(image)))
    torch.testing.assert_close(maps.amax(dim=(2, 3)), trust)
    assert (maps >= 0).all() and (maps <= 1).all() and trust.std() > 0


def test_log_of_the_heatmap_is_the_place_but_for_a_constant() -> None:
    network = small()
    image = torch.randn(1, 3, 128, 96)
    with torch.no_grad():
        place, _ = network.raw(image)
        apart = torch.log(network(image)) - place
    torch.testing.assert_close(apart, apart[..., :1, :1].expand_as(apart), atol=1e-4, rtol=0)


def test_trust_looks_only_where_the_keypoint_is_thought_to_be() -> None:
    network = small()
    place = torch.zeros(1, 17, 8, 8)
    place[..., 2, 3] = 40.0
    quality = torch.zeros(1, 17, 8, 8)
    quality[..., 2, 3] = 1.5
    elsewhere = quality.clone()
    elsewhere[..., 5, 5] = 90.0
    with torch.no_grad():
        torch.testing.assert_close(network.trust_logit(place, quality), torch.full((1, 17), 1.5))
        torch.testing.assert_close(network.trust_logit(place, elsewhere), torch.full((1, 17), 1.5))
        flat = network.trust_logit(torch.zeros_like(place), torch.full_like(quality, 1.5))
    assert (flat < 1.5).all()  # a place that could be anywhere is trusted less


def test_cells_lie_on_pixels_without_half_a_cell() -> None:
    """With symmetric kernels and 4 m + 1 columns, mirrored pixels give mirrored cells: cell i lies on pixel 4 i."""
    network = small()
    first = nn.Sequential(network.stem, network.down[0])
    with torch.no_grad():
        for conv in (m for m in first.modules() if isinstance(m, nn.Conv2d)):
            conv.weight.copy_(0.5 * (conv.weight + conv.weight.flip(3)))
        image = torch.randn(1, 3, 32, 97)
        straight, turned = first(image), first(image.flip(3))
        assert straight.shape[3] == 25
        torch.testing.assert_close(turned, straight.flip(3))
        # which an even number of columns does not: then the last cell lies three pixels from the border
        even = image[..., :96]
        assert not torch.allclose(first(even.flip(3)), first(even).flip(3), atol=1e-3)


def test_a_residual_pair_begins_as_nothing() -> None:
    deep = PoseNetConfig(**TINY | {"down": (2, 1, 1, 1), "up": (1, 1, 1)})
    network = PoseNet(deep).eval()
    x = torch.rand(1, 8, 6, 6)
    for stage in network.up:
        with torch.no_grad():
            torch.testing.assert_close(stage(x), x)
