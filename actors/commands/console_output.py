"""How commands talk: figures on stdout, everything else on stderr, errors in one line."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

from rich.console import Console

note = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
"""Progress and remarks; stdout is kept for results. No markup: paths and names may hold brackets."""


def emit_json(figures: Mapping[str, Any]) -> None:
    """One JSON object on stdout."""
    json.dump(figures, sys.stdout, indent=2, sort_keys=True, default=str)
    sys.stdout.write("\n")
