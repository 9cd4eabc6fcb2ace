"""Forward and backward sums over all ways of walking through a guide: the compiled core of `grouping.alignment`.

States are the guide's slots. From one slot of the poor segment to the next the guide moves on by 0, 1 or 2 of its own;
past its end it goes on `loop` slots earlier (a gait repeats), or stays at its last slot where `loop` is 0. Scaled
sums, so nothing under- or overflows. O(T S).
"""

from __future__ import annotations

import numpy as np
from numba import njit

STEPS = 3
"""0, 1 or 2 slots of the guide for one of the poor segment."""
_FLOOR = 1e-30


@njit(cache=True)
def _next(state: int, step: int, states: int, loop: int) -> int:
    there = state + step
    if there < states:
        return there
    return there - loop if loop > 0 else states - 1


@njit(cache=True)
def posterior_of_steps(
    log_emission: np.ndarray, log_steps: np.ndarray, loop: int
) -> tuple[np.ndarray, float]:
    """Where in the guide each slot is, and how well the guide explains the segment.

    Args:
        log_emission: (T, S) float64, log likelihood of slot t in state s.
        log_steps: (T, 3) float64, log probability of moving on by 0, 1, 2 from slot t - 1 to t; row 0 unused.
        loop: length of the guide's cycle, slots; 0 for none.

    Returns:
        posterior (T, S) float64, rows sum to 1; log evidence, uniform over where the guide begins.
    """
    slots, states = log_emission.shape
    forward = np.empty((slots, states))
    likelihood = np.empty((slots, states))
    steps = np.exp(log_steps)
    there = np.empty((states, STEPS), np.int64)
    for s in range(states):
        for step in range(STEPS):
            there[s, step] = _next(s, step, states, loop)
    evidence = 0.0
    for t in range(slots):
        top = log_emission[t].max()
        for s in range(states):
            likelihood[t, s] = np.exp(log_emission[t, s] - top)
            forward[t, s] = 1.0 / states if t == 0 else _FLOOR
        if t > 0:
            stay, on, skip = steps[t, 0], steps[t, 1], steps[t, 2]
            for s in range(states):
                mass = forward[t - 1, s]
                forward[t, there[s, 0]] += mass * stay
                forward[t, there[s, 1]] += mass * on
                forward[t, there[s, 2]] += mass * skip
        total = 0.0
        for s in range(states):
            forward[t, s] *= likelihood[t, s]
            total += forward[t, s]
        for s in range(states):
            forward[t, s] /= total
        evidence += top + np.log(total)
    _turn_back(forward, likelihood, steps, there)
    return forward, evidence


@njit(cache=True)
def _turn_back(forward: np.ndarray, likelihood: np.ndarray, steps: np.ndarray, there: np.ndarray) -> None:
    """Backward sums; turns the forward ones into the posterior, in place."""
    slots, states = forward.shape
    backward, earlier, ahead = np.ones(states), np.empty(states), np.empty(states)
    for t in range(slots - 2, -1, -1):
        stay, on, skip = steps[t + 1, 0], steps[t + 1, 1], steps[t + 1, 2]
        for s in range(states):
            ahead[s] = likelihood[t + 1, s] * backward[s]
        scale = 0.0
        for s in range(states):
            value = stay * ahead[there[s, 0]] + on * ahead[there[s, 1]] + skip * ahead[there[s, 2]]
            earlier[s] = value
            scale += value
        total = 0.0
        for s in range(states):
            backward[s] = earlier[s] / scale if scale > 0.0 else 1.0
            forward[t, s] *= backward[s]
            total += forward[t, s]
        for s in range(states):
            forward[t, s] = forward[t, s] / total if total > 0.0 else 1.0 / states
