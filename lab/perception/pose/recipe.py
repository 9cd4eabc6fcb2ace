"""How the pose network is trained: crops drawn on the fly, and validation as the engine would use it.

A step draws its crops from (seed, step) alone. Validation reads the network's heatmaps by the engine's own decoder.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from ....kernels.perception.heatmap_pose import refine_peaks
from ....kernels.settings import StageConfig
from ...training.recipe import step_random
from ..layers import measured_statistics
from ..onnx_export import export_onnx
from .batches import Batch, Crops, draw
from .card import pose_card
from .loss import PoseLossConfig, pose_losses
from .metrics import Placed, figures
from .network import STRIDE, PoseNet, PoseNetConfig

_STATISTICS, _VALIDATION = 2**41, 2**42
"""Steps that no training reaches: what is drawn there is drawn once and for all."""
_TOGETHER = 50
"""Crops that are looked at in one go when nothing is learned."""


class PoseRecipeConfig(StageConfig):
    """What a step sees and what it is judged by."""

    batch: int = Field(default=64, ge=1)
    """Crops a step."""
    loss: PoseLossConfig = PoseLossConfig()
    validation_crops: int = Field(default=600, ge=1)
    statistics_crops: int = Field(default=400, ge=2)
    """That the batch normalisation of the mean weights is measured on."""


class PoseRecipe:
    """Recipe of the loop; a batch depends on (seed, step) alone."""

    name = "pose"

    def __init__(
        self,
        training_scenes: Crops,
        validation_scenes: Crops,
        seed: int = 0,
        size: PoseNetConfig | None = None,
        config: PoseRecipeConfig | None = None,
    ) -> None:
        """
        Args:
            training_scenes: crops to learn from.
            validation_scenes: crops of other people, things and places.
            seed: first weights and crops.
            size: of the network.
            config: of losses and batches.
        """
        self.config = config or PoseRecipeConfig()
        self.seed = seed
        self._training, self._held_back = training_scenes, validation_scenes
        self._kept: dict[int, Batch] = {}
        self._finished = False
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.network = PoseNet(size)

    def hidden_matrices(self) -> list[str]:
        """Kernels between the first and the last convolution, for Muon."""
        kernels = [name for name, p in self.network.named_parameters() if p.ndim == 4]
        return [name for name in kernels if not name.startswith(("stem.", "predict."))]

    def batch(self, scenes: Crops, step: int, count: int) -> Batch:
        """The crops of one step."""
        return draw(scenes, step_random(self.seed, step), count, self.network.config.crop_wh)

    def loss(self, step: int) -> dict[str, Tensor]:
        """Losses of one batch."""
        batch = self.batch(self._training, step, self.config.batch)
        network, device = self.network, self.network.sure.device
        place, quality = network.raw(batch.images(device))
        trust = network.trust_logit(place, quality)
        return pose_losses(place, trust, batch.lessons(device), STRIDE, self.config.loss)

    def validate(self) -> dict[str, float]:
        """Distances, right ones, swaps and confidence; see `metrics.figures` for the names."""
        network = self.network if self._finished else copy.deepcopy(self.network)
        if not self._finished:
            self._measure_statistics(network)
        return figures(self.placed(network, self._held(_VALIDATION)))

    def finish(self) -> None:
        """Statistics of the mean weights."""
        self._measure_statistics(self.network)
        self._finished = True

    def card(self, metrics: Mapping[str, float]) -> str:
        """Model card."""
        return pose_card(self.network, self.config.batch, metrics)

    def export(self, folder: Path, file: str, card: str) -> Path:
        """Write FOLDER/<file>.onnx and .md."""
        path = folder / f"{file}.onnx"
        width, height = self.network.config.crop_wh
        free = {"image": {0: "batch"}, "heatmaps": {0: "batch"}}
        metadata = {"kind": "pose", "adapter": "heatmap"}
        example = torch.zeros((2, 3, height, width))
        export_onnx(self.network, path, example, ("image",), ("heatmaps",), free, metadata)
        path.with_suffix(".md").write_text(card, encoding="utf-8")
        return path

    @staticmethod
    @torch.no_grad()
    def placed(network: PoseNet, batch: Batch) -> Placed:
        """What the network, in evaluation mode, says about crops, read as the engine reads it."""
        device = network.sure.device
        parts = [slice(start, start + _TOGETHER) for start in range(0, len(batch), _TOGETHER)]
        maps = [network(batch.rows(part).images(device)).cpu().numpy() for part in parts]
        points, confidence = refine_peaks(np.ascontiguousarray(np.concatenate(maps)))
        truth, (height, width) = batch.keypoints_px, batch.bgr.shape[1:3]
        within = np.asarray(((truth > -0.5) & (truth < np.array([width, height]) - 0.5)).all(axis=-1))
        return Placed(points * STRIDE, confidence, truth, batch.seen, within, batch.height_px)

    def _held(self, first_step: int) -> Batch:
        """Held-back crops, drawn once."""
        if first_step not in self._kept:
            count = self.config.validation_crops
            self._kept[first_step] = self.batch(self._held_back, first_step, count)
        return self._kept[first_step]

    def _measure_statistics(self, network: PoseNet) -> None:
        batch = self.batch(self._training, _STATISTICS, self.config.statistics_crops)
        with measured_statistics(network):
            for start in range(0, len(batch) - 1, _TOGETHER):
                network.raw(batch.rows(slice(start, start + _TOGETHER)).images(network.sure.device))
