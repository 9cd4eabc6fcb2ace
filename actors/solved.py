"""What a solver says of a window. Apart from it, because a publisher reads it and has no need of a solver."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..kernels.solve.problem import WindowSolution

Array = np.ndarray


@dataclass(frozen=True)
class SolvedWindow:
    """A window's bodies, and what the next solve needs beside them; the log keeps both in one record."""

    solution: WindowSolution
    state: dict[str, Array]
    """Who is remembered and from which window (`stream.warm_state`); their bodies stand in the solutions."""
    site: str = ""
    seconds: float = 0.0
    """It took."""
