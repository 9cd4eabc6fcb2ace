"""Points in the commit path at which tests end the process or make the disk refuse; nothing outside of tests.

    CROWDSTREAM_TEST_FAULTS=1 CROWDSTREAM_FAULT=after_append:3        the third time: the process is gone, as by kill -9
    CROWDSTREAM_TEST_FAULTS=1 CROWDSTREAM_FAULT=before_append:2:full  the second time, and from then on: no space left

The environment is read once, by `arm_from_environment`, which the workers' entry points call; without the switch it
arms nothing. An unarmed point costs one comparison.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Mapping

POINTS = (
    "before_append", "after_append", "after_sync", "before_publish", "after_publish",
    "before_log_rename", "between_log_renames", "after_log_rename",
    "before_checkpoint_sync", "before_checkpoint_rename", "between_checkpoint_renames", "after_checkpoint_rename",
)  # fmt: skip
"""In the order in which a commit, a log that is laid aside, then a checkpoint pass them."""

_armed: dict[str, Callable[[], None]] = {}


def reached(point: str) -> None:
    """The code is at a point; happens nothing unless a test has armed it."""
    if _armed and point in _armed:
        _armed[point]()


def arm(point: str, act: Callable[[], None]) -> None:
    """Have something happen whenever the point is reached.

    Raises:
        ValueError: there is no such point.
    """
    if point not in POINTS:
        raise ValueError(f"no fault point {point!r}; there are {', '.join(POINTS)}")
    _armed[point] = act


def disarm() -> None:
    """Nothing happens anywhere."""
    _armed.clear()


def arm_from_environment(environment: Mapping[str, str] = os.environ) -> None:
    """Arm what the environment asks for, if it also says that this is a test.

    Raises:
        ValueError: not `point:count` or `point:count:full`.
    """
    wanted = environment.get("CROWDSTREAM_FAULT", "")
    if environment.get("CROWDSTREAM_TEST_FAULTS") != "1" or not wanted:
        return
    point, _, rest = wanted.partition(":")
    count, _, how = rest.partition(":")
    if not count.isdigit() or how not in ("", "full"):
        raise ValueError(f"CROWDSTREAM_FAULT={wanted!r}: expected point:count or point:count:full")
    arm(point, _Countdown(int(count), _no_space if how else _gone))


class _Countdown:
    """Acts from the n-th time on."""

    def __init__(self, count: int, act: Callable[[], None]) -> None:
        self._left, self._act = count, act

    def __call__(self) -> None:
        self._left -= 1
        if self._left <= 0:
            self._act()


def _gone() -> None:
    os._exit(137)  # nothing is flushed, nothing is cleaned up: what kill -9 leaves


def _no_space() -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
