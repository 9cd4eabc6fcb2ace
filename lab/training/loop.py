"""The training loop: whatever is learned, it is stepped, measured, logged, stored and resumed here.

A step k:
    1  seed torch by (seed, k); the recipe draws its batch and gives its losses
    2  gradient, clipped; loss or gradient not finite: skip the step and count it
    3  learning rate by the share of the budget used; optimiser; mean of the weights
    4  on their cadences: a line of the log, validation of the mean weights, a checkpoint
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import nn

from .average import WeightAverage
from .checkpoint import Progress, has_checkpoint, read_checkpoint, write_checkpoint
from .config import FitConfig
from .errors import TrainingError
from .interrupt import stop_asked
from .log import TrainingLog
from .optimiser import Optimiser, rate_factor
from .recipe import Finishes, Recipe, step_seed

MOST_SKIPPED_IN_ROW = 20
NO_BOARD = "tensorboard is not installed: log.jsonl only (pip install crowdstream[tensorboard])"


@dataclass(frozen=True)
class StepReport:
    """What a progress bar shows."""

    step: int
    share: float
    """Of the budget, 0 to 1."""
    seconds: float
    loss: float
    """Total of this step; not a number if it was skipped."""
    validation: Mapping[str, float]
    """The latest; empty before the first."""


@dataclass(frozen=True)
class FitResult:
    """What a fit came to. The network is left on the CPU with its mean weights, in evaluation mode."""

    steps: int
    seconds: float
    loss: dict[str, float]
    """Means of the last logged steps."""
    validation: dict[str, float]
    skipped: int
    """Steps whose loss or gradient was not finite."""
    interrupted: bool
    """Stopped on request before the budget was used; the checkpoint goes on from there."""


def fit(
    recipe: Recipe,
    config: FitConfig,
    folder: Path,
    resume: bool = False,
    progress: Callable[[StepReport], None] | None = None,
    say: Callable[[str], None] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> FitResult:
    """Train a recipe's network.

    Args:
        recipe: network, batches and losses.
        config: budget, optimiser, cadences.
        folder: takes checkpoints and logs; made where missing.
        resume: take up the checkpoint of the folder.
        progress: told after every step.
        say: told remarks, once each.
        clock: seconds, monotonic.

    Raises:
        TrainingError: 20 steps in a row were not finite; no such device; the folder holds another fit.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if not resume and has_checkpoint(folder):
        raise TrainingError(
            f"{folder} holds a fit already; resume it (--resume {folder}) or name another folder"
        )
    with _threads(config.threads), torch.random.fork_rng(), stop_asked() as stop:
        return _Fit(recipe, config, folder, resume, clock).run(progress, say, stop)


@dataclass
class _Means:
    """Sums over the steps since the last line of the log."""

    sums: dict[str, float] = field(default_factory=dict)
    norm: float = 0.0
    count: int = 0

    def add(self, losses: Mapping[str, float], norm: float) -> None:
        for key, value in losses.items():
            self.sums[key] = self.sums.get(key, 0.0) + value
        self.norm += norm
        self.count += 1

    def take(self) -> tuple[dict[str, float], float]:
        count = max(1, self.count)
        means = {key: value / count for key, value in self.sums.items()}
        norm = self.norm / count
        self.sums, self.norm, self.count = {}, 0.0, 0
        return means, norm


class _Fit:
    """One sitting of a fit."""

    def __init__(
        self, recipe: Recipe, config: FitConfig, folder: Path, resume: bool, clock: Callable[[], float]
    ) -> None:
        self.recipe, self.config, self.folder, self.clock = recipe, config, folder, clock
        self.device = _device(config.device)
        self.network = recipe.network.to(self.device)
        self.network.train()
        self.optimiser = Optimiser(recipe, config)
        self.mean = WeightAverage(self.network, config.ema_decay)
        self.at = Progress()
        if resume:
            self.at = read_checkpoint(folder, recipe.name, self.network, self.mean, self.optimiser)
        self._began = clock() - self.at.seconds
        self._means = _Means()
        self._loss: dict[str, float] = {}
        self._metrics: dict[str, float] = {}

    def run(
        self,
        progress: Callable[[StepReport], None] | None,
        say: Callable[[str], None] | None,
        stop: Callable[[], bool],
    ) -> FitResult:
        config, at = self.config, self.at
        validated = stored = at.seconds
        with TrainingLog(self.folder, at.step) as log:
            if log.board is None and say is not None:
                say(NO_BOARD)
            while (share := config.share(at.step, at.seconds)) < 1.0 and not stop():
                rate = rate_factor(config, at.step, share)
                total = self._step(rate)
                at.seconds = self.clock() - self._began
                if at.step % config.log_every_steps == 0:
                    self._write_means(log, rate)
                if at.seconds - validated >= 60.0 * config.validate_every_minutes:
                    self._validate(log)
                    validated = at.seconds
                if at.seconds - stored >= 60.0 * config.checkpoint_every_minutes:
                    self._store()
                    stored = at.seconds
                if progress is not None:
                    used = config.share(at.step, at.seconds)
                    progress(StepReport(at.step, used, at.seconds, total, self._metrics))
            interrupted = share < 1.0
            if self._means.count:
                self._write_means(log, rate)
            self._store()
            self.mean.put_into(self.network)
            self.network.to("cpu")
            if not interrupted:
                self._finish(log)
        return FitResult(at.step, at.seconds, self._loss, self._metrics, at.skipped, interrupted)

    def _step(self, rate: float) -> float:
        """Steps 1 to 3; the total loss, not a number where the step was skipped."""
        at = self.at
        torch.manual_seed(step_seed(self.config.seed, at.step))
        losses = self.recipe.loss(at.step)
        self.optimiser.zero_grad()
        losses["total"].backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(self.optimiser.weights, self.config.clip_norm)
        # the one time a step that the host waits for the device
        *values, length = torch.stack([*(part.detach() for part in losses.values()), norm]).tolist()
        told = dict(zip(losses, values, strict=True))
        step, at.step = at.step, at.step + 1
        if not (math.isfinite(told["total"]) and math.isfinite(length)):
            self._skip(told, length)
            return math.nan
        at.skipped_in_row = 0
        self.optimiser.step(rate)
        self.mean.update(self.network, step)
        self._means.add(told, length)
        return float(told["total"])

    def _skip(self, losses: Mapping[str, float], norm: float) -> None:
        at = self.at
        at.skipped += 1
        at.skipped_in_row += 1
        if at.skipped_in_row >= MOST_SKIPPED_IN_ROW:
            odd = [key for key, value in losses.items() if not math.isfinite(value)] or [f"gradient ({norm})"]
            raise TrainingError(
                f"{', '.join(odd)} not finite in {MOST_SKIPPED_IN_ROW} steps in a row, to step {at.step}; lower the "
                f"learning rate (now {self.config.learning_rate:g}) and begin again, or resume the last checkpoint"
            )

    def _write_means(self, log: TrainingLog, rate: float) -> None:
        losses, norm = self._means.take()
        self._loss = losses or self._loss
        log.steps(self.at, self.config.learning_rate * rate, norm, losses)

    def _validate(self, log: TrainingLog) -> None:
        """The mean weights as they are now."""
        with self.mean.inside(self.network), _on_cpu(self.network, self.device):
            self._score(log)

    @torch.no_grad()
    def _finish(self, log: TrainingLog) -> None:
        """What is left in the network is made ready for export, and measured as that."""
        if isinstance(self.recipe, Finishes):
            torch.manual_seed(self.config.seed)
            self.recipe.finish()
        self._score(log)

    def _score(self, log: TrainingLog) -> None:
        torch.manual_seed(self.config.seed)
        self._metrics = dict(self.recipe.validate())
        self.at.seconds = self.clock() - self._began
        log.validation(self.at, self._metrics)

    def _store(self) -> None:
        write_checkpoint(self.folder, self.recipe.name, self.network, self.mean, self.optimiser, self.at)


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as exc:
        raise TrainingError(f"device {name!r} cannot be used here; expected auto, cpu or cuda") from exc
    return device


@contextmanager
def _on_cpu(network: nn.Module, device: torch.device) -> Iterator[None]:
    """Scores are the evaluator's, which computes on the CPU; the optimiser keeps its hold on the weights."""
    network.to("cpu")
    try:
        yield
    finally:
        network.to(device)


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    if count:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
