"""What a scenario found: figures, each with the goal it is held against."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any


class Verdict(StrEnum):
    """How a figure stands to its goal."""

    MET = "met"
    MISSED = "missed"
    NO_GOAL = "no goal"
    """Reported, held against nothing."""
    NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class Figure:
    """One measured value."""

    name: str
    """In words, as the page says it."""
    value: float | None
    """None: could not be measured in this run."""
    unit: str = ""
    at_most: float | None = None
    at_least: float | None = None
    error: float | None = None
    """Half the width of the 95 % bounds, where the value is an estimate. A value misses its goal when it does so by
    more than this."""
    note: str = ""

    @property
    def verdict(self) -> Verdict:
        if self.value is None or not math.isfinite(self.value):
            return Verdict.NOT_MEASURED
        if self.at_most is None and self.at_least is None:
            return Verdict.NO_GOAL
        slack = self.error or 0.0
        over = self.at_most is not None and self.value - slack > self.at_most
        under = self.at_least is not None and self.value + slack < self.at_least
        return Verdict.MISSED if over or under else Verdict.MET

    @property
    def goal(self) -> str:
        unit = f" {self.unit}" if self.unit else ""
        if self.at_most is not None:
            return f"<= {self.at_most:g}{unit}"
        return f">= {self.at_least:g}{unit}" if self.at_least is not None else ""

    def __str__(self) -> str:
        shown = "not measured" if self.value is None else f"{self.value:.4g}"
        shown += f" +- {self.error:.2g}" if self.error is not None and self.value is not None else ""
        goal = f" (goal {self.goal})" if self.goal else ""
        return f"{self.name}: {shown} {self.unit}".rstrip() + f"{goal} {self.verdict}"


@dataclass(frozen=True)
class Figures:
    """What one run of one scenario found."""

    scenario: str
    seconds: float
    """How long it took."""
    figures: tuple[Figure, ...]
    short: bool = False
    """The short form: the same course in less time."""
    date: str = ""
    """Of the run, YYYY-MM-DD."""
    machine: str = ""
    """In general words."""
    notes: tuple[str, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)
    """Plain values for whoever wants to look closer."""

    @property
    def missed(self) -> tuple[Figure, ...]:
        return tuple(figure for figure in self.figures if figure.verdict is Verdict.MISSED)

    def value(self, name: str) -> float | None:
        """Of a figure by its name; KeyError where there is none."""
        return {figure.name: figure for figure in self.figures}[name].value


def save_figures(found: Figures, folder: Path) -> Path:
    """One JSON file a scenario and form; a later run replaces it."""
    path = folder / f"{found.scenario}{'-short' if found.short else ''}.json"
    path.write_text(json.dumps(asdict(found), indent=1, sort_keys=True) + "\n", "utf-8")
    return path


def load_figures(path: Path) -> Figures:
    plain = json.loads(path.read_text("utf-8"))
    rows = tuple(Figure(**row) for row in plain.pop("figures"))
    return Figures(**{**plain, "figures": rows, "notes": tuple(plain["notes"])})
