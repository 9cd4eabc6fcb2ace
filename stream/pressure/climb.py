"""When to step down a rung, and when back up.

Two clocks run. One fills while the buffer presses and runs out one and a half times as fast while it does not; full
at `hold_down_s`, it costs a rung. The other does the same with spare time and `hold_up_s`. So what counts is what
holds for more than three fifths of the time: a burst that is worked off within half a second moves nothing, and a
camera that sends one every other second keeps nobody from climbing.

A rung that was given back and is lost again within `trial_s` was too much: the next try for it waits twice as long,
up to `back_off_s`. A rung that holds halves the waits for itself and for those below, every `trial_s` again. Under a
steady load that no rung fits exactly tries therefore become rare, and what the engine spends stands still between
them.
"""

from __future__ import annotations

from enum import Enum

from .config import PressureConfig

_DECAY = 1.5
"""The share of the time that counts is decay / (1 + decay): 0.6."""
_LONGEST_S = 1.0
"""A sample speaks for no longer: nothing is known of a time in which nobody looked."""
_MOST_DOUBLINGS = 16


class Press(Enum):
    """What one sample of a buffer says."""

    PRESSED = "pressed"
    BETWEEN = "between"
    SPARE = "spare"
    SILENT = "silent"
    """Nothing comes in, so an empty buffer says nothing."""


class Climb:
    """The place on a ladder of `rungs` rungs; 0 is the top."""

    def __init__(self, config: PressureConfig, rungs: int) -> None:
        self._config, self._lowest = config, rungs - 1
        self._level = 0
        self._pressed_s = self._spare_s = 0.0
        self._last_ns: int | None = None
        self._doublings = [0] * rungs
        self._held_ns: int | None = None  # this rung has held since, or since it was last judged
        self._on_trial = False  # it was reached by climbing, and has not held for long yet

    @property
    def level(self) -> int:
        return self._level

    @property
    def wait_s(self) -> float:
        """Spare time that the next rung up asks for."""
        doublings = self._doublings[max(0, self._level - 1)]
        return min(self._config.back_off_s, self._config.hold_up_s * 2.0**doublings)

    def step(self, press: Press, now_ns: int) -> int:
        """One sample; +1: a rung further down, -1: one up, 0: it stays."""
        dt_s = 0.0 if self._last_ns is None else (now_ns - self._last_ns) / 1e9
        dt_s = min(max(dt_s, 0.0), _LONGEST_S)
        self._last_ns = now_ns
        self._count(press, dt_s)
        self._judge(now_ns)
        if self._pressed_s >= self._config.hold_down_s and self._level < self._lowest:
            return self._down(now_ns)
        if self._spare_s >= self.wait_s and self._level > 0:
            return self._up(now_ns)
        return 0

    def _count(self, press: Press, dt_s: float) -> None:
        if press is Press.PRESSED:
            self._pressed_s = min(self._config.hold_down_s, self._pressed_s + dt_s)
        else:
            self._pressed_s = max(0.0, self._pressed_s - _DECAY * dt_s)
        if press is Press.SPARE:
            self._spare_s += dt_s
        elif press is not Press.SILENT:
            self._spare_s = max(0.0, self._spare_s - _DECAY * dt_s)

    def _judge(self, now_ns: int) -> None:
        """A rung that has held, and so those below it would."""
        if self._held_ns is None or now_ns < self._held_ns:
            self._held_ns = now_ns
        if (now_ns - self._held_ns) / 1e9 >= self._config.trial_s:
            self._held_ns, self._on_trial = now_ns, False
            for level in range(self._level, self._lowest + 1):
                self._doublings[level] = max(0, self._doublings[level] - 1)

    def _down(self, now_ns: int) -> int:
        if self._on_trial:
            self._doublings[self._level] = min(_MOST_DOUBLINGS, self._doublings[self._level] + 1)
        self._move(self._level + 1, now_ns, on_trial=False)
        return 1

    def _up(self, now_ns: int) -> int:
        self._move(self._level - 1, now_ns, on_trial=True)
        return -1

    def _move(self, level: int, now_ns: int, on_trial: bool) -> None:
        self._level, self._held_ns, self._on_trial = level, now_ns, on_trial
        self._pressed_s = self._spare_s = 0.0
