"""How long to wait before a camera is tried again."""

from __future__ import annotations

import random
import zlib

from .config import LiveConfig
from .faults import SLOW
from .records import SourceFault


class Backoff:
    """Waits that double from try to try, spread by a seeded jitter; they start over after a time of health."""

    def __init__(self, config: LiveConfig, name: str) -> None:
        self._config = config
        self._failures = 0
        # of the camera alone: not Python's hash, which differs from process to process
        self._random = random.Random(zlib.crc32(name.encode()))

    def next_s(self, fault: SourceFault, healthy_s: float) -> float:
        """The wait after one more failure.

        Args:
            healthy_s: for how long frames had come before it; 0 if none came.
        """
        c = self._config
        if healthy_s >= c.backoff_reset_s and healthy_s > 0:
            self._failures = 0
        # the exponent is bounded: a camera may be gone for years
        wait_s = min(c.backoff_max_s, c.backoff_first_s * 2.0 ** min(self._failures, 40))
        self._failures += 1
        if fault in SLOW:
            wait_s = max(wait_s, c.slow_backoff_s)
        return wait_s * (1 + c.backoff_jitter * (2 * self._random.random() - 1))

    def reset(self) -> None:
        """An operator wants it now."""
        self._failures = 0
