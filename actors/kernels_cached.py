"""Has somebody compiled the solver here before? Apart from it: asking shall not load the networks' library."""

from __future__ import annotations

from ..kernels.fused.compiled import is_cached
from ..kernels.fused.facing import facing_path
from ..kernels.fused.gauss_newton import solve_person


def kernels_are_cached() -> bool:
    """Whether a live solve starts at once; else somebody has to compile first, for about a minute."""
    return is_cached(solve_person) and is_cached(facing_path)
