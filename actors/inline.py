"""The inline runtime: every worker in this process, asked one after the other.

For tests, debugging and small machines; perception and solver use several threads inside.
"""

from __future__ import annotations

from typing import Any

from .place_here import Here
from .plan import EnginePlan
from .runtime import RunHooks
from .supervisor import Supervisor
from .workers import Workers


def run_inline(plan: EnginePlan, hooks: RunHooks, workers: Workers | None = None) -> dict[str, Any]:
    """Run a plan in this process."""
    return Supervisor(plan, hooks, workers or Workers(), Here()).run()
