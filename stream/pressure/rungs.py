"""The rungs: what is given up first.

Two sides stand on one machine and may be pressed apart: frames wait for perception, windows for the solver. Frames
that wait may cost any rung, for the stages share the processors; windows that wait cost only what the solver uses.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from .config import PressureConfig
from .records import FULL_EFFORT, Effort


@dataclass(frozen=True)
class Rung:
    """One rung, with everything above it given up as well."""

    effort: Effort
    """`level` counts from the top of its side."""
    text: str
    """What this rung gives up, in words."""


Step = tuple[str, dict[str, object]]
"""What a rung gives up, in words, and the fields of `Effort` that it changes."""


def frame_rungs(config: PressureConfig) -> tuple[Rung, ...]:
    """From the top: everything, then what is given up while frames wait."""
    steps = _refining(config)
    steps += [(f"poses at {share:.0%} of their rate", {"pose_rate": share}) for share in config.pose_rates]
    steps += [(f"1 of {stride} detections", {"detect_stride": stride}) for stride in config.detect_strides]
    steps += _solving(config)
    steps += [
        (f"poses for {most} people a frame at most", {"pose_budget": most}) for most in config.pose_budgets
    ]
    return _stack(steps)


def window_rungs(config: PressureConfig) -> tuple[Rung, ...]:
    """From the top: everything, then what is given up while windows wait."""
    return _stack(_refining(config) + _solving(config))


def both(frames: Effort, windows: Effort) -> Effort:
    """The lesser of both in everything; the level counts the rungs of both sides."""
    budgets = [e.pose_budget for e in (frames, windows) if e.pose_budget is not None]
    return Effort(
        level=frames.level + windows.level,
        detect_stride=max(frames.detect_stride, windows.detect_stride),
        pose_rate=min(frames.pose_rate, windows.pose_rate),
        pose_budget=min(budgets, default=None),
        solve_iterations=min(frames.solve_iterations, windows.solve_iterations),
        refine=frames.refine and windows.refine,
    )


def _refining(config: PressureConfig) -> list[Step]:
    return [("no refinement", {"refine": False})] if config.pause_refining else []


def _solving(config: PressureConfig) -> list[Step]:
    return [
        (f"{share:.0%} of the solver's steps", {"solve_iterations": share})
        for share in config.solve_iterations
    ]


def _stack(steps: list[Step]) -> tuple[Rung, ...]:
    rungs = [Rung(FULL_EFFORT, "everything")]
    for text, change in steps:
        before = rungs[-1].effort
        rungs.append(Rung(replace(before, level=before.level + 1, **change), text))  # type: ignore[arg-type]
    return tuple(rungs)
