"""What a fit writes down: `log.jsonl`, a JSON object a line, and TensorBoard event files where that is installed.

    {"step": 40, "seconds": 3.1, "learning_rate": 4e-4, "gradient_norm": 0.8, "skipped": 0, "loss": {"total": 1.2, ...}}
    {"step": 500, "seconds": 40.2, "validation": {...}}

Losses are means over the steps since the last line. A number that is not finite is written as null.
"""

from __future__ import annotations

import importlib.util
import json
import math
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from .checkpoint import Progress, write_whole

LOG = "log.jsonl"
BOARD = "tensorboard"


class TrainingLog:
    """The log of one folder; a context manager."""

    def __init__(self, folder: Path, step: int = 0) -> None:
        """
        Args:
            folder: of the fit.
            step: where the fit stands; later lines, of a sitting that crashed, are taken out.
        """
        self._path = folder / LOG
        if self._path.is_file():
            kept = [line for line in self._path.read_text("utf-8").splitlines() if _step_of(line) <= step]
            write_whole(self._path, "".join(line + "\n" for line in kept).encode())
        self._file = self._path.open("a", encoding="utf-8")
        self.board = _board(folder / BOARD, step)
        """TensorBoard's writer; None where the package is not installed."""

    def steps(self, at: Progress, rate: float, norm: float, losses: Mapping[str, float]) -> None:
        """Means of the last steps."""
        values = {key: _plain(value) for key, value in losses.items()}
        line = {"learning_rate": rate, "gradient_norm": _plain(norm), "skipped": at.skipped, "loss": values}
        self._line(at, line)
        self._scalars("loss", losses, at.step)
        self._scalars("fit", {"learning_rate": rate, "gradient_norm": norm, "skipped": at.skipped}, at.step)

    def validation(self, at: Progress, metrics: Mapping[str, float]) -> None:
        """Metrics on held-back data."""
        self._line(at, {"validation": {key: _plain(value) for key, value in metrics.items()}})
        self._scalars("validation", metrics, at.step)

    def _line(self, at: Progress, fields: Mapping[str, Any]) -> None:
        json.dump({"step": at.step, "seconds": round(at.seconds, 3), **fields}, self._file)
        self._file.write("\n")
        self._file.flush()

    def _scalars(self, group: str, values: Mapping[str, float], step: int) -> None:
        if self.board is not None:
            for key, value in values.items():
                self.board.add_scalar(f"{group}/{key}", value, step)

    def __enter__(self) -> TrainingLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        if self.board is not None:
            self.board.close()


def read_log(folder: Path) -> list[dict[str, Any]]:
    """The lines of a fit's log."""
    return [json.loads(line) for line in (folder / LOG).read_text("utf-8").splitlines()]


def _board(folder: Path, step: int) -> Any:
    if importlib.util.find_spec("tensorboard") is None:
        return None
    import warnings

    with warnings.catch_warnings():  # the package warns of its own dependencies
        warnings.simplefilter("ignore")
        from torch.utils.tensorboard import SummaryWriter  # type: ignore[attr-defined, unused-ignore]

    return SummaryWriter(str(folder), purge_step=step or None)  # type: ignore[no-untyped-call, unused-ignore]


def _step_of(line: str) -> float:
    try:
        return float(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return math.inf  # a line that a crash cut short


def _plain(value: float) -> float | None:
    return value if math.isfinite(value) else None
