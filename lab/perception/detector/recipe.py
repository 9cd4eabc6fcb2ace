"""How the detector is trained: pictures drawn on the fly, validation as it is used, and the score's last adjustment.

A step draws its pictures and their size from (seed, step) alone. What is measured is what ships: boxes come out of
`kernels.perception.yolox.decode_grid` and `nms`, as in the engine.

The threshold where precision and recall balance depends on how long and on what a network was trained. The engine's
thresholds were chosen for detectors that work well at 0.45, so the logits are stretched and shifted at the end until
the best F0.5 on pictures like those of the training lies there (`calibrate`).
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from ....kernels.perception.nms import nms
from ....kernels.perception.yolox import decode_grid
from ....kernels.settings import StageConfig
from ...training.recipe import step_random
from ..layers import measured_statistics
from ..onnx_export import export_onnx
from .batches import Batch, Pictures, draw
from .calibrate import logit, steepness
from .card import detector_card
from .grid import cells
from .losses import LossConfig, detector_losses
from .metrics import Found, curve, figures
from .network import DetectorConfig, PersonDetector

OPERATING_POINT = 0.45
BETA = 0.5
"""Precision counts twice as much as recall there: places hold far more that is nobody than the pictures of the training
do, and a tracker bridges misses but keeps what it was falsely told."""
NMS_IOU = 0.5
"""As the engine's."""
_LOWEST_SCORE = 0.05
_CALIBRATION, _STATISTICS, _VALIDATION = 2**40, 2**41, 2**42
"""Steps that no training reaches: what is drawn at the end is drawn once and for all."""
_TOGETHER = 16
"""Pictures that are looked at in one go when nothing is learned."""


class DetectorRecipeConfig(StageConfig):
    """What a step sees and what it is judged by."""

    batch: int = Field(default=16, ge=1)
    """Pictures a step."""
    sizes_px: tuple[tuple[int, int], ...] = (
        (256, 256), (320, 256), (320, 320), (384, 256), (352, 288), (288, 384), (416, 320),
    )  # fmt: skip
    """Width and height, multiples of 32; a step has one of them."""
    padded_share: float = Field(default=0.2, ge=0.0, le=1.0)
    """Share of pictures that lie in a letterbox."""
    loss: LossConfig = LossConfig()
    validation_pictures: int = Field(default=208, ge=1)
    calibration_pictures: int = Field(default=256, ge=1)
    """That the score's shift follows from."""
    statistics_pictures: int = Field(default=192, ge=1)
    """That the batch normalisation of the mean weights is measured on."""


class DetectorRecipe:
    """Recipe of the loop; a batch depends on (seed, step) alone."""

    name = "detector"

    def __init__(
        self,
        training_scenes: Pictures,
        validation_scenes: Pictures,
        seed: int = 0,
        size: DetectorConfig | None = None,
        config: DetectorRecipeConfig | None = None,
    ) -> None:
        """
        Args:
            training_scenes: pictures to learn from.
            validation_scenes: pictures of other people, things and places.
            seed: first weights and pictures.
            size: of the network.
            config: of losses and batches.
        """
        self.config = config or DetectorRecipeConfig()
        self.seed = seed
        self._training, self._held_back = training_scenes, validation_scenes
        self._finished = False
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.network = PersonDetector(size)

    def hidden_matrices(self) -> list[str]:
        """Kernels between the first and the last convolution, for Muon."""
        kernels = [name for name, p in self.network.named_parameters() if p.ndim == 4]
        return [name for name in kernels if not name.startswith(("stem.", "head.predict."))]

    def batch(self, scenes: Pictures, step: int, count: int) -> Batch:
        """The pictures of one step."""
        random = step_random(self.seed, step)
        size = self.config.sizes_px[int(random.integers(len(self.config.sizes_px)))]
        return draw(scenes, random, count, size, self.config.padded_share)

    def loss(self, step: int) -> dict[str, Tensor]:
        """Losses of one batch."""
        batch = self.batch(self._training, step, self.config.batch)
        device = self.network.head.predict.weight.device
        raw = self.network.raw(batch.images(device))
        height, width = batch.bgr.shape[1:3]
        return detector_losses(raw, cells((width, height), device), batch.truth_on(device), self.config.loss)

    def validate(self) -> dict[str, float]:
        """Average precision, and precision, recall and F1 at the operating point; see `card` for the names."""
        network = self.network if self._finished else copy.deepcopy(self.network)
        if not self._finished:
            self._measure_statistics(network)
        found = self._look(network, self._held_back, _VALIDATION, self.config.validation_pictures)
        return figures(found, OPERATING_POINT)

    def finish(self) -> None:
        """Statistics of the mean weights, then scores that mean what the engine takes them for (`calibrate`)."""
        self._measure_statistics(self.network)
        found = self._look(self.network, self._training, _CALIBRATION, self.config.calibration_pictures)
        threshold, best = curve(found, 0.5).best(BETA)
        if best > 0.0:
            steep = steepness(found, 0.5)
            predict, bias = self.network.head.predict, self.network.head.bias
            with torch.no_grad():
                predict.weight[4] *= steep
                bias[4] = steep * (bias[4] - float(logit(threshold))) + float(logit(OPERATING_POINT))
        self._finished = True

    def card(self, metrics: Mapping[str, float]) -> str:
        """Model card."""
        return detector_card(self.network, self.config.batch, self.config.sizes_px, metrics)

    def export(self, folder: Path, file: str, card: str) -> Path:
        """Write FOLDER/<file>.onnx and .md."""
        path = folder / f"{file}.onnx"
        example = torch.full((1, 3, 64, 96), 114.0)
        free = {"images": {0: "batch", 2: "height", 3: "width"}, "output": {0: "batch", 1: "cells"}}
        metadata = {"kind": "detector", "adapter": "yolox", "operating_point": str(OPERATING_POINT)}
        export_onnx(self.network, path, example, ("images",), ("output",), free, metadata)
        path.with_suffix(".md").write_text(card, encoding="utf-8")
        return path

    def _measure_statistics(self, network: nn.Module) -> None:
        with measured_statistics(network):
            for batch in self._batches(self._training, _STATISTICS, self.config.statistics_pictures):
                network(batch.images(torch.device("cpu")))

    def _look(self, network: nn.Module, scenes: Pictures, first_step: int, count: int) -> list[Found]:
        """What the network finds in `count` pictures that are always the same."""
        out: list[Found] = []
        with torch.no_grad():
            for batch in self._batches(scenes, first_step, count):
                rows = network(batch.images(torch.device("cpu"))).numpy()
                out.extend(found_in(row, batch, number) for number, row in enumerate(rows))
        return out

    def _batches(self, scenes: Pictures, first_step: int, count: int) -> list[Batch]:
        sizes = [min(_TOGETHER, count - start) for start in range(0, count, _TOGETHER)]
        return [self.batch(scenes, first_step + number, size) for number, size in enumerate(sizes)]


def found_in(raw: np.ndarray, batch: Batch, number: int) -> Found:
    """The boxes that one picture's rows (A, 6) say, as the engine reads them, beside the truth."""
    height, width = batch.bgr.shape[1:3]
    rows = decode_grid(raw, (width, height), _LOWEST_SCORE)
    rows = rows[nms(rows[:, :4], rows[:, 4], NMS_IOU)]
    boxes = np.clip(rows[:, :4], 0.0, np.array([width, height, width, height], np.float32))
    truth = batch.truth
    there = (truth.wanted | truth.ignored)[number].numpy()
    return Found(
        boxes, rows[:, 4], truth.boxes_px[number].numpy()[there], truth.wanted[number].numpy()[there]
    )
