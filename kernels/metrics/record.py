"""A record of scores as plain JSON values."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any


def as_plain(scores: Any) -> dict[str, Any]:
    """Fields of a frozen record of numbers and words, in their order; what is not finite becomes None (JSON null).

    >>> from crowdstream.kernels.metrics.completeness import Completeness
    >>> as_plain(Completeness(num_true=2, num_predicted=0, num_matched=0))
    {'num_true': 2, 'num_predicted': 0, 'num_matched': 0}
    """
    out = {f.name: getattr(scores, f.name) for f in fields(scores)}
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in out.items()}
